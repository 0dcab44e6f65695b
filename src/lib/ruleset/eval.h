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
	struct ct_rule_outcome *out;
	const uint8_t *ip, *l4;	  /* borrowed; l4 within the packet */
	const uint8_t *src, *dst; /* addresses */
	uint32_t size, l4_size;	  /* bytes at ip, at l4 */
	uint8_t family, proto, addr_size;
	uint8_t tos, ttl; /* traffic class and hop limit of IPv6 */
	bool is_fragment; /* not the first: it has no layer 4 */
	bool is_hot;	  /* a match found the packet so broken that it is dropped */
};

typedef enum ct_truth ct_match_fn(struct ct_rule_ext *e, struct ct_judging *j);

/* What a target makes of a packet: it goes on, or meets its fate (j->out->fate). */
enum ct_step { CT_STEP_ON, CT_STEP_END, CT_STEP_UNSURE };
typedef enum ct_step ct_target_fn(struct ct_rule_ext *e, struct ct_judging *j);

ct_match_fn ct_match_addrtype, ct_match_comment, ct_match_connbytes, ct_match_connmark,
	ct_match_conntrack, ct_match_dscp, ct_match_helper, ct_match_hl, ct_match_icmp,
	ct_match_iprange, ct_match_length, ct_match_limit, ct_match_mark, ct_match_multiport,
	ct_match_physdev, ct_match_pkttype, ct_match_recent, ct_match_sctp, ct_match_spi,
	ct_match_state, ct_match_statistic, ct_match_tcp, ct_match_tos, ct_match_ttl, ct_match_udp;
ct_target_fn ct_target_connmark, ct_target_ct, ct_target_mark, ct_target_nat, ct_target_notrack,
	ct_target_pass, ct_target_queue, ct_target_reject;

#endif
