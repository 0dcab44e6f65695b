/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/engine: tables that change their size while they are used. No packet waits for more than a
 * few moved buckets, every entry is found at every moment, and chains end in the kernel's order.
 */
#include <conntune/engine.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/engine/chain.h"
#include "tap.h"
#include "unit/lib/engine/build.h"

enum { CLIENT = 0x0a000000, SERVER = 0x0a636407 };

static struct ct_engine *engine_new(enum ct_fidelity fidelity, uint32_t buckets)
{
	struct ct_engine_config cfg;

	ct_engine_config_default(&cfg);
	cfg.fidelity = fidelity;
	cfg.buckets = buckets;
	cfg.max = 0;
	return ct_engine_new(&cfg, NULL);
}

static struct ct_engine_stats stats(const struct ct_engine *en)
{
	struct ct_engine_stats s;

	ct_engine_stats(en, &s);
	return s;
}

/* A packet of flow @i, all at one moment; its handle. */
static struct ct_packet *flow(struct made *m, unsigned i, bool is_reply)
{
	uint32_t client = CLIENT + i / 60000;
	unsigned port = 1024 + i % 60000;

	return is_reply ? made_udp(m, SERVER, 53, client, port)
			: made_udp(m, client, port, SERVER, 53);
}

/* True when the packet begins an entry. */
static bool feed(struct ct_engine *en, struct ct_packet *p)
{
	uint64_t created = stats(en).created;

	ct_engine_in(en, p, 0);
	ct_engine_confirm(en, p, 0);
	return stats(en).created > created;
}

/* One new flow, then an old one in both directions: how many buckets or lines that moved at most,
 * and what was not found. */
static void load(struct ct_engine *en, unsigned n, uint64_t *worst, unsigned *lost)
{
	struct made m;

	for (int step = 0; step < 3; step++) {
		uint64_t before = stats(en).moved, moved;
		unsigned old = (unsigned)((n * UINT64_C(2654435761) >> 7) % n);

		*lost += feed(en, flow(&m, step == 0 ? n : old, step == 2)) != (step == 0);
		*lost += m.p.verdict != CT_ACCEPT;
		moved = stats(en).moved - before;
		*worst = moved > *worst ? moved : *worst;
	}
}

TEST(the_index_grows_by_steps)
{
	enum { N = 200000 };
	struct ct_engine *en = engine_new(CT_FIDELITY_EXACT, 0);
	uint64_t worst = 0;
	unsigned lost = 0;
	struct made m;

	(void)feed(en, flow(&m, 0, false));
	for (unsigned n = 1; n < N; n++)
		load(en, n, &worst, &lost);
	EQ_INT(lost, 0);
	EQ_INT(worst, 2);
	/* Lines of every size but the last. */
	OK(stats(en).moved > N / 8 / 2);
	ct_engine_free(en);
}

/* Fills a table, changes its buckets, and keeps it busy until all is moved. */
static void check_resize(unsigned n, uint32_t from, uint32_t to, unsigned most_moved)
{
	struct ct_engine *en = engine_new(CT_FIDELITY_KERNEL, from);
	uint64_t worst = 0, bytes, moved;
	unsigned lost = 0;
	struct made m;

	for (unsigned i = 0; i < n; i++)
		(void)feed(en, flow(&m, i, false));
	EQ_INT(stats(en).count, n);
	bytes = stats(en).memory_bytes;
	EQ_INT(ct_engine_set_buckets(en, to), 0);
	moved = stats(en).moved;
	EQ_INT(moved, 0);
	for (unsigned i = 0; ct_chains_are_moving(en); i++)
		load(en, n + i, &worst, &lost);
	EQ_INT(lost, 0);
	EQ_INT(stats(en).moved, to);
	OK(worst <= most_moved);
	EQ_INT(stats(en).memory_bytes, bytes + ((uint64_t)to - from) * sizeof(uint32_t));
	for (unsigned i = 0; i < n; i++)
		lost += feed(en, flow(&m, i, true));
	EQ_INT(lost, 0);
	ct_engine_free(en);
}

TEST(buckets_move_a_few_with_each_packet)
{
	/* Two go on, the lookup's and the insertion's two are asked for. */
	check_resize(20000, 4096, 32768, 5);
	check_resize(20000, 32768, 4096, 5);
	check_resize(3000, 1536, 4608, 5);
	check_resize(3000, 4608, 1024, 5);
}

struct chain {
	uint32_t link[128];
	unsigned n;
};

static void put_first(struct chain *c, uint32_t link)
{
	memmove(c->link + 1, c->link, c->n * sizeof(*c->link));
	c->link[0] = link;
	c->n++;
}

static uint32_t bucket_for(const struct ct_engine *en, uint32_t link, uint32_t n)
{
	uint64_t hash[CT_DIR_MAX];

	ct_entry_hashes(en, link >> 1, hash);
	return bucket_of(hash[link & 1], n);
}

/* What nf_conntrack_hash_resize() makes of the chains. */
static struct chain *resized(struct ct_engine *en, uint32_t n)
{
	struct chain *c = calloc(n, sizeof(*c));

	for (uint32_t i = 0; i < ct_chains_buckets(en); i++)
		for (uint32_t l = ct_chain_first(en, i); l; l = ct_chain_next(en, l))
			put_first(&c[bucket_for(en, l, n)], l);
	return c;
}

static void check_order(uint32_t from, uint32_t to)
{
	enum { N = 6000, MORE = 1000 };
	struct ct_engine *en = engine_new(CT_FIDELITY_KERNEL, from);
	struct chain *want;
	unsigned wrong = 0;
	struct made m;

	for (unsigned i = 0; i < N; i++)
		(void)feed(en, flow(&m, i, false));
	want = resized(en, to);
	EQ_INT(ct_engine_set_buckets(en, to), 0);
	for (unsigned i = 0; i < MORE || ct_chains_are_moving(en); i++) {
		(void)feed(en, flow(&m, i < MORE ? N + i : i % N, false));
		for (uint32_t dir = 0; i < MORE && dir < CT_DIR_MAX; dir++) {
			uint32_t link = m.p.entry.number << 1 | dir;

			put_first(&want[bucket_for(en, link, to)], link);
		}
	}
	for (uint32_t i = 0; i < to; i++) {
		uint32_t l = ct_chain_first(en, i);

		for (unsigned k = 0; k < want[i].n; k++, l = l ? ct_chain_next(en, l) : 0)
			wrong += l != want[i].link[k];
		wrong += l != 0;
	}
	EQ_INT(wrong, 0);
	free(want);
	ct_engine_free(en);
}

TEST(chains_end_in_the_kernels_order)
{
	check_order(4096, 32768);
	check_order(16384, 1024);
	check_order(1536, 2560);
	check_order(2560, 1536);
}

TEST(a_second_resize_ends_the_first)
{
	struct ct_engine *en = engine_new(CT_FIDELITY_KERNEL, 1024);
	unsigned lost = 0;
	struct made m;

	for (unsigned i = 0; i < 5000; i++)
		(void)feed(en, flow(&m, i, false));
	EQ_INT(ct_engine_set_buckets(en, 8192), 0);
	(void)feed(en, flow(&m, 0, true));
	EQ_INT(ct_engine_set_buckets(en, 600), 0);
	EQ_INT(ct_chains_buckets(en), 1024);
	for (unsigned i = 0; i < 5000; i++)
		lost += feed(en, flow(&m, i, true));
	EQ_INT(lost, 0);
	/* In the middle of a resize, an engine ends without loss. */
	EQ_INT(ct_engine_set_buckets(en, 65536), 0);
	(void)feed(en, flow(&m, 0, true));
	EQ_INT(ct_engine_delete(en, m.p.entry), 0);
	ct_engine_free(en);
}

TEST(what_is_no_number_of_buckets_is_refused)
{
	struct ct_engine *en = engine_new(CT_FIDELITY_KERNEL, 1024);

	EQ_INT(ct_engine_set_buckets(en, 0), -EINVAL);
	EQ_INT(ct_engine_set_buckets(en, 268435456), -ERANGE);
	EQ_INT(ct_engine_set_buckets(en, 1000), 0);
	OK(!ct_chains_are_moving(en));
	ct_engine_free(en);
	en = engine_new(CT_FIDELITY_EXACT, 1024);
	EQ_INT(ct_engine_set_buckets(en, 4096), 0);
	ct_engine_free(en);
}

TAP_MAIN(&tap_the_index_grows_by_steps, &tap_buckets_move_a_few_with_each_packet,
	 &tap_chains_end_in_the_kernels_order, &tap_a_second_resize_ends_the_first,
	 &tap_what_is_no_number_of_buckets_is_refused)
