/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The index of a chain: see index.h. Rules of one shape (which bits of the addresses, protocol,
 * which ports) are found by one hash of these bits of a packet. Hashes that collide only bring
 * more rules to be tried.
 */
#include "lib/ruleset/index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clean.h"
#include "lib/packet/wire.h"
#include "lib/ruleset/ext.h"

#define MIN_RULES 16u /* of a chain that is indexed */
#define MAX_PORTS 16u /* a rule is found by each of its ports, up to so many */

enum part { BY_PROTO = 1, BY_SPORT = 2, BY_DPORT = 4 };

/* Rules with the same hash: numbers[first .. first + n). */
struct slot {
	uint64_t hash;
	uint32_t first, n; /* n is 0 in an empty slot */
};

struct shape {
	union ct_addr src, dst; /* masks */
	uint8_t parts;		/* enum part */
	uint32_t n_pairs, mask; /* of slots */
	struct slot *slots;
	uint32_t *numbers;
};

struct ct_rule_index {
	struct ct_rule **rules;
	struct shape shapes[CT_MAX_SHAPES];
	uint32_t *wild;
	uint32_t n_shapes, n_wild;
};

/* What a rule asks for that can be looked up. */
struct asked {
	struct shape shape;
	const union ct_addr *src, *dst;
	uint16_t from, to; /* of the port */
};

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 32;
}

static uint64_t word(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t masked(uint64_t h, const uint8_t *addr, unsigned size, const union ct_addr *mask)
{
	if (size == 4)
		return mix(h, wire_raw32(addr) & wire_raw32(mask->bytes));
	return mix(mix(h, word(addr) & word(mask->bytes)), word(addr + 8) & word(mask->bytes + 8));
}

static uint64_t hash_of(const struct shape *s, const uint8_t *src, const uint8_t *dst,
			unsigned addr_size, uint8_t proto, uint16_t port)
{
	uint64_t h = masked(masked(s->parts, src, addr_size, &s->src), dst, addr_size, &s->dst);

	if (s->parts)
		h = mix(h, (uint64_t)proto << 16 | port);
	return h;
}

/* Making ------------------------------------------------------------------------------------- */

/* The ports that the first match of a rule asks for, when it is one of TCP or UDP. */
static void ask_port(const struct ct_rule *r, struct asked *a)
{
	const struct ct_rule_ext *e = r->match;
	static const char *const names[] = { "dport", "sport" };

	if (!e || !e->def || e->is_opaque || !(a->shape.parts & BY_PROTO) ||
	    !((e->def->match == ct_match_tcp && r->proto == PROTO_TCP) ||
	      (e->def->match == ct_match_udp && r->proto == PROTO_UDP)))
		return;
	for (unsigned i = 0; i < 2; i++) {
		const struct ct_rule_option *o = ct_ext_option(e, names[i]);

		if (!o || o->is_inverted || o->is_opaque || o->n[0] > o->n[1] ||
		    o->n[1] - o->n[0] >= MAX_PORTS)
			continue;
		a->shape.parts |= i ? BY_SPORT : BY_DPORT;
		a->from = (uint16_t)o->n[0];
		a->to = (uint16_t)o->n[1];
		return;
	}
}

/* False when nothing of the rule can be looked up. */
static bool ask(const struct ct_rule *r, struct asked *a)
{
	static const union ct_addr none;

	*a = (struct asked){ .src = &r->src, .dst = &r->dst };
	if (!(r->flags & CT_RULE_NOT_SRC))
		a->shape.src = r->src_mask;
	if (!(r->flags & CT_RULE_NOT_DST))
		a->shape.dst = r->dst_mask;
	if (r->proto && !(r->flags & CT_RULE_NOT_PROTO))
		a->shape.parts = BY_PROTO;
	ask_port(r, a);
	return a->shape.parts || memcmp(&a->shape.src, &none, sizeof(none)) != 0 ||
	       memcmp(&a->shape.dst, &none, sizeof(none)) != 0;
}

/* The shape that is equal, or a new one; null when there are too many. */
static struct shape *shape_of(struct ct_rule_index *x, const struct shape *s)
{
	for (uint32_t i = 0; i < x->n_shapes; i++)
		if (x->shapes[i].parts == s->parts &&
		    memcmp(&x->shapes[i].src, &s->src, sizeof(s->src)) == 0 &&
		    memcmp(&x->shapes[i].dst, &s->dst, sizeof(s->dst)) == 0)
			return &x->shapes[i];
	if (x->n_shapes == CT_MAX_SHAPES)
		return NULL;
	x->shapes[x->n_shapes] = *s;
	return &x->shapes[x->n_shapes++];
}

struct pair {
	uint64_t hash;
	uint32_t number;
};

static int pair_order(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

static struct slot *slot_of(const struct shape *s, uint64_t hash)
{
	uint32_t at = (uint32_t)hash & s->mask;

	while (s->slots[at].n && s->slots[at].hash != hash)
		at = (at + 1) & s->mask;
	return &s->slots[at];
}

/* The slots of a shape out of its sorted pairs. */
static int fill(struct ct_arena *arena, struct shape *s, const struct pair *pairs)
{
	uint32_t size = 4;

	while (size < 2 * s->n_pairs)
		size *= 2;
	s->mask = size - 1;
	s->slots = ct_arena_get(arena, size * sizeof(*s->slots));
	s->numbers = ct_arena_get(arena, s->n_pairs * sizeof(*s->numbers));
	if (!s->slots || !s->numbers)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->n_pairs; i++) {
		struct slot *slot = slot_of(s, pairs[i].hash);

		if (!slot->n)
			*slot = (struct slot){ pairs[i].hash, i, 0 };
		slot->n++;
		s->numbers[i] = pairs[i].number;
	}
	return 0;
}

/* Gathers the rules of shape @s, each with every port it asks for. */
static int gather(const struct ct_ruleset *rs, struct ct_rule_index *x, struct shape *s,
		  uint32_t n_rules, struct pair *pairs)
{
	unsigned size = rs->family == CT_FAMILY_IPV6 ? 16 : 4;

	s->n_pairs = 0;
	for (uint32_t i = 0; i < n_rules; i++) {
		struct asked a;

		if (!ask(x->rules[i], &a) || shape_of(x, &a.shape) != s)
			continue;
		for (uint32_t port = a.from; port <= a.to; port++)
			pairs[s->n_pairs++] = (struct pair){
				hash_of(s, a.src->bytes, a.dst->bytes, size,
					s->parts ? x->rules[i]->proto : 0, (uint16_t)port),
				i,
			};
	}
	qsort(pairs, s->n_pairs, sizeof(*pairs), pair_order);
	return 0;
}

/* Shapes are counted and the rules without one set aside. How many pairs there may be. */
static size_t sort_rules(struct ct_rule_index *x, uint32_t n_rules)
{
	size_t n_pairs = 0;

	for (uint32_t i = 0; i < n_rules; i++) {
		struct asked a;

		if (!ask(x->rules[i], &a) || !shape_of(x, &a.shape))
			x->wild[x->n_wild++] = i;
		else
			n_pairs += a.to - a.from + 1u;
	}
	return n_pairs;
}

int ct_rule_index_make(struct ct_ruleset *rs, struct ct_rule_chain *c)
{
	struct ct_rule_index *x;
	auto_memory struct pair *pairs = NULL;
	uint32_t n = 0;
	int ret = 0;

	if (c->n_rules < MIN_RULES)
		return 0;
	x = ct_arena_get(&rs->arena, sizeof(*x));
	if (!x)
		return -ENOMEM;
	x->rules = ct_arena_get(&rs->arena, c->n_rules * sizeof(struct ct_rule *));
	x->wild = ct_arena_get(&rs->arena, c->n_rules * sizeof(*x->wild));
	if (!x->rules || !x->wild)
		return -ENOMEM;
	for (struct ct_rule *r = c->first; r; r = r->next) {
		r->number = n;
		x->rules[n++] = r;
	}
	pairs = malloc((sort_rules(x, n) + 1) * sizeof(*pairs));
	if (!pairs)
		return -ENOMEM;
	for (uint32_t i = 0; ret == 0 && i < x->n_shapes; i++) {
		ret = gather(rs, x, &x->shapes[i], n, pairs);
		if (ret == 0)
			ret = fill(&rs->arena, &x->shapes[i], pairs);
	}
	if (ret == 0)
		c->index = x;
	return ret;
}

/* Finding ------------------------------------------------------------------------------------ */

bool ct_rule_index_fits(const struct ct_judging *j)
{
	uint32_t least = j->proto == PROTO_TCP ? 20 : j->proto == PROTO_UDP ? 8 : 0;

	return !j->is_broken && !j->is_fragment && j->l4_size >= least;
}

void ct_rule_index_find(const struct ct_rule_index *x, const struct ct_judging *j,
			struct ct_rule_heads *heads)
{
	bool has_ports = j->proto == PROTO_TCP || j->proto == PROTO_UDP;
	uint16_t sport = has_ports ? wire_be16(j->l4) : 0;
	uint16_t dport = has_ports ? wire_be16(j->l4 + 2) : 0;
	unsigned n = 0;

	heads->index = x;
	if (x->n_wild) {
		heads->at[0] = x->wild;
		heads->end[0] = x->wild + x->n_wild;
		n = 1;
	}
	for (uint32_t i = 0; i < x->n_shapes; i++) {
		const struct shape *s = &x->shapes[i];
		uint16_t port = s->parts & BY_DPORT ? dport : s->parts & BY_SPORT ? sport : 0;
		const struct slot *slot =
			slot_of(s, hash_of(s, j->src, j->dst, j->addr_size, j->proto, port));

		if (!slot->n)
			continue;
		heads->at[n] = s->numbers + slot->first;
		heads->end[n++] = s->numbers + slot->first + slot->n;
	}
	heads->n = n;
}

/* The first number of a list from @from on: near its head, or by halves. */
static const uint32_t *skip(const uint32_t *at, const uint32_t *end, uint32_t from)
{
	if (at < end && *at < from)
		at++;
	if (at == end || *at >= from)
		return at;
	while (at < end) {
		const uint32_t *middle = at + (end - at) / 2;

		if (*middle < from)
			at = middle + 1;
		else
			end = middle;
	}
	return at;
}

struct ct_rule *ct_rule_index_next(struct ct_rule_heads *h, uint32_t from)
{
	uint32_t least = UINT32_MAX;

	for (unsigned i = 0; i < h->n; i++) {
		h->at[i] = skip(h->at[i], h->end[i], from);
		if (h->at[i] < h->end[i] && *h->at[i] < least)
			least = *h->at[i];
	}
	return least == UINT32_MAX ? NULL : h->index->rules[least];
}
