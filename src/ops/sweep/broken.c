/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Broken sessions: see broken.h. Sessions that ended are remembered by hashes of their tuples in
 * sets of four; the oldest of a full set goes.
 */
#include "ops/sweep/broken.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/sip.h"

enum { SETS = 1 << 15, WAYS = 4, TCP_FLAGS_AT = 13, TCP_SYN = 2 };

/* A session that ended: both directions, and the one that began it. Zero is free. */
struct ended {
	uint64_t session, origin;
};

struct broken {
	uint64_t n, n_forgotten;
	struct ended set[SETS][WAYS];
};

struct broken *broken_new(void)
{
	return calloc(1, sizeof(struct broken));
}

void broken_free(struct broken *b)
{
	free(b);
}

static uint64_t hash(const struct ct_tuple *t)
{
	static const uint64_t key[2] = { UINT64_C(0x5f3c91d2a7b80e46), UINT64_C(0x1d) };
	uint64_t words[5];

	memcpy(words, t->src.bytes, 16);
	memcpy(words + 2, t->dst.bytes, 16);
	words[4] = (uint64_t)t->src_part << 32 | (uint64_t)t->dst_part << 16 |
		   (uint64_t)t->family << 8 | t->proto;
	return ct_sip_words(key, words, 5);
}

static bool make_key(const struct ct_tuple *t, struct ended *out)
{
	struct ct_tuple other;

	if (ct_tuple_invert(&other, t) < 0)
		return false;
	out->origin = hash(t);
	out->session = (out->origin + hash(&other)) | 1;
	return true;
}

/* True when its ends may still have had something to say. */
static bool is_alive(const struct ct_entry *e)
{
	if (!(e->status & CT_STATUS_SEEN_REPLY))
		return false;
	if (e->tuple[0].proto == IPPROTO_ICMP || e->tuple[0].proto == IPPROTO_ICMPV6)
		return false;
	return e->tuple[0].proto != IPPROTO_TCP ||
	       (e->state >= CT_TCP_SYN_RECV && e->state <= CT_TCP_CLOSE_WAIT);
}

void broken_event(void *user, const struct ct_event_info *info, const struct ct_entry *e)
{
	struct broken *b = user;
	struct ended *set, is;

	if (!(info->events & CT_EVENT_DESTROY) ||
	    (info->end != CT_END_TIMEOUT && info->end != CT_END_EARLY_DROP &&
	     info->end != CT_END_PRESSURE) ||
	    !is_alive(e) || !make_key(&e->tuple[CT_DIR_ORIG], &is))
		return;
	set = b->set[(is.session >> 1) % SETS];
	b->n_forgotten += set[WAYS - 1].session != 0;
	memmove(set + 1, set, (WAYS - 1) * sizeof(*set));
	set[0] = is;
}

static bool is_beginning(const struct ct_packet *p, bool is_origin)
{
	if (p->info == CT_INFO_INVALID)
		return false;
	if (p->proto == IPPROTO_TCP)
		return p->size - p->offset > TCP_FLAGS_AT &&
		       (p->data[p->offset + TCP_FLAGS_AT] & TCP_SYN);
	return is_origin;
}

void broken_packet(void *user, const struct ct_packet *p)
{
	struct broken *b = user;
	struct ct_tuple t;
	struct ended *set, is;

	if ((p->info != CT_INFO_INVALID && p->info != CT_INFO_NEW) || p->family == 0 ||
	    ct_packet_tuple(p, &t) < 0 || !make_key(&t, &is))
		return;
	set = b->set[(is.session >> 1) % SETS];
	for (unsigned i = 0; i < WAYS; i++) {
		if (set[i].session != is.session)
			continue;
		b->n += !is_beginning(p, set[i].origin == is.origin);
		memmove(set + i, set + i + 1, (WAYS - 1 - i) * sizeof(*set));
		set[WAYS - 1] = (struct ended){ 0, 0 };
		return;
	}
}

uint64_t broken_count(const struct broken *b)
{
	return b->n;
}

uint64_t broken_forgotten(const struct broken *b)
{
	return b->n_forgotten;
}
