/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Sequence numbers that a helper's changes of a payload have shifted. Answers to Linux 6.18,
 * net/netfilter/nf_conntrack_seqadj.c: nf_ct_seqadj_set(), nf_ct_seq_offset().
 */
#include <errno.h>

#include "lib/engine/expect.h"
#include "lib/engine/tcp.h"

int ct_engine_set_seqadj(struct ct_engine *en, struct ct_handle h, enum ct_dir dir, uint32_t seq,
			 int32_t by)
{
	uint32_t number = ct_handle_number(en, h);
	struct ct_seqadj *s;
	struct cold *c;

	if (!number)
		return -ENOENT;
	if (by == 0)
		return 0;
	c = ct_cold_of(en, number);
	if (!c)
		return -ENOMEM;
	entry_at(en, number)->status |= CT_STATUS_SEQ_ADJUST;
	s = &c->seqadj[dir];
	/* A repeated segment, changed once more, shifts nothing more. */
	if (s->offset_before != s->offset_after && !seq_before(s->position, seq))
		return 0;
	s->position = seq;
	s->offset_before = s->offset_after;
	s->offset_after += (uint32_t)by;
	return 0;
}

int ct_engine_seqadj(const struct ct_engine *en, struct ct_handle h,
		     struct ct_seqadj out[CT_DIR_MAX])
{
	uint32_t number = ct_handle_number(en, h);
	const struct entry *e = number ? entry_at(en, number) : NULL;
	const struct cold *c = e ? ct_cold_look(en, e) : NULL;

	if (!c || !(e->status & CT_STATUS_SEQ_ADJUST))
		return -ENOENT;
	for (int dir = 0; dir < CT_DIR_MAX; dir++)
		out[dir] = c->seqadj[dir];
	return 0;
}

uint32_t ct_seq_offset(const struct ct_engine *en, const struct entry *e, enum ct_dir dir,
		       uint32_t seq)
{
	const struct cold *c = ct_cold_look(en, e);

	if (!c || !(e->status & CT_STATUS_SEQ_ADJUST))
		return 0;
	return seq_after(seq, c->seqadj[dir].position) ? c->seqadj[dir].offset_after
						       : c->seqadj[dir].offset_before;
}
