/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Memory of things that are parsed together and die at once: handed out in order, freed whole.
 */
#ifndef CT_BASE_ARENA_H
#define CT_BASE_ARENA_H

#include <stddef.h>

struct ct_arena_block;

struct ct_arena {
	struct ct_arena_block *last; /* owned; null while nothing was asked for */
	size_t used, size;	     /* within the last block */
	size_t total;		     /* bytes taken from the system */
	size_t max;		     /* total never goes beyond; 0 no limit */
};

/* Frees everything that came from the arena. Null and empty arenas are fine. */
void ct_arena_fini(struct ct_arena *a);

/* Zeroed memory, aligned for any type; null when there is none or the limit is reached. */
void *ct_arena_get(struct ct_arena *a, size_t size);

/* A copy of @len bytes with a NUL behind them; null as above. */
char *ct_arena_copy(struct ct_arena *a, const char *s, size_t len);

#endif
