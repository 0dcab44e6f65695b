/* SPDX-License-Identifier: BSD-2-Clause
 *
 * F2: the table of the namespace looked at: full now, nearly, or at some time since boot.
 *
 * The log is rate limited, so its lines are a lower bound; the drop counter counts every packet,
 * but failed allocations and lost clashes too (nf_conntrack_in(), NF_CT_STAT_INC(drop)).
 */
#include <string.h>

#include "ops/diagnose/judge.h"

/* What the log says about the namespace. More lines than packets dropped: the inode had an earlier
 * owner, and some of them are about that one. */
static void log_evidence(const struct facts *f, struct report *r, struct finding *x,
			 const struct facts_log_source *log, const struct kernel_log_event *lines)
{
	const struct facts_netns *ns = &f->netns[0];
	double age = facts_full_age_s(f, ns);
	bool is_mixed = !ns->is_initial && ns->is_stats_known &&
			ns->stats.known & 1u << NL_STAT_DROP &&
			lines->n > ns->stats.sum[NL_STAT_DROP];

	if (is_mixed)
		finding_evidence(r, x, "log: table full", log->source,
				 "last %s; some of the %llu lines with this inode are about an "
				 "earlier namespace",
				 judge_moment(f, r, log, lines), (unsigned long long)lines->n);
	else if (age >= 0)
		finding_evidence(r, x, "log: table full", log->source,
				 "at least %s in %s, last %s ago", judge_times(r, lines->n),
				 judge_seconds(r, f->uptime_s - lines->first_s),
				 judge_seconds(r, age));
	else if (lines->last[0])
		finding_evidence(r, x, "log: table full", log->source, "at least %s, %s to %s",
				 judge_times(r, lines->n), lines->first, lines->last);
	else
		finding_evidence(r, x, "log: table full", log->source, "at least %s",
				 judge_times(r, lines->n));
	if (log->log.n_suppressed > 0)
		finding_evidence(r, x, "log: suppressed", log->source,
				 "%llu messages kept back by the rate limit",
				 (unsigned long long)log->log.n_suppressed);
}

static void evidence(const struct facts *f, struct report *r, struct finding *x)
{
	const struct facts_netns *ns = &f->netns[0];
	const struct facts_log_source *log = facts_best_log(f);
	const struct kernel_log_event *lines = log ? facts_full_lines(f, ns, &log->log) : NULL;

	finding_evidence(r, x, "count", ns->count_origin, "%llu", (unsigned long long)ns->count);
	finding_evidence(r, x, "max", ns->max_origin, "%llu", (unsigned long long)ns->max);
	if (ns->is_stats_known && ns->stats.known & 1u << NL_STAT_DROP)
		finding_evidence(r, x, "drop", ns->stats_origin, "%llu packets%s",
				 (unsigned long long)ns->stats.sum[NL_STAT_DROP],
				 ns->is_initial || ns->inode == 0 ? " since boot" : "");
	if (ns->is_stats_known && ns->stats.known & 1u << NL_STAT_EARLY_DROP)
		finding_evidence(r, x, "early_drop", ns->stats_origin,
				 "%llu entries evicted to make room",
				 (unsigned long long)ns->stats.sum[NL_STAT_EARLY_DROP]);
	if (lines)
		log_evidence(f, r, x, log, lines);
}

static const char cause_text[] =
	"A packet that needs a new entry finds the table full. The kernel then looks for an entry "
	"without ASSURED near its place; when there is none the packet is dropped before any rule "
	"sees it. Connections that already have an entry are not disturbed, which is why old "
	"sessions live while new ones time out.";

static void say_full(const struct facts *f, const struct check *c, struct report *r,
		     enum severity severity, const char *sentence)
{
	const struct facts_netns *ns = &f->netns[0];
	struct finding *x = judge_add(f, r, c, severity, ns, "%s", sentence);

	if (!x)
		return;
	evidence(f, r, x);
	x->cause = cause_text;
	x->remedy = report_text(r,
				"What fills the table stands in the findings below: cure that. For "
				"air meanwhile (a palliative: the same traffic fills a larger "
				"table too): %s",
				judge_raise(f, r, ns));
	x->danger = judge_raise_danger;
}

/* Not full now: full lately, or nearly full, or at some time. */
static bool was_full(const struct facts *f, const struct check *c, struct report *r)
{
	const struct facts_netns *ns = &f->netns[0];
	const struct facts_log_source *log = facts_best_log(f);
	const struct kernel_log_event *lines = log ? facts_full_lines(f, ns, &log->log) : NULL;
	double age = facts_full_age_s(f, ns), fill = judge_fill(ns);

	if (fill >= 0.9 && age >= 0 && age < JUDGE_RECENT_S) {
		say_full(f, c, r, SEVERITY_CRITICAL,
			 report_text(r,
				     "The connection table was full %s ago and nearly is (%llu of "
				     "%llu): new connections are being dropped.",
				     judge_seconds(r, age), (unsigned long long)ns->count,
				     (unsigned long long)ns->max));
		return true;
	}
	if (fill >= 0.9) {
		say_full(f, c, r, SEVERITY_WARNING,
			 report_text(r, "The connection table is nearly full: %llu of %llu (%s).",
				     (unsigned long long)ns->count, (unsigned long long)ns->max,
				     judge_percent(r, fill)));
		return true;
	}
	if (!lines)
		return false;
	if (age >= 0)
		say_full(f, c, r, age < JUDGE_RECENT_S ? SEVERITY_CRITICAL : SEVERITY_WARNING,
			 report_text(r,
				     "The connection table was full %s ago; it holds %llu of %llu "
				     "(%s) now.",
				     judge_seconds(r, age), (unsigned long long)ns->count,
				     (unsigned long long)ns->max, judge_percent(r, fill)));
	else
		say_full(
			f, c, r, SEVERITY_WARNING,
			report_text(r,
				    "The connection table has been full%s%s; it holds %llu of %llu "
				    "(%s) now.",
				    lines->last[0] ? ", last " : "", lines->last,
				    (unsigned long long)ns->count, (unsigned long long)ns->max,
				    judge_percent(r, fill)));
	return true;
}

/* Full now: what that means for a new connection depends on what early drop finds. */
static void full_now(const struct facts *f, const struct check *c, struct report *r)
{
	const struct facts_netns *ns = &f->netns[0];
	double chance = 1, age = facts_full_age_s(f, ns);
	uint64_t n_victims;
	bool is_known = judge_drop_chance(f, ns, &chance, &n_victims);
	bool is_saved = is_known && chance < 0.01;
	const char *what = "new connections are being dropped";

	if (is_saved)
		what = "each new connection pushes out others that are not yet ASSURED";
	else if (is_known && chance > 0.995)
		what = "all new connections are being dropped";
	else if (is_known)
		what = report_text(r, "%s of new connections are being dropped",
				   judge_percent(r, chance));
	say_full(f, c, r,
		 is_saved && (age < 0 || age > JUDGE_RECENT_S) ? SEVERITY_WARNING
							       : SEVERITY_CRITICAL,
		 report_text(r, "The connection table is full (%llu of %llu): %s.",
			     (unsigned long long)ns->count, (unsigned long long)ns->max, what));
}

/* Drops that no clash explains: the table was full, or memory was out. */
static uint64_t n_unexplained_drops(const struct facts_netns *ns)
{
	uint64_t n_drop = ns->stats.sum[NL_STAT_DROP];
	uint64_t n_failed = ns->stats.sum[NL_STAT_INSERT_FAILED];

	return ns->is_stats_known && n_drop > n_failed ? n_drop - n_failed : 0;
}

void check_full(const struct facts *f, const struct check *c, struct report *r)
{
	const struct facts_netns *ns = &f->netns[0];
	double fill = judge_fill(ns);
	struct finding *x;

	if (!ns->is_count_known && !ns->is_max_known) {
		judge_unknown(r, c, "there is no connection table here");
		return;
	}
	if (!ns->is_count_known || !ns->is_max_known) {
		judge_unknown(r, c, "%s is not known", ns->is_count_known ? "max" : "count");
		return;
	}
	if (ns->max == 0) {
		judge_ok(r, c, "The table has no limit (max is 0): %llu entries.",
			 (unsigned long long)ns->count);
		return;
	}
	if (fill >= 1) {
		full_now(f, c, r);
		return;
	}
	if (was_full(f, c, r))
		return;
	if (n_unexplained_drops(ns) > 0)
		x = judge_add(
			f, r, c, SEVERITY_OK, ns,
			"%llu of %llu entries (%s) now; the log does not say that it was full, "
			"but %llu packets were dropped (see RC24).",
			(unsigned long long)ns->count, (unsigned long long)ns->max,
			judge_percent(r, fill), (unsigned long long)n_unexplained_drops(ns));
	else
		x = judge_add(f, r, c, SEVERITY_OK, ns,
			      "%llu of %llu entries (%s); no sign that it ever was full.",
			      (unsigned long long)ns->count, (unsigned long long)ns->max,
			      judge_percent(r, fill));
	evidence(f, r, x);
}
