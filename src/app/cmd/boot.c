/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conntune boot: a rehearsal of the next boot: who loads the tracker and who sets what, in order,
 * what will hold then beside what holds now, and which lines do nothing, and why.
 */
#include "ops/settings/boot.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "app/cmd/cmd.h"

static const struct option_spec boot_options[] = { { NULL, 0, NULL, 0, NULL } };

static int boot_option(void *state, int key, const char *value, struct ct_err *err)
{
	(void)state, (void)key, (void)value, (void)err;
	return 0;
}

/* One line of the rehearsal. */
struct boot_row {
	const char *stage, *origin;
	char what[160];
	const char *effect; /* a fate, or "loads" */
	const char *why;
};

/* The rehearsal while it is written. */
struct rehearsal {
	struct writer *w;
	const struct boot *b;
	unsigned n;
};

static void put_row(struct rehearsal *r, const struct boot_row *row)
{
	writer_row(r->w);
	writer_u64(r->w, "step", NULL, ++r->n);
	writer_str(r->w, "stage", NULL, row->stage);
	writer_str(r->w, "origin", NULL, row->origin);
	writer_str(r->w, "what", NULL, row->what);
	writer_str(r->w, "effect", NULL, row->effect);
	writer_str(r->w, "why", NULL, row->why ? row->why : "");
	writer_end(r->w);
}

static void put_assignments(struct rehearsal *r, enum boot_source source, const char *stage)
{
	for (size_t i = 0; i < r->b->n; i++) {
		const struct boot_assignment *a = &r->b->at[i];
		struct boot_row row = { stage, a->origin, "", setting_fate_name(a->fate), a->why };

		if (a->source != source)
			continue;
		(void)snprintf(row.what, sizeof(row.what), "%.100s = %.40s", a->key, a->value);
		put_row(r, &row);
	}
}

static unsigned put_loaders(struct rehearsal *r, enum boot_when when, const char *stage)
{
	unsigned n = 0;

	for (size_t i = 0; r->b->kind != BOOT_BUILT_IN && i < r->b->n_loaders; i++) {
		const struct boot_loader *l = &r->b->loaders[i];
		struct boot_row row = { stage, l->origin, "", l->is_certain ? "loads" : "may load",
					NULL };

		if (l->when != when)
			continue;
		(void)snprintf(row.what, sizeof(row.what), "module %.100s", l->module);
		put_row(r, &row);
		n += l->is_certain;
	}
	return n;
}

static void put_reapplies(struct rehearsal *r)
{
	for (size_t i = 0; i < r->b->n_reapplies; i++) {
		const struct boot_reapply *re = &r->b->reapplies[i];
		struct boot_row row = { "module appears", re->origin, "", "applies", NULL };

		if (re->reads_conf_only)
			row.stage = "services";
		(void)snprintf(row.what, sizeof(row.what), "the files again%s%.100s",
			       re->prefixes ? ", keys below " : "",
			       re->prefixes ? re->prefixes : "");
		put_row(r, &row);
	}
}

/* In the order of a boot. Options of modprobe count when the module is loaded, whenever that is. */
static void put_steps(struct rehearsal *r)
{
	static const struct writer_column columns[] = {
		{ "step", "step", true },      { "stage", "stage", false },
		{ "origin", "from", false },   { "what", "what", false },
		{ "effect", "effect", false },
	};
	bool is_loaded_early;

	writer_list(r->w, "steps", "The next boot, step by step", columns, 5);
	put_assignments(r, BOOT_BY_COMMAND_LINE, "kernel");
	is_loaded_early = put_loaders(r, BOOT_EARLY, "before the files") > 0;
	if (is_loaded_early)
		put_assignments(r, BOOT_BY_MODPROBE, "module is loaded");
	put_assignments(r, BOOT_BY_TMPFILES, "tmpfiles");
	put_assignments(r, BOOT_BY_FILE, r->b->reader);
	(void)put_loaders(r, BOOT_LATE, "services");
	if (!is_loaded_early)
		put_assignments(r, BOOT_BY_MODPROBE, "module is loaded");
	put_reapplies(r);
	put_assignments(r, BOOT_BY_SCRIPT, "services");
	writer_end(r->w);
}

/* Lines that do nothing, with their reason in full. */
static void put_idle_lines(struct writer *w, const struct boot *b)
{
	bool is_begun = false;

	for (size_t i = 0; i < b->n; i++) {
		const struct boot_assignment *a = &b->at[i];
		char text[768];

		if (a->fate != SETTING_LOST && a->fate != SETTING_OVERRIDDEN &&
		    a->fate != SETTING_UNSURE)
			continue;
		if (!is_begun)
			writer_para(w, 0, "\nLines without effect:");
		is_begun = true;
		(void)snprintf(text, sizeof(text), "%s %s = %s: %s", a->origin, a->key, a->value,
			       a->why);
		writer_para(w, 2, text);
	}
	for (size_t i = 0; i < b->n_remarks; i++)
		writer_para(w, 0, b->remarks[i]);
}

/* What a reader of the answer wants to see: the sizes always, else what is assigned or changes. */
static bool is_told(const struct setting_value *v)
{
	return strcmp(v->setting->name, "nf_conntrack_max") == 0 ||
	       strcmp(v->setting->name, "nf_conntrack_buckets") == 0 ||
	       v->boot_fate != SETTING_UNSET ||
	       (v->is_now_known && v->is_after_known && v->now != v->after);
}

static const char *origin_of(const struct setting_value *v, const struct boot *b)
{
	if (strcmp(v->setting->name, "nf_conntrack_max") == 0 && b->after_max_why)
		return b->after_max_why;
	if (strcmp(v->setting->name, "nf_conntrack_buckets") == 0 && b->after_buckets_why)
		return b->after_buckets_why;
	return v->boot_fate == SETTING_APPLIED ? v->boot_origin : "the kernel's default";
}

static void put_value(struct writer *w, const struct setting_value *v, const struct boot *b)
{
	const char *note = "";

	if (v->is_now_known && v->is_after_known && v->now != v->after)
		note = "changes";
	writer_row(w);
	writer_str(w, "name", NULL, v->setting->name);
	if (v->is_now_known)
		writer_i64(w, "now", NULL, v->now);
	else
		writer_unknown(w, "now", NULL, "not known");
	if (v->is_after_known)
		writer_i64(w, "after_boot", NULL, v->after);
	else
		writer_unknown(w, "after_boot", NULL, "not known");
	writer_str(w, "note", NULL, note);
	writer_str(w, "origin", NULL, v->is_after_known ? origin_of(v, b) : v->boot_why);
	writer_end(w);
}

static void put_values(struct writer *w, const struct settings *s, const struct boot *b)
{
	static const struct writer_column columns[] = {
		{ "name", "setting", false },	      { "now", "now", true },
		{ "after_boot", "after boot", true }, { "note", "", false },
		{ "origin", "from", false },
	};

	writer_list(w, "values", "What will hold", columns, 5);
	for (size_t i = 0; i < s->n; i++)
		if (is_told(&s->at[i]) && strcmp(s->at[i].setting->name, "hashsize") != 0)
			put_value(w, &s->at[i], b);
	writer_end(w);
}

static void put_head(struct writer *w, const struct boot *b)
{
	static const char *const kinds[] = {
		[BOOT_KIND_UNKNOWN] = "not known",
		[BOOT_BUILT_IN] = "built into the kernel: its settings exist from the beginning",
		[BOOT_MODULE] = "a module: its settings exist once it is loaded",
	};

	writer_section(w, "machine", NULL);
	writer_str(w, "init", "init system", boot_init_name(b->init));
	writer_str(w, "reader", "files are applied by", b->reader);
	writer_str(w, "tracker", "the tracker is", kinds[b->kind]);
	if (b->blocked_by)
		writer_str(w, "blocked_by", "kept from loading by", b->blocked_by);
	writer_end(w);
}

static int show(const struct common_options *common, struct host *h)
{
	auto_fini(settings) struct settings s = { 0 };
	auto_free(boot) struct boot *b = NULL;
	auto_free(writer) struct writer *w = NULL;
	struct rehearsal r = { 0 };
	struct ct_err err = { "" };

	if (settings_read(h, &s, &err) < 0 || boot_read(h, &b, &err) < 0) {
		cmd_error("%s", err.text[0] ? err.text : "out of memory");
		return EXIT_FAILED;
	}
	w = cmd_writer(common);
	if (!w)
		return EXIT_FAILED;
	r.w = w;
	r.b = b;
	writer_begin(w, "boot", 1);
	put_head(w, b);
	put_steps(&r);
	put_values(w, &s, b);
	put_idle_lines(w, b);
	return cmd_finish(w);
}

static int boot_run(void *state, const struct common_options *common, int argc, char **argv)
{
	auto_free(host) struct host *h = NULL;

	(void)state;
	if (argc > 0) {
		cmd_error("boot: '%s' is not understood", argv[0]);
		return EXIT_MISUSE;
	}
	if (common->netns) {
		cmd_error("a boot sets up the machine itself; namespaces come later");
		return EXIT_MISUSE;
	}
	h = cmd_host(common);
	return h ? show(common, h) : EXIT_FAILED;
}

const struct command command_boot = {
	.name = "boot",
	.summary = "Rehearse the next boot: what will hold, and which lines do nothing",
	.options = boot_options,
	.option = boot_option,
	.run = boot_run,
};
