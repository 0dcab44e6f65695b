/* SPDX-License-Identifier: BSD-2-Clause
 *
 * engine [CONNECTIONS [PACKETS]]: what the tracker costs on one core, in nanoseconds a packet and
 * bytes a connection.
 *
 * The workload: connection i has addresses and ports of its own, drawn from i; packets are written
 * into a few buffers that stay in near cache, as a network card would leave them, and the cost of
 * writing them is measured alone and taken off. Established traffic picks connection and
 * direction at random.
 */
#include <conntune/engine.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/number.h"

enum { BURST = 32, ROUNDS = 3, FRAME = 64, SYN = 2, ACK = 16, FIN = 1 };

static uint64_t mix(uint64_t v)
{
	v += UINT64_C(0x9e3779b97f4a7c15);
	v = (v ^ v >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	v = (v ^ v >> 27) * UINT64_C(0x94d049bb133111eb);
	return v ^ v >> 31;
}

static double seconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void put16(uint8_t *at, unsigned v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static void put32(uint8_t *at, uint32_t v)
{
	put16(at, v >> 16);
	put16(at + 2, v & 0xffff);
}

/* One step of a connection's life. */
struct step {
	bool is_reply;
	uint8_t flags;
	uint32_t seq, ack;
};

static const struct step life[] = {
	{ false, SYN, 1000, 0 },	 { true, SYN | ACK, 5000, 1001 },
	{ false, ACK, 1001, 5001 },	 { false, ACK, 1001, 5001 },
	{ true, ACK, 5001, 1001 },	 { false, FIN | ACK, 1001, 5001 },
	{ true, FIN | ACK, 5001, 1002 }, { false, ACK, 1002, 5002 },
};
enum { LIFE = sizeof(life) / sizeof(life[0]) };

struct buffers {
	uint8_t bytes[BURST][FRAME];
	struct ct_packet packets[BURST];
	struct ct_packet *list[BURST];
};

static void write_packet(uint8_t *b, uint32_t i, bool is_tcp, const struct step *s)
{
	static const uint16_t services[] = { 443, 443, 443, 443, 443, 443, 80,	 80,
					     80,  53,  53,  22,	 25,  993, 3306, 8080 };
	uint64_t chance = mix(i);
	uint32_t client = 0x0a000000U | (i & 0xffffffU);
	uint32_t server = 0xc6120000U | (uint32_t)(chance & 0xffff) | (i >> 24) << 16;
	unsigned port = 1024 + (unsigned)(chance >> 16) % 64000;
	unsigned service = services[chance >> 40 & 15];

	memset(b, 0, FRAME);
	b[0] = 0x45;
	put16(b + 2, is_tcp ? 40 : 46);
	b[8] = 64;
	b[9] = is_tcp ? 6 : 17;
	put32(b + 12, s->is_reply ? server : client);
	put32(b + 16, s->is_reply ? client : server);
	put16(b + 20, s->is_reply ? service : port);
	put16(b + 22, s->is_reply ? port : service);
	if (!is_tcp) {
		put16(b + 24, 26);
		return;
	}
	put32(b + 24, s->seq);
	put32(b + 28, s->ack);
	b[32] = 5 << 4;
	b[33] = s->flags;
	put16(b + 34, 65535);
}

enum phase { NEW, REPLY, THIRD, ESTABLISHED, WHOLE_LIFE };

/* The cost of @n packets of a phase, in ns a packet; without an engine, of writing them. */
static double run(struct ct_engine *en, struct buffers *b, enum phase phase, uint32_t connections,
		  uint64_t n, bool is_tcp, unsigned burst)
{
	uint64_t chance = 12345;
	double begin = seconds();
	ct_time now = CT_NS_PER_S;

	for (uint64_t done = 0; done < n; done += BURST) {
		for (unsigned k = 0; k < BURST; k++) {
			uint32_t i = (uint32_t)((done + k) % connections);
			struct step s = life[phase == NEW ? 0 : phase == REPLY ? 1 : 2];

			if (phase == ESTABLISHED) {
				chance = mix(chance);
				i = (uint32_t)((chance >> 32) * connections >> 32);
				s = life[chance & 1 ? 4 : 3];
			} else if (phase == WHOLE_LIFE) {
				s = life[done / BURST % LIFE];
				i = (uint32_t)(done / BURST / LIFE * BURST + k);
			}
			write_packet(b->bytes[k], i, is_tcp, &s);
			ct_packet_init(&b->packets[k], b->bytes[k], is_tcp ? 40 : 46);
			b->packets[k].flags = CT_PACKET_CHECKSUM_OK;
		}
		for (unsigned k = 0; en && k < BURST; k += burst)
			ct_engine_burst(en, b->list + k, burst, now);
		now += 100;
	}
	return (seconds() - begin) * 1e9 / (double)n;
}

/* The same, less the cost of the workload itself; the best of some rounds when repeatable. */
static double net(struct ct_engine *en, struct buffers *b, enum phase phase, uint32_t connections,
		  uint64_t n, bool is_tcp, unsigned burst)
{
	unsigned rounds = phase == ESTABLISHED ? ROUNDS : 1;
	double best = 1e9, empty = 1e9;

	for (unsigned i = 0; i < rounds; i++) {
		double e = run(NULL, b, phase, connections, n, is_tcp, burst);
		double t = run(en, b, phase, connections, n, is_tcp, burst);

		empty = e < empty ? e : empty;
		best = t < best ? t : best;
	}
	return best - empty;
}

static struct ct_engine *engine(uint32_t max, enum ct_fidelity fidelity)
{
	struct ct_engine_config cfg;
	struct ct_engine *en;
	struct ct_err err;

	ct_engine_config_default(&cfg);
	cfg.max = max;
	cfg.buckets = max;
	cfg.fidelity = fidelity;
	memcpy(cfg.seed, "a seed of a test", 16);
	en = ct_engine_new(&cfg, &err);
	if (!en) {
		(void)fprintf(stderr, "engine: %s\n", err.text);
		exit(1);
	}
	return en;
}

static void measure(struct buffers *b, uint32_t connections, uint64_t packets, bool is_tcp,
		    enum ct_fidelity fidelity)
{
	struct ct_engine *en = engine(connections, fidelity);
	struct ct_engine_stats s;
	double begun, at32, at1, one;

	begun = net(en, b, NEW, connections, connections, is_tcp, BURST);
	(void)run(en, b, REPLY, connections, connections, is_tcp, BURST);
	if (is_tcp)
		(void)run(en, b, THIRD, connections, connections, is_tcp, BURST);
	at32 = net(en, b, ESTABLISHED, connections, packets, is_tcp, BURST);
	at1 = net(en, b, ESTABLISHED, connections, packets / 4, is_tcp, 1);
	one = net(en, b, ESTABLISHED, 1, packets, is_tcp, BURST);
	ct_engine_stats(en, &s);
	printf("bench=engine proto=%s fidelity=%s connections=%llu new_ns=%.0f established_ns=%.0f "
	       "established_alone_ns=%.0f hot_ns=%.0f bytes_per_connection=%.1f invalid=%llu\n",
	       is_tcp ? "tcp" : "udp", fidelity == CT_FIDELITY_EXACT ? "exact" : "kernel",
	       (unsigned long long)s.count, begun, at32, at1, one,
	       (double)s.memory_bytes / (double)s.count, (unsigned long long)s.invalid);
	ct_engine_free(en);
}

static void measure_life(struct buffers *b, uint32_t connections, enum ct_fidelity fidelity)
{
	uint32_t lives = connections / BURST * BURST;
	struct ct_engine *en = engine(connections, fidelity);
	double ns = net(en, b, WHOLE_LIFE, lives, (uint64_t)lives * LIFE, true, BURST);

	printf("bench=engine_life fidelity=%s connections=%u packet_ns=%.0f connection_ns=%.0f\n",
	       fidelity == CT_FIDELITY_EXACT ? "exact" : "kernel", lives, ns, ns * LIFE);
	ct_engine_free(en);
}

int main(int argc, char **argv)
{
	static struct buffers b;
	uint64_t connections = 1000000, packets = 8000000;

	if ((argc > 1 && ct_number_u64(argv[1], strlen(argv[1]), UINT32_MAX, &connections) < 0) ||
	    (argc > 2 && ct_number_u64(argv[2], strlen(argv[2]), UINT32_MAX, &packets) < 0) ||
	    connections < BURST) {
		(void)fputs("usage: engine [CONNECTIONS [PACKETS]]\n", stderr);
		return 2;
	}
	for (unsigned k = 0; k < BURST; k++)
		b.list[k] = &b.packets[k];
	for (int f = CT_FIDELITY_EXACT; f <= CT_FIDELITY_KERNEL; f++) {
		measure(&b, (uint32_t)connections, packets, false, (enum ct_fidelity)f);
		measure(&b, (uint32_t)connections, packets, true, (enum ct_fidelity)f);
		measure_life(&b, (uint32_t)connections, (enum ct_fidelity)f);
	}
	return 0;
}
