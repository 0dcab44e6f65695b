/* SPDX-License-Identifier: BSD-2-Clause
 *
 * PPTP: messages on the control connection agree on a call, whose packets come as GRE version 1
 * in both directions. Each carries the number the receiver gave to the call, so that the sender's,
 * which the tuple needs too, has to be remembered. Answers to Linux 6.18,
 * net/netfilter/nf_conntrack_pptp.c: conntrack_pptp_help(), pptp_outbound_pkt(),
 * pptp_inbound_pkt(), exp_gre(), pptp_destroy_siblings(); and the key map of
 * nf_conntrack_proto_gre.c. pptp_expectfn() raises the timeouts of GRE, but
 * nf_conntrack_gre_packet() sets them back with the first packet, so they are left alone.
 */
#include <string.h>

#include "lib/engine/expect.h"
#include "lib/packet/wire.h"

enum { FIRST_KEYS = 16, PREFIX_SIZE = 12, CONTROL = 1, COOKIE = 0x1a2b3c4d };

enum message {
	START_REQUEST = 1,
	START_REPLY,
	STOP_REQUEST,
	STOP_REPLY,
	ECHO_REQUEST,
	ECHO_REPLY,
	OUT_CALL_REQUEST,
	OUT_CALL_REPLY,
	IN_CALL_REQUEST,
	IN_CALL_REPLY,
	IN_CALL_CONNECT,
	CLEAR_REQUEST,
	DISCONNECT_NOTIFY,
	WAN_ERROR_NOTIFY,
	SET_LINK_INFO,
	N_MESSAGES
};

/* Bytes behind the prefix; a shorter message is passed over. */
static const uint8_t sizes[N_MESSAGES] = {
	[START_REQUEST] = 144,	 [START_REPLY] = 144,	    [STOP_REQUEST] = 4,
	[STOP_REPLY] = 4,	 [OUT_CALL_REQUEST] = 156,  [OUT_CALL_REPLY] = 20,
	[IN_CALL_REQUEST] = 208, [IN_CALL_REPLY] = 12,	    [IN_CALL_CONNECT] = 16,
	[CLEAR_REQUEST] = 4,	 [DISCONNECT_NOTIFY] = 136, [WAN_ERROR_NOTIFY] = 28,
	[SET_LINK_INFO] = 12,
};

/* The order counts: STOP_REPLY is taken up to STOPPING. */
enum session { SESSION_NONE, SESSION_ERROR, SESSION_STOPPING, SESSION_ASKED, SESSION_CONFIRMED };

enum call {
	CALL_NONE,
	CALL_OUT_ASKED,
	CALL_OUT,
	CALL_IN_ASKED,
	CALL_IN_ANSWERED,
	CALL_IN,
	CALL_CLEAR
};

enum { RESULT_OK = 1 };

void ct_gre_key(const struct ct_engine *en, const struct ct_packet *p, struct ct_tuple *t)
{
	enum { VERSION = 7 };

	if (p->proto != PROTO_GRE || p->size - p->offset < 8 ||
	    (p->data[p->offset + 1] & VERSION) != 1)
		return;
	for (uint32_t i = 0; i < en->n_gre_keys; i++) {
		const struct ct_tuple *known = &en->gre_keys[i].tuple;

		if (known->family == t->family && known->dst_part == t->dst_part &&
		    memcmp(&known->src, &t->src, sizeof(t->src)) == 0 &&
		    memcmp(&known->dst, &t->dst, sizeof(t->dst)) == 0) {
			t->src_part = known->src_part;
			return;
		}
	}
}

/* nf_ct_gre_keymap_destroy() */
static void drop_keys(struct ct_engine *en, uint32_t master)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < en->n_gre_keys; i++)
		if (en->gre_keys[i].master != master)
			en->gre_keys[kept++] = en->gre_keys[i];
	en->n_gre_keys = kept;
}

/* nf_ct_gre_keymap_add(): a session has one key a direction, which only its repetition meets. */
static bool add_key(struct ct_engine *en, uint32_t master, enum ct_dir dir,
		    const struct ct_tuple *t)
{
	void *at = en->gre_keys;

	for (uint32_t i = 0; i < en->n_gre_keys; i++)
		if (en->gre_keys[i].master == master && en->gre_keys[i].dir == dir)
			return en->gre_keys[i].tuple.dst_part == t->dst_part;
	if (!ct_mem_make_room(en, &at, en->n_gre_keys, &en->max_gre_keys, sizeof(*en->gre_keys),
			      FIRST_KEYS))
		return false;
	en->gre_keys = at;
	en->gre_keys[en->n_gre_keys++] =
		(struct gre_key){ .tuple = *t, .master = master, .dir = (uint8_t)dir };
	return true;
}

/* The tuple of a call's packets in one direction of the control connection. */
static void call_tuple(const struct ct_engine *en, uint32_t master, enum ct_dir dir,
		       const struct pptp_part *call, struct ct_tuple *out)
{
	bool is_reply = dir == CT_DIR_REPLY;

	ct_entry_tuple(en, master, dir, out);
	out->proto = PROTO_GRE;
	out->src_part = is_reply ? call->server_call : call->client_call;
	out->dst_part = is_reply ? call->client_call : call->server_call;
}

static void unexpect(struct ct_engine *en, uint32_t master, const struct expect *x)
{
	ct_expect_unlink(en, ct_expect_find(en, &x->tuple, entry_at(en, master)->zone));
}

/* exp_gre() */
static void expect_call(struct ct_engine *en, uint32_t master, const struct pptp_part *call)
{
	struct expect x[CT_DIR_MAX];

	for (int dir = 0; dir < CT_DIR_MAX; dir++) {
		x[dir] = (struct expect){ .flags = EXPECT_SRC_PART | EXPECT_TWIN };
		call_tuple(en, master, (enum ct_dir)dir, call, &x[dir].tuple);
	}
	if (ct_expect_register(en, master, &x[CT_DIR_ORIG]) < 0)
		return;
	if (ct_expect_register(en, master, &x[CT_DIR_REPLY]) < 0) {
		unexpect(en, master, &x[CT_DIR_ORIG]);
		return;
	}
	if (add_key(en, master, CT_DIR_ORIG, &x[CT_DIR_ORIG].tuple)) {
		if (add_key(en, master, CT_DIR_REPLY, &x[CT_DIR_REPLY].tuple))
			return;
		drop_keys(en, master);
	}
	unexpect(en, master, &x[CT_DIR_REPLY]);
	unexpect(en, master, &x[CT_DIR_ORIG]);
}

/* destroy_sibling_or_exp(): the entry of a call's direction, or else what expects it. Where the
 * table is being walked, the entry's time is up instead, and the walk or the next one ends it. */
static void end_direction(struct ct_engine *en, uint32_t master, enum ct_dir dir,
			  const struct pptp_part *call, bool is_walked)
{
	uint16_t zone = entry_at(en, master)->zone;
	struct ct_handle sibling;
	struct ct_tuple t;
	enum ct_dir found;

	call_tuple(en, master, dir, call, &t);
	if (ct_engine_find(en, &t, zone, &sibling, &found) < 0)
		ct_expect_unlink(en, ct_expect_find(en, &t, zone));
	else if (is_walked)
		ct_entry_set_deadline(en, sibling.number, en->tick);
	else
		ct_entry_kill(en, sibling.number, CT_END_CALL);
}

/* pptp_destroy_siblings() */
static void end_calls(struct ct_engine *en, uint32_t master, bool is_walked)
{
	struct pptp_part call = ct_cold_look(en, entry_at(en, master))->u.pptp;

	drop_keys(en, master);
	end_direction(en, master, CT_DIR_ORIG, &call, is_walked);
	end_direction(en, master, CT_DIR_REPLY, &call, is_walked);
}

void ct_pptp_end(struct ct_engine *en, uint32_t number, enum ct_end end)
{
	bool is_walked =
		end == CT_END_TIMEOUT || end == CT_END_EARLY_DROP || end == CT_END_PRESSURE;

	if (ct_cold_look(en, entry_at(en, number))->helper == CT_HELPER_PPTP)
		end_calls(en, number, is_walked);
}

void ct_pptp_forget(struct ct_engine *en, uint32_t number)
{
	const struct entry *e = entry_at(en, number);
	struct ct_handle master = ct_cold_look(en, e)->master;

	/* destroy_gre_conntrack() */
	if (e->key.proto == PROTO_GRE && master.number &&
	    entry_at(en, master.number)->generation == master.generation)
		drop_keys(en, master.number);
}

/* pptp_outbound_pkt(): what the client (PNS) says. */
static void read_client(struct pptp_part *s, unsigned message, const uint8_t *body)
{
	switch (message) {
	case START_REQUEST:
		if (s->session == SESSION_NONE)
			s->session = SESSION_ASKED;
		break;
	case STOP_REQUEST:
		s->session = SESSION_STOPPING;
		break;
	case OUT_CALL_REQUEST:
		if (s->session != SESSION_CONFIRMED)
			break;
		s->call = CALL_OUT_ASKED;
		s->client_call = wire_raw16(body);
		break;
	case IN_CALL_REPLY:
		if ((s->call != CALL_IN_ASKED && s->call != CALL_IN_ANSWERED) ||
		    s->server_call != wire_raw16(body + 2))
			break;
		s->call = body[4] == RESULT_OK ? CALL_IN_ANSWERED : CALL_NONE;
		if (body[4] == RESULT_OK)
			s->client_call = wire_raw16(body);
		break;
	case CLEAR_REQUEST:
		if (s->session == SESSION_CONFIRMED)
			s->call = CALL_CLEAR;
		break;
	default:
		break;
	}
}

/* pptp_inbound_pkt(): what the server (PAC) says. True when a call is agreed on. */
static bool read_server(struct pptp_part *s, unsigned message, const uint8_t *body)
{
	switch (message) {
	case START_REPLY:
		if (s->session >= SESSION_ASKED)
			s->session = body[2] == RESULT_OK ? SESSION_CONFIRMED : SESSION_ERROR;
		return false;
	case STOP_REPLY:
		if (s->session <= SESSION_STOPPING)
			s->session = body[0] == RESULT_OK ? SESSION_NONE : SESSION_ERROR;
		return false;
	case OUT_CALL_REPLY:
		if (s->session != SESSION_CONFIRMED ||
		    (s->call != CALL_OUT_ASKED && s->call != CALL_OUT) ||
		    s->client_call != wire_raw16(body + 2))
			return false;
		s->call = body[4] == RESULT_OK ? CALL_OUT : CALL_NONE;
		if (s->call == CALL_OUT)
			s->server_call = wire_raw16(body);
		return s->call == CALL_OUT;
	case IN_CALL_REQUEST:
		if (s->session != SESSION_CONFIRMED)
			return false;
		s->call = CALL_IN_ASKED;
		s->server_call = wire_raw16(body);
		return false;
	case IN_CALL_CONNECT:
		if (s->session != SESSION_CONFIRMED ||
		    (s->call != CALL_IN_ANSWERED && s->call != CALL_IN) ||
		    s->client_call != wire_raw16(body))
			return false;
		s->call = CALL_IN;
		return true;
	case DISCONNECT_NOTIFY:
		s->call = CALL_NONE;
		return false;
	default:
		return false;
	}
}

void ct_pptp_help(struct ct_engine *en, struct ct_packet *p, struct cold *c)
{
	const uint8_t *l4 = p->data + p->offset;
	uint32_t left = p->size - p->offset, header = left >= 20 ? (l4[12] >> 4) * 4U : left;
	unsigned message;

	if (p->info != CT_INFO_ESTABLISHED && p->info != CT_INFO_ESTABLISHED_REPLY)
		return;
	if (left < header + PREFIX_SIZE || wire_be16(l4 + header + 2) != CONTROL ||
	    wire_be32(l4 + header + 4) != COOKIE)
		return;
	message = wire_be16(l4 + header + 8);
	l4 += header + PREFIX_SIZE;
	left -= header + PREFIX_SIZE;
	if (message >= N_MESSAGES || left < sizes[message])
		return;
	if (ct_info_dir(p->info) == CT_DIR_ORIG) {
		read_client(&c->u.pptp, message, l4);
		return;
	}
	if (read_server(&c->u.pptp, message, l4))
		expect_call(en, p->entry.number, &c->u.pptp);
	else if (message == DISCONNECT_NOTIFY)
		end_calls(en, p->entry.number, false);
}
