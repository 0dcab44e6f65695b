/* SPDX-License-Identifier: BSD-2-Clause
 *
 * From key to entry, for exact fidelity: lines of 10 slots, each a 16-bit tag and an entry number.
 *
 * A lookup compares the 10 tags of one line at once and touches an entry only when a tag fits. A
 * full line spills into the next; it counts what went past it, so that a search knows where to
 * end. The array grows by steps: a larger one is emptied, then filled beside it, some lines with
 * each insertion, so that no packet waits for all of it.
 *
 * An entry of two keys has two slots; the second's number has the bit REF_REPLY.
 *
 * Zones of one direction let two entries have one tuple in one zone, the original of one and the
 * reply of the other. The kernel's bucket has the newer first (____nf_conntrack_find()); slots have
 * no order, so the older remembers in which direction it is overlaid, and is taken only where
 * the newer is gone.
 */
#include "lib/engine/index.h"

#include <stdlib.h>
#include <string.h>

#include "lib/engine/key.h"

enum { FIRST_LINES = 1024, CLEAR_LINES = 16, MOVE_LINES = 2, MOVE_AHEAD = 4 };
#define MAX_LINES (UINT32_C(1) << 30)

/* A line is full enough at 8 of 10. */
static uint32_t lines_for(uint64_t entries)
{
	uint64_t n = entries / 8 + 1;

	return n > MAX_LINES ? MAX_LINES : (uint32_t)n;
}

static int lines_new(struct ct_engine *en, uint32_t n, struct lines *out)
{
	struct line *at = ct_mem_alloc(en, (size_t)n * sizeof(*at), 64);

	if (!at)
		return -1;
	*out = (struct lines){ .at = at, .n = n };
	return 0;
}

static void lines_free(struct ct_engine *en, struct lines *ls)
{
	ct_mem_free(en, ls->at, (size_t)ls->n * sizeof(*ls->at));
	*ls = (struct lines){ NULL, 0 };
}

int ct_index_new(struct ct_engine *en)
{
	struct index *ix = ct_mem_alloc(en, sizeof(*ix), 64);
	uint32_t n = FIRST_LINES;

	if (!ix)
		return -1;
	*ix = (struct index){ .n_moved = 0 };
	if (en->cfg.max && lines_for(en->cfg.max) < n)
		n = lines_for(en->cfg.max);
	if (lines_new(en, n, &ix->now) < 0) {
		ct_mem_free(en, ix, sizeof(*ix));
		return -1;
	}
	memset(ix->now.at, 0, (size_t)n * sizeof(*ix->now.at));
	en->index = ix;
	return 0;
}

void ct_index_free(struct ct_engine *en)
{
	struct index *ix = en->index;

	if (!ix)
		return;
	lines_free(en, &ix->now);
	lines_free(en, &ix->old);
	lines_free(en, &ix->next);
	ct_mem_free(en, ix, sizeof(*ix));
	en->index = NULL;
}

static bool is_allowed(const struct ct_engine *en, const struct probe *pr, uint32_t ref)
{
	const struct entry *e = entry_at(en, ref & REF_NUMBER);

	return !tick_passed(e->deadline, en->tick) && ct_probe_allows(pr, ct_probe_dir(pr, e, ref));
}

/* @is_narrow: passes over what has expired, and over directions that the probe is not for. */
static inline uint32_t lines_find(const struct ct_engine *en, const struct lines *ls,
				  const struct probe *pr, bool is_narrow)
{
	uint32_t i = line_home(pr->hash, ls->n), left = ls->n;
	uint16_t tag = line_tag(pr->hash);

	for (;;) {
		const struct line *l = &ls->at[i];

		for (unsigned bits = line_match(l, tag); bits; bits &= bits - 1) {
			uint32_t ref = l->number[__builtin_ctz(bits)];

			if (!ct_probe_matches(en, pr, ref, entry_at(en, ref & REF_NUMBER)))
				continue;
			if (!is_narrow || is_allowed(en, pr, ref))
				return ref;
		}
		/* In a small array, every line may have been passed by some entry. */
		if (l->n_past == 0 || --left == 0)
			return 0;
		i = i + 1 == ls->n ? 0 : i + 1;
	}
}

static inline uint32_t find_any(const struct ct_engine *en, const struct probe *pr, bool is_narrow)
{
	const struct index *ix = en->index;
	uint32_t ref = lines_find(en, &ix->now, pr, is_narrow);

	return ref || !ix->old.at ? ref : lines_find(en, &ix->old, pr, is_narrow);
}

/* What was found, or the newer entry that has the tuple as well. */
static uint32_t newer_than(const struct ct_engine *en, const struct probe *pr, uint32_t ref)
{
	const struct entry *e = entry_at(en, ref & REF_NUMBER);
	enum ct_dir dir = ct_probe_dir(pr, e, ref);
	struct probe other = *pr;
	uint32_t newer;

	if (!(e->overlaid & 1U << dir))
		return ref;
	other.rare |= dir == CT_DIR_ORIG ? PROBE_REPLY : PROBE_ORIG;
	newer = find_any(en, &other, true);
	return newer ? newer : ref;
}

static inline uint32_t newest(const struct ct_engine *en, const struct probe *pr, uint32_t ref)
{
	bool may_be_older = ref && entry_at(en, ref & REF_NUMBER)->overlaid;

	return may_be_older ? newer_than(en, pr, ref) : ref;
}

uint32_t ct_index_peek(const struct ct_engine *en, const struct probe *pr)
{
	uint32_t ref = find_any(en, pr, true);

	return pr->rare & (PROBE_ORIG | PROBE_REPLY) ? ref : newest(en, pr, ref);
}

uint32_t ct_index_find(const struct ct_engine *en, const struct probe *pr)
{
	if (pr->rare & (PROBE_ORIG | PROBE_REPLY))
		return find_any(en, pr, true);
	return newest(en, pr, find_any(en, pr, false));
}

static void lines_put(struct lines *ls, uint64_t hash, uint32_t ref)
{
	uint32_t i = line_home(hash, ls->n);

	for (;;) {
		struct line *l = &ls->at[i];
		unsigned empty = line_match(l, 0);

		if (empty) {
			unsigned slot = (unsigned)__builtin_ctz(empty);

			l->tag[slot] = line_tag(hash);
			l->number[slot] = ref;
			return;
		}
		l->n_past++;
		i = i + 1 == ls->n ? 0 : i + 1;
	}
}

/* Takes an entry out and the marks of its way with it. True when it was there. */
static bool lines_drop(struct lines *ls, uint64_t hash, uint32_t ref)
{
	uint32_t home = line_home(hash, ls->n), i = home, left = ls->n;
	uint16_t tag = line_tag(hash);

	for (;;) {
		struct line *l = &ls->at[i];

		for (unsigned bits = line_match(l, tag); bits; bits &= bits - 1) {
			unsigned slot = (unsigned)__builtin_ctz(bits);

			if (l->number[slot] != ref)
				continue;
			l->tag[slot] = 0;
			for (; home != i; home = home + 1 == ls->n ? 0 : home + 1)
				ls->at[home].n_past--;
			return true;
		}
		if (l->n_past == 0 || --left == 0)
			return false;
		i = i + 1 == ls->n ? 0 : i + 1;
	}
}

/* The direction whose tuple makes the key of a slot; one key is made by either. */
static enum ct_dir ref_key(uint32_t ref)
{
	return ref & REF_REPLY ? CT_DIR_REPLY : CT_DIR_ORIG;
}

static void move_line(struct ct_engine *en, struct index *ix, uint32_t i)
{
	struct line *l = &ix->old.at[i];

	for (unsigned slot = 0; slot < SLOTS; slot++) {
		uint32_t ref = l->number[slot];
		struct probe pr;

		if (!l->tag[slot])
			continue;
		ct_entry_probe(en, ref & REF_NUMBER, ref_key(ref), &pr);
		lines_put(&ix->now, pr.hash, ref);
		(void)lines_drop(&ix->old, pr.hash, ref);
	}
}

/* The keys of the entries of a line that will soon be moved. */
__attribute__((always_inline)) static inline void prefetch_line(const struct ct_engine *en,
								const struct index *ix, uint32_t i)
{
	const struct line *l = &ix->old.at[i];

	for (unsigned slot = 0; slot < SLOTS; slot++)
		if (l->tag[slot])
			__builtin_prefetch(entry_at(en, l->number[slot] & REF_NUMBER));
}

static void move_some(struct ct_engine *en, struct index *ix, uint32_t n)
{
	while (ix->old.at && n--) {
		if (ix->n_moved + MOVE_AHEAD < ix->old.n)
			prefetch_line(en, ix, ix->n_moved + MOVE_AHEAD);
		move_line(en, ix, ix->n_moved++);
		en->stats.moved++;
		if (ix->n_moved == ix->old.n)
			lines_free(en, &ix->old);
	}
}

/* How many lines the next array has: twice as many, but the limit decides the last step, so that
 * a full table is as dense as it may be. A step is never so small that the one before it could
 * still be under way at its end. */
static uint32_t next_size(const struct ct_engine *en, const struct index *ix, uint32_t wanted)
{
	uint32_t n = ix->now.n >= MAX_LINES / 2 ? MAX_LINES : ix->now.n * 2;
	uint32_t most = n, least = ix->now.n + ix->now.n / 4;

	if (en->cfg.max)
		most = lines_for(en->cfg.max);
	if (most < wanted)
		most = lines_for((uint64_t)en->cfg.max * CT_DIR_MAX);
	if (most < least)
		most = least;
	return n > most && most >= wanted ? most : n;
}

/* Begins a larger array when this one is full for its size, and goes on with one begun. */
static int grow(struct ct_engine *en, struct index *ix)
{
	uint32_t wanted = lines_for(ix->n_slots + 1), n;

	if (wanted <= ix->now.n)
		return 0;
	/* A table a little beyond its step can do without for a while, down to one free slot. */
	if (!ix->next.at && lines_new(en, next_size(en, ix, wanted), &ix->next) < 0)
		return ix->n_slots + 1 < (uint64_t)ix->now.n * (SLOTS - 1) ? 0 : -1;
	n = ix->next.n - ix->n_cleared;
	n = n > CLEAR_LINES ? CLEAR_LINES : n;
	memset(&ix->next.at[ix->n_cleared], 0, n * sizeof(*ix->next.at));
	ix->n_cleared += n;
	if (ix->n_cleared < ix->next.n)
		return 0;
	move_some(en, ix, UINT32_MAX);
	ix->old = ix->now;
	ix->now = ix->next;
	ix->next = (struct lines){ NULL, 0 };
	ix->n_moved = ix->n_cleared = 0;
	return 0;
}

static int put_ref(struct ct_engine *en, uint64_t hash, uint32_t ref)
{
	struct index *ix = en->index;

	if (grow(en, ix) < 0)
		return -1;
	move_some(en, ix, MOVE_LINES);
	lines_put(&ix->now, hash, ref);
	ix->n_slots++;
	return 0;
}

static void drop_ref(struct ct_engine *en, uint64_t hash, uint32_t ref)
{
	struct index *ix = en->index;

	if (!lines_drop(&ix->now, hash, ref) && ix->old.at)
		(void)lines_drop(&ix->old, hash, ref);
	ix->n_slots--;
}

/* Marks the entry that has a tuple of a new one in the other direction. To those whose zone is the
 * same in both directions, that is a clash: is_clash(). */
static void overlay(struct ct_engine *en, uint32_t number, enum ct_dir dir)
{
	enum ct_dir other = dir == CT_DIR_ORIG ? CT_DIR_REPLY : CT_DIR_ORIG;
	struct probe pr;
	uint32_t ref;

	if (!zone_is_narrow(entry_at(en, number)->zone_dir))
		return;
	ct_entry_probe(en, number, dir, &pr);
	pr.rare |= other == CT_DIR_ORIG ? PROBE_ORIG : PROBE_REPLY;
	ref = find_any(en, &pr, true);
	if (ref)
		entry_at(en, ref & REF_NUMBER)->overlaid |= (uint8_t)(1U << other);
}

int ct_index_insert_reply(struct ct_engine *en, uint32_t number)
{
	struct probe pr;

	overlay(en, number, CT_DIR_REPLY);
	ct_entry_probe(en, number, CT_DIR_REPLY, &pr);
	return put_ref(en, pr.hash, number | REF_REPLY);
}

int ct_index_insert(struct ct_engine *en, uint64_t hash, uint32_t number)
{
	overlay(en, number, CT_DIR_ORIG);
	if (put_ref(en, hash, number) < 0)
		return -1;
	if (!(entry_at(en, number)->flags & ENTRY_SECOND))
		return 0;
	if (ct_index_insert_reply(en, number) == 0)
		return 0;
	drop_ref(en, hash, number);
	return -1;
}

void ct_index_remove(struct ct_engine *en, uint32_t number)
{
	const struct entry *e = entry_at(en, number);
	struct probe pr;

	if (!(e->status & CT_STATUS_NAT_CLASH)) {
		ct_entry_probe(en, number, CT_DIR_ORIG, &pr);
		drop_ref(en, pr.hash, number);
	}
	if (!(e->flags & ENTRY_SECOND))
		return;
	ct_entry_probe(en, number, CT_DIR_REPLY, &pr);
	drop_ref(en, pr.hash, number | REF_REPLY);
}

unsigned ct_index_sample(const struct index *ix, uint64_t hash, uint32_t *out, unsigned max)
{
	uint32_t i = line_home(hash, ix->now.n);
	unsigned n = 0;

	/* A quarter full at least, lines rarely are all empty; so a few suffice. */
	for (unsigned lines = 0; lines < max && lines < ix->now.n; lines++) {
		const struct line *l = &ix->now.at[i];

		for (unsigned slot = 0; slot < SLOTS && n < max; slot++)
			if (l->tag[slot])
				out[n++] = l->number[slot] & REF_NUMBER;
		i = i + 1 == ix->now.n ? 0 : i + 1;
	}
	return n;
}
