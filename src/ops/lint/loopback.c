/* SPDX-License-Identifier: BSD-2-Clause
 *
 * LN6: what the machine says to itself is tracked, each connection an entry, for nothing.
 */
#include "ops/lint/linting.h"

void lint_loopback(struct linting *l)
{
	struct ct_dds *d = ct_proof_dds(l->p);
	ct_dd tracked;
	struct finding *x;

	if (!ct_proof_tracks(l->rules))
		return;
	tracked = ct_dd_less(d, ct_proof_domain(l->p, CT_WAY_LOOPED),
			     ct_proof_untracked(l->p, l->rules, CT_WAY_LOOPED));
	if (tracked == CT_DD_FALSE)
		return;
	x = lint_add(l, SEVERITY_NOTE, "The machine's talk with itself is tracked%s.",
		     tracked == ct_proof_domain(l->p, CT_WAY_LOOPED) ? "" : " in part");
	if (!x)
		return;
	x->cause = "A proxy, a database or a queue on the same machine fills the table with "
		   "connections that no filter protects and no translation needs.";
	x->remedy = report_text(l->r,
				"%s -t raw -A OUTPUT -o lo -j CT --notrack\n"
				"and accept it in the filter without a state: -A INPUT -i lo -j "
				"ACCEPT",
				lint_tool(l));
	x->danger = "Not where a translation redirects local connections (Docker's published "
		    "ports, kube-proxy's services): LN3 says so.";
}
