/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/engine: two packets of one flow on their way at once, each with an entry of its own.
 * Everything in both fidelities.
 */
#include <conntune/engine.h>
#include <string.h>

#include "tap.h"
#include "unit/lib/engine/build.h"

enum { CLIENT = 0x0a000001, SERVER = 0x0a636407, PUBLIC = 0x0b000201, SYN = 2 };
#define SECOND CT_NS_PER_S

struct heard {
	unsigned n, n_new, n_destroy;
};

static void hear(void *user, const struct ct_event_info *info, const struct ct_entry *e)
{
	struct heard *h = user;

	(void)e;
	h->n++;
	h->n_new += (info->events & CT_EVENT_NEW) != 0;
	h->n_destroy += (info->events & CT_EVENT_DESTROY) != 0;
}

static struct ct_engine *engine_new(enum ct_fidelity fidelity, struct heard *h)
{
	struct ct_engine_config cfg;

	ct_engine_config_default(&cfg);
	cfg.fidelity = fidelity;
	cfg.settings.acct = 1;
	cfg.event = h ? hear : NULL;
	cfg.event_user = h;
	return ct_engine_new(&cfg, NULL);
}

static struct ct_engine_stats stats(const struct ct_engine *en)
{
	struct ct_engine_stats s;

	ct_engine_stats(en, &s);
	return s;
}

/* A packet of a protocol without parts, or of any with the header's bytes zero. */
static struct ct_packet *made_plain(struct made *m, uint8_t proto, uint32_t src, uint32_t dst)
{
	made_ip(m, proto, src, dst, 8);
	return &m->p;
}

static struct ct_packet *made_echo(struct made *m, uint32_t src, uint32_t dst)
{
	uint16_t sum;

	made_ip(m, 1, src, dst, 8);
	m->bytes[20] = 8;
	sum = ct_checksum_of(m->bytes + 20, 8);
	memcpy(m->bytes + 22, &sum, 2);
	return &m->p;
}

/* Both enter before either is confirmed; then the first is, then the second. */
static void both(struct ct_engine *en, struct ct_packet *a, struct ct_packet *b)
{
	ct_engine_in(en, a, 0);
	ct_engine_in(en, b, 0);
	EQ_INT(a->info, CT_INFO_NEW);
	EQ_INT(b->info, CT_INFO_NEW);
	EQ_INT(stats(en).count, 2);
	ct_engine_confirm(en, a, 0);
	ct_engine_confirm(en, b, 0);
	EQ_INT(a->verdict, CT_ACCEPT);
}

static void check_merge(enum ct_fidelity fidelity)
{
	struct heard h = { 0 };
	struct ct_engine *en = engine_new(fidelity, &h);
	struct made a, b;
	struct ct_entry e;

	both(en, made_udp(&a, CLIENT, 1000, SERVER, 53), made_udp(&b, CLIENT, 1000, SERVER, 53));
	EQ_INT(b.p.verdict, CT_ACCEPT);
	EQ_INT(b.p.info, CT_INFO_NEW);
	EQ_INT(b.p.entry.number, a.p.entry.number);
	EQ_INT(stats(en).count, 1);
	EQ_INT(stats(en).clash_resolve, 1);
	EQ_INT(stats(en).insert_failed, 0);
	EQ_INT(stats(en).drop, 0);
	EQ_INT(ct_engine_entry(en, a.p.entry, &e), 0);
	EQ_INT(e.packets[CT_DIR_ORIG], 2);
	EQ_INT(e.bytes[CT_DIR_ORIG], a.p.size + b.p.size);
	EQ_INT(h.n, 1);
	EQ_INT(h.n_new, 1);
	ct_engine_free(en);
}

static void check_mirror(enum ct_fidelity fidelity)
{
	struct ct_engine *en = engine_new(fidelity, NULL);
	struct made a, b;
	struct ct_entry e;

	both(en, made_udp(&a, CLIENT, 53, SERVER, 53), made_udp(&b, SERVER, 53, CLIENT, 53));
	EQ_INT(b.p.verdict, CT_ACCEPT);
	EQ_INT(b.p.info, CT_INFO_NEW);
	EQ_INT(stats(en).count, 1);
	EQ_INT(stats(en).clash_resolve, 1);
	EQ_INT(ct_engine_entry(en, a.p.entry, &e), 0);
	OK(!(e.status & CT_STATUS_SEEN_REPLY));
	ct_engine_free(en);
}

static void check_protocols(enum ct_fidelity fidelity)
{
	static const uint8_t mergeable[] = { 47, 50, 4, 136 };
	struct ct_engine *en = engine_new(fidelity, NULL);
	struct made a, b;

	for (size_t i = 0; i < sizeof(mergeable); i++) {
		(void)made_plain(&a, mergeable[i], CLIENT, SERVER);
		(void)made_plain(&b, mergeable[i], CLIENT, SERVER);
		if (mergeable[i] == 136) /* UDP-Lite wants a checksum; that of hardware will do */
			a.bytes[26] = b.bytes[26] = 1;
		a.p.flags = b.p.flags = CT_PACKET_CHECKSUM_OK;
		ct_engine_in(en, &a.p, 0);
		ct_engine_in(en, &b.p, 0);
		ct_engine_confirm(en, &a.p, 0);
		ct_engine_confirm(en, &b.p, 0);
		EQ_INT(b.p.verdict, CT_ACCEPT);
	}
	EQ_INT(stats(en).clash_resolve, 4);
	EQ_INT(stats(en).count, 4);
	ct_engine_free(en);

	en = engine_new(fidelity, NULL);
	both(en, made_tcp(&a, CLIENT, 1, SERVER, 80, SYN, 1, 0),
	     made_tcp(&b, CLIENT, 1, SERVER, 80, SYN, 1, 0));
	EQ_INT(b.p.verdict, CT_DROP);
	ct_engine_free(en);

	en = engine_new(fidelity, NULL);
	both(en, made_echo(&a, CLIENT, SERVER), made_echo(&b, CLIENT, SERVER));
	EQ_INT(b.p.verdict, CT_DROP);
	EQ_INT(stats(en).clash_resolve, 0);
	EQ_INT(stats(en).insert_failed, 1);
	EQ_INT(stats(en).drop, 1);
	EQ_INT(stats(en).count, 1);
	ct_engine_free(en);
}

TEST(two_entries_of_one_flow_become_one)
{
	check_merge(CT_FIDELITY_EXACT);
	check_merge(CT_FIDELITY_KERNEL);
}

TEST(the_two_may_come_from_opposite_ends)
{
	check_mirror(CT_FIDELITY_EXACT);
	check_mirror(CT_FIDELITY_KERNEL);
}

TEST(tcp_sctp_and_icmp_drop_the_later_packet)
{
	check_protocols(CT_FIDELITY_EXACT);
	check_protocols(CT_FIDELITY_KERNEL);
}

static void map_source(struct ct_engine *en, const struct ct_packet *p, unsigned port)
{
	struct ct_tuple reply;
	struct made m;

	(void)made_udp(&m, SERVER, 53, PUBLIC, port);
	EQ_INT(ct_packet_tuple(&m.p, &reply), 0);
	EQ_INT(ct_engine_set_reply(en, p->entry, &reply), 0);
	EQ_INT(ct_engine_set_status(en, p->entry, CT_STATUS_SRC_NAT | CT_STATUS_SRC_NAT_DONE), 0);
}

static unsigned listed(const struct ct_engine *en)
{
	struct ct_cursor at = { 0, 0 };
	struct ct_entry e;
	unsigned n = 0;

	while (ct_engine_next(en, &at, &e) == 1)
		n++;
	return n;
}

/* @second: the port that the later packet's source is mapped to, 0 for none. */
static void check_other_mapping(enum ct_fidelity fidelity, unsigned second)
{
	struct heard h = { 0 };
	struct ct_engine *en = engine_new(fidelity, &h);
	struct made a, b, m;
	struct ct_entry e;

	ct_engine_in(en, made_udp(&a, CLIENT, 1000, SERVER, 53), 0);
	ct_engine_in(en, made_udp(&b, CLIENT, 1000, SERVER, 53), 0);
	map_source(en, &a.p, 5000);
	if (second)
		map_source(en, &b.p, second);
	ct_engine_confirm(en, &a.p, 0);
	ct_engine_confirm(en, &b.p, 0);
	EQ_INT(b.p.verdict, CT_ACCEPT);
	OK(b.p.entry.number != a.p.entry.number);
	EQ_INT(stats(en).count, 2);
	EQ_INT(stats(en).clash_resolve, 1);
	EQ_INT(listed(en), 1);
	EQ_INT(h.n_new, 1);
	EQ_INT(ct_engine_entry(en, b.p.entry, &e), 0);
	EQ_INT(e.timeout_s, 1);
	OK((e.status & (CT_STATUS_NAT_CLASH | CT_STATUS_FIXED_TIMEOUT)) ==
	   (CT_STATUS_NAT_CLASH | CT_STATUS_FIXED_TIMEOUT));
	/* The original tuple is the first entry's, each reply finds its own. */
	ct_engine_in(en, made_udp(&m, CLIENT, 1000, SERVER, 53), 0);
	EQ_INT(m.p.entry.number, a.p.entry.number);
	ct_engine_in(en, made_udp(&m, SERVER, 53, PUBLIC, 5000), 0);
	EQ_INT(m.p.entry.number, a.p.entry.number);
	if (second)
		ct_engine_in(en, made_udp(&m, SERVER, 53, PUBLIC, second), 0);
	else
		ct_engine_in(en, made_udp(&m, SERVER, 53, CLIENT, 1000), 0);
	EQ_INT(m.p.entry.number, b.p.entry.number);
	EQ_INT(m.p.info, CT_INFO_ESTABLISHED_REPLY);
	/* It lasts a second, whatever comes. */
	ct_engine_advance(en, 3 * SECOND);
	ct_engine_in(en, made_udp(&m, CLIENT, 1001, SERVER, 53), 3 * SECOND);
	ct_engine_release(en, &m.p);
	EQ_INT(ct_engine_entry(en, a.p.entry, &e), 0);
	if (second)
		ct_engine_in(en, made_udp(&m, SERVER, 53, PUBLIC, second), 3 * SECOND);
	else
		ct_engine_in(en, made_udp(&m, SERVER, 53, CLIENT, 1000), 3 * SECOND);
	EQ_INT(m.p.info, CT_INFO_NEW);
	EQ_INT(h.n_destroy, 1);
	ct_engine_release(en, &m.p);
	EQ_INT(stats(en).count, 1);
	ct_engine_free(en);
}

TEST(one_flow_mapped_twice_keeps_both_replies_for_a_second)
{
	check_other_mapping(CT_FIDELITY_EXACT, 6000);
	check_other_mapping(CT_FIDELITY_KERNEL, 6000);
}

TEST(a_reply_without_mapping_is_kept_as_well)
{
	check_other_mapping(CT_FIDELITY_EXACT, 0);
	check_other_mapping(CT_FIDELITY_KERNEL, 0);
}

static void check_reply_taken(enum ct_fidelity fidelity)
{
	struct ct_engine *en = engine_new(fidelity, NULL);
	struct made a, b;

	ct_engine_in(en, made_udp(&a, CLIENT, 1000, SERVER, 53), 0);
	ct_engine_in(en, made_udp(&b, CLIENT, 1001, SERVER, 53), 0);
	map_source(en, &a.p, 5000);
	map_source(en, &b.p, 5000);
	ct_engine_confirm(en, &a.p, 0);
	ct_engine_confirm(en, &b.p, 0);
	EQ_INT(b.p.verdict, CT_DROP);
	EQ_INT(stats(en).clash_resolve, 0);
	EQ_INT(stats(en).insert_failed, 1);
	EQ_INT(stats(en).drop, 1);
	ct_engine_free(en);
}

TEST(two_flows_with_one_reply_remain_a_clash)
{
	check_reply_taken(CT_FIDELITY_EXACT);
	check_reply_taken(CT_FIDELITY_KERNEL);
}

TEST(many_packets_wait_at_once)
{
	enum { N = 1000 };
	static struct made m[N];

	for (int fidelity = CT_FIDELITY_EXACT; fidelity <= CT_FIDELITY_KERNEL; fidelity++) {
		struct ct_engine *en = engine_new((enum ct_fidelity)fidelity, NULL);

		for (unsigned i = 0; i < N; i++)
			ct_engine_in(en, made_udp(&m[i], CLIENT, i / 2, SERVER, 53), 0);
		EQ_INT(stats(en).count, N);
		for (unsigned i = N; i-- > 0;)
			if (i % 5 == 0)
				ct_engine_release(en, &m[i].p);
			else
				ct_engine_confirm(en, &m[i].p, 0);
		EQ_INT(stats(en).count, N / 2);
		EQ_INT(stats(en).clash_resolve, N / 2 - N / 5);
		ct_engine_free(en);
	}
}

TAP_MAIN(&tap_two_entries_of_one_flow_become_one, &tap_the_two_may_come_from_opposite_ends,
	 &tap_tcp_sctp_and_icmp_drop_the_later_packet,
	 &tap_one_flow_mapped_twice_keeps_both_replies_for_a_second,
	 &tap_a_reply_without_mapping_is_kept_as_well, &tap_two_flows_with_one_reply_remain_a_clash,
	 &tap_many_packets_wait_at_once)
