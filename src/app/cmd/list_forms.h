/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One entry in each form that `conntune list` writes: straight into a buffer, field by field, since
 * there may be millions.
 */
#ifndef APP_CMD_LIST_FORMS_H
#define APP_CMD_LIST_FORMS_H

#include <conntune/text.h>

#include "lib/ct/entry_match.h"

enum list_form {
	LIST_COLUMNS,
	LIST_PROC,
	LIST_CONNTRACK,
	LIST_EXTENDED,
	LIST_SAVE,
	LIST_JSON,
	LIST_CSV,
};

/* An entry and what was found out about it. */
struct list_item {
	const struct ct_entry *e;
	const struct ct_match_times *times;
	const char *netns; /* null unless namespaces were asked for */
	unsigned flags;	   /* enum ct_format_flag */
};

/* No item is longer in any form: JSON may spell a byte with six. */
#define LIST_MAX_ITEM ((size_t)8 * CT_MAX_LINE)

/* The form called @name, or -1. */
int list_form_find(const char *name);

/* The fields of an entry that @form shows (enum ct_known). */
uint32_t list_form_want(enum list_form form);

/* The line above all items, if the form has one, with its newline. */
void list_put_head(enum list_form form, bool has_netns, struct ct_text *to);

/* One item: a line without its newline, or a JSON object. */
void list_put_item(enum list_form form, const struct list_item *item, struct ct_text *to);

/* The JSON object; list_put_item() calls it. */
void list_put_json(const struct list_item *item, struct ct_text *to);

/* A JSON string. */
void list_put_json_string(const char *s, size_t len, struct ct_text *to);

#endif
