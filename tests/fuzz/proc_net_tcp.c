/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Any bytes as /proc/net/tcp or udp: every counted socket has a port. And as the sockets and
 * addresses of a machine.
 */
#include "ops/facts/sockets.h"

#include <stdlib.h>
#include <string.h>

#include "ops/facts/endpoints.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void as_endpoints(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct endpoints *e;

	if (!text)
		return;
	memcpy(text, data, size);
	text[size] = '\0';
	if (endpoints_of_text(text, text, 1, &e) == 0)
		endpoints_free(e);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sockets s;
	uint64_t n = 0, n_waiting = 0;

	if (sockets_init(&s) < 0)
		return 0;
	sockets_text(&s, false, (const char *)data, size);
	sockets_text(&s, true, (const char *)data, size);
	for (unsigned port = 0; port < 65536; port++) {
		n += s.tcp[port].n_local;
		n_waiting += s.tcp[port].n_wait_local;
	}
	if (n_waiting != s.n_tcp[SOCKET_TIME_WAIT] || s.n_keepalive > n)
		abort();
	sockets_fini(&s);
	as_endpoints(data, size);
	return 0;
}
