/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conntune doctor: gathers the facts, runs the checks, and says what is wrong: the verdict first,
 * then the findings worst first, then what is fine and what could not be judged.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "app/cmd/cmd.h"
#include "app/cmd/findings.h"
#include "ops/diagnose/check.h"
#include "ops/diagnose/judge.h"

enum doctor_key { KEY_ONLY = 1, KEY_LIST, KEY_SEVERITY, KEY_CHECK, KEY_NO_TABLE, KEY_NOTES };

struct doctor_state {
	const char *only;
	bool is_list, is_check, is_table_unwanted, is_notes;
	enum severity severity; /* 0 (OK) is "not given" */
};

static const struct option_spec doctor_options[] = {
	{ "only", 0, "CHECKS", KEY_ONLY, "run these checks, by id or name: RC2,boot" },
	{ "list", 0, NULL, KEY_LIST, "show the catalogue of checks" },
	{ "severity", 0, "LEVEL", KEY_SEVERITY,
	  "exit with 3 from note, warning (default) or critical on" },
	{ "check", 0, NULL, KEY_CHECK,
	  "one line for Nagios and the like, exit 0 to 3; reads no table" },
	{ "no-table", 0, NULL, KEY_NO_TABLE, "do not read the table itself" },
	{ "notes", 'n', NULL, KEY_NOTES, "show notes whole, not in a line each" },
	{ NULL, 0, NULL, 0, NULL },
};

static int doctor_option(void *state, int key, const char *value, struct ct_err *err)
{
	struct doctor_state *s = state;

	switch ((enum doctor_key)key) {
	case KEY_ONLY:
		s->only = value;
		return 0;
	case KEY_LIST:
		s->is_list = true;
		return 0;
	case KEY_SEVERITY:
		return finding_severity(value, &s->severity, err);
	case KEY_CHECK:
		s->is_check = true;
		return 0;
	case KEY_NO_TABLE:
		s->is_table_unwanted = true;
		return 0;
	case KEY_NOTES:
		s->is_notes = true;
		return 0;
	}
	return -EINVAL;
}

static int list_checks(const struct common_options *common)
{
	static const struct writer_column columns[] = { { "id", "ID", false },
							{ "name", "NAME", false },
							{ "title", "WHAT", false } };
	auto_free(writer) struct writer *w = cmd_writer(common);

	if (!w)
		return EXIT_FAILED;
	writer_begin(w, "doctor-list", 1);
	writer_list(w, "checks", NULL, columns, 3);
	for (size_t i = 0; i < check_n; i++) {
		writer_row(w);
		writer_str(w, "id", NULL, check_list[i].id);
		writer_str(w, "name", NULL, check_list[i].name);
		writer_str(w, "title", NULL, check_list[i].title);
		writer_end(w);
	}
	writer_end(w);
	return cmd_finish(w);
}

/* --- one line for monitoring --- */

static const char *nagios_word(int code)
{
	static const char *const words[] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };

	return words[code];
}

/* 0 to 3, as Nagios understands it. */
static int check_code(const struct facts *f, const struct report *r)
{
	enum severity severity = report_worst(r);

	if (severity == SEVERITY_CRITICAL)
		return 2;
	if (severity == SEVERITY_WARNING)
		return 1;
	if (!f->netns[0].is_count_known && f->module != FACTS_MODULE_ABSENT &&
	    f->module != FACTS_MODULE_LOADABLE)
		return 3;
	return 0;
}

/* The bar begins the figures, and a name of a namespace may hold one. */
static void put_sentence(const char *s)
{
	for (; *s; s++)
		(void)putchar(*s == '|' || *s == '\n' ? ' ' : *s);
}

static int say_check(const struct facts *f, const struct report *r)
{
	const struct facts_netns *ns = &f->netns[0];
	int code = check_code(f, r);

	(void)printf("CONNTRACK %s - ", nagios_word(code));
	if (code == 3)
		(void)printf("there is no connection table to be seen");
	else if (code > 0)
		put_sentence(report_at(r, 0)->sentence);
	else if (ns->is_count_known && ns->is_max_known)
		(void)printf("%llu of %llu entries", (unsigned long long)ns->count,
			     (unsigned long long)ns->max);
	else
		(void)printf("tracking is off");
	if (ns->is_count_known) {
		(void)printf(" | count=%llu", (unsigned long long)ns->count);
		if (ns->is_max_known && ns->max > 0)
			(void)printf(";%llu;%llu;0;%llu", (unsigned long long)(ns->max / 10 * 9),
				     (unsigned long long)ns->max, (unsigned long long)ns->max);
		if (ns->is_stats_known)
			(void)printf(" drop=%lluc early_drop=%lluc insert_failed=%lluc",
				     (unsigned long long)ns->stats.sum[NL_STAT_DROP],
				     (unsigned long long)ns->stats.sum[NL_STAT_EARLY_DROP],
				     (unsigned long long)ns->stats.sum[NL_STAT_INSERT_FAILED]);
	}
	(void)printf("\n");
	return code;
}

/* --- JSON --- */

static void say_json(struct writer *w, const struct facts *f, const struct report *r,
		     const char *verdict)
{
	writer_section(w, "machine", NULL);
	if (f->release[0])
		writer_str(w, "release", NULL, f->release);
	if (f->is_mem_known)
		writer_u64(w, "mem_bytes", NULL, f->mem_bytes);
	if (f->n_cpus)
		writer_u64(w, "cpus", NULL, f->n_cpus);
	writer_end(w);
	writer_str(w, "severity", NULL, severity_name(report_worst(r)));
	writer_str(w, "verdict", NULL, verdict);
	findings_json(w, r);
}

/* --- text --- */

/* Notes in a line each: what hurts must not drown in what is merely worth knowing. */
static void text_notes(struct writer *w, struct report *r)
{
	bool is_first = true;

	for (size_t i = 0; i < report_n(r); i++) {
		const struct finding *x = report_at(r, i);

		if (x->severity != SEVERITY_NOTE)
			continue;
		if (is_first)
			writer_para_styled(
				w, WRITER_NOTE, 0,
				"Worth knowing (--notes shows them with their evidence):");
		is_first = false;
		writer_para(w, 2,
			    report_text(r, "%s %s%s%s: %s", x->id, x->name,
					x->netns ? ", namespace " : "", x->netns ? x->netns : "",
					x->sentence));
	}
	if (!is_first)
		writer_para(w, 0, "\n");
}

/* "Fine: RC4 flood, RC5 udp." in one paragraph. */
static void text_fine(struct writer *w, struct report *r)
{
	const char *list = "";

	for (size_t i = 0; i < report_n(r); i++) {
		const struct finding *x = report_at(r, i);

		if (x->severity == SEVERITY_OK)
			list = report_text(r, "%s%s%s %s", list, list[0] ? ", " : "", x->id,
					   x->name);
	}
	if (list[0])
		writer_para(w, 0, report_text(r, "Judged and fine: %s.", list));
}

/* The first finding not judged for the same reason as finding @i. */
static size_t same_reason(const struct report *r, size_t i)
{
	size_t k = 0;

	while (report_at(r, k)->severity != SEVERITY_NOT_JUDGED ||
	       strcmp(report_at(r, k)->sentence, report_at(r, i)->sentence) != 0)
		k++;
	return k;
}

/* One paragraph for each reason: "RC2 churn, RC4 flood: the table could not be read." */
static void text_not_judged(struct writer *w, struct report *r, const struct facts *f)
{
	bool is_first = true;

	for (size_t i = 0; i < report_n(r); i++) {
		const char *names = "";

		if (report_at(r, i)->severity != SEVERITY_NOT_JUDGED || same_reason(r, i) != i)
			continue;
		if (is_first)
			writer_para(w, 0, "Not judged:");
		is_first = false;
		for (size_t k = i; k < report_n(r); k++) {
			const struct finding *x = report_at(r, k);

			if (x->severity == SEVERITY_NOT_JUDGED && same_reason(r, k) == i)
				names = report_text(r, "%s%s%s %s", names, names[0] ? ", " : "",
						    x->id, x->name);
		}
		writer_para(w, 2, report_text(r, "%s: %s", names, report_at(r, i)->sentence));
	}
	if (!is_first && f->is_live && !f->is_root)
		writer_para(w, 0, "As root more can be seen.");
}

static void text_machine(struct writer *w, struct report *r, const struct facts *f)
{
	const char *text = f->release[0] ? report_text(r, "Linux %s", f->release)
					 : "A kernel of unknown release";

	if (f->is_mem_known)
		text = report_text(r, "%s, %s", text, judge_bytes(r, f->mem_bytes));
	if (f->n_cpus)
		text = report_text(r, "%s, %u processor%s", text, f->n_cpus,
				   f->n_cpus == 1 ? "" : "s");
	if (f->is_uptime_known)
		text = report_text(r, "%s, up %s", text, judge_seconds(r, f->uptime_s));
	writer_para(w, 0, text);
	writer_para(w, 0, "\n");
}

static void say_text(struct writer *w, const struct doctor_state *s, const struct facts *f,
		     struct report *r, const char *verdict)
{
	enum severity worst = report_worst(r);
	enum severity whole = s->is_notes || s->only ? SEVERITY_NOTE : SEVERITY_WARNING;

	writer_para_styled(w, finding_style(worst), 0,
			   report_text(r, "%s: %s", finding_word(worst), verdict));
	text_machine(w, r, f);
	for (size_t i = 0; i < report_n(r); i++)
		if (report_at(r, i)->severity >= whole)
			finding_text(w, r, report_at(r, i));
	if (whole > SEVERITY_NOTE)
		text_notes(w, r);
	text_fine(w, r);
	text_not_judged(w, r, f);
}

static int say_all(const struct doctor_state *s, const struct common_options *common,
		   const struct facts *f, struct report *r)
{
	auto_free(writer) struct writer *w = cmd_writer(common);
	enum severity limit = s->severity ? s->severity : SEVERITY_WARNING;
	const char *verdict = check_verdict(f, r);

	if (!w)
		return EXIT_FAILED;
	writer_begin(w, "doctor", 1);
	if (common->is_json)
		say_json(w, f, r, verdict);
	else
		say_text(w, s, f, r, verdict);
	if (cmd_finish(w) != EXIT_DONE)
		return EXIT_FAILED;
	return report_worst(r) >= limit ? EXIT_FINDINGS : EXIT_DONE;
}

static void json_stat(struct writer *w, const struct stats *s, enum nl_stat stat, const char *key)
{
	if (s->known & 1u << stat)
		writer_u64(w, key, NULL, s->sum[stat]);
}

/* What --check says, for programs. */
static int say_check_json(const struct common_options *common, const struct facts *f,
			  struct report *r)
{
	auto_free(writer) struct writer *w = cmd_writer(common);
	const struct facts_netns *ns = &f->netns[0];
	int code = check_code(f, r);

	if (!w)
		return 3;
	writer_begin(w, "doctor", 1);
	writer_str(w, "check", NULL, nagios_word(code));
	if (ns->is_count_known)
		writer_u64(w, "count", NULL, ns->count);
	if (ns->is_max_known)
		writer_u64(w, "max", NULL, ns->max);
	if (ns->is_stats_known) {
		json_stat(w, &ns->stats, NL_STAT_DROP, "drop");
		json_stat(w, &ns->stats, NL_STAT_EARLY_DROP, "early_drop");
		json_stat(w, &ns->stats, NL_STAT_INSERT_FAILED, "insert_failed");
	}
	say_json(w, f, r, check_verdict(f, r));
	return cmd_finish(w) == EXIT_DONE ? code : 3;
}

static int doctor_run(void *state, const struct common_options *common, int argc, char **argv)
{
	struct doctor_state *s = state;
	struct facts_options o = {
		.want_table = !s->is_table_unwanted && !s->is_check,
		.want_rules = !s->is_check,
		.want_sockets = !s->is_check,
		.want_logs = !s->is_check,
		.want_boot = !s->is_check,
		.netns = common->netns,
	};
	auto_free(host) struct host *h = NULL;
	auto_free(facts) struct facts *f = NULL;
	auto_free(report) struct report *r = NULL;
	struct ct_err err = { "" };
	int e;

	if (argc > 0) {
		cmd_error("doctor: '%s' is not understood", argv[0]);
		return EXIT_MISUSE;
	}
	if (s->is_list)
		return list_checks(common);
	h = cmd_host(common);
	if (!h)
		return EXIT_FAILED;
	if (facts_collect(h, &o, &f, &err) < 0 || report_new(&r) < 0) {
		cmd_error("%s", err.text[0] ? err.text : "out of memory");
		return EXIT_FAILED;
	}
	e = check_run(f, s->only, r, &err);
	if (e < 0) {
		cmd_error("%s", err.text);
		return e == -EINVAL ? EXIT_MISUSE : EXIT_FAILED;
	}
	if (s->is_check && common->is_json)
		return say_check_json(common, f, r);
	return s->is_check ? say_check(f, r) : say_all(s, common, f, r);
}

const struct command command_doctor = {
	.name = "doctor",
	.summary = "Say what is wrong with connection tracking, why, and what to do",
	.options = doctor_options,
	.option = doctor_option,
	.run = doctor_run,
	.state_size = sizeof(struct doctor_state),
};
