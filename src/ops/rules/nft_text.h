/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A rule set out of nft's own text: what nft list ruleset prints, or a file for nft -f. libnftables
 * reads it: into an empty network namespace that exists for that moment, so that nothing of the
 * machine's rules is touched, and lists it from there. That takes the rights to make one.
 */
#ifndef OPS_RULES_NFT_TEXT_H
#define OPS_RULES_NFT_TEXT_H

#include <conntune/ruleset.h>

/* Null with a sentence in @err: no rights, built without libnftables, or what nft says of it. */
struct ct_ruleset *nft_text_read(const char *bytes, size_t len, struct ct_err *err);

#endif
