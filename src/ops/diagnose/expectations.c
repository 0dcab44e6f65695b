/* SPDX-License-Identifier: BSD-2-Clause
 *
 * RC22: helpers (ftp, sip, ...) expect more connections than the table of expectations holds.
 */
#include "ops/diagnose/judge.h"

/* Whether the last such line is older than an hour, as far as that is known. */
static bool is_old(const struct facts *f, const struct facts_log_source *log)
{
	const struct kernel_log_event *e = &log->log.expect_full;

	return e->is_uptime && f->is_uptime_known && f->uptime_s - e->last_s > 3600;
}

void check_expectations(const struct facts *f, const struct check *c, struct report *r)
{
	const struct facts_netns *ns = &f->netns[0];
	const struct facts_log_source *log = NULL;
	bool is_near = ns->is_expect_known && f->is_expect_max_known &&
		       ns->n_expect * 10 >= f->expect_max * 9 && f->expect_max > 0;
	bool has_log = false;
	struct finding *x;

	for (unsigned i = 0; i < f->n_logs; i++) {
		has_log |= f->log[i].error == 0;
		if (f->log[i].log.expect_full.n > (log ? log->log.expect_full.n : 0))
			log = &f->log[i];
	}
	if (!log && !is_near) {
		if (!has_log && !ns->is_expect_known)
			judge_unknown(r, c, "neither a log nor the expectations can be read");
		else
			judge_ok(r, c, "No sign of a full table of expectations.");
		return;
	}
	x = judge_add(f, r, c, is_near || !is_old(f, log) ? SEVERITY_WARNING : SEVERITY_NOTE,
		      is_near ? ns : NULL, /* the log does not say in which namespace */
		      "The table of expectations %s: related connections of ftp, sip and the like "
		      "fail.",
		      is_near ? "is full" : "has been full");
	if (ns->is_expect_known)
		finding_evidence(r, x, "expectations", "/proc/net/nf_conntrack_expect", "%llu",
				 (unsigned long long)ns->n_expect);
	if (f->is_expect_max_known)
		finding_evidence(r, x, "expect_max",
				 "/proc/sys/net/netfilter/nf_conntrack_expect_max", "%llu",
				 (unsigned long long)f->expect_max);
	if (log)
		finding_evidence(r, x, "log: expectation table full", log->source, "%s, last %s",
				 judge_times(r, log->log.expect_full.n),
				 judge_moment(f, r, log, &log->log.expect_full));
	if (!x)
		return;
	x->cause = "A helper registers an expectation for each data connection it reads in the "
		   "control connection. The limit follows from the buckets at load time and is "
		   "small on small machines.";
	x->remedy = report_text(
		r,
		"    sysctl -w net.netfilter.nf_conntrack_expect_max=%llu\n"
		"or drop the helper if nobody needs it (conntrack -L expect shows whose they are).",
		(unsigned long long)(f->is_expect_max_known ? f->expect_max * 4 : 4096));
	x->danger = "The chains of expectations are not resized with it; thousands more make each "
		    "new connection slower.";
}
