/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Matches about connections. Answers to Linux 6.18, net/netfilter/xt_conntrack.c, xt_state.c,
 * xt_connmark.c, xt_connbytes.c, xt_connlabel.c, xt_helper.c.
 */
#include <string.h>

#include "lib/base/number.h"
#include "lib/ruleset/ext.h"

/* States in the order of the words of --ctstate. */
enum { ST_INVALID, ST_NEW, ST_RELATED, ST_ESTABLISHED, ST_UNTRACKED, ST_SNAT, ST_DNAT };

/* What a packet carries for rules: its entry, or the template that a CT rule gave it. */
static const struct ct_entry *entry_of(const struct ct_judging *j)
{
	static const struct ct_entry template = { .status = CT_STATUS_TEMPLATE };

	return !j->p->entry && j->out->has_template ? &template : j->p->entry;
}

static unsigned state_bits(const struct ct_judging *j)
{
	if (j->out->has_template)
		return 1 << ST_NEW;
	if (j->out->is_notrack)
		return 1 << ST_UNTRACKED;
	switch ((enum ct_info)j->p->packet->info) {
	case CT_INFO_ESTABLISHED:
	case CT_INFO_ESTABLISHED_REPLY:
		return 1 << ST_ESTABLISHED;
	case CT_INFO_RELATED:
	case CT_INFO_RELATED_REPLY:
		return 1 << ST_RELATED;
	case CT_INFO_NEW:
		return 1 << ST_NEW;
	case CT_INFO_UNTRACKED:
		return 1 << ST_UNTRACKED;
	case CT_INFO_INVALID:
		break;
	}
	return 1 << ST_INVALID;
}

enum ct_truth ct_match_state(struct ct_rule_ext *e, struct ct_judging *j)
{
	return ct_truth_of(state_bits(j) & e->option[0].n[0], &e->option[0]);
}

static bool addr_fits(const union ct_addr *addr, const struct ct_rule_option *o)
{
	for (unsigned i = 0; i < 16; i++)
		if ((addr->bytes[i] & o->to.bytes[i]) != o->addr.bytes[i])
			return false;
	return true;
}

static uint32_t host16(ct_be16 v)
{
	uint8_t b[2];

	memcpy(b, &v, 2);
	return (uint32_t)b[0] << 8 | b[1];
}

/* "ctorigsrcport": which of both tuples, which end, address or port. */
static bool tuple_fits(const struct ct_entry *en, const struct ct_rule_option *o)
{
	const char *name = o->def->name + 2;
	const struct ct_tuple *t = &en->tuple[name[0] == 'o' ? CT_DIR_ORIG : CT_DIR_REPLY];
	bool is_src = name[4] == 's';
	uint32_t port;

	if (name[7] != 'p')
		return addr_fits(is_src ? &t->src : &t->dst, o);
	port = host16(is_src ? t->src_part : t->dst_part);
	return port >= o->n[0] && port <= o->n[1];
}

/* The words are NONE, then the low bits of the status word; NONE is no bit and so never true. */
static bool status_fits(const struct ct_entry *en, const struct ct_rule_option *o)
{
	return (en->status & o->n[0] >> 1 & 0xf) != 0;
}

/* nf_ct_expires() of an entry not confirmed takes its timeout, still a duration, for a moment long
 * gone. */
static bool expiry_fits(const struct ct_entry *en, const struct ct_rule_option *o)
{
	uint32_t left = en->status & CT_STATUS_CONFIRMED ? en->timeout_s : 0;

	return left >= o->n[0] && left <= o->n[1];
}

static bool option_fits(const struct ct_judging *j, const struct ct_rule_option *o)
{
	const struct ct_entry *en = entry_of(j);
	const char *name = o->def->name;

	if (strcmp(name, "ctproto") == 0)
		return en->tuple[CT_DIR_ORIG].proto == o->n[0];
	if (strcmp(name, "ctstatus") == 0)
		return status_fits(en, o);
	if (strcmp(name, "ctexpire") == 0)
		return expiry_fits(en, o);
	if (strcmp(name, "ctdir") == 0)
		return ct_info_dir((enum ct_info)j->p->packet->info) == (enum ct_dir)o->n[0];
	return tuple_fits(en, o);
}

/* conntrack_mt(): without an entry only --ctstate counts. */
enum ct_truth ct_match_conntrack(struct ct_rule_ext *e, struct ct_judging *j)
{
	const struct ct_rule_option *state = ct_ext_option(e, "ctstate");
	const struct ct_entry *en = entry_of(j);

	if (state) {
		unsigned bits = state_bits(j);

		if (en && en->status & CT_STATUS_SRC_NAT)
			bits |= 1 << ST_SNAT;
		if (en && en->status & CT_STATUS_DST_NAT)
			bits |= 1 << ST_DNAT;
		if (ct_truth_of(bits & state->n[0], state) == CT_NO)
			return CT_NO;
	}
	if (!en)
		return state ? CT_YES : CT_NO;
	for (unsigned i = 0; i < e->n_options; i++) {
		const struct ct_rule_option *o = &e->option[i];

		if (o != state && option_fits(j, o) == o->is_inverted)
			return CT_NO;
	}
	return CT_YES;
}

enum ct_truth ct_match_connmark(struct ct_rule_ext *e, struct ct_judging *j)
{
	const struct ct_rule_option *o = &e->option[0];
	const struct ct_entry *en = entry_of(j);
	uint32_t mark = j->out->has_connmark ? j->out->connmark : en ? en->mark : 0;

	return en ? ct_truth_of((mark & o->n[1]) == o->n[0], o) : CT_NO;
}

/* helper_mt(): the helper of the master counts; no name stands for any, another one for all names
 * that begin with it. */
enum ct_truth ct_match_helper(struct ct_rule_ext *e, struct ct_judging *j)
{
	const struct ct_rule_option *o = &e->option[0];
	const struct ct_entry *en = j->p->entry;
	const char *want = o->text + o->n[0];

	if (!en || !(en->known & CT_KNOWN_MASTER))
		return ct_truth_of(false, o);
	if (!en->master_helper.p)
		return CT_UNSURE;
	return ct_truth_of(
		en->master_helper.len > 0 &&
			(!*want || strncmp(en->master_helper.p, want, en->master_helper.len) == 0),
		o);
}

/* connlabel_mt(), for labels by number; setting one is not modelled. */
enum ct_truth ct_match_connlabel(struct ct_rule_ext *e, struct ct_judging *j)
{
	const struct ct_rule_option *o = ct_ext_option(e, "label");
	const char *text = o->text + o->n[0];
	const struct ct_entry *en = j->p->entry;
	uint64_t bit;

	if (!en)
		return ct_truth_of(false, o);
	if (!(en->known & CT_KNOWN_LABELS) || ct_number_u64(text, strlen(text), 127, &bit) < 0 ||
	    ct_ext_option(e, "set"))
		return CT_UNSURE;
	return ct_truth_of(en->labels[bit / 8] >> bit % 8 & 1, o);
}

static uint64_t pair(const uint32_t *n)
{
	return n[0] | (uint64_t)n[1] << 32;
}

/* connbytes_mt(): counters of one direction or both, or bytes a packet. */
enum ct_truth ct_match_connbytes(struct ct_rule_ext *e, struct ct_judging *j)
{
	const struct ct_rule_option *o = &e->option[0];
	const struct ct_entry *en = j->p->entry;
	uint32_t mode = ct_ext_option(e, "connbytes-mode")->n[0];
	uint32_t dir = ct_ext_option(e, "connbytes-dir")->n[0];
	uint64_t packets = 0, bytes = 0, v;

	if (!en)
		return CT_NO;
	if (!(en->known & CT_KNOWN_COUNTERS))
		return CT_UNSURE;
	for (uint32_t d = 0; d < CT_DIR_MAX; d++)
		if (dir == 2 || dir == d) {
			packets += en->packets[d];
			bytes += en->bytes[d];
		}
	v = mode == 0 ? packets : mode == 1 ? bytes : packets ? bytes / packets : 0;
	return ct_truth_of(v >= pair(o->n) && v <= pair(o->n + 2), o);
}
