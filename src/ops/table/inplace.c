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
 * A range whose chains changed while they were read is read again, in smaller pieces when that
 * happens often; so every entry that was there all the time is shown exactly once. Expired entries
 * that the kernel has not collected are passed over, as ctnetlink does.
 */
#include "ops/table/inplace.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ops/host/netns.h"
#include "ops/table/datagram.h"

#define MAX_WALKERS  8u
#define FIRST_STEP   256u /* buckets of a run, until the walkers know how full they are */
#define GOOD_ENTRIES (WALK_MAX_ENTRIES / 2)
#define SURE_ENTRIES 16u  /* so many do not all end by chance while the table is read */
#define MAX_TRIES    100u /* of one bucket that changes all the time */

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
	uint32_t want, netns, hashsize, hz;
	struct ct_buf *log;   /* borrowed; the loading thread's until is_ready */
	pthread_mutex_t lock; /* over everything below */
	pthread_cond_t changed;
	struct inplace *programs; /* owned; constant once is_ready */
	bool is_ready, is_stopping, is_resized;
	int result; /* of loading and of running */
	struct ct_err err;
	uint32_t next_bucket, step;
	uint32_t first_upto, first_n; /* what the run over the first buckets found */
	unsigned n_walkers;
	unsigned n_working, n_running; /* threads that walk; that are there */
	uint64_t n_expired, n_unsure;
	struct slot *free, *filled, **filled_end;
	struct slot slots[2 * MAX_WALKERS];
	struct walker walkers[MAX_WALKERS];
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
			  t->next_bucket >= t->hashsize;
		if (is_over || t->free)
			break;
		(void)pthread_cond_wait(&t->changed, &t->lock);
	}
	if (!is_over) {
		uint32_t left = t->hashsize - t->next_bucket;

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
		t->first_n = a->n_all;
	}
	if (a->n_all < GOOD_ENTRIES / 2 && t->step < WALK_MAX_BUCKETS)
		t->step *= 2;
	else if (a->n_all > GOOD_ENTRIES + GOOD_ENTRIES / 2 && t->step > 1)
		t->step /= 2;
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

static void note(struct inplace_table *t, bool is_resized)
{
	(void)pthread_mutex_lock(&t->lock);
	t->is_resized = t->is_resized || is_resized;
	t->n_unsure += !is_resized;
	(void)pthread_mutex_unlock(&t->lock);
}

/* Reads [from, upto) into @s and, where it takes more than one, further slots. */
static void walk_range(struct inplace_table *t, struct slot *s, uint32_t from, uint32_t upto)
{
	uint32_t size = upto - from;
	unsigned tries = 0;

	while (s && from < upto) {
		struct walk_args a = {
			.slot = s->number,
			.from = from,
			.upto = from + (size < upto - from ? size : upto - from),
			.netns = t->netns,
			.want = inplace_want(t->want),
		};
		int r = inplace_walk(t->programs, &a);

		if (r < 0 || a.result == WALK_NONE) {
			fail(t, r < 0 ? r : -EINVAL);
			break;
		}
		if (a.result == WALK_RESIZED) {
			note(t, true);
			break;
		}
		if (a.n_bad == 0 && a.result == WALK_DONE) {
			from = a.upto;
			tries = 0;
			put_filled(t, s, &a);
			s = from < upto ? take_slot(t) : NULL;
			continue;
		}
		/* Once more as it is, as it is rare; then less at a time. */
		tries++;
		if (a.result == WALK_FULL || tries > 1)
			size = size > 1 ? size / 2 : 1;
		if (size == 1 && (tries >= MAX_TRIES || a.result == WALK_FULL)) {
			note(t, false);
			from++;
			tries = 0;
		}
	}
	if (s)
		put_free(t, s);
}

/* A resizing that is under way has not put the new array in its place yet, but has emptied the
 * first buckets of the old one: nf_conntrack_hash_resize() moves them in order. */
static void look_back(struct inplace_table *t)
{
	struct walk_args a = { .upto = t->first_upto };
	struct slot *s;

	if (t->first_n < SURE_ENTRIES || t->is_resized || t->result < 0)
		return;
	s = take_slot(t);
	if (!s)
		return;
	a.slot = s->number;
	if (inplace_walk(t->programs, &a) == 0 && a.n_bad == 0 &&
	    (a.result == WALK_RESIZED || (a.result == WALK_DONE && a.n_all == 0)))
		note(t, true);
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
	int r = inplace_load(t->hashsize, 2 * t->n_walkers, t->log, &programs, &err);

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
	inplace_entry(&inplace_entries(t->programs, t->at->number)[t->offset++], want, t->hz, out);
	if (t->want & CT_KNOWN_DELTA)
		datagram_set_delta(t->host, out);
	return 1;
}

static void inplace_info(const struct table *base, struct table_info *out)
{
	struct inplace_table *t = (struct inplace_table *)base;

	(void)pthread_mutex_lock(&t->lock);
	out->n_expired = t->n_expired;
	out->is_whole = false;
	if (t->is_resized)
		(void)snprintf(out->why_not, sizeof(out->why_not),
			       "the table was resized while it was read, entries are missing");
	else if (t->result < 0)
		(void)snprintf(out->why_not, sizeof(out->why_not), "%.*s", 250, t->err.text);
	else if (t->n_unsure)
		(void)snprintf(out->why_not, sizeof(out->why_not),
			       "%" PRIu64 " chains changed whenever they were read", t->n_unsure);
	else if (t->n_running > 0 || t->filled)
		(void)snprintf(out->why_not, sizeof(out->why_not),
			       "the reading was cut before its end");
	else
		out->is_whole = true;
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

/* Ticks a second: how far the clock that only ticks can be off. */
static uint32_t ticks_per_s(void)
{
	struct timespec tick;

	if (clock_getres(CLOCK_MONOTONIC_COARSE, &tick) < 0 || tick.tv_nsec <= 0)
		return 0;
	return (uint32_t)((1000000000 + tick.tv_nsec / 2) / tick.tv_nsec);
}

static int learn(struct inplace_table *t, struct host *h, struct ct_err *err)
{
	static const char path[] = "/sys/module/nf_conntrack/parameters/hashsize";
	int64_t hashsize;
	uint64_t netns;

	if (host_read_i64(h, path, &hashsize) < 0 || hashsize <= 0 || hashsize > UINT32_MAX)
		return ct_err_set(err, -ENOENT,
				  "%s, which only root may read, does not tell the "
				  "size of the table",
				  path);
	if (host_netns_inode(h, &netns) < 0 || netns > UINT32_MAX)
		return ct_err_set(err, -ENOENT, "the number of the namespace is not known");
	t->hz = ticks_per_s();
	if (t->hz == 0)
		return ct_err_set(err, -ENOENT, "the kernel's ticks a second are not known");
	t->hashsize = (uint32_t)hashsize;
	t->netns = (uint32_t)netns;
	return 0;
}

static unsigned choose_walkers(struct host *h, bool is_parallel)
{
	unsigned n = 1;

	if (is_parallel && host_n_cpus(h, &n) == 0)
		return n < MAX_WALKERS ? n : MAX_WALKERS;
	return 1;
}

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
	t->step = FIRST_STEP;
	t->filled_end = &t->filled;
	t->n_walkers = choose_walkers(h, o->is_parallel);
	for (unsigned i = 0; i < 2 * t->n_walkers; i++) {
		t->slots[i].number = i;
		t->slots[i].next = t->free;
		t->free = &t->slots[i];
	}
	for (unsigned i = 0; i < t->n_walkers; i++)
		t->walkers[i].all = t;
	(void)pthread_mutex_init(&t->lock, NULL);
	(void)pthread_cond_init(&t->changed, NULL);
	r = learn(t, h, err);
	if (r == 0)
		r = start(t, err);
	if (r < 0) {
		inplace_close(&t->base);
		return r;
	}
	*out = &t->base;
	return 0;
}
