/* SPDX-License-Identifier: BSD-2-Clause
 *
 * RC16: the log says full while the table looked at is not: it is another namespace's.
 *
 * Count is per namespace, max is one number compared with each (nf_conntrack_max).
 */
#include <string.h>

#include "ops/diagnose/judge.h"

static void add_remedy(const struct facts *f, struct report *r, struct finding *x,
		       const struct facts_netns *ns)
{
	if (!x)
		return;
	x->cause = "Every network namespace has a table of its own, and the one limit is compared "
		   "with each. The host's count says nothing about a router, pod or container "
		   "namespace.";
	x->remedy = report_text(r,
				"See what fills it: conntune doctor --netns '%s', conntune top "
				"--netns '%s' --by proto,dport. Timeouts can be shortened inside "
				"that namespace alone. As a palliative: %s",
				ns->name, ns->name, judge_raise(f, r, ns));
	x->danger = "The limit holds for all: any tenant may then hold that many entries.";
}

/* A namespace that the log names and that we can see. True when it was reported. */
static bool logged(const struct facts *f, const struct check *c, struct report *r,
		   const struct kernel_log_netns *named, const struct facts_log_source *log)
{
	const struct facts_netns *ns = NULL;
	struct finding *x;

	for (size_t i = 1; i < f->n_netns; i++)
		if (f->netns[i].inode == named->inode)
			ns = &f->netns[i];
	/* at 90 % its level has said it already */
	if (!ns || judge_fill(ns) >= 0.9 || !facts_full_lines(f, ns, &log->log))
		return false;
	x = judge_add(f, r, c, SEVERITY_WARNING, ns, "The table of namespace %s has been full.",
		      ns->label);
	finding_evidence(r, x, "log: table full in netns", log->source, "at least %llu times",
			 (unsigned long long)named->full.n);
	if (ns->is_count_known)
		finding_evidence(r, x, "count there now", ns->count_origin, "%llu",
				 (unsigned long long)ns->count);
	add_remedy(f, r, x, ns);
	return true;
}

static bool is_seen(const struct facts *f, uint64_t inode, const struct kernel_log *log)
{
	for (size_t i = 0; i < f->n_netns; i++)
		if (f->netns[i].inode == inode)
			return facts_full_lines(f, &f->netns[i], log) != NULL;
	return false;
}

/* Namespaces that the log names and that are gone, or hidden: one finding for all. */
static bool gone(const struct facts *f, const struct check *c, struct report *r,
		 const struct facts_log_source *log)
{
	double age = facts_full_age_s(f, NULL);
	unsigned n = 0;
	struct finding *x;

	for (unsigned i = 0; i < log->log.n_netns; i++) {
		if (is_seen(f, log->log.netns[i].inode, &log->log))
			continue;
		n++;
	}
	if (n == 0)
		return false;
	x = judge_add(f, r, c, f->is_root ? SEVERITY_NOTE : SEVERITY_WARNING, NULL,
		      "The log says that the tables of %u namespaces were full which %s.", n,
		      f->is_root ? "no longer exist" : "we cannot see");
	for (unsigned i = 0; i < log->log.n_netns && i < 4; i++)
		if (!is_seen(f, log->log.netns[i].inode, &log->log))
			finding_evidence(r, x, "log: table full in netns", log->source,
					 "%llu: at least %llu times",
					 (unsigned long long)log->log.netns[i].inode,
					 (unsigned long long)log->log.netns[i].full.n);
	if (age >= 0)
		finding_evidence(r, x, "last such line", log->source, "%s ago",
				 judge_seconds(r, age));
	if (x && f->is_root)
		x->cause = "A pod, container or test that ended took its table along. If such ones "
			   "come again, look while they run: conntune status.";
	return true;
}

/* Lines that name no namespace, as all before 6.16, while the one they would be about has dropped
 * nothing: another one dropped, if one of those that we see did. */
static bool unnamed(const struct facts *f, const struct check *c, struct report *r,
		    const struct facts_log_source *log)
{
	const struct facts_netns *most = NULL;
	struct finding *x;

	if (log->log.full_unnamed.n == 0)
		return false;
	for (size_t i = 0; i < f->n_netns; i++) {
		const struct facts_netns *ns = &f->netns[i];

		if (facts_full_lines(f, ns, &log->log) == &log->log.full_unnamed)
			return false;
		if (ns->is_stats_known && ns->stats.sum[NL_STAT_DROP] > 0 &&
		    (!most || ns->stats.sum[NL_STAT_DROP] > most->stats.sum[NL_STAT_DROP]))
			most = ns;
	}
	/* at 90 % its level has said it already */
	if (most && judge_fill(most) >= 0.9)
		return false;
	if (most)
		x = judge_add(f, r, c, SEVERITY_WARNING, most,
			      "The log says that a table was full; the namespace that dropped "
			      "packets is %s.",
			      most->label);
	else
		x = judge_add(f, r, c, SEVERITY_NOTE, NULL,
			      "The log says that a table was full, but no namespace that we see "
			      "dropped a packet.");
	finding_evidence(r, x, "log: table full", log->source, "at least %s, last %s",
			 judge_times(r, log->log.full_unnamed.n),
			 judge_moment(f, r, log, &log->log.full_unnamed));
	finding_evidence(r, x, "drop here", f->netns[0].stats_origin, "%llu",
			 (unsigned long long)f->netns[0].stats.sum[NL_STAT_DROP]);
	if (most) {
		finding_evidence(r, x, "drop there", most->stats_origin, "%llu",
				 (unsigned long long)most->stats.sum[NL_STAT_DROP]);
		add_remedy(f, r, x, most);
	} else if (x) {
		x->cause = "The line names no namespace. It is about one that ended, about a "
			   "program that inserted entries, or, in a file, about an earlier boot.";
	}
	return true;
}

static bool full_now(const struct facts *f, const struct check *c, struct report *r,
		     const struct facts_netns *ns)
{
	double fill = judge_fill(ns);
	struct finding *x;

	if (fill < 0.9)
		return false;
	x = judge_add(f, r, c, fill >= 1 ? SEVERITY_CRITICAL : SEVERITY_WARNING, ns,
		      "The table of namespace %s is %s (%llu of %llu)%s.", ns->label,
		      fill >= 1 ? "full" : "nearly full", (unsigned long long)ns->count,
		      (unsigned long long)ns->max,
		      fill >= 1 ? ": its new connections are being dropped" : "");
	finding_evidence(r, x, "count there", ns->count_origin, "%llu",
			 (unsigned long long)ns->count);
	finding_evidence(r, x, "max", ns->max_origin, "%llu", (unsigned long long)ns->max);
	if (f->netns[0].is_count_known)
		finding_evidence(r, x, "count here", f->netns[0].count_origin, "%llu",
				 (unsigned long long)f->netns[0].count);
	if (ns->is_stats_known && ns->stats.known & 1u << NL_STAT_DROP)
		finding_evidence(r, x, "drop there", ns->stats_origin, "%llu",
				 (unsigned long long)ns->stats.sum[NL_STAT_DROP]);
	if (ns->has_summary && ns->summary.n_top > 0)
		finding_evidence(r, x, "largest service there", "its table", "%s: %u entries",
				 judge_service(f, ns, r, &ns->summary.top[0]),
				 ns->summary.top[0].n);
	add_remedy(f, r, x, ns);
	return true;
}

void check_other_namespace(const struct facts *f, const struct check *c, struct report *r)
{
	const struct facts_log_source *log = facts_best_log(f);
	size_t n_read = 0;
	bool is_said = false;

	for (size_t i = 1; i < f->n_netns; i++) {
		n_read += f->netns[i].is_count_known;
		is_said |= full_now(f, c, r, &f->netns[i]);
	}
	for (unsigned i = 0; log && i < log->log.n_netns; i++)
		is_said |= logged(f, c, r, &log->log.netns[i], log);
	if (log)
		is_said |= unnamed(f, c, r, log);
	if (log)
		is_said |= gone(f, c, r, log);
	if (is_said)
		return;
	if (!f->is_netns_known)
		judge_unknown(r, c, "the namespaces of this machine cannot be listed: %s",
			      f->netns_why);
	else if (f->n_unreadable > 0 && !f->is_root)
		judge_unknown(r, c,
			      "the namespaces of %u processes are hidden from us; as root all are "
			      "seen",
			      f->n_unreadable);
	else if (n_read == 0)
		judge_ok(r, c, "There is no other network namespace with a table.");
	else
		judge_ok(r, c, "None of the %zu other namespaces is near the limit.", n_read);
}
