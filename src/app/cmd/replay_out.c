/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What a replay shows at its end: the table, the counters, rules, a summary.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "app/cmd/replay.h"

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_line(char ***lines, size_t *n, const char *text)
{
	/* Grows in powers of two. */
	if ((*n & (*n - 1)) == 0) {
		char **more = realloc(*lines, (*n ? *n * 2 : 1) * sizeof(*more));

		if (!more)
			return -ENOMEM;
		*lines = more;
	}
	(*lines)[*n] = strdup(text);
	if (!(*lines)[*n])
		return -ENOMEM;
	(*n)++;
	return 0;
}

int replay_table(const struct replay *r, enum list_form form, FILE *to)
{
	static const struct ct_match_times times;
	struct ct_cursor at = { 0, 0 };
	struct ct_text text;
	struct ct_entry e;
	char **lines = NULL;
	size_t n = 0;
	int result = 0;

	ct_text_init(&text, r->line_room, LIST_MAX_ITEM);
	list_put_head(form, false, &text);
	(void)fputs(text.buf, to);
	while (result == 0 && ct_engine_next(sim_engine(r->sim), &at, &e) > 0) {
		const struct list_item item = { .e = &e, .times = &times };

		ct_text_init(&text, r->line_room, LIST_MAX_ITEM);
		list_put_item(form, &item, &text);
		result = add_line(&lines, &n, text.buf);
	}
	if (result == 0) {
		if (n > 0)
			qsort(lines, n, sizeof(*lines), by_text);
		for (size_t i = 0; i < n; i++)
			(void)fprintf(to, "%s\n", lines[i]);
	}
	for (size_t i = 0; i < n; i++)
		free(lines[i]);
	free(lines);
	return result;
}

void replay_stats(const struct replay *r, FILE *to)
{
	const struct ct_engine_stats *s = &sim_outcome(r->sim)->stats;

	(void)fprintf(to, "{\"entries\": %llu", (unsigned long long)s->count);
#define ENGINE_STAT(field, column)                                                                 \
	(void)fprintf(to, ", \"%s\": %llu", column, (unsigned long long)s->field);
#include <conntune/engine_stat.def>
#undef ENGINE_STAT
	(void)fputs("}\n", to);
}

static int to_file(void *user, const char *text, size_t len)
{
	return fwrite(text, 1, len, user) == len ? 0 : -EIO;
}

int replay_rules(const struct ct_ruleset *rs, FILE *to)
{
	return ct_ruleset_print(rs, CT_RULESET_COUNTERS, to_file, to);
}

static void write_packets(const struct sim_outcome *o, struct writer *w)
{
	static const struct {
		const char *key, *label;
		enum ct_info info;
	} rows[] = {
		{ "new", "new", CT_INFO_NEW },
		{ "established", "established, original direction", CT_INFO_ESTABLISHED },
		{ "established_reply", "established, reply direction", CT_INFO_ESTABLISHED_REPLY },
		{ "related", "related, original direction", CT_INFO_RELATED },
		{ "related_reply", "related, reply direction", CT_INFO_RELATED_REPLY },
		{ "untracked", "untracked", CT_INFO_UNTRACKED },
		{ "invalid", "invalid", CT_INFO_INVALID },
	};

	writer_section(w, "packets", "Packets");
	writer_u64(w, "total", "IP packets", o->n_packets);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		writer_u64(w, rows[i].key, rows[i].label, o->by_info[rows[i].info]);
	writer_u64(w, "dropped", "dropped by the tracker", o->n_dropped);
	writer_u64(w, "dropped_by_rules", "dropped by rules", o->n_by_rules);
	writer_u64(w, "unrouted", "without a way on (multicast, foreign)", o->n_unrouted);
	writer_u64(w, "fragments", "fragments kept until their datagram was whole", o->n_fragments);
	writer_u64(w, "refused", "refused by IP before tracking", o->n_refused);
	if (o->n_doubtful)
		writer_u64(w, "doubtful", "whose fate is only likely (see depends on)",
			   o->n_doubtful);
	writer_end(w);
}

static void write_skipped(const struct sim_outcome *o, struct writer *w)
{
	static const struct writer_column columns[] = { { "reason", "Frames without IP", false },
							{ "frames", "Frames", true } };

	if (!o->skipped[0].why)
		return;
	writer_list(w, "skipped", NULL, columns, 2);
	for (size_t i = 0; i < SIM_MAX_SKIPPED && o->skipped[i].why; i++) {
		writer_row(w);
		writer_str(w, "reason", NULL, o->skipped[i].why);
		writer_u64(w, "frames", NULL, o->skipped[i].n);
		writer_end(w);
	}
	writer_end(w);
}

static double seconds(ct_time span)
{
	return (double)span / (double)CT_NS_PER_S;
}

static void write_level(const struct replay *r, struct writer *w)
{
	const struct sim_outcome *o = sim_outcome(r->sim);

	writer_section(w, "table", "Table");
	writer_u64(w, "count", "entries at the end", o->stats.count);
	writer_u64(w, "peak", "highest count", o->peak);
	writer_f64(w, "peak_at_s", "reached after, in seconds", seconds(o->peak_at - o->first), 3);
	writer_u64(w, "max", "limit", r->o->cfg.engine.max);
	writer_u64(w, "drops", "packets dropped for want of room", o->stats.drop);
	writer_u64(w, "early_drops", "entries dropped early for others", o->stats.early_drop);
	writer_u64(w, "created", "entries begun", o->stats.created);
	writer_u64(w, "collected", "ended by timeout", o->stats.collected);
	writer_u64(w, "memory_bytes", "memory in bytes", o->stats.memory_bytes);
	writer_end(w);
}

enum { SHOWN_STATES = 5, SHOWN_MOMENTS = 10, STATE_NAME = 32 };

static void name_state(const struct series_state *s, char *out)
{
	const char *state = s->has_state ? ct_state_name(s->proto, s->state) : NULL;

	(void)snprintf(out, STATE_NAME, "%.12s%s%.16s", ct_proto_name(s->proto),
		       state || s->is_unreplied ? " " : "",
		       state		 ? state
		       : s->is_unreplied ? "unreplied"
					 : "");
}

/* The states with the highest numbers at any moment, highest first. */
static unsigned choose_states(const struct series *s, unsigned *out)
{
	uint32_t most[SERIES_STATES] = { 0 };
	unsigned n = 0;

	for (unsigned i = 0; i < s->n; i++)
		for (unsigned j = 0; j < s->n_states; j++)
			if (s->by_state[i][j] > most[j])
				most[j] = s->by_state[i][j];
	while (n < SHOWN_STATES && n < s->n_states) {
		unsigned best = 0;

		for (unsigned j = 1; j < s->n_states; j++)
			if (most[j] > most[best])
				best = j;
		out[n++] = best;
		most[best] = 0;
	}
	return n;
}

static void write_moment(const struct series *s, unsigned i, ct_time first,
			 char names[][STATE_NAME], struct writer *w)
{
	writer_row(w);
	writer_f64(w, "at_s", NULL, seconds(s->at[i] - first), 3);
	writer_u64(w, "count", NULL, s->count[i]);
	for (unsigned j = 0; j < s->n_states; j++)
		writer_u64(w, names[j], NULL, s->by_state[i][j]);
	writer_end(w);
}

static void write_series(const struct replay *r, struct writer *w, bool is_json)
{
	const struct sim_outcome *o = sim_outcome(r->sim);
	const struct series *s = &o->series;
	struct writer_column columns[2 + SHOWN_STATES] = { { "at_s", "Seconds", true },
							   { "count", "Entries", true } };
	char names[SERIES_STATES][STATE_NAME];
	unsigned chosen[SHOWN_STATES], n = choose_states(s, chosen), step = 1;

	if (s->n == 0)
		return;
	for (unsigned j = 0; j < s->n_states; j++)
		name_state(&s->states[j], names[j]);
	for (unsigned j = 0; j < n; j++)
		columns[2 + j] = (struct writer_column){ names[chosen[j]], names[chosen[j]], true };
	writer_list(w, "over_time", "Entries over time", columns, 2 + n);
	if (!is_json)
		step = (s->n + SHOWN_MOMENTS - 1) / SHOWN_MOMENTS;
	for (unsigned i = 0; i + 1 < s->n; i += step)
		write_moment(s, i, o->first, names, w);
	write_moment(s, s->n - 1, o->first, names, w);
	writer_end(w);
}

int replay_summary(const struct replay *r, struct writer *w)
{
	const struct sim_outcome *o = sim_outcome(r->sim);
	const struct ct_engine_stats *s = &o->stats;

	writer_begin(w, "replay", 1);
	writer_f64(w, "seconds", "time span in seconds", seconds(o->last - o->first), 3);
	write_packets(o, w);
	write_skipped(o, w);
	write_level(r, w);
	write_series(r, w, r->is_json);
	writer_section(w, "counters", "Counters of the kernel");
#define ENGINE_STAT(field, column) writer_u64(w, #field, #field, s->field);
#include <conntune/engine_stat.def>
#undef ENGINE_STAT
	writer_end(w);
	return writer_finish(w);
}
