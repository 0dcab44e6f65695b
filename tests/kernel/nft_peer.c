/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reads a rule set in any spelling on stdin and writes it as it was read.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ops/rules/rules.h"

enum { MAX_INPUT = 256 << 20 };

static int append(void *user, const char *text, size_t len)
{
	return fwrite(text, 1, len, user) == len ? 0 : -1;
}

int main(void)
{
	char *text = malloc(MAX_INPUT);
	struct ct_err err = { "" };
	struct ct_ruleset *rs;
	struct ct_ruleset_size n;
	int ret;

	if (!text)
		return 2;
	rs = rules_read(text, fread(text, 1, MAX_INPUT, stdin), CT_SYNTAX_IPTABLES, &err);
	free(text);
	if (!rs) {
		(void)fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	ret = ct_ruleset_print(rs, CT_RULESET_COUNTERS, append, stdout);
	ct_ruleset_size(rs, &n);
	(void)fprintf(stderr, "tables=%u chains=%u rules=%u opaque=%u\n", n.n_tables, n.n_chains,
		      n.n_rules, n.n_opaque);
	ct_ruleset_free(rs);
	return ret < 0;
}
