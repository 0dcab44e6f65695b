/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Sets: see set.h. Keys are hashed; those of a set with ranges are sorted, and of a set with ranges
 * in concatenations looked through one by one. Answers to Linux 6.18, net/netfilter/nft_lookup.c,
 * nft_dynset.c, nf_tables_api.c, and to nft 1.0.6, src/json.c.
 */
#include "lib/ruleset/nft/set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/ruleset/nft/expr.h"
#include "lib/ruleset/nft/state.h"
#include "lib/ruleset/nft/stmt.h"

#define MAX_ELEMS     4000000u /* of one rule set */
#define MAX_TIMEOUT_S 1000000000u

/* Shapes ------------------------------------------------------------------------------------ */

static bool part_add(struct ct_nft_shape *shape, const char *name)
{
	int type = name ? ct_nft_type_find(name) : -1;

	if (type < 0 || shape->n == CT_NFT_MAX_PARTS)
		return false;
	shape->part[shape->n] = ct_nft_shape_of((enum ct_nft_type)type, 0).part[0];
	return shape->part[shape->n++].bits > 0;
}

/* "ipv4_addr . inet_service" */
static bool joined_shape(const char *text, struct ct_nft_shape *out)
{
	for (;;) {
		const char *dot = strstr(text, " . ");
		size_t len = dot ? (size_t)(dot - text) : strlen(text);
		char name[32];

		if (len >= sizeof(name))
			return false;
		memcpy(name, text, len);
		name[len] = '\0';
		if (!part_add(out, name))
			return false;
		if (!dot)
			return true;
		text = dot + 3;
	}
}

/* A name, a list of names, or {"typeof": expression}. */
static bool shape_read(struct ct_nft_reading *r, const struct ct_value *v, struct ct_nft_shape *out)
{
	const struct ct_value *of = ct_value_get(v, "typeof");

	*out = (struct ct_nft_shape){ 0 };
	if (of) {
		const struct ct_nft_expr *e = ct_nft_expr_read(r, of, NULL);

		if (e)
			*out = e->shape;
	} else if (ct_value_str(v)) {
		if (!joined_shape(v->text, out))
			out->n = 0;
	} else if (v && v->type == CT_VALUE_LIST) {
		for (const struct ct_value *m = v->first; m; m = m->next)
			if (!part_add(out, ct_value_str(m))) {
				out->n = 0;
				break;
			}
	}
	return out->n > 0 && ct_nft_shape_size(out) <= CT_NFT_MAX_DATA;
}

/* Looking ----------------------------------------------------------------------------------- */

static uint32_t hash_of(const uint8_t *key, uint32_t size)
{
	uint32_t h = 2166136261u;

	for (uint32_t i = 0; i < size; i++)
		h = (h ^ key[i]) * 16777619u;
	return h ^ h >> 15;
}

static bool is_alive(const struct ct_nft_elem *e, ct_time now)
{
	return !e->is_gone && (!e->until || now < e->until);
}

/* Each part of the key within the part's own range. */
static bool is_within(const struct ct_nft_set *set, const struct ct_nft_elem *e, const uint8_t *key)
{
	for (unsigned i = 0; i < set->key.n; i++) {
		uint32_t at = ct_nft_part_at(&set->key, i);
		uint32_t size = ct_nft_part_size(&set->key.part[i]);

		if (memcmp(key + at, e->from + at, size) < 0 ||
		    memcmp(key + at, e->to + at, size) > 0)
			return false;
	}
	return true;
}

static struct ct_nft_elem *find_sorted(const struct ct_nft_set *set, const uint8_t *key)
{
	uint32_t size = ct_nft_shape_size(&set->key), low = 0, high = set->index_size;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (memcmp(set->index[mid]->from, key, size) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low && memcmp(set->index[low - 1]->to, key, size) >= 0 ? set->index[low - 1] : NULL;
}

static struct ct_nft_elem *find_hashed(const struct ct_nft_set *set, const uint8_t *key)
{
	uint32_t size = ct_nft_shape_size(&set->key);
	struct ct_nft_elem *e =
		set->index_size ? set->index[hash_of(key, size) & (set->index_size - 1)] : NULL;

	while (e && (e->is_gone || memcmp(e->from, key, size) != 0))
		e = e->chained;
	return e;
}

struct ct_nft_elem *ct_nft_set_find(const struct ct_nft_set *set, const struct ct_nft_data *key,
				    ct_time now)
{
	struct ct_nft_elem *e = NULL;

	if (!set->has_ranges)
		e = find_hashed(set, key->bytes);
	else if (set->key.n == 1)
		e = find_sorted(set, key->bytes);
	else
		for (e = set->first; e; e = e->next)
			if (e->from && is_alive(e, now) && is_within(set, e, key->bytes))
				break;
	if (e && is_alive(e, now))
		return e;
	return set->rest && is_alive(set->rest, now) ? set->rest : NULL;
}

/* Building ---------------------------------------------------------------------------------- */

static int by_key(const void *a, const void *b, void *size)
{
	const struct ct_nft_elem *const *x = a, *const *y = b;

	return memcmp((*x)->from, (*y)->from, *(const uint32_t *)size);
}

/* Elements with keys as an array in order; false when ranges overlap, which nft refuses. */
static bool index_sorted(struct ct_arena *a, struct ct_nft_set *set)
{
	uint32_t size = ct_nft_shape_size(&set->key), n = 0;

	set->index = ct_arena_get(a, (set->n_elems + 1) * sizeof(*set->index));
	if (!set->index)
		return false;
	for (struct ct_nft_elem *e = set->first; e; e = e->next)
		if (e->from)
			set->index[n++] = e;
	set->index_size = n;
	qsort_r(set->index, n, sizeof(*set->index), by_key, &size);
	for (uint32_t i = 1; i < n; i++)
		if (memcmp(set->index[i - 1]->to, set->index[i]->from, size) >= 0)
			return false;
	return true;
}

static void index_put(struct ct_nft_set *set, struct ct_nft_elem *e)
{
	uint32_t at = hash_of(e->from, ct_nft_shape_size(&set->key)) & (set->index_size - 1);

	e->chained = set->index[at];
	set->index[at] = e;
}

/* A hash index with room for one more. */
static bool index_hashed(struct ct_arena *a, struct ct_nft_set *set)
{
	uint32_t size = set->index_size ? set->index_size : 8;
	struct ct_nft_elem **index;

	if (set->index && set->n_elems < set->index_size)
		return true;
	while (size <= set->n_elems)
		size *= 2;
	index = ct_arena_get(a, size * sizeof(*index));
	if (!index)
		return false;
	set->index = index;
	set->index_size = size;
	for (struct ct_nft_elem *e = set->first; e; e = e->next)
		if (e->from && !e->is_gone)
			index_put(set, e);
	return true;
}

static void elem_hang(struct ct_nft_set *set, struct ct_nft_elem *e)
{
	*set->end = e;
	set->end = &e->next;
	set->n_elems++;
	set->n_live++;
}

static struct ct_nft_set *set_begin(struct ct_arena *a)
{
	struct ct_nft_set *set = ct_arena_get(a, sizeof(*set));

	if (set)
		set->end = &set->first;
	return set;
}

/* Elements out of values -------------------------------------------------------------------- */

static uint8_t *keep(struct ct_nft_reading *r, const struct ct_nft_data *d)
{
	uint8_t *to = ct_nft_get(r, d->size);

	if (to)
		memcpy(to, d->bytes, d->size);
	return to;
}

/* The two ends of a constant; the same memory when they are equal. */
static int keep_both(struct ct_nft_reading *r, const struct ct_nft_shape *shape,
		     const struct ct_value *v, uint8_t **from, uint8_t **to)
{
	struct ct_nft_data a, b;

	if (ct_nft_constant(shape, v, &a, &b) < 0)
		return -EINVAL;
	*from = keep(r, &a);
	*to = memcmp(a.bytes, b.bytes, a.size) == 0 ? *from : keep(r, &b);
	return *from && *to ? 0 : -ENOMEM;
}

/* Fills the data of an element of a map. */
static int data_read(struct ct_nft_reading *r, struct ct_nft_set *set, const char *kind,
		     const struct ct_value *v, struct ct_nft_elem *e)
{
	const char *name = ct_value_str(v);

	switch ((enum ct_nft_gives)set->gives) {
	case CT_NFT_GIVES_NOTHING:
		return 0;
	case CT_NFT_GIVES_DATA:
		return keep_both(r, &set->data, v, &e->data, &e->data_to);
	case CT_NFT_GIVES_VERDICT:
		return ct_nft_verdict_read(r, v, &e->verdict) ? 0 : -EINVAL;
	case CT_NFT_GIVES_OBJECT:
		e->object = name && kind ? ct_nft_find(r->nft, r->table, kind, name) : NULL;
		return 0;
	case CT_NFT_GIVES_UNKNOWN:
		break;
	}
	return -EINVAL;
}

/* {"val": key, "timeout": s, "expires": s, "counter": {...}} */
static int elem_details(struct ct_nft_reading *r, struct ct_nft_elem *e, struct ct_value *v)
{
	struct ct_nft_state **end = &e->states;

	e->timeout_s = ct_value_get_number(v, "timeout", 0);
	e->expires = ct_value_get(v, "expires");
	if (e->expires && (e->expires->type != CT_VALUE_NUMBER || e->expires->number < 0))
		return -EINVAL;
	for (struct ct_value *m = v->first; m; m = m->next)
		if (ct_nft_is_state(m->key)) {
			*end = ct_nft_state_read(r->nft, m->key, m);
			if (!*end)
				return -EINVAL;
			end = &(*end)->next;
		}
	return 0;
}

/* One element; -EINVAL when it is not understood. */
static int elem_read(struct ct_nft_reading *r, struct ct_nft_set *set, const char *kind,
		     struct ct_value *v)
{
	bool is_map = set->gives != CT_NFT_GIVES_NOTHING;
	struct ct_value *key = is_map ? NULL : v, *details;
	struct ct_nft_elem *e = ct_nft_get(r, sizeof(*e));
	int ret;

	if (!e)
		return -ENOMEM;
	if (is_map && v->type == CT_VALUE_LIST && v->len == 2)
		key = v->first;
	if (!key)
		return -EINVAL;
	e->value = v;
	details = ct_value_get(key, "elem");
	if (details && (details->type != CT_VALUE_OBJECT || elem_details(r, e, details) < 0))
		return -EINVAL;
	if (details)
		key = ct_value_get(details, "val");
	if (!key || (is_map && data_read(r, set, kind, v->first->next, e) < 0))
		return -EINVAL;
	if (ct_value_str(key) && strcmp(key->text, "*") == 0) {
		set->rest = e;
	} else {
		ret = keep_both(r, &set->key, key, &e->from, &e->to);
		if (ret < 0)
			return ret;
		set->has_ranges |= e->from != e->to;
	}
	elem_hang(set, e);
	return 0;
}

/* All elements; what is not understood makes the set opaque. */
static int elems_read(struct ct_nft_reading *r, struct ct_nft_set *set, const char *kind,
		      const struct ct_value *list)
{
	for (struct ct_value *m = list ? list->first : NULL; m; m = m->next) {
		int ret;

		if (++r->nft->n_elems > MAX_ELEMS)
			return ct_err_set(r->err, -E2BIG, "more than %u elements of sets",
					  MAX_ELEMS);
		ret = set->is_opaque ? 0 : elem_read(r, set, kind, m);
		if (ret == -ENOMEM || r->is_out_of_memory)
			return -ENOMEM;
		if (ret < 0)
			set->is_opaque = true;
	}
	if (set->is_opaque)
		return 0;
	if (!set->has_ranges)
		return index_hashed(r->arena, set) ? 0 : -ENOMEM;
	if (set->key.n == 1 && !index_sorted(r->arena, set))
		set->is_opaque = true;
	return 0;
}

/* What a map object gives: "verdict", the kind of an object, a type. */
static const char *gives_read(struct ct_nft_reading *r, struct ct_nft_set *set,
			      const struct ct_value *v)
{
	const char *name = ct_value_str(v);

	if (!v)
		return NULL;
	if (name && strcmp(name, "verdict") == 0) {
		set->gives = CT_NFT_GIVES_VERDICT;
	} else if (name && ct_nft_is_state(name)) {
		set->gives = CT_NFT_GIVES_OBJECT;
		return name;
	} else if (shape_read(r, v, &set->data)) {
		set->gives = CT_NFT_GIVES_DATA;
	} else {
		set->gives = CT_NFT_GIVES_UNKNOWN;
		set->is_opaque = true;
	}
	return NULL;
}

struct ct_nft_set *ct_nft_set_read(struct ct_nft_reading *r, struct ct_value *object)
{
	struct ct_nft_set *set = set_begin(r->arena);
	const struct ct_value *list = ct_value_get(object, "elem");
	const char *kind;

	if (!set)
		return NULL;
	set->value = object;
	set->name = ct_value_get_str(object, "name");
	set->timeout_s = ct_value_get_number(object, "timeout", 0);
	set->max = ct_value_get_number(object, "size", 0);
	set->is_opaque = !shape_read(r, ct_value_get(object, "type"), &set->key);
	kind = gives_read(r, set, ct_value_get(object, "map"));
	if (list && list->type != CT_VALUE_LIST)
		list = NULL;
	if (elems_read(r, set, kind, list) < 0)
		return NULL;
	for (struct ct_nft_elem *e = set->first; e; e = e->next)
		if (!e->timeout_s)
			e->timeout_s = set->timeout_s;
	return set;
}

static struct ct_nft_set *set_anonymous(struct ct_nft_reading *r, const struct ct_value *list,
					const struct ct_nft_shape *key, struct ct_nft_wanted want)
{
	struct ct_nft_set *set = set_begin(r->arena);

	if (!set || list->type != CT_VALUE_LIST)
		return NULL;
	set->name = "";
	set->key = *key;
	set->gives = (uint8_t)want.gives;
	if (want.data)
		set->data = *want.data;
	set->is_opaque = !key->n || (want.gives == CT_NFT_GIVES_DATA && !set->data.n);
	return elems_read(r, set, want.kind, list) < 0 ? NULL : set;
}

struct ct_nft_set *ct_nft_set_of(struct ct_nft_reading *r, const struct ct_value *v,
				 const struct ct_nft_shape *key, struct ct_nft_wanted want)
{
	const char *name = ct_value_str(v);
	const struct ct_value *list = ct_value_get(v, "set");
	struct ct_nft_set *set;

	if (list)
		return set_anonymous(r, list, key, want);
	if (!name || name[0] != '@')
		return NULL;
	set = ct_nft_find(r->nft, r->table, "set", name + 1);
	if (!set || set->gives == CT_NFT_GIVES_UNKNOWN || set->gives != want.gives)
		return NULL;
	return set->is_opaque || ct_nft_shape_fits(key, &set->key) ? set : NULL;
}

struct ct_nft_set *ct_nft_set_new(struct ct_nft_reading *r, const struct ct_nft_shape *key)
{
	struct ct_nft_set *set = set_begin(r->arena);

	if (!set)
		return NULL;
	set->name = "";
	set->key = *key;
	set->is_opaque = !key->n;
	return set;
}

/* Packets ----------------------------------------------------------------------------------- */

void ct_nft_elem_renew(struct ct_nft_elem *e, ct_time now, uint64_t timeout_s)
{
	if (timeout_s && timeout_s < MAX_TIMEOUT_S)
		e->until = now + (ct_time)timeout_s * CT_NS_PER_S;
}

void ct_nft_set_begin(struct ct_nft_set *set, ct_time now)
{
	for (struct ct_nft_elem *e = set->first; e; e = e->next) {
		uint64_t left = e->expires ? (uint64_t)e->expires->number : e->timeout_s;

		ct_nft_elem_renew(e, now, left);
	}
}

void ct_nft_elem_end(struct ct_nft_set *set, struct ct_nft_elem *e)
{
	if (e == set->rest)
		return;
	e->is_gone = true;
	set->n_live--;
	set->is_changed = true;
}

/* What has expired makes room, as the kernel's collector sees to each second. */
static void expire(struct ct_nft_set *set, ct_time now)
{
	for (struct ct_nft_elem *e = set->first; e; e = e->next)
		if (!e->is_gone && !is_alive(e, now))
			ct_nft_elem_end(set, e);
}

struct ct_nft_elem *ct_nft_set_add(struct ct_nft_judging *j, struct ct_nft_set *set,
				   const struct ct_nft_data *key, uint64_t timeout_s)
{
	struct ct_nft_elem *e;

	if (set->max && set->n_live >= set->max)
		expire(set, j->p->now);
	if ((set->max && set->n_live >= set->max) || set->has_ranges ||
	    !index_hashed(j->arena, set))
		return NULL;
	e = ct_arena_get(j->arena, sizeof(*e));
	if (!e)
		return NULL;
	e->from = e->to = ct_arena_get(j->arena, key->size);
	if (!e->from)
		return NULL;
	memcpy(e->from, key->bytes, key->size);
	e->timeout_s = timeout_s ? timeout_s : set->timeout_s;
	ct_nft_elem_renew(e, j->p->now, e->timeout_s);
	elem_hang(set, e);
	index_put(set, e);
	set->is_changed = true;
	return e;
}

enum ct_nft_step ct_nft_elem_run(struct ct_nft_elem *e, struct ct_nft_judging *j)
{
	for (struct ct_nft_state *s = e->states; s; s = s->next)
		if (ct_nft_state_run(s, j) == CT_NFT_BREAK)
			return CT_NFT_BREAK;
	return CT_NFT_ON;
}

/* Writing ----------------------------------------------------------------------------------- */

/* {"elem": {"val": key, ...}} for an element that a packet added; its key alone when that is all.
 */
static struct ct_value *elem_spell(struct ct_arena *a, const struct ct_nft_set *set,
				   const struct ct_nft_elem *e, ct_time now)
{
	struct ct_value *key = ct_nft_spell(a, &set->key, e->from), *outer, *inner, *last;

	if (!key || (!e->until && !e->states))
		return key;
	outer = ct_value_new(a, CT_VALUE_OBJECT);
	inner = ct_value_new(a, CT_VALUE_OBJECT);
	if (!outer || !ct_value_put(outer, NULL, "elem", inner))
		return NULL;
	last = ct_value_put(inner, NULL, "val", key);
	if (e->until && e->timeout_s != set->timeout_s && last)
		last = ct_value_put(inner, last, "timeout",
				    ct_value_number(a, (int64_t)e->timeout_s));
	if (e->until && last)
		last = ct_value_put(inner, last, "expires",
				    ct_value_number(a, (e->until - now) / CT_NS_PER_S));
	for (const struct ct_nft_state *s = e->states; s && last; s = s->next)
		last = ct_value_put(inner, last, ct_nft_state_name(s), ct_nft_state_spell(a, s));
	return last ? outer : NULL;
}

static struct ct_value *list_of(struct ct_arena *a, struct ct_value *object)
{
	struct ct_value *list = ct_value_get(object, "elem"), *last = object->first;

	if (list)
		return list;
	while (last && last->next)
		last = last->next;
	return ct_value_put(object, last, "elem", ct_value_new(a, CT_VALUE_LIST));
}

int ct_nft_set_refresh(struct ct_arena *a, struct ct_nft_set *set, ct_time now)
{
	struct ct_value *list, *last = NULL;

	for (struct ct_nft_elem *e = set->first; e; e = e->next) {
		if (e->expires && is_alive(e, now))
			e->expires->number = (e->until - now) / CT_NS_PER_S;
		set->is_changed |= !is_alive(e, now);
	}
	if (!set->is_changed || !set->value || set->is_opaque)
		return 0;
	list = list_of(a, set->value);
	if (!list)
		return -ENOMEM;
	list->first = NULL;
	list->len = 0;
	for (struct ct_nft_elem *e = set->first; e; e = e->next) {
		struct ct_value *v = e->value;

		if (!is_alive(e, now))
			continue;
		if (!v)
			v = elem_spell(a, set, e, now);
		if (v)
			v->next = NULL;
		last = ct_value_put(list, last, NULL, v);
		if (!last)
			return -ENOMEM;
	}
	return 0;
}
