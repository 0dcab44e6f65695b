/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Gathers the picture: the machine first, then its namespaces, then what stands around them.
 */
#include "ops/facts/facts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/facts/inner.h"
#include "ops/host/netns.h"

#define MAX_NETNS  4096 /* levels read; the rest is counted */
#define MAX_TABLES 8	/* tables read when nobody asked for all */

int64_t facts_knob(const struct facts_netns *ns, const char *name)
{
	const struct setting_value *v;

	if (!ns->has_settings)
		return -1;
	v = settings_get(&ns->settings, name);
	return v ? v->now : -1;
}

const struct facts_log_source *facts_best_log(const struct facts *f)
{
	return f->best_log < f->n_logs ? &f->log[f->best_log] : NULL;
}

const struct kernel_log_event *facts_full_lines(const struct facts *f, const struct facts_netns *ns,
						const struct kernel_log *log)
{
	bool never_dropped = ns->is_stats_known && ns->stats.known & 1u << NL_STAT_DROP &&
			     ns->stats.sum[NL_STAT_DROP] == 0;

	for (unsigned i = 0; ns->inode && i < log->n_netns; i++)
		if (log->netns[i].inode == ns->inode)
			return never_dropped ? NULL : &log->netns[i].full;
	if (log->full_unnamed.n == 0 || never_dropped)
		return NULL;
	return ns->is_initial || ns->inode == 0 || f->n_netns == 1 ? &log->full_unnamed : NULL;
}

double facts_full_age_s(const struct facts *f, const struct facts_netns *ns)
{
	double age = -1;

	/* only the kernel's ring speaks of this boot */
	for (unsigned i = 0; i < f->n_logs; i++) {
		const struct kernel_log *log = &f->log[i].log;
		const struct kernel_log_event *e = ns ? facts_full_lines(f, ns, log) : &log->full;

		if (strcmp(f->log[i].source, "dmesg") == 0 && e && e->n > 0 && e->is_uptime &&
		    f->is_uptime_known)
			age = f->uptime_s > e->last_s ? f->uptime_s - e->last_s : 0;
	}
	return age;
}

const char *facts_listener(const struct facts *f, uint16_t port)
{
	for (unsigned i = 0; i < f->n_listeners; i++)
		if (f->listener[i].port == port)
			return f->listener[i].program;
	return NULL;
}

bool facts_has_program(const struct facts *f, const char *name)
{
	for (unsigned i = 0; i < f->n_programs; i++)
		if (strcmp(f->program[i], name) == 0)
			return true;
	return false;
}

void facts_free(struct facts *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->n_netns; i++) {
		stats_fini(&f->netns[i].stats);
		summary_fini(&f->netns[i].summary);
		if (f->netns[i].has_settings)
			settings_fini(&f->netns[i].settings);
	}
	free(f->netns);
	sockets_fini(&f->sockets);
	free(f);
}

/* --- the machine --- */

static void read_uptime(struct host *h, struct facts *f)
{
	auto_fini(ct_buf) struct ct_buf text = { 0 };
	char *end;

	if (host_read(h, "/proc/uptime", &text) < 0 || !text.p)
		return;
	f->uptime_s = strtod(text.p, &end);
	f->is_uptime_known = end != text.p && f->uptime_s >= 0 && f->uptime_s < 1e12;
}

bool facts_is_loaded(struct host *h, const char *name)
{
	auto_fini(ct_buf) struct ct_buf text = { 0 };
	size_t len = strlen(name);
	const char *p;

	if (host_read(h, "/proc/modules", &text) < 0 || !text.p)
		return false;
	for (p = text.p; (p = strstr(p, name)) != NULL; p += len)
		if ((p == text.p || p[-1] == '\n') && p[len] == ' ')
			return true;
	return false;
}

/* Whether the file before/RELEASE/behind holds the text @what. */
static bool file_says(struct host *h, const char *before, const char *release, const char *behind,
		      const char *what)
{
	auto_fini(ct_buf) struct ct_buf text = { 0 };
	char path[160];

	if (release[0] == '\0' || strchr(release, '/'))
		return false;
	(void)snprintf(path, sizeof(path), "%s%.80s%s", before, release, behind);
	return host_read(h, path, &text) == 0 && text.p && strstr(text.p, what);
}

bool facts_is_unloaded(struct host *h, const struct facts *f, const char *name)
{
	char file[64];

	(void)snprintf(file, sizeof(file), "/%.40s.ko", name);
	return !facts_is_loaded(h, name) &&
	       file_says(h, "/lib/modules/", f->release, "/modules.dep", file);
}

static void read_module(struct host *h, struct facts *f)
{
	struct host_stat st;

	if (facts_is_loaded(h, "nf_conntrack") || facts_is_loaded(h, "ip_conntrack")) {
		f->module = FACTS_MODULE_LOADED;
		f->module_origin = "/proc/modules";
	} else if (host_stat(h, "/sys/module/nf_conntrack", &st) == 0) {
		f->module = FACTS_MODULE_BUILTIN;
		f->module_origin = "/sys/module/nf_conntrack";
	} else if (file_says(h, "/lib/modules/", f->release, "/modules.dep", "/nf_conntrack.ko")) {
		f->module = FACTS_MODULE_LOADABLE;
		f->module_origin = "modules.dep";
	} else if (file_says(h, "/boot/config-", f->release, "",
			     "CONFIG_NF_CONNTRACK is not set")) {
		f->module = FACTS_MODULE_ABSENT;
		f->module_origin = "the kernel's configuration";
	}
}

static void read_machine(struct host *h, struct facts *f)
{
	f->is_live = host_is_live(h);
	f->is_root = host_is_root(h);
	if (host_release(h, f->release, sizeof(f->release)) < 0)
		f->release[0] = '\0';
	if (host_release_number(h, &f->release_number) < 0)
		f->release_number = 0;
	f->is_mem_known = host_mem_bytes(h, &f->mem_bytes) == 0;
	if (host_n_cpus(h, &f->n_cpus) < 0)
		f->n_cpus = 0;
	if (size_machine_of(h, &f->machine) < 0) {
		unsigned bits = 64;

		(void)host_word_bits(h, &bits);
		size_machine_like(&f->machine, 0, bits, f->release_number);
	}
	read_uptime(h, f);
	read_module(h, f);
}

/* --- buckets and what belongs to the whole machine --- */

static bool read_number(struct host *h, const char *path, uint64_t *out, char *origin, size_t size)
{
	int64_t v;

	if (host_read_i64(h, path, &v) < 0 || v < 0)
		return false;
	*out = (uint64_t)v;
	if (origin)
		(void)snprintf(origin, size, "%s", path);
	return true;
}

static void read_buckets(struct host *h, struct facts *f)
{
	static const char *const paths[] = {
		"/proc/sys/net/netfilter/nf_conntrack_buckets",
		"/sys/module/nf_conntrack/parameters/hashsize",
		"/proc/sys/net/ipv4/netfilter/ip_conntrack_buckets",
		"/sys/module/ip_conntrack/parameters/hashsize",
	};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]) && !f->is_buckets_known; i++)
		f->is_buckets_known = read_number(h, paths[i], &f->buckets, f->buckets_origin,
						  sizeof(f->buckets_origin)) &&
				      f->buckets > 0;
	f->is_expect_max_known = read_number(h, "/proc/sys/net/netfilter/nf_conntrack_expect_max",
					     &f->expect_max, NULL, 0);
}

/* --- namespaces --- */

static void label(const struct netns *ns, struct facts_netns *out)
{
	out->inode = ns->inode;
	out->is_initial = ns->is_initial;
	out->is_own = ns->is_own;
	out->is_readable = ns->is_readable;
	if (ns->is_own)
		out->enter[0] = '\0';
	else if (ns->name)
		(void)snprintf(out->enter, sizeof(out->enter), "ip netns exec %.80s", ns->name);
	else if (ns->pid > 0)
		(void)snprintf(out->enter, sizeof(out->enter), "nsenter -t %lld -n",
			       (long long)ns->pid);
	else if (ns->path)
		(void)snprintf(out->enter, sizeof(out->enter), "nsenter --net=%.90s", ns->path);
	if (ns->name)
		(void)snprintf(out->name, sizeof(out->name), "%.47s", ns->name);
	else if (ns->is_initial)
		(void)snprintf(out->name, sizeof(out->name), "initial");
	else
		(void)snprintf(out->name, sizeof(out->name), "net:[%llu]",
			       (unsigned long long)ns->inode);
	if (ns->is_initial)
		(void)snprintf(out->label, sizeof(out->label), "the initial namespace");
	else if (ns->owner)
		(void)snprintf(out->label, sizeof(out->label), "%.40s (pid %lld, %.16s)", out->name,
			       (long long)ns->pid, ns->owner);
	else
		(void)snprintf(out->label, sizeof(out->label), "%.47s", out->name);
}

static int by_count(const void *a, const void *b)
{
	const struct facts_netns *x = a, *y = b;

	if (x->is_count_known != y->is_count_known)
		return x->is_count_known ? -1 : 1;
	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return x->inode < y->inode ? -1 : x->inode > y->inode;
}

static bool is_worth_reading(const struct facts_netns *ns, size_t i, const struct facts_options *o)
{
	if (i == 0)
		return true;
	if (o->netns && strcmp(o->netns, "all") == 0)
		return true;
	return i < MAX_TABLES && ns->is_count_known && ns->is_max_known && ns->max > 0 &&
	       ns->count * 2 >= ns->max;
}

/* Looks closely at one namespace: knobs, and its table when asked. */
static int look_closely(struct host *h, const struct facts_options *o, bool is_first,
			struct facts_netns *ns, struct ct_err *err)
{
	/* of the others, knobs only tell how to read their tables */
	int r = is_first || o->want_table ? facts_read_settings(h, o->want_boot, ns, err) : 0;

	if (r < 0 || !o->want_table)
		return r;
	return facts_read_table(h, ns);
}

static void note_unreadable(struct facts_netns *ns, int r, const struct ct_err *err)
{
	ns->is_readable = false;
	(void)snprintf(ns->why, sizeof(ns->why), "%.150s", err->text[0] ? err->text : strerror(-r));
}

/* A machine whose namespaces cannot be listed still has the one that its files show. */
static int only_namespace(struct host *h, struct facts *f)
{
	f->netns = calloc(1, sizeof(*f->netns));
	if (!f->netns)
		return -ENOMEM;
	f->n_netns = 1;
	f->netns[0].is_own = f->netns[0].is_readable = true;
	(void)snprintf(f->netns[0].label, sizeof(f->netns[0].label), "this namespace");
	(void)snprintf(f->netns[0].name, sizeof(f->netns[0].name), "own");
	facts_read_level(h, &f->netns[0]);
	return 0;
}

/* Lists them, reads every level, and puts @first in front and the others behind by count. */
static int read_levels(struct host *h, const struct netns_list *list, size_t first, struct facts *f)
{
	size_t n = list->n < MAX_NETNS ? list->n : MAX_NETNS;

	f->netns = calloc(n, sizeof(*f->netns));
	if (!f->netns)
		return -ENOMEM;
	f->n_netns = n;
	f->n_unreadable = list->n_hidden;
	for (size_t i = 0; i < n; i++) {
		struct facts_netns *ns = &f->netns[i];
		/* the chosen one takes the first place */
		const struct netns *from = &list->at[i == 0 ? first : i <= first ? i - 1 : i];
		auto_free(host) struct host *inside = NULL;
		struct ct_err err = { "" };
		int r;

		label(from, ns);
		if (from->is_own) {
			facts_read_level(h, ns);
			continue;
		}
		r = host_in_netns(h, from, &inside, &err);
		if (r < 0) {
			note_unreadable(ns, r, &err);
			f->n_unreadable += r != -ENOENT; /* it ended just now */
			continue;
		}
		ns->is_readable = true;
		facts_read_level(inside, ns);
	}
	if (n > 1)
		qsort(f->netns + 1, n - 1, sizeof(*f->netns), by_count);
	return 0;
}

/* The host inside namespace @ns, or the own one. Null when it cannot be entered. */
static struct host *enter(struct host *h, const struct netns_list *list,
			  const struct facts_netns *ns, struct host **made)
{
	if (ns->is_own)
		return h;
	for (size_t i = 0; i < list->n; i++)
		if (list->at[i].inode == ns->inode)
			return host_in_netns(h, &list->at[i], made, NULL) == 0 ? *made : NULL;
	return NULL;
}

static int read_closely(struct host *h, const struct netns_list *list,
			const struct facts_options *o, struct facts *f, struct ct_err *err)
{
	for (size_t i = 0; i < f->n_netns; i++) {
		struct facts_netns *ns = &f->netns[i];
		auto_free(host) struct host *made = NULL;
		struct host *inside;
		int r;

		if (ns->is_count_known)
			f->n_total += ns->count;
		if (!ns->is_readable || !is_worth_reading(ns, i, o))
			continue;
		inside = enter(h, list, ns, &made);
		if (!inside)
			continue;
		r = look_closely(inside, o, i == 0, ns, err);
		if (r == 0 && i == 0 && o->want_rules)
			facts_read_rules(inside, o->rules_timeout_ms ? o->rules_timeout_ms : 5000,
					 f);
		if (r == 0 && i == 0 && o->want_sockets)
			r = facts_read_sockets(inside, f);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_namespaces(struct host *h, const struct facts_options *o, struct facts *f,
			   struct ct_err *err)
{
	auto_fini(netns_list) struct netns_list list = { 0 };
	struct ct_err why = { "" };
	int first = 0, r = netns_list(h, &list, &why);

	f->is_netns_known = r == 0 && list.n > 0;
	if (!f->is_netns_known) {
		(void)snprintf(f->netns_why, sizeof(f->netns_why), "%.150s",
			       why.text[0] ? why.text : strerror(r < 0 ? -r : ENOENT));
		if (o->netns && strcmp(o->netns, "all") != 0)
			return ct_err_set(err, -ENOENT, "--netns %s: %s", o->netns, f->netns_why);
		r = only_namespace(h, f);
	} else {
		if (o->netns && strcmp(o->netns, "all") != 0) {
			first = netns_find(h, &list, o->netns, err);
			if (first < 0)
				return first;
		}
		r = read_levels(h, &list, (size_t)first, f);
		if (r == 0 && o->netns && !f->netns[0].is_own && !f->netns[0].is_readable)
			return ct_err_set(err, -EPERM, "%s", f->netns[0].why);
	}
	return r < 0 ? r : read_closely(h, &list, o, f, err);
}

int facts_collect(struct host *h, const struct facts_options *o, struct facts **out,
		  struct ct_err *err)
{
	struct facts *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return ct_err_set(err, -ENOMEM, "out of memory");
	f->is_table_asked = o->want_table;
	read_machine(h, f);
	read_buckets(h, f);
	r = read_namespaces(h, o, f, err);
	if (r < 0) {
		facts_free(f);
		return r;
	}
	size_entry_of(h, &f->machine, f->netns[0].has_settings ? &f->netns[0].settings : NULL,
		      &f->entry);
	if (!f->entry.is_measured && f->release_number == 0)
		f->entry = (struct size_entry){ 0 };
	facts_read_logs(h, o->want_logs, f);
	if (o->want_boot)
		facts_read_others(h, f);
	*out = f;
	return 0;
}
