/* SPDX-License-Identifier: BSD-2-Clause
 *
 * See sockets.h.
 */
#include "ops/facts/sockets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ops/facts/socket_line.h"

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

static void count_tcp(struct sockets *s, const struct socket_line *l)
{
	s->n_tcp[l->state]++;
	if (l->state == SOCKET_LISTEN) {
		s->tcp[l->local_port].listens = true;
		s->tcp[l->local_port].listen_inode = l->inode;
	} else if (l->state == SOCKET_TIME_WAIT) {
		s->tcp[l->local_port].n_wait_local++;
		s->tcp[l->remote_port].n_wait_remote++;
	} else {
		s->tcp[l->local_port].n_local++;
		s->tcp[l->remote_port].n_remote++;
		s->n_keepalive +=
			l->timer == SOCKET_TIMER_KEEPALIVE && l->state == SOCKET_ESTABLISHED;
	}
}

void sockets_line(struct sockets *s, bool is_udp, const char *line, size_t len)
{
	struct socket_line l;
	int r = socket_line_parse(line, len, &l);

	if (r < 0)
		s->n_bad++;
	else if (r > 0 && is_udp)
		s->n_udp++;
	else if (r > 0)
		count_tcp(s, &l);
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
