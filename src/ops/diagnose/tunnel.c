/* SPDX-License-Identifier: BSD-2-Clause
 *
 * RC9: a tunnel spreads its packets over source ports, and each looks like a connection.
 */
#include <netinet/in.h>

#include "ops/diagnose/judge.h"

static bool is_tunnel(const struct summary_service *s)
{
	return s->proto == IPPROTO_GRE || s->proto == IPPROTO_IPIP ||
	       (s->proto == IPPROTO_UDP && (s->port == 4789 || s->port == 8472 || s->port == 6081));
}

/* The largest tunnel service, or null when none is among the largest of all. */
static const struct summary_service *top_tunnel(const struct summary *s)
{
	for (unsigned i = 0; i < s->n_top; i++)
		if (is_tunnel(&s->top[i]))
			return &s->top[i];
	return NULL;
}

/* What iptables needs to know it. */
static const char *match(struct report *r, const struct summary_service *v)
{
	if (v && v->proto == IPPROTO_UDP)
		return report_text(r, "-p udp --dport %u", v->port);
	if (v)
		return v->proto == IPPROTO_GRE ? "-p gre" : "-p ipencap";
	return "-p udp --dport 4789";
}

static void add(const struct facts *f, const struct check *c, struct report *r,
		const struct facts_netns *ns)
{
	const struct summary *s = &ns->summary;
	const struct summary_service *v = top_tunnel(s);
	const char *tables = judge_iptables(s), *m = match(r, v);
	struct finding *x;

	x = judge_add(f, r, c, judge_cause(f, ns), ns,
		      "%llu of %llu entries (%s) are the outer packets of tunnels (VXLAN, Geneve, "
		      "GRE).",
		      (unsigned long long)s->n_tunnel, (unsigned long long)s->n,
		      judge_percent(r, (double)s->n_tunnel / (double)s->n));
	if (v)
		finding_evidence(r, x, "largest tunnel service", "the table",
				 "%s: %u entries, %u never answered", judge_service(f, ns, r, v),
				 v->n, v->n_unreplied);
	if (!x)
		return;
	x->cause = "A tunnel takes a new source port for each inner flow, so that switches spread "
		   "the load; the tracker sees a new connection each time, never answered on the "
		   "same ports.";
	x->remedy = judge_inside(
		r, ns,
		report_text(r,
			    "Do not track the underlay, in both hooks (VXLAN is on 4789 or Linux's "
			    "own 8472, Geneve on 6081):\n"
			    "    %s -t raw -I PREROUTING %s -j CT --notrack\n"
			    "    %s -t raw -I OUTPUT %s -j CT --notrack",
			    tables, m, tables, m));
	x->danger = "The firewall of the underlay must then work without states.";
}

void check_tunnel(const struct facts *f, const struct check *c, struct report *r)
{
	bool is_said = false;

	for (size_t i = 0; i < f->n_netns; i++) {
		const struct facts_netns *ns = &f->netns[i];

		if (!ns->has_summary || !judge_is_many(ns, ns->summary.n_tunnel) ||
		    (double)ns->summary.n_tunnel < 0.2 * (double)ns->summary.n)
			continue;
		add(f, c, r, ns);
		is_said = true;
	}
	if (!is_said && !judge_no_table(f, r, c))
		judge_ok(r, c, "%llu of %llu entries belong to tunnels.",
			 (unsigned long long)f->netns[0].summary.n_tunnel,
			 (unsigned long long)f->netns[0].summary.n);
}
