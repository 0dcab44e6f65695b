/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Matches of what no byte of a packet tells: frames, sockets, routes, transformations, the time of
 * day. Their caller may know it (enum ct_rule_known, struct ct_rule_ask); where it does not, the
 * answer is not known. Answers to Linux 6.18, net/netfilter/xt_mac.c, xt_physdev.c, xt_pkttype.c,
 * xt_addrtype.c, xt_owner.c, xt_policy.c, xt_cpu.c, net/ipv4/netfilter/ipt_rpfilter.c,
 * net/ipv6/netfilter/ip6t_rpfilter.c.
 */
#include <string.h>

#include "lib/ruleset/ext.h"

static bool knows(const struct ct_judging *j, enum ct_rule_known what)
{
	return (j->p->known & what) != 0;
}

/* mac_mt(): nothing is true of a frame without addresses. */
enum ct_truth ct_match_mac(struct ct_rule_ext *e, struct ct_judging *j)
{
	const struct ct_rule_option *o = &e->option[0];

	if (!knows(j, CT_RULE_KNOWS_LINK))
		return CT_UNSURE;
	return j->p->mac ? ct_truth_of(memcmp(j->p->mac, o->addr.bytes, 6) == 0, o) : CT_NO;
}

/* A bridge port by name or by the beginning of one. */
static bool port_fits(const char *port, const char *want)
{
	size_t len = strlen(want);

	if (!port)
		return false;
	return want[len - 1] == '+' ? strncmp(port, want, len - 1) == 0 : strcmp(port, want) == 0;
}

static bool physdev_fits(const struct ct_rule_packet *p, const struct ct_rule_option *o)
{
	const char *name = o->def->name + strlen("physdev-");

	if (strcmp(name, "is-in") == 0)
		return p->bridge_in != NULL;
	if (strcmp(name, "is-out") == 0)
		return p->bridge_out != NULL;
	if (strcmp(name, "is-bridged") == 0)
		return p->bridge_in && p->bridge_out;
	return port_fits(strcmp(name, "in") == 0 ? p->bridge_in : p->bridge_out, o->text);
}

/* physdev_mt(): without a bridge only what is inverted is true. */
enum ct_truth ct_match_physdev(struct ct_rule_ext *e, struct ct_judging *j)
{
	for (unsigned i = 0; i < e->n_options; i++)
		if (physdev_fits(j->p, &e->option[i]) == e->option[i].is_inverted)
			return CT_NO;
	return CT_YES;
}

/* pkttype_mt(): frames carry the kind of packet that their address says, unless the caller knows
 * better. */
enum ct_truth ct_match_pkttype(struct ct_rule_ext *e, struct ct_judging *j)
{
	const struct ct_rule_option *o = &e->option[0];

	if (knows(j, CT_RULE_KNOWS_KIND))
		return ct_truth_of(o->n[0] == j->p->kind, o);
	switch ((enum ct_addr_type)j->p->dst_type) {
	case CT_ADDR_UNKNOWN:
		return CT_UNSURE;
	case CT_ADDR_UNICAST:
	case CT_ADDR_LOCAL:
		return ct_truth_of(o->n[0] == CT_FRAME_UNICAST, o);
	case CT_ADDR_BROADCAST:
		return ct_truth_of(o->n[0] == CT_FRAME_BROADCAST, o);
	case CT_ADDR_MULTICAST:
		break;
	}
	return ct_truth_of(o->n[0] == CT_FRAME_MULTICAST, o);
}

/* Which of RTN_UNSPEC, UNICAST, LOCAL, BROADCAST, ANYCAST, MULTICAST, ... a type is. */
static enum ct_truth is_type(uint8_t type, const struct ct_rule_option *o)
{
	static const uint8_t bits[] = { 0, 1, 2, 3, 5 };

	return type == CT_ADDR_UNKNOWN ? CT_UNSURE : ct_truth_of(o->n[0] >> bits[type] & 1, o);
}

/* addrtype_mt_v1(): with a limit the question is put to one interface. */
enum ct_truth ct_match_addrtype(struct ct_rule_ext *e, struct ct_judging *j)
{
	const struct ct_rule_option *src = ct_ext_option(e, "src-type");
	const struct ct_rule_option *dst = ct_ext_option(e, "dst-type");
	const char *iface = ct_ext_option(e, "limit-iface-in")	  ? j->p->in
			    : ct_ext_option(e, "limit-iface-out") ? j->p->out
								  : NULL;
	uint8_t types[2] = { j->p->src_type, j->p->dst_type };
	enum ct_truth a, b;

	if (iface)
		for (unsigned i = 0; i < 2; i++)
			types[i] =
				j->p->ask && j->p->ask->addr_type
					? (uint8_t)j->p->ask->addr_type(j->p->ask->user, j->family,
									i ? j->dst : j->src, iface)
					: CT_ADDR_UNKNOWN;
	a = src ? is_type(types[0], src) : CT_YES;
	b = dst ? is_type(types[1], dst) : CT_YES;
	if (a == CT_NO || b == CT_NO)
		return CT_NO;
	return a == CT_UNSURE ? a : b;
}

/* owner_mt(): a packet that no socket sent has no owner. */
enum ct_truth ct_match_owner(struct ct_rule_ext *e, struct ct_judging *j)
{
	const struct ct_rule_option *uid = ct_ext_option(e, "uid-owner");
	const struct ct_rule_option *gid = ct_ext_option(e, "gid-owner");
	const struct ct_rule_option *any = ct_ext_option(e, "socket-exists");

	if (!knows(j, CT_RULE_KNOWS_SOCKET))
		return CT_UNSURE;
	if (!j->p->has_socket)
		return (uid && !uid->is_inverted) || (gid && !gid->is_inverted) ||
				       (any && !any->is_inverted)
			       ? CT_NO
			       : CT_YES;
	if ((any && any->is_inverted) ||
	    (uid && ct_truth_of(ct_in_range(j->p->uid, uid), uid) == CT_NO))
		return CT_NO;
	if (!gid || ct_truth_of(ct_in_range(j->p->gid, gid), gid) == CT_YES)
		return CT_YES;
	return ct_ext_option(e, "suppl-groups") ? CT_UNSURE : CT_NO;
}

/* policy_mt(), for hosts that transform nothing. */
enum ct_truth ct_match_policy(struct ct_rule_ext *e, struct ct_judging *j)
{
	enum { NONE };

	if (!knows(j, CT_RULE_KNOWS_NO_IPSEC))
		return CT_UNSURE;
	return ct_ext_option(e, "pol")->n[0] == NONE ? CT_YES : CT_NO;
}

enum ct_truth ct_match_cpu(struct ct_rule_ext *e, struct ct_judging *j)
{
	const struct ct_rule_option *o = &e->option[0];

	return knows(j, CT_RULE_KNOWS_CPU) ? ct_truth_of(j->p->cpu == o->n[0], o) : CT_UNSURE;
}

/* rpfilter_mt(): what the host sent itself is fine, and so are calls of those that have no address
 * yet. */
static bool needs_no_way_back(const struct ct_judging *j)
{
	static const uint8_t everyone[4] = { 255, 255, 255, 255 }, nobody[16];

	if (j->p->in && strcmp(j->p->in, "lo") == 0)
		return true;
	if (j->family == CT_FAMILY_IPV6)
		return memcmp(j->src, nobody, 16) == 0;
	return j->src[0] == 0 && (memcmp(j->dst, everyone, 4) == 0 ||
				  (j->dst[0] == 224 && j->dst[1] == 0 && j->dst[2] == 0));
}

enum ct_truth ct_match_rpfilter(struct ct_rule_ext *e, struct ct_judging *j)
{
	const struct ct_rule_ask *ask = j->p->ask;
	bool is_inverted = ct_ext_option(e, "invert") != NULL;
	enum ct_rule_answer has = CT_ANSWER_UNKNOWN;

	if (needs_no_way_back(j))
		has = CT_ANSWER_YES;
	else if (ask && ask->reverse)
		has = ask->reverse(ask->user, j->family, j->src, j->dst, j->p->in,
				   ct_ext_option(e, "validmark") ? j->out->mark : 0,
				   ct_ext_option(e, "loose") != NULL,
				   ct_ext_option(e, "accept-local") != NULL);
	if (has == CT_ANSWER_UNKNOWN)
		return CT_UNSURE;
	return (has == CT_ANSWER_YES) != is_inverted ? CT_YES : CT_NO;
}

/* Time of day ------------------------------------------------------------------------------- */

enum { DAY_S = 86400 };

/* The day of the month of a day since 1970, with years that begin in March, so that the day added
 * now and then is the last one. */
static unsigned month_day(int64_t day)
{
	int64_t from_march = day + 719468; /* since the first of March of the year 0 */
	int64_t era = (from_march >= 0 ? from_march : from_march - 146096) / 146097;
	unsigned of_era = (unsigned)(from_march - era * 146097);
	unsigned year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	unsigned of_year = of_era - (365 * year + year / 4 - year / 100);

	return of_year - (153 * ((5 * of_year + 2) / 153) + 2) / 5 + 1;
}

static int64_t date_of(const struct ct_rule_option *o)
{
	return (int64_t)(o->n[0] | (uint64_t)o->n[1] << 32);
}

/* time_mt(): a span over midnight belongs, with --contiguous, to the day on which it began. */
static bool is_time(const struct ct_rule_ext *e, int64_t stamp)
{
	const struct ct_rule_option *from = ct_ext_option(e, "timestart");
	const struct ct_rule_option *to = ct_ext_option(e, "timestop");
	const struct ct_rule_option *since = ct_ext_option(e, "datestart");
	const struct ct_rule_option *until = ct_ext_option(e, "datestop");
	const struct ct_rule_option *week = ct_ext_option(e, "weekdays");
	const struct ct_rule_option *month = ct_ext_option(e, "monthdays");
	uint32_t start = from ? from->n[0] : 0, stop = to ? to->n[0] : DAY_S - 1;
	uint32_t second = (uint32_t)((stamp % DAY_S + DAY_S) % DAY_S);
	int64_t day = (stamp - second) / DAY_S;

	if ((since && stamp < date_of(since)) || (until && stamp > date_of(until)))
		return false;
	if (start < stop ? second < start || second > stop : second < start && second > stop)
		return false;
	if (start >= stop && ct_ext_option(e, "contiguous") && second <= stop)
		day--;
	/* The first day of 1970 was a Thursday; Monday is 1. */
	if (week && !(week->n[0] >> (((day + 3) % 7 + 7) % 7 + 1) & 1))
		return false;
	return !month || month->n[0] >> month_day(day) & 1;
}

enum ct_truth ct_match_time(struct ct_rule_ext *e, struct ct_judging *j)
{
	int64_t stamp = j->p->now / CT_NS_PER_S;

	if (!knows(j, CT_RULE_KNOWS_TIME))
		return CT_UNSURE;
	if (ct_ext_option(e, "kerneltz"))
		stamp -= 60 * (int64_t)j->p->west_min;
	return is_time(e, stamp) ? CT_YES : CT_NO;
}
