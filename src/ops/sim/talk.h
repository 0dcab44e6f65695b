/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Conversations in words, and the packets they stand for:
 *
 *     tcp 198.51.100.7:40000 > 192.0.2.10:8080 S in wan0
 *     < SA                                            the other end answers
 *     > A data "GET / HTTP/1.0\r\n\r\n" +0.2          a fifth of a second later
 *
 * A step that names a protocol begins a flow; '>' and '<' go on with the flow begun last, or with
 * a number in front with that one. What is not said is chosen as a real peer would: ports stay,
 * sequence numbers follow, answers go to the addresses that the peer has seen. conntune(8)
 * describes all words.
 */
#ifndef OPS_SIM_TALK_H
#define OPS_SIM_TALK_H

#include <conntune/err.h>
#include <conntune/packet.h>
#include <conntune/time.h>

enum {
	TALK_MAX_STEPS = 256,
	TALK_MAX_FLOWS = 32,
	TALK_MAX_DATA = 1400,
	TALK_MAX_PACKET = 65535,
	TALK_IFACE = 16,
};

enum talk_kind {
	TALK_BEGIN, /* the first packet of a flow */
	TALK_ON,    /* from the one who began */
	TALK_BACK,  /* from the other end */
	TALK_ERROR, /* an ICMP error about the last packet of the flow */
};

/* Addresses and ports of one direction; for ICMP both ports are the identifier. */
struct talk_ends {
	union ct_addr src, dst;
	uint16_t sport, dport; /* host order */
};

struct talk_step {
	enum talk_kind kind;
	uint8_t flow; /* which one, from 0 */
	uint8_t family, proto;
	struct talk_ends ends;			    /* of a beginning; of an error src may be set */
	uint8_t tcp_flags;			    /* as on the wire */
	uint8_t type, code;			    /* ICMP; SCTP: the chunk */
	uint8_t hops;				    /* 0: 64 */
	bool has_seq, has_ack, has_source, is_sent; /* is_sent: by the machine itself */
	uint32_t seq, ack, tag;			    /* tag of SCTP; key of GRE */
	bool has_tag;
	uint16_t window, n_data;
	char iface[TALK_IFACE]; /* "": routes tell */
	ct_time gap;		/* since the step before */
	uint8_t data[TALK_MAX_DATA];
};

struct talk {
	struct talk_step *steps; /* owned */
	unsigned n, n_flows;
};

/* Adds the step or steps (separated by ';') in @text. -EINVAL with a sentence that names the word.
 */
int talk_add(struct talk *t, const char *text, struct ct_err *err);
void talk_fini(struct talk *t);

/* What is known of a flow while it goes on. */
struct talk_flow {
	const struct talk_step *begin;
	struct talk_ends ours, theirs; /* as the one who began sees it, and as the other does */
	uint32_t next[2];	       /* sequence numbers by direction */
	uint8_t last[68]; /* the beginning of the last packet, as its receiver saw it */
	uint32_t n_last;
	bool is_last_back; /* its direction */
};

/* Makes the packet of a step, on @flow, in @out (TALK_MAX_PACKET bytes). Its size. */
uint32_t talk_build(const struct talk_step *s, struct talk_flow *flow, uint8_t *out);

/* What the receiver got: the flow goes on with that. */
void talk_arrived(const struct talk_step *s, struct talk_flow *flow, const uint8_t *data,
		  uint32_t size);

#endif
