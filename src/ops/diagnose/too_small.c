/* SPDX-License-Identifier: BSD-2-Clause
 *
 * RC1: nothing is wrong with the traffic: the limit is below what the load needs.
 */
#include "ops/diagnose/judge.h"

/* The share of entries that some other cause explains. */
static double explained(const struct summary *s)
{
	uint64_t n_idle = s->age[4] + s->age[5] + s->age[6] + s->age[7], worst = s->n_tcp_closing;

	if (s->n_assured_closing > worst) /* those of SCTP too */
		worst = s->n_assured_closing;
	if (s->n_opening > worst)
		worst = s->n_opening;
	if (n_idle > worst)
		worst = n_idle;
	if (s->n_tunnel > worst)
		worst = s->n_tunnel;
	if (s->n_udp > worst)
		worst = s->n_udp;
	return s->n ? (double)worst / (double)s->n : 1;
}

static void add(const struct facts *f, const struct check *c, struct report *r,
		const struct facts_netns *ns)
{
	const struct summary *s = &ns->summary;
	struct size_defaults d;
	struct finding *x;

	x = judge_add(f, r, c, SEVERITY_WARNING, ns,
		      "The limit of %llu is too small for this load: most entries are connections "
		      "in use.",
		      (unsigned long long)ns->max);
	finding_evidence(r, x, "established", "the table",
			 "%llu of %llu, %llu of them active within an hour",
			 (unsigned long long)s->tcp_state[CT_TCP_ESTABLISHED],
			 (unsigned long long)s->n,
			 (unsigned long long)(s->age[0] + s->age[1] + s->age[2]));
	if (s->rate_per_s >= 1)
		finding_evidence(r, x, "new entries", "Little's law", "at least %.0f a second",
				 s->rate_per_s);
	if (f->is_mem_known && size_defaults(&f->machine, &d) == 0)
		finding_evidence(r, x, "this kernel's own choice", "memory",
				 "max %llu, buckets %llu", (unsigned long long)d.max,
				 (unsigned long long)d.buckets);
	if (!x)
		return;
	x->share = 1 - explained(s);
	x->cause = "The states are a healthy mix and the connections are in use: the table is full "
		   "because the machine does more than the limit allows.";
	x->remedy = report_text(r, "This time raising the limit is the cure: %s",
				judge_raise(f, r, ns));
	x->danger = judge_raise_danger;
}

/* Established connections of which nobody can say whether they are in use or dead. */
static bool is_age_unknown(const struct summary *s)
{
	return 2 * (s->n_age_ambiguous + s->n_age_longer) > s->n;
}

/* Whether the limit presses in @ns and nothing but load explains it. */
static bool is_load(const struct facts *f, const struct facts_netns *ns)
{
	return judge_pressure(f, ns) > PRESSURE_PAST && ns->has_summary &&
	       judge_is_many(ns, ns->summary.n) && explained(&ns->summary) <= 0.4 &&
	       !is_age_unknown(&ns->summary);
}

void check_too_small(const struct facts *f, const struct check *c, struct report *r)
{
	const struct facts_netns *ns = &f->netns[0];
	enum pressure p = judge_pressure(f, ns);
	bool is_said = false;

	for (size_t i = 0; i < f->n_netns; i++) {
		if (!is_load(f, &f->netns[i]))
			continue;
		add(f, c, r, &f->netns[i]);
		is_said = true;
	}
	if (is_said)
		return;
	if (p == PRESSURE_UNKNOWN)
		judge_unknown(r, c, "%s",
			      ns->is_max_known && ns->max == 0 ? "there is no limit (max is 0)"
							       : "count or max is not known");
	else if (p <= PRESSURE_PAST)
		judge_ok(r, c, "The limit is not reached: %llu of %llu.",
			 (unsigned long long)ns->count, (unsigned long long)ns->max);
	else if (ns->has_summary && is_age_unknown(&ns->summary))
		judge_unknown(r, c,
			      "established connections fill the table, but how long they have been "
			      "silent is not known");
	else if (!judge_no_table(f, r, c))
		judge_ok(r, c,
			 "The limit presses, but the traffic is the cause: see the other "
			 "findings.");
}
