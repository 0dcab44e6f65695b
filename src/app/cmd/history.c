/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conntune history: the changes made to this machine, and what became of each.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "app/cmd/changes.h"
#include "ops/apply/store.h"

static const struct option_spec history_options[] = { { NULL, 0, NULL, 0, NULL } };

static int history_option(void *state, int key, const char *value, struct ct_err *err)
{
	(void)state, (void)key, (void)value, (void)err;
	return 0;
}

static void write_steps(struct writer *w, const struct journal *j)
{
	writer_list(w, "steps", NULL, NULL, 0);
	for (size_t i = 0; i < j->n_steps; i++) {
		const struct step *p = &j->steps[i];

		writer_row(w);
		writer_str(w, "what", NULL, p->what);
		writer_str(w, "path", NULL, p->path);
		if (p->where)
			writer_str(w, "netns", NULL, p->where);
		writer_str(w, "from", NULL, change_value(p, p->from));
		writer_str(w, "to", NULL, change_value(p, p->to));
		writer_end(w);
	}
	writer_end(w);
}

/* "nf_conntrack_max 262144 -> 524288, and 2 more" */
static void summary(const struct journal *j, char *out, size_t size)
{
	const struct step *p = j->n_steps ? &j->steps[0] : NULL;
	int n;

	if (!p) {
		(void)snprintf(out, size, "nothing");
		return;
	}
	n = p->kind == STEP_setting ? snprintf(out, size, "%s %s -> %s", p->what, p->from, p->to)
				    : snprintf(out, size, "%s", p->what);
	if (j->n_steps > 1 && n > 0 && (size_t)n < size)
		(void)snprintf(out + n, size - (size_t)n, ", and %zu more", j->n_steps - 1);
}

static void write_one(struct writer *w, const struct journal *j)
{
	time_t at = (time_t)j->made_at;
	char when[40] = "", text[160];
	struct tm tm;

	if (localtime_r(&at, &tm))
		(void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
	summary(j, text, sizeof(text));
	writer_row(w);
	writer_u64(w, "number", NULL, j->number);
	writer_str(w, "when", NULL, when);
	writer_i64(w, "made_at", NULL, j->made_at);
	writer_str(w, "state", NULL, journal_state_name(j->state));
	writer_str(w, "summary", NULL, text);
	writer_str(w, "why", NULL, j->why ? j->why : j->reason ? j->reason : "");
	write_steps(w, j);
	writer_end(w);
}

static int show(struct writer *w, struct host *h)
{
	static const struct writer_column columns[] = {
		{ "number", "change", true }, { "when", "made", false },
		{ "state", "state", false },  { "summary", "what", false },
		{ "why", "because", false },
	};
	auto_memory unsigned *numbers = NULL;
	bool is_unfinished = false;
	int code = EXIT_DONE, r;
	size_t n;

	r = store_list(h, &numbers, &n);
	if (r < 0) {
		cmd_error(STORE_DIR ": %s", strerror(-r));
		return EXIT_FAILED;
	}
	writer_list(w, "changes", NULL, columns, 5);
	for (size_t i = 0; i < n; i++) {
		auto_fini(journal) struct journal j = { 0 };
		struct ct_err err = { "" };

		r = store_get(h, numbers[i], &j, &err);
		if (r == 0)
			write_one(w, &j);
		is_unfinished |=
			r == 0 && (j.state == JOURNAL_writing || j.state == JOURNAL_undoing);
		if (r < 0 && r != -ENOENT) {
			cmd_error("%s", err.text);
			code = EXIT_FAILED;
		}
	}
	writer_end(w);
	if (is_unfinished)
		writer_para(w, 0,
			    "A change was interrupted, or is being made at this moment; "
			    "'conntune recover' finishes it.");
	return code;
}

static int history_run(void *state, const struct common_options *common, int argc, char **argv)
{
	auto_free(host) struct host *h = NULL;
	auto_free(writer) struct writer *w = NULL;
	int code;

	(void)state;
	if (argc > 0) {
		cmd_error("history: '%s' is not understood", argv[0]);
		return EXIT_MISUSE;
	}
	h = cmd_host(common);
	w = h ? cmd_writer(common) : NULL;
	if (!w)
		return EXIT_FAILED;
	writer_begin(w, "history", 1);
	code = show(w, h);
	return cmd_finish(w) == EXIT_DONE ? code : EXIT_FAILED;
}

const struct command command_history = {
	.name = "history",
	.summary = "Show the changes that were made, and what became of each",
	.options = history_options,
	.option = history_option,
	.run = history_run,
};
