/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/engine: entries whose reply is not the inverse of their original, by NAT or by a zone of one
 * direction; and what callers change of an entry. Everything in both fidelities.
 */
#include <conntune/engine.h>
#include <errno.h>
#include <string.h>

#include "tap.h"
#include "unit/lib/engine/build.h"

enum { CLIENT = 0x0a000001, SERVER = 0x0a636407, PUBLIC = 0x0b000201, ROUTER = 0x0b0002fe };
enum { SYN = 2, ACK = 16 };
#define SECOND CT_NS_PER_S

static struct ct_engine *engine_new(enum ct_fidelity fidelity)
{
	struct ct_engine_config cfg;

	ct_engine_config_default(&cfg);
	cfg.fidelity = fidelity;
	return ct_engine_new(&cfg, NULL);
}

static struct ct_engine_stats stats(const struct ct_engine *en)
{
	struct ct_engine_stats s;

	ct_engine_stats(en, &s);
	return s;
}

static void feed(struct ct_engine *en, struct ct_packet *p)
{
	ct_engine_in(en, p, 0);
	ct_engine_confirm(en, p, 0);
}

/* The tuple of @proto from @src to @dst, in host order. */
static struct ct_tuple tuple(uint8_t proto, uint32_t src, unsigned sport, uint32_t dst,
			     unsigned dport)
{
	struct ct_tuple t = { .family = CT_FAMILY_IPV4, .proto = proto };

	t.src.ip4 = __builtin_bswap32(src);
	t.dst.ip4 = __builtin_bswap32(dst);
	t.src_part = __builtin_bswap16((uint16_t)sport);
	t.dst_part = __builtin_bswap16((uint16_t)dport);
	return t;
}

/* Begins a flow from CLIENT:@sport to SERVER:53 whose source is mapped to PUBLIC:@mapped. */
static void begin_mapped(struct ct_engine *en, struct made *m, unsigned sport, unsigned mapped)
{
	struct ct_tuple reply = tuple(17, SERVER, 53, PUBLIC, mapped);

	ct_engine_in(en, made_udp(m, CLIENT, sport, SERVER, 53), 0);
	EQ_INT(m->p.info, CT_INFO_NEW);
	EQ_INT(ct_engine_set_reply(en, m->p.entry, &reply), 0);
	EQ_INT(ct_engine_set_status(en, m->p.entry, CT_STATUS_SRC_NAT | CT_STATUS_SRC_NAT_DONE), 0);
	ct_engine_confirm(en, &m->p, 0);
	EQ_INT(m->p.verdict, CT_ACCEPT);
}

static void check_mapped_flow(enum ct_fidelity fidelity)
{
	struct ct_engine *en = engine_new(fidelity);
	struct ct_tuple reply = tuple(17, SERVER, 53, PUBLIC, 5000), t;
	struct ct_handle flow;
	struct ct_entry e;
	struct made m;

	begin_mapped(en, &m, 1000, 5000);
	flow = m.p.entry;
	EQ_INT(ct_engine_set_reply(en, flow, &reply), -EBUSY);
	feed(en, made_udp(&m, SERVER, 53, PUBLIC, 5000));
	EQ_INT(m.p.info, CT_INFO_ESTABLISHED_REPLY);
	EQ_INT(m.p.entry.number, flow.number);
	feed(en, made_udp(&m, CLIENT, 1000, SERVER, 53));
	EQ_INT(m.p.info, CT_INFO_ESTABLISHED);
	EQ_INT(m.p.entry.number, flow.number);
	EQ_INT(ct_engine_entry(en, flow, &e), 0);
	OK(ct_tuple_equal(&e.tuple[CT_DIR_REPLY], &reply));
	EQ_INT(ct_engine_tuple(en, flow, CT_DIR_ORIG, &t), 0);
	reply = tuple(17, CLIENT, 1000, SERVER, 53);
	OK(ct_tuple_equal(&t, &reply));
	EQ_INT(ct_engine_status(en, flow), 0x9a);
	/* What nobody translates back is no reply; its own reply would be this flow's original. */
	ct_engine_in(en, made_udp(&m, SERVER, 53, CLIENT, 1000), 0);
	EQ_INT(m.p.info, CT_INFO_NEW);
	OK(m.p.entry.number != flow.number);
	ct_engine_confirm(en, &m.p, 0);
	EQ_INT(m.p.verdict, CT_DROP);
	EQ_INT(stats(en).count, 1);
	EQ_INT(stats(en).insert_failed, 1);
	/* Nor is what travels against the reply the flow's original. */
	ct_engine_in(en, made_udp(&m, PUBLIC, 5000, SERVER, 53), 0);
	EQ_INT(m.p.info, CT_INFO_NEW);
	ct_engine_release(en, &m.p);
	EQ_INT(ct_engine_delete(en, flow), 0);
	feed(en, made_udp(&m, SERVER, 53, PUBLIC, 5000));
	EQ_INT(m.p.info, CT_INFO_NEW);
	ct_engine_free(en);
}

TEST(a_mapped_flow_is_found_by_its_reply)
{
	check_mapped_flow(CT_FIDELITY_EXACT);
	check_mapped_flow(CT_FIDELITY_KERNEL);
}

static void check_taken(enum ct_fidelity fidelity)
{
	struct ct_engine *en = engine_new(fidelity);
	struct ct_tuple want = tuple(17, SERVER, 53, PUBLIC, 5000);
	struct made m, same;

	begin_mapped(en, &m, 1000, 5000);
	ct_engine_in(en, made_udp(&m, CLIENT, 1001, SERVER, 53), 0);
	OK(ct_engine_is_taken(en, &want, m.p.entry));
	EQ_INT(stats(en).found, 1);
	want = tuple(17, SERVER, 53, PUBLIC, 5001);
	OK(!ct_engine_is_taken(en, &want, m.p.entry));
	/* An original tuple counts as well. */
	want = tuple(17, CLIENT, 1000, SERVER, 53);
	OK(ct_engine_is_taken(en, &want, m.p.entry));
	EQ_INT(stats(en).found, 2);
	/* The flow's own twin does not count. */
	ct_engine_in(en, made_udp(&same, CLIENT, 1001, SERVER, 53), 0);
	want = tuple(17, SERVER, 53, PUBLIC, 5001);
	EQ_INT(ct_engine_set_reply(en, same.p.entry, &want), 0);
	ct_engine_confirm(en, &same.p, 0);
	OK(!ct_engine_is_taken(en, &want, m.p.entry));
	ct_engine_release(en, &m.p);
	/* Time frees what is over. */
	ct_engine_in(en, made_udp(&m, CLIENT, 1002, SERVER, 53), 31 * SECOND);
	want = tuple(17, SERVER, 53, PUBLIC, 5000);
	OK(!ct_engine_is_taken(en, &want, m.p.entry));
	ct_engine_free(en);
}

TEST(a_tuple_is_taken_in_either_direction)
{
	check_taken(CT_FIDELITY_EXACT);
	check_taken(CT_FIDELITY_KERNEL);
}

static void check_collision(enum ct_fidelity fidelity)
{
	struct ct_engine *en = engine_new(fidelity);
	struct ct_tuple reply = tuple(6, SERVER, 80, PUBLIC, 5000);
	struct made m;

	for (unsigned i = 0; i < 2; i++) {
		ct_engine_in(en, made_tcp(&m, CLIENT, 1000 + i, SERVER, 80, SYN, 1, 0), 0);
		EQ_INT(ct_engine_set_reply(en, m.p.entry, &reply), 0);
		ct_engine_confirm(en, &m.p, 0);
		EQ_INT(m.p.verdict, i == 0 ? CT_ACCEPT : CT_DROP);
	}
	EQ_INT(stats(en).count, 1);
	EQ_INT(stats(en).drop, 1);
	ct_engine_free(en);
}

TEST(two_flows_mapped_to_one_tuple_collide_at_confirm)
{
	check_collision(CT_FIDELITY_EXACT);
	check_collision(CT_FIDELITY_KERNEL);
}

/* As ICMP "port unreachable" from ROUTER to @to about the UDP packet in @quoted. */
static struct ct_packet *made_error(struct made *m, uint32_t to, const struct made *quoted)
{
	uint16_t sum;

	made_ip(m, 1, ROUTER, to, 8 + 28);
	m->bytes[20] = 3;
	m->bytes[21] = 3;
	memcpy(m->bytes + 28, quoted->bytes, 28);
	sum = ct_checksum_of(m->bytes + 20, 36);
	memcpy(m->bytes + 22, &sum, 2);
	return &m->p;
}

static void check_error(enum ct_fidelity fidelity)
{
	struct ct_engine *en = engine_new(fidelity);
	struct made m, sent, error;
	struct ct_handle flow;

	begin_mapped(en, &m, 1000, 5000);
	flow = m.p.entry;
	/* The router saw the packet after its translation. */
	(void)made_udp(&sent, PUBLIC, 5000, SERVER, 53);
	feed(en, made_error(&error, PUBLIC, &sent));
	EQ_INT(error.p.info, CT_INFO_RELATED_REPLY);
	EQ_INT(error.p.entry.number, flow.number);
	feed(en, made_error(&error, CLIENT, &sent));
	EQ_INT(error.p.info, CT_INFO_INVALID);
	/* The untranslated packet is known to nobody beyond. */
	(void)made_udp(&sent, CLIENT, 1000, SERVER, 53);
	feed(en, made_error(&error, CLIENT, &sent));
	EQ_INT(error.p.info, CT_INFO_INVALID);
	/* About the reply, as its receiver would say it. */
	(void)made_udp(&sent, SERVER, 53, CLIENT, 1000);
	feed(en, made_error(&error, SERVER, &sent));
	EQ_INT(error.p.info, CT_INFO_RELATED);
	EQ_INT(stats(en).error, 2);
	ct_engine_free(en);
}

TEST(errors_are_about_the_tuple_on_the_wire)
{
	check_error(CT_FIDELITY_EXACT);
	check_error(CT_FIDELITY_KERNEL);
}

static struct ct_packet *made_udp6(struct made *m, uint32_t src, unsigned sport, uint32_t dst,
				   unsigned dport)
{
	memset(m->bytes, 0, sizeof(m->bytes));
	m->bytes[0] = 0x60;
	m->bytes[5] = 12;
	m->bytes[6] = 17;
	m->bytes[7] = 64;
	m->bytes[8] = m->bytes[24] = 0x20;
	made_put32(m->bytes + 20, src);
	made_put32(m->bytes + 36, dst);
	ct_packet_init(&m->p, m->bytes, 52);
	made_put16(m->bytes + 40, sport);
	made_put16(m->bytes + 42, dport);
	made_put16(m->bytes + 44, 12);
	made_put16(m->bytes + 46, 1);
	m->p.flags |= CT_PACKET_CHECKSUM_OK;
	return &m->p;
}

static void check_ipv6(enum ct_fidelity fidelity)
{
	struct ct_engine *en = engine_new(fidelity);
	struct ct_tuple reply;
	struct ct_handle flow;
	struct made m;

	(void)ct_packet_parse(made_udp6(&m, SERVER, 53, PUBLIC, 5000));
	EQ_INT(ct_packet_tuple(&m.p, &reply), 0);
	ct_engine_in(en, made_udp6(&m, CLIENT, 1000, SERVER, 53), 0);
	flow = m.p.entry;
	EQ_INT(ct_engine_set_reply(en, flow, &reply), 0);
	ct_engine_confirm(en, &m.p, 0);
	feed(en, made_udp6(&m, SERVER, 53, PUBLIC, 5000));
	EQ_INT(m.p.info, CT_INFO_ESTABLISHED_REPLY);
	EQ_INT(m.p.entry.number, flow.number);
	feed(en, made_udp6(&m, CLIENT, 1000, SERVER, 53));
	EQ_INT(m.p.info, CT_INFO_ESTABLISHED);
	feed(en, made_udp6(&m, SERVER, 53, CLIENT, 1000));
	EQ_INT(m.p.verdict, CT_DROP);
	ct_engine_free(en);
}

TEST(ipv6_is_mapped_as_well)
{
	check_ipv6(CT_FIDELITY_EXACT);
	check_ipv6(CT_FIDELITY_KERNEL);
}

static void check_many(enum ct_fidelity fidelity)
{
	enum { N = 40000 };
	struct ct_engine *en = engine_new(fidelity);
	struct ct_packet *list[2];
	struct made m[2];
	unsigned wrong = 0;

	for (unsigned i = 0; i < N; i++)
		begin_mapped(en, &m[0], 1000 + i, 20000 + i);
	EQ_INT(stats(en).count, N);
	list[0] = &m[0].p;
	list[1] = &m[1].p;
	for (unsigned i = 0; i < N; i++) {
		(void)made_udp(&m[0], SERVER, 53, PUBLIC, 20000 + i);
		(void)made_udp(&m[1], CLIENT, 1000 + i, SERVER, 53);
		ct_engine_burst(en, list, 2, SECOND);
		wrong += m[0].p.info != CT_INFO_ESTABLISHED_REPLY ||
			 m[1].p.info != CT_INFO_ESTABLISHED ||
			 m[0].p.entry.number != m[1].p.entry.number;
	}
	EQ_INT(wrong, 0);
	ct_engine_advance(en, 400 * SECOND);
	EQ_INT(stats(en).count, 0);
	begin_mapped(en, &m[0], 1000, 20000);
	EQ_INT(stats(en).count, 1);
	ct_engine_free(en);
}

TEST(many_mapped_flows_are_all_found)
{
	check_many(CT_FIDELITY_EXACT);
	check_many(CT_FIDELITY_KERNEL);
}

static struct ct_packet *in_zone(struct ct_packet *p, uint16_t zone, enum ct_zone_dir dir)
{
	p->zone = zone;
	p->zone_dir = (uint8_t)dir;
	return p;
}

/* What Linux 6.18 does to a reply that comes without a zone. */
static void check_zone(enum ct_fidelity fidelity, enum ct_zone_dir dir, enum ct_info info,
		       enum ct_verdict verdict)
{
	struct ct_engine *en = engine_new(fidelity);
	struct ct_entry e;
	struct made m;

	feed(en, in_zone(made_udp(&m, CLIENT, 1000, SERVER, 53), 6, dir));
	EQ_INT(m.p.verdict, CT_ACCEPT);
	EQ_INT(ct_engine_entry(en, m.p.entry, &e), 0);
	EQ_INT(e.zone, 6);
	EQ_INT(e.zone_dir, dir);
	feed(en, made_udp(&m, SERVER, 53, CLIENT, 1000));
	EQ_INT(m.p.info, info);
	EQ_INT(m.p.verdict, verdict);
	/* The rule gives the zone to every packet from the client. */
	feed(en, in_zone(made_udp(&m, CLIENT, 1000, SERVER, 53), 6, dir));
	EQ_INT(m.p.info, info == CT_INFO_NEW ? CT_INFO_NEW : CT_INFO_ESTABLISHED);
	/* One that gives it to the answers too changes nothing for them. */
	feed(en, in_zone(made_udp(&m, SERVER, 53, CLIENT, 1000), 6, dir));
	EQ_INT(m.p.info, CT_INFO_ESTABLISHED_REPLY);
	ct_engine_free(en);
}

TEST(a_zone_may_be_limited_to_one_direction)
{
	for (int fidelity = CT_FIDELITY_EXACT; fidelity <= CT_FIDELITY_KERNEL; fidelity++) {
		check_zone((enum ct_fidelity)fidelity, CT_ZONE_BOTH, CT_INFO_NEW, CT_ACCEPT);
		check_zone((enum ct_fidelity)fidelity, CT_ZONE_ORIG, CT_INFO_ESTABLISHED_REPLY,
			   CT_ACCEPT);
		check_zone((enum ct_fidelity)fidelity, CT_ZONE_REPLY, CT_INFO_NEW, CT_DROP);
	}
}

/* A packet without a zone, by both ways into the engine; the entry it comes to. */
static uint32_t found(struct ct_engine *en, unsigned info)
{
	struct ct_packet *list[1];
	struct made m;
	uint32_t number;

	feed(en, made_udp(&m, CLIENT, 1000, SERVER, 53));
	EQ_INT(m.p.info, info);
	number = m.p.entry.number;
	list[0] = made_udp(&m, CLIENT, 1000, SERVER, 53);
	ct_engine_burst(en, list, 1, 0);
	EQ_INT(m.p.info, info);
	EQ_INT(m.p.entry.number, number);
	return number;
}

/* Two entries with one tuple in zone 0, the reply of one and the original of the other. Linux 6.18
 * puts the newer before the older into the bucket. */
static void check_overlap(enum ct_fidelity fidelity, enum ct_zone_dir answered,
			  bool is_answer_first)
{
	struct ct_engine *en = engine_new(fidelity);
	struct ct_handle asked = { 0, 0 }, answer = { 0, 0 };
	struct made m;

	for (int i = 0; i < 2; i++) {
		if ((i == 0) == is_answer_first) {
			feed(en, in_zone(made_udp(&m, SERVER, 53, CLIENT, 1000),
					 answered == CT_ZONE_BOTH ? 0 : 3, answered));
			answer = m.p.entry;
		} else {
			feed(en, in_zone(made_udp(&m, CLIENT, 1000, SERVER, 53), 4, CT_ZONE_REPLY));
			asked = m.p.entry;
		}
		EQ_INT(m.p.info, CT_INFO_NEW);
		EQ_INT(m.p.verdict, CT_ACCEPT);
	}
	EQ_INT(stats(en).count, 2);
	if (is_answer_first) {
		EQ_INT(found(en, CT_INFO_NEW), asked.number);
		EQ_INT(ct_engine_delete(en, asked), 0);
		EQ_INT(found(en, CT_INFO_ESTABLISHED_REPLY), answer.number);
	} else {
		EQ_INT(found(en, CT_INFO_ESTABLISHED_REPLY), answer.number);
		EQ_INT(ct_engine_delete(en, answer), 0);
		EQ_INT(found(en, CT_INFO_NEW), asked.number);
	}
	ct_engine_free(en);
}

TEST(of_two_entries_with_one_tuple_the_newer_is_found)
{
	for (int fidelity = CT_FIDELITY_EXACT; fidelity <= CT_FIDELITY_KERNEL; fidelity++) {
		check_overlap((enum ct_fidelity)fidelity, CT_ZONE_BOTH, true);
		check_overlap((enum ct_fidelity)fidelity, CT_ZONE_ORIG, true);
		check_overlap((enum ct_fidelity)fidelity, CT_ZONE_ORIG, false);
	}
}

struct heard {
	unsigned events;
	uint32_t mark;
};

static void hear(void *user, const struct ct_event_info *info, const struct ct_entry *e)
{
	struct heard *h = user;

	h->events = info->events;
	h->mark = e->mark;
}

TEST(a_mark_is_told_with_the_next_packet)
{
	struct ct_engine_config cfg;
	struct ct_engine *en;
	struct heard h = { 0 };
	struct made m;

	ct_engine_config_default(&cfg);
	cfg.event = hear;
	cfg.event_user = &h;
	en = ct_engine_new(&cfg, NULL);
	feed(en, made_udp(&m, CLIENT, 1000, SERVER, 53));
	h.events = 0;
	EQ_INT(ct_engine_set_mark(en, m.p.entry, 7), 0);
	EQ_INT(h.events, 0);
	feed(en, made_udp(&m, CLIENT, 1000, SERVER, 53));
	EQ_INT(h.events, CT_EVENT_MARK);
	EQ_INT(h.mark, 7);
	h.events = 0;
	EQ_INT(ct_engine_set_mark(en, m.p.entry, 7), 0);
	feed(en, made_udp(&m, CLIENT, 1000, SERVER, 53));
	EQ_INT(h.events, 0);
	ct_engine_free(en);
}

TEST(only_the_right_changes_are_taken)
{
	struct ct_engine *en = engine_new(CT_FIDELITY_EXACT);
	struct ct_tuple other = tuple(6, SERVER, 53, PUBLIC, 5000);
	struct ct_handle none = { 77, 1 }, h;
	struct ct_entry e;
	uint32_t end;
	struct made m;

	ct_engine_in(en, made_tcp(&m, CLIENT, 1000, SERVER, 21, SYN, 100, 0), 0);
	h = m.p.entry;
	EQ_INT(ct_engine_set_reply(en, none, &other), -ENOENT);
	other.proto = 17;
	EQ_INT(ct_engine_set_reply(en, h, &other), -EINVAL);
	EQ_INT(ct_engine_set_status(en, h, CT_STATUS_ASSURED), -EINVAL);
	EQ_INT(ct_engine_set_helper(en, h, CT_HELPER_NONE), -EINVAL);
	EQ_INT(ct_engine_set_helper(en, h, CT_HELPER_FTP), 0);
	EQ_INT(ct_engine_tcp_end(en, h, CT_DIR_ORIG, &end), 0);
	EQ_INT(end, 101);
	EQ_INT(ct_engine_master(en, h, &none), -ENOENT);
	ct_engine_confirm(en, &m.p, 0);
	EQ_INT(ct_engine_set_helper(en, h, CT_HELPER_FTP), -EBUSY);
	EQ_INT(ct_engine_entry(en, h, &e), 0);
	OK((e.known & CT_KNOWN_HELPER) && e.helper.len == 3);
	ct_engine_free(en);
}

TAP_MAIN(&tap_a_mapped_flow_is_found_by_its_reply, &tap_a_tuple_is_taken_in_either_direction,
	 &tap_two_flows_mapped_to_one_tuple_collide_at_confirm,
	 &tap_errors_are_about_the_tuple_on_the_wire, &tap_ipv6_is_mapped_as_well,
	 &tap_many_mapped_flows_are_all_found, &tap_a_zone_may_be_limited_to_one_direction,
	 &tap_of_two_entries_with_one_tuple_the_newer_is_found,
	 &tap_a_mark_is_told_with_the_next_packet, &tap_only_the_right_changes_are_taken)
