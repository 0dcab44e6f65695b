/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/engine: a connection's life, limits, time.
 */
#include <conntune/engine.h>
#include <errno.h>

#include "tap.h"
#include "unit/lib/engine/build.h"

enum { CLIENT = 0x0a000001, SERVER = 0x0a636407, SYN = 2, ACK = 16, FIN = 1, RST = 4 };
#define SECOND CT_NS_PER_S

static void feed(struct ct_engine *en, struct ct_packet *p, ct_time at)
{
	ct_engine_in(en, p, at);
	ct_engine_confirm(en, p, at);
}

static uint64_t count(const struct ct_engine *en)
{
	struct ct_engine_stats s;

	ct_engine_stats(en, &s);
	return s.count;
}

TEST(udp_becomes_a_stream_after_two_seconds)
{
	struct ct_engine_config cfg;
	struct ct_engine *en;
	struct ct_entry e;
	struct made m;

	ct_engine_config_default(&cfg);
	en = ct_engine_new(&cfg, NULL);
	feed(en, made_udp(&m, CLIENT, 1000, SERVER, 53), 0);
	EQ_INT(m.p.info, CT_INFO_NEW);
	feed(en, made_udp(&m, SERVER, 53, CLIENT, 1000), SECOND);
	EQ_INT(m.p.info, CT_INFO_ESTABLISHED_REPLY);
	EQ_INT(ct_engine_entry(en, m.p.entry, &e), 0);
	EQ_INT(e.timeout_s, 30);
	EQ_INT(e.status, CT_STATUS_CONFIRMED | CT_STATUS_SEEN_REPLY);
	feed(en, made_udp(&m, CLIENT, 1000, SERVER, 53), 2 * SECOND);
	EQ_INT(ct_engine_entry(en, m.p.entry, &e), 0);
	OK(!(e.status & CT_STATUS_ASSURED));
	feed(en, made_udp(&m, CLIENT, 1000, SERVER, 53), 2 * SECOND + 4000000);
	EQ_INT(ct_engine_entry(en, m.p.entry, &e), 0);
	OK(e.status & CT_STATUS_ASSURED);
	EQ_INT(e.timeout_s, 120);
	ct_engine_free(en);
}

TEST(tcp_lives_and_its_syn_again_begins_anew)
{
	static const struct {
		uint8_t from_server, flags;
		uint32_t seq, ack;
		uint8_t info, state;
	} steps[] = {
		{ 0, SYN, 100, 0, CT_INFO_NEW, CT_TCP_SYN_SENT },
		{ 1, SYN | ACK, 500, 101, CT_INFO_ESTABLISHED_REPLY, CT_TCP_SYN_RECV },
		{ 0, ACK, 101, 501, CT_INFO_ESTABLISHED, CT_TCP_ESTABLISHED },
		{ 0, FIN | ACK, 101, 501, CT_INFO_ESTABLISHED, CT_TCP_FIN_WAIT },
		{ 1, ACK, 501, 102, CT_INFO_ESTABLISHED_REPLY, CT_TCP_CLOSE_WAIT },
		{ 1, FIN | ACK, 501, 102, CT_INFO_ESTABLISHED_REPLY, CT_TCP_LAST_ACK },
		{ 0, ACK, 102, 502, CT_INFO_ESTABLISHED, CT_TCP_TIME_WAIT },
		{ 0, SYN, 9000, 0, CT_INFO_NEW, CT_TCP_SYN_SENT },
	};
	struct ct_engine_config cfg;
	struct ct_engine *en;
	struct ct_entry e;
	struct made m;

	ct_engine_config_default(&cfg);
	en = ct_engine_new(&cfg, NULL);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (steps[i].from_server)
			(void)made_tcp(&m, SERVER, 80, CLIENT, 4000, steps[i].flags, steps[i].seq,
				       steps[i].ack);
		else
			(void)made_tcp(&m, CLIENT, 4000, SERVER, 80, steps[i].flags, steps[i].seq,
				       steps[i].ack);
		feed(en, &m.p, (ct_time)i * CT_NS_PER_MS);
		EQ_INT(m.p.info, steps[i].info);
		EQ_INT(ct_engine_entry(en, m.p.entry, &e), 0);
		EQ_INT(e.state, steps[i].state);
		EQ_INT(count(en), 1);
	}
	ct_engine_free(en);
}

TEST(entries_end_on_their_tick_and_in_order)
{
	struct ct_engine_config cfg;
	struct ct_engine *en;
	struct made m;

	ct_engine_config_default(&cfg);
	en = ct_engine_new(&cfg, NULL);
	EQ_INT(ct_engine_expiry(en), CT_TIME_NONE);
	for (unsigned i = 0; i < 1000; i++)
		feed(en, made_udp(&m, CLIENT, 1000 + i, SERVER, 53), (ct_time)i * 4000000);
	EQ_INT(count(en), 1000);
	EQ_INT(ct_engine_expiry(en), 30 * SECOND);
	ct_engine_advance(en, 30 * SECOND - 1);
	EQ_INT(count(en), 1000);
	ct_engine_advance(en, 30 * SECOND);
	EQ_INT(count(en), 999);
	ct_engine_advance(en, 30 * SECOND + 499 * INT64_C(4000000));
	EQ_INT(count(en), 500);
	/* A jump of many years passes every deadline. */
	ct_engine_advance(en, SECOND * 86400 * 3650);
	EQ_INT(count(en), 0);
	EQ_INT(ct_engine_expiry(en), CT_TIME_NONE);
	ct_engine_free(en);
}

TEST(handles_die_with_their_entries)
{
	struct ct_engine_config cfg;
	struct ct_engine *en;
	struct ct_handle first;
	struct ct_entry e;
	struct made m;

	ct_engine_config_default(&cfg);
	en = ct_engine_new(&cfg, NULL);
	feed(en, made_udp(&m, CLIENT, 1, SERVER, 53), 0);
	first = m.p.entry;
	EQ_INT(ct_engine_delete(en, first), 0);
	EQ_INT(ct_engine_delete(en, first), -ENOENT);
	feed(en, made_udp(&m, CLIENT, 2, SERVER, 53), 0);
	EQ_INT(m.p.entry.number, first.number);
	EQ_INT(ct_engine_entry(en, first, &e), -ENOENT);
	EQ_INT(ct_engine_entry(en, m.p.entry, &e), 0);
	ct_engine_free(en);
}

TEST(unconfirmed_entries_count_but_are_not_found)
{
	struct ct_engine_config cfg;
	struct ct_engine *en;
	struct made a, b;

	ct_engine_config_default(&cfg);
	en = ct_engine_new(&cfg, NULL);
	ct_engine_in(en, made_udp(&a, CLIENT, 1, SERVER, 53), 0);
	EQ_INT(count(en), 1);
	ct_engine_in(en, made_udp(&b, CLIENT, 1, SERVER, 53), 0);
	EQ_INT(b.p.info, CT_INFO_NEW);
	EQ_INT(count(en), 2);
	ct_engine_release(en, &b.p);
	EQ_INT(count(en), 1);
	ct_engine_confirm(en, &a.p, 0);
	ct_engine_in(en, made_udp(&b, SERVER, 53, CLIENT, 1), 0);
	EQ_INT(b.p.info, CT_INFO_ESTABLISHED_REPLY);
	ct_engine_free(en);
}

TEST(a_full_table_drops_new_connections_only)
{
	struct ct_engine_config cfg;
	struct ct_engine_stats s;
	struct ct_engine *en;
	struct made m;

	ct_engine_config_default(&cfg);
	cfg.max = 100;
	en = ct_engine_new(&cfg, NULL);
	for (unsigned i = 0; i < 100; i++) {
		feed(en, made_udp(&m, CLIENT, 1000 + i, SERVER, 53), 0);
		feed(en, made_udp(&m, SERVER, 53, CLIENT, 1000 + i), 0);
	}
	/* Streams by now, which nothing may evict. */
	for (unsigned i = 0; i < 100; i++)
		feed(en, made_udp(&m, CLIENT, 1000 + i, SERVER, 53), 3 * SECOND);
	feed(en, made_udp(&m, CLIENT, 2000, SERVER, 53), 3 * SECOND);
	EQ_INT(m.p.verdict, CT_DROP);
	feed(en, made_udp(&m, CLIENT, 1000, SERVER, 53), 3 * SECOND);
	EQ_INT(m.p.verdict, CT_ACCEPT);
	ct_engine_stats(en, &s);
	EQ_INT(s.drop, 1);
	EQ_INT(s.count, 100);
	ct_engine_free(en);
}

TEST(a_large_table_grows_and_finds_everything)
{
	enum { MANY = 200000 };
	struct ct_engine_config cfg;
	struct ct_engine *en;
	struct ct_cursor at = { 0, 0 };
	struct ct_entry e;
	unsigned n = 0, found = 0;
	struct made m;

	ct_engine_config_default(&cfg);
	cfg.max = MANY;
	en = ct_engine_new(&cfg, NULL);
	for (unsigned i = 0; i < MANY; i++)
		feed(en, made_udp(&m, CLIENT + i, 1000, SERVER, 53), 0);
	for (unsigned i = 0; i < MANY; i++) {
		feed(en, made_udp(&m, SERVER, 53, CLIENT + i, 1000), SECOND);
		found += m.p.info == CT_INFO_ESTABLISHED_REPLY;
	}
	EQ_INT(found, MANY);
	while (ct_engine_next(en, &at, &e) > 0)
		n++;
	EQ_INT(n, MANY);
	for (unsigned i = 0; i < MANY; i += 2) {
		feed(en, made_udp(&m, SERVER, 53, CLIENT + i, 1000), SECOND);
		EQ_INT(ct_engine_delete(en, m.p.entry), 0);
	}
	EQ_INT(count(en), MANY / 2);
	ct_engine_free(en);
}

/* So few lines, and mapped flows with two places each, that in time every line has been passed by:
 * a search must still come to an end. */
TEST(a_tiny_table_is_searched_to_its_end)
{
	enum { MAX = 7, MANY = 100000 };
	struct ct_engine_config cfg;
	struct ct_engine *en;
	struct ct_handle h, live[MAX] = { { 0, 0 } };
	enum ct_dir dir;
	struct made m;

	ct_engine_config_default(&cfg);
	cfg.max = MAX;
	en = ct_engine_new(&cfg, NULL);
	for (unsigned i = 0; i < MANY; i++) {
		struct ct_tuple t;

		if (live[i * 5 % MAX].number)
			(void)ct_engine_delete(en, live[i * 5 % MAX]);
		(void)ct_packet_tuple(made_udp(&m, SERVER, 53, CLIENT + i, 3), &t);
		ct_engine_in(en, made_udp(&m, CLIENT + i, 1, SERVER, 53), 0);
		(void)ct_engine_set_reply(en, m.p.entry, &t);
		ct_engine_confirm(en, &m.p, 0);
		live[i * 5 % MAX] = m.p.entry;
		(void)ct_packet_tuple(made_udp(&m, CLIENT + i, 2, SERVER, 53), &t);
		EQ_INT(ct_engine_find(en, &t, 0, &h, &dir), -ENOENT);
	}
	EQ_INT(count(en), MAX);
	ct_engine_free(en);
}

TEST(bursts_do_what_single_packets_do)
{
	enum { MANY = 3000 };
	struct ct_engine_config cfg;
	struct ct_engine *one, *many;
	struct ct_engine_stats a, b;
	static struct made m[32];
	struct ct_packet *list[32];
	uint32_t chance = 1;

	ct_engine_config_default(&cfg);
	cfg.settings.acct = 1;
	one = ct_engine_new(&cfg, NULL);
	many = ct_engine_new(&cfg, NULL);
	for (unsigned round = 0; round < MANY / 32; round++) {
		ct_time at = (ct_time)round * SECOND / 10;
		uint8_t infos[32];

		for (unsigned i = 0; i < 32; i++) {
			unsigned port = 1000 + (chance >> 16) % 20;
			uint8_t flags = (uint8_t[]){ SYN, ACK, SYN | ACK, FIN | ACK,
						     RST }[(chance >> 8) % 5];

			chance = chance * 1664525 + 1013904223;
			if (chance & UINT32_C(0x80000000))
				(void)made_tcp(&m[i], CLIENT, port, SERVER, 80, flags, 1000, 1000);
			else
				(void)made_tcp(&m[i], SERVER, 80, CLIENT, port, flags, 1000, 1000);
			feed(one, &m[i].p, at);
			infos[i] = m[i].p.info;
			list[i] = &m[i].p;
		}
		ct_engine_burst(many, list, 32, at);
		for (unsigned i = 0; i < 32; i++)
			EQ_INT(m[i].p.info, infos[i]);
	}
	ct_engine_stats(one, &a);
	ct_engine_stats(many, &b);
	EQ_INT(a.count, b.count);
	EQ_INT(a.invalid, b.invalid);
	EQ_INT(a.created, b.created);
	ct_engine_free(one);
	ct_engine_free(many);
}

TEST(settings_are_found_by_every_spelling)
{
	struct ct_engine_settings s;
	uint32_t *at, highest;

	EQ_INT(ct_engine_setting_find(&s, "net.netfilter.nf_conntrack_udp_timeout", 38, &at,
				      &highest),
	       0);
	OK(at == &s.udp_timeout);
	EQ_INT(ct_engine_setting_find(&s, "net/netfilter/nf_conntrack_tcp_loose", 36, &at,
				      &highest),
	       0);
	EQ_INT(highest, 1);
	EQ_INT(ct_engine_setting_find(&s, "udp_timeou", 10, &at, &highest), -ENOENT);
}

TAP_MAIN(&tap_udp_becomes_a_stream_after_two_seconds, &tap_tcp_lives_and_its_syn_again_begins_anew,
	 &tap_entries_end_on_their_tick_and_in_order, &tap_handles_die_with_their_entries,
	 &tap_unconfirmed_entries_count_but_are_not_found,
	 &tap_a_full_table_drops_new_connections_only,
	 &tap_a_large_table_grows_and_finds_everything, &tap_a_tiny_table_is_searched_to_its_end,
	 &tap_bursts_do_what_single_packets_do, &tap_settings_are_found_by_every_spelling)
