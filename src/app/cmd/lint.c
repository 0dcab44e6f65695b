/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conntune lint: what is wrong with a rule set's use of tracking.
 */
#include "ops/lint/lint.h"

#include <errno.h>
#include <string.h>

#include "app/cmd/cmd.h"
#include "app/cmd/findings.h"
#include "app/cmd/rule_sides.h"

enum lint_key { KEY_SEVERITY = 1, KEY_LIVE };

struct lint_state {
	enum severity severity; /* 0 (OK) is "not given" */
	bool is_live;
};

static const struct option_spec lint_options[] = {
	{ "severity", 0, "LEVEL", KEY_SEVERITY,
	  "exit with 3 from note, warning (default) or critical on" },
	{ "live", 0, NULL, KEY_LIVE, "the machine's own rules; so without a FILE" },
	{ NULL, 0, NULL, 0, NULL },
};

static int lint_option(void *state, int key, const char *value, struct ct_err *err)
{
	struct lint_state *s = state;

	switch ((enum lint_key)key) {
	case KEY_SEVERITY:
		return finding_severity(value, &s->severity, err);
	case KEY_LIVE:
		s->is_live = true;
		return 0;
	}
	return -EINVAL;
}

static void say_text(struct writer *w, struct report *r)
{
	const char *fine = "";

	for (size_t i = 0; i < report_n(r); i++) {
		const struct finding *x = report_at(r, i);

		if (x->severity > SEVERITY_NOT_JUDGED)
			finding_text(w, r, x);
	}
	for (size_t i = 0; i < report_n(r); i++) {
		const struct finding *x = report_at(r, i);

		if (x->severity == SEVERITY_OK)
			fine = report_text(r, "%s%s%s %s", fine, fine[0] ? ", " : "", x->id,
					   x->name);
		else if (x->severity == SEVERITY_NOT_JUDGED)
			writer_para(w, 0, report_text(r, "%s %s: %s", x->id, x->name, x->sentence));
	}
	if (fine[0])
		writer_para(w, 0, report_text(r, "Proved for every packet: nothing of %s.", fine));
}

static int say(const struct lint_state *s, const struct common_options *common,
	       const struct rule_sides *sides, struct report *r)
{
	auto_free(writer) struct writer *w = cmd_writer(common);
	enum severity limit = s->severity ? s->severity : SEVERITY_WARNING;

	if (!w)
		return EXIT_FAILED;
	writer_begin(w, "lint", 1);
	if (common->is_json) {
		writer_list(w, "rules", NULL, NULL, 0);
		for (unsigned i = 0; i < 2; i++) {
			const struct rule_side *side = i ? &sides->v6 : &sides->v4;

			if (!side->rules)
				continue;
			writer_row(w);
			writer_str(w, "family", NULL, i ? "ipv6" : "ipv4");
			writer_str(w, "name", NULL, side->name);
			writer_end(w);
		}
		writer_end(w);
		writer_str(w, "severity", NULL, severity_name(report_worst(r)));
		findings_json(w, r);
	} else {
		say_text(w, r);
	}
	if (cmd_finish(w) != EXIT_DONE)
		return EXIT_FAILED;
	return report_worst(r) >= limit ? EXIT_FINDINGS : EXIT_DONE;
}

static int read_rules(const struct lint_state *s, const struct common_options *common, int argc,
		      char **argv, struct rule_sides *sides, struct ct_err *err)
{
	int r = 0;

	for (int i = 0; r == 0 && i < argc; i++)
		r = rule_sides_add(sides, argv[i], err);
	if (argc > 0 && s->is_live && r == 0)
		return ct_err_set(err, -EINVAL, "either --live or a FILE");
	return argc > 0 ? r : rule_sides_live(sides, common, err);
}

static int lint_main(void *state, const struct common_options *common, int argc, char **argv)
{
	struct rule_sides sides = { 0 };
	auto_free(report) struct report *r = NULL;
	struct ct_err err = { "" };
	struct lint_subject subject;
	int code, ret = read_rules(state, common, argc, argv, &sides, &err);

	subject = (struct lint_subject){ { sides.v4.rules, sides.v4.name },
					 { sides.v6.rules, sides.v6.name } };
	if (ret == 0)
		ret = report_new(&r);
	if (ret == 0)
		ret = lint_run(&subject, r, &err);
	if (ret < 0) {
		cmd_error("lint: %s", err.text[0] ? err.text : strerror(-ret));
		code = EXIT_FAILED;
	} else {
		code = say(state, common, &sides, r);
	}
	rule_sides_fini(&sides);
	return code;
}

const struct command command_lint = {
	.name = "lint",
	.summary = "Find what is wrong with the use of tracking in rules, proved",
	.arguments = "[FILE ...]",
	.options = lint_options,
	.option = lint_option,
	.run = lint_main,
	.state_size = sizeof(struct lint_state),
};
