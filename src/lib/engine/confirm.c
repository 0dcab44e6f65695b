/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A new entry enters the table, unless another holds one of its tuples: two packets of one flow
 * were on their way at once, or NAT has given one tuple to two flows. Answers to Linux 6.18,
 * net/netfilter/nf_conntrack_core.c: __nf_conntrack_confirm(), nf_ct_resolve_clash(),
 * nf_ct_can_merge(), nf_ct_acct_merge(), nf_ct_resolve_clash_harder().
 */
#include "lib/engine/key.h"
#include "lib/packet/wire.h"

/* The entry that has a tuple. The kernel does not look at the time here: in its buckets, what has
 * expired and was not collected yet is in the way. */
static uint32_t holder(struct ct_engine *en, uint32_t number, enum ct_dir dir)
{
	struct probe pr;

	ct_entry_probe(en, number, dir, &pr);
	if (zone_is_narrow(entry_at(en, number)->zone_dir))
		pr.rare |= dir == CT_DIR_ORIG ? PROBE_ORIG : PROBE_REPLY;
	return (en->chains ? ct_chain_peek(en, &pr, true) : ct_table_find(en, &pr)) & REF_NUMBER;
}

static bool has_tuples(const struct ct_engine *en, uint32_t number, const struct ct_tuple *orig,
		       const struct ct_tuple *reply)
{
	struct ct_tuple t;

	ct_entry_tuple(en, number, CT_DIR_ORIG, &t);
	if (!ct_tuple_equal(&t, orig))
		return false;
	ct_entry_tuple(en, number, CT_DIR_REPLY, &t);
	return ct_tuple_equal(&t, reply);
}

static uint16_t zone_of(const struct entry *e, enum ct_dir dir)
{
	return zone_in(e->zone, e->zone_dir, dir);
}

/* Are two entries one flow, seen from the same end or from opposite ones? */
static bool can_merge(const struct ct_engine *en, uint32_t winner, uint32_t loser)
{
	const struct entry *a = entry_at(en, winner), *b = entry_at(en, loser);
	struct ct_tuple orig, reply;

	ct_entry_tuple(en, loser, CT_DIR_ORIG, &orig);
	ct_entry_tuple(en, loser, CT_DIR_REPLY, &reply);
	if (has_tuples(en, winner, &orig, &reply) &&
	    zone_of(a, CT_DIR_ORIG) == zone_of(b, CT_DIR_ORIG) &&
	    zone_of(a, CT_DIR_REPLY) == zone_of(b, CT_DIR_REPLY))
		return true;
	return has_tuples(en, winner, &reply, &orig) &&
	       zone_of(a, CT_DIR_ORIG) == zone_of(b, CT_DIR_REPLY) &&
	       zone_of(a, CT_DIR_REPLY) == zone_of(b, CT_DIR_ORIG);
}

/* The packet goes on with the entry that was first. */
static bool merge(struct ct_engine *en, struct ct_packet *p, uint32_t winner)
{
	uint32_t loser = p->entry.number;
	enum ct_dir dir = ct_info_dir(p->info);
	struct entry *e = entry_at(en, winner);

	if (!winner || !can_merge(en, winner, loser))
		return false;
	if ((e->flags & ENTRY_HAS_ACCT) && (entry_at(en, loser)->flags & ENTRY_HAS_ACCT)) {
		entry_acct(en->pools, winner)->packets[dir]++;
		entry_acct(en->pools, winner)->bytes[dir] +=
			entry_acct(en->pools, loser)->bytes[dir];
	}
	ct_entry_forget(en, loser);
	p->entry = (struct ct_handle){ winner, e->generation };
	p->events = e->pending;
	e->pending = 0;
	if (p->events)
		ct_event_tell(en, winner, p->events, CT_END_NONE, en->now);
	en->stats.clash_resolve++;
	return true;
}

/* What the table holds from now on. */
static void settle(struct ct_engine *en, uint32_t number, ct_tick timeout)
{
	struct entry *e = entry_at(en, number);

	e->status |= CT_STATUS_CONFIRMED;
	if (e->flags & ENTRY_SECOND)
		en->n_second++;
	if (e->flags & ENTRY_HAS_STAMP)
		pool_chunk(en->pools, number)->stamp[number & CHUNK_MASK] = en->now;
	ct_entry_set_deadline(en, number, en->tick + timeout);
	en->stats.created++;
}

/* The original tuple is another's, the reply is free: for one second, answers find the entry.
 * Nobody else does, nor does a listing show it. */
static bool insert_reply(struct ct_engine *en, uint32_t number)
{
	struct entry *e = entry_at(en, number);

	if (ct_second_split(en, number) < 0)
		return false;
	if (en->chains)
		ct_chain_insert_reply(en, number);
	else if (ct_index_insert_reply(en, number) < 0)
		return false;
	e->status |= CT_STATUS_FIXED_TIMEOUT | CT_STATUS_NAT_CLASH;
	settle(en, number, ENGINE_HZ);
	en->stats.clash_resolve++;
	return true;
}

/* True when the packet goes on. */
static bool resolve_clash(struct ct_engine *en, struct ct_packet *p, uint32_t winner)
{
	uint32_t number = p->entry.number;

	if (!ct_tracker_of(entry_at(en, number)->key.proto)->allow_clash)
		return false;
	if (merge(en, p, winner))
		return true;
	winner = holder(en, number, CT_DIR_REPLY);
	return winner ? merge(en, p, winner) : insert_reply(en, number);
}

static void refuse(struct ct_engine *en, struct ct_packet *p, const char *why)
{
	en->stats.insert_failed++;
	ct_engine_release(en, p);
	p->verdict = CT_DROP;
	p->why = why;
}

/* True when the packet's way is decided by another entry. */
static bool is_clash(struct ct_engine *en, struct ct_packet *p)
{
	uint32_t winner = holder(en, p->entry.number, CT_DIR_ORIG);

	if (!winner)
		winner = holder(en, p->entry.number, CT_DIR_REPLY);
	if (!winner)
		return false;
	if (resolve_clash(en, p, winner))
		return true;
	en->stats.drop++;
	refuse(en, p, "another entry has this tuple");
	return true;
}

void ct_entry_insert(struct ct_engine *en, struct ct_packet *p, const struct probe *fresh)
{
	uint32_t number = p->entry.number;
	struct entry *e = entry_at(en, number);
	unsigned events = p->events | CT_EVENT_NEW;
	struct probe own;

	if ((!fresh || en->n_second > 0) && is_clash(en, p))
		return;
	if (!fresh) {
		ct_entry_probe(en, number, CT_DIR_ORIG, &own);
		fresh = &own;
	}
	if (en->chains && ct_chain_insert(en, number) < 0) {
		en->stats.chaintoolong++;
		refuse(en, p, "hash chain is too long");
		return;
	}
	if (en->index && ct_index_insert(en, fresh->hash, number) < 0) {
		refuse(en, p, "no memory for the table");
		return;
	}
	settle(en, number, e->deadline);
	if (e->status & CT_STATUS_EXPECTED)
		events |= CT_EVENT_RELATED;
	if (en->cfg.event)
		ct_event_tell(en, number, events, CT_END_NONE, en->now);
}
