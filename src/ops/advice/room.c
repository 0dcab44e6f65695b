/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Room: the limit, and the buckets that go with it, within the memory that the table may take.
 */
#include <math.h>

#include "ops/advice/inner.h"
#include "ops/diagnose/judge.h"

/* Limits are given in round numbers. */
static double round_up(double n)
{
	double grain = n > 65536 ? 65536 : 4096;

	return ceil(n / grain) * grain;
}

static const struct advice_step *set_of(const struct advice *a, const char *name, size_t upto)
{
	const struct setting *s = settings_find(name);

	for (size_t i = 0; i < upto; i++)
		if (a->trial[i].step.kind == ADVICE_SET && a->trial[i].step.setting == s)
			return &a->trial[i].step;
	return NULL;
}

void advice_level(const struct advice *a, double entries, double unassured, size_t upto,
		  struct level *l)
{
	const struct advice_step *max = set_of(a, "nf_conntrack_max", upto);
	const struct advice_step *buckets = set_of(a, "nf_conntrack_buckets", upto);

	*l = (struct level){ .entries = entries,
			     .unassured = unassured,
			     .is_max_known = a->ns->is_max_known || max,
			     .max = max ? (uint64_t)max->to : a->ns->max,
			     .buckets = buckets			 ? (uint64_t)buckets->to
					: a->f->is_buckets_known ? a->f->buckets
								 : 0 };
	if (a->ns->is_count_known && a->f->n_total > a->ns->count)
		l->elsewhere = (double)(a->f->n_total - a->ns->count);
	level_reckon(l, &a->f->machine, &a->f->entry);
}

static struct trial *room_step(struct advice *a, const char *name, uint64_t from, uint64_t to,
			       const char *reason, const char *danger)
{
	struct trial *t = advice_put(a, ADVICE_SET);

	if (!t)
		return NULL;
	t->step.setting = settings_find(name);
	t->step.from = (int64_t)from;
	t->step.to = (int64_t)to;
	t->step.reason = reason;
	t->step.danger = danger;
	t->step.undo =
		report_text(a->r, "conntune apply --set %s=%llu", name, (unsigned long long)from);
	return t;
}

/* The most entries with a bucket each that the memory allows. */
static double most(const struct advice *a)
{
	double share = a->f->machine.low_mem_bytes
			       ? (double)a->goal.mem_bytes / (double)a->f->machine.low_mem_bytes
			       : 0;

	return share > 0 ? (double)size_max_within(&a->f->machine, &a->f->entry, share) : HUGE_VAL;
}

static void buckets_for(struct advice *a, uint64_t entries)
{
	uint64_t to = size_buckets_rounded(&a->f->machine, entries);

	if (!a->f->is_buckets_known || a->f->buckets >= to)
		return;
	(void)room_step(
		a, "nf_conntrack_buckets", a->f->buckets, to,
		report_text(a->r,
			    "One bucket an entry: a lookup then walks %.1f links instead of "
			    "%.1f when the table is full.",
			    size_lookup_links((double)entries / (double)to),
			    size_lookup_links((double)entries / (double)a->f->buckets)),
		"The kernel moves all entries at once; packets wait meanwhile. conntune apply "
		"says for how long before it does it.");
}

void advice_room(struct advice *a)
{
	uint64_t max = a->ns->is_max_known ? a->ns->max : 0, to;
	double want = max && a->needed <= (double)max ? (double)max : round_up(a->needed);
	double can = most(a);
	struct trial *t;

	if (want > can && want > (double)max) {
		want = floor(can / 4096) * 4096;
		if (a->n_left_out < 8)
			a->left_out[a->n_left_out++] =
				report_text(a->r,
					    "Room for %.0f entries would take more than the %s "
					    "that the table may "
					    "have; %.0f fit.",
					    a->needed, judge_bytes(a->r, a->goal.mem_bytes), can);
	}
	to = (uint64_t)want;
	if (!a->ns->is_max_known || max == 0 || to <= max) {
		buckets_for(a, max);
		return;
	}
	buckets_for(a, to);
	t = room_step(a, "nf_conntrack_max", max, to,
		      report_text(a->r, "Room for %.0f entries: %.3g times those that are wanted.",
				  a->needed, a->goal.headroom),
		      "Traffic grows, and it fills again however large: see the steps before.");
	if (t)
		t->step.is_palliative = true;
}
