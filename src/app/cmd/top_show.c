/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The groups of conntune top as text and JSON, and what is to be said of them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "app/cmd/top.h"
#include "ops/report/writer.h"

#define DEFAULT_LIMIT 20

static void write_value(struct writer *w, const struct top_run *run, const struct tally_value *v)
{
	const char *key = tally_key_text(v->key);
	char room[128];
	struct ct_text text;

	ct_text_init(&text, room, sizeof(room));
	tally_value_text(v, &text);
	if (!v->is_known) {
		writer_unknown(w, key, NULL, NULL);
		return;
	}
	switch (v->key) {
	case TALLY_SPORT:
	case TALLY_DPORT:
	case TALLY_ZONE:
	case TALLY_MARK:
		writer_u64_as(w, key, NULL, v->number, room);
		return;
	case TALLY_NETNS:
		writer_str(w, key, NULL, run->parts[v->number].name);
		return;
	case TALLY_SRC:
	case TALLY_DST:
	case TALLY_SERVICE:
	case TALLY_PROTO:
	case TALLY_STATE:
	case TALLY_STATUS:
	case TALLY_FAMILY:
	case TALLY_IDLE:
	case TALLY_N_KEYS:
		writer_str(w, key, NULL, room);
		return;
	}
}

static void write_share(struct writer *w, uint64_t n, uint64_t total)
{
	double share = total ? (double)n / (double)total : 0;
	char text[32];

	(void)snprintf(text, sizeof(text), "%.1f %%", 100 * share);
	writer_f64_as(w, "share", "share", share, text);
}

/* 1.2k, 3.4M: what people compare at a glance. */
static void write_size(struct writer *w, const char *key, uint64_t v)
{
	static const char units[] = " kMGTPE";
	double scaled = (double)v;
	char text[32];
	unsigned unit = 0;

	for (; scaled >= 1000 && unit < sizeof(units) - 2; unit++)
		scaled /= 1000;
	if (unit == 0)
		(void)snprintf(text, sizeof(text), "%" PRIu64, v);
	else
		(void)snprintf(text, sizeof(text), "%.1f%c", scaled, units[unit]);
	writer_u64_as(w, key, NULL, v, text);
}

static void write_group(struct writer *w, const struct top_run *run, size_t i)
{
	const struct tally *t = run->tally;
	struct tally_group g;
	char text[64];

	tally_group(t, i, &g);
	writer_row(w);
	for (unsigned k = 0; k < run->state->by.n_keys; k++) {
		struct tally_value v;

		tally_value(t, i, k, &v);
		write_value(w, run, &v);
	}
	(void)snprintf(text, sizeof(text), g.error ? "%" PRIu64 "+" : "%" PRIu64, g.n);
	writer_u64_as(w, "entries", NULL, g.n, text);
	write_share(w, g.n, tally_total(t));
	if (tally_missed(t))
		writer_u64(w, "error", NULL, g.error);
	if (g.n_counted) {
		write_size(w, "packets", g.packets);
		write_size(w, "bytes", g.bytes);
	}
	writer_end(w);
}

static size_t make_columns(const struct top_run *run, struct writer_column *to)
{
	size_t n = 0;

	for (unsigned k = 0; k < run->state->by.n_keys; k++) {
		enum tally_key key = run->state->by.keys[k];
		bool is_number = key == TALLY_SPORT || key == TALLY_DPORT || key == TALLY_ZONE;

		to[n++] = (struct writer_column){ tally_key_text(key), tally_key_title(key),
						  is_number };
	}
	to[n++] = (struct writer_column){ "entries", "ENTRIES", true };
	to[n++] = (struct writer_column){ "share", "SHARE", true };
	if (tally_counted(run->tally)) {
		to[n++] = (struct writer_column){ "packets", "PACKETS", true };
		to[n++] = (struct writer_column){ "bytes", "BYTES", true };
	}
	return n;
}

static void write_keys(struct writer *w, const struct top_run *run)
{
	char room[128];
	struct ct_text text;

	ct_text_init(&text, room, sizeof(room));
	for (unsigned k = 0; k < run->state->by.n_keys; k++) {
		if (k)
			ct_text_char(&text, ',');
		ct_text_str(&text, tally_key_text(run->state->by.keys[k]));
	}
	writer_str(w, "by", NULL, room);
}

static const char *source_text(enum table_source source)
{
	switch (source) {
	case TABLE_NETLINK:
		return "netlink";
	case TABLE_RECORD:
		return "recording";
	case TABLE_PROC:
		return "proc";
	case TABLE_LISTING:
		return "listing";
	case TABLE_IN_PLACE:
		return "bpf";
	}
	return "unknown";
}

/* The tables that were read; people see them when there are several. */
static void write_parts(struct writer *w, const struct top_run *run)
{
	static const struct writer_column columns[] = { { "netns", "NETNS", false },
							{ "entries", "ENTRIES", true } };

	writer_list(w, "tables", NULL, columns, sizeof(columns) / sizeof(columns[0]));
	for (size_t i = 0; i < run->n_parts; i++) {
		const struct top_part *p = &run->parts[i];

		writer_row(w);
		if (p->name[0])
			writer_str(w, "netns", NULL, p->name);
		writer_str(w, "source", NULL, source_text(p->info.source));
		writer_u64(w, "entries", NULL, p->info.n_entries);
		/* One walk over all namespaces does not tell these of each. */
		if (p->info.source == TABLE_IN_PLACE && !p->inode) {
			writer_u64(w, "expired", NULL, p->info.n_expired);
			writer_u64(w, "reread", NULL, p->info.n_again);
		}
		writer_bool(w, "whole", NULL, p->info.is_whole);
		if (!p->info.is_whole)
			writer_str(w, "why_not", NULL, p->info.why_not);
		writer_end(w);
	}
	writer_end(w);
}

/* What is not in the rows: the rest, and how sure the numbers are. */
static void write_remarks(struct writer *w, const struct top_run *run, size_t shown)
{
	const struct tally *t = run->tally;
	uint64_t n_shown = 0;
	char text[256];

	for (size_t i = 0; i < shown; i++) {
		struct tally_group g;

		tally_group(t, i, &g);
		n_shown += g.n;
	}
	if (tally_n(t) > shown || tally_missed(t)) {
		(void)snprintf(text, sizeof(text), "%s%zu more groups hold %" PRIu64 " entries.",
			       tally_missed(t) ? "At least " : "", tally_n(t) - shown,
			       tally_total(t) - n_shown);
		writer_para(w, 0, text);
	}
	if (tally_missed(t)) {
		(void)snprintf(text, sizeof(text),
			       "More than %u groups: small ones were dropped. A count with + may "
			       "be up to %" PRIu64
			       " too low, and no group left out has more than that.",
			       TALLY_MAX_GROUPS, tally_missed(t));
		writer_para(w, 0, text);
	}
}

int top_write(struct top_run *run)
{
	auto_free(writer) struct writer *w = cmd_writer(run->common);
	struct writer_column columns[TALLY_MAX_KEYS + 4];
	uint64_t limit = run->state->is_limit_set ? run->state->limit : DEFAULT_LIMIT;
	size_t shown;
	int r;

	if (!w)
		return EXIT_FAILED;
	tally_sort(run->tally);
	shown = limit && limit < tally_n(run->tally) ? limit : tally_n(run->tally);
	writer_begin(w, "top", 1);
	write_keys(w, run);
	writer_u64(w, "entries", NULL, tally_total(run->tally));
	writer_u64(w, "groups", NULL, tally_n(run->tally));
	writer_u64(w, "missed", NULL, tally_missed(run->tally));
	writer_list(w, "top", NULL, columns, make_columns(run, columns));
	for (size_t i = 0; i < shown; i++)
		write_group(w, run, i);
	writer_end(w);
	write_remarks(w, run, shown);
	if (run->common->is_json || run->n_parts > 1)
		write_parts(w, run);
	r = writer_finish(w);
	if (r < 0)
		cmd_error("standard output: %s", strerror(-r));
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

int top_tell_missing(const struct top_run *run)
{
	int code = EXIT_DONE;

	for (size_t i = 0; i < run->n_parts; i++) {
		const struct top_part *p = &run->parts[i];

		if (p->info.n_bad)
			cmd_warn(run->common, "%" PRIu64 " passed over; the first: %s",
				 p->info.n_bad, p->info.first_bad);
		if (p->info.is_whole)
			continue;
		code = EXIT_FAILED;
		cmd_warn(run->common, "%s%snot the whole table: %s", p->name,
			 p->name[0] ? ": " : "", p->info.why_not);
	}
	return code;
}
