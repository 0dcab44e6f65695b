/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The inside of a proof, shared by its files.
 */
#ifndef CT_PROOF_SESSION_H
#define CT_PROOF_SESSION_H

#include "lib/proof/proof.h"
#include "lib/ruleset/ext.h"

/* Words that got a number. */
struct ct_words {
	char **text; /* owned, each */
	uint32_t n, room;
	uint32_t *bucket; /* number + 1, open addressing */
	uint32_t n_buckets;
};

/* Fates that were asked for. */
struct ct_known_fates {
	const struct ct_ruleset *rs;
	const struct ct_rule_ext *ignored;
	enum ct_way_kind way;
	bool is_all_tracked, ignores_states;
	ct_dd fates;
};

struct ct_proof {
	struct ct_dds *d;
	struct ct_atoms atoms;
	struct ct_words choices;      /* what stands behind the variables after the fields */
	struct ct_words translations; /* number + 1 stands in leaves */
	uint8_t family;
	bool is_out_of_memory;
	bool is_translating;		   /* some rule set has NAT */
	bool is_tracking;		   /* all of them need the tracker: no fragments then */
	bool is_all_tracked;		   /* as if no rule kept anything from the tracker */
	const struct ct_rule_ext *ignored; /* a match that counts as true; or null */
	bool ignores_states;		   /* all matches on states do */
	struct ct_known_fates known[32];   /* the last ones, in turn */
	unsigned n_known;
};

/* Where a rule is looked at. */
struct ct_place {
	struct ct_proof *p;
	const struct ct_rule_table *table;
	const struct ct_rule_chain *chain;
	const struct ct_rule *rule;
	enum ct_at at;
	enum ct_way_kind way;
	bool is_before_tracker; /* raw: nothing is known of the packet's connection */
};

/* The number of a text, new or known; UINT32_MAX when there is no memory. words.c */
uint32_t ct_words_number(struct ct_words *w, const char *text);
void ct_words_fini(struct ct_words *w);

/* The set of packets for which something unknown is true. */
ct_dd ct_proof_choice(struct ct_proof *p, const char *text);

/* The packets that fit all matches of a rule. match.c */
ct_dd ct_rule_packets(const struct ct_place *at);

/* What a target changes of a packet that goes on; null when it changes nothing that a proof sees.
 * effect.c */
struct ct_dd_subst *ct_rule_effect(const struct ct_place *at);

/* True when ct_rule_effect() would not be null for it somewhere. */
bool ct_rule_has_effect(const struct ct_rule *rule);

#endif
