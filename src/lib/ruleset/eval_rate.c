/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Matches that count packets or throw dice. Answers to Linux 6.18, net/netfilter/xt_limit.c,
 * xt_quota.c, xt_statistic.c.
 */
#include <string.h>

#include "lib/ruleset/ext.h"

/* The credits that a second brings: HZ * CREDITS_PER_JIFFY of a kernel with 250 or 1000 jiffies a
 * second. */
#define CREDITS	      32000u
#define NS_PER_CREDIT (CT_NS_PER_S / CREDITS)
#define SCALE	      10000u /* XT_LIMIT_SCALE */

/* user2credits(): long periods count in whole seconds. */
static uint64_t credits_of(uint64_t period)
{
	if (period > UINT32_MAX / CREDITS)
		return period / SCALE * CREDITS;
	return period * CREDITS / SCALE;
}

/* limit_mt(): credits grow with time up to those of a burst; a packet costs those of its period.
 * state: credits, and the time up to which they have grown. */
enum ct_truth ct_match_limit(struct ct_rule_ext *e, struct ct_judging *j)
{
	const struct ct_rule_option *rate = ct_ext_option(e, "limit");
	const struct ct_rule_option *burst = ct_ext_option(e, "limit-burst");
	uint64_t period = rate->n[0] | (uint64_t)rate->n[1] << 32;
	uint64_t cost = credits_of(period), full = credits_of(period * (burst ? burst->n[0] : 5));
	uint64_t now = j->p->now > 0 ? (uint64_t)j->p->now : 0, grown;

	if (!e->state[1]) {
		e->state[0] = full;
		e->state[1] = now ? now : 1;
	}
	grown = now > e->state[1] ? (now - e->state[1]) / NS_PER_CREDIT : 0;
	e->state[1] += grown * NS_PER_CREDIT;
	e->state[0] = grown > full - e->state[0] ? full : e->state[0] + grown;
	if (e->state[0] < cost)
		return CT_NO;
	e->state[0] -= cost;
	return CT_YES;
}

/* quota_mt(): once a packet was too large, nothing is left for smaller ones either. state: bytes
 * used up, and whether it came to that. */
enum ct_truth ct_match_quota(struct ct_rule_ext *e, struct ct_judging *j)
{
	const struct ct_rule_option *o = &e->option[0];
	uint64_t quota = o->n[0] | (uint64_t)o->n[1] << 32;
	bool fits = !e->state[1] && quota - e->state[0] >= j->size;

	if (fits)
		e->state[0] += j->size;
	else
		e->state[1] = 1;
	return ct_truth_of(fits, o);
}

/* A number of 31 bits from a generator with a period of 2^64 (SplitMix64). */
static uint32_t chance(uint64_t *state)
{
	uint64_t v = *state += UINT64_C(0x9e3779b97f4a7c15);

	v = (v ^ v >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	v = (v ^ v >> 27) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)((v ^ v >> 31) >> 33);
}

/* statistic_mt(): every nth packet, beginning with number `packet`; or by chance, which is only
 * thrown when somebody has given a seed. */
enum ct_truth ct_match_statistic(struct ct_rule_ext *e, struct ct_judging *j)
{
	const struct ct_rule_option *every = ct_ext_option(e, "every");
	const struct ct_rule_option *packet = ct_ext_option(e, "packet");
	const struct ct_rule_option *probability = ct_ext_option(e, "probability");
	bool is_now;

	if (!every) {
		if (!j->rs->has_seed)
			return CT_UNSURE;
		return ct_truth_of(chance(&j->rs->seed) < probability->n[0], probability);
	}
	is_now = e->state[0] == packet->n[0];
	e->state[0] = (e->state[0] + 1) % every->n[0];
	return ct_truth_of(is_now, every);
}
