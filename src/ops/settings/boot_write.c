/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What sets knobs at boot beside sysctl.d: the kernel's command line, modprobe.d, udev rules, local
 * scripts; see boot.h.
 */
#include <conntune/text.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ops/settings/boot_inner.h"
#include "ops/settings/conf_dirs.h"
#include "ops/settings/sysctl_files.h"

/* One word of the command line. The kernel takes '-' for '_' in names. */
static int command_line_word(struct boot *b, char *word)
{
	char *value = strchr(word, '=');
	char key[128];
	size_t n = value ? (size_t)(value - word) : strlen(word);

	if (n >= sizeof(key))
		return 0;
	(void)snprintf(key, sizeof(key), "%.*s", (int)n, word);
	for (char *p = key; *p; p++)
		if (*p == '-')
			*p = '_';
	value = value ? value + 1 : NULL;
	if (strncmp(key, "sysctl.", 7) == 0 && value)
		return boot_add_assignment(b, BOOT_BY_COMMAND_LINE, key + 7, value,
					   "kernel command line");
	if (strncmp(key, "nf_conntrack.", 13) == 0 || strncmp(key, "ip_conntrack.", 13) == 0)
		return boot_add_assignment(b, BOOT_BY_COMMAND_LINE, key, value ? value : "1",
					   "kernel command line");
	if ((strcmp(key, "modules_load") == 0 || strcmp(key, "rd.modules_load") == 0 ||
	     strcmp(key, "rd.driver.pre") == 0) &&
	    value) {
		char *rest = value;

		for (char *m; (m = strsep(&rest, ",")) != NULL;) {
			int r = boot_is_tracker_module(m)
					? boot_add_loader(b, BOOT_EARLY, m, "kernel command line",
							  true)
					: 0;

			if (r < 0)
				return r;
		}
	}
	if (strcmp(key, "module_blacklist") == 0 && value && strstr(value, "nf_conntrack"))
		b->blocked_by = "the kernel command line (module_blacklist)";
	return 0;
}

int boot_read_command_line(struct host *h, struct boot *b)
{
	auto_fini(ct_buf) struct ct_buf t = { 0 };
	char *rest, *word;
	int r = 0;

	if (host_read(h, "/proc/cmdline", &t) < 0 || !t.p)
		return 0;
	rest = t.p;
	while (r == 0 && (word = strsep(&rest, " \t\n")) != NULL)
		if (*word)
			r = command_line_word(b, word);
	return r;
}

/* Assignments in a shell command: "sysctl -w KEY=VALUE", "echo VALUE > /proc/sys/..." */
static int shell_assignments(struct boot *b, enum boot_source source, char *s, const char *origin)
{
	char last[64] = "";
	char *word;
	int r = 0;

	while (r == 0 && (word = strsep(&s, " \t;&|\"'>")) != NULL) {
		char *value = strchr(word, '=');

		if (!*word)
			continue;
		if (*word == '#')
			break;
		if (value) {
			*value++ = '\0';
			if (settings_find(word))
				r = boot_add_assignment(b, source, word, value, origin);
		} else if (*word == '/' && *last && settings_find(word)) {
			r = boot_add_assignment(b, source, settings_find(word)->key, last, origin);
		}
		(void)snprintf(last, sizeof(last), "%s", word);
	}
	return r;
}

/* A command that reads the files again. @prefixes gets "--prefix=" arguments as paths. */
static bool applies_files(const char *command, char *prefixes, size_t size, bool *conf_only)
{
	const char *sysctl = strstr(command, "sysctl");
	struct ct_text t;

	if (!sysctl)
		return false;
	ct_text_init(&t, prefixes, size);
	for (const char *p = strstr(command, "--prefix="); p; p = strstr(p + 9, "--prefix=")) {
		char key[160];

		(void)snprintf(key, sizeof(key), "%.*s", (int)strcspn(p + 9, " \t\"',"), p + 9);
		sysctl_key_normalise(key);
		ct_text_printf(&t, "%s%s", t.len ? " " : "", key);
	}
	*conf_only = strstr(sysctl, " -p") && !strstr(sysctl, "--system");
	return strstr(command, "systemd-sysctl") || strstr(sysctl, " -p") ||
	       strstr(sysctl, "--system") || strstr(sysctl, "--load");
}

static int install_line(struct boot *b, const struct modprobe_line *l, const char *origin)
{
	char command[512], prefixes[256];
	bool conf_only;

	(void)snprintf(command, sizeof(command), "%s", l->rest);
	if (strcmp(command, "/bin/true") == 0 || strcmp(command, "/bin/false") == 0 ||
	    strcmp(command, "/usr/bin/true") == 0 || strcmp(command, "/usr/bin/false") == 0) {
		b->blocked_by = words_put(&b->words, origin, strlen(origin));
		return b->blocked_by ? 0 : -ENOMEM;
	}
	if (applies_files(command, prefixes, sizeof(prefixes), &conf_only))
		return boot_add_reapply(b, origin, *prefixes ? prefixes : NULL, conf_only);
	return shell_assignments(b, BOOT_BY_MODPROBE, command, origin);
}

static int options_line(struct boot *b, const struct modprobe_line *l, const char *origin)
{
	static const char *const names[] = { "hashsize", "expect_hashsize", "acct",
					     "tstamp",	 "enable_hooks",    "nf_conntrack_helper" };
	char value[64], key[96];
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(names) / sizeof(names[0]); i++) {
		if (!modprobe_option(l->rest, names[i], value, sizeof(value)))
			continue;
		(void)snprintf(key, sizeof(key), "nf_conntrack.%s", names[i]);
		r = boot_add_assignment(b, BOOT_BY_MODPROBE, key, value, origin);
	}
	if (r == 0 && modprobe_option(l->rest, "nf_conntrack_max", value, sizeof(value)))
		r = boot_remark(b,
				"%s: nf_conntrack has no parameter nf_conntrack_max; the kernel "
				"ignores it",
				origin);
	return r;
}

int boot_read_modprobe(struct host *h, struct boot *b)
{
	auto_fini(modprobe_conf) struct modprobe_conf c = { 0 };
	int r = modprobe_conf_read(h, &c, NULL);

	for (size_t i = 0; r == 0 && i < c.n; i++) {
		const struct modprobe_line *l = &c.at[i];
		char origin[256];

		if (strcmp(l->module, "nf_conntrack") != 0 &&
		    strcmp(l->module, "ip_conntrack") != 0)
			continue;
		(void)snprintf(origin, sizeof(origin), "%s:%u", l->file, l->line);
		if (l->verb == MODPROBE_OPTIONS)
			r = options_line(b, l, origin);
		else if (l->verb == MODPROBE_INSTALL)
			r = install_line(b, l, origin);
		else if (l->verb == MODPROBE_BLACKLIST && !b->blocked_by) {
			b->blocked_by = words_put(&b->words, origin, strlen(origin));
			b->is_blocked_early_only = true;
			r = b->blocked_by ? 0 : -ENOMEM;
		}
	}
	return r;
}

struct rules_file {
	struct boot *b;
	const char *path;
};

/* ACTION=="add", SUBSYSTEM=="module", KERNEL=="nf_conntrack", RUN+="... systemd-sysctl ..." */
static int udev_rule(void *user, unsigned line, char *s)
{
	struct rules_file *f = user;
	char origin[256], prefixes[256];
	bool conf_only;

	if (*s == '#' || !strstr(s, "\"module\"") || !strstr(s, "nf_conntrack") ||
	    !strstr(s, "SUBSYSTEM"))
		return 0;
	(void)snprintf(origin, sizeof(origin), "%s:%u", f->path, line);
	if (applies_files(s, prefixes, sizeof(prefixes), &conf_only))
		return boot_add_reapply(f->b, origin, *prefixes ? prefixes : NULL, conf_only);
	return shell_assignments(f->b, BOOT_BY_SCRIPT, s, origin);
}

int boot_read_udev(struct host *h, struct boot *b)
{
	static const char *const dirs[] = { "/etc/udev/rules.d",	   "/run/udev/rules.d",
					    "/usr/local/lib/udev/rules.d", "/usr/lib/udev/rules.d",
					    "/lib/udev/rules.d",	   NULL };
	auto_fini(conf_files) struct conf_files list = { 0 };
	int r = conf_files_list(h, dirs, ".rules", &list, NULL);

	for (size_t i = 0; r == 0 && i < list.n; i++) {
		auto_fini(ct_buf) struct ct_buf t = { 0 };
		struct rules_file f = { .b = b, .path = list.at[i].path };

		if (list.at[i].is_masked || host_read(h, f.path, &t) < 0 || !t.p)
			continue;
		/* A backslash joins lines: what they say is looked at as one. */
		for (char *p = t.p; (p = strstr(p, "\\\n")) != NULL;)
			p[0] = p[1] = ' ';
		r = boot_each_line(t.p, udev_rule, &f);
	}
	return r;
}

static int script_line(void *user, unsigned line, char *s)
{
	struct rules_file *f = user;
	char origin[256], prefixes[256];
	bool conf_only;

	if (*s == '#' || strncmp(s, "exit", 4) == 0)
		return 0;
	(void)snprintf(origin, sizeof(origin), "%s:%u", f->path, line);
	if (applies_files(s, prefixes, sizeof(prefixes), &conf_only))
		return boot_add_reapply(f->b, origin, *prefixes ? prefixes : NULL, conf_only);
	return shell_assignments(f->b, BOOT_BY_SCRIPT, s, origin);
}

int boot_read_scripts(struct host *h, struct boot *b)
{
	static const char *const paths[] = { "/etc/rc.d/rc.local", "/etc/rc.local",
					     "/etc/local.d/conntrack.start" };
	struct host_stat first = { 0 };

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		auto_fini(ct_buf) struct ct_buf t = { 0 };
		struct rules_file f = { .b = b, .path = paths[i] };
		struct host_stat st;
		int r;

		if (host_stat(h, paths[i], &st) < 0 || host_read(h, paths[i], &t) < 0 || !t.p)
			continue;
		/* Red Hat links one to the other. */
		if (first.inode == st.inode && first.device == st.device && first.inode)
			continue;
		first = st;
		if (!(st.mode & 0100) && b->init != BOOT_OPENWRT) {
			if (strstr(t.p, "conntrack") &&
			    boot_remark(b, "%s is not executable, so it does not run", paths[i]) <
				    0)
				return -ENOMEM;
			continue;
		}
		r = boot_each_line(t.p, script_line, &f);
		if (r < 0)
			return r;
	}
	return 0;
}

/* "w PATH MODE USER GROUP AGE VALUE" */
static int tmpfiles_line(void *user, unsigned line, char *s)
{
	struct rules_file *f = user;
	char *word[7] = { NULL };
	const struct setting *set;
	char origin[256];
	size_t n = 0;

	if (*s != 'w')
		return 0;
	while (n < 7 && (word[n] = strsep(&s, " \t")) != NULL)
		n += *word[n] != '\0';
	set = n == 7 ? settings_find(word[1]) : NULL;
	if (!set)
		return 0;
	(void)snprintf(origin, sizeof(origin), "%s:%u", f->path, line);
	return boot_add_assignment(f->b, BOOT_BY_TMPFILES, set->key, word[6], origin);
}

int boot_read_tmpfiles(struct host *h, struct boot *b)
{
	static const char *const dirs[] = { "/etc/tmpfiles.d", "/run/tmpfiles.d",
					    "/usr/local/lib/tmpfiles.d", "/usr/lib/tmpfiles.d",
					    NULL };
	auto_fini(conf_files) struct conf_files list = { 0 };
	int r = b->init == BOOT_SYSTEMD ? conf_files_list(h, dirs, ".conf", &list, NULL) : 0;

	for (size_t i = 0; r == 0 && i < list.n; i++) {
		auto_fini(ct_buf) struct ct_buf t = { 0 };
		struct rules_file f = { .b = b, .path = list.at[i].path };

		if (!list.at[i].is_masked && host_read(h, f.path, &t) == 0 && t.p)
			r = boot_each_line(t.p, tmpfiles_line, &f);
	}
	return r;
}

/* Takes the assignments of one file in sysctl's form that a service applies late. */
static int service_file(struct host *h, struct boot *b, const char *path)
{
	auto_fini(sysctl_files) struct sysctl_files f = { 0 };
	char origin[256];
	int r = sysctl_files_add(h, &f, path, NULL);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	for (size_t i = 0; r == 0 && i < f.n; i++) {
		if (!f.at[i].value || f.at[i].is_pattern)
			continue;
		(void)snprintf(origin, sizeof(origin), "%s:%u", path, f.at[i].line);
		r = boot_add_assignment(b, BOOT_BY_SCRIPT, f.at[i].key, f.at[i].value, origin);
	}
	return r;
}

/* The profile that tuned applies: "[sysctl]" and lines as in sysctl.conf. */
static int tuned_profile(struct host *h, struct boot *b)
{
	static const char *const dirs[] = { "/etc/tuned", "/etc/tuned/profiles", "/usr/lib/tuned",
					    "/usr/lib/tuned/profiles" };
	auto_fini(ct_buf) struct ct_buf t = { 0 };
	struct host_stat st;
	char path[256];

	if (host_read(h, "/etc/tuned/active_profile", &t) < 0 || !t.p)
		return 0;
	t.p[strcspn(t.p, " \t\r\n")] = '\0';
	if (!*t.p || strlen(t.p) > 64 || strchr(t.p, '/'))
		return 0;
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s/tuned.conf", dirs[i], t.p);
		if (host_stat(h, path, &st) == 0)
			return service_file(h, b, path);
	}
	return 0;
}

int boot_read_services(struct host *h, struct boot *b)
{
	int r = 0;

	if (boot_is_enabled(h, b, "ufw"))
		r = service_file(h, b, "/etc/ufw/sysctl.conf");
	if (r == 0 && boot_is_enabled(h, b, "tuned"))
		r = tuned_profile(h, b);
	return r;
}
