/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reads the columns of Linux net/ipv4/tcp_ipv4.c, get_tcp4_sock(); see socket_line.h.
 */
#include "ops/facts/socket_line.h"

#include <errno.h>
#include <string.h>

#include "lib/base/number.h"
#include "ops/facts/sockets.h"

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

/* An address as the kernel prints it: words of 32 bits, each in the machine's order. */
static uint8_t addr_of(const char *p, size_t len, union ct_addr *out)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	uint64_t v;

	if (len != 8 && len != 32)
		return CT_FAMILY_UNSPEC;
	for (size_t i = 0; i < len / 8; i++) {
		uint32_t word;

		if (!hex(p + i * 8, 8, UINT32_MAX, &v))
			return CT_FAMILY_UNSPEC;
		word = (uint32_t)v;
		memcpy(out->bytes + i * 4, &word, sizeof(word));
	}
	if (len == 8)
		return CT_FAMILY_IPV4;
	if (memcmp(out->bytes, mapped, sizeof(mapped)) != 0)
		return CT_FAMILY_IPV6;
	memcpy(out->bytes, out->bytes + 12, 4);
	memset(out->bytes + 4, 0, 12);
	return CT_FAMILY_IPV4;
}

/* "0100007F:18EB". The port must be one; an address in no known form leaves the family 0. */
static bool end_of(const struct word *w, union ct_addr *addr, uint8_t *family, uint16_t *port)
{
	const char *colon = memchr(w->p, ':', w->len);
	uint64_t v;

	if (!colon || !hex(colon + 1, w->len - (size_t)(colon + 1 - w->p), UINT16_MAX, &v))
		return false;
	*port = (uint16_t)v;
	*family = addr_of(w->p, (size_t)(colon - w->p), addr);
	return true;
}

/* "02:000AC3F5" */
static void timer_of(const struct word *w, struct socket_line *out)
{
	uint64_t timer, ticks;

	if (w->len < 4 || w->p[2] != ':' || !hex(w->p, 2, 255, &timer))
		return;
	out->timer = (uint8_t)timer;
	if (hex(w->p + 3, w->len - 3, UINT64_MAX, &ticks))
		out->timer_ticks = ticks;
}

int socket_line_parse(const char *line, size_t len, struct socket_line *out)
{
	const char *at = line, *end = line + len;
	struct socket_line l = { 0 };
	struct word w[10];
	uint8_t remote_family;
	uint64_t v;
	unsigned n = 0;

	while (n < 10 && next_word(&at, end, &w[n]))
		n++;
	if (n == 0 || (w[0].len == 2 && memcmp(w[0].p, "sl", 2) == 0))
		return 0;
	if (n < 4 || !end_of(&w[1], &l.local, &l.family, &l.local_port) ||
	    !end_of(&w[2], &l.remote, &remote_family, &l.remote_port) ||
	    !hex(w[3].p, w[3].len, SOCKET_STATE_MAX - 1, &v))
		return -EINVAL;
	l.state = (uint8_t)v;
	if (l.family != remote_family)
		l.family = CT_FAMILY_UNSPEC;
	if (n > 5)
		timer_of(&w[5], &l);
	if (n > 9 && ct_number_u64(w[9].p, w[9].len, UINT32_MAX, &v) == 0)
		l.inode = (uint32_t)v;
	*out = l;
	return 1;
}
