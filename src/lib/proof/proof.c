/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A proof's life, and what it learns of rule sets before it begins.
 */
#include "lib/proof/proof.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/proof/nat.h"

#define STANDARD_NODES (UINT32_C(16) << 20)

struct ct_proof *ct_proof_new(uint8_t family, uint32_t max_nodes)
{
	struct ct_proof *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->family = family;
	p->is_tracking = true;
	p->d = ct_dds_new(max_nodes ? max_nodes : STANDARD_NODES);
	if (p->d && ct_atoms_init(&p->atoms) == 0)
		return p;
	ct_proof_free(p);
	return NULL;
}

void ct_proof_free(struct ct_proof *p)
{
	if (!p)
		return;
	ct_dds_free(p->d);
	ct_atoms_fini(&p->atoms);
	ct_words_fini(&p->choices);
	ct_words_fini(&p->translations);
	free(p);
}

struct ct_dds *ct_proof_dds(struct ct_proof *p)
{
	return p->d;
}

const struct ct_atoms *ct_proof_atoms(const struct ct_proof *p)
{
	return &p->atoms;
}

uint8_t ct_proof_family(const struct ct_proof *p)
{
	return p->family;
}

void ct_proof_track_all(struct ct_proof *p, bool is_all_tracked)
{
	p->is_all_tracked = is_all_tracked;
}

void ct_proof_ignore(struct ct_proof *p, const struct ct_rule_ext *match)
{
	p->ignored = match;
}

void ct_proof_ignore_states(struct ct_proof *p, bool ignores_states)
{
	p->ignores_states = ignores_states;
}

static int learn_rule(struct ct_proof *p, const struct ct_rule *r)
{
	int ret = r->in ? ct_atoms_add(&p->atoms, r->in) : 0;

	if (ret == 0 && r->out)
		ret = ct_atoms_add(&p->atoms, r->out);
	p->is_translating |= ct_is_nat(r);
	return ret;
}

int ct_proof_learn(struct ct_proof *p, const struct ct_ruleset *rs, struct ct_err *err)
{
	if (rs->family != p->family)
		return ct_err_set(err, -EINVAL, "the rules are for the other IP version");
	p->is_tracking = p->is_tracking && ct_proof_tracks(rs);
	for (const struct ct_rule_table *t = rs->tables; t; t = t->next)
		for (const struct ct_rule_chain *c = t->chains; c; c = c->next)
			for (const struct ct_rule *r = c->first; r; r = r->next) {
				int ret = learn_rule(p, r);

				if (ret < 0)
					return ct_err_set(err, ret,
							  "line %u: too many interfaces, or no "
							  "memory for them",
							  (unsigned)r->line);
			}
	return 0;
}

int ct_proof_check(const struct ct_proof *p, struct ct_err *err)
{
	if (p->is_out_of_memory)
		return ct_err_set(err, -ENOMEM, "no memory for the proof");
	if (ct_dds_is_full(p->d))
		return ct_err_set(err, -E2BIG,
				  "the rules are too entangled: the proof was stopped at %u nodes",
				  (unsigned)ct_dds_n_nodes(p->d));
	return 0;
}

static const char *translation(const struct ct_proof *p, uint32_t number)
{
	return number ? p->translations.text[number - 1] : NULL;
}

const char *ct_fate_dnat(const struct ct_proof *p, uint32_t leaf)
{
	return translation(p, leaf >> 3 & 0xfff);
}

const char *ct_fate_snat(const struct ct_proof *p, uint32_t leaf)
{
	return translation(p, leaf >> 15 & 0xfff);
}

/* nf_ct_netns_get() is called by each of these when a rule is made. */
static bool ext_tracks(const struct ct_rule_ext *e)
{
	static const char *const names[] = { "cluster",	 "connbytes",	"connlabel", "connlimit",
					     "connmark", "conntrack",	"helper",    "state",
					     "CONNMARK", "CONNSECMARK", "SYNPROXY" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(names[i], e->name) == 0)
			return true;
	return strcmp(e->name, "CT") == 0 && !(e->def && ct_ext_option(e, "notrack"));
}

bool ct_proof_is_nat(const struct ct_rule *r)
{
	return ct_is_nat(r);
}

bool ct_proof_rule_tracks(const struct ct_rule *r)
{
	if (ct_is_nat(r) || (r->verdict == CT_RULE_EXT && ext_tracks(r->target)))
		return true;
	for (const struct ct_rule_ext *e = r->match; e; e = e->next)
		if (ext_tracks(e))
			return true;
	return false;
}

bool ct_proof_tracks(const struct ct_ruleset *rs)
{
	for (const struct ct_rule_table *t = rs->tables; t; t = t->next)
		for (const struct ct_rule_chain *c = t->chains; c; c = c->next)
			for (const struct ct_rule *r = c->first; r; r = r->next)
				if (ct_proof_rule_tracks(r))
					return true;
	return false;
}
