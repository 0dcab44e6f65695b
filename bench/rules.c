/* SPDX-License-Identifier: BSD-2-Clause
 *
 * rules judge: what rules cost a packet, one line of key=value each: a known connection whose state
 * is accepted first, and new packets through chains of 100 and of 10,000 rules of an address and a
 * port, none of them the packet's. The least of many bursts of 32 counts, so that a neighbour's
 * work does not.
 *
 * rules print N: such a chain of N rules on stdout, for OUTPUT.
 *
 * rules send N: sends N datagrams to the loopback, and says how long each takes (run-rules does so
 * where the kernel's chains are those of print).
 */
#include <arpa/inet.h>
#include <conntune/ruleset.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/clean.h"

enum { BURST = 32, ROUNDS = 20000 };

static double now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void put_rules(struct ct_buf *text, unsigned n, const char *chain)
{
	(void)ct_buf_printf(text, "*filter\n");
	for (unsigned i = 0; i < n; i++)
		(void)ct_buf_printf(text,
				    "-A %s -d 10.%u.%u.%u/32 -p udp -m udp --dport %u -j DROP\n",
				    chain, i >> 14 & 255, i >> 7 & 127, i & 127, 1024 + i % 50000);
	(void)ct_buf_printf(text, "COMMIT\n");
}

/* The least time that a packet takes in a burst, in ns. */
static double judge(const char *text, size_t len, enum ct_info info)
{
	uint8_t bytes[BURST][28] = { { 0 } };
	struct ct_packet packets[BURST];
	struct ct_entry entry = { .status = CT_STATUS_CONFIRMED };
	struct ct_rule_packet r = { .entry = &entry, .in = "lan0", .out = "wan0", .now = 1 };
	struct ct_rule_outcome out;
	struct ct_ruleset *rs = ct_ruleset_parse(text, len, CT_SYNTAX_IPTABLES, NULL);
	double least = 1e18;

	if (!rs)
		return 0;
	for (unsigned i = 0; i < BURST; i++) {
		const uint8_t head[28] = { 0x45, 0, 0,		28,  0, 0, 0, 0, 64, 17, 0,  0, 10,
					   9,	 0, (uint8_t)i, 192, 0, 2, 1, 4, 0,  0,	 53, 0, 8 };

		memcpy(bytes[i], head, sizeof(head));
		ct_packet_init(&packets[i], bytes[i], sizeof(bytes[i]));
		(void)ct_packet_parse(&packets[i]);
		packets[i].info = (uint8_t)info;
	}
	for (unsigned round = 0; round < ROUNDS; round++) {
		double begin = now_ns(), took;

		for (unsigned i = 0; i < BURST; i++) {
			r.packet = &packets[i];
			(void)ct_ruleset_judge(rs, "filter", CT_AT_FORWARD, &r, &out);
		}
		took = (now_ns() - begin) / BURST;
		least = took < least ? took : least;
	}
	ct_ruleset_free(rs);
	return least;
}

static void judge_all(void)
{
	static const char first[] = "*filter\n-A FORWARD -m conntrack --ctstate "
				    "RELATED,ESTABLISHED -j ACCEPT\nCOMMIT\n";
	double ns[2];

	printf("rules=established_first known_ns=%.1f target=40\n",
	       judge(first, sizeof(first) - 1, CT_INFO_ESTABLISHED));
	for (unsigned i = 0; i < 2; i++) {
		auto_fini(ct_buf) struct ct_buf text = { 0 };

		put_rules(&text, i ? 10000 : 100, "FORWARD");
		ns[i] = judge(text.p, text.len, CT_INFO_NEW);
		printf("rules=%u new_ns=%.1f\n", i ? 10000 : 100, ns[i]);
	}
	printf("rules=10000/100 ratio=%.2f target=5\n", ns[1] / ns[0]);
}

static int send_all(unsigned n)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	double least = 1e18;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (unsigned i = 0; fd >= 0 && i < n; i++) {
		double begin = now_ns(), took;

		(void)sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to));
		took = now_ns() - begin;
		least = took < least ? took : least;
	}
	if (fd >= 0)
		(void)close(fd);
	printf("%.0f\n", least);
	return fd < 0;
}

int main(int argc, char **argv)
{
	auto_fini(ct_buf) struct ct_buf text = { 0 };

	if (argc == 2 && strcmp(argv[1], "judge") == 0) {
		judge_all();
		return 0;
	}
	if (argc == 3 && strcmp(argv[1], "send") == 0)
		return send_all((unsigned)strtoul(argv[2], NULL, 10));
	if (argc != 3 || strcmp(argv[1], "print") != 0)
		return 2;
	put_rules(&text, (unsigned)strtoul(argv[2], NULL, 10), "OUTPUT");
	return fwrite(text.p, 1, text.len, stdout) == text.len ? 0 : 1;
}
