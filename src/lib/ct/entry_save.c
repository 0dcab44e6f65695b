/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The option form of an entry: what conntrack -L -o save prints, so that conntrack reads it again.
 *
 * Answers to conntrack 1.4.7. It writes no mark, helper, label or counter; options it would read
 * are read here too. A translated address stands behind -n or -g instead of -q or -r.
 */
#include "lib/ct/entry_line.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define PUT(to, literal) ct_text_put(to, literal, sizeof(literal) - 1)
#define STATUS_DNAT	 (CT_STATUS_DST_NAT | CT_STATUS_DST_NAT_DONE)
#define STATUS_SNAT	 (CT_STATUS_SRC_NAT | CT_STATUS_SRC_NAT_DONE)

/* What the options say before all of it is known. */
struct saved {
	uint64_t part[CT_DIR_MAX][2], icmp_id;
	unsigned seen[CT_DIR_MAX];
	bool has_proto;
};

enum option {
	OPTION_SRC,
	OPTION_DST,
	OPTION_REPLY_SRC,
	OPTION_REPLY_DST,
	OPTION_SNAT,
	OPTION_DNAT,
	OPTION_PROTO,
	OPTION_FAMILY,
	OPTION_TIMEOUT,
	OPTION_STATUS,
	OPTION_ZONE,
	OPTION_ZONE_ORIG,
	OPTION_ZONE_REPLY,
	OPTION_MARK,
	OPTION_SECMARK,
	OPTION_STATE,
	OPTION_SRC_PART,
	OPTION_DST_PART,
	OPTION_REPLY_SRC_PART,
	OPTION_REPLY_DST_PART,
	OPTION_TYPE,
	OPTION_CODE,
	OPTION_ICMP_ID,
	OPTION_VTAG_ORIG,
	OPTION_VTAG_REPLY,
};

static const struct spelling {
	const char *text;
	enum option option;
} spellings[] = {
	{ "-t", OPTION_TIMEOUT },
	{ "-u", OPTION_STATUS },
	{ "-w", OPTION_ZONE },
	{ "-s", OPTION_SRC },
	{ "-d", OPTION_DST },
	{ "-r", OPTION_REPLY_SRC },
	{ "-g", OPTION_DNAT },
	{ "-q", OPTION_REPLY_DST },
	{ "-n", OPTION_SNAT },
	{ "-p", OPTION_PROTO },
	{ "--sport", OPTION_SRC_PART },
	{ "--dport", OPTION_DST_PART },
	{ "--reply-port-src", OPTION_REPLY_SRC_PART },
	{ "--reply-port-dst", OPTION_REPLY_DST_PART },
	{ "--state", OPTION_STATE },
	{ "--icmp-type", OPTION_TYPE },
	{ "--icmp-code", OPTION_CODE },
	{ "--icmp-id", OPTION_ICMP_ID },
	{ "--icmpv6-type", OPTION_TYPE },
	{ "--icmpv6-code", OPTION_CODE },
	{ "--icmpv6-id", OPTION_ICMP_ID },
	{ "--srckey", OPTION_SRC_PART },
	{ "--dstkey", OPTION_DST_PART },
	{ "--reply-key-src", OPTION_REPLY_SRC_PART },
	{ "--reply-key-dst", OPTION_REPLY_DST_PART },
	{ "--orig-vtag", OPTION_VTAG_ORIG },
	{ "--reply-vtag", OPTION_VTAG_REPLY },
	{ "--orig-zone", OPTION_ZONE_ORIG },
	{ "--reply-zone", OPTION_ZONE_REPLY },
	{ "-f", OPTION_FAMILY },
	{ "-m", OPTION_MARK },
	{ "-c", OPTION_SECMARK },
	{ "--timeout", OPTION_TIMEOUT },
	{ "--status", OPTION_STATUS },
	{ "--zone", OPTION_ZONE },
	{ "--src", OPTION_SRC },
	{ "--orig-src", OPTION_SRC },
	{ "--dst", OPTION_DST },
	{ "--orig-dst", OPTION_DST },
	{ "--reply-src", OPTION_REPLY_SRC },
	{ "--reply-dst", OPTION_REPLY_DST },
	{ "--src-nat", OPTION_SNAT },
	{ "--dst-nat", OPTION_DNAT },
	{ "--proto", OPTION_PROTO },
	{ "--protonum", OPTION_PROTO },
	{ "--family", OPTION_FAMILY },
	{ "--mark", OPTION_MARK },
	{ "--secmark", OPTION_SECMARK },
	{ "--orig-port-src", OPTION_SRC_PART },
	{ "--orig-port-dst", OPTION_DST_PART },
};
enum { N_SPELLINGS = sizeof(spellings) / sizeof(spellings[0]) };

/* The status bits conntrack can be asked to set, in the order it writes them. */
static const struct status_word {
	const char *name;
	uint32_t bits;
} status_words[] = {
	{ "EXPECTED", CT_STATUS_EXPECTED },
	{ "SEEN_REPLY", CT_STATUS_SEEN_REPLY },
	{ "ASSURED", CT_STATUS_ASSURED },
	{ "FIXED_TIMEOUT", CT_STATUS_FIXED_TIMEOUT },
	{ "OFFLOAD", CT_STATUS_OFFLOAD },
	{ "HW_OFFLOAD", CT_STATUS_HW_OFFLOAD },
	{ "UNSET", 0 },
};
enum { N_STATUS_WORDS = sizeof(status_words) / sizeof(status_words[0]), N_STATUS_SHOWN = 4 };

static int read_status(struct line *l, struct ct_slice v)
{
	int r = line_know(l, v, CT_KNOWN_FLAGS);

	while (r == 0 && v.len > 0) {
		const char *comma = memchr(v.p, ',', v.len);
		struct ct_slice word = { v.p, comma ? (uint32_t)(comma - v.p) : v.len };
		size_t i = 0;

		while (i < N_STATUS_WORDS && !line_is(word, status_words[i].name))
			i++;
		if (i == N_STATUS_WORDS)
			return line_refuse(l, word, "not a status conntrack sets");
		l->e->status |= status_words[i].bits;
		v.p += word.len + (comma != NULL);
		v.len -= word.len + (comma != NULL);
	}
	return r;
}

static int read_proto(struct line *l, struct saved *s, struct ct_slice v)
{
	int n = ct_proto_number(v.p, v.len);

	if (n < 0)
		return line_refuse(l, v, "not a protocol");
	if (s->has_proto)
		return line_refuse(l, v, "said twice");
	s->has_proto = true;
	l->e->tuple[0].proto = l->e->tuple[1].proto = (uint8_t)n;
	return 0;
}

static int read_state(struct line *l, struct ct_slice v)
{
	int state = ct_state_number(l->e->tuple[0].proto, v.p, v.len);

	if (state < 0)
		return line_refuse(l, v, "not a state of this protocol");
	l->e->state = (uint8_t)state;
	return line_know(l, v, CT_KNOWN_STATE);
}

static int read_family(struct line *l, struct ct_slice v)
{
	bool is_ip6 = line_is(v, "ipv6");

	if (!is_ip6 && !line_is(v, "ipv4"))
		return line_refuse(l, v, "neither ipv4 nor ipv6");
	l->e->tuple[0].family = is_ip6 ? CT_FAMILY_IPV6 : CT_FAMILY_IPV4;
	return line_know(l, v, CT_KNOWN_FAMILY);
}

static int read_addr(struct line *l, struct saved *s, struct ct_slice v, enum ct_dir dir,
		     unsigned what)
{
	struct ct_tuple *t = &l->e->tuple[dir];

	if (s->seen[dir] & what)
		return line_refuse(l, v, "a second address for the same end");
	s->seen[dir] |= what;
	return line_addr(l, v, v, dir, what == SEEN_SRC ? &t->src : &t->dst);
}

static int read_part(struct line *l, struct saved *s, struct ct_slice v, enum ct_dir dir,
		     unsigned what)
{
	s->seen[dir] |= what;
	return line_number(l, v, v, UINT16_MAX, &s->part[dir][what == SEEN_DST_PART]);
}

static int read_u32(struct line *l, struct ct_slice v, uint32_t bit, uint32_t *out)
{
	uint64_t n;
	int r = line_number(l, v, v, UINT32_MAX, &n);

	if (r < 0)
		return r;
	*out = (uint32_t)n;
	return line_know(l, v, bit);
}

static int read_zone(struct line *l, struct ct_slice v, enum ct_zone_dir dir)
{
	uint64_t n;
	int r = line_number(l, v, v, UINT16_MAX, &n);

	if (r < 0)
		return r;
	l->e->zone = (uint16_t)n;
	l->e->zone_dir = (uint8_t)dir;
	return line_know(l, v, CT_KNOWN_ZONE);
}

/* conntrack hands the tags over as they came from the wire, whatever the byte order here. */
static int read_vtag(struct line *l, struct ct_slice v, enum ct_dir dir)
{
	uint64_t n;
	int r = line_number(l, v, v, UINT32_MAX, &n);

	if (r < 0)
		return r;
	l->e->sctp_vtag[dir] = ntohl((uint32_t)n);
	l->e->known |= CT_KNOWN_SCTP;
	return 0;
}

static int read_option(struct line *l, struct saved *s, enum option option, struct ct_slice v)
{
	struct ct_entry *e = l->e;

	switch (option) {
	case OPTION_SRC:
		return read_addr(l, s, v, CT_DIR_ORIG, SEEN_SRC);
	case OPTION_DST:
		return read_addr(l, s, v, CT_DIR_ORIG, SEEN_DST);
	case OPTION_DNAT:
		e->status |= STATUS_DNAT;
		/* fallthrough */
	case OPTION_REPLY_SRC:
		e->known |= CT_KNOWN_NAT;
		return read_addr(l, s, v, CT_DIR_REPLY, SEEN_SRC);
	case OPTION_SNAT:
		e->status |= STATUS_SNAT;
		/* fallthrough */
	case OPTION_REPLY_DST:
		e->known |= CT_KNOWN_NAT;
		return read_addr(l, s, v, CT_DIR_REPLY, SEEN_DST);
	case OPTION_PROTO:
		return read_proto(l, s, v);
	case OPTION_FAMILY:
		return read_family(l, v);
	case OPTION_TIMEOUT:
		return read_u32(l, v, CT_KNOWN_TIMEOUT, &e->timeout_s);
	case OPTION_STATUS:
		return read_status(l, v);
	case OPTION_ZONE:
		return read_zone(l, v, CT_ZONE_BOTH);
	case OPTION_ZONE_ORIG:
		return read_zone(l, v, CT_ZONE_ORIG);
	case OPTION_ZONE_REPLY:
		return read_zone(l, v, CT_ZONE_REPLY);
	case OPTION_MARK:
		return read_u32(l, v, CT_KNOWN_MARK, &e->mark);
	case OPTION_SECMARK:
		return read_u32(l, v, CT_KNOWN_SECMARK, &e->secmark);
	case OPTION_STATE:
		return read_state(l, v);
	case OPTION_SRC_PART:
	case OPTION_TYPE:
		return read_part(l, s, v, CT_DIR_ORIG, SEEN_SRC_PART);
	case OPTION_DST_PART:
	case OPTION_CODE:
		return read_part(l, s, v, CT_DIR_ORIG, SEEN_DST_PART);
	case OPTION_REPLY_SRC_PART:
		return read_part(l, s, v, CT_DIR_REPLY, SEEN_SRC_PART);
	case OPTION_REPLY_DST_PART:
		return read_part(l, s, v, CT_DIR_REPLY, SEEN_DST_PART);
	case OPTION_ICMP_ID:
		s->seen[CT_DIR_ORIG] |= SEEN_ID;
		return line_number(l, v, v, UINT16_MAX, &s->icmp_id);
	case OPTION_VTAG_ORIG:
		return read_vtag(l, v, CT_DIR_ORIG);
	case OPTION_VTAG_REPLY:
		return read_vtag(l, v, CT_DIR_REPLY);
	}
	return -EINVAL;
}

/* Puts the parts into both tuples; the reply is the inverse but for what was said of it. */
static int set_parts(struct line *l, const struct saved *s, struct ct_slice whole)
{
	struct ct_tuple *reply = &l->e->tuple[CT_DIR_REPLY];
	struct ct_tuple *orig = &l->e->tuple[CT_DIR_ORIG];
	bool is_icmp = ct_proto_parts(orig->proto) == CT_PARTS_ICMP;

	if (is_icmp) {
		if (s->part[0][0] > UINT8_MAX || s->part[0][1] > UINT8_MAX)
			return line_refuse(l, whole, "an ICMP type or code beyond 255");
		ct_tuple_set_icmp(orig, (uint8_t)s->part[0][0], (uint8_t)s->part[0][1]);
		orig->src_part = htons((uint16_t)s->icmp_id);
	} else {
		orig->src_part = htons((uint16_t)s->part[0][0]);
		orig->dst_part = htons((uint16_t)s->part[0][1]);
	}
	if (ct_tuple_invert(reply, orig) < 0)
		return line_refuse(l, whole, "an ICMP type that nothing answers");
	if (s->seen[CT_DIR_REPLY] & SEEN_SRC_PART)
		reply->src_part = htons((uint16_t)s->part[1][0]);
	if (s->seen[CT_DIR_REPLY] & SEEN_DST_PART)
		reply->dst_part = htons((uint16_t)s->part[1][1]);
	if ((s->seen[CT_DIR_ORIG] & (SEEN_SRC_PART | SEEN_DST_PART | SEEN_ID)) &&
	    !line_is_made_up(l->e))
		l->e->known |= CT_KNOWN_PARTS;
	return 0;
}

static int finish(struct line *l, const struct saved *s, struct ct_slice whole)
{
	struct ct_entry *e = l->e;
	struct ct_tuple said = e->tuple[CT_DIR_REPLY];
	int r;

	if ((s->seen[0] & (SEEN_SRC | SEEN_DST)) != (SEEN_SRC | SEEN_DST) || !s->has_proto)
		return line_refuse(l, whole, "half a line: -s, -d and -p are needed");
	r = set_parts(l, s, whole);
	if (s->seen[CT_DIR_REPLY] & SEEN_SRC)
		e->tuple[CT_DIR_REPLY].src = said.src;
	if (s->seen[CT_DIR_REPLY] & SEEN_DST)
		e->tuple[CT_DIR_REPLY].dst = said.dst;
	return r;
}

static const struct spelling *spelling_find(struct ct_slice w, unsigned *hint)
{
	unsigned at = *hint;

	for (unsigned i = 0; i < N_SPELLINGS; i++) {
		const struct spelling *s = &spellings[at];

		at = at + 1 < N_SPELLINGS ? at + 1 : 0;
		if (line_is(w, s->text)) {
			*hint = at;
			return s;
		}
	}
	return NULL;
}

int line_parse_save(struct line *l)
{
	struct ct_slice whole = { l->at, (uint32_t)(l->end - l->at) }, w, v;
	struct saved s = { .seen = { 0 } };
	unsigned hint = 0;
	int r = 0;

	l->slot = SLOT_SAVE_ADDR;
	while (r == 0 && line_word(l, &w)) {
		const struct spelling *o = spelling_find(w, &hint);

		if (!o) {
			r = line_keep(l, w);
			continue;
		}
		if (!line_word(l, &v))
			return line_refuse(l, w, "half a line: a value is missing");
		r = read_option(l, &s, o->option, v);
		if (s.has_proto)
			l->slot = SLOT_SAVE_PROTO;
	}
	return r == 0 ? finish(l, &s, whole) : r;
}

static void put_addr(struct ct_text *to, const char *option, const union ct_addr *a, uint8_t family)
{
	ct_text_str(to, option);
	ct_addr_format(a, family, false, to);
}

static void put_number(struct ct_text *to, const char *option, uint64_t n)
{
	ct_text_str(to, option);
	ct_text_u64(to, n);
}

static void put_status(const struct ct_entry *e, struct ct_text *to)
{
	bool is_begun = false;

	if (!(e->known & (CT_KNOWN_FLAGS | CT_KNOWN_STATUS)))
		return;
	PUT(to, " -u ");
	for (size_t i = 0; i < N_STATUS_SHOWN; i++) {
		if (!(e->status & status_words[i].bits))
			continue;
		if (is_begun)
			ct_text_char(to, ',');
		ct_text_str(to, status_words[i].name);
		is_begun = true;
	}
	if (!is_begun)
		PUT(to, "UNSET");
}

static void put_zone(const struct ct_entry *e, struct ct_text *to)
{
	if (!(e->known & CT_KNOWN_ZONE))
		return;
	if (e->zone_dir == CT_ZONE_ORIG)
		put_number(to, " --orig-zone ", e->zone);
	else if (e->zone_dir == CT_ZONE_REPLY)
		put_number(to, " --reply-zone ", e->zone);
	else if (e->zone != 0)
		put_number(to, " -w ", e->zone);
}

/* libnetfilter_conntrack NFCT_GOPT_IS_DNAT: another address, and the status bit where known. */
static bool is_nat(const struct ct_entry *e, uint32_t done, const union ct_addr *a,
		   const union ct_addr *b)
{
	if ((e->known & (CT_KNOWN_STATUS | CT_KNOWN_NAT)) && !(e->status & done))
		return false;
	return memcmp(a, b, sizeof(*a)) != 0;
}

static void put_addrs(const struct ct_entry *e, struct ct_text *to)
{
	const struct ct_tuple *orig = &e->tuple[CT_DIR_ORIG], *reply = &e->tuple[CT_DIR_REPLY];
	bool is_dnat = is_nat(e, CT_STATUS_DST_NAT_DONE, &reply->src, &orig->dst);
	bool is_snat = is_nat(e, CT_STATUS_SRC_NAT_DONE, &reply->dst, &orig->src);

	put_addr(to, " -s ", &orig->src, orig->family);
	put_addr(to, " -d ", &orig->dst, orig->family);
	put_addr(to, is_dnat ? " -g " : " -r ", &reply->src, reply->family);
	put_addr(to, is_snat ? " -n " : " -q ", &reply->dst, reply->family);
}

static void put_four(const struct ct_entry *e, const char *const option[4], struct ct_text *to)
{
	put_number(to, option[0], ntohs(e->tuple[0].src_part));
	put_number(to, option[1], ntohs(e->tuple[0].dst_part));
	put_number(to, option[2], ntohs(e->tuple[1].src_part));
	put_number(to, option[3], ntohs(e->tuple[1].dst_part));
}

static void put_parts(const struct ct_entry *e, struct ct_text *to)
{
	static const char *const ports[] = { " --sport ", " --dport ", " --reply-port-src ",
					     " --reply-port-dst " };
	static const char *const keys[] = { " --srckey ", " --dstkey ", " --reply-key-src ",
					    " --reply-key-dst " };
	const struct ct_tuple *t = &e->tuple[CT_DIR_ORIG];
	bool is_icmp6 = t->proto == CT_PROTO_ICMPV6;

	switch (line_parts(e)) {
	case CT_PARTS_NONE:
		break;
	case CT_PARTS_PORTS:
		put_four(e, ports, to);
		break;
	case CT_PARTS_KEYS:
		put_four(e, keys, to);
		break;
	case CT_PARTS_ICMP:
		put_number(to, is_icmp6 ? " --icmpv6-type " : " --icmp-type ",
			   ct_tuple_icmp_type(t));
		put_number(to, is_icmp6 ? " --icmpv6-code " : " --icmp-code ",
			   ct_tuple_icmp_code(t));
		put_number(to, is_icmp6 ? " --icmpv6-id " : " --icmp-id ", ntohs(t->src_part));
		break;
	}
}

static void put_proto(const struct ct_entry *e, struct ct_text *to)
{
	uint8_t proto = e->tuple[0].proto;
	const char *state = ct_state_name(proto, e->state);

	PUT(to, " -p ");
	if (ct_proto_parts(proto) == CT_PARTS_NONE)
		ct_text_u64(to, proto);
	else
		ct_text_str(to, ct_proto_name(proto));
	put_parts(e, to);
	if ((e->known & CT_KNOWN_STATE) && state) {
		PUT(to, " --state ");
		ct_text_str(to, state);
	}
	if (e->known & CT_KNOWN_SCTP) {
		put_number(to, " --orig-vtag ", htonl(e->sctp_vtag[0]));
		put_number(to, " --reply-vtag ", htonl(e->sctp_vtag[1]));
	}
}

void line_format_save(const struct ct_entry *e, struct ct_text *to)
{
	PUT(to, "-A");
	if (e->known & CT_KNOWN_TIMEOUT)
		put_number(to, " -t ", e->timeout_s);
	put_status(e, to);
	put_zone(e, to);
	put_addrs(e, to);
	if (e->known & CT_KNOWN_REST)
		line_put_rest(e, SLOT_SAVE_ADDR, to);
	put_proto(e, to);
	if (e->known & CT_KNOWN_REST)
		line_put_rest(e, SLOT_SAVE_PROTO, to);
}
