/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What rules and NAT read and change of one entry: see include/conntune/engine.h.
 */
#include <errno.h>

#include "lib/engine/expect.h"
#include "lib/packet/wire.h"

/* What is not the tracker's own to set. */
#define NAT_STATUS                                                                                 \
	(CT_STATUS_SRC_NAT | CT_STATUS_DST_NAT | CT_STATUS_SRC_NAT_DONE | CT_STATUS_DST_NAT_DONE | \
	 CT_STATUS_SEQ_ADJUST)

int ct_engine_tuple(const struct ct_engine *en, struct ct_handle h, enum ct_dir dir,
		    struct ct_tuple *out)
{
	uint32_t number = ct_handle_number(en, h);

	if (!number)
		return -ENOENT;
	ct_entry_tuple(en, number, dir, out);
	return 0;
}

uint32_t ct_engine_status(const struct ct_engine *en, struct ct_handle h)
{
	uint32_t number = ct_handle_number(en, h);

	return number ? entry_at(en, number)->status : 0;
}

int ct_engine_master(const struct ct_engine *en, struct ct_handle h, struct ct_handle *out)
{
	uint32_t number = ct_handle_number(en, h);
	const struct cold *c = number ? ct_cold_look(en, entry_at(en, number)) : NULL;

	if (!c || !ct_handle_number(en, c->master))
		return -ENOENT;
	*out = c->master;
	return 0;
}

int ct_engine_tcp_end(const struct ct_engine *en, struct ct_handle h, enum ct_dir dir,
		      uint32_t *out)
{
	uint32_t number = ct_handle_number(en, h);

	if (!number || entry_at(en, number)->key.proto != PROTO_TCP)
		return -ENOENT;
	*out = entry_tcp(entry_at(en, number))->seen[dir].end;
	return 0;
}

int ct_engine_set_status(struct ct_engine *en, struct ct_handle h, uint32_t status)
{
	uint32_t number = ct_handle_number(en, h);

	if (!number)
		return -ENOENT;
	if (status & ~(uint32_t)NAT_STATUS)
		return -EINVAL;
	entry_at(en, number)->status |= (uint16_t)status;
	return 0;
}

int ct_engine_set_mark(struct ct_engine *en, struct ct_handle h, uint32_t mark)
{
	uint32_t number = ct_handle_number(en, h);
	struct entry *e;

	if (!number)
		return -ENOENT;
	e = entry_at(en, number);
	if (e->mark == mark)
		return 0;
	e->mark = mark;
	e->pending |= CT_EVENT_MARK;
	return 0;
}

int ct_engine_set_helper(struct ct_engine *en, struct ct_handle h, enum ct_helper helper)
{
	uint32_t number = ct_handle_number(en, h);
	struct cold *c;

	if (!number)
		return -ENOENT;
	if (!*ct_helper_name(helper))
		return -EINVAL;
	if (entry_at(en, number)->status & CT_STATUS_CONFIRMED)
		return -EBUSY;
	c = ct_cold_of(en, number);
	if (!c)
		return -ENOMEM;
	c->helper = (uint8_t)helper;
	entry_at(en, number)->status |= CT_STATUS_HELPER;
	return 0;
}
