/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Which init system this tree boots with, and whether the tracker is a module; see boot.h.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ops/settings/boot_inner.h"

const char *boot_init_name(enum boot_init i)
{
	switch (i) {
	case BOOT_UNKNOWN_INIT:
		return "unknown";
	case BOOT_SYSTEMD:
		return "systemd";
	case BOOT_SYSV_DEBIAN:
		return "SysV (Debian)";
	case BOOT_SYSV_REDHAT:
		return "SysV (Red Hat)";
	case BOOT_UPSTART:
		return "upstart";
	case BOOT_OPENRC:
		return "OpenRC";
	case BOOT_OPENWRT:
		return "OpenWrt";
	}
	return "?";
}

static bool exists(struct host *h, const char *path)
{
	struct host_stat st;

	return host_stat(h, path, &st) == 0;
}

/* What tells one from the other, the surest first. Red Hat 6 boots by upstart but with its old
 * scripts, and Alpine has both OpenRC and inittab. */
static const struct {
	const char *path;
	enum boot_init init;
} marks[] = {
	{ "/run/systemd/system", BOOT_SYSTEMD },
	{ "/etc/openwrt_release", BOOT_OPENWRT },
	{ "/run/openrc/softlevel", BOOT_OPENRC },
	{ "/etc/rc.d/rc.sysinit", BOOT_SYSV_REDHAT },
	{ "/sbin/openrc-init", BOOT_OPENRC },
	{ "/sbin/openrc", BOOT_OPENRC },
	{ "/sbin/openrc-run", BOOT_OPENRC },
	{ "/etc/init/procps.conf", BOOT_UPSTART },
	{ "/etc/init/rc-sysinit.conf", BOOT_UPSTART },
	{ "/lib/systemd/systemd", BOOT_SYSTEMD },
	{ "/usr/lib/systemd/systemd", BOOT_SYSTEMD },
	{ "/etc/systemd/system", BOOT_SYSTEMD },
	{ "/etc/rcS.d", BOOT_SYSV_DEBIAN },
	{ "/etc/init.d/procps", BOOT_SYSV_DEBIAN },
	{ "/etc/sysconfig/network", BOOT_SYSV_REDHAT },
	{ "/usr/lib/sysctl.d", BOOT_SYSTEMD },
};

/* /sbin/init says more than what else is installed: Debian can have both sysvinit and systemd. */
static bool init_link(struct host *h, struct boot *b)
{
	static const char *const paths[] = { "/sbin/init", "/usr/sbin/init", "/init" };

	for (size_t i = 0; i < 3; i++) {
		auto_fini(ct_buf) struct ct_buf t = { 0 };

		if (host_readlink(h, paths[i], &t) < 0 || !t.p)
			continue;
		if (strstr(t.p, "systemd"))
			b->init = BOOT_SYSTEMD;
		else if (strstr(t.p, "openrc"))
			b->init = BOOT_OPENRC;
		else
			continue;
		b->init_origin = words_printf(&b->words, "%s -> %s", paths[i], t.p);
		return true;
	}
	return false;
}

int boot_find_init(struct host *h, struct boot *b)
{
	if (!exists(h, "/run/systemd/system") && init_link(h, b))
		return b->init_origin ? 0 : -ENOMEM;
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		if (!exists(h, marks[i].path))
			continue;
		b->init = marks[i].init;
		/* A sysvinit binary beside Debian's systemd: the link above was not there. */
		if (b->init == BOOT_SYSTEMD && i > 0 && exists(h, "/sbin/init") &&
		    exists(h, "/etc/inittab") && exists(h, "/etc/rcS.d"))
			b->init = BOOT_SYSV_DEBIAN;
		b->init_origin = marks[i].path;
		return 0;
	}
	return 0;
}

/* True when one line of @text has @name as its first word. */
static bool has_module_line(const char *text, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = text; p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
		if (strncmp(p, name, n) == 0 && p[n] == ' ')
			return true;
	return false;
}

static int set_kind(struct boot *b, enum boot_kind kind, const char *fmt, const char *arg)
{
	b->kind = kind;
	if (strchr(fmt, '%')) {
		size_t at = strcspn(fmt, "%");

		b->kind_origin =
			words_printf(&b->words, "%.*s%s%s", (int)at, fmt, arg, fmt + at + 2);
	} else {
		b->kind_origin = words_put(&b->words, fmt, strlen(fmt));
	}
	return b->kind_origin ? 0 : -ENOMEM;
}

/* What runs now: 1 decided, 0 not. */
static int kind_now(struct host *h, struct boot *b)
{
	auto_fini(ct_buf) struct ct_buf modules = { 0 };
	bool has_list = host_read(h, "/proc/modules", &modules) == 0;
	bool has_sysfs =
		exists(h, "/sys/module/nf_conntrack") || exists(h, "/sys/module/ip_conntrack");
	bool has_new = exists(h, "/proc/sys/net/netfilter/nf_conntrack_max");
	bool has_old = exists(h, "/proc/sys/net/ipv4/netfilter/ip_conntrack_max") ||
		       exists(h, "/proc/sys/net/ipv4/ip_conntrack_max");
	bool has_files = has_new || has_old;
	int r;

	/* Until 2.6.23 a kernel had one of the two; later ones only keep the old names as copies.
	 */
	b->is_ip_conntrack =
		b->release && b->release < RELEASE(2, 6, 23) && !has_new &&
		(has_old || (has_list && modules.p && has_module_line(modules.p, "ip_conntrack")));
	if (has_list || has_sysfs || has_files) {
		b->is_loaded_known = true;
		b->is_loaded = has_files || has_sysfs;
	}
	if (has_list && modules.p &&
	    (has_module_line(modules.p, "nf_conntrack") ||
	     has_module_line(modules.p, "ip_conntrack"))) {
		b->is_loaded = true;
		r = set_kind(b, BOOT_MODULE, "/proc/modules lists it", "");
		return r < 0 ? r : 1;
	}
	/* Without a list of modules next to it, /sys/module may be an incomplete copy. */
	if (has_sysfs && (has_list || host_is_live(h))) {
		r = set_kind(
			b, BOOT_BUILT_IN,
			"/sys/module/nf_conntrack is there, and /proc/modules has no such line",
			"");
		return r < 0 ? r : 1;
	}
	return 0;
}

/* What is installed: modules.builtin, then the configuration in /boot. */
static int kind_installed(struct host *h, struct boot *b, const char *release)
{
	auto_fini(ct_buf) struct ct_buf t = { 0 };
	char path[160];

	(void)snprintf(path, sizeof(path), "/lib/modules/%s/modules.builtin", release);
	if (host_read(h, path, &t) == 0 && t.p) {
		if (strstr(t.p, "/nf_conntrack.ko") || strstr(t.p, "/ip_conntrack.ko"))
			return set_kind(b, BOOT_BUILT_IN, "%s lists it", path);
		return set_kind(b, BOOT_MODULE, "%s does not list it", path);
	}
	(void)snprintf(path, sizeof(path), "/boot/config-%s", release);
	if (host_read(h, path, &t) == 0 && t.p) {
		if (strstr(t.p, "CONFIG_NF_CONNTRACK=y"))
			return set_kind(b, BOOT_BUILT_IN, "%s: CONFIG_NF_CONNTRACK=y", path);
		if (strstr(t.p, "CONFIG_NF_CONNTRACK=m"))
			return set_kind(b, BOOT_MODULE, "%s: CONFIG_NF_CONNTRACK=m", path);
	}
	return 0;
}

int boot_find_kind(struct host *h, struct boot *b)
{
	char release[96];
	int r = kind_now(h, b);

	if (r != 0)
		return r < 0 ? r : 0;
	if (host_release(h, release, sizeof(release)) < 0 || strchr(release, '/'))
		return 0;
	return kind_installed(h, b, release);
}
