/* SPDX-License-Identifier: BSD-2-Clause
 *
 * RC17: two packets of one flow raced, or translation gave two flows the same tuple.
 */
#include "ops/diagnose/judge.h"

void check_clash(const struct facts *f, const struct check *c, struct report *r)
{
	const struct facts_netns *ns = &f->netns[0];
	const struct stats *s = &ns->stats;
	uint64_t n;
	struct finding *x;

	if (!ns->is_stats_known || !(s->known & 1u << NL_STAT_INSERT_FAILED)) {
		judge_unknown(r, c, "the counters cannot be read%s%s", ns->stats_why[0] ? ": " : "",
			      ns->stats_why);
		return;
	}
	n = s->sum[NL_STAT_INSERT_FAILED];
	n = n > s->sum[NL_STAT_CHAINTOOLONG] ? n - s->sum[NL_STAT_CHAINTOOLONG] : 0;
	if (n < 100 || (f->is_uptime_known && (double)n < f->uptime_s / 600)) {
		judge_ok(r, c, "%llu insertions failed since boot.", (unsigned long long)n);
		return;
	}
	x = judge_add(f, r, c, SEVERITY_WARNING, ns,
		      "%llu packets were dropped since boot because their connection clashed with "
		      "another: some connects and DNS answers are late by seconds.",
		      (unsigned long long)n);
	finding_evidence(r, x, "insert_failed", s->n_cpus ? ns->stats_origin : "", "%llu",
			 (unsigned long long)s->sum[NL_STAT_INSERT_FAILED]);
	if (s->known & 1u << NL_STAT_CHAINTOOLONG)
		finding_evidence(r, x, "chaintoolong (not counted here)", ns->stats_origin, "%llu",
				 (unsigned long long)s->sum[NL_STAT_CHAINTOOLONG]);
	if (s->known & 1u << NL_STAT_CLASH_RESOLVE)
		finding_evidence(r, x, "clash_resolve (harmless)", ns->stats_origin, "%llu",
				 (unsigned long long)s->sum[NL_STAT_CLASH_RESOLVE]);
	if (!x)
		return;
	x->cause = "Two first packets of one UDP socket (A and AAAA queries) race through "
		   "translation, or source translation picked a port already in use. The loser is "
		   "dropped at confirm.";
	x->remedy = "A local DNS cache; 'options single-request-reopen' in resolv.conf; "
		    "MASQUERADE --random-fully; a newer kernel.";
	x->danger = "random-fully did not help everyone.";
}
