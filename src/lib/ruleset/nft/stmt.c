/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Statements that ask: comparing, looking up, counting; and the list of all of them. Answers to
 * Linux 6.18, net/netfilter/nft_cmp.c, nft_range.c, nft_lookup.c, nft_dynset.c, nft_objref.c, and
 * to nft 1.0.6, src/parser_json.c.
 */
#include "lib/ruleset/nft/stmt.h"

#include <errno.h>
#include <string.h>

#include "lib/ruleset/nft/expr.h"
#include "lib/ruleset/nft/set.h"
#include "lib/ruleset/nft/state.h"

static enum ct_nft_step step_of(enum ct_truth t)
{
	return t == CT_YES ? CT_NFT_ON : t == CT_NO ? CT_NFT_BREAK : CT_NFT_UNSURE;
}

static enum ct_nft_step unsure(struct ct_nft_stmt *s, struct ct_nft_judging *j)
{
	if (!j->doubt)
		j->doubt = s->name;
	return CT_NFT_UNSURE;
}

static enum ct_nft_step end(struct ct_nft_judging *j, struct ct_nft_verdict verdict)
{
	j->verdict = verdict;
	return verdict.code == CT_NFT_CONTINUE ? CT_NFT_ON : CT_NFT_END;
}

/* Comparing --------------------------------------------------------------------------------- */

enum op { OP_EQ, OP_NE, OP_LT, OP_GT, OP_LE, OP_GE, OP_IN };

static bool compare(enum op op, const struct ct_nft_data *v, const struct ct_nft_expr *with)
{
	int low = memcmp(v->bytes, with->range[0].bytes, v->size);
	int high = memcmp(v->bytes, with->range[1].bytes, v->size);

	switch (op) {
	case OP_EQ:
		return low >= 0 && high <= 0;
	case OP_NE:
		return low < 0 || high > 0;
	case OP_LT:
		return low < 0;
	case OP_GT:
		return low > 0;
	case OP_LE:
		return low <= 0;
	case OP_GE:
		return low >= 0;
	case OP_IN:
		break;
	}
	for (uint32_t i = 0; i < v->size; i++)
		if (v->bytes[i] & with->range[0].bytes[i])
			return true;
	return false;
}

static enum ct_nft_step run_compare(struct ct_nft_stmt *s, struct ct_nft_judging *j)
{
	struct ct_nft_data v = { .size = 0 };
	enum ct_truth is_there = ct_nft_load(s->left, j, &v);

	if (is_there != CT_YES)
		return step_of(is_there);
	return compare((enum op)s->op, &v, s->right) ? CT_NFT_ON : CT_NFT_BREAK;
}

/* nft_lookup_eval() */
static enum ct_nft_step run_lookup(struct ct_nft_stmt *s, struct ct_nft_judging *j)
{
	struct ct_nft_data v = { .size = 0 };
	enum ct_truth is_there = ct_nft_load(s->left, j, &v);
	struct ct_nft_elem *e;

	if (is_there != CT_YES)
		return step_of(is_there);
	if (s->set->is_opaque)
		return unsure(s, j);
	e = ct_nft_set_find(s->set, &v, j->p->now);
	if ((e != NULL) == (s->op == OP_NE))
		return CT_NFT_BREAK;
	return e && !j->is_asking ? ct_nft_elem_run(e, j) : CT_NFT_ON;
}

static int op_find(const char *name)
{
	static const char *const ops[] = { "==", "!=", "<", ">", "<=", ">=", "in" };

	for (size_t i = 0; name && i < sizeof(ops) / sizeof(ops[0]); i++)
		if (strcmp(ops[i], name) == 0)
			return (int)i;
	return -1;
}

int ct_nft_read_match(struct ct_nft_reading *r, struct ct_value *v, struct ct_nft_stmt *s)
{
	const struct ct_value *left = ct_value_get(v, "left"), *right = ct_value_get(v, "right");
	const char *name = ct_value_str(right);
	int op = op_find(ct_value_get_str(v, "op"));

	if (!left || !right || op < 0)
		return -EINVAL;
	s->op = (uint8_t)op;
	s->left = ct_nft_expr_read(r, left, NULL);
	if (!s->left)
		return -ENOMEM;
	s->name = s->left->name;
	if (ct_value_get(right, "set") || (name && name[0] == '@')) {
		s->set = ct_nft_set_of(r, right, &s->left->shape, (struct ct_nft_wanted){ 0 });
		if (name)
			s->name = name;
		s->run = run_lookup;
		return s->set && op != OP_LT && op != OP_GT && op != OP_LE && op != OP_GE ? 0
											  : -EINVAL;
	}
	s->right = ct_nft_expr_read(r, right, &s->left->shape);
	if (!s->right || !s->right->range || ct_nft_expr_is_opaque(s->right))
		return -EINVAL;
	s->run = run_compare;
	return 0;
}

/* Verdicts ---------------------------------------------------------------------------------- */

bool ct_nft_verdict_read(struct ct_nft_reading *r, const struct ct_value *v,
			 struct ct_nft_verdict *out)
{
	static const struct {
		const char *name;
		enum ct_nft_code code;
	} codes[] = { { "accept", CT_NFT_ACCEPT }, { "drop", CT_NFT_DROP },
		      { "return", CT_NFT_RETURN }, { "continue", CT_NFT_CONTINUE },
		      { "jump", CT_NFT_JUMP },	   { "goto", CT_NFT_GOTO } };

	if (!v || v->type != CT_VALUE_OBJECT || v->len != 1)
		return false;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (strcmp(codes[i].name, v->first->key) != 0)
			continue;
		*out = (struct ct_nft_verdict){ .code = (uint8_t)codes[i].code };
		if (codes[i].code != CT_NFT_JUMP && codes[i].code != CT_NFT_GOTO)
			return true;
		out->name = ct_value_get_str(v->first, "target");
		if (!out->name)
			return false;
		out->chain = ct_nft_find(r->nft, r->table, "chain", out->name);
		if (!out->chain)
			out->code = CT_NFT_LOST;
		return true;
	}
	return false;
}

static enum ct_nft_step run_verdict(struct ct_nft_stmt *s, struct ct_nft_judging *j)
{
	return end(j, s->verdict);
}

static enum ct_nft_step run_vmap(struct ct_nft_stmt *s, struct ct_nft_judging *j)
{
	struct ct_nft_data v = { .size = 0 };
	enum ct_truth is_there = ct_nft_load(s->left, j, &v);
	struct ct_nft_elem *e;

	if (is_there != CT_YES)
		return step_of(is_there);
	if (s->set->is_opaque)
		return unsure(s, j);
	e = ct_nft_set_find(s->set, &v, j->p->now);
	if (!e || ct_nft_elem_run(e, j) == CT_NFT_BREAK)
		return CT_NFT_BREAK;
	return end(j, e->verdict);
}

int ct_nft_read_vmap(struct ct_nft_reading *r, struct ct_value *v, struct ct_nft_stmt *s)
{
	const struct ct_value *key = ct_value_get(v, "key"), *data = ct_value_get(v, "data");

	if (!key || !data)
		return -EINVAL;
	s->left = ct_nft_expr_read(r, key, NULL);
	if (!s->left)
		return -ENOMEM;
	s->name = s->left->name;
	s->set = ct_nft_set_of(r, data, &s->left->shape,
			       (struct ct_nft_wanted){ .gives = CT_NFT_GIVES_VERDICT });
	s->run = run_vmap;
	return s->set ? 0 : -EINVAL;
}

/* What remembers ---------------------------------------------------------------------------- */

static enum ct_nft_step run_state(struct ct_nft_stmt *s, struct ct_nft_judging *j)
{
	return ct_nft_state_run(s->state, j);
}

/* nft_objref_map_eval() */
static enum ct_nft_step run_state_map(struct ct_nft_stmt *s, struct ct_nft_judging *j)
{
	struct ct_nft_data v = { .size = 0 };
	enum ct_truth is_there = ct_nft_load(s->left, j, &v);
	const struct ct_nft_elem *e;

	if (is_there != CT_YES)
		return step_of(is_there);
	e = s->set->is_opaque ? NULL : ct_nft_set_find(s->set, &v, j->p->now);
	if (s->set->is_opaque || (e && !e->object))
		return unsure(s, j);
	return e ? ct_nft_state_run(e->object, j) : CT_NFT_BREAK;
}

static int state_map_read(struct ct_nft_reading *r, const char *kind, const struct ct_value *map,
			  struct ct_nft_stmt *s)
{
	const struct ct_value *key = ct_value_get(map, "key"), *data = ct_value_get(map, "data");

	if (!key || !data)
		return -EINVAL;
	s->left = ct_nft_expr_read(r, key, NULL);
	if (!s->left)
		return -ENOMEM;
	s->set =
		ct_nft_set_of(r, data, &s->left->shape,
			      (struct ct_nft_wanted){ .gives = CT_NFT_GIVES_OBJECT, .kind = kind });
	s->run = run_state_map;
	/* Without an element the rule ends there. */
	s->flags = 0;
	return s->set ? 0 : -EINVAL;
}

/* A statement's own, one by name, or one by a map. */
int ct_nft_read_state(struct ct_nft_reading *r, struct ct_value *v, struct ct_nft_stmt *s)
{
	const struct ct_value *map = ct_value_get(v, "map");
	const char *name = ct_value_str(v);

	if (map)
		return state_map_read(r, v->key, map, s);
	s->name = name ? ct_nft_label(r, v->key, name) : v->key;
	s->run = run_state;
	s->state = name ? ct_nft_find(r->nft, r->table, v->key, name)
			: ct_nft_state_read(r->nft, v->key, v);
	return s->state ? 0 : -EINVAL;
}

/* Elements that packets add ----------------------------------------------------------------- */

enum set_op { SET_ADD, SET_UPDATE, SET_DELETE };

static bool states_begin(struct ct_nft_judging *j, const struct ct_nft_stmt *s,
			 struct ct_nft_elem *e)
{
	struct ct_nft_state **end = &e->states;

	for (struct ct_value *m = s->states; m; m = m->next) {
		struct ct_value *of = m->type == CT_VALUE_OBJECT && m->len == 1 ? m->first : m;

		*end = ct_nft_state_read(j->nft, of->key, of);
		if (!*end)
			return false;
		/* Its numbers are the element's, not the statement's. */
		(*end)->n[0] = (*end)->n[1] = NULL;
		end = &(*end)->next;
		if (of == m)
			break;
	}
	return true;
}

/* nft_dynset_eval() */
static enum ct_nft_step run_set(struct ct_nft_stmt *s, struct ct_nft_judging *j)
{
	struct ct_nft_data key = { .size = 0 };
	enum ct_truth is_there = ct_nft_load(s->left, j, &key);
	struct ct_nft_elem *e;

	if (is_there != CT_YES)
		return step_of(is_there);
	if (s->set->is_opaque)
		return unsure(s, j);
	e = ct_nft_set_find(s->set, &key, j->p->now);
	if (s->op == SET_DELETE) {
		if (e)
			ct_nft_elem_end(s->set, e);
		return CT_NFT_ON;
	}
	if (!e) {
		e = ct_nft_set_add(j, s->set, &key, s->timeout_s);
		if (!e || !states_begin(j, s, e))
			return CT_NFT_BREAK;
	} else if (s->op == SET_UPDATE && e->timeout_s) {
		ct_nft_elem_renew(e, j->p->now, s->timeout_s ? s->timeout_s : s->set->timeout_s);
	}
	return ct_nft_elem_run(e, j);
}

/* The key, which may have a timeout beside it. */
static int key_read(struct ct_nft_reading *r, const struct ct_value *v, struct ct_nft_stmt *s)
{
	const struct ct_value *elem = ct_value_get(v, "elem");

	if (elem) {
		s->timeout_s = ct_value_get_number(elem, "timeout", 0);
		v = ct_value_get(elem, "val");
	}
	if (!v)
		return -EINVAL;
	s->left = ct_nft_expr_read(r, v, NULL);
	return s->left && s->left->shape.n ? 0 : -EINVAL;
}

/* True when all that elements shall remember is known: a list of statements, or one. */
static bool states_fit(struct ct_nft_reading *r, struct ct_value *list, struct ct_nft_stmt *s)
{
	if (!list)
		return true;
	s->states = list->type == CT_VALUE_LIST ? list->first : list;
	for (struct ct_value *m = s->states; m; m = m == list ? NULL : m->next) {
		if (m->type != CT_VALUE_OBJECT || m->len != 1 || !ct_nft_is_state(m->first->key) ||
		    ct_value_str(m->first) || !ct_nft_state_read(r->nft, m->first->key, m->first))
			return false;
	}
	return true;
}

int ct_nft_read_set(struct ct_nft_reading *r, struct ct_value *v, struct ct_nft_stmt *s)
{
	const struct ct_value *elem = ct_value_get(v, "elem"), *set = ct_value_get(v, "set");
	const char *op = ct_value_get_str(v, "op");

	s->name = ct_nft_label(r, op ? op : "set", ct_value_str(set) ? ct_value_str(set) : "");
	if (!elem || !set || !op || key_read(r, elem, s) < 0)
		return -EINVAL;
	s->op = strcmp(op, "update") == 0   ? SET_UPDATE
		: strcmp(op, "delete") == 0 ? SET_DELETE
					    : SET_ADD;
	s->set = ct_nft_set_of(r, set, &s->left->shape, (struct ct_nft_wanted){ 0 });
	s->run = run_set;
	return s->set && states_fit(r, ct_value_get(v, "stmt"), s) ? 0 : -EINVAL;
}

/* A set of the statement's own, which keeps what it counts for each key. */
int ct_nft_read_meter(struct ct_nft_reading *r, struct ct_value *v, struct ct_nft_stmt *s)
{
	const struct ct_value *key = ct_value_get(v, "key");
	const char *name = ct_value_get_str(v, "name");

	s->name = ct_nft_label(r, "meter", name ? name : "");
	if (!key || key_read(r, key, s) < 0 || !states_fit(r, ct_value_get(v, "stmt"), s))
		return -EINVAL;
	s->op = SET_UPDATE;
	s->set = ct_nft_set_new(r, &s->left->shape);
	if (!s->set)
		return -ENOMEM;
	s->set->max = ct_value_get_number(v, "size", 0);
	s->run = run_set;
	return 0;
}

/* All statements ---------------------------------------------------------------------------- */

static const struct {
	const char *name;
	ct_nft_stmt_read_fn *read;
	uint8_t flags;
} stmts[] = {
#define STMT(name, reader, flags) { name, ct_nft_read_##reader, flags },
#include "lib/ruleset/nft/stmt.def"
#undef STMT
};

/* Reads what stands in the list; opaque otherwise. */
static void stmt_fill(struct ct_nft_reading *r, struct ct_value *of, struct ct_nft_stmt *s)
{
	s->name = of->key;
	for (size_t i = 0; i < sizeof(stmts) / sizeof(stmts[0]); i++) {
		if (strcmp(stmts[i].name, of->key) != 0)
			continue;
		s->flags = stmts[i].flags;
		if (stmts[i].read(r, of, s) == 0)
			return;
		break;
	}
	s->run = unsure;
	r->rule->is_opaque = true;
}

struct ct_nft_stmt *ct_nft_stmt_read(struct ct_nft_reading *r, struct ct_value *v)
{
	struct ct_nft_stmt *s = ct_nft_get(r, sizeof(*s));

	if (!s)
		return NULL;
	if (ct_nft_verdict_read(r, v, &s->verdict)) {
		s->run = run_verdict;
		s->name = v->first->key;
		if (s->verdict.code == CT_NFT_LOST)
			r->rule->is_opaque = true;
		return s;
	}
	if (v->type == CT_VALUE_OBJECT && v->len == 1) {
		stmt_fill(r, v->first, s);
		return s;
	}
	/* nft 1.0.6 lists what it has no JSON for as text. */
	s->name = ct_value_str(v) ? v->text : "statement";
	s->run = unsure;
	r->rule->is_opaque = true;
	return s;
}
