/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The list of knobs and reading them as they are now; see settings.h.
 *
 * The bounds answer to nf_ct_sysctl_table in net/netfilter/nf_conntrack_standalone.c.
 */
#include "ops/settings/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/number.h"
#include "ops/settings/boot.h"
#include "ops/settings/size.h"

/* The most seconds any kernel takes: ticks are an int, and HZ is at least 100. */
#define MAX_SECONDS (INT32_MAX / 100)

#define NETFILTER_DIR "/proc/sys/net/netfilter/"
#define MODULE_DIR    "/sys/module/nf_conntrack/parameters/"

#define IS(s, u)	     .scope = SETTING_##s, .unit = SETTING_##u,
#define BOUNDS(a, b)	     .min = (a), .max = (b),
#define TICKS		     .min = -MAX_SECONDS, .max = MAX_SECONDS,
#define DEFAULT(v)	     .defaults = { { UINT32_MAX, (v) } },
#define CHANGED(a, since, b) .defaults = { { (since), (a) }, { UINT32_MAX, (b) } },
#define COMPUTED	     .is_computed = true,
#define READ_ONLY	     .writable_since = UINT32_MAX,
#define WRITABLE_SINCE(r)    .writable_since = (r),
#define INITIAL_ONLY	     .is_initial_only = true,
#define HIDDEN		     .is_hidden = true,
#define ALIASES(...)	     .aliases = { __VA_ARGS__ },
#define LEGACY(name)                                                                               \
	ALIASES({ "net.ipv4.netfilter.ip_conntrack_" name, RELEASE(2, 6, 0), RELEASE(4, 9, 0) })
#define SINCE(r)     .since = (r),
#define UNTIL(r)     .until = (r),
#define MODULE(name) .module = (name),
#define CORE	     .module = NULL,
#define TEXT(t)	     .text = (t)

/* What holds where an entry says nothing else stands first; later initialisers replace it. */
#define SYSCTL(n, ...)                                                                             \
	{ .name = #n,                                                                              \
	  .key = "net.netfilter." #n,                                                              \
	  .path = NETFILTER_DIR #n,                                                                \
	  .module = "nf_conntrack",                                                                \
	  .until = UINT32_MAX,                                                                     \
	  __VA_ARGS__ },
#define PARAMETER(n, label, ...)                                                                   \
	{ .name = (label),                                                                         \
	  .key = "nf_conntrack." #n,                                                               \
	  .path = MODULE_DIR #n,                                                                   \
	  .module = "nf_conntrack",                                                                \
	  .until = UINT32_MAX,                                                                     \
	  __VA_ARGS__ },
#define DCCP(state, seconds, text)                                                                 \
	SYSCTL(nf_conntrack_dccp_timeout_##state,                                                  \
	       IS(NETNS, SECONDS) TICKS DEFAULT(seconds) SINCE(RELEASE(2, 6, 26))                  \
		       UNTIL(RELEASE(6, 17, 0)) TEXT(text))
#define NF_LOG_UNTIL(n, family, release)                                                           \
	{ .name = "nf_log/" #n,                                                                    \
	  .key = "net.netfilter.nf_log." #n,                                                       \
	  .path = NETFILTER_DIR "nf_log/" #n,                                                      \
	  .scope = SETTING_NETNS,                                                                  \
	  .unit = SETTING_NAME,                                                                    \
	  .since = RELEASE(2, 6, 31),                                                              \
	  .until = (release),                                                                      \
	  .text = "The packet logger of " family " (NONE: nothing is logged). Rules with LOG and " \
		  "lines about INVALID packets go there." },
#define NF_LOG(n, family) NF_LOG_UNTIL(n, family, UINT32_MAX)

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
const struct setting settings_list[] = {
#include "ops/settings/settings.def"
};
#pragma GCC diagnostic pop
const size_t settings_n = sizeof(settings_list) / sizeof(settings_list[0]);

/* Compares two keys; '.' and '/' are the same. */
static bool same_key(const char *a, const char *b)
{
	for (; *a && *b; a++, b++) {
		char x = *a == '/' ? '.' : *a, y = *b == '/' ? '.' : *b;

		if (x != y)
			return false;
	}
	return *a == *b;
}

/* The alias of @s spelled @key, or null. */
static const struct setting_alias *find_alias(const struct setting *s, const char *key)
{
	for (size_t i = 0; i < SETTING_MAX_ALIASES && s->aliases[i].key; i++)
		if (same_key(s->aliases[i].key, key))
			return &s->aliases[i];
	return NULL;
}

/* Takes what people put in front of a key away. */
static const char *bare_key(const char *name)
{
	if (strncmp(name, "/proc/sys/", 10) == 0)
		return name + 10;
	if (strncmp(name, "proc/sys/", 9) == 0)
		return name + 9;
	return name;
}

const struct setting *settings_find(const char *name)
{
	const char *key = bare_key(name);

	for (size_t i = 0; i < settings_n; i++) {
		const struct setting *s = &settings_list[i];

		if (same_key(s->name, key) || same_key(s->key, key) || strcmp(s->path, name) == 0 ||
		    find_alias(s, key))
			return s;
	}
	/* an old name without its folder: ip_conntrack_max */
	for (size_t i = 0; i < settings_n; i++) {
		const struct setting *s = &settings_list[i];

		for (size_t k = 0; k < SETTING_MAX_ALIASES && s->aliases[k].key; k++)
			if (strcmp(strrchr(s->aliases[k].key, '.') + 1, key) == 0)
				return s;
	}
	return NULL;
}

static void release_text(uint32_t release, char out[16])
{
	unsigned sub = release % 1000;

	if (release < RELEASE(3, 0, 0) || sub)
		(void)snprintf(out, 16, "%u.%u.%u", release / 1000000, release / 1000 % 1000, sub);
	else
		(void)snprintf(out, 16, "%u.%u", release / 1000000, release / 1000 % 1000);
}

bool setting_exists(const struct setting *s, uint32_t release)
{
	return release == 0 || (release >= s->since && release < s->until);
}

int setting_spelling(const struct setting *s, const char *key, uint32_t release, struct ct_err *err)
{
	const struct setting_alias *alias = find_alias(s, bare_key(key));
	uint32_t since = alias ? alias->since : s->since;
	uint32_t until = alias ? alias->until : s->until;
	char when[16], now[16];

	/* The nf_conntrack spelling is younger than the thing itself. */
	if (!alias && since < RELEASE(2, 6, 15))
		since = RELEASE(2, 6, 15);
	if (release == 0 || (release >= since && release < until))
		return 0;
	release_text(release, now);
	release_text(release < since ? since : until, when);
	if (release < since)
		return ct_err_set(err, -ENOENT, "Linux %s does not have it yet (it came with %s)",
				  now, when);
	if (alias && setting_exists(s, release))
		return ct_err_set(err, -ENOENT,
				  "the name %s is gone since Linux %s; today it is %s", alias->key,
				  when, s->key);
	return ct_err_set(err, -ENOENT, "Linux %s does not have it (removed in %s)", now, when);
}

int setting_default(const struct setting *s, uint32_t release, int64_t *out)
{
	if (!setting_exists(s, release))
		return -ENOENT;
	if (s->is_computed)
		return -EAGAIN;
	for (size_t i = 0; i < SETTING_MAX_DEFAULTS && s->defaults[i].until; i++) {
		/* Of an unknown release only what never changed is known. */
		if (release == 0 && s->defaults[i].until != UINT32_MAX)
			return -ENOENT;
		if (release < s->defaults[i].until) {
			*out = s->defaults[i].value;
			return 0;
		}
	}
	return -ENOENT;
}

int setting_accepts(const struct setting *s, uint32_t release, int64_t value, struct ct_err *err)
{
	int64_t min = s->min;

	if (s->writable_since == UINT32_MAX || (release && release < s->writable_since))
		return ct_err_set(err, -EROFS, "%s is read-only", s->key);
	if (release >= RELEASE(6, 19, 0) && strcmp(s->name, "nf_conntrack_max") == 0)
		min = 1;
	if (s->unit == SETTING_SECONDS && value > s->max)
		return ct_err_set(err, -ERANGE,
				  "%lld s is more than the kernel takes (2147483647 / HZ seconds)",
				  (long long)value);
	if (value < min || value > s->max)
		return ct_err_set(err, -ERANGE, "%lld is outside %lld..%lld", (long long)value,
				  (long long)min, (long long)s->max);
	return 0;
}

int setting_parse(const struct setting *s, const char *text, size_t len, int64_t *out)
{
	while (len && strchr(" \t\r\n", text[len - 1]))
		len--;
	while (len && strchr(" \t", *text))
		text++, len--;
	if (s->scope == SETTING_MODULE && s->unit == SETTING_BOOL && len == 1) {
		if (strchr("Yy1", *text) || strchr("Nn0", *text)) {
			*out = strchr("Yy1", *text) != NULL;
			return 0;
		}
	}
	if (s->unit == SETTING_NAME)
		return -EINVAL;
	return ct_number_i64(text, len, out);
}

const char *setting_unit_name(enum setting_unit u)
{
	switch (u) {
	case SETTING_SECONDS:
		return "seconds";
	case SETTING_COUNT:
		return "count";
	case SETTING_BOOL:
		return "switch";
	case SETTING_BYTES:
		return "bytes";
	case SETTING_PROTOCOL:
		return "protocol";
	case SETTING_CHOICE:
		return "choice";
	case SETTING_NAME:
		return "name";
	}
	return "?";
}

const char *setting_scope_name(enum setting_scope s)
{
	switch (s) {
	case SETTING_NETNS:
		return "namespace";
	case SETTING_MACHINE:
		return "machine";
	case SETTING_MODULE:
		return "module";
	}
	return "?";
}

const char *setting_fate_name(enum setting_fate f)
{
	switch (f) {
	case SETTING_UNSET:
		return "unset";
	case SETTING_APPLIED:
		return "applied";
	case SETTING_OVERRIDDEN:
		return "overridden";
	case SETTING_LOST:
		return "lost";
	case SETTING_UNSURE:
		return "unsure";
	}
	return "?";
}

/* The file of a key: sysctls have dots for slashes, parameters are MODULE.NAME. */
static void key_path(const char *key, char *out, size_t size)
{
	if (strncmp(key, "net.", 4) == 0) {
		(void)snprintf(out, size, "/proc/sys/%s", key);
		for (char *p = out; *p; p++)
			if (*p == '.')
				*p = '/';
	} else {
		const char *dot = strchr(key, '.');

		(void)snprintf(out, size, "/sys/module/%.*s/parameters/%s", (int)(dot - key), key,
			       dot + 1);
	}
}

/* Reads one spelling. -ENOENT leaves @v alone. */
static int read_path(struct host *h, struct setting_value *v, const char *path)
{
	auto_fini(ct_buf) struct ct_buf b = { 0 };
	struct host_stat st;
	int r = host_read(h, path, &b);

	if (r == -ENOENT)
		return r;
	(void)snprintf(v->now_path, sizeof(v->now_path), "%s", path);
	if (host_stat(h, path, &st) == 0)
		v->is_writable = (st.mode & 0222) != 0;
	if (r < 0)
		return r;
	while (b.len && strchr(" \t\r\n", b.p[b.len - 1]))
		b.len--;
	(void)snprintf(v->now_text, sizeof(v->now_text), "%.*s", (int)(b.len > 31 ? 31 : b.len),
		       b.p ? b.p : "");
	if (v->setting->unit == SETTING_NAME) {
		v->is_now_known = b.len > 0;
		return b.len ? 0 : -EINVAL;
	}
	r = setting_parse(v->setting, b.p ? b.p : "", b.len, &v->now);
	v->is_now_known = r == 0;
	return r < 0 ? -EINVAL : 0;
}

static void read_value(struct host *h, struct setting_value *v)
{
	const struct setting *s = v->setting;
	char path[160];
	int r = s->is_hidden ? -ENOENT : read_path(h, v, s->path);

	for (size_t i = 0; r == -ENOENT && i < SETTING_MAX_ALIASES && s->aliases[i].key; i++) {
		key_path(s->aliases[i].key, path, sizeof(path));
		r = read_path(h, v, path);
	}
	v->error = r;
}

struct computed_default {
	const char *name;
	uint64_t value;
};

/* The defaults that depend on memory: size.h knows them. */
static void computed_defaults(struct host *h, const struct settings *s)
{
	struct size_machine m;
	struct size_defaults d;
	const struct computed_default *row;

	if (size_machine_of(h, &m) < 0 || size_defaults(&m, &d) < 0)
		return;
	row = (const struct computed_default[]){
		{ "nf_conntrack_max", d.max },
		{ "nf_conntrack_buckets", d.buckets },
		{ "hashsize", d.buckets },
		{ "nf_conntrack_expect_max", d.expect_max },
		{ "expect_hashsize", d.expect_buckets },
		{ NULL, 0 },
	};
	for (; row->name; row++) {
		struct setting_value *v = settings_at(s, row->name);

		if (!setting_exists(v->setting, s->release))
			continue;
		v->is_default_known = true;
		v->by_default = (int64_t)row->value;
	}
}

int settings_read_now(struct host *h, struct settings *out, struct ct_err *err)
{
	struct settings s = { .n = settings_n };

	s.at = calloc(settings_n, sizeof(*s.at));
	if (!s.at)
		return ct_err_set(err, -ENOMEM, "out of memory");
	if (host_release_number(h, &s.release) < 0)
		s.release = 0;
	for (size_t i = 0; i < s.n; i++) {
		struct setting_value *v = &s.at[i];

		v->setting = &settings_list[i];
		read_value(h, v);
		v->is_default_known = setting_default(v->setting, s.release, &v->by_default) == 0;
	}
	computed_defaults(h, &s);
	*out = s;
	return 0;
}

void settings_fini(struct settings *s)
{
	free(s->at);
	*s = (struct settings){ 0 };
}

struct setting_value *settings_at(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->at[i].setting->name, name) == 0)
			return &s->at[i];
	return NULL;
}

const struct setting_value *settings_get(const struct settings *s, const char *name)
{
	const struct setting_value *v = settings_at(s, name);

	return v && v->is_now_known ? v : NULL;
}

/* What the boot makes of one knob. */
static void take_boot(struct setting_value *v, const struct boot *b)
{
	const struct boot_assignment *a = boot_decides(b, v->setting);

	v->is_after_known = v->is_default_known;
	v->after = v->by_default;
	if (!a)
		return;
	v->is_boot_known = a->is_number;
	v->boot = a->number;
	v->boot_fate = a->fate;
	(void)snprintf(v->boot_origin, sizeof(v->boot_origin), "%s", a->origin);
	(void)snprintf(v->boot_why, sizeof(v->boot_why), "%s", a->why);
	if (a->fate == SETTING_APPLIED && a->is_number) {
		v->is_after_known = true;
		v->after = a->number;
	} else if (a->fate == SETTING_UNSURE) {
		v->is_after_known = false;
	}
}

static void take_after(const struct settings *s, const char *name, uint64_t value)
{
	struct setting_value *v = settings_at(s, name);

	if (v->boot_fate == SETTING_UNSURE || !setting_exists(v->setting, s->release))
		return;
	v->is_after_known = true;
	v->after = (int64_t)value;
}

int settings_read(struct host *h, struct settings *out, struct ct_err *err)
{
	auto_free(boot) struct boot *b = NULL;
	int r = boot_read(h, &b, err);

	r = r < 0 ? r : settings_read_now(h, out, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < out->n; i++)
		take_boot(&out->at[i], b);
	if (b->is_after_max_known)
		take_after(out, "nf_conntrack_max", b->after_max);
	if (b->is_after_buckets_known) {
		take_after(out, "nf_conntrack_buckets", b->after_buckets);
		take_after(out, "hashsize", b->after_buckets);
	}
	return 0;
}
