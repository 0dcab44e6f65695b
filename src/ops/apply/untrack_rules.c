/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Rules for packets that are not tracked, out of those for tracked ones; see untrack.h.
 *
 * A rule that lets a packet pass by its state (NEW, ESTABLISHED) never sees it again once it is
 * UNTRACKED; so in front of each such rule a copy is put that asks for UNTRACKED instead, with the
 * same conditions otherwise: what was open stays open, and nothing else is opened.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clean.h"
#include "lib/base/number.h"
#include "ops/apply/untrack.h"

#define MAX_TOKENS 160
#define MAX_CHAINS 4096
#define MAX_NAME   64
#define MAX_WISHES 4
#define MAX_LINE   4096

enum side { SIDE_IN = 1, SIDE_OUT = 2 };

/* Packets of the class on one side, as options of a rule. */
struct wish {
	enum side side;
	const char *iface;   /* "-i" or "-o": lo; or null */
	const char *port;    /* "--dport", "--sport" or null */
	const char *address; /* "-s", "-d" or null */
	const char *state;   /* that lets them pass while they are tracked */
};

struct token {
	const char *at;
	size_t len;
};

struct chain {
	char name[MAX_NAME];
	unsigned sides;	  /* from where it is reached */
	unsigned n_rules; /* seen so far in this pass */
	unsigned n_added;
};

struct composing {
	const struct untrack_class *c;
	const char *tag;
	struct wish wish[MAX_WISHES];
	unsigned n_wishes;
	struct chain *chains; /* of the filter table */
	size_t n_chains;
	struct ct_buf accepts; /* -I lines of the filter table */
	struct untracked_rules *out;
	struct ct_err *err;
};

static void set_wishes(struct composing *x)
{
	static const struct wish service[] = {
		{ SIDE_IN, NULL, "--dport", NULL, "NEW" },
		{ SIDE_OUT, NULL, "--sport", NULL, "ESTABLISHED" },
		{ SIDE_OUT, "-o", "--dport", NULL, "NEW" },
		{ SIDE_IN, "-i", "--sport", NULL, "ESTABLISHED" },
	};
	static const struct wish used[] = {
		{ SIDE_OUT, NULL, "--dport", "-d", "NEW" },
		{ SIDE_IN, NULL, "--sport", "-s", "ESTABLISHED" },
	};
	static const struct wish itself[] = {
		{ SIDE_OUT, "-o", NULL, NULL, "NEW" },
		{ SIDE_IN, "-i", NULL, NULL, "NEW" },
	};
	const struct wish *from = x->c->is_loopback ? itself : x->c->dst[0] ? used : service;

	x->n_wishes = from == service ? 4 : 2;
	memcpy(x->wish, from, x->n_wishes * sizeof(*from));
}

/* --- lines --- */

static bool is_token(const struct token *t, const char *word)
{
	return t->len == strlen(word) && memcmp(t->at, word, t->len) == 0;
}

/* Cuts a line at blanks; what stands in double quotes is one token with them. */
static size_t cut(const char *line, size_t len, struct token out[MAX_TOKENS])
{
	const char *end = line + len;
	size_t n = 0;

	while (n < MAX_TOKENS) {
		bool is_quoted = false;
		const char *begin;

		while (line < end && (*line == ' ' || *line == '\t' || *line == '\r'))
			line++;
		if (line == end)
			return n;
		for (begin = line; line < end && (is_quoted || (*line != ' ' && *line != '\t'));
		     line++) {
			if (*line == '\\' && line + 1 < end)
				line++;
			else if (*line == '"')
				is_quoted = !is_quoted;
		}
		out[n++] = (struct token){ begin, (size_t)(line - begin) };
	}
	return MAX_TOKENS + 1;
}

static struct chain *chain_of(struct composing *x, const struct token *name)
{
	for (size_t i = 0; i < x->n_chains; i++)
		if (is_token(name, x->chains[i].name))
			return &x->chains[i];
	return NULL;
}

static int add_chain(struct composing *x, const struct token *name)
{
	struct chain *c;

	if (chain_of(x, name) || name->len >= MAX_NAME)
		return 0;
	if (x->n_chains == MAX_CHAINS)
		return ct_err_set(x->err, -E2BIG, "more than %d chains", MAX_CHAINS);
	c = &x->chains[x->n_chains++];
	*c = (struct chain){ 0 };
	memcpy(c->name, name->at, name->len);
	c->sides = strcmp(c->name, "INPUT") == 0    ? SIDE_IN
		   : strcmp(c->name, "OUTPUT") == 0 ? SIDE_OUT
						    : 0;
	return 0;
}

/* Calls @each for every line of the table called @table. */
typedef int (*each_line)(struct composing *x, const char *line, size_t len);
static int lines_of(struct composing *x, const char *text, const char *table, each_line each)
{
	bool is_in = false;
	int r = 0;

	while (*text && r == 0) {
		size_t len = strcspn(text, "\n");

		if (*text == '*')
			is_in = len == strlen(table) + 1 && memcmp(text + 1, table, len - 1) == 0;
		else if (is_in)
			r = each(x, text, len);
		text += len + (text[len] != '\0');
	}
	return r;
}

/* --- which chains are reached from where --- */

static int note_chain(struct composing *x, const char *line, size_t len)
{
	struct token t[MAX_TOKENS];

	if (*line != ':' || cut(line + 1, len - 1, t) < 1)
		return 0;
	return add_chain(x, &t[0]);
}

static int note_jump(struct composing *x, const char *line, size_t len)
{
	struct token t[MAX_TOKENS];
	size_t n = cut(line, len, t);
	const struct chain *from;

	if (n < 2 || n > MAX_TOKENS || !is_token(&t[0], "-A"))
		return 0;
	from = chain_of(x, &t[1]);
	for (size_t i = 2; from && i + 1 < n; i++) {
		struct chain *to = is_token(&t[i], "-j") || is_token(&t[i], "-g")
					   ? chain_of(x, &t[i + 1])
					   : NULL;

		if (to)
			to->sides |= from->sides;
	}
	return 0;
}

static int find_sides(struct composing *x, const char *text)
{
	int r = lines_of(x, text, "filter", note_chain);
	unsigned before = 1, after = 0;

	/* A chain calls chains that call others: until nothing new comes. */
	while (r == 0 && before != after) {
		before = after;
		r = lines_of(x, text, "filter", note_jump);
		after = 0;
		for (size_t i = 0; i < x->n_chains; i++)
			after += x->chains[i].sides;
	}
	return r;
}

/* --- one rule as one for untracked packets --- */

/* Whether a list of ports, "80,8000:8080", holds those of the class. */
static bool holds_ports(const struct untrack_class *c, const struct token *list)
{
	const char *at = list->at, *end = at + list->len;

	while (at < end) {
		size_t n = strcspn(at, ", "), part = strcspn(at, ":,");
		uint64_t a, b;

		if (at + n > end)
			n = (size_t)(end - at);
		part = part > n ? n : part;
		if (ct_number_u64(at, part, 65535, &a) < 0)
			return false;
		b = a;
		if (part < n && ct_number_u64(at + part + 1, n - part - 1, 65535, &b) < 0)
			return false;
		if (a <= c->port_from && b >= c->port_to)
			return true;
		at += n + 1;
	}
	return false;
}

static bool has_state(const struct token *list, const char *state)
{
	size_t len = strlen(state);

	for (size_t i = 0; i + len <= list->len; i++)
		if (memcmp(list->at + i, state, len) == 0)
			return true;
	return false;
}

/* Whether an address in a rule, "10.0.0.53/32", is this one. */
static bool is_address(const struct token *v, const char *address)
{
	size_t len = strlen(address);

	return v->len >= len && memcmp(v->at, address, len) == 0 &&
	       (v->len == len || v->at[len] == '/');
}

/* What is found while a rule is copied. */
struct copying {
	const struct composing *x;
	const struct wish *w;
	char text[MAX_LINE];
	size_t len;
	bool has_proto, has_port, has_iface, has_address, has_state;
	bool is_accept, is_limited;
};

static void keep(struct copying *k, const struct token *t)
{
	if (k->len + t->len + 2 < sizeof(k->text))
		k->len += (size_t)snprintf(k->text + k->len, sizeof(k->text) - k->len, " %.*s",
					   (int)t->len, t->at);
}

static void keep_text(struct copying *k, const char *text)
{
	keep(k, &(struct token){ text, strlen(text) });
}

static bool is_limiting(const struct token *match)
{
	static const char *const names[] = { "limit",	  "hashlimit", "recent",
					     "connlimit", "connbytes", "quota" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (is_token(match, names[i]))
			return true;
	return false;
}

/* Looks at an option and its value. True when the rule can still be one for the class; @used is how
 * many tokens it was. */
static bool take_option(struct copying *k, const struct token *t, size_t left, bool is_not,
			size_t *used)
{
	const struct untrack_class *c = k->x->c;
	const struct wish *w = k->w;
	const struct token *v = left > 1 ? &t[1] : &t[0];

	*used = 2;
	if (is_token(t, "-p")) {
		k->has_proto = true;
		return !is_not && (c->is_loopback || is_token(v, c->proto_name));
	}
	if (is_token(t, "--state") || is_token(t, "--ctstate")) {
		k->has_state = true;
		return !is_not && has_state(v, w->state);
	}
	if (is_token(t, "-i") || is_token(t, "-o")) {
		bool is_ours = w->iface && is_token(t, w->iface);

		k->has_iface |= is_ours;
		return !is_ours || (!is_not && is_token(v, "lo"));
	}
	if (is_token(t, "-s") || is_token(t, "-d")) {
		bool is_ours = w->address && is_token(t, w->address);

		k->has_address |= is_ours && !is_not;
		return !is_ours || (!is_not && is_address(v, c->dst));
	}
	if (is_token(t, "--dport") || is_token(t, "--dports") || is_token(t, "--sport") ||
	    is_token(t, "--sports")) {
		bool is_ours = w->port && strncmp(t->at, w->port, strlen(w->port)) == 0;

		k->has_port |= is_ours;
		return !is_ours || (!is_not && holds_ports(c, v));
	}
	if (is_token(t, "-m")) {
		k->is_limited |= is_limiting(v);
		return true;
	}
	if (is_token(t, "-j") || is_token(t, "-g")) {
		k->is_accept = is_token(t, "-j") && is_token(v, "ACCEPT");
		return k->is_accept;
	}
	*used = 1; /* another option, or the value of one: kept word by word */
	return true;
}

/* Puts down what of the option stays in the copy. */
static void keep_option(struct copying *k, const struct token *t, size_t used, bool is_not)
{
	if (is_token(t, "-j"))
		return;
	if (is_not)
		keep_text(k, "!");
	keep(k, t);
	if (is_token(t, "--state") || is_token(t, "--ctstate"))
		keep_text(k, "UNTRACKED");
	else if (used == 2)
		keep(k, &t[1]);
}

/* Copies the conditions of a rule; false when it lets no packet of the wish pass by its state. */
static bool copy_rule(struct copying *k, const struct token *t, size_t n)
{
	bool is_not = false;

	for (size_t i = 2, used; i < n; i += used) {
		if (is_token(&t[i], "!")) {
			is_not = true;
			used = 1;
			continue;
		}
		/* Only the first packet of a tracked connection came here; now all of them do. */
		if (is_token(&t[i], "--syn") || is_token(&t[i], "--tcp-flags")) {
			if (is_not)
				return false;
			used = is_token(&t[i], "--syn") ? 1 : 3;
			continue;
		}
		if (!take_option(k, &t[i], n - i, is_not, &used))
			return false;
		keep_option(k, &t[i], used, is_not);
		is_not = false;
	}
	return k->has_state && k->is_accept;
}

/* The conditions of the class that the rule does not have itself. */
static void conditions(const struct copying *k, char *out, size_t size)
{
	const struct untrack_class *c = k->x->c;
	const struct wish *w = k->w;
	int n = 0;

	out[0] = '\0';
	if (w->address && !k->has_address)
		n += snprintf(out + n, size - (size_t)n, " %s %s", w->address, c->dst);
	if (w->iface && !k->has_iface)
		n += snprintf(out + n, size - (size_t)n, " %s lo", w->iface);
	if (c->proto && !k->has_proto)
		n += snprintf(out + n, size - (size_t)n, " -p %s", c->proto_name);
	if (w->port && !k->has_port)
		n += snprintf(out + n, size - (size_t)n, " -m %s %s %u", c->proto_name, w->port,
			      c->port_from);
	if (w->port && !k->has_port && c->port_to != c->port_from)
		(void)snprintf(out + n, size - (size_t)n, ":%u", c->port_to);
}

/* -m tcp needs -p tcp in front of it, which may stand in the copied part. */
static int add_accept(struct composing *x, struct chain *c, const struct copying *k)
{
	char more[160];
	bool is_behind = k->has_proto;

	conditions(k, more, sizeof(more));
	c->n_added++;
	x->out->n_rules++;
	x->out->n_accepts++;
	if (ct_buf_printf(&x->accepts, "-I %s %u%s%s%s -m comment --comment \"%s\" -j ACCEPT\n",
			  c->name, c->n_rules + c->n_added, is_behind ? "" : more, k->text,
			  is_behind ? more : "", x->tag) < 0)
		return -ENOMEM;
	return ct_buf_printf(&x->out->whole, "-A %s%s%s%s -m comment --comment \"%s\" -j ACCEPT\n",
			     c->name, is_behind ? "" : more, k->text, is_behind ? more : "",
			     x->tag);
}

static int derive(struct composing *x, const struct token *t, size_t n)
{
	struct chain *c = n >= 2 && is_token(&t[0], "-A") ? chain_of(x, &t[1]) : NULL;

	for (unsigned i = 0; c && i < x->n_wishes; i++) {
		struct copying k = { .x = x, .w = &x->wish[i] };
		int r;

		if (!(c->sides & x->wish[i].side) || !copy_rule(&k, t, n))
			continue;
		if (k.is_limited)
			return ct_err_set(x->err, -EOPNOTSUPP,
					  "chain %s holds back new connections by their rate or "
					  "number, which packets that are not tracked do not have; "
					  "decide by hand what shall hold for them",
					  c->name);
		if (k.len + 200 > MAX_LINE)
			return ct_err_set(x->err, -E2BIG, "a rule of chain %s is too long",
					  c->name);
		r = add_accept(x, c, &k);
		if (r < 0)
			return r;
	}
	if (c)
		c->n_rules++;
	return 0;
}

/* --- the raw table --- */

static int raw_rule(struct composing *x, const char *chain, const char *conditions_text)
{
	char rule[512];

	(void)snprintf(rule, sizeof(rule), "%s -m comment --comment \"%s\" -j CT --notrack",
		       conditions_text, x->tag);
	x->out->n_rules++;
	if (ct_buf_printf(&x->out->whole, "-A %s%s\n", chain, rule) < 0)
		return -ENOMEM;
	return ct_buf_printf(&x->out->restore, "-I %s 1%s\n", chain, rule);
}

static int raw_rules(struct composing *x)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < x->n_wishes; i++) {
		const struct wish *w = &x->wish[i];
		struct copying none = { .x = x, .w = w };
		bool is_arriving = w->side == SIDE_IN;
		char text[256], more[160];

		conditions(&none, more, sizeof(more));
		/* What only passes through is somebody else's. */
		(void)snprintf(text, sizeof(text), "%s%s", more,
			       is_arriving && !w->iface && !w->address
				       ? " -m addrtype --dst-type LOCAL"
				       : "");
		r = raw_rule(x, is_arriving ? "PREROUTING" : "OUTPUT", text);
	}
	return r;
}

/* --- the whole --- */

/* Carries the rule set over, with what is new in place. */
static int compose(struct composing *x, const char *text)
{
	bool is_filter = false, is_raw = false, had_raw = false;
	int r = 0;

	while (*text && r == 0) {
		size_t len = strcspn(text, "\n");
		struct token t[MAX_TOKENS];

		if (*text == '*') {
			is_filter = strncmp(text, "*filter", len) == 0 && len == 7;
			is_raw = strncmp(text, "*raw", len) == 0 && len == 4;
			had_raw |= is_raw;
		} else if (is_raw && *text != ':' && *text != '#') {
			r = raw_rules(x);
			is_raw = false;
		} else if (is_filter && *text == '-') {
			size_t n = cut(text, len, t);

			r = n > MAX_TOKENS ? ct_err_set(x->err, -E2BIG, "a rule is too long")
					   : derive(x, t, n);
		}
		r = r < 0 ? r : ct_buf_printf(&x->out->whole, "%.*s\n", (int)len, text);
		text += len + (text[len] != '\0');
	}
	if (r == 0 && is_raw) /* a table without an end */
		return raw_rules(x);
	if (r < 0 || had_raw)
		return r;
	r = ct_buf_printf(&x->out->whole, "*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n");
	r = r < 0 ? r : raw_rules(x);
	return r < 0 ? r : ct_buf_printf(&x->out->whole, "COMMIT\n");
}

/* Accepts come first: between two tables of one restore they harm nobody. */
static int put_together(struct composing *x)
{
	auto_fini(ct_buf) struct ct_buf raw = x->out->restore;
	struct ct_buf *to = &x->out->restore;

	*to = (struct ct_buf){ 0 };
	if (x->accepts.len && ct_buf_printf(to, "*filter\n%sCOMMIT\n", x->accepts.p) < 0)
		return -ENOMEM;
	return ct_buf_printf(to, "*raw\n%sCOMMIT\n", raw.p);
}

int untrack_compose(const struct untrack_class *c, uint8_t family, const char *text,
		    const char *tag, struct untracked_rules *out, struct ct_err *err)
{
	struct composing x = { .c = c, .tag = tag, .out = out, .err = err };
	int r;

	if (c->family && c->family != family)
		return 0;
	x.chains = malloc(MAX_CHAINS * sizeof(*x.chains));
	if (!x.chains)
		return ct_err_set(err, -ENOMEM, "out of memory");
	set_wishes(&x);
	r = find_sides(&x, text);
	r = r < 0 ? r : compose(&x, text);
	r = r < 0 ? r : put_together(&x);
	free(x.chains);
	ct_buf_fini(&x.accepts);
	return r;
}

int untrack_removal(const char *text, const char *tag, struct ct_buf *out, unsigned *n)
{
	char mark[96];
	int r = 0;

	*n = 0;
	out->len = 0;
	(void)snprintf(mark, sizeof(mark), "--comment \"%s\"", tag);
	while (*text && r == 0) {
		size_t len = strcspn(text, "\n");
		const char *at = memmem(text, len, mark, strlen(mark));

		if (!at) /* iptables-save quotes only where it must */
			at = memmem(text, len, tag, strlen(tag));
		if (*text == '*' || strncmp(text, "COMMIT", 6) == 0) {
			r = ct_buf_printf(out, "%.*s\n", (int)len, text);
		} else if (at && strncmp(text, "-A ", 3) == 0) {
			r = ct_buf_printf(out, "-D %.*s\n", (int)len - 3, text + 3);
			(*n)++;
		}
		text += len + (text[len] != '\0');
	}
	return r;
}

int untrack_strip(const char *text, struct ct_buf *out)
{
	int r = 0;

	while (*text && r == 0) {
		size_t len = strcspn(text, "\n"), whole = len + (text[len] != '\0');

		if (strncmp(text, "-A ", 3) != 0 ||
		    !memmem(text, len, UNTRACK_TAG, strlen(UNTRACK_TAG)))
			r = ct_buf_put(out, text, whole);
		text += whole;
	}
	return r;
}

void untracked_rules_fini(struct untracked_rules *u)
{
	ct_buf_fini(&u->restore);
	ct_buf_fini(&u->whole);
	*u = (struct untracked_rules){ 0 };
}
