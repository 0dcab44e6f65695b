/* SPDX-License-Identifier: BSD-2-Clause
 *
 * TRACKER PHASE CONNECTIONS PACKETS KIND [BURST]: one line of key=value, see bench/README.md.
 * PHASE: established, life, pair (established, by two threads with a tracker each). KIND: udp, tcp,
 * udp6, tcp6. BURST: 1 to 32, one (a call for each packet), kernel (32 in kernel fidelity).
 */
#include "workload.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FIN = 1, SYN = 2, PSH = 8, ACK = 16 };
/* Ten million packets a second of simulated time. */
enum { NS_PER_PACKET = 100 };

uint64_t workload_random(uint64_t *state)
{
	uint64_t v = (*state += UINT64_C(0x9e3779b97f4a7c15));

	v = (v ^ v >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	v = (v ^ v >> 27) * UINT64_C(0x94d049bb133111eb);
	return v ^ v >> 31;
}

double workload_cpu_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

struct workload_packet workload_life(uint32_t flow, unsigned step)
{
	static const struct workload_packet life[WORKLOAD_LIFE] = {
		{ 0, false, SYN, 1000, 0 },	    { 0, true, SYN | ACK, 5000, 1001 },
		{ 0, false, ACK, 1001, 5001 },	    { 0, false, ACK | PSH, 1001, 5001 },
		{ 0, true, ACK, 5001, 1001 },	    { 0, false, FIN | ACK, 1001, 5001 },
		{ 0, true, FIN | ACK, 5001, 1002 }, { 0, false, ACK, 1002, 5002 },
	};
	struct workload_packet p = life[step];

	p.flow = flow;
	return p;
}

/* The two ends of a flow. The client's address is a bijective scramble of the flow's number, so
 * no two flows are alike; servers' ports are skewed as they are in life. */
struct ends {
	uint32_t client, server;
	uint16_t client_port, server_port;
};

static inline struct ends ends_of(uint32_t flow)
{
	static const uint16_t ports[16] = { 443, 443, 443, 443, 443, 443, 80,	80,
					    80,	 53,  53,  22,	25,  993, 3306, 8080 };
	uint64_t m = (uint64_t)(flow + 1) * UINT64_C(0xd6e8feb86659fd93);

	m ^= m >> 32;
	return (struct ends){
		.client = htonl(0x0a000000U + ((flow * 0x9e3779b1U) & 0x3ffffffU)),
		.server = htonl(0xc6120000U | (uint32_t)(m & 0xffff)),
		.client_port = htons((uint16_t)(1024 + (m >> 16) % 64000)),
		.server_port = htons(ports[m >> 40 & 15]),
	};
}

static inline void put16(uint8_t *at, uint16_t v)
{
	memcpy(at, &v, sizeof(v));
}

static inline void put32(uint8_t *at, uint32_t v)
{
	memcpy(at, &v, sizeof(v));
}

static inline uint32_t sum16(const uint8_t *p, size_t size)
{
	uint32_t sum = 0;

	for (; size > 1; size -= 2, p += 2) {
		uint16_t v;

		memcpy(&v, p, sizeof(v));
		sum += v;
	}
	return sum;
}

static inline uint16_t fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~(sum + (sum >> 16));
}

static inline void put_ipv4(uint8_t *ip, const struct ends *e, bool is_reply, uint8_t proto,
			    size_t l4_size)
{
	put32(ip, htonl(0x45000000U | (uint32_t)(20 + l4_size)));
	put32(ip + 4, htonl(0x00004000U));
	ip[8] = 64;
	ip[9] = proto;
	put16(ip + 10, 0);
	put32(ip + 12, is_reply ? e->server : e->client);
	put32(ip + 16, is_reply ? e->client : e->server);
	put16(ip + 10, fold(sum16(ip, 20)));
}

static inline void put_ipv6(uint8_t *ip, const struct ends *e, bool is_reply, uint8_t proto,
			    size_t l4_size)
{
	static const uint8_t prefix[12] = { 0x20, 0x01, 0x0d, 0xb8 };
	uint8_t *client = ip + (is_reply ? 24 : 8), *server = ip + (is_reply ? 8 : 24);

	put32(ip, htonl(0x60000000U));
	put16(ip + 4, htons((uint16_t)l4_size));
	ip[6] = proto;
	ip[7] = 64;
	memcpy(client, prefix, sizeof(prefix));
	memcpy(server, prefix, sizeof(prefix));
	put32(client + 12, e->client);
	put32(server + 12, e->server);
}

static inline void put_tcp(uint8_t *l4, const struct workload_packet *p)
{
	put32(l4 + 4, htonl(p->seq));
	put32(l4 + 8, htonl(p->ack));
	l4[12] = 5 << 4;
	l4[13] = p->tcp_flags;
	put16(l4 + 14, 65535);
	put32(l4 + 16, 0);
}

static inline size_t put_frame(uint8_t *frame, const struct workload_packet *p, unsigned kind)
{
	bool is_tcp = kind & WORKLOAD_TCP, is_v6 = kind & WORKLOAD_IPV6;
	size_t ip_size = is_v6 ? 40 : 20, l4_size = is_tcp ? 20 : 26;
	uint8_t *ip = frame + ETHERNET_SIZE, *l4 = ip + ip_size, proto = is_tcp ? 6 : 17;
	struct ends e = ends_of(p->flow);

	memcpy(frame, "\2\0\0\0\0\12\2\0\0\0\0\11", 12);
	put16(frame + 12, is_v6 ? htons(0x86dd) : htons(0x0800));
	if (is_v6)
		put_ipv6(ip, &e, p->is_reply, proto, l4_size);
	else
		put_ipv4(ip, &e, p->is_reply, proto, l4_size);
	put16(l4, p->is_reply ? e.server_port : e.client_port);
	put16(l4 + 2, p->is_reply ? e.client_port : e.server_port);
	if (is_tcp) {
		put_tcp(l4, p);
	} else {
		put16(l4 + 4, htons((uint16_t)l4_size));
		put16(l4 + 6, 0);
	}
	if (kind & WORKLOAD_CHECKSUM) {
		size_t addr = is_v6 ? 32 : 8;
		uint16_t sum =
			fold(sum16(l4 - addr, addr + l4_size) + htons((uint16_t)(proto + l4_size)));

		put16(l4 + (is_tcp ? 16 : 6), sum);
	}
	return ETHERNET_SIZE + ip_size + l4_size;
}

size_t workload_frame(uint8_t *frame, const struct workload_packet *p, unsigned kind)
{
	return put_frame(frame, p, kind);
}

#ifndef WORKLOAD_NO_MAIN

struct run {
	struct workload_options o;
	uint8_t *frame[WORKLOAD_BURST];
	int64_t now_ns;
};

/* With a tracker or, to know what the writing costs, without. */
static void pass(struct run *r, const size_t *size, bool is_tracked)
{
	if (is_tracked) {
		r->now_ns += WORKLOAD_BURST * NS_PER_PACKET;
		tracker_burst(r->frame, size, WORKLOAD_BURST, r->now_ns);
	} else {
		__asm__ volatile("" : : : "memory");
	}
}

/* The @step-th packet of every flow in turn; ns a packet. */
static double in_order(struct run *r, unsigned step, bool is_tracked)
{
	size_t size[WORKLOAD_BURST];
	uint64_t done = 0;
	double begin = workload_cpu_ns();

	while (done < r->o.n) {
		for (unsigned i = 0; i < WORKLOAD_BURST; i++) {
			struct workload_packet p = workload_life((uint32_t)(done++ % r->o.n), step);

			size[i] = put_frame(r->frame[i], &p, r->o.kind);
		}
		pass(r, size, is_tracked);
	}
	return (workload_cpu_ns() - begin) / (double)done;
}

/* Random flows and directions. */
static double at_random(struct run *r, uint64_t packets, bool is_tracked)
{
	size_t size[WORKLOAD_BURST];
	uint64_t chance = 12345, done = 0;
	double begin = workload_cpu_ns();

	for (; done < packets; done += WORKLOAD_BURST) {
		for (unsigned i = 0; i < WORKLOAD_BURST; i++) {
			uint64_t v = workload_random(&chance);
			bool is_reply = v & 1;
			struct workload_packet p = {
				.flow = (uint32_t)((v >> 32) * r->o.n >> 32),
				.is_reply = is_reply,
				.tcp_flags = ACK,
				.seq = is_reply ? 5001 : 1001,
				.ack = is_reply ? 1001 : 5001,
			};

			size[i] = put_frame(r->frame[i], &p, r->o.kind);
		}
		pass(r, size, is_tracked);
	}
	return (workload_cpu_ns() - begin) / (double)done;
}

/* Whole lives, 32 at a time, one step of each in turn. */
static double lives(struct run *r, bool is_tracked)
{
	size_t size[WORKLOAD_BURST];
	uint64_t done = 0;
	double begin = workload_cpu_ns();

	for (uint64_t first = 0; first < r->o.n; first += WORKLOAD_BURST)
		for (unsigned step = 0; step < WORKLOAD_LIFE; step++) {
			for (unsigned i = 0; i < WORKLOAD_BURST; i++) {
				struct workload_packet p = workload_life((uint32_t)first + i, step);

				size[i] = put_frame(r->frame[i], &p, r->o.kind);
			}
			pass(r, size, is_tracked);
			done += WORKLOAD_BURST;
		}
	return (workload_cpu_ns() - begin) / (double)done;
}

static long rss_kib(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	long kib = 0;

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, "VmRSS:", 6) == 0)
			kib = strtol(line + 6, NULL, 10);
	if (f)
		(void)fclose(f);
	return kib;
}

static void measure_established(struct run *r)
{
	double write_new = in_order(r, 0, false), write = at_random(r, r->o.packets, false);
	long before = rss_kib();
	double begun = in_order(r, 0, true) - write_new;
	long after = rss_kib();
	double replied = in_order(r, 1, true) - write_new, established;

	if (r->o.kind & WORKLOAD_TCP)
		(void)in_order(r, 2, true);
	(void)at_random(r, r->o.packets / 4, true);
	established = at_random(r, r->o.packets, true) - write;
	printf("new_ns=%.1f reply_ns=%.1f established_ns=%.1f rss_bytes=%.1f", begun, replied,
	       established, (double)(after - before) * 1024 / (double)r->o.n);
}

static void measure_life(struct run *r)
{
	double write = lives(r, false), tracked = lives(r, true);

	printf("life_ns=%.1f", tracked - write);
}

/* One of the two, or the one, of measure_pair(). */
struct side {
	struct run r;
	pthread_t thread;
	pthread_barrier_t *barrier;
	size_t core;
	double ns;
};

static void *side_run(void *argument)
{
	struct side *s = argument;
	cpu_set_t cores;

	CPU_ZERO(&cores);
	CPU_SET(s->core, &cores);
	(void)pthread_setaffinity_np(pthread_self(), sizeof(cores), &cores);
	tracker_open(&s->r.o, s->r.frame);
	(void)in_order(&s->r, 0, true);
	(void)in_order(&s->r, 1, true);
	(void)pthread_barrier_wait(s->barrier);
	s->ns = at_random(&s->r, s->r.o.packets, true);
	return NULL;
}

/* The mean cost of a packet, writing it included, with @n sides at once. */
static double run_sides(const struct run *r, unsigned n)
{
	struct side side[2];
	pthread_barrier_t barrier;
	double sum = 0;

	(void)pthread_barrier_init(&barrier, NULL, n);
	for (unsigned i = 0; i < n; i++) {
		side[i] = (struct side){ .r = *r, .barrier = &barrier, .core = i };
		if (pthread_create(&side[i].thread, NULL, side_run, &side[i]) != 0)
			exit(1);
	}
	for (unsigned i = 0; i < n; i++) {
		(void)pthread_join(side[i].thread, NULL);
		sum += side[i].ns;
	}
	return sum / n;
}

static void measure_pair(const struct run *r)
{
	double one = run_sides(r, 1), two = run_sides(r, 2);

	printf("one_ns=%.1f two_ns=%.1f speedup=%.2f", one, two, 2 * one / two);
}

static unsigned kind_of(const char *name)
{
	return (strncmp(name, "tcp", 3) == 0 ? WORKLOAD_TCP : WORKLOAD_UDP) |
	       (strchr(name, '6') ? WORKLOAD_IPV6 : 0U);
}

int main(int argc, char **argv)
{
	struct run r = { .now_ns = INT64_C(1000000000) };

	if (argc < 5) {
		(void)fprintf(stderr, "usage: %s PHASE CONNECTIONS PACKETS KIND [BURST]\n",
			      argv[0]);
		return 2;
	}
	r.o.n = strtoull(argv[2], NULL, 10);
	r.o.packets = strtoull(argv[3], NULL, 10);
	r.o.kind = kind_of(argv[4]);
	r.o.burst = WORKLOAD_BURST;
	if (argc > 5 && strcmp(argv[5], "kernel") == 0)
		r.o.is_kernel = true;
	else if (argc > 5)
		r.o.burst = (unsigned)strtoul(argv[5], NULL, 10);
	if (r.o.n == 0 || r.o.burst > WORKLOAD_BURST)
		return 2;
	if (strcmp(argv[1], "pair") == 0) {
		measure_pair(&r);
	} else {
		tracker_open(&r.o, r.frame);
		if (strcmp(argv[1], "life") == 0)
			measure_life(&r);
		else
			measure_established(&r);
		tracker_report();
	}
	printf("\n");
	return 0;
}

#endif
