/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Packets and sets: the match "set" and the target SET. Answers to Linux 6.18,
 * net/netfilter/xt_set.c and net/netfilter/ipset: ip_set_test(), mtype_test_cidrs(),
 * ip_set_match_extensions(), ip_set_get_ip4_port(), list_set_ktest().
 */
#include <string.h>

#include "lib/packet/wire.h"
#include "lib/ruleset/ext.h"
#include "lib/ruleset/ipset.h"

/* What is asked of a set, with the rule's options. */
struct asked {
	struct ct_rule_ext *e;
	const struct ct_judging *j;
	const struct ct_rule_option *of; /* set and directions */
	ct_time now;
	bool is_counting, is_compared, turns_nomatch;
};

/* A packet as an element of a set. */
struct probe {
	struct ct_ipset_key key;
	uint8_t mac[6];
	const char *iface;
};

static bool is_past(const struct ct_ipset *set, const struct ct_ipset_element *el, ct_time now)
{
	return set->has_timeout && el->expires && now > el->expires;
}

/* get_port(): of ICMP type and code; 0 of protocols without ports. False when there is no header.
 */
static bool port_of(const struct ct_judging *j, bool is_src, struct ct_ipset_key *key)
{
	uint32_t size = 0;

	/* ipv6_skip_exthdr() ends in nothing at "no next header". */
	if (j->is_broken ||
	    (j->family == CT_FAMILY_IPV6 && (j->is_fragment || j->proto == PROTO_NONE)))
		return false;
	switch (j->proto) {
	case PROTO_TCP:
		size = 20;
		break;
	case PROTO_SCTP:
		size = 12;
		break;
	case PROTO_UDP:
	case PROTO_UDPLITE:
	case PROTO_ICMP:
	case PROTO_ICMPV6:
		size = 8;
		break;
	}
	if (size && ((j->is_fragment && j->proto != PROTO_ICMPV6) || j->l4_size < size))
		return false;
	key->proto = j->proto;
	if (size)
		key->port = wire_be16(
			j->l4 +
			(j->proto == PROTO_ICMP || j->proto == PROTO_ICMPV6 || is_src ? 0 : 2));
	return true;
}

/* The sender's address of the frame is known, perhaps; the receiver's never. */
static enum ct_truth mac_of(const struct ct_judging *j, bool is_src, uint8_t *mac)
{
	static const uint8_t none[6] = { 0 };

	if (!(j->p->known & CT_RULE_KNOWS_LINK))
		return CT_UNSURE;
	if (!j->p->mac)
		return CT_NO;
	if (!is_src)
		return CT_UNSURE;
	memcpy(mac, j->p->mac, 6);
	return memcmp(mac, none, 6) != 0 ? CT_YES : CT_NO;
}

static enum ct_truth part_of(const struct asked *a, const struct ct_ipset *set, unsigned i,
			     unsigned n_addrs, struct probe *p)
{
	const struct ct_judging *j = a->j;
	bool is_src = a->of->n[0] >> i & 1;
	union ct_addr *addr = &p->key.addr[n_addrs];

	switch ((enum ipset_part)set->type->parts[i]) {
	case IPSET_IP:
	case IPSET_NET:
		memcpy(addr->bytes, is_src ? j->src : j->dst, j->addr_size);
		for (unsigned b = 0; set->type->parts[i] == IPSET_IP && b < 16; b++)
			addr->bytes[b] &= set->mask.bytes[b];
		return CT_YES;
	case IPSET_PORT:
		return port_of(j, is_src, &p->key) ? CT_YES : CT_NO;
	case IPSET_BARE_PORT:
		if (!port_of(j, is_src, &p->key) ||
		    (j->proto != PROTO_TCP && j->proto != PROTO_UDP))
			return CT_NO;
		p->key.proto = 0;
		return CT_YES;
	case IPSET_MAC:
		return mac_of(j, is_src, p->key.mac);
	case IPSET_FREE_MAC:
		return mac_of(j, is_src, p->mac);
	case IPSET_MARK:
		p->key.mark = j->out->mark & set->mark_mask;
		return CT_YES;
	case IPSET_IFACE:
		p->iface = is_src ? j->p->in : j->p->out;
		return p->iface && p->iface[0] ? CT_YES : CT_NO;
	case IPSET_MEMBER:
	case IPSET_END:
		break;
	}
	return CT_NO;
}

/* What a packet is to @set: no element of it, one, or unknown. */
static enum ct_truth probe_of(const struct asked *a, const struct ct_ipset *set, struct probe *p)
{
	enum ct_truth all = CT_YES;
	unsigned n_addrs = 0;

	memset(p, 0, sizeof(*p));
	if (a->of->n[1] < ct_ipset_dimension(set->type) ||
	    (set->family && set->family != a->j->family))
		return CT_NO;
	for (unsigned i = 0; set->type->parts[i] != IPSET_END; i++) {
		enum ct_truth one = part_of(a, set, i, n_addrs, p);

		if (one == CT_NO)
			return CT_NO;
		if (one == CT_UNSURE)
			all = CT_UNSURE;
		n_addrs += set->type->parts[i] == IPSET_IP || set->type->parts[i] == IPSET_NET;
	}
	return all;
}

/* "packets-eq" and its like against a counter. */
static bool counts_fit(const struct ct_rule_ext *e, const struct ct_ipset_element *el)
{
	for (unsigned i = 0; i < e->n_options; i++) {
		const struct ct_rule_option *o = &e->option[i];
		const char *how = strchr(o->def->name, '-');
		uint64_t want = o->n[0] | (uint64_t)o->n[1] << 32, has;
		bool fits;

		if (strncmp(o->def->name, "packets-", 8) == 0)
			has = el->packets;
		else if (strncmp(o->def->name, "bytes-", 6) == 0)
			has = el->bytes;
		else
			continue;
		fits = how[1] == 'e' ? has == want : how[1] == 'l' ? has < want : has > want;
		if (fits == o->is_inverted)
			return false;
	}
	return true;
}

/* ip_set_match_extensions(): counts, then compares. */
static bool extensions_fit(const struct asked *a, const struct ct_ipset *set,
			   struct ct_ipset_element *el)
{
	if (is_past(set, el, a->now))
		return false;
	if (!set->has_counters)
		return true;
	if (a->is_counting) {
		el->packets++;
		el->bytes += a->j->size;
	}
	return !a->is_compared || counts_fit(a->e, el);
}

static bool iface_fits(const char *want, const char *has)
{
	size_t len = strlen(want);

	return len && want[len - 1] == '+' ? strncmp(want, has, len - 1) == 0
					   : strcmp(want, has) == 0;
}

/* What the elements of one key say: not found, found, found but "nomatch". */
enum found { NOT_FOUND, FOUND, FOUND_NOMATCH, STOP };

static enum found found_at(const struct asked *a, const struct ct_ipset *set, struct probe *p)
{
	enum found none = NOT_FOUND;

	for (struct ct_ipset_element *el = ct_ipset_first(set, &p->key); el;
	     el = ct_ipset_next(el)) {
		/* hash_netiface4_data_equal(): a network that stands there with another
		 * interface hides the wider ones. */
		if (el->iface && !iface_fits(el->iface, p->iface)) {
			none = STOP;
			continue;
		}
		if (set->type->parts[1] == IPSET_FREE_MAC && el->has_mac &&
		    memcmp(el->mac, p->mac, 6) != 0)
			continue;
		none = NOT_FOUND;
		if (!extensions_fit(a, set, el))
			continue;
		if (set->type->parts[1] == IPSET_FREE_MAC && !el->has_mac) {
			memcpy(el->mac, p->mac, 6);
			el->has_mac = true;
		}
		return el->is_nomatch ? FOUND_NOMATCH : FOUND;
	}
	return none;
}

static bool has_nets(const struct ct_ipset *set, unsigned which)
{
	unsigned n_addrs = 0;

	for (const uint8_t *part = set->type->parts; *part != IPSET_END; part++) {
		if (*part != IPSET_IP && *part != IPSET_NET)
			continue;
		if (n_addrs++ == which)
			return *part == IPSET_NET;
	}
	return false;
}

/* mtype_test_cidrs(): each length in use of network @which, the longest first, and within each
 * those of the next. */
static enum found search(const struct asked *a, const struct ct_ipset *set, struct probe *p,
			 unsigned which)
{
	union ct_addr whole;

	if (which == 2)
		return found_at(a, set, p);
	if (!has_nets(set, which))
		return search(a, set, p, which + 1);
	whole = p->key.addr[which];
	for (int len = (int)ct_ipset_bits(set); len >= 0; len--) {
		enum found f;

		if (!set->n_of_length[which][len])
			continue;
		p->key.addr[which] = whole;
		ct_ipset_cut(&p->key.addr[which], (unsigned)len);
		p->key.len[which] = (uint8_t)len;
		f = search(a, set, p, which + 1);
		if (f != NOT_FOUND)
			return f;
	}
	p->key.addr[which] = whole;
	p->key.len[which] = 0;
	return NOT_FOUND;
}

static enum ct_truth one_set(const struct asked *a, const struct ct_ipset *set)
{
	struct probe p;
	enum ct_truth is_element;
	enum found f;

	if (set->is_opaque)
		return CT_UNSURE;
	is_element = probe_of(a, set, &p);
	if (is_element != CT_YES)
		return is_element;
	f = search(a, set, &p, 0);
	/* --return-nomatch turns the answer of sets that can hold "nomatch". */
	if (a->turns_nomatch && (has_nets(set, 0) || has_nets(set, 1)))
		return f == FOUND_NOMATCH ? CT_YES : CT_NO;
	return f == FOUND ? CT_YES : CT_NO;
}

/* list_set_ktest(): counters of members are not compared. */
static enum ct_truth list_of_sets(const struct asked *a, const struct ct_ipset *set)
{
	const struct ct_ipset_key key = { .mark = 0 };
	struct asked inner = *a;
	enum ct_truth none = CT_NO;

	inner.is_compared = false;
	if (ct_ext_option(a->e, "update-subcounters"))
		inner.is_counting = false;
	for (struct ct_ipset_element *el = ct_ipset_first(set, &key); el; el = ct_ipset_next(el)) {
		enum ct_truth one = one_set(&inner, el->set);

		if (one == CT_UNSURE)
			none = CT_UNSURE;
		if (one == CT_YES && extensions_fit(a, set, el))
			return CT_YES;
	}
	return none;
}

static bool is_list(const struct ct_ipset *set)
{
	return !set->is_opaque && set->type->parts[0] == IPSET_MEMBER;
}

/* Timeouts of a file run from the first packet. */
static ct_time clock_of(struct ct_ipsets *s, const struct ct_judging *j)
{
	if (s->is_running)
		return j->p->now;
	s->is_running = true;
	for (struct ct_ipset *set = s->first; set; set = set->next)
		for (uint32_t i = 0; set->has_timeout && i < set->n_buckets; i++)
			for (struct ct_ipset_element *e = set->buckets[i]; e; e = e->next)
				e->expires = e->left ? j->p->now + e->left : 0;
	return j->p->now;
}

static bool compares(const struct ct_rule_ext *e)
{
	for (unsigned i = 0; i < e->n_options; i++)
		if (strncmp(e->option[i].def->name, "packets-", 8) == 0 ||
		    strncmp(e->option[i].def->name, "bytes-", 6) == 0)
			return true;
	return false;
}

/* The set that an option names, or null when it is not known. */
static struct ct_ipset *set_of(const struct ct_judging *j, const struct ct_rule_option *o)
{
	const char *name = o->data;

	return j->p->sets ? ct_ipset_find(j->p->sets, name, strlen(name)) : NULL;
}

enum ct_truth ct_match_set(struct ct_rule_ext *e, struct ct_judging *j)
{
	const struct ct_rule_option *o = ct_ext_option(e, "match-set");
	const struct ct_ipset *set = set_of(j, o);
	struct asked a = { .e = e, .j = j, .of = o };
	enum ct_truth is_in;

	if (!set)
		return CT_UNSURE;
	a.now = clock_of(j->p->sets, j);
	a.is_counting = !ct_ext_option(e, "update-counters");
	a.is_compared = compares(e);
	a.turns_nomatch = ct_ext_option(e, "return-nomatch") != NULL;
	is_in = is_list(set) ? list_of_sets(&a, set) : one_set(&a, set);
	return is_in == CT_UNSURE ? CT_UNSURE : ct_truth_of(is_in == CT_YES, o);
}

/* The target --------------------------------------------------------------------------------- */

/* INIT_CIDR(): an address comes in as a network of the longest length in use. */
static void make_nets(const struct ct_ipset *set, struct ct_ipset_key *key)
{
	for (unsigned which = 0; which < 2; which++) {
		unsigned len = ct_ipset_bits(set);

		if (!has_nets(set, which))
			continue;
		while (len > 0 && !set->n_of_length[which][len])
			len--;
		if (len == 0)
			len = ct_ipset_bits(set);
		ct_ipset_cut(&key->addr[which], len);
		key->len[which] = (uint8_t)len;
	}
}

/* Whether a bitmap has room for the element. */
static bool is_within(const struct ct_ipset *set, const struct ct_ipset_key *key)
{
	uint32_t at = set->type->parts[0] == IPSET_IP ? wire_be32(key->addr[0].bytes) : key->port;

	return !set->is_bitmap || (at >= set->first && at <= set->last);
}

/* Elements whose time is over make room. */
static void sweep(struct ct_ipset *set, ct_time now)
{
	for (uint32_t i = 0; set->has_timeout && i < set->n_buckets; i++)
		for (struct ct_ipset_element *e = set->buckets[i], *next; e; e = next) {
			next = e->next;
			if (is_past(set, e, now))
				ct_ipset_remove(set, e);
		}
}

/* mtype_add(): a new element counts its packet; one that is there only with --exist. */
static bool add_one(const struct asked *a, struct ct_ipset *set, struct probe *p)
{
	const struct ct_rule_option *timeout = ct_ext_option(a->e, "timeout");
	struct ct_ipset_element *el = ct_ipset_get(set, &p->key, p->iface, NULL);

	if (el && !is_past(set, el, a->now) && !ct_ext_option(a->e, "exist"))
		return false;
	if (!el && !set->is_bitmap && set->n >= set->max)
		sweep(set, a->now);
	if (!el && !set->is_bitmap && set->n >= set->max) {
		/* Which one goes is the kernel's hash's choice. */
		set->is_opaque = set->is_forced;
		return set->is_forced;
	}
	if (!el)
		el = ct_ipset_add(set, &p->key, p->iface, NULL);
	if (!el) {
		set->is_opaque = true;
		return true;
	}
	el->is_nomatch = false;
	el->packets = 1;
	el->bytes = a->j->size;
	el->has_mac = set->type->parts[1] == IPSET_FREE_MAC;
	memcpy(el->mac, p->mac, 6);
	el->left = timeout ? (ct_time)timeout->n[0] * CT_NS_PER_S : set->timeout;
	el->expires = el->left ? a->now + el->left : 0;
	return true;
}

/* Whether the set took it, or may have: then it is opaque. */
static bool change_one(const struct asked *a, struct ct_ipset *set, bool is_add)
{
	struct ct_ipset_element *el;
	enum ct_truth is_element;
	struct probe p;

	is_element = probe_of(a, set, &p);
	if (is_element == CT_UNSURE)
		set->is_opaque = true;
	if (is_element != CT_YES)
		return set->is_opaque;
	make_nets(set, &p.key);
	if (!is_within(set, &p.key))
		return false;
	if (is_add)
		return add_one(a, set, &p);
	el = ct_ipset_get(set, &p.key, p.iface, NULL);
	if (!el || is_past(set, el, a->now))
		return false;
	ct_ipset_remove(set, el);
	return true;
}

/* list_set_kadd(), list_set_kdel(): the first member that takes it; behind one that perhaps did,
 * none is known any more. */
static void change(const struct asked *a, struct ct_ipset *set, bool is_add)
{
	const struct ct_ipset_key key = { .mark = 0 };
	bool is_unsure = false;

	if (set->is_opaque)
		return;
	if (!is_list(set)) {
		(void)change_one(a, set, is_add);
		return;
	}
	for (struct ct_ipset_element *el = ct_ipset_first(set, &key); el; el = ct_ipset_next(el))
		if (is_unsure || el->set->is_opaque)
			is_unsure = el->set->is_opaque = true;
		else if (change_one(a, el->set, is_add))
			return;
}

/* set_target_v3(). A set that is not known is not known afterwards either. */
enum ct_step ct_target_set(struct ct_rule_ext *e, struct ct_judging *j)
{
	static const char *const verbs[] = { "add-set", "del-set" };
	struct asked a = { .e = e, .j = j };

	for (unsigned i = 0; i < 2; i++) {
		struct ct_ipset *set;

		a.of = ct_ext_option(e, verbs[i]);
		set = a.of ? set_of(j, a.of) : NULL;
		if (!set)
			continue;
		a.now = clock_of(j->p->sets, j);
		change(&a, set, i == 0);
	}
	return ct_ext_option(e, "map-mark") ? CT_STEP_UNSURE : CT_STEP_ON;
}
