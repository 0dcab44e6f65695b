/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Tables, chains, sets, objects and rules of a listing, tied together by their names: see nft.h.
 * Answers to Linux 6.18, net/netfilter/nf_tables_api.c, and to nft 1.0.6, src/json.c.
 */
#include "lib/ruleset/nft/nft.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/ruleset/nft/set.h"
#include "lib/ruleset/nft/state.h"
#include "lib/ruleset/nft/stmt.h"

#define MAX_MEMORY  (2u << 30)
#define MAX_OBJECTS 2000000u
#define MAX_STMTS   128u /* of one rule: NFT_RULE_MAXEXPRS */
#define MAX_CALLS   16u	 /* NFT_JUMP_STACK_SIZE */

struct ct_ruleset *ct_nft_new(struct ct_err *err)
{
	struct ct_ruleset *rs = calloc(1, sizeof(*rs));

	if (rs) {
		rs->arena.max = MAX_MEMORY;
		rs->nft = ct_arena_get(&rs->arena, sizeof(*rs->nft));
	}
	if (!rs || !rs->nft) {
		ct_ruleset_free(rs);
		ct_err_set(err, -ENOMEM, "not enough memory");
		return NULL;
	}
	rs->nft->arena = &rs->arena;
	rs->nft->objects_end = &rs->nft->objects;
	rs->nft->chains_end = &rs->nft->chains;
	return rs;
}

struct ct_arena *ct_nft_arena(struct ct_ruleset *rs)
{
	return &rs->arena;
}

void *ct_nft_get(struct ct_nft_reading *r, size_t size)
{
	void *p = ct_arena_get(r->arena, size);

	if (!p)
		r->is_out_of_memory = true;
	return p;
}

const char *ct_nft_label(struct ct_nft_reading *r, const char *a, const char *b)
{
	size_t n = strlen(a);
	char *s = ct_nft_get(r, n + strlen(b) + 2);

	if (!s)
		return a;
	memcpy(s, a, n);
	s[n] = *b ? ' ' : '\0';
	memcpy(s + n + 1, b, strlen(b) + 1);
	return s;
}

static int no_memory(struct ct_nft_reading *r)
{
	return ct_err_set(r->err, -ENOMEM, "not enough memory");
}

/* Names ------------------------------------------------------------------------------------- */

static uint32_t name_hash(const void *table, const char *kind, const char *name)
{
	uint32_t h = 2166136261u ^ (uint32_t)((uintptr_t)table >> 4) ^ (uint8_t)kind[0];

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 16777619u;
	return h ^ h >> 15;
}

void *ct_nft_find(const struct ct_nft *nft, const void *table, const char *kind, const char *name)
{
	struct ct_nft_name *n =
		nft->names_size ? nft->names[name_hash(table, kind, name) & (nft->names_size - 1)]
				: NULL;

	while (n && (n->table != table || strcmp(n->kind, kind) != 0 || strcmp(n->name, name) != 0))
		n = n->next;
	return n ? n->thing : NULL;
}

static void name_hang(struct ct_nft *nft, struct ct_nft_name *n)
{
	uint32_t at = name_hash(n->table, n->kind, n->name) & (nft->names_size - 1);

	n->next = nft->names[at];
	nft->names[at] = n;
}

static int names_grow(struct ct_nft_reading *r)
{
	struct ct_nft *nft = r->nft;
	uint32_t old_size = nft->names_size;
	struct ct_nft_name **old = nft->names;

	if (nft->n_names < old_size)
		return 0;
	nft->names = ct_nft_get(r, (old_size ? old_size * 2 : 64) * sizeof(struct ct_nft_name *));
	if (!nft->names) {
		nft->names = old;
		return -ENOMEM;
	}
	nft->names_size = old_size ? old_size * 2 : 64;
	for (uint32_t i = 0; i < old_size; i++)
		for (struct ct_nft_name *n = old[i], *next; n; n = next) {
			next = n->next;
			name_hang(nft, n);
		}
	return 0;
}

static int name_add(struct ct_nft_reading *r, const char *kind, const char *name, void *thing)
{
	struct ct_nft_name *n;

	if (ct_nft_find(r->nft, r->table, kind, name))
		return ct_err_set(r->err, -EINVAL, "table %s %s has two of the name '%s' (%s)",
				  r->table ? r->table->family_name : "",
				  r->table ? r->table->name : "", name, kind);
	if (names_grow(r) < 0)
		return no_memory(r);
	n = ct_nft_get(r, sizeof(*n));
	if (!n)
		return no_memory(r);
	*n = (struct ct_nft_name){ .table = r->table, .kind = kind, .name = name, .thing = thing };
	name_hang(r->nft, n);
	r->nft->n_names++;
	return 0;
}

/* Tables and chains ------------------------------------------------------------------------- */

static struct ct_nft_table *table_find(const struct ct_nft *nft, const struct ct_value *v,
				       const char *key)
{
	const char *family = ct_value_get_str(v, "family"), *name = ct_value_get_str(v, key);

	for (struct ct_nft_table *t = nft->tables; name && family && t; t = t->next)
		if (strcmp(t->name, name) == 0 && strcmp(t->family_name, family) == 0)
			return t;
	return NULL;
}

/* nft 1.0.6 lists "flags": the name of the table, when it means dormant. */
static bool is_dormant(const struct ct_value *v, const char *name)
{
	const struct ct_value *flags = ct_value_get(v, "flags");
	const struct ct_value *m = flags && flags->type == CT_VALUE_LIST ? flags->first : flags;

	for (; m; m = m == flags ? NULL : m->next) {
		const char *flag = ct_value_str(m);

		if (flag && (strcmp(flag, "dormant") == 0 || strcmp(flag, name) == 0))
			return true;
	}
	return false;
}

static int table_add(struct ct_nft_reading *r, struct ct_value *v)
{
	const char *family = ct_value_get_str(v, "family"), *name = ct_value_get_str(v, "name");
	struct ct_nft_table *t;

	if (!family || !name)
		return ct_err_set(r->err, -EINVAL, "a table without family or name");
	if (table_find(r->nft, v, "name"))
		return ct_err_set(r->err, -EINVAL, "two tables %s %s", family, name);
	t = ct_nft_get(r, sizeof(*t));
	if (!t)
		return no_memory(r);
	t->name = name;
	t->family_name = family;
	t->is_ip = strcmp(family, "ip") == 0 || strcmp(family, "ip6") == 0 ||
		   strcmp(family, "inet") == 0;
	t->family = strcmp(family, "ip") == 0	 ? CT_FAMILY_IPV4
		    : strcmp(family, "ip6") == 0 ? CT_FAMILY_IPV6
						 : CT_FAMILY_UNSPEC;
	t->is_dormant = is_dormant(v, name);
	t->next = r->nft->tables;
	r->nft->tables = t;
	r->rs->size.n_tables++;
	return 0;
}

static int word_index(const char *word, const char *const *list, int n)
{
	for (int i = 0; word && i < n; i++)
		if (strcmp(list[i], word) == 0)
			return i;
	return -1;
}

/* What makes a chain a base chain; hooks below IP are kept and never met. */
static int base_read(struct ct_nft_reading *r, const struct ct_value *v, struct ct_nft_chain *c)
{
	static const char *const hooks[] = { "prerouting", "input", "forward", "output",
					     "postrouting" };
	static const char *const kinds[] = { "filter", "nat", "route" };
	const char *hook = ct_value_get_str(v, "hook"), *type = ct_value_get_str(v, "type");
	const char *policy = ct_value_get_str(v, "policy");
	const struct ct_value *prio = ct_value_get(v, "prio");
	int at = word_index(hook, hooks, 5), kind = word_index(type, kinds, 3);

	c->policy = policy && strcmp(policy, "drop") == 0 ? CT_NFT_DROP : CT_NFT_ACCEPT;
	if (!hook || !r->table->is_ip || at < 0)
		return 0;
	if (kind < 0 || !prio || prio->type != CT_VALUE_NUMBER || prio->number < INT32_MIN ||
	    prio->number > INT32_MAX)
		return ct_err_set(r->err, -EINVAL,
				  "chain %s of table %s %s: no known type, or no priority", c->name,
				  r->table->family_name, r->table->name);
	c->at = (uint8_t)at;
	c->type = (uint8_t)kind;
	c->priority = (int32_t)prio->number;
	c->is_base = !r->table->is_dormant;
	return 0;
}

static int chain_add(struct ct_nft_reading *r, struct ct_value *v, struct ct_nft_object *o)
{
	const char *name = ct_value_get_str(v, "name");
	struct ct_nft_chain *c = ct_nft_get(r, sizeof(*c));
	int ret;

	if (!name)
		return ct_err_set(r->err, -EINVAL, "a chain without name");
	if (!c)
		return no_memory(r);
	c->name = name;
	c->table = r->table;
	c->end = &c->first;
	ret = base_read(r, v, c);
	if (ret < 0)
		return ret;
	*r->nft->chains_end = c;
	r->nft->chains_end = &c->next;
	r->nft->n_bases += c->is_base;
	r->rs->size.n_chains++;
	o->thing = c;
	return name_add(r, "chain", name, c);
}

/* Objects ----------------------------------------------------------------------------------- */

/* Objects of a table; their kind is a table's member's name. */
static int in_table(struct ct_nft_reading *r, const struct ct_value *v, const char *kind)
{
	const char *table = ct_value_get_str(v, "table");

	r->table = table_find(r->nft, v, "table");
	if (!r->table)
		return ct_err_set(r->err, -EINVAL, "a %s of table '%s', which is not listed", kind,
				  table ? table : "");
	return 0;
}

static bool is_command(const char *kind)
{
	static const char *const commands[] = { "add",	"replace", "create", "insert", "delete",
						"list", "reset",   "flush",  "rename", "destroy" };

	return word_index(kind, commands, sizeof(commands) / sizeof(commands[0])) >= 0;
}

int ct_nft_add(struct ct_ruleset *rs, struct ct_value *object, struct ct_err *err)
{
	struct ct_nft_reading r = { .rs = rs, .nft = rs->nft, .arena = &rs->arena, .err = err };
	struct ct_value *v = object->first;
	struct ct_nft_object *o;

	if (object->type != CT_VALUE_OBJECT || object->len != 1)
		return ct_err_set(err, -EINVAL, "an object with more, or less, than one name");
	if (is_command(v->key))
		return ct_err_set(err, -EINVAL, "'%s' is a command: this is no listing", v->key);
	if (++rs->nft->n_objects > MAX_OBJECTS)
		return ct_err_set(err, -E2BIG, "more than %u objects", MAX_OBJECTS);
	if (ct_value_get_number(v, "json_schema_version", 1) > 1)
		return ct_err_set(err, -EINVAL, "a json_schema_version that is not known");
	o = ct_nft_get(&r, sizeof(*o));
	if (!o)
		return no_memory(&r);
	o->kind = v->key;
	o->value = object;
	*rs->nft->objects_end = o;
	rs->nft->objects_end = &o->next;
	if (strcmp(v->key, "table") == 0)
		return table_add(&r, v);
	if (strcmp(v->key, "chain") == 0)
		return in_table(&r, v, v->key) < 0 ? -EINVAL : chain_add(&r, v, o);
	return 0;
}

/* Counters, quotas, limits; helpers as they stand. */
static int object_read(struct ct_nft_reading *r, struct ct_nft_object *o)
{
	struct ct_value *v = o->value->first;
	const char *name = ct_value_get_str(v, "name");
	bool is_set = strcmp(o->kind, "set") == 0 || strcmp(o->kind, "map") == 0;

	if (!is_set && !ct_nft_is_state(o->kind) && strcmp(o->kind, "ct helper") != 0)
		return 0;
	if (in_table(r, v, o->kind) < 0)
		return -EINVAL;
	if (!name)
		return ct_err_set(r->err, -EINVAL, "a %s of table %s %s without name", o->kind,
				  r->table->family_name, r->table->name);
	if (is_set)
		o->thing = ct_nft_set_read(r, v);
	else if (ct_nft_is_state(o->kind))
		o->thing = ct_nft_state_read(r->nft, o->kind, v);
	else
		o->thing = v;
	if (!o->thing)
		return r->err && r->err->text[0]
			       ? -EINVAL
			       : ct_err_set(r->err, -EINVAL, "%s %s of table %s %s is broken",
					    o->kind, name, r->table->family_name, r->table->name);
	return name_add(r, is_set ? "set" : o->kind, name, o->thing);
}

/* Rules ------------------------------------------------------------------------------------- */

static int stmts_read(struct ct_nft_reading *r, struct ct_nft_rule *rule, const struct ct_value *v)
{
	struct ct_nft_stmt **end = &rule->first;

	if (v && (v->type != CT_VALUE_LIST || v->len > MAX_STMTS))
		return ct_err_set(r->err, -EINVAL,
				  "rule %u of table %s %s: no list of at most %u "
				  "statements",
				  (unsigned)rule->handle, r->table->family_name, r->table->name,
				  MAX_STMTS);
	for (struct ct_value *m = v ? v->first : NULL; m; m = m->next) {
		*end = ct_nft_stmt_read(r, m);
		if (!*end)
			return no_memory(r);
		end = &(*end)->next;
	}
	return r->is_out_of_memory ? no_memory(r) : 0;
}

static int rule_read(struct ct_nft_reading *r, struct ct_nft_object *o)
{
	struct ct_value *v = o->value->first;
	const char *name = ct_value_get_str(v, "chain");
	struct ct_nft_rule *rule = ct_nft_get(r, sizeof(*rule));
	struct ct_nft_chain *c;
	int ret;

	if (!rule)
		return no_memory(r);
	if (in_table(r, v, "rule") < 0)
		return -EINVAL;
	c = name ? ct_nft_find(r->nft, r->table, "chain", name) : NULL;
	if (!c)
		return ct_err_set(r->err, -EINVAL,
				  "a rule of chain '%s', which table %s %s does "
				  "not list",
				  name ? name : "", r->table->family_name, r->table->name);
	rule->handle = (uint32_t)ct_value_get_number(v, "handle", r->table->last_handle + 1);
	r->table->last_handle = rule->handle;
	r->rule = rule;
	ret = stmts_read(r, rule, ct_value_get(v, "expr"));
	r->rule = NULL;
	if (ret < 0)
		return ret;
	*c->end = rule;
	c->end = &rule->next;
	r->rs->size.n_rules++;
	r->rs->size.n_opaque += rule->is_opaque;
	return 0;
}

/* Calls ------------------------------------------------------------------------------------- */

/* nft_chain_validate(): no more calls within calls than the stack holds, and so no loops. A chain
 * that was looked at this deep needs no second look. */
static int chain_visit(struct ct_nft_reading *r, struct ct_nft_chain *c, unsigned level)
{
	int ret = 0;

	if (level >= MAX_CALLS)
		return ct_err_set(r->err, -ELOOP,
				  "chain %s of table %s %s is called in a loop, or more than %u "
				  "chains deep",
				  c->name, c->table->family_name, c->table->name, MAX_CALLS);
	if (c->depth > level)
		return 0;
	c->depth = (uint16_t)(level + 1);
	for (const struct ct_nft_rule *rule = c->first; rule; rule = rule->next)
		for (const struct ct_nft_stmt *s = rule->first; ret == 0 && s; s = s->next) {
			if (s->verdict.chain)
				ret = chain_visit(r, s->verdict.chain, level + 1);
			if (!s->set || s->set->gives != CT_NFT_GIVES_VERDICT)
				continue;
			for (const struct ct_nft_elem *e = s->set->first; ret == 0 && e;
			     e = e->next)
				if (e->verdict.chain)
					ret = chain_visit(r, e->verdict.chain, level + 1);
		}
	return ret;
}

static int bases_collect(struct ct_nft_reading *r)
{
	struct ct_nft *nft = r->nft;
	unsigned n = 0;
	int ret = 0;

	nft->bases = ct_nft_get(r, (nft->n_bases + 1) * sizeof(struct ct_nft_chain *));
	if (!nft->bases)
		return no_memory(r);
	for (struct ct_nft_chain *c = nft->chains; ret == 0 && c; c = c->next) {
		if (!c->is_base)
			continue;
		nft->bases[n++] = c;
		ret = chain_visit(r, c, 0);
	}
	return ret;
}

int ct_nft_end(struct ct_ruleset *rs, struct ct_err *err)
{
	struct ct_err own = { "" };
	struct ct_nft_reading r = {
		.rs = rs, .nft = rs->nft, .arena = &rs->arena, .err = err ? err : &own
	};
	int ret = 0;

	r.err->text[0] = '\0';
	for (struct ct_nft_object *o = rs->nft->objects; ret == 0 && o; o = o->next)
		if (strcmp(o->kind, "rule") != 0)
			ret = object_read(&r, o);
	for (struct ct_nft_object *o = rs->nft->objects; ret == 0 && o; o = o->next)
		if (strcmp(o->kind, "rule") == 0)
			ret = rule_read(&r, o);
	return ret < 0 ? ret : bases_collect(&r);
}

void ct_nft_zero(struct ct_ruleset *rs)
{
	for (struct ct_nft_state *s = rs->nft->states; s; s = s->sibling)
		ct_nft_state_zero(s);
}

/* Writing ----------------------------------------------------------------------------------- */

int ct_nft_print(const struct ct_ruleset *rs, ct_ruleset_write_fn *write, void *user)
{
	const struct ct_nft *nft = rs->nft;
	int ret = write(user, "{\"nftables\": [", 14);

	for (const struct ct_nft_object *o = nft->objects; ret == 0 && o; o = o->next) {
		if (nft->has_begun && o->thing &&
		    (strcmp(o->kind, "set") == 0 || strcmp(o->kind, "map") == 0))
			ret = ct_nft_set_refresh(nft->arena, o->thing, nft->now);
		if (ret == 0)
			ret = ct_value_write(o->value, write, user);
		if (ret == 0 && o->next)
			ret = write(user, ", ", 2);
	}
	return ret == 0 ? write(user, "]}\n", 3) : ret;
}
