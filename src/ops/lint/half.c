/* SPDX-License-Identifier: BSD-2-Clause
 *
 * LN1: packets that are kept from the tracker while their answers are not. Such an answer is
 * judged by itself: over TCP it is INVALID, over UDP the table fills with it all the same.
 */
#include <string.h>

#include "ops/lint/linting.h"

/* -s for -d, --sport for --dport: what the answers to a rule's packets look like. */
static void put_mirror_option(struct ct_text *t, const struct ct_rule_option *o)
{
	const char *name = o->def->name;
	const char *swapped = strcmp(name, "sport") == 0    ? "dport"
			      : strcmp(name, "dport") == 0  ? "sport"
			      : strcmp(name, "sports") == 0 ? "dports"
			      : strcmp(name, "dports") == 0 ? "sports"
							    : name;

	ct_text_printf(t, "%s --%s", o->is_inverted ? " !" : "", swapped);
	if (o->text)
		ct_text_printf(t, " %s", o->text);
}

static bool is_any(const union ct_addr *mask)
{
	static const union ct_addr any;

	return memcmp(mask, &any, sizeof(any)) == 0;
}

static void put_net(struct ct_text *t, const char *option, uint8_t family,
		    const union ct_addr *addr, const union ct_addr *mask, bool is_not)
{
	unsigned bits = 0, max = family == CT_FAMILY_IPV4 ? 32 : 128;

	if (is_any(mask) && !is_not)
		return;
	while (bits < max && mask->bytes[bits / 8] >> (7 - bits % 8) & 1)
		bits++;
	ct_text_str(t, is_not ? " ! " : " ");
	ct_text_printf(t, "%s ", option);
	ct_addr_format(addr, family, false, t);
	ct_text_printf(t, "/%u", bits);
}

/* The rule that would do to the answers what @s does, in @hook. */
static const char *mirror(struct linting *l, const struct ct_stand *s, const char *hook)
{
	const struct ct_rule *r = s->rule;
	uint8_t family = ct_proof_family(l->p);
	const char *proto = ct_rule_proto_name(r->proto);
	char text[512];
	struct ct_text t;

	ct_text_init(&t, text, sizeof(text));
	ct_text_printf(&t, "%s -t raw -A %s", lint_tool(l), hook);
	put_net(&t, "-s", family, &r->dst, &r->dst_mask, r->flags & CT_RULE_NOT_DST);
	put_net(&t, "-d", family, &r->src, &r->src_mask, r->flags & CT_RULE_NOT_SRC);
	if (r->in && strcmp(hook, "OUTPUT") == 0)
		ct_text_printf(&t, " %s-o %s", r->flags & CT_RULE_NOT_IN ? "! " : "", r->in);
	if (r->out && strcmp(hook, "PREROUTING") == 0)
		ct_text_printf(&t, " %s-i %s", r->flags & CT_RULE_NOT_OUT ? "! " : "", r->out);
	if (r->proto)
		ct_text_printf(&t, " %s-p %s", r->flags & CT_RULE_NOT_PROTO ? "! " : "",
			       proto ? proto : "all");
	for (const struct ct_rule_ext *e = r->match; e; e = e->next) {
		ct_text_printf(&t, " -m %s", e->name);
		for (unsigned i = 0; e->def && i < e->n_options; i++)
			put_mirror_option(&t, &e->option[i]);
	}
	ct_text_str(&t, " -j CT --notrack");
	return report_text(l->r, "%s", text);
}

static const char *hook_of(enum ct_way_kind way)
{
	return way == CT_WAY_RECEIVED || way == CT_WAY_FORWARDED ? "PREROUTING" : "OUTPUT";
}

/* The rule that untracks the same packet with its ports exchanged: written for the other side. */
static struct ct_stand wrong_side(struct linting *l, const struct ct_witness *w)
{
	struct ct_witness other = *w;
	struct ct_trail t;

	other.sport = w->dport;
	other.dport = w->sport;
	ct_proof_trail(l->p, l->rules, &other, &t);
	return other.sport == other.dport ? (struct ct_stand){ 0 } : t.untracked;
}

/* The same rule is missing on several ways: it is said once. */
static bool is_said(const struct linting *l, const char *remedy)
{
	for (size_t i = 0; i < report_n(l->r); i++) {
		const struct finding *x = report_at(l->r, i);

		if (x->id == l->check->id && x->remedy && strcmp(x->remedy, remedy) == 0)
			return true;
	}
	return false;
}

static void say(struct linting *l, const struct ct_class *c, const struct ct_witness *w, void *user)
{
	struct ct_witness answer = lint_answer(w);
	struct ct_stand wrong = wrong_side(l, w);
	struct ct_trail t;
	struct finding *x;
	const char *remedy;

	(void)user;
	ct_proof_trail(l->p, l->rules, &answer, &t);
	if (!t.untracked.rule)
		return;
	remedy = mirror(l, &t.untracked, hook_of(w->way));
	if (is_said(l, remedy))
		return;
	if (wrong.rule == t.untracked.rule)
		wrong.rule = NULL;
	if (wrong.rule)
		x = lint_add(l, SEVERITY_WARNING,
			     "A NOTRACK rule in %s names the port of the wrong side: %s is still "
			     "tracked.",
			     hook_of(w->way), lint_class(l, c));
	else
		x = lint_add(l, SEVERITY_WARNING,
			     "Answers are tracked while what they answer is not: %s.",
			     lint_class(l, c));
	lint_show_rule(l, x, "untracked by", &t.untracked);
	if (wrong.rule)
		lint_show_rule(l, x, "meant for it", &wrong);
	lint_show_class(l, x, c, w);
	if (!x)
		return;
	x->cause = "Each direction is judged alone then: a SYN/ACK without its SYN is INVALID, "
		   "other packets begin entries of their own, and the table fills all the same.";
	x->remedy = remedy;
	x->danger = "Untracked packets match no state rule and meet no NAT: see LN2, LN3.";
}

/* The packets of @set whose answered packets come through at all. */
static ct_dd answering(struct linting *l, enum ct_way_kind way, ct_dd set)
{
	enum ct_way_kind there = ct_way_kind_answer(way);
	struct ct_dds *d = ct_proof_dds(l->p);
	ct_dd fates = ct_proof_fates(l->p, l->rules, there);
	ct_dd through = ct_proof_untracked(l->p, l->rules, there);

	through = ct_dd_and(d, through, ct_proof_accepted(l->p, fates));
	through = ct_dd_or(d, through, ct_proof_openers(l->p, l->rules, there));
	through = ct_dd_and(d, through, ct_proof_mirror(l->p, set));
	return ct_dd_and(d, set, ct_proof_mirror(l->p, through));
}

void lint_half(struct linting *l)
{
	struct ct_dds *d = ct_proof_dds(l->p);

	if (!ct_proof_tracks(l->rules))
		return;
	for (unsigned i = 0; i < N_WAYS; i++) {
		enum ct_way_kind way = (enum ct_way_kind)i;
		ct_dd set = ct_proof_halves(l->p, l->rules, way);

		if (set == CT_DD_FALSE)
			continue;
		set = ct_dd_and(d, set, ct_field_is(d, CT_FIELD_STATE, CT_PROOF_ESTABLISHED));
		lint_each_class(l, answering(l, way, set), way, say, NULL);
	}
}
