/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The next boot, judged; see boot.h.
 */
#include "ops/settings/boot.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/settings/boot_inner.h"
#include "ops/settings/size.h"
#include "ops/settings/sysctl_files.h"

#define MAX_LIST 4096 /* of anything found; what is beyond is no configuration */

static const char *copied(struct boot *b, const char *s)
{
	return s ? words_put(&b->words, s, strlen(s)) : NULL;
}

/* A key as people write it. */
static const char *dotted(struct boot *b, const char *key)
{
	char *s = words_put(&b->words, key, strlen(key));

	for (char *p = s; p && *p; p++)
		if (*p == '/')
			*p = '.';
	return s;
}

int boot_add_loader(struct boot *b, enum boot_when when, const char *module, const char *origin,
		    bool is_certain)
{
	struct boot_loader *at;

	if (b->n_loaders == MAX_LIST)
		return 0;
	at = list_grown(b->loaders, b->n_loaders, sizeof(*at));
	if (!at)
		return -ENOMEM;
	b->loaders = at;
	at[b->n_loaders] = (struct boot_loader){
		.when = when,
		.module = copied(b, module),
		.origin = copied(b, origin),
		.is_certain = is_certain,
	};
	return at[b->n_loaders].module && at[b->n_loaders++].origin ? 0 : -ENOMEM;
}

int boot_add_reapply(struct boot *b, const char *origin, const char *prefixes, bool reads_conf_only)
{
	struct boot_reapply *at;

	if (b->n_reapplies == MAX_LIST)
		return 0;
	at = list_grown(b->reapplies, b->n_reapplies, sizeof(*at));
	if (!at)
		return -ENOMEM;
	b->reapplies = at;
	at[b->n_reapplies] = (struct boot_reapply){
		.origin = copied(b, origin),
		.prefixes = copied(b, prefixes),
		.reads_conf_only = reads_conf_only,
	};
	return at[b->n_reapplies++].origin ? 0 : -ENOMEM;
}

int boot_add_assignment(struct boot *b, enum boot_source source, const char *key, const char *value,
			const char *origin)
{
	const struct setting *s = settings_find(key);
	struct boot_assignment *at, *a;

	if (!s || b->n == MAX_LIST)
		return 0;
	at = list_grown(b->at, b->n, sizeof(*at));
	if (!at)
		return -ENOMEM;
	b->at = at;
	a = &at[b->n];
	*a = (struct boot_assignment){
		.setting = s,
		.source = source,
		.key = dotted(b, key),
		.value = copied(b, value),
		.origin = copied(b, origin),
		.why = "",
	};
	if (!a->key || !a->value || !a->origin)
		return -ENOMEM;
	a->is_number = setting_parse(s, value, strlen(value), &a->number) == 0;
	b->n++;
	return 0;
}

int boot_remark(struct boot *b, const char *fmt, ...)
{
	const char **at = list_grown(b->remarks, b->n_remarks, sizeof(*at));
	char text[512];
	va_list ap;

	if (!at)
		return -ENOMEM;
	b->remarks = at;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	at[b->n_remarks] = words_put(&b->words, text, strlen(text));
	return at[b->n_remarks++] ? 0 : -ENOMEM;
}

static enum sysctl_reader reader_of(enum boot_init init)
{
	switch (init) {
	case BOOT_UNKNOWN_INIT:
	case BOOT_SYSTEMD:
		return SYSCTL_BY_SYSTEMD;
	case BOOT_SYSV_DEBIAN:
	case BOOT_OPENRC:
		return SYSCTL_BY_PROCPS_SYSTEM;
	case BOOT_SYSV_REDHAT:
		return SYSCTL_BY_PROCPS;
	case BOOT_UPSTART:
		return SYSCTL_BY_UPSTART;
	case BOOT_OPENWRT:
		return SYSCTL_BY_OPENWRT;
	}
	return SYSCTL_BY_SYSTEMD;
}

/* Adds the assignments of files: those that decide are judged later, the others are overridden. A
 * pattern becomes one assignment for each knob it decides. */
static int take_files(struct boot *b, const struct sysctl_files *f)
{
	char origin[256];
	int r = 0;

	for (size_t i = 0; r == 0 && i < f->n; i++) {
		const struct sysctl_assignment *a = &f->at[i];

		if (!a->value)
			continue;
		(void)snprintf(origin, sizeof(origin), "%s:%u", a->file, a->line);
		if (!a->is_pattern) {
			r = boot_add_assignment(b, BOOT_BY_FILE, a->key, a->value, origin);
			continue;
		}
		for (size_t k = 0; r == 0 && k < settings_n; k++)
			if (sysctl_files_decides(f, settings_list[k].key) == a)
				r = boot_add_assignment(b, BOOT_BY_FILE, settings_list[k].key,
							a->value, origin);
	}
	for (size_t i = 0; r == 0 && i < f->n_skipped; i++)
		if (!f->skipped[i].line)
			r = boot_remark(b, "%s could not be read: %s", f->skipped[i].file,
					f->skipped[i].why);
	return r;
}

/* What stands in /etc/sysctl.conf when nobody reads that file at boot. */
static int take_unread_conf(struct host *h, struct boot *b, const struct sysctl_files *read)
{
	auto_fini(sysctl_files) struct sysctl_files f = { 0 };
	struct host_stat conf, st;
	size_t first = b->n;
	int r;

	if (host_stat(h, "/etc/sysctl.conf", &conf) < 0)
		return 0;
	for (size_t i = 0; i < read->n_files; i++)
		if (host_stat(h, read->files[i], &st) == 0 && st.inode == conf.inode &&
		    st.device == conf.device)
			return 0;
	if (sysctl_files_add(h, &f, "/etc/sysctl.conf", NULL) < 0)
		return 0;
	r = take_files(b, &f);
	for (size_t i = first; i < b->n; i++) {
		b->at[i].fate = SETTING_LOST;
		b->at[i].why = words_printf(&b->words,
					    "%s does not read /etc/sysctl.conf (there is no link "
					    "to it in /etc/sysctl.d)",
					    b->reader);
		if (!b->at[i].why)
			return -ENOMEM;
	}
	return r;
}

/* The module that must be there for @s on this kernel. */
static const char *module_of(const struct boot *b, const struct setting *s)
{
	if (!s->module || !b->release || b->release >= RELEASE(4, 19, 0))
		return s->module ? "nf_conntrack" : NULL;
	/* Before 4.19 the trackers of TCP, UDP and ICMP came with the module of the family. */
	if (strncmp(s->name, "nf_conntrack_tcp", 16) == 0 ||
	    strncmp(s->name, "nf_conntrack_udp_", 17) == 0 ||
	    strncmp(s->name, "nf_conntrack_icmp_", 18) == 0)
		return "nf_conntrack_ipv4";
	return strcmp(s->module, "nf_defrag_ipv6") == 0 ? "nf_conntrack_ipv6" : "nf_conntrack";
}

/* Whether loading @loaded also brings @needed. Everything of the family brings the tracker; only
 * NAT and the family's own module bring nf_conntrack_ipv4. */
static bool brings(const char *loaded, const char *needed)
{
	if (strcmp(needed, "nf_conntrack_ipv6") == 0)
		return strcmp(loaded, "nf_conntrack_ipv6") == 0;
	if (strcmp(needed, "nf_conntrack_ipv4") == 0)
		return strcmp(loaded, "nf_conntrack_ipv4") == 0 ||
		       strncmp(loaded, "ip_conntrack", 12) == 0 || strstr(loaded, "nat") != NULL ||
		       strcmp(loaded, "xt_state") == 0;
	return true;
}

static const struct boot_loader *find_loader(const struct boot *b, enum boot_when when,
					     const char *needed)
{
	const struct boot_loader *may = NULL;

	for (size_t i = 0; i < b->n_loaders; i++) {
		const struct boot_loader *l = &b->loaders[i];

		if (l->when != when || (when == BOOT_EARLY && !brings(l->module, needed)))
			continue;
		if (l->is_certain)
			return l;
		if (!may)
			may = l;
	}
	return may;
}

static bool has_prefix(const char *prefixes, const char *key)
{
	char path[160];

	if (!prefixes)
		return true;
	(void)snprintf(path, sizeof(path), "%s", key);
	sysctl_key_normalise(path);
	while (*prefixes) {
		size_t n = strcspn(prefixes, " ");

		if (strncmp(path, prefixes, n) == 0)
			return true;
		prefixes += n + strspn(prefixes + n, " ");
	}
	return false;
}

static const struct boot_reapply *find_reapply(const struct boot *b,
					       const struct boot_assignment *a)
{
	for (size_t i = 0; i < b->n_reapplies; i++) {
		const struct boot_reapply *re = &b->reapplies[i];

		if (has_prefix(re->prefixes, a->key) &&
		    (!re->reads_conf_only || strncmp(a->origin, "/etc/sysctl.conf:", 17) == 0))
			return re;
	}
	return NULL;
}

static int judge(struct boot *b, struct boot_assignment *a, enum setting_fate fate, const char *fmt,
		 ...) __attribute__((format(printf, 4, 5)));
static int judge(struct boot *b, struct boot_assignment *a, enum setting_fate fate, const char *fmt,
		 ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	a->fate = fate;
	a->why = words_put(&b->words, text, strlen(text));
	return a->why ? 0 : -ENOMEM;
}

/* Whether the knob has now the value that is assigned. */
static bool holds_now(struct host *h, const struct boot_assignment *a)
{
	int64_t now;

	return host_read_i64(h, a->setting->path, &now) == 0 && now == a->number;
}

/* When the module is loaded, seen from the moment the files are applied. */
static int judge_module(struct host *h, struct boot *b, struct boot_assignment *a)
{
	const char *needed = module_of(b, a->setting);
	const struct boot_loader *early = find_loader(b, BOOT_EARLY, needed);
	const struct boot_loader *late = find_loader(b, BOOT_LATE, needed);
	const struct boot_reapply *re = find_reapply(b, a);

	if (b->blocked_by && b->is_blocked_early_only)
		early = NULL;
	else if (b->blocked_by)
		return judge(b, a, SETTING_LOST, "%s keeps %s from being loaded", b->blocked_by,
			     needed);
	if (early)
		return judge(b, a, SETTING_APPLIED, "%s loads %s before %s runs", early->origin,
			     early->module, b->reader);
	if (re)
		return judge(b, a, SETTING_APPLIED, "%s applies the files again once %s is loaded",
			     re->origin, needed);
	if (b->init == BOOT_UPSTART && late)
		return judge(b, a, SETTING_UNSURE,
			     "the procps job runs again when networks are up; that helps only if "
			     "%s has loaded %s by then",
			     late->origin, needed);
	if (late)
		return judge(b, a, SETTING_LOST,
			     "%s runs before %s is loaded (%s %s it later, with defaults), and "
			     "nothing applies the file again",
			     b->reader, needed, late->origin,
			     late->is_certain ? "loads" : "usually loads");
	if (b->is_loaded_known && b->is_loaded && holds_now(h, a))
		return judge(b, a, SETTING_UNSURE,
			     "nothing is known to load %s before %s runs, yet the value holds now: "
			     "set by hand since, or by something not known",
			     needed, b->reader);
	if (b->is_loaded_known && b->is_loaded)
		return judge(b, a, SETTING_LOST,
			     "nothing is known to load %s before %s runs; it is loaded now by "
			     "something that came later",
			     needed, b->reader);
	return judge(b, a, SETTING_LOST,
		     "nothing loads %s before %s runs, so the variable does not exist then", needed,
		     b->reader);
}

static int judge_parameter(struct boot *b, struct boot_assignment *a)
{
	if (b->kind == BOOT_BUILT_IN && a->source == BOOT_BY_MODPROBE)
		return judge(b, a, SETTING_LOST,
			     "nf_conntrack is built into the kernel, so modprobe.d has no effect; "
			     "the kernel command line takes nf_conntrack.hashsize=");
	if (a->source == BOOT_BY_SCRIPT)
		return judge(b, a, SETTING_APPLIED, "%s writes it at the end of boot", a->origin);
	if (b->blocked_by && !b->is_blocked_early_only)
		return judge(b, a, SETTING_LOST, "%s keeps nf_conntrack from being loaded",
			     b->blocked_by);
	return judge(b, a, SETTING_APPLIED, "nf_conntrack reads it when it is %s",
		     b->kind == BOOT_BUILT_IN ? "initialised" : "loaded");
}

static int judge_tmpfiles(struct boot *b, struct boot_assignment *a)
{
	const struct boot_loader *early = find_loader(b, BOOT_EARLY, module_of(b, a->setting));

	if (b->kind == BOOT_BUILT_IN)
		return judge(b, a, SETTING_APPLIED,
			     "nf_conntrack is built into the kernel, so the file exists when "
			     "systemd-tmpfiles runs");
	if (early && !b->blocked_by)
		return judge(b, a, SETTING_UNSURE,
			     "nothing orders systemd-tmpfiles after %s, which loads nf_conntrack",
			     early->origin);
	return judge(b, a, b->kind == BOOT_MODULE ? SETTING_LOST : SETTING_UNSURE,
		     "systemd-tmpfiles runs before anything is known to load nf_conntrack");
}

static int judge_one(struct host *h, struct boot *b, struct boot_assignment *a)
{
	struct ct_err err = { "" };

	if (a->fate != SETTING_UNSET)
		return 0;
	if (setting_spelling(a->setting, a->key, b->release, &err) < 0)
		return judge(b, a, SETTING_LOST, "%s", err.text);
	if (b->is_ip_conntrack && strncmp(a->key, "net.", 4) == 0 && strstr(a->key, "nf_conntrack"))
		return judge(b, a, SETTING_LOST,
			     "the tracker of this kernel is ip_conntrack, which does not have this "
			     "name");
	if (a->setting->unit == SETTING_NAME)
		return judge(b, a, SETTING_APPLIED, "it is a word for the kernel to take");
	if (!a->is_number)
		return judge(b, a, SETTING_LOST, "'%s' is not a number", a->value);
	if (a->source == BOOT_BY_TMPFILES)
		return judge_tmpfiles(b, a);
	if (a->setting->scope == SETTING_MODULE)
		return judge_parameter(b, a);
	if (setting_accepts(a->setting, b->release, a->number, &err) < 0)
		return judge(b, a, SETTING_LOST, "the kernel refuses it: %s", err.text);
	if (!a->setting->module)
		return judge(b, a, SETTING_APPLIED, "the variable is always there");
	if (a->source == BOOT_BY_MODPROBE || a->source == BOOT_BY_SCRIPT)
		return judge(b, a, SETTING_APPLIED, "%s sets it %s", a->origin,
			     a->source == BOOT_BY_SCRIPT ? "late in boot"
							 : "when the module is loaded");
	if (b->kind == BOOT_BUILT_IN)
		return judge(b, a, SETTING_APPLIED,
			     "nf_conntrack is built into the kernel, so the variable exists when "
			     "%s runs",
			     a->source == BOOT_BY_COMMAND_LINE ? "the command line" : b->reader);
	if (a->source == BOOT_BY_COMMAND_LINE)
		return judge(b, a, b->kind == BOOT_MODULE ? SETTING_LOST : SETTING_UNSURE,
			     "the kernel applies it before any module is loaded");
	if (b->kind == BOOT_KIND_UNKNOWN && !find_loader(b, BOOT_EARLY, "nf_conntrack") &&
	    !find_reapply(b, a))
		return judge(b, a, SETTING_UNSURE,
			     "it is not known whether nf_conntrack is built in (then it holds) or "
			     "a module that comes too late");
	return judge_module(h, b, a);
}

/* Among applied assignments of one knob the last holds. Patterns were resolved before. */
static int override_earlier(struct boot *b)
{
	for (size_t i = 0; i < b->n; i++) {
		struct boot_assignment *a = &b->at[i];

		for (size_t k = i + 1; k < b->n && a->fate == SETTING_APPLIED; k++) {
			const struct boot_assignment *later = &b->at[k];

			if (later->setting == a->setting && later->fate == SETTING_APPLIED &&
			    judge(b, a, SETTING_OVERRIDDEN, "%s sets it to %s later", later->origin,
				  later->value) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

const struct boot_assignment *boot_decides(const struct boot *b, const struct setting *s)
{
	const struct boot_assignment *last = NULL, *foreign = NULL;

	for (size_t i = 0; i < b->n; i++) {
		const struct boot_assignment *a = &b->at[i];

		if (a->setting != s)
			continue;
		if (a->fate == SETTING_APPLIED)
			return a;
		if (setting_spelling(s, a->key, b->release, NULL) < 0)
			foreign = a;
		else if (a->fate != SETTING_OVERRIDDEN)
			last = a;
	}
	return last ? last : foreign;
}

static const struct boot_assignment *applied(const struct boot *b, const char *name)
{
	const struct boot_assignment *a = boot_decides(b, settings_find(name));

	return a && a->fate == SETTING_APPLIED ? a : NULL;
}

static bool is_unsure(const struct boot *b, const char *name)
{
	const struct boot_assignment *a = boot_decides(b, settings_find(name));

	return a && a->fate == SETTING_UNSURE;
}

/* Limit and buckets after the boot: default or hashsize parameter, then what overrides it. */
static int reckon_after(struct host *h, struct boot *b)
{
	const struct boot_assignment *hash = applied(b, "hashsize");
	const struct boot_assignment *buckets = applied(b, "nf_conntrack_buckets");
	const struct boot_assignment *max = applied(b, "nf_conntrack_max");
	struct size_machine m;
	struct size_defaults d;

	if (size_machine_of(h, &m) < 0 || size_defaults(&m, &d) < 0)
		return 0;
	b->after_max_why = b->after_buckets_why = "the kernel's default for this memory";
	if (hash && hash->number > 0 && hash->number <= INT32_MAX) {
		if (hash->source == BOOT_BY_SCRIPT || hash->source == BOOT_BY_TMPFILES) {
			d.buckets = size_buckets_rounded(&m, (uint64_t)hash->number);
		} else {
			size_of_hashsize(&m, (uint64_t)hash->number, &d);
			b->after_max_why =
				words_printf(&b->words, "8 x hashsize, from %s", hash->origin);
		}
		b->after_buckets_why = hash->origin;
	}
	if (buckets && buckets->number > 0 && !(hash && hash->source == BOOT_BY_SCRIPT)) {
		d.buckets = size_buckets_rounded(&m, (uint64_t)buckets->number);
		b->after_buckets_why = buckets->origin;
	}
	if (max) {
		d.max = (uint64_t)max->number;
		b->after_max_why = max->origin;
	}
	b->after_max = d.max;
	b->after_buckets = d.buckets;
	b->is_after_max_known = !is_unsure(b, "nf_conntrack_max");
	b->is_after_buckets_known =
		!is_unsure(b, "nf_conntrack_buckets") && !is_unsure(b, "hashsize");
	return b->after_max_why ? 0 : -ENOMEM;
}

/* Everything that is assigned, in the order in which it takes effect. */
static int collect(struct host *h, struct boot *b, struct ct_err *err)
{
	enum sysctl_reader reader = reader_of(b->init);
	auto_fini(sysctl_files) struct sysctl_files files = { 0 };
	int r = boot_read_command_line(h, b);

	b->reader = sysctl_reader_name(reader);
	r = r < 0 ? r : boot_read_modprobe(h, b);
	r = r < 0 ? r : sysctl_files_read(h, reader, &files, err);
	if (r == 0 && b->init == BOOT_SYSTEMD)
		r = take_unread_conf(h, b, &files);
	r = r < 0 ? r : take_files(b, &files);
	r = r < 0 ? r : boot_read_udev(h, b);
	r = r < 0 ? r : boot_read_tmpfiles(h, b);
	r = r < 0 ? r : boot_read_services(h, b);
	return r < 0 ? r : boot_read_scripts(h, b);
}

int boot_read(struct host *h, struct boot **out, struct ct_err *err)
{
	auto_free(boot) struct boot *b = calloc(1, sizeof(*b));
	int r = b ? 0 : -ENOMEM;

	if (r == 0 && host_release_number(h, &b->release) < 0)
		b->release = 0;
	r = r < 0 ? r : boot_find_init(h, b);
	r = r < 0 ? r : boot_find_kind(h, b);
	r = r < 0 ? r : boot_find_loaders(h, b);
	r = r < 0 ? r : collect(h, b, err);
	for (size_t i = 0; r == 0 && i < b->n; i++)
		r = judge_one(h, b, &b->at[i]);
	r = r < 0 ? r : override_earlier(b);
	r = r < 0 ? r : reckon_after(h, b);
	if (r < 0)
		return ct_err_wrap(err, r, "boot configuration");
	*out = b;
	b = NULL;
	return 0;
}

void boot_free(struct boot *b)
{
	if (!b)
		return;
	free(b->loaders);
	free(b->reapplies);
	free(b->at);
	free(b->remarks);
	words_fini(&b->words);
	free(b);
}
