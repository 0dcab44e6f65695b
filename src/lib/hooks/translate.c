/* SPDX-License-Identifier: BSD-2-Clause
 *
 * NAT at a hook: rules are asked once for each half of a connection, then every packet is
 * rewritten. Answers to Linux 6.18, net/netfilter/nf_nat_core.c, nf_nat_inet_fn(); nf_nat_proto.c,
 * nf_nat_ipv4_fn(); nf_nat_masquerade.c; nf_nat_redirect.c; xt_NETMAP.c.
 */
#include <string.h>

#include "lib/hooks/walk.h"
#include "lib/nat/nat.h"

/* Sources change on the way out: HOOK2MANIP(). */
static enum ct_manip manip_at(enum ct_at at)
{
	return at == CT_AT_POSTROUTING || at == CT_AT_INPUT ? CT_MANIP_SRC : CT_MANIP_DST;
}

static const uint8_t *address(const struct ct_packet *p, enum ct_manip manip)
{
	if (p->family == CT_FAMILY_IPV6)
		return p->data + (manip == CT_MANIP_SRC ? 8 : 24);
	return p->data + (manip == CT_MANIP_SRC ? 12 : 16);
}

static unsigned addr_size(const struct ct_packet *p)
{
	return p->family == CT_FAMILY_IPV6 ? 16 : 4;
}

static void set_addr(struct ct_nat_range *range, const union ct_addr *addr)
{
	range->flags |= CT_NAT_MAP_ADDRS;
	range->min_addr = range->max_addr = *addr;
}

/* What came of a rule's wish. */
enum wish { WISH_RANGE, WISH_NOTHING, WISH_DROP, WISH_UNKNOWN };

static enum wish masquerade(const struct passing *g, struct ct_nat_range *range)
{
	static const union ct_addr nobody;
	const struct ct_router *r = &g->h->router;
	const uint8_t *dst = address(g->p, CT_MANIP_DST);
	const struct ct_route_line *line = ct_route_find(r, g->p->family, dst);
	const char *out = g->out->way_on.out;
	union ct_addr addr;

	/* Who has no address yet is not to get one. */
	if (memcmp(&g->entry.tuple[CT_DIR_ORIG].src, &nobody, sizeof(nobody)) == 0)
		return WISH_NOTHING;
	if (!out)
		return WISH_UNKNOWN;
	if (!ct_own_addr_masquerade(r, g->p->family, out,
				    line && line->has_via ? line->via.bytes : dst, &addr))
		return WISH_DROP;
	set_addr(range, &addr);
	return WISH_RANGE;
}

static enum wish redirect(const struct passing *g, struct ct_nat_range *range)
{
	union ct_addr addr = { .bytes = { 127, 0, 0, 1 } };

	if (g->p->family == CT_FAMILY_IPV6)
		addr = (union ct_addr){ .bytes = { [15] = 1 } };
	if (g->at == CT_AT_PREROUTING) {
		if (!g->in)
			return WISH_UNKNOWN;
		if (!ct_own_addr_redirect(&g->h->router, g->p->family, g->in,
					  address(g->p, CT_MANIP_DST), &addr))
			return WISH_DROP;
	}
	set_addr(range, &addr);
	return WISH_RANGE;
}

/* The bits in which both ends of the range agree replace the address's. */
static enum wish netmap(const struct passing *g, struct ct_nat_range *range)
{
	const uint8_t *old = address(g->p, manip_at(g->at));
	union ct_addr addr = { .bytes = { 0 } };

	for (unsigned i = 0; i < addr_size(g->p); i++) {
		uint8_t mask = (uint8_t) ~(range->min_addr.bytes[i] ^ range->max_addr.bytes[i]);

		addr.bytes[i] = (uint8_t)((old[i] & ~mask) | (range->min_addr.bytes[i] & mask));
	}
	set_addr(range, &addr);
	return WISH_RANGE;
}

static enum wish make_range(const struct passing *g, enum ct_nat_kind kind,
			    struct ct_nat_range *range)
{
	switch (kind) {
	case CT_NAT_NONE:
		return WISH_NOTHING;
	case CT_NAT_SNAT:
	case CT_NAT_DNAT:
		return WISH_RANGE;
	case CT_NAT_MASQUERADE:
		return masquerade(g, range);
	case CT_NAT_REDIRECT:
		return redirect(g, range);
	case CT_NAT_NETMAP:
		return netmap(g, range);
	}
	return WISH_UNKNOWN;
}

/* The table of iptables and nft's chains by priority, until one decides. */
static bool ask_rules(struct passing *g, enum ct_manip manip, struct ct_rule_outcome *o)
{
	struct bases_at at = { 0 };

	if (!ct_walk_nat_bases(g, &at, manip == CT_MANIP_SRC ? 100 : -100, o))
		return false;
	if (!o->nat && !ct_walk_table(g, "nat", o))
		return false;
	return o->nat || ct_walk_nat_bases(g, &at, INT32_MAX, o);
}

/* Whether NAT is at work at all: who has a chain of it, or rules in iptables' table. */
static bool is_at_work(const struct passing *g)
{
	return ct_ruleset_has_rules(ct_walk_rules(g), "nat") || ct_walk_has_nat_base(g);
}

/* The rules' decision, or that there is none. False when the packet ends here. */
static bool decide(struct passing *g, enum ct_manip manip)
{
	struct ct_rule_outcome o = { .nat = NULL };
	enum ct_verdict verdict;

	if (!ask_rules(g, manip, &o))
		return false;
	switch (make_range(g, (enum ct_nat_kind)o.nat_kind, &o.nat_range)) {
	case WISH_DROP:
		return ct_walk_end(g);
	case WISH_UNKNOWN:
		ct_walk_doubt(g, "nat", o.nat, o.line);
		verdict = ct_nat_setup_null(g->h->nat, g->p, manip);
		break;
	case WISH_NOTHING:
		verdict = ct_nat_setup_null(g->h->nat, g->p, manip);
		break;
	case WISH_RANGE:
		verdict = ct_nat_setup(g->h->nat, g->p, &o.nat_range, manip);
		if (o.nat_kind == CT_NAT_MASQUERADE)
			ct_nat_remember_out(g->h->nat, g->p, g->out->way_on.out);
		break;
	}
	ct_walk_look_at_entry(g);
	return verdict == CT_ACCEPT || ct_walk_end(g);
}

/* A masqueraded connection's packet that leaves by another interface ends the connection. */
static bool has_moved(const struct passing *g)
{
	return g->at == CT_AT_POSTROUTING && g->out->way_on.out &&
	       ct_nat_is_out_changed(g->h->nat, g->p, g->out->way_on.out);
}

static bool rewrite(struct passing *g, enum ct_manip manip)
{
	enum ct_dir dir = ct_info_dir((enum ct_info)g->p->info);
	uint32_t bit = (manip == CT_MANIP_SRC) == (dir == CT_DIR_ORIG) ? CT_STATUS_SRC_NAT
								       : CT_STATUS_DST_NAT;

	if (ct_nat_packet(g->h->nat, g->p, manip) != CT_ACCEPT)
		return ct_walk_end(g);
	if (!(g->entry.status & bit))
		return true;
	g->out->manips |= (uint8_t)(1u << manip);
	ct_walk_look_at_addr(g, manip);
	ct_walk_trace(g, CT_TRACE_NAT, "nat", NULL);
	return true;
}

bool ct_walk_translate(struct passing *g)
{
	enum ct_manip manip = manip_at(g->at);
	bool is_new = g->p->info == CT_INFO_NEW || g->p->info == CT_INFO_RELATED ||
		      g->p->info == CT_INFO_RELATED_REPLY;

	if (!g->has_entry || !is_at_work(g))
		return true;
	if (!g->h->nat)
		return !is_new || g->entry.status & CT_STATUS_CONFIRMED ||
		       ask_rules(g, manip, &(struct ct_rule_outcome){ .nat = NULL });
	if (ct_nat_is_error(g->p))
		return rewrite(g, manip);
	if (is_new && !ct_nat_is_set(g->entry.status, manip)) {
		if (!decide(g, manip))
			return false;
	} else if (has_moved(g)) {
		(void)ct_engine_delete(g->h->engine, g->p->entry);
		return ct_walk_end(g);
	}
	return rewrite(g, manip);
}
