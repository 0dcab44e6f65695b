/* SPDX-License-Identifier: BSD-2-Clause
 *
 * RC4: half-open connections by the thousand: many sources flood, one source scans.
 */
#include <string.h>
#include <sys/socket.h>

#include "ops/diagnose/judge.h"

static void remedies(struct report *r, struct finding *x, const struct facts_netns *ns, bool is_one)
{
	const struct summary *s = &ns->summary;
	const char *tables = judge_iptables(s);
	const struct summary_service *top = s->n_top ? &s->top[0] : NULL;
	unsigned port = top && top->proto == 6 ? top->port : 80;

	if (!x)
		return;
	x->share = (double)s->n_opening / (double)s->n;
	if (is_one) {
		const char *from =
			judge_addr(r, &s->top_opening_source.addr, s->top_opening_source.family);

		x->cause = "One address opens connections to many others or to many ports and gets "
			   "no answer: a scanner, or a client whose destination is gone.";
		x->remedy = report_text(
			r,
			"Find the program behind it if the address is one of ours; else drop it "
			"before it is tracked:\n"
			"    %s -t raw -I PREROUTING -s %s -p tcp --syn -j DROP",
			s->top_opening_source.family == AF_INET6 ? "ip6tables" : "iptables", from);
		x->remedy = judge_inside(r, ns, x->remedy);
		x->danger = "A rule by source also stops that host's honest traffic. A limit in "
			    "the filter table comes too late: the entry exists by then.";
		return;
	}
	x->cause = "SYN packets whose senders never complete the handshake. Each holds an entry "
		   "until the timeout of SYN_SENT or SYN_RECV.";
	x->remedy = report_text(
		r,
		"Answer handshakes before they are tracked (SYNPROXY), for the port attacked:\n"
		"    sysctl -w net.ipv4.tcp_syncookies=1 net.netfilter.nf_conntrack_tcp_loose=0\n"
		"    %s -t raw -I PREROUTING -p tcp --dport %u --syn -j CT --notrack\n"
		"    %s -I INPUT -p tcp --dport %u -m conntrack --ctstate INVALID,UNTRACKED "
		"\\\n"
		"        -j SYNPROXY --sack-perm --timestamp --wscale 7 --mss 1460\n"
		"    %s -A INPUT -m conntrack --ctstate INVALID -j DROP\n"
		"Shorter timeouts help a little: nf_conntrack_tcp_timeout_syn_sent=30, "
		"nf_conntrack_tcp_timeout_syn_recv=15.",
		tables, port, tables, port, tables);
	x->remedy = judge_inside(r, ns, x->remedy);
	x->danger = "SYNPROXY changes TCP options of every connection to that port. The senders "
		    "are mostly forged: blocking by source hits innocents. tcp_loose=0 cuts "
		    "connections that are picked up in the middle, as after a restart.";
}

static void add(const struct facts *f, const struct check *c, struct report *r,
		const struct facts_netns *ns)
{
	const struct summary *s = &ns->summary;
	const struct heavy_slot *top = &s->top_opening_source;
	bool is_one = (double)(top->n - top->error) > 0.5 * (double)s->n_opening;
	const struct facts_log_source *log = facts_best_log(f);
	struct finding *x;

	if (is_one)
		x = judge_add(f, r, c, judge_cause(f, ns), ns,
			      "%s opens connections that nobody completes: at least %llu of %llu "
			      "entries are its half-open ones.",
			      judge_addr(r, &top->addr, top->family),
			      (unsigned long long)(top->n - top->error), (unsigned long long)s->n);
	else
		x = judge_add(f, r, c, judge_cause(f, ns), ns,
			      "A SYN flood: %llu of %llu entries (%s) are half open, from about "
			      "%llu addresses.",
			      (unsigned long long)s->n_opening, (unsigned long long)s->n,
			      judge_percent(r, (double)s->n_opening / (double)s->n),
			      (unsigned long long)s->n_opening_sources);
	finding_evidence(r, x, "SYN_SENT", "the table", "%llu, %llu of them unanswered",
			 (unsigned long long)(s->tcp_state[CT_TCP_SYN_SENT] +
					      s->tcp_state[CT_TCP_SYN_SENT2]),
			 (unsigned long long)s->n_unreplied_opening);
	finding_evidence(r, x, "SYN_RECV", "the table", "%llu",
			 (unsigned long long)s->tcp_state[CT_TCP_SYN_RECV]);
	finding_evidence(r, x, "sources of half-open entries", "the table", "about %llu",
			 (unsigned long long)s->n_opening_sources);
	if (s->n_top > 0)
		finding_evidence(
			r, x, "largest service", "the table", "%s: %u entries, %u half open",
			judge_service(f, ns, r, &s->top[0]), s->top[0].n, s->top[0].n_opening);
	if (log && log->log.syn_flood.n > 0)
		finding_evidence(r, x, "log: possible SYN flooding", log->source, "%s, last %s",
				 judge_times(r, log->log.syn_flood.n),
				 judge_moment(f, r, log, &log->log.syn_flood));
	remedies(r, x, ns, is_one);
}

void check_flood(const struct facts *f, const struct check *c, struct report *r)
{
	bool is_said = false;

	for (size_t i = 0; i < f->n_netns; i++) {
		const struct facts_netns *ns = &f->netns[i];

		if (!ns->has_summary || !judge_is_many(ns, ns->summary.n_opening) ||
		    (double)ns->summary.n_opening < 0.25 * (double)ns->summary.n)
			continue;
		add(f, c, r, ns);
		is_said = true;
	}
	if (!is_said && !judge_no_table(f, r, c))
		judge_ok(r, c, "%llu of %llu entries are half open: no flood, no scan.",
			 (unsigned long long)f->netns[0].summary.n_opening,
			 (unsigned long long)f->netns[0].summary.n);
}
