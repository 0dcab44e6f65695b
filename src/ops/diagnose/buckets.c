/* SPDX-License-Identifier: BSD-2-Clause
 *
 * RC11, RC12, F5: the ratio of entries to buckets, and what it does to the chains.
 *
 * All namespaces share the buckets, so the load is the sum of their counts over the buckets.
 */
#include "ops/diagnose/judge.h"
#include "ops/facts/odds.h"

static bool has_chain_limit(const struct facts *f)
{
	unsigned min, max;

	return size_chain_limit(f->release_number, &min, &max) == 0;
}

/* The links above which this kernel refuses an entry, for a sentence: "50 to 79". */
static const char *limit_text(const struct facts *f, struct report *r)
{
	unsigned min, max;

	if (size_chain_limit(f->release_number, &min, &max) < 0)
		return "";
	return report_text(r, "%u to %u", min, max);
}

/* The share of new connections refused when the limit is reached. */
static double refused_when_full(const struct facts *f)
{
	return size_insert_failure_on(f->release_number,
				      (double)f->netns[0].max / (double)f->buckets);
}

static bool is_unknown(const struct facts *f, const struct check *c, struct report *r)
{
	if (f->is_buckets_known && f->netns[0].is_max_known)
		return false;
	judge_unknown(r, c, "the number of %s is not known",
		      f->is_buckets_known ? "entries allowed" : "buckets");
	return true;
}

static uint64_t chaintoolong(const struct facts *f)
{
	uint64_t n = 0;

	for (size_t i = 0; i < f->n_netns; i++)
		if (f->netns[i].is_stats_known)
			n += f->netns[i].stats.sum[NL_STAT_CHAINTOOLONG];
	return n;
}

static void evidence(const struct facts *f, struct report *r, struct finding *x)
{
	const struct facts_netns *ns = &f->netns[0];
	double load = (double)f->n_total / (double)f->buckets;

	finding_evidence(r, x, "max", ns->max_origin, "%llu", (unsigned long long)ns->max);
	finding_evidence(r, x, "buckets", f->buckets_origin, "%llu",
			 (unsigned long long)f->buckets);
	finding_evidence(r, x, "entries per bucket now", "all namespaces", "%.2f (%llu entries)",
			 load, (unsigned long long)f->n_total);
	finding_evidence(r, x, "entries per bucket when full", "max / buckets", "%.3g",
			 (double)ns->max / (double)f->buckets);
	if (has_chain_limit(f))
		finding_evidence(r, x, "refused when full",
				 report_text(r, "Poisson, chain limit %s", limit_text(f, r)),
				 "%s of new connections", judge_percent(r, refused_when_full(f)));
	if (chaintoolong(f) > 0)
		finding_evidence(r, x, "chaintoolong", ns->stats_origin ? ns->stats_origin : "",
				 "%llu", (unsigned long long)chaintoolong(f));
}

void check_buckets_low(const struct facts *f, const struct check *c, struct report *r)
{
	const struct facts_netns *ns = &f->netns[0];
	double ratio;
	uint64_t n_refused;
	struct finding *x;

	if (is_unknown(f, c, r))
		return;
	ratio = (double)ns->max / (double)f->buckets;
	n_refused = chaintoolong(f);
	if (ratio <= 8 && n_refused == 0 && refused_when_full(f) <= 0.001) {
		judge_ok(r, c, "%.3g entries per bucket when full.", ratio);
		return;
	}
	if (n_refused > 0)
		x = judge_add(f, r, c, SEVERITY_CRITICAL, NULL,
			      "New connections were refused %s because a hash chain was too "
			      "long: %llu buckets are too few.",
			      judge_times(r, n_refused), (unsigned long long)f->buckets);
	else
		x = judge_add(f, r, c, SEVERITY_WARNING, NULL,
			      "max was raised and the buckets were not: %llu entries in %llu "
			      "buckets is %.0f for each.",
			      (unsigned long long)ns->max, (unsigned long long)f->buckets, ratio);
	evidence(f, r, x);
	if (!x)
		return;
	if (has_chain_limit(f))
		x->cause = report_text(
			r,
			"Setting max leaves the hash table as it is. Chains grow, every lookup "
			"walks them, and above %s links the kernel refuses new entries without "
			"any line in the log: the kernel never warns about the ratio.",
			limit_text(f, r));
	else
		x->cause = "Setting max leaves the hash table as it is. Chains grow and every "
			   "packet walks them: the processor is busy in softirq, and no line in "
			   "the log says why.";
	x->remedy = report_text(r,
				"Give it as many buckets as entries, at least a quarter:\n"
				"    echo %llu > /sys/module/nf_conntrack/parameters/hashsize\n"
				"and keep it: 'options nf_conntrack hashsize=%llu' in "
				"/etc/modprobe.d/conntrack.conf (at load this makes max 8 times as "
				"large, so let sysctl.d set max too).",
				(unsigned long long)ns->max, (unsigned long long)ns->max);
	x->danger = "Resizing stops packet processing for a moment. Short chains make early "
		    "drop weaker: see F4.";
}

void check_buckets_high(const struct facts *f, const struct check *c, struct report *r)
{
	const struct facts_netns *ns = &f->netns[0];
	struct finding *x;

	if (is_unknown(f, c, r))
		return;
	if (ns->max == 0 || (double)ns->max >= 0.5 * (double)f->buckets) {
		judge_ok(r, c, "%llu buckets for %llu entries.", (unsigned long long)f->buckets,
			 (unsigned long long)ns->max);
		return;
	}
	x = judge_add(f, r, c, SEVERITY_NOTE, NULL,
		      "There are %llu buckets for at most %llu entries.",
		      (unsigned long long)f->buckets, (unsigned long long)ns->max);
	evidence(f, r, x);
	if (x) {
		x->cause = "Buckets above the limit are never used; they cost 8 bytes each.";
		x->remedy = "Raise max to the number of buckets, or leave it: nothing is urgent.";
	}
}

void check_capacity(const struct facts *f, const struct check *c, struct report *r)
{
	const struct facts_netns *ns = &f->netns[0];
	uint64_t n;

	if (is_unknown(f, c, r))
		return;
	if (!has_chain_limit(f)) {
		judge_ok(
			r, c,
			"Before Linux 5.15 chains had no limit: max alone decides, chains only get "
			"slow (%.3g links each when full).",
			2 * (double)ns->max / (double)f->buckets);
		return;
	}
	n = odds_capacity(f->release_number, f->buckets, 0.001);
	if (ns->max > 0 && n >= ns->max) {
		judge_ok(r, c,
			 "The buckets carry more than max: %llu entries before one in a thousand "
			 "new "
			 "connections is refused; %s of the buckets are used now.",
			 (unsigned long long)n,
			 judge_percent(r, odds_buckets_used(f->n_total, f->buckets)));
		return;
	}
	if (ns->is_max_known && ns->max == 0) {
		judge_ok(r, c,
			 "The buckets carry %llu entries (all namespaces together) before one in a "
			 "thousand new connections is refused; max sets no limit.",
			 (unsigned long long)n);
		return;
	}
	(void)judge_add(f, r, c, SEVERITY_NOTE, NULL,
			"The buckets carry %llu entries (all namespaces together) before one in a "
			"thousand new connections is refused; max promises %llu.",
			(unsigned long long)n, (unsigned long long)ns->max);
}
