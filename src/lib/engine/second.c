/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Entries whose reply is not the inverse of their original: NAT has changed it, or their zone is
 * limited to one direction. Such an entry has a second key, in a side array, and a second place in
 * the index or its chain. The first key then matches nothing but the original tuple, the second
 * nothing but the reply; what travels against either is a flow of its own. Answers to Linux 6.18,
 * net/netfilter/nf_conntrack_core.c: nf_conntrack_alter_reply(), nf_conntrack_tuple_taken(),
 * nf_ct_key_equal().
 */
#include <errno.h>
#include <string.h>

#include "lib/engine/key.h"

static struct key *second_key(const struct ct_engine *en, uint32_t number)
{
	return &pool_chunk(en->pools, number)->second[number & CHUNK_MASK];
}

static uint8_t *second_addr6(const struct ct_engine *en, uint32_t number)
{
	return pool_chunk(en->pools, number)->second6[number & CHUNK_MASK];
}

/* The side arrays of a chunk, made when its first entry wants them. */
static int make_room(struct ct_engine *en, struct chunk *c, bool is_ipv6)
{
	if (!c->second)
		c->second = ct_mem_alloc(en, CHUNK_LEN * sizeof(*c->second), 64);
	if (is_ipv6 && !c->second6)
		c->second6 = ct_mem_alloc(en, CHUNK_LEN * sizeof(*c->second6), 64);
	return c->second && (c->second6 || !is_ipv6) ? 0 : -1;
}

bool ct_second_matches(const struct ct_engine *en, const struct probe *pr, uint32_t ref)
{
	uint32_t number = ref & REF_NUMBER;
	const struct entry *e = entry_at(en, number);
	bool is_second = ref & REF_REPLY;
	bool is_high = e->flags & (is_second ? ENTRY_SECOND_HIGH : ENTRY_ORIG_HIGH);

	if (is_high != pr->is_high ||
	    !key_equal(is_second ? second_key(en, number) : &e->key, &pr->key))
		return false;
	return !(e->flags & ENTRY_IPV6) ||
	       memcmp(is_second ? second_addr6(en, number) : entry_addr6(en->pools, number),
		      pr->addr6, 32) == 0;
}

/* The probe of a tuple as an entry's reply. */
static void reply_probe(const struct ct_engine *en, const struct entry *e,
			const struct ct_tuple *reply, struct probe *out)
{
	uint16_t zone = zone_in(e->zone, e->zone_dir, CT_DIR_REPLY);

	ct_probe_make(en, reply, zone, out);
	if (zone_is_narrow(e->zone_dir))
		ct_probe_narrow(en, out, zone, CT_DIR_REPLY);
}

static int store(struct ct_engine *en, uint32_t number, const struct probe *pr)
{
	struct entry *e = entry_at(en, number);

	if (make_room(en, pool_chunk(en->pools, number), e->flags & ENTRY_IPV6) < 0)
		return -1;
	*second_key(en, number) = pr->key;
	if (e->flags & ENTRY_IPV6)
		memcpy(second_addr6(en, number), pr->addr6, 32);
	e->flags |= pr->is_high ? ENTRY_SECOND | ENTRY_SECOND_HIGH : ENTRY_SECOND;
	return 0;
}

int ct_second_set(struct ct_engine *en, uint32_t number, const struct ct_tuple *reply)
{
	struct entry *e = entry_at(en, number);
	struct probe orig, pr;

	e->flags &= (uint8_t) ~(ENTRY_SECOND | ENTRY_SECOND_HIGH);
	ct_entry_probe(en, number, CT_DIR_ORIG, &orig);
	reply_probe(en, e, reply, &pr);
	if (key_equal(&pr.key, &orig.key) &&
	    (pr.is_high != orig.is_high || (pr.rare & PROBE_SELF)) &&
	    (!(e->flags & ENTRY_IPV6) || memcmp(pr.addr6, orig.addr6, 32) == 0))
		return 0;
	return store(en, number, &pr);
}

int ct_second_split(struct ct_engine *en, uint32_t number)
{
	struct ct_tuple reply;
	struct probe pr;

	if (entry_at(en, number)->flags & ENTRY_SECOND)
		return 0;
	ct_entry_tuple(en, number, CT_DIR_REPLY, &reply);
	reply_probe(en, entry_at(en, number), &reply, &pr);
	return store(en, number, &pr);
}

int ct_engine_set_reply(struct ct_engine *en, struct ct_handle h, const struct ct_tuple *reply)
{
	uint32_t number = ct_handle_number(en, h);
	struct ct_tuple now, inverse;

	if (!number)
		return -ENOENT;
	if (entry_at(en, number)->status & CT_STATUS_CONFIRMED)
		return -EBUSY;
	ct_entry_tuple(en, number, CT_DIR_REPLY, &now);
	if (reply->proto != now.proto || reply->family != now.family ||
	    ct_tuple_invert(&inverse, reply) < 0)
		return -EINVAL;
	return ct_second_set(en, number, reply) < 0 ? -ENOMEM : 0;
}

/* Do two entries begin with the same packet? Their clash is left to the later one's confirm. */
static bool is_same_flow(const struct ct_engine *en, uint32_t a, uint32_t b)
{
	const struct entry *x = entry_at(en, a), *y = entry_at(en, b);
	struct ct_tuple s, t;

	ct_entry_tuple(en, a, CT_DIR_ORIG, &s);
	ct_entry_tuple(en, b, CT_DIR_ORIG, &t);
	return ct_tuple_equal(&s, &t) && zone_in(x->zone, x->zone_dir, CT_DIR_ORIG) ==
						 zone_in(y->zone, y->zone_dir, CT_DIR_ORIG);
}

bool ct_engine_is_taken(struct ct_engine *en, const struct ct_tuple *reply, struct ct_handle by)
{
	uint32_t number = ct_handle_number(en, by), other;
	struct probe pr;

	if (!number)
		return false;
	reply_probe(en, entry_at(en, number), reply, &pr);
	other = ct_table_find(en, &pr) & REF_NUMBER;
	if (!other || other == number || is_same_flow(en, other, number))
		return false;
	en->stats.found++;
	return true;
}
