/* SPDX-License-Identifier: BSD-2-Clause
 *
 * An event recording: connections begun and ended with their times, compact, gaps marked; the
 * format stands in docs/events.md. Written as it happens, read as one stream in bounded memory.
 */
#ifndef OPS_EVENTS_EVENTS_H
#define OPS_EVENTS_EVENTS_H

#include <conntune/entry.h>
#include <conntune/err.h>
#include <conntune/time.h>

#include "lib/base/clean.h"

enum {
	EVENTS_MAX_SETTINGS = 96,
	EVENTS_MAX_NAME = 64,
	EVENTS_MAX_RECORD = 160, /* bytes of one record, more than any has */
};

enum event_kind {
#define EVENT_KIND(name, value) EVENT_##name = (value),
#include "ops/events/kind.def"
#undef EVENT_KIND
};

/* A setting of the recorded machine. */
struct event_setting {
	char name[EVENTS_MAX_NAME]; /* "nf_conntrack_max" */
	uint32_t value;
};

struct event_head {
	ct_time begin; /* Unix time */
	unsigned n_settings;
	struct event_setting settings[EVENTS_MAX_SETTINGS];
};

struct event {
	enum event_kind kind;
	ct_time at;
	struct ct_entry entry; /* of the kinds that are about one */
	uint32_t lost;	       /* of a gap: how often the kernel said so */
	uint8_t reason;	       /* of the end: enum event_stop */
};

/* Why a recording ended. */
enum event_stop { EVENT_STOP_TIME, EVENT_STOP_ASKED, EVENT_STOP_SIZE, EVENT_STOP_ERROR };

/* True when a file that begins with these bytes is an event recording. */
bool events_is_recording(const void *p, size_t size);

/* The value of setting @name. -ENOENT. */
int event_head_find(const struct event_head *h, const char *name, uint32_t *out);

/* --- writing --- */

struct event_writer;

/* Begins a recording on @fd (borrowed). */
int event_writer_new(int fd, const struct event_head *head, struct event_writer **out);
void event_writer_free(struct event_writer *w);
DEFINE_AUTO_FREE(event_writer);

/* Adds one event; with @e->entry only what the format keeps. An errno of writing. */
int event_writer_put(struct event_writer *w, const struct event *e);

/* Writes what is held back. An errno of writing. */
int event_writer_flush(struct event_writer *w);

/* Bytes so far, those held back too. */
uint64_t event_writer_bytes(const struct event_writer *w);

/* --- reading --- */

struct events;

/* Opens @path. -errno of opening, -EBADMSG with a sentence when it is no event recording. */
int events_open(const char *path, struct events **out, struct ct_err *err);
void events_free(struct events *ev);
DEFINE_AUTO_FREE(events);

const struct event_head *events_head(const struct events *ev);

/* The next event: 1, 0 at the end, -EBADMSG with a sentence that names the byte. A record cut off
 * at the end is no error: events_is_cut(). */
int events_next(struct events *ev, struct event *out, struct ct_err *err);

/* True when the file ended without its last record: it goes on to there. */
bool events_is_cut(const struct events *ev);

#endif
