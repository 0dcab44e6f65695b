/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Editing by lines.
 */
#include "ops/notrack/edit.h"

#include <errno.h>
#include <string.h>

/* Where a line begins; the end for lines that there are not. */
static size_t offset_of(const struct ct_buf *text, unsigned line)
{
	size_t at = 0;

	while (line > 1 && at < text->len) {
		const char *end = memchr(text->p + at, '\n', text->len - at);

		at = end ? (size_t)(end - text->p) + 1 : text->len;
		line--;
	}
	return at;
}

static unsigned n_lines(const struct ct_buf *text)
{
	unsigned n = 0;

	for (size_t i = 0; i < text->len; i++)
		n += text->p[i] == '\n';
	return n;
}

int edit_insert(struct ct_buf *text, unsigned line, const char *chain, const char *words)
{
	size_t at = offset_of(text, line), rest = text->len - at, len;
	struct ct_buf added = { 0 };
	int r = ct_buf_printf(&added, "-A %s %s\n", chain, words);

	len = added.len;
	if (r == 0)
		r = ct_buf_reserve(text, len);
	if (r == 0) {
		memmove(text->p + at + len, text->p + at, rest);
		memcpy(text->p + at, added.p, len);
		text->len += len;
		text->p[text->len] = 0;
	}
	ct_buf_fini(&added);
	return r;
}

/* The line of a table's COMMIT. */
static unsigned commit_line(const struct ct_buf *text, unsigned line)
{
	for (;; line++) {
		size_t at = offset_of(text, line);

		if (at >= text->len || strncmp(text->p + at, "COMMIT", 6) == 0)
			return line;
	}
}

static unsigned first_rule(const struct ct_rule_table *t)
{
	unsigned first = 0;

	for (const struct ct_rule_chain *c = t->chains; c; c = c->next)
		if (c->first && (!first || c->first->line < first))
			first = c->first->line;
	return first;
}

int edit_table_top(struct ct_buf *text, const struct ct_ruleset *rs, const char *name,
		   unsigned *out)
{
	for (const struct ct_rule_table *t = rs->tables; t; t = t->next)
		if (strcmp(t->name, name) == 0) {
			unsigned first = first_rule(t);

			*out = first ? first : commit_line(text, t->line);
			return 0;
		}
	if (text->len > 0 && text->p[text->len - 1] != '\n' && ct_buf_put(text, "\n", 1) < 0)
		return -ENOMEM;
	*out = n_lines(text) + 4;
	return ct_buf_printf(text, "*%s\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n",
			     name);
}
