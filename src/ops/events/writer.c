/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Event recordings written: see events.h. A record is composed in a buffer that goes out when it
 * is full; nothing is allocated for an event.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ops/events/events.h"
#include "ops/events/record_layout.h"
#include "ops/host/host.h"

enum { BUFFER_BYTES = 65536 };

struct event_writer {
	int fd;
	size_t len;
	uint64_t n_written;
	ct_time last;
	uint8_t buffer[BUFFER_BYTES];
};

static void put_u8(struct event_writer *w, uint8_t v)
{
	w->buffer[w->len++] = v;
}

static void put_be(struct event_writer *w, uint64_t v, unsigned size)
{
	while (size-- > 0)
		put_u8(w, (uint8_t)(v >> 8 * size));
}

static void put_bytes(struct event_writer *w, const void *p, size_t size)
{
	memcpy(w->buffer + w->len, p, size);
	w->len += size;
}

/* Seven bits a byte, the low ones first; the last byte has its high bit clear. */
static void put_varint(struct event_writer *w, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		put_u8(w, (uint8_t)(v | 0x80));
	put_u8(w, (uint8_t)v);
}

static uint8_t flags_of(const struct ct_entry *e)
{
	unsigned flags = e->tuple[0].family == CT_FAMILY_IPV6 ? EVENT_HAS_IPV6 : 0u;

	if (e->known & CT_KNOWN_STATE)
		flags |= EVENT_HAS_STATE;
	if (e->known & CT_KNOWN_TIMEOUT)
		flags |= EVENT_HAS_TIMEOUT;
	if ((e->known & CT_KNOWN_ZONE) && e->zone != 0)
		flags |= EVENT_HAS_ZONE;
	if (e->known & CT_KNOWN_COUNTERS)
		flags |= EVENT_HAS_COUNTERS;
	if (e->known & CT_KNOWN_STATUS)
		flags |= EVENT_HAS_STATUS;
	return (uint8_t)flags;
}

static void put_entry(struct event_writer *w, const struct ct_entry *e)
{
	const struct ct_tuple *t = &e->tuple[CT_DIR_ORIG];
	uint8_t flags = flags_of(e);
	size_t addr_size = flags & EVENT_HAS_IPV6 ? 16 : 4;

	put_u8(w, flags);
	put_u8(w, t->proto);
	put_be(w, e->id, 4);
	put_bytes(w, t->src.bytes, addr_size);
	put_bytes(w, t->dst.bytes, addr_size);
	put_bytes(w, &t->src_part, 2);
	put_bytes(w, &t->dst_part, 2);
	if (flags & EVENT_HAS_STATUS)
		put_varint(w, e->status);
	if (flags & EVENT_HAS_STATE)
		put_u8(w, e->state);
	if (flags & EVENT_HAS_TIMEOUT)
		put_varint(w, e->timeout_s);
	if (flags & EVENT_HAS_ZONE)
		put_be(w, e->zone, 2);
	for (unsigned dir = 0; (flags & EVENT_HAS_COUNTERS) && dir < CT_DIR_MAX; dir++) {
		put_varint(w, e->packets[dir]);
		put_varint(w, e->bytes[dir]);
	}
}

int event_writer_flush(struct event_writer *w)
{
	int r = host_write_all(w->fd, w->buffer, w->len);

	w->n_written += w->len;
	w->len = 0;
	return r;
}

int event_writer_new(int fd, const struct event_head *head, struct event_writer **out)
{
	struct event_writer *w = malloc(sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->fd = fd;
	w->len = 0;
	w->n_written = 0;
	w->last = head->begin;
	put_bytes(w, EVENTS_MAGIC, EVENTS_MAGIC_SIZE);
	put_be(w, EVENTS_VERSION, 2);
	put_be(w, head->n_settings, 2);
	put_be(w, (uint64_t)head->begin, 8);
	for (unsigned i = 0; i < head->n_settings; i++) {
		size_t len = strnlen(head->settings[i].name, EVENTS_MAX_NAME - 1);

		put_u8(w, (uint8_t)len);
		put_bytes(w, head->settings[i].name, len);
		put_be(w, head->settings[i].value, 4);
	}
	*out = w;
	return 0;
}

void event_writer_free(struct event_writer *w)
{
	free(w);
}

int event_writer_put(struct event_writer *w, const struct event *e)
{
	put_u8(w, (uint8_t)e->kind);
	put_varint(w, event_zigzag(e->at - w->last));
	w->last = e->at;
	switch (e->kind) {
	case EVENT_STANDS:
	case EVENT_NEW:
	case EVENT_DESTROY:
	case EVENT_STILL:
		put_entry(w, &e->entry);
		break;
	case EVENT_GAP:
		put_varint(w, e->lost);
		break;
	case EVENT_END:
		put_u8(w, e->reason);
		break;
	case EVENT_READY:
		break;
	}
	return w->len > BUFFER_BYTES - EVENTS_MAX_RECORD ? event_writer_flush(w) : 0;
}

uint64_t event_writer_bytes(const struct event_writer *w)
{
	return w->n_written + w->len;
}
