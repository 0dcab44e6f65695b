/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Steps tried on one look at the table, and again together.
 */
#include "ops/advice/advice.h"

#include <errno.h>
#include <stdlib.h>

#include "ops/advice/inner.h"

#define STANDARD_KEEP_S 8100u
#define STANDARD_MEMORY 8u /* a part of this many */

struct trial *advice_put(struct advice *a, enum advice_kind kind)
{
	struct trial *t = &a->trial[a->n];

	if (a->n == ADVICE_MAX_STEPS)
		return NULL;
	*t = (struct trial){ .step = { .kind = kind } };
	t->change.growth = a->goal.growth;
	a->n++;
	return t;
}

/* Whether a step changes what the table holds. */
static bool is_tried(const struct trial *t)
{
	return t->change.n_sets + t->change.n_notrack > 0;
}

static int begin(struct advice *a)
{
	const struct settings *s = &a->ns->settings;
	int r = whatif_new(&a->none, s, a->seed, &a->as_is);

	for (size_t i = 0; r == 0 && i < a->n; i++)
		if (is_tried(&a->trial[i]))
			r = whatif_new(&a->trial[i].change, s, a->seed, &a->trial[i].whatif);
	return r;
}

static void end(struct advice *a)
{
	for (size_t i = 0; i < a->n; i++) {
		whatif_free(a->trial[i].whatif);
		a->trial[i].whatif = NULL;
	}
	whatif_free(a->as_is);
	a->as_is = NULL;
}

int advice_new(const struct facts *f, struct report *r, const struct advice_goal *goal,
	       uint64_t seed, struct advice **out)
{
	struct advice *a = calloc(1, sizeof(*a));
	int ret;

	if (!a)
		return -ENOMEM;
	a->f = f;
	a->ns = &f->netns[0];
	a->r = r;
	a->goal = *goal;
	a->seed = seed;
	if (a->goal.growth <= 0)
		a->goal.growth = 1;
	if (a->goal.headroom <= 0)
		a->goal.headroom = 2;
	if (!a->goal.mem_bytes)
		a->goal.mem_bytes = f->machine.low_mem_bytes / STANDARD_MEMORY;
	if (!a->goal.keep_sessions_s)
		a->goal.keep_sessions_s = STANDARD_KEEP_S;
	a->none.growth = a->goal.growth;
	advice_candidates(a);
	ret = begin(a);
	if (ret < 0) {
		advice_free(a);
		return ret;
	}
	*out = a;
	return 0;
}

void advice_free(struct advice *a)
{
	if (!a)
		return;
	end(a);
	free(a);
}

static void drop(struct advice *a, size_t i)
{
	whatif_free(a->trial[i].whatif);
	for (; i + 1 < a->n; i++) {
		/* A run borrows its change: it is begun anew when the trial moves. */
		a->trial[i] = a->trial[i + 1];
	}
	a->n--;
}

void advice_try_rules(struct advice *a, advice_rules_fn *can, void *user)
{
	struct ct_err err;

	end(a);
	for (size_t i = 0; i < a->n;) {
		struct advice_step *s = &a->trial[i].step;

		if (s->kind != ADVICE_NOTRACK || can(user, s->class, &err) == 0) {
			i++;
			continue;
		}
		if (a->n_left_out < 8)
			a->left_out[a->n_left_out++] = report_text(
				a->r, "NOTRACK of '%s' is not possible: %s", s->class, err.text);
		drop(a, i);
	}
	if (begin(a) < 0)
		end(a);
}

uint32_t advice_want(const struct advice *a)
{
	uint32_t want = whatif_want(&a->none);

	for (size_t i = 0; i < a->n; i++)
		want |= whatif_want(&a->trial[i].change);
	return want;
}

void advice_add(struct advice *a, const struct ct_entry *e)
{
	if (a->as_is)
		whatif_add(a->as_is, e);
	for (size_t i = 0; i < a->n; i++)
		if (a->trial[i].whatif)
			whatif_add(a->trial[i].whatif, e);
}

/* Steps that break translations are none; those that win less than a twentieth neither. */
static bool is_useless(const struct advice *a, struct trial *t)
{
	const struct advice_step *s = &t->step;

	if (!t->whatif)
		return s->kind != ADVICE_APPLICATION;
	if (s->kind == ADVICE_NOTRACK && t->outcome.notrack[0].n_nat > 0)
		return true;
	return s->entries > 0.95 * a->grown.total.then;
}

static int by_gain(const void *x, const void *y)
{
	const struct trial *a = x, *b = y;

	if (a->step.is_counted != b->step.is_counted)
		return a->step.is_counted ? 1 : -1; /* what an application does comes first */
	return (a->step.entries > b->step.entries) - (a->step.entries < b->step.entries);
}

/* Each change takes in all before it. */
static void join(struct advice *a)
{
	struct change all = { .growth = a->goal.growth };

	for (size_t i = 0; i < a->n; i++) {
		struct change *c = &a->trial[i].change;

		for (unsigned k = 0; k < c->n_sets && all.n_sets < CHANGE_MAX_SETS; k++)
			all.set[all.n_sets++] = c->set[k];
		for (unsigned k = 0; k < c->n_notrack && all.n_notrack < CHANGE_MAX_NOTRACK; k++)
			all.notrack[all.n_notrack++] = c->notrack[k];
		if (is_tried(&a->trial[i]))
			*c = all;
	}
}

void advice_end(struct advice *a)
{
	size_t kept = 0;

	if (a->as_is)
		whatif_end(a->as_is, &a->grown);
	for (size_t i = 0; i < a->n; i++) {
		struct trial *t = &a->trial[i];

		if (t->whatif) {
			whatif_end(t->whatif, &t->outcome);
			t->step.entries = t->outcome.total.then;
			t->step.n_breaks = t->outcome.breaks.n[BREAKS_OPEN];
			t->step.is_counted = true;
		}
	}
	for (size_t i = 0; i < a->n; i++) {
		bool is_out = is_useless(a, &a->trial[i]);

		if (is_out) {
			whatif_free(a->trial[i].whatif);
			a->trial[i].whatif = NULL;
			continue;
		}
		if (kept != i) {
			a->trial[kept] = a->trial[i];
			a->trial[i].whatif = NULL;
		}
		kept++;
	}
	end(a);
	a->n = kept;
	qsort(a->trial, a->n, sizeof(*a->trial), by_gain);
	join(a);
	(void)begin(a);
}

void advice_settle(struct advice *a)
{
	double then = a->grown.total.then, unassured = a->grown.unassured_then;
	double tracked = then; /* rules may go again: room is for what they leave out as well */

	for (size_t i = 0; i < a->n; i++) {
		struct trial *t = &a->trial[i];

		if (t->whatif) {
			whatif_end(t->whatif, &t->outcome);
			then = t->outcome.total.then;
			unassured = t->outcome.unassured_then;
		}
		t->step.entries_with = then;
		if (t->step.kind == ADVICE_SET && t->step.entries < tracked)
			tracked = t->step.entries;
	}
	a->needed = tracked * a->goal.headroom;
	advice_room(a);
	advice_level(a, (double)a->grown.total.now, a->grown.unassured_now, 0, &a->now);
	for (size_t i = 0; i < a->n; i++) {
		if (!is_tried(&a->trial[i]) && a->trial[i].step.kind == ADVICE_SET) {
			a->trial[i].step.entries_with = then;
			a->trial[i].step.is_counted = true;
		}
		advice_level(a, a->trial[i].step.entries_with, unassured, i + 1,
			     &a->trial[i].step.level);
	}
	end(a);
}

size_t advice_n(const struct advice *a)
{
	return a->n;
}

const struct advice_step *advice_at(const struct advice *a, size_t i)
{
	return &a->trial[i].step;
}

const struct level *advice_now(const struct advice *a)
{
	return &a->now;
}

double advice_needed(const struct advice *a)
{
	return a->needed;
}

const char *advice_left_out(const struct advice *a, size_t i)
{
	return i < a->n_left_out ? a->left_out[i] : NULL;
}
