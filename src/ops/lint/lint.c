/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Running the checks of lint.def, and what they share.
 */
#include "ops/lint/lint.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ops/lint/linting.h"

static const struct lint_check checks[] = {
#define LINT(id, name, title) { id, #name, title, lint_##name },
#include "ops/lint/lint.def"
#undef LINT
};

struct finding *lint_add(struct linting *l, enum severity severity, const char *fmt, ...)
{
	struct finding *x = report_add(l->r, l->check->id, l->check->name, severity);
	char text[512];
	va_list ap;

	l->n_said++;
	if (!x)
		return NULL;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	x->sentence = report_text(l->r, "%s", text);
	return x;
}

bool lint_is_told(struct linting *l, const struct ct_rule *a, const struct ct_rule *b)
{
	for (unsigned i = 0; i < l->n_told; i++)
		if (l->told[i].a == a && l->told[i].b == b)
			return true;
	if (l->n_told < sizeof(l->told) / sizeof(*l->told)) {
		l->told[l->n_told].a = a;
		l->told[l->n_told++].b = b;
	}
	return false;
}

bool lint_has_way(const struct linting *l, enum ct_way_kind way)
{
	for (const struct ct_rule_table *t = l->rules->tables; t; t = t->next)
		for (const struct ct_rule_chain *c = t->chains; c; c = c->next)
			if (c->hook == CT_BIT_FORWARD && (c->first || c->policy != CT_RULE_ACCEPT))
				return true;
	return way != CT_WAY_FORWARDED;
}

const char *lint_tool(const struct linting *l)
{
	return ct_proof_family(l->p) == CT_FAMILY_IPV4 ? "iptables" : "ip6tables";
}

const char *lint_class(struct linting *l, const struct ct_class *c)
{
	struct ct_class without = *c;
	char text[256];
	struct ct_text t;

	without.value[CT_FIELD_STATE] = CT_DD_TRUE;
	ct_text_init(&t, text, sizeof(text));
	ct_class_text(l->p, &without, 4, &t);
	return report_text(l->r, "%s", text);
}

void lint_show_class(struct linting *l, struct finding *x, const struct ct_class *c,
		     const struct ct_witness *w)
{
	char text[512];
	struct ct_text t;

	ct_text_init(&t, text, sizeof(text));
	ct_class_text(l->p, c, 8, &t);
	finding_evidence(l->r, x, "packets", ct_way_kind_name(c->way), "%s", text);
	if (c->rest != CT_DD_TRUE) {
		ct_text_init(&t, text, sizeof(text));
		ct_class_choices(l->p, c, &t);
		finding_evidence(l->r, x, "if", "", "%s", text);
	}
	ct_text_init(&t, text, sizeof(text));
	ct_witness_text(w, &t);
	finding_evidence(l->r, x, "one of them", ct_proof_state_name(w->state), "%s", text);
}

void lint_show_rule(struct linting *l, struct finding *x, const char *what,
		    const struct ct_stand *s)
{
	char text[512];
	struct ct_text t;

	if (!s->chain)
		return;
	ct_text_init(&t, text, sizeof(text));
	if (s->rule)
		ct_rule_words(l->rules, s->chain, s->rule, &t);
	else
		ct_text_printf(&t, "the policy of %s", s->chain->name);
	finding_evidence(l->r, x, what,
			 s->rule ? report_text(l->r, "%s, table %s, line %u", l->name, s->table,
					       (unsigned)s->rule->line)
				 : report_text(l->r, "%s, table %s", l->name, s->table),
			 "%s", text);
}

struct ct_witness lint_answer(const struct ct_witness *w)
{
	struct ct_witness a = *w;

	a.way = ct_way_kind_answer(w->way);
	a.src = w->dst;
	a.dst = w->src;
	a.sport = w->dport;
	a.dport = w->sport;
	a.src_type = w->dst_type;
	a.dst_type = w->src_type;
	memcpy(a.in, w->out, sizeof(a.in));
	memcpy(a.out, w->in, sizeof(a.out));
	return a;
}

struct telling {
	struct linting *l;
	lint_say_fn *say;
	void *user;
	unsigned n;
};

static bool tell(void *user, const struct ct_class *c)
{
	struct telling *t = user;
	struct ct_witness w;

	if (t->n++ == LINT_MAX_CLASSES)
		return false;
	ct_class_witness(t->l->p, c, &w);
	t->say(t->l, c, &w, t->user);
	return true;
}

void lint_each_class(struct linting *l, ct_dd set, enum ct_way_kind way, lint_say_fn *say,
		     void *user)
{
	struct telling t = { l, say, user, 0 };

	if (lint_has_way(l, way))
		(void)ct_proof_classes(l->p, set, way, tell, &t);
}

/* One check on every IP version that has rules; silence is good news, and said once. */
static int run_check(struct linting *sides, unsigned n, const struct lint_check *c,
		     struct ct_err *err)
{
	unsigned n_said = 0;
	struct finding *x;

	for (unsigned i = 0; i < n; i++) {
		int ret;

		sides[i].check = c;
		sides[i].n_said = sides[i].n_told = 0;
		c->run(&sides[i]);
		n_said += sides[i].n_said;
		ret = ct_proof_check(sides[i].p, err);
		if (ret < 0)
			return ret;
	}
	if (n_said > 0)
		return 0;
	x = report_add(sides->r, c->id, c->name, SEVERITY_OK);
	if (x)
		x->sentence = report_text(sides->r, "Nothing: %s.", c->title);
	return 0;
}

static int begin(struct linting *l, const struct lint_side *side, uint8_t family, struct report *r,
		 struct ct_err *err)
{
	*l = (struct linting){ .rules = side->rules, .name = side->name, .r = r };
	l->p = ct_proof_new(family, 0);
	if (!l->p)
		return ct_err_set(err, -ENOMEM, "no memory for the proof");
	return ct_proof_learn(l->p, side->rules, err);
}

int lint_run(const struct lint_subject *s, struct report *r, struct ct_err *err)
{
	struct linting side[2] = { { 0 } };
	unsigned n = 0;
	int ret = 0;

	if (s->v4.rules)
		ret = begin(&side[n++], &s->v4, CT_FAMILY_IPV4, r, err);
	if (ret == 0 && s->v6.rules)
		ret = begin(&side[n++], &s->v6, CT_FAMILY_IPV6, r, err);
	if (n == 2) {
		side[0].other = &side[1];
		side[1].other = &side[0];
	}
	for (size_t i = 0; ret == 0 && n > 0 && i < sizeof(checks) / sizeof(*checks); i++)
		ret = run_check(side, n, &checks[i], err);
	for (unsigned i = 0; i < n; i++)
		ct_proof_free(side[i].p);
	return ret == 0 && report_error(r) < 0 ? ct_err_set(err, -ENOMEM, "out of memory") : ret;
}
