/* SPDX-License-Identifier: BSD-2-Clause
 *
 * RC8: a machine that talks to itself fills its own table.
 */
#include "ops/diagnose/judge.h"

static bool is_exempted(const struct rules *rules)
{
	for (unsigned i = 0; i < rules->n_notrack; i++)
		if (rules->notrack[i].is_loopback && !rules->notrack[i].is_narrow &&
		    rules->notrack[i].hook == RULES_HOOK_OUTPUT)
			return true;
	return false;
}

static const struct summary_service *top_local(const struct summary *s)
{
	const struct summary_service *top = NULL;

	for (unsigned i = 0; i < s->n_top; i++)
		if (!top || s->top[i].n_loopback > top->n_loopback)
			top = &s->top[i];
	return top;
}

static void add(const struct facts *f, const struct check *c, struct report *r,
		const struct facts_netns *ns)
{
	const struct summary *s = &ns->summary;
	const struct summary_service *v = top_local(s);
	struct finding *x;

	x = judge_add(f, r, c, judge_cause(f, ns), ns,
		      "%llu of %llu entries (%s) are this machine talking to itself.",
		      (unsigned long long)s->n_loopback, (unsigned long long)s->n,
		      judge_percent(r, (double)s->n_loopback / (double)s->n));
	if (v && v->n_loopback > 0)
		finding_evidence(r, x, "largest local service", "the table", "%s: %u entries",
				 judge_service(f, ns, r, v), v->n_loopback);
	if (f->rules.is_known && ns == &f->netns[0])
		finding_evidence(r, x, "rule that exempts lo", "the rules", "%s",
				 is_exempted(&f->rules) ? "there is one" : "none");
	if (!x)
		return;
	x->cause = "Traffic over lo is tracked like any other as soon as one rule needs tracking.";
	x->remedy =
		"Use Unix sockets where both ends allow it, or do not track lo:\n"
		"    iptables  -t raw -I OUTPUT -o lo -j CT --notrack\n"
		"    ip6tables -t raw -I OUTPUT -o lo -j CT --notrack\n"
		"    iptables  -I INPUT -i lo -j ACCEPT\n"
		"    ip6tables -I INPUT -i lo -j ACCEPT\n"
		"(The accept matters: an untracked packet matches no state rule. The rule belongs "
		"in OUTPUT: a packet over lo is tracked there.)";
	x->remedy = judge_inside(r, ns, x->remedy);
	x->danger = "Breaks what translates addresses of local traffic: REDIRECT or DNAT to "
		    "localhost, transparent proxies and sidecars, limits per connection.";
}

void check_loopback(const struct facts *f, const struct check *c, struct report *r)
{
	bool is_said = false;

	for (size_t i = 0; i < f->n_netns; i++) {
		const struct facts_netns *ns = &f->netns[i];

		if (!ns->has_summary || !judge_is_many(ns, ns->summary.n_loopback) ||
		    (double)ns->summary.n_loopback < 0.25 * (double)ns->summary.n)
			continue;
		add(f, c, r, ns);
		is_said = true;
	}
	if (!is_said && !judge_no_table(f, r, c))
		judge_ok(r, c, "%llu of %llu entries are over loopback.",
			 (unsigned long long)f->netns[0].summary.n_loopback,
			 (unsigned long long)f->netns[0].summary.n);
}
