/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Netlink attributes, one at a time: a cursor that cannot overrun and a writer that cannot either.
 *
 * An attribute is a length and a type of 16 bits each in native order, the length counting these
 * four bytes, then the payload, padded to four (include/uapi/linux/netlink.h).
 */
#ifndef OPS_NETLINK_ATTR_H
#define OPS_NETLINK_ATTR_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "lib/base/bytes.h"

#define NL_ATTR_HEADER 4
#define NL_ATTR_NESTED 0x8000u
#define NL_ATTR_TYPE   0x3fffu
#define NL_ALIGN(n)    (((n) + 3u) & ~(size_t)3u)

struct nl_attr {
	uint16_t type;	  /* without the two flag bits */
	uint16_t size;	  /* of the payload */
	const uint8_t *p; /* borrowed from the message */
};

/* Takes the next attribute. 1 an attribute, 0 the end, -EBADMSG when it is cut. */
static inline int nl_attr_take(struct ct_bytes *b, struct nl_attr *out)
{
	size_t left = ct_bytes_left(b), step;
	uint16_t len, type;

	if (left < NL_ATTR_HEADER)
		return left == 0 ? 0 : -EBADMSG;
	memcpy(&len, b->at, 2);
	memcpy(&type, b->at + 2, 2);
	if (len < NL_ATTR_HEADER || len > left)
		return -EBADMSG;
	out->type = type & NL_ATTR_TYPE;
	out->size = (uint16_t)(len - NL_ATTR_HEADER);
	out->p = b->at + NL_ATTR_HEADER;
	step = NL_ALIGN(len);
	b->at += step < left ? step : left;
	return 1;
}

/* A message being written into @buf. Once something did not fit, is_full stays set. */
struct nl_message {
	uint8_t *buf;
	size_t size, len;
	bool is_full;
};

/* Makes room for @size bytes, padding zeroed, and returns where they stand; null when full. */
static inline uint8_t *nl_message_room(struct nl_message *m, size_t size)
{
	uint8_t *at = m->buf + m->len;

	if (m->is_full || m->size - m->len < NL_ALIGN(size)) {
		m->is_full = true;
		return NULL;
	}
	memset(at, 0, NL_ALIGN(size));
	m->len += NL_ALIGN(size);
	return at;
}

/* Appends an attribute with a copy of @payload. */
static inline void nl_attr_put(struct nl_message *m, unsigned type, const void *payload,
			       size_t size)
{
	uint8_t *at = nl_message_room(m, NL_ATTR_HEADER + size);
	uint16_t head[2] = { (uint16_t)(NL_ATTR_HEADER + size), (uint16_t)type };

	if (!at)
		return;
	memcpy(at, head, sizeof(head));
	memcpy(at + NL_ATTR_HEADER, payload, size);
}

static inline void nl_attr_put_u8(struct nl_message *m, unsigned type, uint8_t v)
{
	nl_attr_put(m, type, &v, 1);
}

static inline void nl_attr_put_be16(struct nl_message *m, unsigned type, uint16_t v)
{
	uint16_t be = __builtin_bswap16(v);

	nl_attr_put(m, type, __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? &v : &be, 2);
}

static inline void nl_attr_put_be32(struct nl_message *m, unsigned type, uint32_t v)
{
	uint32_t be = __builtin_bswap32(v);

	nl_attr_put(m, type, __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? &v : &be, 4);
}

static inline void nl_attr_put_be64(struct nl_message *m, unsigned type, uint64_t v)
{
	uint64_t be = __builtin_bswap64(v);

	nl_attr_put(m, type, __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? &v : &be, 8);
}

/* Opens a nest; its end needs what this returns. */
static inline size_t nl_nest_begin(struct nl_message *m, unsigned type)
{
	size_t at = m->len;

	nl_attr_put(m, type | NL_ATTR_NESTED, "", 0);
	return at;
}

static inline void nl_nest_end(struct nl_message *m, size_t at)
{
	uint16_t len = (uint16_t)(m->len - at);

	if (!m->is_full)
		memcpy(m->buf + at, &len, 2);
}

#endif
