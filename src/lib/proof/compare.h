/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Two rule sets, and every packet that one of them treats otherwise than the other.
 */
#ifndef CT_PROOF_COMPARE_H
#define CT_PROOF_COMPARE_H

#include "lib/proof/classes.h"

enum ct_change {
	CT_CHANGE_LOST = 1,   /* came through, does no longer */
	CT_CHANGE_GAINED,     /* comes through now */
	CT_CHANGE_TRANSLATED, /* comes through, translated otherwise */
	CT_CHANGE_REFUSED,    /* dropped where it was rejected, or the other way round */
	CT_CHANGE_END
};

/* "no longer accepted", ... */
const char *ct_change_name(enum ct_change c);

/* The packets of @way with that change from @before to @after, both learned by @p. Those of
 * connections that could not even begin before are left out, unless @is_every. */
ct_dd ct_proof_changed(struct ct_proof *p, const struct ct_ruleset *before,
		       const struct ct_ruleset *after, enum ct_way_kind way, enum ct_change c,
		       bool is_every);

#endif
