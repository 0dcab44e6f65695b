/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Sysctls for an engine: see sysctl.h.
 */
#include "ops/sim/sysctl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/clean.h"
#include "lib/base/number.h"

enum { MAX_LINE = 4096 };

struct word {
	const char *at;
	size_t len;
};

/* What a key stands for: exactly one of the places is set. */
struct place {
	uint32_t *narrow;
	uint64_t *wide;
	bool *flag;
	uint8_t *byte;
	uint64_t highest;
};

/* Compares with '/' for '.', as sysctl does. */
static bool is_key(struct word key, const char *name)
{
	size_t len = strlen(name);

	if (key.len != len)
		return false;
	for (size_t i = 0; i < len; i++)
		if ((key.at[i] == '/' ? '.' : key.at[i]) != name[i])
			return false;
	return true;
}

static bool ends_with(struct word key, const char *end)
{
	size_t len = strlen(end);

	return key.len >= len && is_key((struct word){ key.at + key.len - len, len }, end);
}

/* The limits of the whole machine are not among the engine's per-namespace settings. */
static bool find_limit(const struct sim_sysctls *s, struct word key, struct place *out)
{
	const struct {
		const char *name;
		uint32_t *at;
	} limits[] = {
		{ "max", &s->engine->max },
		{ "buckets", &s->engine->buckets },
		{ "expect_max", &s->engine->expect_max },
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		char longest[64];

		(void)snprintf(longest, sizeof(longest), "nf_conntrack_%s", limits[i].name);
		if (!is_key(key, limits[i].name) && !ends_with(key, longest))
			continue;
		out->narrow = limits[i].at;
		out->highest = INT32_MAX;
		return true;
	}
	return false;
}

static bool find_routing(const struct sim_sysctls *s, struct word key, struct place *out)
{
	if (is_key(key, "net.ipv4.ip_forward")) {
		out->flag = &s->router->is_forwarding;
		out->highest = 1;
	} else if (is_key(key, "net.ipv4.conf.all.rp_filter")) {
		out->byte = &s->router->rp_filter;
		out->highest = CT_RP_LOOSE;
	}
	return out->highest != 0;
}

static bool find_place(const struct sim_sysctls *s, struct word key, struct place *out)
{
	uint32_t highest = 0;

	*out = (struct place){ .highest = 0 };
	if (find_limit(s, key, out) || find_routing(s, key, out))
		return true;
	if (ct_engine_setting_find(&s->engine->settings, key.at, key.len, &out->narrow, &highest) ==
	    0) {
		out->highest = highest;
		return true;
	}
	return ct_defrag_setting_find(&s->defrag->settings, key.at, key.len, &out->wide,
				      &out->highest) == 0;
}

static int assign(const struct sim_sysctls *s, struct word key, struct word value,
		  struct ct_err *err)
{
	struct place to;
	uint64_t v;

	if (!find_place(s, key, &to))
		return ct_err_set(err, -ENOENT, "there is no setting '%.*s' of the tracker",
				  (int)key.len, key.at);
	if (ct_number_u64(value.at, value.len, to.highest, &v) < 0)
		return ct_err_set(err, -EINVAL, "%.*s takes 0 to %llu, not '%.*s'", (int)key.len,
				  key.at, (unsigned long long)to.highest, (int)value.len, value.at);
	if (to.narrow)
		*to.narrow = (uint32_t)v;
	else if (to.wide)
		*to.wide = v;
	else if (to.flag)
		*to.flag = v != 0;
	else
		*to.byte = (uint8_t)v;
	return 0;
}

static struct word trim(const char *at, size_t len)
{
	while (len > 0 && strchr(" \t\r\n", *at)) {
		at++;
		len--;
	}
	while (len > 0 && strchr(" \t\r\n", at[len - 1]))
		len--;
	return (struct word){ at, len };
}

int sim_sysctl_assign(const struct sim_sysctls *s, const char *text, struct ct_err *err)
{
	const char *equals = strchr(text, '=');

	if (!equals)
		return ct_err_set(err, -EINVAL, "'%s' is no KEY=VALUE", text);
	return assign(s, trim(text, (size_t)(equals - text)), trim(equals + 1, strlen(equals + 1)),
		      err) < 0
		       ? -EINVAL
		       : 0;
}

/* What a file says beside what is known here: only of the tracker it is worth a word. */
static bool is_tracking(struct word key)
{
	return memmem(key.at, key.len, "nf_conntrack", 12) ||
	       memmem(key.at, key.len, "ip_conntrack", 12);
}

static void remark(const struct sim_sysctls *s, const char *path, unsigned number, const char *why)
{
	struct ct_err text = { "" };

	(void)ct_err_set(&text, 0, "%s:%u: %s; passed over", path, number, why);
	if (s->remark)
		s->remark(s->user, text.text);
}

/* One line. -ENOENT: of no concern, or (with a sentence) not known. */
static int read_line(const struct sim_sysctls *s, const char *line, bool *is_forgiven,
		     struct ct_err *err)
{
	struct word all = trim(line, strcspn(line, "\n")), key;
	const char *equals = memchr(all.at, '=', all.len);

	*is_forgiven = false;
	if (all.len == 0 || *all.at == '#' || *all.at == ';')
		return 0;
	if (*all.at == '-') {
		*is_forgiven = true;
		all = trim(all.at + 1, all.len - 1);
	}
	if (!equals)
		return ct_err_set(err, -EINVAL, "'%.*s' is no KEY=VALUE", (int)all.len, all.at);
	key = trim(all.at, (size_t)(equals - all.at));
	if (!is_tracking(key) && !memmem(key.at, key.len, "ipfrag_", 7) &&
	    !is_key(key, "net.ipv4.ip_forward") && !is_key(key, "net.ipv4.conf.all.rp_filter"))
		return 0;
	return assign(s, key, trim(equals + 1, (size_t)(all.at + all.len - equals - 1)), err);
}

int sim_sysctl_file(const struct sim_sysctls *s, const char *path, struct ct_err *err)
{
	FILE *f = fopen(path, "re");
	char line[MAX_LINE];
	unsigned number = 0;
	int r = 0;

	if (!f)
		return ct_err_set(err, -errno, "%s: %s", path, strerror(errno));
	while (r == 0 && fgets(line, sizeof(line), f)) {
		struct ct_err why = { "" };
		bool is_forgiven = false;

		number++;
		r = strlen(line) == sizeof(line) - 1
			    ? ct_err_set(&why, -EINVAL, "the line is too long")
			    : read_line(s, line, &is_forgiven, &why);
		if (r == -ENOENT || (r < 0 && is_forgiven)) {
			remark(s, path, number, why.text);
			r = 0;
		} else if (r < 0) {
			r = ct_err_set(err, -EINVAL, "%s:%u: %s", path, number, why.text);
		}
	}
	(void)fclose(f);
	return r;
}
