/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Settings as writes.
 *
 * More buckets come before a higher limit, and a lower limit before fewer buckets, so that at no
 * moment more entries may come than the chains are made for; taking back goes the other way round.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ops/apply/drafts.h"
#include "ops/host/netns.h"
#include "ops/settings/size.h"

#define COUNT_PATH  "/proc/sys/net/netfilter/nf_conntrack_count"
#define FAR_BUCKETS (1u << 20)

/* What the settings of one plan are turned into writes with. */
struct target {
	struct host *host, *h; /* the machine, and the namespace of it */
	const struct draft_options *o;
	struct settings now;
	struct size_machine machine;
	uint64_t netns;
};

/* The file to write: that of buckets is read-only before 4.8, the parameter never was. */
static const char *path_of(const struct target *t, const struct setting_value *v)
{
	const struct setting_value *hashsize = settings_at(&t->now, "hashsize");

	if (strcmp(v->setting->name, "nf_conntrack_buckets") == 0 && !v->is_writable &&
	    hashsize->is_now_known && hashsize->is_writable)
		return hashsize->now_path;
	return v->now_path;
}

static bool may_write(const struct target *t, const char *path)
{
	struct host_stat st;

	return host_stat(t->h, path, &st) == 0 && (st.mode & 0222) != 0;
}

/* Linux 6.18, nf_conntrack_standalone_init_sysctl(): max, buckets and expect_max are 0444 in every
 * namespace but the first. */
static int refuse_here(const struct target *t, const struct setting_value *v, struct ct_err *err)
{
	if (v->setting->scope != SETTING_MACHINE)
		return ct_err_set(err, -EROFS,
				  "%s is read-only here (%s); in a container, /proc/sys is mounted "
				  "so: change it from the machine itself, with --netns",
				  v->setting->name, v->now_path);
	if (t->o->netns)
		return ct_err_set(err, -EROFS,
				  "%s belongs to the whole machine and is read-only in namespace "
				  "%s; leave out --netns",
				  v->setting->name, t->o->netns);
	return ct_err_set(err, -EROFS,
			  "%s belongs to the whole machine and is read-only in this network "
			  "namespace; run this on the machine itself (there: conntune apply; from "
			  "here, with the rights for it: nsenter -t 1 -n conntune apply)",
			  v->setting->name);
}

static int is_as_planned(const struct target *t, const struct plan_set *s,
			 const struct setting_value *v, struct draft *d, struct ct_err *err)
{
	if (!s->is_from_known || s->from == v->now)
		return 0;
	if (!t->o->is_forced)
		return ct_err_set(err, -ESTALE,
				  "%s is %" PRId64 " now, not %" PRId64
				  " as when the plan was made: somebody changed it meanwhile; make "
				  "a new plan, or use --force",
				  s->setting->name, v->now, s->from);
	return draft_remark(d, "%s is %" PRId64 " now, not %" PRId64 " as the plan says; forced.",
			    s->setting->name, v->now, s->from);
}

/* Entries of all namespaces, which one table of buckets holds. */
static uint64_t count_all(struct host *machine)
{
	auto_fini(netns_list) struct netns_list list = { 0 };
	uint64_t sum = 0;

	if (netns_list(machine, &list, NULL) < 0)
		return 0;
	for (size_t i = 0; i < list.n; i++) {
		auto_free(host) struct host *h = NULL;
		int64_t n;

		if (host_in_netns(machine, &list.at[i], &h, NULL) == 0 &&
		    host_read_i64(h, COUNT_PATH, &n) == 0)
			sum += (uint64_t)n;
	}
	return sum;
}

/* Linux 6.18, nf_conntrack_hash_resize(): all locks are held while every entry moves. Measured with
 * 100,000 and 400,000 entries between 65536 and 2097152 buckets, two processors, other work going
 * on: 0.5 to 0.9 us an entry up to a million buckets, 1.6 to 3 us beyond, where each is far apart.
 */
static int tell_stall(struct host *machine, uint64_t from, uint64_t to, struct draft *d)
{
	bool is_large = from > FAR_BUCKETS || to > FAR_BUCKETS;
	uint64_t n = count_all(machine);

	return draft_remark(
		d,
		"Moving %" PRIu64 " entries into other buckets stops the tracker on all "
		"processors for about %" PRIu64 " to %" PRIu64
		" ms (0.5 to 0.9 us an entry, 1.6 to 3 beyond a million buckets, as "
		"measured on Linux 6.18 with two processors).",
		n, n * (is_large ? 16 : 5) / 10000, n * (is_large ? 30 : 9) / 10000 + 1);
}

static int add_one(const struct target *t, const struct plan_set *s, struct draft *d,
		   struct ct_err *err)
{
	const struct setting_value *v = settings_at(&t->now, s->setting->name);
	char from[24], to[24];
	struct step p = { .kind = STEP_setting, .netns = t->netns, .where = t->o->netns };
	uint64_t wanted = (uint64_t)s->to;
	int r;

	if (!v->is_now_known)
		return ct_err_set(err, v->error ? v->error : -ENOENT, "%s cannot be read here: %s",
				  s->setting->name,
				  v->error == -ENOENT
					  ? "connection tracking is not loaded, or this "
					    "kernel does not have it"
					  : strerror(-v->error));
	if (strcmp(s->setting->name, "nf_conntrack_buckets") == 0)
		wanted = size_buckets_rounded(&t->machine, wanted);
	r = setting_accepts(s->setting, t->now.release, s->to, err);
	if (r < 0 && r != -EROFS)
		return ct_err_wrap(err, r, "%s", s->setting->name);
	r = is_as_planned(t, s, v, d, err);
	if (r < 0)
		return r;
	if ((uint64_t)v->now == wanted)
		return draft_remark(d, "%s is %" PRId64 " already.", s->setting->name, v->now);
	if (wanted != (uint64_t)s->to)
		r = draft_remark(d,
				 "The kernel makes whole pages of buckets: %" PRIu64
				 " of the %" PRId64 " asked for.",
				 wanted, s->to);
	p.what = s->setting->name;
	p.path = path_of(t, v);
	if (r == 0 && !t->o->is_for_show && !may_write(t, p.path))
		return refuse_here(t, v, err);
	(void)snprintf(from, sizeof(from), "%" PRId64, v->now);
	(void)snprintf(to, sizeof(to), "%" PRIu64, wanted);
	p.from = from;
	p.to = to;
	if (r == 0 && strcmp(s->setting->name, "nf_conntrack_buckets") == 0)
		r = tell_stall(t->host, (uint64_t)v->now, wanted, d);
	return r < 0 ? r : journal_add(&d->journal, &p);
}

/* What must be written before the rest, and what after. */
static int rank(const struct target *t, const struct plan_set *s)
{
	const struct setting_value *v = settings_at(&t->now, s->setting->name);

	if (strcmp(s->setting->name, "nf_conntrack_buckets") == 0)
		return v->is_now_known && s->to > v->now ? 0 : 2;
	return strcmp(s->setting->name, "nf_conntrack_max") == 0 ? 1 : 3;
}

static int add_all(const struct target *t, const struct plan *p, struct draft *d,
		   struct ct_err *err)
{
	int r = 0;

	for (int at = 0; at <= 3; at++)
		for (unsigned i = 0; r == 0 && i < p->n_sets; i++)
			if (rank(t, &p->set[i]) == at)
				r = add_one(t, &p->set[i], d, err);
	return r;
}

int draft_settings(struct host *machine, struct host *h, const struct plan *p,
		   const struct draft_options *o, struct draft *d, struct ct_err *err)
{
	struct target t = { .host = machine, .h = h, .o = o };
	int r;

	if (p->n_sets == 0)
		return 0;
	r = settings_read_now(h, &t.now, err);
	if (r < 0)
		return r;
	if (host_netns_inode(h, &t.netns) < 0)
		t.netns = 0;
	(void)size_machine_of(machine, &t.machine);
	r = add_all(&t, p, d, err);
	settings_fini(&t.now);
	return r;
}
