/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The userspace conntrack of Open vSwitch 3.1 (Debian's openvswitch-source) as a tracker of
 * bench/workload.h. Compiled against that tree by bench/peers/build; nothing of it is in here.
 */
#include <config.h>

#include "conntrack.h"
#include "dp-packet.h"
#include "fatal-signal.h"
#include "timeval.h"

#include "workload.h"

enum { MAX_CONNECTIONS = 50000000 };

static struct conntrack *ct;
static struct dp_packet *packet[WORKLOAD_BURST];
static unsigned burst_len;
static unsigned long n_refused;
static long long base_ms;

void tracker_open(const struct workload_options *o, uint8_t *frame[WORKLOAD_BURST])
{
	fatal_signal_init();
	ct = conntrack_init();
	(void)conntrack_set_maxconns(ct, MAX_CONNECTIONS);
	base_ms = time_msec();
	burst_len = o->burst ? o->burst : 1;
	for (unsigned i = 0; i < WORKLOAD_BURST; i++) {
		struct workload_packet p = { .flow = i };

		packet[i] = dp_packet_new(WORKLOAD_ROOM);
		dp_packet_put_zeros(packet[i], WORKLOAD_ROOM / 2);
		frame[i] = dp_packet_data(packet[i]);
		(void)workload_frame(frame[i], &p, o->kind);
		dp_packet_reset_packet(packet[i], 0);
		dp_packet_set_l3(packet[i], frame[i] + ETHERNET_SIZE);
		dp_packet_set_l4(packet[i], frame[i] + ETHERNET_SIZE + 20);
		packet[i]->packet_type = htonl(PT_ETH);
	}
}

static void track(unsigned first, unsigned n, const size_t *size, int64_t now_ns)
{
	struct dp_packet_batch batch;

	dp_packet_batch_init(&batch);
	for (unsigned i = first; i < first + n; i++) {
		struct dp_packet *p = packet[i];

		dp_packet_set_size(p, size[i]);
		p->md.ct_state = 0;
		pkt_metadata_init_conn(&p->md);
		/* As a network card that verifies checksums reports it. */
		*dp_packet_ol_flags_ptr(p) |=
			DP_PACKET_OL_RX_IP_CKSUM_GOOD | DP_PACKET_OL_RX_L4_CKSUM_GOOD;
		dp_packet_batch_add(&batch, p);
	}
	conntrack_execute(ct, &batch, htons(ETH_TYPE_IP), false, true, 0, NULL, NULL, 0, 0, NULL,
			  NULL, base_ms + now_ns / 1000000, 0);
}

void tracker_burst(uint8_t *const *frame, const size_t *size, unsigned n, int64_t now_ns)
{
	(void)frame;
	for (unsigned i = 0; i < n; i += burst_len)
		track(i, n - i < burst_len ? n - i : burst_len, size, now_ns);
	for (unsigned i = 0; i < n; i++)
		n_refused += (packet[i]->md.ct_state & CS_INVALID) != 0;
}

void tracker_report(void)
{
	uint32_t count = 0;

	(void)conntrack_get_nconns(ct, &count);
	printf(" connections=%u refused=%lu\n", count, n_refused);
	fflush(stdout);
	_exit(0);
}
