/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The difference of two functions of fates.
 */
#include "lib/proof/compare.h"

#include "lib/proof/session.h"

#define OP_CHANGE 1u

static const char *const names[] = {
	[CT_CHANGE_LOST] = "no longer accepted",
	[CT_CHANGE_GAINED] = "accepted now",
	[CT_CHANGE_TRANSLATED] = "translated otherwise",
	[CT_CHANGE_REFUSED] = "refused otherwise",
};

const char *ct_change_name(enum ct_change c)
{
	return names[c];
}

static bool is_accepted(uint32_t leaf)
{
	return ct_fate_of(leaf) == CT_FATE_ACCEPT || ct_fate_of(leaf) == CT_FATE_QUEUE;
}

static uint32_t change(void *user, uint32_t before, uint32_t after)
{
	(void)user;
	if (before == after || (before & 7) == CT_PROOF_ELSEWHERE)
		return 0;
	if ((after & 7) == CT_PROOF_ELSEWHERE)
		return is_accepted(before) ? CT_CHANGE_TRANSLATED : 0;
	if (is_accepted(before) && is_accepted(after))
		return CT_CHANGE_TRANSLATED;
	if (is_accepted(before))
		return CT_CHANGE_LOST;
	return is_accepted(after) ? CT_CHANGE_GAINED : CT_CHANGE_REFUSED;
}

ct_dd ct_proof_changed(struct ct_proof *p, const struct ct_ruleset *before,
		       const struct ct_ruleset *after, enum ct_way_kind way, enum ct_change c,
		       bool is_every)
{
	ct_dd all = ct_dd_pair(p->d, ct_proof_fates(p, before, way), ct_proof_fates(p, after, way),
			       OP_CHANGE, change, NULL);
	ct_dd set = ct_dd_where(p->d, all, CT_DD_LEAF((uint32_t)c));

	return is_every ? set : ct_proof_possible(p, before, way, set);
}
