/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The text of "ipset save": create and add lines. Answers to ipset 7.17, lib/parse.c, and to what
 * the types of Linux 6.18, net/netfilter/ipset, take.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/number.h"
#include "lib/packet/wire.h"
#include "lib/ruleset/ext.h"
#include "lib/ruleset/ipset.h"

enum {
	MAX_SETS = 65535,	/* the kernel's ids */
	MAX_ELEMENTS = 4 << 20, /* of one file */
	MAX_SAME_NET = 64,	/* interfaces of one network: AHASH_MAX_TUNED */
	MAX_MEMBERS = 1024,	/* of a list */
	STD_MAX = 65536,	/* maxelem */
};

struct word {
	const char *s;
	size_t len;
};

struct parse {
	struct ct_ipsets *sets;
	struct ct_err *err;
	const char *at, *end; /* of the line */
	struct ct_ipset *last;
	unsigned line;
};

static int refuse(const struct parse *p, const char *what, struct word w)
{
	return ct_err_set(p->err, -EINVAL, "line %u: '%.*s' %s", p->line,
			  (int)(w.len < 64 ? w.len : 64), w.s, what);
}

static bool is_word(struct word w, const char *s)
{
	return w.len == strlen(s) && memcmp(w.s, s, w.len) == 0;
}

/* The next word of the line; what stands between quotes is one. False at the end. */
static bool next_word(struct parse *p, struct word *w)
{
	char until = ' ';

	while (p->at < p->end && (*p->at == ' ' || *p->at == '\t' || *p->at == '\r'))
		p->at++;
	*w = (struct word){ p->at, 0 };
	if (p->at == p->end)
		return false;
	if (*p->at == '"') {
		until = '"';
		p->at++;
	}
	while (p->at < p->end && *p->at != until && (until == '"' || *p->at != '\r'))
		p->at++;
	if (until == '"' && p->at < p->end)
		p->at++;
	w->len = (size_t)(p->at - w->s);
	return true;
}

/* Takes what stands before the first @c off @w. */
static struct word cut(struct word *w, char c)
{
	const char *found = memchr(w->s, c, w->len);
	struct word head = { w->s, found ? (size_t)(found - w->s) : w->len };

	w->s += head.len + (found != NULL);
	w->len -= head.len + (found != NULL);
	return head;
}

static int number(const struct parse *p, struct word w, uint64_t max, uint64_t *out)
{
	if (ct_number_any(w.s, w.len, max, out) < 0)
		return refuse(p, "is no number that fits", w);
	return 0;
}

/* Elements --------------------------------------------------------------------------------------
 */

/* An element's key, and the end of its ranges. */
struct element {
	struct ct_ipset_key key;
	uint32_t to_addr; /* of the first part, IPv4 */
	uint16_t to_port;
	char iface[16];
	uint8_t mac[6];
	bool has_mac, has_iface, is_range;
	struct ct_ipset *member;
	unsigned n_addrs;
};

static int read_addr(const struct parse *p, const struct ct_ipset *set, struct word w,
		     union ct_addr *out)
{
	uint8_t family;

	if (ct_addr_parse(w.s, w.len, out, &family) < 0 || family != set->family)
		return refuse(p, "is no address of the set's family", w);
	return 0;
}

static void put_be32(uint8_t *to, uint32_t v)
{
	v = __builtin_bswap32(v);
	memcpy(to, &v, 4);
}

/* "10.0.0.1-10.0.0.9" or "10.0.0.0/28" stands for each of its addresses. */
static int read_ip(const struct parse *p, const struct ct_ipset *set, struct word w,
		   struct element *el)
{
	struct word from = w, head;
	union ct_addr *addr = &el->key.addr[el->n_addrs], to;
	uint64_t len = ct_ipset_bits(set);
	int r;

	if (memchr(w.s, '/', w.len)) {
		head = cut(&from, '/');
		r = read_addr(p, set, head, addr);
		if (r == 0)
			r = number(p, from, ct_ipset_bits(set), &len);
		ct_ipset_cut(addr, (unsigned)len);
	} else {
		head = cut(&from, '-');
		r = read_addr(p, set, head, addr);
	}
	if (r < 0 || (head.len == w.len && len == ct_ipset_bits(set)))
		goto out;
	if (len == ct_ipset_bits(set) && memchr(w.s, '/', w.len))
		goto out;
	if (set->family != CT_FAMILY_IPV4 || el->n_addrs > 0)
		return refuse(p, "is a range, which is read for IPv4 and first words only", w);
	el->is_range = true;
	el->to_addr = wire_be32(addr->bytes) | (uint32_t)(UINT64_C(0xffffffff) >> len);
	if (len == 32) {
		r = read_addr(p, set, from, &to);
		el->to_addr = r < 0 ? 0 : wire_be32(to.bytes);
	}
	if (r == 0 && el->to_addr < wire_be32(addr->bytes))
		return refuse(p, "is a range that ends before it begins", w);
out:
	for (unsigned b = 0; b < sizeof(addr->bytes); b++)
		addr->bytes[b] &= set->mask.bytes[b];
	el->n_addrs++;
	return r;
}

static int read_net(const struct parse *p, const struct ct_ipset *set, struct word w,
		    struct element *el)
{
	unsigned bits = ct_ipset_bits(set), which = el->n_addrs++;
	struct word rest = w, head = cut(&rest, '/');
	uint64_t len = bits;
	int r = read_addr(p, set, head, &el->key.addr[which]);

	if (r == 0 && head.len != w.len)
		r = number(p, rest, bits, &len);
	if (r < 0)
		return r;
	ct_ipset_cut(&el->key.addr[which], (unsigned)len);
	el->key.len[which] = (uint8_t)len;
	return 0;
}

/* The names that rules have for them too, and "8/0". */
static int read_icmp(const struct parse *p, uint8_t family, struct word w, uint16_t *out)
{
	static const struct {
		uint8_t family, type, code;
		const char *name;
	} names[] = {
#define ICMP(family, name, type, first, last) { CT_FAMILY_##family, type, first, name },
#include "lib/ruleset/icmp.def"
#undef ICMP
	};
	struct word rest = w, head;
	uint64_t type, code = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].family == family && is_word(w, names[i].name)) {
			*out = (uint16_t)(names[i].type << 8 | names[i].code);
			return 0;
		}
	head = cut(&rest, '/');
	if (ct_number_u64(head.s, head.len, 255, &type) < 0 ||
	    (head.len != w.len && ct_number_u64(rest.s, rest.len, 255, &code) < 0))
		return refuse(p, "is no type of ICMP", w);
	*out = (uint16_t)(type << 8 | code);
	return 0;
}

static int read_proto(const struct parse *p, struct word w, uint8_t *out)
{
	char name[32];
	int proto;

	if (w.len >= sizeof(name))
		return refuse(p, "is no protocol", w);
	memcpy(name, w.s, w.len);
	name[w.len] = '\0';
	proto = ct_rule_proto_number(name);
	if (proto <= 0 || proto > 255)
		return refuse(p, "is no protocol", w);
	*out = (uint8_t)proto;
	return 0;
}

/* "80", "tcp:80", "udp:53-60", "icmp:echo-request", "esp:0". */
static int read_port(const struct parse *p, struct word w, bool is_bare, struct element *el)
{
	bool has_proto = memchr(w.s, ':', w.len) != NULL;
	struct word rest = w, proto = has_proto ? cut(&rest, ':') : (struct word){ "tcp", 3 };
	struct word from, all;
	uint16_t port = 0;
	int r = read_proto(p, proto, &el->key.proto);

	if (r < 0)
		return r;
	if (el->key.proto == PROTO_ICMP || el->key.proto == PROTO_ICMPV6) {
		r = read_icmp(p, el->key.proto == PROTO_ICMP ? CT_FAMILY_IPV4 : CT_FAMILY_IPV6,
			      rest, &el->key.port);
		el->to_port = el->key.port;
		return r;
	}
	all = rest;
	from = cut(&rest, '-');
	r = ct_kind_port(from.s, from.len, &el->key.port);
	el->to_port = el->key.port;
	if (r == 0 && from.len != all.len) {
		r = ct_kind_port(rest.s, rest.len, &port);
		el->to_port = port;
		el->is_range = true;
	}
	if (is_bare)
		el->key.proto = 0;
	return r < 0 || el->to_port < el->key.port ? refuse(p, "is no port", w) : 0;
}

static int read_mac(const struct parse *p, struct word w, uint8_t *out)
{
	static const char digits[] = "0123456789abcdefABCDEF";

	for (unsigned i = 0; w.len == 17 && i < 17; i++) {
		const char *digit = w.s[i] ? strchr(digits, w.s[i]) : NULL;
		unsigned v = digit ? (unsigned)(digit - digits) : 0;

		if (i % 3 == 2 ? w.s[i] != ':' : !digit)
			return refuse(p, "is no hardware address", w);
		if (i % 3 != 2)
			out[i / 3] = (uint8_t)(out[i / 3] << 4 | (v > 15 ? v - 6 : v));
	}
	return w.len == 17 ? 0 : refuse(p, "is no hardware address", w);
}

static int read_iface(const struct parse *p, struct ct_ipset *set, struct word w,
		      struct element *el)
{
	if (w.len > 8 && memcmp(w.s, "physdev:", 8) == 0)
		set->is_opaque = true;
	else if (w.len == 0 || w.len >= sizeof(el->iface))
		return refuse(p, "is no name of an interface", w);
	else
		memcpy(el->iface, w.s, w.len);
	el->has_iface = true;
	return 0;
}

static int read_member(const struct parse *p, struct word w, struct element *el)
{
	el->member = ct_ipset_find(p->sets, w.s, w.len);
	if (!el->member)
		return refuse(p, "is no set above", w);
	if (el->member->type && el->member->type->parts[0] == IPSET_MEMBER)
		return refuse(p, "is a list, which cannot be in another", w);
	return 0;
}

static int read_part(const struct parse *p, struct ct_ipset *set, enum ipset_part part,
		     struct word w, struct element *el)
{
	uint64_t mark = 0;
	int r = 0;

	switch (part) {
	case IPSET_IP:
		return read_ip(p, set, w, el);
	case IPSET_NET:
		return read_net(p, set, w, el);
	case IPSET_PORT:
	case IPSET_BARE_PORT:
		return read_port(p, w, part == IPSET_BARE_PORT, el);
	case IPSET_MAC:
		return read_mac(p, w, el->key.mac);
	case IPSET_FREE_MAC:
		el->has_mac = true;
		return read_mac(p, w, el->mac);
	case IPSET_MARK:
		r = number(p, w, UINT32_MAX, &mark);
		el->key.mark = (uint32_t)mark & set->mark_mask;
		return r;
	case IPSET_IFACE:
		return read_iface(p, set, w, el);
	case IPSET_MEMBER:
		return read_member(p, w, el);
	case IPSET_END:
		break;
	}
	return 0;
}

static int read_key(const struct parse *p, struct ct_ipset *set, struct word w, struct element *el)
{
	struct word rest = w;

	memset(el, 0, sizeof(*el));
	for (unsigned i = 0; set->type->parts[i] != IPSET_END; i++) {
		enum ipset_part part = set->type->parts[i];
		int r;

		if (rest.len == 0 && part == IPSET_FREE_MAC)
			continue;
		if (rest.len == 0)
			return refuse(p, "has too few parts for its set", w);
		r = read_part(p, set, part, cut(&rest, ','), el);
		if (r < 0)
			return r;
	}
	return rest.len ? refuse(p, "has too many parts for its set", w) : 0;
}

/* What an add line says behind the element. */
static int read_element_options(struct parse *p, struct ct_ipset *set,
				struct ct_ipset_element *like)
{
	struct word w, value;
	uint64_t v;

	like->left = set->timeout;
	while (next_word(p, &w)) {
		int r = 0;

		if (is_word(w, "nomatch")) {
			like->is_nomatch = true;
			continue;
		}
		if (is_word(w, "-exist") || is_word(w, "-!"))
			continue;
		if (!next_word(p, &value))
			return refuse(p, "lacks its value", w);
		if (is_word(w, "timeout")) {
			r = number(p, value, UINT32_MAX, &v);
			like->left = r < 0 ? 0 : (ct_time)v * CT_NS_PER_S;
		} else if (is_word(w, "packets")) {
			r = number(p, value, UINT64_MAX, &like->packets);
		} else if (is_word(w, "bytes")) {
			r = number(p, value, UINT64_MAX, &like->bytes);
		} else if (!is_word(w, "comment") && !is_word(w, "skbmark") &&
			   !is_word(w, "skbprio") && !is_word(w, "skbqueue") &&
			   !is_word(w, "before") && !is_word(w, "after")) {
			return refuse(p, "is no option of an element", w);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/* How many elements share a key with what @el has beside it. */
static unsigned count_same(const struct ct_ipset *set, const struct ct_ipset_key *key)
{
	unsigned n = 0;

	for (struct ct_ipset_element *e = ct_ipset_first(set, key); e; e = ct_ipset_next(e))
		n++;
	return n;
}

static int keep(struct parse *p, struct ct_ipset *set, const struct element *el,
		const struct ct_ipset_element *like)
{
	const char *iface = el->has_iface ? el->iface : NULL;
	struct ct_ipset_element *e = ct_ipset_get(set, &el->key, iface, el->member);
	uint32_t at =
		set->type->parts[0] == IPSET_IP ? wire_be32(el->key.addr[0].bytes) : el->key.port;

	if (set->is_bitmap && (at < set->first || at > set->last))
		return ct_err_set(p->err, -EINVAL, "line %u: beyond the range of the set", p->line);
	if (!e && ((iface && count_same(set, &el->key) >= MAX_SAME_NET) ||
		   (el->member && set->n >= MAX_MEMBERS)))
		return ct_err_set(p->err, -E2BIG, "line %u: too many of one kind", p->line);
	if (++p->sets->n_elements > MAX_ELEMENTS)
		return ct_err_set(p->err, -E2BIG, "line %u: more than %d elements", p->line,
				  MAX_ELEMENTS);
	if (!e)
		e = ct_ipset_add(set, &el->key, iface, el->member);
	if (!e)
		return ct_err_set(p->err, -ENOMEM, "line %u: no memory", p->line);
	e->packets = like->packets;
	e->bytes = like->bytes;
	e->left = like->left;
	e->is_nomatch = like->is_nomatch;
	e->has_mac = el->has_mac;
	memcpy(e->mac, el->mac, sizeof(e->mac));
	return 0;
}

/* Every element of the ranges. */
static int keep_all(struct parse *p, struct ct_ipset *set, const struct element *el,
		    const struct ct_ipset_element *like)
{
	struct element one = *el;
	uint32_t from = wire_be32(el->key.addr[0].bytes);
	uint32_t to = el->to_addr > from ? el->to_addr : from;

	if (!el->is_range)
		return keep(p, set, el, like);
	for (uint64_t addr = from; addr <= to; addr++)
		for (uint32_t port = el->key.port; port <= el->to_port || port == el->key.port;
		     port++) {
			int r;

			if (el->n_addrs && set->type->parts[0] == IPSET_IP &&
			    set->family == CT_FAMILY_IPV4) {
				put_be32(one.key.addr[0].bytes, (uint32_t)addr);
				for (unsigned b = 0; b < 4; b++)
					one.key.addr[0].bytes[b] &= set->mask.bytes[b];
			}
			one.key.port = (uint16_t)port;
			r = keep(p, set, &one, like);
			if (r < 0)
				return r;
		}
	return 0;
}

static int read_add(struct parse *p)
{
	struct ct_ipset_element like = { .next = NULL };
	struct element el;
	struct word name, key;
	int r;

	if (!next_word(p, &name) || !next_word(p, &key))
		return ct_err_set(p->err, -EINVAL, "line %u: an add line needs set and element",
				  p->line);
	if (!p->last || !is_word(name, p->last->name))
		p->last = ct_ipset_find(p->sets, name.s, name.len);
	if (!p->last)
		return refuse(p, "is no set above", name);
	if (!p->last->type)
		return 0;
	r = read_key(p, p->last, key, &el);
	if (r == 0)
		r = read_element_options(p, p->last, &like);
	return r < 0 ? r : keep_all(p, p->last, &el, &like);
}

/* Sets ------------------------------------------------------------------------------------------
 */

/* "10.0.0.0-10.0.255.255", "10.0.0.0/16" or, of ports, "0-1000". */
static int read_range(const struct parse *p, struct ct_ipset *set, struct word w)
{
	struct element el = { .n_addrs = 0 };
	int r;

	set->is_bitmap = true;
	if (set->type->parts[0] == IPSET_BARE_PORT) {
		r = read_port(p, w, true, &el);
		set->first = el.key.port;
		set->last = el.to_port;
		return r;
	}
	r = read_ip(p, set, w, &el);
	set->first = wire_be32(el.key.addr[0].bytes);
	set->last = el.is_range ? el.to_addr : set->first;
	return r;
}

static int read_mask(const struct parse *p, struct ct_ipset *set, struct word w)
{
	union ct_addr mask;
	uint64_t len;
	int r;

	if (memchr(w.s, '.', w.len) || memchr(w.s, ':', w.len)) {
		r = read_addr(p, set, w, &mask);
		if (r == 0)
			set->mask = mask;
		return r;
	}
	r = number(p, w, ct_ipset_bits(set), &len);
	if (r == 0)
		ct_ipset_cut(&set->mask, (unsigned)len);
	return r;
}

static int read_family(const struct parse *p, struct ct_ipset *set, struct word w)
{
	bool is_six = is_word(w, "inet6");

	if (!is_six && !is_word(w, "inet"))
		return refuse(p, "is no family", w);
	if (set->type->family == 0)
		set->family = is_six ? CT_FAMILY_IPV6 : CT_FAMILY_IPV4;
	return 0;
}

/* An option with a value. Masks of networks, and what is not known, make the set opaque. */
static int read_set_value(const struct parse *p, struct ct_ipset *set, struct word w,
			  struct word value)
{
	uint64_t v = 0;
	int r = 0;

	if (is_word(w, "family"))
		return read_family(p, set, value);
	if (is_word(w, "range"))
		return read_range(p, set, value);
	if (is_word(w, "netmask") || is_word(w, "bitmask")) {
		set->is_opaque = set->is_opaque || set->type->parts[0] == IPSET_NET;
		return read_mask(p, set, value);
	}
	if (is_word(w, "timeout")) {
		r = number(p, value, UINT32_MAX, &v);
		set->has_timeout = true;
		set->timeout = (ct_time)v * CT_NS_PER_S;
	} else if (is_word(w, "maxelem")) {
		r = number(p, value, UINT32_MAX, &v);
		set->max = (uint32_t)v;
	} else if (is_word(w, "markmask")) {
		r = number(p, value, UINT32_MAX, &v);
		set->mark_mask = (uint32_t)v;
	} else if (!is_word(w, "hashsize") && !is_word(w, "bucketsize") && !is_word(w, "initval") &&
		   !is_word(w, "size") && !is_word(w, "probes") && !is_word(w, "resize")) {
		set->is_opaque = true;
	}
	return r;
}

static int read_set_options(struct parse *p, struct ct_ipset *set)
{
	struct word w, value;

	while (next_word(p, &w)) {
		int r;

		if (is_word(w, "counters")) {
			set->has_counters = true;
			continue;
		}
		if (is_word(w, "forceadd")) {
			set->is_forced = true;
			continue;
		}
		if (is_word(w, "comment") || is_word(w, "skbinfo") || is_word(w, "-exist") ||
		    is_word(w, "-!"))
			continue;
		if (!next_word(p, &value))
			return refuse(p, "lacks its value", w);
		r = read_set_value(p, set, w, value);
		if (r < 0)
			return r;
	}
	if (set->type->name[0] == 'b' && !set->is_bitmap)
		return ct_err_set(p->err, -EINVAL, "line %u: a bitmap needs a range", p->line);
	return 0;
}

static struct ct_ipset *begin_set(struct parse *p, struct word name)
{
	struct ct_ipset *set = ct_arena_get(&p->sets->arena, sizeof(*set)), **at;

	if (!set)
		return NULL;
	memcpy(set->name, name.s, name.len);
	set->arena = &p->sets->arena;
	set->max = STD_MAX;
	set->mark_mask = UINT32_MAX;
	memset(set->mask.bytes, 0xff, sizeof(set->mask.bytes));
	*p->sets->end = set;
	p->sets->end = &set->next;
	at = &p->sets->named[ct_ipset_bucket(name.s, name.len)];
	set->next_named = *at;
	*at = set;
	return set;
}

static int read_create(struct parse *p)
{
	struct word name, type;
	struct ct_ipset *set;

	if (!next_word(p, &name) || !next_word(p, &type))
		return ct_err_set(p->err, -EINVAL, "line %u: a create line needs name and type",
				  p->line);
	if (name.len > IPSET_MAX_NAME)
		return refuse(p, "is no name of a set", name);
	if (ct_ipset_find(p->sets, name.s, name.len))
		return refuse(p, "is made a second time", name);
	if (++p->sets->n > MAX_SETS)
		return ct_err_set(p->err, -E2BIG, "line %u: more than %d sets", p->line, MAX_SETS);
	set = begin_set(p, name);
	if (!set)
		return ct_err_set(p->err, -ENOMEM, "line %u: no memory", p->line);
	set->type = ct_ipset_type_find(type.s, type.len);
	if (!set->type) {
		set->is_opaque = true;
		return 0;
	}
	set->family = set->type->family == IPSET_ANY_FAMILY ? 0
		      : set->type->family		    ? set->type->family
							    : CT_FAMILY_IPV4;
	return read_set_options(p, set);
}

static int read_line(struct parse *p)
{
	struct word w;

	for (const char *s = p->at; s < p->end; s++)
		if ((uint8_t)*s < ' ' && *s != '\t' && *s != '\r')
			return ct_err_set(p->err, -EINVAL, "line %u: a control character", p->line);
	if (!next_word(p, &w) || *w.s == '#' || is_word(w, "COMMIT"))
		return 0;
	if (is_word(w, "create") || is_word(w, "-N"))
		return read_create(p);
	if (is_word(w, "add") || is_word(w, "-A"))
		return read_add(p);
	return refuse(p, "is neither create nor add", w);
}

struct ct_ipsets *ct_ipsets_parse(const char *text, size_t len, struct ct_err *err)
{
	struct parse p = { .sets = calloc(1, sizeof(struct ct_ipsets)), .err = err };
	const char *end = text + len;

	if (!p.sets) {
		(void)ct_err_set(err, -ENOMEM, "no memory for sets");
		return NULL;
	}
	p.sets->end = &p.sets->first;
	for (p.at = text; p.at < end; p.at = p.end + (p.end < end)) {
		const char *stop = memchr(p.at, '\n', (size_t)(end - p.at));

		p.end = stop ? stop : end;
		p.line++;
		if (read_line(&p) < 0) {
			ct_ipsets_free(p.sets);
			return NULL;
		}
	}
	return p.sets;
}
