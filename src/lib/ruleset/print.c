/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A rule set as iptables-save writes it. Answers to iptables 1.8.9, iptables-save.c, xshared.c
 * save_rule_details(), and the save functions of the extensions.
 */
#include <conntune/entry.h>
#include <errno.h>
#include <string.h>

#include "lib/ruleset/ext.h"
#include "lib/ruleset/nft/nft.h"

#define MAX_RULE_TEXT 65536u

static void put_not(struct ct_text *t, bool is_not)
{
	ct_text_str(t, is_not ? " !" : "");
}

static void put_net(struct ct_text *t, const char *option, uint8_t family,
		    const union ct_addr *addr, const union ct_addr *mask, bool is_not)
{
	static const union ct_addr any;

	if (memcmp(mask, &any, sizeof(any)) == 0 && !is_not)
		return;
	put_not(t, is_not);
	ct_text_str(t, option);
	ct_addr_format(addr, family, false, t);
	ct_text_char(t, '/');
	ct_kind_put_mask(t, family, mask);
}

static void put_iface(struct ct_text *t, const char *option, const char *name, bool is_not)
{
	if (!name || (strcmp(name, "+") == 0 && !is_not))
		return;
	put_not(t, is_not);
	ct_text_str(t, option);
	ct_text_str(t, name);
}

static void put_ext(struct ct_text *t, const struct ct_rule_ext *e)
{
	for (unsigned i = 0; i < e->n_options; i++) {
		const struct ct_rule_option *o = &e->option[i];

		put_not(t, o->is_inverted);
		ct_text_str(t, " --");
		ct_text_str(t, o->def->name);
		if (o->text) {
			ct_text_char(t, ' ');
			ct_text_str(t, o->text);
		}
	}
	if (e->verbatim) {
		ct_text_char(t, ' ');
		ct_text_str(t, e->verbatim);
	}
}

void ct_rule_ext_words(const struct ct_rule_ext *e, char *to, size_t size)
{
	struct ct_text t;

	ct_text_init(&t, to, size);
	ct_text_str(&t, e->name);
	put_ext(&t, e);
}

static void put_proto(struct ct_text *t, const struct ct_rule *rule)
{
	const char *name = ct_rule_proto_name(rule->proto);

	if (!rule->proto)
		return;
	put_not(t, rule->flags & CT_RULE_NOT_PROTO);
	ct_text_str(t, " -p ");
	if (name)
		ct_text_str(t, name);
	else
		ct_text_u64(t, rule->proto);
}

static void put_rule(struct ct_text *t, const struct ct_ruleset *rs, const struct ct_rule *rule)
{
	put_net(t, " -s ", rs->family, &rule->src, &rule->src_mask, rule->flags & CT_RULE_NOT_SRC);
	put_net(t, " -d ", rs->family, &rule->dst, &rule->dst_mask, rule->flags & CT_RULE_NOT_DST);
	put_iface(t, " -i ", rule->in, rule->flags & CT_RULE_NOT_IN);
	put_iface(t, " -o ", rule->out, rule->flags & CT_RULE_NOT_OUT);
	put_proto(t, rule);
	if (rule->flags & CT_RULE_FRAGMENT) {
		put_not(t, rule->flags & CT_RULE_NOT_FRAGMENT);
		ct_text_str(t, " -f");
	}
	for (const struct ct_rule_ext *e = rule->match; e; e = e->next) {
		ct_text_str(t, " -m ");
		ct_text_str(t, e->name);
		put_ext(t, e);
	}
	if (!rule->jump_name)
		return;
	ct_text_str(t, rule->flags & CT_RULE_GOTO ? " -g " : " -j ");
	ct_text_str(t, rule->jump_name);
	if (rule->target)
		put_ext(t, rule->target);
}

static void put_counters(struct ct_text *t, uint64_t packets, uint64_t bytes)
{
	ct_text_char(t, '[');
	ct_text_u64(t, packets);
	ct_text_char(t, ':');
	ct_text_u64(t, bytes);
	ct_text_char(t, ']');
}

struct printing {
	const struct ct_ruleset *rs;
	unsigned flags;
	ct_ruleset_write_fn *write;
	void *user;
	char line[MAX_RULE_TEXT];
};

static int print_line(struct printing *p, struct ct_text *t)
{
	ct_text_char(t, '\n');
	return t->is_cut ? -ENOSPC : p->write(p->user, t->buf, t->len);
}

static int print_chain(struct printing *p, const struct ct_rule_chain *c)
{
	static const char *const policies[] = { "-", "ACCEPT", "DROP", "RETURN", "QUEUE" };
	struct ct_text t;

	ct_text_init(&t, p->line, sizeof(p->line));
	ct_text_char(&t, ':');
	ct_text_str(&t, c->name);
	ct_text_char(&t, ' ');
	ct_text_str(&t, policies[c->policy]);
	ct_text_char(&t, ' ');
	put_counters(&t, c->packets, c->bytes);
	return print_line(p, &t);
}

void ct_rule_words(const struct ct_ruleset *rs, const struct ct_rule_chain *c,
		   const struct ct_rule *rule, struct ct_text *to)
{
	ct_text_str(to, "-A ");
	ct_text_str(to, c->name);
	put_rule(to, rs, rule);
}

static int print_rule(struct printing *p, const struct ct_rule_chain *c, const struct ct_rule *rule)
{
	struct ct_text t;

	ct_text_init(&t, p->line, sizeof(p->line));
	if (p->flags & CT_RULESET_COUNTERS) {
		put_counters(&t, rule->packets, rule->bytes);
		ct_text_char(&t, ' ');
	}
	ct_rule_words(p->rs, c, rule, &t);
	return print_line(p, &t);
}

static int print_table(struct printing *p, const struct ct_rule_table *table)
{
	struct ct_text t;
	int ret;

	ct_text_init(&t, p->line, sizeof(p->line));
	ct_text_char(&t, '*');
	ct_text_str(&t, table->name);
	ret = print_line(p, &t);
	for (const struct ct_rule_chain *c = table->chains; ret == 0 && c; c = c->next)
		ret = print_chain(p, c);
	for (const struct ct_rule_chain *c = table->chains; ret == 0 && c; c = c->next)
		for (const struct ct_rule *rule = c->first; ret == 0 && rule; rule = rule->next)
			ret = print_rule(p, c, rule);
	return ret == 0 ? p->write(p->user, "COMMIT\n", 7) : ret;
}

int ct_ruleset_print(const struct ct_ruleset *rs, unsigned flags, ct_ruleset_write_fn *write,
		     void *user)
{
	struct printing p;
	int ret = 0;

	if (rs->nft)
		return ct_nft_print(rs, write, user);
	p.rs = rs;
	p.flags = flags;
	p.write = write;
	p.user = user;
	for (const struct ct_rule_table *t = rs->tables; ret == 0 && t; t = t->next)
		ret = print_table(&p, t);
	return ret;
}
