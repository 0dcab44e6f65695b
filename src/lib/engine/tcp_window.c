/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Is a segment one that the two ends could have sent? After Guido van Rooij, "Real stateful TCP
 * packet filtering in IP Filter": of each sender the highest end, the highest end its peer allows,
 * the largest window and the highest acknowledgement are kept. Answers to Linux 6.18,
 * nf_conntrack_proto_tcp.c: ct_tcp_in_window(), tcp_init_sender(), tcp_options(), tcp_sack().
 */
#include "lib/engine/tcp.h"
#include "lib/packet/wire.h"

enum { OPTION_END = 0, OPTION_NOP = 1, OPTION_SCALE = 3, OPTION_SACK_PERM = 4, OPTION_SACK = 5 };
enum { MAX_SCALE = 14, MIN_ACK_WINDOW = 66000 };

/* The next option of more than one byte: its kind, with *body of *size bytes. -1 at the end or
 * where the options break off. */
static int next_option(const uint8_t **at, uint32_t *left, const uint8_t **body, uint32_t *size)
{
	while (*left > 0 && **at == OPTION_NOP) {
		(*at)++;
		(*left)--;
	}
	if (*left < 2 || **at == OPTION_END || (*at)[1] < 2 || (*at)[1] > *left)
		return -1;
	*body = *at + 2;
	*size = (*at)[1] - 2U;
	*left -= (*at)[1];
	*at += (*at)[1];
	return (*body)[-2];
}

void ct_tcp_read_options(const struct segment *s, struct tcp_seen *seen)
{
	const uint8_t *at = s->options, *body;
	uint32_t left = s->options_size, size;
	int kind;

	if (left == 0)
		return;
	seen->scale = 0;
	seen->flags &= SEEN_BE_LIBERAL;
	while ((kind = next_option(&at, &left, &body, &size)) >= 0) {
		if (kind == OPTION_SACK_PERM && size == 0) {
			seen->flags |= SEEN_SACK_PERM;
		} else if (kind == OPTION_SCALE && size == 1) {
			seen->flags |= SEEN_WINDOW_SCALE;
			seen->scale = *body > MAX_SCALE ? MAX_SCALE : *body;
		}
	}
}

/* The highest right edge that the first SACK option names, if above @ack. */
static uint32_t highest_sack(const struct segment *s, uint32_t ack)
{
	const uint8_t *at = s->options, *body;
	uint32_t left = s->options_size, size;
	int kind;

	while ((kind = next_option(&at, &left, &body, &size)) >= 0) {
		if (kind != OPTION_SACK || size == 0 || size % 8 != 0)
			continue;
		for (uint32_t i = 0; i < size; i += 8) {
			uint32_t edge = wire_be32(body + i + 4);

			if (seq_after(edge, ack))
				ack = edge;
		}
		break;
	}
	return ack;
}

static void init_sender(const struct visit *v, const struct segment *s, struct tcp_seen *sender,
			struct tcp_seen *receiver)
{
	sender->end = sender->maxend = s->end;
	sender->maxwin = s->window ? s->window : 1;
	ct_tcp_read_options(s, sender);
	/* RFC 7323: scaling is on only when both offer it. */
	if (v->dir == CT_DIR_REPLY && !(sender->flags & receiver->flags & SEEN_WINDOW_SCALE))
		sender->scale = receiver->scale = 0;
}

/* The history is lost; begin with what this segment shows. */
static void guess_sender(const struct segment *s, uint32_t sack, struct tcp_seen *sender,
			 struct tcp_seen *receiver)
{
	uint32_t window = (uint32_t)s->window << sender->scale;

	sender->end = s->end;
	sender->maxwin = window ? window : 1;
	sender->maxend = s->end + sender->maxwin;
	if (receiver->maxwin == 0)
		receiver->end = receiver->maxend = sack;
	else if (sack == receiver->end + 1)
		receiver->end++; /* probably the answer to a keep-alive */
}

/* Initialises the sender's record where that is due. True: a SYN that begins a simultaneous
 * open, which has nothing more to be judged by. */
static bool meet_sender(const struct visit *v, const struct segment *s, uint32_t sack,
			struct tcp_seen *sender, struct tcp_seen *receiver)
{
	bool is_syn = s->flags & FLAG_SYN, has_ack = s->flags & FLAG_ACK;

	if (sender->maxwin == 0) {
		if (!is_syn) {
			guess_sender(s, sack, sender, receiver);
			return false;
		}
		init_sender(v, s, sender, receiver);
		return !has_ack;
	}
	if (is_syn && seq_after(s->end, sender->end) &&
	    (v->e->state == CT_TCP_SYN_SENT || v->e->state == CT_TCP_SYN_RECV)) {
		init_sender(v, s, sender, receiver);
		return v->dir == CT_DIR_REPLY && !has_ack;
	}
	return false;
}

/* Every verdict but "good" becomes acceptance, without learning, for those who want it so. */
static enum window_result complain(const struct visit *v, const struct tcp_seen *sender,
				   enum window_result result, const char *why)
{
	v->p->why = why;
	if (v->en->cfg.settings.tcp_be_liberal || (sender->flags & SEEN_BE_LIBERAL))
		return WINDOW_TOLERATED;
	return result;
}

/* The numbers of one segment as they are judged: gaps filled, SACK considered. */
struct numbers {
	uint32_t seq, ack, sack, end;
};

static enum window_result beyond_window(const struct visit *v, const struct numbers *n,
					struct tcp_seen *sender, const struct tcp_seen *receiver,
					bool is_ack_recent)
{
	uint32_t overshot = n->end - sender->maxend + 1;
	bool is_end_recent =
		receiver->maxwin && seq_after(n->end, sender->end - receiver->maxwin - 1);

	/* Somewhat more than the peer allowed: should the peer acknowledge it, that must not look
	 * like an acknowledgement of unseen data. */
	if (is_end_recent && is_ack_recent && overshot <= receiver->maxwin &&
	    seq_before(n->sack, receiver->end + 1)) {
		sender->end = n->end;
		sender->flags |= SEEN_DATA_UNACK;
		return complain(v, sender, WINDOW_IGNORE, "tcp: more bytes than the peer allowed");
	}
	return complain(v, sender, WINDOW_INVALID, "tcp: SEQ is over the upper bound");
}

static enum window_result check(const struct visit *v, const struct numbers *n,
				struct tcp_seen *sender, const struct tcp_seen *receiver)
{
	uint32_t ack_window = sender->maxwin > MIN_ACK_WINDOW ? sender->maxwin : MIN_ACK_WINDOW;
	bool is_ack_recent = seq_after(n->sack, receiver->end - ack_window - 1);

	if (!seq_before(n->seq, sender->maxend + 1))
		return beyond_window(v, n, sender, receiver, is_ack_recent);
	if (!seq_before(n->sack, receiver->end + 1))
		return complain(v, sender, WINDOW_INVALID,
				"tcp: ACK is over the upper bound (acknowledges unseen data)");
	if (receiver->maxwin && !seq_after(n->end, sender->end - receiver->maxwin - 1))
		return complain(v, sender, WINDOW_IGNORE, "tcp: SEQ is under the lower bound");
	if (!is_ack_recent)
		return complain(v, sender, WINDOW_IGNORE, "tcp: ACK is under the lower bound");
	return WINDOW_ACCEPT;
}

static void learn(const struct segment *s, const struct numbers *n, struct tcp_seen *sender,
		  struct tcp_seen *receiver)
{
	uint32_t window = s->window, reach;

	if (!(s->flags & FLAG_SYN))
		window <<= sender->scale;
	reach = window + (n->sack - n->ack);
	if (sender->maxwin < reach)
		sender->maxwin = reach;
	if (seq_after(n->end, sender->end)) {
		sender->end = n->end;
		sender->flags |= SEEN_DATA_UNACK;
	}
	if ((s->flags & FLAG_ACK) &&
	    (!(sender->flags & SEEN_MAXACK_SET) || seq_after(n->ack, sender->maxack))) {
		sender->maxack = n->ack;
		sender->flags |= SEEN_MAXACK_SET;
	}
	if (receiver->maxwin != 0 && seq_after(n->end, sender->maxend))
		receiver->maxwin += n->end - sender->maxend;
	if (seq_after(n->sack + window, receiver->maxend - 1)) {
		receiver->maxend = n->sack + window;
		if (window == 0)
			receiver->maxend++;
	}
	if (n->ack == receiver->end)
		receiver->flags &= (uint8_t)~SEEN_DATA_UNACK;
}

/* Counts how often the same acknowledgement came. */
static void learn_repetition(struct tcp_part *t, enum ct_dir dir, const struct segment *s,
			     const struct numbers *n)
{
	if (t->last_dir == dir && t->last_seq == n->seq && t->last_ack == n->ack &&
	    t->last_end == n->end && t->last_win == s->window) {
		t->retrans++;
		return;
	}
	t->last_dir = (uint8_t)dir;
	t->last_seq = n->seq;
	t->last_ack = n->ack;
	t->last_end = n->end;
	t->last_win = s->window;
	t->retrans = 0;
}

enum window_result ct_tcp_in_window(const struct visit *v, const struct segment *s)
{
	struct tcp_part *t = entry_tcp(v->e);
	struct tcp_seen *sender = &t->seen[v->dir], *receiver = &t->seen[!v->dir];
	struct numbers n = { .seq = s->seq, .ack = s->ack, .sack = s->ack, .end = s->end };
	bool is_rst = s->flags & FLAG_RST;
	enum window_result r;

	if (receiver->flags & SEEN_SACK_PERM)
		n.sack = highest_sack(s, n.sack);
	if (v->e->status & CT_STATUS_SEQ_ADJUST) {
		/* What the receiver has is shifted; its record is not. */
		uint32_t offset = ct_seq_offset(v->en, v->e, !v->dir, n.ack - 1);

		n.ack -= offset;
		n.sack -= offset;
	}
	if (meet_sender(v, s, n.sack, sender, receiver))
		return WINDOW_ACCEPT;
	/* No ACK, or a RST of a stack that sets the flag and no number. */
	if (!(s->flags & FLAG_ACK) || (is_rst && n.ack == 0))
		n.ack = n.sack = receiver->end;
	if (is_rst && n.seq == 0 && v->e->state == CT_TCP_SYN_SENT)
		n.seq = n.end = sender->end;
	r = check(v, &n, sender, receiver);
	if (r != WINDOW_ACCEPT)
		return r;
	learn(s, &n, sender, receiver);
	if (s->kind == TCP_ACK)
		learn_repetition(t, v->dir, s, &n);
	return WINDOW_ACCEPT;
}
