/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Two dumps of one table side by side: each thread has a socket of its own and copies what it
 * receives into blocks; the consumer decodes them. The blocks are few, so memory stays small and
 * a slow consumer holds the threads back.
 *
 * The kernel composes a dump inside the reader's recvmsg(), so two readers use two processors.
 * The halves are told apart by one bit of the status (ASSURED unless the caller's filter speaks of
 * it), value and mask, and so complete each other exactly; an entry that changes this bit between
 * the two walks can still be shown twice or not at all, as any entry that moves during a dump can.
 * Each dump walks the whole hash table and rejects the other's entries (about 0.25 us each
 * instead of 1.1), so the sum of the work grows; and an uneven split gains little.
 */
#include "ops/table/parallel.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "ops/table/datagram.h"

#define N_LANES	    2
#define N_BLOCKS    6
#define BLOCK_BYTES (64u << 10)
#define MAX_MESSAGE (32u << 10) /* the kernel's datagrams are no larger */

struct block {
	struct block *next;
	const struct lane *lane;
	size_t len;
	uint8_t bytes[BLOCK_BYTES];
};

/* In front of each message in a block; messages stay aligned to four bytes. */
struct head {
	uint32_t size;
	uint16_t type;
	uint16_t zero;
};

struct lane {
	struct parallel *all;
	struct dump *dump;     /* owned; its thread's alone until is_done */
	uint32_t status, mask; /* what this half was asked for */
	bool is_confirmed;     /* the kernel said that it filters */
	bool has_thread, is_done;
	int result;
	struct ct_err err;
	struct dump_info info; /* valid when is_done */
	pthread_t thread;
};

struct parallel {
	struct table base;
	struct datagram_reader reader;
	pthread_mutex_t lock; /* over everything below but the blocks' bytes */
	pthread_cond_t changed;
	struct block *free, *filled, **filled_end;
	bool is_stopping;
	struct lane lane[N_LANES];
	struct block *at; /* the consumer's */
	size_t offset;
	struct block blocks[N_BLOCKS];
};

static struct block *take_free(struct lane *l)
{
	struct parallel *p = l->all;
	struct block *b;

	(void)pthread_mutex_lock(&p->lock);
	while (!p->free && !p->is_stopping)
		(void)pthread_cond_wait(&p->changed, &p->lock);
	b = p->is_stopping ? NULL : p->free;
	if (b) {
		p->free = b->next;
		b->next = NULL;
		b->lane = l;
		b->len = 0;
	}
	(void)pthread_mutex_unlock(&p->lock);
	return b;
}

/* Hands @b (may be null) over; with @is_last also says that the lane has ended. */
static void put_filled(struct lane *l, struct block *b, bool is_last)
{
	struct parallel *p = l->all;

	(void)pthread_mutex_lock(&p->lock);
	dump_info(l->dump, &l->info);
	l->is_confirmed = l->info.is_filtered;
	l->is_done = is_last;
	if (b) {
		*p->filled_end = b;
		p->filled_end = &b->next;
	}
	(void)pthread_cond_broadcast(&p->changed);
	(void)pthread_mutex_unlock(&p->lock);
}

static void append(struct block *b, uint16_t type, const void *payload, size_t size)
{
	struct head h = { .size = (uint32_t)size, .type = type };

	memcpy(b->bytes + b->len, &h, sizeof(h));
	memcpy(b->bytes + b->len + sizeof(h), payload, size);
	b->len += sizeof(h) + ((size + 3u) & ~(size_t)3u);
}

static void *run_lane(void *user)
{
	struct lane *l = user;
	struct block *b = take_free(l);
	const void *payload;
	uint16_t type;
	size_t size;
	int r = 0;

	while (b && (r = dump_next(l->dump, &type, &payload, &size, &l->err)) > 0) {
		if (size > MAX_MESSAGE) {
			r = ct_err_set(&l->err, -EMSGSIZE, "a message of %zu bytes", size);
			break;
		}
		if (BLOCK_BYTES - b->len < sizeof(struct head) + size + 3) {
			put_filled(l, b, false);
			b = take_free(l);
			if (!b)
				break;
		}
		append(b, type, payload, size);
	}
	l->result = r < 0 ? r : 0;
	put_filled(l, b, true);
	return NULL;
}

static bool are_done(const struct parallel *p)
{
	for (size_t i = 0; i < N_LANES; i++)
		if (!p->lane[i].is_done)
			return false;
	return true;
}

/* Gives the block just read back and waits for another. Null at the end of both dumps. */
static struct block *next_block(struct parallel *p)
{
	struct block *b;

	(void)pthread_mutex_lock(&p->lock);
	if (p->at) {
		p->at->next = p->free;
		p->free = p->at;
		(void)pthread_cond_broadcast(&p->changed);
	}
	while (!p->filled && !are_done(p))
		(void)pthread_cond_wait(&p->changed, &p->lock);
	b = p->filled;
	if (b) {
		p->filled = b->next;
		if (!p->filled)
			p->filled_end = &p->filled;
		p->base.is_filtered = b->lane->is_confirmed;
	}
	(void)pthread_mutex_unlock(&p->lock);
	p->at = b;
	p->offset = 0;
	return b;
}

static int first_error(const struct parallel *p, struct ct_err *err)
{
	for (size_t i = 0; i < N_LANES; i++)
		if (p->lane[i].result < 0)
			return ct_err_set(err, p->lane[i].result, "%s", p->lane[i].err.text);
	return 0;
}

/* A kernel that does not know the filter delivers everything to both. */
static bool is_of_lane(const struct parallel *p, const struct ct_entry *e)
{
	const struct lane *l = p->at->lane;

	return p->base.is_filtered || (e->status & l->mask) == l->status;
}

static int parallel_next(struct table *t, struct ct_entry *out, struct ct_err *err)
{
	struct parallel *p = (struct parallel *)t;

	for (;;) {
		struct head h;
		const uint8_t *payload;

		if (!p->at || p->offset >= p->at->len) {
			if (next_block(p))
				continue;
			datagram_end(&p->reader);
			return first_error(p, err);
		}
		memcpy(&h, p->at->bytes + p->offset, sizeof(h));
		payload = p->at->bytes + p->offset + sizeof(h);
		p->offset += sizeof(h) + ((h.size + 3u) & ~(size_t)3u);
		if (datagram_read(&p->reader, h.type, payload, h.size, out) && is_of_lane(p, out))
			return 1;
	}
}

static void parallel_info(const struct table *t, struct table_info *out)
{
	/* The lock is the only thing written; the table is not const by nature. */
	struct parallel *p = (struct parallel *)t;
	struct dump_info sum = { .is_done = true };

	(void)pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < N_LANES; i++) {
		const struct lane *l = &p->lane[i];

		sum.is_done = sum.is_done && l->is_done && l->info.is_done;
		sum.n_overruns += l->info.n_overruns;
		sum.n_interrupted += l->info.n_interrupted;
	}
	(void)pthread_mutex_unlock(&p->lock);
	datagram_judge(&p->reader, &sum, out);
}

static void parallel_free(struct table *t)
{
	struct parallel *p = (struct parallel *)t;

	(void)pthread_mutex_lock(&p->lock);
	p->is_stopping = true;
	(void)pthread_cond_broadcast(&p->changed);
	(void)pthread_mutex_unlock(&p->lock);
	for (size_t i = 0; i < N_LANES; i++) {
		if (p->lane[i].has_thread)
			(void)pthread_join(p->lane[i].thread, NULL);
		dump_free(p->lane[i].dump);
	}
	(void)pthread_cond_destroy(&p->changed);
	(void)pthread_mutex_destroy(&p->lock);
	free(p);
}

static const struct table_provider parallel_provider = { parallel_next, parallel_info,
							 parallel_free };

/* A bit of the status that @f leaves open, or 0. */
static uint32_t splitting_bit(const struct nl_filter *f)
{
	static const uint32_t bits[] = { CT_STATUS_ASSURED, CT_STATUS_SEEN_REPLY };

	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		if (!(f->fields & NL_FILTER_STATUS) || !(f->status_mask & bits[i]))
			return bits[i];
	return 0;
}

static int open_lane(struct lane *l, struct host *h, const struct nl_filter *base, uint32_t bit,
		     bool is_set, struct ct_err *err)
{
	_Alignas(4) uint8_t request[NL_MAX_REQUEST];
	struct nl_filter f = *base;
	int size;

	if (!(f.fields & NL_FILTER_STATUS))
		f.status = f.status_mask = 0;
	f.fields |= NL_FILTER_STATUS;
	f.status_mask |= bit;
	f.status |= is_set ? bit : 0;
	l->status = f.status;
	l->mask = f.status_mask;
	size = nl_dump_request(request, &f);
	return size < 0 ? size : dump_open(h, NL_NAME_TABLE, request, (size_t)size, &l->dump, err);
}

static struct parallel *new_parallel(struct host *h, uint32_t want)
{
	struct parallel *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->base.provider = &parallel_provider;
	p->base.source = TABLE_NETLINK;
	datagram_begin(&p->reader, h, (want ? want : CT_KNOWN_ALL) | CT_KNOWN_STATUS);
	p->filled_end = &p->filled;
	(void)pthread_mutex_init(&p->lock, NULL);
	(void)pthread_cond_init(&p->changed, NULL);
	for (size_t i = 0; i < N_BLOCKS; i++) {
		p->blocks[i].next = p->free;
		p->free = &p->blocks[i];
	}
	return p;
}

int parallel_open(struct host *h, const struct table_options *o, struct table **out,
		  struct ct_err *err)
{
	static const struct nl_filter all = { 0 };
	const struct nl_filter *filter = o->filter ? o->filter : &all;
	uint32_t bit = splitting_bit(filter);
	struct parallel *p = new_parallel(h, o->want);
	int r = bit ? 0 : -EOPNOTSUPP;

	if (!p)
		return ct_err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < N_LANES && r == 0; i++) {
		p->lane[i].all = p;
		r = open_lane(&p->lane[i], h, filter, bit, i > 0, err);
	}
	for (size_t i = 0; i < N_LANES && r == 0; i++) {
		r = -pthread_create(&p->lane[i].thread, NULL, run_lane, &p->lane[i]);
		p->lane[i].has_thread = r == 0;
	}
	if (r < 0) {
		parallel_free(&p->base);
		return r == -EINVAL || r == -EAGAIN ? -EOPNOTSUPP : r;
	}
	*out = &p->base;
	return 0;
}
