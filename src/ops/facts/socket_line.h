/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One line of /proc/net/tcp, tcp6, udp or udp6.
 */
#ifndef OPS_FACTS_SOCKET_LINE_H
#define OPS_FACTS_SOCKET_LINE_H

#include <conntune/tuple.h>
#include <stddef.h>

/* The timer of a socket (the column "tr"). */
enum socket_timer {
	SOCKET_TIMER_NONE,
	SOCKET_TIMER_RETRANSMIT,
	SOCKET_TIMER_KEEPALIVE,
	SOCKET_TIMER_TIME_WAIT,
	SOCKET_TIMER_PROBE,
};

struct socket_line {
	union ct_addr local, remote;
	uint16_t local_port, remote_port; /* host order */
	uint8_t family;			  /* 0 when the addresses are in no known form; an IPv4
					   * address mapped into IPv6 is IPv4 */
	uint8_t state;			  /* enum socket_state */
	uint8_t timer;			  /* enum socket_timer */
	uint64_t timer_ticks;		  /* until it runs out, in hundredths of a second */
	uint32_t inode;			  /* 0 unknown */
};

/* 1 a socket, 0 an empty line or the heading, -EINVAL neither. */
int socket_line_parse(const char *line, size_t len, struct socket_line *out);

#endif
