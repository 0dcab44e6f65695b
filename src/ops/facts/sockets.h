/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The sockets of one namespace, counted: by state, by port, and how many keep themselves alive.
 *
 * Read from /proc/net/tcp, tcp6, udp and udp6. Constant memory, whatever their number.
 */
#ifndef OPS_FACTS_SOCKETS_H
#define OPS_FACTS_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* States as /proc/net/tcp numbers them (include/net/tcp_states.h). */
enum socket_state {
	SOCKET_ESTABLISHED = 1,
	SOCKET_SYN_SENT,
	SOCKET_SYN_RECV,
	SOCKET_FIN_WAIT1,
	SOCKET_FIN_WAIT2,
	SOCKET_TIME_WAIT,
	SOCKET_CLOSE,
	SOCKET_CLOSE_WAIT,
	SOCKET_LAST_ACK,
	SOCKET_LISTEN,
	SOCKET_CLOSING,
	SOCKET_NEW_SYN_RECV,
	SOCKET_STATE_MAX = 16
};

/* What hangs on one local or remote TCP port. */
struct socket_port {
	uint32_t n_local, n_remote;	      /* connected sockets with this port here, or there */
	uint32_t n_wait_local, n_wait_remote; /* TIME_WAIT sockets likewise */
	uint32_t listen_inode;		      /* of a listening socket, 0 when none listens */
	bool listens;
};

struct sockets {
	uint64_t n_tcp[SOCKET_STATE_MAX], n_udp;
	uint64_t n_keepalive; /* ESTABLISHED with the keepalive timer running */
	uint64_t n_bad;	      /* lines that were none */
	bool is_tcp_known, is_udp_known;
	bool is_cut;		 /* a file was longer than we read */
	struct socket_port *tcp; /* 65536 of them, owned */
};

/* Makes an empty count. -ENOMEM. */
int sockets_init(struct sockets *s);
void sockets_fini(struct sockets *s);

/* Takes one line of /proc/net/tcp or tcp6 (@is_udp: of udp or udp6). Heading lines are skipped. */
void sockets_line(struct sockets *s, bool is_udp, const char *line, size_t len);

/* Takes many lines. */
void sockets_text(struct sockets *s, bool is_udp, const char *text, size_t len);

#endif
