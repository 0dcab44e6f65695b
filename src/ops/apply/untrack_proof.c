/* SPDX-License-Identifier: BSD-2-Clause
 *
 * See untrack_proof.h; lib/proof does the work.
 *
 * A state rule lets a packet pass that belongs to a connection which the rules let begin. Who
 * begins is told by the class: others, with a service of this machine; this machine, with one that
 * it uses.
 */
#include "ops/apply/untrack_proof.h"

#include <errno.h>

#include "lib/proof/classes.h"
#include "lib/proof/proof.h"

struct proving {
	struct ct_proof *p;
	const struct untrack_class *c;
	const struct ct_ruleset *before, *after;
	const char *fault; /* what happens to @found */
	char found[256];   /* a class of packets in words */
};

static ct_dd accepted(struct proving *x, const struct ct_ruleset *rs, enum ct_way_kind way)
{
	struct ct_dds *d = ct_proof_dds(x->p);
	ct_dd fates = ct_proof_fates(x->p, rs, way);
	ct_dd drop = ct_dd_where(d, fates, CT_DD_LEAF(CT_FATE_DROP));
	ct_dd reject = ct_dd_where(d, fates, CT_DD_LEAF(CT_FATE_REJECT));

	return ct_dd_less(d, ct_proof_domain(x->p, way), ct_dd_or(d, drop, reject));
}

/* Whether connections of the class begin with packets of @way. */
static bool begins(const struct untrack_class *c, enum ct_way_kind way)
{
	switch (way) {
	case CT_WAY_RECEIVED:
		return !c->dst[0];
	case CT_WAY_SENT:
		return c->dst[0] != '\0';
	case CT_WAY_LOOPED:
		return true;
	case CT_WAY_FORWARDED:
	case N_WAYS:
		break;
	}
	return false;
}

/* The packets, whatever their state and flags, with which a connection may begin now. */
static ct_dd openers(struct proving *x, enum ct_way_kind way)
{
	struct ct_dds *d = ct_proof_dds(x->p);
	ct_dd set;

	if (!begins(x->c, way))
		return CT_DD_FALSE;
	set = accepted(x, x->before, way);
	set = ct_dd_and(d, set, ct_field_is(d, CT_FIELD_STATE, CT_PROOF_NEW));
	set = ct_proof_any(x->p, set, CT_FIELD_STATE, CT_FIELD_HAS_DNAT);
	return ct_proof_any(x->p, set, CT_FIELD_FLAGS, CT_FIELD_FLAGS);
}

static ct_dd newly_untracked(struct proving *x, enum ct_way_kind way)
{
	struct ct_dds *d = ct_proof_dds(x->p);

	return ct_dd_less(d, ct_proof_untracked(x->p, x->after, way),
			  ct_proof_untracked(x->p, x->before, way));
}

static bool note(void *user, const struct ct_class *c)
{
	struct proving *x = user;
	struct ct_class any = *c;
	struct ct_text t;

	any.value[CT_FIELD_STATE] = CT_DD_TRUE;
	ct_text_init(&t, x->found, sizeof(x->found));
	ct_class_text(x->p, &any, 4, &t);
	return false;
}

static bool is_empty(struct proving *x, ct_dd set, enum ct_way_kind way, const char *fault)
{
	set = ct_dd_and(ct_proof_dds(x->p), set, ct_proof_domain(x->p, way));
	if (set == CT_DD_FALSE)
		return true;
	x->fault = fault;
	return ct_proof_classes(x->p, set, way, note, x) == 0;
}

/* Packets that passed, of connections that may begin on this way or on that of their answers. */
static bool none_dies(struct proving *x, enum ct_way_kind way)
{
	struct ct_dds *d = ct_proof_dds(x->p);
	ct_dd set = ct_dd_and(d, newly_untracked(x, way), accepted(x, x->before, way));
	ct_dd answers = ct_proof_mirror(x->p, openers(x, ct_way_kind_answer(way)));
	ct_dd first = ct_field_is(d, CT_FIELD_STATE, CT_PROOF_NEW);
	ct_dd later = ct_field_within(d, CT_FIELD_STATE, CT_PROOF_RELATED, CT_PROOF_ESTABLISHED);
	ct_dd of_class = ct_dd_or(d, ct_dd_and(d, first, openers(x, way)),
				  ct_dd_and(d, later, ct_dd_or(d, openers(x, way), answers)));

	set = ct_dd_less(d, set, accepted(x, x->after, way));
	return is_empty(x, ct_dd_and(d, set, of_class), way,
			"packets that pass now would end for want of a state");
}

static bool none_loses_nat(struct proving *x, enum ct_way_kind way)
{
	struct ct_dds *d = ct_proof_dds(x->p);
	ct_dd set = ct_dd_and(d, newly_untracked(x, way), openers(x, way));

	return is_empty(x, ct_dd_and(d, set, ct_proof_translated(x->p, x->before, way)), way,
			"a translation (NAT, REDIRECT) needs tracking and would be lost");
}

int untrack_prove(const struct untrack_class *c, uint8_t family, const struct ct_ruleset *before,
		  const struct ct_ruleset *after, struct ct_err *err)
{
	struct proving x = { .c = c, .before = before, .after = after };
	int r;

	x.p = ct_proof_new(family, 0);
	if (!x.p)
		return ct_err_set(err, -ENOMEM, "out of memory");
	r = ct_proof_learn(x.p, before, err);
	r = r < 0 ? r : ct_proof_learn(x.p, after, err);
	for (unsigned i = 0; r == 0 && i < N_WAYS && !x.fault; i++)
		if (none_loses_nat(&x, (enum ct_way_kind)i))
			(void)none_dies(&x, (enum ct_way_kind)i);
	r = r < 0 ? r : ct_proof_check(x.p, err);
	if (r == 0 && x.fault)
		r = ct_err_set(err, -EPERM, "this would do harm: %s: %s", x.fault, x.found);
	ct_proof_free(x.p);
	return r;
}
