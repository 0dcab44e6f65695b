/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Counters, quotas and limits, wherever they stand.
 */
#ifndef CT_NFT_STATE_H
#define CT_NFT_STATE_H

#include "lib/ruleset/nft/model.h"

/* True for the names of what ct_nft_state_read() reads. */
bool ct_nft_is_state(const char *kind);

/* Reads a counter, quota or limit from its value. Null: no memory, or it is broken. */
struct ct_nft_state *ct_nft_state_read(struct ct_nft *nft, const char *kind, struct ct_value *v);

/* Makes a counter begin again. */
void ct_nft_state_zero(struct ct_nft_state *s);

/* Counts the packet; CT_NFT_BREAK beyond a quota or limit. */
enum ct_nft_step ct_nft_state_run(struct ct_nft_state *s, struct ct_nft_judging *j);

/* The statement that makes such a thing, with its numbers now. Null without memory. */
struct ct_value *ct_nft_state_spell(struct ct_arena *a, const struct ct_nft_state *s);

/* The name of its kind. */
const char *ct_nft_state_name(const struct ct_nft_state *s);

#endif
