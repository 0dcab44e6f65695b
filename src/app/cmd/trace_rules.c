/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Rules by chain, number and text. The model knows in which line a rule stood; what is printed of
 * it stands in the same order.
 */
#include <errno.h>
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

void trace_rules_free(struct trace_rules *r)
{
	if (!r)
		return;
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
