/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Rule sets out of files, whatever their spelling: iptables-save, nft -j list ruleset, or nft's own
 * text.
 *
 *     struct ct_ruleset *rs = rules_read(bytes, len, CT_SYNTAX_IPTABLES, &err);
 */
#ifndef OPS_RULES_RULES_H
#define OPS_RULES_RULES_H

#include <conntune/ruleset.h>

enum rules_spelling { RULES_IPTABLES, RULES_NFT_JSON, RULES_NFT_TEXT };

/* Which spelling a file's bytes are in, by their first words. */
enum rules_spelling rules_spelling(const char *bytes, size_t len);

/* Reads a rule set. @syntax: the family of iptables-save text, which does not say it; nft's rules
 * say theirs. Null with a sentence in @err, without the file's name: ct_err_wrap() gives it. Owned
 * by the caller: ct_ruleset_free(). */
struct ct_ruleset *rules_read(const char *bytes, size_t len, unsigned syntax, struct ct_err *err);

#endif
