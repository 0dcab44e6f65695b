/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Matches of the extension headers of IPv6. Answers to Linux 6.18, net/ipv6/netfilter/ip6t_ah.c,
 * ip6t_frag.c, ip6t_hbh.c, ip6t_rt.c, ip6t_mh.c, ip6t_ipv6header.c, ip6t_eui64.c, and
 * net/ipv6/exthdrs_core.c, ipv6_find_hdr().
 */
#include <string.h>

#include "lib/packet/wire.h"
#include "lib/ruleset/ext.h"

enum { PROTO_ESP = 50, PROTO_MOBILITY = 135 };

static bool is_extension(uint8_t proto)
{
	return proto == PROTO_HOPOPTS || proto == PROTO_ROUTING || proto == PROTO_FRAGMENT ||
	       proto == PROTO_AH || proto == PROTO_DSTOPTS;
}

static uint32_t header_size(uint8_t proto, const uint8_t *header)
{
	if (proto == PROTO_FRAGMENT)
		return 8;
	return proto == PROTO_AH ? (header[1] + 2u) * 4 : (header[1] + 1u) * 8;
}

void ct_judging_find_l4(struct ct_judging *j)
{
	uint8_t next = j->ip[6];
	uint32_t at = 40;

	j->is_fragment = j->is_broken = false;
	while (is_extension(next)) {
		const uint8_t *h = j->ip + at;

		if (at > j->size || j->size - at < (next == PROTO_FRAGMENT ? 4 : 2)) {
			j->is_broken = true;
			break;
		}
		if (next == PROTO_FRAGMENT && wire_be16(h + 2) & 0xfff8) {
			next = h[0];
			j->is_fragment = true;
			j->is_broken = is_extension(next);
			break;
		}
		at += header_size(next, h);
		next = h[0];
	}
	j->proto = next;
	if (at > j->size)
		at = j->size;
	j->l4 = j->ip + at;
	j->l4_size = j->size - at;
}

/* The first header of that kind, with @least bytes of it in the packet; null when there is none.
 * A chain that breaks before it ends the packet (ipv6_find_hdr() fails with -EBADMSG). */
static const uint8_t *find(struct ct_judging *j, uint8_t proto, uint32_t least)
{
	uint8_t next = j->ip[6];
	uint32_t at = 40;

	while (next != proto) {
		const uint8_t *h = j->ip + at;

		if (!is_extension(next))
			return NULL;
		if (at > j->size || j->size - at < 8) {
			j->is_hot = true;
			return NULL;
		}
		/* Behind a fragment that is not the first only data follows. */
		if (next == PROTO_FRAGMENT && wire_be16(h + 2) & 0xfff8)
			return NULL;
		at += header_size(next, h);
		next = h[0];
	}
	if (at > j->size || j->size - at < least) {
		j->is_hot = true;
		return NULL;
	}
	return j->ip + at;
}

static bool number_fits(const struct ct_rule_ext *e, const char *name, uint32_t v)
{
	const struct ct_rule_option *o = ct_ext_option(e, name);

	return !o || (v == o->n[0]) != o->is_inverted;
}

static bool range_fits(const struct ct_rule_ext *e, const char *name, uint32_t v)
{
	const struct ct_rule_option *o = ct_ext_option(e, name);

	return !o || ct_in_range(v, o) != o->is_inverted;
}

/* ah_mt6(); a length of 0 asks for none. */
enum ct_truth ct_match_ip6_ah(struct ct_rule_ext *e, struct ct_judging *j)
{
	const struct ct_rule_option *len = ct_ext_option(e, "ahlen");
	const uint8_t *h = find(j, PROTO_AH, 12);

	if (!h || !range_fits(e, "ahspi", wire_be32(h + 4)))
		return CT_NO;
	if (len && len->n[0] && !number_fits(e, "ahlen", header_size(PROTO_AH, h)))
		return CT_NO;
	return ct_ext_option(e, "ahres") && wire_be16(h + 2) ? CT_NO : CT_YES;
}

/* frag_mt6(); the length is of no meaning to the kernel. */
enum ct_truth ct_match_frag(struct ct_rule_ext *e, struct ct_judging *j)
{
	const uint8_t *h = find(j, PROTO_FRAGMENT, 8);
	uint16_t offset;

	if (!h)
		return CT_NO;
	offset = wire_be16(h + 2);
	if (!range_fits(e, "fragid", wire_be32(h + 4)) ||
	    (ct_ext_option(e, "fragres") && (h[1] || offset & 6)) ||
	    (ct_ext_option(e, "fragfirst") && offset & 0xfff8) ||
	    (ct_ext_option(e, "fragmore") && !(offset & 1)) ||
	    (ct_ext_option(e, "fraglast") && offset & 1))
		return CT_NO;
	return CT_YES;
}

/* The options asked for, "type[:size],...", against those of a header in turn. */
static bool options_fit(const char *want, const uint8_t *at, uint32_t left)
{
	for (;;) {
		unsigned type = 0, size = 256;
		uint32_t step;

		for (; *want >= '0' && *want <= '9'; want++)
			type = type * 10 + (unsigned)(*want - '0');
		if (*want == ':')
			for (want++, size = 0; *want >= '0' && *want <= '9'; want++)
				size = size * 10 + (unsigned)(*want - '0');
		if (left < 1 || *at != type || (type && left < 2))
			return false;
		if (type && size < 255 && at[1] != size)
			return false;
		step = type ? at[1] + 2u : 1;
		if (*want++ != ',')
			return true;
		if (step > left)
			return false;
		at += step;
		left -= step;
	}
}

/* hbh_mt6(), which serves both kinds of headers with options. */
enum ct_truth ct_match_ip6_options(struct ct_rule_ext *e, struct ct_judging *j)
{
	bool is_hbh = e->def->name[0] == 'h';
	const struct ct_rule_option *opts = ct_ext_option(e, is_hbh ? "hbh-opts" : "dst-opts");
	uint8_t proto = is_hbh ? PROTO_HOPOPTS : PROTO_DSTOPTS;
	const uint8_t *h = find(j, proto, 2);
	uint32_t size;

	if (!h)
		return CT_NO;
	size = header_size(proto, h);
	if ((uint32_t)(j->ip + j->size - h) < size ||
	    !number_fits(e, is_hbh ? "hbh-len" : "dst-len", size))
		return CT_NO;
	return !opts || options_fit(opts->text, h + 2, size - 2) ? CT_YES : CT_NO;
}

/* rt_mt6(); lists of addresses are not modelled. */
enum ct_truth ct_match_rt(struct ct_rule_ext *e, struct ct_judging *j)
{
	const uint8_t *h = find(j, PROTO_ROUTING, 8);

	if (!h || (uint32_t)(j->ip + j->size - h) < header_size(PROTO_ROUTING, h) ||
	    !range_fits(e, "rt-segsleft", h[3]) || !number_fits(e, "rt-type", h[2]) ||
	    !number_fits(e, "rt-len", header_size(PROTO_ROUTING, h)))
		return CT_NO;
	if (ct_ext_option(e, "rt-0-res") && wire_be32(h + 4))
		return CT_NO;
	return ct_ext_option(e, "rt-0-addrs") ? CT_UNSURE : CT_YES;
}

/* mh_mt6(): nothing may follow a mobility header. */
enum ct_truth ct_match_mh(struct ct_rule_ext *e, struct ct_judging *j)
{
	if (!ct_has_header(j, 6))
		return CT_NO;
	if (j->l4[0] != PROTO_NONE) {
		j->is_hot = true;
		return CT_NO;
	}
	return range_fits(e, "mh-type", j->l4[2]) ? CT_YES : CT_NO;
}

/* Which kinds of headers are there, in the order of the words of --header. -1: too short. */
static int kinds_of(const struct ct_judging *j)
{
	enum { HOP, DST, ROUTE, FRAG, AUTH, ESP, NONE, PROTO };
	uint8_t next = j->ip[6];
	uint32_t at = 40;
	int kinds = 0;

	while (is_extension(next) && at <= j->size) {
		const uint8_t *h = j->ip + at;

		if (j->size - at < 2)
			return -1;
		kinds |= 1 << (next == PROTO_HOPOPTS	? HOP
			       : next == PROTO_DSTOPTS	? DST
			       : next == PROTO_ROUTING	? ROUTE
			       : next == PROTO_FRAGMENT ? FRAG
							: AUTH);
		at += header_size(next, h);
		next = h[0];
	}
	if (next == PROTO_ESP && (at > j->size || j->size - at < 2))
		return -1;
	return kinds | 1 << (next == PROTO_ESP ? ESP : next == PROTO_NONE ? NONE : PROTO);
}

/* ipv6header_mt6(): exactly these, or with --soft these at least. */
enum ct_truth ct_match_ip6header(struct ct_rule_ext *e, struct ct_judging *j)
{
	const struct ct_rule_option *o = &e->option[0];
	int kinds = kinds_of(j), want = (int)o->n[0];

	if (kinds < 0)
		return CT_NO;
	if (ct_ext_option(e, "soft"))
		return (kinds ^ (o->is_inverted ? 0 : want)) & want ? CT_NO : CT_YES;
	return ct_truth_of(kinds == want, o);
}

/* eui64_mt6(): the lower half of the sender's address is made of that of its network card. */
enum ct_truth ct_match_eui64(struct ct_rule_ext *e, struct ct_judging *j)
{
	const uint8_t *mac = j->p->mac;
	uint8_t id[8];

	(void)e;
	if (!(j->p->known & CT_RULE_KNOWS_LINK))
		return CT_UNSURE;
	if (!mac)
		return CT_NO;
	memcpy(id, mac, 3);
	id[0] ^= 2;
	id[3] = 0xff;
	id[4] = 0xfe;
	memcpy(id + 5, mac + 3, 3);
	return memcmp(j->src + 8, id, 8) == 0 ? CT_YES : CT_NO;
}
