/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A rule set out of a listing of nft: its objects are handed over one by one, in their order.
 *
 *     rs = ct_nft_new(&err);
 *     v = ...                         one member of "nftables", built in ct_nft_arena(rs)
 *     ct_nft_add(rs, v, &err);
 *     ct_nft_end(rs, &err);           names are tied together; then packets may be judged
 */
#ifndef CT_NFT_NFT_H
#define CT_NFT_NFT_H

#include "lib/ruleset/nft/value.h"

/* An empty rule set; ct_ruleset_free() ends it. Null without memory. */
struct ct_ruleset *ct_nft_new(struct ct_err *err);

/* Where the values that are handed over live. */
struct ct_arena *ct_nft_arena(struct ct_ruleset *rs);

/* Takes one object, {"rule": {...}}. -EINVAL with a sentence when it cannot stand in a listing;
 * kinds that nobody knows are kept. */
int ct_nft_add(struct ct_ruleset *rs, struct ct_value *object, struct ct_err *err);

/* Reads sets and rules, once all objects are there. -EINVAL with a sentence: chains that call one
 * another in a loop, rules without a chain. */
int ct_nft_end(struct ct_ruleset *rs, struct ct_err *err);

/* What ct_ruleset_base(), ct_ruleset_judge_base(), ct_ruleset_zero() and ct_ruleset_print() do with
 * it. */
bool ct_nft_base(const struct ct_ruleset *rs, unsigned i, struct ct_base_chain *out);
int ct_nft_judge(struct ct_ruleset *rs, unsigned i, const struct ct_rule_packet *p,
		 struct ct_rule_outcome *out);
void ct_nft_zero(struct ct_ruleset *rs);
int ct_nft_print(const struct ct_ruleset *rs, ct_ruleset_write_fn *write, void *user);

#endif
