/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A rule set out of what nft -j list ruleset prints: libnftables-json(5).
 */
#ifndef OPS_RULES_NFT_JSON_H
#define OPS_RULES_NFT_JSON_H

#include <conntune/ruleset.h>

/* Null with a sentence in @err: no JSON, no listing, too large, or rules that nft would refuse. */
struct ct_ruleset *nft_json_read(const char *bytes, size_t len, struct ct_err *err);

#endif
