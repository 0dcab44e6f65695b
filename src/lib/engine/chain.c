/* SPDX-License-Identifier: BSD-2-Clause
 *
 * From tuple to entry as the kernel does it, for kernel fidelity: every entry hangs in two bucket
 * chains, once for each direction, the newest first. Expired entries hang there, counted, until
 * somebody walks past them. Answers to Linux 6.18, net/netfilter/nf_conntrack_core.c:
 * ____nf_conntrack_find(), __nf_conntrack_hash_insert(), __nf_conntrack_confirm(),
 * clean_from_lists().
 *
 * A link is an entry's number and a direction in one word; 0 ends a chain.
 */
#include "lib/engine/chain.h"

#include <string.h>

#include "lib/engine/key.h"

enum { PAGE_BUCKETS = 512, MIN_CHAIN = 50, MAX_CHAIN = 80 };

uint32_t ct_chains_round(uint32_t buckets)
{
	uint32_t n = (buckets + PAGE_BUCKETS - 1) / PAGE_BUCKETS * PAGE_BUCKETS;

	return n ? n : PAGE_BUCKETS;
}

int ct_chains_new(struct ct_engine *en)
{
	uint32_t n = ct_chains_round(en->cfg.buckets ? en->cfg.buckets : en->cfg.max);
	struct chains *c = ct_mem_alloc(en, sizeof(*c), 64);

	if (!c)
		return -1;
	*c = (struct chains){ .now = { .n = n } };
	c->now.at = ct_mem_alloc(en, (size_t)n * sizeof(*c->now.at), 64);
	if (!c->now.at) {
		ct_mem_free(en, c, sizeof(*c));
		return -1;
	}
	memset(c->now.at, 0, (size_t)n * sizeof(*c->now.at));
	en->chains = c;
	return 0;
}

void ct_chains_free(struct ct_engine *en)
{
	struct chains *c = en->chains;

	if (!c)
		return;
	if (c->old.at)
		ct_resize_end(en);
	ct_mem_free(en, c->now.at, (size_t)c->now.n * sizeof(*c->now.at));
	ct_mem_free(en, c, sizeof(*c));
	en->chains = NULL;
}

uint32_t ct_chains_buckets(const struct ct_engine *en)
{
	return en->chains->now.n;
}

bool ct_chains_are_moving(const struct ct_engine *en)
{
	return en->chains->old.at != NULL;
}

uint32_t ct_chain_bucket(const struct ct_engine *en, uint64_t hash)
{
	return bucket_of(hash, en->chains->now.n);
}

void ct_chain_prefetch(const struct ct_engine *en, uint64_t hash)
{
	__builtin_prefetch(&en->chains->now.at[ct_chain_bucket(en, hash)]);
}

void ct_chain_prefetch_link(const struct ct_engine *en, uint32_t link)
{
	__builtin_prefetch(link_next(en, link));
}

uint32_t ct_chain_guess(const struct ct_engine *en, uint64_t hash)
{
	if (ct_chains_are_moving(en))
		return 0;
	return ref_of(en->chains->now.at[ct_chain_bucket(en, hash)]);
}

uint32_t ct_chain_first(struct ct_engine *en, uint32_t bucket)
{
	return *chain_head(en, bucket);
}

uint32_t ct_chain_next(const struct ct_engine *en, uint32_t link)
{
	return *link_next(en, link);
}

uint32_t ct_chain_next_other(const struct ct_engine *en, uint32_t link)
{
	uint32_t number = link >> 1;

	do
		link = *link_next(en, link);
	while (link && link >> 1 == number);
	return link;
}

static inline bool is_match(const struct ct_engine *en, const struct probe *pr, uint32_t link,
			    const struct entry *e)
{
	enum ct_dir dir = (enum ct_dir)(link & 1);

	if (!ct_probe_matches(en, pr, ref_of(link), e) || !ct_probe_allows(pr, dir))
		return false;
	return pr->rare & PROBE_SELF || e->flags & ENTRY_SECOND ||
	       ct_probe_dir(pr, e, link >> 1) == dir;
}

bool ct_chain_is_first(const struct ct_engine *en, const struct probe *pr, uint32_t ref)
{
	uint32_t link = en->chains->now.at[ct_chain_bucket(en, pr->hash)];

	return ref_of(link) == ref && is_match(en, pr, link, entry_at(en, link >> 1));
}

uint32_t ct_chain_find(struct ct_engine *en, const struct probe *pr)
{
	uint32_t link = *chain_home(en, pr->hash), next;

	for (; link; link = next) {
		const struct entry *e = entry_at(en, link >> 1);

		if (tick_passed(e->deadline, en->tick)) {
			next = ct_chain_next_other(en, link);
			ct_entry_kill(en, link >> 1, CT_END_TIMEOUT);
			continue;
		}
		if (is_match(en, pr, link, e))
			return ref_of(link);
		next = *link_next(en, link);
	}
	return 0;
}

uint32_t ct_chain_peek(const struct ct_engine *en, const struct probe *pr, bool sees_expired)
{
	const struct chains *c = en->chains;
	uint32_t bucket = ct_chain_bucket(en, pr->hash);
	uint32_t link = ct_resize_is_waiting(en, bucket) ? c->old.at[bucket_of(pr->hash, c->old.n)]
							 : c->now.at[bucket];

	for (; link; link = *link_next(en, link)) {
		const struct entry *e = entry_at(en, link >> 1);

		if (!sees_expired && tick_passed(e->deadline, en->tick))
			continue;
		if (is_match(en, pr, link, e))
			return ref_of(link);
	}
	return 0;
}

/* How many links a walk over one bucket passes; MAX_CHAIN + 2 stands for "too many". */
static bool is_too_long(struct ct_engine *en, uint64_t hash, unsigned limit)
{
	uint32_t link = *chain_home(en, hash);
	unsigned length = 0;

	for (; link; link = *link_next(en, link))
		if (length++ > limit)
			return true;
	return false;
}

static void put(struct ct_engine *en, uint64_t hash, uint32_t link)
{
	uint32_t *head = chain_home(en, hash);

	*link_next(en, link) = *head;
	*head = link;
}

int ct_chain_insert(struct ct_engine *en, uint32_t number)
{
	uint64_t hash[CT_DIR_MAX];
	unsigned limit = MIN_CHAIN + ct_engine_random(en, MAX_CHAIN - MIN_CHAIN);

	ct_entry_hashes(en, number, hash);
	if (is_too_long(en, hash[CT_DIR_ORIG], limit) || is_too_long(en, hash[CT_DIR_REPLY], limit))
		return -1;
	put(en, hash[CT_DIR_ORIG], link_of(number, CT_DIR_ORIG));
	put(en, hash[CT_DIR_REPLY], link_of(number, CT_DIR_REPLY));
	return 0;
}

void ct_chain_insert_reply(struct ct_engine *en, uint32_t number)
{
	uint64_t hash[CT_DIR_MAX];

	ct_entry_hashes(en, number, hash);
	put(en, hash[CT_DIR_REPLY], link_of(number, CT_DIR_REPLY));
}

static void take(struct ct_engine *en, uint64_t hash, uint32_t link)
{
	uint32_t *at = chain_home(en, hash);

	while (*at && *at != link)
		at = link_next(en, *at);
	if (*at)
		*at = *link_next(en, link);
}

void ct_chain_remove(struct ct_engine *en, uint32_t number)
{
	uint64_t hash[CT_DIR_MAX];

	ct_entry_hashes(en, number, hash);
	take(en, hash[CT_DIR_ORIG], link_of(number, CT_DIR_ORIG));
	take(en, hash[CT_DIR_REPLY], link_of(number, CT_DIR_REPLY));
}
