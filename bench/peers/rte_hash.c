/* SPDX-License-Identifier: BSD-2-Clause
 *
 * DPDK's rte_hash (Debian's libdpdk-dev) as a table of 64-byte sessions, for bench/workload.h:
 * one direction-free key a flow, looked up in bulk, no state machine. UDP and TCP over IPv4.
 */
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_hash.h>
#include <rte_hash_crc.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "workload.h"

struct key {
	uint32_t low, high;
	uint16_t low_port, high_port;
	uint32_t proto;
};

struct session {
	uint64_t packets[2], bytes[2];
	uint32_t last, seen;
	uint8_t room[24];
} __attribute__((aligned(64)));

static struct rte_hash *table;
static struct session *sessions;
static uint64_t n_sessions;
static unsigned burst_len;
static uint8_t frames[WORKLOAD_BURST][WORKLOAD_ROOM];

static void fail(const char *what)
{
	(void)fprintf(stderr, "%s: %s\n", what, rte_strerror(rte_errno));
	exit(1);
}

void tracker_open(const struct workload_options *o, uint8_t *frame[WORKLOAD_BURST])
{
	char *arguments[] = {
		"rte_hash", "--no-huge", "--no-pci", "--no-shconf", "--no-telemetry", "-m",
		"3072",	    "-l",	 "0"
	};
	struct rte_hash_parameters parameters = {
		.name = "sessions",
		.entries = (uint32_t)(o->n * 5 / 4 + 64),
		.key_len = sizeof(struct key),
		.hash_func = rte_hash_crc,
	};

	if (rte_eal_init(sizeof(arguments) / sizeof(arguments[0]), arguments) < 0)
		fail("rte_eal_init");
	table = rte_hash_create(&parameters);
	sessions = aligned_alloc(64, (o->n + WORKLOAD_BURST) * sizeof(*sessions));
	if (!table || !sessions)
		fail("rte_hash_create");
	burst_len = o->burst ? o->burst : 1;
	for (unsigned i = 0; i < WORKLOAD_BURST; i++)
		frame[i] = frames[i];
}

static inline bool make_key(const uint8_t *frame, struct key *k)
{
	const uint8_t *ip = frame + ETHERNET_SIZE;
	uint32_t src, dst;
	uint16_t from, to;
	bool is_high;

	memcpy(&src, ip + 12, 4);
	memcpy(&dst, ip + 16, 4);
	memcpy(&from, ip + 20, 2);
	memcpy(&to, ip + 22, 2);
	is_high = ((uint64_t)src << 16 | from) > ((uint64_t)dst << 16 | to);
	*k = (struct key){ is_high ? dst : src, is_high ? src : dst, is_high ? to : from,
			   is_high ? from : to, ip[9] };
	return is_high;
}

static uint64_t add(const struct key *k)
{
	uint64_t number = n_sessions++;

	if (rte_hash_add_key_data(table, k, (void *)number) < 0)
		fail("rte_hash_add_key_data");
	memset(&sessions[number], 0, sizeof(sessions[number]));
	return number;
}

static void track(uint8_t *const *frame, const size_t *size, unsigned n, int64_t now_ns)
{
	struct key key[WORKLOAD_BURST];
	const void *pointer[WORKLOAD_BURST];
	void *data[WORKLOAD_BURST];
	bool is_high[WORKLOAD_BURST];
	uint64_t hits = 0;

	for (unsigned i = 0; i < n; i++) {
		is_high[i] = make_key(frame[i], &key[i]);
		pointer[i] = &key[i];
	}
	(void)rte_hash_lookup_bulk_data(table, pointer, n, &hits, data);
	for (unsigned i = 0; i < n; i++)
		if (hits >> i & 1)
			__builtin_prefetch(&sessions[(uint64_t)data[i]], 1);
	for (unsigned i = 0; i < n; i++) {
		struct session *s = &sessions[hits >> i & 1 ? (uint64_t)data[i] : add(&key[i])];

		s->packets[is_high[i]]++;
		s->bytes[is_high[i]] += size[i];
		s->last = (uint32_t)(now_ns / 1000000);
		s->seen |= 1U << is_high[i];
	}
}

void tracker_burst(uint8_t *const *frame, const size_t *size, unsigned n, int64_t now_ns)
{
	for (unsigned i = 0; i < n; i += burst_len)
		track(frame + i, size + i, n - i < burst_len ? n - i : burst_len, now_ns);
}

void tracker_report(void)
{
	printf(" connections=%lu", (unsigned long)n_sessions);
}
