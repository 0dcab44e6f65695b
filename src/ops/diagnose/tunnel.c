/* SPDX-License-Identifier: BSD-2-Clause
 *
 * RC9: a tunnel spreads its packets over source ports, and each looks like a connection.
 */
#include "ops/diagnose/judge.h"

void check_tunnel(const struct facts *f, const struct check *c, struct report *r)
{
	const struct facts_netns *ns = &f->netns[0];
	const struct summary *s = &ns->summary;
	struct finding *x;

	if (judge_no_table(f, r, c))
		return;
	if (s->n_tunnel < JUDGE_MIN_ENTRIES || (double)s->n_tunnel < 0.2 * (double)s->n) {
		judge_ok(r, c, "%llu of %llu entries belong to tunnels.",
			 (unsigned long long)s->n_tunnel, (unsigned long long)s->n);
		return;
	}
	x = judge_add(f, r, c, judge_cause(f, ns), ns,
		      "%llu of %llu entries (%s) are the outer packets of tunnels (VXLAN, Geneve, "
		      "GRE).",
		      (unsigned long long)s->n_tunnel, (unsigned long long)s->n,
		      judge_percent(r, (double)s->n_tunnel / (double)s->n));
	if (!x)
		return;
	x->cause = "A tunnel takes a new source port for each inner flow, so that switches spread "
		   "the load; the tracker sees a new connection each time, never answered on the "
		   "same ports.";
	x->remedy = "Do not track the underlay, in both hooks (VXLAN on 4789, Linux's own 8472, "
		    "Geneve 6081):\n"
		    "    iptables -t raw -I PREROUTING -p udp --dport 4789 -j CT --notrack\n"
		    "    iptables -t raw -I OUTPUT -p udp --dport 4789 -j CT --notrack";
	x->danger = "The firewall of the underlay must then work without states.";
}
