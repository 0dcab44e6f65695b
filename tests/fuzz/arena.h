/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Memory for engines of fuzz targets, taken from one block that lasts: an engine's first chunks are
 * megabytes, and to get them from the C library for each input takes longer than the input. What
 * does not fit is refused, which an engine must bear. One input in 32 has the C library's memory,
 * whose bounds the address sanitizer knows.
 */
#ifndef TESTS_FUZZ_ARENA_H
#define TESTS_FUZZ_ARENA_H

#include <conntune/memory.h>
#include <stdint.h>
#include <stdlib.h>

enum { ARENA_SIZE = 48 << 20 };

struct arena {
	uint8_t *block;
	size_t used;
	int n_held;
};

static inline void *arena_alloc(void *user, size_t size, size_t align)
{
	struct arena *a = user;
	size_t at = (a->used + align - 1) / align * align;

	if (size > ARENA_SIZE || at > ARENA_SIZE - size)
		return NULL;
	a->used = at + size;
	a->n_held++;
	return a->block + at;
}

static inline void arena_free(void *user, void *p, size_t size)
{
	struct arena *a = user;

	(void)p, (void)size;
	a->n_held--;
}

/* The memory for one input; arena_end() sees to it that all was given back. */
static inline struct ct_memory arena_begin(struct arena *a, size_t input_size)
{
	if (!a->block)
		a->block = aligned_alloc(4096, ARENA_SIZE);
	if (!a->block)
		abort();
	a->used = 0;
	a->n_held = 0;
	if (input_size % 32 == 0)
		return (struct ct_memory){ NULL, NULL, NULL };
	return (struct ct_memory){ arena_alloc, arena_free, a };
}

static inline void arena_end(const struct arena *a)
{
	if (a->n_held != 0)
		abort();
}

#endif
