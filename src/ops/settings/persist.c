/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Lines that make sizes last; see persist.h.
 */
#include "ops/settings/persist.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* Where each init system looks for modules to load before it applies sysctls, and for these. */
static const struct {
	const char *modules, *before, *after, *sysctl;
} places[] = {
	[BOOT_UNKNOWN_INIT] = { "/etc/modules-load.d/conntrack.conf", "", "",
				"/etc/sysctl.d/90-conntrack.conf" },
	[BOOT_SYSTEMD] = { "/etc/modules-load.d/conntrack.conf", "", "",
			   "/etc/sysctl.d/90-conntrack.conf" },
	[BOOT_SYSV_DEBIAN] = { "/etc/modules", "", "", "/etc/sysctl.d/90-conntrack.conf" },
	[BOOT_SYSV_REDHAT] = { "/etc/sysconfig/modules/conntrack.modules", "modprobe ", "",
			       "/etc/sysctl.conf" },
	[BOOT_UPSTART] = { "/etc/modules", "", "", "/etc/sysctl.d/90-conntrack.conf" },
	[BOOT_OPENRC] = { "/etc/conf.d/modules", "modules=\"", "\"",
			  "/etc/sysctl.d/90-conntrack.conf" },
	[BOOT_OPENWRT] = { NULL, NULL, NULL, "/etc/sysctl.d/90-conntrack.conf" },
};

/* Before 2.6.23 the tracker of IPv4 was ip_conntrack. */
static bool is_ip_conntrack(const struct boot *b)
{
	return b->release && b->release < RELEASE(2, 6, 23);
}

static bool can_write_buckets(const struct boot *b)
{
	return !b->release || b->release >= RELEASE(4, 8, 0);
}

static const char *max_key(const struct boot *b)
{
	return is_ip_conntrack(b) ? "net.ipv4.netfilter.ip_conntrack_max"
				  : "net.netfilter.nf_conntrack_max";
}

static void add(struct persist_line *out, size_t *n, const char *file, const char *why,
		const char *fmt, ...) __attribute__((format(printf, 5, 6)));
static void add(struct persist_line *out, size_t *n, const char *file, const char *why,
		const char *fmt, ...)
{
	struct persist_line *l = &out[*n];
	va_list ap;

	(void)snprintf(l->file, sizeof(l->file), "%s", file);
	va_start(ap, fmt);
	(void)vsnprintf(l->line, sizeof(l->line), fmt, ap);
	va_end(ap);
	l->why = why;
	(*n)++;
}

size_t persist_now(const struct boot *b, uint64_t max, uint64_t buckets, char out[2][128])
{
	(void)snprintf(out[0], 128, "echo %" PRIu64 " > /sys/module/%s/parameters/hashsize",
		       buckets, is_ip_conntrack(b) ? "ip_conntrack" : "nf_conntrack");
	(void)snprintf(out[1], 128, "sysctl -w %s=%" PRIu64, max_key(b), max);
	return 2;
}

size_t persist_lines(const struct boot *b, uint64_t max, uint64_t buckets,
		     struct persist_line out[PERSIST_MAX_LINES])
{
	const char *module = is_ip_conntrack(b) ? "ip_conntrack" : "nf_conntrack";
	const char *sysctl = places[b->init].sysctl;
	size_t n = 0;

	if (b->kind == BOOT_BUILT_IN && can_write_buckets(b)) {
		add(out, &n, sysctl, "the buckets", "net.netfilter.nf_conntrack_buckets = %" PRIu64,
		    buckets);
	} else if (b->kind == BOOT_BUILT_IN) {
		add(out, &n, "kernel command line", "the buckets", "%s.hashsize=%" PRIu64, module,
		    buckets);
	} else {
		if (places[b->init].modules)
			add(out, &n, places[b->init].modules, "load it before sysctl runs",
			    "%s%s%s", places[b->init].before, module, places[b->init].after);
		add(out, &n, "/etc/modprobe.d/conntrack.conf", "the buckets, at load",
		    "options %s hashsize=%" PRIu64, module, buckets);
	}
	add(out, &n, sysctl, "the limit", "%s = %" PRIu64, max_key(b), max);
	return n;
}
