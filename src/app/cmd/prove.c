/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conntune prove: every packet that a changed rule set treats otherwise than the one before.
 */
#include <conntune/entry.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "app/cmd/cmd.h"
#include "app/cmd/rule_sides.h"
#include "lib/base/number.h"
#include "lib/proof/compare.h"
#include "lib/proof/trail.h"

enum prove_key { KEY_LIMIT = 1, KEY_EVERY };

struct prove_state {
	unsigned limit; /* classes of each kind on each way; 0 is "not given" */
	bool is_every;
};

static const struct option_spec prove_options[] = {
	{ "limit", 'n', "N", KEY_LIMIT, "at most N classes of a kind on a way, 10 by default" },
	{ "every", 0, NULL, KEY_EVERY, "also packets of connections that could not begin" },
	{ NULL, 0, NULL, 0, NULL },
};

static int prove_option(void *state, int key, const char *value, struct ct_err *err)
{
	struct prove_state *s = state;
	uint64_t n;

	switch ((enum prove_key)key) {
	case KEY_LIMIT:
		if (ct_number_u64(value, strlen(value), 1000000, &n) < 0 || n == 0)
			return ct_err_set(err, -EINVAL, "--limit takes a number from 1, not '%s'",
					  value);
		s->limit = (unsigned)n;
		return 0;
	case KEY_EVERY:
		s->is_every = true;
		return 0;
	}
	return -EINVAL;
}

/* A proof being told. */
struct proving {
	const struct prove_state *state;
	const struct common_options *common;
	struct writer *w;
	struct ct_proof *p;
	const struct rule_side *before, *after;
	enum ct_change change;
	const char *family;
	unsigned n, n_all; /* classes of this kind on this way; of all */
	bool is_cut;
};

static void put_stand(struct proving *v, const char *key, const char *label,
		      const struct rule_side *side, const struct ct_witness *w)
{
	char text[640];
	struct ct_text t;
	struct ct_trail trail;

	ct_text_init(&t, text, sizeof(text));
	ct_proof_trail(v->p, side->rules, w, &trail);
	if (trail.translated.rule && v->change == CT_CHANGE_TRANSLATED)
		ct_stand_text(side->rules, &trail.translated, &t);
	else
		ct_stand_text(side->rules, &trail.decided, &t);
	if (trail.untracked.rule) {
		ct_text_str(&t, "; untracked by ");
		ct_stand_text(side->rules, &trail.untracked, &t);
	}
	if (v->common->is_json) {
		writer_str(v->w, key, NULL, text);
		return;
	}
	memmove(text + strlen(label), text, sizeof(text) - strlen(label) - 1);
	memcpy(text, label, strlen(label));
	text[sizeof(text) - 1] = 0;
	writer_para(v->w, 6, text);
}

/* The command that asks the running kernel about the witness, under the new rules. Packets on their
 * way through take routes that only the machine knows. */
static void put_check(struct proving *v, const struct ct_witness *w)
{
	bool is_from_here = w->way == CT_WAY_SENT || w->way == CT_WAY_LOOPED;
	bool is_answer =
		!ct_proof_fate_at(v->p, ct_proof_openers(v->p, v->before->rules, w->way), w);
	char text[640], own[64];
	struct ct_text t;

	if (w->way == CT_WAY_FORWARDED || w->state == CT_PROOF_RELATED)
		return;
	ct_text_init(&t, own, sizeof(own));
	ct_addr_format(is_from_here ? &w->src : &w->dst, w->family, false, &t);
	ct_text_init(&t, text, sizeof(text));
	ct_text_printf(&t, "%sconntune trace --verify --host --local %s",
		       v->common->is_json ? "" : "check\n    ", own);
	if (w->way == CT_WAY_LOOPED) {
		ct_text_str(&t, " --local ");
		ct_addr_format(&w->dst, w->family, false, &t);
	}
	ct_text_printf(&t, " --rules%s %s '", w->family == CT_FAMILY_IPV6 ? "6" : "",
		       v->after->name);
	ct_witness_conversation(w, is_answer, &t);
	ct_text_char(&t, '\'');
	if (v->common->is_json)
		writer_str(v->w, "check", NULL, text);
	else
		writer_para(v->w, 6, text);
}

static void text_class(struct proving *v, const char *class, const char *choices,
		       const char *witness, const struct ct_witness *w)
{
	char text[1200];

	if (v->n_all == 0)
		writer_para_styled(v->w, WRITER_BOLD, 0, "These packets change their fate:");
	if (v->n == 0) {
		(void)snprintf(text, sizeof(text), "%s, %s, %s", v->family,
			       ct_way_kind_name(w->way), ct_change_name(v->change));
		writer_para_styled(v->w, v->change == CT_CHANGE_LOST ? WRITER_BAD : WRITER_WARNING,
				   2, text);
	}
	(void)snprintf(text, sizeof(text), "%s%s%s", class, choices[0] ? ", if " : "", choices);
	writer_para(v->w, 4, text);
	(void)snprintf(text, sizeof(text), "one is  %s, %s", ct_proof_state_name(w->state),
		       witness);
	writer_para(v->w, 6, text);
}

static void json_class(struct proving *v, const char *class, const char *choices,
		       const char *witness, const struct ct_witness *w)
{
	writer_row(v->w);
	writer_str(v->w, "family", NULL, v->family);
	writer_str(v->w, "way", NULL, ct_way_kind_name(w->way));
	writer_str(v->w, "change", NULL, ct_change_name(v->change));
	writer_str(v->w, "packets", NULL, class);
	if (choices[0])
		writer_str(v->w, "if", NULL, choices);
	writer_str(v->w, "state", NULL, ct_proof_state_name(w->state));
	writer_str(v->w, "witness", NULL, witness);
}

static bool tell(void *user, const struct ct_class *c)
{
	struct proving *v = user;
	char class[512], choices[512], witness[256];
	struct ct_text t;
	struct ct_witness w;

	if (v->n == (v->state->limit ? v->state->limit : 10)) {
		v->is_cut = true;
		return false;
	}
	ct_text_init(&t, class, sizeof(class));
	ct_class_text(v->p, c, 16, &t);
	ct_text_init(&t, choices, sizeof(choices));
	ct_class_choices(v->p, c, &t);
	ct_class_witness(v->p, c, &w);
	ct_text_init(&t, witness, sizeof(witness));
	ct_witness_text(&w, &t);
	if (v->common->is_json)
		json_class(v, class, choices, witness, &w);
	else
		text_class(v, class, choices, witness, &w);
	put_stand(v, "before", "before  ", v->before, &w);
	put_stand(v, "after", "after   ", v->after, &w);
	put_check(v, &w);
	if (v->common->is_json)
		writer_end(v->w);
	v->n++;
	v->n_all++;
	return true;
}

static int prove_family(struct proving *v, uint8_t family, struct ct_err *err)
{
	int r;

	v->family = family == CT_FAMILY_IPV4 ? "IPv4" : "IPv6";
	v->p = ct_proof_new(family, 0);
	if (!v->p)
		return ct_err_set(err, -ENOMEM, "no memory for the proof");
	r = ct_proof_learn(v->p, v->before->rules, err);
	if (r == 0)
		r = ct_proof_learn(v->p, v->after->rules, err);
	for (unsigned way = 0; r == 0 && way < N_WAYS; way++)
		for (v->change = CT_CHANGE_LOST; r == 0 && v->change < CT_CHANGE_END; v->change++) {
			ct_dd set = ct_proof_changed(v->p, v->before->rules, v->after->rules,
						     (enum ct_way_kind)way, v->change,
						     v->state->is_every);

			r = ct_proof_check(v->p, err);
			v->n = 0;
			if (r == 0 &&
			    ct_proof_classes(v->p, set, (enum ct_way_kind)way, tell, v) < 0)
				r = ct_err_set(err, -ENOMEM, "no memory for the classes");
		}
	ct_proof_free(v->p);
	return r;
}

static int prove_both(struct proving *v, const struct rule_sides *before,
		      const struct rule_sides *after, struct ct_err *err)
{
	int r = 0;

	if (!before->v4.rules != !after->v4.rules || !before->v6.rules != !after->v6.rules)
		return ct_err_set(err, -EINVAL,
				  "the rules before and after are of different IP versions");
	if (before->v4.rules) {
		v->before = &before->v4;
		v->after = &after->v4;
		r = prove_family(v, CT_FAMILY_IPV4, err);
	}
	if (r == 0 && before->v6.rules) {
		v->before = &before->v6;
		v->after = &after->v6;
		r = prove_family(v, CT_FAMILY_IPV6, err);
	}
	return r;
}

static int say(struct proving *v, const struct rule_sides *before, const struct rule_sides *after)
{
	struct ct_err err = { "" };
	int r;

	writer_begin(v->w, "prove", 1);
	if (v->common->is_json)
		writer_list(v->w, "changes", NULL, NULL, 0);
	r = prove_both(v, before, after, &err);
	if (v->common->is_json) {
		writer_end(v->w);
		writer_bool(v->w, "is_proved", NULL, r == 0);
		writer_bool(v->w, "is_cut", NULL, v->is_cut);
	} else if (r == 0 && v->n_all == 0) {
		writer_para_styled(v->w, WRITER_GOOD, 0, "No packet changes its fate.");
	} else if (r == 0) {
		writer_para(v->w, 0,
			    v->is_cut ? "There are more classes: --limit shows them."
				      : "No other packet does.");
	}
	if (r < 0)
		cmd_error("prove: %s", err.text);
	if (cmd_finish(v->w) != EXIT_DONE || r < 0)
		return r == -EINVAL ? EXIT_MISUSE : EXIT_FAILED;
	return v->n_all ? EXIT_FINDINGS : EXIT_DONE;
}

static int prove_run(void *state, const struct common_options *common, int argc, char **argv)
{
	struct rule_sides before = { 0 }, after = { 0 };
	auto_free(writer) struct writer *w = NULL;
	struct proving v = { .state = state, .common = common };
	struct ct_err err = { "" };
	int r = 0, code;

	if (argc != 2 && argc != 4) {
		cmd_error("prove: name the rules before and after, as many of each");
		return EXIT_MISUSE;
	}
	for (int i = 0; r == 0 && i < argc; i++)
		r = rule_sides_add(i < argc / 2 ? &before : &after, argv[i], &err);
	w = r == 0 ? cmd_writer(common) : NULL;
	v.w = w;
	if (r < 0)
		cmd_error("prove: %s", err.text);
	code = w ? say(&v, &before, &after) : EXIT_FAILED;
	rule_sides_fini(&before);
	rule_sides_fini(&after);
	return code;
}

const struct command command_prove = {
	.name = "prove",
	.summary = "Tell every packet that changed rules treat otherwise",
	.arguments = "BEFORE [BEFORE6] AFTER [AFTER6]",
	.options = prove_options,
	.option = prove_option,
	.run = prove_run,
	.state_size = sizeof(struct prove_state),
};
