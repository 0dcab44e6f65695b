/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What this machine's next boot will do to the knobs, read from its files.
 *
 * The knobs exist only once nf_conntrack is there. As a module it is often loaded by the first rule
 * that needs it, after the files were applied: they are lost then, and nothing says so. So this
 * looks at the init system and its order, whether the tracker is built in, who loads it and when,
 * what applies settings again later, and judges each assignment: applied or lost, and why.
 */
#ifndef OPS_SETTINGS_BOOT_H
#define OPS_SETTINGS_BOOT_H

#include "ops/settings/settings.h"
#include "ops/settings/words.h"

enum boot_init {
	BOOT_UNKNOWN_INIT,
	BOOT_SYSTEMD,
	BOOT_SYSV_DEBIAN,
	BOOT_SYSV_REDHAT,
	BOOT_UPSTART,
	BOOT_OPENRC,
	BOOT_OPENWRT,
};
const char *boot_init_name(enum boot_init i); /* "systemd", "SysV (Debian)", ... */

enum boot_kind { BOOT_KIND_UNKNOWN, BOOT_BUILT_IN, BOOT_MODULE };

/* Somebody who loads the tracker (or something that needs it). */
enum boot_when { BOOT_EARLY, BOOT_LATE }; /* before or after the files are applied */
struct boot_loader {
	enum boot_when when;
	const char *module; /* what it loads; "nf_conntrack" when that is not told */
	const char *origin; /* "/etc/modules-load.d/ct.conf:1" or "nftables.service" */
	bool is_certain;    /* it does load it; else it is a firewall or engine that usually does */
};

/* Something that applies the files again once the module is there. */
struct boot_reapply {
	const char *origin;
	const char *prefixes; /* blank-separated paths ("net/netfilter"), or null for all */
	bool reads_conf_only; /* "sysctl -p": only /etc/sysctl.conf */
};

enum boot_source {
	BOOT_BY_FILE,	      /* sysctl.d, sysctl.conf */
	BOOT_BY_COMMAND_LINE, /* sysctl.KEY=, nf_conntrack.PARAMETER= */
	BOOT_BY_MODPROBE,     /* options in modprobe.d, install lines */
	BOOT_BY_TMPFILES,     /* "w" lines of tmpfiles.d */
	BOOT_BY_SCRIPT,	      /* rc.local, ufw, tuned: late, when the tracker is there */
};
struct boot_assignment {
	const struct setting *setting;
	enum boot_source source;
	const char *key, *value; /* as it is spelled there */
	bool is_number;
	int64_t number;
	const char *origin; /* "/etc/sysctl.d/50-ct.conf:3" */
	enum setting_fate fate;
	const char *why; /* one sentence */
};

struct boot {
	enum boot_init init;
	const char *init_origin; /* what shows it */
	const char *reader;	 /* who applies the files: "systemd-sysctl" */
	enum boot_kind kind;
	const char *kind_origin;
	bool is_loaded_known, is_loaded; /* the tracker, now */
	bool is_ip_conntrack;		 /* the one before nf_conntrack, with its own names */
	uint32_t release;

	struct boot_loader *loaders; /* early ones first */
	size_t n_loaders;
	struct boot_reapply *reapplies;
	size_t n_reapplies;
	const char *blocked_by;	    /* an install line or blacklist that keeps it from loading */
	bool is_blocked_early_only; /* a blacklist: only modules-load heeds it */

	struct boot_assignment *at; /* in the order they would be applied */
	size_t n;
	const char **remarks; /* sentences: masked files, unreadable files, other writers */
	size_t n_remarks;

	bool is_after_max_known, is_after_buckets_known;
	uint64_t after_max, after_buckets;
	const char *after_max_why, *after_buckets_why;
	struct words words;
};

/* Looks. Owned by the caller, boot_free(). Never fails for a missing file. -ENOMEM. */
int boot_read(struct host *h, struct boot **out, struct ct_err *err);
void boot_free(struct boot *b);
DEFINE_AUTO_FREE(boot);

/* The assignment that decides @s among all, or null: the one that is applied; else the last, those
 * in a spelling this kernel does not have only when there is no other. */
const struct boot_assignment *boot_decides(const struct boot *b, const struct setting *s);

#endif
