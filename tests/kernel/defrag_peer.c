/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the library makes of fragments, for fragments_test.py to compare with the kernel: reads
 * packets (struct record, bytes), answers each with what became of it (1 byte), its tracking state
 * (1 byte), size (4 bytes) and bytes; the counters come last.
 *
 *     defrag_peer [SETTING=VALUE...] < packets > answers
 */
#include <conntune/defrag.h>
#include <conntune/engine.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REFUSED = 255 };

struct record {
	uint32_t size, at_ms;
	uint16_t zone;
	uint8_t zone_dir, flags, iif, hook, unused[2];
};

static int set(struct ct_defrag_settings *s, const char *text)
{
	const char *equals = strchr(text, '=');
	uint64_t *value, highest;

	if (!equals ||
	    ct_defrag_setting_find(s, text, (size_t)(equals - text), &value, &highest) < 0)
		return -1;
	*value = strtoull(equals + 1, NULL, 10);
	return 0;
}

static void answer(uint8_t result, const struct ct_packet *p, bool goes_on)
{
	uint8_t info = goes_on ? p->info : 0;
	uint32_t size = goes_on ? p->size : 0;

	fwrite(&result, 1, 1, stdout);
	fwrite(&info, 1, 1, stdout);
	fwrite(&size, 4, 1, stdout);
	fwrite(p->data, 1, size, stdout);
}

static void feed(struct ct_defrag *d, struct ct_engine *en, struct ct_packet *p, ct_time now)
{
	enum ct_defrag_result r;

	if (p->hook == CT_HOOK_PREROUTING && ct_packet_receive(p) < 0) {
		answer(REFUSED, p, false);
		return;
	}
	r = ct_defrag_in(d, p, now);
	if (r == CT_DEFRAG_WAIT || r == CT_DEFRAG_DROP) {
		answer((uint8_t)r, p, false);
		return;
	}
	ct_engine_in(en, p, now);
	ct_engine_release(en, p);
	answer((uint8_t)r, p, true);
}

static void counters(const struct ct_defrag *d)
{
	struct ct_defrag_stats s;

	for (unsigned i = 0; i < 2; i++) {
		ct_defrag_stats(d, i ? CT_FAMILY_IPV6 : CT_FAMILY_IPV4, &s);
		fwrite(&s.requests, 8, 1, stdout);
		fwrite(&s.oks, 8, 1, stdout);
		fwrite(&s.fails, 8, 1, stdout);
		fwrite(&s.overlaps, 8, 1, stdout);
		fwrite(&s.queues, 8, 1, stdout);
		fwrite(&s.charged_bytes, 8, 1, stdout);
	}
}

int main(int argc, char **argv)
{
	static uint8_t bytes[1 << 17];
	struct ct_engine_config cfg;
	struct ct_defrag_config fragments;
	struct ct_engine *en;
	struct ct_defrag *d;
	struct record head;

	ct_engine_config_default(&cfg);
	ct_defrag_config_default(&fragments);
	for (int i = 1; i < argc; i++)
		if (set(&fragments.settings, argv[i]) < 0)
			return 2;
	en = ct_engine_new(&cfg, NULL);
	d = ct_defrag_new(&fragments, NULL);
	if (!en || !d)
		return 1;
	while (fread(&head, sizeof(head), 1, stdin) == 1 && head.size <= sizeof(bytes) &&
	       fread(bytes, 1, head.size, stdin) == head.size) {
		struct ct_packet p;

		ct_packet_init(&p, bytes, head.size);
		p.zone = head.zone;
		p.zone_dir = head.zone_dir;
		p.flags = head.flags;
		p.iif = head.iif;
		p.hook = head.hook;
		feed(d, en, &p, head.at_ms * CT_NS_PER_MS);
	}
	counters(d);
	ct_defrag_free(d);
	ct_engine_free(en);
	return ferror(stdout) || fflush(stdout) != 0;
}
