/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Commands of a bundle. A command that would load a module of the kernel is not run: a bundle is
 * made by looking.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ops/bundle/pack.h"

#define MAX_PATH      4096
#define MAX_ARGUMENTS 12

struct run {
	enum bundle_scope scope;
	enum bundle_filter filter;
	const char *needs;
	unsigned timeout_ms;
	const char *name;
	const char *argv[MAX_ARGUMENTS];
};

static const struct run runs[] = {
#define LINK(pattern)
#define MARK(pattern)
#define PICK(scope, filter, pattern)
#define RUN(scope, filter, needs, timeout_ms, name, ...)                                           \
	{ SCOPE_##scope, FILTER_##filter, needs, timeout_ms, name, { __VA_ARGS__, NULL } },
#define ASK(...)
#include "ops/bundle/bundle.def"
#undef LINK
#undef MARK
#undef PICK
#undef RUN
#undef ASK
};

/* One of the blank-separated @names is there, or there are none. */
static bool has_one_of(const struct pack *p, const char *names)
{
	char name[64];
	size_t len;

	if (!*names || !host_is_live(p->host))
		return true;
	for (; *names; names += len + (names[len] == ' ')) {
		len = strcspn(names, " ");
		(void)snprintf(name, sizeof(name), "%.*s", (int)len, names);
		if (host_has_module(p->host, name))
			return true;
	}
	return false;
}

static const char *reason(int error, int status, char *buf, size_t size)
{
	if (error == -ENOENT)
		return "not installed";
	if (error != -EIO)
		return strerror(-error);
	(void)snprintf(buf, size, "ended with status %d", status);
	return buf;
}

static int run_one(struct pack *p, const struct view *v, const char *name, const char *const argv[],
		   unsigned timeout_ms, enum bundle_filter filter)
{
	auto_fini(ct_buf) struct ct_buf printed = { 0 }, kept = { 0 };
	char path[MAX_PATH], why[64];
	bool has_something;
	int status = 0, r;

	r = host_command(v->host, name, argv, timeout_ms, &printed, &status);
	if (r == -ENOENT && !host_is_live(v->host))
		return 0; /* a copy that had no such recording */
	if (r < 0)
		return pack_gap(p, v, name, reason(r, status, why, sizeof(why)));
	if (bundle_filter(filter, p->anon, printed.p, printed.len, &kept, &has_something) < 0)
		return -ENOMEM;
	if (!has_something && filter == FILTER_ALLOWANCES)
		return 0;
	(void)snprintf(path, sizeof(path), "%s/commands/%s", v->recorded, name);
	r = out_bytes(&p->out, path, 0444, kept.p, kept.len);
	p->bundle->n_commands += r == 0;
	return pack_is_harmless(r) ? 0 : r;
}

/* Counters that tell of a cloud's own limits, of each card. */
static int run_ethtool(struct pack *p, const struct view *v)
{
	auto_fini(host_names) struct host_names names = { 0 };

	if (host_list(v->host, "/sys/class/net", &names) < 0)
		return 0;
	for (size_t i = 0; i < names.n; i++) {
		const char *argv[] = { "ethtool", "-S", names.name[i], NULL };
		struct host_stat st;
		char text[128];
		int r;

		(void)snprintf(text, sizeof(text), "/sys/class/net/%.64s/device", names.name[i]);
		if (host_stat(v->host, text, &st) < 0)
			continue;
		(void)snprintf(text, sizeof(text), "ethtool-S-%.64s", names.name[i]);
		r = run_one(p, v, text, argv, 3000, FILTER_ALLOWANCES);
		if (r < 0)
			return r;
	}
	return 0;
}

int pack_commands(struct pack *p, const struct view *v)
{
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		const struct run *run = &runs[i];
		int r;

		if (!pack_is_wanted(p, v, run->scope))
			continue;
		if (!has_one_of(p, run->needs))
			r = pack_gap(p, v, run->name,
				     "its modules are not loaded, and asking would load them");
		else
			r = run_one(p, v, run->name, run->argv, run->timeout_ms, run->filter);
		if (r < 0)
			return r;
	}
	return v->is_own ? run_ethtool(p, v) : 0;
}
