/* SPDX-License-Identifier: BSD-2-Clause */
#include <conntune/defrag.h>
#include <errno.h>
#include <stdlib.h>

#include "lib/packet/checksum.h"
#include "tap.h"

enum { MF = 1, DF = 2, MAX_FRAGMENT = 70000 };

/* One fragment at a time, and what became of it. */
struct bench {
	struct ct_defrag_config cfg;
	struct ct_defrag *d;
	uint8_t bytes[MAX_FRAGMENT];
	struct ct_packet p;
	ct_time now;
	uint32_t id, src;
	uint8_t tos, proto;
	size_t held, most; /* by the counting allocator */
	unsigned n_allocs, fail_at;
};

static void *count_alloc(void *user, size_t size, size_t align)
{
	struct bench *b = user;

	(void)align;
	if (++b->n_allocs == b->fail_at)
		return NULL;
	b->held += size;
	if (b->held > b->most)
		b->most = b->held;
	return malloc(size);
}

static void count_free(void *user, void *p, size_t size)
{
	struct bench *b = user;

	b->held -= size;
	free(p);
}

static struct bench *bench_new(void)
{
	struct bench *b = calloc(1, sizeof(*b));

	if (!b)
		abort();
	ct_defrag_config_default(&b->cfg);
	b->cfg.memory = (struct ct_memory){ count_alloc, count_free, b };
	b->src = 0x0a000001;
	b->proto = 17;
	b->id = 1;
	b->now = 1000 * CT_NS_PER_S;
	b->d = ct_defrag_new(&b->cfg, NULL);
	return b;
}

static void bench_free(struct bench *b)
{
	ct_defrag_free(b->d);
	EQ_INT(b->held, 0);
	free(b);
}

static uint8_t byte_at(uint32_t offset)
{
	return (uint8_t)(offset * 7 + (offset >> 8));
}

static void put16(uint8_t *at, uint32_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static void put32(uint8_t *at, uint32_t v)
{
	put16(at, v >> 16);
	put16(at + 2, v & 0xffff);
}

static enum ct_defrag_result in(struct bench *b, uint32_t size)
{
	ct_packet_init(&b->p, b->bytes, size);
	return ct_defrag_in(b->d, &b->p, b->now);
}

static enum ct_defrag_result in4(struct bench *b, uint32_t offset, uint32_t size, unsigned how)
{
	memset(b->bytes, 0, 20);
	b->bytes[0] = 0x45;
	b->bytes[1] = b->tos;
	put16(b->bytes + 2, 20 + size);
	put16(b->bytes + 4, b->id);
	put16(b->bytes + 6, offset / 8 | (how & MF ? 0x2000 : 0) | (how & DF ? 0x4000 : 0));
	b->bytes[8] = 64;
	b->bytes[9] = b->proto;
	put32(b->bytes + 12, b->src);
	put32(b->bytes + 16, 0x0a000002);
	for (uint32_t i = 0; i < size; i++)
		b->bytes[20 + i] = byte_at(offset + i);
	return in(b, 20 + size);
}

static enum ct_defrag_result in6(struct bench *b, uint32_t offset, uint32_t size, unsigned how)
{
	memset(b->bytes, 0, 48);
	b->bytes[0] = 0x60;
	b->bytes[1] = (uint8_t)(b->tos << 4);
	put16(b->bytes + 4, 8 + size);
	b->bytes[6] = 44;
	b->bytes[8] = 0x20;
	put32(b->bytes + 20, b->src);
	b->bytes[24] = 0x20;
	b->bytes[40] = b->proto;
	put16(b->bytes + 42, offset | (how & MF ? 1 : 0));
	put32(b->bytes + 44, b->id);
	for (uint32_t i = 0; i < size; i++)
		b->bytes[48 + i] = byte_at(offset + i);
	return in(b, 48 + size);
}

static void is_whole(const struct bench *b, uint32_t header, uint32_t size)
{
	uint32_t i = 0;

	EQ_INT(b->p.size, header + size);
	while (i < size && b->p.data[header + i] == byte_at(i))
		i++;
	EQ_INT(i, size);
}

static struct ct_defrag_stats stats(const struct bench *b, enum ct_family family)
{
	struct ct_defrag_stats s;

	ct_defrag_stats(b->d, family, &s);
	return s;
}

TEST(any_order_makes_the_same_packet)
{
	static const uint8_t order[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
					     { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
	struct bench *b = bench_new();

	for (unsigned i = 0; i < 6; i++) {
		enum ct_defrag_result r4 = CT_DEFRAG_PASS, r6 = CT_DEFRAG_PASS;

		for (unsigned j = 0; j < 3; j++) {
			unsigned k = order[i][j];

			r4 = in4(b, k * 800, k == 2 ? 13 : 800, k == 2 ? 0 : MF);
			EQ_INT(r4, j == 2 ? CT_DEFRAG_WHOLE : CT_DEFRAG_WAIT);
		}
		is_whole(b, 20, 1613);
		EQ_INT(ct_checksum_of(b->p.data, 20), 0);
		EQ_INT(b->p.data[6] << 8 | b->p.data[7], 0);
		EQ_INT(ct_packet_receive(&b->p), 0);
		for (unsigned j = 0; j < 3; j++) {
			unsigned k = order[i][j];

			r6 = in6(b, k * 800, k == 2 ? 13 : 800, k == 2 ? 0 : MF);
			EQ_INT(r6, j == 2 ? CT_DEFRAG_WHOLE : CT_DEFRAG_WAIT);
		}
		is_whole(b, 40, 1613);
		EQ_INT(b->p.data[6], 17);
		EQ_INT(ct_packet_receive(&b->p), 0);
	}
	EQ_INT(stats(b, CT_FAMILY_IPV4).oks, 6);
	EQ_INT(stats(b, CT_FAMILY_IPV6).oks, 6);
	EQ_INT(stats(b, CT_FAMILY_IPV4).queues, 0);
	EQ_INT(stats(b, CT_FAMILY_IPV4).charged_bytes, 0);
	EQ_INT(stats(b, CT_FAMILY_IPV6).charged_bytes, 0);
	bench_free(b);
}

TEST(whole_packets_and_untracked_ones_pass)
{
	struct bench *b = bench_new();

	EQ_INT(in4(b, 0, 100, DF), CT_DEFRAG_PASS);
	OK(b->p.data == b->bytes);
	b->bytes[6] = 0x20;
	ct_packet_init(&b->p, b->bytes, 120);
	b->p.flags = CT_PACKET_UNTRACKED;
	EQ_INT(ct_defrag_in(b->d, &b->p, b->now), CT_DEFRAG_PASS);
	/* An IPv6 fragment that is the whole packet loses its header at once. */
	EQ_INT(in6(b, 0, 100, 0), CT_DEFRAG_WHOLE);
	is_whole(b, 40, 100);
	bench_free(b);
}

TEST(a_duplicate_is_ignored_an_overlap_ends_all)
{
	struct bench *b = bench_new();

	EQ_INT(in4(b, 0, 16, MF), CT_DEFRAG_WAIT);
	EQ_INT(in4(b, 16, 16, MF), CT_DEFRAG_WAIT);
	/* Within what came in order: a duplicate, although no fragment was alike. */
	EQ_INT(in4(b, 8, 16, MF), CT_DEFRAG_DROP);
	EQ_INT(in4(b, 32, 8, 0), CT_DEFRAG_WHOLE);
	EQ_INT(in4(b, 0, 16, MF), CT_DEFRAG_WAIT);
	EQ_INT(in4(b, 8, 16, MF), CT_DEFRAG_DROP);
	EQ_INT(stats(b, CT_FAMILY_IPV4).overlaps, 1);
	EQ_INT(stats(b, CT_FAMILY_IPV4).queues, 0);
	/* The queue begins anew. */
	EQ_INT(in4(b, 0, 16, MF), CT_DEFRAG_WAIT);
	EQ_INT(in4(b, 16, 3, 0), CT_DEFRAG_WHOLE);

	EQ_INT(in6(b, 0, 16, MF), CT_DEFRAG_WAIT);
	EQ_INT(in6(b, 0, 16, MF), CT_DEFRAG_DROP);
	EQ_INT(in6(b, 8, 16, MF), CT_DEFRAG_DROP);
	EQ_INT(stats(b, CT_FAMILY_IPV6).queues, 0);
	bench_free(b);
}

TEST(fragments_out_of_order_do_not_merge_into_runs)
{
	struct bench *b = bench_new();

	/* 16-32 comes last, before and not behind the newest: three runs, and what spans two of
	 * them overlaps. */
	EQ_INT(in4(b, 32, 16, MF), CT_DEFRAG_WAIT);
	EQ_INT(in4(b, 0, 16, MF), CT_DEFRAG_WAIT);
	EQ_INT(in4(b, 16, 16, MF), CT_DEFRAG_WAIT);
	EQ_INT(in4(b, 8, 16, MF), CT_DEFRAG_DROP);
	EQ_INT(stats(b, CT_FAMILY_IPV4).overlaps, 1);
	bench_free(b);
}

TEST(ends_that_disagree)
{
	struct bench *b = bench_new();

	/* IPv4: all of it goes. */
	EQ_INT(in4(b, 16, 8, 0), CT_DEFRAG_WAIT);
	EQ_INT(in4(b, 24, 8, MF), CT_DEFRAG_DROP);
	EQ_INT(stats(b, CT_FAMILY_IPV4).queues, 0);
	EQ_INT(in4(b, 16, 0, MF), CT_DEFRAG_DROP);
	EQ_INT(stats(b, CT_FAMILY_IPV4).queues, 0);
	/* What is beyond a multiple of 8 is cut off. */
	EQ_INT(in4(b, 0, 13, MF), CT_DEFRAG_WAIT);
	EQ_INT(in4(b, 8, 5, 0), CT_DEFRAG_WHOLE);
	is_whole(b, 20, 13);
	/* IPv6: the fragment goes, the others stay. */
	EQ_INT(in6(b, 16, 8, 0), CT_DEFRAG_WAIT);
	EQ_INT(in6(b, 24, 8, MF), CT_DEFRAG_DROP);
	EQ_INT(in6(b, 0, 16, MF), CT_DEFRAG_WHOLE);
	/* An odd end is left to the host: it passes, and the queue is gone. */
	EQ_INT(in6(b, 0, 16, MF), CT_DEFRAG_WAIT);
	EQ_INT(in6(b, 16, 13, MF), CT_DEFRAG_PASS);
	EQ_INT(stats(b, CT_FAMILY_IPV6).queues, 0);
	bench_free(b);
}

TEST(too_large)
{
	struct bench *b = bench_new();

	EQ_INT(in4(b, 0, 65512, MF), CT_DEFRAG_WAIT);
	EQ_INT(in4(b, 65512, 3, 0), CT_DEFRAG_WHOLE);
	EQ_INT(b->p.size, 65535);
	EQ_INT(in4(b, 0, 65512, MF), CT_DEFRAG_WAIT);
	EQ_INT(in4(b, 65512, 4, 0), CT_DEFRAG_DROP);
	EQ_INT(in6(b, 0, 65520, MF), CT_DEFRAG_WAIT);
	EQ_INT(in6(b, 65520, 16, 0), CT_DEFRAG_DROP);
	EQ_INT(in6(b, 65520, 15, 0), CT_DEFRAG_WHOLE);
	is_whole(b, 40, 65535);
	bench_free(b);
}

TEST(ecn_bits)
{
	struct bench *b = bench_new();

	b->tos = 2;
	EQ_INT(in4(b, 0, 16, MF), CT_DEFRAG_WAIT);
	b->tos = 3;
	EQ_INT(in4(b, 16, 8, 0), CT_DEFRAG_WHOLE);
	EQ_INT(b->p.data[1], 3);
	EQ_INT(in6(b, 0, 16, MF), CT_DEFRAG_WAIT);
	b->tos = 0;
	EQ_INT(in6(b, 16, 8, 0), CT_DEFRAG_DROP);
	EQ_INT(stats(b, CT_FAMILY_IPV6).queues, 0);
	bench_free(b);
}

TEST(do_not_fragment_follows_the_largest)
{
	struct bench *b = bench_new();

	EQ_INT(in4(b, 0, 800, MF | DF), CT_DEFRAG_WAIT);
	EQ_INT(in4(b, 800, 16, 0), CT_DEFRAG_WHOLE);
	EQ_INT(b->p.data[6], 0x40);
	EQ_INT(in4(b, 0, 800, MF), CT_DEFRAG_WAIT);
	EQ_INT(in4(b, 800, 16, DF), CT_DEFRAG_WHOLE);
	EQ_INT(b->p.data[6], 0);
	bench_free(b);
}

TEST(keys_do_not_mix)
{
	struct bench *b = bench_new();

	EQ_INT(in4(b, 0, 16, MF), CT_DEFRAG_WAIT);
	b->proto = 6;
	EQ_INT(in4(b, 16, 8, 0), CT_DEFRAG_WAIT);
	b->proto = 17;
	b->id = 2;
	EQ_INT(in4(b, 16, 8, 0), CT_DEFRAG_WAIT);
	b->id = 1;
	ct_packet_init(&b->p, b->bytes, 28);
	put16(b->bytes + 4, 1);
	b->p.hook = CT_HOOK_OUTPUT;
	EQ_INT(ct_defrag_in(b->d, &b->p, b->now), CT_DEFRAG_WAIT);
	ct_packet_init(&b->p, b->bytes, 28);
	b->p.zone = 7;
	b->p.zone_dir = 1;
	EQ_INT(ct_defrag_in(b->d, &b->p, b->now), CT_DEFRAG_WAIT);
	EQ_INT(stats(b, CT_FAMILY_IPV4).queues, 5);
	/* A zone of replies only is none for a packet without an entry. */
	ct_packet_init(&b->p, b->bytes, 28);
	b->p.zone = 7;
	b->p.zone_dir = 2;
	EQ_INT(ct_defrag_in(b->d, &b->p, b->now), CT_DEFRAG_WHOLE);
	bench_free(b);
}

TEST(time_runs_out)
{
	struct bench *b = bench_new();

	EQ_INT(ct_defrag_expiry(b->d), CT_TIME_NONE);
	EQ_INT(in4(b, 0, 16, MF), CT_DEFRAG_WAIT);
	EQ_INT(in6(b, 0, 16, MF), CT_DEFRAG_WAIT);
	EQ_INT(ct_defrag_expiry(b->d), b->now + 30 * CT_NS_PER_S);
	b->now += 29 * CT_NS_PER_S;
	EQ_INT(in4(b, 16, 16, MF), CT_DEFRAG_WAIT);
	b->now += CT_NS_PER_S;
	EQ_INT(in4(b, 32, 8, 0), CT_DEFRAG_WAIT);
	EQ_INT(stats(b, CT_FAMILY_IPV4).timeouts, 1);
	EQ_INT(in6(b, 16, 8, 0), CT_DEFRAG_WHOLE);
	ct_defrag_advance(b->d, b->now + 30 * CT_NS_PER_S);
	EQ_INT(stats(b, CT_FAMILY_IPV4).timeouts, 2);
	EQ_INT(ct_defrag_expiry(b->d), CT_TIME_NONE);
	bench_free(b);
}

TEST(too_many_others_of_a_source_restart_a_queue)
{
	struct bench *b = bench_new();

	EQ_INT(in4(b, 0, 16, MF), CT_DEFRAG_WAIT);
	for (b->id = 100; b->id < 164; b->id++)
		EQ_INT(in4(b, 0, 16, MF), CT_DEFRAG_WAIT);
	b->id = 1;
	EQ_INT(in4(b, 16, 8, 0), CT_DEFRAG_WAIT);
	EQ_INT(stats(b, CT_FAMILY_IPV4).fails, 1);
	/* One less is near enough. */
	b->id = 100;
	EQ_INT(in4(b, 16, 8, 0), CT_DEFRAG_WAIT);
	b->id = 102;
	EQ_INT(in4(b, 16, 8, 0), CT_DEFRAG_WHOLE);
	bench_free(b);
}

TEST(ipv6_headers_before_and_behind)
{
	struct bench *b = bench_new();

	/* TCP's header does not fit: the fragment passes. */
	b->proto = 6;
	EQ_INT(in6(b, 0, 16, MF), CT_DEFRAG_PASS);
	EQ_INT(in6(b, 0, 24, MF), CT_DEFRAG_WAIT);
	/* Destination options before the fragment header stay, with the right successor. */
	b->id = 2;
	b->proto = 17;
	EQ_INT(in6(b, 16, 8, 0), CT_DEFRAG_WAIT);
	EQ_INT(in6(b, 0, 16, MF), CT_DEFRAG_WHOLE);
	memcpy(b->bytes + 56, b->bytes + 48, 16);
	memcpy(b->bytes + 48, b->bytes + 40, 8);
	memcpy(b->bytes + 40, "\x2c\0\1\4\0\0\0\0", 8);
	b->bytes[6] = 60;
	put16(b->bytes + 4, 32);
	EQ_INT(in(b, 72), CT_DEFRAG_WAIT);
	(void)in6(b, 16, 8, 0);
	EQ_INT(b->p.size, 40 + 8 + 24);
	EQ_INT(b->p.data[6], 60);
	EQ_INT(b->p.data[40], 17);
	EQ_INT(b->p.data[48], byte_at(0));
	bench_free(b);
}

/* Fragments that never make a packet, of the kind @n. */
static void hostile(struct bench *b, uint32_t n)
{
	uint32_t size = n % 3 == 0 ? 8 : n % 3 == 1 ? 1400 : 24000;

	b->src = n % 5 ? n * 2654435761U : 0x0a000001;
	b->id = n / 2;
	(void)(n % 2 ? in4(b, n * 8 % 30000, size, n % 7 ? MF : 0)
		     : in6(b, n * 8 % 30000, size, n % 7 ? MF : 0));
}

TEST(a_flood_stays_within_the_threshold)
{
	struct bench *b = bench_new();
	uint64_t fixed = b->held, most[2] = { 0, 0 };

	for (uint32_t n = 0; n < 100000; n++) {
		hostile(b, n);
		for (unsigned i = 0; i < 2; i++) {
			uint64_t charged =
				stats(b, i ? CT_FAMILY_IPV6 : CT_FAMILY_IPV4).charged_bytes;

			most[i] = charged > most[i] ? charged : most[i];
		}
	}
	/* The fragment that crosses the threshold is the last. */
	OK(most[0] > 4194304 && most[0] < 4194304 + 40000);
	OK(most[1] > 4194304 && most[1] < 4194304 + 40000);
	OK(b->most <= fixed + 2 * 4194304);
	EQ_INT(stats(b, CT_FAMILY_IPV4).memory_bytes, b->held);
	ct_defrag_advance(b->d, b->now + 60 * CT_NS_PER_S);
	EQ_INT(stats(b, CT_FAMILY_IPV4).charged_bytes, 0);
	EQ_INT(in4(b, 0, 16, MF), CT_DEFRAG_WAIT);
	bench_free(b);
}

TEST(any_allocation_may_fail)
{
	for (unsigned at = 1; at < 60; at++) {
		struct bench *b = bench_new();

		ct_defrag_free(b->d);
		b->n_allocs = 0;
		b->fail_at = at;
		b->d = ct_defrag_new(&b->cfg, NULL);
		for (uint32_t n = 0; b->d && n < 40; n++)
			hostile(b, n);
		bench_free(b);
	}
}

TEST(settings_by_name)
{
	struct ct_defrag_config cfg;
	uint64_t *value, highest;

	ct_defrag_config_default(&cfg);
	EQ_INT(ct_defrag_setting_find(&cfg.settings, "net/ipv4/ipfrag_time", 20, &value, &highest),
	       0);
	EQ_INT(*value, 30);
	EQ_INT(ct_defrag_setting_find(&cfg.settings, "nf_conntrack_frag6_timeout", 26, &value,
				      &highest),
	       0);
	EQ_INT(*value, 60);
	EQ_INT(ct_defrag_setting_find(&cfg.settings, "ipfrag", 6, &value, &highest), -ENOENT);
}

TAP_MAIN(&tap_any_order_makes_the_same_packet, &tap_whole_packets_and_untracked_ones_pass,
	 &tap_a_duplicate_is_ignored_an_overlap_ends_all,
	 &tap_fragments_out_of_order_do_not_merge_into_runs, &tap_ends_that_disagree,
	 &tap_too_large, &tap_ecn_bits, &tap_do_not_fragment_follows_the_largest,
	 &tap_keys_do_not_mix, &tap_time_runs_out, &tap_too_many_others_of_a_source_restart_a_queue,
	 &tap_ipv6_headers_before_and_behind, &tap_a_flood_stays_within_the_threshold,
	 &tap_any_allocation_may_fail, &tap_settings_by_name)
