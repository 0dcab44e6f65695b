/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conntune whatif --traffic: see whatif_traffic.h.
 */
#include "app/cmd/whatif_traffic.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ops/facts/facts.h"
#include "ops/sweep/echo.h"

enum { PROGRESS_MS = 200, MAX_COLUMNS = GRID_MAX_AXES + 12 };

int whatif_traffic_add(struct whatif_traffic *t, const char *path, struct ct_err *err)
{
	if (t->n_files == WHATIF_MAX_FILES)
		return ct_err_set(err, -E2BIG, "more than %d files", WHATIF_MAX_FILES);
	t->files[t->n_files++] = (char *)(uintptr_t)path;
	return 0;
}

/* --- what is the same in all runs --- */

/* The settings of the machine, as far as they are known, over the kernel's defaults. */
static void base_of(const struct facts *f, struct ct_engine_config *out)
{
	const struct facts_netns *ns = &f->netns[0];

	ct_engine_config_default(out);
	if (ns->is_max_known && ns->max <= INT32_MAX)
		out->max = (uint32_t)ns->max;
	if (f->is_buckets_known && f->buckets <= INT32_MAX)
		out->buckets = (uint32_t)f->buckets;
	if (!ns->has_settings)
		return;
#define ENGINE_SETTING(field, name, standard, highest)                                             \
	{                                                                                          \
		const struct setting_value *v = settings_get(&ns->settings, "nf_conntrack_" name); \
		if (v && v->is_now_known && v->now >= 0 && v->now <= (highest))                    \
			out->settings.field = (uint32_t)v->now;                                    \
	}
#include <conntune/engine_setting.def>
#undef ENGINE_SETTING
}

/* What --set says. */
static int set_all(const struct change *c, struct ct_engine_config *out, struct ct_err *err)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < c->n_sets; i++)
		r = grid_assign(out, c->set[i].setting->name, (uint64_t)c->set[i].value, err);
	return r;
}

/* --- the traffic --- */

static int next_frame(void *user, struct frame *out, struct ct_err *err)
{
	struct merge *m = user;

	while (merge_next(m, out) == 0) {
		int r = merge_fill(m, err);

		if (r <= 0)
			return r;
	}
	return 1;
}

static int next_echo(void *user, struct frame *out, struct ct_err *err)
{
	(void)err;
	return echo_next(user, out);
}

static bool is_recording(const char *path)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char head[16];
	ssize_t n = fd < 0 ? -1 : pread(fd, head, sizeof(head), 0);

	return n > 0 && events_is_recording(head, (size_t)n);
}

/* The least timeout of each kind among the @n runs. */
static void shortest_of(const struct sweep_options *o, unsigned n, struct whatif_timeouts *out)
{
	for (unsigned run = 0; run < n; run++) {
		struct ct_engine_config cfg = o->engine;
		struct whatif_timeouts t;

		(void)grid_configure(o->grid, run, &cfg, NULL);
		echo_timeouts_of(&cfg.settings, &t);
		for (unsigned i = 0; i < WHATIF_SLOTS; i++)
			if (run == 0 || t.s[i] < out->s[i])
				out->s[i] = t.s[i];
	}
}

static void show_progress(void *user, uint64_t n_frames, ct_time span)
{
	struct timespec *last = user, now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	if ((now.tv_sec - last->tv_sec) * 1000 + (now.tv_nsec - last->tv_nsec) / 1000000 <
	    PROGRESS_MS)
		return;
	*last = now;
	(void)fprintf(stderr, "\r\033[K%" PRIu64 " packets, %" PRId64 " s of traffic", n_frames,
		      span / CT_NS_PER_S);
}

/* Processors that this process may use. */
static unsigned count_processors(void)
{
	cpu_set_t set;
	int n;

	CPU_ZERO(&set);
	n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
	return n > 0 ? (unsigned)n : 1;
}

/* --- what is shown --- */

struct table {
	const struct grid *grid;
	const struct change *change;
	const struct sweep_result *result;
	unsigned n;
	bool has_sessions;
};

static const char *short_name(const char *name)
{
	static const char *const heads[] = { "net.netfilter.", "net/netfilter/", "nf_conntrack_" };

	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		if (strncmp(name, heads[i], strlen(heads[i])) == 0)
			name += strlen(heads[i]);
	return name;
}

static size_t make_columns(const struct table *t, struct writer_column *out)
{
	static const struct writer_column rest[] = {
		{ "peak", "PEAK", true },	    { "peak_s", "AT", true },
		{ "drops", "DROPS", true },	    { "early_drops", "EARLY DROPS", true },
		{ "refused", "REFUSED", true },	    { "broken", "BROKEN", true },
		{ "memory_bytes", "MEMORY", true }, { "best", "BEST", false },
	};
	size_t n = 0;

	for (unsigned i = 0; i < t->grid->n_axes; i++)
		out[n++] = (struct writer_column){ t->grid->axis[i].name,
						   short_name(t->grid->axis[i].name), true };
	if (t->change->n_notrack)
		out[n++] = (struct writer_column){ "notrack", "NOT TRACKED", false };
	for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++)
		if (t->has_sessions || strcmp(rest[i].key, "broken") != 0)
			out[n++] = rest[i];
	return n;
}

static void put_classes(struct writer *w, const struct table *t, unsigned untracks)
{
	char text[CHANGE_MAX_NOTRACK * sizeof(t->change->notrack[0].text)] = "";
	size_t len = 0;

	for (unsigned i = 0; i < t->change->n_notrack; i++)
		if (untracks & 1u << i)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s",
						len ? "; " : "", t->change->notrack[i].text);
	writer_str(w, "notrack", NULL, len ? text : "-");
}

static void put_memory(struct writer *w, uint64_t bytes)
{
	char text[32];

	if (bytes < 1 << 20)
		(void)snprintf(text, sizeof(text), "%" PRIu64 " KiB", bytes >> 10);
	else
		(void)snprintf(text, sizeof(text), "%.1f MiB", (double)bytes / (1 << 20));
	writer_u64_as(w, "memory_bytes", NULL, bytes, text);
}

static void put_result(struct writer *w, const struct table *t, const struct sweep_result *r)
{
	unsigned place[GRID_MAX_AXES];
	ct_time at = r->outcome.n_packets ? r->outcome.peak_at - r->outcome.first : 0;
	char text[32];

	(void)grid_at(t->grid, r->run, place);
	writer_row(w);
	for (unsigned i = 0; i < t->grid->n_axes; i++)
		writer_u64(w, t->grid->axis[i].name, NULL, t->grid->axis[i].value[place[i]]);
	if (t->change->n_notrack)
		put_classes(w, t, r->untracks);
	writer_u64(w, "peak", NULL, r->outcome.peak);
	(void)snprintf(text, sizeof(text), "%.1f s", (double)at / CT_NS_PER_S);
	writer_f64_as(w, "peak_s", NULL, (double)at / CT_NS_PER_S, text);
	writer_u64(w, "drops", NULL, r->n_drops);
	writer_u64(w, "early_drops", NULL, r->n_early);
	writer_u64(w, "refused", NULL, r->n_refused);
	if (t->has_sessions) {
		(void)snprintf(text, sizeof(text), "%" PRIu64 "%s", r->n_broken,
			       r->n_forgotten ? "+" : "");
		writer_u64_as(w, "broken", NULL, r->n_broken, text);
	}
	put_memory(w, r->memory_bytes);
	writer_bool(w, "best", NULL, r->is_best);
	writer_u64(w, "invalid", NULL, r->outcome.stats.invalid);
	writer_u64(w, "chaintoolong", NULL, r->outcome.stats.chaintoolong);
	writer_u64(w, "created", NULL, r->outcome.stats.created);
	writer_u64(w, "untracked", NULL, r->n_untracked);
	writer_end(w);
}

static void put_traffic(struct writer *w, const struct table *t)
{
	const struct sim_outcome *o = &t->result[0].outcome;
	uint64_t n = o->n_packets + t->result[0].n_untracked;
	char text[32];

	(void)snprintf(text, sizeof(text), "%.1f s", (double)(o->last - o->first) / CT_NS_PER_S);
	writer_section(w, "traffic", "Traffic");
	writer_u64(w, "packets", "packets", n);
	writer_f64_as(w, "span_s", "span", (double)(o->last - o->first) / CT_NS_PER_S, text);
	writer_end(w);
}

static void put_explanation(struct writer *w, const struct table *t)
{
	writer_para(
		w, 0,
		"\nDROPS: packets for whose connection a full table had no room. EARLY DROPS: "
		"entries that gave way to others. REFUSED: entries not inserted, for a clash or "
		"a long chain.");
	if (t->has_sessions)
		writer_para(w, 0,
			    "BROKEN: sessions whose packets came after their entry had ended, and "
			    "could not begin anew.");
	writer_para(w, 0,
		    "MEMORY: of the entries at the peak and the buckets. BEST: no other is as good "
		    "in all of these and better in one.");
}

static int show(const struct table *t, const struct common_options *common)
{
	auto_free(writer) struct writer *w = cmd_writer(common);
	struct writer_column columns[MAX_COLUMNS];

	if (!w)
		return EXIT_FAILED;
	writer_begin(w, "whatif-traffic", 1);
	put_traffic(w, t);
	writer_list(w, "runs", "Runs", columns, make_columns(t, columns));
	for (unsigned i = 0; i < t->n; i++)
		put_result(w, t, &t->result[i]);
	writer_end(w);
	put_explanation(w, t);
	return cmd_finish(w);
}

/* --- all of it --- */

static int sweep_and_show(const struct whatif_traffic *t, struct sweep_options *o,
			  const struct common_options *common)
{
	auto_memory struct sweep_result *results = NULL;
	struct timespec last = { 0 };
	struct ct_err err = { "" };
	struct table shown = { .grid = &t->grid, .change = o->classes };
	bool has_progress = !common->is_quiet && isatty(STDERR_FILENO);
	int r, code;

	if (has_progress) {
		o->progress = show_progress;
		o->user = &last;
	}
	r = sweep_run(o, &results, &shown.n, &err);
	if (has_progress)
		(void)fputs("\r\033[K", stderr);
	if (r < 0)
		cmd_error("%s%s", err.text, results ? "; what came before it is shown" : "");
	if (!results)
		return EXIT_FAILED;
	shown.result = results;
	shown.has_sessions = o->has_sessions;
	code = show(&shown, common);
	return r < 0 ? EXIT_FAILED : code;
}

static int refuse(const struct ct_err *err, int code)
{
	cmd_error("%s", err->text[0] ? err->text : "out of memory");
	return code;
}

/* Captures: on this machine's settings. */
static int by_captures(const struct whatif_traffic *t, struct sweep_options *o,
		       const struct facts *f, const struct common_options *common)
{
	auto_free(merge) struct merge *m = NULL;
	struct ct_err err = { "" };

	if (merge_open(t->files, t->n_files, &m, &err) < 0)
		return refuse(&err, EXIT_FAILED);
	base_of(f, &o->engine);
	if (set_all(o->classes, &o->engine, &err) < 0)
		return refuse(&err, EXIT_MISUSE);
	o->has_sessions = true;
	o->next = next_frame;
	o->traffic = m;
	return sweep_and_show(t, o, common);
}

/* Says what the recording does not. */
static void warn_of(const struct common_options *common, const struct echo *e)
{
	struct echo_counts c;

	echo_counts(e, &c);
	if (c.is_cut)
		cmd_warn(common, "the recording was cut; what it has is judged");
	if (c.n_gaps)
		cmd_warn(common, "events were lost in %" PRIu64 " places of the recording",
			 c.n_gaps);
	if (c.n_unended)
		cmd_warn(common,
			 "of %" PRIu64 " of %" PRIu64 " connections nobody knows when they ended",
			 c.n_unended, c.n_lives);
	if (c.n_mute)
		cmd_warn(common, "%" PRIu64 " connections of SCTP and DCCP are left out", c.n_mute);
}

/* An event recording: on the settings of the recorded machine. */
static int by_events(const struct whatif_traffic *t, struct sweep_options *o, unsigned n_runs,
		     const struct common_options *common)
{
	auto_free(echo) struct echo *e = NULL;
	struct whatif_timeouts shortest = { .max_retrans_s = 0 };
	struct ct_err err = { "" };

	if (echo_open(t->files[0], &e, &err) < 0)
		return refuse(&err, EXIT_FAILED);
	echo_configure(e, &o->engine);
	if (set_all(o->classes, &o->engine, &err) < 0)
		return refuse(&err, EXIT_MISUSE);
	shortest_of(o, n_runs, &shortest);
	if (echo_begin(e, &shortest, &err) < 0)
		return refuse(&err, EXIT_FAILED);
	warn_of(common, e);
	o->next = next_echo;
	o->traffic = e;
	return sweep_and_show(t, o, common);
}

int whatif_traffic_run(const struct whatif_traffic *t, const struct change *change,
		       const struct common_options *common)
{
	struct facts_options fo = { .netns = common->netns };
	auto_free(host) struct host *h = cmd_host(common);
	auto_free(facts) struct facts *f = NULL;
	struct sweep_options o = { .grid = &t->grid,
				   .classes = change,
				   .n_threads = count_processors() };
	struct ct_err err = { "" };
	unsigned n, n_recordings = 0;

	if (!h)
		return EXIT_FAILED;
	if (grid_n_runs(&t->grid, change->n_notrack, &n, &err) < 0)
		return refuse(&err, EXIT_MISUSE);
	for (unsigned i = 0; i < t->n_files; i++)
		n_recordings += is_recording(t->files[i]);
	if (n_recordings > 0 && t->n_files > 1) {
		cmd_error("an event recording is judged alone, without other files");
		return EXIT_MISUSE;
	}
	if (facts_collect(h, &fo, &f, &err) < 0)
		return refuse(&err, EXIT_FAILED);
	o.machine = f->machine;
	o.entry = f->entry;
	return n_recordings ? by_events(t, &o, n, common) : by_captures(t, &o, f, common);
}
