/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The kernel's table as it lies in memory, read by a program inside the kernel that no message has
 * to be composed for (bpf/table_walk.bpf.c). A dump by netlink costs the kernel over a microsecond
 * for each entry; this a small part of it.
 *
 * A thread of its own gives up its rights, loads the programs, finds the table and then walks it,
 * with others where several processors are to be used: each takes the next range of buckets and a
 * free slot, runs the program, which fills the slot, and hands it over to the consumer. Slots are
 * few, so memory stays small and a slow consumer holds the walkers back.
 *
 * A range whose chains changed while they were read is read again (inplace_range.c), so every entry
 * that was there all the time is shown exactly once. Expired entries that the kernel has not
 * collected are passed over, as ctnetlink does.
 */
#include "ops/table/inplace.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "ops/table/datagram.h"

struct slot {
	struct slot *next;
	unsigned number;
	uint32_t n;
};

struct walker {
	struct inplace_table *all;
	pthread_t thread;
	bool has_thread;
};

struct inplace_table {
	struct table base;
	struct host *host; /* borrowed, for the time */
	uint32_t want;
	struct inplace_facts facts;
	struct ct_buf *log;   /* borrowed; the loading thread's until is_ready */
	pthread_mutex_t lock; /* over everything below */
	pthread_cond_t changed;
	struct inplace *programs; /* owned; constant once is_ready */
	enum table_via via;
	bool is_ready, is_stopping, is_resized;
	int result; /* of loading and of running */
	struct ct_err err;
	uint32_t next_bucket, step;
	uint32_t first_upto, first_n; /* what the run over the first buckets found */
	unsigned n_walkers;
	unsigned n_working, n_running; /* threads that walk; that are there */
	uint64_t n_expired, n_unsure, n_again;
	struct slot *free, *filled, **filled_end;
	struct slot slots[2 * INPLACE_MAX_WALKERS];
	struct walker walkers[INPLACE_MAX_WALKERS];
	/* The consumer's. */
	struct slot *at;
	uint32_t offset;
};

/* The range to read next, and a slot for it. Null at the end. */
static struct slot *take_work(struct inplace_table *t, uint32_t *from, uint32_t *upto)
{
	struct slot *s = NULL;
	bool is_over;

	(void)pthread_mutex_lock(&t->lock);
	for (;;) {
		is_over = t->is_stopping || t->is_resized || t->result < 0 ||
			  t->next_bucket >= t->facts.hashsize;
		if (is_over || t->free)
			break;
		(void)pthread_cond_wait(&t->changed, &t->lock);
	}
	if (!is_over) {
		uint32_t left = t->facts.hashsize - t->next_bucket;

		s = t->free;
		t->free = s->next;
		s->next = NULL;
		s->n = 0;
		*from = t->next_bucket;
		*upto = *from + (left < t->step ? left : t->step);
		t->next_bucket = *upto;
	}
	(void)pthread_mutex_unlock(&t->lock);
	return s;
}

/* Waits for another slot in the middle of a range. */
static struct slot *take_slot(struct inplace_table *t)
{
	struct slot *s;

	(void)pthread_mutex_lock(&t->lock);
	while (!t->free && !t->is_stopping)
		(void)pthread_cond_wait(&t->changed, &t->lock);
	s = t->is_stopping ? NULL : t->free;
	if (s) {
		t->free = s->next;
		s->next = NULL;
		s->n = 0;
	}
	(void)pthread_mutex_unlock(&t->lock);
	return s;
}

static void put_free(struct inplace_table *t, struct slot *s)
{
	(void)pthread_mutex_lock(&t->lock);
	s->next = t->free;
	t->free = s;
	(void)pthread_cond_broadcast(&t->changed);
	(void)pthread_mutex_unlock(&t->lock);
}

/* Hands the entries of a run over, and learns from it how many buckets to take. */
static void put_filled(struct inplace_table *t, struct slot *s, const struct walk_args *a)
{
	(void)pthread_mutex_lock(&t->lock);
	s->n = a->n;
	t->n_expired += a->n_expired;
	if (a->from == 0) {
		t->first_upto = a->upto;
		t->first_n = a->n_nodes;
	}
	t->step = inplace_step(t->step, a->n_nodes);
	*t->filled_end = s;
	t->filled_end = &s->next;
	(void)pthread_cond_broadcast(&t->changed);
	(void)pthread_mutex_unlock(&t->lock);
}

static void fail(struct inplace_table *t, int result)
{
	(void)pthread_mutex_lock(&t->lock);
	if (t->result == 0)
		t->result = ct_err_set(&t->err, result, "running the program in the kernel: %s",
				       strerror(-result));
	(void)pthread_mutex_unlock(&t->lock);
}

static void note(struct inplace_table *t, bool is_resized, uint64_t n_unsure, uint64_t n_again)
{
	(void)pthread_mutex_lock(&t->lock);
	t->is_resized = t->is_resized || is_resized;
	t->n_unsure += n_unsure;
	t->n_again += n_again;
	(void)pthread_mutex_unlock(&t->lock);
}

/* What a walker is about. */
struct walk {
	struct inplace_table *all;
	struct slot *slot; /* null when there are no more */
};

static bool take_entries(void *user, struct inplace_range *r, const struct walk_args *a)
{
	struct walk *w = user;

	put_filled(w->all, w->slot, a);
	w->slot = r->from < r->upto ? take_slot(w->all) : NULL;
	if (w->slot)
		r->slot = w->slot->number;
	return w->slot;
}

/* Reads [from, upto) into @s and, where it takes more than one, further slots. */
static void walk_range(struct inplace_table *t, struct slot *s, uint32_t from, uint32_t upto)
{
	struct walk w = { t, s };
	struct inplace_range range = { .from = from,
				       .upto = upto,
				       .netns = t->facts.netns,
				       .want = inplace_want(t->want),
				       .slot = s->number,
				       .take = take_entries,
				       .user = &w };
	int r = inplace_read(t->programs, &range);

	if (r < 0)
		fail(t, r);
	note(t, range.is_resized, range.n_unsure, range.n_again);
	if (w.slot)
		put_free(t, w.slot);
}

static void look_back(struct inplace_table *t)
{
	struct slot *s = t->is_resized || t->result < 0 ? NULL : take_slot(t);

	if (!s)
		return;
	if (inplace_is_emptied(t->programs, s->number, t->facts.hashsize, t->first_upto,
			       t->first_n))
		note(t, true, 0, 0);
	put_free(t, s);
}

static void *run_walker(void *user)
{
	struct walker *w = user;
	struct inplace_table *t = w->all;
	uint32_t from = 0, upto = 0;
	struct slot *s;
	bool is_last;

	while ((s = take_work(t, &from, &upto)))
		walk_range(t, s, from, upto);
	(void)pthread_mutex_lock(&t->lock);
	t->n_working--;
	is_last = t->n_working == 0;
	(void)pthread_mutex_unlock(&t->lock);
	if (is_last && t->programs)
		look_back(t);
	(void)pthread_mutex_lock(&t->lock);
	t->n_running--;
	(void)pthread_cond_broadcast(&t->changed);
	(void)pthread_mutex_unlock(&t->lock);
	return NULL;
}

/* The first walker, which loads the programs and starts the others: they have its few rights. */
static void *run_first(void *user)
{
	struct walker *w = user;
	struct inplace_table *t = w->all;
	struct inplace *programs = NULL;
	struct ct_err err = { "" };
	const struct inplace_ask ask = { .hashsize = t->facts.hashsize,
					 .n_slots = 2 * t->n_walkers,
					 .via = t->via,
					 .host = t->host,
					 .log = t->log };
	int r = inplace_load(&ask, &programs, &err);

	(void)pthread_mutex_lock(&t->lock);
	t->programs = programs;
	t->result = r;
	t->err = err;
	for (unsigned i = 1; r == 0 && i < t->n_walkers; i++) {
		struct walker *other = &t->walkers[i];

		other->has_thread = pthread_create(&other->thread, NULL, run_walker, other) == 0;
		t->n_running += other->has_thread;
		t->n_working += other->has_thread;
	}
	t->is_ready = true;
	(void)pthread_cond_broadcast(&t->changed);
	(void)pthread_mutex_unlock(&t->lock);
	return run_walker(w);
}

/* Gives the slot just read back and waits for another. Null at the end. */
static struct slot *next_slot(struct inplace_table *t)
{
	(void)pthread_mutex_lock(&t->lock);
	if (t->at) {
		t->at->next = t->free;
		t->free = t->at;
		(void)pthread_cond_broadcast(&t->changed);
	}
	while (!t->filled && t->n_running > 0)
		(void)pthread_cond_wait(&t->changed, &t->lock);
	t->at = t->filled;
	if (t->at) {
		t->filled = t->at->next;
		if (!t->filled)
			t->filled_end = &t->filled;
	}
	t->offset = 0;
	(void)pthread_mutex_unlock(&t->lock);
	return t->at;
}

static int inplace_next(struct table *base, struct ct_entry *out, struct ct_err *err)
{
	struct inplace_table *t = (struct inplace_table *)base;
	uint32_t want;

	while (!t->at || t->offset >= t->at->n)
		if (!next_slot(t))
			return t->result < 0 ? ct_err_set(err, t->result, "%s", t->err.text) : 0;
	want = t->want & CT_KNOWN_DELTA ? t->want | CT_KNOWN_START : t->want;
	inplace_entry(&inplace_entries(t->programs, t->at->number)[t->offset++], want, t->facts.hz,
		      out);
	if (t->want & CT_KNOWN_DELTA)
		datagram_set_delta(t->host, out);
	return 1;
}

static void inplace_info(const struct table *base, struct table_info *out)
{
	struct inplace_table *t = (struct inplace_table *)base;

	(void)pthread_mutex_lock(&t->lock);
	out->n_expired = t->n_expired;
	out->n_again = t->n_again;
	inplace_judge(t->is_resized, t->n_unsure, out);
	if (!t->is_resized && t->result < 0) {
		out->is_whole = false;
		(void)snprintf(out->why_not, sizeof(out->why_not), "%.*s", 250, t->err.text);
	} else if (out->is_whole && (t->n_running > 0 || t->filled)) {
		out->is_whole = false;
		(void)snprintf(out->why_not, sizeof(out->why_not),
			       "the reading was cut before its end");
	}
	(void)pthread_mutex_unlock(&t->lock);
}

static void inplace_close(struct table *base)
{
	struct inplace_table *t = (struct inplace_table *)base;

	(void)pthread_mutex_lock(&t->lock);
	t->is_stopping = true;
	(void)pthread_cond_broadcast(&t->changed);
	(void)pthread_mutex_unlock(&t->lock);
	for (unsigned i = 0; i < t->n_walkers; i++)
		if (t->walkers[i].has_thread)
			(void)pthread_join(t->walkers[i].thread, NULL);
	inplace_free(t->programs);
	(void)pthread_cond_destroy(&t->changed);
	(void)pthread_mutex_destroy(&t->lock);
	free(t);
}

static const struct table_provider inplace_provider = { inplace_next, inplace_info, inplace_close };

/* Starts the first walker and waits until it can read. */
static int start(struct inplace_table *t, struct ct_err *err)
{
	struct walker *first = &t->walkers[0];
	int r;

	t->n_running = t->n_working = 1;
	r = pthread_create(&first->thread, NULL, run_first, first);
	if (r != 0)
		return ct_err_set(err, -r, "a thread: %s", strerror(r));
	first->has_thread = true;
	(void)pthread_mutex_lock(&t->lock);
	while (!t->is_ready)
		(void)pthread_cond_wait(&t->changed, &t->lock);
	t->log = NULL;
	r = t->result < 0 && !t->programs ? ct_err_set(err, t->result, "%s", t->err.text) : 0;
	(void)pthread_mutex_unlock(&t->lock);
	return r;
}

int inplace_open(struct host *h, const struct table_options *o, struct table **out,
		 struct ct_err *err)
{
	struct inplace_table *t;
	int r;

	if (!host_is_live(h))
		return ct_err_set(err, -EOPNOTSUPP,
				  "a copied machine has no table to read in place");
	t = calloc(1, sizeof(*t));
	if (!t)
		return ct_err_set(err, -ENOMEM, "out of memory");
	t->base.provider = &inplace_provider;
	t->base.source = TABLE_IN_PLACE;
	t->host = h;
	t->want = o->want ? o->want : CT_KNOWN_ALL;
	t->log = o->log;
	t->via = o->via;
	t->step = INPLACE_FIRST_STEP;
	t->filled_end = &t->filled;
	t->n_walkers = inplace_n_walkers(h, o->is_parallel);
	for (unsigned i = 0; i < 2 * t->n_walkers; i++) {
		t->slots[i].number = i;
		t->slots[i].next = t->free;
		t->free = &t->slots[i];
	}
	for (unsigned i = 0; i < t->n_walkers; i++)
		t->walkers[i].all = t;
	(void)pthread_mutex_init(&t->lock, NULL);
	(void)pthread_cond_init(&t->changed, NULL);
	r = inplace_learn(h, &t->facts, err);
	if (r == 0)
		r = start(t, err);
	if (r < 0) {
		inplace_close(&t->base);
		return r;
	}
	*out = &t->base;
	return 0;
}
