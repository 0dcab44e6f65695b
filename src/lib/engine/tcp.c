/* SPDX-License-Identifier: BSD-2-Clause
 *
 * TCP's states. A segment's kind and direction move the state by a table; around it stand the
 * exceptions that reused ports, challenge ACKs and resets made necessary. Answers to Linux 6.18,
 * net/netfilter/nf_conntrack_proto_tcp.c: nf_conntrack_tcp_packet(), tcp_new(), tcp_error().
 */
#include "lib/engine/tcp.h"
#include "lib/packet/wire.h"

#include <string.h>

enum {
	STATE_INVALID = 10,
	STATE_IGNORE = 11,
	N_TCP_STATES = 10,
};

enum {
	NO = CT_TCP_NONE,
	SS = CT_TCP_SYN_SENT,
	SR = CT_TCP_SYN_RECV,
	ES = CT_TCP_ESTABLISHED,
	FW = CT_TCP_FIN_WAIT,
	CW = CT_TCP_CLOSE_WAIT,
	LA = CT_TCP_LAST_ACK,
	TW = CT_TCP_TIME_WAIT,
	CL = CT_TCP_CLOSE,
	S2 = CT_TCP_SYN_SENT2,
	IV = STATE_INVALID,
	IG = STATE_IGNORE,
};

static const uint8_t transitions[CT_DIR_MAX][N_TCP_KINDS][N_TCP_STATES] = {
#define TCP_ROW(dir, kind, ...) [CT_DIR_##dir][TCP_##kind] = { __VA_ARGS__ },
#include "lib/engine/tcp_table.def"
#undef TCP_ROW
};

/* What a segment is by its flags, PSH left out; one more than its kind, 0 for flags that do not
 * occur together in honest segments: tcp_valid_flags[], get_conntrack_index(). */
static const uint8_t kinds[64] = {
	[FLAG_SYN] = 1 + TCP_SYN,
	[FLAG_SYN | FLAG_URG] = 1 + TCP_SYN,
	[FLAG_SYN | FLAG_ACK] = 1 + TCP_SYNACK,
	[FLAG_RST] = 1 + TCP_RST,
	[FLAG_RST | FLAG_ACK] = 1 + TCP_RST,
	[FLAG_FIN | FLAG_ACK] = 1 + TCP_FIN,
	[FLAG_FIN | FLAG_ACK | FLAG_URG] = 1 + TCP_FIN,
	[FLAG_ACK] = 1 + TCP_ACK,
	[FLAG_ACK | FLAG_URG] = 1 + TCP_ACK,
};

/* Reads the header, tcp_error(). False with a reason when it is none. */
static bool read_segment(const struct visit *v, struct segment *s)
{
	struct ct_packet *p = v->p;
	const uint8_t *l4 = p->data + p->offset;
	uint32_t left = p->size - p->offset, header;

	if (left < 20) {
		p->why = "tcp: short packet";
		return false;
	}
	header = (l4[12] >> 4) * 4U;
	if (header < 20 || header > left) {
		p->why = "tcp: truncated packet";
		return false;
	}
	if (p->hook == CT_HOOK_PREROUTING && v->en->cfg.settings.checksum &&
	    !(p->flags & CT_PACKET_CHECKSUM_OK) && !ct_packet_checksum(p)) {
		p->why = "tcp: bad checksum";
		return false;
	}
	s->flags = l4[13] & 0x3f;
	if (!kinds[s->flags & ~FLAG_PSH]) {
		p->why = "tcp: invalid flag combination";
		return false;
	}
	s->kind = (uint8_t)(kinds[s->flags & ~FLAG_PSH] - 1);
	s->seq = wire_be32(l4 + 4);
	s->ack = wire_be32(l4 + 8);
	s->window = wire_be16(l4 + 14);
	s->end = s->seq + (left - header) + ((s->flags & FLAG_SYN) != 0) +
		 ((s->flags & FLAG_FIN) != 0);
	s->options = l4 + 20;
	s->options_size = header - 20;
	return true;
}

/* tcp_new(): may this segment begin an entry, and what does it tell of its sender? */
static bool begin(const struct visit *v, const struct segment *s)
{
	struct tcp_part *t = entry_tcp(v->e);
	struct tcp_seen *seen = &t->seen[CT_DIR_ORIG];

	switch (transitions[CT_DIR_ORIG][s->kind][CT_TCP_NONE]) {
	case CT_TCP_SYN_SENT:
		seen->end = seen->maxend = s->end;
		seen->maxwin = s->window ? s->window : 1;
		ct_tcp_read_options(s, seen);
		break;
	case CT_TCP_ESTABLISHED:
		if (!v->en->cfg.settings.tcp_loose)
			return false;
		/* Picked up in the middle: nothing is known of scaling, so be liberal. */
		seen->end = s->end;
		seen->maxwin = s->window ? s->window : 1;
		seen->maxend = s->end + seen->maxwin;
		seen->flags = SEEN_SACK_PERM | SEEN_BE_LIBERAL;
		t->seen[CT_DIR_REPLY].flags = SEEN_SACK_PERM | SEEN_BE_LIBERAL;
		break;
	default:
		return false;
	}
	t->last_index = TCP_NO_FLAGS;
	return true;
}

static bool is_established(const struct entry *e)
{
	return e->state == CT_TCP_ESTABLISHED && (e->status & CT_STATUS_ASSURED);
}

static bool can_early_drop(const struct entry *e)
{
	return e->state == CT_TCP_FIN_WAIT || e->state == CT_TCP_LAST_ACK ||
	       e->state == CT_TCP_TIME_WAIT || e->state == CT_TCP_CLOSE ||
	       e->state == CT_TCP_CLOSE_WAIT;
}

/* Where the states lead a segment after they have judged it. */
enum way {
	WAY_WINDOW, /* its numbers are to be checked */
	WAY_COMMIT, /* accepted whatever its numbers */
	WAY_ACCEPT, /* accepted, and nothing changes */
	WAY_INVALID,
	WAY_REOPEN,
};

/* A SYN of a finished connection's ends: may the tuple be used again? */
static bool may_reopen(const struct visit *v)
{
	const struct tcp_part *t = entry_tcp(v->e);

	return ((t->seen[0].flags | t->seen[1].flags) & SEEN_CLOSE_INIT) ||
	       (t->last_dir == v->dir && t->last_index == TCP_RST);
}

/* A SYN/ACK that answers a SYN we had ignored: both ends agree, so we were out of step. */
static bool answers_ignored_syn(const struct visit *v, const struct segment *s)
{
	const struct tcp_part *t = entry_tcp(v->e);

	return s->kind == TCP_SYNACK && t->last_index == TCP_SYN && t->last_dir != v->dir &&
	       s->ack == t->last_end;
}

static void resynchronise(const struct visit *v)
{
	struct tcp_part *t = entry_tcp(v->e);
	struct tcp_seen *other = &t->seen[t->last_dir];

	other->end = other->maxend = t->last_end;
	other->maxwin = t->last_win ? t->last_win : 1;
	other->scale = t->last_wscale;
	t->last_flags &= (uint8_t)~LAST_CHALLENGE_ACK;
	other->flags = t->last_flags;
	t->seen[v->dir] = (struct tcp_seen){ .flags = t->seen[v->dir].flags & SEEN_BE_LIBERAL };
}

/* Remembers a segment that is let through without being believed: should its answer show that
 * the ends agree about it, resynchronise() needs it. */
static void remember_ignored(const struct visit *v, const struct segment *s, uint8_t old_state)
{
	struct tcp_part *t = entry_tcp(v->e);

	t->last_index = s->kind;
	t->last_dir = (uint8_t)v->dir;
	t->last_seq = s->seq;
	t->last_end = s->end;
	t->last_win = s->window;
	if (s->kind == TCP_SYN && v->dir == CT_DIR_ORIG) {
		struct tcp_seen seen = { 0 };

		ct_tcp_read_options(s, &seen);
		t->last_flags = seen.flags & (SEEN_WINDOW_SCALE | SEEN_SACK_PERM);
		t->last_wscale = seen.scale;
		/* RFC 5961: the answer may be a challenge ACK, which does not end LAST_ACK. */
		if (old_state == CT_TCP_LAST_ACK)
			t->last_flags |= LAST_CHALLENGE_ACK;
	}
	if (old_state == CT_TCP_SYN_SENT && s->kind == TCP_ACK && v->dir == CT_DIR_REPLY)
		t->last_ack = s->ack;
}

static enum way ignore(const struct visit *v, const struct segment *s, uint8_t *old_state,
		       uint8_t *new_state)
{
	if (answers_ignored_syn(v, s)) {
		resynchronise(v);
		*old_state = CT_TCP_SYN_SENT;
		*new_state = CT_TCP_SYN_RECV;
		return WAY_WINDOW;
	}
	remember_ignored(v, s, *old_state);
	v->p->why = "tcp: packet ignored in this state";
	return WAY_ACCEPT;
}

/* RFC 5961: an ACK in LAST_ACK that answers a stray SYN, not the FIN. */
static bool is_challenge_ack(const struct visit *v, const struct segment *s, uint8_t old_state)
{
	const struct tcp_part *t = entry_tcp(v->e);

	return old_state == CT_TCP_LAST_ACK && s->kind == TCP_ACK && t->last_dir != v->dir &&
	       t->last_index == TCP_SYN && (t->last_flags & LAST_CHALLENGE_ACK);
}

/* What the peer has acknowledged says whether a RST can be genuine. */
static enum way judge_reset_number(const struct visit *v, const struct segment *s,
				   uint8_t old_state, uint8_t *new_state, bool *is_settled)
{
	const struct tcp_part *t = entry_tcp(v->e);
	uint32_t maxack = t->seen[!v->dir].maxack;

	*is_settled = true;
	/* Most likely the answer to a SYN that was let through. */
	if (s->seq == 0 && !is_established(v->e))
		return WAY_WINDOW;
	if (seq_before(s->seq, maxack) && !v->en->cfg.settings.tcp_ignore_invalid_rst) {
		v->p->why = "tcp: invalid RST";
		return WAY_INVALID;
	}
	if (!is_established(v->e) || s->seq == maxack)
		return WAY_WINDOW;
	/* A RST right behind the same sender's data. */
	if (t->last_index == TCP_ACK && t->last_dir == v->dir && s->seq == t->last_end)
		return WAY_WINDOW;
	/* Not exact: leave the state to what a challenge ACK will show. */
	*new_state = old_state;
	*is_settled = false;
	return WAY_WINDOW;
}

static enum way judge_reset(const struct visit *v, const struct segment *s, uint8_t old_state,
			    uint8_t *new_state)
{
	const struct tcp_part *t = entry_tcp(v->e);
	bool is_settled = false, answers_syn, answers_ack;

	/* In a closing connection the numbers may be those of another that reused the tuple. */
	if (can_early_drop(v->e))
		return WAY_COMMIT;
	if ((t->seen[!v->dir].flags & SEEN_MAXACK_SET) && t->last_index != TCP_SYN) {
		enum way way = judge_reset_number(v, s, old_state, new_state, &is_settled);

		if (is_settled)
			return way;
	}
	/* It answers the other end's SYN, or the ACK, that was let through before. */
	answers_syn = (v->e->status & CT_STATUS_SEEN_REPLY) && t->last_index == TCP_SYN &&
		      t->last_dir != v->dir;
	answers_ack = !(v->e->status & CT_STATUS_ASSURED) && t->last_index == TCP_ACK;
	if ((answers_syn || answers_ack) && s->ack == t->last_end)
		return WAY_COMMIT;
	if (old_state == CT_TCP_SYN_SENT && t->last_index == TCP_ACK &&
	    t->last_dir == CT_DIR_REPLY && s->seq == t->last_ack)
		return WAY_COMMIT;
	return WAY_WINDOW;
}

/* What the new state asks for before the window check. */
static enum way judge(const struct visit *v, const struct segment *s, uint8_t *old_state,
		      uint8_t *new_state)
{
	struct tcp_part *t = entry_tcp(v->e);

	switch (*new_state) {
	case CT_TCP_SYN_SENT:
		if (*old_state < CT_TCP_TIME_WAIT)
			return WAY_WINDOW;
		if (may_reopen(v))
			return WAY_REOPEN;
		return ignore(v, s, old_state, new_state);
	case STATE_IGNORE:
		return ignore(v, s, old_state, new_state);
	case STATE_INVALID:
		v->p->why = "tcp: invalid state transition";
		return WAY_INVALID;
	case CT_TCP_TIME_WAIT:
		if (!is_challenge_ack(v, s, *old_state))
			return WAY_WINDOW;
		t->last_flags &= (uint8_t)~LAST_CHALLENGE_ACK;
		return WAY_ACCEPT;
	case CT_TCP_SYN_SENT2:
		t->last_flags |= LAST_SIMULTANEOUS;
		return WAY_WINDOW;
	case CT_TCP_SYN_RECV:
		if (v->dir == CT_DIR_REPLY && s->kind == TCP_ACK &&
		    (t->last_flags & LAST_SIMULTANEOUS))
			*new_state = CT_TCP_ESTABLISHED;
		return WAY_WINDOW;
	case CT_TCP_CLOSE:
		return s->kind == TCP_RST ? judge_reset(v, s, *old_state, new_state) : WAY_WINDOW;
	default:
		return WAY_WINDOW;
	}
}

/* nf_tcp_handle_invalid(): two ends that say FIN or RST to each other out of window are through
 * with one another; do not keep the entry for days. */
static void shorten_after_invalid(const struct visit *v, const struct segment *s)
{
	enum { NOT_BELOW_S = 120 };
	struct tcp_part *t = entry_tcp(v->e);
	ct_tick unack = ticks(v->en->cfg.settings.tcp_timeout_unacknowledged);
	ct_tick left = v->e->deadline - v->en->tick;

	if (!(v->e->status & CT_STATUS_ASSURED) || (v->e->status & CT_STATUS_FIXED_TIMEOUT) ||
	    (s->kind != TCP_FIN && s->kind != TCP_RST))
		return;
	if (t->last_dir == v->dir || (t->last_index != TCP_FIN && t->last_index != TCP_RST)) {
		t->last_index = s->kind;
		t->last_dir = (uint8_t)v->dir;
		return;
	}
	if (left >= ticks(NOT_BELOW_S) && left > unack)
		ct_entry_set_deadline(v->en, v->number, v->en->tick + unack);
}

static ct_tick choose_timeout(const struct visit *v, const struct segment *s, uint8_t state)
{
	const struct tcp_part *t = entry_tcp(v->e);
	const struct ct_engine_settings *set = &v->en->cfg.settings;
	ct_tick usual = v->en->tcp_timeout[state];
	ct_tick retrans = ticks(set->tcp_timeout_max_retrans);
	ct_tick unack = ticks(set->tcp_timeout_unacknowledged);

	if (t->retrans >= set->tcp_max_retrans && usual > retrans)
		return retrans;
	if (s->kind == TCP_RST)
		return v->en->tcp_timeout[CT_TCP_CLOSE];
	if (((t->seen[0].flags | t->seen[1].flags) & SEEN_DATA_UNACK) && usual > unack)
		return unack;
	if (t->last_win == 0 && usual > retrans)
		return retrans;
	return usual;
}

static void become_assured(const struct visit *v)
{
	v->e->status |= CT_STATUS_ASSURED;
	v->p->events |= CT_EVENT_ASSURED;
}

/* The segment is believed: state, timeout, counters. */
static enum judgement commit(const struct visit *v, const struct segment *s, uint8_t old_state,
			     uint8_t new_state)
{
	struct tcp_part *t = entry_tcp(v->e);
	ct_tick timeout, unack = ticks(v->en->cfg.settings.tcp_timeout_unacknowledged);

	t->last_index = s->kind;
	t->last_dir = (uint8_t)v->dir;
	v->e->state = new_state;
	if (old_state != new_state) {
		v->p->events |= CT_EVENT_PROTOINFO;
		if (new_state == CT_TCP_FIN_WAIT)
			t->seen[v->dir].flags |= SEEN_CLOSE_INIT;
	}
	timeout = choose_timeout(v, s, new_state);
	if (!(v->e->status & CT_STATUS_SEEN_REPLY)) {
		/* An answer that is nothing but a refusal: there never was a connection. */
		if (s->flags & FLAG_RST) {
			ct_entry_count(v);
			ct_entry_end(v->en, v->number, CT_END_RESET);
			return JUDGE_GONE;
		}
		/* Repeated SYNs do not keep an entry alive. */
		if (s->kind == TCP_SYN && old_state == CT_TCP_SYN_SENT)
			return JUDGE_ACCEPT;
		if (new_state == CT_TCP_ESTABLISHED && timeout > unack)
			timeout = unack;
	} else if (!(v->e->status & CT_STATUS_ASSURED) && new_state == CT_TCP_ESTABLISHED &&
		   (old_state == CT_TCP_SYN_RECV || old_state == CT_TCP_ESTABLISHED)) {
		become_assured(v);
	}
	ct_entry_refresh(v, timeout);
	return JUDGE_ACCEPT;
}

static enum judgement judge_window(const struct visit *v, const struct segment *s,
				   uint8_t old_state, uint8_t new_state)
{
	switch (ct_tcp_in_window(v, s)) {
	case WINDOW_ACCEPT:
	case WINDOW_TOLERATED:
		return commit(v, s, old_state, new_state);
	case WINDOW_IGNORE:
		return JUDGE_ACCEPT;
	case WINDOW_INVALID:
		shorten_after_invalid(v, s);
		break;
	}
	return JUDGE_INVALID;
}

static enum judgement tcp_packet(const struct visit *v)
{
	struct segment s;
	uint8_t old_state, new_state;

	if (!read_segment(v, &s))
		return JUDGE_INVALID;
	if (!(v->e->status & CT_STATUS_CONFIRMED) && !begin(v, &s)) {
		v->p->why = "tcp: not the beginning of a connection";
		return JUDGE_INVALID;
	}
	old_state = v->e->state;
	new_state = transitions[v->dir][s.kind][old_state];
	switch (judge(v, &s, &old_state, &new_state)) {
	case WAY_WINDOW:
		return judge_window(v, &s, old_state, new_state);
	case WAY_COMMIT:
		return commit(v, &s, old_state, new_state);
	case WAY_ACCEPT:
		return JUDGE_ACCEPT;
	case WAY_REOPEN:
		ct_entry_kill(v->en, v->number, CT_END_REOPEN);
		return JUDGE_REPEAT;
	case WAY_INVALID:
		break;
	}
	return JUDGE_INVALID;
}

const struct ct_proto_ops ct_tcp_tracker = {
	.name = "tcp",
	.packet = tcp_packet,
	.can_early_drop = can_early_drop,
};
