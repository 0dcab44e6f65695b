/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The engine as a tracker of bench/workload.h.
 */
#include <conntune/engine.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "workload.h"

/* One a thread: two engines share nothing. */
static _Thread_local struct {
	struct ct_engine *en;
	struct ct_packet packet[WORKLOAD_BURST];
	struct ct_packet *list[WORKLOAD_BURST];
	uint8_t frame[WORKLOAD_BURST][WORKLOAD_ROOM];
	unsigned burst;
	uint64_t n_refused;
} it;

void tracker_open(const struct workload_options *o, uint8_t *frame[WORKLOAD_BURST])
{
	struct ct_engine_config cfg;
	struct ct_err err = { "" };

	ct_engine_config_default(&cfg);
	cfg.max = (uint32_t)o->n + WORKLOAD_BURST;
	cfg.buckets = cfg.max;
	cfg.fidelity = o->is_kernel ? CT_FIDELITY_KERNEL : CT_FIDELITY_EXACT;
	for (unsigned i = 0; i < sizeof(cfg.seed); i++)
		cfg.seed[i] = (uint8_t)(i * 37 + 11);
	/* Ends by timeout are not what is measured. */
	cfg.settings.udp_timeout = 3600;
	it.en = ct_engine_new(&cfg, &err);
	if (!it.en) {
		(void)fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	it.burst = o->burst;
	for (unsigned i = 0; i < WORKLOAD_BURST; i++) {
		ct_packet_init(&it.packet[i], it.frame[i] + ETHERNET_SIZE, 0);
		it.packet[i].flags = CT_PACKET_CHECKSUM_OK;
		it.list[i] = &it.packet[i];
		frame[i] = it.frame[i];
	}
}

void tracker_burst(uint8_t *const *frame, const size_t *size, unsigned n, int64_t now_ns)
{
	(void)frame;
	for (unsigned i = 0; i < n; i++)
		it.packet[i].size = (uint32_t)(size[i] - ETHERNET_SIZE);
	if (it.burst == 0) {
		for (unsigned i = 0; i < n; i++) {
			ct_engine_in(it.en, &it.packet[i], now_ns);
			ct_engine_confirm(it.en, &it.packet[i], now_ns);
		}
	} else {
		for (unsigned i = 0; i < n; i += it.burst)
			ct_engine_burst(it.en, it.list + i, n - i < it.burst ? n - i : it.burst,
					now_ns);
	}
	for (unsigned i = 0; i < n; i++)
		it.n_refused += it.packet[i].info == CT_INFO_INVALID;
}

void tracker_report(void)
{
	struct ct_engine_stats s;

	ct_engine_stats(it.en, &s);
	printf(" connections=%" PRIu64 " engine_bytes=%.1f refused=%" PRIu64, s.count,
	       s.count ? (double)s.memory_bytes / (double)s.count : 0.0, it.n_refused);
	ct_engine_free(it.en);
}
