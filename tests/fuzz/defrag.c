/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reassembly: any bytes go through the queues without a fault, what is whole is one packet that
 * does not come in pieces, and nothing is left charged in the end.
 *
 * The input is a stream of packets, each after a byte of its length in 4 bytes, and a byte of
 * which the low bits are the hook and flags and the rest a pause in seconds.
 */
#include <conntune/defrag.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As long as its header says, and no fragment of IPv4. */
static void check_whole(const struct ct_packet *p)
{
	bool is_v6 = p->data[0] >> 4 == 6;
	const uint8_t *length = p->data + (is_v6 ? 4 : 2);

	if (p->size != (is_v6 ? 40U : 0U) + ((unsigned)length[0] << 8 | length[1]))
		abort();
	if (!is_v6 && ((p->data[6] & 0x3f) || p->data[7]))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ct_defrag_config cfg;
	struct ct_defrag_stats s;
	struct ct_defrag *d;
	ct_time now = 0;

	ct_defrag_config_default(&cfg);
	cfg.settings.ip_high_thresh = cfg.settings.frag6_high_thresh = 16384;
	cfg.settings.ip_max_dist = 4;
	d = ct_defrag_new(&cfg, NULL);
	if (!d)
		abort();
	while (size > 2) {
		size_t len = (size_t)data[0] * 4;
		uint8_t how = data[1];
		struct ct_packet p;

		data += 2;
		size -= 2;
		len = len < size ? len : size;
		ct_packet_init(&p, data, len);
		p.hook = how & 1 ? CT_HOOK_OUTPUT : CT_HOOK_PREROUTING;
		p.zone = how & 2 ? 1 : 0;
		p.flags = CT_PACKET_CHECKSUM_OK;
		now += (how >> 3) * CT_NS_PER_S;
		if ((how & 4) || ct_packet_receive(&p) == 0)
			if (ct_defrag_in(d, &p, now) == CT_DEFRAG_WHOLE)
				check_whole(&p);
		data += len;
		size -= len;
	}
	ct_defrag_advance(d, now + 60 * CT_NS_PER_S);
	for (unsigned i = 0; i < 2; i++) {
		ct_defrag_stats(d, i ? CT_FAMILY_IPV6 : CT_FAMILY_IPV4, &s);
		if (s.queues != 0 || s.charged_bytes != 0)
			abort();
	}
	ct_defrag_free(d);
	return 0;
}
