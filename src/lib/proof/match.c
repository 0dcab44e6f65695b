/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The packets that a rule's matches fit, as sets. Each function here says of all packets what the
 * function of the same name in lib/ruleset/eval_*.c says of one, and answers to the same kernel
 * code.
 */
#include <string.h>

#include "lib/proof/session.h"

typedef ct_dd packets_fn(const struct ct_place *at, const struct ct_rule_ext *e);

static ct_dd turn(const struct ct_place *at, ct_dd set, bool is_inverted)
{
	return is_inverted ? ct_dd_not(at->p->d, set) : set;
}

static ct_dd both(const struct ct_place *at, ct_dd a, ct_dd b)
{
	return ct_dd_and(at->p->d, a, b);
}

static ct_dd either(const struct ct_place *at, ct_dd a, ct_dd b)
{
	return ct_dd_or(at->p->d, a, b);
}

/* Matches that remember packets: the same words in another rule are another choice. */
static bool remembers(const char *name)
{
	static const char *const names[] = { "connlimit", "cpu",      "hashlimit", "limit",
					     "nfacct",	  "quota",    "rateest",   "recent",
					     "statistic", "connbytes" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* What nobody can tell from the packet. */
static ct_dd unknown(const struct ct_place *at, const struct ct_rule_ext *e)
{
	char text[2048];
	size_t len = 0;

	if (remembers(e->name)) {
		len = strlen(at->chain->name);
		if (len > 255)
			len = 255;
		memcpy(text, at->chain->name, len);
		text[len++] = ' ';
	}
	ct_rule_ext_words(e, text + len, sizeof(text) - len);
	return ct_proof_choice(at->p, text);
}

/* The same for one option of several. */
static ct_dd unknown_option(const struct ct_place *at, const struct ct_rule_ext *e,
			    const struct ct_rule_option *o)
{
	struct ct_rule_ext one = *e;
	struct ct_rule_option plain = *o;

	plain.is_inverted = false;
	one.option = &plain;
	one.n_options = 1;
	return turn(at, unknown(at, &one), o->is_inverted);
}

static ct_dd within(const struct ct_place *at, enum ct_field f, const struct ct_rule_option *o)
{
	return turn(at, ct_field_within(at->p->d, f, o->n[0], o->n[1]), o->is_inverted);
}

static ct_dd has_layer4(const struct ct_place *at)
{
	return ct_field_is(at->p->d, CT_FIELD_FRAGMENT, 0);
}

static ct_dd ports(const struct ct_place *at, const struct ct_rule_ext *e)
{
	const struct ct_rule_option *sport = ct_ext_option(e, "sport");
	const struct ct_rule_option *dport = ct_ext_option(e, "dport");
	ct_dd r = has_layer4(at);

	if (sport)
		r = both(at, r, within(at, CT_FIELD_SPORT, sport));
	return dport ? both(at, r, within(at, CT_FIELD_DPORT, dport)) : r;
}

/* Ports, and for each other option a choice. */
static ct_dd ports_and_more(const struct ct_place *at, const struct ct_rule_ext *e)
{
	ct_dd r = ports(at, e);

	for (unsigned i = 0; i < e->n_options; i++)
		if (strcmp(e->option[i].def->name, "sport") != 0 &&
		    strcmp(e->option[i].def->name, "dport") != 0)
			r = both(at, r, unknown_option(at, e, &e->option[i]));
	return r;
}

static ct_dd tcp(const struct ct_place *at, const struct ct_rule_ext *e)
{
	const struct ct_rule_option *flags = ct_ext_option(e, "tcp-flags");
	const struct ct_rule_option *option = ct_ext_option(e, "tcp-option");
	ct_dd r = ports(at, e);

	if (flags)
		r = both(at, r,
			 turn(at, ct_field_has(at->p->d, CT_FIELD_FLAGS, flags->n[1], flags->n[0]),
			      flags->is_inverted));
	/* Flags asked for outside their mask are never there. */
	if (flags && flags->n[1] & ~flags->n[0])
		r = flags->is_inverted ? ports(at, e) : CT_DD_FALSE;
	return option ? both(at, r, unknown_option(at, e, option)) : r;
}

static ct_dd icmp(const struct ct_place *at, const struct ct_rule_ext *e)
{
	const struct ct_rule_option *o = &e->option[0];
	struct ct_dds *d = at->p->d;
	ct_dd r = CT_DD_TRUE;

	if (at->p->family != CT_FAMILY_IPV4 || o->n[0] != 255)
		r = both(at, ct_field_is(d, CT_FIELD_ICMP_TYPE, o->n[0]),
			 ct_field_within(d, CT_FIELD_ICMP_CODE, o->n[1], o->n[2]));
	return both(at, has_layer4(at), turn(at, r, o->is_inverted));
}

static ct_dd port_list(const struct ct_place *at, enum ct_field f, const struct ct_rule_option *o)
{
	ct_dd r = CT_DD_FALSE;

	for (uint32_t i = 0; i < o->n[0]; i++)
		r = either(at, r, ct_field_within(at->p->d, f, o->ports[i][0], o->ports[i][1]));
	return r;
}

static ct_dd multiport(const struct ct_place *at, const struct ct_rule_ext *e)
{
	const struct ct_rule_option *o = &e->option[0];
	ct_dd r = CT_DD_FALSE;

	if (o->def->name[0] != 'd')
		r = port_list(at, CT_FIELD_SPORT, o);
	if (o->def->name[0] != 's')
		r = either(at, r, port_list(at, CT_FIELD_DPORT, o));
	return both(at, has_layer4(at), turn(at, r, o->is_inverted));
}

static ct_dd iprange(const struct ct_place *at, const struct ct_rule_ext *e)
{
	ct_dd r = CT_DD_TRUE;

	for (unsigned i = 0; i < e->n_options; i++) {
		const struct ct_rule_option *o = &e->option[i];
		struct ct_field_value from = ct_field_address(&o->addr);
		struct ct_field_value to = ct_field_address(&o->to);
		ct_dd one = ct_field_range(at->p->d,
					   o->def->name[0] == 's' ? CT_FIELD_SADDR : CT_FIELD_DADDR,
					   at->p->family, &from, &to);

		r = both(at, r, turn(at, one, o->is_inverted));
	}
	return r;
}

static ct_dd length(const struct ct_place *at, const struct ct_rule_ext *e)
{
	return within(at, CT_FIELD_LENGTH, &e->option[0]);
}

static ct_dd ttl(const struct ct_place *at, const struct ct_rule_ext *e)
{
	const struct ct_rule_option *o = &e->option[0];
	const char *how = o->def->name + strlen(o->def->name) - 2;
	struct ct_dds *d = at->p->d;

	if (strcmp(how, "lt") == 0)
		return o->n[0] ? ct_field_within(d, CT_FIELD_TTL, 0, o->n[0] - 1) : CT_DD_FALSE;
	if (strcmp(how, "gt") == 0)
		return o->n[0] < 255 ? ct_field_within(d, CT_FIELD_TTL, o->n[0] + 1, 255)
				     : CT_DD_FALSE;
	return turn(at, ct_field_is(d, CT_FIELD_TTL, o->n[0]), o->is_inverted);
}

static ct_dd tos(const struct ct_place *at, const struct ct_rule_ext *e)
{
	const struct ct_rule_option *o = &e->option[0];

	return turn(at,
		    o->n[0] & ~o->n[1] ? CT_DD_FALSE
				       : ct_field_has(at->p->d, CT_FIELD_TOS, o->n[0], o->n[1]),
		    o->is_inverted);
}

static ct_dd dscp(const struct ct_place *at, const struct ct_rule_ext *e)
{
	const struct ct_rule_option *o = &e->option[0];

	return turn(at, ct_field_has(at->p->d, CT_FIELD_TOS, o->n[0] << 2, 0xfc), o->is_inverted);
}

static ct_dd masked32(const struct ct_place *at, enum ct_field f, const struct ct_rule_option *o)
{
	ct_dd r = o->n[0] & ~o->n[1] ? CT_DD_FALSE : ct_field_has(at->p->d, f, o->n[0], o->n[1]);

	return turn(at, r, o->is_inverted);
}

static ct_dd mark(const struct ct_place *at, const struct ct_rule_ext *e)
{
	return masked32(at, CT_FIELD_MARK, &e->option[0]);
}

static ct_dd always(const struct ct_place *at, const struct ct_rule_ext *e)
{
	(void)at;
	(void)e;
	return CT_DD_TRUE;
}

/* No bridge carried the packet. */
static ct_dd physdev(const struct ct_place *at, const struct ct_rule_ext *e)
{
	(void)at;
	for (unsigned i = 0; i < e->n_options; i++)
		if (!e->option[i].is_inverted)
			return CT_DD_FALSE;
	return CT_DD_TRUE;
}

/* Words in the order of RTN_*; types that the space does not know never fit. */
static ct_dd type_is(const struct ct_place *at, enum ct_field f, const struct ct_rule_option *o)
{
	static const uint8_t bits[] = { 0, 1, 2, 3, 5 };
	ct_dd r = CT_DD_FALSE;

	for (unsigned type = CT_ADDR_UNICAST; type <= CT_ADDR_MULTICAST; type++)
		if (o->n[0] >> bits[type] & 1)
			r = either(at, r, ct_field_is(at->p->d, f, type));
	return turn(at, r, o->is_inverted);
}

static ct_dd addrtype(const struct ct_place *at, const struct ct_rule_ext *e)
{
	const struct ct_rule_option *src = ct_ext_option(e, "src-type");
	const struct ct_rule_option *dst = ct_ext_option(e, "dst-type");
	ct_dd r = src ? type_is(at, CT_FIELD_SRC_TYPE, src) : CT_DD_TRUE;

	if (dst)
		r = both(at, r, type_is(at, CT_FIELD_DST_TYPE, dst));
	if (ct_ext_option(e, "limit-iface-in") || ct_ext_option(e, "limit-iface-out"))
		r = both(at, r, unknown(at, e));
	return r;
}

static ct_dd pkttype(const struct ct_place *at, const struct ct_rule_ext *e)
{
	const struct ct_rule_option *o = &e->option[0];
	struct ct_dds *d = at->p->d;
	ct_dd r = o->n[0] == 1 ? ct_field_is(d, CT_FIELD_DST_TYPE, CT_ADDR_BROADCAST)
		  : o->n[0] == 2
			  ? ct_field_is(d, CT_FIELD_DST_TYPE, CT_ADDR_MULTICAST)
			  : ct_field_within(d, CT_FIELD_DST_TYPE, CT_ADDR_UNICAST, CT_ADDR_LOCAL);

	return turn(at, r, o->is_inverted);
}

/* Connections -------------------------------------------------------------------------------- */

/* Packets with an entry, where a rule stands. */
static ct_dd has_entry(const struct ct_place *at)
{
	if (at->is_before_tracker)
		return CT_DD_FALSE;
	return ct_field_within(at->p->d, CT_FIELD_STATE, CT_PROOF_NEW, CT_PROOF_ESTABLISHED);
}

/* Packets that a CT rule has given a template, which passes for an entry until the tracker comes:
 * nothing of it is set. */
static ct_dd has_template(const struct ct_place *at)
{
	return at->is_before_tracker ? ct_field_is(at->p->d, CT_FIELD_TEMPLATE, 1) : CT_DD_FALSE;
}

/* Before the tracker the words NEW and UNTRACKED are about what rules did. */
static ct_dd early_states(const struct ct_place *at, uint32_t words)
{
	ct_dd untracked = ct_field_is(at->p->d, CT_FIELD_UNTRACKED, 1), template = has_template(at);
	ct_dd r = CT_DD_FALSE;

	if (words & 1 << CT_PROOF_INVALID)
		r = ct_dd_not(at->p->d, either(at, untracked, template));
	if (words & 1 << CT_PROOF_NEW)
		r = either(at, r, template);
	if (words & 1 << CT_PROOF_UNTRACKED)
		r = either(at, r, untracked);
	return r;
}

/* Words: INVALID, NEW, RELATED, ESTABLISHED, UNTRACKED, SNAT, DNAT. */
static ct_dd states(const struct ct_place *at, uint32_t words)
{
	struct ct_dds *d = at->p->d;
	ct_dd r = CT_DD_FALSE;

	if (at->is_before_tracker)
		return early_states(at, words);
	for (unsigned s = 0; s < N_PROOF_STATES; s++)
		if (words >> s & 1)
			r = either(at, r, ct_field_is(d, CT_FIELD_STATE, s));
	if (words & 1 << 5)
		r = either(at, r, ct_field_is(d, CT_FIELD_HAS_SNAT, 1));
	if (words & 1 << 6)
		r = either(at, r, ct_field_is(d, CT_FIELD_HAS_DNAT, 1));
	return r;
}

static ct_dd state(const struct ct_place *at, const struct ct_rule_ext *e)
{
	return turn(at, states(at, e->option[0].n[0] & 31), e->option[0].is_inverted);
}

static ct_dd conntrack(const struct ct_place *at, const struct ct_rule_ext *e)
{
	const struct ct_rule_option *o = ct_ext_option(e, "ctstate");
	ct_dd first = o ? turn(at, states(at, o->n[0]), o->is_inverted) : CT_DD_TRUE;
	ct_dd rest = CT_DD_TRUE, entry = either(at, has_entry(at), has_template(at));

	for (unsigned i = 0; i < e->n_options; i++) {
		const struct ct_rule_option *q = &e->option[i];
		ct_dd is = at->is_before_tracker ? CT_DD_FALSE : CT_DD_TRUE;

		if (q == o)
			continue;
		if (strcmp(q->def->name, "ctproto") == 0)
			rest = both(
				at, rest,
				turn(at,
				     both(at, is, ct_field_is(at->p->d, CT_FIELD_PROTO, q->n[0])),
				     q->is_inverted));
		else
			rest = both(at, rest, unknown_option(at, e, q));
	}
	if (!o)
		return both(at, entry, rest);
	return both(at, first, either(at, ct_dd_not(at->p->d, entry), rest));
}

static ct_dd connmark(const struct ct_place *at, const struct ct_rule_ext *e)
{
	const struct ct_rule_option *o = &e->option[0];
	ct_dd of_template = turn(at, o->n[0] == 0 ? CT_DD_TRUE : CT_DD_FALSE, o->is_inverted);

	return either(at, both(at, has_entry(at), masked32(at, CT_FIELD_CONNMARK, o)),
		      both(at, has_template(at), of_template));
}

/* Entries ask about their helper or counters: no packet without one fits. */
static ct_dd of_entry(const struct ct_place *at, const struct ct_rule_ext *e)
{
	return both(at, has_entry(at), unknown(at, e));
}

static const struct {
	const char *name;
	packets_fn *packets;
} known[] = {
	{ "addrtype", addrtype },
	{ "comment", always },
	{ "connbytes", of_entry },
	{ "connlabel", of_entry },
	{ "connmark", connmark },
	{ "conntrack", conntrack },
	{ "dccp", ports_and_more },
	{ "dscp", dscp },
	{ "helper", of_entry },
	{ "hl", ttl },
	{ "icmp", icmp },
	{ "icmp6", icmp },
	{ "iprange", iprange },
	{ "length", length },
	{ "mark", mark },
	{ "multiport", multiport },
	{ "physdev", physdev },
	{ "pkttype", pkttype },
	{ "sctp", ports_and_more },
	{ "state", state },
	{ "tcp", tcp },
	{ "tos", tos },
	{ "ttl", ttl },
	{ "udp", ports },
};

static bool asks_state(const struct ct_rule_ext *e)
{
	return e->def && (strcmp(e->name, "state") == 0 ||
			  (strcmp(e->name, "conntrack") == 0 && ct_ext_option(e, "ctstate")));
}

static ct_dd ext_packets(const struct ct_place *at, const struct ct_rule_ext *e)
{
	if (e == at->p->ignored || (at->p->ignores_states && asks_state(e)))
		return CT_DD_TRUE;
	if (!e->def || e->is_opaque)
		return unknown(at, e);
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(known[i].name, e->name) == 0)
			return known[i].packets(at, e);
	return unknown(at, e);
}

/* Addresses, interfaces, protocol -------------------------------------------------------------- */

static ct_dd net(const struct ct_place *at, enum ct_field f, const union ct_addr *addr,
		 const union ct_addr *mask, bool is_inverted)
{
	struct ct_field_value v = ct_field_address(addr), m = ct_field_address(mask);

	return turn(at, ct_field_masked(at->p->d, f, at->p->family, &v, &m), is_inverted);
}

static ct_dd iface(const struct ct_place *at, enum ct_field f, const char *pattern, bool is_there,
		   bool is_inverted)
{
	const struct ct_atoms *a = &at->p->atoms;
	ct_dd r = CT_DD_FALSE;

	if (!is_there)
		return turn(at, ct_atom_fits(a, CT_ATOM_NONE, pattern) ? CT_DD_TRUE : CT_DD_FALSE,
			    is_inverted);
	for (uint32_t i = CT_FIRST_ATOM - 1; i < a->n + 1; i++) {
		uint32_t atom = i == a->n ? CT_ATOM_LOOPBACK : i;

		if (ct_atom_fits(a, atom, pattern))
			r = either(at, r, ct_field_is(at->p->d, f, atom));
	}
	return turn(at, r, is_inverted);
}

/* ip_packet_match() */
static ct_dd basics(const struct ct_place *at)
{
	const struct ct_rule *r = at->rule;
	bool has_in = at->at != CT_AT_OUTPUT && at->at != CT_AT_POSTROUTING;
	bool has_out = at->at != CT_AT_PREROUTING && at->at != CT_AT_INPUT;
	ct_dd set = net(at, CT_FIELD_SADDR, &r->src, &r->src_mask, r->flags & CT_RULE_NOT_SRC);

	set = both(at, set,
		   net(at, CT_FIELD_DADDR, &r->dst, &r->dst_mask, r->flags & CT_RULE_NOT_DST));
	if (r->proto)
		set = both(at, set,
			   turn(at, ct_field_is(at->p->d, CT_FIELD_PROTO, r->proto),
				r->flags & CT_RULE_NOT_PROTO));
	if (r->in)
		set = both(at, set,
			   iface(at, CT_FIELD_IIF, r->in, has_in, r->flags & CT_RULE_NOT_IN));
	if (r->out)
		set = both(at, set,
			   iface(at, CT_FIELD_OIF, r->out, has_out, r->flags & CT_RULE_NOT_OUT));
	if (r->flags & CT_RULE_FRAGMENT)
		set = both(at, set,
			   ct_field_is(at->p->d, CT_FIELD_FRAGMENT,
				       !(r->flags & CT_RULE_NOT_FRAGMENT)));
	return set;
}

ct_dd ct_rule_packets(const struct ct_place *at)
{
	ct_dd set = basics(at);

	for (const struct ct_rule_ext *e = at->rule->match; e && set != CT_DD_FALSE; e = e->next)
		set = both(at, set, ext_packets(at, e));
	return set;
}

ct_dd ct_proof_rule_packets(struct ct_proof *p, const struct ct_rule_table *t,
			    const struct ct_rule_chain *c, const struct ct_rule *r, enum ct_at at,
			    enum ct_way_kind way)
{
	struct ct_place place = { .p = p,
				  .table = t,
				  .chain = c,
				  .rule = r,
				  .at = at,
				  .way = way,
				  .is_before_tracker = strcmp(t->name, "raw") == 0 };

	return ct_rule_packets(&place);
}

const struct ct_rule_ext *ct_proof_state_match(const struct ct_rule *r)
{
	for (const struct ct_rule_ext *e = r->match; e; e = e->next)
		if (asks_state(e))
			return e;
	return NULL;
}
