/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The arena of arena.h: a chain of blocks that double in size, so that few are asked for.
 */
#include "lib/base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct ct_arena_block {
	struct ct_arena_block *before;
	alignas(max_align_t) unsigned char bytes[];
};

#define FIRST_BLOCK 4096u
#define LARGE_BLOCK (1u << 20)

void ct_arena_fini(struct ct_arena *a)
{
	struct ct_arena_block *b = a ? a->last : NULL;

	while (b) {
		struct ct_arena_block *before = b->before;

		free(b);
		b = before;
	}
	if (a)
		*a = (struct ct_arena){ .max = a->max };
}

static int arena_grow(struct ct_arena *a, size_t least)
{
	size_t size = a->size ? a->size * 2 : FIRST_BLOCK;
	struct ct_arena_block *b;

	if (size > LARGE_BLOCK)
		size = LARGE_BLOCK;
	if (size < least)
		size = least;
	if (a->max && (size > a->max || a->total > a->max - size))
		return -1;
	b = malloc(sizeof(*b) + size);
	if (!b)
		return -1;
	b->before = a->last;
	a->last = b;
	a->used = 0;
	a->size = size;
	a->total += size;
	return 0;
}

void *ct_arena_get(struct ct_arena *a, size_t size)
{
	const size_t unit = alignof(max_align_t);
	void *p;

	if (size > SIZE_MAX / 2)
		return NULL;
	size = (size + unit - 1) / unit * unit;
	if (a->size - a->used < size && arena_grow(a, size) < 0)
		return NULL;
	p = a->last->bytes + a->used;
	a->used += size;
	return memset(p, 0, size);
}

char *ct_arena_copy(struct ct_arena *a, const char *s, size_t len)
{
	char *p = len < SIZE_MAX / 2 ? ct_arena_get(a, len + 1) : NULL;

	return p ? memcpy(p, s, len) : NULL;
}
