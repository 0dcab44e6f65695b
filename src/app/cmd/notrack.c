/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conntune notrack: the rules that keep a service out of the tracker, complete and proved.
 */
#include "ops/notrack/notrack.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "app/cmd/cmd.h"
#include "app/cmd/rule_sides.h"
#include "lib/proof/compare.h"

enum notrack_key { KEY_LOCAL = 1, KEY_CLIENT, KEY_FORWARD, KEY_FORM, KEY_RULES };
enum notrack_form { FORM_IPTABLES, FORM_RESTORE, FORM_NFT };

#define MAX_RULES 2

struct notrack_state {
	enum notrack_role role;
	enum notrack_form form;
	const char *rules[MAX_RULES];
	int n_rules;
};

static const struct option_spec notrack_options[] = {
	{ "local", 0, NULL, KEY_LOCAL, "this machine offers the service (the standard)" },
	{ "client", 0, NULL, KEY_CLIENT, "this machine uses it elsewhere" },
	{ "forward", 0, NULL, KEY_FORWARD, "this machine lies between" },
	{ "form", 'f', "FORM", KEY_FORM, "iptables (commands), restore (whole rules) or nft" },
	{ "rules", 'r', "FILE", KEY_RULES, "the present rules; else the machine's own" },
	{ NULL, 0, NULL, 0, NULL },
};

static int set_form(struct notrack_state *s, const char *value, struct ct_err *err)
{
	static const char *const forms[] = { "iptables", "restore", "nft" };

	for (unsigned i = 0; i < 3; i++)
		if (strcmp(value, forms[i]) == 0) {
			s->form = (enum notrack_form)i;
			return 0;
		}
	return ct_err_set(err, -EINVAL, "--form takes iptables, restore or nft, not '%s'", value);
}

static int notrack_option(void *state, int key, const char *value, struct ct_err *err)
{
	struct notrack_state *s = state;

	switch ((enum notrack_key)key) {
	case KEY_LOCAL:
		s->role = NOTRACK_LOCAL;
		return 0;
	case KEY_CLIENT:
		s->role = NOTRACK_CLIENT;
		return 0;
	case KEY_FORWARD:
		s->role = NOTRACK_FORWARD;
		return 0;
	case KEY_FORM:
		return set_form(s, value, err);
	case KEY_RULES:
		if (s->n_rules == MAX_RULES)
			return ct_err_set(err, -EINVAL, "--rules: one file of each IP version");
		s->rules[s->n_rules++] = value;
		return 0;
	}
	return -EINVAL;
}

/* One IP version's new rules being told. */
struct telling {
	const struct notrack_state *state;
	const struct common_options *common;
	struct writer *w;
	const struct notrack_class *class;
	struct ct_buf text; /* of the present rules */
	struct notrack n;
	unsigned syntax;
	enum ct_change change;
	struct ct_proof *p;
	unsigned n_changes;
};

static int append(void *user, const char *text, size_t len)
{
	return ct_buf_put(user, text, len);
}

static const char *tool(const struct telling *t)
{
	return t->syntax & CT_SYNTAX_IP6TABLES ? "ip6tables" : "iptables";
}

/* Rules are data: they stand in one line, however narrow the terminal. */
static void put_line(struct telling *t, const char *text)
{
	(void)t;
	(void)puts(text);
}

/* What it changes beside the tracking ---------------------------------------------------------- */

static bool tell_change(void *user, const struct ct_class *c)
{
	struct telling *t = user;
	char text[700];
	struct ct_text x;

	if (t->n_changes++ == 8)
		return false;
	ct_text_init(&x, text, sizeof(text));
	if (!t->common->is_json)
		ct_text_printf(&x, "#   %s, %s: ", ct_way_kind_name(c->way),
			       ct_change_name(t->change));
	ct_class_text(t->p, c, 8, &x);
	if (!t->common->is_json) {
		put_line(t, text);
		return true;
	}
	writer_row(t->w);
	writer_str(t->w, "way", NULL, ct_way_kind_name(c->way));
	writer_str(t->w, "change", NULL, ct_change_name(t->change));
	writer_str(t->w, "packets", NULL, text);
	writer_end(t->w);
	return true;
}

static int tell_changes(struct telling *t, struct ct_err *err)
{
	struct ct_ruleset *before = ct_ruleset_parse(t->text.p, t->text.len, t->syntax, err);
	struct ct_ruleset *after = ct_ruleset_parse(t->n.text.p, t->n.text.len, t->syntax, err);
	int r = before && after ? 0 : -EINVAL;

	t->p = ct_proof_new(t->syntax & CT_SYNTAX_IP6TABLES ? CT_FAMILY_IPV6 : CT_FAMILY_IPV4, 0);
	if (r == 0 && !t->p)
		r = ct_err_set(err, -ENOMEM, "no memory for the proof");
	if (r == 0)
		r = ct_proof_learn(t->p, before, err);
	if (r == 0)
		r = ct_proof_learn(t->p, after, err);
	for (unsigned way = 0; r == 0 && way < N_WAYS; way++)
		for (t->change = CT_CHANGE_LOST; t->change < CT_CHANGE_END; t->change++)
			(void)ct_proof_classes(t->p,
					       ct_proof_changed(t->p, before, after,
								(enum ct_way_kind)way, t->change,
								false),
					       (enum ct_way_kind)way, tell_change, t);
	if (r == 0)
		r = ct_proof_check(t->p, err);
	ct_ruleset_free(before);
	ct_ruleset_free(after);
	ct_proof_free(t->p);
	return r;
}

/* Forms ---------------------------------------------------------------------------------------- */

/* What accepts comes before what exempts, so that no packet is lost between two commands. */
static void iptables_lines(struct telling *t)
{
	char text[NOTRACK_MAX_WORDS + 128];

	for (unsigned i = 0; i < 2 * t->n.n_lines; i++) {
		bool is_second = i >= t->n.n_lines;
		const struct notrack_line *l = &t->n.line[is_second ? i - t->n.n_lines : i];
		bool is_exempting = strcmp(l->table, "raw") == 0;

		if (is_exempting != is_second)
			continue;
		(void)snprintf(text, sizeof(text), "%s -w -t %s -I %s %u %s", tool(t), l->table,
			       l->chain, l->at, l->words);
		put_line(t, text);
	}
	put_line(t, "# to take it back:");
	for (unsigned i = 0; i < t->n.n_lines; i++) {
		const struct notrack_line *l = &t->n.line[i];

		(void)snprintf(text, sizeof(text), "#%s -w -t %s -D %s %s", tool(t), l->table,
			       l->chain, l->words);
		put_line(t, text);
	}
}

static void nft_expression(const struct notrack_class *c, const char *ip, bool is_answer, char *to,
			   size_t size)
{
	const char *src = is_answer ? c->dst : c->src, *dst = is_answer ? c->src : c->dst;
	const char *sport = is_answer ? c->dport : c->sport,
		   *dport = is_answer ? c->sport : c->dport;
	struct ct_text t;

	ct_text_init(&t, to, size);
	if (src[0])
		ct_text_printf(&t, "%s saddr %s ", ip, src);
	if (dst[0])
		ct_text_printf(&t, "%s daddr %s ", ip, dst);
	if (sport[0])
		ct_text_printf(&t, "%s sport %s ", c->proto, sport);
	if (dport[0])
		ct_text_printf(&t, "%s dport %s ", c->proto, dport);
	if (c->proto[0] && !sport[0] && !dport[0])
		ct_text_printf(&t, "meta l4proto %s ", c->proto);
	for (size_t i = 0; i < t.len; i++)
		if (to[i] == ':' && sport[0] + dport[0] && !strchr(src, ':') && !strchr(dst, ':'))
			to[i] = '-';
}

static void nft_rule(struct telling *t, const char *ip, const char *iface, bool is_answer)
{
	char expression[300], text[400];

	nft_expression(t->class, ip, is_answer, expression, sizeof(expression));
	(void)snprintf(text, sizeof(text), "\t\t%s%snotrack", iface, expression);
	put_line(t, text);
}

/* A table of its own; what accepts untracked packets belongs into the filter that is there. */
static void nft_lines(struct telling *t)
{
	bool is_v6 = t->syntax & CT_SYNTAX_IP6TABLES;
	const char *ip = is_v6 ? "ip6" : "ip";
	enum notrack_role role = t->class->role;
	char text[NOTRACK_MAX_WORDS + 128];

	(void)snprintf(text, sizeof(text), "table %s conntune_notrack {", ip);
	put_line(t, text);
	if (!t->class->is_loopback) {
		put_line(t, "\tchain prerouting {");
		put_line(t, "\t\ttype filter hook prerouting priority raw; policy accept;");
		nft_rule(t, ip, "", role == NOTRACK_CLIENT);
		if (role == NOTRACK_FORWARD)
			nft_rule(t, ip, "", true);
		put_line(t, "\t}");
	}
	if (role != NOTRACK_FORWARD || t->class->is_loopback) {
		put_line(t, "\tchain output {");
		put_line(t, "\t\ttype filter hook output priority raw; policy accept;");
		if (t->class->is_loopback) {
			put_line(t, "\t\toif lo notrack");
		} else {
			nft_rule(t, ip, "", role == NOTRACK_LOCAL);
			nft_rule(t, ip, "oif lo ", role == NOTRACK_CLIENT);
		}
		put_line(t, "\t}");
	}
	put_line(t, "}");
	(void)snprintf(text, sizeof(text),
		       "# to take it back: nft delete table %s conntune_notrack", ip);
	put_line(t, text);
	for (unsigned i = 0; i < t->n.n_lines; i++) {
		const struct notrack_line *l = &t->n.line[i];

		if (strcmp(l->table, "raw") == 0)
			continue;
		(void)snprintf(text, sizeof(text), "%s -w -t %s -I %s %u %s", tool(t), l->table,
			       l->chain, l->at, l->words);
		put_line(t, text);
	}
}

static void json_lines(struct telling *t)
{
	writer_list(t->w, "rules", NULL, NULL, 0);
	for (unsigned i = 0; i < t->n.n_lines; i++) {
		const struct notrack_line *l = &t->n.line[i];

		writer_row(t->w);
		writer_str(t->w, "table", NULL, l->table);
		writer_str(t->w, "chain", NULL, l->chain);
		writer_u64(t->w, "at", NULL, l->at);
		writer_str(t->w, "rule", NULL, l->words);
		writer_end(t->w);
	}
	writer_end(t->w);
}

static int say(struct telling *t, struct ct_err *err)
{
	int r;

	if (t->common->is_json) {
		writer_row(t->w);
		writer_str(t->w, "family", NULL, t->syntax & CT_SYNTAX_IP6TABLES ? "ipv6" : "ipv4");
		writer_bool(t->w, "was_done", NULL, t->n.was_done);
		json_lines(t);
		writer_list(t->w, "changes", NULL, NULL, 0);
		r = tell_changes(t, err);
		writer_end(t->w);
		writer_end(t->w);
		return r;
	}
	if (t->n.was_done) {
		put_line(t, t->syntax & CT_SYNTAX_IP6TABLES ? "# IPv6: none of it is tracked."
							    : "# IPv4: none of it is tracked.");
		return 0;
	}
	if (t->state->form == FORM_RESTORE)
		return fwrite(t->n.text.p, 1, t->n.text.len, stdout) == t->n.text.len ? 0 : -EIO;
	put_line(t, "# Proved for every packet; beside the tracking this changes:");
	r = tell_changes(t, err);
	if (r == 0 && t->n_changes == 0)
		put_line(t, "#   no packet's fate");
	if (r == 0 && t->state->form == FORM_IPTABLES)
		iptables_lines(t);
	else if (r == 0)
		nft_lines(t);
	return r;
}

static int one_side(const struct notrack_state *s, const struct common_options *common,
		    struct writer *w, const struct notrack_class *class,
		    const struct rule_side *side, unsigned syntax, struct ct_err *err)
{
	struct telling t = {
		.state = s, .common = common, .w = w, .class = class, .syntax = syntax
	};
	int r = ct_ruleset_print(side->rules, 0, append, &t.text);

	if (r == 0)
		r = notrack_make(&t.n, class, t.text.p ? t.text.p : "", t.text.len, syntax, err);
	if (r == 0)
		r = say(&t, err);
	ct_buf_fini(&t.text);
	notrack_fini(&t.n);
	return r < 0 ? ct_err_wrap(err, r, "%s", side->name) : 0;
}

static int read_rules(const struct notrack_state *s, const struct common_options *common,
		      struct rule_sides *sides, struct ct_err *err)
{
	int r = 0;

	for (int i = 0; r == 0 && i < s->n_rules; i++)
		r = rule_sides_add(sides, s->rules[i], err);
	return s->n_rules > 0 ? r : rule_sides_live(sides, common, err);
}

static int notrack_run(void *state, const struct common_options *common, int argc, char **argv)
{
	struct notrack_state *s = state;
	struct notrack_class class = { .role = s->role };
	struct rule_sides sides = { 0 };
	auto_free(writer) struct writer *w = NULL;
	struct ct_err err = { "" };
	int r;

	if (argc != 1) {
		cmd_error("notrack: say in one word-group what is to be untracked: "
			  "'tcp dport 8080'");
		return EXIT_MISUSE;
	}
	r = notrack_read(&class, argv[0], &err);
	if (r < 0) {
		cmd_error("notrack: %s", err.text);
		return EXIT_MISUSE;
	}
	r = read_rules(s, common, &sides, &err);
	w = r == 0 ? cmd_writer(common) : NULL;
	if (w)
		writer_begin(w, "notrack", 1);
	if (w && common->is_json)
		writer_list(w, "sides", NULL, NULL, 0);
	if (w && sides.v4.rules && class.family != CT_FAMILY_IPV6)
		r = one_side(s, common, w, &class, &sides.v4, CT_SYNTAX_IPTABLES, &err);
	if (w && r == 0 && sides.v6.rules && class.family != CT_FAMILY_IPV4)
		r = one_side(s, common, w, &class, &sides.v6, CT_SYNTAX_IP6TABLES, &err);
	if (w && common->is_json)
		writer_end(w);
	rule_sides_fini(&sides);
	if (r < 0)
		cmd_error("notrack: %s", err.text);
	if (!w || r < 0)
		return EXIT_FAILED;
	return cmd_finish(w);
}

const struct command command_notrack = {
	.name = "notrack",
	.summary = "Write the rules that keep a service untracked, complete",
	.arguments = "CONDITIONS",
	.options = notrack_options,
	.option = notrack_option,
	.run = notrack_run,
	.state_size = sizeof(struct notrack_state),
};
