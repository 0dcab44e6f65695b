/* SPDX-License-Identifier: BSD-2-Clause
 *
 * nat/follow, nat/payload: FTP through a translated control connection: what is announced, what
 * follows from its length, and the connection that was announced.
 */
#include <conntune/nat.h>
#include <stdio.h>
#include <string.h>

#include "tap.h"
#include "unit/lib/engine/build.h"

enum { CLIENT = 0x0a00000a, SERVER = 0x46336414, PUBLIC = 0x40dead01 };
enum { SYN = 2, ACK = 16, PUSH = 24 };

struct world {
	struct ct_engine *en;
	struct ct_nat *nat;
	struct made m;
	uint8_t lent[512];
	bool lends;
};

static void world_init(struct world *w)
{
	struct ct_engine_config cfg;
	struct ct_nat_config nat = { .seed = { 7 } };

	memset(w, 0, sizeof(*w));
	ct_engine_config_default(&cfg);
	w->en = nat.engine = ct_engine_new(&cfg, NULL);
	w->nat = ct_nat_new(&nat, NULL);
}

static void world_fini(struct world *w)
{
	ct_nat_free(w->nat);
	ct_engine_free(w->en);
}

/* Lengthens the TCP segment in @m by options and text. */
static void extend(struct made *m, const void *options, uint32_t options_size, const char *text)
{
	uint32_t len = (uint32_t)strlen(text);
	uint16_t sum;

	memcpy(m->bytes + 40, options, options_size);
	memcpy(m->bytes + 40 + options_size, text, len);
	m->bytes[32] = (uint8_t)((20 + options_size) << 2);
	m->p.size = 40 + options_size + len;
	made_put16(m->bytes + 2, m->p.size);
	memset(m->bytes + 10, 0, 2);
	sum = ct_checksum_of(m->bytes, 20);
	memcpy(m->bytes + 10, &sum, 2);
	memset(m->bytes + 36, 0, 2);
	made_sum(m, 36);
}

/* Carries what stands in w->m through masquerading as PUBLIC. Its verdict. */
static enum ct_verdict carry(struct world *w)
{
	struct ct_nat_range public = { .flags = CT_NAT_MAP_ADDRS };
	struct ct_packet *p = &w->m.p;

	public.min_addr.ip4 = public.max_addr.ip4 = __builtin_bswap32(PUBLIC);
	if (w->lends) {
		memcpy(w->lent, p->data, p->size);
		p->data = p->bytes = w->lent;
		p->room = sizeof(w->lent);
	}
	if (w->m.bytes[23] == 21)
		p->helper = CT_HELPER_FTP;
	ct_engine_in(w->en, p, 0);
	if (p->info == CT_INFO_NEW) {
		(void)ct_nat_setup_null(w->nat, p, CT_MANIP_DST);
		(void)ct_nat_setup(w->nat, p, &public, CT_MANIP_SRC);
	}
	(void)ct_nat_packet(w->nat, p, CT_MANIP_DST);
	(void)ct_nat_packet(w->nat, p, CT_MANIP_SRC);
	ct_engine_confirm(w->en, p, 0);
	return (enum ct_verdict)p->verdict;
}

static void from_client(struct world *w, uint8_t flags, uint32_t seq, uint32_t ack,
			const char *text)
{
	(void)made_tcp(&w->m, CLIENT, 40000, SERVER, 21, flags, seq, ack);
	extend(&w->m, "", 0, text);
	EQ_INT(carry(w), CT_ACCEPT);
	OK(w->m.p.info != CT_INFO_INVALID);
	OK(ct_packet_checksum(&w->m.p));
	EQ_INT(ct_checksum_of(w->m.p.data, 20), 0);
}

static void from_server(struct world *w, uint8_t flags, uint32_t seq, uint32_t ack,
			const char *text)
{
	(void)made_tcp(&w->m, SERVER, 21, PUBLIC, 40000, flags, seq, ack);
	extend(&w->m, "", 0, text);
	EQ_INT(carry(w), CT_ACCEPT);
	OK(w->m.p.info != CT_INFO_INVALID);
	OK(ct_packet_checksum(&w->m.p));
}

static uint32_t at32(const struct ct_packet *p, uint32_t at)
{
	const uint8_t *b = p->data + at;

	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* The handshake and a first line, which helpers only measure. Numbers go on at 106 and 501. */
static void log_in(struct world *w)
{
	from_client(w, SYN, 99, 0, "");
	from_server(w, SYN | ACK, 500, 100, "");
	from_client(w, ACK, 100, 501, "");
	from_client(w, PUSH, 100, 501, "USER\r\n");
}

static void check_port(struct world *w)
{
	static const char said[] = "PORT 10,0,0,10,100,7\r\n";
	static const char heard[] = "PORT 64,222,173,1,100,7\r\n";
	struct ct_seqadj s[CT_DIR_MAX];
	uint32_t longer = sizeof(heard) - sizeof(said), next = 106 + sizeof(said) - 1;

	log_in(w);
	from_client(w, PUSH, 106, 501, said);
	EQ_INT(w->m.p.size, 40 + sizeof(heard) - 1);
	OK(memcmp(w->m.p.data + 40, heard, sizeof(heard) - 1) == 0);
	EQ_INT(ct_engine_seqadj(w->en, w->m.p.entry, s), 0);
	EQ_INT(s[CT_DIR_ORIG].offset_after, longer);
	/* The answer acknowledges more than the client has sent. */
	from_server(w, PUSH, 501, next + longer, "200\r\n");
	EQ_INT(at32(&w->m.p, 28), next);
	from_client(w, PUSH, next, 506, "NOOP\r\n");
	EQ_INT(at32(&w->m.p, 24), next + longer);
	/* Said again, the command is changed again and shifts nothing more. */
	from_client(w, PUSH, 106, 501, said);
	EQ_INT(at32(&w->m.p, 24), 106);
	from_client(w, PUSH, next, 506, "NOOP\r\n");
	EQ_INT(at32(&w->m.p, 24), next + longer);
}

TEST(a_command_grows_and_numbers_follow)
{
	struct world w;

	world_init(&w);
	check_port(&w);
	world_fini(&w);
}

TEST(the_callers_bytes_are_changed_where_it_lends_them)
{
	struct world w;

	world_init(&w);
	w.lends = true;
	check_port(&w);
	OK(w.m.p.data == w.lent);
	world_fini(&w);
}

TEST(what_was_announced_goes_where_its_master_goes)
{
	struct ct_entry e;
	struct world w;

	world_init(&w);
	check_port(&w);
	(void)made_tcp(&w.m, SERVER, 20, PUBLIC, 100 << 8 | 7, SYN, 1, 0);
	EQ_INT(carry(&w), CT_ACCEPT);
	EQ_INT(w.m.p.info, CT_INFO_RELATED);
	EQ_INT(at32(&w.m.p, 16), CLIENT);
	EQ_INT(at32(&w.m.p, 20) & 0xffff, 100 << 8 | 7);
	OK(ct_packet_checksum(&w.m.p));
	EQ_INT(ct_engine_entry(w.en, w.m.p.entry, &e), 0);
	OK(e.status & CT_STATUS_EXPECTED && e.status & CT_STATUS_DST_NAT);
	OK(ct_nat_is_set(e.status, CT_MANIP_SRC) && ct_nat_is_set(e.status, CT_MANIP_DST));
	world_fini(&w);
}

TEST(selective_acknowledgements_are_unshifted)
{
	static const uint8_t sack[12] = { 1, 1, 5, 10, 0, 0, 0, 140, 0, 0, 0, 150 };
	struct world w;

	world_init(&w);
	check_port(&w);
	(void)made_tcp(&w.m, SERVER, 21, PUBLIC, 40000, ACK, 506, 131);
	extend(&w.m, sack, sizeof(sack), "");
	EQ_INT(carry(&w), CT_ACCEPT);
	EQ_INT(at32(&w.m.p, 44), 137);
	EQ_INT(at32(&w.m.p, 48), 147);
	OK(ct_packet_checksum(&w.m.p));
	world_fini(&w);
}

/* A packet at its greatest length cannot grow; it is dropped, and nothing is expected. */
TEST(without_room_the_packet_is_dropped)
{
	struct ct_engine_stats s;
	struct world w;

	world_init(&w);
	log_in(&w);
	(void)made_tcp(&w.m, CLIENT, 40000, SERVER, 21, PUSH, 106, 501);
	extend(&w.m, "", 0, "PORT 10,0,0,10,100,7\r\n");
	memcpy(w.lent, w.m.bytes, w.m.p.size);
	w.m.p.data = w.m.p.bytes = w.lent;
	w.m.p.room = w.m.p.size;
	EQ_INT(carry(&w), CT_DROP);
	ct_engine_stats(w.en, &s);
	EQ_INT(s.expect_create, 1);
	EQ_INT(s.expect_delete, 1);
	world_fini(&w);
}

TAP_MAIN(&tap_a_command_grows_and_numbers_follow,
	 &tap_the_callers_bytes_are_changed_where_it_lends_them,
	 &tap_what_was_announced_goes_where_its_master_goes,
	 &tap_selective_acknowledgements_are_unshifted, &tap_without_room_the_packet_is_dropped)
