/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The tracker with packets that are right in form: a few flows of every protocol, of both families,
 * valid and odd segments, errors about them, mapped replies, zones, packets that wait unconfirmed,
 * limits and buckets that change meanwhile; in both fidelities. After each input the table must be
 * what its counter says, and every entry where its tuples are.
 *
 * The input is a sequence of steps of 6 bytes, see enum act: what to do, with which flow, and four
 * numbers for it.
 */
#include <conntune/engine.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/arena.h"
#include "lib/packet/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEP = 6, MAX_STEPS = 300, N_FLOWS = 8, N_HELD = 8, PACKET_SIZE = 160 };
/* Days of an established connection are a collector's slice for each of their minutes. */
enum { LONGEST_S = 600 };

enum act {
	ACT_CONFIRM_HELD = 20,
	ACT_RELEASE_HELD,
	ACT_TIME,
	ACT_DELETE,
	ACT_BUCKETS,
	ACT_MAX,
	ACT_ERROR,
	ACT_CHANGE,
	ACT_BURST,
	ACT_ZONE,
	ACT_SETTING,
	ACT_LATER,
};

static const struct {
	uint8_t proto, is_ipv6;
} flows[N_FLOWS] = { { PROTO_TCP, 0 }, { PROTO_TCP, 0 },  { PROTO_UDP, 0 },  { PROTO_UDP, 1 },
		     { PROTO_TCP, 1 }, { PROTO_ICMP, 0 }, { PROTO_SCTP, 0 }, { PROTO_GRE, 0 } };

struct built {
	uint8_t bytes[PACKET_SIZE];
	struct ct_packet p;
	bool is_held;
};

struct world {
	struct ct_engine *en;
	ct_time now;
	uint16_t zone;
	uint8_t zone_dir;
	struct built last, held[N_HELD];
};

static void put16(uint8_t *at, unsigned v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

/* An IP header; where layer 4 begins. */
static uint8_t *put_ip(struct built *b, bool is_ipv6, uint8_t proto, uint8_t src, uint8_t dst,
		       uint32_t l4_size)
{
	uint32_t header = is_ipv6 ? 40 : 20;

	memset(b->bytes, 0, sizeof(b->bytes));
	if (is_ipv6) {
		b->bytes[0] = 0x60;
		put16(b->bytes + 4, l4_size);
		b->bytes[6] = proto == PROTO_ICMP ? PROTO_ICMPV6 : proto;
		b->bytes[8] = b->bytes[24] = 0x20;
		b->bytes[23] = src;
		b->bytes[39] = dst;
	} else {
		b->bytes[0] = 0x45;
		put16(b->bytes + 2, header + l4_size);
		b->bytes[9] = proto;
		b->bytes[12] = b->bytes[16] = 10;
		b->bytes[15] = src;
		b->bytes[19] = dst;
	}
	ct_packet_init(&b->p, b->bytes, header + l4_size);
	b->p.flags = CT_PACKET_CHECKSUM_OK;
	return b->bytes + header;
}

static void put_tcp(uint8_t *l4, const uint8_t *n)
{
	put16(l4 + 4, 0);
	put16(l4 + 6, 1000 + n[2] * 4U);
	put16(l4 + 10, 1000 + n[3] * 4U);
	l4[12] = 5 << 4;
	l4[13] = n[1];
	put16(l4 + 14, n[3] & 1 ? 65535 : 100);
}

static void put_sctp(uint8_t *l4, const uint8_t *n)
{
	l4[7] = n[1] & 1;
	l4[12] = n[2] % 15;
	put16(l4 + 14, 20);
	l4[19] = n[1] & 3;
}

/* A packet of a flow: n[0] bit 0 its direction, bit 1 whether its client has the mapped address;
 * the low bits of n[2], n[3] are sequence numbers, chunk types and the like. */
static void build(struct built *b, unsigned flow, const uint8_t *n)
{
	uint8_t proto = flows[flow].proto, client = n[0] & 2 ? 200 : (uint8_t)(1 + flow), l4_proto;
	bool is_reply = n[0] & 1;
	uint32_t size = proto == PROTO_TCP ? 20 + n[3] % 32U : proto == PROTO_SCTP ? 36 : 12;
	uint8_t *l4;

	l4_proto = proto == PROTO_GRE && (n[1] & 1) ? n[2] : proto;
	l4 = put_ip(b, flows[flow].is_ipv6, l4_proto, is_reply ? 100 : client,
		    is_reply ? client : 100, size);
	put16(l4 + (is_reply ? 2 : 0), 1000 + flow + (n[0] >> 6));
	put16(l4 + (is_reply ? 0 : 2), flow == 1 ? 21 : 53);
	if (proto == PROTO_TCP) {
		put_tcp(l4, n);
	} else if (proto == PROTO_UDP) {
		put16(l4 + 4, 12);
	} else if (proto == PROTO_ICMP) {
		memset(l4, 0, 4);
		l4[0] = is_reply ? 0 : n[1] & 1 ? 13 : 8;
		put16(l4 + 4, flow);
	} else if (proto == PROTO_SCTP) {
		put_sctp(l4, n);
	}
}

/* An ICMP error about the packet built last, to its sender. */
static void build_error(struct built *b, const struct built *about, const uint8_t *n)
{
	bool is_ipv6 = about->bytes[0] >> 4 == 6;
	uint32_t quoted = about->p.size < 80 ? about->p.size : 80;
	uint8_t *l4 =
		put_ip(b, is_ipv6, PROTO_ICMP, 250, about->bytes[is_ipv6 ? 23 : 15], 8 + quoted);

	l4[0] = is_ipv6 ? 1 + n[1] % 4 : (uint8_t[]){ 3, 4, 5, 11, 12, 8 }[n[1] % 6];
	memcpy(l4 + 8, about->bytes, quoted);
}

/* NAT's part between the two steps: the reply comes to the mapped address. */
static void map(struct world *w, struct built *b, uint8_t port)
{
	struct ct_tuple t;

	if (ct_engine_tuple(w->en, b->p.entry, CT_DIR_REPLY, &t) < 0)
		return;
	t.dst.bytes[t.family == CT_FAMILY_IPV6 ? 15 : 3] = 200;
	if (port & 1 && t.proto != PROTO_ICMP)
		t.dst_part = (ct_be16)(t.dst_part ^ port);
	(void)ct_engine_is_taken(w->en, &t, b->p.entry);
	(void)ct_engine_set_reply(w->en, b->p.entry, &t);
	(void)ct_engine_set_status(w->en, b->p.entry, CT_STATUS_SRC_NAT | CT_STATUS_SRC_NAT_DONE);
}

static void pass(struct world *w, struct built *b, const uint8_t *n)
{
	struct built *held = &w->held[n[0] >> 5];

	b->p.zone = w->zone;
	b->p.zone_dir = w->zone_dir;
	b->p.helper = n[0] & 1			  ? CT_HELPER_NONE
		      : b->p.data[9] == PROTO_UDP ? CT_HELPER_TFTP
						  : CT_HELPER_FTP;
	ct_engine_in(w->en, &b->p, w->now);
	if (n[0] & 4)
		map(w, b, n[2]);
	switch (n[0] >> 3 & 3) {
	case 0:
		ct_engine_release(w->en, &b->p);
		break;
	case 1:
		if (held->is_held)
			ct_engine_release(w->en, &held->p);
		*held = *b;
		held->p.data = held->bytes;
		held->is_held = true;
		break;
	default:
		ct_engine_confirm(w->en, &b->p, w->now);
	}
}

static void burst(struct world *w, const uint8_t *n)
{
	struct built b[N_FLOWS];
	struct ct_packet *list[N_FLOWS];

	for (unsigned i = 0; i < N_FLOWS; i++) {
		uint8_t own[4] = { (uint8_t)(n[0] ^ i), n[1], (uint8_t)(n[2] + i), n[3] };

		build(&b[i], ((unsigned)n[3] >> (i & 3)) % N_FLOWS, own);
		b[i].p.zone = w->zone;
		b[i].p.zone_dir = w->zone_dir;
		list[i] = &b[i].p;
	}
	ct_engine_burst(w->en, list, N_FLOWS, w->now);
}

static void change(struct world *w, const uint8_t *n)
{
	struct ct_handle h = w->last.p.entry;

	(void)ct_engine_set_mark(w->en, h, n[0]);
	(void)ct_engine_set_helper(w->en, h, (enum ct_helper)(n[1] & 3));
	(void)ct_engine_status(w->en, h);
	(void)ct_engine_master(w->en, h, &h);
}

static void set(struct world *w, const uint8_t *n)
{
	struct ct_engine_config cfg;

	ct_engine_config_default(&cfg);
	cfg.settings.acct = n[0] & 1;
	cfg.settings.tcp_loose = n[0] >> 1 & 1;
	cfg.settings.tcp_be_liberal = n[0] >> 2 & 1;
	cfg.settings.udp_timeout = n[1];
	cfg.settings.tcp_timeout_established = LONGEST_S;
	ct_engine_set(w->en, &cfg.settings);
}

static void step(struct world *w, const uint8_t *s)
{
	struct built *held = &w->held[s[2] % N_HELD];
	const uint8_t *n = s + 2;

	switch (s[0] % 32) {
	case ACT_CONFIRM_HELD:
		if (held->is_held)
			ct_engine_confirm(w->en, &held->p, w->now);
		held->is_held = false;
		break;
	case ACT_RELEASE_HELD:
		if (held->is_held)
			ct_engine_release(w->en, &held->p);
		held->is_held = false;
		break;
	case ACT_TIME:
		w->now += (ct_time)(n[0] % 64) * CT_NS_PER_S / 8;
		break;
	case ACT_LATER:
		w->now += (ct_time)(n[0] % 4) * CT_NS_PER_S * 60;
		ct_engine_advance(w->en, w->now);
		break;
	case ACT_DELETE:
		(void)ct_engine_delete(w->en, w->last.p.entry);
		break;
	case ACT_BUCKETS:
		(void)ct_engine_set_buckets(w->en, n[0] % 4 * 500U);
		break;
	case ACT_MAX:
		ct_engine_set_max(w->en, n[0] % 32);
		break;
	case ACT_ERROR: {
		struct built error;

		build_error(&error, &w->last, n);
		pass(w, &error, n);
		break;
	}
	case ACT_CHANGE:
		change(w, n);
		break;
	case ACT_BURST:
		burst(w, n);
		break;
	case ACT_ZONE:
		w->zone = n[0] & 1;
		w->zone_dir = n[0] >> 1 & 3;
		break;
	case ACT_SETTING:
		set(w, n);
		break;
	default:
		build(&w->last, s[1] % N_FLOWS, n);
		pass(w, &w->last, n);
	}
}

static void check_found(const struct ct_engine *en, const struct ct_entry *e)
{
	for (int d = 0; d < CT_DIR_MAX; d++) {
		struct ct_handle h;
		struct ct_tuple t;
		enum ct_dir dir;

		if (ct_engine_find(en, &e->tuple[d], e->zone, &h, &dir) < 0 ||
		    ct_engine_tuple(en, h, dir, &t) < 0 || !ct_tuple_equal(&t, &e->tuple[d]))
			abort();
	}
}

static void check(const struct world *w)
{
	struct ct_cursor at = { 0, 0 };
	struct ct_engine_stats s;
	struct ct_entry e;
	uint64_t n = 0;

	for (; ct_engine_next(w->en, &at, &e) > 0; n++)
		if (e.zone_dir == CT_ZONE_BOTH)
			check_found(w->en, &e);
	ct_engine_stats(w->en, &s);
	if (n > s.count || s.count > s.peak)
		abort();
}

static void run(const uint8_t *data, size_t size, enum ct_fidelity fidelity)
{
	static struct arena arena;
	struct ct_engine_config cfg;
	static struct world w;
	struct ct_engine_stats s;

	memset(&w, 0, sizeof(w));
	ct_engine_config_default(&cfg);
	cfg.max = 16;
	cfg.buckets = 512;
	cfg.fidelity = fidelity;
	cfg.settings.acct = cfg.settings.timestamp = 1;
	cfg.settings.tcp_timeout_established = LONGEST_S;
	cfg.memory = arena_begin(&arena, size);
	w.en = ct_engine_new(&cfg, NULL);
	if (!w.en)
		abort();
	for (unsigned i = 0; i < MAX_STEPS && size >= STEP; i++, data += STEP, size -= STEP)
		step(&w, data);
	check(&w);
	for (unsigned i = 0; i < N_HELD; i++)
		if (w.held[i].is_held)
			ct_engine_release(w.en, &w.held[i].p);
	/* The collector comes once a minute, twice is enough for all. */
	ct_engine_advance(w.en, w.now + CT_NS_PER_S * LONGEST_S);
	ct_engine_advance(w.en, w.now + CT_NS_PER_S * (LONGEST_S + 120));
	ct_engine_stats(w.en, &s);
	if (s.count != 0)
		abort();
	ct_engine_free(w.en);
	arena_end(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	run(data, size, CT_FIDELITY_EXACT);
	run(data, size, CT_FIDELITY_KERNEL);
	return 0;
}
