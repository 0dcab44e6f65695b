/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reading a rule: which option a word names, and to whom it belongs. Answers to iptables 1.8.9,
 * xshared.c do_parse() and command_default(): the options of a rule itself, of the extensions
 * loaded so far, and of the match of its protocol, which loads itself when one of its options is
 * met. Options may be cut as long as they are unmistakable (getopt_long()).
 */
#include "lib/ruleset/rule.h"

#include <errno.h>
#include <string.h>

enum basic {
	B_SRC,
	B_DST,
	B_PROTO,
	B_IN,
	B_OUT,
	B_JUMP,
	B_GOTO,
	B_MATCH,
	B_FRAGMENT,
	B_COUNTERS,
	B_IPV4,
	B_IPV6,
	B_NONE,
};

static const struct {
	const char *name;
	char letter;
	uint8_t basic;
	uint8_t n_args;
} basics[] = {
	{ "source", 's', B_SRC, 1 },
	{ "src", 's', B_SRC, 1 },
	{ "destination", 'd', B_DST, 1 },
	{ "dst", 'd', B_DST, 1 },
	{ "protocol", 'p', B_PROTO, 1 },
	{ "proto", 'p', B_PROTO, 1 },
	{ "in-interface", 'i', B_IN, 1 },
	{ "out-interface", 'o', B_OUT, 1 },
	{ "jump", 'j', B_JUMP, 1 },
	{ "goto", 'g', B_GOTO, 1 },
	{ "match", 'm', B_MATCH, 1 },
	{ "fragments", 'f', B_FRAGMENT, 0 },
	{ "set-counters", 'c', B_COUNTERS, 2 },
	{ "ipv4", '4', B_IPV4, 0 },
	{ "ipv6", '6', B_IPV6, 0 },
};

#define N_BASICS (sizeof(basics) / sizeof(basics[0]))

static int fault(struct ct_rule_reader *rd, const char *what, const char *word)
{
	return ct_err_set(rd->in.err, -EINVAL, "line %u: %s '%s'", (unsigned)rd->in.line, what,
			  word);
}

/* The next word as a value. */
static int take(struct ct_rule_reader *rd, const char *of, char **out)
{
	if (rd->at >= rd->words.n)
		return fault(rd, "nothing follows", of);
	*out = rd->words.word[rd->at++];
	return 0;
}

/* Extensions -------------------------------------------------------------------------------- */

static struct ct_rule_ext *ext_new(struct ct_rule_reader *rd, const char *name,
				   const struct ct_ext_def *def)
{
	struct ct_rule_ext *e;

	if (rd->n_exts > CT_MAX_RULE_EXTS)
		return NULL;
	e = ct_arena_get(&rd->in.rs->arena, sizeof(*e));
	if (!e)
		return NULL;
	e->name = ct_arena_copy(&rd->in.rs->arena, name, strlen(name));
	e->def = def;
	e->is_opaque = !def;
	e->option = rd->option[rd->n_exts++];
	memset(e->option, 0, sizeof(rd->option[0]));
	rd->last = e;
	return e->name ? e : NULL;
}

static int match_load(struct ct_rule_reader *rd, const char *name, const struct ct_ext_def *def)
{
	struct ct_rule_ext *e;

	if (!def && rd->in.rs->is_strict)
		return fault(rd, "there is no match", name);
	if (!*name || name[strcspn(name, " \t\"\\'")])
		return fault(rd, "no name of a match:", name);
	e = ext_new(rd, def ? def->name : name, def);
	if (!e)
		return ct_err_set(rd->in.err, -ENOMEM, "line %u: too many matches",
				  (unsigned)rd->in.line);
	*rd->end = e;
	rd->end = &e->next;
	return 0;
}

/* A target by name: a verdict, an extension, or a chain, which the whole table will tell. */
static int target_load(struct ct_rule_reader *rd, const char *name)
{
	static const char *const verdicts[] = { "ACCEPT", "DROP", "RETURN", "QUEUE" };
	struct ct_rule *rule = &rd->rule;
	const struct ct_ext_def *def = ct_ext_find(CT_EXT_TARGET, name, rd->in.rs->family);

	if (rule->jump_name)
		return fault(rd, "a second target:", name);
	if (!*name || strlen(name) > 28 || name[strcspn(name, " \t\"\\'")])
		return fault(rd, "no name of a target:", name);
	rule->jump_name = ct_arena_copy(&rd->in.rs->arena, name, strlen(name));
	if (!rule->jump_name)
		return -ENOMEM;
	rule->verdict = CT_RULE_JUMP;
	for (unsigned i = 0; i < 4; i++)
		if (strcmp(verdicts[i], name) == 0)
			rule->verdict = (uint8_t)(CT_RULE_ACCEPT + i);
	if (rule->flags & CT_RULE_GOTO || rule->verdict != CT_RULE_JUMP)
		return 0;
	/* Options of an unknown target are kept until it turns out to be a chain. */
	rule->target = ext_new(rd, name, def);
	if (!rule->target)
		return -ENOMEM;
	if (def)
		rule->verdict = CT_RULE_EXT;
	return 0;
}

/* Options of extensions ---------------------------------------------------------------------- */

struct found {
	struct ct_rule_ext *ext;
	const struct ct_option_def *def;
	bool is_exact;
	unsigned n; /* how many options begin like this */
};

static bool has_word(const char *list, const char *s, size_t len)
{
	for (const char *at = list; at && (at = strstr(at, s)) != NULL; at++)
		if (at > list && at[-1] == ' ' && at[len] == ' ')
			return true;
	return false;
}

static bool has_prefix(const char *list, const char *s)
{
	for (const char *at = list; at && (at = strstr(at, s)) != NULL; at++)
		if (at > list && at[-1] == ' ')
			return true;
	return false;
}

static void look_in(struct ct_rule_ext *e, const struct ct_ext_def *ext, const char *s,
		    struct found *f)
{
	size_t len = strlen(s);

	for (const struct ct_option_def *d = ext ? ext->options : NULL; d && d->name; d++) {
		if (strcmp(d->name, s) == 0 || has_word(d->also, s, len)) {
			*f = (struct found){ e, d, true, 1 };
			return;
		}
		if (strncmp(d->name, s, len) == 0 || has_prefix(d->also, s)) {
			if (f->n == 0)
				*f = (struct found){ e, d, false, 0 };
			f->n++;
		}
	}
}

/* Which option @s is; @f->def stays null for none. The latest extension is asked first. */
static void option_find(struct ct_rule_reader *rd, const char *s, struct found *f)
{
	struct ct_rule_ext *list[CT_MAX_RULE_EXTS + 1];
	unsigned n = 0;

	*f = (struct found){ 0 };
	if (rd->rule.target)
		look_in(rd->rule.target, rd->rule.target->def, s, f);
	for (struct ct_rule_ext *e = rd->rule.match; e; e = e->next)
		list[n++] = e;
	while (n-- > 0 && !f->is_exact)
		look_in(list[n], list[n]->def, s, f);
}

/* The match of the rule's protocol when it knows @s and is not there yet: load_proto(). */
static int proto_find(struct ct_rule_reader *rd, const char *s, struct found *f)
{
	const struct ct_ext_def *def =
		rd->rule.proto ? ct_ext_of_proto(rd->rule.proto, rd->in.rs->family) : NULL;
	int ret;

	for (const struct ct_rule_ext *e = rd->rule.match; e; e = e->next)
		if (e->def == def)
			return 0;
	if (!def)
		return 0;
	look_in(NULL, def, s, f);
	if (!f->def)
		return 0;
	ret = match_load(rd, def->name, def);
	f->ext = rd->last;
	return ret;
}

/* Keeps words that nobody understood, as they stand in the line, for @e. */
static int keep_verbatim(struct ct_rule_reader *rd, struct ct_rule_ext *e, unsigned from,
			 unsigned to)
{
	const char *begin = rd->words.raw[from], *end = rd->words.raw_end[to - 1];
	size_t len = (size_t)(end - begin), before = e->verbatim ? strlen(e->verbatim) + 1 : 0;
	char *s = ct_arena_get(&rd->in.rs->arena, before + len + 1);

	if (!s)
		return -ENOMEM;
	if (before) {
		memcpy(s, e->verbatim, before - 1);
		s[before - 1] = ' ';
	}
	memcpy(s + before, begin, len);
	e->verbatim = s;
	e->is_opaque = true;
	return 0;
}

/* An option that nobody knows and the words behind it, up to the next option. */
static int take_unknown(struct ct_rule_reader *rd, unsigned at)
{
	struct ct_rule_ext *e = rd->last;
	unsigned from = rd->is_not ? at - 1 : at;

	if (!e || rd->in.rs->is_strict)
		return fault(rd, "unknown option", rd->words.word[at]);
	while (rd->at < rd->words.n && rd->words.word[rd->at][0] != '-' &&
	       strcmp(rd->words.word[rd->at], "!") != 0)
		rd->at++;
	return keep_verbatim(rd, e, from, rd->at);
}

/* Old rule sets have the "!" behind the option. */
static void take_late_not(struct ct_rule_reader *rd)
{
	if (!rd->in.rs->is_strict && !rd->is_not && rd->at + 1 < rd->words.n &&
	    strcmp(rd->words.word[rd->at], "!") == 0) {
		rd->is_not = true;
		rd->at++;
	}
}

/* The slot an option is kept in: its own, or that of the option it becomes. */
static struct ct_rule_option *option_slot(struct ct_rule_ext *e, const struct ct_option_def *d)
{
	for (unsigned i = 0; e->def->options[i].name; i++)
		if (d->as ? strcmp(e->def->options[i].name, d->as) == 0 : &e->def->options[i] == d)
			return &e->option[i];
	return NULL;
}

/* Not a value here, but maybe elsewhere: kept as it stands. */
static int keep_doubtful(struct ct_rule_reader *rd, struct ct_rule_ext *e, struct ct_rule_option *o,
			 char *const *arg)
{
	char s[512];
	struct ct_text t;

	ct_text_init(&t, s, sizeof(s));
	for (unsigned i = 0; i < o->def->n_args; i++) {
		ct_text_str(&t, i ? " " : "");
		if (arg[i][strcspn(arg[i], " \t\"\\'")] || !*arg[i])
			ct_kind_quote(&t, arg[i]);
		else
			ct_text_str(&t, arg[i]);
	}
	o->is_opaque = e->is_opaque = true;
	return ct_kind_keep(&rd->in, o, s);
}

static int take_option(struct ct_rule_reader *rd, const struct found *f, char *inline_value)
{
	const struct ct_option_def *d = f->def;
	struct ct_rule_option *o = option_slot(f->ext, d);
	char *arg[2] = { inline_value, NULL };
	int ret;

	rd->last = f->ext;
	if (d->n_args && !inline_value)
		take_late_not(rd);
	for (unsigned i = inline_value ? 1 : 0; i < d->n_args; i++)
		if (take(rd, d->name, &arg[i]) < 0)
			return -EINVAL;
	if (o->def)
		return fault(rd, "given twice:", d->name);
	if (rd->is_not && !d->can_not)
		return fault(rd, "cannot be inverted:", d->name);
	/* multiport looks for a protocol as soon as it meets a list. */
	if (f->ext->def->need & CT_NEED_PORTS && rd->in.rs->is_strict && !rd->rule.proto)
		return fault(rd, "a protocol with ports must stand before", d->name);
	*o = (struct ct_rule_option){ .def = d, .is_inverted = rd->is_not };
	ret = d->kind ? d->kind(&rd->in, arg, o) : 0;
	if (ret == -ENOENT && !rd->in.rs->is_strict)
		ret = keep_doubtful(rd, f->ext, o, arg);
	if (ret == -EINVAL || ret == -ENOENT)
		return ct_err_set(rd->in.err, -EINVAL, "line %u: bad value for --%s: '%s'",
				  (unsigned)rd->in.line, d->name, d->n_args ? arg[0] : "");
	o->def = d->as ? &f->ext->def->options[o - f->ext->option] : d;
	return ret;
}

/* Options of the rule itself ------------------------------------------------------------------ */

static int take_net(struct ct_rule_reader *rd, struct ct_rule_nets *nets, char *list,
		    unsigned not_flag)
{
	uint8_t family = rd->in.rs->family;

	if (nets->n)
		return fault(rd, "a second list of addresses:", list);
	for (char *s = list, *next; s; s = next) {
		next = strchr(s, ',');
		if (next)
			*next++ = '\0';
		if (nets->n == CT_MAX_ADDRS)
			return fault(rd, "too many addresses from", s);
		if (ct_kind_network(family, s, &nets->addr[nets->n], &nets->mask[nets->n]) < 0)
			return fault(rd, "no address:", s);
		nets->n++;
	}
	if (rd->is_not && nets->n > 1)
		return fault(rd, "a list of addresses cannot be inverted:", list);
	if (rd->is_not)
		rd->rule.flags = (uint16_t)(rd->rule.flags | not_flag);
	return 0;
}

static int take_iface(struct ct_rule_reader *rd, const char **to, const char *name,
		      unsigned not_flag)
{
	if (*to)
		return fault(rd, "a second interface:", name);
	if (!*name || strlen(name) > 15 || name[strcspn(name, " \t\"\\'/")])
		return fault(rd, "no name of an interface:", name);
	*to = ct_arena_copy(&rd->in.rs->arena, name, strlen(name));
	if (rd->is_not)
		rd->rule.flags = (uint16_t)(rd->rule.flags | not_flag);
	return *to ? 0 : -ENOMEM;
}

static int take_proto(struct ct_rule_reader *rd, const char *name)
{
	int number = ct_rule_proto_number(name);

	if (number < 0)
		return fault(rd, "unknown protocol", name);
	if (rd->rule.proto)
		return fault(rd, "a second protocol:", name);
	if (number == 0 && rd->is_not)
		return fault(rd, "no packet has a protocol other than", name);
	rd->rule.proto = (uint8_t)number;
	if (rd->is_not)
		rd->rule.flags |= CT_RULE_NOT_PROTO;
	return 0;
}

static int take_counters(struct ct_rule_reader *rd, const char *packets, const char *bytes)
{
	if (ct_kind_number(packets, strlen(packets), UINT64_MAX, &rd->rule.packets) < 0 ||
	    ct_kind_number(bytes, strlen(bytes), UINT64_MAX, &rd->rule.bytes) < 0)
		return fault(rd, "no counters:", packets);
	return 0;
}

static int take_fragment(struct ct_rule_reader *rd)
{
	if (rd->in.rs->family == CT_FAMILY_IPV6)
		return fault(rd, "IPv6 knows no option", "-f");
	rd->rule.flags |= CT_RULE_FRAGMENT;
	if (rd->is_not)
		rd->rule.flags |= CT_RULE_NOT_FRAGMENT;
	return 0;
}

static int take_match(struct ct_rule_reader *rd, const char *name)
{
	return match_load(rd, name, ct_ext_find(CT_EXT_MATCH, name, rd->in.rs->family));
}

static int take_basic(struct ct_rule_reader *rd, enum basic b, const char *word, char *value,
		      unsigned n_args)
{
	char *arg[2] = { value, NULL };

	if (n_args && !value)
		take_late_not(rd);
	for (unsigned i = value ? 1 : 0; i < n_args; i++)
		if (take(rd, word, &arg[i]) < 0)
			return -EINVAL;
	if (rd->is_not && b >= B_JUMP && b != B_FRAGMENT)
		return fault(rd, "cannot be inverted:", word);
	switch (b) {
	case B_SRC:
		return take_net(rd, &rd->src, arg[0], CT_RULE_NOT_SRC);
	case B_DST:
		return take_net(rd, &rd->dst, arg[0], CT_RULE_NOT_DST);
	case B_PROTO:
		return take_proto(rd, arg[0]);
	case B_IN:
		return take_iface(rd, &rd->rule.in, arg[0], CT_RULE_NOT_IN);
	case B_OUT:
		return take_iface(rd, &rd->rule.out, arg[0], CT_RULE_NOT_OUT);
	case B_GOTO:
		rd->rule.flags |= CT_RULE_GOTO;
		return target_load(rd, arg[0]);
	case B_JUMP:
		return target_load(rd, arg[0]);
	case B_MATCH:
		return take_match(rd, arg[0]);
	case B_FRAGMENT:
		return take_fragment(rd);
	case B_COUNTERS:
		return take_counters(rd, arg[0], arg[1]);
	case B_IPV4:
	case B_IPV6:
		rd->is_other_family |= (b == B_IPV6) != (rd->in.rs->family == CT_FAMILY_IPV6);
		return 0;
	case B_NONE:
		break;
	}
	return -EINVAL;
}

/* Words ------------------------------------------------------------------------------------- */

/* The basic option that @s is (exactly, or with @is_cut as its beginning); N_BASICS for none. */
static size_t basic_find(const char *s, bool is_cut)
{
	size_t found = N_BASICS, len = strlen(s);

	for (size_t i = 0; i < N_BASICS; i++) {
		if (strcmp(basics[i].name, s) == 0)
			return i;
		if (!is_cut || strncmp(basics[i].name, s, len) != 0)
			continue;
		if (found < N_BASICS && basics[found].basic != basics[i].basic)
			return N_BASICS;
		found = i;
	}
	return is_cut ? found : N_BASICS;
}

static int take_long(struct ct_rule_reader *rd, unsigned at)
{
	char *s = rd->words.word[at] + 2, *value = strchr(s, '=');
	size_t b = basic_find(s, false);
	struct found f = { 0 };
	int ret;

	if (value && value > s)
		*value++ = '\0';
	else
		value = NULL;
	/* An extension's own option comes first: --proto of policy is not that of the rule. */
	if (*s)
		option_find(rd, s, &f);
	if (f.is_exact)
		b = N_BASICS;
	if (b == N_BASICS && *s && !f.def) {
		ret = proto_find(rd, s, &f);
		if (ret < 0)
			return ret;
	}
	if (b == N_BASICS && !f.def && strlen(s) > 1)
		b = basic_find(s, true);
	if (b < N_BASICS)
		return take_basic(rd, basics[b].basic, s, value, basics[b].n_args);
	if (f.def && !f.is_exact && f.n > 1)
		return fault(rd, "several options begin like", s);
	if (f.def)
		return take_option(rd, &f, value);
	if (value)
		value[-1] = '=';
	return take_unknown(rd, at);
}

static int take_short(struct ct_rule_reader *rd, char *word)
{
	for (size_t i = 0; i < N_BASICS; i++)
		if (basics[i].letter == word[1]) {
			char *value = word[2] ? word + 2 : NULL;

			if (value && basics[i].n_args != 1)
				break;
			return take_basic(rd, basics[i].basic, word, value, basics[i].n_args);
		}
	return fault(rd, "unknown option", word);
}

static int take_words(struct ct_rule_reader *rd)
{
	while (rd->at < rd->words.n) {
		unsigned at = rd->at++;
		char *word = rd->words.word[at];
		int ret;

		if (strcmp(word, "!") == 0) {
			if (rd->is_not)
				return fault(rd, "inverted twice:", word);
			rd->is_not = true;
			continue;
		}
		if (word[0] != '-' || !word[1])
			return fault(rd, "no option:", word);
		ret = word[1] == '-' ? take_long(rd, at) : take_short(rd, word);
		if (ret < 0)
			return ret;
		rd->is_not = false;
	}
	return rd->is_not ? fault(rd, "nothing follows", "!") : 0;
}

/* The end of an extension: what is missing is given or asked for, what remains is packed. ----- */

static int ext_complete(struct ct_rule_reader *rd, struct ct_rule_ext *e)
{
	unsigned n = 0;

	for (unsigned i = 0; e->def->options && e->def->options[i].name; i++) {
		const struct ct_option_def *d = &e->def->options[i];
		char text[64], *arg[1] = { text };

		n += e->option[i].def != NULL;
		if (e->option[i].def || e->is_opaque)
			continue;
		if (d->is_required)
			return ct_err_set(rd->in.err, -EINVAL, "line %u: %s needs --%s",
					  (unsigned)rd->in.line, e->name, d->name);
		if (!d->standard)
			continue;
		strcpy(text, d->standard);
		e->option[i].def = d;
		if (d->kind(&rd->in, arg, &e->option[i]) < 0)
			return -ENOMEM;
	}
	if (e->is_opaque)
		return 0;
	if ((e->def->need & CT_NEED_ONE && n != 1) || (e->def->need & CT_NEED_OPTION && n == 0))
		return ct_err_set(rd->in.err, -EINVAL, "line %u: %s needs %s option",
				  (unsigned)rd->in.line, e->name,
				  e->def->need & CT_NEED_ONE ? "exactly one" : "an");
	return e->def->finish ? e->def->finish(&rd->in, &rd->rule, e) : 0;
}

/* What is not understood as a whole is written as a whole. */
static bool is_silent(const struct ct_rule_ext *e, const struct ct_rule_option *o)
{
	if (e->is_opaque)
		return false;
	return o->def->is_unwritten || (o->def->silent && !o->is_inverted && o->text &&
					strcmp(o->def->silent, o->text) == 0);
}

static int ext_pack(struct ct_rule_reader *rd, struct ct_rule_ext *e)
{
	struct ct_rule_option *all = e->option;
	unsigned n = 0;

	e->option = NULL;
	if (!e->def || !e->def->options)
		return 0;
	for (unsigned i = 0; e->def->options[i].name; i++)
		if (all[i].def && !is_silent(e, &all[i]))
			all[n++] = all[i];
	e->n_options = (uint8_t)n;
	if (n == 0)
		return 0;
	e->option = ct_arena_get(&rd->in.rs->arena, n * sizeof(*e->option));
	if (!e->option)
		return -ENOMEM;
	memcpy(e->option, all, n * sizeof(*e->option));
	return 0;
}

static int rule_complete(struct ct_rule_reader *rd)
{
	struct ct_rule *rule = &rd->rule;
	int ret = 0;

	for (struct ct_rule_ext *e = rule->match; ret == 0 && e; e = e->next)
		ret = e->def ? ext_complete(rd, e) : 0;
	if (ret == 0 && rule->target && rule->target->def)
		ret = ext_complete(rd, rule->target);
	for (struct ct_rule_ext *e = rule->match; ret == 0 && e; e = e->next) {
		ret = ext_pack(rd, e);
		if (e->is_opaque)
			rule->flags |= CT_RULE_OPAQUE;
	}
	if (ret == 0 && rule->target) {
		ret = ext_pack(rd, rule->target);
		if (rule->target->is_opaque && rule->target->def)
			rule->flags |= CT_RULE_OPAQUE;
	}
	return ret;
}

int ct_rule_read(struct ct_rule_reader *rd, unsigned from)
{
	int ret;

	rd->at = from;
	rd->is_not = rd->is_other_family = false;
	rd->last = NULL;
	rd->n_exts = 0;
	rd->src.n = rd->dst.n = 0;
	rd->rule = (struct ct_rule){ .line = rd->in.line };
	rd->end = &rd->rule.match;
	ret = take_words(rd);
	if (ret == 0)
		ret = rule_complete(rd);
	if (ret == -ENOMEM)
		ct_err_set(rd->in.err, ret, "line %u: not enough memory", (unsigned)rd->in.line);
	return ret;
}
