/* SPDX-License-Identifier: BSD-2-Clause
 *
 * RC19: packets the tracker cannot fit to a connection, and rules that drop them.
 */
#include "ops/diagnose/judge.h"

void check_invalid(const struct facts *f, const struct check *c, struct report *r)
{
	const struct facts_netns *ns = &f->netns[0];
	uint64_t n;
	double rate;
	bool drops = f->rules.n_drop_invalid > 0;
	struct finding *x;

	if (!ns->is_stats_known || !(ns->stats.known & 1u << NL_STAT_INVALID)) {
		judge_unknown(r, c, "the counters cannot be read%s%s", ns->stats_why[0] ? ": " : "",
			      ns->stats_why);
		return;
	}
	n = ns->stats.sum[NL_STAT_INVALID];
	if (!f->is_uptime_known || f->uptime_s < 1) {
		judge_unknown(r, c,
			      "%llu packets were INVALID since boot; when that was is not known",
			      (unsigned long long)n);
		return;
	}
	rate = (double)n / f->uptime_s;
	if (n < 1000 || rate < (drops ? 1 : 10)) {
		judge_ok(r, c, "%llu packets were INVALID since boot.", (unsigned long long)n);
		return;
	}
	x = judge_add(f, r, c, drops ? SEVERITY_WARNING : SEVERITY_NOTE, ns,
		      "%llu packets were judged INVALID since boot, %.1f a second%s.",
		      (unsigned long long)n, rate, drops ? ", and a rule drops such packets" : "");
	finding_evidence(r, x, "invalid", ns->stats_origin, "%llu", (unsigned long long)n);
	if (facts_knob(ns, "nf_conntrack_tcp_be_liberal") >= 0)
		finding_evidence(r, x, "tcp_be_liberal", "sysctl", "%lld",
				 (long long)facts_knob(ns, "nf_conntrack_tcp_be_liberal"));
	finding_evidence(
		r, x, "rules that drop INVALID", "the rules", "%s",
		f->rules.is_known
			? report_text(r, "%llu", (unsigned long long)f->rules.n_drop_invalid)
			: "not read");
	if (!x)
		return;
	x->cause = "Traffic whose other half takes another way (asymmetric routing, several "
		   "uplinks, anycast), packets out of the window on fast links, or answers that "
		   "come after their entry expired.";
	x->remedy =
		"See which: sysctl -w net.netfilter.nf_conntrack_log_invalid=6 for a minute. "
		"For windows: sysctl -w net.netfilter.nf_conntrack_tcp_be_liberal=1. For "
		"asymmetric traffic: do not track that class, or mend the routing. Drop INVALID "
		"only where addresses are translated.";
	x->remedy = judge_inside(r, ns, x->remedy);
	x->danger = "log_invalid can flood the log; be_liberal gives up the check of sequence "
		    "numbers; dropping INVALID kills legal asymmetric traffic.";
}
