/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The arena of words.h.
 */
#include "ops/settings/words.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void words_fini(struct words *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->at[i]);
	free(w->at);
	*w = (struct words){ 0 };
}

/* Takes @s over; frees it when there is no room. */
static char *keep(struct words *w, char *s)
{
	if (s && w->n == w->size) {
		size_t size = w->size ? w->size * 2 : 64;
		char **at = realloc(w->at, size * sizeof(*at));

		if (!at) {
			free(s);
			return NULL;
		}
		w->at = at;
		w->size = size;
	}
	if (s)
		w->at[w->n++] = s;
	return s;
}

char *words_put(struct words *w, const char *s, size_t len)
{
	return keep(w, strndup(s, len));
}

char *words_printf(struct words *w, const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return n < 0 ? NULL : keep(w, s);
}
