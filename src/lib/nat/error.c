/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Errors about translated connections: the packet that they quote is what its sender knows.
 * Answers to Linux 6.18, net/netfilter/nf_nat_proto.c: nf_nat_icmp_reply_translation(),
 * nf_nat_icmpv6_reply_translation().
 */
#include <string.h>

#include "lib/nat/nat.h"
#include "lib/nat/rewrite.h"
#include "lib/packet/checksum.h"
#include "lib/packet/wire.h"

enum { ICMP_HEADER = 8 };

bool ct_nat_is_error(const struct ct_packet *p)
{
	return (p->info == CT_INFO_RELATED || p->info == CT_INFO_RELATED_REPLY) &&
	       p->proto == (p->family == CT_FAMILY_IPV6 ? PROTO_ICMPV6 : PROTO_ICMP);
}

/* Redirects speak of the link, where nothing was translated yet. */
static bool is_misplaced_redirect(const struct ct_packet *p, uint32_t status)
{
	enum { REDIRECT = 5, NDISC_REDIRECT = 137 };
	const uint32_t done = CT_STATUS_SRC_NAT_DONE | CT_STATUS_DST_NAT_DONE;
	uint8_t type = p->data[p->offset];

	if (type != (p->family == CT_FAMILY_IPV6 ? NDISC_REDIRECT : REDIRECT))
		return false;
	return (status & done) != done || status & (CT_STATUS_SRC_NAT | CT_STATUS_DST_NAT);
}

/* Anew over all of it, as what is quoted may lack the checksum that would have been carried
 * along. */
static void sum_anew(const struct ct_packet *p, uint8_t *l4)
{
	uint32_t size = p->size - p->offset;
	uint64_t sum = 0;
	uint16_t folded;

	memset(l4 + 2, 0, 2);
	if (p->family == CT_FAMILY_IPV6)
		sum = ct_checksum_pseudo(p, PROTO_ICMPV6, size);
	folded = (uint16_t)~ct_checksum_fold(ct_checksum_add(sum, l4, size));
	memcpy(l4 + 2, &folded, 2);
}

/* Is there what an error quotes, and may it be believed? */
static bool is_sound(const struct ct_packet *p, uint32_t quote)
{
	if (p->size < quote + (p->family == CT_FAMILY_IPV6 ? 40 : 20))
		return false;
	return p->flags & CT_PACKET_CHECKSUM_OK || ct_packet_checksum(p);
}

enum ct_verdict ct_nat_error(struct ct_nat *nat, struct ct_packet *p, enum ct_manip manip)
{
	enum ct_dir dir = ct_info_dir((enum ct_info)p->info);
	bool is_src = (manip == CT_MANIP_SRC) == (dir == CT_DIR_ORIG);
	uint32_t status = ct_engine_status(nat->engine, p->entry), quote = p->offset + ICMP_HEADER;
	struct ct_tuple back, want;
	uint8_t *bytes;

	if (!is_sound(p, quote) || is_misplaced_redirect(p, status))
		return CT_DROP;
	if (!(status & (is_src ? CT_STATUS_SRC_NAT : CT_STATUS_DST_NAT)))
		return CT_ACCEPT;
	bytes = ct_nat_bytes(nat, p);
	if (!bytes || ct_engine_tuple(nat->engine, p->entry, ct_nat_other(dir), &back) < 0 ||
	    ct_tuple_invert(&want, &back) < 0)
		return CT_DROP;
	/* What is quoted went the other way, and so its other end is the one to change. */
	if (!ct_nat_rewrite(bytes, p->size, quote, &back,
			    manip == CT_MANIP_SRC ? CT_MANIP_DST : CT_MANIP_SRC))
		return CT_DROP;
	sum_anew(p, bytes + p->offset);
	want.proto = p->proto;
	return ct_nat_rewrite(bytes, p->size, 0, &want, manip) ? CT_ACCEPT : CT_DROP;
}
