/* SPDX-License-Identifier: BSD-2-Clause
 *
 * TCP's two halves: tcp.c decides about states, tcp_window.c about sequence numbers.
 */
#ifndef CT_ENGINE_TCP_H
#define CT_ENGINE_TCP_H

#include "lib/engine/engine.h"

/* What a segment is, get_conntrack_index(). */
enum tcp_kind {
	TCP_SYN,
	TCP_SYNACK,
	TCP_FIN,
	TCP_ACK,
	TCP_RST,
	TCP_NO_FLAGS,
	N_TCP_KINDS,
};

/* Flags of a sender's record, IP_CT_TCP_FLAG_*; the last two stand in last_flags only. */
enum tcp_seen_flag {
	SEEN_WINDOW_SCALE = 0x01,
	SEEN_SACK_PERM = 0x02,
	SEEN_CLOSE_INIT = 0x04,
	SEEN_BE_LIBERAL = 0x08,
	SEEN_DATA_UNACK = 0x10,
	SEEN_MAXACK_SET = 0x20,
	LAST_CHALLENGE_ACK = 0x40,
	LAST_SIMULTANEOUS = 0x80,
};

enum tcp_flag {
	FLAG_FIN = 1,
	FLAG_SYN = 2,
	FLAG_RST = 4,
	FLAG_PSH = 8,
	FLAG_ACK = 16,
	FLAG_URG = 32
};

/* A segment's header in host order. */
struct segment {
	uint32_t seq, ack, end; /* end: behind the payload, SYN and FIN counted */
	uint16_t window;	/* as it stands, not scaled */
	uint8_t flags;		/* enum tcp_flag */
	uint8_t kind;		/* enum tcp_kind */
	const uint8_t *options;
	uint32_t options_size;
};

enum window_result {
	WINDOW_ACCEPT,	  /* good, and learnt from */
	WINDOW_TOLERATED, /* not good, but accepted by those who are liberal; not learnt from */
	WINDOW_IGNORE,	  /* accepted, and nothing changes */
	WINDOW_INVALID,
};

/* Sequence numbers: a lies before b. */
static inline bool seq_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static inline bool seq_after(uint32_t a, uint32_t b)
{
	return (int32_t)(b - a) < 0;
}

/* tcp_options(): what SYN and SYN/ACK announce. */
void ct_tcp_read_options(const struct segment *s, struct tcp_seen *seen);

/* ct_tcp_in_window(): judges the sequence numbers and learns from them. */
enum window_result ct_tcp_in_window(const struct visit *v, const struct segment *s);

/* seqadj.c, nf_ct_seq_offset(): by how much @seq of direction @dir is shifted on its way. */
uint32_t ct_seq_offset(const struct ct_engine *en, const struct entry *e, enum ct_dir dir,
		       uint32_t seq);

#endif
