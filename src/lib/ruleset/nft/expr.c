/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Expressions out of values: constants, fields and keys, what is computed from them, maps. The
 * list says which kinds are known; all others are opaque. Answers to Linux 6.18,
 * net/netfilter/nft_bitwise.c, nft_lookup.c, and nft 1.0.6, src/parser_json.c.
 */
#include "lib/ruleset/nft/expr.h"

#include <errno.h>
#include <string.h>

#include "lib/ruleset/nft/set.h"

typedef int read_fn(struct ct_nft_reading *r, const struct ct_value *v, struct ct_nft_expr *e);

enum ct_truth ct_nft_load(struct ct_nft_expr *e, struct ct_nft_judging *j, struct ct_nft_data *out)
{
	enum ct_truth is_there = e->load ? e->load(e, j, out) : CT_UNSURE;

	if (is_there == CT_UNSURE && !j->doubt)
		j->doubt = e->name;
	return is_there;
}

bool ct_nft_expr_is_opaque(const struct ct_nft_expr *e)
{
	return !e->load;
}

static enum ct_truth load_constant(struct ct_nft_expr *e, struct ct_nft_judging *j,
				   struct ct_nft_data *out)
{
	(void)j;
	*out = e->range[0];
	return CT_YES;
}

/* Operators --------------------------------------------------------------------------------- */

static void shift(uint8_t *bytes, uint32_t size, uint32_t by, bool is_left)
{
	for (; by; by--)
		for (uint32_t i = 0; i < size; i++) {
			uint32_t k = is_left ? i : size - 1 - i;

			if (is_left)
				bytes[k] = (uint8_t)(bytes[k] << 1 |
						     (k + 1 < size ? bytes[k + 1] >> 7 : 0));
			else
				bytes[k] =
					(uint8_t)(bytes[k] >> 1 | (k > 0 ? bytes[k - 1] << 7 : 0));
		}
}

static void combine(char op, struct ct_nft_data *to, const struct ct_nft_data *with)
{
	if (op == '<' || op == '>') {
		uint64_t by = ct_nft_number(with->bytes, with->size);

		shift(to->bytes, to->size, by < 8 * to->size ? (uint32_t)by : 8 * to->size,
		      op == '<');
		return;
	}
	for (uint32_t i = 0; i < to->size; i++)
		to->bytes[i] = (uint8_t)(op == '&'   ? to->bytes[i] & with->bytes[i]
					 : op == '|' ? to->bytes[i] | with->bytes[i]
						     : to->bytes[i] ^ with->bytes[i]);
}

/* n[0]: the operator. */
static enum ct_truth load_binary(struct ct_nft_expr *e, struct ct_nft_judging *j,
				 struct ct_nft_data *out)
{
	enum ct_truth is_there = ct_nft_load(e->first, j, out);

	for (struct ct_nft_expr *o = e->first->next; is_there == CT_YES && o; o = o->next) {
		struct ct_nft_data with = { .size = 0 };

		is_there = ct_nft_load(o, j, &with);
		if (is_there == CT_YES)
			combine((char)e->n[0], out, &with);
	}
	return is_there;
}

static int binary_read(struct ct_nft_reading *r, const struct ct_value *v, struct ct_nft_expr *e,
		       const struct ct_nft_shape *want)
{
	struct ct_nft_expr **end = &e->first;

	e->n[0] = (uint32_t)v->key[0];
	e->name = v->key;
	if (v->type != CT_VALUE_LIST || v->len < 2)
		return -EINVAL;
	for (const struct ct_value *m = v->first; m; m = m->next) {
		struct ct_nft_expr *o = ct_nft_expr_read(r, m, e->first ? &e->first->shape : want);

		if (!o || ct_nft_expr_is_opaque(o)) {
			e->name = o ? o->name : e->name;
			return -EINVAL;
		}
		if (e->first && !ct_nft_shape_fits(&o->shape, &e->first->shape))
			return -EINVAL;
		*end = o;
		end = &o->next;
	}
	e->shape = e->first->shape;
	e->load = load_binary;
	return e->shape.n == 1 ? 0 : -EINVAL;
}

/* Concatenations ---------------------------------------------------------------------------- */

static enum ct_truth load_concat(struct ct_nft_expr *e, struct ct_nft_judging *j,
				 struct ct_nft_data *out)
{
	enum ct_truth all = CT_YES;
	unsigned i = 0;

	*out = (struct ct_nft_data){ .size = ct_nft_shape_size(&e->shape) };
	for (struct ct_nft_expr *o = e->first; o; o = o->next, i++) {
		struct ct_nft_data part = { .size = 0 };
		enum ct_truth one = ct_nft_load(o, j, &part);

		if (one == CT_NO)
			return CT_NO;
		if (one == CT_UNSURE)
			all = CT_UNSURE;
		else
			memcpy(out->bytes + ct_nft_part_at(&e->shape, i), part.bytes, part.size);
	}
	return all;
}

static int concat_read(struct ct_nft_reading *r, const struct ct_value *v, struct ct_nft_expr *e)
{
	struct ct_nft_expr **end = &e->first;

	if (v->type != CT_VALUE_LIST || v->len < 2 || v->len > CT_NFT_MAX_PARTS)
		return -EINVAL;
	for (const struct ct_value *m = v->first; m; m = m->next) {
		struct ct_nft_expr *o = ct_nft_expr_read(r, m, NULL);

		if (!o || o->shape.n != 1) {
			e->name = o ? o->name : e->name;
			return -EINVAL;
		}
		e->shape.part[e->shape.n++] = o->shape.part[0];
		*end = o;
		end = &o->next;
	}
	if (ct_nft_shape_size(&e->shape) > CT_NFT_MAX_DATA)
		return -EINVAL;
	e->load = load_concat;
	return 0;
}

/* Maps -------------------------------------------------------------------------------------- */

/* The element that the key leads to. */
static enum ct_truth map_find(struct ct_nft_expr *e, struct ct_nft_judging *j,
			      const struct ct_nft_elem **out)
{
	struct ct_nft_data key = { .size = 0 };
	enum ct_truth is_there = ct_nft_load(e->first, j, &key);

	if (is_there != CT_YES)
		return is_there;
	if (e->set->is_opaque)
		return CT_UNSURE;
	*out = ct_nft_set_find(e->set, &key, j->p->now);
	if (!*out)
		return CT_NO;
	return (*out)->data ? CT_YES : CT_UNSURE;
}

static enum ct_truth load_map(struct ct_nft_expr *e, struct ct_nft_judging *j,
			      struct ct_nft_data *out)
{
	const struct ct_nft_elem *el;
	enum ct_truth is_there = map_find(e, j, &el);

	if (is_there != CT_YES)
		return is_there;
	out->size = ct_nft_shape_size(&e->shape);
	memcpy(out->bytes, el->data, out->size);
	return CT_YES;
}

/* The key is asked for once: numbers that are counted count. */
enum ct_truth ct_nft_load_range(struct ct_nft_expr *e, struct ct_nft_judging *j,
				struct ct_nft_data *from, struct ct_nft_data *to)
{
	const struct ct_nft_elem *el = NULL;
	enum ct_truth is_there =
		e->load == load_map ? map_find(e, j, &el) : ct_nft_load(e, j, from);

	if (is_there == CT_UNSURE && !j->doubt)
		j->doubt = e->name;
	if (is_there != CT_YES)
		return is_there;
	if (el) {
		from->size = ct_nft_shape_size(&e->shape);
		memcpy(from->bytes, el->data, from->size);
	}
	*to = *from;
	if (el)
		memcpy(to->bytes, el->data_to, to->size);
	else if (e->range)
		*to = e->range[1];
	return is_there;
}

static int map_read(struct ct_nft_reading *r, const struct ct_value *v, struct ct_nft_expr *e,
		    const struct ct_nft_shape *want)
{
	const struct ct_value *key = ct_value_get(v, "key"), *data = ct_value_get(v, "data");

	if (!key || !data)
		return -EINVAL;
	e->first = ct_nft_expr_read(r, key, NULL);
	if (!e->first)
		return -EINVAL;
	e->name = e->first->name;
	e->set = ct_nft_set_of(r, data, &e->first->shape,
			       (struct ct_nft_wanted){ .gives = CT_NFT_GIVES_DATA, .data = want });
	if (!e->set)
		return -EINVAL;
	e->shape = e->set->data;
	e->load = load_map;
	return 0;
}

/* Reading ----------------------------------------------------------------------------------- */

static int constant_read(struct ct_nft_reading *r, const struct ct_value *v, struct ct_nft_expr *e,
			 const struct ct_nft_shape *want)
{
	if (!want || !want->n)
		return -EINVAL;
	e->range = ct_nft_get(r, 2 * sizeof(*e->range));
	if (!e->range)
		return -ENOMEM;
	e->shape = *want;
	e->load = load_constant;
	return ct_nft_constant(want, v, &e->range[0], &e->range[1]);
}

static int kind_read(struct ct_nft_reading *r, const struct ct_value *v, struct ct_nft_expr *e,
		     const struct ct_nft_shape *want)
{
	static const struct {
		const char *kind;
		read_fn *read;
	} kinds[] = {
		{ "payload", ct_nft_payload_read },
		{ "exthdr", ct_nft_exthdr_read },
		{ "tcp option", ct_nft_tcp_option_read },
		{ "meta", ct_nft_meta_read },
		{ "ct", ct_nft_ct_read },
		{ "fib", ct_nft_fib_read },
		{ "numgen", ct_nft_numgen_read },
		{ "jhash", ct_nft_jhash_read },
		{ "concat", concat_read },
	};
	static const char *const operators[] = { "&", "|", "^", "<<", ">>" };
	const struct ct_value *of = v->first;

	for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++)
		if (strcmp(operators[i], of->key) == 0)
			return binary_read(r, of, e, want);
	if (strcmp(of->key, "map") == 0)
		return map_read(r, of, e, want);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].kind, of->key) == 0)
			return kinds[i].read(r, of, e);
	return constant_read(r, v, e, want);
}

/* "rt nexthop": the kind and what it asks for. */
static const char *kind_name(struct ct_nft_reading *r, const struct ct_value *v)
{
	const char *of = ct_value_get_str(v, "key");

	if (!of)
		of = ct_value_get_str(v, "name");
	return of ? ct_nft_label(r, v->key, of) : v->key;
}

struct ct_nft_expr *ct_nft_expr_read(struct ct_nft_reading *r, const struct ct_value *v,
				     const struct ct_nft_shape *want)
{
	struct ct_nft_expr *e = ct_nft_get(r, sizeof(*e));
	int ret;

	if (!e)
		return NULL;
	if (v->type == CT_VALUE_OBJECT && v->len == 1 && v->first->key[0]) {
		e->name = kind_name(r, v->first);
		ret = kind_read(r, v, e, want);
	} else {
		e->name = "constant";
		ret = constant_read(r, v, e, want);
	}
	if (ret < 0)
		e->load = NULL;
	if (ret < 0 && r->rule)
		r->rule->is_opaque = true;
	return e;
}
