/* SPDX-License-Identifier: BSD-2-Clause
 *
 * RC3: established entries that nothing has used for hours: the other end is gone, and the kernel
 * remembers for five days.
 */
#include "ops/diagnose/judge.h"

/* Classes of summary_age_bound_s from two hours on: longer than TCP keepalive waits by default, so
 * a living connection that keeps itself alive is never among them. */
#define FIRST_OLD_CLASS 4

static uint64_t old(const struct summary *s)
{
	uint64_t n = 0;

	for (unsigned i = FIRST_OLD_CLASS; i < SUMMARY_AGES; i++)
		n += s->age[i];
	return n;
}

static const char *histogram(struct report *r, const struct summary *s)
{
	return report_text(
		r,
		"%llu under 1 min, %llu under 1 h, %llu under 2 h, %llu under 1 day, "
		"%llu older",
		(unsigned long long)s->age[0], (unsigned long long)(s->age[1] + s->age[2]),
		(unsigned long long)s->age[3], (unsigned long long)(s->age[4] + s->age[5]),
		(unsigned long long)(s->age[6] + s->age[7]));
}

/* A shorter timeout where the present one is longer than anybody needs; keepalive, which starts
 * after two hours, makes 2 h 15 min safe. */
static const char *remedy(const struct facts *f, struct report *r, const struct facts_netns *ns)
{
	static const uint32_t day_s = 86400, keepalive_s = 8100;
	uint32_t now_s = ns->summary.timeouts.tcp[CT_TCP_ESTABLISHED];
	const struct setting_value *v =
		ns->has_settings
			? settings_get(&ns->settings, "nf_conntrack_tcp_timeout_established")
			: NULL;

	if (!v && f->release_number && f->release_number < RELEASE(2, 6, 0))
		return "This kernel has its timeouts compiled in: delete dead classes by hand, let "
		       "applications use TCP keepalive, or take a newer kernel.";
	if (now_s > 0 && now_s <= keepalive_s)
		return "The timeout is short enough: they go by themselves. Let applications use "
		       "TCP keepalive.";
	return judge_inside(
		r, ns,
		report_text(
			r,
			"    sysctl -w %s=%u\n"
			"It acts on each entry at its next packet, so the dead ones stay until "
			"their old timeout ends, or are deleted one class at a time (conntrack -D "
			"...). Let applications use TCP keepalive; with it a timeout of 2 h 15 min "
			"is safe.",
			v ? judge_key(r, v->now_path)
			  : "net.netfilter.nf_conntrack_tcp_timeout_established",
			now_s == 0 || now_s > day_s ? day_s : keepalive_s));
}

static void add(const struct facts *f, const struct check *c, struct report *r,
		const struct facts_netns *ns)
{
	const struct summary *s = &ns->summary;
	struct finding *x;

	x = judge_add(f, r, c, judge_cause(f, ns), ns,
		      "%llu of %llu entries (%s) are established connections that were silent for "
		      "more than two hours; most are dead.",
		      (unsigned long long)old(s), (unsigned long long)s->n,
		      judge_percent(r, (double)old(s) / (double)s->n));
	finding_evidence(r, x, "silent for", "timeout less what remains", "%s", histogram(r, s));
	finding_evidence(r, x, "timeout of ESTABLISHED",
			 facts_knob(ns, "nf_conntrack_tcp_timeout_established") < 0
				 ? "default, no file shows it"
				 : "sysctl",
			 "%s", judge_seconds(r, s->timeouts.tcp[CT_TCP_ESTABLISHED]));
	if (s->n_age_ambiguous + s->n_age_longer > 0)
		finding_evidence(r, x, "age not known", "the table", "%llu",
				 (unsigned long long)(s->n_age_ambiguous + s->n_age_longer));
	if (f->has_sockets && ns == &f->netns[0])
		finding_evidence(r, x, "established sockets here", "/proc/net/tcp",
				 "%llu, %llu of them with keepalive (entries: %llu)",
				 (unsigned long long)f->sockets.n_tcp[SOCKET_ESTABLISHED],
				 (unsigned long long)f->sockets.n_keepalive,
				 (unsigned long long)s->tcp_state[CT_TCP_ESTABLISHED]);
	for (unsigned i = 0; i < s->n_top && i < 3; i++)
		if (s->top[i].n_idle_hour > 0)
			finding_evidence(r, x, "silent for over 1 h", "the table", "%s: %u",
					 judge_service(f, ns, r, &s->top[i]),
					 s->top[i].n_idle_hour);
	if (!x)
		return;
	x->share = (double)old(s) / (double)s->n;
	x->cause = "Clients behind NAT, deleted machines and killed programs leave without a FIN. "
		   "Their entries stay for the timeout of ESTABLISHED (by default five days), and "
		   "the kernel never evicts an ASSURED established entry.";
	x->remedy = remedy(f, r, ns);
	x->danger = "A timeout below the silence of real sessions (databases, ssh, gRPC; keepalive "
		    "starts after 7200 s) cuts them without a word; translated ones cannot be "
		    "picked up again. The often copied value 600 does this to everybody.";
}

void check_idle(const struct facts *f, const struct check *c, struct report *r)
{
	const struct facts_netns *first = &f->netns[0];
	bool is_said = false;

	for (size_t i = 0; i < f->n_netns; i++) {
		const struct facts_netns *ns = &f->netns[i];

		if (!ns->has_summary || !judge_is_many(ns, old(&ns->summary)) ||
		    (double)old(&ns->summary) < 0.25 * (double)ns->summary.n)
			continue;
		add(f, c, r, ns);
		is_said = true;
	}
	if (is_said || judge_no_table(f, r, c))
		return;
	if (first->summary.timeouts.tcp[CT_TCP_ESTABLISHED] == 0 &&
	    first->summary.tcp_state[CT_TCP_ESTABLISHED] > 0)
		judge_unknown(r, c,
			      "the timeout of ESTABLISHED is not known, so neither is the age "
			      "of entries");
	else
		judge_ok(r, c,
			 "%llu of %llu established connections were silent for more than two "
			 "hours.",
			 (unsigned long long)old(&first->summary),
			 (unsigned long long)first->summary.tcp_state[CT_TCP_ESTABLISHED]);
}
