/* SPDX-License-Identifier: BSD-2-Clause
 *
 * RC5: question and answer over UDP, each pair an entry for 30 or 120 seconds.
 */
#include <netinet/in.h>

#include "ops/diagnose/judge.h"

static const struct summary_service *top_udp(const struct summary *s)
{
	for (unsigned i = 0; i < s->n_top; i++)
		if (s->top[i].proto == IPPROTO_UDP)
			return &s->top[i];
	return NULL;
}

static const char *notrack(struct report *r, unsigned port)
{
	return report_text(
		r,
		"Do not track it, in both directions and both families (and accept UNTRACKED "
		"packets of this port where the filter drops by default):\n"
		"    nft add table inet notrack_udp\n"
		"    nft add chain inet notrack_udp pre '{ type filter hook prerouting priority "
		"raw; }'\n"
		"    nft add chain inet notrack_udp out '{ type filter hook output priority raw; "
		"}'\n"
		"    nft add rule inet notrack_udp pre udp dport %u notrack\n"
		"    nft add rule inet notrack_udp pre udp sport %u notrack\n"
		"    nft add rule inet notrack_udp out udp dport %u notrack\n"
		"    nft add rule inet notrack_udp out udp sport %u notrack\n"
		"Or ask less: a local cache. Or forget sooner: sysctl -w "
		"net.netfilter.nf_conntrack_udp_timeout=10.",
		port, port, port, port);
}

static void add(const struct facts *f, const struct check *c, struct report *r,
		const struct facts_netns *ns)
{
	const struct summary *s = &ns->summary;
	const struct summary_service *v = top_udp(s);
	bool is_one = v && (double)v->n > 0.5 * (double)s->n_udp;
	struct finding *x;

	x = judge_add(f, r, c, judge_cause(f, ns), ns,
		      judge_pressure(f, ns) >= PRESSURE_PAST
			      ? "UDP fills the table: %llu of %llu entries (%s)%s%s."
			      : "Most entries are UDP: %llu of %llu (%s)%s%s.",
		      (unsigned long long)s->n_udp, (unsigned long long)s->n,
		      judge_percent(r, (double)s->n_udp / (double)s->n),
		      is_one ? ", most of it " : ", over many ports",
		      is_one ? judge_service(f, ns, r, v) : "");
	if (v)
		finding_evidence(r, x, "largest UDP service", "the table",
				 "%s: %u entries, %u never answered", judge_service(f, ns, r, v),
				 v->n, v->n_unreplied);
	if (s->n_udp_counted > 0)
		finding_evidence(r, x, "entries with at most 2 packets", "accounting",
				 "%llu of %llu", (unsigned long long)s->n_udp_small,
				 (unsigned long long)s->n_udp_counted);
	finding_evidence(r, x, "timeouts", s->timeouts.is_assumed ? "defaults" : "sysctl",
			 "%u s, and %u s for streams", s->timeouts.udp, s->timeouts.udp_stream);
	if (!x)
		return;
	x->share = (double)s->n_udp / (double)s->n;
	x->cause = "UDP has no end that the kernel could see: every question with its answer holds "
		   "an entry until the timeout.";
	x->remedy = is_one ? notrack(r, v->port)
			   : "Find the program (peer-to-peer, a crawler, a scanner) with conntune "
			     "top --by src,proto; shorten net.netfilter.nf_conntrack_udp_timeout.";
	x->remedy = judge_inside(r, ns, x->remedy);
	x->danger = "Untracked traffic has no NAT, no RELATED (ICMP errors, path MTU) and meets no "
		    "state rule: without an accept for it the service is dead at once.";
}

void check_udp(const struct facts *f, const struct check *c, struct report *r)
{
	bool is_said = false;

	for (size_t i = 0; i < f->n_netns; i++) {
		const struct facts_netns *ns = &f->netns[i];
		const struct summary *s = &ns->summary;

		/* tunnels have a check of their own */
		if (!ns->has_summary || !judge_is_many(ns, s->n_udp) ||
		    (double)s->n_udp < 0.4 * (double)s->n || s->n_tunnel * 2 > s->n_udp)
			continue;
		add(f, c, r, ns);
		is_said = true;
	}
	if (!is_said && !judge_no_table(f, r, c))
		judge_ok(r, c, "%llu of %llu entries are UDP.",
			 (unsigned long long)f->netns[0].summary.n_udp,
			 (unsigned long long)f->netns[0].summary.n);
}
