/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Fragments become datagrams again before the tracker sees them, as they do in the kernel at
 * priority -400. Answers to Linux 6.18: net/ipv4/ip_fragment.c, inet_fragment.c and
 * net/ipv6/netfilter/nf_conntrack_reasm.c.
 */
#ifndef CONNTUNE_DEFRAG_H
#define CONNTUNE_DEFRAG_H

#include <conntune/err.h>
#include <conntune/memory.h>
#include <conntune/packet.h>
#include <conntune/time.h>

struct ct_defrag;

struct ct_defrag_config {
	uint32_t ipv4_time_s;	    /* net.ipv4.ipfrag_time */
	uint32_t ipv6_time_s;	    /* nf_conntrack_frag6_timeout */
	uint32_t high_thresh_bytes; /* nf_conntrack_frag6_high_thresh, and IPv4's */
	struct ct_memory memory;
};

/* The kernel's defaults: 30 s, 60 s, 4 MiB. */
void ct_defrag_config_default(struct ct_defrag_config *cfg);

/* Copies @cfg. Null with a sentence when memory is out. */
struct ct_defrag *ct_defrag_new(const struct ct_defrag_config *cfg, struct ct_err *err);
void ct_defrag_free(struct ct_defrag *d);

/* Takes a packet that ct_packet_receive() took. 1: go on with @p, which may now be a whole
 * datagram in memory of @d, good until the next call; 0: a fragment was kept, or was the second of
 * its kind, and nothing goes on; -EBADMSG: the fragment, perhaps with those before it, is dropped,
 * p->why says why. */
int ct_defrag_in(struct ct_defrag *d, struct ct_packet *p, ct_time now);

#endif
