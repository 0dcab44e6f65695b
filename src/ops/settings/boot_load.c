/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Who loads the tracker at boot: lists of modules, the initial ram disk, firewalls and engines;
 * see boot.h.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ops/settings/boot_inner.h"
#include "ops/settings/conf_dirs.h"

/* Modules that are the tracker or depend on it, by how their names begin. */
bool boot_is_tracker_module(const char *module)
{
	static const char *const beginnings[] = {
		"nf_conntrack",	 "nf-conntrack", "ip_conntrack",  "ip-conntrack",   "nf_nat",
		"ip_nat",	 "iptable_nat",	 "ip6table_nat",  "xt_conntrack",   "xt_state",
		"xt_MASQUERADE", "xt_CT",	 "xt_connmark",	  "ipt_MASQUERADE", "ipt_state",
		"nft_ct",	 "nft_masq",	 "nft_chain_nat", "nf_flow_table",  "act_ct",
	};

	for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++)
		if (strncmp(module, beginnings[i], strlen(beginnings[i])) == 0)
			return true;
	return false;
}

int boot_each_line(char *text, int (*each)(void *user, unsigned line, char *s), void *user)
{
	unsigned line = 0;
	int r = 0;

	while (text && *text && r == 0) {
		char *end = strchr(text, '\n');

		if (end)
			*end = '\0';
		r = each(user, ++line, text + strspn(text, " \t"));
		text = end ? end + 1 : NULL;
	}
	return r;
}

/* One file of module names and what to do with a name found in it. */
struct list_file {
	struct boot *b;
	const char *path;
	const char *after; /* names stand behind this word ("modprobe", "modules="), or null */
};

static bool is_separator(char c)
{
	return strchr(" \t\r\"'()=,;&|", c) != NULL;
}

/* Adds every tracker module among the words of a line. */
static int words_of_line(void *user, unsigned line, char *s)
{
	struct list_file *f = user;
	char origin[256];
	int r = 0;

	if (*s == '#' || *s == ';')
		return 0;
	if (f->after) {
		s = strstr(s, f->after);
		if (!s)
			return 0;
		s += strlen(f->after);
	}
	while (*s && r == 0) {
		char word[64];
		size_t n = 0;

		while (is_separator(*s) && *s)
			s++;
		while (s[n] && !is_separator(s[n]))
			n++;
		(void)snprintf(word, sizeof(word), "%.*s", (int)n, s);
		s += n;
		if (boot_is_tracker_module(word)) {
			(void)snprintf(origin, sizeof(origin), "%s:%u", f->path, line);
			r = boot_add_loader(f->b, BOOT_EARLY, word, origin, true);
		}
		if (!f->after)
			break; /* one module a line; what follows are its options */
	}
	return r;
}

static int list_file(struct host *h, struct boot *b, const char *path, const char *after)
{
	auto_fini(ct_buf) struct ct_buf t = { 0 };
	struct list_file f = { .b = b, .path = path, .after = after };

	if (host_read(h, path, &t) < 0 || !t.p)
		return 0;
	return boot_each_line(t.p, words_of_line, &f);
}

static int list_dirs(struct host *h, struct boot *b, const char *const *dirs, const char *suffix,
		     const char *after)
{
	auto_fini(conf_files) struct conf_files list = { 0 };
	int r = conf_files_list(h, dirs, suffix, &list, NULL);

	for (size_t i = 0; r == 0 && i < list.n; i++) {
		const struct conf_file *f = &list.at[i];

		if (!f->is_masked)
			r = list_file(h, b, f->path, after);
		else if (f->hides)
			r = boot_remark(b, "%s is a link to /dev/null and hides %s", f->path,
					f->hides);
	}
	return r;
}

static const char *const load_dirs[] = { "/etc/modules-load.d",		  "/run/modules-load.d",
					 "/usr/local/lib/modules-load.d", "/usr/lib/modules-load.d",
					 "/lib/modules-load.d",		  NULL };
static const char *const dracut_dirs[] = { "/etc/dracut.conf.d", "/usr/lib/dracut/dracut.conf.d",
					   NULL };
static const char *const openwrt_dirs[] = { "/etc/modules-boot.d", NULL };
static const char *const openwrt_late_dirs[] = { "/etc/modules.d", NULL };
static const char *const redhat_dirs[] = { "/etc/sysconfig/modules", NULL };

/* Lists of modules that are loaded before the files are applied, by init system. */
static int early_lists(struct host *h, struct boot *b)
{
	int r = 0;

	switch (b->init) {
	case BOOT_UNKNOWN_INIT:
	case BOOT_SYSTEMD:
		return list_dirs(h, b, load_dirs, ".conf", NULL);
	case BOOT_SYSV_DEBIAN:
	case BOOT_UPSTART:
		r = list_file(h, b, "/etc/modules", NULL);
		return r < 0 ? r : list_dirs(h, b, load_dirs, ".conf", NULL);
	case BOOT_OPENRC:
		r = list_file(h, b, "/etc/conf.d/modules", "modules");
		r = r < 0 ? r : list_file(h, b, "/etc/modules", NULL);
		return r < 0 ? r : list_dirs(h, b, load_dirs, ".conf", NULL);
	case BOOT_OPENWRT:
		r = list_dirs(h, b, openwrt_dirs, "", NULL);
		return r < 0 ? r : list_dirs(h, b, openwrt_late_dirs, "", NULL);
	case BOOT_SYSV_REDHAT:
		r = list_dirs(h, b, redhat_dirs, ".modules", "modprobe");
		return r < 0 ? r : list_file(h, b, "/etc/rc.modules", "modprobe");
	}
	return 0;
}

/* Modules that the initial ram disk loads; those it only carries are not loaded by that. */
static int ram_disk(struct host *h, struct boot *b)
{
	int r = list_file(h, b, "/etc/initramfs-tools/modules", NULL);

	r = r < 0 ? r : list_file(h, b, "/etc/dracut.conf", "force_drivers+");
	r = r < 0 ? r : list_dirs(h, b, dracut_dirs, ".conf", "force_drivers+");
	return r < 0 ? r : list_file(h, b, "/etc/mkinitcpio.conf", "MODULES=");
}

/* Services whose rules make the kernel load the tracker, and where their rules stand. */
static const struct {
	const char *service;
	const char *rules[3];
} services[] = {
	{ "netfilter-persistent", { "/etc/iptables/rules.v4", "/etc/iptables/rules.v6" } },
	{ "iptables-persistent", { "/etc/iptables/rules.v4", "/etc/iptables/rules" } },
	{ "iptables", { "/etc/sysconfig/iptables", "/etc/iptables/iptables.rules" } },
	{ "ip6tables", { "/etc/sysconfig/ip6tables", "/etc/iptables/ip6tables.rules" } },
	{ "nftables", { "/etc/nftables.conf", "/etc/sysconfig/nftables.conf" } },
	{ "firewalld", { NULL } },
	{ "ufw", { NULL } },
	{ "shorewall", { NULL } },
	{ "firehol", { NULL } },
	{ "ferm", { NULL } },
	{ "docker", { NULL } },
	{ "kubelet", { NULL } },
	{ "k3s", { NULL } },
	{ "libvirtd", { NULL } },
	{ "lxd", { NULL } },
};

/* Words of rules that need the tracker, in any spelling. */
static bool needs_tracker(const char *rules)
{
	static const char *const words[] = { "conntrack",  "--state",  "*nat",	  "masquerade",
					     "MASQUERADE", "ct state", "ct mark", "dnat ",
					     "snat ",	   "-j CT",    "connmark" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strstr(rules, words[i]))
			return true;
	return false;
}

/* Looks for "NAME" or "NAME.service" in one of the folders whose names end in @suffix. */
static bool in_folders(struct host *h, const char *parent, const char *suffix, const char *name)
{
	struct host_names dirs = { 0 };
	bool is_found = false;

	if (host_list(h, parent, &dirs) < 0)
		return false;
	for (size_t i = 0; i < dirs.n && !is_found; i++) {
		size_t n = strlen(dirs.name[i]), s = strlen(suffix);
		auto_fini(ct_buf) struct ct_buf link = { 0 };
		char path[512];
		struct host_stat st;

		if (n < s || strcmp(dirs.name[i] + n - s, suffix) != 0)
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s/%s", parent, dirs.name[i], name);
		is_found = host_stat(h, path, &st) == 0 || host_readlink(h, path, &link) == 0;
	}
	host_names_fini(&dirs);
	return is_found;
}

/* "S" and two digits, then the name: a start link of SysV. */
static bool has_start_link(struct host *h, const char *dir, const char *name)
{
	struct host_names names = { 0 };
	bool is_found = false;

	if (host_list(h, dir, &names) < 0)
		return false;
	for (size_t i = 0; i < names.n && !is_found; i++)
		is_found = names.name[i][0] == 'S' && strlen(names.name[i]) > 3 &&
			   strcmp(names.name[i] + 3, name) == 0;
	host_names_fini(&names);
	return is_found;
}

/* Whether a service is started at boot; @origin tells by what. */
static bool is_enabled(struct host *h, const struct boot *b, const char *name, char *origin,
		       size_t size)
{
	static const char *const rc[] = { "/etc/rcS.d",	     "/etc/rc2.d",	"/etc/rc3.d",
					  "/etc/rc.d/rc3.d", "/etc/rc.d/rc5.d", "/etc/rc.d" };
	char unit[80];

	(void)snprintf(unit, sizeof(unit), "%s.service", name);
	if (b->init == BOOT_SYSTEMD && in_folders(h, "/etc/systemd/system", ".wants", unit)) {
		(void)snprintf(origin, size, "%s", unit);
		return true;
	}
	if (b->init == BOOT_OPENRC && (in_folders(h, "/etc/runlevels", "default", name) ||
				       in_folders(h, "/etc/runlevels", "boot", name))) {
		(void)snprintf(origin, size, "/etc/init.d/%s", name);
		return true;
	}
	for (size_t i = 0; b->init != BOOT_SYSTEMD && i < sizeof(rc) / sizeof(rc[0]); i++) {
		if (!has_start_link(h, rc[i], name))
			continue;
		(void)snprintf(origin, size, "%s in %s", name, rc[i]);
		return true;
	}
	return false;
}

bool boot_is_enabled(struct host *h, const struct boot *b, const char *name)
{
	char origin[160];

	return is_enabled(h, b, name, origin, sizeof(origin));
}

static int late_service(struct host *h, struct boot *b, size_t i)
{
	char origin[160];
	bool is_certain = false;

	if (!is_enabled(h, b, services[i].service, origin, sizeof(origin)))
		return 0;
	for (size_t k = 0; k < 3 && services[i].rules[k]; k++) {
		auto_fini(ct_buf) struct ct_buf t = { 0 };

		if (host_read(h, services[i].rules[k], &t) == 0 && t.p)
			is_certain |= needs_tracker(t.p);
	}
	return boot_add_loader(b, BOOT_LATE, "nf_conntrack", origin, is_certain);
}

/* Red Hat's iptables script: modules it loads, sysctls it applies again. */
static int iptables_config(void *user, unsigned line, char *s)
{
	struct boot *b = user;
	char origin[64];
	char *value = strchr(s, '=');

	if (*s == '#' || !value)
		return 0;
	*value++ = '\0';
	value += strspn(value, "\"' ");
	value[strcspn(value, "\"'")] = '\0';
	(void)snprintf(origin, sizeof(origin), "/etc/sysconfig/iptables-config:%u", line);
	if (strcmp(s, "IPTABLES_MODULES") == 0 && boot_is_tracker_module(value))
		return boot_add_loader(b, BOOT_LATE, "nf_conntrack", origin, true);
	if (strcmp(s, "IPTABLES_SYSCTL_LOAD_LIST") == 0 && strstr(value, "nf_conntrack"))
		return boot_add_reapply(b, origin, "net/netfilter/nf_conntrack net/nf_conntrack",
					true);
	if (strcmp(s, "IPTABLES_MODULES_UNLOAD") == 0 && strcmp(value, "yes") == 0)
		return boot_remark(b,
				   "%s: 'service iptables restart' unloads the module; everything "
				   "returns to defaults then",
				   origin);
	return 0;
}

static int red_hat(struct host *h, struct boot *b)
{
	auto_fini(ct_buf) struct ct_buf t = { 0 };
	char origin[160];
	int r = 0;

	if (!is_enabled(h, b, "iptables", origin, sizeof(origin)))
		return 0;
	if (host_read(h, "/etc/sysconfig/iptables-config", &t) == 0 && t.p)
		r = boot_each_line(t.p, iptables_config, b);
	/* network (S10) starts behind iptables (S08) and runs sysctl once more. */
	return r < 0 ? r : boot_add_reapply(b, "/etc/init.d/network", NULL, true);
}

int boot_find_loaders(struct host *h, struct boot *b)
{
	int r = early_lists(h, b);

	r = r < 0 ? r : ram_disk(h, b);
	for (size_t i = 0; r == 0 && i < sizeof(services) / sizeof(services[0]); i++)
		r = late_service(h, b, i);
	if (r == 0 && b->init == BOOT_SYSV_REDHAT)
		r = red_hat(h, b);
	return r;
}
