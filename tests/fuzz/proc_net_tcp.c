/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Any bytes as /proc/net/tcp or udp: every counted socket has a port.
 */
#include "ops/facts/sockets.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
	return 0;
}
