/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Rules by chain, number and text. The model knows in which line a rule stood; what is printed of
 * it stands in the same order.
 */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "app/cmd/trace.h"
#include "lib/base/buf.h"
#include "lib/ruleset/model.h"

struct trace_rule {
	const char *table, *chain; /* of the rule set */
	const char *text;	   /* within the printed text */
	uint32_t line;
	unsigned number;
};

struct trace_rules {
	struct ct_buf text;
	json_t *listing;       /* owned: nft's, with the texts as members; or null */
	struct trace_rule *at; /* owned */
	size_t n;
};

static int append(void *user, const char *text, size_t len)
{
	return ct_buf_put(user, text, len);
}

/* Chains are printed behind their heads, each with its rules, in the order of the model. */
static void collect(struct trace_rules *r, const struct ct_ruleset *rs)
{
	char *line = r->text.p;

	for (const struct ct_rule_table *t = rs->tables; t; t = t->next)
		for (const struct ct_rule_chain *c = t->chains; c; c = c->next) {
			unsigned number = 0;

			for (const struct ct_rule *rule = c->first; rule; rule = rule->next) {
				size_t skip = 3 + strlen(c->name);

				while (line && strncmp(line, "-A ", 3) != 0)
					line = (line = strchr(line, '\n')) ? line + 1 : NULL;
				if (!line)
					return;
				line[strcspn(line, "\n")] = '\0';
				r->at[r->n++] =
					(struct trace_rule){ t->name, c->name,
							     line + skip + (line[skip] == ' '),
							     rule->line, ++number };
				line += strlen(line) + 1;
			}
		}
}

struct trace_rules *trace_rules_new(const struct ct_ruleset *rs)
{
	struct trace_rules *r = calloc(1, sizeof(*r));
	struct ct_ruleset_size size;

	if (!r || !rs)
		return r;
	ct_ruleset_size(rs, &size);
	r->at = calloc(size.n_rules + 1, sizeof(*r->at));
	if (!r->at || ct_ruleset_print(rs, 0, append, &r->text) < 0 ||
	    ct_buf_put(&r->text, "", 0) < 0) {
		trace_rules_free(r);
		return NULL;
	}
	collect(r, rs);
	return r;
}

/* How many rules of the chain stand in the list already. */
static unsigned count_chain(const struct trace_rules *r, const char *table, const char *chain)
{
	unsigned n = 0;

	for (size_t i = 0; i < r->n; i++)
		n += strcmp(r->at[i].table, table) == 0 && strcmp(r->at[i].chain, chain) == 0;
	return n;
}

/* Each rule of nft's listing; its text is the expression as JSON has it. */
static int collect_nft(struct trace_rules *r)
{
	const json_t *list = json_object_get(r->listing, "nftables");

	r->at = calloc(json_array_size(list) + 1, sizeof(*r->at));
	for (size_t i = 0; r->at && i < json_array_size(list); i++) {
		json_t *rule = json_object_get(json_array_get(list, i), "rule");
		const char *table = json_string_value(json_object_get(rule, "table"));
		const char *chain = json_string_value(json_object_get(rule, "chain"));
		json_int_t handle = json_integer_value(json_object_get(rule, "handle"));
		auto_memory char *text = NULL;

		if (!table || !chain)
			continue;
		text = json_dumps(json_object_get(rule, "expr"), JSON_COMPACT);
		if (!text || json_object_set_new(rule, "text", json_string(text)) < 0)
			return -ENOMEM;
		r->at[r->n] =
			(struct trace_rule){ table, chain,
					     json_string_value(json_object_get(rule, "text")),
					     (uint32_t)handle, count_chain(r, table, chain) + 1 };
		r->n++;
	}
	return r->at ? 0 : -ENOMEM;
}

struct trace_rules *trace_rules_nft(const struct ct_ruleset *rs)
{
	struct trace_rules *r = calloc(1, sizeof(*r));

	if (!r || !rs)
		return r;
	if (ct_ruleset_print(rs, 0, append, &r->text) == 0)
		r->listing = json_loadb(r->text.p ? r->text.p : "", r->text.len, 0, NULL);
	if (r->listing && collect_nft(r) == 0)
		return r;
	trace_rules_free(r);
	return NULL;
}

void trace_rules_free(struct trace_rules *r)
{
	if (!r)
		return;
	json_decref(r->listing);
	ct_buf_fini(&r->text);
	free(r->at);
	free(r);
}

const char *trace_rules_find(const struct trace_rules *r, const char *table, const char *chain,
			     uint32_t line, unsigned *number)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct trace_rule *rule = &r->at[i];

		if (rule->line != line || strcmp(rule->table, table) != 0 ||
		    strcmp(rule->chain, chain) != 0)
			continue;
		*number = rule->number;
		return rule->text;
	}
	return NULL;
}

bool trace_rules_has(const struct trace_rules *r, const char *table, const char *chain)
{
	for (size_t i = 0; i < r->n; i++)
		if (strcmp(r->at[i].table, table) == 0 && strcmp(r->at[i].chain, chain) == 0)
			return true;
	return false;
}
