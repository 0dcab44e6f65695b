/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Proofs about rule sets: what they do with every packet there can be, not with some.
 *
 *     struct ct_proof *p = ct_proof_new(CT_FAMILY_IPV4, 0);
 *     ct_proof_learn(p, before);  ct_proof_learn(p, after);     both, before anything is asked
 *     ct_dd a = ct_proof_fates(p, before, CT_WAY_RECEIVED);
 *     ct_dd b = ct_proof_fates(p, after, CT_WAY_RECEIVED);      a == b: no packet changes its fate
 *
 * The space of packets is field.def. What a proof cannot know (the content of a set, a rate, an
 * owner) is a choice: a variable of its own, the same for the same words, so that it counts as
 * both true and false. The fates are computed from the end of a packet's way back to its start,
 * so that what rules change on the way (marks, addresses, tracking) is taken back exactly.
 *
 * Packets are whole and well-formed, and carry no mark that a socket has set. Answers to Linux 6.18
 * as lib/ruleset and lib/hooks do, which say of one packet what is said here of all.
 */
#ifndef CT_PROOF_PROOF_H
#define CT_PROOF_PROOF_H

#include <conntune/err.h>
#include <conntune/ruleset.h>

#include "lib/proof/dd.h"
#include "lib/proof/field.h"
#include "lib/proof/iface.h"

struct ct_proof;

/* Ways through the hooks. */
enum ct_way_kind {
	CT_WAY_RECEIVED,  /* PREROUTING, INPUT */
	CT_WAY_FORWARDED, /* PREROUTING, FORWARD, POSTROUTING */
	CT_WAY_SENT,	  /* OUTPUT, POSTROUTING */
	CT_WAY_LOOPED,	  /* OUTPUT, POSTROUTING, PREROUTING, INPUT */
	N_WAYS
};

/* "received", ... */
const char *ct_way_kind_name(enum ct_way_kind way);

/* The fate of packets that routing sends another way, because nobody translated them. */
#define CT_PROOF_ELSEWHERE 4u

/* A leaf of fates: the fate (or CT_PROOF_ELSEWHERE), and which rules translate destination and
 * source on the way. */
static inline enum ct_rule_fate ct_fate_of(uint32_t leaf)
{
	return (enum ct_rule_fate)(leaf & 7);
}

/* Texts of the translations of a leaf, "DNAT --to-destination 10.0.0.1"; null for none. Live as
 * long as @p. */
const char *ct_fate_dnat(const struct ct_proof *p, uint32_t leaf);
const char *ct_fate_snat(const struct ct_proof *p, uint32_t leaf);

/* A proof about packets of one family, with at most @max_nodes nodes of diagrams; 0 stands for
 * 16 million, about 400 MB. Null when there is no memory. */
struct ct_proof *ct_proof_new(uint8_t family, uint32_t max_nodes);
void ct_proof_free(struct ct_proof *p);

/* The diagrams, the interfaces: for building and reading sets. Borrowed from @p. */
struct ct_dds *ct_proof_dds(struct ct_proof *p);
const struct ct_atoms *ct_proof_atoms(const struct ct_proof *p);
uint8_t ct_proof_family(const struct ct_proof *p);

/* Learns the interface names of a rule set, which is borrowed until @p is freed. -EINVAL for one
 * of another family, -ENOMEM, -E2BIG when it names too many. */
int ct_proof_learn(struct ct_proof *p, const struct ct_ruleset *rs, struct ct_err *err);

/* -E2BIG with a sentence once the diagrams did not fit: nothing that was computed holds then. */
int ct_proof_check(const struct ct_proof *p, struct ct_err *err);

/* The packets that can come on a way. */
ct_dd ct_proof_domain(struct ct_proof *p, enum ct_way_kind way);

/* The packets that rules keep from the tracker on a way. */
ct_dd ct_proof_untracked(struct ct_proof *p, const struct ct_ruleset *rs, enum ct_way_kind way);

/* The packets whose answers a rule set does not track although it tracks them. */
ct_dd ct_proof_halves(struct ct_proof *p, const struct ct_ruleset *rs, enum ct_way_kind way);

/* What becomes of each packet of a way, as leaves; outside the domain fate ACCEPT. Null @rs: no
 * rules at all. */
ct_dd ct_proof_fates(struct ct_proof *p, const struct ct_ruleset *rs, enum ct_way_kind way);

struct ct_rule;
struct ct_rule_chain;
struct ct_rule_ext;
struct ct_rule_table;

/* The packets that the matches of a rule fit at a hook, on a way. */
ct_dd ct_proof_rule_packets(struct ct_proof *p, const struct ct_rule_table *t,
			    const struct ct_rule_chain *c, const struct ct_rule *r, enum ct_at at,
			    enum ct_way_kind way);

/* The match of a rule that asks for the packet's state; null when none does. */
const struct ct_rule_ext *ct_proof_state_match(const struct ct_rule *r);

/* From now on all is computed as if NOTRACK were not there; as if one match were true (null: none);
 * as if all matches on states were. */
void ct_proof_track_all(struct ct_proof *p, bool is_all_tracked);
void ct_proof_ignore(struct ct_proof *p, const struct ct_rule_ext *match);
void ct_proof_ignore_states(struct ct_proof *p, bool ignores_states);

/* The way that answers to packets of @way take. */
enum ct_way_kind ct_way_kind_answer(enum ct_way_kind way);

/* @set with any value of the fields @from to @to. */
ct_dd ct_proof_any(struct ct_proof *p, ct_dd set, enum ct_field from, enum ct_field to);

/* Headers that begin a connection which @rs lets through when it is tracked. */
ct_dd ct_proof_openers(struct ct_proof *p, const struct ct_ruleset *rs, enum ct_way_kind way);

/* The packets of @set, of @way, that there can be under @rs: first ones, INVALID ones, and later
 * ones of connections that could begin, in either direction. Later ones of connections that are
 * translated are left out: they are judged by their first. */
ct_dd ct_proof_possible(struct ct_proof *p, const struct ct_ruleset *rs, enum ct_way_kind way,
			ct_dd set);

/* The packets that fates let through. */
ct_dd ct_proof_accepted(struct ct_proof *p, ct_dd fates);

/* The packets that meet a rule which translates, if they are the first of their connection. */
ct_dd ct_proof_translated(struct ct_proof *p, const struct ct_ruleset *rs, enum ct_way_kind way);

/* The same packets as their answers see them: addresses, ports and interfaces exchanged. */
ct_dd ct_proof_mirror(struct ct_proof *p, ct_dd set);

/* True when some rule needs the tracker: without one the kernel tracks nothing (nf_ct_netns_get()).
 */
bool ct_proof_tracks(const struct ct_ruleset *rs);

/* The same of one rule; and whether it translates. */
bool ct_proof_rule_tracks(const struct ct_rule *r);
bool ct_proof_is_nat(const struct ct_rule *r);

#endif
