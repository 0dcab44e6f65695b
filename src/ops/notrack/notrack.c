/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The exemption, then what it takes to accept the packets that lost their state: for each class of
 * packets that is lost, a rule in front of the one that accepted it, and where that is not reached
 * without a state, in front of the one that ends it.
 */
#include "ops/notrack/notrack.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/proof/compare.h"
#include "lib/proof/trail.h"
#include "lib/ruleset/ext.h"
#include "ops/notrack/edit.h"

#define MAX_GIVEN_UP 64

struct making {
	struct notrack *n;
	const struct notrack_class *class;
	unsigned syntax;
	uint8_t family;
	struct ct_ruleset *before, *now; /* owned */
	struct ct_proof *p;		 /* owned; of both */
	struct ct_err *err;
	uint64_t given_up[MAX_GIVEN_UP]; /* hashes of the texts of classes that stay lost */
};

static struct ct_ruleset *parse(const struct making *m, const char *text, size_t len)
{
	return ct_ruleset_parse(text, len, m->syntax, m->err);
}

/* Reads the text as it is now, and begins a proof of it. */
static int renew(struct making *m)
{
	int r;

	ct_ruleset_free(m->now);
	ct_proof_free(m->p);
	m->p = NULL;
	m->now = parse(m, m->n->text.p, m->n->text.len);
	if (!m->now)
		return -EINVAL;
	m->p = ct_proof_new(m->family, 0);
	if (!m->p)
		return ct_err_set(m->err, -ENOMEM, "no memory for the proof");
	r = ct_proof_learn(m->p, m->before, m->err);
	return r == 0 ? ct_proof_learn(m->p, m->now, m->err) : r;
}

/* One rule into the text, remembered. */
static int add(struct making *m, unsigned line, const char *table, const char *chain,
	       const char *words)
{
	struct notrack_line *l = &m->n->line[m->n->n_lines];

	if (m->n->n_lines == NOTRACK_MAX_LINES)
		return ct_err_set(m->err, -E2BIG, "it would take more than %d rules",
				  NOTRACK_MAX_LINES);
	if (strlen(words) >= sizeof(l->words) || strlen(chain) >= sizeof(l->chain))
		return ct_err_set(m->err, -E2BIG, "a rule would be too long");
	if (edit_insert(&m->n->text, line, chain, words) < 0)
		return ct_err_set(m->err, -ENOMEM, "no memory for the rules");
	(void)snprintf(l->table, sizeof(l->table), "%s", table);
	(void)snprintf(l->chain, sizeof(l->chain), "%s", chain);
	(void)snprintf(l->words, sizeof(l->words), "%s", words);
	m->n->n_lines++;
	return 0;
}

/* The exemption ------------------------------------------------------------------------------- */

/* Matches of the class's packets, or of their answers. */
static void put_class(const struct notrack_class *c, bool is_answer, struct ct_text *t)
{
	const char *src = is_answer ? c->dst : c->src, *dst = is_answer ? c->src : c->dst;
	const char *sport = is_answer ? c->dport : c->sport,
		   *dport = is_answer ? c->sport : c->dport;

	if (src[0])
		ct_text_printf(t, "-s %s ", src);
	if (dst[0])
		ct_text_printf(t, "-d %s ", dst);
	if (c->proto[0])
		ct_text_printf(t, "-p %s ", c->proto);
	if (sport[0] || dport[0])
		ct_text_printf(t, "-m %s ", c->proto);
	if (sport[0])
		ct_text_printf(t, "--sport %s ", sport);
	if (dport[0])
		ct_text_printf(t, "--dport %s ", dport);
}

/* Which packets each role keeps from the tracker, and where: clients' packets and answers. */
#define FOR_ME "-m addrtype --dst-type LOCAL "
static const struct exemption {
	enum notrack_role role;
	const char *chain, *iface;
	const char *own; /* where packets pass through as well: only those for the machine itself */
	bool is_answer;
} exemptions[] = {
	{ NOTRACK_LOCAL, "PREROUTING", "", FOR_ME, false },
	{ NOTRACK_LOCAL, "OUTPUT", "", "", true },
	{ NOTRACK_LOCAL, "OUTPUT", "-o lo ", "", false },
	{ NOTRACK_CLIENT, "OUTPUT", "", "", false },
	{ NOTRACK_CLIENT, "PREROUTING", "", FOR_ME, true },
	{ NOTRACK_CLIENT, "OUTPUT", "-o lo ", "", true },
	{ NOTRACK_FORWARD, "PREROUTING", "", "", false },
	{ NOTRACK_FORWARD, "PREROUTING", "", "", true },
};

/* Whether rules are there for packets on their way through. */
static bool forwards(const struct ct_ruleset *rs)
{
	for (const struct ct_rule_table *t = rs->tables; t; t = t->next)
		for (const struct ct_rule_chain *c = t->chains; c; c = c->next)
			for (const struct ct_rule *r = c->first; r && c->hook == CT_BIT_FORWARD;
			     r = r->next)
				if (r->verdict != CT_RULE_DROP &&
				    !(r->verdict == CT_RULE_EXT && r->target->def &&
				      r->target->def->target == ct_target_reject))
					return true;
	return false;
}

static int exempt_one(struct making *m, unsigned line, const struct exemption *e)
{
	char words[NOTRACK_MAX_WORDS];
	struct ct_text t;

	ct_text_init(&t, words, sizeof(words));
	ct_text_str(&t, e->iface);
	put_class(m->class, e->is_answer, &t);
	ct_text_str(&t, forwards(m->before) ? e->own : "");
	ct_text_str(&t, "-j CT --notrack");
	return add(m, line, "raw", e->chain, words);
}

static int exempt(struct making *m)
{
	static const struct exemption loopback = { NOTRACK_LOCAL, "OUTPUT", "-o lo ", "", false };
	unsigned line;
	int r = edit_table_top(&m->n->text, m->before, "raw", &line);

	if (r < 0)
		return ct_err_set(m->err, r, "no memory for the rules");
	if (m->class->is_loopback)
		return exempt_one(m, line, &loopback);
	for (size_t i = 0; r == 0 && i < sizeof(exemptions) / sizeof(*exemptions); i++)
		if (exemptions[i].role == m->class->role)
			r = exempt_one(m, line++, &exemptions[i]);
	return r;
}

/* Is anything untracked now that was not? */
static bool changes_anything(struct making *m)
{
	for (unsigned way = 0; way < N_WAYS; way++)
		if (ct_proof_untracked(m->p, m->before, (enum ct_way_kind)way) !=
		    ct_proof_untracked(m->p, m->now, (enum ct_way_kind)way))
			return true;
	return false;
}

/* The packets that clients send, or the answers to them, as a set. */
static ct_dd class_packets(struct making *m, enum ct_way_kind way, bool is_answer)
{
	char words[NOTRACK_MAX_WORDS], text[NOTRACK_MAX_WORDS + 64];
	struct ct_text t;
	struct ct_ruleset *rs;
	ct_dd set = CT_DD_TRUE;
	int len;

	ct_text_init(&t, words, sizeof(words));
	put_class(m->class, is_answer, &t);
	len = snprintf(text, sizeof(text),
		       "*raw\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT %s-j ACCEPT\nCOMMIT\n", words);
	rs = parse(m, text, len > 0 ? (size_t)len : 0);
	for (const struct ct_rule_chain *c = rs && rs->tables ? rs->tables->chains : NULL; c;
	     c = c->next)
		if (c->first)
			set = ct_proof_rule_packets(m->p, rs->tables, c, c->first, CT_AT_OUTPUT,
						    way);
	ct_ruleset_free(rs);
	return set;
}

/* Translations -------------------------------------------------------------------------------- */

static bool refuse(void *user, const struct ct_class *c)
{
	struct making *m = user;
	struct ct_witness w;
	struct ct_trail trail;
	char text[512];
	struct ct_text t;

	ct_class_witness(m->p, c, &w);
	ct_proof_track_all(m->p, true);
	ct_proof_trail(m->p, m->before, &w, &trail);
	ct_proof_track_all(m->p, false);
	ct_text_init(&t, text, sizeof(text));
	if (trail.translated.rule)
		ct_rule_words(m->before, trail.translated.chain, trail.translated.rule, &t);
	ct_text_str(&t, ", as ");
	ct_witness_text(&w, &t);
	(void)ct_err_set(m->err, -EPERM,
			 "what needs NAT cannot be untracked; these packets are translated by %s",
			 text);
	return false;
}

/* The way on which a role's packets are answers: they begin nothing that could be translated. */
static bool only_answers(enum notrack_role role, enum ct_way_kind way)
{
	return (role == NOTRACK_LOCAL && way == CT_WAY_SENT) ||
	       (role == NOTRACK_CLIENT && way == CT_WAY_RECEIVED);
}

/* -EPERM when packets that come through and are translated would be untracked. */
static int check_nat(struct making *m)
{
	struct ct_dds *d = ct_proof_dds(m->p);

	for (unsigned i = 0; i < N_WAYS; i++) {
		enum ct_way_kind way = (enum ct_way_kind)i;
		ct_dd set = ct_proof_translated(m->p, m->before, way);

		if (set == CT_DD_FALSE || only_answers(m->class->role, way))
			continue;
		set = ct_dd_and(d, set, ct_proof_untracked(m->p, m->now, way));
		set = ct_dd_less(d, set, ct_proof_untracked(m->p, m->before, way));
		set = ct_dd_and(d, set, class_packets(m, way, false));
		set = ct_dd_and(d, set,
				ct_proof_accepted(m->p, ct_proof_fates(m->p, m->before, way)));
		if (ct_proof_classes(m->p, set, way, refuse, m) == 1)
			return -EPERM;
	}
	return ct_proof_check(m->p, m->err);
}

/* Lost packets -------------------------------------------------------------------------------- */

/* A class of lost packets; @class belongs to the proof that found it, @text outlives it. */
struct lost {
	struct making *m;
	struct ct_class class;
	bool is_any;
	char text[512];
};

static uint64_t hash(const char *s)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * UINT64_C(0x100000001b3);
	return h;
}

static bool is_given_up(const struct making *m, const char *text)
{
	for (unsigned i = 0; i < m->n->n_lost && i < MAX_GIVEN_UP; i++)
		if (m->given_up[i] == hash(text))
			return true;
	return false;
}

static bool take_first(void *user, const struct ct_class *c)
{
	struct lost *l = user;
	struct ct_text t;

	ct_text_init(&t, l->text, sizeof(l->text));
	ct_text_str(&t, ct_way_kind_name(c->way));
	ct_text_char(&t, ' ');
	ct_class_text(l->m->p, c, 64, &t);
	if (is_given_up(l->m, l->text))
		return true;
	l->class = *c;
	l->is_any = true;
	return false;
}

static ct_dd lost_on(struct making *m, enum ct_way_kind way)
{
	return ct_proof_changed(m->p, m->before, m->now, way, CT_CHANGE_LOST, false);
}

static bool find_lost(struct making *m, struct lost *l)
{
	*l = (struct lost){ .m = m };
	for (unsigned way = 0; way < N_WAYS && !l->is_any; way++)
		(void)ct_proof_classes(m->p, lost_on(m, (enum ct_way_kind)way),
				       (enum ct_way_kind)way, take_first, l);
	return l->is_any;
}

/* The rule of the present text that is worded as @s, which stands in the text before. */
static unsigned line_now(const struct making *m, const struct ct_stand *s)
{
	char want[4096], has[4096];
	struct ct_text t;

	if (!s->rule)
		return 0;
	ct_text_init(&t, want, sizeof(want));
	ct_rule_words(m->before, s->chain, s->rule, &t);
	for (const struct ct_rule_table *table = m->now->tables; table; table = table->next) {
		if (strcmp(table->name, s->table) != 0)
			continue;
		for (const struct ct_rule_chain *c = table->chains; c; c = c->next)
			for (const struct ct_rule *r = c->first; r; r = r->next) {
				if (strcmp(c->name, s->chain->name) != 0)
					break;
				ct_text_init(&t, has, sizeof(has));
				ct_rule_words(m->now, c, r, &t);
				if (strcmp(want, has) == 0)
					return r->line;
			}
	}
	return 0;
}

static int accept_before(struct making *m, const struct lost *l, const struct ct_stand *s,
			 unsigned line)
{
	char words[NOTRACK_MAX_WORDS];
	struct ct_text t;

	ct_text_init(&t, words, sizeof(words));
	ct_class_rule(m->p, &l->class, &t);
	ct_text_str(&t, " -m conntrack --ctstate UNTRACKED -j ACCEPT");
	if (t.is_cut)
		return ct_err_set(m->err, -E2BIG, "a rule would be too long");
	return add(m, line, s->table, s->chain->name, words + (words[0] == ' '));
}

static void take_back(struct making *m, const struct ct_buf *text)
{
	m->n->n_lines--;
	m->n->text.len = 0;
	(void)ct_buf_put(&m->n->text, text->p, text->len);
}

/* Would packets that begin a connection be let in that were not? Answers without a state look like
 * packets that begin one: accepting them lets in what claims to be an answer, and is told of. */
static bool lets_in(struct making *m)
{
	struct ct_dds *d = ct_proof_dds(m->p);

	for (unsigned way = 0; way < N_WAYS; way++) {
		ct_dd set = ct_proof_changed(m->p, m->before, m->now, (enum ct_way_kind)way,
					     CT_CHANGE_GAINED, false);

		set = ct_dd_and(d, set, ct_field_is(d, CT_FIELD_STATE, CT_PROOF_NEW));
		if (ct_dd_less(d, set, class_packets(m, (enum ct_way_kind)way, true)) !=
		    CT_DD_FALSE)
			return true;
	}
	return false;
}

/* A rule in front of @s at @line, if that helps: another class is lost then, or none, and nobody is
 * let in who was kept out. 1 when it does; else all is as it was. */
static int try_accept(struct making *m, const struct lost *l, const struct ct_stand *s,
		      unsigned line)
{
	struct ct_buf old = { 0 };
	struct lost next;
	int r;

	if (!line)
		return 0;
	if (ct_buf_put(&old, m->n->text.p, m->n->text.len) < 0)
		return ct_err_set(m->err, -ENOMEM, "no memory for the rules");
	r = accept_before(m, l, s, line);
	if (r == 0)
		r = renew(m);
	if (r == 0 && (!find_lost(m, &next) || strcmp(next.text, l->text) != 0) && !lets_in(m))
		r = 1;
	if (r == 0) {
		take_back(m, &old);
		r = renew(m);
	}
	ct_buf_fini(&old);
	return r;
}

/* The line before which a rule of a policy's chain stands: behind its last rule. */
static unsigned end_of_chain(const struct making *m, const struct ct_stand *s)
{
	unsigned line = 0;

	for (const struct ct_rule *r = s->chain->first; r; r = r->next)
		line = r->line + 1;
	if (line)
		return line;
	for (const struct ct_rule_table *t = m->now->tables; t; t = t->next)
		if (strcmp(t->name, s->table) == 0)
			return edit_table_top(&m->n->text, m->now, t->name, &line) < 0 ? 0 : line;
	return 0;
}

/* They stay lost, and are told of. */
static int give_up(struct making *m, const struct lost *l)
{
	if (m->n->n_lost == MAX_GIVEN_UP)
		return ct_err_set(m->err, -ENOTSUP,
				  "too many kinds of packets would be lost: %.200s", l->text);
	m->given_up[m->n->n_lost++] = hash(l->text);
	return 0;
}

/* In front of what accepted the packets; else of what ends them now. */
static int repair(struct making *m, struct lost *l)
{
	struct ct_witness w;
	struct ct_trail was, is;
	int r;

	ct_class_witness(m->p, &l->class, &w);
	ct_proof_trail(m->p, m->before, &w, &was);
	r = try_accept(m, l, &was.decided, line_now(m, &was.decided));
	if (r != 0)
		return r < 0 ? r : 0;
	if (!find_lost(m, l)) /* in the proof that stands now */
		return 0;
	ct_proof_trail(m->p, m->now, &w, &is);
	r = try_accept(m, l, &is.decided,
		       is.decided.rule ? is.decided.rule->line : end_of_chain(m, &is.decided));
	if (r == 0)
		return give_up(m, l);
	return r < 0 ? r : 0;
}

static int repair_all(struct making *m)
{
	struct lost l;
	int r = 0;

	while (r == 0 && find_lost(m, &l))
		r = repair(m, &l);
	return r == 0 ? ct_proof_check(m->p, m->err) : r;
}

/* The result -------------------------------------------------------------------------------- */

/* The number of a rule in its chain, by its words as they are printed. */
static void find_place(struct making *m, struct notrack_line *l)
{
	char has[4096];
	struct ct_text t;

	for (const struct ct_rule_table *table = m->now->tables; table; table = table->next)
		for (const struct ct_rule_chain *c = table->chains; c; c = c->next) {
			unsigned n = 0;

			if (strcmp(table->name, l->table) != 0 || strcmp(c->name, l->chain) != 0)
				continue;
			for (const struct ct_rule *r = c->first; r; r = r->next) {
				n++;
				ct_text_init(&t, has, sizeof(has));
				ct_rule_words(m->now, c, r, &t);
				if (strcmp(has + 4 + strlen(c->name), l->words) == 0 && !l->at)
					l->at = n;
			}
		}
}

static bool is_base(const char *chain)
{
	for (unsigned bit = 1; bit <= CT_BIT_POSTROUTING; bit <<= 1)
		if (strcmp(chain, ct_rule_hook_name(bit)) == 0)
			return true;
	return false;
}

/* Rules as iptables prints them, so that they are found again. */
static void normalise(struct making *m, struct notrack_line *l)
{
	char text[NOTRACK_MAX_WORDS + 128], words[4096];
	struct ct_ruleset *rs;
	struct ct_text t;
	int len = snprintf(text, sizeof(text), "*%s\n:%s %s [0:0]\n-A %s %s\nCOMMIT\n", l->table,
			   l->chain, is_base(l->chain) ? "ACCEPT" : "-", l->chain, l->words);

	rs = len > 0 && (size_t)len < sizeof(text) ? parse(m, text, (size_t)len) : NULL;
	for (const struct ct_rule_chain *c = rs && rs->tables ? rs->tables->chains : NULL; c;
	     c = c->next)
		if (c->first) {
			ct_text_init(&t, words, sizeof(words));
			ct_rule_words(rs, c, c->first, &t);
			if (t.len < sizeof(l->words))
				(void)snprintf(l->words, sizeof(l->words), "%s",
					       words + 4 + strlen(c->name));
		}
	ct_ruleset_free(rs);
}

int notrack_make(struct notrack *n, const struct notrack_class *c, const char *text, size_t len,
		 unsigned syntax, struct ct_err *err)
{
	struct making m = { .n = n, .class = c, .syntax = syntax, .err = err };
	int r = 0;

	*n = (struct notrack){ 0 };
	m.family = syntax & CT_SYNTAX_IP6TABLES ? CT_FAMILY_IPV6 : CT_FAMILY_IPV4;
	m.before = parse(&m, text, len);
	if (!m.before)
		return -EINVAL;
	if (!ct_proof_tracks(m.before)) {
		n->was_done = true;
		ct_ruleset_free(m.before);
		return 0;
	}
	if (ct_buf_put(&n->text, text, len) < 0)
		r = ct_err_set(err, -ENOMEM, "no memory for the rules");
	if (r == 0)
		r = exempt(&m);
	if (r == 0)
		r = renew(&m);
	if (r == 0 && !changes_anything(&m)) {
		n->was_done = true;
		n->n_lines = 0;
	} else if (r == 0) {
		r = check_nat(&m);
		if (r == 0)
			r = repair_all(&m);
	}
	for (unsigned i = 0; r == 0 && i < n->n_lines; i++) {
		normalise(&m, &n->line[i]);
		find_place(&m, &n->line[i]);
	}
	ct_ruleset_free(m.before);
	ct_ruleset_free(m.now);
	ct_proof_free(m.p);
	return r;
}

void notrack_fini(struct notrack *n)
{
	ct_buf_fini(&n->text);
	n->n_lines = 0;
}
