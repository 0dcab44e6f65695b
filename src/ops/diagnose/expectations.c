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

static bool is_near(const struct facts *f, const struct facts_netns *ns)
{
	return ns->is_expect_known && f->is_expect_max_known && f->expect_max > 0 &&
	       ns->n_expect * 10 >= f->expect_max * 9;
}

/* The limit is one for all, the count each namespace's own (nf_ct_expect_related_report()): where
 * fewer were ever registered than the limit allows, the table never was full. */
static bool never_full(const struct facts *f, const struct facts_netns *ns)
{
	uint64_t least = f->is_expect_max_known && f->expect_max > 0 ? f->expect_max : 1;

	return ns->is_stats_known && ns->stats.is_expect_create_known &&
	       ns->stats.expect_create < least;
}

/* The namespace that may have been full: the one near the limit, else the one looked at, else the
 * first that registered enough. Null when none of those we see can have been. */
static const struct facts_netns *suspect(const struct facts *f)
{
	for (size_t i = 0; i < f->n_netns; i++)
		if (is_near(f, &f->netns[i]))
			return &f->netns[i];
	for (size_t i = 0; i < f->n_netns; i++)
		if (f->netns[i].is_readable && !never_full(f, &f->netns[i]))
			return &f->netns[i];
	return NULL;
}

static void evidence(const struct facts *f, struct report *r, struct finding *x,
		     const struct facts_netns *ns, const struct facts_log_source *log)
{
	if (ns->is_expect_known)
		finding_evidence(r, x, "expectations", "/proc/net/nf_conntrack_expect", "%llu",
				 (unsigned long long)ns->n_expect);
	if (ns->is_stats_known && ns->stats.is_expect_create_known)
		finding_evidence(r, x, "expect_create", ns->stats_origin, "%llu registered here",
				 (unsigned long long)ns->stats.expect_create);
	if (f->is_expect_max_known)
		finding_evidence(r, x, "expect_max",
				 "/proc/sys/net/netfilter/nf_conntrack_expect_max", "%llu",
				 (unsigned long long)f->expect_max);
	if (log)
		finding_evidence(r, x, "log: expectation table full", log->source, "%s, last %s",
				 judge_times(r, log->log.expect_full.n),
				 judge_moment(f, r, log, &log->log.expect_full));
}

static const struct facts_log_source *find_log(const struct facts *f, bool *has_log)
{
	const struct facts_log_source *log = NULL;

	*has_log = false;
	for (unsigned i = 0; i < f->n_logs; i++) {
		*has_log |= f->log[i].error == 0;
		if (f->log[i].log.expect_full.n > (log ? log->log.expect_full.n : 0))
			log = &f->log[i];
	}
	return log;
}

/* The line names no namespace, and none of those that we see can be the one. */
static void elsewhere(const struct facts *f, const struct check *c, struct report *r,
		      const struct facts_log_source *log)
{
	struct finding *x = judge_add(f, r, c, SEVERITY_NOTE, NULL,
				      "Some table of expectations was full, but none that is here "
				      "now: its namespace ended%s.",
				      f->n_unreadable ? " or is hidden from us" : "");

	evidence(f, r, x, &f->netns[0], log);
	if (x)
		x->cause = "The kernel's line names no namespace, and the counters say that the "
			   "tables we can see never held that many.";
}

void check_expectations(const struct facts *f, const struct check *c, struct report *r)
{
	bool has_log, is_full;
	const struct facts_log_source *log = find_log(f, &has_log);
	const struct facts_netns *ns = suspect(f);
	struct finding *x;

	is_full = ns && is_near(f, ns);
	if (!log && !is_full) {
		if (!has_log && !f->netns[0].is_expect_known)
			judge_unknown(r, c, "neither a log nor the expectations can be read");
		else
			judge_ok(r, c, "No sign of a full table of expectations.");
		return;
	}
	if (!ns) {
		elsewhere(f, c, r, log);
		return;
	}
	x = judge_add(f, r, c, is_full || !is_old(f, log) ? SEVERITY_WARNING : SEVERITY_NOTE, ns,
		      "The table of expectations %s: related connections of ftp, sip and the like "
		      "fail.",
		      is_full ? "is full" : "has been full");
	evidence(f, r, x, ns, log);
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
