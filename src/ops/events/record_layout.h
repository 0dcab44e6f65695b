/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What writer and reader of event recordings share: the bytes' meaning.
 */
#ifndef OPS_EVENTS_RECORD_LAYOUT_H
#define OPS_EVENTS_RECORD_LAYOUT_H

#include <stdint.h>

#define EVENTS_MAGIC                                                                               \
	"\x93"                                                                                     \
	"CTREC\r\n"
#define EVENTS_MAGIC_SIZE 8
#define EVENTS_VERSION	  1

/* Flags of an entry's body: what follows, in this order. */
enum event_flag {
	EVENT_HAS_IPV6 = 1 << 0,
	EVENT_HAS_STATE = 1 << 1,
	EVENT_HAS_TIMEOUT = 1 << 2,
	EVENT_HAS_ZONE = 1 << 3,
	EVENT_HAS_COUNTERS = 1 << 4,
	EVENT_HAS_STATUS = 1 << 5,
	EVENT_FLAGS = (1 << 6) - 1,
};

/* Signed numbers with small ones small: 0, -1, 1, -2 become 0, 1, 2, 3. */
static inline uint64_t event_zigzag(int64_t v)
{
	return ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0);
}

static inline int64_t event_unzigzag(uint64_t v)
{
	return (int64_t)(v >> 1 ^ (v & 1 ? UINT64_MAX : 0));
}

#endif
