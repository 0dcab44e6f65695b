/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The packet path: any bytes go through the tracker, in both fidelities, without a fault, and the
 * count is what the table holds.
 *
 * The input is a stream of packets, each after a byte of its length in 4 bytes, and a byte of
 * which the low bits are the hook and flags and the rest a pause in quarters of a second.
 */
#include <conntune/engine.h>
#include <stdlib.h>

#include "fuzz/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_PACKETS = 512 };

static void check(const struct ct_engine *en)
{
	struct ct_cursor at = { 0, 0 };
	struct ct_engine_stats s;
	struct ct_entry e;
	uint64_t n = 0;

	while (ct_engine_next(en, &at, &e) > 0) {
		struct ct_text text;
		char line[1024];

		ct_text_init(&text, line, sizeof(line));
		(void)ct_entry_format(&e, CT_FORM_PROC, 0, &text);
		n++;
	}
	ct_engine_stats(en, &s);
	if (n > s.count || s.count > s.peak)
		abort();
}

static void run(const uint8_t *data, size_t size, enum ct_fidelity fidelity)
{
	static struct arena arena;
	struct ct_engine_config cfg;
	struct ct_engine *en;
	ct_time now = 0;

	ct_engine_config_default(&cfg);
	cfg.max = 16;
	cfg.buckets = 512;
	cfg.fidelity = fidelity;
	cfg.settings.acct = 1;
	cfg.settings.timestamp = 1;
	/* Days of an established connection are a collector's slice for each of their minutes. */
	cfg.settings.tcp_timeout_established = 1800;
	cfg.memory = arena_begin(&arena, size);
	en = ct_engine_new(&cfg, NULL);
	if (!en)
		abort();
	for (unsigned i = 0; i < MAX_PACKETS && size > 2; i++) {
		size_t len = (size_t)data[0] * 4;
		uint8_t how = data[1];
		struct ct_packet p;

		data += 2;
		size -= 2;
		len = len < size ? len : size;
		ct_packet_init(&p, data, len);
		p.hook = how & 1 ? CT_HOOK_OUTPUT : CT_HOOK_PREROUTING;
		p.flags = how & 2 ? CT_PACKET_CHECKSUM_OK : 0;
		p.helper = how >> 6;
		now += (how >> 2) * CT_NS_PER_S / 4;
		if (!(how & 4) || ct_packet_receive(&p) == 0) {
			ct_engine_in(en, &p, now);
			if (how & 8)
				ct_engine_release(en, &p);
			else
				ct_engine_confirm(en, &p, now);
		}
		data += len;
		size -= len;
	}
	check(en);
	ct_engine_advance(en, now + CT_NS_PER_S * 3600);
	check(en);
	ct_engine_free(en);
	arena_end(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	run(data, size, CT_FIDELITY_EXACT);
	run(data, size, CT_FIDELITY_KERNEL);
	return 0;
}
