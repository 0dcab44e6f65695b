/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conntune apply: shows what a plan changes here, asks, and makes the change with a way back.
 */
#include "ops/apply/draft.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/cmd/changes.h"
#include "app/cmd/whatif.h"
#include "lib/base/number.h"
#include "ops/host/netns.h"

#define MAX_WITHIN_S 86400

/* By so many a second a counter may rise above what it did before, while a change waits. */
#define MORE_DROPS   10
#define MORE_INVALID 100
#define MORE_RESETS  100
#define MAX_MORE     1000000000

enum apply_key {
	KEY_SET = 1,
	KEY_DRY_RUN,
	KEY_WITHIN,
	KEY_YES,
	KEY_FORCE,
	KEY_BOUND,
	KEY_PERSIST,
	KEY_NOTRACK,
};

struct apply_state {
	struct plan plan;
	struct txn_options txn;
	bool is_dry, is_sure, is_forced;
	bool is_bounded[3]; /* drop, invalid, reset were given */
	struct change_log log;
};

static const struct option_spec apply_options[] = {
	{ "set", 's', "NAME=VALUE", KEY_SET, "a setting as it shall be; again for more" },
	{ "notrack", 0, "CLASS", KEY_NOTRACK,
	  "packets that shall not be tracked: 'tcp dport 8080', 'udp dst 10.0.0.53 dport 53', lo" },
	{ "dry-run", 'n', NULL, KEY_DRY_RUN, "show only" },
	{ "confirm-within", 'c', "TIME", KEY_WITHIN,
	  "take all back unless 'conntune confirm' comes in this time: 60s" },
	{ "bound", 0, "drop|invalid|reset=N", KEY_BOUND,
	  "while it waits, take all back at once when these rise by more than N a second (10, "
	  "100, 100; 0 never)" },
	{ "persist", 'p', NULL, KEY_PERSIST,
	  "also for the next boots: write the files that this system reads" },
	{ "yes", 'y', NULL, KEY_YES, "do not ask" },
	{ "force", 'f', NULL, KEY_FORCE, "also where a value is not what the plan was made from" },
	{ NULL, 0, NULL, 0, NULL },
};

static int set_bound(struct apply_state *s, const char *text, struct ct_err *err)
{
	static const char *const names[] = { "drop", "invalid", "reset" };
	uint32_t *const fields[] = { &s->txn.bounds.drop, &s->txn.bounds.invalid,
				     &s->txn.bounds.reset };
	size_t len = strcspn(text, "=");
	uint64_t n;

	for (size_t i = 0; i < 3; i++) {
		if (text[len] != '=' || strlen(names[i]) != len || memcmp(names[i], text, len) != 0)
			continue;
		if (ct_number_u64(text + len + 1, strlen(text + len + 1), MAX_MORE, &n) < 0)
			break;
		*fields[i] = (uint32_t)n;
		s->is_bounded[i] = true;
		return 0;
	}
	return ct_err_set(err, -EINVAL, "--bound takes drop=N, invalid=N or reset=N, not '%.60s'",
			  text);
}

static int set_within(struct apply_state *s, const char *value, struct ct_err *err)
{
	uint64_t n;

	if (ct_number_duration(value, strlen(value), &n) < 0 || n == 0 || n > MAX_WITHIN_S)
		return ct_err_set(err, -EINVAL, "--confirm-within takes 1s to 1d, not '%.40s'",
				  value);
	s->txn.within_s = (uint32_t)n;
	return 0;
}

static int apply_option(void *state, int key, const char *value, struct ct_err *err)
{
	struct apply_state *s = state;

	switch ((enum apply_key)key) {
	case KEY_SET:
		return plan_add_set(&s->plan, value, err);
	case KEY_NOTRACK:
		return plan_add_notrack(&s->plan, value, err);
	case KEY_DRY_RUN:
		s->is_dry = true;
		return 0;
	case KEY_WITHIN:
		return set_within(s, value, err);
	case KEY_PERSIST:
		s->plan.is_persistent = true;
		return 0;
	case KEY_YES:
		s->is_sure = true;
		return 0;
	case KEY_FORCE:
		s->is_forced = true;
		return 0;
	case KEY_BOUND:
		return set_bound(s, value, err);
	}
	return -EINVAL;
}

static int read_all(int fd, struct ct_buf *out)
{
	char chunk[16384];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (out->len + (size_t)n > PLAN_MAX_BYTES)
			return -EFBIG;
		if (ct_buf_put(out, chunk, (size_t)n) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int read_plan(struct plan *p, const char *path)
{
	auto_fini(ct_buf) struct ct_buf text = { 0 };
	auto_fd int fd =
		strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	struct ct_err err = { "" };
	int r = fd < 0 ? -errno : read_all(fd, &text);

	if (r < 0)
		(void)ct_err_set(&err, r, "%s", strerror(-r));
	else
		r = plan_read(p, text.p ? text.p : "", text.len, &err);
	if (r < 0)
		cmd_error("%s: %s", path, err.text);
	return r;
}

/* A run, and what the visit of the namespace fills. */
struct apply_run {
	struct apply_state *state;
	const struct common_options *common;
	struct host *machine;
};

/* The lines that @new has and @old has not, or the other way round. */
static void show_lines(struct writer *w, char sign, const char *new, const char *old)
{
	while (*new) {
		size_t n = strcspn(new, "\n");
		char line[256];
		bool is_common = false;

		for (const char *at = old; *at && !is_common;
		     at += strcspn(at, "\n"), at += *at != 0)
			is_common = strcspn(at, "\n") == n && memcmp(at, new, n) == 0;
		(void)snprintf(line, sizeof(line), "%c %.*s", sign, (int)n, new);
		if (!is_common)
			writer_para(w, 4, line);
		new += n + (new[n] != '\0');
	}
}

static const char *saved_text(const struct draft *d, const char *name)
{
	for (size_t i = 0; name && i < d->n_texts; i++)
		if (strcmp(d->texts[i].name, name) == 0)
			return d->texts[i].text.p ? d->texts[i].text.p : "";
	return "";
}

static void show_files(struct writer *w, const struct draft *d)
{
	for (size_t i = 0; i < d->journal.n_steps; i++) {
		const struct step *p = &d->journal.steps[i];

		if (p->kind == STEP_setting)
			continue;
		writer_para(w, 2, p->path);
		if (p->kind == STEP_file)
			show_lines(w, '-', saved_text(d, p->from), saved_text(d, p->to));
		show_lines(w, '+', saved_text(d, p->to),
			   p->kind == STEP_file ? saved_text(d, p->from) : "");
	}
}

static void show_draft(struct writer *w, const struct draft *d)
{
	static const struct writer_column columns[] = {
		{ "what", "changes", false },
		{ "netns", "namespace", false },
		{ "from", "now", true },
		{ "to", "then", true },
	};

	writer_list(w, "changes", NULL, columns, 4);
	for (size_t i = 0; i < d->journal.n_steps; i++) {
		const struct step *p = &d->journal.steps[i];

		writer_row(w);
		writer_str(w, "what", NULL, p->what);
		writer_str(w, "path", NULL, p->path);
		writer_str(w, "netns", NULL, p->where ? p->where : "");
		writer_str(w, "from", NULL, change_value(p, p->from));
		writer_str(w, "to", NULL, change_value(p, p->to));
		writer_end(w);
	}
	writer_end(w);
	show_files(w, d);
	for (size_t i = 0; i < d->n_remarks; i++)
		writer_para(w, 0, d->remarks[i]);
}

static void show_bounds(struct writer *w, const struct journal_bounds *b)
{
	char text[256];

	(void)snprintf(text, sizeof(text),
		       "It is taken back before that when, above what is usual here, drops rise by "
		       "more than %" PRIu32 " a second, INVALID packets by %" PRIu32
		       ", resets by %" PRIu32 " (0: not looked at).",
		       b->drop, b->invalid, b->reset);
	writer_para(w, 0, text);
}

/* The rehearsal of the next boot: what was asked to last and will not. */
static void show_lasting(struct writer *w, const struct apply_run *run)
{
	const struct plan *p = &run->state->plan;
	auto_fini(settings) struct settings s = { 0 };

	if (!p->is_persistent || settings_read(run->machine, &s, NULL) < 0)
		return;
	for (unsigned i = 0; i < p->n_sets; i++) {
		const struct setting_value *v = settings_at(&s, p->set[i].setting->name);
		char text[512];

		if (v->is_after_known && v->is_now_known && v->after == v->now)
			continue;
		(void)snprintf(text, sizeof(text),
			       "%s will not hold after the next boot as things are: %s "
			       "('conntune boot' rehearses it).",
			       v->setting->name,
			       v->boot_why[0] ? v->boot_why : "nothing sets it then");
		writer_para(w, 0, text);
	}
}

static void show_done(struct writer *w, const struct apply_run *run, const struct draft *d)
{
	const struct txn_options *o = &run->state->txn;
	char text[256];

	writer_u64(w, "number", NULL, d->journal.number);
	writer_str(w, "state", NULL, journal_state_name(d->journal.state));
	change_log_write(w, &run->state->log);
	show_lasting(w, run);
	if (d->journal.state == JOURNAL_waiting) {
		(void)snprintf(text, sizeof(text),
			       "Change %u is made, and taken back in %" PRIu32
			       " s unless 'conntune confirm' comes before.",
			       d->journal.number, o->within_s);
		writer_para(w, 0, text);
		show_bounds(w, &o->bounds);
		return;
	}
	(void)snprintf(text, sizeof(text), "Change %u is made; 'conntune undo %u' takes it back.",
		       d->journal.number, d->journal.number);
	writer_para(w, 0, text);
}

static bool is_agreed(void)
{
	char line[16] = "";

	(void)fputs("Make this change? [y/N] ", stderr);
	return fgets(line, sizeof(line), stdin) && (line[0] == 'y' || line[0] == 'Y');
}

/* Whether it is to be made: asked for, or agreed to at a terminal. */
static bool shall_do(const struct apply_run *run, const struct draft *d)
{
	const struct apply_state *s = run->state;

	if (s->is_dry || d->journal.n_steps == 0)
		return false;
	if (s->is_sure)
		return true;
	if (run->common->is_json || !isatty(STDIN_FILENO))
		return false;
	return is_agreed();
}

static void show_not_done(struct writer *w, const struct draft *d)
{
	writer_str(w, "state", NULL, d->journal.n_steps ? "planned" : "nothing");
	writer_para(w, 0,
		    d->journal.n_steps ? "Nothing was changed; -y makes this change."
				       : "There is nothing to change.");
}

/* What whatif foresees, of that part of the plan which it can judge. */
static void show_prediction(struct writer *w, const struct apply_run *run)
{
	const struct plan *p = &run->state->plan;
	struct common_options common = *run->common;
	struct change c = { 0 };
	char text[160];

	for (unsigned i = 0; i < p->n_sets; i++) {
		(void)snprintf(text, sizeof(text), "%s=%" PRId64, p->set[i].setting->name,
			       p->set[i].to);
		(void)change_add_set(&c, text, NULL);
	}
	for (unsigned i = 0; i < p->n_notrack; i++)
		(void)change_add_notrack(&c, p->notrack[i].text, NULL);
	if (c.n_sets + c.n_notrack == 0)
		return;
	if (!common.netns)
		common.netns = p->netns;
	whatif_brief(w, &common, run->machine, &c);
}

static struct writer *begin(const struct apply_run *run)
{
	struct writer *w = cmd_writer(run->common);

	if (w)
		writer_begin(w, "apply", 1);
	return w;
}

/* Between question and answer, text is shown in two documents; for programs it is one. */
static struct writer *next(const struct apply_run *run, struct writer *w)
{
	if (run->common->is_json)
		return w;
	(void)cmd_finish(w);
	(void)fflush(stdout);
	writer_free(w);
	return begin(run);
}

static int carry_out(const struct apply_run *run, struct draft *d)
{
	struct txn_teller teller = change_log_teller(&run->state->log);
	struct writer *w = begin(run);
	struct ct_err err = { "" };
	bool is_wanted;
	int code, r = 0;

	if (w) {
		show_draft(w, d);
		if (d->journal.n_steps)
			show_prediction(w, run);
		w = next(run, w);
	}
	if (!w)
		return EXIT_FAILED;
	is_wanted = shall_do(run, d);
	if (is_wanted)
		r = txn_commit(run->machine, d, &run->state->txn, &teller, &err);
	if (!is_wanted)
		show_not_done(w, d);
	else if (r == 0)
		show_done(w, run, d);
	else
		change_log_write(w, &run->state->log);
	code = cmd_finish(w);
	writer_free(w);
	if (r < 0)
		cmd_error("%s", err.text[0] ? err.text : strerror(-r));
	return r < 0 ? EXIT_FAILED : code;
}

static int visit(void *user, struct host *h, const struct netns *ns)
{
	const struct apply_run *run = user;
	const struct apply_state *s = run->state;
	auto_fini(draft) struct draft d = { 0 };
	struct ct_err err = { "" };
	char label[128];
	struct draft_options o = { .is_forced = s->is_forced, .is_for_show = s->is_dry };

	if (ns) {
		cmd_netns_name(ns, label, sizeof(label));
		o.netns = ns->is_initial ? NULL : label;
	}
	if (draft_make(run->machine, h, &s->plan, &o, &d, &err) < 0) {
		cmd_error("%s", err.text);
		return EXIT_FAILED;
	}
	return carry_out(run, &d);
}

static int apply(struct apply_run *run)
{
	struct common_options common = *run->common;
	auto_free(host) struct host *h = NULL;

	if (common.netns && strcmp(common.netns, "all") == 0) {
		cmd_error("apply changes one namespace at a time");
		return EXIT_MISUSE;
	}
	if (!common.netns)
		common.netns = run->state->plan.netns;
	h = run->state->is_dry ? cmd_host(&common) : changes_host(&common);
	if (!h)
		return EXIT_FAILED;
	run->machine = h;
	return cmd_each_netns(&common, h, visit, run);
}

/* The bounds that were not given. */
static void set_usual_bounds(struct apply_state *s)
{
	struct journal_bounds *b = &s->txn.bounds;

	b->drop = s->is_bounded[0] ? b->drop : MORE_DROPS;
	b->invalid = s->is_bounded[1] ? b->invalid : MORE_INVALID;
	b->reset = s->is_bounded[2] ? b->reset : MORE_RESETS;
}

static int apply_run(void *state, const struct common_options *common, int argc, char **argv)
{
	struct apply_state *s = state;
	struct apply_run run = { .state = s, .common = common };
	int code;

	set_usual_bounds(s);
	if (argc > 1) {
		cmd_error("apply takes one plan");
		code = EXIT_MISUSE;
	} else if (argc == 1 && read_plan(&s->plan, argv[0]) < 0) {
		code = EXIT_FAILED;
	} else if (s->plan.n_sets + s->plan.n_notrack == 0) {
		cmd_error("nothing to apply: give a plan, --set NAME=VALUE or --notrack CLASS");
		code = EXIT_MISUSE;
	} else {
		code = apply(&run);
	}
	plan_fini(&s->plan);
	return code;
}

const struct command command_apply = {
	.name = "apply",
	.summary = "Change this machine, with a way back",
	.arguments = "[PLAN]",
	.options = apply_options,
	.option = apply_option,
	.run = apply_run,
	.state_size = sizeof(struct apply_state),
};
