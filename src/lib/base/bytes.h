/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A cursor over foreign bytes that cannot overrun: every read says whether there was enough.
 */
#ifndef CT_BASE_BYTES_H
#define CT_BASE_BYTES_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct ct_bytes {
	const uint8_t *at, *end; /* borrowed */
};

static inline struct ct_bytes ct_bytes_of(const void *p, size_t size)
{
	return (struct ct_bytes){ .at = p, .end = (const uint8_t *)p + size };
}

static inline size_t ct_bytes_left(const struct ct_bytes *b)
{
	return (size_t)(b->end - b->at);
}

/* Copies @size bytes to @out and moves on. -EBADMSG when fewer are left; nothing moves then. */
static inline int take_bytes(struct ct_bytes *b, void *out, size_t size)
{
	if (ct_bytes_left(b) < size)
		return -EBADMSG;
	memcpy(out, b->at, size);
	b->at += size;
	return 0;
}

/* Moves over @size bytes. -EBADMSG when fewer are left. */
static inline int take_skip(struct ct_bytes *b, size_t size)
{
	if (ct_bytes_left(b) < size)
		return -EBADMSG;
	b->at += size;
	return 0;
}

static inline int take_u8(struct ct_bytes *b, uint8_t *out)
{
	return take_bytes(b, out, 1);
}

/* The next two bytes as they stand: network order stays network order. */
static inline int take_raw16(struct ct_bytes *b, uint16_t *out)
{
	return take_bytes(b, out, 2);
}

/* Big-endian numbers, turned into host order. */
static inline int take_be16(struct ct_bytes *b, uint16_t *out)
{
	uint8_t v[2];

	if (take_bytes(b, v, 2) < 0)
		return -EBADMSG;
	*out = (uint16_t)(v[0] << 8 | v[1]);
	return 0;
}

static inline int take_be32(struct ct_bytes *b, uint32_t *out)
{
	uint8_t v[4];

	if (take_bytes(b, v, 4) < 0)
		return -EBADMSG;
	*out = (uint32_t)v[0] << 24 | (uint32_t)v[1] << 16 | (uint32_t)v[2] << 8 | v[3];
	return 0;
}

static inline int take_be64(struct ct_bytes *b, uint64_t *out)
{
	uint32_t high = 0, low = 0;

	if (ct_bytes_left(b) < 8)
		return -EBADMSG;
	(void)take_be32(b, &high);
	(void)take_be32(b, &low);
	*out = (uint64_t)high << 32 | low;
	return 0;
}

#endif
