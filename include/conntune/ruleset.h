/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Rule sets: tables, chains and rules of a packet filter as one model.
 *
 *     rs = ct_ruleset_parse(text, len, CT_SYNTAX_IPTABLES, &err);
 *     ct_ruleset_print(rs, 0, write, user);           as iptables-save prints it after a restore
 *     ct_ruleset_free(rs);
 *
 * Answers to iptables 1.8.9 (iptables-restore, iptables-save). What the model does not know (an
 * extension, an option) is kept word by word, written back unchanged and counted as opaque.
 */
#ifndef CONNTUNE_RULESET_H
#define CONNTUNE_RULESET_H

#include <conntune/err.h>
#include <stddef.h>
#include <stdint.h>

struct ct_ruleset;

/* How a rule set is spelt; STRICT is or'd to it: what iptables would refuse is then an error, also
 * what only an unknown extension, chain, helper or policy makes doubtful. */
enum ct_syntax {
	CT_SYNTAX_IPTABLES = 0,
	CT_SYNTAX_IP6TABLES = 1,
	CT_SYNTAX_STRICT = 1 << 8,
};

/* Reads iptables-save or ip6tables-save text, with or without -c, or what people write for
 * iptables-restore: any order of options, long and old spellings, -I, -N and -P. Null with a
 * sentence in @err (may be null) that names line and word: a broken line, no memory, too large.
 * A table that stands there twice counts as the last one, as a restore has it. */
struct ct_ruleset *ct_ruleset_parse(const char *text, size_t len, unsigned syntax,
				    struct ct_err *err);

/* Null is fine. */
void ct_ruleset_free(struct ct_ruleset *rs);

/* How much a rule set holds. */
struct ct_ruleset_size {
	uint32_t n_tables, n_chains, n_rules;
	uint32_t n_opaque; /* rules with something that the model does not know */
};
void ct_ruleset_size(const struct ct_ruleset *rs, struct ct_ruleset_size *out);

/* Takes text of a rule set on its way out; a negative errno ends the writing. */
typedef int ct_ruleset_write_fn(void *user, const char *text, size_t len);

enum ct_ruleset_flag {
	CT_RULESET_COUNTERS = 1 << 0, /* iptables-save -c */
};

/* Writes @rs as iptables-save does after a restore of it, without its "#" lines: chains of the
 * kernel in its order, others sorted, rules normalised. Returns 0, the first error of @write, or
 * -ENOSPC when a rule is longer than 64 KiB. */
int ct_ruleset_print(const struct ct_ruleset *rs, unsigned flags, ct_ruleset_write_fn *write,
		     void *user);

#endif
