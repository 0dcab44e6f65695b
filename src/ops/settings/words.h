/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Text that lives as long as what was read: an arena of strings, freed at once.
 */
#ifndef OPS_SETTINGS_WORDS_H
#define OPS_SETTINGS_WORDS_H

#include <stddef.h>
#include <stdlib.h>

struct words {
	char **at; /* owned */
	size_t n, size;
};

void words_fini(struct words *w);

/* A copy of @len bytes, NUL-terminated; null when memory is out. */
char *words_put(struct words *w, const char *s, size_t len);

/* Formatted text; null when memory is out. */
char *words_printf(struct words *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Room for one more element in the list @at of @n elements that grows by doubling; null when memory
 * is out, the list is then as it was. */
static inline void *list_grown(void *at, size_t n, size_t element_size)
{
	return n & (n - 1) ? at : realloc(at, (n ? n * 2 : 1) * element_size);
}

#endif
