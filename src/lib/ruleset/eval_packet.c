/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Matches of what every packet has: addresses, ports, flags, sizes. Answers to Linux 6.18,
 * net/netfilter/xt_tcpudp.c, xt_multiport.c, xt_iprange.c, xt_length.c, xt_dscp.c, xt_hl.c.
 */
#include <string.h>

#include "lib/packet/wire.h"
#include "lib/ruleset/ext.h"

bool ct_has_header(struct ct_judging *j, uint32_t size)
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

	if (sport && ct_in_range(wire_be16(j->l4), sport) == sport->is_inverted)
		return false;
	return !dport || ct_in_range(wire_be16(j->l4 + 2), dport) != dport->is_inverted;
}

enum ct_truth ct_match_udp(struct ct_rule_ext *e, struct ct_judging *j)
{
	return ct_has_header(j, 8) && ports_fit(e, j) ? CT_YES : CT_NO;
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

	if (!ct_has_header(j, 20) || !ports_fit(e, j))
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

enum ct_truth ct_match_icmp(struct ct_rule_ext *e, struct ct_judging *j)
{
	const struct ct_rule_option *o = &e->option[0];
	bool is_any = j->family == CT_FAMILY_IPV4 && o->n[0] == 255;

	if (!ct_has_header(j, 4))
		return CT_NO;
	return ct_truth_of(
		is_any || (j->l4[0] == o->n[0] && j->l4[1] >= o->n[1] && j->l4[1] <= o->n[2]), o);
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

	if (!ct_has_header(j, 4))
		return CT_NO;
	sport = wire_be16(j->l4);
	dport = wire_be16(j->l4 + 2);
	switch (o->def->name[0]) {
	case 's':
		return ct_truth_of(in_list(sport, o), o);
	case 'd':
		return ct_truth_of(in_list(dport, o), o);
	}
	return ct_truth_of(in_list(sport, o) || in_list(dport, o), o);
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
	return ct_truth_of(ct_in_range(j->size, &e->option[0]), &e->option[0]);
}

static enum ct_truth compare(const struct ct_rule_ext *e, uint8_t v)
{
	const struct ct_rule_option *o = &e->option[0];
	const char *how = o->def->name + strlen(o->def->name) - 2;

	if (strcmp(how, "lt") == 0)
		return v < o->n[0] ? CT_YES : CT_NO;
	if (strcmp(how, "gt") == 0)
		return v > o->n[0] ? CT_YES : CT_NO;
	return ct_truth_of(v == o->n[0], o);
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
	return ct_truth_of((j->tos & e->option[0].n[1]) == e->option[0].n[0], &e->option[0]);
}

enum ct_truth ct_match_dscp(struct ct_rule_ext *e, struct ct_judging *j)
{
	return ct_truth_of(j->tos >> 2 == e->option[0].n[0], &e->option[0]);
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

	return ct_truth_of((j->out->mark & o->n[1]) == o->n[0], o);
}
