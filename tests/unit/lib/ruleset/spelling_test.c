/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Rules as they are typed, and what iptables makes of each: tables of tests/rulesets, recorded
 * with the real iptables. Every line must be read as there: refused, or accepted and written back
 * in the same words; and what was written must be read and written again as it is.
 */
#include <conntune/ruleset.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/buf.h"
#include "lib/base/clean.h"
#include "tap.h"

static int append(void *user, const char *text, size_t len)
{
	return ct_buf_put(user, text, len);
}

/* The rules of a one-table rule set in @text, joined by " | ". Null when it is refused. */
static const char *rules_of(const char *text, unsigned syntax, struct ct_buf *out,
			    struct ct_err *err)
{
	struct ct_ruleset *rs = ct_ruleset_parse(text, strlen(text), syntax, err);
	auto_fini(ct_buf) struct ct_buf all = { 0 };

	if (!rs)
		return NULL;
	(void)ct_ruleset_print(rs, 0, append, &all);
	ct_ruleset_free(rs);
	out->len = 0;
	(void)ct_buf_put(out, "", 0);
	for (char *s = strtok(all.p, "\n"); s; s = strtok(NULL, "\n"))
		if (strncmp(s, "-A ", 3) == 0)
			(void)ct_buf_printf(out, "%s%s", out->len ? " | " : "", s);
	return out->p;
}

static void check_line(const char *file, unsigned n, unsigned syntax, const char *table,
		       const char *typed, bool is_accepted, const char *printed)
{
	auto_fini(ct_buf) struct ct_buf text = { 0 }, out = { 0 };
	struct ct_err err = { "" };
	const char *got;

	(void)ct_buf_printf(&text, "*%s\n%s\nCOMMIT\n", table, typed);
	got = rules_of(text.p, syntax | CT_SYNTAX_STRICT, &out, &err);
	if (!is_accepted) {
		if (got)
			TAP_FAIL("%s:%u: '%s' should be refused, became '%s'", file, n, typed, got);
		else if (!err.text[0])
			TAP_FAIL("%s:%u: '%s' is refused without a word", file, n, typed);
		return;
	}
	if (!got)
		TAP_FAIL("%s:%u: '%s' is refused: %s", file, n, typed, err.text);
	else if (strcmp(got, printed) != 0)
		TAP_FAIL("%s:%u: '%s' became\n#   '%s', want\n#   '%s'", file, n, typed, got,
			 printed);
}

/* Lines of: table, as typed, yes or no, as written. */
static void check_table(const char *name, unsigned syntax)
{
	const char *dir = getenv("TEST_DATA");
	char path[512], line[4096];
	unsigned n = 0;
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/rulesets/%s", dir ? dir : "tests", name);
	f = fopen(path, "r");
	OK(f != NULL);
	while (f && fgets(line, sizeof(line), f)) {
		char *typed, *answer, *printed;

		line[strcspn(line, "\n")] = '\0';
		n++;
		typed = strchr(line, '\t');
		answer = typed ? strchr(typed + 1, '\t') : NULL;
		printed = answer ? strchr(answer + 1, '\t') : NULL;
		if (n == 1 || line[0] == '#' || !printed)
			continue;
		*typed++ = *answer++ = *printed++ = '\0';
		check_line(name, n, syntax, line, typed, strcmp(answer, "yes") == 0, printed);
	}
	if (f)
		(void)fclose(f);
	OK(n > 20);
}

TEST(spelling_is_that_of_iptables)
{
	check_table("spelling.tsv", CT_SYNTAX_IPTABLES);
}

TEST(extensions_are_spelt_as_iptables_does)
{
	check_table("extensions4.tsv", CT_SYNTAX_IPTABLES);
	check_table("extensions6.tsv", CT_SYNTAX_IP6TABLES);
}

TAP_MAIN(&tap_spelling_is_that_of_iptables, &tap_extensions_are_spelt_as_iptables_does)
