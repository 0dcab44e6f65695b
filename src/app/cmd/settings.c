/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conntune settings: every knob now, after the next boot and by default, with where each value
 * comes from; and one knob explained.
 */
#include "ops/settings/settings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "app/cmd/cmd.h"
#include "ops/host/netns.h"
#include "ops/settings/boot.h"

enum { SETTINGS_CHANGED = 1, SETTINGS_ALL };

struct settings_state {
	bool is_changed_only, is_all;
};

static const struct option_spec settings_options[] = {
	{ "changed", 'c', NULL, SETTINGS_CHANGED,
	  "only what differs from its default, at boot, or is assigned in a file" },
	{ "all", 'a', NULL, SETTINGS_ALL, "also what this kernel does not have" },
	{ NULL, 0, NULL, 0, NULL },
};

static int settings_option(void *state, int key, const char *value, struct ct_err *err)
{
	struct settings_state *s = state;

	(void)value, (void)err;
	s->is_changed_only |= key == SETTINGS_CHANGED;
	s->is_all |= key == SETTINGS_ALL;
	return 0;
}

/* What stands for a value that is not known. */
static const char *why_unknown(const struct setting_value *v)
{
	switch (v->error) {
	case -EACCES:
	case -EPERM:
		return "no right to read it";
	case -ENOENT:
		return v->setting->is_hidden ? "not shown" : "absent";
	case -EINVAL:
		return "not a number";
	default:
		return "unreadable";
	}
}

static void put_now(struct writer *w, const struct setting_value *v, const char *label)
{
	if (!v->is_now_known)
		writer_unknown(w, "now", label, why_unknown(v));
	else if (v->setting->unit == SETTING_NAME)
		writer_str(w, "now", label, v->now_text);
	else
		writer_i64(w, "now", label, v->now);
}

static void put_number(struct writer *w, const char *key, const char *label, bool is_known,
		       int64_t value)
{
	if (is_known)
		writer_i64(w, key, label, value);
	else
		writer_unknown(w, key, label, "it has none, or it depends on what is not known");
}

/* Where the value after the boot comes from, in a few words. */
static void put_origin(struct writer *w, const struct setting_value *v)
{
	char text[256];

	if (v->boot_fate == SETTING_UNSET)
		(void)snprintf(text, sizeof(text), "%s",
			       v->is_now_known && v->is_default_known && v->now != v->by_default
				       ? "set by hand or by a program"
				       : "");
	else if (v->boot_fate == SETTING_APPLIED)
		(void)snprintf(text, sizeof(text), "%s", v->boot_origin);
	else
		(void)snprintf(text, sizeof(text), "%s (%s)", v->boot_origin,
			       setting_fate_name(v->boot_fate));
	writer_str(w, "origin", NULL, text);
}

static bool is_changed(const struct setting_value *v)
{
	return v->boot_fate != SETTING_UNSET ||
	       (v->is_now_known && v->is_default_known && v->now != v->by_default) ||
	       (v->is_now_known && v->is_after_known && v->now != v->after);
}

/* Whether the plain list leaves it out: no file and no line about it, or a logger that is none. */
static bool is_dull(const struct setting_value *v)
{
	if (v->boot_fate != SETTING_UNSET)
		return false;
	return (!v->is_now_known && v->error == -ENOENT) ||
	       (v->setting->unit == SETTING_NAME && strcmp(v->now_text, "NONE") == 0);
}

/* A name asks for every knob that has it as a part; none asks for all. */
static bool is_asked(const struct setting *s, int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		if (settings_find(argv[i]) == s || strstr(s->name, argv[i]))
			return true;
	return argc == 0;
}

static void show_row(struct writer *w, const char *netns, const struct setting_value *v)
{
	writer_row(w);
	if (netns)
		writer_str(w, "netns", NULL, netns);
	writer_str(w, "name", NULL, v->setting->name);
	writer_str(w, "key", NULL, v->setting->key);
	put_now(w, v, NULL);
	if (v->is_after_known)
		writer_i64(w, "after_boot", NULL, v->after);
	if (v->is_default_known)
		writer_i64(w, "default", NULL, v->by_default);
	writer_str(w, "unit", NULL, setting_unit_name(v->setting->unit));
	writer_str(w, "scope", NULL, setting_scope_name(v->setting->scope));
	writer_bool(w, "is_writable", NULL, v->is_writable);
	if (v->now_path[0])
		writer_str(w, "path", NULL, v->now_path);
	writer_str(w, "fate", NULL, setting_fate_name(v->boot_fate));
	if (v->boot_why[0])
		writer_str(w, "why", NULL, v->boot_why);
	put_origin(w, v);
	writer_end(w);
}

/* A run: what was asked, and where the rows go. */
struct settings_run {
	struct writer *w;
	const struct settings_state *o;
	int argc;
	char **argv;
	bool has_netns;
};

static void begin_list(const struct settings_run *run)
{
	static const struct writer_column columns[] = {
		{ "netns", "namespace", false }, { "name", "setting", false },
		{ "now", "now", true },		 { "after_boot", "after boot", true },
		{ "default", "default", true },	 { "unit", "unit", false },
		{ "origin", "origin", false },
	};
	size_t skipped = run->has_netns ? 0 : 1;

	writer_list(run->w, "settings", NULL, columns + skipped, 7 - skipped);
}

static void show_rows(const struct settings_run *run, const char *netns, const struct settings *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct setting_value *v = &s->at[i];

		if (!is_asked(v->setting, run->argc, run->argv) ||
		    (run->o->is_changed_only && !is_changed(v)))
			continue;
		if (is_dull(v) && !run->o->is_all && run->argc == 0)
			continue;
		show_row(run->w, netns, v);
	}
}

static void show_assignments(struct writer *w, const struct boot *b, const struct setting *only,
			     bool is_told_whole)
{
	static const struct writer_column columns[] = {
		{ "origin", "file", false }, { "key", "assigns", false },
		{ "value", "value", true },  { "fate", "at boot", false },
		{ "why", "because", false },
	};
	bool is_begun = false;

	for (size_t i = 0; i < b->n; i++) {
		const struct boot_assignment *a = &b->at[i];

		if ((only && a->setting != only) || (!is_told_whole && a->fate == SETTING_APPLIED))
			continue;
		if (!is_begun)
			writer_list(w, "assignments",
				    is_told_whole ? "Assigned in files"
						  : "Assigned in files, but not what will hold",
				    columns, 5);
		is_begun = true;
		writer_row(w);
		writer_str(w, "origin", NULL, a->origin);
		writer_str(w, "key", NULL, a->key);
		writer_str(w, "value", NULL, a->value);
		writer_str(w, "fate", NULL, setting_fate_name(a->fate));
		writer_str(w, "why", NULL, a->why);
		writer_end(w);
	}
	if (is_begun)
		writer_end(w);
}

static void show_boot(struct writer *w, const struct boot *b)
{
	static const struct writer_column loader_columns[] = {
		{ "when", "when", false },
		{ "module", "module", false },
		{ "origin", "loaded by", false },
		{ "is_certain", "certain", false },
	};
	const char *kind = b->kind == BOOT_BUILT_IN ? "built into the kernel"
			   : b->kind == BOOT_MODULE ? "a module"
						    : NULL;

	writer_section(w, "boot", "Boot");
	if (b->init != BOOT_UNKNOWN_INIT)
		writer_str(w, "init", "init system", boot_init_name(b->init));
	else
		writer_unknown(w, "init", "init system", "not known");
	if (b->init != BOOT_UNKNOWN_INIT)
		writer_str(w, "reader", "files applied by", b->reader);
	if (kind)
		writer_str(w, "tracker", "the tracker is", kind);
	else
		writer_unknown(w, "tracker", "the tracker is", "not known");
	if (b->kind_origin)
		writer_str(w, "tracker_shown_by", "shown by", b->kind_origin);
	if (b->blocked_by)
		writer_str(w, "blocked_by", "kept from loading by", b->blocked_by);
	writer_end(w);
	if (b->n_loaders && b->kind != BOOT_BUILT_IN) {
		writer_list(w, "loaders", "Who loads it", loader_columns, 4);
		for (size_t i = 0; i < b->n_loaders; i++) {
			const struct boot_loader *l = &b->loaders[i];

			writer_row(w);
			writer_str(w, "when", NULL,
				   l->when == BOOT_EARLY ? "before the files" : "after the files");
			writer_str(w, "module", NULL, l->module);
			writer_str(w, "origin", NULL, l->origin);
			writer_bool(w, "is_certain", NULL, l->is_certain);
			writer_end(w);
		}
		writer_end(w);
	}
	for (size_t i = 0; i < b->n_remarks; i++)
		writer_para(w, 0, b->remarks[i]);
}

static void bounds_text(const struct setting *s, char *out, size_t size)
{
	if (s->unit == SETTING_SECONDS)
		(void)snprintf(out, size, "up to 2147483647 ticks (8589934 s at HZ=250)");
	else if (s->unit == SETTING_NAME)
		(void)snprintf(out, size, "the name of a logger, or NONE");
	else if (s->max == INT64_MAX)
		(void)snprintf(out, size, "%" PRId64 " or more", s->min);
	else
		(void)snprintf(out, size, "%" PRId64 " to %" PRId64, s->min, s->max);
}

/* "net.ipv4.ip_conntrack_max (until Linux 4.9)" */
static void show_spellings(struct writer *w, const struct setting *s)
{
	static const struct writer_column columns[] = {
		{ "key", "also spelled", false },
		{ "until", "until Linux", false },
	};

	if (!s->aliases[0].key)
		return;
	writer_list(w, "spellings", NULL, columns, 2);
	for (size_t i = 0; i < SETTING_MAX_ALIASES && s->aliases[i].key; i++) {
		uint32_t until = s->aliases[i].until;
		char text[32];

		writer_row(w);
		writer_str(w, "key", NULL, s->aliases[i].key);
		if (until == UINT32_MAX)
			(void)snprintf(text, sizeof(text), "still");
		else if (until < RELEASE(3, 0, 0))
			(void)snprintf(text, sizeof(text), "%u.%u.%u", until / 1000000,
				       until / 1000 % 1000, until % 1000);
		else
			(void)snprintf(text, sizeof(text), "%u.%u", until / 1000000,
				       until / 1000 % 1000);
		writer_str(w, "until", NULL, text);
		writer_end(w);
	}
	writer_end(w);
}

/* One knob, told whole. */
static void show_one(struct writer *w, const struct setting_value *v, const struct boot *b)
{
	const struct setting *s = v->setting;
	char bounds[96];

	bounds_text(s, bounds, sizeof(bounds));
	writer_section(w, "setting", s->key);
	writer_str(w, "name", NULL, s->name);
	writer_str(w, "key", NULL, s->key);
	put_now(w, v, "now");
	put_number(w, "after_boot", "after boot", v->is_after_known, v->after);
	put_number(w, "default", "default", v->is_default_known, v->by_default);
	writer_str(w, "unit", "unit", setting_unit_name(s->unit));
	writer_str(w, "scope", "scope", setting_scope_name(s->scope));
	writer_str(w, "bounds", "takes", bounds);
	writer_str(w, "path", "file", v->now_path[0] ? v->now_path : s->path);
	writer_bool(w, "is_writable", "writable by root", v->is_writable);
	writer_str(w, "fate", NULL, setting_fate_name(v->boot_fate));
	writer_str(w, "text", NULL, s->text);
	writer_end(w);
	writer_para(w, 0, "\n");
	writer_para(w, 0, s->text);
	show_assignments(w, b, s, true);
	show_spellings(w, s);
}

/* The machine as it is: all of it, or one knob explained. */
static int show_machine(const struct settings_run *run, struct host *h)
{
	auto_fini(settings) struct settings s = { 0 };
	auto_free(boot) struct boot *b = NULL;
	const struct setting *one = run->argc == 1 ? settings_find(run->argv[0]) : NULL;
	struct ct_err err = { "" };

	if (settings_read(h, &s, &err) < 0 || boot_read(h, &b, &err) < 0) {
		cmd_error("%s", err.text);
		return EXIT_FAILED;
	}
	if (one) {
		show_one(run->w, settings_at(&s, one->name), b);
		return EXIT_DONE;
	}
	begin_list(run);
	show_rows(run, NULL, &s);
	writer_end(run->w);
	if (run->argc == 0) {
		show_boot(run->w, b);
		show_assignments(run->w, b, NULL, false);
	}
	return EXIT_DONE;
}

/* One namespace of --netns. Only the initial one is there again after a boot. */
static int visit(void *user, struct host *h, const struct netns *ns)
{
	const struct settings_run *run = user;
	auto_fini(settings) struct settings s = { 0 };
	struct ct_err err = { "" };
	char name[128];
	int r;

	r = ns->is_initial ? settings_read(h, &s, &err) : settings_read_now(h, &s, &err);
	if (r < 0) {
		cmd_error("%s", err.text);
		return EXIT_FAILED;
	}
	cmd_netns_name(ns, name, sizeof(name));
	show_rows(run, name, &s);
	return EXIT_DONE;
}

static int settings_show(struct settings_run *run, const struct common_options *common,
			 struct host *h)
{
	int code;

	writer_begin(run->w, "settings", 1);
	if (!run->has_netns) {
		code = show_machine(run, h);
	} else {
		begin_list(run);
		code = cmd_each_netns(common, h, visit, run);
		writer_end(run->w);
	}
	return cmd_finish(run->w) == EXIT_DONE ? code : EXIT_FAILED;
}

static int settings_run(void *state, const struct common_options *common, int argc, char **argv)
{
	auto_free(host) struct host *h = NULL;
	auto_free(writer) struct writer *w = NULL;
	struct settings_run run = { .o = state, .argc = argc, .argv = argv };

	for (int i = 0; i < argc; i++) {
		bool is_part = false;

		for (size_t k = 0; k < settings_n; k++)
			is_part |= strstr(settings_list[k].name, argv[i]) != NULL;
		if (!is_part && !settings_find(argv[i])) {
			cmd_error("no setting '%s'; 'conntune settings' lists them", argv[i]);
			return EXIT_MISUSE;
		}
	}
	h = cmd_host(common);
	w = h ? cmd_writer(common) : NULL;
	run.w = w;
	run.has_netns = common->netns != NULL;
	return w ? settings_show(&run, common, h) : EXIT_FAILED;
}

const struct command command_settings = {
	.name = "settings",
	.summary = "Show every setting now, after a boot and by default; explain one",
	.arguments = "[NAME...]",
	.options = settings_options,
	.option = settings_option,
	.run = settings_run,
	.state_size = sizeof(struct settings_state),
};
