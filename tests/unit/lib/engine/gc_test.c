/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/engine/gc and chain: a full table, chains, and the kernel's collector.
 */
#include <conntune/engine.h>

#include "tap.h"
#include "unit/lib/engine/build.h"

enum { CLIENT = 0x0a000001, SERVER = 0x0a636407, SYN = 2, ACK = 16, FIN = 1 };
#define SECOND CT_NS_PER_S

static void feed(struct ct_engine *en, struct ct_packet *p, ct_time at)
{
	ct_engine_in(en, p, at);
	ct_engine_confirm(en, p, at);
}

static struct ct_engine_stats stats(const struct ct_engine *en)
{
	struct ct_engine_stats s;

	ct_engine_stats(en, &s);
	return s;
}

static struct ct_engine *engine(enum ct_fidelity fidelity, uint32_t max, uint32_t buckets)
{
	struct ct_engine_config cfg;

	ct_engine_config_default(&cfg);
	cfg.fidelity = fidelity;
	cfg.max = max;
	cfg.buckets = buckets;
	return ct_engine_new(&cfg, NULL);
}

TEST(expired_entries_stay_counted_until_somebody_walks_past)
{
	struct ct_engine *en = engine(CT_FIDELITY_KERNEL, 1000, 512);
	struct ct_cursor at = { 0, 0 };
	struct ct_entry e;
	struct made m;

	/* The collector's cycles begin after 1 s and then by what the entries have left. */
	feed(en, made_udp(&m, CLIENT, 1, SERVER, 53), 0);
	feed(en, made_udp(&m, CLIENT, 2, SERVER, 53), 2 * SECOND);
	ct_engine_advance(en, 33 * SECOND);
	EQ_INT(stats(en).count, 2);
	EQ_INT(ct_engine_next(en, &at, &e), 0);
	feed(en, made_udp(&m, CLIENT, 1, SERVER, 53), 33 * SECOND);
	EQ_INT(m.p.info, CT_INFO_NEW);
	EQ_INT(stats(en).count, 2);
	ct_engine_advance(en, 63 * SECOND);
	EQ_INT(stats(en).count, 1);
	ct_engine_free(en);
}

static void check_early_drop(enum ct_fidelity fidelity)
{
	enum { MAX = 400, MORE = 2000 };
	struct ct_engine *en = engine(fidelity, MAX, 512);
	struct ct_engine_stats s;
	struct made m;

	for (unsigned i = 0; i < MAX + MORE; i++)
		feed(en, made_udp(&m, CLIENT + i, 1000, SERVER, 53), 0);
	s = stats(en);
	OK(s.count <= MAX);
	OK(s.early_drop > MORE * 9 / 10);
	EQ_INT(s.created + s.drop, MAX + MORE);
	EQ_INT(s.created, s.count + s.early_drop);
	ct_engine_free(en);
}

TEST(early_drop_makes_room_for_the_new)
{
	check_early_drop(CT_FIDELITY_KERNEL);
	check_early_drop(CT_FIDELITY_EXACT);
}

/* A connection closed by both sides: TIME_WAIT and assured. */
static void live(struct ct_engine *en, uint32_t client, ct_time at)
{
	struct made m;

	feed(en, made_tcp(&m, client, 9, SERVER, 80, SYN, 100, 0), at);
	feed(en, made_tcp(&m, SERVER, 80, client, 9, SYN | ACK, 500, 101), at);
	feed(en, made_tcp(&m, client, 9, SERVER, 80, ACK, 101, 501), at);
	feed(en, made_tcp(&m, client, 9, SERVER, 80, FIN | ACK, 101, 501), at);
	feed(en, made_tcp(&m, SERVER, 80, client, 9, FIN | ACK, 501, 102), at);
	feed(en, made_tcp(&m, client, 9, SERVER, 80, ACK, 102, 502), at);
}

TEST(one_refusal_lets_the_collector_evict_257)
{
	enum { MAX = 1000 };
	struct ct_engine *en = engine(CT_FIDELITY_KERNEL, MAX, 512);
	struct ct_engine_stats s;
	struct made m;

	/* Past the first cycle, so that the next is far away. */
	ct_engine_advance(en, 0);
	ct_engine_advance(en, 2 * SECOND);
	for (uint32_t i = 0; i < MAX; i++)
		live(en, CLIENT + i, 2 * SECOND);
	feed(en, made_udp(&m, CLIENT, 1, SERVER, 53), 2 * SECOND);
	EQ_INT(m.p.verdict, CT_DROP);
	EQ_INT(stats(en).count, MAX);
	ct_engine_advance(en, 100 * SECOND);
	s = stats(en);
	EQ_INT(s.drop, 1);
	/* Only down to 95 % of the limit, whatever one slice may take. */
	EQ_INT(s.count, MAX / 100 * 95 - 1);
	EQ_INT(s.evicted, MAX - s.count);
	ct_engine_free(en);

	en = engine(CT_FIDELITY_KERNEL, 20 * MAX, 20 * 512);
	ct_engine_advance(en, 0);
	ct_engine_advance(en, 2 * SECOND);
	for (uint32_t i = 0; i < 20 * MAX; i++)
		live(en, CLIENT + i, 2 * SECOND);
	feed(en, made_udp(&m, CLIENT, 1, SERVER, 53), 2 * SECOND);
	ct_engine_advance(en, 100 * SECOND);
	s = stats(en);
	EQ_INT(s.drop, 1);
	EQ_INT(s.evicted, 257);
	ct_engine_free(en);
}

TEST(chains_may_grow_too_long)
{
	struct ct_engine *en = engine(CT_FIDELITY_KERNEL, 0, 512);
	struct ct_engine_stats s;
	struct made m;

	for (unsigned i = 0; i < 30000; i++)
		feed(en, made_udp(&m, CLIENT + i, 1000, SERVER, 53), 0);
	s = stats(en);
	OK(s.chaintoolong > 10000);
	EQ_INT(s.chaintoolong, s.insert_failed);
	EQ_INT(s.drop, 0);
	/* 512 chains of 50 to 80 links, two links an entry. */
	OK(s.count > 512 * 50 / 2 * 8 / 10 && s.count < 512 * 81 / 2);
	ct_engine_free(en);
}

TEST(both_fidelities_agree_on_what_packets_are)
{
	struct ct_engine *exact = engine(CT_FIDELITY_EXACT, 0, 4096);
	struct ct_engine *kernel = engine(CT_FIDELITY_KERNEL, 0, 4096);
	uint32_t chance = 7;
	struct made m;

	for (unsigned i = 0; i < 20000; i++) {
		ct_time at = (ct_time)i * SECOND / 50;
		unsigned port = 1000 + (chance >> 8) % 300;
		uint8_t info;

		chance = chance * 1664525 + 1013904223;
		if (chance >> 31)
			(void)made_udp(&m, CLIENT, port, SERVER, 53);
		else
			(void)made_udp(&m, SERVER, 53, CLIENT, port);
		feed(exact, &m.p, at);
		info = m.p.info;
		feed(kernel, &m.p, at);
		EQ_INT(m.p.info, info);
	}
	EQ_INT(stats(exact).created, stats(kernel).created);
	ct_engine_free(exact);
	ct_engine_free(kernel);
}

TAP_MAIN(&tap_expired_entries_stay_counted_until_somebody_walks_past,
	 &tap_early_drop_makes_room_for_the_new, &tap_one_refusal_lets_the_collector_evict_257,
	 &tap_chains_may_grow_too_long, &tap_both_fidelities_agree_on_what_packets_are)
