/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Whole ways: the steps of a packet through tables and tracker, walked from the last to the first.
 * The order is that of lib/hooks/hooks.c, enum nf_ip_hook_priorities.
 */
#include "lib/proof/way.h"

#include <string.h>

#include "lib/proof/nat.h"

#define MAX_KNOWN (sizeof(((struct ct_proof *)0)->known) / sizeof(struct ct_known_fates))

#define ENTER(hook)                                                                                \
	{ CT_STEP_TABLE, "raw", CT_AT_##hook, true },                                              \
	{                                                                                          \
		CT_STEP_TRACKER, NULL, CT_AT_##hook, true                                          \
	}
#define TABLE(name, hook)                                                                          \
	{                                                                                          \
		CT_STEP_TABLE, name, CT_AT_##hook, false                                           \
	}
#define DST_NAT(hook)                                                                              \
	{                                                                                          \
		CT_STEP_DST_NAT, "nat", CT_AT_##hook, false                                        \
	}
#define SRC_NAT(hook)                                                                              \
	{                                                                                          \
		CT_STEP_SRC_NAT, "nat", CT_AT_##hook, false                                        \
	}
#define DELIVER TABLE("mangle", INPUT), TABLE("filter", INPUT), TABLE("security", INPUT)
#define SEND                                                                                       \
	ENTER(OUTPUT), TABLE("mangle", OUTPUT), DST_NAT(OUTPUT), TABLE("filter", OUTPUT),          \
		TABLE("security", OUTPUT), TABLE("mangle", POSTROUTING), SRC_NAT(POSTROUTING)

static const struct ct_way_step received[] = {
	ENTER(PREROUTING), TABLE("mangle", PREROUTING), DST_NAT(PREROUTING), DELIVER,
	SRC_NAT(INPUT),
};

static const struct ct_way_step forwarded[] = {
	ENTER(PREROUTING),
	TABLE("mangle", PREROUTING),
	DST_NAT(PREROUTING),
	TABLE("mangle", FORWARD),
	TABLE("filter", FORWARD),
	TABLE("security", FORWARD),
	TABLE("mangle", POSTROUTING),
	SRC_NAT(POSTROUTING),
};

static const struct ct_way_step sent[] = { SEND };

/* What loops comes back with its entry: the tracker and the nat table have been there. */
static const struct ct_way_step looped[] = {
	SEND,
	TABLE("raw", PREROUTING),
	TABLE("mangle", PREROUTING),
	DELIVER,
};

#define WAY(name)                                                                                  \
	{                                                                                          \
#name, name, sizeof(name) / sizeof(*name)                                          \
	}
static const struct {
	const char *name;
	const struct ct_way_step *steps;
	unsigned n;
} ways[] = { WAY(received), WAY(forwarded), WAY(sent), WAY(looped) };

const char *ct_way_kind_name(enum ct_way_kind way)
{
	return ways[way].name;
}

const struct ct_way_step *ct_way_steps(enum ct_way_kind way, unsigned *n)
{
	*n = ways[way].n;
	return ways[way].steps;
}

static ct_dd is(struct ct_proof *p, enum ct_field f, uint64_t v)
{
	return ct_field_is(p->d, f, v);
}

/* @next of packets that are something else than it was said: NEW, ... */
static ct_dd as_state(struct ct_proof *p, ct_dd next, enum ct_proof_state state)
{
	struct ct_dd_subst *s = ct_dd_subst_new(p->d);

	if (!s) {
		p->is_out_of_memory = true;
		return CT_DD_FALSE;
	}
	ct_field_becomes(p->d, s, CT_FIELD_STATE, state);
	ct_field_becomes(p->d, s, CT_FIELD_HAS_SNAT, 0);
	ct_field_becomes(p->d, s, CT_FIELD_HAS_DNAT, 0);
	ct_field_becomes(p->d, s, CT_FIELD_CONNMARK, 0);
	return ct_dd_replace(p->d, next, s);
}

/* The answer to a packet that nobody tracked is judged by itself: a SYN/ACK is INVALID, all else
 * begins a connection: tcp_new(), udp_packet(). */
static ct_dd half(struct ct_proof *p, ct_dd next)
{
	ct_dd syn_ack = ct_dd_and(p->d, is(p, CT_FIELD_PROTO, 6),
				  ct_field_has(p->d, CT_FIELD_FLAGS, 0x12, 0x12));

	return ct_dd_ite(p->d, syn_ack, as_state(p, next, CT_PROOF_INVALID),
			 as_state(p, next, CT_PROOF_NEW));
}

static ct_dd tracker(struct ct_proof *p, const struct ct_ruleset *rs, enum ct_way_kind way,
		     ct_dd next)
{
	ct_dd of_both, halves;

	if (p->is_all_tracked || !ct_proof_tracks(rs))
		return next;
	of_both = ct_field_within(p->d, CT_FIELD_STATE, CT_PROOF_RELATED, CT_PROOF_ESTABLISHED);
	halves = ct_dd_and(p->d, of_both, ct_proof_halves(p, rs, way));
	return ct_dd_ite(p->d, is(p, CT_FIELD_UNTRACKED, 1), as_state(p, next, CT_PROOF_UNTRACKED),
			 ct_dd_ite(p->d, halves, half(p, next), next));
}

/* The nat table is asked for the first packet of a connection; its entry translates the others
 * (nf_nat_inet_fn()). */
static ct_dd nat(struct ct_proof *p, const struct ct_ruleset *rs, const struct ct_way_step *step,
		 enum ct_way_kind way, ct_dd next)
{
	bool is_dst = step->kind == CT_STEP_DST_NAT;
	ct_dd first = is(p, CT_FIELD_STATE, CT_PROOF_NEW);
	ct_dd later = ct_dd_or(p->d, is(p, CT_FIELD_HAS_SNAT, 1), is(p, CT_FIELD_HAS_DNAT, 1));
	ct_dd rest = next;

	if (!p->is_translating)
		return next;
	if (!ct_dd_is_leaf(next)) {
		struct ct_dd_subst *s = ct_nat_entry_changes(p, way, is_dst);

		if (s)
			rest = ct_dd_ite(p->d, later, ct_dd_replace(p->d, next, s), next);
	}
	return ct_dd_ite(p->d, first, ct_table_fates(p, rs, step, way, next), rest);
}

/* The addresses that routing sends this way. */
static ct_dd routed(struct ct_proof *p, enum ct_way_kind way)
{
	ct_dd some = ct_field_within(p->d, CT_FIELD_DST_TYPE, CT_ADDR_UNICAST, CT_ADDR_MULTICAST);

	if (way == CT_WAY_LOOPED)
		return is(p, CT_FIELD_DST_TYPE, CT_ADDR_LOCAL);
	return ct_dd_less(
		p->d, some,
		is(p, CT_FIELD_DST_TYPE, way == CT_WAY_RECEIVED ? CT_ADDR_UNICAST : CT_ADDR_LOCAL));
}

static ct_dd route(struct ct_proof *p, enum ct_way_kind way, ct_dd next)
{
	if (!p->is_translating)
		return next;
	return ct_dd_ite(p->d, routed(p, way), next, CT_DD_LEAF(CT_PROOF_ELSEWHERE));
}

/* Nothing was changed, and no rule seen, when a packet begins its way. */
static ct_dd begin(struct ct_proof *p, ct_dd fates)
{
	struct ct_dd_subst *s = ct_dd_subst_new(p->d);

	if (!s) {
		p->is_out_of_memory = true;
		return CT_DD_FALSE;
	}
	ct_field_becomes(p->d, s, CT_FIELD_UNTRACKED, 0);
	ct_field_becomes(p->d, s, CT_FIELD_TEMPLATE, 0);
	return ct_dd_replace(p->d, fates, s);
}

ct_dd ct_proof_untracked(struct ct_proof *p, const struct ct_ruleset *rs, enum ct_way_kind way)
{
	const struct ct_way_step *raw = ways[way].steps;
	ct_dd set = ct_table_fates(p, rs, raw, way, is(p, CT_FIELD_UNTRACKED, 1));

	return ct_dd_and(p->d, begin(p, set), ct_proof_domain(p, way));
}

enum ct_way_kind ct_way_kind_answer(enum ct_way_kind way)
{
	return way == CT_WAY_RECEIVED ? CT_WAY_SENT : way == CT_WAY_SENT ? CT_WAY_RECEIVED : way;
}

ct_dd ct_proof_halves(struct ct_proof *p, const struct ct_ruleset *rs, enum ct_way_kind way)
{
	ct_dd answered = ct_proof_mirror(p, ct_proof_untracked(p, rs, ct_way_kind_answer(way)));

	return ct_dd_less(p->d, answered, ct_proof_untracked(p, rs, way));
}

static ct_dd walk_way(struct ct_proof *p, const struct ct_ruleset *rs, enum ct_way_kind way)
{
	ct_dd fates = CT_DD_LEAF(CT_FATE_ACCEPT);

	for (unsigned i = ways[way].n; rs && i-- > 0;) {
		const struct ct_way_step *step = &ways[way].steps[i];

		switch (step->kind) {
		case CT_STEP_TABLE:
			fates = ct_table_fates(p, rs, step, way, fates);
			break;
		case CT_STEP_TRACKER:
			fates = tracker(p, rs, way, fates);
			break;
		case CT_STEP_DST_NAT:
			fates = nat(p, rs, step, way, route(p, way, fates));
			break;
		case CT_STEP_SRC_NAT:
			fates = nat(p, rs, step, way, fates);
			break;
		}
	}
	return ct_dd_ite(p->d, ct_proof_domain(p, way), begin(p, fates),
			 CT_DD_LEAF(CT_FATE_ACCEPT));
}

ct_dd ct_proof_fates(struct ct_proof *p, const struct ct_ruleset *rs, enum ct_way_kind way)
{
	struct ct_known_fates *k;

	for (unsigned i = 0; i < MAX_KNOWN && i < p->n_known; i++) {
		k = &p->known[i];
		if (k->rs == rs && k->way == way && k->ignored == p->ignored &&
		    k->is_all_tracked == p->is_all_tracked &&
		    k->ignores_states == p->ignores_states)
			return k->fates;
	}
	k = &p->known[p->n_known++ % MAX_KNOWN];
	*k = (struct ct_known_fates){
		rs, p->ignored, way, p->is_all_tracked, p->ignores_states, walk_way(p, rs, way)
	};
	return k->fates;
}

ct_dd ct_proof_translated(struct ct_proof *p, const struct ct_ruleset *rs, enum ct_way_kind way)
{
	ct_dd set = CT_DD_FALSE;

	/* What comes after a rule that translates says so by a mark in its leaves. */
	for (unsigned i = 0; i < ways[way].n; i++) {
		const struct ct_way_step *step = &ways[way].steps[i];
		ct_dd f;

		if (step->kind != CT_STEP_DST_NAT && step->kind != CT_STEP_SRC_NAT)
			continue;
		f = ct_table_fates(p, rs, step, way, CT_DD_LEAF(CT_FATE_ACCEPT));
		set = ct_dd_or(p->d, set,
			       ct_dd_not(p->d, ct_dd_where(p->d, f, CT_DD_LEAF(CT_FATE_ACCEPT))));
	}
	return ct_dd_and(p->d, set, is(p, CT_FIELD_STATE, CT_PROOF_NEW));
}

/* What comes through -------------------------------------------------------------------------- */

ct_dd ct_proof_accepted(struct ct_proof *p, ct_dd fates)
{
	ct_dd drop = ct_dd_where(p->d, fates, CT_DD_LEAF(CT_FATE_DROP));
	ct_dd reject = ct_dd_where(p->d, fates, CT_DD_LEAF(CT_FATE_REJECT));
	ct_dd elsewhere = ct_dd_where(p->d, fates, CT_DD_LEAF(CT_PROOF_ELSEWHERE));

	/* Leaves of packets that come through may carry translations. */
	return ct_dd_not(p->d, ct_dd_or(p->d, drop, ct_dd_or(p->d, reject, elsewhere)));
}

ct_dd ct_proof_openers(struct ct_proof *p, const struct ct_ruleset *rs, enum ct_way_kind way)
{
	bool was_all_tracked = p->is_all_tracked;
	ct_dd set;

	p->is_all_tracked = true;
	set = ct_proof_accepted(p, ct_proof_fates(p, rs, way));
	p->is_all_tracked = was_all_tracked;
	set = ct_dd_and(p->d, set, is(p, CT_FIELD_STATE, CT_PROOF_NEW));
	set = ct_dd_and(p->d, set, ct_proof_domain(p, way));
	set = ct_proof_any(p, set, CT_FIELD_STATE, CT_FIELD_HAS_DNAT);
	set = ct_proof_any(p, set, CT_FIELD_CONNMARK, CT_FIELD_CONNMARK);
	return ct_proof_any(p, set, CT_FIELD_FLAGS, CT_FIELD_FLAGS);
}

/* Nobody answers from an address of many. Translated connections are judged by their first packets.
 * Mirroring turns the order of addresses round, which large sets do not survive: it is the small
 * set that is mirrored, there and back. */
ct_dd ct_proof_possible(struct ct_proof *p, const struct ct_ruleset *rs, enum ct_way_kind way,
			ct_dd set)
{
	ct_dd states =
		ct_field_within(p->d, CT_FIELD_STATE, CT_PROOF_RELATED, CT_PROOF_ESTABLISHED);
	ct_dd plain = ct_dd_and(p->d, is(p, CT_FIELD_HAS_SNAT, 0), is(p, CT_FIELD_HAS_DNAT, 0));
	ct_dd one = ct_field_within(p->d, CT_FIELD_DST_TYPE, CT_ADDR_UNICAST, CT_ADDR_LOCAL);
	ct_dd later = ct_dd_and(p->d, ct_dd_and(p->d, set, states), ct_dd_and(p->d, plain, one)),
	      there;

	if (!ct_proof_tracks(rs))
		return set;
	there = ct_dd_and(p->d, ct_proof_mirror(p, later),
			  ct_proof_openers(p, rs, ct_way_kind_answer(way)));
	later = ct_dd_and(p->d, later,
			  ct_dd_or(p->d, ct_proof_mirror(p, there), ct_proof_openers(p, rs, way)));
	return ct_dd_or(p->d, ct_dd_less(p->d, set, states), later);
}

/* Which packets there are ---------------------------------------------------------------------- */

static ct_dd atoms_from(struct ct_proof *p, enum ct_field f, uint32_t first)
{
	return ct_field_within(p->d, f, first, p->atoms.n - 1);
}

static ct_dd ifaces(struct ct_proof *p, enum ct_way_kind way)
{
	ct_dd none_in = is(p, CT_FIELD_IIF, CT_ATOM_NONE),
	      lo_in = is(p, CT_FIELD_IIF, CT_ATOM_LOOPBACK);
	ct_dd none_out = is(p, CT_FIELD_OIF, CT_ATOM_NONE),
	      lo_out = is(p, CT_FIELD_OIF, CT_ATOM_LOOPBACK);
	ct_dd in = atoms_from(p, CT_FIELD_IIF, CT_ATOM_OTHER);
	ct_dd out = atoms_from(p, CT_FIELD_OIF, CT_ATOM_OTHER);

	switch (way) {
	case CT_WAY_RECEIVED:
		return ct_dd_and(p->d, in, none_out);
	case CT_WAY_FORWARDED:
		return ct_dd_and(p->d, in, out);
	case CT_WAY_SENT:
		return ct_dd_and(p->d, none_in, out);
	case CT_WAY_LOOPED:
	case N_WAYS:
		break;
	}
	return ct_dd_and(p->d, lo_in, lo_out);
}

/* Routing decides by the address that the packet has then: before a rule or an entry translates it,
 * it may have any. */
static ct_dd types(struct ct_proof *p, enum ct_way_kind way)
{
	bool is_from_here = way == CT_WAY_SENT || way == CT_WAY_LOOPED;
	ct_dd some = ct_field_within(p->d, CT_FIELD_DST_TYPE, CT_ADDR_UNICAST, CT_ADDR_MULTICAST);
	ct_dd from = is(p, CT_FIELD_SRC_TYPE, is_from_here ? CT_ADDR_LOCAL : CT_ADDR_UNICAST);
	ct_dd to = routed(p, way);
	ct_dd free =
		ct_dd_or(p->d, is(p, CT_FIELD_STATE, CT_PROOF_NEW),
			 ct_dd_or(p->d, is(p, CT_FIELD_HAS_SNAT, 1), is(p, CT_FIELD_HAS_DNAT, 1)));

	if (p->is_translating)
		to = ct_dd_or(p->d, to, ct_dd_and(p->d, some, free));
	/* tcp_v4_rcv() takes none that went to many. */
	to = ct_dd_less(p->d, to,
			ct_dd_and(p->d, is(p, CT_FIELD_PROTO, 6),
				  ct_field_within(p->d, CT_FIELD_DST_TYPE, CT_ADDR_BROADCAST,
						  CT_ADDR_MULTICAST)));
	return ct_dd_and(p->d, from, to);
}

/* A mark comes from rules (that a socket sets one is left out); status and mark of a connection are
 * those of an entry, which a first packet's has not got yet. */
static ct_dd marks(struct ct_proof *p)
{
	struct ct_dds *d = p->d;
	ct_dd later = ct_field_within(d, CT_FIELD_STATE, CT_PROOF_RELATED, CT_PROOF_ESTABLISHED);
	ct_dd fresh =
		ct_dd_and(d, is(p, CT_FIELD_CONNMARK, 0),
			  ct_dd_and(d, is(p, CT_FIELD_HAS_SNAT, 0), is(p, CT_FIELD_HAS_DNAT, 0)));

	if (!p->is_translating)
		later = ct_dd_and(
			d, later,
			ct_dd_and(d, is(p, CT_FIELD_HAS_SNAT, 0), is(p, CT_FIELD_HAS_DNAT, 0)));
	return ct_dd_and(d, is(p, CT_FIELD_MARK, 0), ct_dd_or(d, later, fresh));
}

ct_dd ct_proof_domain(struct ct_proof *p, enum ct_way_kind way)
{
	struct ct_dds *d = p->d;
	ct_dd state = ct_field_within(d, CT_FIELD_STATE, CT_PROOF_INVALID, CT_PROOF_ESTABLISHED);

	if (p->is_tracking)
		state = ct_dd_and(d, state, is(p, CT_FIELD_FRAGMENT, 0));
	return ct_dd_and(d, ct_dd_and(d, state, marks(p)),
			 ct_dd_and(d, ifaces(p, way), types(p, way)));
}

/* Answers ------------------------------------------------------------------------------------ */

static void swap(struct ct_proof *p, struct ct_dd_subst *s, enum ct_field a, enum ct_field b)
{
	ct_field_becomes_field(p->d, s, a, b, p->family);
	ct_field_becomes_field(p->d, s, b, a, p->family);
}

ct_dd ct_proof_any(struct ct_proof *p, ct_dd set, enum ct_field from, enum ct_field to)
{
	return ct_dd_exists(p->d, set, ct_field_var(from), ct_field_var(to + 1) - 1);
}

ct_dd ct_proof_mirror(struct ct_proof *p, ct_dd set)
{
	struct ct_dd_subst *s = ct_dd_subst_new(p->d);

	if (!s) {
		p->is_out_of_memory = true;
		return CT_DD_FALSE;
	}
	set = ct_proof_any(p, set, CT_FIELD_STATE, CT_FIELD_HAS_DNAT);
	set = ct_proof_any(p, set, CT_FIELD_FRAGMENT, CT_FIELD_ICMP_CODE);
	set = ct_proof_any(p, set, CT_FIELD_DST_TYPE, CT_FIELD_CONNMARK);
	swap(p, s, CT_FIELD_IIF, CT_FIELD_OIF);
	swap(p, s, CT_FIELD_DPORT, CT_FIELD_SPORT);
	swap(p, s, CT_FIELD_DADDR, CT_FIELD_SADDR);
	return ct_dd_replace(p->d, set, s);
}
