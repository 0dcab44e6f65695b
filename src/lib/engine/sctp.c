/* SPDX-License-Identifier: BSD-2-Clause
 *
 * SCTP: every chunk of a packet moves the state by a table, and verification tags tell the
 * association's own packets from others. Answers to Linux 6.18, nf_conntrack_proto_sctp.c:
 * nf_conntrack_sctp_packet(), sctp_new(), do_basic_checks().
 */
#include "lib/engine/engine.h"
#include "lib/packet/wire.h"

enum sctp_chunk {
	CHUNK_DATA = 0,
	CHUNK_INIT = 1,
	CHUNK_INIT_ACK = 2,
	CHUNK_SACK = 3,
	CHUNK_HEARTBEAT = 4,
	CHUNK_HEARTBEAT_ACK = 5,
	CHUNK_ABORT = 6,
	CHUNK_SHUTDOWN = 7,
	CHUNK_SHUTDOWN_ACK = 8,
	CHUNK_ERROR = 9,
	CHUNK_COOKIE_ECHO = 10,
	CHUNK_COOKIE_ACK = 11,
	CHUNK_SHUTDOWN_COMPLETE = 14,
	N_CHUNKS = 15,
};

enum { N_SCTP_STATES = 9, IV = 0xff };
enum {
	NO = CT_SCTP_NONE,
	CL = CT_SCTP_CLOSED,
	CW = CT_SCTP_COOKIE_WAIT,
	CE = CT_SCTP_COOKIE_ECHOED,
	ES = CT_SCTP_ESTABLISHED,
	SS = CT_SCTP_SHUTDOWN_SENT,
	SR = CT_SCTP_SHUTDOWN_RECD,
	SA = CT_SCTP_SHUTDOWN_ACK_SENT,
	HS = CT_SCTP_HEARTBEAT_SENT,
};

/* A row of zeroes, CT_SCTP_NONE, stands for chunks that keep the state. */
static const uint8_t transitions[CT_DIR_MAX][N_CHUNKS][N_SCTP_STATES] = {
#define SCTP_ROW(dir, chunk, ...) [CT_DIR_##dir][CHUNK_##chunk] = { __VA_ARGS__ },
#include "lib/engine/sctp_table.def"
#undef SCTP_ROW
};

enum { FLAG_T = 1, HEARTBEAT_FAILED = 1, HEADER = 12 };

struct chunk_view {
	const uint8_t *at;
	uint32_t left; /* bytes from at to the packet's end, 0: no chunk */
};

static struct chunk_view first_chunk(const struct ct_packet *p)
{
	uint32_t left = p->size - p->offset - HEADER;

	return (struct chunk_view){ p->data + p->offset + HEADER, left < 4 ? 0 : left };
}

static struct chunk_view next_chunk(struct chunk_view c)
{
	uint32_t length = (wire_be16(c.at + 2) + 3U) & ~3U;

	if (length == 0 || c.left < length + 4)
		return (struct chunk_view){ NULL, 0 };
	return (struct chunk_view){ c.at + length, c.left - length };
}

static uint8_t new_state(enum ct_dir dir, uint8_t old, uint8_t chunk)
{
	switch ((enum sctp_chunk)chunk) {
	case CHUNK_INIT:
	case CHUNK_INIT_ACK:
	case CHUNK_ABORT:
	case CHUNK_SHUTDOWN:
	case CHUNK_SHUTDOWN_ACK:
	case CHUNK_ERROR:
	case CHUNK_COOKIE_ECHO:
	case CHUNK_COOKIE_ACK:
	case CHUNK_SHUTDOWN_COMPLETE:
	case CHUNK_HEARTBEAT:
	case CHUNK_HEARTBEAT_ACK:
		return transitions[dir][chunk][old];
	case CHUNK_DATA:
	case CHUNK_SACK:
	case N_CHUNKS:
		break;
	}
	return old;
}

static bool refuse(const struct visit *v, const char *why)
{
	v->p->why = why;
	return false;
}

/* Chunks that must stand alone or first; @seen gets a bit for each known type. */
static bool is_well_formed(const struct visit *v, uint32_t *seen)
{
	bool is_alone = false;
	unsigned count = 0;

	for (struct chunk_view c = first_chunk(v->p); c.left; c = next_chunk(c), count++) {
		uint8_t type = c.at[0];

		if (type == CHUNK_INIT || type == CHUNK_INIT_ACK || type == CHUNK_SHUTDOWN_COMPLETE)
			is_alone = true;
		if (count > 0 &&
		    (is_alone || type == CHUNK_COOKIE_ACK || type == CHUNK_COOKIE_ECHO))
			return refuse(v, "sctp: chunk bundled that must not be");
		if (wire_raw16(c.at + 2) == 0)
			return refuse(v, "sctp: chunk of length 0");
		if (type < 32)
			*seen |= UINT32_C(1) << type;
	}
	return count > 0 ? true : refuse(v, "sctp: no chunk");
}

static bool is_honest(const struct visit *v)
{
	const struct ct_packet *p = v->p;

	if (p->size - p->offset < HEADER)
		return refuse(v, "sctp: short packet");
	if (p->hook == CT_HOOK_PREROUTING && v->en->cfg.settings.checksum &&
	    !(p->flags & CT_PACKET_CHECKSUM_OK) && !ct_packet_checksum(p))
		return refuse(v, "sctp: bad checksum");
	return true;
}

static ct_be32 packet_tag(const struct visit *v)
{
	return wire_raw32(v->p->data + v->p->offset + 4);
}

/* The tag that INIT and INIT_ACK ask the other end to use. */
static bool initiate_tag(struct chunk_view c, ct_be32 *out)
{
	enum { INIT_HEADER = 4 + 16 };

	if (c.left < INIT_HEADER)
		return false;
	*out = wire_raw32(c.at + 4);
	return true;
}

/* sctp_new() */
static bool begin(const struct visit *v, uint32_t seen)
{
	struct sctp_part *t = &v->e->u.sctp;

	if (seen & (1U << CHUNK_ABORT | 1U << CHUNK_SHUTDOWN_COMPLETE | 1U << CHUNK_COOKIE_ACK))
		return refuse(v, "sctp: out of the blue");
	for (struct chunk_view c = first_chunk(v->p); c.left; c = next_chunk(c)) {
		uint8_t state = new_state(CT_DIR_ORIG, CT_SCTP_NONE, c.at[0]);

		if (state == CT_SCTP_NONE || state == IV)
			return refuse(v, "sctp: not the beginning of an association");
		if (c.at[0] == CHUNK_INIT) {
			if (packet_tag(v) != 0 || !initiate_tag(c, &t->vtag[CT_DIR_REPLY]))
				return refuse(v, "sctp: INIT with a tag, or cut short");
			t->init[CT_DIR_ORIG] = 1;
		} else if (c.at[0] == CHUNK_HEARTBEAT) {
			t->vtag[CT_DIR_ORIG] = packet_tag(v);
		} else if (c.at[0] == CHUNK_SHUTDOWN_ACK) {
			t->vtag[CT_DIR_REPLY] = packet_tag(v);
		}
	}
	return true;
}

/* What a chunk's tag check says. */
enum tag { TAG_GOOD, TAG_SKIP, TAG_BAD };

static enum tag heartbeat_tag(const struct visit *v, uint32_t seen, bool *is_ignored)
{
	struct sctp_part *t = &v->e->u.sctp;
	ct_be32 tag = packet_tag(v);

	if (t->vtag[v->dir] == 0) {
		t->vtag[v->dir] = tag;
	} else if (tag != t->vtag[v->dir]) {
		if ((seen & 1U << CHUNK_DATA) || *is_ignored)
			return TAG_BAD;
		t->flags |= HEARTBEAT_FAILED;
		t->last_dir = (uint8_t)v->dir;
		*is_ignored = true;
		return TAG_SKIP;
	} else {
		t->flags &= (uint8_t)~HEARTBEAT_FAILED;
	}
	return TAG_GOOD;
}

static enum tag heartbeat_ack_tag(const struct visit *v, uint32_t seen)
{
	struct sctp_part *t = &v->e->u.sctp;
	ct_be32 tag = packet_tag(v);

	if (t->vtag[v->dir] == 0) {
		t->vtag[v->dir] = tag;
	} else if (tag != t->vtag[v->dir]) {
		if ((seen & 1U << CHUNK_DATA) || !(t->flags & HEARTBEAT_FAILED) ||
		    t->last_dir == v->dir)
			return TAG_BAD;
		t->flags &= (uint8_t)~HEARTBEAT_FAILED;
		t->vtag[v->dir] = tag;
		t->vtag[!v->dir] = 0;
	} else {
		t->flags &= (uint8_t)~HEARTBEAT_FAILED;
	}
	return TAG_GOOD;
}

/* RFC 9260, 8.5.1: exceptions of the tag rule. */
static enum tag check_tag(const struct visit *v, struct chunk_view c, uint32_t seen,
			  bool *is_ignored)
{
	struct sctp_part *t = &v->e->u.sctp;
	ct_be32 tag = packet_tag(v);
	enum ct_dir whose = c.at[1] & FLAG_T ? !v->dir : v->dir;

	switch (c.at[0]) {
	case CHUNK_INIT:
		return tag == 0 ? TAG_GOOD : TAG_BAD;
	case CHUNK_ABORT:
	case CHUNK_SHUTDOWN_COMPLETE:
		return tag == t->vtag[whose] ? TAG_GOOD : TAG_BAD;
	case CHUNK_COOKIE_ECHO:
		return tag == t->vtag[v->dir] ? TAG_GOOD : TAG_BAD;
	case CHUNK_COOKIE_ACK:
		t->init[0] = t->init[1] = 0;
		return TAG_GOOD;
	case CHUNK_HEARTBEAT:
		return heartbeat_tag(v, seen, is_ignored);
	case CHUNK_HEARTBEAT_ACK:
		return heartbeat_ack_tag(v, seen);
	default:
		return TAG_GOOD;
	}
}

/* Notes the tag that INIT or INIT_ACK sets. False when it cannot be. */
static bool note_tag(const struct visit *v, struct chunk_view c)
{
	struct sctp_part *t = &v->e->u.sctp;
	ct_be32 known = t->vtag[!v->dir], tag;

	if (c.at[0] != CHUNK_INIT && c.at[0] != CHUNK_INIT_ACK)
		return true;
	if (!initiate_tag(c, &tag))
		return false;
	if (c.at[0] == CHUNK_INIT) {
		/* A third INIT settles a collision of the first two; one that repeats a known tag
		 * is stale or forged. */
		if (tag != known) {
			if (t->init[0] && t->init[1])
				t->init[!v->dir] = 0;
			t->init[v->dir] = 1;
		}
	} else {
		if (!t->init[!v->dir] && known && known != tag)
			return false;
		if (t->init[0] && t->init[1] && known != tag)
			return false;
	}
	t->vtag[!v->dir] = tag;
	return true;
}

/* One chunk: tag, state, assurance. */
static enum tag process(const struct visit *v, struct chunk_view c, uint32_t seen, bool *is_ignored)
{
	uint8_t old = v->e->state, state;
	enum tag tag = check_tag(v, c, seen, is_ignored);

	if (tag != TAG_GOOD)
		return tag;
	state = new_state(v->dir, old, c.at[0]);
	if (state == IV || !note_tag(v, c))
		return TAG_BAD;
	v->e->state = state;
	if (state != old) {
		v->p->events |= CT_EVENT_PROTOINFO;
		if (state == CT_SCTP_ESTABLISHED && !(v->e->status & CT_STATUS_ASSURED)) {
			v->e->status |= CT_STATUS_ASSURED;
			v->p->events |= CT_EVENT_ASSURED;
		}
	}
	/* A repeated INIT does not keep the entry of a reused port alive. */
	if (c.at[0] == CHUNK_INIT && state == CT_SCTP_CLOSED && old == CT_SCTP_CLOSED &&
	    (v->e->status & CT_STATUS_CONFIRMED))
		*is_ignored = true;
	return TAG_GOOD;
}

static bool needs_own_tag(uint32_t seen)
{
	return !(seen & (1U << CHUNK_INIT | 1U << CHUNK_SHUTDOWN_COMPLETE |
			 1U << CHUNK_COOKIE_ECHO | 1U << CHUNK_ABORT | 1U << CHUNK_SHUTDOWN_ACK |
			 1U << CHUNK_HEARTBEAT | 1U << CHUNK_HEARTBEAT_ACK));
}

static enum judgement sctp_packet(const struct visit *v)
{
	uint32_t seen = 0;
	bool is_ignored = false;

	if (!is_honest(v) || !is_well_formed(v, &seen))
		return JUDGE_INVALID;
	if (!(v->e->status & CT_STATUS_CONFIRMED) && !begin(v, seen))
		return JUDGE_INVALID;
	if (needs_own_tag(seen) && packet_tag(v) != v->e->u.sctp.vtag[v->dir]) {
		v->p->why = "sctp: verification tag check failed";
		return JUDGE_INVALID;
	}
	for (struct chunk_view c = first_chunk(v->p); c.left; c = next_chunk(c)) {
		if (process(v, c, seen, &is_ignored) == TAG_BAD) {
			v->p->why = "sctp: invalid chunk";
			return JUDGE_INVALID;
		}
	}
	if (!is_ignored)
		ct_entry_refresh(v, v->en->sctp_timeout[v->e->state]);
	return JUDGE_ACCEPT;
}

static bool can_early_drop(const struct entry *e)
{
	return e->state == CT_SCTP_SHUTDOWN_SENT || e->state == CT_SCTP_SHUTDOWN_RECD ||
	       e->state == CT_SCTP_SHUTDOWN_ACK_SENT;
}

const struct ct_proto_ops ct_sctp_tracker = {
	.name = "sctp",
	.packet = sctp_packet,
	.can_early_drop = can_early_drop,
};
