/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Event recordings read: see events.h. Whatever the bytes are, memory is one window, and what
 * contradicts itself is refused with the number of its byte.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/bytes.h"
#include "ops/events/events.h"
#include "ops/events/record_layout.h"

enum { WINDOW_BYTES = 65536, HEAD_ROOM = 32768 };

struct events {
	int fd;
	char *path; /* owned */
	size_t at, end;
	uint64_t offset; /* of window[0] in the file */
	ct_time last;
	bool is_eof, is_over, has_end;
	struct event_head head;
	uint8_t window[WINDOW_BYTES];
};

bool events_is_recording(const void *p, size_t size)
{
	return size >= EVENTS_MAGIC_SIZE && memcmp(p, EVENTS_MAGIC, EVENTS_MAGIC_SIZE) == 0;
}

int event_head_find(const struct event_head *h, const char *name, uint32_t *out)
{
	for (unsigned i = 0; i < h->n_settings; i++) {
		if (strcmp(h->settings[i].name, name) == 0) {
			*out = h->settings[i].value;
			return 0;
		}
	}
	return -ENOENT;
}

/* Has at least @size bytes in the window unless the file ends. */
static int fill(struct events *ev, size_t size, struct ct_err *err)
{
	if (ev->end - ev->at >= size || ev->is_eof)
		return 0;
	memmove(ev->window, ev->window + ev->at, ev->end - ev->at);
	ev->offset += ev->at;
	ev->end -= ev->at;
	ev->at = 0;
	while (ev->end < sizeof(ev->window)) {
		ssize_t n = read(ev->fd, ev->window + ev->end, sizeof(ev->window) - ev->end);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int r = -errno;

			return ct_err_set(err, r, "%s: %s", ev->path, strerror(-r));
		}
		if (n == 0) {
			ev->is_eof = true;
			break;
		}
		ev->end += (size_t)n;
	}
	return 0;
}

static int take_varint(struct ct_bytes *b, uint64_t *out)
{
	uint64_t v = 0;
	uint8_t byte;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		if (take_u8(b, &byte) < 0)
			return -EBADMSG;
		if (shift == 63 && byte > 1)
			return -EINVAL;
		v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*out = v;
			return 0;
		}
	}
	return -EINVAL;
}

/* A number of at most 32 bits. */
static int take_narrow(struct ct_bytes *b, uint32_t *out)
{
	uint64_t v;
	int r = take_varint(b, &v);

	if (r == 0 && v > UINT32_MAX)
		r = -EINVAL;
	if (r == 0)
		*out = (uint32_t)v;
	return r;
}

static int take_setting(struct ct_bytes *b, struct event_setting *s)
{
	uint8_t len;

	if (take_u8(b, &len) < 0)
		return -EBADMSG;
	if (len == 0 || len >= EVENTS_MAX_NAME)
		return -EINVAL;
	if (take_bytes(b, s->name, len) < 0 || take_be32(b, &s->value) < 0)
		return -EBADMSG;
	s->name[len] = '\0';
	for (uint8_t i = 0; i < len; i++)
		if (s->name[i] <= ' ' || s->name[i] > '~')
			return -EINVAL;
	return 0;
}

static int read_head(struct events *ev, struct ct_err *err)
{
	struct ct_bytes b;
	uint16_t version, n;
	uint64_t begin;
	int r = fill(ev, HEAD_ROOM, err);

	if (r < 0)
		return r;
	b = ct_bytes_of(ev->window, ev->end);
	if (!events_is_recording(ev->window, ev->end))
		return ct_err_set(err, -EBADMSG, "%s: this is no event recording", ev->path);
	(void)take_skip(&b, EVENTS_MAGIC_SIZE);
	if (take_be16(&b, &version) < 0 || take_be16(&b, &n) < 0 || take_be64(&b, &begin) < 0)
		return ct_err_set(err, -EBADMSG, "%s: cut within its head", ev->path);
	if (version != EVENTS_VERSION)
		return ct_err_set(err, -EBADMSG,
				  "%s: an event recording of version %u; this program knows %u",
				  ev->path, version, EVENTS_VERSION);
	if (n > EVENTS_MAX_SETTINGS || begin > INT64_MAX / 2)
		return ct_err_set(err, -EBADMSG, "%s: byte 10: its head makes no sense", ev->path);
	ev->head.begin = ev->last = (ct_time)begin;
	for (; ev->head.n_settings < n; ev->head.n_settings++)
		if (take_setting(&b, &ev->head.settings[ev->head.n_settings]) < 0)
			return ct_err_set(err, -EBADMSG, "%s: setting %u of its head is broken",
					  ev->path, ev->head.n_settings + 1);
	ev->at = (size_t)(b.at - ev->window);
	return 0;
}

int events_open(const char *path, struct events **out, struct ct_err *err)
{
	auto_free(events) struct events *ev = malloc(sizeof(*ev));
	int r;

	if (!ev)
		return ct_err_set(err, -ENOMEM, "%s: out of memory", path);
	memset(ev, 0, offsetof(struct events, window));
	ev->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (ev->fd < 0) {
		r = -errno;
		return ct_err_set(err, r, "%s: %s", path, strerror(-r));
	}
	ev->path = strdup(path);
	if (!ev->path)
		return ct_err_set(err, -ENOMEM, "%s: out of memory", path);
	r = read_head(ev, err);
	if (r < 0)
		return r;
	*out = ev;
	ev = NULL;
	return 0;
}

void events_free(struct events *ev)
{
	if (!ev)
		return;
	if (ev->fd >= 0)
		(void)close(ev->fd);
	free(ev->path);
	free(ev);
}

const struct event_head *events_head(const struct events *ev)
{
	return &ev->head;
}

bool events_is_cut(const struct events *ev)
{
	return ev->is_over && !ev->has_end;
}

static int take_tuple(struct ct_bytes *b, bool is_v6, struct ct_entry *e)
{
	struct ct_tuple *t = &e->tuple[CT_DIR_ORIG];
	size_t size = is_v6 ? 16 : 4;

	t->family = is_v6 ? CT_FAMILY_IPV6 : CT_FAMILY_IPV4;
	if (take_u8(b, &t->proto) < 0 || take_be32(b, &e->id) < 0 ||
	    take_bytes(b, t->src.bytes, size) < 0 || take_bytes(b, t->dst.bytes, size) < 0 ||
	    take_raw16(b, &t->src_part) < 0 || take_raw16(b, &t->dst_part) < 0)
		return -EBADMSG;
	/* What has no inverse is seen in one direction only. */
	if (ct_tuple_invert(&e->tuple[CT_DIR_REPLY], t) < 0)
		e->tuple[CT_DIR_REPLY] = *t;
	e->known = CT_KNOWN_FAMILY | CT_KNOWN_ID | CT_KNOWN_PARTS | CT_KNOWN_ZONE;
	e->zone_dir = CT_ZONE_BOTH;
	return 0;
}

static int take_optional(struct ct_bytes *b, uint8_t flags, struct ct_entry *e)
{
	int r = 0;

	if (flags & EVENT_HAS_STATUS) {
		e->known |= CT_KNOWN_STATUS | CT_KNOWN_FLAGS;
		r = take_narrow(b, &e->status);
	}
	if (r == 0 && (flags & EVENT_HAS_STATE)) {
		e->known |= CT_KNOWN_STATE;
		r = take_u8(b, &e->state);
	}
	if (r == 0 && (flags & EVENT_HAS_TIMEOUT)) {
		e->known |= CT_KNOWN_TIMEOUT;
		r = take_narrow(b, &e->timeout_s);
	}
	if (r == 0 && (flags & EVENT_HAS_ZONE))
		r = take_be16(b, &e->zone);
	for (unsigned dir = 0; r == 0 && (flags & EVENT_HAS_COUNTERS) && dir < CT_DIR_MAX; dir++) {
		e->known |= CT_KNOWN_COUNTERS;
		r = take_varint(b, &e->packets[dir]);
		if (r == 0)
			r = take_varint(b, &e->bytes[dir]);
	}
	return r;
}

static int take_entry(struct ct_bytes *b, struct ct_entry *e)
{
	uint8_t flags;
	int r;

	memset(e, 0, sizeof(*e));
	if (take_u8(b, &flags) < 0)
		return -EBADMSG;
	if (flags & ~EVENT_FLAGS)
		return -EINVAL;
	r = take_tuple(b, flags & EVENT_HAS_IPV6, e);
	return r < 0 ? r : take_optional(b, flags, e);
}

/* One record. -EBADMSG when the bytes end before it does, -EINVAL when it makes no sense. */
static int take_record(struct ct_bytes *b, ct_time last, struct event *out)
{
	uint64_t gap;
	uint8_t kind;
	int r;

	if (take_u8(b, &kind) < 0)
		return -EBADMSG;
	if (kind < EVENT_STANDS || kind > EVENT_END)
		return -EINVAL;
	r = take_varint(b, &gap);
	if (r < 0)
		return r;
	out->kind = (enum event_kind)kind;
	/* Times of a recording lie within its life; a clock that was set is the most there is. */
	if (__builtin_add_overflow(last, event_unzigzag(gap), &out->at) || out->at < 0 ||
	    out->at > INT64_MAX / 2)
		return -EINVAL;
	switch (out->kind) {
	case EVENT_STANDS:
	case EVENT_NEW:
	case EVENT_DESTROY:
	case EVENT_STILL:
		return take_entry(b, &out->entry);
	case EVENT_GAP:
		return take_narrow(b, &out->lost);
	case EVENT_END:
		return take_u8(b, &out->reason);
	case EVENT_READY:
		break;
	}
	return 0;
}

int events_next(struct events *ev, struct event *out, struct ct_err *err)
{
	struct ct_bytes b;
	int r = ev->is_over ? 0 : fill(ev, EVENTS_MAX_RECORD, err);

	if (r < 0 || ev->is_over)
		return r;
	if (ev->at == ev->end) {
		ev->is_over = true;
		return 0;
	}
	b = ct_bytes_of(ev->window + ev->at, ev->end - ev->at);
	r = take_record(&b, ev->last, out);
	if (r == -EBADMSG) { /* the window held all there is */
		ev->is_over = true;
		return 0;
	}
	if (r < 0) {
		ev->is_over = true;
		return ct_err_set(err, -EBADMSG, "%s: byte %llu: this is no record", ev->path,
				  (unsigned long long)(ev->offset + ev->at));
	}
	ev->at = (size_t)(b.at - ev->window);
	ev->last = out->at;
	if (out->kind == EVENT_END)
		ev->is_over = ev->has_end = true;
	return 1;
}
