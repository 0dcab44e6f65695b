/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The walk of hooks.h. Answers to Linux 6.18: the priorities of enum nf_ip_hook_priorities,
 * ip_rcv(), ip_forward(), ip_local_deliver(), ip_output(), nf_nat_inet_fn() (the nat table is
 * asked once for each connection), nf_confirm().
 */
#include "lib/hooks/hooks.h"

#include <string.h>

/* A walk under way. */
struct passing {
	struct ct_hooks *h;
	struct ct_packet *p;
	const char *in; /* the interface; null: not told or none */
	struct ct_passage *out;
	struct ct_entry entry;
	bool has_entry, is_first; /* its first packet: the nat table is asked */
	ct_time now;
	struct ct_rule_packet r;
};

static enum ct_addr_type addr_type(const struct ct_router *router, uint8_t family,
				   const uint8_t *addr)
{
	static const uint8_t everyone[4] = { 255, 255, 255, 255 };

	if (ct_route_is_own(router, family, addr))
		return CT_ADDR_LOCAL;
	if (family == CT_FAMILY_IPV6)
		return addr[0] == 0xff ? CT_ADDR_MULTICAST : CT_ADDR_UNICAST;
	if (addr[0] >> 4 == 14)
		return CT_ADDR_MULTICAST;
	if (memcmp(addr, everyone, 4) == 0 || addr[0] == 0)
		return CT_ADDR_BROADCAST;
	if (ct_route_is_broadcast(router, addr))
		return CT_ADDR_BROADCAST;
	return CT_ADDR_UNICAST;
}

static void doubt(struct passing *g, const char *table, const char *name, uint32_t line)
{
	if (g->out->depends_on || !name)
		return;
	g->out->depends_on = name;
	g->out->depends_table = table;
	g->out->depends_line = line;
}

/* What rules before the tracker ask of it. */
static void template_apply(struct ct_packet *p, const struct ct_rule_outcome *o)
{
	if (o->is_notrack)
		p->flags |= CT_PACKET_UNTRACKED;
	if (o->has_zone) {
		p->zone = o->zone;
		p->zone_dir = o->zone_dir;
	}
}

/* One table at one hook. False when the packet ends there. */
static bool pass(struct passing *g, const char *table, enum ct_at at)
{
	struct ct_ruleset *rs = g->p->family == CT_FAMILY_IPV6 ? g->h->rules6 : g->h->rules4;
	struct ct_rule_outcome o;

	g->out->at = at;
	g->r.in = at == CT_AT_OUTPUT || at == CT_AT_POSTROUTING ? NULL : g->in;
	g->r.out = at == CT_AT_PREROUTING || at == CT_AT_INPUT ? NULL : g->out->way_on.out;
	if (!rs || ct_ruleset_judge(rs, table, at, &g->r, &o) < 0)
		return true;
	g->r.mark = g->out->mark = o.mark;
	doubt(g, table, o.depends_on, o.depends_line);
	doubt(g, table, o.nat, o.line);
	/* The engine keeps no marks: later packets may meet other rules than these say. */
	if (o.has_connmark && g->has_entry && o.connmark != g->entry.mark) {
		g->entry.mark = o.connmark;
		doubt(g, table, "CONNMARK", 0);
	}
	template_apply(g->p, &o);
	if (o.helper && !g->has_entry)
		doubt(g, table, "CT", o.line);
	if (o.fate == CT_FATE_ACCEPT)
		return true;
	g->out->fate = o.fate;
	g->out->table = table;
	g->out->line = o.line;
	return false;
}

static bool nat(struct passing *g, enum ct_at at)
{
	return !g->is_first || pass(g, "nat", at);
}

static void look_at_entry(struct passing *g)
{
	g->has_entry = g->h->engine && ct_engine_entry(g->h->engine, g->p->entry, &g->entry) == 0;
	g->r.entry = g->has_entry ? &g->entry : NULL;
	g->is_first = g->has_entry &&
		      (g->p->info == CT_INFO_NEW || g->p->info == CT_INFO_RELATED) &&
		      !(g->entry.status & CT_STATUS_CONFIRMED);
}

/* Fragments become datagrams before the rules see them. */
static bool reassemble(struct passing *g)
{
	enum ct_defrag_result was =
		g->h->defrag ? ct_defrag_in(g->h->defrag, g->p, g->now) : CT_DEFRAG_PASS;

	if (was == CT_DEFRAG_PASS || was == CT_DEFRAG_WHOLE) {
		(void)ct_packet_parse(g->p);
		return true;
	}
	g->out->is_waiting = was == CT_DEFRAG_WAIT;
	g->out->fate = CT_FATE_DROP;
	return false;
}

/* Reassembly, raw and the tracker, where a packet enters. */
static bool enter(struct passing *g, enum ct_at at)
{
	g->out->at = at;
	if (!reassemble(g))
		return false;
	if (!pass(g, "raw", at))
		return false;
	g->p->hook = at == CT_AT_OUTPUT ? CT_HOOK_OUTPUT : CT_HOOK_PREROUTING;
	if (g->h->engine)
		ct_engine_in(g->h->engine, g->p, g->now);
	look_at_entry(g);
	if (g->p->verdict == CT_DROP) {
		g->out->fate = CT_FATE_DROP;
		return false;
	}
	g->out->is_tracked = true;
	return pass(g, "mangle", at);
}

/* The packet has come through: its entry enters the table. */
static bool confirm(struct passing *g)
{
	if (g->h->engine)
		ct_engine_confirm(g->h->engine, g->p, g->now);
	if (g->p->verdict == CT_DROP) {
		g->out->fate = CT_FATE_DROP;
		return false;
	}
	look_at_entry(g);
	return true;
}

static bool leave(struct passing *g)
{
	return pass(g, "mangle", CT_AT_POSTROUTING) && nat(g, CT_AT_POSTROUTING) && confirm(g);
}

static bool deliver(struct passing *g)
{
	return pass(g, "mangle", CT_AT_INPUT) && pass(g, "filter", CT_AT_INPUT) &&
	       pass(g, "security", CT_AT_INPUT) && nat(g, CT_AT_INPUT) && confirm(g);
}

/* ip_forward(), ip6_forward(): who has come to the end of its hops goes no further. */
static bool has_hops(const struct ct_packet *p)
{
	return p->data[p->data[0] >> 4 == 6 ? 7 : 8] > 1;
}

static bool receive(struct passing *g)
{
	if (!enter(g, CT_AT_PREROUTING) || !nat(g, CT_AT_PREROUTING))
		return false;
	ct_route_in(&g->h->router, g->p, g->in, &g->out->way_on);
	switch (g->out->way_on.route) {
	case CT_ROUTE_LOCAL:
		return deliver(g);
	case CT_ROUTE_FORWARD:
		if (!has_hops(g->p))
			break;
		return pass(g, "mangle", CT_AT_FORWARD) && pass(g, "filter", CT_AT_FORWARD) &&
		       pass(g, "security", CT_AT_FORWARD) && leave(g);
	case CT_ROUTE_NOWHERE:
		break;
	}
	g->out->fate = CT_FATE_DROP;
	return false;
}

/* What the host sends itself arrives again with its entry: the tracker returns at once. */
static bool loop(struct passing *g)
{
	g->in = g->out->way_on.out;
	return pass(g, "raw", CT_AT_PREROUTING) && pass(g, "mangle", CT_AT_PREROUTING) &&
	       deliver(g);
}

static bool send(struct passing *g)
{
	ct_route_out(&g->h->router, g->p, &g->out->way_on);
	if (g->out->way_on.route == CT_ROUTE_NOWHERE) {
		g->out->fate = CT_FATE_DROP;
		g->out->at = CT_AT_OUTPUT;
		return false;
	}
	if (!enter(g, CT_AT_OUTPUT) || !nat(g, CT_AT_OUTPUT) || !pass(g, "filter", CT_AT_OUTPUT) ||
	    !pass(g, "security", CT_AT_OUTPUT) || !leave(g))
		return false;
	return g->out->way_on.route != CT_ROUTE_LOCAL || loop(g);
}

void ct_hooks_packet(struct ct_hooks *h, struct ct_packet *p, const struct ct_way *way, ct_time now,
		     struct ct_passage *out)
{
	bool is_v6 = p->size && p->data[0] >> 4 == 6;
	struct passing g = { .h = h, .p = p, .in = way->in, .out = out, .now = now };

	*out = (struct ct_passage){ .fate = CT_FATE_ACCEPT };
	p->family = is_v6 ? CT_FAMILY_IPV6 : CT_FAMILY_IPV4;
	p->info = CT_INFO_INVALID;
	g.r = (struct ct_rule_packet){ .packet = p, .now = now };
	if (p->size >= (is_v6 ? 40 : 20)) {
		g.r.src_type =
			(uint8_t)addr_type(&h->router, p->family, p->data + (is_v6 ? 8 : 12));
		g.r.dst_type =
			(uint8_t)addr_type(&h->router, p->family, p->data + (is_v6 ? 24 : 16));
	}
	out->is_through = way->is_sent ? send(&g) : receive(&g);
	if (!out->is_through && h->engine)
		ct_engine_release(h->engine, p);
}
