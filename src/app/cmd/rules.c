/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conntune rules: reads rule sets as iptables-restore does and says what it makes of them, or
 * writes them back as iptables-save would.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "app/cmd/cmd.h"
#include "lib/base/buf.h"
#include "lib/base/number.h"
#include "ops/sim/rules.h"

enum rules_key {
	KEY_IPV4 = 1,
	KEY_IPV6,
	KEY_STRICT,
	KEY_COUNTERS,
};

static const struct option_spec rules_specs[] = {
	{ "ipv4", '4', NULL, KEY_IPV4, "the files are of iptables (default: by their name)" },
	{ "ipv6", '6', NULL, KEY_IPV6, "the files are of ip6tables" },
	{ "strict", 's', NULL, KEY_STRICT, "refuse extensions and options that are not known" },
	{ "counters", 'c', NULL, KEY_COUNTERS, "print: with counters, as iptables-save -c" },
	{ NULL, 0, NULL, 0, NULL },
};

struct rules_state {
	bool is_ipv4, is_ipv6, is_strict, has_counters;
};

static int rules_option(void *state, int key, const char *value, struct ct_err *err)
{
	struct rules_state *s = state;

	(void)value;
	switch ((enum rules_key)key) {
	case KEY_IPV4:
		s->is_ipv4 = true;
		break;
	case KEY_IPV6:
		s->is_ipv6 = true;
		break;
	case KEY_STRICT:
		s->is_strict = true;
		break;
	case KEY_COUNTERS:
		s->has_counters = true;
		break;
	}
	if (s->is_ipv4 && s->is_ipv6)
		return ct_err_set(err, -EINVAL, "--ipv4 and --ipv6 do not go together");
	return 0;
}

/* "rules.v6", "ip6tables": files are named so wherever they are kept. */
static bool is_named_ipv6(const char *path)
{
	const char *name = strrchr(path, '/');

	name = name ? name + 1 : path;
	return strstr(name, ".v6") || strstr(name, "ip6tables");
}

static unsigned syntax_of(const struct rules_state *s, const char *path)
{
	bool is_ipv6 = s->is_ipv6 || (!s->is_ipv4 && is_named_ipv6(path));

	return (unsigned)(is_ipv6 ? CT_SYNTAX_IP6TABLES : CT_SYNTAX_IPTABLES) |
	       (s->is_strict ? CT_SYNTAX_STRICT : 0);
}

/* A file that cannot be opened is not a verdict on its rules. */
static bool is_verdict(int result)
{
	return result == 0 || result == -EINVAL;
}

static void write_size(const struct ct_ruleset *rs, struct writer *w)
{
	struct ct_ruleset_size size;

	ct_ruleset_size(rs, &size);
	writer_u64(w, "tables", NULL, size.n_tables);
	writer_u64(w, "chains", NULL, size.n_chains);
	writer_u64(w, "rules", NULL, size.n_rules);
	writer_u64(w, "opaque", NULL, size.n_opaque);
}

static int check_one(const struct rules_state *s, const char *path, struct writer *w)
{
	unsigned syntax = syntax_of(s, path);
	enum rules_spelling spelling = RULES_IPTABLES;
	struct ct_ruleset *rs = NULL;
	struct ct_err err = { "" };
	int r = sim_rules_any(path, syntax, &rs, &spelling, &err);

	writer_row(w);
	writer_str(w, "file", NULL, path);
	writer_str(w, "family", NULL,
		   spelling != RULES_IPTABLES	  ? "nft"
		   : syntax & CT_SYNTAX_IP6TABLES ? "ipv6"
						  : "ipv4");
	writer_str(w, "verdict", NULL,
		   r == 0	   ? "accepted"
		   : is_verdict(r) ? "refused"
				   : "not read");
	if (r == 0)
		write_size(rs, w);
	else
		writer_str(w, "why", NULL, err.text);
	writer_end(w);
	ct_ruleset_free(rs);
	if (r < 0)
		cmd_error("%s", err.text);
	return r == 0 ? EXIT_DONE : is_verdict(r) ? EXIT_FINDINGS : EXIT_FAILED;
}

static int check(const struct rules_state *s, const struct common_options *common, int argc,
		 char **argv)
{
	static const struct writer_column columns[] = {
		{ "verdict", "Verdict", false }, { "tables", "Tables", true },
		{ "chains", "Chains", true },	 { "rules", "Rules", true },
		{ "opaque", "Opaque", true },	 { "file", "File", false },
	};
	auto_free(writer) struct writer *w = cmd_writer(common);
	int code = EXIT_DONE;

	if (!w)
		return EXIT_FAILED;
	writer_begin(w, "rules", 1);
	writer_list(w, "files", NULL, columns, sizeof(columns) / sizeof(columns[0]));
	for (int i = 0; i < argc; i++) {
		int one = check_one(s, argv[i], w);

		/* Not being able to look is worse than what is seen. */
		if (code != EXIT_FAILED && one != EXIT_DONE)
			code = one;
	}
	writer_end(w);
	return cmd_finish(w) == EXIT_DONE ? code : EXIT_FAILED;
}

static int to_stdout(void *user, const char *text, size_t len)
{
	(void)user;
	return fwrite(text, 1, len, stdout) == len ? 0 : -EIO;
}

static int to_buf(void *user, const char *text, size_t len)
{
	return ct_buf_put(user, text, len);
}

/* Ends what is open below the list of files. */
static void close_levels(struct writer *w, unsigned *depth, unsigned to)
{
	for (; *depth > to; (*depth)--)
		writer_end(w);
}

enum { DEPTH_FILE, DEPTH_TABLES, DEPTH_TABLE, DEPTH_CHAINS };

/* "[12:3456]", as far as it stands there. What follows it. */
static const char *write_counters(struct writer *w, const char *text)
{
	const char *colon = strchr(text, ':'), *end = strchr(text, ']');
	uint64_t packets, bytes;

	if (text[0] != '[' || !colon || !end || colon > end ||
	    ct_number_u64(text + 1, (size_t)(colon - text) - 1, UINT64_MAX, &packets) < 0 ||
	    ct_number_u64(colon + 1, (size_t)(end - colon) - 1, UINT64_MAX, &bytes) < 0)
		return text;
	writer_u64(w, "packets", NULL, packets);
	writer_u64(w, "bytes", NULL, bytes);
	return end + 1 + strspn(end + 1, " ");
}

static void write_rule(struct writer *w, const char *line)
{
	writer_row(w);
	line = write_counters(w, line);
	writer_str(w, "rule", NULL, line);
	writer_end(w);
}

/* ":INPUT DROP [0:0]" */
static void write_chain(struct writer *w, char *line, bool has_counters)
{
	char *policy = strchr(line, ' '), *end = policy ? strchr(policy + 1, ' ') : NULL;

	if (policy)
		*policy++ = '\0';
	if (end)
		*end++ = '\0';
	writer_row(w);
	writer_str(w, "chain", NULL, line + 1);
	if (policy && strcmp(policy, "-") != 0)
		writer_str(w, "policy", NULL, policy);
	if (has_counters && end && policy && strcmp(policy, "-") != 0)
		(void)write_counters(w, end);
	writer_end(w);
}

/* The lines of a printed rule set: tables with their chains and rules. */
static void write_lines(struct writer *w, char *text, bool has_counters)
{
	unsigned depth = DEPTH_FILE;
	bool is_in_rules = false;

	writer_list(w, "tables", NULL, NULL, 0);
	depth = DEPTH_TABLES;
	for (char *at, *line = strtok_r(text, "\n", &at); line; line = strtok_r(NULL, "\n", &at)) {
		bool is_rule = line[0] == '-' || line[0] == '[';

		if (line[0] == '*') {
			close_levels(w, &depth, DEPTH_TABLES);
			writer_row(w);
			writer_str(w, "table", NULL, line + 1);
			writer_list(w, "chains", NULL, NULL, 0);
			depth = DEPTH_CHAINS;
			is_in_rules = false;
		} else if (line[0] == ':') {
			write_chain(w, line, has_counters);
		} else if (is_rule && !is_in_rules) {
			writer_end(w);
			writer_list(w, "rules", NULL, NULL, 0);
			is_in_rules = true;
		}
		if (is_rule)
			write_rule(w, line);
	}
	close_levels(w, &depth, DEPTH_FILE);
}

static int print_json(const struct ct_ruleset *rs, unsigned flags, const char *path,
		      const struct common_options *common)
{
	auto_fini(ct_buf) struct ct_buf text = { 0 };
	auto_free(writer) struct writer *w = cmd_writer(common);
	int r = ct_ruleset_print(rs, flags, to_buf, &text);

	if (!w || r < 0 || ct_buf_put(&text, "", 0) < 0) {
		cmd_error("%s: %s", path, strerror(r < 0 ? -r : ENOMEM));
		return EXIT_FAILED;
	}
	writer_begin(w, "ruleset", 1);
	writer_str(w, "file", NULL, path);
	write_lines(w, text.p, flags & CT_RULESET_COUNTERS);
	return cmd_finish(w);
}

static int print_one(const struct rules_state *s, const char *path,
		     const struct common_options *common)
{
	unsigned flags = s->has_counters ? CT_RULESET_COUNTERS : 0;
	enum rules_spelling spelling;
	struct ct_ruleset *rs = NULL;
	struct ct_err err = { "" };
	int r = sim_rules_any(path, syntax_of(s, path), &rs, &spelling, &err), code = EXIT_DONE;

	if (r < 0) {
		cmd_error("%s", err.text);
		return is_verdict(r) ? EXIT_FINDINGS : EXIT_FAILED;
	}
	/* nft's are JSON in any case. */
	if (common->is_json && spelling == RULES_IPTABLES) {
		code = print_json(rs, flags, path, common);
	} else if (ct_ruleset_print(rs, flags, to_stdout, NULL) < 0) {
		cmd_error("%s: writing failed", path);
		code = EXIT_FAILED;
	}
	ct_ruleset_free(rs);
	return code;
}

static int rules_run(void *state, const struct common_options *common, int argc, char **argv)
{
	const struct rules_state *s = state;
	bool is_check = argc > 1 && strcmp(argv[0], "check") == 0;
	bool is_print = argc == 2 && strcmp(argv[0], "print") == 0;

	if (!is_check && !is_print) {
		cmd_error("rules: say 'check FILE...' or 'print FILE'; - is standard input");
		return EXIT_MISUSE;
	}
	return is_check ? check(s, common, argc - 1, argv + 1) : print_one(s, argv[1], common);
}

const struct command command_rules = {
	.name = "rules",
	.summary = "Check rule sets as iptables would, or print them",
	.arguments = "check FILE... | print FILE",
	.options = rules_specs,
	.option = rules_option,
	.run = rules_run,
	.state_size = sizeof(struct rules_state),
};
