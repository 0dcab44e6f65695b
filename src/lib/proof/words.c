/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Numbers for texts.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/proof/session.h"

static uint32_t hash(const char *s)
{
	uint32_t h = 2166136261u;

	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 16777619u;
	return h;
}

static uint32_t *slot(const struct ct_words *w, const char *text)
{
	uint32_t at = hash(text) & (w->n_buckets - 1);

	while (w->bucket[at] && strcmp(w->text[w->bucket[at] - 1], text) != 0)
		at = (at + 1) & (w->n_buckets - 1);
	return &w->bucket[at];
}

static bool grow(struct ct_words *w)
{
	uint32_t room = w->room ? w->room * 2 : 64;
	char **text = realloc(w->text, room * sizeof(*text));
	uint32_t *bucket;

	if (!text)
		return false;
	w->text = text;
	bucket = calloc((size_t)room * 2, sizeof(*bucket));
	if (!bucket)
		return false;
	free(w->bucket);
	w->bucket = bucket;
	w->room = room;
	w->n_buckets = room * 2;
	for (uint32_t i = 0; i < w->n; i++)
		*slot(w, w->text[i]) = i + 1;
	return true;
}

uint32_t ct_words_number(struct ct_words *w, const char *text)
{
	uint32_t *at;

	if (w->n == w->room && !grow(w))
		return UINT32_MAX;
	at = slot(w, text);
	if (*at)
		return *at - 1;
	w->text[w->n] = strdup(text);
	if (!w->text[w->n])
		return UINT32_MAX;
	*at = ++w->n;
	return w->n - 1;
}

void ct_words_fini(struct ct_words *w)
{
	for (uint32_t i = 0; i < w->n; i++)
		free(w->text[i]);
	free(w->text);
	free(w->bucket);
	*w = (struct ct_words){ 0 };
}

ct_dd ct_proof_choice(struct ct_proof *p, const char *text)
{
	uint32_t n = ct_words_number(&p->choices, text);

	if (n == UINT32_MAX || ct_field_vars_end() + n > CT_DD_MAX_VARS) {
		p->is_out_of_memory = true;
		return CT_DD_FALSE;
	}
	return ct_dd_node(p->d, ct_field_vars_end() + n, CT_DD_FALSE, CT_DD_TRUE);
}
