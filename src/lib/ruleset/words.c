/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Words of a line: see words.h.
 */
#include "lib/ruleset/words.h"

#include <errno.h>

/* One word from @s on; where it ends, or null for an open quote. Appends it to @to. */
static const char *take_word(const char *s, const char *end, char **to)
{
	char *out = *to;
	int in_quotes = 0;

	for (; s < end; s++) {
		if (*s == '"') {
			in_quotes = !in_quotes;
			continue;
		}
		if (!in_quotes && (*s == ' ' || *s == '\t'))
			break;
		if (in_quotes && *s == '\\' && ++s == end)
			return NULL;
		*out++ = *s;
	}
	*out++ = '\0';
	*to = out;
	return in_quotes ? NULL : s;
}

int ct_words_split(struct ct_words *w, const char *line, size_t len)
{
	const char *s = line, *end = line + len;
	char *to = w->bytes;

	w->n = 0;
	if (len > CT_MAX_RULE_LINE)
		return -E2BIG;
	for (const char *c = line; c < end; c++)
		if ((unsigned char)*c < ' ' && *c != '\t')
			return -EINVAL;
	for (;;) {
		while (s < end && (*s == ' ' || *s == '\t'))
			s++;
		if (s == end)
			break;
		if (w->n == CT_MAX_WORDS)
			return -E2BIG;
		w->word[w->n] = to;
		w->raw[w->n] = s;
		s = take_word(s, end, &to);
		if (!s)
			return -EINVAL;
		w->raw_end[w->n++] = s;
	}
	w->word[w->n] = NULL;
	return 0;
}
