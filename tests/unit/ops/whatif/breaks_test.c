/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Entries that would be forgotten, beside the sockets of their machine.
 */
#include "ops/whatif/breaks.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "tap.h"

/* 10.0.0.1:6379 with a client 10.0.0.9:40000 on keepalive (70 s to go), 10.0.0.1:40001 to
 * 10.0.0.8:80 without a timer, and one over IPv6 that is IPv4; a listener; one in TIME_WAIT. */
static const char tcp[] =
	"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
	"   0: 0100000A:18EB 0900000A:9C40 01 00000000:00000000 02:00001B58 00000000 0 0 1\n"
	"   1: 0100000A:9C41 0800000A:0050 01 00000000:00000000 00:00000000 00000000 0 0 2\n"
	"   2: 0000000000000000FFFF00000100000A:18EB 0000000000000000FFFF00000900000A:9C42 01 "
	"00000000:00000000 00:00000000 00000000 0 0 3\n"
	"   3: 0100000A:18EB 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4\n"
	"   4: 0100000A:18EB 0900000A:9C43 06 00000000:00000000 03:00001000 00000000 0 0 0\n";
static const char trie[] = "Main:\n"
			   "  +-- 10.0.0.0/8 2 0 2\n"
			   "     |-- 10.0.0.0\n"
			   "        /24 link UNICAST\n"
			   "     |-- 10.0.0.1\n"
			   "        /32 host LOCAL\n"
			   "     |-- 10.0.0.255\n"
			   "        /32 link BROADCAST\n";

static struct ct_entry entry(uint32_t src, uint16_t sport, uint32_t dst, uint16_t dport)
{
	struct ct_entry e = { .known = CT_KNOWN_STATUS | CT_KNOWN_TIMEOUT | CT_KNOWN_STATE };

	e.tuple[0].family = CT_FAMILY_IPV4;
	e.tuple[0].proto = IPPROTO_TCP;
	e.tuple[0].src.ip4 = htonl(src);
	e.tuple[0].dst.ip4 = htonl(dst);
	e.tuple[0].src_part = htons(sport);
	e.tuple[0].dst_part = htons(dport);
	(void)ct_tuple_invert(&e.tuple[1], &e.tuple[0]);
	return e;
}

static struct whatif_idle idle(uint32_t idle_s, uint32_t then_s)
{
	return (struct whatif_idle){ .slot = WHATIF_TCP_ESTABLISHED,
				     .full_s = 432000,
				     .then_s = then_s,
				     .idle_s = idle_s,
				     .stands = idle_s < then_s,
				     .stands_otherwise = idle_s < then_s };
}

#define HERE   0x0a000001
#define CLIENT 0x0a000009

TEST(an_open_socket_breaks)
{
	struct endpoints *ends;
	struct breaks b = { 0 };
	struct ct_entry e = entry(CLIENT, 40000, HERE, 6379);
	struct whatif_idle i = idle(7000, 3600);

	EQ_INT(endpoints_of_text(tcp, trie, 1, &ends), 0);
	b.ends = ends;
	EQ_INT(breaks_add(&b, &e, &i), BREAKS_OPEN);
	EQ_INT(b.n_keepalive, 1);
	e = entry(HERE, 40001, 0x0a000008, 80);
	EQ_INT(breaks_add(&b, &e, &i), BREAKS_OPEN);
	EQ_INT(b.n_keepalive, 1);
	e = entry(CLIENT, 40002, HERE, 6379);
	EQ_INT(breaks_add(&b, &e, &i), BREAKS_OPEN);
	/* behind a translation the socket knows the other address: 10.0.0.7:80 is our 6379 */
	e = entry(CLIENT, 40000, 0x0a000007, 80);
	e.tuple[1] = entry(HERE, 6379, CLIENT, 40000).tuple[0];
	EQ_INT(breaks_add(&b, &e, &i), BREAKS_OPEN);
	EQ_INT(b.n[BREAKS_OPEN], 4);
	EQ_INT(b.n_examples, 4);
	endpoints_free(ends);
}

TEST(without_a_socket_it_depends_on_whose_end_it_was)
{
	struct endpoints *ends, *blind;
	struct breaks b = { 0 };
	struct ct_entry here = entry(CLIENT, 50000, HERE, 6379);
	struct ct_entry waits = entry(CLIENT, 40003, HERE, 6379);
	struct ct_entry through = entry(CLIENT, 50000, 0x08080808, 443);
	struct whatif_idle i = idle(7000, 3600);

	EQ_INT(endpoints_of_text(tcp, trie, 1, &ends), 0);
	EQ_INT(endpoints_of_text(tcp, NULL, 1, &blind), 0);
	EQ_INT(breaks_add(&b, &here, &i), BREAKS_UNKNOWN);
	b.ends = ends;
	EQ_INT(breaks_add(&b, &here, &i), BREAKS_GONE);
	EQ_INT(breaks_add(&b, &waits, &i), BREAKS_GONE);
	EQ_INT(breaks_add(&b, &through, &i), BREAKS_FORWARDED);
	b.ends = blind;
	EQ_INT(breaks_add(&b, &through, &i), BREAKS_UNKNOWN);
	endpoints_free(ends);
	endpoints_free(blind);
}

TEST(what_stands_may_probe_too_late)
{
	struct endpoints *ends;
	struct breaks b = { 0 };
	struct ct_entry keeps = entry(CLIENT, 40000, HERE, 6379);
	struct ct_entry silent = entry(HERE, 40001, 0x0a000008, 80);
	struct whatif_idle soon = idle(30, 101), late = idle(30, 100);

	EQ_INT(endpoints_of_text(tcp, trie, 1, &ends), 0);
	b.ends = ends;
	/* silent for 30 s, the probe in 70 s */
	EQ_INT(breaks_add(&b, &keeps, &soon), BREAKS_NOT);
	EQ_INT(b.n_late, 0);
	EQ_INT(breaks_add(&b, &keeps, &late), BREAKS_NOT);
	EQ_INT(b.n_late, 1);
	EQ_INT(breaks_add(&b, &silent, &soon), BREAKS_NOT);
	EQ_INT(b.n_silent, 1);
	endpoints_free(ends);
}

TEST(what_ends_anyway_breaks_nothing)
{
	struct breaks b = { 0 };
	struct ct_entry e = entry(CLIENT, 40000, HERE, 6379);
	struct whatif_idle i = idle(100, 30);

	i.slot = WHATIF_TCP_TIME_WAIT;
	EQ_INT(breaks_add(&b, &e, &i), BREAKS_NOT);
	i.slot = WHATIF_UDP_STREAM;
	EQ_INT(breaks_add(&b, &e, &i), BREAKS_OTHER);
}

TEST(thousands_of_sockets_are_found_again)
{
	static char text[4096 * 100];
	struct endpoints *ends;
	size_t len = 0;

	for (unsigned n = 0; n < 4096; n++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					"%u: 0100000A:18EB 0900000A:%04X 01 0:0 00:0 0 0 0 1\n", n,
					n + 1);
	EQ_INT(endpoints_of_text(text, "", 7, &ends), 0);
	for (uint16_t n = 0; n < 4096; n++) {
		struct ct_entry e = entry(CLIENT, n + 1, HERE, 6379);

		OK(endpoints_socket(ends, &e.tuple[1]) != NULL);
		OK(endpoints_socket(ends, &e.tuple[0]) == NULL);
	}
	endpoints_free(ends);
}

TAP_MAIN(&tap_an_open_socket_breaks, &tap_without_a_socket_it_depends_on_whose_end_it_was,
	 &tap_what_stands_may_probe_too_late, &tap_what_ends_anyway_breaks_nothing,
	 &tap_thousands_of_sockets_are_found_again)
