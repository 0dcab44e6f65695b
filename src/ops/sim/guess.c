/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Roles by what hosts do: see guess.h. Pairs of hosts where somebody sent a bare SYN decide first,
 * the others in the order of their first packet; who spoke first is inside.
 */
#include "ops/sim/guess.h"

#include <conntune/entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ops/capture/capture.h"

enum { MAX_ITEMS = 1 << 22 };

#define NONE UINT32_MAX

/* Things of @size bytes in the order they came, found again by their first @key_size bytes. */
struct ordered {
	uint8_t *at;	 /* owned */
	uint32_t *slots; /* owned; numbers of items, NONE */
	uint32_t n, room, n_slots;
	size_t size, key_size;
};

static void ordered_fini(struct ordered *o)
{
	free(o->at);
	free(o->slots);
}

static uint64_t hash_of(const uint8_t *key, size_t size)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < size; i++)
		h = (h ^ key[i]) * 0x100000001b3u;
	return h ^ h >> 29;
}

static uint32_t *slot_of(const struct ordered *o, const uint8_t *key)
{
	uint64_t i = hash_of(key, o->key_size);

	for (;; i++) {
		uint32_t *slot = &o->slots[i & (o->n_slots - 1)];

		if (*slot == NONE || memcmp(o->at + *slot * o->size, key, o->key_size) == 0)
			return slot;
	}
}

/* Twice the room, with every item found anew. */
static int ordered_grow(struct ordered *o)
{
	uint32_t room = o->room ? o->room * 2 : 256;
	uint8_t *at = realloc(o->at, room * o->size);
	uint32_t *slots;

	if (!at)
		return -ENOMEM;
	o->at = at;
	slots = malloc(2 * (size_t)room * sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	free(o->slots);
	o->slots = slots;
	o->room = room;
	o->n_slots = 2 * room;
	memset(slots, 0xff, o->n_slots * sizeof(*slots));
	for (uint32_t i = 0; i < o->n; i++)
		*slot_of(o, o->at + i * o->size) = i;
	return 0;
}

/* The item with the key of @item, which is added as it stands when there is none. Null without
 * memory. */
static void *ordered_get(struct ordered *o, const void *item)
{
	uint32_t *slot;

	if (o->n == o->room && (o->n >= MAX_ITEMS || ordered_grow(o) < 0))
		return NULL;
	slot = slot_of(o, item);
	if (*slot == NONE) {
		*slot = o->n++;
		memcpy(o->at + *slot * o->size, item, o->size);
	}
	return o->at + *slot * o->size;
}

struct host_addr {
	union ct_addr addr;
	uint8_t family, zero[3];
};

/* Two hosts, the lower first, and which of them began. */
struct pair {
	struct host_addr low, high;
	uint8_t from_high;
};

/* Pairs by their first packet, and by their first SYN. */
struct pairs {
	struct ordered first, syn;
};

struct side {
	struct host_addr host;
	uint32_t n; /* packets; or 1 inside, 2 outside */
};

static bool is_group(const struct host_addr *a)
{
	static const struct host_addr nobody, everyone = { .addr.bytes = { 255, 255, 255, 255 } };

	if (memcmp(&a->addr, &nobody.addr, sizeof(a->addr)) == 0)
		return true;
	if (a->family == CT_FAMILY_IPV6)
		return a->addr.bytes[0] == 0xff;
	return a->addr.bytes[0] >> 4 == 14 ||
	       memcmp(&a->addr, &everyone.addr, sizeof(a->addr)) == 0;
}

static bool read_addrs(const uint8_t *data, uint32_t size, struct host_addr *src,
		       struct host_addr *dst)
{
	bool is_v6 = data[0] >> 4 == 6;
	size_t len = is_v6 ? 16 : 4, at = is_v6 ? 8 : 12;

	if ((!is_v6 && data[0] >> 4 != 4) || size < at + 2 * len)
		return false;
	memset(src, 0, sizeof(*src));
	memset(dst, 0, sizeof(*dst));
	memcpy(&src->addr, data + at, len);
	memcpy(&dst->addr, data + at + len, len);
	src->family = dst->family = is_v6 ? CT_FAMILY_IPV6 : CT_FAMILY_IPV4;
	return true;
}

static bool is_bare_syn(const uint8_t *data, uint32_t size)
{
	struct ct_packet p;

	ct_packet_init(&p, data, size);
	return ct_packet_parse(&p) == 0 && p.proto == 6 && p.size > p.offset + 13 &&
	       (p.data[p.offset + 13] & 0x17) == 2;
}

/* Calls @use for every IP packet of a capture. */
typedef int (*packet_use)(void *user, const uint8_t *data, uint32_t size);

static int each_packet(const char *path, packet_use use, void *user, struct ct_err *err)
{
	auto_free(capture) struct capture *c = NULL;
	struct frame frames[64];
	int n = capture_open(path, &c, err), r = 0;

	if (n < 0)
		return n;
	while (r == 0 && (n = capture_read(c, frames, 64, err)) > 0)
		for (int i = 0; r == 0 && i < n; i++) {
			const uint8_t *data;
			uint32_t size;

			if (!frame_ip(&frames[i], &data, &size) && size >= 20)
				r = use(user, data, size);
		}
	if (r < 0)
		return ct_err_set(err, r, "%s: no memory for its hosts", path);
	return 0;
}

static int note_pair(void *user, const uint8_t *data, uint32_t size)
{
	struct pairs *pairs = user;
	struct pair pair = { .from_high = 0 };
	struct host_addr src, dst;

	if (!read_addrs(data, size, &src, &dst) || is_group(&src) || is_group(&dst) ||
	    memcmp(&src, &dst, sizeof(src)) == 0)
		return 0;
	pair.from_high = memcmp(&src, &dst, sizeof(src)) > 0;
	pair.low = pair.from_high ? dst : src;
	pair.high = pair.from_high ? src : dst;
	if (!ordered_get(&pairs->first, &pair) ||
	    (is_bare_syn(data, size) && !ordered_get(&pairs->syn, &pair)))
		return -ENOMEM;
	return 0;
}

enum { INSIDE = 1, OUTSIDE = 2 };

static int decide(struct ordered *sides, const struct pair *pair)
{
	struct side from = { pair->from_high ? pair->high : pair->low, 0 };
	struct side to = { pair->from_high ? pair->low : pair->high, 0 };
	struct side *a = ordered_get(sides, &from), *b;

	if (!a)
		return -ENOMEM;
	b = ordered_get(sides, &to);
	a = b ? ordered_get(sides, &from) : NULL; /* what was there may have moved */
	if (!a)
		return -ENOMEM;
	if (!a->n && !b->n) {
		a->n = INSIDE;
		b->n = OUTSIDE;
	} else if (!a->n) {
		a->n = b->n == INSIDE ? OUTSIDE : INSIDE;
	} else if (!b->n) {
		b->n = a->n == INSIDE ? OUTSIDE : INSIDE;
	}
	return 0;
}

static int decide_all(struct ordered *sides, const struct ordered *pairs)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < pairs->n; i++) {
		struct pair pair;

		memcpy(&pair, pairs->at + i * pairs->size, sizeof(pair));
		r = decide(sides, &pair);
	}
	return r;
}

static void put_host(const struct host_addr *host, char *out, size_t size)
{
	struct ct_text text;

	ct_text_init(&text, out, size);
	ct_addr_format(&host->addr, host->family, false, &text);
}

static int add_inside(struct sim_machine *m, const struct ordered *sides, struct ct_err *err)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < sides->n; i++) {
		struct side side;
		char text[64];

		memcpy(&side, sides->at + i * sides->size, sizeof(side));
		put_host(&side.host, text, sizeof(text));
		if (side.n == INSIDE)
			r = sim_machine_inside(m, text, err);
	}
	return r;
}

int sim_guess_inside(struct sim_machine *m, const char *path, struct ct_err *err)
{
	struct ordered empty = { .size = sizeof(struct pair),
				 .key_size = 2 * sizeof(struct host_addr) };
	struct pairs pairs = { empty, empty };
	struct ordered sides = { .size = sizeof(struct side),
				 .key_size = sizeof(struct host_addr) };
	int r = each_packet(path, note_pair, &pairs, err);

	/* A pair that SYNs have decided is not decided again by its first packet. */
	if (r == 0)
		r = decide_all(&sides, &pairs.syn);
	if (r == 0)
		r = decide_all(&sides, &pairs.first);
	if (r == -ENOMEM)
		(void)ct_err_set(err, r, "%s: no memory for its hosts", path);
	if (r == 0)
		r = add_inside(m, &sides, err);
	ordered_fini(&pairs.first);
	ordered_fini(&pairs.syn);
	ordered_fini(&sides);
	return r;
}

static int count_addr(struct ordered *counts, const struct host_addr *host)
{
	struct side one = { *host, 0 }, *known;

	if (is_group(host))
		return 0;
	known = ordered_get(counts, &one);
	if (!known)
		return -ENOMEM;
	known->n++;
	return 0;
}

static int count_packet(void *user, const uint8_t *data, uint32_t size)
{
	struct host_addr src, dst;
	int r;

	if (!read_addrs(data, size, &src, &dst))
		return 0;
	r = count_addr(user, &src);
	return r < 0 || memcmp(&src, &dst, sizeof(src)) == 0 ? r : count_addr(user, &dst);
}

int sim_guess_local(struct sim_machine *m, const char *path, struct ct_err *err)
{
	struct ordered counts = { .size = sizeof(struct side),
				  .key_size = sizeof(struct host_addr) };
	int r = each_packet(path, count_packet, &counts, err);
	struct side most = { .n = 0 };

	for (uint32_t i = 0; i < counts.n; i++) {
		struct side side;

		memcpy(&side, counts.at + i * counts.size, sizeof(side));
		if (side.n > most.n)
			most = side;
	}
	if (r == 0 && most.n > 0) {
		char text[64];

		put_host(&most.host, text, sizeof(text));
		r = sim_machine_addr(m, text, err);
	}
	ordered_fini(&counts);
	return r;
}
