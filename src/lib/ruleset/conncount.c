/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The connlimit match: how many connections an address has. Answers to Linux 6.18,
 * net/netfilter/xt_connlimit.c, connlimit_mt(), and net/netfilter/nf_conncount.c: each rule keeps a
 * list of the connections it has met for each masked address, and forgets those that have left the
 * table or closed (already_closed()).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/ruleset/finish.h"

#define N_CHAINS   256u
#define MAX_COUNTS 1000000u /* connections that a rule remembers */
#define MAX_GC	   8	    /* CONNCOUNT_GC_MAX_NODES: those forgotten at a time */

struct conn {
	struct conn *next;
	struct ct_tuple tuple;
};

/* Those of one address, the oldest first. */
struct counted {
	struct counted *next;
	struct conn *first, **end;
	uint32_t n;
	uint16_t zone;
	uint8_t addr[16];
};

struct ct_conncount {
	struct counted *chains[N_CHAINS];
	struct conn *free;
	struct ct_arena *arena;
	uint32_t n;
};

int ct_conncount_join(struct ct_reading *r, struct ct_rule_ext *e)
{
	struct ct_conncount *c = ct_arena_get(&r->rs->arena, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->arena = &r->rs->arena;
	e->shared = c;
	return 0;
}

static bool is_closed(const struct ct_entry *en)
{
	return en->tuple[CT_DIR_ORIG].proto == 6 &&
	       (en->state == CT_TCP_TIME_WAIT || en->state == CT_TCP_CLOSE);
}

static struct counted *find(struct ct_conncount *c, const uint8_t *addr, uint16_t zone)
{
	uint32_t hash = zone;
	struct counted **at, *k;

	for (unsigned i = 0; i < 16; i++)
		hash = (hash ^ addr[i]) * 16777619u;
	at = &c->chains[(hash ^ hash >> 16) % N_CHAINS];
	for (k = *at; k; k = k->next)
		if (memcmp(k->addr, addr, 16) == 0 && k->zone == zone)
			return k;
	k = ct_arena_get(c->arena, sizeof(*k));
	if (!k)
		return NULL;
	memcpy(k->addr, addr, 16);
	k->zone = zone;
	k->end = &k->first;
	k->next = *at;
	*at = k;
	return k;
}

static int add(struct ct_conncount *c, struct counted *k, const struct ct_tuple *t)
{
	struct conn *new = c->free;

	if (c->n >= MAX_COUNTS)
		return -ENOMEM;
	if (new)
		c->free = new->next;
	else
		new = ct_arena_get(c->arena, sizeof(*new));
	if (!new)
		return -ENOMEM;
	*new = (struct conn){ .tuple = *t };
	*k->end = new;
	k->end = &new->next;
	k->n++;
	c->n++;
	return 0;
}

static void forget(struct ct_conncount *c, struct counted *k, struct conn **at)
{
	struct conn *one = *at;

	*at = one->next;
	if (!*at)
		k->end = at;
	one->next = c->free;
	c->free = one;
	k->n--;
	c->n--;
}

/* __nf_conncount_add(): those that have left the table or closed are forgotten, from the oldest up
 * to the one that is @t's, and no further; it is added when it is not there. The kernel, until
 * 6.19, does not look within one jiffy, and so adds every packet; here each counts once. */
static int count(struct ct_conncount *c, const struct ct_rule_ask *ask, struct counted *k,
		 const struct ct_tuple *t)
{
	int n_forgotten = 0;

	for (struct conn **at = &k->first; *at && n_forgotten <= MAX_GC;) {
		struct ct_entry en;
		bool is_there = ask->entry(ask->user, &(*at)->tuple, k->zone, &en) == 0;

		if (is_there && memcmp(&(*at)->tuple, t, sizeof(*t)) == 0)
			return (int)k->n;
		if (is_there && !is_closed(&en)) {
			at = &(*at)->next;
			continue;
		}
		forget(c, k, at);
		n_forgotten++;
	}
	return add(c, k, t) < 0 ? -ENOMEM : (int)k->n;
}

/* What the packet is counted as: its connection, else its own tuple. */
static int identify(const struct ct_judging *j, struct ct_tuple *out, uint16_t *zone)
{
	struct ct_packet p = *j->p->packet;

	*zone = 0;
	if (!j->p->entry)
		return ct_packet_parse(&p) < 0 ? -EBADMSG : ct_packet_tuple(&p, out);
	*zone = j->p->entry->zone;
	*out = j->p->entry->tuple[CT_DIR_ORIG];
	return 0;
}

enum ct_truth ct_match_connlimit(struct ct_rule_ext *e, struct ct_judging *j)
{
	const struct ct_rule_option *above = ct_ext_option(e, "connlimit-above");
	const struct ct_rule_option *upto = ct_ext_option(e, "connlimit-upto");
	uint32_t bits = ct_ext_option(e, "connlimit-mask")->n[0];
	const uint8_t *addr = ct_ext_option(e, "connlimit-daddr") ? j->dst : j->src;
	uint8_t key[16] = { 0 };
	struct ct_tuple tuple;
	struct counted *k;
	uint16_t zone;
	int n = -1;

	if (!j->p->ask || !j->p->ask->entry)
		return CT_UNSURE;
	for (uint32_t i = 0; i < j->addr_size && i * 8 < bits; i++)
		key[i] = bits - i * 8 >= 8 ? addr[i]
					   : (uint8_t)(addr[i] & 0xff << (8 - (bits - i * 8)));
	if (identify(j, &tuple, &zone) == 0) {
		k = find(e->shared, key, zone);
		n = k ? count(e->shared, j->p->ask, k, &tuple) : -ENOMEM;
	}
	if (n < 0) {
		j->is_hot = true;
		return CT_NO;
	}
	return above ? ((uint32_t)n > above->n[0] ? CT_YES : CT_NO)
		     : ((uint32_t)n > upto->n[0] ? CT_NO : CT_YES);
}
