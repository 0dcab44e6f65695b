/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Who ends next, for exact fidelity: a tree of lower bounds over the deadlines.
 *
 * Each place has a leaf, the earliest moment at which its entry could end; above it stand the
 * minima of 64 leaves, of 4096 and of the chunk. A refresh that puts the deadline off touches
 * nothing here; only an earlier deadline does. When the root's moment comes, the leaves that
 * carry it are compared with their entries' real deadlines: expired ones end, others get their
 * true bound. So entries end on their tick, in the order of their ticks, for 4 bytes each.
 */
#include "lib/engine/engine.h"

/* Bounds are compared by their distance from the tick up to which all is done; none is farthest. */
static inline uint32_t distance(ct_tick bound, ct_tick from)
{
	return bound == CHECK_NONE ? UINT32_MAX : bound - from;
}

/* A bound for @deadline that is never later, and never the mark for "none". */
static inline ct_tick bound_of(ct_tick deadline)
{
	return deadline == CHECK_NONE ? CHECK_NONE - 1 : deadline;
}

static ct_tick least(const ct_tick *bounds, unsigned n, ct_tick from)
{
	uint32_t best = UINT32_MAX;

	for (unsigned i = 0; i < n; i++) {
		uint32_t d = distance(bounds[i], from);

		best = d < best ? d : best;
	}
	return best == UINT32_MAX ? CHECK_NONE : from + best;
}

static void lower(ct_tick *bound, ct_tick to, ct_tick from)
{
	if (distance(to, from) < distance(*bound, from))
		*bound = to;
}

void ct_expiry_set(struct ct_engine *en, uint32_t number, ct_tick deadline)
{
	struct pool *pool = &en->pools[entry_class_of(number)];
	uint32_t place = number & PLACE_MASK, i = place & CHUNK_MASK;
	struct tree *tree = pool->chunk[place >> CHUNK_SHIFT].tree;
	ct_tick bound = bound_of(deadline);

	entry_at(en, number)->check = bound;
	tree->leaf[i] = bound;
	lower(&tree->level1[i / TREE_FAN], bound, en->tick);
	lower(&tree->level2[i / TREE_FAN / TREE_FAN], bound, en->tick);
	lower(&pool->bound[place >> CHUNK_SHIFT], bound, en->tick);
}

/* Looks at the leaves of one group that are due at @at. */
static void visit_leaves(struct ct_engine *en, uint32_t first_number, ct_tick *leaf, ct_tick at)
{
	for (unsigned i = 0; i < TREE_FAN; i++) {
		struct entry *e;

		if (distance(leaf[i], en->tick) > distance(at, en->tick))
			continue;
		e = entry_at(en, first_number + i);
		if (!entry_is_listed(e)) {
			leaf[i] = CHECK_NONE;
		} else if (tick_passed(e->deadline, at)) {
			leaf[i] = CHECK_NONE;
			ct_entry_kill(en, first_number + i, CT_END_TIMEOUT);
		} else {
			leaf[i] = e->check = bound_of(e->deadline);
		}
	}
}

/* Ends what ends at @at in one chunk, and corrects its bounds. */
static void visit_chunk(struct ct_engine *en, unsigned class, uint32_t c, ct_tick at)
{
	struct pool *pool = &en->pools[class];
	struct tree *tree = pool->chunk[c].tree;
	uint32_t base = (uint32_t) class << CLASS_SHIFT | c << CHUNK_SHIFT;
	uint32_t due = distance(at, en->tick);

	for (unsigned i2 = 0; i2 < TREE_LEVEL2; i2++) {
		ct_tick *level1 = &tree->level1[(size_t)i2 * TREE_FAN];

		if (distance(tree->level2[i2], en->tick) > due)
			continue;
		for (unsigned i1 = 0; i1 < TREE_FAN; i1++) {
			uint32_t leaf = (i2 * TREE_FAN + i1) * TREE_FAN;

			if (distance(level1[i1], en->tick) > due)
				continue;
			visit_leaves(en, base + leaf, &tree->leaf[leaf], at);
			level1[i1] = least(&tree->leaf[leaf], TREE_FAN, en->tick);
		}
		tree->level2[i2] = least(level1, TREE_FAN, en->tick);
	}
	pool->bound[c] = least(tree->level2, TREE_LEVEL2, en->tick);
}

uint32_t ct_expiry_distance(const struct ct_engine *en)
{
	uint32_t best = UINT32_MAX;

	for (unsigned class = 0; class < N_CLASSES; class ++) {
		const struct pool *pool = &en->pools[class];

		for (uint32_t c = 0; c < pool->n_chunks; c++) {
			uint32_t d = distance(pool->bound[c], en->tick);

			best = d < best ? d : best;
		}
	}
	return best;
}

void ct_expiry_advance(struct ct_engine *en, ct_tick to)
{
	uint32_t left = to - en->tick;

	for (;;) {
		uint32_t next = ct_expiry_distance(en);
		ct_tick at;

		if (next > left)
			break;
		at = en->tick + next;
		for (unsigned class = 0; class < N_CLASSES; class ++)
			for (uint32_t c = 0; c < en->pools[class].n_chunks; c++)
				if (distance(en->pools[class].bound[c], en->tick) <= next)
					visit_chunk(en, class, c, at);
	}
}
