/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What this machine allows: a table and nothing else, for bench/workload.h. One direction-free key
 * a flow, lines of 8 tags, entries of 64 bytes, counters, an expiry; no state machine, no checks,
 * no growth, no end of anything. The engine is measured against it. UDP and TCP over IPv4.
 */
#include <immintrin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "workload.h"

enum { SLOTS = 8, HUGE_PAGE = 2 << 20 };

struct key {
	uint32_t low, high;
	uint16_t low_port, high_port;
	uint8_t proto, unused[3];
};

struct entry {
	struct key key;
	uint32_t expires, mark, status;
	uint8_t state, orig, timeout, flags;
	uint32_t packets[2];
	uint64_t bytes[2];
	uint32_t next, place;
} __attribute__((aligned(64)));

struct line {
	uint16_t tag[SLOTS];
	uint32_t number[SLOTS];
	uint32_t n_past, unused[3];
} __attribute__((aligned(64)));

struct place {
	uint32_t line;
	uint16_t tag;
	bool is_high;
};

static struct line *lines;
static struct entry *entries;
static uint32_t mask, n_entries;
static unsigned burst_len;
static uint8_t frames[WORKLOAD_BURST][WORKLOAD_ROOM];
static const uint64_t secret[6] = {
	UINT64_C(0x243f6a8885a308d3), UINT64_C(0x13198a2e03707344), UINT64_C(0xa4093822299f31d0),
	UINT64_C(0x082efa98ec4e6c89), UINT64_C(0x452821e638d01377), UINT64_C(0xbe5466cf34e90c6c),
};

static void *take(size_t size)
{
	char *p = mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	p += -(uintptr_t)p & (HUGE_PAGE - 1);
	(void)madvise(p, size, MADV_HUGEPAGE);
	return p;
}

void tracker_open(const struct workload_options *o, uint8_t *frame[WORKLOAD_BURST])
{
	uint64_t n_lines = 1;

	while (n_lines * SLOTS * 8 / 10 < o->n)
		n_lines *= 2;
	mask = (uint32_t)n_lines - 1;
	lines = take(n_lines * sizeof(*lines));
	entries = take((o->n + 2) * sizeof(*entries));
	burst_len = o->burst ? o->burst : 1;
	for (unsigned i = 0; i < WORKLOAD_BURST; i++)
		frame[i] = frames[i];
}

static inline bool make_key(const uint8_t *frame, struct key *k)
{
	const uint8_t *ip = frame + ETHERNET_SIZE;
	uint32_t src, dst;
	uint16_t from, to;
	bool is_high;

	memcpy(&src, ip + 12, 4);
	memcpy(&dst, ip + 16, 4);
	memcpy(&from, ip + 20, 2);
	memcpy(&to, ip + 22, 2);
	is_high = ((uint64_t)src << 16 | from) > ((uint64_t)dst << 16 | to);
	*k = (struct key){ is_high ? dst : src,
			   is_high ? src : dst,
			   is_high ? to : from,
			   is_high ? from : to,
			   ip[9],
			   { 0 } };
	return is_high;
}

/* Three rounds of AES. */
static inline uint64_t hash(const struct key *k)
{
	const __m128i *s = (const __m128i *)(const void *)secret;
	__m128i v = _mm_xor_si128(_mm_loadu_si128((const void *)k), _mm_loadu_si128(s));

	v = _mm_aesenc_si128(v, _mm_loadu_si128(s + 1));
	v = _mm_aesenc_si128(v, _mm_loadu_si128(s + 2));
	v = _mm_aesenc_si128(v, _mm_loadu_si128(s));
	return (uint64_t)_mm_cvtsi128_si64(v);
}

static inline unsigned match(const struct line *l, uint16_t tag)
{
	__m128i same =
		_mm_cmpeq_epi16(_mm_load_si128((const void *)l->tag), _mm_set1_epi16((short)tag));

	return (unsigned)_mm_movemask_epi8(_mm_packs_epi16(same, _mm_setzero_si128()));
}

static inline bool is_same(const struct key *a, const struct key *b)
{
	__m128i same =
		_mm_cmpeq_epi8(_mm_loadu_si128((const void *)a), _mm_loadu_si128((const void *)b));

	return _mm_movemask_epi8(same) == 0xffff;
}

static inline uint32_t find(const struct place *at, const struct key *k)
{
	for (uint32_t i = at->line;; i = (i + 1) & mask) {
		const struct line *l = &lines[i];

		for (unsigned bits = match(l, at->tag); bits; bits &= bits - 1) {
			uint32_t number = l->number[__builtin_ctz(bits)];

			if (is_same(&entries[number].key, k))
				return number;
		}
		if (l->n_past == 0)
			return 0;
	}
}

static uint32_t add(const struct place *at, const struct key *k)
{
	uint32_t number = ++n_entries;

	for (uint32_t i = at->line;; i = (i + 1) & mask) {
		struct line *l = &lines[i];
		unsigned empty = match(l, 0);

		if (empty) {
			l->tag[__builtin_ctz(empty)] = at->tag;
			l->number[__builtin_ctz(empty)] = number;
			break;
		}
		l->n_past++;
	}
	entries[number] = (struct entry){ .key = *k, .orig = at->is_high };
	return number;
}

static inline void update(struct entry *e, bool is_high, size_t size, uint32_t now_s)
{
	static const uint16_t timeout[4] = { 30, 30, 180, 120 };
	bool is_reply = is_high != e->orig;

	e->packets[is_reply]++;
	e->bytes[is_reply] += size;
	if (is_reply && !(e->status & 2)) {
		e->status |= 2;
		e->state = 2;
	}
	e->expires = now_s + timeout[e->state];
}

static inline struct place place_of(const struct key *k, bool is_high)
{
	uint64_t h = hash(k);

	return (struct place){ (uint32_t)h & mask, (uint16_t)(h >> 48) | 1, is_high };
}

static inline void track(uint8_t *const *frame, const size_t *size, unsigned n, uint32_t now_s)
{
	struct key key[WORKLOAD_BURST];
	struct place at[WORKLOAD_BURST];
	uint32_t guess[WORKLOAD_BURST];

	for (unsigned i = 0; i < n; i++) {
		bool is_high = make_key(frame[i], &key[i]);

		at[i] = place_of(&key[i], is_high);
		__builtin_prefetch(&lines[at[i].line], 1);
	}
	for (unsigned i = 0; i < n; i++) {
		unsigned bits = match(&lines[at[i].line], at[i].tag);

		guess[i] = bits ? lines[at[i].line].number[__builtin_ctz(bits)] : 0;
		__builtin_prefetch(&entries[bits ? guess[i] : n_entries + i], 1);
	}
	for (unsigned i = 0; i < n; i++) {
		uint32_t number = guess[i];

		if (!number || !is_same(&entries[number].key, &key[i]))
			number = find(&at[i], &key[i]);
		if (!number)
			number = add(&at[i], &key[i]);
		update(&entries[number], at[i].is_high, size[i], now_s);
	}
}

static inline void track_one(const uint8_t *frame, size_t size, uint32_t now_s)
{
	struct key key;
	bool is_high = make_key(frame, &key);
	struct place at = place_of(&key, is_high);
	uint32_t number = find(&at, &key);

	update(&entries[number ? number : add(&at, &key)], is_high, size, now_s);
}

void tracker_burst(uint8_t *const *frame, const size_t *size, unsigned n, int64_t now_ns)
{
	uint32_t now_s = (uint32_t)(now_ns / 1000000000);

	if (burst_len == 1) {
		for (unsigned i = 0; i < n; i++)
			track_one(frame[i], size[i], now_s);
		return;
	}
	for (unsigned i = 0; i < n; i += burst_len)
		track(frame + i, size + i, n - i < burst_len ? n - i : burst_len, now_s);
}

void tracker_report(void)
{
	printf(" connections=%u", n_entries);
}
