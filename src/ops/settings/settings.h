/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The knobs: one list (settings.def), and for a machine what each is now, what it will be after a
 * boot, what it is by default, and where each value came from.
 *
 * A knob is known by one name and read under the spelling the running kernel has: the kernels
 * before 4.9 also (and before 2.6.15 only) had the ip_conntrack_* names. What the files read at
 * boot do to it is judged by boot.h.
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
	SETTING_SECONDS, /* kept in ticks: at most INT_MAX / HZ, see setting_accepts() */
	SETTING_COUNT,
	SETTING_BOOL,
	SETTING_BYTES,
	SETTING_PROTOCOL, /* a protocol number, 0 none, 255 all */
	SETTING_CHOICE,	  /* a small number with meanings told in the text */
	SETTING_NAME,	  /* a word, no number */
};

/* A release is version * 1,000,000 + patchlevel * 1,000 + sublevel; see host_release_number(). */
#define RELEASE(v, p, s) ((v)*1000000u + (p)*1000u + (s))

/* The default in a span of releases; the first span whose `until` is above the release holds. */
struct setting_default {
	uint32_t until; /* first release it no longer holds for; UINT32_MAX for "still" */
	int64_t value;
};

/* Another spelling of a knob, and the releases [since, until) that had it. */
struct setting_alias {
	const char *key;
	uint32_t since, until;
};

#define SETTING_MAX_DEFAULTS 6
#define SETTING_MAX_ALIASES  4
struct setting {
	const char *name; /* "nf_conntrack_tcp_timeout_established", unique */
	const char *key;  /* "net.netfilter.nf_conntrack_..." or "nf_conntrack.hashsize" */
	const char *path; /* "/proc/sys/net/netfilter/..." */
	struct setting_alias aliases[SETTING_MAX_ALIASES]; /* ends with a null key */
	const char *module; /* what must be loaded for it to exist; null: always there */
	enum setting_scope scope;
	enum setting_unit unit;
	int64_t min, max;      /* what the kernel takes */
	uint32_t since, until; /* releases in which it exists under any name: [since, until) */
	struct setting_default defaults[SETTING_MAX_DEFAULTS];
	bool is_computed;	 /* the default depends on memory: see size.h */
	bool is_initial_only;	 /* has no file in other network namespaces */
	bool is_hidden;		 /* a parameter without a file: nothing shows it */
	uint32_t writable_since; /* 0 always, UINT32_MAX never */
	const char *text;	 /* one paragraph for people */
};

extern const struct setting settings_list[];
extern const size_t settings_n;

/* Finds a knob by name, full key, path, or any spelling in aliases; dots and slashes alike. Null
 * when there is none. */
const struct setting *settings_find(const char *name);

/* Which spelling @key (dots or slashes) is of @s and whether @release has it. -ENOENT with a
 * sentence when that kernel has no such file; @release 0 (unknown) always passes. */
int setting_spelling(const struct setting *s, const char *key, uint32_t release,
		     struct ct_err *err);

/* True when @s exists on @release under any name. */
bool setting_exists(const struct setting *s, uint32_t release);

/* The built-in default for @release. -ENOENT when it does not exist there or has none (a gauge),
 * -EAGAIN when it is computed from memory. */
int setting_default(const struct setting *s, uint32_t release, int64_t *out);

/* Whether a kernel of @release takes @value. -EROFS, -ERANGE with a sentence. Times are judged by
 * the most any kernel takes (HZ=100). */
int setting_accepts(const struct setting *s, uint32_t release, int64_t value, struct ct_err *err);

/* Reads what a file of this knob says: digits, or Y and N. -EINVAL. */
int setting_parse(const struct setting *s, const char *text, size_t len, int64_t *out);

const char *setting_unit_name(enum setting_unit u);   /* "seconds" */
const char *setting_scope_name(enum setting_scope s); /* "namespace", "machine", "module" */

/* What becomes of an assignment in a file at the next boot. */
enum setting_fate {
	SETTING_UNSET,	    /* no file assigns it */
	SETTING_APPLIED,    /* it will hold */
	SETTING_OVERRIDDEN, /* a later assignment wins */
	SETTING_LOST,	    /* nothing applies it, or it comes too early */
	SETTING_UNSURE,	    /* what is known does not decide it; the sentence says why */
};
const char *setting_fate_name(enum setting_fate f); /* "applied", "lost", ... */

/* A value with its origin. */
struct setting_value {
	const struct setting *setting;
	bool is_now_known;
	int64_t now;
	char now_text[32];     /* as the file says it; for SETTING_NAME the only value */
	char now_path[160];    /* where it was read, e.g. the legacy path on an old kernel */
	int error;	       /* why it is not known: -ENOENT, -EACCES, -EINVAL; else 0 */
	bool is_writable;      /* by mode; a child namespace shows 0444 */
	bool is_boot_known;    /* some file assigns a number */
	int64_t boot;	       /* the assignment that decides among the files */
	char boot_origin[192]; /* "/etc/sysctl.d/50-ct.conf:3" */
	enum setting_fate boot_fate;
	char boot_why[256];  /* one sentence, empty when no file assigns it */
	bool is_after_known; /* what it will be after a boot */
	int64_t after;
	bool is_default_known;
	int64_t by_default; /* of this kernel on this memory */
};

struct settings {
	struct setting_value *at; /* settings_n of them, in list order */
	size_t n;
	uint32_t release; /* 0 unknown */
};

/* Reads all knobs of the namespace @h stands for, as they are now: a few dozen small files, no
 * look at boot. Never fails for a missing file. -ENOMEM. */
int settings_read_now(struct host *h, struct settings *out, struct ct_err *err);

/* The same, and fills the boot columns by boot_read(). */
int settings_read(struct host *h, struct settings *out, struct ct_err *err);
void settings_fini(struct settings *s);

/* The value of the knob @name in @s, or null when it is not known now. */
const struct setting_value *settings_get(const struct settings *s, const char *name);

/* The entry of @name whether or not it is known now; null only for a wrong name. */
struct setting_value *settings_at(const struct settings *s, const char *name);

#endif
