/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/nat: which tuple a connection gets, by ranges, clashes and what others have.
 */
#include <conntune/nat.h>
#include <errno.h>
#include <string.h>

#include "tap.h"
#include "unit/lib/engine/build.h"

enum { CLIENT = 0x0aa8010a, OTHER = 0x0aa8010b, SERVER = 0x46336414, PUBLIC = 0x40000201 };
enum { SYN = 2, ACK = 16, FIN = 1, RST = 4 };

struct world {
	struct ct_engine *en;
	struct ct_nat *nat;
	struct made m;
};

static void world_init(struct world *w)
{
	struct ct_engine_config cfg;
	struct ct_nat_config nat = { .seed = { 7 } };

	ct_engine_config_default(&cfg);
	w->en = nat.engine = ct_engine_new(&cfg, NULL);
	w->nat = ct_nat_new(&nat, NULL);
}

static void world_fini(struct world *w)
{
	ct_nat_free(w->nat);
	ct_engine_free(w->en);
}

static struct ct_nat_range to_addr(uint32_t addr)
{
	struct ct_nat_range r = { .flags = CT_NAT_MAP_ADDRS };

	r.min_addr.ip4 = r.max_addr.ip4 = __builtin_bswap32(addr);
	return r;
}

static struct ct_nat_range to_ports(uint32_t addr, uint16_t from, uint16_t to)
{
	struct ct_nat_range r = to_addr(addr);

	r.flags |= CT_NAT_MAP_PARTS;
	r.min_part = from;
	r.max_part = to;
	return r;
}

/* Carries a packet through both decisions; null: none. Its verdict at the end. */
static enum ct_verdict carry(struct world *w, struct ct_packet *p, const struct ct_nat_range *dst,
			     const struct ct_nat_range *src, ct_time now)
{
	ct_engine_in(w->en, p, now);
	if (p->info == CT_INFO_NEW &&
	    !ct_nat_is_set(ct_engine_status(w->en, p->entry), CT_MANIP_SRC)) {
		EQ_INT(dst ? ct_nat_setup(w->nat, p, dst, CT_MANIP_DST)
			   : ct_nat_setup_null(w->nat, p, CT_MANIP_DST),
		       CT_ACCEPT);
		EQ_INT(src ? ct_nat_setup(w->nat, p, src, CT_MANIP_SRC)
			   : ct_nat_setup_null(w->nat, p, CT_MANIP_SRC),
		       CT_ACCEPT);
	}
	EQ_INT(ct_nat_packet(w->nat, p, CT_MANIP_DST), CT_ACCEPT);
	EQ_INT(ct_nat_packet(w->nat, p, CT_MANIP_SRC), CT_ACCEPT);
	ct_engine_confirm(w->en, p, now);
	return (enum ct_verdict)p->verdict;
}

static unsigned src_port(const struct ct_packet *p)
{
	return (unsigned)(p->data[20] << 8 | p->data[21]);
}

static unsigned dst_port(const struct ct_packet *p)
{
	return (unsigned)(p->data[22] << 8 | p->data[23]);
}

static uint32_t src_addr(const struct ct_packet *p)
{
	return (uint32_t)p->data[12] << 24 | (uint32_t)p->data[13] << 16 |
	       (uint32_t)p->data[14] << 8 | p->data[15];
}

static uint32_t dst_addr(const struct ct_packet *p)
{
	return (uint32_t)p->data[16] << 24 | (uint32_t)p->data[17] << 16 |
	       (uint32_t)p->data[18] << 8 | p->data[19];
}

TEST(who_is_not_mapped_stays_what_it_is)
{
	struct world w;
	struct ct_entry e;

	world_init(&w);
	EQ_INT(carry(&w, made_udp(&w.m, CLIENT, 5000, SERVER, 53), NULL, NULL, 0), CT_ACCEPT);
	OK(w.m.p.data == w.m.bytes);
	EQ_INT(ct_engine_entry(w.en, w.m.p.entry, &e), 0);
	EQ_INT(e.status, 0x188);
	world_fini(&w);
}

TEST(ports_keep_their_class_when_they_must_change)
{
	static const unsigned ports[][3] = { { 300, 1, 511 },
					     { 700, 600, 1023 },
					     { 6000, 1024, 65535 } };
	struct ct_nat_range public = to_addr(PUBLIC);
	struct world w;

	world_init(&w);
	for (unsigned i = 0; i < 3; i++) {
		EQ_INT(carry(&w, made_udp(&w.m, CLIENT, ports[i][0], SERVER, 53), NULL, &public, 0),
		       CT_ACCEPT);
		EQ_INT(src_port(&w.m.p), ports[i][0]);
		EQ_INT(src_addr(&w.m.p), PUBLIC);
		OK(ct_packet_checksum(&w.m.p));
		EQ_INT(carry(&w, made_udp(&w.m, OTHER, ports[i][0], SERVER, 53), NULL, &public, 0),
		       CT_ACCEPT);
		OK(src_port(&w.m.p) != ports[i][0] && src_port(&w.m.p) >= ports[i][1] &&
		   src_port(&w.m.p) <= ports[i][2]);
	}
	world_fini(&w);
}

TEST(one_source_has_one_mapping)
{
	struct ct_nat_range public = to_addr(PUBLIC);
	struct world w;
	unsigned mapped;

	world_init(&w);
	(void)carry(&w, made_udp(&w.m, CLIENT, 6000, SERVER, 53), NULL, &public, 0);
	(void)carry(&w, made_udp(&w.m, OTHER, 6000, SERVER, 53), NULL, &public, 0);
	mapped = src_port(&w.m.p);
	OK(mapped != 6000);
	(void)carry(&w, made_udp(&w.m, OTHER, 6000, SERVER + 1, 53), NULL, &public, 0);
	EQ_INT(src_port(&w.m.p), mapped);
	world_fini(&w);
}

TEST(answers_find_back)
{
	struct ct_nat_range public = to_addr(PUBLIC), inside = to_ports(SERVER + 1, 8080, 8080);
	struct world w;

	world_init(&w);
	(void)carry(&w, made_udp(&w.m, CLIENT, 6000, SERVER, 53), &inside, &public, 0);
	EQ_INT(src_addr(&w.m.p), PUBLIC);
	EQ_INT(dst_port(&w.m.p), 8080);
	(void)carry(&w, made_udp(&w.m, SERVER + 1, 8080, PUBLIC, 6000), NULL, NULL, 0);
	EQ_INT(w.m.p.info, CT_INFO_ESTABLISHED_REPLY);
	EQ_INT(src_addr(&w.m.p), SERVER);
	EQ_INT(src_port(&w.m.p), 53);
	EQ_INT(dst_port(&w.m.p), 6000);
	OK(ct_packet_checksum(&w.m.p));
	world_fini(&w);
}

/* The refusal ends the entry, and is still translated: its packet has it to the end. */
TEST(a_refusal_finds_back)
{
	struct ct_nat_range public = to_addr(PUBLIC);
	struct ct_engine_stats s;
	struct world w;

	world_init(&w);
	(void)carry(&w, made_tcp(&w.m, CLIENT, 6000, SERVER, 80, SYN, 1, 0), NULL, &public, 0);
	EQ_INT(carry(&w, made_tcp(&w.m, SERVER, 80, PUBLIC, 6000, RST | ACK, 0, 2), NULL, NULL, 0),
	       CT_ACCEPT);
	EQ_INT(dst_addr(&w.m.p), CLIENT);
	OK(ct_packet_checksum(&w.m.p));
	ct_engine_stats(w.en, &s);
	EQ_INT(s.count, 0);
	/* Not confirmed, it is given back all the same. */
	(void)carry(&w, made_tcp(&w.m, CLIENT, 6000, SERVER, 80, SYN, 1, 0), NULL, &public, 0);
	ct_engine_in(w.en, made_tcp(&w.m, SERVER, 80, PUBLIC, 6000, RST | ACK, 0, 2), 0);
	OK(ct_engine_status(w.en, w.m.p.entry) & CT_STATUS_DYING);
	EQ_INT(ct_engine_delete(w.en, w.m.p.entry), -ENOENT);
	ct_engine_release(w.en, &w.m.p);
	ct_engine_stats(w.en, &s);
	EQ_INT(s.count, 0);
	world_fini(&w);
}

/* Two virtual servers that are one: the second client connection needs another port. */
TEST(a_null_binding_mends_a_clash)
{
	struct ct_nat_range inside = to_addr(SERVER + 9);
	struct world w;

	world_init(&w);
	EQ_INT(carry(&w, made_tcp(&w.m, CLIENT, 700, SERVER, 80, SYN, 1, 0), &inside, NULL, 0),
	       CT_ACCEPT);
	EQ_INT(src_port(&w.m.p), 700);
	EQ_INT(carry(&w, made_tcp(&w.m, CLIENT, 700, SERVER + 1, 80, SYN, 1, 0), &inside, NULL, 0),
	       CT_ACCEPT);
	OK(src_port(&w.m.p) >= 600 && src_port(&w.m.p) < 1024 && src_port(&w.m.p) != 700);
	world_fini(&w);
}

TEST(a_full_range_ends_at_confirm)
{
	struct ct_nat_range range = to_ports(PUBLIC, 2000, 2003);
	struct ct_engine_stats s;
	struct world w;
	unsigned n = 0;

	world_init(&w);
	for (unsigned i = 0; i < 8; i++)
		n += carry(&w, made_tcp(&w.m, CLIENT + i, 40000, SERVER, 80, SYN, 1, 0), NULL,
			   &range, 0) == CT_ACCEPT;
	EQ_INT(n, 4);
	ct_engine_stats(w.en, &s);
	EQ_INT(s.insert_failed, 4);
	EQ_INT(s.drop, 4);
	EQ_INT(s.count, 4);
	world_fini(&w);
}

/* Opens, closes: the entry waits in TIME_WAIT, its last sequence number beyond @isn. */
static void live_and_die(struct world *w, uint32_t client, const struct ct_nat_range *range,
			 uint32_t isn)
{
	unsigned port;

	(void)carry(w, made_tcp(&w->m, client, 40000, SERVER, 80, SYN, isn, 0), NULL, range, 0);
	port = src_port(&w->m.p);
	(void)carry(w, made_tcp(&w->m, SERVER, 80, PUBLIC, port, SYN | ACK, 1, isn + 1), NULL, NULL,
		    0);
	(void)carry(w, made_tcp(&w->m, client, 40000, SERVER, 80, FIN | ACK, isn + 1, 2), NULL,
		    NULL, 0);
	(void)carry(w, made_tcp(&w->m, SERVER, 80, PUBLIC, port, FIN | ACK, 2, isn + 2), NULL, NULL,
		    0);
	(void)carry(w, made_tcp(&w->m, client, 40000, SERVER, 80, ACK, isn + 2, 3), NULL, NULL, 0);
}

TEST(who_waits_to_be_forgotten_is_evicted_by_a_higher_sequence_number)
{
	struct ct_nat_range range = to_ports(PUBLIC, 3000, 3001);
	struct world w;

	world_init(&w);
	live_and_die(&w, CLIENT, &range, 1000);
	live_and_die(&w, CLIENT + 1, &range, 1000);
	EQ_INT(carry(&w, made_tcp(&w.m, CLIENT + 2, 40000, SERVER, 80, SYN, 500, 0), NULL, &range,
		     0),
	       CT_DROP);
	EQ_INT(carry(&w, made_tcp(&w.m, CLIENT + 2, 40000, SERVER, 80, SYN, 5000, 0), NULL, &range,
		     0),
	       CT_ACCEPT);
	world_fini(&w);
}

TEST(destinations_take_the_first_free_port)
{
	struct ct_nat_range range = to_ports(SERVER + 1, 8000, 8003);
	struct world w;

	world_init(&w);
	for (unsigned i = 0; i < 4; i++) {
		(void)carry(&w, made_tcp(&w.m, CLIENT, 40000, SERVER + 5, 80 + i, SYN, 1, 0),
			    &range, NULL, 0);
		EQ_INT(dst_port(&w.m.p), 8000 + i);
	}
	world_fini(&w);
}

TEST(a_shifted_range_keeps_the_distance)
{
	struct ct_nat_range range = to_ports(SERVER + 1, 9000, 9099);
	struct world w;

	world_init(&w);
	range.flags |= CT_NAT_SHIFT;
	range.base_part = 5000;
	(void)carry(&w, made_tcp(&w.m, CLIENT, 40000, SERVER, 5042, SYN, 1, 0), &range, NULL, 0);
	EQ_INT(dst_port(&w.m.p), 9042);
	world_fini(&w);
}

TEST(a_client_keeps_its_address_among_several)
{
	struct ct_nat_range range = to_addr(PUBLIC);
	struct world w;
	uint32_t first;
	unsigned differing = 0;

	world_init(&w);
	range.max_addr.ip4 = __builtin_bswap32(PUBLIC + 15);
	range.flags |= CT_NAT_PERSISTENT;
	(void)carry(&w, made_udp(&w.m, CLIENT, 5000, SERVER, 53), NULL, &range, 0);
	first = src_addr(&w.m.p);
	for (unsigned i = 1; i < 20; i++) {
		(void)carry(&w, made_udp(&w.m, CLIENT, 5000 + i, SERVER + i, 53), NULL, &range, 0);
		EQ_INT(src_addr(&w.m.p), first);
		(void)carry(&w, made_udp(&w.m, CLIENT + i, 5000, SERVER, 53), NULL, &range, 0);
		OK(src_addr(&w.m.p) >= PUBLIC && src_addr(&w.m.p) <= PUBLIC + 15);
		differing += src_addr(&w.m.p) != first;
	}
	OK(differing > 5);
	world_fini(&w);
}

TEST(random_ports_lie_in_the_range_and_differ)
{
	struct ct_nat_range range = to_ports(PUBLIC, 20000, 29999);
	struct world w;
	unsigned same = 0;

	world_init(&w);
	range.flags |= CT_NAT_RANDOM_FULLY;
	for (unsigned i = 0; i < 20; i++) {
		(void)carry(&w, made_udp(&w.m, CLIENT, 20000 + i, SERVER, 53), NULL, &range, 0);
		OK(src_port(&w.m.p) >= 20000 && src_port(&w.m.p) <= 29999);
		same += src_port(&w.m.p) == 20000 + i;
	}
	OK(same < 5);
	world_fini(&w);
}

TEST(masqueraded_entries_remember_their_interface)
{
	struct ct_nat_range range = to_addr(PUBLIC);
	struct world w;

	world_init(&w);
	(void)carry(&w, made_udp(&w.m, CLIENT, 5000, SERVER, 53), NULL, &range, 0);
	OK(!ct_nat_is_out_changed(w.nat, &w.m.p, "eth1"));
	ct_nat_remember_out(w.nat, &w.m.p, "eth0");
	OK(!ct_nat_is_out_changed(w.nat, &w.m.p, "eth0"));
	OK(ct_nat_is_out_changed(w.nat, &w.m.p, "eth1"));
	EQ_INT(ct_nat_forget_out(w.nat, "eth1", NULL), 0);
	EQ_INT(ct_nat_forget_out(w.nat, "eth0", &range.min_addr), 1);
	EQ_INT(ct_engine_status(w.en, w.m.p.entry), 0);
	world_fini(&w);
}

/* Thousands of sources, which end again: the by-source table clears itself. */
TEST(ended_sources_are_forgotten)
{
	struct ct_nat_range range = to_addr(PUBLIC);
	struct world w;

	world_init(&w);
	for (unsigned i = 0; i < 50000; i++) {
		EQ_INT(carry(&w, made_udp(&w.m, CLIENT + i, 5000, SERVER, 53), NULL, &range,
			     i * CT_NS_PER_S),
		       CT_ACCEPT);
		OK(src_addr(&w.m.p) == PUBLIC);
	}
	world_fini(&w);
}

TAP_MAIN(&tap_who_is_not_mapped_stays_what_it_is, &tap_ports_keep_their_class_when_they_must_change,
	 &tap_one_source_has_one_mapping, &tap_answers_find_back, &tap_a_null_binding_mends_a_clash,
	 &tap_a_refusal_finds_back, &tap_a_full_range_ends_at_confirm,
	 &tap_who_waits_to_be_forgotten_is_evicted_by_a_higher_sequence_number,
	 &tap_destinations_take_the_first_free_port, &tap_a_shifted_range_keeps_the_distance,
	 &tap_a_client_keeps_its_address_among_several,
	 &tap_random_ports_lie_in_the_range_and_differ,
	 &tap_masqueraded_entries_remember_their_interface, &tap_ended_sources_are_forgotten)
