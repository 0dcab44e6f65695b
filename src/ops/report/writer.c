/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The writer of writer.h. A stack of levels remembers what is open. JSON goes out as it comes.
 * Text waits in its level: the fields of a section until the section ends, so that values line up,
 * and the rows of a list in a libsmartcols table. What stands inside a row and is no plain field
 * is muted in text.
 */
#include "ops/report/writer.h"

#include <assert.h>
#include <errno.h>
#include <libsmartcols.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "ops/report/json_text.h"

enum level_kind { LEVEL_DOCUMENT, LEVEL_SECTION, LEVEL_LIST, LEVEL_ROW };

struct level {
	enum level_kind kind;
	bool is_used;	      /* something stands in it: the next JSON member needs a comma */
	bool is_muted;	      /* text says nothing below here */
	struct ct_buf fields; /* text: label NUL value NUL ... of a section */
	size_t label_width;
	struct libscols_table *table; /* text: a list */
	const struct writer_column *columns;
	size_t n_columns;
};

struct writer {
	struct writer_options options;
	writer_sink sink;
	void *user;
	struct level level[WRITER_MAX_DEPTH];
	size_t depth;
	struct libscols_line *line; /* the open row */
	struct ct_buf json;
	bool has_text; /* something was printed: the next heading wants a blank line */
	int error;
};

int writer_new(const struct writer_options *o, writer_sink sink, void *user, struct writer **out)
{
	struct writer *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->options = *o;
	w->sink = sink;
	w->user = user;
	*out = w;
	return 0;
}

static void level_fini(struct level *l)
{
	ct_buf_fini(&l->fields);
	scols_unref_table(l->table);
	*l = (struct level){ 0 };
}

void writer_free(struct writer *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < WRITER_MAX_DEPTH; i++)
		level_fini(&w->level[i]);
	ct_buf_fini(&w->json);
	free(w);
}

static void remember(struct writer *w, int r)
{
	if (r < 0 && !w->error)
		w->error = r;
}

static void put(struct writer *w, const char *s, size_t len)
{
	if (!w->error && len)
		remember(w, w->sink(w->user, s, len));
}

static void put_str(struct writer *w, const char *s)
{
	put(w, s, strlen(s));
}

static bool is_json(const struct writer *w)
{
	return w->options.form == WRITER_JSON;
}

static struct level *top(struct writer *w)
{
	assert(w->depth > 0);
	return &w->level[w->depth - 1];
}

/* JSON ------------------------------------------------------------------------------------- */

static void json_newline(struct writer *w, size_t depth)
{
	if (w->options.is_compact)
		return;
	put_str(w, "\n");
	while (depth--)
		put_str(w, "  ");
}

/* Hands over what stands in the scratch buffer. */
static void json_flush(struct writer *w)
{
	put(w, w->json.p ? w->json.p : "", w->json.len);
	w->json.len = 0;
}

/* Begins a member (or an array element when @key is null) of the open level. */
static void json_member(struct writer *w, const char *key)
{
	struct level *l = top(w);

	if (l->is_used)
		put_str(w, ",");
	l->is_used = true;
	json_newline(w, w->depth);
	if (!key)
		return;
	remember(w, json_put_string(&w->json, key, strlen(key)));
	remember(w, ct_buf_put(&w->json, ": ", w->options.is_compact ? 1 : 2));
	json_flush(w);
}

/* Text ------------------------------------------------------------------------------------- */

static const char *style_on(const struct writer *w, enum writer_style style)
{
	if (!w->options.is_colour)
		return "";
	switch (style) {
	case WRITER_PLAIN:
		return "";
	case WRITER_BOLD:
		return "\033[1m";
	case WRITER_GOOD:
		return "\033[32m";
	case WRITER_NOTE:
		return "\033[36m";
	case WRITER_WARNING:
		return "\033[33m";
	case WRITER_BAD:
		return "\033[1;31m";
	}
	return "";
}

static const char *style_off(const struct writer *w, enum writer_style style)
{
	return w->options.is_colour && style != WRITER_PLAIN ? "\033[0m" : "";
}

static void put_spaces(struct writer *w, size_t n)
{
	while (n--)
		put(w, " ", 1);
}

/* Foreign text must not steer a terminal. */
static void put_clean(struct writer *w, const char *s, size_t len)
{
	size_t from = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c >= 0x20 && c != 0x7f)
			continue;
		put(w, s + from, i - from);
		put(w, "?", 1);
		from = i + 1;
	}
	put(w, s + from, len - from);
}

static void text_heading(struct writer *w, const char *title)
{
	if (!title || !title[0])
		return;
	if (w->has_text)
		put_str(w, "\n");
	put_str(w, style_on(w, WRITER_BOLD));
	put_str(w, title);
	put_str(w, style_off(w, WRITER_BOLD));
	put_str(w, "\n");
	w->has_text = true;
}

/* Prints the fields that wait in @l, values in one column. */
static void text_fields(struct writer *w, struct level *l)
{
	const char *at = l->fields.p;
	const char *end = at ? at + l->fields.len : NULL;

	while (at && at < end) {
		const char *label = at, *value = at + strlen(at) + 1;

		put_str(w, "  ");
		put_str(w, label);
		put_spaces(w, l->label_width - strlen(label) + 2);
		put_clean(w, value, strlen(value));
		put_str(w, "\n");
		at = value + strlen(value) + 1;
		w->has_text = true;
	}
	l->fields.len = 0;
	l->label_width = 0;
}

static void text_field(struct writer *w, const char *key, const char *label, const char *value)
{
	struct level *l = top(w);

	if (l->is_muted)
		return;
	if (l->kind == LEVEL_ROW) {
		const struct level *list = &w->level[w->depth - 2];

		for (size_t i = 0; key && w->line && i < list->n_columns; i++)
			if (strcmp(list->columns[i].key, key) == 0)
				remember(w, scols_line_set_data(w->line, i, value));
		return;
	}
	if (!label)
		return;
	if (strlen(label) > l->label_width)
		l->label_width = strlen(label);
	remember(w, ct_buf_put(&l->fields, label, strlen(label) + 1));
	remember(w, ct_buf_put(&l->fields, value, strlen(value) + 1));
}

static struct libscols_table *text_table(struct writer *w, const struct writer_column *columns,
					 size_t n)
{
	struct libscols_table *t = scols_new_table();

	if (!t) {
		remember(w, -ENOMEM);
		return NULL;
	}
	(void)scols_table_enable_maxout(t, 0);
	(void)scols_table_set_column_separator(t, "  ");
	(void)scols_table_set_termforce(t, SCOLS_TERMFORCE_NEVER);
	for (size_t i = 0; i < n; i++) {
		int flags = columns[i].is_right ? SCOLS_FL_RIGHT : 0;

		if (!scols_table_new_column(t, columns[i].title, 0, flags))
			remember(w, -ENOMEM);
	}
	return t;
}

/* Prints the table, indented, without blanks at line ends. */
static void text_print_table(struct writer *w, struct libscols_table *t)
{
	auto_memory char *all = NULL;

	if (scols_table_is_empty(t))
		return;
	if (scols_print_table_to_string(t, &all) < 0 || !all) {
		remember(w, -ENOMEM);
		return;
	}
	for (char *line = all; *line;) {
		size_t len = strcspn(line, "\n"), used = len;

		while (used && line[used - 1] == ' ')
			used--;
		put_str(w, "  ");
		put(w, line, used);
		put_str(w, "\n");
		line += len + (line[len] == '\n');
	}
	w->has_text = true;
}

/* Levels ----------------------------------------------------------------------------------- */

static struct level *open_level(struct writer *w, enum level_kind kind)
{
	bool is_muted = w->depth > 0 && (top(w)->is_muted || top(w)->kind == LEVEL_ROW);

	if (w->depth == WRITER_MAX_DEPTH) {
		remember(w, -E2BIG);
		return top(w);
	}
	w->level[w->depth] = (struct level){ .kind = kind, .is_muted = is_muted };
	return &w->level[w->depth++];
}

void writer_begin(struct writer *w, const char *schema, unsigned version)
{
	(void)open_level(w, LEVEL_DOCUMENT);
	if (!is_json(w))
		return;
	put_str(w, "{");
	json_member(w, "schema");
	remember(w, ct_buf_printf(&w->json, "\"conntune.%s\"", schema));
	json_flush(w);
	json_member(w, "version");
	remember(w, ct_buf_printf(&w->json, "%u", version));
	json_flush(w);
}

void writer_section(struct writer *w, const char *key, const char *title)
{
	struct level *l;

	if (is_json(w) && key) {
		json_member(w, key);
		put_str(w, "{");
	}
	if (!is_json(w))
		text_fields(w, top(w));
	l = open_level(w, LEVEL_SECTION);
	if (!is_json(w) && !l->is_muted)
		text_heading(w, title);
}

void writer_list(struct writer *w, const char *key, const char *title,
		 const struct writer_column *columns, size_t n)
{
	struct level *l;

	if (is_json(w)) {
		json_member(w, key);
		put_str(w, "[");
		(void)open_level(w, LEVEL_LIST);
		return;
	}
	text_fields(w, top(w));
	l = open_level(w, LEVEL_LIST);
	if (l->is_muted)
		return;
	text_heading(w, title);
	l->columns = columns;
	l->n_columns = n;
	l->table = text_table(w, columns, n);
}

void writer_row(struct writer *w)
{
	struct level *list = top(w);

	if (is_json(w)) {
		json_member(w, NULL);
		put_str(w, "{");
	} else if (list->table) {
		w->line = scols_table_new_line(list->table, NULL);
		if (!w->line)
			remember(w, -ENOMEM);
	}
	/* A row inside a muted list stays muted; fields of other rows are the list's columns. */
	open_level(w, LEVEL_ROW)->is_muted = list->is_muted;
}

void writer_end(struct writer *w)
{
	struct level *l = top(w);

	if (is_json(w)) {
		if (l->is_used)
			json_newline(w, w->depth - 1);
		put_str(w, l->kind == LEVEL_LIST ? "]" : "}");
	} else if (l->kind == LEVEL_ROW) {
		w->line = NULL;
	} else {
		text_fields(w, l);
		if (l->table)
			text_print_table(w, l->table);
	}
	level_fini(l);
	w->depth--;
}

/* Fields ----------------------------------------------------------------------------------- */

/* A field whose JSON spelling stands in w->json, or is nothing but for text. */
static void field(struct writer *w, const char *key, const char *label, const char *text)
{
	if (!is_json(w)) {
		text_field(w, key, label, text);
	} else if (key) {
		struct ct_buf value = w->json;

		/* json_member() needs the scratch buffer too. */
		w->json = (struct ct_buf){ 0 };
		json_member(w, key);
		put(w, value.p ? value.p : "", value.len);
		ct_buf_fini(&value);
	}
	w->json.len = 0;
}

void writer_str(struct writer *w, const char *key, const char *label, const char *value)
{
	remember(w, json_put_string(&w->json, value, strlen(value)));
	field(w, key, label, value);
}

void writer_u64(struct writer *w, const char *key, const char *label, uint64_t value)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	writer_u64_as(w, key, label, value, text);
}

void writer_i64(struct writer *w, const char *key, const char *label, int64_t value)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%lld", (long long)value);
	remember(w, ct_buf_put(&w->json, text, strlen(text)));
	field(w, key, label, text);
}

void writer_f64(struct writer *w, const char *key, const char *label, double value, int digits)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "%.*f", digits, value);
	remember(w, json_put_f64(&w->json, value, digits));
	field(w, key, label, text);
}

void writer_bool(struct writer *w, const char *key, const char *label, bool value)
{
	remember(w, ct_buf_printf(&w->json, "%s", value ? "true" : "false"));
	field(w, key, label, value ? "yes" : "no");
}

void writer_unknown(struct writer *w, const char *key, const char *label, const char *why)
{
	char text[256];

	remember(w, ct_buf_put(&w->json, "null", 4));
	(void)snprintf(text, sizeof(text), why ? "unknown (%s)" : "unknown", why);
	field(w, key, label, text);
}

void writer_f64_as(struct writer *w, const char *key, const char *label, double value,
		   const char *text)
{
	remember(w, json_put_f64(&w->json, value, -1));
	field(w, key, label, text);
}

void writer_u64_as(struct writer *w, const char *key, const char *label, uint64_t value,
		   const char *text)
{
	remember(w, ct_buf_printf(&w->json, "%llu", (unsigned long long)value));
	field(w, key, label, text);
}

/* Paragraphs ------------------------------------------------------------------------------- */

enum { PROSE_WIDTH = 100 }; /* longer lines are hard to read, however wide the terminal is */

/* The bytes of the next output line of @s: as many words as fit, at least one. A paragraph that
 * begins with a space is a command to be copied, and stays in one line. */
static size_t line_len(const char *s, size_t width, bool is_start)
{
	size_t paragraph = strcspn(s, "\n"), fits = 0;

	if (paragraph <= width || (is_start && *s == ' '))
		return paragraph;
	for (size_t i = 0; i <= width; i++)
		if (s[i] == ' ')
			fits = i;
	if (!fits)
		fits = strcspn(s, " \n");
	return fits;
}

void writer_para_styled(struct writer *w, enum writer_style style, unsigned indent,
			const char *text)
{
	size_t columns = w->options.columns < PROSE_WIDTH ? w->options.columns : PROSE_WIDTH;
	size_t width = columns > indent + 20 ? columns - indent : SIZE_MAX / 2;
	bool is_start = true;

	if (is_json(w) || top(w)->is_muted)
		return;
	text_fields(w, top(w));
	while (*text) {
		size_t len = line_len(text, width, is_start);

		if (len) {
			put_spaces(w, indent);
			put_str(w, style_on(w, style));
			put_clean(w, text, len);
			put_str(w, style_off(w, style));
		}
		put_str(w, "\n");
		text += len;
		is_start = *text == '\n';
		if (*text == ' ' || *text == '\n')
			text++;
	}
	w->has_text = true;
}

void writer_para(struct writer *w, unsigned indent, const char *text)
{
	writer_para_styled(w, WRITER_PLAIN, indent, text);
}

int writer_finish(struct writer *w)
{
	while (w->depth > 0)
		writer_end(w);
	if (is_json(w))
		put_str(w, "\n");
	return w->error;
}
