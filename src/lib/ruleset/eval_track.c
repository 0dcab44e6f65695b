/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Matches and targets about connections. Answers to Linux 6.18, net/netfilter/xt_conntrack.c,
 * xt_state.c, xt_connmark.c, xt_connbytes.c, xt_helper.c, xt_CT.c, xt_mark.c.
 */
#include <string.h>

#include "lib/ruleset/ext.h"

static enum ct_truth truth(bool is_so, const struct ct_rule_option *o)
{
	return is_so != o->is_inverted ? CT_YES : CT_NO;
}

/* States in the order of the words of --ctstate. */
enum { ST_INVALID, ST_NEW, ST_RELATED, ST_ESTABLISHED, ST_UNTRACKED, ST_SNAT, ST_DNAT };

static unsigned state_bits(const struct ct_judging *j)
{
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
	return truth(state_bits(j) & e->option[0].n[0], &e->option[0]);
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
	const struct ct_entry *en = j->p->entry;
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
	unsigned bits = state_bits(j);

	if (state) {
		if (j->p->entry && j->p->entry->status & CT_STATUS_SRC_NAT)
			bits |= 1 << ST_SNAT;
		if (j->p->entry && j->p->entry->status & CT_STATUS_DST_NAT)
			bits |= 1 << ST_DNAT;
		if (truth(bits & state->n[0], state) == CT_NO)
			return CT_NO;
	}
	if (!j->p->entry)
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
	uint32_t mark =
		j->out->has_connmark ? j->out->connmark : (j->p->entry ? j->p->entry->mark : 0);

	return j->p->entry ? truth((mark & o->n[1]) == o->n[0], o) : CT_NO;
}

enum ct_truth ct_match_helper(struct ct_rule_ext *e, struct ct_judging *j)
{
	const struct ct_rule_option *o = &e->option[0];
	const struct ct_entry *en = j->p->entry;
	const char *name = o->text + o->n[0];

	/* helper_mt() looks at the master's helper, and at as much of its name as is given. */
	if (!en || !(en->known & CT_KNOWN_MASTER))
		return truth(false, o);
	if (!en->master_helper.p)
		return CT_UNSURE;
	return truth(en->master_helper.len > 0 &&
			     strncmp(en->master_helper.p, name, strlen(name)) == 0,
		     o);
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
	return truth(v >= pair(o->n) && v <= pair(o->n + 2), o);
}

/* Targets ----------------------------------------------------------------------------------- */

enum ct_step ct_target_pass(struct ct_rule_ext *e, struct ct_judging *j)
{
	(void)e;
	(void)j;
	return CT_STEP_ON;
}

enum ct_step ct_target_reject(struct ct_rule_ext *e, struct ct_judging *j)
{
	(void)e;
	j->out->fate = CT_FATE_REJECT;
	return CT_STEP_END;
}

enum ct_step ct_target_queue(struct ct_rule_ext *e, struct ct_judging *j)
{
	(void)e;
	j->out->fate = CT_FATE_QUEUE;
	return CT_STEP_END;
}

enum ct_step ct_target_mark(struct ct_rule_ext *e, struct ct_judging *j)
{
	j->out->mark = (j->out->mark & ~e->option[0].n[1]) ^ e->option[0].n[0];
	return CT_STEP_ON;
}

/* connmark_tg(): set, save the packet's mark, or restore it. */
enum ct_step ct_target_connmark(struct ct_rule_ext *e, struct ct_judging *j)
{
	const struct ct_rule_option *set = ct_ext_option(e, "set-xmark");
	const struct ct_rule_option *nf = ct_ext_option(e, "nfmask");
	const struct ct_rule_option *ct = ct_ext_option(e, "ctmask");
	uint32_t old =
		j->out->has_connmark ? j->out->connmark : (j->p->entry ? j->p->entry->mark : 0);

	if (!j->p->entry)
		return CT_STEP_ON;
	if (ct_ext_option(e, "restore-mark")) {
		j->out->mark = (j->out->mark & ~nf->n[0]) ^ (old & ct->n[0]);
		return CT_STEP_ON;
	}
	j->out->connmark = set ? (old & ~set->n[1]) ^ set->n[0]
			       : (old & ~ct->n[0]) ^ (j->out->mark & nf->n[0]);
	j->out->has_connmark = true;
	return CT_STEP_ON;
}

/* xt_ct_target(), notrack_tg(): nothing for a packet that has an entry or was looked at. */
enum ct_step ct_target_notrack(struct ct_rule_ext *e, struct ct_judging *j)
{
	(void)e;
	if (!j->p->entry && !j->out->has_zone && !j->out->helper)
		j->out->is_notrack = true;
	return CT_STEP_ON;
}

enum ct_step ct_target_ct(struct ct_rule_ext *e, struct ct_judging *j)
{
	static const char *const zones[] = { "", "zone-orig", "zone-reply", "zone" };
	const struct ct_rule_option *helper = ct_ext_option(e, "helper");

	if (ct_ext_option(e, "notrack"))
		return ct_target_notrack(e, j);
	if (j->p->entry || j->out->is_notrack || j->out->has_zone || j->out->helper)
		return CT_STEP_ON;
	for (uint8_t dir = CT_ZONE_ORIG; dir <= CT_ZONE_BOTH; dir++) {
		const struct ct_rule_option *o = ct_ext_option(e, zones[dir]);

		if (!o)
			continue;
		j->out->has_zone = true;
		j->out->zone_dir = dir;
		j->out->zone = (uint16_t)(o->n[1] ? j->out->mark : o->n[0]);
	}
	if (helper)
		j->out->helper = helper->text + helper->n[0];
	return CT_STEP_ON;
}
