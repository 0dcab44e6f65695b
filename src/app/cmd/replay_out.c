/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What a replay shows: a line for each packet, the table at the end, the counters, a summary.
 */
#include "app/cmd/replay.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 1024 };

static void put_event(struct replay *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void put_event(struct replay *r, const char *fmt, ...)
{
	size_t left = sizeof(r->events) - r->events_len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(r->events + r->events_len, left, fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n < left)
		r->events_len += (size_t)n;
	else
		r->events[r->events_len] = 0;
}

void replay_event(void *user, const struct ct_event_info *info, const struct ct_entry *e)
{
	struct replay *r = user;
	bool tells_state = info->events & (CT_EVENT_NEW | CT_EVENT_DESTROY | CT_EVENT_PROTOINFO);
	const char *state = NULL;
	char kind = 'U';

	if (!r->trace)
		return;
	if (info->events & CT_EVENT_NEW)
		kind = 'N';
	else if (info->events & CT_EVENT_DESTROY)
		kind = 'D';
	if (tells_state && (e->known & CT_KNOWN_STATE))
		state = ct_state_name(e->tuple[0].proto, e->state);
	put_event(r, "%s%c:%s%s%s%s", r->events_len ? " " : "", kind, state ? state : "-",
		  e->status & CT_STATUS_ASSURED ? "+A" : "",
		  e->status & CT_STATUS_SEEN_REPLY ? "+R" : "",
		  e->status & CT_STATUS_EXPECTED ? "+E" : "");
}

void replay_trace_head(FILE *to)
{
	(void)fputs("n\tt\tct\tfate\tevents\twhy\n", to);
}

/* What the trace says of a packet's state; a TUN device takes none but IPv4 and IPv6. */
static const char *state_of(const struct ct_packet *p, bool is_refused)
{
	if (!is_refused)
		return ct_info_name(p->info);
	return p->data[0] >> 4 == 4 || p->data[0] >> 4 == 6 ? "-" : "senderr";
}

/* Forwarded, delivered here, sent out by this host, or gone. */
static char fate_of(const struct ct_packet *p, enum ct_route route, bool is_refused)
{
	if (is_refused || p->verdict == CT_DROP)
		return 'D';
	switch (route) {
	case CT_ROUTE_FORWARD:
		return p->hook == CT_HOOK_OUTPUT ? 'O' : 'F';
	case CT_ROUTE_LOCAL:
		return 'L';
	case CT_ROUTE_NOWHERE:
		break;
	}
	return 'D';
}

void replay_trace(struct replay *r, const struct ct_packet *p, uint64_t number, ct_time at,
		  enum ct_route route, bool is_refused)
{
	ct_time since = at - r->first;
	const char *direction = "";
	const char *name = state_of(p, is_refused);

	if (!is_refused && p->info <= CT_INFO_RELATED_REPLY)
		direction = ct_info_dir(p->info) == CT_DIR_REPLY ? "/r" : "/o";
	(void)fprintf(r->trace, "%llu\t%lld.%06lld\t%s%s\t%c\t%s\t%s\n", (unsigned long long)number,
		      (long long)(since / CT_NS_PER_S),
		      (long long)(since % CT_NS_PER_S / CT_NS_PER_US), name, direction,
		      fate_of(p, route, is_refused), r->events_len ? r->events : "",
		      p->why ? p->why : "");
	r->events_len = 0;
	r->events[0] = 0;
}

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

int replay_table(const struct replay *r, FILE *to)
{
	struct ct_cursor at = { 0, 0 };
	struct ct_entry e;
	char **lines = NULL;
	size_t n = 0;
	int result = 0;

	while (result == 0 && ct_engine_next(r->en, &at, &e) > 0) {
		char line[LINE];
		struct ct_text text;

		ct_text_init(&text, line, sizeof(line));
		(void)ct_entry_format(&e, CT_FORM_PROC, 0, &text);
		result = add_line(&lines, &n, line);
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
	struct ct_engine_stats s;

	ct_engine_stats(r->en, &s);
	(void)fprintf(to, "{\"entries\": %llu", (unsigned long long)s.count);
#define ENGINE_STAT(field, column)                                                                 \
	(void)fprintf(to, ", \"%s\": %llu", column, (unsigned long long)s.field);
#include <conntune/engine_stat.def>
#undef ENGINE_STAT
	(void)fputs("}\n", to);
}

static void write_packets(const struct replay *r, struct writer *w)
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
	writer_u64(w, "total", "IP packets", r->n_packets);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		writer_u64(w, rows[i].key, rows[i].label, r->by_info[rows[i].info]);
	writer_u64(w, "dropped", "dropped by the tracker", r->n_dropped);
	writer_u64(w, "unrouted", "without a way on (multicast, foreign)", r->n_unrouted);
	writer_u64(w, "fragments", "fragments kept until their datagram was whole", r->n_fragments);
	writer_u64(w, "refused", "refused by IP before tracking", r->n_refused);
	writer_end(w);
}

static void write_skipped(const struct replay *r, struct writer *w)
{
	static const struct writer_column columns[] = { { "reason", "Frames without IP", false },
							{ "frames", "Frames", true } };

	if (!r->skipped[0].why)
		return;
	writer_list(w, "skipped", NULL, columns, 2);
	for (size_t i = 0; i < REPLAY_MAX_SKIPPED && r->skipped[i].why; i++) {
		writer_row(w);
		writer_str(w, "reason", NULL, r->skipped[i].why);
		writer_u64(w, "frames", NULL, r->skipped[i].n);
		writer_end(w);
	}
	writer_end(w);
}

int replay_summary(const struct replay *r, struct writer *w)
{
	struct ct_engine_stats s;

	ct_engine_stats(r->en, &s);
	writer_begin(w, "replay", 1);
	writer_f64(w, "seconds", "time span in seconds",
		   (double)(r->last - r->first) / (double)CT_NS_PER_S, 3);
	write_packets(r, w);
	write_skipped(r, w);
	writer_section(w, "table", "Table");
	writer_u64(w, "count", "entries at the end", s.count);
	writer_u64(w, "peak", "highest count", s.peak);
	writer_u64(w, "max", "limit", r->o->engine.max);
	writer_u64(w, "created", "entries begun", s.created);
	writer_u64(w, "collected", "ended by timeout", s.collected);
	writer_u64(w, "memory_bytes", "memory in bytes", s.memory_bytes);
	writer_end(w);
	writer_section(w, "counters", "Counters of the kernel");
#define ENGINE_STAT(field, column) writer_u64(w, #field, #field, s.field);
#include <conntune/engine_stat.def>
#undef ENGINE_STAT
	writer_end(w);
	return writer_finish(w);
}
