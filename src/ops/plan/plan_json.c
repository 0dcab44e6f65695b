/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Plan files, docs/plan.md: JSON, read strictly.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "ops/plan/inner.h"

#define SCHEMA "conntune.plan"

/* Every member of @o must be one of @known; what is not understood cannot be done. */
static int only(const json_t *o, const char *const known[], const char *where, struct ct_err *err)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)o, key, value)
	{
		size_t i = 0;

		while (known[i] && strcmp(known[i], key) != 0)
			i++;
		if (!known[i])
			return ct_err_set(err, -EINVAL, "%s: '%.60s' is not understood", where,
					  key);
	}
	return 0;
}

/* An optional text. */
static int take_text(struct plan *p, const json_t *o, const char *key, const char **out,
		     const char *where, struct ct_err *err)
{
	const json_t *v = json_object_get(o, key);
	size_t len = json_string_length(v);

	if (!v)
		return 0;
	if (!json_is_string(v) || len > PLAN_MAX_TEXT || strlen(json_string_value(v)) != len)
		return ct_err_set(err, -EINVAL, "%s: %s is no text of at most %d bytes", where, key,
				  PLAN_MAX_TEXT);
	*out = words_put(&p->words, json_string_value(v), len);
	return *out ? 0 : ct_err_set(err, -ENOMEM, "out of memory");
}

static int take_setting(struct plan *p, const char *name, const json_t *o, const char *where,
			struct ct_err *err)
{
	const json_t *to = json_object_get(o, "to"), *from = json_object_get(o, "from");
	struct plan_set *s;
	int r;

	if (!json_is_integer(to))
		return ct_err_set(err, -EINVAL, "%s: 'to' is no number", where);
	if (from && !json_is_integer(from))
		return ct_err_set(err, -EINVAL, "%s: 'from' is no number", where);
	r = plan_put_set(p, name, json_integer_value(to), &s, err);
	if (r < 0)
		return ct_err_wrap(err, r, "%s", where);
	s->is_from_known = from != NULL;
	s->from = json_integer_value(from);
	return take_text(p, o, "reason", &s->reason, where, err);
}

static int take_notrack(struct plan *p, const json_t *o, const char *where, struct ct_err *err)
{
	const char *text = NULL;
	int r = take_text(p, o, "to", &text, where, err);

	if (r == 0 && !text)
		r = ct_err_set(err, -EINVAL, "%s: 'to' is missing", where);
	r = r < 0 ? r : plan_add_notrack(p, text, err);
	if (r < 0)
		return r;
	return take_text(p, o, "reason", &p->notrack[p->n_notrack - 1].reason, where, err);
}

static int take_change(struct plan *p, size_t i, const json_t *o, struct ct_err *err)
{
	static const char *const known[] = { "target", "from", "to", "scope", "reason", NULL };
	const char *target = json_string_value(json_object_get(o, "target"));
	char where[32];
	int r;

	(void)snprintf(where, sizeof(where), "change %zu", i + 1);
	if (!json_is_object(o) || !target)
		return ct_err_set(err, -EINVAL, "%s: it has no 'target'", where);
	r = only(o, known, where, err);
	if (r < 0)
		return r;
	if (strcmp(target, "notrack") == 0)
		return take_notrack(p, o, where, err);
	return take_setting(p, target, o, where, err);
}

static int take(struct plan *p, const json_t *o, struct ct_err *err)
{
	static const char *const known[] = { "schema",	"version", "reason", "netns",
					     "persist", "changes", NULL };
	const char *schema = json_string_value(json_object_get(o, "schema"));
	const json_t *changes = json_object_get(o, "changes");
	const json_t *persist = json_object_get(o, "persist");
	int r;

	if (!schema || strcmp(schema, SCHEMA) != 0)
		return ct_err_set(err, -EINVAL, "this is no plan: 'schema' is not \"%s\"", SCHEMA);
	if (json_integer_value(json_object_get(o, "version")) != PLAN_VERSION)
		return ct_err_set(err, -EINVAL, "only plans of version %d are understood",
				  PLAN_VERSION);
	r = only(o, known, "plan", err);
	if (r == 0 && persist && !json_is_boolean(persist))
		r = ct_err_set(err, -EINVAL, "plan: 'persist' is neither true nor false");
	if (r == 0 && !json_is_array(changes))
		r = ct_err_set(err, -EINVAL, "plan: 'changes' is no list");
	p->is_persistent |= json_is_true(persist);
	r = r < 0 ? r : take_text(p, o, "reason", &p->reason, "plan", err);
	r = r < 0 ? r : take_text(p, o, "netns", &p->netns, "plan", err);
	for (size_t i = 0; r == 0 && i < json_array_size(changes); i++)
		r = take_change(p, i, json_array_get(changes, i), err);
	return r;
}

int plan_read(struct plan *p, const char *text, size_t len, struct ct_err *err)
{
	json_error_t at;
	json_t *o;
	int r;

	if (len > PLAN_MAX_BYTES)
		return ct_err_set(err, -EFBIG, "a plan has at most %u bytes", PLAN_MAX_BYTES);
	o = json_loadb(text, len, JSON_REJECT_DUPLICATES, &at);
	if (!o)
		return ct_err_set(err, -EINVAL, "line %d: %.*s", at.line, JSON_ERROR_TEXT_LENGTH,
				  at.text);
	r = take(p, o, err);
	json_decref(o);
	return r;
}

static json_t *optional(const char *text)
{
	return text ? json_string(text) : NULL;
}

static json_t *of_set(const struct plan_set *s)
{
	return json_pack("{s:s, s:o*, s:I, s:s, s:o*}", "target", s->setting->name, "from",
			 s->is_from_known ? json_integer(s->from) : NULL, "to", (json_int_t)s->to,
			 "scope", setting_scope_name(s->setting->scope), "reason",
			 optional(s->reason));
}

static json_t *of_plan(const struct plan *p)
{
	json_t *changes = json_array();

	for (unsigned i = 0; i < p->n_sets; i++)
		(void)json_array_append_new(changes, of_set(&p->set[i]));
	for (unsigned i = 0; i < p->n_notrack; i++)
		(void)json_array_append_new(changes,
					    json_pack("{s:s, s:s, s:o*}", "target", "notrack", "to",
						      p->notrack[i].text, "reason",
						      optional(p->notrack[i].reason)));
	return json_pack("{s:s, s:i, s:o*, s:o*, s:b, s:o}", "schema", SCHEMA, "version",
			 PLAN_VERSION, "reason", optional(p->reason), "netns", optional(p->netns),
			 "persist", p->is_persistent, "changes", changes);
}

int plan_write(const struct plan *p, struct ct_buf *out)
{
	json_t *o = of_plan(p);
	auto_memory char *text = o ? json_dumps(o, JSON_INDENT(2)) : NULL;

	json_decref(o);
	return text ? ct_buf_printf(out, "%s\n", text) : -ENOMEM;
}
