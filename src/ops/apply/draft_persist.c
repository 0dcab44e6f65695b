/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A plan for the next boots: lines in the files that this distribution and its init system really
 * read in time.
 *
 * A limit holds when the module is there before the files are applied; so it is loaded early, or,
 * where something keeps it from that, a udev rule applies the file again when it appears. Buckets
 * of a module are an option of modprobe, which makes the limit eight times as much unless a limit
 * follows.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ops/apply/drafts.h"
#include "ops/apply/own_file.h"
#include "ops/apply/owner.h"
#include "ops/apply/untrack.h"
#include "ops/settings/size.h"
#include "ops/settings/sysctl_files.h"

#define SYSCTL_NAME "90-conntune.conf"
#define SYSCTL_FILE "/etc/sysctl.d/" SYSCTL_NAME

struct lasting {
	struct host *h;
	struct draft *d;
	struct boot *b;
	struct settings now;
	struct size_machine machine;
	struct ct_buf sysctl, modprobe; /* all lines of ours in these */
};

static const char *sysctl_file(const struct lasting *l)
{
	return l->b->init == BOOT_SYSV_REDHAT ? "/etc/sysctl.conf" : SYSCTL_FILE;
}

/* How this kernel spells @s: that of today, else the first that it has. */
static const char *key_of(const struct lasting *l, const struct setting *s)
{
	bool is_old = l->b->is_ip_conntrack || (l->b->release && l->b->release < RELEASE(2, 6, 23));

	if (!is_old && setting_spelling(s, s->key, l->b->release, NULL) == 0)
		return s->key;
	for (size_t i = 0; i < SETTING_MAX_ALIASES && s->aliases[i].key; i++)
		if (strstr(s->aliases[i].key, "ip_conntrack") &&
		    setting_spelling(s, s->aliases[i].key, l->b->release, NULL) == 0)
			return s->aliases[i].key;
	return s->key;
}

static const char *module_name(const struct lasting *l)
{
	if (l->b->is_ip_conntrack || (l->b->release && l->b->release < RELEASE(2, 6, 23)))
		return "ip_conntrack";
	/* Until 4.18 the timeouts of TCP, UDP and ICMP came with the family's module. */
	return l->b->release && l->b->release < RELEASE(4, 19, 0) ? "nf_conntrack_ipv4"
								  : "nf_conntrack";
}

/* Takes the lines about @s, whatever they assign, out of @text. */
static void drop_lines(struct ct_buf *text, const struct setting *s)
{
	size_t kept = 0;

	for (size_t at = 0; at < text->len;) {
		size_t n = strcspn(text->p + at, "\n");
		char key[160];

		(void)snprintf(key, sizeof(key), "%.*s", (int)strcspn(text->p + at, " =\n"),
			       text->p + at);
		n += at + n < text->len;
		if (settings_find(key) != s) {
			memmove(text->p + kept, text->p + at, n);
			kept += n;
		}
		at += n;
	}
	text->len = kept;
	if (text->p)
		text->p[kept] = '\0';
}

/* One line of sysctl, unless another owner would fight it. */
static int add_sysctl(struct lasting *l, const struct setting *s, int64_t value)
{
	const char *key = key_of(l, s);
	struct owner o;

	if (owner_of(l->h, l->b, s, key, value, SYSCTL_NAME, &o))
		return draft_remark(
			l->d,
			"%s is set by %s at or after boot; a file of ours would lose, or "
			"fight it, so none is written. Tell it there, in %s:\n\n%s\n",
			s->name, o.name, o.where, o.snippet);
	drop_lines(&l->sysctl, s);
	return ct_buf_printf(&l->sysctl, "%s = %" PRId64 "\n", key, value);
}

/* Buckets of a module that is loaded at boot are given to it. */
static int add_buckets(struct lasting *l, int64_t value, bool has_max)
{
	const struct setting *max = settings_find("nf_conntrack_max");
	const struct setting_value *v = settings_get(&l->now, "nf_conntrack_max");
	const char *module = l->b->is_ip_conntrack ? "ip_conntrack" : "nf_conntrack";
	bool is_writable = !l->b->release || l->b->release >= RELEASE(4, 8, 0);
	int r;

	if (l->b->kind == BOOT_BUILT_IN && is_writable)
		return add_sysctl(l, settings_find("nf_conntrack_buckets"), value);
	if (l->b->kind == BOOT_BUILT_IN)
		return draft_remark(
			l->d,
			"The tracker is built in and this kernel takes its buckets from "
			"the command line only; put there: %s.hashsize=%" PRId64,
			module, value);
	l->modprobe.len = 0;
	r = ct_buf_printf(&l->modprobe, "options %s hashsize=%" PRId64 "\n", module, value);
	/* Linux, nf_conntrack_init_start(): hashsize= makes max 8 times as much. */
	if (r == 0 && !has_max && v)
		r = add_sysctl(l, max, v->now);
	return r;
}

static int add_settings(struct lasting *l, const struct plan *p, struct ct_err *err)
{
	bool has_max = plan_find(p, "nf_conntrack_max") != NULL;
	int r = 0;

	for (unsigned i = 0; r == 0 && i < p->n_sets; i++) {
		const struct plan_set *s = &p->set[i];

		r = strcmp(s->setting->name, "nf_conntrack_buckets") == 0
			    ? add_buckets(
				      l,
				      (int64_t)size_buckets_rounded(&l->machine, (uint64_t)s->to),
				      has_max)
			    : add_sysctl(l, s->setting, s->to);
	}
	return r < 0 ? ct_err_set(err, r, "out of memory") : 0;
}

static int put(struct lasting *l, const char *path, struct ct_err *err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static int put(struct lasting *l, const char *path, struct ct_err *err, const char *fmt, ...)
{
	auto_fini(ct_buf) struct ct_buf lines = { 0 };
	char text[512];
	va_list ap;
	int r;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	r = ct_buf_printf(&lines, "%s", text);
	return r < 0 ? ct_err_set(err, r, "out of memory")
		     : own_file_put(l->d, l->h, own_file_find(path), &lines, err);
}

static bool is_loaded_early(const struct lasting *l)
{
	for (size_t i = 0; i < l->b->n_loaders; i++)
		if (l->b->loaders[i].when == BOOT_EARLY && l->b->loaders[i].is_certain)
			return true;
	return false;
}

/* Where something keeps the module from an early load, the file is applied again when it comes. */
static int put_udev_rule(struct lasting *l, struct ct_err *err)
{
	static const char *const programs[] = { "/usr/lib/systemd/systemd-sysctl",
						"/lib/systemd/systemd-sysctl" };
	struct host_stat st;
	int r = draft_remark(l->d,
			     "%s keeps the module from being loaded early, so a udev rule applies "
			     "the file when it comes.",
			     l->b->blocked_by);

	for (size_t i = 0; r == 0 && i < 2; i++)
		if (host_stat(l->h, programs[i], &st) == 0)
			return put(
				l, "/etc/udev/rules.d/91-conntune.rules", err,
				"ACTION==\"add\", SUBSYSTEM==\"module\", KERNEL==\"nf_conntrack\", "
				"RUN+=\"%s --prefix=/net/netfilter --prefix=/net/nf_conntrack_max\""
				"\n",
				programs[i]);
	return r < 0 ? r
		     : put(l, "/etc/udev/rules.d/91-conntune.rules", err,
			   "ACTION==\"add\", SUBSYSTEM==\"module\", KERNEL==\"nf_conntrack\", "
			   "RUN+=\"/sbin/sysctl -q -p %s\"\n",
			   sysctl_file(l));
}

/* Has the module loaded before the files are applied. */
static int put_load(struct lasting *l, struct ct_err *err)
{
	const char *module = module_name(l);

	if (l->b->kind == BOOT_BUILT_IN || is_loaded_early(l))
		return 0;
	if (l->b->blocked_by)
		return put_udev_rule(l, err);
	switch (l->b->init) {
	case BOOT_UNKNOWN_INIT:
	case BOOT_SYSTEMD:
		return put(l, "/etc/modules-load.d/conntune.conf", err, "%s\n", module);
	case BOOT_SYSV_DEBIAN:
	case BOOT_UPSTART:
		return put(l, "/etc/modules", err, "%s\n", module);
	case BOOT_SYSV_REDHAT:
		return put(l, "/etc/sysconfig/modules/conntune.modules", err, "modprobe %s\n",
			   module);
	case BOOT_OPENRC:
		return put(l, "/etc/conf.d/modules", err, "modules=\"$modules %s\"\n", module);
	case BOOT_OPENWRT:
		return 0; /* its kernel modules come before its sysctls */
	}
	return 0;
}

/* A module that the initial ram disk loads reads the options that were packed into it. */
static int tell_ram_disk(struct lasting *l)
{
	static const struct {
		const char *list, *rebuild;
	} rows[] = {
		{ "/etc/initramfs-tools/modules:", "update-initramfs -u" },
		{ "/etc/dracut.conf", "dracut --force" },
		{ "/etc/mkinitcpio.conf:", "mkinitcpio -P" },
	};

	for (size_t i = 0; l->modprobe.len && i < l->b->n_loaders; i++)
		for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++)
			if (strncmp(l->b->loaders[i].origin, rows[k].list, strlen(rows[k].list)) ==
			    0)
				return draft_remark(l->d,
						    "The initial ram disk loads the module (%s): "
						    "rebuild it, or the buckets stay: %s",
						    l->b->loaders[i].origin, rows[k].rebuild);
	return 0;
}

static int put_all(struct lasting *l, struct ct_err *err)
{
	const struct own_file *sysctl = own_file_find(sysctl_file(l));
	const struct own_file *modprobe = own_file_find("/etc/modprobe.d/conntune.conf");
	size_t before = l->d->journal.n_steps;
	int r = 0;

	if (l->sysctl.len)
		r = own_file_put(l->d, l->h, sysctl, &l->sysctl, err);
	if (r == 0 && l->modprobe.len)
		r = own_file_put(l->d, l->h, modprobe, &l->modprobe, err);
	if (r == 0 && (l->sysctl.len || l->modprobe.len))
		r = put_load(l, err);
	if (r == 0 && l->d->journal.n_steps > before)
		r = tell_ram_disk(l);
	return r;
}

static int read_own(struct lasting *l, struct ct_err *err)
{
	int r = own_file_read(l->h, own_file_find(sysctl_file(l)), &l->sysctl, err);

	return r < 0 ? r
		     : own_file_read(l->h, own_file_find("/etc/modprobe.d/conntune.conf"),
				     &l->modprobe, err);
}

int draft_persist(struct host *h, const struct plan *p, const struct draft_options *o,
		  struct draft *d, struct ct_err *err)
{
	struct lasting l = { .h = h, .d = d };
	int r;

	if (o->netns)
		return ct_err_set(err, -EINVAL,
				  "namespace %s is not there after a boot; whoever makes it must "
				  "set its values (--persist is for the machine itself)",
				  o->netns);
	r = boot_read(h, &l.b, err);
	r = r < 0 ? r : settings_read_now(h, &l.now, err);
	(void)size_machine_of(h, &l.machine);
	r = r < 0 ? r : read_own(&l, err);
	r = r < 0 ? r : add_settings(&l, p, err);
	r = r < 0 ? r : put_all(&l, err);
	boot_free(l.b);
	settings_fini(&l.now);
	ct_buf_fini(&l.sysctl);
	ct_buf_fini(&l.modprobe);
	return r;
}

/* Rules of ours in the files that a boot restores. */
static int forget_rules(struct host *h, struct draft *d, struct ct_err *err)
{
	static const char *const files[] = { "/etc/iptables/rules.v4", "/etc/iptables/rules.v6",
					     "/etc/sysconfig/iptables",
					     "/etc/sysconfig/ip6tables" };
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(files) / sizeof(files[0]); i++) {
		auto_fini(ct_buf) struct ct_buf old = { 0 }, new = { 0 };

		if (host_read(h, files[i], &old) < 0 || !strstr(old.p, UNTRACK_TAG))
			continue;
		r = untrack_strip(old.p, &new);
		r = r < 0 ? ct_err_set(err, r, "out of memory")
			  : draft_add_file(d, h, files[i], new.p ? new.p : "", new.len, 0600, err);
	}
	return r;
}

int draft_forget(struct host *h, struct draft *d, struct ct_err *err)
{
	static const struct ct_buf nothing = { 0 };
	int r = 0;

	for (const struct own_file *f = own_files; r == 0 && f->path; f++) {
		auto_fini(ct_buf) struct ct_buf ours = { 0 };
		struct ct_err other = { "" };
		int found = own_file_read(h, f, &ours, &other);

		if (found == -EEXIST)
			r = draft_remark(d, "%s", other.text);
		else if (found == 0 && ours.len)
			r = own_file_put(d, h, f, &nothing, err);
	}
	return r < 0 ? r : forget_rules(h, d, err);
}
