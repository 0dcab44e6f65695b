/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conntune status: the state of connection tracking on one screen. Never reads a table, so it
 * answers at once however large that is.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "app/cmd/cmd.h"
#include "lib/base/number.h"
#include "ops/facts/facts.h"
#include "ops/facts/odds.h"

enum status_key { KEY_LIMIT = 1 };

#define DEFAULT_LIMIT	 12
#define RULES_TIMEOUT_MS 50 /* a machine with tens of thousands of rules shall not hold us up */

struct status_state {
	unsigned limit; /* 0 is "not given" */
};

static const struct option_spec status_options[] = {
	{ "limit", 'n', "N", KEY_LIMIT, "show at most N namespaces, the fullest first (12)" },
	{ NULL, 0, NULL, 0, NULL },
};

static int status_option(void *state, int key, const char *value, struct ct_err *err)
{
	struct status_state *s = state;
	uint64_t n;

	if (key != KEY_LIMIT)
		return -EINVAL;
	if (ct_number_u64(value, strlen(value), 1000000, &n) < 0 || n == 0)
		return ct_err_set(err, -EINVAL, "--limit takes a number from 1, not '%s'", value);
	s->limit = (unsigned)n;
	return 0;
}

static const char *percent(char *out, size_t size, double share)
{
	(void)snprintf(out, size, share < 0.0995 ? "%.1f %%" : "%.0f %%", share * 100);
	return out;
}

static const char *bytes(char *out, size_t size, uint64_t n)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double v = (double)n;
	unsigned unit = 0;

	while (v >= 1024 && unit < 6) {
		v /= 1024;
		unit++;
	}
	(void)snprintf(out, size, v < 10 && unit > 0 ? "%.1f %s" : "%.0f %s", v, units[unit]);
	return out;
}

/* "12 s", "3 min" */
static const char *span(char *out, size_t size, double s)
{
	if (s < 120)
		(void)snprintf(out, size, "%.0f s", s);
	else if (s < 7200)
		(void)snprintf(out, size, "%.0f min", s / 60);
	else if (s < 2 * 86400)
		(void)snprintf(out, size, "%.0f h", s / 3600);
	else
		(void)snprintf(out, size, "%.0f days", s / 86400);
	return out;
}

/* --- on or off, and why --- */

static void say_state(struct writer *w, const char *state, const char *why)
{
	char text[400];

	writer_str(w, "state", NULL, state);
	writer_str(w, "why", NULL, why);
	(void)snprintf(text, sizeof(text), "%s: %s", state, why);
	writer_str(w, NULL, "tracking", text);
}

static void tracking_by_rules(struct writer *w, const struct facts *f)
{
	const struct facts_netns *ns = &f->netns[0];
	const struct rules *r = &f->rules;
	uint64_t n = 0;
	char why[256];

	for (unsigned i = 1; i < RULES_NEED_MAX; i++)
		n += r->n_need[i];
	if (!r->is_known && n > 0) {
		(void)snprintf(why, sizeof(why), "at least %" PRIu64 " of the rules need it", n);
		say_state(w, "on", why);
	} else if (!r->is_known) {
		(void)snprintf(why, sizeof(why), "%s; which rules need it is not known (%.120s)",
			       ns->is_count_known && ns->count > 0 ? "there are entries"
								   : "the tracker is there",
			       f->rules_why);
		say_state(w, ns->is_count_known && ns->count > 0 ? "on" : "unknown", why);
	} else if (n > 0) {
		(void)snprintf(why, sizeof(why), "%" PRIu64 " of %" PRIu64 " rules need it%s%s", n,
			       r->n_rules, r->n_hits && r->hit[0].owner ? ", first those of " : "",
			       r->n_hits && r->hit[0].owner ? r->hit[0].owner : "");
		say_state(w, "on", why);
	} else if (ns->is_count_known && ns->count > 0) {
		say_state(w, "on", "there are entries, though no rule we can read needs tracking");
	} else {
		say_state(w, "off", "no rule of this namespace needs it");
	}
}

static void say_tracking(struct writer *w, const struct facts *f)
{
	const struct facts_netns *ns = &f->netns[0];

	if (ns->is_count_known || ns->is_max_known)
		tracking_by_rules(w, f);
	else if (f->module == FACTS_MODULE_LOADABLE)
		say_state(w, "off", "the module nf_conntrack is not loaded");
	else if (f->module == FACTS_MODULE_ABSENT)
		say_state(w, "off", "this kernel was built without it");
	else
		say_state(w, "unknown", "neither /proc nor netlink shows a connection table here");
}

/* --- the table --- */

static void say_level(struct writer *w, const struct facts_netns *ns)
{
	char text[96], share[24], max[32] = "no limit";

	if (ns->max > 0)
		(void)snprintf(max, sizeof(max), "%" PRIu64, ns->max);
	if (ns->is_count_known && ns->is_max_known && ns->max > 0) {
		double fill = (double)ns->count / (double)ns->max;

		(void)snprintf(text, sizeof(text), "%" PRIu64 " of %" PRIu64 " (%s)%s", ns->count,
			       ns->max, percent(share, sizeof(share), fill),
			       fill >= 1 ? ", FULL" : "");
		writer_u64_as(w, "count", "entries", ns->count, text);
		writer_u64(w, "max", NULL, ns->max);
		writer_f64(w, "fill", NULL, fill, 4);
		return;
	}
	if (ns->is_count_known)
		writer_u64(w, "count", "entries", ns->count);
	else
		writer_unknown(w, "count", "entries",
			       "this kernel does not count them; doctor reads the table");
	if (ns->is_max_known)
		writer_u64_as(w, "max", "max", ns->max, max);
	else
		writer_unknown(w, "max", "max", "no such file");
}

/* The entries of all namespaces when the table looked at is full. */
static uint64_t when_full(const struct facts *f)
{
	const struct facts_netns *ns = &f->netns[0];

	return ns->is_count_known && ns->count < ns->max ? f->n_total - ns->count + ns->max
							 : f->n_total;
}

static void say_buckets(struct writer *w, const struct facts *f)
{
	const struct facts_netns *ns = &f->netns[0];
	char text[160], used[24];
	double load;

	if (!f->is_buckets_known) {
		writer_unknown(w, "buckets", "buckets", "no file shows them");
		return;
	}
	load = (double)f->n_total / (double)f->buckets;
	(void)snprintf(text, sizeof(text), "%" PRIu64 ", %s in use; %.2f entries each%s",
		       f->buckets,
		       percent(used, sizeof(used), odds_buckets_used(f->n_total, f->buckets)), load,
		       f->n_netns > 1 ? " over all namespaces" : "");
	writer_u64_as(w, "buckets", "buckets", f->buckets, text);
	writer_f64(w, "entries_per_bucket", NULL, load, 4);
	if (!ns->is_max_known || ns->max == 0)
		return;
	(void)snprintf(text, sizeof(text), "%.1f links now, %.1f when this table is full", 2 * load,
		       2 * (double)when_full(f) / (double)f->buckets);
	writer_f64_as(w, "mean_chain_links", "mean chain", 2 * load, text);
}

static void say_memory(struct writer *w, const struct facts *f)
{
	const struct facts_netns *ns = &f->netns[0];
	uint64_t each = f->entry.entry_bytes + f->entry.extension_bytes;
	uint64_t hash = f->buckets * (f->machine.word_bits == 32 ? 4 : 8), now, full;
	char text[200], a[24], b[24];

	if (each == 0 || !ns->is_count_known || !ns->is_max_known) {
		writer_unknown(w, "mem_bytes", "memory", "count, max or entry size is not known");
		return;
	}
	now = f->n_total * each + hash;
	full = when_full(f) * each + hash;
	(void)snprintf(text, sizeof(text), "%s now, %s when full (%" PRIu64 " bytes an entry%s)",
		       bytes(a, sizeof(a), now), bytes(b, sizeof(b), full), each,
		       f->entry.is_measured ? "" : ", by release");
	writer_u64_as(w, "mem_bytes", "memory", now, text);
	writer_u64(w, "mem_full_bytes", NULL, full);
	writer_u64(w, "entry_bytes", NULL, each);
}

static void say_expectations(struct writer *w, const struct facts *f)
{
	const struct facts_netns *ns = &f->netns[0];
	char text[64];

	if (!ns->is_expect_known || !f->is_expect_max_known)
		return;
	(void)snprintf(text, sizeof(text), "%" PRIu64 " of %" PRIu64, ns->n_expect, f->expect_max);
	writer_u64_as(w, "expectations", "expectations", ns->n_expect, text);
	writer_u64(w, "expect_max", NULL, f->expect_max);
}

/* --- counters and log --- */

static void say_counters(struct writer *w, const struct facts_netns *ns)
{
	static const struct {
		enum nl_stat stat;
		const char *key, *text;
	} rows[] = {
		{ NL_STAT_DROP, "drop", "packets dropped" },
		{ NL_STAT_EARLY_DROP, "early_drop", "entries evicted to make room" },
		{ NL_STAT_INSERT_FAILED, "insert_failed", "insertions refused" },
		{ NL_STAT_CHAINTOOLONG, "chaintoolong", "of these for a long chain" },
		{ NL_STAT_CLASH_RESOLVE, "clash_resolve", "clashes resolved (harmless)" },
		{ NL_STAT_INVALID, "invalid", "packets judged INVALID" },
		{ NL_STAT_ERROR, "error", "ICMP errors refused" },
		{ NL_STAT_SEARCH_RESTART, "search_restart", "lookups begun again" },
	};

	writer_section(w, "counters", "Counters since boot");
	if (!ns->is_stats_known)
		writer_unknown(w, "stats", "counters",
			       ns->stats_why[0] ? ns->stats_why : "no such file");
	for (size_t i = 0; ns->is_stats_known && i < sizeof(rows) / sizeof(rows[0]); i++)
		if (ns->stats.known & 1u << rows[i].stat)
			writer_u64(w, rows[i].key, rows[i].text, ns->stats.sum[rows[i].stat]);
	writer_end(w);
}

/* "at least 295 times, last 3 s ago (dmesg)" */
static void full_text(char *out, size_t size, const char *before, const struct kernel_log_event *e,
		      double age, const char *source)
{
	char ago[32];

	(void)snprintf(out, size, "%sat least %" PRIu64 " times, last %s%s (%s)", before, e->n,
		       age >= 0 ? span(ago, sizeof(ago), age) : e->last, age >= 0 ? " ago" : "",
		       source);
}

static void say_log(struct writer *w, const struct facts *f)
{
	const struct facts_log_source *log = facts_best_log(f);
	const struct kernel_log_event *lines;
	double age = facts_full_age_s(f, &f->netns[0]);
	char text[240];

	writer_section(w, "log", "Kernel log");
	if (!log) {
		writer_unknown(w, "table_full", "table full",
			       f->is_live && !f->is_root ? "reading it needs root" : "no log");
		writer_end(w);
		return;
	}
	lines = facts_full_lines(f, &f->netns[0], &log->log);
	if (lines)
		full_text(text, sizeof(text), "", lines, age, log->source);
	else if (log->log.full.n > 0)
		full_text(text, sizeof(text), "never here; in other namespaces ", &log->log.full,
			  facts_full_age_s(f, NULL), log->source);
	else
		(void)snprintf(text, sizeof(text), "never, as far as %s reaches", log->source);
	writer_u64_as(w, "table_full", "table full", lines ? lines->n : 0, text);
	writer_u64(w, "table_full_anywhere", NULL, log->log.full.n);
	if (age >= 0)
		writer_f64(w, "table_full_age_s", NULL, age, 0);
	if (log->log.expect_full.n > 0)
		writer_u64(w, "expectation_table_full", "expectation table full",
			   log->log.expect_full.n);
	if (log->log.n_suppressed > 0)
		writer_u64(w, "suppressed", "lines kept back", log->log.n_suppressed);
	writer_end(w);
}

/* --- namespaces --- */

static void say_row(struct writer *w, const struct facts_netns *ns)
{
	char share[24];

	writer_row(w);
	writer_str(w, "name", NULL, ns->label);
	if (ns->inode)
		writer_u64(w, "inode", NULL, ns->inode);
	if (ns->is_count_known)
		writer_u64(w, "count", NULL, ns->count);
	if (ns->is_count_known && ns->is_max_known && ns->max > 0)
		writer_f64_as(w, "fill", NULL, (double)ns->count / (double)ns->max,
			      percent(share, sizeof(share), (double)ns->count / (double)ns->max));
	if (ns->is_stats_known) {
		writer_u64(w, "drop", NULL, ns->stats.sum[NL_STAT_DROP]);
		writer_u64(w, "early_drop", NULL, ns->stats.sum[NL_STAT_EARLY_DROP]);
		writer_u64(w, "insert_failed", NULL, ns->stats.sum[NL_STAT_INSERT_FAILED]);
	}
	writer_end(w);
}

/* How many namespaces there are with something to show. */
static size_t n_shown(const struct facts *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n_netns; i++)
		n += f->netns[i].is_readable && f->netns[i].is_count_known;
	return n;
}

/* The fullest @limit of them; how many are left. */
static size_t list_namespaces(struct writer *w, const struct facts *f, size_t limit)
{
	static const struct writer_column columns[] = {
		{ "name", "NAMESPACE", false },	      { "count", "COUNT", true },
		{ "fill", "OF MAX", true },	      { "drop", "DROP", true },
		{ "early_drop", "EARLY DROP", true }, { "insert_failed", "INSERT FAILED", true },
	};
	size_t shown = 0, left = 0;

	writer_list(w, "netns", "Network namespaces", columns, 6);
	for (size_t i = 0; i < f->n_netns; i++) {
		if (!f->netns[i].is_readable || !f->netns[i].is_count_known)
			continue;
		if (shown < limit || i == 0) {
			say_row(w, &f->netns[i]);
			shown++;
		} else {
			left++;
		}
	}
	writer_end(w);
	return left;
}

static void say_namespaces(struct writer *w, const struct facts *f, bool is_json, size_t limit)
{
	size_t left = 0;
	char text[160];

	writer_u64(w, "n_netns", NULL, f->n_netns);
	writer_u64(w, "n_netns_hidden", NULL, f->n_unreadable);
	/* for people the only one was shown above */
	if (f->is_netns_known && (is_json || n_shown(f) > 1))
		left = list_namespaces(w, f, limit);
	if (left > 0) {
		(void)snprintf(text, sizeof(text), "and %zu more, emptier ones (--limit)", left);
		writer_para(w, 2, text);
	}
	if (f->n_unreadable > 0) {
		(void)snprintf(text, sizeof(text), "%u process%s or namespace%s hidden from us%s",
			       f->n_unreadable, f->n_unreadable == 1 ? "" : "es",
			       f->n_unreadable == 1 ? " is" : "s are",
			       f->is_root ? "" : "; as root all are seen");
		writer_para(w, 2, text);
	}
}

static int say(const struct status_state *s, const struct common_options *common,
	       const struct facts *f)
{
	auto_free(writer) struct writer *w = cmd_writer(common);
	int r;

	if (!w)
		return EXIT_FAILED;
	writer_begin(w, "status", 1);
	writer_section(w, "table",
		       f->netns[0].is_initial || f->n_netns == 1 ? "Connection tracking"
								 : f->netns[0].label);
	if (f->release[0])
		writer_str(w, "release", "kernel", f->release);
	say_tracking(w, f);
	if (f->netns[0].is_count_known || f->netns[0].is_max_known) {
		say_level(w, &f->netns[0]);
		say_buckets(w, f);
		say_memory(w, f);
		say_expectations(w, f);
	}
	writer_end(w);
	if (f->netns[0].is_count_known || f->netns[0].is_max_known)
		say_counters(w, &f->netns[0]);
	say_log(w, f);
	say_namespaces(w, f, common->is_json, s->limit ? s->limit : DEFAULT_LIMIT);
	r = writer_finish(w);
	if (r < 0)
		cmd_error("standard output: %s", strerror(-r));
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

static int status_run(void *state, const struct common_options *common, int argc, char **argv)
{
	struct facts_options o = { .want_rules = true,
				   .rules_timeout_ms = RULES_TIMEOUT_MS,
				   .netns = common->netns };
	auto_free(host) struct host *h = NULL;
	auto_free(facts) struct facts *f = NULL;
	struct ct_err err = { "" };

	if (argc > 0) {
		cmd_error("status: '%s' is not understood", argv[0]);
		return EXIT_MISUSE;
	}
	h = cmd_host(common);
	if (!h)
		return EXIT_FAILED;
	if (facts_collect(h, &o, &f, &err) < 0) {
		cmd_error("%s", err.text[0] ? err.text : "out of memory");
		return EXIT_FAILED;
	}
	return say(state, common, f);
}

const struct command command_status = {
	.name = "status",
	.summary = "Show the state of connection tracking on one screen",
	.options = status_options,
	.option = status_option,
	.run = status_run,
	.state_size = sizeof(struct status_state),
};
