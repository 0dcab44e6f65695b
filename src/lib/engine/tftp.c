/* SPDX-License-Identifier: BSD-2-Clause
 *
 * TFTP: the answer to a request comes from a new port. Answers to Linux 6.18,
 * net/netfilter/nf_conntrack_tftp.c.
 */
#include "lib/engine/expect.h"
#include "lib/packet/wire.h"

bool ct_tftp_help(struct ct_engine *en, struct ct_packet *p)
{
	enum { UDP_HEADER = 8, READ = 1, WRITE = 2 };
	const uint8_t *l4 = p->data + p->offset;
	const struct entry *e = entry_at(en, p->entry.number);
	struct expect want = { .flags = 0 };
	uint16_t opcode;

	if (p->size - p->offset < UDP_HEADER + 2)
		return true;
	opcode = wire_be16(l4 + UDP_HEADER);
	if (opcode != READ && opcode != WRITE)
		return true;
	ct_entry_tuple(en, p->entry.number, CT_DIR_REPLY, &want.tuple);
	want.tuple.src_part = 0;
	if (en->translate && e->status & (CT_STATUS_SRC_NAT | CT_STATUS_DST_NAT)) {
		struct ct_tuple orig;

		ct_entry_tuple(en, p->entry.number, CT_DIR_ORIG, &orig);
		want.flags = EXPECT_FOLLOW;
		want.dir = CT_DIR_REPLY;
		want.saved_part = orig.src_part;
	}
	return ct_expect_register(en, p->entry.number, &want) == 0;
}
