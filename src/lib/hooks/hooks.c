/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The walk of hooks.h. Answers to Linux 6.18: the priorities of enum nf_ip_hook_priorities,
 * ip_rcv(), ip_forward(), ip_local_deliver(), ip_output(), nf_conntrack_in(), nf_confirm().
 */
#include <conntune/hooks.h>

#include <limits.h>
#include <string.h>

#include "lib/hooks/ask.h"
#include "lib/hooks/walk.h"
#include "lib/packet/change.h"

struct ct_ruleset *ct_walk_rules(const struct passing *g)
{
	return g->p->family == CT_FAMILY_IPV6 ? g->h->rules6 : g->h->rules4;
}

void ct_walk_doubt(struct passing *g, const char *table, const char *name, uint32_t line)
{
	if (g->out->depends_on || !name)
		return;
	g->out->depends_on = name;
	g->out->depends_table = table;
	g->out->depends_line = line;
}

bool ct_walk_end(struct passing *g)
{
	g->out->fate = CT_FATE_DROP;
	return false;
}

void ct_walk_look_at_entry(struct passing *g)
{
	g->has_entry = g->h->engine && ct_engine_entry(g->h->engine, g->p->entry, &g->entry) == 0;
	g->r.entry = g->has_entry ? &g->entry : NULL;
}

void ct_walk_look_at_addr(struct passing *g, enum ct_manip half)
{
	bool is_v6 = g->p->family == CT_FAMILY_IPV6;
	uint32_t at = is_v6 ? 8 : 12, size = is_v6 ? 16 : 4;
	uint8_t *type = half == CT_MANIP_SRC ? &g->r.src_type : &g->r.dst_type;

	if (half == CT_MANIP_DST)
		at += size;
	if (g->p->size >= at + size)
		*type = (uint8_t)ct_hooks_addr_type(&g->h->router, g->p->family, g->p->data + at,
						    NULL);
}

void ct_walk_trace(struct passing *g, enum ct_trace_kind kind, const char *table,
		   const struct ct_rule_outcome *o)
{
	struct ct_trace t = { .kind = kind,
			      .at = g->at,
			      .table = table,
			      .packet = g->p,
			      .entry = g->has_entry ? &g->entry : NULL,
			      .way_on = &g->out->way_on,
			      .mark = g->r.mark };

	if (!g->h->trace)
		return;
	if (o) {
		t.chain = o->chain;
		t.line = o->line;
		t.fate = o->fate;
	}
	g->h->trace(g->h->trace_user, &t);
}

static enum ct_helper helper_find(const char *name, uint8_t proto)
{
#define HELPER(constant, text, ...)                                                                \
	if (strcmp(name, text) == 0 && ct_helper_is_for(CT_HELPER_##constant, proto))              \
		return CT_HELPER_##constant;
#include <conntune/helper.def>
#undef HELPER
	return CT_HELPER_NONE;
}

/* Of a rule before the tracker for the entry to come, of one behind it for the new entry. */
static void helper_apply(struct passing *g, const char *table, const struct ct_rule_outcome *o)
{
	enum ct_helper helper = helper_find(o->helper, g->p->proto);

	if (helper == CT_HELPER_NONE)
		ct_walk_doubt(g, table, g->has_entry ? "ct helper" : "CT", o->line);
	else if (g->has_entry)
		(void)ct_engine_set_helper(g->h->engine, g->p->entry, helper);
	else
		g->p->helper = (uint8_t)helper;
}

/* What rules before the tracker ask of it. */
static void template_apply(struct passing *g, const char *table, const struct ct_rule_outcome *o)
{
	if (o->is_notrack)
		g->p->flags |= CT_PACKET_UNTRACKED;
	if (o->is_notrack && g->out->is_tracked && !g->has_entry)
		g->p->info = CT_INFO_UNTRACKED;
	if (o->has_zone) {
		g->p->zone = o->zone;
		g->p->zone_dir = o->zone_dir;
	}
	if (o->helper)
		helper_apply(g, table, o);
}

bool ct_walk_apply(struct passing *g, const char *table, const struct ct_rule_outcome *o)
{
	g->r.mark = g->out->mark = o->mark;
	ct_walk_doubt(g, table, o->depends_on, o->depends_line);
	if (!g->h->nat)
		ct_walk_doubt(g, table, o->nat, o->line);
	if (o->has_connmark && g->has_entry) {
		g->entry.mark = o->connmark;
		(void)ct_engine_set_mark(g->h->engine, g->p->entry, o->connmark);
	}
	template_apply(g, table, o);
	ct_walk_trace(g, CT_TRACE_TABLE, table, o);
	if (o->fate == CT_FATE_ACCEPT)
		return true;
	g->out->fate = o->fate;
	g->out->table = table;
	g->out->line = o->line;
	return false;
}

bool ct_walk_table(struct passing *g, const char *table, struct ct_rule_outcome *o)
{
	struct ct_ruleset *rs = ct_walk_rules(g);

	return !rs || ct_ruleset_judge(rs, table, g->at, &g->r, o) < 0 ||
	       ct_walk_apply(g, table, o);
}

static void tell_rule(void *user, const struct ct_rule_trace *rule)
{
	const struct passing *g = user;
	const struct ct_trace t = { .kind = CT_TRACE_RULE,
				    .at = g->at,
				    .table = rule->table,
				    .chain = rule->chain,
				    .verdict = rule->verdict,
				    .line = rule->line,
				    .mark = g->r.mark,
				    .packet = g->p,
				    .entry = g->r.entry,
				    .way_on = &g->out->way_on };

	g->h->trace(g->h->trace_user, &t);
}

/* The steps of a hook. Each is false when the packet ends there. ---------------------------- */

/* Rules may change the packet. Reassembled it lies in memory that nobody has lent. */
static void lend(struct passing *g)
{
	if (g->p->bytes != g->p->data)
		g->p->bytes = NULL;
	if (ct_walk_rules(g) && g->h->nat)
		(void)ct_nat_bytes(g->h->nat, g->p);
}

/* Fragments become datagrams before the rules see them. */
static bool step_defrag(struct passing *g, const char *table)
{
	enum ct_defrag_result was =
		g->h->defrag ? ct_defrag_in(g->h->defrag, g->p, g->now) : CT_DEFRAG_PASS;

	(void)table;
	if (was == CT_DEFRAG_PASS || was == CT_DEFRAG_WHOLE) {
		(void)ct_packet_parse(g->p);
		lend(g);
		return true;
	}
	g->out->is_waiting = was == CT_DEFRAG_WAIT;
	return ct_walk_end(g);
}

static bool step_rules(struct passing *g, const char *table)
{
	struct ct_rule_outcome o;

	return ct_walk_table(g, table, &o);
}

/* What arrives by loopback still has the entry it was sent with. */
static bool step_track(struct passing *g, const char *table)
{
	(void)table;
	g->out->is_tracked = true;
	if (g->p->info != CT_INFO_INVALID)
		return true;
	g->p->hook = g->at == CT_AT_OUTPUT ? CT_HOOK_OUTPUT : CT_HOOK_PREROUTING;
	if (g->h->engine)
		ct_engine_in(g->h->engine, g->p, g->now);
	ct_walk_look_at_entry(g);
	ct_walk_trace(g, CT_TRACE_TRACK, NULL, NULL);
	if (g->p->verdict != CT_DROP)
		return true;
	g->out->is_tracked = false;
	return ct_walk_end(g);
}

/* ip_route_me_harder(): what the host sends to a new destination may leave elsewhere. Rules of this
 * hook still see the interface that it was to leave by. */
static bool route_again(struct passing *g)
{
	if (g->out->manips & 1 << CT_MANIP_DST) {
		ct_route_out(&g->h->router, g->p, &g->out->way_on);
		ct_walk_trace(g, CT_TRACE_ROUTE, NULL, NULL);
	}
	return g->out->way_on.route != CT_ROUTE_NOWHERE || ct_walk_end(g);
}

static bool step_nat(struct passing *g, const char *table)
{
	(void)table;
	return ct_walk_translate(g) && (g->at != CT_AT_OUTPUT || route_again(g));
}

/* Whether anything follows behind confirm. */
static bool is_looked_at(const struct passing *g)
{
	return g->h->trace || g->h->rules_nft ||
	       (g->at == CT_AT_POSTROUTING && g->out->way_on.route == CT_ROUTE_LOCAL);
}

/* The packet has come through: its entry enters the table. */
static bool step_confirm(struct passing *g, const char *table)
{
	(void)table;
	if (g->h->engine)
		ct_engine_confirm(g->h->engine, g->p, g->now);
	if (g->p->verdict == CT_DROP)
		return ct_walk_end(g);
	/* An entry that this packet has ended is gone now; what it was is still seen. Most packets
	 * have nobody left who would look. */
	if (g->p->entry.number && is_looked_at(g))
		ct_walk_look_at_entry(g);
	ct_walk_trace(g, CT_TRACE_CONFIRM, NULL, NULL);
	return true;
}

enum {
	PRE = 1 << CT_AT_PREROUTING,
	IN = 1 << CT_AT_INPUT,
	FORWARD = 1 << CT_AT_FORWARD,
	OUT = 1 << CT_AT_OUTPUT,
	POST = 1 << CT_AT_POSTROUTING,
	ANY = PRE | IN | FORWARD | OUT | POST,
};

/* What happens at which hooks, by rising priority. */
static const struct step {
	int priority;
	unsigned hooks;
	bool (*run)(struct passing *g, const char *table);
	const char *table;
} steps[] = {
	{ -400, PRE | OUT, step_defrag, NULL },
	{ -300, PRE | OUT, step_rules, "raw" },
	{ -200, PRE | OUT, step_track, NULL },
	{ -150, ANY, step_rules, "mangle" },
	{ -100, PRE | OUT, step_nat, NULL },
	{ 0, IN | FORWARD | OUT, step_rules, "filter" },
	{ 50, IN | FORWARD | OUT, step_rules, "security" },
	{ 100, POST | IN, step_nat, NULL },
	{ INT_MAX, POST | IN, step_confirm, NULL },
};

/* All steps of one hook, and nft's chains between them. A chain of the same priority as a table was
 * registered later, and so runs first; as the kernel's own hooks it runs behind them. */
static bool walk(struct passing *g, enum ct_at at)
{
	struct bases_at bases = { 0 };

	g->at = g->out->at = at;
	/* ip_output(): rules still see where a forwarded packet came in. */
	g->r.in = at == CT_AT_OUTPUT ? NULL : g->in;
	g->r.out = at == CT_AT_PREROUTING || at == CT_AT_INPUT ? NULL : g->out->way_on.out;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (!(steps[i].hooks & 1u << at))
			continue;
		if (g->h->rules_nft &&
		    !ct_walk_bases(g, &bases, steps[i].priority, steps[i].table != NULL))
			return false;
		if (!steps[i].run(g, steps[i].table))
			return false;
	}
	return !g->h->rules_nft || ct_walk_bases(g, &bases, INT32_MAX, true);
}

/* ip_forward(), ip6_forward(): who has come to the end of its hops goes no further. */
static bool has_hops(const struct ct_packet *p)
{
	return p->data[p->data[0] >> 4 == 6 ? 7 : 8] > 1;
}

/* It is one less before the rules of FORWARD see it. */
static void use_hop(struct ct_packet *p)
{
	if (p->bytes && p->bytes == p->data)
		ct_change_hops(p, (uint8_t)(p->data[p->family == CT_FAMILY_IPV6 ? 7 : 8] - 1));
}

static bool receive(struct passing *g)
{
	if (!walk(g, CT_AT_PREROUTING))
		return false;
	ct_route_in(&g->h->router, g->p, g->in, &g->out->way_on);
	ct_walk_trace(g, CT_TRACE_ROUTE, NULL, NULL);
	switch (g->out->way_on.route) {
	case CT_ROUTE_LOCAL:
		return walk(g, CT_AT_INPUT);
	case CT_ROUTE_FORWARD:
		if (!has_hops(g->p))
			break;
		use_hop(g->p);
		return walk(g, CT_AT_FORWARD) && walk(g, CT_AT_POSTROUTING);
	case CT_ROUTE_NOWHERE:
		break;
	}
	return ct_walk_end(g);
}

/* ip6_rcv_core(): there is less of the packet than its header says, which sending does not mind. */
static bool is_cut(const struct ct_packet *p)
{
	return p->data[0] >> 4 == 6 && 40U + ((unsigned)p->data[4] << 8 | p->data[5]) > p->size;
}

/* What the host sends itself arrives again. */
static bool loop(struct passing *g)
{
	g->in = g->out->way_on.out;
	g->p->flags |= CT_PACKET_LOOPED;
	if (is_cut(g->p)) {
		g->at = g->out->at = CT_AT_PREROUTING;
		return ct_walk_end(g);
	}
	return walk(g, CT_AT_PREROUTING) && walk(g, CT_AT_INPUT);
}

static bool send(struct passing *g)
{
	g->at = g->out->at = CT_AT_OUTPUT;
	ct_route_out(&g->h->router, g->p, &g->out->way_on);
	ct_walk_trace(g, CT_TRACE_ROUTE, NULL, NULL);
	if (g->out->way_on.route == CT_ROUTE_NOWHERE)
		return ct_walk_end(g);
	if (!walk(g, CT_AT_OUTPUT) || !walk(g, CT_AT_POSTROUTING))
		return false;
	return g->out->way_on.route != CT_ROUTE_LOCAL || loop(g);
}

void ct_hooks_packet(struct ct_hooks *h, struct ct_packet *p, const struct ct_way *way, ct_time now,
		     struct ct_passage *out)
{
	bool is_v6 = p->size && p->data[0] >> 4 == 6;
	struct passing g = { .h = h, .p = p, .in = way->in, .out = out, .now = now };
	struct ct_rule_ask ask;

	*out = (struct ct_passage){ .fate = CT_FATE_ACCEPT };
	p->family = is_v6 ? CT_FAMILY_IPV6 : CT_FAMILY_IPV4;
	p->info = CT_INFO_INVALID;
	ct_hooks_ask(h, &ask);
	g.r = h->about;
	g.r.packet = p;
	g.r.now = now;
	g.r.ask = &ask;
	/* What was not sent here belongs to no socket. */
	if (!way->is_sent)
		g.r.known |= CT_RULE_KNOWS_SOCKET;
	if (h->trace) {
		g.r.trace = tell_rule;
		g.r.trace_user = &g;
	}
	ct_walk_look_at_addr(&g, CT_MANIP_SRC);
	ct_walk_look_at_addr(&g, CT_MANIP_DST);
	out->is_through = way->is_sent ? send(&g) : receive(&g);
	if (!out->is_through && h->engine)
		ct_engine_release(h->engine, p);
	out->data = p->data;
	out->size = p->size;
}
