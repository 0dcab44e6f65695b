/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A packet on its way through the tracker: the caller's bytes, what was found in them, and what
 * the engine made of it. The library's counterpart of the kernel's sk_buff with its nfct pointer.
 *
 *     struct ct_packet p;
 *     ct_packet_init(&p, bytes, size);
 *     ct_engine_in(engine, &p, now);        p.info, p.verdict and p.entry tell the rest
 */
#ifndef CONNTUNE_PACKET_H
#define CONNTUNE_PACKET_H

#include <conntune/tuple.h>
#include <stddef.h>

/* The state of a packet relative to its entry, include/uapi/linux/netfilter/
 * nf_conntrack_common.h. The kernel writes "no entry" as 0 beside a null entry; here it has a
 * value of its own. */
enum ct_info {
	CT_INFO_ESTABLISHED = 0,
	CT_INFO_RELATED = 1,
	CT_INFO_NEW = 2,
	CT_INFO_ESTABLISHED_REPLY = 3,
	CT_INFO_RELATED_REPLY = 4,
	CT_INFO_UNTRACKED = 7, /* no entry, on purpose */
	CT_INFO_INVALID = 8,   /* no entry otherwise */
};

enum ct_verdict { CT_ACCEPT, CT_DROP };

/* Where a packet meets the tracker; checksums are only looked at in PREROUTING. */
enum ct_hook { CT_HOOK_PREROUTING, CT_HOOK_OUTPUT };

/* What the caller knows of a packet. */
enum ct_packet_flag {
	CT_PACKET_CHECKSUM_OK = 1 << 0, /* vouched for by hardware: not verified again */
	CT_PACKET_UNTRACKED = 1 << 1,	/* a notrack rule has seen it */
	CT_PACKET_OFFLOAD = 1 << 2,	/* captured on its sender: an IPv4 total length of 0 is one
					 * that hardware would have filled in */
	CT_PACKET_LOOPED = 1 << 3,	/* comes in by loopback: was confirmed on its way out */
};

/* A name for an entry that survives its end: a freed entry's handle is never valid again (until
 * its generation has gone around 2^32 times). Zero means "no entry". */
struct ct_handle {
	uint32_t number, generation;
};

struct ct_packet {
	/* The caller's. */
	const uint8_t *data; /* borrowed while the packet is in use: layer 3, IP header first */
	uint32_t size;	     /* bytes at data; those beyond the IP total length cut off before */
	uint8_t flags;	     /* enum ct_packet_flag */
	uint8_t hook;	     /* enum ct_hook */
	uint8_t zone_dir;    /* enum ct_zone_dir; 0 counts as both */
	uint8_t helper;	     /* enum ct_helper that a new entry gets (a template's), 0 none */
	uint16_t zone;
	/* ct_packet_parse()'s. */
	uint8_t family;	 /* enum ct_family */
	uint8_t proto;	 /* of layer 4 */
	uint32_t offset; /* of the layer 4 header in data; at most size */
	/* The engine's. */
	uint8_t info;	 /* enum ct_info */
	uint8_t verdict; /* enum ct_verdict */
	uint8_t events;	 /* enum ct_event bits collected for confirm */
	/* The caller's too. */
	uint32_t iif;	 /* index of the interface it came in by; 0 when unknown */
	const char *why; /* the tracker's reason for INVALID or a drop, static text; or null */
	struct ct_handle entry;
	/* Where rules may change the packet: the same memory as data, of room bytes, which the
	 * caller lends; null when the packet must stay as it is. */
	uint8_t *bytes;
	uint32_t room;
};

/* The direction that an info stands for, CTINFO2DIR(). */
static inline enum ct_dir ct_info_dir(enum ct_info info)
{
	return info >= CT_INFO_ESTABLISHED_REPLY && info <= CT_INFO_RELATED_REPLY ? CT_DIR_REPLY
										  : CT_DIR_ORIG;
}

/* "NEW", "ESTABLISHED", ... as rules say it, without the direction. Never null. */
const char *ct_info_name(enum ct_info info);

/* Makes @p a fresh packet at PREROUTING over @size bytes at @data, which it borrows. */
void ct_packet_init(struct ct_packet *p, const uint8_t *data, size_t size);

/* Finds family, protocol and layer 4 offset: nf_conntrack_core.c, get_l4proto(),
 * ipv4_get_l4proto(), ipv6_get_l4proto(). -EBADMSG when there is no such header: neither IPv4 nor
 * IPv6, a fragment that is not the first, a broken chain of extension headers. */
int ct_packet_parse(struct ct_packet *p);

/* The tuple of a parsed packet: nf_ct_get_tuple(). -EBADMSG when too few bytes are left for its
 * protocol, or (GRE version 1) when it is no PPTP. */
int ct_packet_tuple(const struct ct_packet *p, struct ct_tuple *out);

/* What IP input makes of the bytes before any hook: ip_rcv_core(), ip6_rcv_core(). Cuts p->size
 * to the IP total length. -EBADMSG with p->why when IP refuses the packet. */
int ct_packet_receive(struct ct_packet *p);

/* The same for a packet that the host itself sends: raw_send_hdrinc(), rawv6_send_hdrinc(). Length
 * and checksum of its IPv4 header are set on the way out, so a capture that was made before that
 * is no reason to refuse it. */
int ct_packet_send(struct ct_packet *p);

/* True when the checksum of the layer 4 of a parsed packet is right, or when its protocol has
 * none: nf_checksum(). */
bool ct_packet_checksum(const struct ct_packet *p);

#endif
