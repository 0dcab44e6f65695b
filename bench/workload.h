/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One deterministic workload for every tracker that is compared: flows, their packets, and the
 * phases in which they come. A tracker is one file with the functions at the end of this header;
 * workload.c holds main().
 *
 * Packets are written into a few buffers that stay in a near cache, as a network card with direct
 * cache access would leave them. What the writing costs is measured without a tracker and taken
 * off. Time is processor time: a busy machine makes it noisy, but does not add to it.
 */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WORKLOAD_BURST = 32, WORKLOAD_ROOM = 192, ETHERNET_SIZE = 14 };

enum workload_kind {
	WORKLOAD_UDP = 0,
	WORKLOAD_TCP = 1 << 0,
	WORKLOAD_IPV6 = 1 << 1,
	WORKLOAD_CHECKSUM = 1 << 2, /* right ones; else zero, to be vouched for */
};

struct workload_packet {
	uint32_t flow;
	bool is_reply;
	uint8_t tcp_flags;
	uint32_t seq, ack;
};

/* The packets of a TCP connection's life, with numbers that a window tracker accepts. */
enum { WORKLOAD_LIFE = 8 };
struct workload_packet workload_life(uint32_t flow, unsigned step);

/* Writes an Ethernet frame; its size. */
size_t workload_frame(uint8_t *frame, const struct workload_packet *p, unsigned kind);

/* A generator of chance: splitmix64. */
uint64_t workload_random(uint64_t *state);

/* Processor time of the calling thread. */
double workload_cpu_ns(void);

/* What a tracker is asked for on its command line. */
struct workload_options {
	uint64_t n;	  /* connections */
	uint64_t packets; /* of the established phase */
	unsigned kind;	  /* enum workload_kind */
	unsigned burst;	  /* packets a call; 0: by the functions for one packet */
	bool is_kernel;	  /* kernel fidelity */
};

/* To be supplied. The frames to write to; one call for @n of them at simulated time @now_ns;
 * facts beyond time, as " key=value" on standard output. */
void tracker_open(const struct workload_options *o, uint8_t *frame[WORKLOAD_BURST]);
void tracker_burst(uint8_t *const *frame, const size_t *size, unsigned n, int64_t now_ns);
void tracker_report(void);

#endif
