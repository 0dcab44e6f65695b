/* SPDX-License-Identifier: BSD-2-Clause
 *
 * F3, F4, B5: what a full table could give back, the chance of a drop, and what that makes of an
 * alarm on the percentage.
 */
#include "ops/diagnose/judge.h"
#include "ops/facts/odds.h"

static bool no_flags(const struct facts *f, const struct check *c, struct report *r)
{
	if (judge_no_table(f, r, c))
		return true;
	if (f->netns[0].summary.n > 0 && f->netns[0].summary.n_flags == 0) {
		judge_unknown(r, c, "this listing does not show which entries are ASSURED");
		return true;
	}
	return false;
}

/* Entries that the collector takes under pressure. Linux 4.12, gc_worker_can_early_drop(); before,
 * an ASSURED entry stayed whatever its state. */
static uint64_t n_collectable(const struct facts *f, const struct summary *s)
{
	bool has_collector = f->release_number == 0 || f->release_number >= RELEASE(4, 12, 0);

	return has_collector ? s->n_assured_closing : 0;
}

static enum severity headroom_severity(const struct facts *f, uint64_t n_firm)
{
	enum pressure p = judge_pressure(f, &f->netns[0]);

	if (p >= PRESSURE_HIGH && n_firm * 2 > f->netns[0].summary.n_flags)
		return SEVERITY_WARNING;
	return p >= PRESSURE_PAST ? SEVERITY_NOTE : SEVERITY_OK;
}

void check_headroom(const struct facts *f, const struct check *c, struct report *r)
{
	const struct summary *s = &f->netns[0].summary;
	uint64_t n_soft, n_firm;
	struct finding *x;

	if (no_flags(f, c, r))
		return;
	n_soft = n_collectable(f, s);
	n_firm = s->n_flags - s->n_unassured - n_soft;
	x = judge_add(
		f, r, c, headroom_severity(f, n_firm), &f->netns[0],
		"Of %llu entries %llu can be evicted at once when the table is full%s, and %llu "
		"never.",
		(unsigned long long)s->n_flags, (unsigned long long)s->n_unassured,
		n_soft ? report_text(r, ", %llu more above 95%% by the collector",
				     (unsigned long long)n_soft)
		       : "",
		(unsigned long long)n_firm);
	finding_evidence(r, x, "not ASSURED", "the table", "%llu",
			 (unsigned long long)s->n_unassured);
	finding_evidence(r, x, "ASSURED, closing", "the table", "%llu",
			 (unsigned long long)s->n_assured_closing);
	finding_evidence(r, x, "never answered", "the table", "%llu",
			 (unsigned long long)s->n_unreplied);
	if (!x || x->severity == SEVERITY_OK)
		return;
	x->cause =
		n_soft ? "Early drop takes entries without ASSURED near the bucket of the new one, "
			 "whatever their age. The collector also takes ASSURED TCP entries that "
			 "are "
			 "closing, but one dropped packet makes it evict a few hundred at most, "
			 "seconds later."
		       : "Early drop takes entries without ASSURED near the bucket of the new one, "
			 "whatever their age; what is ASSURED stays until its timeout.";
}

void check_next_drop(const struct facts *f, const struct check *c, struct report *r)
{
	const struct facts_netns *ns = &f->netns[0];
	double chance, fill = judge_fill(ns);
	uint64_t n_victims;
	struct finding *x;

	if (no_flags(f, c, r))
		return;
	if (ns->summary.n == 0) {
		judge_ok(r, c, "The table is empty.");
		return;
	}
	if (!judge_drop_chance(f, ns, &chance, &n_victims)) {
		judge_unknown(r, c, "%s",
			      ns->is_max_known && ns->max == 0
				      ? "there is no limit (max is 0)"
				      : "the number of buckets or the limit is not known");
		return;
	}
	if (fill >= 1)
		x = judge_add(f, r, c, chance > 0.01 ? SEVERITY_WARNING : SEVERITY_NOTE, ns,
			      "The next new connection is dropped with a chance of %s.",
			      judge_percent(r, chance));
	else
		x = judge_add(
			f, r, c,
			judge_pressure(f, ns) >= PRESSURE_PAST ? SEVERITY_NOTE : SEVERITY_OK, ns,
			"If the table were full with the present mix, a new connection would be "
			"dropped with a chance of %s.",
			judge_percent(r, chance));
	finding_evidence(r, x, "not ASSURED", fill >= 1 ? "the table" : "scaled to a full table",
			 "%llu entries", (unsigned long long)n_victims);
	finding_evidence(r, x, "buckets searched", "early_drop()", "%d of %llu",
			 ODDS_EVICTION_RANGE, (unsigned long long)f->buckets);
	finding_evidence(r, x, "links in all namespaces", "2 x their counts", "%llu, %.2f a bucket",
			 (unsigned long long)(2 * f->n_total),
			 2 * (double)f->n_total / (double)f->buckets);
	if (x && x->severity > SEVERITY_OK)
		x->cause =
			"A new connection survives a full table only when one of 8 neighbouring "
			"buckets holds an entry of this namespace that is not ASSURED: the chance "
			"of none is (1 - 8/buckets)^(2 x such entries). More buckets make chains "
			"short and this rescue weaker.";
}

void check_alarm(const struct facts *f, const struct check *c, struct report *r)
{
	const struct facts_netns *ns = &f->netns[0];
	const struct summary *s = &ns->summary;
	double fill = judge_fill(ns);
	struct finding *x;
	uint64_t n_soft;

	if (fill < 0 && ns->is_max_known && ns->max == 0) {
		judge_ok(r, c, "There is no limit (max is 0), so no percentage of it.");
		return;
	}
	if (fill < 0) {
		judge_unknown(r, c, "count or max is not known");
		return;
	}
	if (fill < 0.2) {
		judge_ok(r, c, "%s of max: below every usual alarm.", judge_percent(r, fill));
		return;
	}
	n_soft = ns->has_summary ? s->n_unassured + n_collectable(f, s) : 0;
	x = judge_add(f, r, c, SEVERITY_OK, ns, "The percentage (%s) says little%s.",
		      judge_percent(r, fill),
		      ns->has_summary && s->n > 0
			      ? report_text(r,
					    ": %s of the entries are evicted when room is needed",
					    judge_percent(r, (double)n_soft / (double)s->n))
			      : "");
	if (f->is_buckets_known)
		finding_evidence(r, x, "buckets in use", "reckoned", "%s",
				 judge_percent(r, odds_buckets_used(f->n_total, f->buckets)));
	if (x) {
		x->cause = "The folk rule 'worry above 20%, 80% of the buckets are in use then' "
			   "held where max was four times the buckets, as before Linux 5.15.";
		x->remedy = "Alarm on what hurts: drop and chaintoolong rising, early_drop rising, "
			    "the share that cannot be evicted above 75% of max.";
	}
}
