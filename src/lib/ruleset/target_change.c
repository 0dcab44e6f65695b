/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Targets that change the packet. Where its bytes are not lent for that, only what later rules see
 * of the change is kept. Answers to Linux 6.18, net/netfilter/xt_HL.c, xt_DSCP.c, xt_TCPMSS.c,
 * xt_TCPOPTSTRIP.c, net/ipv4/netfilter/ipt_ECN.c.
 */
#include <errno.h>
#include <string.h>

#include "lib/packet/change.h"
#include "lib/ruleset/ext.h"

static bool is_writable(const struct ct_judging *j)
{
	return j->p->packet->bytes && j->p->packet->bytes == j->p->packet->data;
}

/* After a change of layer 4: -EBADMSG is a header that the kernel drops. */
static enum ct_step done(struct ct_judging *j, int ret)
{
	if (ret == 0) {
		ct_judging_look(j);
		return CT_STEP_ON;
	}
	j->out->fate = CT_FATE_DROP;
	return ret == -EBADMSG ? CT_STEP_END : CT_STEP_UNSURE;
}

/* ttl_tg(), hl_tg6(): "ttl-set", "-dec", "-inc" with a number. */
enum ct_step ct_target_ttl(struct ct_rule_ext *e, struct ct_judging *j)
{
	const struct ct_rule_option *o = &e->option[0];
	const char *how = strchr(o->def->name, '-') + 1;
	uint32_t hops = *how == 's'   ? o->n[0]
			: *how == 'i' ? j->ttl + o->n[0]
				      : j->ttl - (j->ttl < o->n[0] ? j->ttl : o->n[0]);

	if (hops > 255)
		hops = 255;
	if (hops != j->ttl && is_writable(j))
		ct_change_hops(j->p->packet, (uint8_t)hops);
	j->ttl = (uint8_t)hops;
	return CT_STEP_ON;
}

enum ct_step ct_target_hl(struct ct_rule_ext *e, struct ct_judging *j)
{
	return ct_target_ttl(e, j);
}

static enum ct_step set_tos(struct ct_judging *j, uint32_t tos)
{
	if (tos != j->tos && is_writable(j))
		ct_change_tos(j->p->packet, (uint8_t)tos);
	j->tos = (uint8_t)tos;
	return CT_STEP_ON;
}

enum ct_step ct_target_dscp(struct ct_rule_ext *e, struct ct_judging *j)
{
	return set_tos(j, (j->tos & 3u) | e->option[0].n[0] << 2);
}

/* tos_tg(): the value is exclusive-or'd into what the mask leaves. */
enum ct_step ct_target_tos(struct ct_rule_ext *e, struct ct_judging *j)
{
	return set_tos(j, ((j->tos & ~e->option[0].n[1]) ^ e->option[0].n[0]) & 0xff);
}

/* ecn_tg(), set_ect_tcp() */
enum ct_step ct_target_ecn(struct ct_rule_ext *e, struct ct_judging *j)
{
	enum { CWR_ECE = 0xc0 };

	(void)e;
	if (j->is_fragment || j->l4_size < 20)
		return done(j, -EBADMSG);
	if (!(j->l4[13] & CWR_ECE) || !is_writable(j))
		return CT_STEP_ON;
	return done(j, ct_change_tcp_flags(j->p->packet, CWR_ECE));
}

/* tcpmss_tg4(), tcpmss_tg6(). Clamping takes the smaller MTU of both ways less the headers. */
enum ct_step ct_target_tcpmss(struct ct_rule_ext *e, struct ct_judging *j)
{
	const struct ct_rule_option *set = ct_ext_option(e, "set-mss");
	uint32_t headers = j->family == CT_FAMILY_IPV6 ? 60 : 40;

	if (j->is_fragment)
		return CT_STEP_ON;
	if (!set && !(j->p->known & CT_RULE_KNOWS_MTU))
		return is_writable(j) ? CT_STEP_UNSURE : CT_STEP_ON;
	if (!set && j->p->mtu <= headers)
		return done(j, -EBADMSG);
	if (!is_writable(j))
		return CT_STEP_ON;
	return done(j,
		    ct_change_mss(j->p->packet, (uint16_t)(set ? set->n[0] : j->p->mtu - headers)));
}

enum ct_step ct_target_tcpoptstrip(struct ct_rule_ext *e, struct ct_judging *j)
{
	if (j->is_fragment || !is_writable(j))
		return CT_STEP_ON;
	return done(j, ct_change_strip(j->p->packet, e->option[0].data));
}
