/* SPDX-License-Identifier: BSD-2-Clause
 *
 * LN4: a service that is untracked over one IP version and tracked over the other.
 */
#include "ops/lint/linting.h"

/* Protocol and ports of what is untracked, addresses and interfaces left away. */
static ct_dd services(const struct linting *l, enum ct_way_kind way)
{
	ct_dd set = ct_proof_untracked(l->p, l->rules, way);

	set = ct_proof_any(l->p, set, CT_FIELD_STATE, CT_FIELD_HAS_DNAT);
	set = ct_proof_any(l->p, set, CT_FIELD_IIF, CT_FIELD_ICMP_CODE);
	return ct_proof_any(l->p, set, CT_FIELD_DADDR, (enum ct_field)(N_FIELDS - 1));
}

static void say(struct linting *l, const struct ct_class *c, const struct ct_witness *w, void *user)
{
	bool is_v4 = ct_proof_family(l->p) == CT_FAMILY_IPV4;
	struct ct_trail t;
	struct finding *x;

	(void)user;
	ct_proof_trail(l->p, l->rules, w, &t);
	if (lint_is_told(l, t.untracked.rule, NULL))
		return;
	x = lint_add(l, SEVERITY_WARNING, "%s is kept from the tracker over %s only.",
		     lint_class(l, c), is_v4 ? "IPv4" : "IPv6");
	lint_show_rule(l, x, "untracked by", &t.untracked);
	finding_evidence(l->r, x, "not in", "", "%s", l->other->name);
	if (!x)
		return;
	x->cause =
		"Clients that reach the service over the other version fill the table as before.";
	x->remedy = report_text(l->r, "Give %s the same rules.", is_v4 ? "ip6tables" : "iptables");
}

void lint_other_family(struct linting *l)
{
	struct ct_dds *d = ct_proof_dds(l->p);

	if (!l->other || !ct_proof_tracks(l->other->rules))
		return;
	for (unsigned i = CT_WAY_RECEIVED; i <= CT_WAY_SENT; i++) {
		enum ct_way_kind way = (enum ct_way_kind)i;
		ct_dd here = services(l, way);
		ct_dd there = ct_dd_copy(d, ct_proof_dds(l->other->p), services(l->other, way));
		ct_dd ports = ct_field_within(d, CT_FIELD_PROTO, 6, 17);

		lint_each_class(l, ct_dd_and(d, ports, ct_dd_less(d, here, there)), way, say, NULL);
	}
}
