/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The hashlimit match: a bucket of credits for each address and port it is asked to tell apart, in
 * tables that rules share by name. Answers to Linux 6.18, net/netfilter/xt_hashlimit.c,
 * hashlimit_mt_common(), rateinfo_init(), rateinfo_recalc(), hashlimit_byte_cost(), and to
 * iptables 1.8.9, libxt_hashlimit.c, bytes_to_cost(). Credits are those of a kernel with 250 or
 * 1000 jiffies a second and wrap around where they do, which slow rates with bursts come to.
 *
 * A rule that joins a table has the limits of the first rule that named it; only whether it wants
 * packets below or above them is its own.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/sip.h"
#include "lib/packet/wire.h"
#include "lib/ruleset/finish.h"

#define STD_BUCKETS  4096u
#define MAX_BUCKETS  1048576u
#define MAX_ENTRIES  1000000u
#define BYTE_SHIFT   4			    /* bytes are paid for in chunks of 16 */
#define SCALE	     1000000u		    /* XT_HASHLIMIT_SCALE_v2 */
#define CREDITS	     (UINT64_C(1000) << 37) /* a second: HZ * CREDITS_PER_JIFFY */
#define BYTE_CREDITS UINT32_MAX		    /* a second: what the bytes of the rate cost */

enum mode { BY_SRC = 1, BY_SPORT = 2, BY_DST = 4, BY_DPORT = 8 };

struct bucket {
	struct bucket *next;
	uint8_t src[16], dst[16];
	uint8_t ports[4];
	ct_time since, expires;
	uint64_t credit, left; /* left: bursts of bytes that are still granted */
	uint64_t rate;	       /* with is_rate_match: in this interval */
	bool was_above;	       /* the interval before was */
};

struct ct_hashlimit {
	struct ct_hashlimit *next;
	const char *name;
	struct bucket **buckets, *free;
	struct ct_arena *arena;
	uint32_t n_buckets, n_entries, max_entries;
	uint8_t mode, src_bits, dst_bits;
	bool is_bytes, is_rate_match;
	uint64_t cost, full;	/* ns of a packet, and of a burst; of a chunk of bytes */
	uint64_t burst;		/* bursts of bytes */
	uint64_t rate, allowed; /* packets or bytes a second; of the first interval */
	ct_time expire, interval;
};

/* Reading ----------------------------------------------------------------------------------- */

static uint32_t number_of(const struct ct_rule_option *o, uint32_t otherwise)
{
	return o ? o->n[0] : otherwise;
}

/* bytes_to_cost(): what 16 bytes cost of the 2^32 of a second. */
static uint64_t byte_cost(uint64_t bytes_per_s)
{
	return UINT32_MAX / ((bytes_per_s >> BYTE_SHIFT) + 1);
}

/* user2credits() */
static uint64_t credits_of(uint64_t period)
{
	return period * (CREDITS / SCALE);
}

static void set_limits(struct ct_hashlimit *l, const struct ct_rule_option *rate, uint32_t burst)
{
	uint64_t period_us = rate->n[0] | (uint64_t)rate->n[1] << 32;

	l->is_bytes = rate->n[2] != 0;
	if (l->is_bytes) {
		uint64_t cost = byte_cost(rate->n[0]), per = cost ? UINT32_MAX / cost : UINT32_MAX;

		l->cost = cost;
		l->full = BYTE_CREDITS;
		l->rate = (per - 1) << BYTE_SHIFT;
		l->burst = l->rate ? burst / l->rate : 0;
		l->allowed = l->burst ? l->burst * l->rate : l->rate;
		return;
	}
	l->cost = credits_of(period_us);
	l->full = credits_of(period_us * burst);
	l->rate = period_us ? 1000000 / period_us : 0;
	l->allowed = l->rate + burst;
}

static struct ct_hashlimit *table_new(struct ct_reading *r, const struct ct_rule_ext *e,
				      const struct ct_rule_option *rate, uint32_t expire_ms)
{
	const struct ct_rule_option *mode = ct_ext_given(e, "hashlimit-mode");
	const struct ct_rule_option *burst = ct_ext_given(e, "hashlimit-burst");
	uint8_t bits = r->rs->family == CT_FAMILY_IPV6 ? 128 : 32;
	struct ct_hashlimit *l = ct_arena_get(&r->rs->arena, sizeof(*l));

	if (!l)
		return NULL;
	l->arena = &r->rs->arena;
	l->mode = (uint8_t)number_of(mode, 0);
	l->src_bits = (uint8_t)number_of(ct_ext_given(e, "hashlimit-srcmask"), bits);
	l->dst_bits = (uint8_t)number_of(ct_ext_given(e, "hashlimit-dstmask"), bits);
	l->n_buckets = number_of(ct_ext_given(e, "hashlimit-htable-size"), STD_BUCKETS);
	l->max_entries = number_of(ct_ext_given(e, "hashlimit-htable-max"), 0);
	l->is_rate_match = ct_ext_given(e, "hashlimit-rate-match") != NULL;
	l->interval =
		CT_NS_PER_S * (ct_time)number_of(ct_ext_given(e, "hashlimit-rate-interval"), 1);
	l->expire = (CT_NS_PER_S / 1000) * (ct_time)expire_ms;
	set_limits(l, rate, number_of(burst, rate->n[2] ? 0 : 5));
	if (l->n_buckets == 0 || l->n_buckets > MAX_BUCKETS)
		l->n_buckets = STD_BUCKETS;
	if (l->max_entries == 0 || l->max_entries > MAX_ENTRIES)
		l->max_entries = l->max_entries ? MAX_ENTRIES : 8 * l->n_buckets;
	return l;
}

int ct_hashlimit_join(struct ct_reading *r, struct ct_rule_ext *e,
		      const struct ct_rule_option *rate, uint32_t expire_ms)
{
	const char *name = ct_ext_given(e, "hashlimit-name")->text;
	struct ct_hashlimit *l = r->rs->hashlimits;

	while (l && strcmp(l->name, name) != 0)
		l = l->next;
	if (!l) {
		l = table_new(r, e, rate, expire_ms);
		if (!l)
			return -ENOMEM;
		l->name = name;
		l->next = r->rs->hashlimits;
		r->rs->hashlimits = l;
	}
	e->shared = l;
	return 0;
}

/* Packets ----------------------------------------------------------------------------------- */

static void masked(uint8_t *to, const uint8_t *addr, uint8_t size, uint8_t bits)
{
	for (uint8_t i = 0; i < size && i * 8 < bits; i++)
		to[i] = bits - i * 8 >= 8 ? addr[i]
					  : (uint8_t)(addr[i] & 0xff << (8 - (bits - i * 8)));
}

/* proto_ports_offset(): where protocols have ports, or what stands for them; -1 nowhere. */
static int ports_at(uint8_t proto)
{
	enum { ESP = 50, DCCP = 33 };

	if (proto == PROTO_AH)
		return 4;
	return proto == PROTO_TCP || proto == PROTO_UDP || proto == DCCP || proto == ESP ||
			       proto == PROTO_SCTP || proto == PROTO_UDPLITE
		       ? 0
		       : -1;
}

/* hashlimit_init_dst(). False when the packet lacks the ports. */
static bool key_make(const struct ct_hashlimit *l, const struct ct_judging *j, struct bucket *key)
{
	int at = ports_at(j->proto);

	*key = (struct bucket){ 0 };
	if (l->mode & BY_SRC)
		masked(key->src, j->src, j->addr_size, l->src_bits);
	if (l->mode & BY_DST)
		masked(key->dst, j->dst, j->addr_size, l->dst_bits);
	if (!(l->mode & (BY_SPORT | BY_DPORT)))
		return true;
	/* ipv6_skip_exthdr() finds nothing behind the last header that says so. */
	if (j->family == CT_FAMILY_IPV6 && (j->is_broken || j->proto == PROTO_NONE))
		return false;
	if (at < 0)
		return true;
	if (j->l4_size < (uint32_t)at + 4)
		return false;
	if (l->mode & BY_SPORT)
		memcpy(key->ports, j->l4 + at, 2);
	if (l->mode & BY_DPORT)
		memcpy(key->ports + 2, j->l4 + at + 2, 2);
	return true;
}

static bool is_same(const struct bucket *a, const struct bucket *b)
{
	return memcmp(a->src, b->src, 16) == 0 && memcmp(a->dst, b->dst, 16) == 0 &&
	       memcmp(a->ports, b->ports, 4) == 0;
}

static struct bucket **chain_of(struct ct_hashlimit *l, const struct bucket *key)
{
	const uint64_t secret[2] = { (uintptr_t)l, l->n_buckets };
	uint64_t words[5] = { 0 };

	memcpy(words, key->src, 16);
	memcpy(words + 2, key->dst, 16);
	memcpy(words + 4, key->ports, 4);
	return &l->buckets[ct_sip_words(secret, words, 5) % l->n_buckets];
}

/* htable_gc() removes what has expired; here it happens when somebody comes by. */
static void expire(struct ct_hashlimit *l, struct bucket **at, ct_time now)
{
	while (*at) {
		struct bucket *b = *at;

		if (b->expires > now) {
			at = &b->next;
			continue;
		}
		*at = b->next;
		b->next = l->free;
		l->free = b;
		l->n_entries--;
	}
}

static struct bucket *bucket_new(struct ct_hashlimit *l, struct bucket **chain,
				 const struct bucket *key, ct_time now)
{
	struct bucket *b = l->free;

	if (l->n_entries >= l->max_entries)
		for (uint32_t i = 0; i < l->n_buckets; i++)
			expire(l, &l->buckets[i], now);
	if (l->n_entries >= l->max_entries)
		return NULL;
	if (b)
		l->free = b->next;
	else
		b = ct_arena_get(l->arena, sizeof(*b));
	if (!b)
		return NULL;
	*b = *key;
	b->since = now;
	b->credit = l->full;
	b->left = l->burst;
	b->next = *chain;
	*chain = b;
	l->n_entries++;
	return b;
}

/* The interval of a rate that is matched: it ends with the first packet behind it. */
static void next_interval(const struct ct_hashlimit *l, struct bucket *b, ct_time now)
{
	ct_time passed = now - b->since;

	if (passed < l->interval)
		return;
	b->was_above = (double)b->rate * (double)l->interval > (double)l->rate * (double)passed;
	b->rate = 0;
	b->since = now;
}

/* rateinfo_recalc(): credits grow with time. */
static void recalc(const struct ct_hashlimit *l, struct bucket *b, ct_time now)
{
	const uint64_t ns_per_ms = 1000000,
		       per_ms = l->is_bytes ? BYTE_CREDITS / 1000 : CREDITS / 1000;
	uint64_t passed = now > b->since ? (uint64_t)(now - b->since) : 0, grown;

	if (l->is_rate_match) {
		next_interval(l, b, now);
		return;
	}
	if (passed == 0)
		return;
	b->since = now;
	grown = passed / ns_per_ms >= UINT64_MAX / per_ms
			? UINT64_MAX
			: passed / ns_per_ms * per_ms + passed % ns_per_ms * per_ms / ns_per_ms;
	b->credit =
		b->credit >= l->full || grown > l->full - b->credit ? l->full : b->credit + grown;
}

/* hashlimit_byte_cost(): a whole second's bytes are the most a packet costs; as long as bursts are
 * left one of them fills the bucket again. */
static uint64_t packet_cost(const struct ct_hashlimit *l, struct bucket *b, uint32_t size)
{
	uint64_t cost = l->cost;

	if (!l->is_bytes)
		return cost;
	cost *= (size >> BYTE_SHIFT) + 1;
	if (cost > BYTE_CREDITS)
		cost = BYTE_CREDITS;
	if (b->credit < cost && b->left) {
		b->left--;
		b->credit = BYTE_CREDITS;
	}
	return cost;
}

static bool is_below(const struct ct_hashlimit *l, struct bucket *b, uint32_t size)
{
	uint64_t cost;

	if (l->is_rate_match) {
		b->rate += l->is_bytes ? size : 1;
		return !b->was_above && b->rate <= l->allowed;
	}
	cost = packet_cost(l, b, size);
	if (b->credit < cost)
		return false;
	b->credit -= cost;
	return true;
}

enum ct_truth ct_match_hashlimit(struct ct_rule_ext *e, struct ct_judging *j)
{
	struct ct_hashlimit *l = e->shared;
	struct bucket key, *b, **chain;
	ct_time now = j->p->now;

	if (!l->buckets)
		l->buckets = ct_arena_get(l->arena, l->n_buckets * sizeof(struct bucket *));
	if (!l->buckets)
		return CT_UNSURE;
	if (!key_make(l, j, &key)) {
		j->is_hot = true;
		return CT_NO;
	}
	chain = chain_of(l, &key);
	expire(l, chain, now);
	b = *chain;
	while (b && !is_same(b, &key))
		b = b->next;
	if (b)
		recalc(l, b, now);
	else
		b = bucket_new(l, chain, &key, now);
	if (!b) {
		j->is_hot = true;
		return CT_NO;
	}
	b->expires = now + l->expire;
	return is_below(l, b, j->size) == (ct_ext_option(e, "hashlimit-upto") != NULL) ? CT_YES
										       : CT_NO;
}
