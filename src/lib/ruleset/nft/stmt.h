/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Statements: what a rule asks and what it does.
 */
#ifndef CT_NFT_STMT_H
#define CT_NFT_STMT_H

#include "lib/ruleset/nft/model.h"

/* Reads one statement of r->rule. What is not understood becomes one of which nothing is known;
 * null only without memory. */
struct ct_nft_stmt *ct_nft_stmt_read(struct ct_nft_reading *r, struct ct_value *v);

/* True when @v is a verdict: {"accept": null}, {"jump": {"target": "x"}}. */
bool ct_nft_verdict_read(struct ct_nft_reading *r, const struct ct_value *v,
			 struct ct_nft_verdict *out);

/* Readers of kinds of statements: fill @s from what stands behind the kind's name; -EINVAL:
 * unknown. */
typedef int ct_nft_stmt_read_fn(struct ct_nft_reading *r, struct ct_value *v,
				struct ct_nft_stmt *s);
#define STMT(name, reader, flags) ct_nft_stmt_read_fn ct_nft_read_##reader;
#include "lib/ruleset/nft/stmt.def"
#undef STMT

#endif
