/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Capture files as streams of frames: pcap (microseconds, nanoseconds, the modified form of old
 * Linux; either byte order) and pcapng, plain or gzip. A file larger than memory needs no more
 * than a buffer. libpcap's reader is not used because it refuses files whose interfaces differ in
 * link type and does not tell their names, which say on which side of a gateway a packet was seen.
 */
#ifndef OPS_CAPTURE_CAPTURE_H
#define OPS_CAPTURE_CAPTURE_H

#include <conntune/err.h>
#include <conntune/time.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/clean.h"

struct capture;

struct frame {
	ct_time at;	     /* Unix time; 0 where the file has none */
	const uint8_t *data; /* borrowed until the next read of its capture */
	uint32_t size;	     /* bytes captured */
	uint32_t wire_size;  /* bytes on the wire */
	uint32_t link;	     /* enum link_type, or another LINKTYPE number */
	uint32_t interface;  /* for capture_interface(); 0 in a pcap file */
	uint64_t number;     /* in its file, from 1, as Wireshark counts */
};

/* Opens @path, "-" for standard input. -errno of opening, -EBADMSG when it is no capture. */
int capture_open(const char *path, struct capture **out, struct ct_err *err);

/* The next frames, up to @max of them: as many as the buffer holds, so that a burst can be made
 * without copies. Their count, 0 at the end. -EBADMSG with a sentence when the file is broken
 * beyond what was delivered; reading on then gives 0. A last frame cut off is not an error:
 * capture_is_cut(). */
int capture_read(struct capture *c, struct frame *out, unsigned max, struct ct_err *err);

/* The name of an interface, or null when the file gives none. Lives as long as the capture. */
const char *capture_interface(const struct capture *c, uint32_t interface);

/* True when the file ended inside a frame. */
bool capture_is_cut(const struct capture *c);

void capture_free(struct capture *c);
DEFINE_AUTO_FREE(capture);

/* Link types with the numbers of tcpdump.org/linktypes.html. */
enum link_type {
	LINK_NULL = 0,
	LINK_ETHERNET = 1,
	LINK_PPP = 9,
	LINK_RAW_12 = 12, /* raw IP of various systems */
	LINK_RAW_14 = 14,
	LINK_PPP_HDLC = 50,
	LINK_PPP_ETHER = 51,
	LINK_RAW = 101,
	LINK_C_HDLC = 104,
	LINK_LOOP = 108,
	LINK_LINUX_SLL = 113,
	LINK_PPP_PPPD = 166,
	LINK_IPV4 = 228,
	LINK_IPV6 = 229,
	LINK_NFLOG = 239,
	LINK_LINUX_SLL2 = 276,
};

/* Finds the IP packet in a frame: through Ethernet with VLAN tags, PPPoE, MPLS and SNAP, cooked
 * captures, PPP, loopback, C-HDLC, NFLOG, raw IP. Null when found; else why there is none, static
 * text. Bytes behind the packet (padding) are still counted in @size. */
const char *frame_ip(const struct frame *f, const uint8_t **data, uint32_t *size);

#endif
