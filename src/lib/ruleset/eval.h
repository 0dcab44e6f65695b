/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Judging a packet by extensions: what a match or a target is given and what it answers.
 */
#ifndef CT_RULESET_EVAL_H
#define CT_RULESET_EVAL_H

#include "lib/ruleset/model.h"

/* UNSURE: the model cannot know; what follows from it is said to depend on this match. */
enum ct_truth { CT_NO, CT_YES, CT_UNSURE };

/* A packet on its way through a table. */
struct ct_judging {
	const struct ct_rule_packet *p;
	struct ct_ruleset *rs;
	struct ct_rule_outcome *out;
	const uint8_t *ip, *l4;	  /* borrowed; l4 within the packet */
	const uint8_t *src, *dst; /* addresses */
	uint32_t size, l4_size;	  /* bytes at ip, at l4 */
	uint8_t family, proto, addr_size;
	uint8_t tos, ttl;  /* traffic class and hop limit of IPv6 */
	bool is_fragment;  /* not the first: it has no layer 4 */
	bool zone_is_mark; /* of a CT rule: the zone is what the mark is in the end */
	bool is_broken;	   /* IPv6: its protocol cannot be told */
	bool is_hot;	   /* a match found the packet so broken that it is dropped */
};

typedef enum ct_truth ct_match_fn(struct ct_rule_ext *e, struct ct_judging *j);

/* What a target makes of a packet: it goes on, or meets its fate (j->out->fate), perhaps only the
 * likely one. */
enum ct_step { CT_STEP_ON, CT_STEP_END, CT_STEP_LIKELY, CT_STEP_UNSURE };
typedef enum ct_step ct_target_fn(struct ct_rule_ext *e, struct ct_judging *j);

#define MATCH(name)  ct_match_fn ct_match_##name;
#define TARGET(name) ct_target_fn ct_target_##name;
#include "lib/ruleset/eval.def"
#undef MATCH
#undef TARGET

/* YES when @is_so and @o are not at odds. */
static inline enum ct_truth ct_truth_of(bool is_so, const struct ct_rule_option *o)
{
	return is_so != o->is_inverted ? CT_YES : CT_NO;
}

static inline bool ct_in_range(uint32_t v, const struct ct_rule_option *o)
{
	return v >= o->n[0] && v <= o->n[1];
}

/* Whether layer 4 has @size bytes. None: no match, and no packet that is whole lacks them. A
 * fragment that is not the first has no layer 4. */
bool ct_has_header(struct ct_judging *j, uint32_t size);

/* Where the chain of IPv6 headers ends: ipv6_find_hdr() for any. */
void ct_judging_find_l4(struct ct_judging *j);

/* Takes the headers' numbers from the packet again: a target has changed it. */
void ct_judging_look(struct ct_judging *j);

#endif
