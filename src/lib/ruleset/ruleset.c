/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A whole rule set out of text: tables, chains, commands, counters. Answers to iptables 1.8.9,
 * iptables-restore.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clean.h"
#include "lib/base/number.h"
#include "lib/ruleset/check.h"
#include "lib/ruleset/nft/nft.h"
#include "lib/ruleset/rule.h"

#define MAX_TEXT       (256u << 20)
#define MAX_MEMORY     (1u << 30)
#define MAX_RULES      1000000u
#define MAX_CHAINS     1000000u
#define MAX_TABLES     16u
#define MAX_CHAIN_NAME 28u

static const struct ct_table_def tables[] = {
	{ "filter", CT_IN_FILTER, CT_BIT_INPUT | CT_BIT_FORWARD | CT_BIT_OUTPUT },
	{ "nat", CT_IN_NAT, CT_BIT_PREROUTING | CT_BIT_INPUT | CT_BIT_OUTPUT | CT_BIT_POSTROUTING },
	{ "mangle", CT_IN_MANGLE, CT_BIT_ANY },
	{ "raw", CT_IN_RAW, CT_BIT_PREROUTING | CT_BIT_OUTPUT },
	{ "security", CT_IN_SECURITY, CT_BIT_INPUT | CT_BIT_FORWARD | CT_BIT_OUTPUT },
};

const struct ct_table_def *ct_table_def_find(const char *name)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		if (strcmp(tables[i].name, name) == 0)
			return &tables[i];
	return NULL;
}

const char *ct_rule_hook_name(unsigned hook)
{
	static const char *const names[] = { "PREROUTING", "INPUT", "FORWARD", "OUTPUT",
					     "POSTROUTING" };

	for (unsigned i = 0; i < 5; i++)
		if (hook == 1u << i)
			return names[i];
	return "";
}

static int fault(struct ct_rule_reader *rd, const char *what, const char *word)
{
	return ct_err_set(rd->in.err, -EINVAL, "line %u: %s '%s'", (unsigned)rd->in.line, what,
			  word);
}

static int no_memory(struct ct_rule_reader *rd)
{
	return ct_err_set(rd->in.err, -ENOMEM, "line %u: not enough memory", (unsigned)rd->in.line);
}

/* Chains by name ---------------------------------------------------------------------------- */

static uint32_t hash_of(const char *s)
{
	uint32_t h = 2166136261u;

	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 16777619u;
	return h;
}

struct ct_rule_chain *ct_rule_chain_find(const struct ct_rule_table *t, const char *name)
{
	uint32_t at = t->index_size ? hash_of(name) & (t->index_size - 1) : 0;

	if (!t->index_size)
		return NULL;
	while (t->index[at] && strcmp(t->index[at]->name, name) != 0)
		at = (at + 1) & (t->index_size - 1);
	return t->index[at];
}

static void index_add(struct ct_rule_table *t, struct ct_rule_chain *c)
{
	uint32_t at = hash_of(c->name) & (t->index_size - 1);

	while (t->index[at])
		at = (at + 1) & (t->index_size - 1);
	t->index[at] = c;
}

static int index_grow(struct ct_rule_reader *rd, struct ct_rule_table *t)
{
	uint32_t size = t->index_size ? t->index_size * 2 : 64;
	struct ct_rule_chain **index = ct_arena_get(&rd->in.rs->arena, size * sizeof(*index));

	if (!index)
		return no_memory(rd);
	t->index = index;
	t->index_size = size;
	for (struct ct_rule_chain *c = t->chains; c; c = c->next)
		index_add(t, c);
	return 0;
}

static struct ct_rule_chain *chain_new(struct ct_rule_reader *rd, struct ct_rule_table *t,
				       const char *name)
{
	struct ct_arena *arena = &rd->in.rs->arena;
	struct ct_rule_chain *c;

	if (t->n_chains >= MAX_CHAINS ||
	    (2 * (t->n_chains + 1) > t->index_size && index_grow(rd, t) < 0))
		return NULL;
	c = ct_arena_get(arena, sizeof(*c));
	if (!c)
		return NULL;
	c->name = ct_arena_copy(arena, name, strlen(name));
	if (!c->name)
		return NULL;
	c->end = &c->first;
	c->line = rd->in.line;
	c->next = t->chains;
	t->chains = c;
	t->n_chains++;
	index_add(t, c);
	return c;
}

/* Tables ------------------------------------------------------------------------------------ */

static int table_begin(struct ct_rule_reader *rd, const char *name, struct ct_rule_table **out)
{
	struct ct_ruleset *rs = rd->in.rs;
	struct ct_rule_table **at = &rs->tables, *t;
	unsigned n = 0;

	if (!*name || strlen(name) > 31)
		return fault(rd, "no name of a table:", name);
	/* Each section of a restore begins with an empty table. */
	for (; *at && strcmp((*at)->name, name) != 0; n++)
		at = &(*at)->next;
	if (!*at && n == MAX_TABLES)
		return fault(rd, "too many tables at", name);
	t = ct_arena_get(&rs->arena, sizeof(*t));
	if (!t)
		return no_memory(rd);
	t->next = *at ? (*at)->next : NULL;
	*at = t;
	t->name = ct_arena_copy(&rs->arena, name, strlen(name));
	t->def = ct_table_def_find(name);
	t->line = rd->in.line;
	if (!t->name)
		return no_memory(rd);
	if (!t->def && rs->is_strict)
		return fault(rd, "there is no table", name);
	for (unsigned bit = CT_BIT_POSTROUTING; t->def && bit; bit >>= 1) {
		struct ct_rule_chain *c =
			t->def->hooks & bit ? chain_new(rd, t, ct_rule_hook_name(bit)) : NULL;

		if (t->def->hooks & bit && !c)
			return no_memory(rd);
		if (!c)
			continue;
		c->hook = (uint8_t)bit;
		c->policy = CT_RULE_ACCEPT;
	}
	*out = t;
	return 0;
}

/* "[packets:bytes]"; what stands behind it, or null. */
static const char *take_counters(const char *s, const char *end, uint64_t *packets, uint64_t *bytes)
{
	const char *colon, *close;

	if (s == end || *s != '[')
		return NULL;
	colon = memchr(s, ':', (size_t)(end - s));
	close = memchr(s, ']', (size_t)(end - s));
	if (!colon || !close || colon > close ||
	    ct_number_u64(s + 1, (size_t)(colon - s - 1), UINT64_MAX, packets) < 0 ||
	    ct_number_u64(colon + 1, (size_t)(close - colon - 1), UINT64_MAX, bytes) < 0)
		return NULL;
	return close + 1;
}

static int set_policy(struct ct_rule_reader *rd, struct ct_rule_chain *c, const char *policy)
{
	if (strcmp(policy, "ACCEPT") == 0)
		c->policy = CT_RULE_ACCEPT;
	else if (strcmp(policy, "DROP") == 0)
		c->policy = CT_RULE_DROP;
	else if (strcmp(policy, "QUEUE") == 0)
		c->policy = CT_RULE_QUEUE;
	else
		return fault(rd, "no policy:", policy);
	return 0;
}

static int chain_name_check(struct ct_rule_reader *rd, const char *name)
{
	if (!*name || strlen(name) > MAX_CHAIN_NAME || *name == '-' || *name == '!' ||
	    name[strcspn(name, " \t\"\\'")])
		return fault(rd, "no name of a chain:", name);
	return 0;
}

/* ":NAME POLICY [packets:bytes]", split at blanks. */
static int chain_declare(struct ct_rule_reader *rd, struct ct_rule_table *t)
{
	char **word = rd->words.word;
	const char *name = word[0] + 1, *counters = rd->words.n > 2 ? word[2] : NULL;
	struct ct_rule_chain *c;

	if (rd->words.n < 2)
		return fault(rd, "a chain without policy:", word[0]);
	if (chain_name_check(rd, name) < 0)
		return -EINVAL;
	c = ct_rule_chain_find(t, name);
	if (!c)
		c = chain_new(rd, t, name);
	if (!c)
		return no_memory(rd);
	if (strcmp(word[1], "-") != 0) {
		/* A chain of a table we do not know may well be the kernel's. */
		if (!c->hook && t->def)
			return fault(rd, "only chains of the kernel have a policy, not", name);
		if (set_policy(rd, c, word[1]) < 0)
			return -EINVAL;
	}
	if (counters &&
	    !take_counters(counters, counters + strlen(counters), &c->packets, &c->bytes))
		return fault(rd, "no counters:", counters);
	return 0;
}

/* Commands ---------------------------------------------------------------------------------- */

static int rule_insert(struct ct_rule_reader *rd, struct ct_rule_chain *c, uint64_t at,
		       const struct ct_rule *rule)
{
	struct ct_rule *r = ct_arena_get(&rd->in.rs->arena, sizeof(*r)), **to = c->end;

	if (!r)
		return no_memory(rd);
	if (++rd->in.rs->size.n_rules > MAX_RULES)
		return ct_err_set(rd->in.err, -E2BIG, "line %u: more than %u rules",
				  (unsigned)rd->in.line, MAX_RULES);
	*r = *rule;
	if (at) {
		to = &c->first;
		while (--at && *to)
			to = &(*to)->next;
	}
	r->next = *to;
	*to = r;
	if (!r->next)
		c->end = &r->next;
	c->n_rules++;
	return 0;
}

/* One rule for each pair of addresses. @at: where the first is inserted, 0 at the end. */
static int rule_add(struct ct_rule_reader *rd, struct ct_rule_chain *c, uint64_t at)
{
	unsigned n_src = rd->src.n ? rd->src.n : 1, n_dst = rd->dst.n ? rd->dst.n : 1;

	for (unsigned i = 0; i < n_src * n_dst; i++) {
		/* Inserted rules come in turn before one another. */
		unsigned k = at ? n_src * n_dst - 1 - i : i;
		int ret;

		if (rd->src.n) {
			rd->rule.src = rd->src.addr[k / n_dst];
			rd->rule.src_mask = rd->src.mask[k / n_dst];
		}
		if (rd->dst.n) {
			rd->rule.dst = rd->dst.addr[k % n_dst];
			rd->rule.dst_mask = rd->dst.mask[k % n_dst];
		}
		ret = rule_insert(rd, c, at, &rd->rule);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static int command_rule(struct ct_rule_reader *rd, struct ct_rule_table *t, bool is_insert,
			uint64_t packets, uint64_t bytes)
{
	struct ct_rule_chain *c = rd->words.n > 1 ? ct_rule_chain_find(t, rd->words.word[1]) : NULL;
	uint64_t at = is_insert ? 1 : 0;
	unsigned from = 2;
	int ret;

	if (rd->words.n < 2)
		return fault(rd, "nothing follows", rd->words.word[0]);
	if (!c)
		return fault(rd, "there is no chain", rd->words.word[1]);
	if (is_insert && rd->words.n > 2 &&
	    ct_number_u64(rd->words.word[2], strlen(rd->words.word[2]), MAX_RULES, &at) == 0)
		from = 3;
	if (is_insert && (at == 0 || at > c->n_rules + 1))
		return fault(rd, "no place for a rule:", rd->words.word[2]);
	ret = ct_rule_read(rd, from);
	if (ret < 0)
		return ret;
	if (rd->is_other_family)
		return 0;
	if (packets || bytes) {
		rd->rule.packets = packets;
		rd->rule.bytes = bytes;
	}
	return rule_add(rd, c, at);
}

static int command_chain(struct ct_rule_reader *rd, struct ct_rule_table *t, char letter)
{
	const char *name = rd->words.word[1];
	struct ct_rule_chain *c;

	if (rd->words.n < 2 || chain_name_check(rd, name) < 0)
		return fault(rd, "nothing follows", rd->words.word[0]);
	c = ct_rule_chain_find(t, name);
	if (letter == 'N') {
		if (c)
			return fault(rd, "there already is a chain", name);
		return chain_new(rd, t, name) ? 0 : no_memory(rd);
	}
	if (!c)
		return fault(rd, "there is no chain", name);
	if (letter == 'F') {
		c->first = NULL;
		c->end = &c->first;
		c->n_rules = 0;
		return 0;
	}
	if (rd->words.n < 3 || (!c->hook && t->def))
		return fault(rd, "no policy for", name);
	return set_policy(rd, c, rd->words.word[2]);
}

static int command(struct ct_rule_reader *rd, struct ct_rule_table *t, uint64_t packets,
		   uint64_t bytes)
{
	static const struct {
		const char *name;
		char letter;
	} commands[] = { { "--append", 'A' }, { "--insert", 'I' }, { "--new-chain", 'N' },
			 { "--new", 'N' },    { "--policy", 'P' }, { "--flush", 'F' },
			 { "-A", 'A' },	      { "-I", 'I' },	   { "-N", 'N' },
			 { "-P", 'P' },	      { "-F", 'F' } };

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, rd->words.word[0]) != 0)
			continue;
		if (commands[i].letter == 'A' || commands[i].letter == 'I')
			return command_rule(rd, t, commands[i].letter == 'I', packets, bytes);
		return command_chain(rd, t, commands[i].letter);
	}
	return fault(rd, "no command of a rule set:", rd->words.word[0]);
}

/* Lines ------------------------------------------------------------------------------------- */

static int split(struct ct_rule_reader *rd, const char *s, size_t len)
{
	int ret = ct_words_split(&rd->words, s, len);

	if (ret == -E2BIG)
		return ct_err_set(rd->in.err, ret, "line %u: too long", (unsigned)rd->in.line);
	if (ret < 0)
		return ct_err_set(rd->in.err, ret, "line %u: an open quote or a control character",
				  (unsigned)rd->in.line);
	return 0;
}

static int read_line(struct ct_rule_reader *rd, struct ct_rule_table **t, const char *s,
		     const char *end)
{
	uint64_t packets = 0, bytes = 0;

	while (s < end && (*s == ' ' || *s == '\t'))
		s++;
	while (s < end && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
		end--;
	if (s == end || *s == '#')
		return 0;
	if (*s == '[') {
		s = take_counters(s, end, &packets, &bytes);
		if (!s)
			return fault(rd, "broken counters", "[");
	}
	if (split(rd, s, (size_t)(end - s)) < 0)
		return -EINVAL;
	if (rd->words.n == 0)
		return 0;
	if (rd->words.word[0][0] == '*')
		return *t ? fault(rd, "COMMIT is missing before", rd->words.word[0])
			  : table_begin(rd, rd->words.word[0] + 1, t);
	if (!*t)
		return fault(rd, "no table begins before", rd->words.word[0]);
	if (rd->words.word[0][0] == ':')
		return chain_declare(rd, *t);
	if (strcmp(rd->words.word[0], "COMMIT") == 0) {
		int ret = ct_rule_table_check(&rd->in, *t);

		*t = NULL;
		return ret;
	}
	return command(rd, *t, packets, bytes);
}

static int read_text(struct ct_rule_reader *rd, const char *text, size_t len)
{
	const char *s = text, *end = text + len;
	struct ct_rule_table *t = NULL;

	while (s < end) {
		const char *nl = memchr(s, '\n', (size_t)(end - s));
		int ret;

		rd->in.line++;
		ret = read_line(rd, &t, s, nl ? nl : end);
		if (ret < 0)
			return ret;
		s = nl ? nl + 1 : end;
	}
	if (t)
		return ct_err_set(rd->in.err, -EINVAL, "line %u: the table '%s' has no COMMIT",
				  (unsigned)rd->in.line, t->name);
	return 0;
}

static void count(struct ct_ruleset *rs)
{
	rs->size = (struct ct_ruleset_size){ 0 };
	for (const struct ct_rule_table *t = rs->tables; t; t = t->next) {
		rs->size.n_tables++;
		for (const struct ct_rule_chain *c = t->chains; c; c = c->next) {
			rs->size.n_chains++;
			for (const struct ct_rule *r = c->first; r; r = r->next) {
				rs->size.n_rules++;
				rs->size.n_opaque += (r->flags & CT_RULE_OPAQUE) != 0;
			}
		}
	}
}

struct ct_ruleset *ct_ruleset_parse(const char *text, size_t len, unsigned syntax,
				    struct ct_err *err)
{
	auto_memory struct ct_rule_reader *rd = NULL;
	struct ct_ruleset *rs;

	if (len > MAX_TEXT) {
		ct_err_set(err, -E2BIG, "a rule set of more than %u MiB", MAX_TEXT >> 20);
		return NULL;
	}
	rs = calloc(1, sizeof(*rs));
	rd = calloc(1, sizeof(*rd));
	if (!rs || !rd) {
		free(rs);
		ct_err_set(err, -ENOMEM, "not enough memory");
		return NULL;
	}
	rs->arena.max = MAX_MEMORY;
	rs->family = syntax & CT_SYNTAX_IP6TABLES ? CT_FAMILY_IPV6 : CT_FAMILY_IPV4;
	rs->is_strict = (syntax & CT_SYNTAX_STRICT) != 0;
	rd->in = (struct ct_reading){ .rs = rs, .err = err };
	if (read_text(rd, text, len) < 0) {
		ct_ruleset_free(rs);
		return NULL;
	}
	count(rs);
	return rs;
}

void ct_ruleset_free(struct ct_ruleset *rs)
{
	if (!rs)
		return;
	ct_arena_fini(&rs->arena);
	free(rs);
}

void ct_ruleset_size(const struct ct_ruleset *rs, struct ct_ruleset_size *out)
{
	*out = rs->size;
}

void ct_ruleset_zero(struct ct_ruleset *rs)
{
	if (rs->nft)
		ct_nft_zero(rs);
	for (struct ct_rule_table *t = rs->tables; t; t = t->next)
		for (struct ct_rule_chain *c = t->chains; c; c = c->next) {
			c->packets = c->bytes = 0;
			for (struct ct_rule *r = c->first; r; r = r->next)
				r->packets = r->bytes = 0;
		}
}
