/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Looks at the table that copy nothing out of the kernel but groups, as often as asked, by programs
 * that stay loaded.
 *
 * Threads of its own give up their rights, load the programs and wait. A look wakes them: each
 * takes the next range of buckets, has the program count it into the groups of a slot that is its
 * own, and empties the slot into the tally when it could overflow, and at the end. So the kernel's
 * part is bounded, and what the tally holds is exact as long as the tally itself is.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "ops/table/inplace.h"

struct counter_walker {
	struct inplace_counter *all;
	pthread_t thread;
	unsigned slot;
	bool has_thread;
};

struct inplace_counter {
	struct host *host;	    /* borrowed */
	struct tally_options by;    /* a copy; what it points to is borrowed */
	struct inplace_facts facts; /* netns is 0 for all */
	struct walk_by walk_by;
	enum table_via via;
	struct ct_buf *log; /* borrowed; the loading thread's until is_ready */
	unsigned n_walkers;
	pthread_mutex_t lock; /* over everything below */
	pthread_cond_t changed;
	struct inplace *programs; /* owned; constant once is_ready */
	bool is_ready, is_stopping;
	struct ct_err err;
	/* Of the look under way. */
	uint64_t number;    /* looks begun */
	bool is_found;	    /* the table is where it was, or the look has failed */
	unsigned n_working; /* threads that have not ended it */
	const struct inplace_sink *sink;
	struct inplace_told told;
	int result;
	uint32_t next_bucket, step, first_upto, first_n, has;
	struct counter_walker walkers[INPLACE_MAX_WALKERS];
};

/* Empties slot @slot into the sink. Under the lock. */
static void drain(struct inplace_counter *c, unsigned slot)
{
	struct walk_groups *g = inplace_groups(c->programs, slot);

	for (uint32_t at = 0; at + c->walk_by.stride <= g->used; at += c->walk_by.stride) {
		struct inplace_counted counted;
		int r;

		inplace_group(g->word + at, &c->walk_by, c->has, &c->by, &counted);
		r = c->sink->add(c->sink->user, &counted);
		if (r < 0 && c->result == 0)
			c->result = ct_err_set(&c->err, r, "%s", strerror(-r));
	}
	g->used = 0;
	memset(g->index, 0, sizeof(g->index));
}

static bool take_groups(void *user, struct inplace_range *r, const struct walk_args *a)
{
	struct counter_walker *w = user;
	struct inplace_counter *c = w->all;

	(void)pthread_mutex_lock(&c->lock);
	c->has = a->has;
	c->told.n_expired += a->n_expired;
	c->step = inplace_step(c->step, a->n_nodes);
	if (a->from == 0) {
		c->first_upto = a->upto;
		c->first_n = a->n_nodes;
	}
	if (inplace_groups(c->programs, r->slot)->used > WALK_GROUP_WORDS / 2)
		drain(c, r->slot);
	(void)pthread_mutex_unlock(&c->lock);
	return true;
}

static bool take_range(struct inplace_counter *c, struct inplace_range *r)
{
	uint32_t left;

	(void)pthread_mutex_lock(&c->lock);
	left = c->facts.hashsize - c->next_bucket;
	if (c->is_stopping || c->told.is_resized || c->result < 0)
		left = 0;
	r->from = c->next_bucket;
	r->upto = r->from + (left < c->step ? left : c->step);
	c->next_bucket = r->upto;
	(void)pthread_mutex_unlock(&c->lock);
	return left > 0;
}

static void fail(struct inplace_counter *c, int result)
{
	if (c->result == 0)
		c->result = ct_err_set(&c->err, result, "running the program in the kernel: %s",
				       strerror(-result));
}

/* One walker's part of a look. */
static void look(struct counter_walker *w)
{
	struct inplace_counter *c = w->all;
	struct inplace_range r = {
		.netns = c->facts.netns, .slot = w->slot, .take = take_groups, .user = w
	};
	int code = 0;

	while (code == 0 && take_range(c, &r)) {
		code = inplace_read(c->programs, &r);
		(void)pthread_mutex_lock(&c->lock);
		if (code < 0)
			fail(c, code);
		c->told.is_resized = c->told.is_resized || r.is_resized;
		(void)pthread_mutex_unlock(&c->lock);
	}
	(void)pthread_mutex_lock(&c->lock);
	c->told.n_unsure += r.n_unsure;
	c->told.n_again += r.n_again;
	drain(c, w->slot);
	if (c->n_working == 1 && c->result == 0 && !c->told.is_resized)
		c->told.is_resized = inplace_is_emptied(c->programs, w->slot, c->facts.hashsize,
							c->first_upto, c->first_n);
	c->n_working--;
	(void)pthread_cond_broadcast(&c->changed);
	(void)pthread_mutex_unlock(&c->lock);
}

/* The table may have moved since the last look. */
static void find_again(struct inplace_counter *c)
{
	struct ct_err err = { "" };
	int r = inplace_find_again(c->programs, c->facts.hashsize, &err);

	(void)pthread_mutex_lock(&c->lock);
	if (r < 0)
		c->result = ct_err_set(&c->err, r, "%s", err.text);
	c->is_found = true;
	(void)pthread_cond_broadcast(&c->changed);
	(void)pthread_mutex_unlock(&c->lock);
}

/* Waits for look number @number. False when there are no more. */
static bool wait_for(struct inplace_counter *c, uint64_t number, bool is_first)
{
	bool is_over;

	(void)pthread_mutex_lock(&c->lock);
	while (!c->is_stopping && (c->number < number || (!is_first && !c->is_found)))
		(void)pthread_cond_wait(&c->changed, &c->lock);
	is_over = c->is_stopping;
	(void)pthread_mutex_unlock(&c->lock);
	return !is_over;
}

static void *run_walker(void *user)
{
	struct counter_walker *w = user;
	bool is_first = w->slot == 0;

	for (uint64_t number = 1; wait_for(w->all, number, is_first); number++) {
		if (is_first)
			find_again(w->all);
		look(w);
	}
	return NULL;
}

/* The first walker, which loads the programs and starts the others: they have its few rights. */
static void *run_first(void *user)
{
	struct counter_walker *w = user;
	struct inplace_counter *c = w->all;
	struct inplace *programs = NULL;
	struct ct_err err = { "" };
	const struct inplace_ask ask = { .hashsize = c->facts.hashsize,
					 .n_slots = c->n_walkers,
					 .by = &c->walk_by,
					 .via = c->via,
					 .host = c->host,
					 .log = c->log };
	unsigned n = 1;
	int r = inplace_load(&ask, &programs, &err);

	(void)pthread_mutex_lock(&c->lock);
	c->programs = programs;
	c->result = r;
	c->err = err;
	for (; r == 0 && n < c->n_walkers; n++) {
		struct counter_walker *other = &c->walkers[n];

		other->has_thread = pthread_create(&other->thread, NULL, run_walker, other) == 0;
		if (!other->has_thread)
			break;
	}
	c->n_walkers = n;
	c->is_ready = true;
	(void)pthread_cond_broadcast(&c->changed);
	(void)pthread_mutex_unlock(&c->lock);
	return r == 0 ? run_walker(w) : NULL;
}

static int start(struct inplace_counter *c, struct ct_err *err)
{
	struct counter_walker *first = &c->walkers[0];
	int r = pthread_create(&first->thread, NULL, run_first, first);

	if (r != 0)
		return ct_err_set(err, -r, "a thread: %s", strerror(r));
	first->has_thread = true;
	(void)pthread_mutex_lock(&c->lock);
	while (!c->is_ready)
		(void)pthread_cond_wait(&c->changed, &c->lock);
	c->log = NULL;
	r = c->result < 0 ? ct_err_set(err, c->result, "%s", c->err.text) : 0;
	(void)pthread_mutex_unlock(&c->lock);
	return r;
}

int inplace_counter_open(struct host *h, const struct table_options *o,
			 const struct tally_options *by, bool all_netns,
			 struct inplace_counter **out, struct ct_err *err)
{
	auto_free(inplace_counter) struct inplace_counter *c = NULL;
	int r;

	if (!host_is_live(h))
		return ct_err_set(err, -EOPNOTSUPP,
				  "a copied machine has no table to read in place");
	c = calloc(1, sizeof(*c));
	if (!c)
		return ct_err_set(err, -ENOMEM, "out of memory");
	c->host = h;
	c->by = *by;
	c->via = o->via;
	c->log = o->log;
	c->n_walkers = inplace_n_walkers(h, o->is_parallel);
	for (unsigned i = 0; i < c->n_walkers; i++) {
		c->walkers[i].all = c;
		c->walkers[i].slot = i;
	}
	(void)pthread_mutex_init(&c->lock, NULL);
	(void)pthread_cond_init(&c->changed, NULL);
	r = inplace_learn(h, &c->facts, err);
	if (r == 0)
		r = inplace_by(by, all_netns, c->facts.hz, &c->walk_by);
	if (r == 0)
		r = start(c, err);
	if (r < 0)
		return r;
	if (all_netns)
		c->facts.netns = 0;
	*out = c;
	c = NULL;
	return 0;
}

int inplace_counter_look(struct inplace_counter *c, const struct inplace_sink *sink,
			 struct inplace_told *told, struct ct_err *err)
{
	uint32_t hashsize;
	int r = inplace_hashsize(c->host, &hashsize, err);

	if (r < 0)
		return r;
	if (c->by.timeout_s && c->walk_by.mask.word[WALK_WORD_PARTS] & WALK_MASK_IDLE)
		inplace_set_timeouts(&c->by, inplace_timeouts(c->programs));
	(void)pthread_mutex_lock(&c->lock);
	c->facts.hashsize = hashsize;
	c->sink = sink;
	c->told = (struct inplace_told){ 0 };
	c->result = 0;
	c->next_bucket = c->first_n = c->first_upto = 0;
	c->step = INPLACE_FIRST_STEP;
	c->is_found = false;
	c->n_working = c->n_walkers;
	c->number++;
	(void)pthread_cond_broadcast(&c->changed);
	while (c->n_working > 0)
		(void)pthread_cond_wait(&c->changed, &c->lock);
	*told = c->told;
	r = c->result < 0 ? ct_err_set(err, c->result, "%s", c->err.text) : 0;
	(void)pthread_mutex_unlock(&c->lock);
	return r;
}

void inplace_counter_free(struct inplace_counter *c)
{
	if (!c)
		return;
	(void)pthread_mutex_lock(&c->lock);
	c->is_stopping = true;
	(void)pthread_cond_broadcast(&c->changed);
	(void)pthread_mutex_unlock(&c->lock);
	for (unsigned i = 0; i < INPLACE_MAX_WALKERS; i++)
		if (c->walkers[i].has_thread)
			(void)pthread_join(c->walkers[i].thread, NULL);
	inplace_free(c->programs);
	(void)pthread_cond_destroy(&c->changed);
	(void)pthread_mutex_destroy(&c->lock);
	free(c);
}
