/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One walk, several outputs: a command tells the writer what it knows once, and the writer makes
 * text for people or JSON for programs of it.
 *
 *     writer_begin(w, "status", 1);                  JSON: {"schema":"conntune.status","version":1
 *     writer_section(w, "table", "Table");           JSON: "table":{   text: a heading
 *     writer_u64(w, "count", "entries", 77143);      JSON: "count":77143  text: entries  77143
 *     writer_end(w);
 *     writer_list(w, "netns", "Namespaces", columns, n);   a table in text, an array in JSON
 *       writer_row(w); ... writer_end(w);
 *     writer_end(w);
 *     writer_finish(w);
 *
 * A field with a null label is for JSON only; a field with a null key for text only. Output goes
 * through a sink, so nothing here prints.
 */
#ifndef OPS_REPORT_WRITER_H
#define OPS_REPORT_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/clean.h"

#define WRITER_MAX_DEPTH 16

enum writer_form { WRITER_TEXT, WRITER_JSON };

/* Takes bytes; returns 0 or a negative errno, which the writer remembers. */
typedef int (*writer_sink)(void *user, const char *bytes, size_t len);

struct writer;
struct writer_options {
	enum writer_form form;
	bool is_colour;	  /* text only */
	unsigned columns; /* width of the terminal, 0 unlimited */
	bool is_compact;  /* JSON in one line */
};
int writer_new(const struct writer_options *o, writer_sink sink, void *user, struct writer **out);
void writer_free(struct writer *w);
DEFINE_AUTO_FREE(writer);

void writer_begin(struct writer *w, const char *schema, unsigned version);
void writer_section(struct writer *w, const char *key, const char *title);
struct writer_column {
	const char *key, *title;
	bool is_right; /* numbers */
};
void writer_list(struct writer *w, const char *key, const char *title,
		 const struct writer_column *columns, size_t n);
void writer_row(struct writer *w);
void writer_end(struct writer *w); /* ends the section, row or list opened last */

/* Fields. In a row, text shows a field in the column with its key and ignores @label. A section or
 * list inside a row is for JSON only. */
void writer_str(struct writer *w, const char *key, const char *label, const char *value);
void writer_u64(struct writer *w, const char *key, const char *label, uint64_t value);
void writer_i64(struct writer *w, const char *key, const char *label, int64_t value);
void writer_f64(struct writer *w, const char *key, const char *label, double value, int digits);
void writer_bool(struct writer *w, const char *key, const char *label, bool value);
void writer_unknown(struct writer *w, const char *key, const char *label, const char *why);
/* A number for JSON with its own text for people: 0.7 and "70 %". */
void writer_f64_as(struct writer *w, const char *key, const char *label, double value,
		   const char *text);
void writer_u64_as(struct writer *w, const char *key, const char *label, uint64_t value,
		   const char *text);

/* Paragraphs for people: text only, wrapped at the width, newlines kept, control characters
 * shown as '?'. Colours appear only when the options ask for them. */
enum writer_style {
	WRITER_PLAIN,
	WRITER_BOLD,
	WRITER_GOOD,
	WRITER_NOTE,
	WRITER_WARNING,
	WRITER_BAD,
};
void writer_para(struct writer *w, unsigned indent, const char *text);
void writer_para_styled(struct writer *w, enum writer_style style, unsigned indent,
			const char *text);

/* Ends the document; the first error of the sink, or 0. */
int writer_finish(struct writer *w);

#endif
