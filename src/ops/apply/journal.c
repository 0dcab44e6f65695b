/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The journal of one change as JSON; see journal.h.
 */
#include "ops/apply/journal.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define SCHEMA	 "conntune.change"
#define VERSION	 1
#define MAX_TEXT 4096 /* bytes of any one text */

static const char *const state_names[] = {
#define STATE(name) #name,
#include "ops/apply/state.def"
#undef STATE
};

static const char *const kind_names[] = {
#define STEP(name) #name,
#include "ops/apply/step.def"
#undef STEP
};

const char *journal_state_name(enum journal_state s)
{
	return state_names[s];
}

const char *journal_text(struct journal *j, const char *text)
{
	return text ? words_put(&j->words, text, strlen(text)) : NULL;
}

int journal_add(struct journal *j, const struct step *s)
{
	struct step *at, *to;

	if (j->n_steps == JOURNAL_MAX_STEPS)
		return -E2BIG;
	at = list_grown(j->steps, j->n_steps, sizeof(*at));
	if (!at)
		return -ENOMEM;
	j->steps = at;
	to = &at[j->n_steps++];
	*to = *s;
	to->where = journal_text(j, s->where);
	to->what = journal_text(j, s->what);
	to->path = journal_text(j, s->path);
	to->from = journal_text(j, s->from);
	to->to = journal_text(j, s->to);
	return !to->what || !to->path || (s->where && !to->where) || (s->from && !to->from) ||
			       (s->to && !to->to)
		       ? -ENOMEM
		       : 0;
}

void journal_fini(struct journal *j)
{
	free(j->steps);
	words_fini(&j->words);
	*j = (struct journal){ 0 };
}

/* The index of @name in @names, or -1. */
static int index_of(const char *const names[], size_t n, const char *name)
{
	for (size_t i = 0; name && i < n; i++)
		if (strcmp(names[i], name) == 0)
			return (int)i;
	return -1;
}

/* A member that is a text, or absent. */
static bool text_of(const json_t *o, const char *key, const char **out)
{
	const json_t *v = json_object_get(o, key);
	size_t len = json_string_length(v);

	*out = json_string_value(v);
	return !v || (*out && len <= MAX_TEXT && strlen(*out) == len);
}

/* A member that is a number of at most @max, or absent. */
static bool number_of(const json_t *o, const char *key, int64_t max, int64_t *out)
{
	const json_t *v = json_object_get(o, key);

	*out = json_integer_value(v);
	return !v || (json_is_integer(v) && *out >= 0 && *out <= max);
}

static int read_step(struct journal *j, const json_t *o)
{
	const char *kind;
	struct step s = { 0 };
	int64_t netns, mode;
	int k;

	if (!text_of(o, "kind", &kind) || !text_of(o, "where", &s.where) ||
	    !text_of(o, "what", &s.what) || !text_of(o, "path", &s.path) ||
	    !text_of(o, "from", &s.from) || !text_of(o, "to", &s.to) ||
	    !number_of(o, "netns", INT64_MAX, &netns) || !number_of(o, "mode", 07777, &mode))
		return -EINVAL;
	k = index_of(kind_names, STEP_KINDS, kind);
	if (k < 0 || !s.what || !s.path || (!s.from && !s.to))
		return -EINVAL;
	if (k != STEP_file && (!s.from || !s.to))
		return -EINVAL;
	s.kind = (enum step_kind)k;
	s.netns = (uint64_t)netns;
	s.mode = (uint32_t)mode;
	return journal_add(j, &s);
}

static bool read_bounds(const json_t *o, struct journal_bounds *out)
{
	const json_t *b = json_object_get(o, "bounds");
	int64_t drop, invalid, reset;

	if (!number_of(b, "drop", UINT32_MAX, &drop) ||
	    !number_of(b, "invalid", UINT32_MAX, &invalid) ||
	    !number_of(b, "reset", UINT32_MAX, &reset))
		return false;
	*out = (struct journal_bounds){ (uint32_t)drop, (uint32_t)invalid, (uint32_t)reset };
	return true;
}

static bool read_head(struct journal *j, const json_t *o)
{
	const char *state, *boot, *reason, *why;
	int64_t number, within;
	int s;

	if (!text_of(o, "state", &state) || !text_of(o, "boot", &boot) || !boot ||
	    !text_of(o, "reason", &reason) || !text_of(o, "why", &why) ||
	    !number_of(o, "number", INT32_MAX, &number) || number == 0 ||
	    !number_of(o, "made_at", INT64_MAX, &j->made_at) ||
	    !number_of(o, "within_s", UINT32_MAX, &within) ||
	    !number_of(o, "deadline_ms", INT64_MAX, &j->deadline_ms) || !read_bounds(o, &j->bounds))
		return false;
	s = index_of(state_names, JOURNAL_STATES, state);
	j->number = (unsigned)number;
	j->within_s = (uint32_t)within;
	j->boot = journal_text(j, boot);
	j->reason = journal_text(j, reason);
	j->why = journal_text(j, why);
	j->state = (enum journal_state)s;
	return s >= 0;
}

static int read_all(struct journal *j, const json_t *o, struct ct_err *err)
{
	const char *schema = json_string_value(json_object_get(o, "schema"));
	const json_t *steps = json_object_get(o, "steps");

	if (!schema || strcmp(schema, SCHEMA) != 0 ||
	    json_integer_value(json_object_get(o, "version")) != VERSION)
		return ct_err_set(err, -EINVAL, "this is no journal of version %d", VERSION);
	if (!read_head(j, o) || !json_is_array(steps))
		return ct_err_set(err, -EINVAL, "the head of the journal is not understood");
	for (size_t i = 0; i < json_array_size(steps); i++) {
		int r = read_step(j, json_array_get(steps, i));

		if (r < 0)
			return ct_err_set(err, r, "step %zu of the journal is not understood",
					  i + 1);
	}
	return 0;
}

int journal_read(const char *text, size_t len, struct journal *out, struct ct_err *err)
{
	auto_fini(journal) struct journal j = { 0 };
	json_error_t at;
	json_t *o = len <= JOURNAL_MAX_BYTES ? json_loadb(text, len, 0, &at) : NULL;
	int r;

	if (!o)
		return ct_err_set(err, -EINVAL, "this is no JSON of at most %u bytes",
				  JOURNAL_MAX_BYTES);
	r = read_all(&j, o, err);
	json_decref(o);
	if (r < 0)
		return r;
	*out = j;
	j = (struct journal){ 0 };
	return 0;
}

static json_t *optional(const char *text)
{
	return text ? json_string(text) : NULL;
}

static json_t *of_steps(const struct journal *j)
{
	json_t *list = json_array();

	for (size_t i = 0; i < j->n_steps; i++) {
		const struct step *s = &j->steps[i];

		(void)json_array_append_new(
			list, json_pack("{s:s, s:I, s:I, s:o*, s:s, s:s, s:o*, s:o*}", "kind",
					kind_names[s->kind], "netns", (json_int_t)s->netns, "mode",
					(json_int_t)s->mode, "where", optional(s->where), "what",
					s->what, "path", s->path, "from", optional(s->from), "to",
					optional(s->to)));
	}
	return list;
}

static json_t *of_journal(const struct journal *j)
{
	const struct journal_bounds *b = &j->bounds;

	return json_pack("{s:s, s:i, s:I, s:s, s:s, s:I, s:I, s:I, s:{s:I, s:I, s:I}, s:o*, "
			 "s:o*, s:o}",
			 "schema", SCHEMA, "version", VERSION, "number", (json_int_t)j->number,
			 "state", journal_state_name(j->state), "boot", j->boot, "made_at",
			 (json_int_t)j->made_at, "within_s", (json_int_t)j->within_s, "deadline_ms",
			 (json_int_t)j->deadline_ms, "bounds", "drop", (json_int_t)b->drop,
			 "invalid", (json_int_t)b->invalid, "reset", (json_int_t)b->reset, "reason",
			 optional(j->reason), "why", optional(j->why), "steps", of_steps(j));
}

int journal_write(const struct journal *j, struct ct_buf *out)
{
	json_t *o = of_journal(j);
	auto_memory char *text = o ? json_dumps(o, JSON_INDENT(2)) : NULL;

	json_decref(o);
	return text ? ct_buf_printf(out, "%s\n", text) : -ENOMEM;
}
