/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Lines of /proc/net/tcp and udp, right and wrong.
 */
#include "ops/facts/sockets.h"

#include "tap.h"

static const char tcp[] =
	"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
	"   0: 0100007F:18EB 00000000:0000 0A 00000000:00000000 00:00000000 00000000   101"
	"        0 635 1 00000000caf39a54 100 0 0 10 0\n"
	"   1: 0100007F:A123 0100007F:18EB 01 00000000:00000000 02:000AF7F2 00000000    33"
	"        0 700 2 0000000000000000 20 4 30 10 -1\n"
	"   2: 0100007F:A124 0100007F:18EB 06 00000000:00000000 03:00001770 00000000     0"
	"        0 0 3 0000000000000000\n";

TEST(ports_states_and_keepalive)
{
	struct sockets s;

	EQ_INT(sockets_init(&s), 0);
	sockets_text(&s, false, tcp, sizeof(tcp) - 1);
	EQ_INT(s.n_bad, 0);
	EQ_INT(s.n_tcp[SOCKET_LISTEN], 1);
	EQ_INT(s.n_tcp[SOCKET_ESTABLISHED], 1);
	EQ_INT(s.n_tcp[SOCKET_TIME_WAIT], 1);
	EQ_INT(s.n_keepalive, 1);
	OK(s.tcp[6379].listens);
	EQ_INT(s.tcp[6379].listen_inode, 635);
	EQ_INT(s.tcp[6379].n_remote, 1);
	EQ_INT(s.tcp[6379].n_wait_remote, 1);
	EQ_INT(s.tcp[0xA123].n_local, 1);
	sockets_fini(&s);
}

TEST(nonsense_is_counted_not_believed)
{
	static const char *const bad[] = {
		"x",
		"1: 2 3 4",
		"0: 0100007F:18EB 0100007F:18EB FF",
		"0: A:10000 B:0 01",
		"0: 0100007F: 00:00 0A",
		"0: 0100007F:18EBCDEF0123456789 0:0 0A",
	};
	struct sockets s;

	EQ_INT(sockets_init(&s), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		sockets_line(&s, false, bad[i], strlen(bad[i]));
	EQ_INT(s.n_bad, sizeof(bad) / sizeof(bad[0]));
	sockets_line(&s, false, "", 0);
	EQ_INT(s.n_bad, sizeof(bad) / sizeof(bad[0]));
	sockets_fini(&s);
}

TEST(udp_is_only_counted)
{
	static const char udp[] =
		"  0: 3500007F:0035 00000000:0000 07 00000000:00000000 00:0 0 1\n";
	struct sockets s;

	EQ_INT(sockets_init(&s), 0);
	sockets_text(&s, true, udp, sizeof(udp) - 1);
	EQ_INT(s.n_udp, 1);
	EQ_INT(s.n_tcp[SOCKET_CLOSE], 0);
	sockets_fini(&s);
}

TAP_MAIN(&tap_ports_states_and_keepalive, &tap_nonsense_is_counted_not_believed,
	 &tap_udp_is_only_counted)
