/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Tables made entry by entry, and what one pass over them must say.
 */
#include "ops/facts/summary.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "tap.h"

static const struct summary_timeouts defaults = {
	.tcp = { [CT_TCP_SYN_SENT] = 120,
		 [CT_TCP_SYN_RECV] = 60,
		 [CT_TCP_ESTABLISHED] = 432000,
		 [CT_TCP_FIN_WAIT] = 120,
		 [CT_TCP_CLOSE_WAIT] = 60,
		 [CT_TCP_LAST_ACK] = 30,
		 [CT_TCP_TIME_WAIT] = 120,
		 [CT_TCP_CLOSE] = 10 },
	.tcp_unacknowledged = 300,
	.tcp_max_retrans = 300,
	.udp = 30,
	.udp_stream = 120,
	.icmp = 30,
};

static struct ct_entry entry(uint8_t proto, uint32_t src, uint32_t dst, uint16_t sport,
			     uint16_t dport)
{
	struct ct_entry e = { .known = CT_KNOWN_FAMILY | CT_KNOWN_FLAGS | CT_KNOWN_TIMEOUT };

	e.tuple[0].family = CT_FAMILY_IPV4;
	e.tuple[0].proto = proto;
	e.tuple[0].src.ip4 = htonl(src);
	e.tuple[0].dst.ip4 = htonl(dst);
	e.tuple[0].src_part = htons(sport);
	e.tuple[0].dst_part = htons(dport);
	(void)ct_tuple_invert(&e.tuple[1], &e.tuple[0]);
	return e;
}

static struct ct_entry tcp(uint32_t i, uint16_t dport, uint8_t state, uint32_t timeout_s)
{
	struct ct_entry e =
		entry(IPPROTO_TCP, 0x0a000001, 0x0a000002, (uint16_t)(32768 + i % 28000), dport);

	e.known |= CT_KNOWN_STATE;
	e.state = state;
	e.timeout_s = timeout_s;
	e.status = CT_STATUS_SEEN_REPLY | CT_STATUS_ASSURED;
	return e;
}

TEST(churn_to_one_service_with_its_rate)
{
	struct summary s;

	EQ_INT(summary_init(&s, &defaults), 0);
	/* 100 connections a second for a long time: 12000 in TIME_WAIT, all ages */
	for (uint32_t i = 0; i < 12000; i++) {
		struct ct_entry e = tcp(i, 6379, CT_TCP_TIME_WAIT, i % 120);

		summary_add(&s, &e);
	}
	for (uint32_t i = 0; i < 50; i++) {
		struct ct_entry e = tcp(i, 443, CT_TCP_ESTABLISHED, 431990);

		summary_add(&s, &e);
	}
	summary_end(&s);
	EQ_INT(s.n, 12050);
	EQ_INT(s.n_services, 2);
	EQ_INT(s.top[0].port, 6379);
	EQ_INT(s.top[0].n_time_wait, 12000);
	EQ_INT(s.churn.port, 6379);
	OK(s.churn.rate_per_s > 99 && s.churn.rate_per_s < 101);
	OK(s.churn.residence_s > 119 && s.churn.residence_s < 121);
	EQ_INT(s.n_unassured, 0);
	EQ_INT(s.n_assured_closing, 12000);
	EQ_INT(s.churn.n_server, 12000);
	EQ_INT(s.n_nat, 0);
	EQ_INT(s.n_sources, 1);
	summary_fini(&s);
}

TEST(young_churn_is_not_diluted)
{
	struct summary s;

	EQ_INT(summary_init(&s, &defaults), 0);
	for (uint32_t i = 0; i < 1000; i++) {
		struct ct_entry e = tcp(i, 80, CT_TCP_TIME_WAIT, 119 - i % 10);

		summary_add(&s, &e);
	}
	summary_end(&s);
	OK(s.churn.rate_per_s > 85 && s.churn.rate_per_s < 101);
	/* nothing has left the table yet: the mean stay cannot be told, the level to come can */
	OK(s.churn.residence_s == 0);
	OK(s.churn.steady_n > 10000 && s.churn.steady_n < 13000);
}

TEST(idle_ages_and_what_cannot_be_judged)
{
	struct summary s;
	struct ct_entry e;

	EQ_INT(summary_init(&s, &defaults), 0);
	e = tcp(0, 80, CT_TCP_ESTABLISHED, 431999); /* fresh */
	summary_add(&s, &e);
	e = tcp(1, 80, CT_TCP_ESTABLISHED, 432000 - 90000); /* over a day */
	summary_add(&s, &e);
	e = tcp(2, 80, CT_TCP_ESTABLISHED, 299); /* data not acknowledged, or five days old */
	summary_add(&s, &e);
	e = tcp(3, 80, CT_TCP_ESTABLISHED, 500000); /* an older setting */
	summary_add(&s, &e);
	summary_end(&s);
	EQ_INT(s.age[0], 1);
	EQ_INT(s.age[6], 1);
	EQ_INT(s.n_aged, 2);
	EQ_INT(s.n_age_ambiguous, 1);
	EQ_INT(s.n_age_longer, 1);
	EQ_INT(s.top[0].n_idle_hour, 1);
}

TEST(flood_sources_are_estimated)
{
	struct summary s;

	EQ_INT(summary_init(&s, &defaults), 0);
	for (uint32_t i = 0; i < 50000; i++) {
		struct ct_entry e =
			entry(IPPROTO_TCP, 0x01000000 + i * 7919, 0x0a000002, 40000, 80);

		e.known |= CT_KNOWN_STATE;
		e.state = CT_TCP_SYN_SENT;
		e.timeout_s = i % 120;
		summary_add(&s, &e);
	}
	summary_end(&s);
	EQ_INT(s.n_opening, 50000);
	EQ_INT(s.n_unreplied_opening, 50000);
	EQ_INT(s.n_unassured, 50000);
	OK(s.n_opening_sources > 45000 && s.n_opening_sources < 55000);
	OK(s.top_opening_source.n - s.top_opening_source.error < 50);
}

TEST(one_scanner_is_named)
{
	struct summary s;

	EQ_INT(summary_init(&s, &defaults), 0);
	for (uint32_t i = 0; i < 10000; i++) {
		struct ct_entry e = entry(IPPROTO_TCP, i % 10 ? 0xc6336407 : 0x0a000000 + i,
					  0x0a000000 + i, 40000, (uint16_t)i);

		e.known |= CT_KNOWN_STATE;
		e.state = CT_TCP_SYN_SENT;
		summary_add(&s, &e);
	}
	summary_end(&s);
	EQ_INT(ntohl(s.top_opening_source.addr.ip4), 0xc6336407);
	OK(s.top_opening_source.n - s.top_opening_source.error >= 8900);
}

TEST(loopback_udp_and_direction)
{
	struct summary s;
	struct ct_entry e;

	EQ_INT(summary_init(&s, &defaults), 0);
	e = entry(IPPROTO_UDP, 0x7f000001, 0x7f000001, 40000, 53);
	e.known |= CT_KNOWN_COUNTERS;
	e.packets[0] = e.packets[1] = 1;
	summary_add(&s, &e);
	e = entry(IPPROTO_TCP, 0x0a000002, 0x0a000001, 6379, 42901); /* picked up backwards */
	summary_add(&s, &e);
	summary_end(&s);
	EQ_INT(s.n_loopback, 1);
	EQ_INT(s.n_udp_small, 1);
	EQ_INT(s.top[0].port, 6379);
	EQ_INT(ntohl(s.top[0].server.ip4), 0x0a000002);
	EQ_INT(s.top[1].port, 53);
}

TEST(unknown_flags_are_not_unassured)
{
	struct summary s;
	struct ct_entry e = entry(IPPROTO_UDP, 1, 2, 3, 4);

	e.known &= ~(uint32_t)CT_KNOWN_FLAGS;
	EQ_INT(summary_init(&s, &defaults), 0);
	summary_add(&s, &e);
	summary_end(&s);
	EQ_INT(s.n_flags, 0);
	EQ_INT(s.n_unassured, 0);
	EQ_INT(s.n_unreplied, 0);
}

TAP_MAIN(&tap_churn_to_one_service_with_its_rate, &tap_young_churn_is_not_diluted,
	 &tap_idle_ages_and_what_cannot_be_judged, &tap_flood_sources_are_estimated,
	 &tap_one_scanner_is_named, &tap_loopback_udp_and_direction,
	 &tap_unknown_flags_are_not_unassured)
