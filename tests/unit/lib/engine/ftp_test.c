/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/engine/ftp and expect: what commands announce is expected, once, from the right place.
 */
#include <conntune/engine.h>

#include "tap.h"
#include "unit/lib/engine/build.h"

enum { CLIENT = 0x0a000001, SERVER = 0x0a636407, PORT = 40000 };
enum { SYN = 2, ACK = 16, PSH = 8 };

/* A control connection, with what each side has sent. */
struct session {
	struct ct_engine *en;
	uint32_t seq[2];
	struct made m;
};

static void send_tcp(struct session *s, int from_server, uint8_t flags, const char *text)
{
	uint32_t len = (uint32_t)strlen(text);
	uint32_t src = from_server ? SERVER : CLIENT, dst = from_server ? CLIENT : SERVER;

	made_ip(&s->m, 6, src, dst, 20 + len);
	made_put16(s->m.bytes + 20, from_server ? 21 : PORT);
	made_put16(s->m.bytes + 22, from_server ? PORT : 21);
	made_put32(s->m.bytes + 24, s->seq[from_server]);
	made_put32(s->m.bytes + 28, flags & ACK ? s->seq[!from_server] : 0);
	s->m.bytes[32] = 5 << 4;
	s->m.bytes[33] = flags;
	made_put16(s->m.bytes + 34, 65535);
	memcpy(s->m.bytes + 40, text, len);
	made_sum(&s->m, 36);
	s->seq[from_server] += len + ((flags & SYN) != 0);
	s->m.p.helper = CT_HELPER_FTP;
	ct_engine_in(s->en, &s->m.p, 0);
	ct_engine_confirm(s->en, &s->m.p, 0);
}

static void begin(struct session *s)
{
	struct ct_engine_config cfg;

	ct_engine_config_default(&cfg);
	*s = (struct session){ .en = ct_engine_new(&cfg, NULL), .seq = { 100, 500 } };
	send_tcp(s, 0, SYN, "");
	send_tcp(s, 1, SYN | ACK, "");
	send_tcp(s, 0, ACK, "");
	/* The first line of each side only arms the reader. */
	send_tcp(s, 1, PSH | ACK, "220 hello\r\n");
	send_tcp(s, 0, PSH | ACK, "USER me\r\n");
}

static struct ct_engine_stats stats(const struct session *s)
{
	struct ct_engine_stats st;

	ct_engine_stats(s->en, &st);
	return st;
}

static uint8_t try_syn(struct session *s, uint32_t src, unsigned sport, uint32_t dst,
		       unsigned dport)
{
	(void)made_tcp(&s->m, src, sport, dst, dport, SYN, 1, 0);
	ct_engine_in(s->en, &s->m.p, 0);
	ct_engine_confirm(s->en, &s->m.p, 0);
	return s->m.p.info;
}

TEST(every_announcement_is_understood)
{
	static const struct {
		int from_server;
		const char *line;
		unsigned port;
	} lines[] = {
		{ 0, "PORT 10,0,0,1,31,64\r\n", 8000 },
		{ 0, "eprt |1|10.0.0.1|8001|\r\n", 8001 },
		{ 1, "227 Entering Passive Mode (10,99,100,7,31,66).\r\n", 8002 },
		{ 1, "229 Extended Passive Mode OK (|||8003|)\r\n", 8003 },
	};
	struct session s;
	struct ct_entry e;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		uint32_t from = lines[i].from_server ? CLIENT : SERVER;
		uint32_t to = lines[i].from_server ? SERVER : CLIENT;

		begin(&s);
		send_tcp(&s, lines[i].from_server, PSH | ACK, lines[i].line);
		EQ_INT(s.m.p.verdict, CT_ACCEPT);
		EQ_INT(stats(&s).expect_create, 1);
		EQ_INT(try_syn(&s, from, 5555, to, lines[i].port), CT_INFO_RELATED);
		EQ_INT(ct_engine_entry(s.en, s.m.p.entry, &e), 0);
		OK(e.status & CT_STATUS_EXPECTED);
		OK(e.known & CT_KNOWN_MASTER);
		EQ_INT(e.master.src_part, __builtin_bswap16(PORT));
		/* It is used up. */
		EQ_INT(try_syn(&s, from, 5556, to, lines[i].port), CT_INFO_NEW);
		EQ_INT(stats(&s).expect_delete, 1);
		ct_engine_free(s.en);
	}
}

TEST(what_is_broken_is_dropped_and_foreign_is_ignored)
{
	struct session s;

	begin(&s);
	send_tcp(&s, 0, PSH | ACK, "POR");
	EQ_INT(s.m.p.verdict, CT_DROP);
	ct_engine_free(s.en);
	begin(&s);
	send_tcp(&s, 0, PSH | ACK, "PORT 10,0,0,1,31\r\n");
	EQ_INT(s.m.p.verdict, CT_DROP);
	ct_engine_free(s.en);
	begin(&s);
	send_tcp(&s, 0, PSH | ACK, "PORT 10,0,0,9,31,64\r\n");
	EQ_INT(s.m.p.verdict, CT_ACCEPT);
	EQ_INT(stats(&s).expect_create, 0);
	ct_engine_free(s.en);
}

TEST(a_new_command_replaces_the_pending_one)
{
	struct session s;

	begin(&s);
	send_tcp(&s, 0, PSH | ACK, "PORT 10,0,0,1,31,64\r\n");
	send_tcp(&s, 0, PSH | ACK, "PORT 10,0,0,1,31,65\r\n");
	EQ_INT(stats(&s).expect_create, 2);
	EQ_INT(stats(&s).expect_delete, 1);
	EQ_INT(try_syn(&s, SERVER, 20, CLIENT, 8000), CT_INFO_NEW);
	EQ_INT(try_syn(&s, SERVER, 20, CLIENT, 8001), CT_INFO_RELATED);
	ct_engine_free(s.en);
}

TEST(expectations_end_with_time_and_with_their_master)
{
	struct session s;
	struct ct_handle master;

	begin(&s);
	send_tcp(&s, 0, PSH | ACK, "PORT 10,0,0,1,31,64\r\n");
	ct_engine_advance(s.en, 300 * CT_NS_PER_S);
	EQ_INT(stats(&s).expect_delete, 1);
	ct_engine_free(s.en);
	begin(&s);
	send_tcp(&s, 0, PSH | ACK, "PORT 10,0,0,1,31,64\r\n");
	master = s.m.p.entry;
	EQ_INT(ct_engine_delete(s.en, master), 0);
	EQ_INT(stats(&s).expect_delete, 1);
	EQ_INT(try_syn(&s, SERVER, 20, CLIENT, 8000), CT_INFO_NEW);
	ct_engine_free(s.en);
}

TAP_MAIN(&tap_every_announcement_is_understood,
	 &tap_what_is_broken_is_dropped_and_foreign_is_ignored,
	 &tap_a_new_command_replaces_the_pending_one,
	 &tap_expectations_end_with_time_and_with_their_master)
