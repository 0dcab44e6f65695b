/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Which side of a connection is the service. Linux 6.18, nf_conntrack_tcp_loose: a connection that
 * is older than its tracking begins with whichever packet comes first.
 */
#include "ops/table/service.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#define FIRST_EPHEMERAL 32768 /* the low end of net.ipv4.ip_local_port_range by default */

static bool has_ports(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP ||
	       proto == IPPROTO_UDPLITE || proto == IPPROTO_DCCP;
}

uint16_t entry_service_port(const struct ct_entry *e, bool *is_reversed)
{
	const struct ct_tuple *t = &e->tuple[CT_DIR_ORIG];
	uint16_t from = ntohs(t->src_part), to = ntohs(t->dst_part);
	bool is_back = to >= FIRST_EPHEMERAL && from > 0 && from < FIRST_EPHEMERAL;

	is_back = is_back && has_ports(t->proto);
	if (is_reversed)
		*is_reversed = is_back;
	if (!has_ports(t->proto))
		return 0;
	return is_back ? from : to;
}
