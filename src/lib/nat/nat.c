/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Decisions taken and carried out: see include/conntune/nat.h. Answers to Linux 6.18,
 * net/netfilter/nf_nat_core.c: nf_nat_setup_info(), __nf_nat_alloc_null_binding(),
 * nf_nat_packet().
 */
#include "lib/nat/nat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/engine/translate.h"
#include "lib/nat/rewrite.h"

/* A whole packet, and what helpers may add to it. */
enum { ROOM_SIZE = 40 + 65535 + 1024 };

void *ct_nat_alloc(struct ct_nat *nat, size_t size)
{
	if (nat->memory.alloc)
		return nat->memory.alloc(nat->memory.user, size, 64);
	return malloc(size);
}

void ct_nat_release(struct ct_nat *nat, void *p, size_t size)
{
	if (!p)
		return;
	if (nat->memory.free)
		nat->memory.free(nat->memory.user, p, size);
	else
		free(p);
}

/* splitmix64 */
uint32_t ct_nat_random(struct ct_nat *nat, uint32_t below)
{
	uint64_t v = nat->chance += UINT64_C(0x9e3779b97f4a7c15);

	v = (v ^ v >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	v = (v ^ v >> 27) * UINT64_C(0x94d049bb133111eb);
	v ^= v >> 31;
	return (uint32_t)((v >> 32) * below >> 32);
}

struct ct_nat *ct_nat_new(const struct ct_nat_config *cfg, struct ct_err *err)
{
	struct ct_nat boot = { .engine = cfg->engine, .memory = cfg->memory };
	struct ct_nat *nat = ct_nat_alloc(&boot, sizeof(*nat));

	if (nat) {
		*nat = boot;
		memcpy(nat->key, cfg->seed, sizeof(nat->key));
		nat->chance = nat->key[0] ^ nat->key[1];
		nat->room = ct_nat_alloc(nat, ROOM_SIZE);
	}
	if (!nat || !nat->room) {
		ct_nat_free(nat);
		(void)ct_err_set(err, -ENOMEM, "no memory for translations");
		return NULL;
	}
	ct_nat_take_part(nat);
	return nat;
}

void ct_nat_free(struct ct_nat *nat)
{
	if (!nat)
		return;
	ct_engine_set_translator(nat->engine, NULL, NULL);
	ct_source_fini(nat);
	ct_nat_release(nat, nat->room, ROOM_SIZE);
	ct_nat_release(nat, nat, sizeof(*nat));
}

uint8_t *ct_nat_bytes(struct ct_nat *nat, struct ct_packet *p)
{
	if (p->bytes)
		return p->bytes;
	if (p->size > ROOM_SIZE)
		return NULL;
	memcpy(nat->room, p->data, p->size);
	p->data = p->bytes = nat->room;
	p->room = ROOM_SIZE;
	return p->bytes;
}

/* The reply becomes that of @t, and who looks it up finds the entry. */
static int map_to(struct ct_nat *nat, struct ct_handle h, const struct ct_tuple *t,
		  enum ct_manip manip)
{
	struct ct_tuple reply;
	int ret = ct_tuple_invert(&reply, t);

	if (ret == 0)
		ret = ct_engine_set_reply(nat->engine, h, &reply);
	if (ret == 0)
		ret = ct_engine_set_status(nat->engine, h,
					   manip == CT_MANIP_SRC ? CT_STATUS_SRC_NAT
								 : CT_STATUS_DST_NAT);
	return ret;
}

enum ct_verdict ct_nat_setup_entry(struct ct_nat *nat, struct ct_handle h,
				   const struct ct_nat_range *range, enum ct_manip manip)
{
	struct ct_tuple current, chosen;
	struct ct_entry e;

	if (ct_engine_entry(nat->engine, h, &e) < 0 || e.status & CT_STATUS_CONFIRMED)
		return CT_ACCEPT;
	if (ct_nat_is_set(e.status, manip) || ct_tuple_invert(&current, &e.tuple[CT_DIR_REPLY]) < 0)
		return CT_DROP;
	ct_nat_choose(nat, h, &e, &current, range, manip, &chosen);
	if (!ct_tuple_equal(&chosen, &current) && map_to(nat, h, &chosen, manip) < 0)
		return CT_DROP;
	if (manip == CT_MANIP_SRC && ct_source_add(nat, h, &e) < 0)
		return CT_DROP;
	(void)ct_engine_set_status(nat->engine, h,
				   manip == CT_MANIP_SRC ? CT_STATUS_SRC_NAT_DONE
							 : CT_STATUS_DST_NAT_DONE);
	return CT_ACCEPT;
}

enum ct_verdict ct_nat_setup(struct ct_nat *nat, const struct ct_packet *p,
			     const struct ct_nat_range *range, enum ct_manip manip)
{
	return ct_nat_setup_entry(nat, p->entry, range, manip);
}

enum ct_verdict ct_nat_setup_null(struct ct_nat *nat, const struct ct_packet *p,
				  enum ct_manip manip)
{
	struct ct_nat_range range = { .flags = CT_NAT_MAP_ADDRS };
	struct ct_entry e;

	if (ct_engine_entry(nat->engine, p->entry, &e) < 0)
		return CT_ACCEPT;
	range.min_addr =
		manip == CT_MANIP_SRC ? e.tuple[CT_DIR_REPLY].dst : e.tuple[CT_DIR_REPLY].src;
	range.max_addr = range.min_addr;
	return ct_nat_setup(nat, p, &range, manip);
}

enum ct_verdict ct_nat_packet(struct ct_nat *nat, struct ct_packet *p, enum ct_manip manip)
{
	enum ct_dir dir = ct_info_dir((enum ct_info)p->info);
	bool is_src = (manip == CT_MANIP_SRC) == (dir == CT_DIR_ORIG);
	uint32_t status = ct_engine_status(nat->engine, p->entry);
	struct ct_tuple want;
	uint8_t *bytes;

	if (ct_nat_is_error(p))
		return ct_nat_error(nat, p, manip);
	if (!(status & (is_src ? CT_STATUS_SRC_NAT : CT_STATUS_DST_NAT)))
		return CT_ACCEPT;
	/* As the inverse of the other direction. */
	if (ct_engine_tuple(nat->engine, p->entry, ct_nat_other(dir), &want) < 0 ||
	    ct_tuple_invert(&want, &want) < 0)
		return CT_DROP;
	bytes = ct_nat_bytes(nat, p);
	return bytes && ct_nat_rewrite(bytes, p->size, 0, &want, manip) ? CT_ACCEPT : CT_DROP;
}
