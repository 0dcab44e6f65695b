/* SPDX-License-Identifier: BSD-2-Clause
 *
 * RC20, RC21, RC10: rules around untracked traffic: half an exemption, an exemption that the
 * filter then kills, and tracking that no rule is for.
 *
 * The rules are read as text: a rule with conditions beyond protocol and port is left alone.
 */
#include <netinet/in.h>

#include "ops/diagnose/judge.h"

static bool same_ports(const struct rules_noted *a, const struct rules_noted *b)
{
	return b->sport == a->dport && b->dport == a->sport && (b->proto == a->proto || !b->proto);
}

/* Whether some exemption in the other hook covers the answers to what @a exempts. */
static bool has_mirror(const struct rules *rules, const struct rules_noted *a)
{
	for (unsigned i = 0; i < rules->n_notrack; i++) {
		const struct rules_noted *b = &rules->notrack[i];

		if (b->hook == a->hook || (a->is_ipv4 && !b->is_ipv4) ||
		    (a->is_ipv6 && !b->is_ipv6))
			continue;
		if (same_ports(a, b) || (!b->proto && !b->sport && !b->dport && !b->is_narrow))
			return true;
	}
	return false;
}

static bool is_simple(const struct rules_noted *n)
{
	return !n->is_narrow && !n->is_loopback && (n->sport || n->dport) &&
	       (n->hook == RULES_HOOK_PREROUTING || n->hook == RULES_HOOK_OUTPUT);
}

static const char *proto_word(const struct rules_noted *n)
{
	return n->proto == IPPROTO_UDP ? "udp" : "tcp";
}

void check_notrack_half(const struct facts *f, const struct check *c, struct report *r)
{
	unsigned n_judged = 0, n_said = 0;

	if (judge_no_rules(f, r, c))
		return;
	for (unsigned i = 0; i < f->rules.n_notrack; i++) {
		const struct rules_noted *n = &f->rules.notrack[i];
		struct finding *x;

		if (!is_simple(n))
			continue;
		n_judged++;
		if (has_mirror(&f->rules, n))
			continue;
		n_said++;
		x = judge_add(f, r, c, SEVERITY_WARNING, &f->netns[0],
			      "Port %u is exempted from tracking in one direction only.",
			      n->dport ? n->dport : n->sport);
		finding_evidence(r, x, "the rule", report_text(r, "%s line %u", n->source, n->line),
				 "%s", n->text);
		if (!x)
			continue;
		x->cause = "The packets of the other direction are judged alone: answers over TCP "
			   "become INVALID, over UDP they become new entries, and the table fills "
			   "all the same.";
		x->remedy = report_text(
			r,
			"Add the mirror image in the other hook:\n"
			"    %s -t raw -A %s -p %s --%s %u -j CT --notrack\n"
			"(On a router both directions pass PREROUTING: put it there.)",
			n->is_ipv4 ? "iptables" : "ip6tables",
			n->hook == RULES_HOOK_PREROUTING ? "OUTPUT" : "PREROUTING", proto_word(n),
			n->dport ? "sport" : "dport", n->dport ? n->dport : n->sport);
		x->danger = "Packets without tracking match no state rule: see RC21.";
	}
	if (n_said == 0)
		judge_ok(r, c,
			 n_judged ? "Every exemption by port has its mirror image."
				  : "No port is exempted from tracking.");
}

/* What INPUT does with an untracked packet to @n's port: 1 accepts, 0 drops, -1 cannot say. */
static int fate_of_untracked(const struct rules *rules, const struct rules_noted *n)
{
	bool is_unclear = rules->n_lost > 0;

	for (unsigned i = 0; i < rules->n_accept; i++) {
		const struct rules_noted *a = &rules->accept[i];

		if ((n->is_ipv4 && !a->is_ipv4) || a->needs_state || a->is_loopback)
			continue;
		if (a->proto && a->proto != n->proto)
			continue;
		if (a->dport && a->dport != n->dport)
			continue;
		if (a->is_narrow || a->sport) {
			is_unclear = true;
			continue;
		}
		return 1;
	}
	return is_unclear ? -1 : 0;
}

void check_untracked_dropped(const struct facts *f, const struct check *c, struct report *r)
{
	bool is_said = false, is_unclear = false;

	if (judge_no_rules(f, r, c))
		return;
	for (unsigned i = 0; i < f->rules.n_notrack; i++) {
		const struct rules_noted *n = &f->rules.notrack[i];
		struct finding *x;
		int fate;

		if (!is_simple(n) || n->hook != RULES_HOOK_PREROUTING || !n->dport ||
		    !(n->is_ipv4 ? f->rules.input_drops_v4 : f->rules.input_drops_v6))
			continue;
		fate = fate_of_untracked(&f->rules, n);
		is_unclear |= fate < 0;
		if (fate != 0)
			continue;
		is_said = true;
		x = judge_add(
			f, r, c, SEVERITY_CRITICAL, &f->netns[0],
			"%s port %u is exempted from tracking and then dropped: no rule of INPUT "
			"accepts an untracked packet to it.",
			proto_word(n), n->dport);
		finding_evidence(r, x, "the exemption",
				 report_text(r, "%s line %u", n->source, n->line), "%s", n->text);
		if (!x)
			continue;
		x->cause =
			"Rules that ask for NEW or ESTABLISHED never match an untracked packet; it "
			"falls through to the drop at the end.";
		x->remedy =
			report_text(r,
				    "Accept it before the drop:\n"
				    "    %s -I INPUT -p %s --dport %u -m state --state UNTRACKED "
				    "-j ACCEPT",
				    n->is_ipv4 ? "iptables" : "ip6tables", proto_word(n), n->dport);
		x->danger = "The port is then open without any state; bind it to peers if it must "
			    "not be.";
	}
	if (is_said)
		return;
	if (is_unclear)
		judge_unknown(r, c,
			      "rules with jumps or conditions decide about untracked packets");
	else
		judge_ok(r, c, "No exempted port is dropped by INPUT.");
}

/* The TCP service with most entries that come from outside, else the usual one. */
static unsigned busy_port(const struct facts_netns *ns)
{
	for (unsigned i = 0; ns->has_summary && i < ns->summary.n_top; i++)
		if (ns->summary.top[i].proto == IPPROTO_TCP &&
		    ns->summary.top[i].n_loopback * 2 < ns->summary.top[i].n)
			return ns->summary.top[i].port;
	return 443;
}

void check_needless(const struct facts *f, const struct check *c, struct report *r)
{
	const struct facts_netns *ns = &f->netns[0];
	const struct rules *rules = &f->rules;
	struct finding *x;
	unsigned port;

	if (judge_no_rules(f, r, c))
		return;
	if (rules->n_nat > 0 || rules->n_need[RULES_NEED_CT] > 0 ||
	    rules->n_need[RULES_NEED_STATE] == 0 || rules->n_need[RULES_NEED_STATE] > 8 ||
	    judge_pressure(f, ns) < PRESSURE_PAST) {
		judge_ok(r, c,
			 rules->n_nat > 0 ? "Addresses are translated, which needs tracking."
					  : "No reason to do without tracking.");
		return;
	}
	x = judge_add(f, r, c, SEVERITY_NOTE, ns,
		      "No address is translated here, and only %llu rules ask for states: the busy "
		      "ports could do without tracking.",
		      (unsigned long long)rules->n_need[RULES_NEED_STATE]);
	if (rules->n_hits > 0)
		finding_evidence(r, x, "a rule that needs it", rules->hit[0].source, "%s",
				 rules->hit[0].text);
	if (!x)
		return;
	x->cause = "A server with a few state rules tracks every connection it serves.";
	port = busy_port(ns);
	x->remedy = report_text(
		r,
		"Accept the service port without asking for states, and exempt it in both "
		"directions:\n"
		"    iptables -I INPUT -p tcp --dport %u -j ACCEPT\n"
		"    iptables -t raw -A PREROUTING -p tcp --dport %u -j CT --notrack\n"
		"    iptables -t raw -A OUTPUT -p tcp --sport %u -j CT --notrack\n"
		"(the same with ip6tables; the accept first).",
		port, port, port);
	x->danger = "Helpers (ftp, sip), related ICMP and rules added later need states. Stopping "
		    "the firewall is no cure: iptables -nL loads the modules again.";
}
