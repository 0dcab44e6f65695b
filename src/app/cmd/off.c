/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conntune off: what keeps connection tracking on, in which order it could go, and what is lost.
 */
#include "ops/notrack/off.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "app/cmd/cmd.h"
#include "app/cmd/rule_sides.h"
#include "lib/base/buf.h"

#define MAX_SHOWN 20

static const struct option_spec off_options[] = { { NULL, 0, NULL, 0, NULL } };

static int off_option(void *state, int key, const char *value, struct ct_err *err)
{
	(void)state;
	(void)key;
	(void)value;
	(void)err;
	return -EINVAL;
}

/* What was found, while it is told. */
struct telling {
	struct writer *w;
	bool is_json;
	const char *name;
	unsigned n[OFF_WHYS], n_all, n_modules;
};

static bool tell_rule(void *user, enum off_why why, const char *table, unsigned line,
		      const char *words)
{
	struct telling *t = user;
	char where[200];

	t->n[why]++;
	if (!t->is_json && t->n_all++ >= MAX_SHOWN)
		return true;
	(void)snprintf(where, sizeof(where), "%.100s:%u", t->name, line);
	writer_row(t->w);
	writer_str(t->w, "why", NULL, off_why_text(why));
	writer_str(t->w, "table", NULL, table);
	writer_str(t->w, "where", NULL, where);
	writer_str(t->w, "rule", NULL, words);
	writer_end(t->w);
	return true;
}

static void tell_module(void *user, const char *name, unsigned n_users)
{
	struct telling *t = user;

	if (t->n_modules++ == 0)
		writer_list(t->w, "modules", NULL, NULL, 0);
	writer_row(t->w);
	writer_str(t->w, "module", NULL, name);
	writer_u64(t->w, "users", NULL, n_users);
	writer_end(t->w);
}

static void text_module(void *user, const char *name, unsigned n_users)
{
	struct telling *t = user;
	char text[100];

	(void)n_users;
	t->n_modules++;
	(void)snprintf(text, sizeof(text), "    modprobe -r %s", name);
	writer_para(t->w, 0, text);
}

static int tell_rules(struct telling *t, const struct rule_sides *sides, struct ct_err *err)
{
	static const struct writer_column columns[] = { { "why", "WHY", false },
							{ "where", "WHERE", false },
							{ "rule", "RULE", false } };
	int r = 0;

	writer_list(t->w, "rules", "These rules keep tracking on", columns, 3);
	for (unsigned i = 0; r >= 0 && i < 2; i++) {
		const struct rule_side *side = i ? &sides->v6 : &sides->v4;

		t->name = side->name;
		if (side->rules)
			r = off_rules(side->rules, tell_rule, t, err);
	}
	writer_end(t->w);
	return r < 0 ? r : 0;
}

/* The steps, in the order in which they work. */
static void text_steps(struct telling *t, const char *modules)
{
	char text[300];
	unsigned n = 0;

	if (t->n_all > MAX_SHOWN) {
		(void)snprintf(text, sizeof(text), "(%u more; --json has all)",
			       t->n_all - MAX_SHOWN);
		writer_para(t->w, 0, text);
	}
	if (t->n[OFF_NAT]) {
		writer_para_styled(
			t->w, WRITER_WARNING, 0,
			"Translations need it: as long as these rules are wanted, tracking "
			"stays. Exempt what fills the table instead: conntune notrack.");
		return;
	}
	writer_para_styled(t->w, WRITER_BOLD, 0, "In this order");
	if (t->n[OFF_IDLE]) {
		(void)snprintf(
			text, sizeof(text),
			"%u. Take the matches on states out of the %u rules that ask in vain; "
			"conntune prove shows that no packet changes its fate.",
			++n, t->n[OFF_IDLE]);
		writer_para(t->w, 2, text);
	}
	if (t->n[OFF_STATE]) {
		(void)snprintf(
			text, sizeof(text),
			"%u. Rewrite the %u rules that decide by states: what is accepted as "
			"NEW by port and address, its answers by source port. What was "
			"accepted as ESTABLISHED alone is open to everybody then, or closed.",
			++n, t->n[OFF_STATE]);
		writer_para(t->w, 2, text);
	}
	if (t->n[OFF_ENTRY]) {
		(void)snprintf(
			text, sizeof(text),
			"%u. Do without the %u rules that need entries: limits by connection, "
			"marks, helpers, zones.",
			++n, t->n[OFF_ENTRY]);
		writer_para(t->w, 2, text);
	}
	(void)snprintf(text, sizeof(text),
		       "%u. Once no rule needs it the kernel stops tracking at once; entries that "
		       "stand run out, or go with conntrack -F.",
		       ++n);
	writer_para(t->w, 2, text);
	if (off_modules(modules, text_module, t) == 0)
		writer_para(t->w, 2,
			    "The modules above then go in that order; nothing loads them "
			    "again that conntune boot does not name.");
	else
		writer_para(t->w, 2, "The tracker is no loaded module here: nothing to unload.");
	writer_para_styled(t->w, WRITER_BOLD, 0, "What is lost");
	writer_para(t->w, 2,
		    "Rules by state, NAT, helpers (FTP and the like), conntrack(8), connmarks; and "
		    "fragments are no longer put together before the rules see them.");
}

static void json_counts(struct telling *t, const char *modules)
{
	static const char *const keys[] = { "n_nat", "n_state", "n_idle", "n_entry" };

	for (unsigned i = 0; i < OFF_WHYS; i++)
		writer_u64(t->w, keys[i], NULL, t->n[i]);
	writer_bool(t->w, "is_possible", NULL, t->n[OFF_NAT] == 0);
	(void)off_modules(modules, tell_module, t);
	if (t->n_modules)
		writer_end(t->w);
}

static int say(struct telling *t, const struct common_options *common, struct host *h,
	       const struct rule_sides *sides, struct ct_err *err)
{
	auto_fini(ct_buf) struct ct_buf modules = { 0 };
	int r;

	writer_begin(t->w, "off", 1);
	r = tell_rules(t, sides, err);
	if (r < 0)
		return r;
	(void)host_read(h, "/proc/modules", &modules);
	if (common->is_json)
		json_counts(t, modules.p ? modules.p : "");
	else
		text_steps(t, modules.p ? modules.p : "");
	return 0;
}

static int off_run(void *state, const struct common_options *common, int argc, char **argv)
{
	struct rule_sides sides = { 0 };
	auto_free(writer) struct writer *w = NULL;
	auto_free(host) struct host *h = cmd_host(common);
	struct telling t = { .is_json = common->is_json };
	struct ct_err err = { "" };
	int r = 0;

	(void)state;
	if (!h)
		return EXIT_FAILED;
	for (int i = 0; r == 0 && i < argc; i++)
		r = rule_sides_add(&sides, argv[i], &err);
	if (argc == 0)
		r = rule_sides_live(&sides, common, &err);
	w = t.w = r == 0 ? cmd_writer(common) : NULL;
	if (w)
		r = say(&t, common, h, &sides, &err);
	rule_sides_fini(&sides);
	if (r < 0)
		cmd_error("off: %s", err.text);
	return w && r == 0 ? cmd_finish(w) : EXIT_FAILED;
}

const struct command command_off = {
	.name = "off",
	.summary = "Tell what keeps tracking on, and how to switch it off",
	.arguments = "[FILE ...]",
	.options = off_options,
	.option = off_option,
	.run = off_run,
	.state_size = 1,
};
