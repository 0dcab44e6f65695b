/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Matches that look at the packet itself. Answers to Linux 6.18, net/netfilter/xt_tcpudp.c,
 * xt_sctp.c, xt_multiport.c, xt_iprange.c, xt_length.c, xt_dscp.c, xt_hl.c, ip_tables.c.
 */
#include <string.h>

#include "lib/packet/wire.h"
#include "lib/ruleset/ext.h"

static enum ct_truth truth(bool is_so, const struct ct_rule_option *o)
{
	return is_so != o->is_inverted ? CT_YES : CT_NO;
}

static bool in_range(uint32_t v, const struct ct_rule_option *o)
{
	return v >= o->n[0] && v <= o->n[1];
}

/* The header of layer 4 in @size bytes. None: no match, and no packet that is whole lacks it. */
static bool has_header(struct ct_judging *j, uint32_t size)
{
	if (j->is_fragment)
		return false;
	if (j->l4_size >= size)
		return true;
	j->is_hot = true;
	return false;
}

/* All options that are about ports; false when one of them does not fit. */
static bool ports_fit(const struct ct_rule_ext *e, const struct ct_judging *j)
{
	const struct ct_rule_option *sport = ct_ext_option(e, "sport");
	const struct ct_rule_option *dport = ct_ext_option(e, "dport");

	if (sport && in_range(wire_be16(j->l4), sport) == sport->is_inverted)
		return false;
	return !dport || in_range(wire_be16(j->l4 + 2), dport) != dport->is_inverted;
}

enum ct_truth ct_match_udp(struct ct_rule_ext *e, struct ct_judging *j)
{
	return has_header(j, 8) && ports_fit(e, j) ? CT_YES : CT_NO;
}

/* tcp_find_option(); a broken list of options ends the packet. */
static bool has_tcp_option(struct ct_judging *j, uint8_t kind)
{
	uint32_t end = (uint32_t)(j->l4[12] >> 4) * 4;

	if (end > j->l4_size) {
		j->is_hot = true;
		return false;
	}
	for (uint32_t at = 20; at < end;) {
		if (j->l4[at] == kind)
			return true;
		if (j->l4[at] < 2)
			at++;
		else
			at += at + 1 < end && j->l4[at + 1] ? j->l4[at + 1] : 1;
	}
	return false;
}

enum ct_truth ct_match_tcp(struct ct_rule_ext *e, struct ct_judging *j)
{
	const struct ct_rule_option *flags = ct_ext_option(e, "tcp-flags");
	const struct ct_rule_option *option = ct_ext_option(e, "tcp-option");

	if (!has_header(j, 20) || !ports_fit(e, j))
		return CT_NO;
	if (flags && ((j->l4[13] & flags->n[0]) == flags->n[1]) == flags->is_inverted)
		return CT_NO;
	if (option && j->l4[12] >> 4 < 5) {
		j->is_hot = true;
		return CT_NO;
	}
	if (option && has_tcp_option(j, (uint8_t)option->n[0]) == option->is_inverted)
		return CT_NO;
	return CT_YES;
}

/* Chunks are not judged; ports are. */
enum ct_truth ct_match_sctp(struct ct_rule_ext *e, struct ct_judging *j)
{
	if (!has_header(j, 12) || !ports_fit(e, j))
		return CT_NO;
	return ct_ext_option(e, "chunk-types") ? CT_UNSURE : CT_YES;
}

enum ct_truth ct_match_icmp(struct ct_rule_ext *e, struct ct_judging *j)
{
	const struct ct_rule_option *o = &e->option[0];
	bool is_any = j->family == CT_FAMILY_IPV4 && o->n[0] == 255;

	if (!has_header(j, 4))
		return CT_NO;
	return truth(is_any || (j->l4[0] == o->n[0] && j->l4[1] >= o->n[1] && j->l4[1] <= o->n[2]),
		     o);
}

static bool in_list(uint16_t port, const struct ct_rule_option *o)
{
	for (uint32_t i = 0; i < o->n[0]; i++)
		if (port >= o->ports[i][0] && port <= o->ports[i][1])
			return true;
	return false;
}

enum ct_truth ct_match_multiport(struct ct_rule_ext *e, struct ct_judging *j)
{
	const struct ct_rule_option *o = &e->option[0];
	uint16_t sport, dport;

	if (!has_header(j, 4))
		return CT_NO;
	sport = wire_be16(j->l4);
	dport = wire_be16(j->l4 + 2);
	switch (o->def->name[0]) {
	case 's':
		return truth(in_list(sport, o), o);
	case 'd':
		return truth(in_list(dport, o), o);
	}
	return truth(in_list(sport, o) || in_list(dport, o), o);
}

enum ct_truth ct_match_spi(struct ct_rule_ext *e, struct ct_judging *j)
{
	if (!has_header(j, 8))
		return CT_NO;
	return e->n_options ? truth(in_range(wire_be32(j->l4), &e->option[0]), &e->option[0])
			    : CT_YES;
}

enum ct_truth ct_match_iprange(struct ct_rule_ext *e, struct ct_judging *j)
{
	for (unsigned i = 0; i < e->n_options; i++) {
		const struct ct_rule_option *o = &e->option[i];
		const uint8_t *addr = o->def->name[0] == 's' ? j->src : j->dst;
		bool is_in = memcmp(addr, &o->addr, j->addr_size) >= 0 &&
			     memcmp(addr, &o->to, j->addr_size) <= 0;

		if (is_in == o->is_inverted)
			return CT_NO;
	}
	return CT_YES;
}

/* xt_length: the IP length; of IPv6 with its header. */
enum ct_truth ct_match_length(struct ct_rule_ext *e, struct ct_judging *j)
{
	return truth(in_range(j->size, &e->option[0]), &e->option[0]);
}

static enum ct_truth compare(const struct ct_rule_ext *e, uint8_t v)
{
	const struct ct_rule_option *o = &e->option[0];
	const char *how = o->def->name + strlen(o->def->name) - 2;

	if (strcmp(how, "lt") == 0)
		return v < o->n[0] ? CT_YES : CT_NO;
	if (strcmp(how, "gt") == 0)
		return v > o->n[0] ? CT_YES : CT_NO;
	return truth(v == o->n[0], o);
}

enum ct_truth ct_match_ttl(struct ct_rule_ext *e, struct ct_judging *j)
{
	return compare(e, j->ttl);
}

enum ct_truth ct_match_hl(struct ct_rule_ext *e, struct ct_judging *j)
{
	return compare(e, j->ttl);
}

enum ct_truth ct_match_tos(struct ct_rule_ext *e, struct ct_judging *j)
{
	return truth((j->tos & e->option[0].n[1]) == e->option[0].n[0], &e->option[0]);
}

enum ct_truth ct_match_dscp(struct ct_rule_ext *e, struct ct_judging *j)
{
	return truth(j->tos >> 2 == e->option[0].n[0], &e->option[0]);
}

enum ct_truth ct_match_comment(struct ct_rule_ext *e, struct ct_judging *j)
{
	(void)e;
	(void)j;
	return CT_YES;
}

enum ct_truth ct_match_mark(struct ct_rule_ext *e, struct ct_judging *j)
{
	const struct ct_rule_option *o = &e->option[0];

	return truth((j->out->mark & o->n[1]) == o->n[0], o);
}

/* physdev_mt(): a packet that no bridge carried has none of it. */
enum ct_truth ct_match_physdev(struct ct_rule_ext *e, struct ct_judging *j)
{
	(void)j;
	for (unsigned i = 0; i < e->n_options; i++)
		if (!e->option[i].is_inverted)
			return CT_NO;
	return CT_YES;
}

/* Which of RTN_UNSPEC, UNICAST, LOCAL, BROADCAST, ANYCAST, MULTICAST, ... a type is. */
static enum ct_truth is_type(uint8_t type, const struct ct_rule_option *o)
{
	static const uint8_t bits[] = { 0, 1, 2, 3, 5 };

	return type == CT_ADDR_UNKNOWN ? CT_UNSURE : truth(o->n[0] >> bits[type] & 1, o);
}

enum ct_truth ct_match_addrtype(struct ct_rule_ext *e, struct ct_judging *j)
{
	const struct ct_rule_option *src = ct_ext_option(e, "src-type");
	const struct ct_rule_option *dst = ct_ext_option(e, "dst-type");
	enum ct_truth a = src ? is_type(j->p->src_type, src) : CT_YES;
	enum ct_truth b = dst ? is_type(j->p->dst_type, dst) : CT_YES;

	if (a == CT_NO || b == CT_NO)
		return CT_NO;
	/* Whether the address is one of that interface is not known here. */
	if (ct_ext_option(e, "limit-iface-in") || ct_ext_option(e, "limit-iface-out"))
		return CT_UNSURE;
	return a == CT_UNSURE ? a : b;
}

/* pkttype_mt() looks at the frame, which is not at hand: frames carry the kind of packet that their
 * address says, unless somebody forges them. */
enum ct_truth ct_match_pkttype(struct ct_rule_ext *e, struct ct_judging *j)
{
	const struct ct_rule_option *o = &e->option[0];

	switch ((enum ct_addr_type)j->p->dst_type) {
	case CT_ADDR_UNKNOWN:
		return CT_UNSURE;
	case CT_ADDR_UNICAST:
	case CT_ADDR_LOCAL:
		return truth(o->n[0] == 0, o);
	case CT_ADDR_BROADCAST:
		return truth(o->n[0] == 1, o);
	case CT_ADDR_MULTICAST:
		break;
	}
	return truth(o->n[0] == 2, o);
}

/* limit_mt(): credits grow with time up to those of a burst; a packet costs those of its period.
 * state: credits and the time of the last look, both in ns. */
enum ct_truth ct_match_limit(struct ct_rule_ext *e, struct ct_judging *j)
{
	const struct ct_rule_option *rate = ct_ext_option(e, "limit");
	const struct ct_rule_option *burst = ct_ext_option(e, "limit-burst");
	uint64_t cost = (rate->n[0] | (uint64_t)rate->n[1] << 32) * 100000;
	uint64_t full = cost * (burst ? burst->n[0] : 5), now = (uint64_t)j->p->now;

	if (!e->state[1])
		e->state[0] = full;
	else if (now > e->state[1] && now - e->state[1] < full - e->state[0])
		e->state[0] += now - e->state[1];
	else if (now > e->state[1])
		e->state[0] = full;
	e->state[1] = now ? now : 1;
	if (e->state[0] < cost)
		return CT_NO;
	e->state[0] -= cost;
	return CT_YES;
}

/* statistic_mt(): every nth packet, beginning with number `packet`; chance is not modelled. */
enum ct_truth ct_match_statistic(struct ct_rule_ext *e, struct ct_judging *j)
{
	const struct ct_rule_option *every = ct_ext_option(e, "every");
	const struct ct_rule_option *packet = ct_ext_option(e, "packet");
	bool is_now;

	(void)j;
	if (!every)
		return CT_UNSURE;
	is_now = e->state[0] == packet->n[0];
	e->state[0] = (e->state[0] + 1) % every->n[0];
	return truth(is_now, every);
}
