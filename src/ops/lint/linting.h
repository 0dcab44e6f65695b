/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The inside of lint: one IP version's proof under way, and what the checks share.
 */
#ifndef OPS_LINT_LINTING_H
#define OPS_LINT_LINTING_H

#include "lib/proof/classes.h"
#include "lib/proof/trail.h"
#include "lib/ruleset/ext.h"
#include "ops/lint/lint.h"

struct linting {
	struct ct_proof *p;
	const struct ct_ruleset *rules;
	const char *name;
	const struct linting *other; /* the other IP version; or null */
	struct report *r;
	const struct lint_check *check;
	unsigned n_said; /* by this check */
	/* The rules of what this check has said: the same two are not told again. */
	struct {
		const struct ct_rule *a, *b;
	} told[64];
	unsigned n_told;
};

/* A check looks at one IP version. */
struct lint_check {
	const char *id, *name, *title;
	void (*run)(struct linting *l);
};

#define LINT(id, name, title) void lint_##name(struct linting *l);
#include "ops/lint/lint.def"
#undef LINT

/* At most so many classes of a set are told. */
#define LINT_MAX_CLASSES 4

/* Adds a finding about the packets of @set on @way for each of its classes: @say fills it. */
typedef void lint_say_fn(struct linting *l, const struct ct_class *c, const struct ct_witness *w,
			 void *user);
void lint_each_class(struct linting *l, ct_dd set, enum ct_way_kind way, lint_say_fn *say,
		     void *user);

/* Adds a finding with its sentence; null when memory is out. */
struct finding *lint_add(struct linting *l, enum severity severity, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Evidence: the class and the witness, a rule. Nulls are ignored. */
void lint_show_class(struct linting *l, struct finding *x, const struct ct_class *c,
		     const struct ct_witness *w);
void lint_show_rule(struct linting *l, struct finding *x, const char *what,
		    const struct ct_stand *s);

/* True when this check has spoken of both rules; from now on it has. */
bool lint_is_told(struct linting *l, const struct ct_rule *a, const struct ct_rule *b);

/* Whether packets can come on a way at all: on their way through only where a chain for that has
 * rules. */
bool lint_has_way(const struct linting *l, enum ct_way_kind way);

/* "tcp to port 8080": a class without state and way; text of the report. */
const char *lint_class(struct linting *l, const struct ct_class *c);

/* "iptables" or "ip6tables". */
const char *lint_tool(const struct linting *l);

/* The packet that answers @w. */
struct ct_witness lint_answer(const struct ct_witness *w);

#endif
