/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reads the columns of Linux net/ipv4/tcp_ipv4.c, get_tcp4_sock(); see sockets.h.
 */
#include "ops/facts/sockets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/number.h"

#define N_PORTS 65536

int sockets_init(struct sockets *s)
{
	struct socket_port *tcp = calloc(N_PORTS, sizeof(*tcp));

	if (!tcp)
		return -ENOMEM;
	*s = (struct sockets){ .tcp = tcp };
	return 0;
}

void sockets_fini(struct sockets *s)
{
	free(s->tcp);
	s->tcp = NULL;
}

struct word {
	const char *p;
	size_t len;
};

/* Cuts the next word off at blanks. False at the end. */
static bool next_word(const char **at, const char *end, struct word *out)
{
	while (*at < end && (**at == ' ' || **at == '\t'))
		(*at)++;
	out->p = *at;
	while (*at < end && **at != ' ' && **at != '\t' && **at != '\n')
		(*at)++;
	out->len = (size_t)(*at - out->p);
	return out->len > 0;
}

static bool hex(const char *p, size_t len, uint64_t max, uint64_t *out)
{
	char text[20] = "0x";

	if (len == 0 || len > 16)
		return false;
	memcpy(text + 2, p, len);
	return ct_number_any(text, len + 2, max, out) == 0;
}

/* "0100007F:18EB": the port behind the colon. */
static bool port_of(const struct word *w, uint16_t *out)
{
	const char *colon = memchr(w->p, ':', w->len);
	uint64_t v;

	if (!colon || !hex(colon + 1, w->len - (size_t)(colon + 1 - w->p), UINT16_MAX, &v))
		return false;
	*out = (uint16_t)v;
	return true;
}

static void count_tcp(struct sockets *s, unsigned state, uint16_t local, uint16_t remote,
		      bool keeps_alive, uint64_t inode)
{
	s->n_tcp[state]++;
	if (state == SOCKET_LISTEN) {
		s->tcp[local].listens = true;
		s->tcp[local].listen_inode = (uint32_t)inode;
	} else if (state == SOCKET_TIME_WAIT) {
		s->tcp[local].n_wait_local++;
		s->tcp[remote].n_wait_remote++;
	} else {
		s->tcp[local].n_local++;
		s->tcp[remote].n_remote++;
		s->n_keepalive += keeps_alive && state == SOCKET_ESTABLISHED;
	}
}

void sockets_line(struct sockets *s, bool is_udp, const char *line, size_t len)
{
	const char *at = line, *end = line + len;
	struct word w[10];
	uint16_t local, remote;
	uint64_t state, timer = 0, inode = 0;
	unsigned n = 0;

	while (n < 10 && next_word(&at, end, &w[n]))
		n++;
	if (n == 0 || (w[0].len == 2 && memcmp(w[0].p, "sl", 2) == 0))
		return;
	if (n < 4 || !port_of(&w[1], &local) || !port_of(&w[2], &remote) ||
	    !hex(w[3].p, w[3].len, SOCKET_STATE_MAX - 1, &state)) {
		s->n_bad++;
		return;
	}
	if (is_udp) {
		s->n_udp++;
		return;
	}
	if (n > 5 && w[5].len > 2)
		(void)hex(w[5].p, 2, 255, &timer);
	if (n > 9)
		(void)ct_number_u64(w[9].p, w[9].len, UINT32_MAX, &inode);
	count_tcp(s, (unsigned)state, local, remote, timer == 2, inode);
}

void sockets_text(struct sockets *s, bool is_udp, const char *text, size_t len)
{
	const char *end = text + len;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *stop = newline ? newline : end;

		sockets_line(s, is_udp, text, (size_t)(stop - text));
		text = newline ? newline + 1 : end;
	}
}
