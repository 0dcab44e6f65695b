/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conntune plan: what to change, in which order, with the effect of each step tried on the table.
 */
#include "ops/plan/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "app/cmd/cmd.h"
#include "app/cmd/rule_sides.h"
#include "app/cmd/via.h"
#include "lib/base/number.h"
#include "ops/advice/advice.h"
#include "ops/diagnose/judge.h"
#include "ops/notrack/notrack.h"

enum plan_key {
	KEY_MEMORY = 1,
	KEY_HEADROOM,
	KEY_GROWTH,
	KEY_KEEP,
	KEY_NO_RULES,
	KEY_OUT,
	KEY_VIA
};

struct plan_state {
	struct advice_goal goal;
	const char *out;
	enum table_via via;
};

static const struct option_spec plan_options[] = {
	{ "memory", 'm', "SIZE", KEY_MEMORY, "what the table may take; an eighth by default" },
	{ "headroom", 0, "FACTOR", KEY_HEADROOM, "room for so many times the entries (2)" },
	{ "growth", 'g', "FACTOR", KEY_GROWTH, "so many times the connections: 3x, +20%" },
	{ "keep-sessions", 0, "TIME", KEY_KEEP, "silence a session must survive (2h15m)" },
	{ "no-rules", 0, NULL, KEY_NO_RULES, "settings only, no NOTRACK" },
	{ "output", 'o', "FILE", KEY_OUT,
	  "write the plan there, for conntune apply; '-' prints it" },
	{ "via", 0, "WAY", KEY_VIA, "read the table by netlink, bpf or auto" },
	{ NULL, 0, NULL, 0, NULL },
};

static int take_factor(const char *name, const char *value, double *out, struct ct_err *err)
{
	struct change c = { .n_sets = 0 };

	if (change_set_growth(&c, value, err) < 0)
		return ct_err_set(err, -EINVAL, "--%s takes 3x, 1.5 or +20%%, not '%.40s'", name,
				  value);
	*out = c.growth;
	return 0;
}

static int take_keep(const char *value, uint32_t *out, struct ct_err *err)
{
	uint64_t s;

	if (ct_number_duration(value, strlen(value), &s) < 0 || s < 60 || s > 432000)
		return ct_err_set(
			err, -EINVAL,
			"--keep-sessions takes a time from 1 minute to 5 days, not '%.40s'", value);
	*out = (uint32_t)s;
	return 0;
}

static int plan_option(void *state, int key, const char *value, struct ct_err *err)
{
	struct plan_state *s = state;

	switch ((enum plan_key)key) {
	case KEY_MEMORY:
		if (ct_number_size(value, strlen(value), &s->goal.mem_bytes) < 0 ||
		    s->goal.mem_bytes < 1 << 20)
			return ct_err_set(err, -EINVAL,
					  "--memory takes a size from 1M, not '%.40s'", value);
		return 0;
	case KEY_HEADROOM:
		return take_factor("headroom", value, &s->goal.headroom, err);
	case KEY_GROWTH:
		return take_factor("growth", value, &s->goal.growth, err);
	case KEY_KEEP:
		return take_keep(value, &s->goal.keep_sessions_s, err);
	case KEY_NO_RULES:
		s->goal.no_rules = true;
		return 0;
	case KEY_OUT:
		s->out = value;
		return 0;
	case KEY_VIA:
		return via_parse(value, &s->via, err);
	}
	return -EINVAL;
}

/* Gathering -------------------------------------------------------------------------------------
 */

struct planning {
	const struct plan_state *state;
	const struct common_options *common;
	struct facts *facts;   /* owned, as the rest */
	struct report *report; /* what the doctor finds, and all texts */
	struct advice *advice;
	struct rule_sides sides;
	struct endpoints *ends;
	bool is_partial; /* the table was not read to its end */
};

static int append(void *user, const char *text, size_t len)
{
	return ct_buf_put(user, text, len);
}

/* Could rules keep that class out of the tracker? With rules unknown nobody can say. */
static int can_exempt(void *user, const char *class, struct ct_err *err)
{
	struct planning *g = user;
	struct notrack_class c = { .role = strstr(class, " dst ") ? NOTRACK_CLIENT
								  : NOTRACK_LOCAL };
	auto_fini(ct_buf) struct ct_buf text = { 0 };
	struct notrack n = { 0 };
	int r = notrack_read(&c, strcmp(class, "lo") == 0 ? "loopback" : class, err);

	if (r < 0 || !g->sides.v4.rules)
		return r;
	r = ct_ruleset_print(g->sides.v4.rules, 0, append, &text);
	if (r == 0)
		r = notrack_make(&n, &c, text.p ? text.p : "", text.len, CT_SYNTAX_IPTABLES, err);
	notrack_fini(&n);
	return r;
}

static int read_table(void *user, struct host *h, const struct netns *ns)
{
	struct planning *g = user;
	struct table_options o = { .want = advice_want(g->advice),
				   .allow_proc = true,
				   .via = g->state->via };
	auto_free(table) struct table *t = NULL;
	struct ct_err err = { "" };
	struct ct_entry e;
	int r;

	(void)ns;
	if (via_open(g->common, h, &o, &t, &err) < 0) {
		cmd_error("plan: %s", err.text);
		return EXIT_FAILED;
	}
	while ((r = table_next(t, &e, &err)) > 0)
		advice_add(g->advice, &e);
	g->is_partial |= r < 0;
	return EXIT_DONE;
}

static int gather(struct planning *g, struct host *h)
{
	struct facts_options o = { .want_table = true,
				   .want_rules = true,
				   .want_sockets = true,
				   .want_boot = true,
				   .netns = g->common->netns };
	struct ct_err err = { "" };
	uint64_t seed;
	int r;

	if (getrandom(&seed, sizeof(seed), 0) < 0)
		seed = (uint64_t)getpid();
	r = facts_collect(h, &o, &g->facts, &err);
	if (r == 0)
		r = report_new(&g->report);
	if (r == 0)
		r = check_run(g->facts, NULL, g->report, &err);
	if (r == 0 && !g->facts->netns[0].has_settings)
		r = ct_err_set(&err, -ENOENT, "the settings of this machine cannot be read");
	if (r == 0)
		r = advice_new(g->facts, g->report, &g->state->goal, seed, &g->advice);
	if (r == 0 && !g->state->goal.no_rules) {
		(void)rule_sides_live(&g->sides, g->common, &err);
		advice_try_rules(g->advice, can_exempt, g);
	}
	if (r < 0)
		cmd_error("plan: %s", err.text[0] ? err.text : strerror(-r));
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

/* Telling ---------------------------------------------------------------------------------------
 */

static const char *what_of(struct report *r, const struct advice_step *s)
{
	switch (s->kind) {
	case ADVICE_SET:
		return report_text(r, "%s  %lld -> %lld", s->setting->name, (long long)s->from,
				   (long long)s->to);
	case ADVICE_NOTRACK:
		return report_text(r, "NOTRACK  %s", s->class);
	case ADVICE_APPLICATION:
		break;
	}
	return "in the application";
}

static const char *effect_of(struct report *r, const struct advice_step *s)
{
	const struct level *l = &s->level;

	if (!s->is_counted)
		return NULL;
	if (!l->is_max_known || !l->max)
		return report_text(r, "%.0f entries", s->entries_with);
	return report_text(r,
			   "%.0f entries, %s of the limit; chance that a new connection is "
			   "dropped: %s",
			   s->entries_with, judge_percent(r, l->fill),
			   l->dropped > 0 ? judge_percent(r, l->dropped) : "none");
}

static void text_step(struct planning *g, struct writer *w, size_t i)
{
	const struct advice_step *s = advice_at(g->advice, i);
	struct report *r = g->report;
	const char *effect = effect_of(r, s);

	writer_para_styled(w, WRITER_BOLD, 0,
			   report_text(r, "%zu. %s%s", i + 1, what_of(r, s),
				       s->is_palliative ? "  (a palliative)" : ""));
	writer_para(w, 3, report_text(r, "why     %s", s->reason));
	if (s->cure)
		writer_para(w, 3, report_text(r, "do      %s", s->cure));
	if (effect)
		writer_para(w, 3, report_text(r, "effect  %s", effect));
	if (s->n_breaks)
		writer_para(w, 3,
			    report_text(r, "breaks  %llu sessions whose socket is open here",
					(unsigned long long)s->n_breaks));
	if (s->kind == ADVICE_SET && s->level.cost_full.total_bytes &&
	    strcmp(s->setting->name, "nf_conntrack_max") == 0)
		writer_para(w, 3,
			    report_text(r, "cost    %s when full",
					judge_bytes(r, s->level.cost_full.total_bytes)));
	if (s->danger)
		writer_para(w, 3, report_text(r, "danger  %s", s->danger));
	if (s->undo)
		writer_para(w, 3, report_text(r, "undo    %s", s->undo));
}

static void say_text(struct planning *g, struct writer *w)
{
	struct report *r = g->report;
	const struct level *now = advice_now(g->advice);
	const char *why;

	writer_para(
		w, 0,
		now->is_max_known && now->max
			? report_text(r, "%.0f of %llu entries (%s); there shall be room for %.0f.",
				      now->entries, (unsigned long long)now->max,
				      judge_percent(r, now->fill), advice_needed(g->advice))
			: report_text(r, "%.0f entries; there shall be room for %.0f.",
				      now->entries, advice_needed(g->advice)));
	writer_para(w, 0, "\n");
	for (size_t i = 0; i < advice_n(g->advice); i++)
		text_step(g, w, i);
	if (advice_n(g->advice) == 0)
		writer_para_styled(w, WRITER_GOOD, 0, "Nothing needs to be changed.");
	for (size_t i = 0; (why = advice_left_out(g->advice, i)); i++)
		writer_para(w, 0, report_text(r, "Left out: %s", why));
	if (advice_n(g->advice) && g->state->out && strcmp(g->state->out, "-") != 0)
		writer_para(w, 0,
			    report_text(r, "\nconntune apply %s makes it so.", g->state->out));
}

static void json_step(struct planning *g, struct writer *w, size_t i)
{
	static const char *const kinds[] = { "set", "notrack", "application" };
	const struct advice_step *s = advice_at(g->advice, i);

	writer_row(w);
	writer_str(w, "kind", NULL, kinds[s->kind]);
	if (s->kind == ADVICE_SET) {
		writer_str(w, "setting", NULL, s->setting->name);
		writer_i64(w, "from", NULL, s->from);
		writer_i64(w, "to", NULL, s->to);
	}
	if (s->kind == ADVICE_NOTRACK)
		writer_str(w, "class", NULL, s->class);
	writer_str(w, "reason", NULL, s->reason);
	if (s->cure)
		writer_str(w, "cure", NULL, s->cure);
	if (s->danger)
		writer_str(w, "danger", NULL, s->danger);
	if (s->undo)
		writer_str(w, "undo", NULL, s->undo);
	writer_bool(w, "is_palliative", NULL, s->is_palliative);
	if (s->is_counted) {
		writer_f64(w, "entries", NULL, s->entries_with, 0);
		if (s->level.is_max_known && s->level.max)
			writer_f64(w, "fill", NULL, s->level.fill, 4);
		writer_f64(w, "dropped", NULL, s->level.dropped, -1);
		writer_u64(w, "breaks", NULL, s->n_breaks);
		writer_u64(w, "cost_bytes", NULL, s->level.cost_full.total_bytes);
	}
	writer_end(w);
}

static void say_json(struct planning *g, struct writer *w)
{
	const struct level *now = advice_now(g->advice);
	const char *why;

	writer_f64(w, "entries", NULL, now->entries, 0);
	if (now->is_max_known)
		writer_u64(w, "max", NULL, now->max);
	writer_f64(w, "needed", NULL, advice_needed(g->advice), 0);
	writer_list(w, "steps", NULL, NULL, 0);
	for (size_t i = 0; i < advice_n(g->advice); i++)
		json_step(g, w, i);
	writer_end(w);
	writer_list(w, "left_out", NULL, NULL, 0);
	for (size_t i = 0; (why = advice_left_out(g->advice, i)); i++) {
		writer_row(w);
		writer_str(w, "why", NULL, why);
		writer_end(w);
	}
	writer_end(w);
}

/* The plan as a file ----------------------------------------------------------------------------
 */

/* What one change can hold: of a namespace not what belongs to the whole machine, and one class of
 * packets, the best; the others wait for the next plan. */
static bool fits(const struct planning *g, const struct plan *p, const struct advice_step *s)
{
	if (s->kind == ADVICE_SET)
		return !g->common->netns || s->setting->scope == SETTING_NETNS;
	return s->kind == ADVICE_NOTRACK && p->n_notrack == 0;
}

static int fill_plan(struct planning *g, struct plan *p, struct ct_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < advice_n(g->advice); i++) {
		const struct advice_step *s = advice_at(g->advice, i);

		if (!fits(g, p, s))
			continue;
		if (s->kind == ADVICE_SET) {
			r = plan_add_set(p,
					 report_text(g->report, "%s=%lld", s->setting->name,
						     (long long)s->to),
					 err);
			if (r == 0) {
				p->set[p->n_sets - 1].is_from_known = true;
				p->set[p->n_sets - 1].from = s->from;
				p->set[p->n_sets - 1].reason = s->reason;
			}
		} else {
			r = plan_add_notrack(p, s->class, err);
			if (r == 0)
				p->notrack[p->n_notrack - 1].reason = s->reason;
		}
	}
	return r;
}

static int put_file(const char *path, const struct ct_buf *text, struct ct_err *err)
{
	auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0)
		return ct_err_set(err, -errno, "%s: %s", path, strerror(errno));
	if (host_write_all(fd, text->p, text->len) < 0)
		return ct_err_set(err, -EIO, "%s: %s", path, strerror(errno));
	return 0;
}

static int write_plan(struct planning *g)
{
	struct plan *p = calloc(1, sizeof(*p));
	auto_fini(ct_buf) struct ct_buf text = { 0 };
	struct ct_err err = { "" };
	int r = p ? fill_plan(g, p, &err) : -ENOMEM;

	if (r == 0)
		r = plan_write(p, &text);
	if (r == 0 && strcmp(g->state->out, "-") == 0)
		r = fwrite(text.p, 1, text.len, stdout) == text.len ? 0 : -EIO;
	else if (r == 0)
		r = put_file(g->state->out, &text, &err);
	if (p)
		plan_fini(p);
	free(p);
	if (r < 0)
		cmd_error("plan: %s", err.text[0] ? err.text : strerror(-r));
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

static int show(struct planning *g)
{
	auto_free(writer) struct writer *w = NULL;

	if (g->state->out && strcmp(g->state->out, "-") == 0)
		return write_plan(g);
	if (g->state->out && write_plan(g) != EXIT_DONE)
		return EXIT_FAILED;
	w = cmd_writer(g->common);
	if (!w)
		return EXIT_FAILED;
	writer_begin(w, "advice", 1);
	if (g->common->is_json)
		say_json(g, w);
	else
		say_text(g, w);
	return cmd_finish(w);
}

static int plan_main(struct planning *g, struct host *h)
{
	int code = gather(g, h);

	if (code != EXIT_DONE)
		return code;
	code = cmd_each_netns(g->common, h, read_table, g);
	if (code != EXIT_DONE)
		return code;
	advice_end(g->advice);
	if (cmd_each_netns(g->common, h, read_table, g) != EXIT_DONE)
		return EXIT_FAILED;
	advice_settle(g->advice);
	if (g->is_partial)
		cmd_warn(g->common, "plan: the table was not read to its end");
	return show(g);
}

static int plan_run(void *state, const struct common_options *common, int argc, char **argv)
{
	struct planning g = { .state = state, .common = common };
	auto_free(host) struct host *h = NULL;
	int code;

	if (argc > 0) {
		cmd_error("plan: '%s' is not understood", argv[0]);
		return EXIT_MISUSE;
	}
	if (common->netns && strcmp(common->netns, "all") == 0) {
		cmd_error("plan looks at one namespace; settings and tables are its own");
		return EXIT_MISUSE;
	}
	h = cmd_host(common);
	code = h ? plan_main(&g, h) : EXIT_FAILED;
	rule_sides_fini(&g.sides);
	advice_free(g.advice);
	report_free(g.report);
	facts_free(g.facts);
	return code;
}

const struct command command_plan = {
	.name = "plan",
	.summary = "Say what to change, each step tried on the table",
	.options = plan_options,
	.option = plan_option,
	.run = plan_run,
	.state_size = sizeof(struct plan_state),
};
