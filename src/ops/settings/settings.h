/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The knobs: one list (settings.def), and for a machine what each is now, what it will be after a
 * boot, what it is by default, and where each value came from.
 */
#ifndef OPS_SETTINGS_SETTINGS_H
#define OPS_SETTINGS_SETTINGS_H

#include "ops/host/host.h"

enum setting_scope {
	SETTING_NETNS,	 /* each network namespace has its own value */
	SETTING_MACHINE, /* one value for the machine, writable in the initial namespace */
	SETTING_MODULE,	 /* read when the module is loaded, or through /sys/module */
};

enum setting_unit {
	SETTING_SECONDS,
	SETTING_COUNT,
	SETTING_BOOL,
	SETTING_BYTES,
	SETTING_PROTOCOL, /* a protocol number, 0 none, 255 all */
	SETTING_CHOICE,	  /* a small number with meanings told in the text */
};

/* A release is version * 1,000,000 + patchlevel * 1,000 + sublevel; see host_release_number(). */
#define RELEASE(v, p, s) ((v)*1000000u + (p)*1000u + (s))

/* The default in a span of releases; the first span whose `until` is above the release holds. */
struct setting_default {
	uint32_t until; /* first release it no longer holds for; UINT32_MAX for "still" */
	int64_t value;
};

#define SETTING_MAX_DEFAULTS 6
struct setting {
	const char *name; /* "nf_conntrack_tcp_timeout_established" */
	const char *key;  /* sysctl key: "net.netfilter.nf_conntrack_..." or module parameter */
	const char *path; /* "/proc/sys/net/netfilter/..." */
	const char *legacy_key; /* "net.ipv4.netfilter.ip_conntrack_..." or null */
	enum setting_scope scope;
	enum setting_unit unit;
	int64_t min, max;
	uint32_t since, until; /* releases in which it exists: [since, until) */
	struct setting_default defaults[SETTING_MAX_DEFAULTS];
	bool is_computed; /* the default depends on memory: see size.h */
	bool is_read_only;
	const char *text; /* one paragraph for people */
};

extern const struct setting settings_list[];
extern const size_t settings_n;

/* Finds a knob by name, full key, path, or any legacy spelling; null when there is none. */
const struct setting *settings_find(const char *name);

/* The built-in default for @release. -ENOENT when it does not exist there, -EAGAIN when it is
 * computed from memory. */
int setting_default(const struct setting *s, uint32_t release, int64_t *out);

/* A value with its origin. */
struct setting_value {
	const struct setting *setting;
	bool is_now_known;
	int64_t now;
	char now_path[160]; /* where it was read, e.g. the legacy path on an old kernel */
	int error;	    /* why it is not known: -ENOENT, -EACCES, -EINVAL; else 0 */
	bool is_writable;   /* by mode; a child namespace shows 0444 */
	bool is_boot_known;
	int64_t boot;	       /* the last assignment in the files read at boot */
	char boot_origin[192]; /* "etc/sysctl.d/50-ct.conf:3" */
	bool is_default_known;
	int64_t by_default;
};

struct settings {
	struct setting_value *at; /* settings_n of them, in list order */
	size_t n;
};

/* Reads all knobs of the namespace @h stands for. Never fails for a missing file. -ENOMEM. */
int settings_read(struct host *h, struct settings *out, struct ct_err *err);
void settings_fini(struct settings *s);

/* The value of the knob @name in @s, or null when it is not known now. */
const struct setting_value *settings_get(const struct settings *s, const char *name);

#endif
