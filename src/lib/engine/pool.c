/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Places for entries: chunks of 32768, handed out in order, then from a list of the freed ones.
 * Entries never move, so a number is a stable name; its generation tells one tenant from the next.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/engine/engine.h"

enum { HUGE_PAGE = 2 << 20 };

/* The default source: huge pages for what is large enough to profit from them. */
static void *libc_alloc(void *user, size_t size, size_t align)
{
	size_t rounded = (size + align - 1) / align * align;
	void *p;

	(void)user;
	if (rounded < HUGE_PAGE)
		return aligned_alloc(align, rounded);
	rounded = (size + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
	p = aligned_alloc(HUGE_PAGE, rounded);
	if (p)
		(void)madvise(p, rounded, MADV_HUGEPAGE);
	return p;
}

static void libc_free(void *user, void *p, size_t size)
{
	(void)user, (void)size;
	free(p);
}

void *ct_mem_alloc(struct ct_engine *en, size_t size, size_t align)
{
	void *p;

	if (!en->cfg.memory.alloc)
		en->cfg.memory = (struct ct_memory){ .alloc = libc_alloc, .free = libc_free };
	p = en->cfg.memory.alloc(en->cfg.memory.user, size, align);
	if (p)
		en->stats.memory_bytes += size;
	return p;
}

void ct_mem_free(struct ct_engine *en, void *p, size_t size)
{
	if (!p)
		return;
	en->stats.memory_bytes -= size;
	en->cfg.memory.free(en->cfg.memory.user, p, size);
}

void ct_pool_init(struct pool *pool, uint8_t shift)
{
	*pool = (struct pool){ .shift = shift, .n_used = 1 };
}

static size_t main_size(const struct pool *pool)
{
	return (size_t)CHUNK_LEN << pool->shift;
}

static void chunk_fini(struct ct_engine *en, const struct pool *pool, struct chunk *c)
{
	ct_mem_free(en, c->main, main_size(pool));
	ct_mem_free(en, c->addr6, CHUNK_LEN * sizeof(*c->addr6));
	ct_mem_free(en, c->second, CHUNK_LEN * sizeof(*c->second));
	ct_mem_free(en, c->second6, CHUNK_LEN * sizeof(*c->second6));
	ct_mem_free(en, c->acct, CHUNK_LEN * sizeof(*c->acct));
	ct_mem_free(en, c->stamp, CHUNK_LEN * sizeof(*c->stamp));
	ct_mem_free(en, c->link, CHUNK_LEN * sizeof(*c->link));
	ct_mem_free(en, c->tree, sizeof(*c->tree));
}

static void directory_free(struct ct_engine *en, struct pool *pool)
{
	ct_mem_free(en, pool->main, pool->max_chunks * sizeof(*pool->main));
	ct_mem_free(en, pool->chunk, pool->max_chunks * sizeof(*pool->chunk));
	ct_mem_free(en, pool->bound, pool->max_chunks * sizeof(*pool->bound));
}

void ct_pool_fini(struct ct_engine *en, struct pool *pool)
{
	for (uint32_t i = 0; i < pool->n_chunks; i++)
		chunk_fini(en, pool, &pool->chunk[i]);
	directory_free(en, pool);
}

/* Makes room for more chunks in the three arrays that list them. */
static int directory_grow(struct ct_engine *en, struct pool *pool)
{
	struct pool more = { .max_chunks = pool->max_chunks ? pool->max_chunks * 2 : 8 };

	if (pool->n_chunks < pool->max_chunks)
		return 0;
	more.main = ct_mem_alloc(en, more.max_chunks * sizeof(*more.main), 64);
	more.chunk = ct_mem_alloc(en, more.max_chunks * sizeof(*more.chunk), 64);
	more.bound = ct_mem_alloc(en, more.max_chunks * sizeof(*more.bound), 64);
	if (!more.main || !more.chunk || !more.bound) {
		directory_free(en, &more);
		return -1;
	}
	if (pool->n_chunks > 0) {
		memcpy(more.main, pool->main, pool->n_chunks * sizeof(*more.main));
		memcpy(more.chunk, pool->chunk, pool->n_chunks * sizeof(*more.chunk));
		memcpy(more.bound, pool->bound, pool->n_chunks * sizeof(*more.bound));
	}
	directory_free(en, pool);
	pool->main = more.main;
	pool->chunk = more.chunk;
	pool->bound = more.bound;
	pool->max_chunks = more.max_chunks;
	return 0;
}

static int chunk_add(struct ct_engine *en, struct pool *pool, bool is_ipv6)
{
	struct chunk c = { NULL };

	if (directory_grow(en, pool) < 0)
		return -1;
	c.main = ct_mem_alloc(en, main_size(pool), 128);
	if (is_ipv6)
		c.addr6 = ct_mem_alloc(en, CHUNK_LEN * sizeof(*c.addr6), 64);
	if (en->cfg.fidelity == CT_FIDELITY_KERNEL)
		c.link = ct_mem_alloc(en, CHUNK_LEN * sizeof(*c.link), 64);
	else
		c.tree = ct_mem_alloc(en, sizeof(*c.tree), 64);
	if (!c.main || (is_ipv6 && !c.addr6) || (!c.link && !c.tree)) {
		chunk_fini(en, pool, &c);
		return -1;
	}
	if (c.tree)
		memset(c.tree, 0xff, sizeof(*c.tree));
	pool->bound[pool->n_chunks] = CHECK_NONE;
	pool->main[pool->n_chunks] = c.main;
	pool->chunk[pool->n_chunks++] = c;
	return 0;
}

uint32_t ct_pool_take(struct ct_engine *en, enum entry_class class)
{
	struct pool *pool = &en->pools[class];
	uint32_t number, generation = 1;
	struct entry *e;

	if (pool->free) {
		number = (uint32_t) class << CLASS_SHIFT | pool->free;
		e = entry_at(en, number);
		pool->free = e->cold;
		generation = e->generation;
	} else {
		if (pool->n_used > MAX_ENTRIES)
			return 0;
		if (pool->n_used >> CHUNK_SHIFT >= pool->n_chunks &&
		    chunk_add(en, pool, class == CLASS_SMALL6 || class == CLASS_TCP6) < 0)
			return 0;
		number = (uint32_t) class << CLASS_SHIFT | pool->n_used++;
		e = entry_at(en, number);
	}
	memset(e, 0, (size_t)1 << pool->shift);
	e->generation = generation;
	e->flags = ENTRY_IN_USE;
	e->check = CHECK_NONE;
	return number;
}

void ct_pool_give(struct ct_engine *en, uint32_t number)
{
	struct pool *pool = &en->pools[entry_class_of(number)];
	struct entry *e = entry_at(en, number);

	e->generation++;
	if (e->generation == 0)
		e->generation = 1;
	e->flags = 0;
	e->status = 0;
	e->cold = pool->free;
	pool->free = number & PLACE_MASK;
}
