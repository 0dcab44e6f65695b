/* SPDX-License-Identifier: BSD-2-Clause
 *
 * GRE, and every protocol without a tracker of its own. Answers to Linux 6.18,
 * nf_conntrack_proto_gre.c: nf_conntrack_gre_packet(), and nf_conntrack_proto_generic.c.
 */
#include "lib/engine/engine.h"

static enum judgement generic_packet(const struct visit *v)
{
	ct_entry_refresh(v, ticks(v->en->cfg.settings.generic_timeout));
	return JUDGE_ACCEPT;
}

/* Timeouts are copied when the entry begins, so that PPTP can set its own. */
static enum judgement gre_packet(const struct visit *v)
{
	struct entry *e = v->e;

	if (!(e->status & CT_STATUS_CONFIRMED)) {
		e->u.gre.timeout = ticks(v->en->cfg.settings.gre_timeout);
		e->u.gre.stream_timeout = ticks(v->en->cfg.settings.gre_timeout_stream);
	}
	if (!(e->status & CT_STATUS_SEEN_REPLY)) {
		ct_entry_refresh(v, e->u.gre.timeout);
		return JUDGE_ACCEPT;
	}
	ct_entry_refresh(v, e->u.gre.stream_timeout);
	if (!(e->status & (CT_STATUS_ASSURED | CT_STATUS_NAT_CLASH))) {
		e->status |= CT_STATUS_ASSURED;
		v->p->events |= CT_EVENT_ASSURED;
	}
	return JUDGE_ACCEPT;
}

const struct ct_proto_ops ct_generic_tracker = { .name = "generic",
						 .allow_clash = true,
						 .packet = generic_packet };
const struct ct_proto_ops ct_gre_tracker = { .name = "gre",
					     .allow_clash = true,
					     .packet = gre_packet };
