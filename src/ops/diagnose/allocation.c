/* SPDX-License-Identifier: BSD-2-Clause
 *
 * RC24: drops that no full table explains.
 *
 * The drop counter also counts failed allocations and lost clashes (F10).
 */
#include "ops/diagnose/judge.h"

void check_allocation(const struct facts *f, const struct check *c, struct report *r)
{
	const struct facts_netns *ns = &f->netns[0];
	const struct facts_log_source *log = facts_best_log(f);
	uint64_t n_drop, n_failed;
	struct finding *x;

	if (!ns->is_stats_known || !(ns->stats.known & 1u << NL_STAT_DROP)) {
		judge_unknown(r, c, "the counters cannot be read%s%s", ns->stats_why[0] ? ": " : "",
			      ns->stats_why);
		return;
	}
	n_drop = ns->stats.sum[NL_STAT_DROP];
	n_failed = ns->stats.sum[NL_STAT_INSERT_FAILED];
	if (n_drop == 0) {
		judge_ok(r, c, "No packet was dropped by the tracker since boot.");
		return;
	}
	if (n_drop <= n_failed || (log && facts_full_lines(f, ns, &log->log)) ||
	    judge_fill(ns) >= 0.9) {
		judge_ok(r, c, "%llu drops, explained by a full table or by clashes.",
			 (unsigned long long)n_drop);
		return;
	}
	if (!log) {
		judge_unknown(r, c,
			      "%llu packets were dropped since boot and no log can be read: a full "
			      "table or a failed allocation",
			      (unsigned long long)n_drop);
		return;
	}
	x = judge_add(f, r, c, SEVERITY_NOTE, ns,
		      "%llu packets were dropped since boot although the table is not full and the "
		      "log does not say it was.",
		      (unsigned long long)n_drop);
	finding_evidence(r, x, "drop", ns->stats_origin, "%llu", (unsigned long long)n_drop);
	finding_evidence(r, x, "insert_failed", ns->stats_origin, "%llu",
			 (unsigned long long)n_failed);
	finding_evidence(r, x, "count", ns->count_origin, "%llu", (unsigned long long)ns->count);
	if (!x)
		return;
	x->cause =
		"Either the table was full and the log does not hold it (its lines are limited to "
		"a few in five seconds for the whole machine), or memory for an entry could not be "
		"had.";
	x->remedy = "Watch the counter (conntrack -S): when it grows while count is far below max, "
		    "free memory or lower max; look for 'page allocation failure' in the log.";
}
