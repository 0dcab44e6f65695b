/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Targets that leave the packet's bytes alone: fates, marks, templates. Answers to Linux 6.18,
 * net/netfilter/xt_mark.c, xt_connmark.c, xt_CT.c, xt_TPROXY.c, xt_CLASSIFY.c,
 * net/ipv4/netfilter/ipt_SYNPROXY.c.
 */
#include <string.h>

#include "lib/ruleset/ext.h"

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

enum ct_step ct_target_classify(struct ct_rule_ext *e, struct ct_judging *j)
{
	j->out->has_class = true;
	j->out->tc_class = e->option[0].n[0];
	return CT_STEP_ON;
}

/* tproxy_tg4(): takes the packet along to a socket that must be there, which is not known. */
enum ct_step ct_target_tproxy(struct ct_rule_ext *e, struct ct_judging *j)
{
	const struct ct_rule_option *mark = ct_ext_option(e, "tproxy-mark");

	if (mark)
		j->out->mark = (j->out->mark & ~mark->n[1]) ^ mark->n[0];
	j->out->fate = CT_FATE_ACCEPT;
	return CT_STEP_LIKELY;
}

/* synproxy_tg4(): a SYN is answered in the server's place, a lone ACK must hold a cookie that
 * only the proxy can read, and all else goes on. */
enum ct_step ct_target_synproxy(struct ct_rule_ext *e, struct ct_judging *j)
{
	enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };
	uint8_t flags;

	(void)e;
	if (!ct_has_header(j, 20) || !ct_packet_checksum(j->p->packet)) {
		j->out->fate = CT_FATE_DROP;
		return CT_STEP_END;
	}
	flags = j->l4[13];
	if (flags & SYN && !(flags & (ACK | FIN | RST))) {
		j->out->fate = CT_FATE_REJECT;
		return CT_STEP_END;
	}
	return flags & ACK && !(flags & (SYN | FIN | RST)) ? CT_STEP_UNSURE : CT_STEP_ON;
}

/* Before the tracker ------------------------------------------------------------------------ */

/* xt_ct_target(), notrack_tg(): nothing for a packet that has an entry or was looked at. */
static bool is_seen(const struct ct_judging *j)
{
	return j->p->entry || j->out->is_notrack || j->out->has_template ||
	       j->p->packet->info == CT_INFO_UNTRACKED;
}

enum ct_step ct_target_notrack(struct ct_rule_ext *e, struct ct_judging *j)
{
	(void)e;
	if (!is_seen(j))
		j->out->is_notrack = true;
	return CT_STEP_ON;
}

/* nf_ct_zone_tmpl(): a zone may be the mark that the packet has when the tracker sees it. */
static void zone_apply(const struct ct_rule_ext *e, struct ct_judging *j)
{
	static const char *const names[] = { "", "zone-orig", "zone-reply", "zone" };

	for (uint8_t dir = CT_ZONE_ORIG; dir <= CT_ZONE_BOTH; dir++) {
		const struct ct_rule_option *o = ct_ext_option(e, names[dir]);

		if (!o)
			continue;
		j->out->has_zone = true;
		j->out->zone_dir = dir;
		j->out->zone = (uint16_t)o->n[0];
		j->zone_is_mark = o->n[1] != 0;
	}
}

/* A template also without options: it keeps later rules from giving one. */
enum ct_step ct_target_ct(struct ct_rule_ext *e, struct ct_judging *j)
{
	const struct ct_rule_option *helper = ct_ext_option(e, "helper");
	const struct ct_rule_option *timeout = ct_ext_option(e, "timeout");
	const struct ct_rule_option *events = ct_ext_option(e, "ctevents");
	const struct ct_rule_option *expects = ct_ext_option(e, "expevents");

	if (ct_ext_option(e, "notrack"))
		return ct_target_notrack(e, j);
	if (is_seen(j))
		return CT_STEP_ON;
	j->out->has_template = true;
	zone_apply(e, j);
	j->out->helper = helper ? helper->text + helper->n[0] : NULL;
	j->out->timeout = timeout ? timeout->text : NULL;
	j->out->events = events ? events->n[0] : 0;
	j->out->exp_events = expects ? expects->n[0] : 0;
	return CT_STEP_ON;
}
