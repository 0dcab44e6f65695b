/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reassembly: any fragments, in any order, end as a datagram with the right length or not at all.
 * The input is a stream of packets, each after a byte of its length in 4 bytes.
 */
#include <conntune/defrag.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ct_defrag_config cfg;
	struct ct_defrag *d;
	ct_time now = 0;

	ct_defrag_config_default(&cfg);
	cfg.high_thresh_bytes = 64 << 10;
	d = ct_defrag_new(&cfg, NULL);
	if (!d)
		abort();
	while (size > 1) {
		size_t len = (size_t)data[0] * 4;
		struct ct_packet p;

		data++;
		size--;
		len = len < size ? len : size;
		ct_packet_init(&p, data, len);
		p.flags = CT_PACKET_CHECKSUM_OK;
		if (ct_packet_receive(&p) == 0 && ct_defrag_in(d, &p, now) == 1) {
			unsigned sum = 0;

			for (uint32_t i = 0; i < p.size; i++)
				sum += p.data[i];
			now += sum % 2;
			if (p.size < 20 || p.size > 65535 + 40)
				abort();
		}
		now += CT_NS_PER_S / 4;
		data += len;
		size -= len;
	}
	ct_defrag_free(d);
	return 0;
}
