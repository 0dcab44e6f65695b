/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reads a rule set on stdin and writes it as iptables-save would; arguments: 4 or 6, and "strict".
 */
#include <conntune/ruleset.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_INPUT = 16 << 20 };

static int append(void *user, const char *text, size_t len)
{
	return fwrite(text, 1, len, user) == len ? 0 : -1;
}

int main(int argc, char **argv)
{
	unsigned syntax = argc > 1 && argv[1][0] == '6' ? CT_SYNTAX_IP6TABLES : CT_SYNTAX_IPTABLES;
	char *text = malloc(MAX_INPUT);
	struct ct_err err = { "" };
	struct ct_ruleset *rs;
	int ret;

	if (!text)
		return 2;
	if (argc > 2 && strcmp(argv[2], "strict") == 0)
		syntax |= CT_SYNTAX_STRICT;
	rs = ct_ruleset_parse(text, fread(text, 1, MAX_INPUT, stdin), syntax, &err);
	free(text);
	if (!rs) {
		(void)fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	ret = ct_ruleset_print(rs, 0, append, stdout);
	ct_ruleset_free(rs);
	return ret < 0;
}
