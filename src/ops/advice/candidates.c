/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What might help, by what the table is full of: shorter timeouts where entries only wait, NOTRACK
 * where nothing needs their tracking, and the application where it makes them for nothing.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "ops/advice/inner.h"
#include "ops/diagnose/judge.h"

/* Parts of the table worth a step. */
#define WORTH_SHARE 0.1

static bool is_worth(const struct advice *a, double n)
{
	return a->ns->summary.n > 0 && n >= WORTH_SHARE * (double)a->ns->summary.n;
}

/* A timeout made shorter; not when it is short already, or unknown. */
static void shorter(struct advice *a, const char *name, int64_t to, const char *reason,
		    const char *danger)
{
	const struct setting *s = settings_find(name);
	int64_t from = facts_knob(a->ns, name);
	struct trial *t = s && from > to ? advice_put(a, ADVICE_SET) : NULL;
	struct ct_err err;

	if (!t)
		return;
	t->step.setting = s;
	t->step.from = from;
	t->step.to = to;
	t->step.reason = reason;
	t->step.danger = danger;
	t->step.undo = report_text(a->r, "conntune apply --set %s=%lld", s->name, (long long)from);
	if (change_add_set(&t->change, report_text(a->r, "%s=%lld", s->name, (long long)to), &err) <
	    0)
		a->n--;
}

static void idle(struct advice *a)
{
	const struct summary *s = &a->ns->summary;
	uint64_t n = 0;

	for (unsigned i = 0; i < SUMMARY_AGES; i++)
		if (summary_age_bound_s[i] > a->goal.keep_sessions_s)
			n += s->age[i];
	if (!is_worth(a, (double)n))
		return;
	shorter(a, "nf_conntrack_tcp_timeout_established", a->goal.keep_sessions_s,
		report_text(a->r,
			    "%llu of %llu entries are TCP connections that have been silent for "
			    "longer than %s; most are gone without a word.",
			    (unsigned long long)n, (unsigned long long)s->n,
			    judge_seconds(a->r, a->goal.keep_sessions_s)),
		"A live session that is silent for longer is forgotten: its next packet is INVALID "
		"or "
		"begins a new entry. Let it use TCP keepalive.");
}

static void closing(struct advice *a)
{
	const struct summary *s = &a->ns->summary;

	if (is_worth(a, (double)s->tcp_state[CT_TCP_TIME_WAIT]))
		shorter(a, "nf_conntrack_tcp_timeout_time_wait", 30,
			report_text(a->r, "%llu of %llu entries wait in TIME_WAIT.",
				    (unsigned long long)s->tcp_state[CT_TCP_TIME_WAIT],
				    (unsigned long long)s->n),
			"A late segment of a closed connection is INVALID after that time; the "
			"ends "
			"themselves are done with it.");
	if (is_worth(a, (double)s->tcp_state[CT_TCP_CLOSE_WAIT]))
		shorter(a, "nf_conntrack_tcp_timeout_close_wait", 60,
			report_text(a->r, "%llu of %llu entries stand in CLOSE_WAIT.",
				    (unsigned long long)s->tcp_state[CT_TCP_CLOSE_WAIT],
				    (unsigned long long)s->n),
			"A program that takes longer to close its half is cut off.");
	if (is_worth(a, (double)s->tcp_state[CT_TCP_FIN_WAIT]))
		shorter(a, "nf_conntrack_tcp_timeout_fin_wait", 60,
			report_text(a->r, "%llu of %llu entries stand in FIN_WAIT.",
				    (unsigned long long)s->tcp_state[CT_TCP_FIN_WAIT],
				    (unsigned long long)s->n),
			"A half-closed connection that still sends rarely is cut off.");
}

static void datagrams(struct advice *a)
{
	const struct summary *s = &a->ns->summary;

	if (is_worth(a, (double)s->n_udp))
		shorter(a, "nf_conntrack_udp_timeout", 10,
			report_text(a->r, "%llu of %llu entries are UDP exchanges.",
				    (unsigned long long)s->n_udp, (unsigned long long)s->n),
			"An answer that takes longer than 10 s is no longer taken for one.");
}

/* What is not tracked takes no entry at all. */
static void untracked(struct advice *a, const char *class, const char *whatif, const char *reason)
{
	struct trial *t = a->goal.no_rules ? NULL : advice_put(a, ADVICE_NOTRACK);
	struct ct_err err;

	if (!t)
		return;
	(void)snprintf(t->step.class, sizeof(t->step.class), "%s", class);
	t->step.reason = reason;
	t->step.danger = "Rules that ask for a state no longer match these packets; conntune apply "
			 "adds the rules that accept them, conntune lint finds what is missing.";
	t->step.undo = "conntune undo";
	if (change_add_notrack(&t->change, whatif, &err) < 0)
		a->n--;
}

static void loopback(struct advice *a)
{
	const struct summary *s = &a->ns->summary;

	if (is_worth(a, (double)s->n_loopback))
		untracked(a, "lo", "addr 127.0.0.0/8",
			  report_text(
				  a->r,
				  "%llu of %llu entries are the machine's talk with itself, which "
				  "no filter protects.",
				  (unsigned long long)s->n_loopback, (unsigned long long)s->n));
}

/* Whether a service's entries come and go for nothing: questions and answers, or connections that
 * are closing, opening, or never were. Sessions that live are what tracking is for. */
static bool is_fleeting(const struct summary_service *v)
{
	return v->proto == IPPROTO_UDP ||
	       2 * ((uint64_t)v->n_closing + v->n_opening + v->n_unreplied) > v->n;
}

/* A service that this machine offers, or uses at one place. */
static void service(struct advice *a, const struct summary_service *v)
{
	const char *proto = v->proto == IPPROTO_UDP   ? "udp"
			    : v->proto == IPPROTO_TCP ? "tcp"
						      : NULL;
	const struct summary *s = &a->ns->summary;
	bool is_here =
		proto && v->proto == IPPROTO_TCP ? facts_listener(a->f, v->port) != NULL : false;
	char class[160], addr[64];
	struct ct_text t;

	if (!proto || !is_worth(a, v->n) || v->n_loopback * 2 > v->n || !is_fleeting(v))
		return;
	ct_text_init(&t, addr, sizeof(addr));
	ct_addr_format(&v->server, v->server_family, false, &t);
	if (is_here)
		(void)snprintf(class, sizeof(class), "%s dport %u", proto, (unsigned)v->port);
	else if (v->n_server * 10 > v->n * 9 && v->server_family != CT_FAMILY_UNSPEC)
		(void)snprintf(class, sizeof(class), "%s dst %s dport %u", proto, addr,
			       (unsigned)v->port);
	else
		return;
	untracked(a, class, class,
		  report_text(a->r, "%u of %llu entries are of %s.", (unsigned)v->n,
			      (unsigned long long)s->n, judge_service(a->f, a->ns, a->r, v)));
}

/* Findings whose remedy lies in a program, not in a setting. */
static void application(struct advice *a)
{
	static const char causes[] = " RC2 RC4 RC5 ";
	size_t n = report_n(a->r);

	for (size_t i = 0; i < n; i++) {
		const struct finding *x = report_at(a->r, i);
		char padded[16];
		struct trial *t;

		(void)snprintf(padded, sizeof(padded), " %.12s ", x->id);
		if (x->severity < SEVERITY_NOTE || !x->remedy || !strstr(causes, padded))
			continue;
		t = advice_put(a, ADVICE_APPLICATION);
		if (!t)
			return;
		t->step.reason = x->sentence;
		t->step.cure = x->remedy;
		t->step.danger = x->danger;
	}
}

void advice_candidates(struct advice *a)
{
	const struct summary *s = &a->ns->summary;

	if (!a->ns->has_summary)
		return;
	application(a);
	idle(a);
	closing(a);
	datagrams(a);
	loopback(a);
	for (unsigned i = 0; i < s->n_top; i++)
		service(a, &s->top[i]);
}
