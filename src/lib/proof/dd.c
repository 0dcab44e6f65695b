/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The diagrams of dd.h. Nodes stand in one growing array, found by a hash over their three parts;
 * what was computed once is remembered in a table that forgets by being overwritten.
 */
#include "lib/proof/dd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define N_CACHE	    (UINT32_C(1) << 20)
#define FIRST_NODES 4096u

struct node {
	uint32_t var, low, high;
	uint32_t next; /* in its hash bucket; 0 at the end: node 0 is never used */
};

enum op { OP_ITE = 256, OP_SPLICE, OP_WHERE, OP_EXISTS, OP_REPLACE, OP_EXIT, OP_SIMPLIFY };

struct memo {
	uint32_t op, a, b, c, result;
};

struct ct_dd_subst {
	struct ct_dd_subst *next;
	ct_dd *becomes; /* by variable */
	unsigned n;	/* variables from here on stay */
	uint32_t id;
	bool is_out_of_memory;
};

struct ct_dds {
	struct node *node;
	uint32_t *bucket;
	struct memo *cache;
	struct ct_dd_subst *substs;
	uint32_t n_nodes, room, n_buckets, max_nodes, n_substs;
	bool is_full;
};

static uint32_t mix(uint32_t a, uint32_t b, uint32_t c)
{
	uint64_t h = a * UINT64_C(0x9e3779b97f4a7c15) + b;

	h = (h ^ h >> 29) * UINT64_C(0xbf58476d1ce4e5b9) + c;
	h = (h ^ h >> 32) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)(h >> 32);
}

struct ct_dds *ct_dds_new(uint32_t max_nodes)
{
	struct ct_dds *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->max_nodes = max_nodes < CT_DD_LEAF_BIT ? max_nodes : CT_DD_LEAF_BIT - 1;
	d->room = d->n_buckets = FIRST_NODES;
	d->n_nodes = 1;
	d->node = calloc(d->room, sizeof(*d->node));
	d->bucket = calloc(d->n_buckets, sizeof(*d->bucket));
	d->cache = calloc(N_CACHE, sizeof(*d->cache));
	if (d->node && d->bucket && d->cache)
		return d;
	ct_dds_free(d);
	return NULL;
}

void ct_dds_free(struct ct_dds *d)
{
	if (!d)
		return;
	while (d->substs) {
		struct ct_dd_subst *s = d->substs;

		d->substs = s->next;
		free(s->becomes);
		free(s);
	}
	free(d->node);
	free(d->bucket);
	free(d->cache);
	free(d);
}

bool ct_dds_is_full(const struct ct_dds *d)
{
	return d->is_full;
}

uint32_t ct_dds_n_nodes(const struct ct_dds *d)
{
	return d->n_nodes - 1;
}

unsigned ct_dd_top(const struct ct_dds *d, ct_dd f)
{
	return ct_dd_is_leaf(f) ? UINT32_MAX : d->node[f].var;
}

ct_dd ct_dd_low(const struct ct_dds *d, ct_dd f)
{
	return d->node[f].low;
}

ct_dd ct_dd_high(const struct ct_dds *d, ct_dd f)
{
	return d->node[f].high;
}

/* Twice the nodes, and their buckets anew. */
static bool grow(struct ct_dds *d)
{
	uint32_t room = d->room * 2;
	struct node *node = realloc(d->node, room * sizeof(*node));
	uint32_t *bucket;

	if (!node)
		return false;
	d->node = node;
	bucket = calloc(room, sizeof(*bucket));
	if (!bucket)
		return false;
	free(d->bucket);
	d->bucket = bucket;
	d->room = d->n_buckets = room;
	for (uint32_t i = 1; i < d->n_nodes; i++) {
		struct node *n = &node[i];
		uint32_t at = mix(n->var, n->low, n->high) & (room - 1);

		n->next = bucket[at];
		bucket[at] = i;
	}
	return true;
}

ct_dd ct_dd_node(struct ct_dds *d, unsigned var, ct_dd low, ct_dd high)
{
	uint32_t h = mix(var, low, high), at = h & (d->n_buckets - 1);

	if (low == high)
		return low;
	for (uint32_t i = d->bucket[at]; i; i = d->node[i].next)
		if (d->node[i].var == var && d->node[i].low == low && d->node[i].high == high)
			return i;
	if (d->n_nodes >= d->max_nodes || (d->n_nodes == d->room && !grow(d))) {
		d->is_full = true;
		return CT_DD_FALSE;
	}
	at = h & (d->n_buckets - 1);
	d->node[d->n_nodes] = (struct node){ var, low, high, d->bucket[at] };
	d->bucket[at] = d->n_nodes;
	return d->n_nodes++;
}

static struct memo *memo_at(struct ct_dds *d, uint32_t op, uint32_t a, uint32_t b, uint32_t c)
{
	return &d->cache[mix(a ^ op << 20, b, c) & (N_CACHE - 1)];
}

static bool memo_fits(const struct memo *m, uint32_t op, uint32_t a, uint32_t b, uint32_t c)
{
	return m->op == op && m->a == a && m->b == b && m->c == c;
}

/* @f where variable @var is 0 or 1; @var is not after the first that @f asks. */
static ct_dd low_of(const struct ct_dds *d, ct_dd f, unsigned var)
{
	return ct_dd_top(d, f) == var ? d->node[f].low : f;
}

static ct_dd high_of(const struct ct_dds *d, ct_dd f, unsigned var)
{
	return ct_dd_top(d, f) == var ? d->node[f].high : f;
}

static unsigned min2(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

ct_dd ct_dd_ite(struct ct_dds *d, ct_dd f, ct_dd yes, ct_dd no)
{
	struct memo *m;
	unsigned var;
	ct_dd low, high, result;

	if (f == CT_DD_TRUE || yes == no)
		return yes;
	if (f == CT_DD_FALSE)
		return no;
	if (yes == CT_DD_TRUE && no == CT_DD_FALSE)
		return f;
	if (d->is_full)
		return CT_DD_FALSE;
	m = memo_at(d, OP_ITE, f, yes, no);
	if (memo_fits(m, OP_ITE, f, yes, no))
		return m->result;
	var = min2(ct_dd_top(d, f), min2(ct_dd_top(d, yes), ct_dd_top(d, no)));
	low = ct_dd_ite(d, low_of(d, f, var), low_of(d, yes, var), low_of(d, no, var));
	high = ct_dd_ite(d, high_of(d, f, var), high_of(d, yes, var), high_of(d, no, var));
	result = ct_dd_node(d, var, low, high);
	*m = (struct memo){ OP_ITE, f, yes, no, result };
	return result;
}

ct_dd ct_dd_splice(struct ct_dds *d, ct_dd f, ct_dd leaf, ct_dd k)
{
	struct memo *m;
	unsigned var;
	ct_dd low, high, result;

	if (ct_dd_is_leaf(f))
		return f == leaf ? k : f;
	if (d->is_full)
		return CT_DD_FALSE;
	m = memo_at(d, OP_SPLICE, f, leaf, k);
	if (memo_fits(m, OP_SPLICE, f, leaf, k))
		return m->result;
	var = min2(ct_dd_top(d, f), ct_dd_top(d, k));
	low = ct_dd_splice(d, low_of(d, f, var), leaf, low_of(d, k, var));
	high = ct_dd_splice(d, high_of(d, f, var), leaf, high_of(d, k, var));
	result = ct_dd_node(d, var, low, high);
	*m = (struct memo){ OP_SPLICE, f, leaf, k, result };
	return result;
}

ct_dd ct_dd_where(struct ct_dds *d, ct_dd f, ct_dd leaf)
{
	struct memo *m;
	ct_dd low, high, result;

	if (ct_dd_is_leaf(f))
		return f == leaf ? CT_DD_TRUE : CT_DD_FALSE;
	if (d->is_full)
		return CT_DD_FALSE;
	m = memo_at(d, OP_WHERE, f, leaf, 0);
	if (memo_fits(m, OP_WHERE, f, leaf, 0))
		return m->result;
	low = ct_dd_where(d, d->node[f].low, leaf);
	high = ct_dd_where(d, d->node[f].high, leaf);
	result = ct_dd_node(d, d->node[f].var, low, high);
	*m = (struct memo){ OP_WHERE, f, leaf, 0, result };
	return result;
}

struct ct_dd_subst *ct_dd_subst_new(struct ct_dds *d)
{
	struct ct_dd_subst *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->next = d->substs;
	d->substs = s;
	s->id = d->n_substs++;
	return s;
}

void ct_dd_subst_set(struct ct_dd_subst *s, unsigned var, ct_dd becomes)
{
	if (var >= s->n) {
		ct_dd *all = realloc(s->becomes, (var + 1) * sizeof(*all));

		if (!all) {
			s->is_out_of_memory = true;
			return;
		}
		for (unsigned i = s->n; i <= var; i++)
			all[i] = CT_DD_STAYS;
		s->becomes = all;
		s->n = var + 1;
	}
	s->becomes[var] = becomes;
}

ct_dd ct_dd_subst_get(const struct ct_dd_subst *s, unsigned var)
{
	return var < s->n ? s->becomes[var] : CT_DD_STAYS;
}

static ct_dd replaced(struct ct_dds *d, unsigned var, const struct ct_dd_subst *s)
{
	return s->becomes[var] != CT_DD_STAYS ? s->becomes[var]
					      : ct_dd_node(d, var, CT_DD_FALSE, CT_DD_TRUE);
}

ct_dd ct_dd_replace(struct ct_dds *d, ct_dd f, const struct ct_dd_subst *s)
{
	struct memo *m;
	unsigned var;
	ct_dd low, high, result;

	if (s->is_out_of_memory)
		d->is_full = true;
	if (d->is_full)
		return CT_DD_FALSE;
	if (ct_dd_is_leaf(f) || d->node[f].var >= s->n)
		return f;
	m = memo_at(d, OP_REPLACE, f, s->id, 0);
	if (memo_fits(m, OP_REPLACE, f, s->id, 0))
		return m->result;
	var = d->node[f].var;
	low = ct_dd_replace(d, d->node[f].low, s);
	high = ct_dd_replace(d, d->node[f].high, s);
	result = ct_dd_ite(d, replaced(d, var, s), high, low);
	*m = (struct memo){ OP_REPLACE, f, s->id, 0, result };
	return result;
}

ct_dd ct_dd_exists(struct ct_dds *d, ct_dd f, unsigned from, unsigned to)
{
	struct memo *m;
	unsigned var;
	ct_dd low, high, result;

	if (d->is_full || ct_dd_is_leaf(f) || d->node[f].var > to)
		return f;
	m = memo_at(d, OP_EXISTS, f, from, to);
	if (memo_fits(m, OP_EXISTS, f, from, to))
		return m->result;
	var = d->node[f].var;
	low = ct_dd_exists(d, d->node[f].low, from, to);
	high = ct_dd_exists(d, d->node[f].high, from, to);
	result = var >= from ? ct_dd_or(d, low, high) : ct_dd_node(d, var, low, high);
	*m = (struct memo){ OP_EXISTS, f, from, to, result };
	return result;
}

ct_dd ct_dd_pair(struct ct_dds *d, ct_dd a, ct_dd b, unsigned op, ct_dd_pair_fn *fn, void *user)
{
	struct memo *m;
	unsigned var;
	ct_dd low, high, result;

	if (ct_dd_is_leaf(a) && ct_dd_is_leaf(b))
		return CT_DD_LEAF(fn(user, ct_dd_value(a), ct_dd_value(b)));
	if (d->is_full)
		return CT_DD_FALSE;
	m = memo_at(d, op, a, b, 1);
	if (memo_fits(m, op, a, b, 1))
		return m->result;
	var = min2(ct_dd_top(d, a), ct_dd_top(d, b));
	low = ct_dd_pair(d, low_of(d, a, var), low_of(d, b, var), op, fn, user);
	high = ct_dd_pair(d, high_of(d, a, var), high_of(d, b, var), op, fn, user);
	result = ct_dd_node(d, var, low, high);
	*m = (struct memo){ op, a, b, 1, result };
	return result;
}

ct_dd ct_dd_simplify(struct ct_dds *d, ct_dd f, ct_dd care)
{
	struct memo *m;
	unsigned var;
	ct_dd result;

	if (ct_dd_is_leaf(f) || ct_dd_is_leaf(care) || d->is_full)
		return f;
	m = memo_at(d, OP_SIMPLIFY, f, care, 0);
	if (memo_fits(m, OP_SIMPLIFY, f, care, 0))
		return m->result;
	var = d->node[care].var;
	if (var < d->node[f].var) {
		result = ct_dd_simplify(d, f, ct_dd_or(d, d->node[care].low, d->node[care].high));
	} else {
		ct_dd low, high;

		var = d->node[f].var;
		low = low_of(d, care, var);
		high = high_of(d, care, var);
		if (low == CT_DD_FALSE)
			result = ct_dd_simplify(d, d->node[f].high, high);
		else if (high == CT_DD_FALSE)
			result = ct_dd_simplify(d, d->node[f].low, low);
		else {
			ct_dd a = ct_dd_simplify(d, d->node[f].low, low);
			ct_dd b = ct_dd_simplify(d, d->node[f].high, high);

			result = ct_dd_node(d, var, a, b);
		}
	}
	*m = (struct memo){ OP_SIMPLIFY, f, care, 0, result };
	return result;
}

static ct_dd copy(struct ct_dds *d, const struct ct_dds *from, ct_dd f, ct_dd *known)
{
	ct_dd low, high;

	if (ct_dd_is_leaf(f))
		return f;
	if (known[f])
		return known[f];
	low = copy(d, from, from->node[f].low, known);
	high = copy(d, from, from->node[f].high, known);
	known[f] = ct_dd_node(d, from->node[f].var, low, high);
	return known[f];
}

ct_dd ct_dd_copy(struct ct_dds *d, const struct ct_dds *from, ct_dd f)
{
	ct_dd *known = calloc(from->n_nodes, sizeof(*known)), r;

	if (!known) {
		d->is_full = true;
		return CT_DD_FALSE;
	}
	r = copy(d, from, f, known);
	free(known);
	return r;
}

ct_dd ct_dd_exit(struct ct_dds *d, ct_dd f, unsigned last, ct_dd exit)
{
	struct memo *m;
	ct_dd low, high, result;

	if (ct_dd_is_leaf(f) || d->node[f].var > last)
		return f == exit ? CT_DD_TRUE : CT_DD_FALSE;
	if (d->is_full)
		return CT_DD_FALSE;
	m = memo_at(d, OP_EXIT, f, last, exit);
	if (memo_fits(m, OP_EXIT, f, last, exit))
		return m->result;
	low = ct_dd_exit(d, d->node[f].low, last, exit);
	high = ct_dd_exit(d, d->node[f].high, last, exit);
	result = ct_dd_node(d, d->node[f].var, low, high);
	*m = (struct memo){ OP_EXIT, f, last, exit, result };
	return result;
}

uint32_t ct_dd_at(const struct ct_dds *d, ct_dd f, ct_dd_point_fn *is_set, void *user)
{
	while (!ct_dd_is_leaf(f))
		f = is_set(user, d->node[f].var) ? d->node[f].high : d->node[f].low;
	return ct_dd_value(f);
}

/* Exits and leaves ----------------------------------------------------------------------------- */

struct seeing {
	const struct ct_dds *d;
	uint8_t *is_seen; /* a bit a node */
	unsigned last;	  /* deeper is outside */
	ct_dd *exit;	  /* seen leaves, few; those that are nodes have a bit */
	uint32_t n_exits, room;
	void (*see)(void *user, ct_dd exit);
	void *user;
	bool is_out_of_memory;
};

static void see_leaf(struct seeing *s, ct_dd leaf)
{
	for (uint32_t i = 0; i < s->n_exits; i++)
		if (s->exit[i] == leaf)
			return;
	if (s->n_exits == s->room) {
		uint32_t room = s->room ? s->room * 2 : 64;
		ct_dd *all = realloc(s->exit, room * sizeof(*all));

		if (!all) {
			s->is_out_of_memory = true;
			return;
		}
		s->exit = all;
		s->room = room;
	}
	s->exit[s->n_exits++] = leaf;
	s->see(s->user, leaf);
}

static void see_all(struct seeing *s, ct_dd f)
{
	if (ct_dd_is_leaf(f)) {
		see_leaf(s, f);
		return;
	}
	if (s->is_seen[f / 8] >> (f % 8) & 1)
		return;
	s->is_seen[f / 8] |= (uint8_t)(1 << f % 8);
	if (s->d->node[f].var > s->last) {
		s->see(s->user, f);
		return;
	}
	see_all(s, s->d->node[f].low);
	see_all(s, s->d->node[f].high);
}

int ct_dd_exits(const struct ct_dds *d, ct_dd f, unsigned last, void (*see)(void *user, ct_dd exit),
		void *user)
{
	struct seeing s = { .d = d, .last = last, .see = see, .user = user };

	s.is_seen = calloc(d->n_nodes / 8 + 1, 1);
	if (!s.is_seen)
		return -ENOMEM;
	see_all(&s, f);
	free(s.is_seen);
	free(s.exit);
	return s.is_out_of_memory ? -ENOMEM : 0;
}
