/* SPDX-License-Identifier: BSD-2-Clause
 *
 * mkpcap FILE PACKETS FLOWS udp|life: the workload as a capture of small packets with right
 * checksums. udp: random flows and directions; life: whole TCP connections, 32 at a time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "workload.h"

static struct workload_packet packet_of(uint32_t i, uint32_t flows, bool is_life, uint64_t *chance)
{
	uint64_t v;

	if (is_life)
		return workload_life(i / (WORKLOAD_BURST * WORKLOAD_LIFE) * WORKLOAD_BURST +
					     i % WORKLOAD_BURST,
				     i / WORKLOAD_BURST % WORKLOAD_LIFE);
	if (i < flows)
		return (struct workload_packet){ .flow = i };
	v = workload_random(chance);
	return (struct workload_packet){ .flow = (uint32_t)((v >> 32) * flows >> 32),
					 .is_reply = v & 1 };
}

int main(int argc, char **argv)
{
	enum { PER_S = 1000000, FROM_S = 1700000000 };
	const uint32_t head[6] = { 0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, 1 };
	uint64_t chance = 1;
	uint32_t n, flows;
	bool is_life;
	FILE *f;

	if (argc != 5 || !(f = fopen(argv[1], "wbe"))) {
		(void)fprintf(stderr, "usage: mkpcap FILE PACKETS FLOWS udp|life\n");
		return 2;
	}
	n = (uint32_t)strtoul(argv[2], NULL, 10);
	flows = (uint32_t)strtoul(argv[3], NULL, 10);
	is_life = strcmp(argv[4], "life") == 0;
	(void)fwrite(head, sizeof(head), 1, f);
	for (uint32_t i = 0; i < n; i++) {
		struct workload_packet p = packet_of(i, flows, is_life, &chance);
		uint8_t frame[WORKLOAD_ROOM] = { 0 };
		uint32_t size = (uint32_t)workload_frame(
			frame, &p, WORKLOAD_CHECKSUM | (is_life ? WORKLOAD_TCP : WORKLOAD_UDP));
		uint32_t record[4] = { FROM_S + i / PER_S, i % PER_S, size, size };

		(void)fwrite(record, sizeof(record), 1, f);
		(void)fwrite(frame, size, 1, f);
	}
	return fclose(f) == 0 ? 0 : 1;
}
