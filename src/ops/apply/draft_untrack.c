/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Classes that shall not be tracked, as rules for this machine's firewall.
 *
 * What the new rule set does is proved before it is offered: no packet that passes may end because
 * it has no state any more, and none may lose its translation.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "ops/apply/drafts.h"
#include "ops/apply/untrack.h"
#include "ops/apply/untrack_proof.h"
#include "ops/host/netns.h"

#define TIMEOUT_MS 10000

/* The rules of one family in force, and with ours. */
struct rule_side {
	uint8_t family;
	const char *save[2], *names, *file[2]; /* programs of both back ends; tables; boot files */
	const char *program;		       /* "iptables-legacy", null: no rules */
	struct ct_buf before;
	struct untracked_rules after;
};

static void rule_side_fini(struct rule_side *s)
{
	ct_buf_fini(&s->before);
	untracked_rules_fini(&s->after);
}

static bool has_rules(const struct ct_buf *text)
{
	return text->p && strstr(text->p, "\n-A ") != NULL;
}

/* Asking the old back end for its rules would load it where nobody has. */
static bool has_tables(struct host *h, const char *names)
{
	auto_fini(ct_buf) struct ct_buf b = { 0 };

	return host_read(h, names, &b) == 0 && b.len > 0;
}

static int save(struct host *h, const char *program, struct ct_buf *out)
{
	char name[64];
	const char *argv[] = { name, NULL };

	(void)snprintf(name, sizeof(name), "%s-save", program);
	return host_command(h, name, argv, TIMEOUT_MS, out, NULL);
}

static int read_side(struct host *h, struct rule_side *s, struct ct_err *err)
{
	auto_fini(ct_buf) struct ct_buf nft = { 0 };
	bool is_legacy, is_nft;

	if (has_tables(h, s->names))
		(void)save(h, s->save[0], &s->before);
	(void)save(h, s->save[1], &nft);
	is_legacy = has_rules(&s->before);
	is_nft = has_rules(&nft);
	if (is_legacy && is_nft)
		return ct_err_set(
			err, -EOPNOTSUPP,
			"there are rules in both back ends of iptables (%s, %s); which one "
			"shall have ours must be decided by hand",
			s->save[0], s->save[1]);
	s->program = is_legacy ? s->save[0] : is_nft ? s->save[1] : NULL;
	if (is_nft) {
		ct_buf_fini(&s->before);
		s->before = nft;
		nft = (struct ct_buf){ 0 };
	}
	return 0;
}

static int compose(struct rule_side *s, const struct untrack_class *c, const char *tag,
		   struct ct_err *err)
{
	return s->program ? untrack_compose(c, s->family, s->before.p, tag, &s->after, err) : 0;
}

/* --- the proof --- */

static struct ct_ruleset *parsed(const struct rule_side *s, const struct ct_buf *text,
				 struct ct_err *err)
{
	unsigned syntax = s->family == CT_FAMILY_IPV6 ? CT_SYNTAX_IP6TABLES : CT_SYNTAX_IPTABLES;

	return ct_ruleset_parse(text->p, text->len, syntax, err);
}

/* -EPERM for rules that would do harm. One rule set that is beyond a proof is said to be. */
static int prove(const struct rule_side *s, const struct untrack_class *c, struct draft *d,
		 struct ct_err *err)
{
	struct ct_ruleset *before, *after;
	struct ct_err why = { "" };
	int r;

	if (s->after.n_rules == 0)
		return 0;
	before = parsed(s, &s->before, &why);
	after = before ? parsed(s, &s->after.whole, &why) : NULL;
	r = after ? untrack_prove(c, s->family, before, after, &why) : -EINVAL;
	ct_ruleset_free(before);
	ct_ruleset_free(after);
	if (r == -EPERM)
		return ct_err_set(err, r, "%s", why.text);
	if (r < 0)
		return draft_remark(
			d,
			"What the new rules of IPv%d do could not be proved (%s): have the "
			"change confirmed (--confirm-within), and look.",
			s->family == CT_FAMILY_IPV6 ? 6 : 4, why.text);
	return draft_remark(
		d,
		"Proved for all packets of IPv%d: none that passes now ends for want of a "
		"state, none loses a translation.",
		s->family == CT_FAMILY_IPV6 ? 6 : 4);
}

/* --- the writes --- */

static int add_step(struct draft *d, struct host *h, const struct draft_options *o,
		    const struct rule_side *s, const char *what)
{
	struct step p = { .kind = STEP_rules, .where = o->netns, .what = what, .path = s->program };

	if (s->after.n_rules == 0)
		return 0;
	if (host_netns_inode(h, &p.netns) < 0)
		p.netns = 0;
	p.from = draft_save(d, "old", s->before.p, s->before.len);
	p.to = draft_save(d, "new", s->after.restore.p, s->after.restore.len);
	return p.from && p.to ? journal_add(&d->journal, &p) : -ENOMEM;
}

/* The file that the boot restores, as far as there is one, with the same rules. */
static int add_file(struct draft *d, struct host *h, const struct rule_side *s,
		    const struct untrack_class *c, const char *tag, struct ct_err *err)
{
	if (s->after.n_rules == 0)
		return 0;
	if (strstr(s->before.p, ":ufw-"))
		return draft_remark(
			d,
			"The rules are ufw's, which would remove ours from its file: put "
			"them into /etc/ufw/before%s.rules yourself, in front of its "
			"COMMIT:\n\n%s",
			s->family == CT_FAMILY_IPV6 ? "6" : "", s->after.restore.p);
	for (int i = 0; i < 2; i++) {
		auto_fini(ct_buf) struct ct_buf text = { 0 };
		auto_fini(untracked_rules) struct untracked_rules u = { 0 };
		int r = host_read(h, s->file[i], &text);

		if (r < 0)
			continue;
		r = untrack_compose(c, s->family, text.p, tag, &u, err);
		return r < 0 ? r
			     : draft_add_file(d, h, s->file[i], u.whole.p, u.whole.len, 0644, err);
	}
	return draft_remark(
		d,
		"No file restores the rules of IPv%d at boot (%s, %s): ours will be gone "
		"with the others.",
		s->family == CT_FAMILY_IPV6 ? 6 : 4, s->file[0], s->file[1]);
}

static int tell(struct draft *d, const struct rule_side sides[2])
{
	unsigned n = sides[0].after.n_rules + sides[1].after.n_rules;
	unsigned accepts = sides[0].after.n_accepts + sides[1].after.n_accepts;

	return draft_remark(
		d,
		"%u rules: %u keep packets from the tracker, %u let them pass as they do "
		"now. Connections of the class that stand in the table are removed from "
		"it once the change is kept.",
		n, n - accepts, accepts);
}

static int add_class(struct host *h, const struct plan *p, const struct plan_notrack *wish,
		     const struct draft_options *o, struct draft *d, struct ct_err *err)
{
	struct rule_side sides[2] = {
		{ .family = CT_FAMILY_IPV4,
		  .save = { "iptables-legacy", "iptables-nft" },
		  .names = "/proc/net/ip_tables_names",
		  .file = { "/etc/iptables/rules.v4", "/etc/sysconfig/iptables" } },
		{ .family = CT_FAMILY_IPV6,
		  .save = { "ip6tables-legacy", "ip6tables-nft" },
		  .names = "/proc/net/ip6_tables_names",
		  .file = { "/etc/iptables/rules.v6", "/etc/sysconfig/ip6tables" } },
	};
	struct untrack_class c;
	char tag[32], what[160];
	uint32_t chance = 0;
	int r = untrack_parse(wish->text, &c, err);

	if (getrandom(&chance, sizeof(chance), 0) < 0)
		return ct_err_set(err, -errno, "no random number");
	(void)snprintf(tag, sizeof(tag), UNTRACK_TAG "%08x", chance);
	(void)snprintf(what, sizeof(what), "notrack %.140s", wish->text);
	for (int i = 0; r == 0 && i < 2; i++)
		r = read_side(h, &sides[i], err);
	for (int i = 0; r == 0 && i < 2; i++)
		r = compose(&sides[i], &c, tag, err);
	if (r == 0 && sides[0].after.n_rules + sides[1].after.n_rules == 0)
		r = ct_err_set(
			err, -EOPNOTSUPP,
			"no rules of iptables for '%s' here: without rules nothing is tracked, "
			"and rules of nft alone must be changed by hand so far",
			wish->text);
	for (int i = 0; r == 0 && i < 2; i++)
		r = prove(&sides[i], &c, d, err);
	r = r < 0 ? r : tell(d, sides);
	for (int i = 0; r == 0 && i < 2; i++)
		r = add_step(d, h, o, &sides[i], what);
	for (int i = 0; r == 0 && p->is_persistent && i < 2; i++)
		r = add_file(d, h, &sides[i], &c, tag, err);
	rule_side_fini(&sides[0]);
	rule_side_fini(&sides[1]);
	return r;
}

int draft_untrack(struct host *h, const struct plan *p, const struct draft_options *o,
		  struct draft *d, struct ct_err *err)
{
	int r = 0;

	if (p->n_notrack && !host_is_live(h))
		return ct_err_set(err, -EROFS,
				  "rules of a copied machine are not judged here; see "
				  "'conntune lint'");
	/* Each class is reckoned on the rules in force, so only one can be right. */
	if (p->n_notrack > 1)
		return ct_err_set(err, -EOPNOTSUPP, "one class of packets at a time");
	for (unsigned i = 0; r == 0 && i < p->n_notrack; i++)
		r = add_class(h, p, &p->notrack[i], o, d, err);
	return r;
}
