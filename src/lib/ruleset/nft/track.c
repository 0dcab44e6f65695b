/* SPDX-License-Identifier: BSD-2-Clause
 *
 * `ct`: what is known of the packet's connection. Answers to Linux 6.18, net/netfilter/nft_ct.c,
 * nft_ct_get_eval(): without an entry only `ct state` gives something.
 */
#include <errno.h>
#include <string.h>

#include "lib/ruleset/nft/expr.h"

enum key {
#define META(key, id, type, bits)
#define CT(key, id, type, bits) KEY_##id,
#include "lib/ruleset/nft/key.def"
#undef CT
};

static const struct {
	const char *name;
	uint8_t type, bits;
} keys[] = {
#define CT(key, id, type, bits) { key, CT_NFT_##type, bits },
#include "lib/ruleset/nft/key.def"
#undef CT
#undef META
};

#define DIR_NONE 2u

static enum ct_truth give(struct ct_nft_data *out, uint32_t size, uint64_t n)
{
	out->size = size;
	ct_nft_put_number(out->bytes, size, n);
	return CT_YES;
}

static enum ct_truth give_bytes(struct ct_nft_data *out, const void *from, uint32_t size)
{
	out->size = size;
	memcpy(out->bytes, from, size);
	return CT_YES;
}

/* NF_CT_STATE_BIT(); a template for a zone looks like a new connection. */
uint32_t ct_nft_ct_state(const struct ct_nft_judging *j)
{
	if (!j->p->entry && j->out->is_notrack)
		return 64;
	if (!j->p->entry && j->out->has_zone)
		return 8;
	switch ((enum ct_info)j->p->packet->info) {
	case CT_INFO_ESTABLISHED:
	case CT_INFO_ESTABLISHED_REPLY:
		return 2;
	case CT_INFO_RELATED:
	case CT_INFO_RELATED_REPLY:
		return 4;
	case CT_INFO_NEW:
		return 8;
	case CT_INFO_UNTRACKED:
		return 64;
	case CT_INFO_INVALID:
		break;
	}
	return 1;
}

/* nft_ct_get_eval_counter(), of one direction or both */
static enum ct_truth give_counter(struct ct_nft_data *out, const struct ct_entry *en, unsigned dir,
				  enum key key)
{
	uint64_t packets = 0, bytes = 0;

	if (!(en->known & CT_KNOWN_COUNTERS))
		return CT_UNSURE;
	for (unsigned d = 0; d < CT_DIR_MAX; d++)
		if (dir == DIR_NONE || dir == d) {
			packets += en->packets[d];
			bytes += en->bytes[d];
		}
	if (key == KEY_AVGPKT)
		return give(out, 8, packets ? bytes / packets : 0);
	return give(out, 8, key == KEY_BYTES ? bytes : packets);
}

static enum ct_truth give_tuple(struct ct_nft_data *out, const struct ct_tuple *t, enum key key)
{
	bool is_src = key == KEY_IP_SADDR || key == KEY_IP6_SADDR || key == KEY_PROTO_SRC;
	bool is_v6 = key == KEY_IP6_SADDR || key == KEY_IP6_DADDR;

	if (key == KEY_PROTO_SRC || key == KEY_PROTO_DST)
		return give_bytes(out, is_src ? &t->src_part : &t->dst_part, 2);
	if (is_v6 != (t->family == CT_FAMILY_IPV6))
		return CT_NO;
	return give_bytes(out, is_src ? &t->src : &t->dst, is_v6 ? 16 : 4);
}

/* nf_ct_zone_id(): the default zone where the entry's does not count. */
static uint16_t zone_of(const struct ct_entry *en, unsigned dir)
{
	if (dir != DIR_NONE && en->zone_dir && !(en->zone_dir & 1u << dir))
		return 0;
	return en->zone;
}

/* The helper is that of the connection which announced this one. */
static enum ct_truth give_helper(struct ct_nft_data *out, const struct ct_entry *en)
{
	if (!(en->known & CT_KNOWN_MASTER))
		return CT_NO;
	if (!en->master_helper.p)
		return CT_UNSURE;
	out->size = 16;
	memset(out->bytes, 0, 16);
	memcpy(out->bytes, en->master_helper.p,
	       en->master_helper.len < 15 ? en->master_helper.len : 15);
	return en->master_helper.len ? CT_YES : CT_NO;
}

/* n: key, direction */
static enum ct_truth load_ct(struct ct_nft_expr *e, struct ct_nft_judging *j,
			     struct ct_nft_data *out)
{
	const struct ct_entry *en = j->p->entry;
	enum key key = (enum key)e->n[0];
	unsigned dir = e->n[1];

	if (key == KEY_STATE)
		return give(out, 4, ct_nft_ct_state(j));
	if (!en)
		return CT_NO;
	switch (key) {
	case KEY_DIRECTION:
		return give(out, 1, ct_info_dir((enum ct_info)j->p->packet->info));
	case KEY_STATUS:
		return give(out, 4, en->status);
	case KEY_MARK:
		return give(out, 4, j->out->has_connmark ? j->out->connmark : en->mark);
	case KEY_L3PROTO:
		return give(out, 1, en->tuple[0].family == CT_FAMILY_IPV6 ? 10 : 2);
	case KEY_PROTOCOL:
		return give(out, 1, en->tuple[0].proto);
	case KEY_BYTES:
	case KEY_PACKETS:
	case KEY_AVGPKT:
		return give_counter(out, en, dir, key);
	case KEY_ZONE:
		return give(out, 2, zone_of(en, dir));
	case KEY_HELPER:
		return give_helper(out, en);
	case KEY_STATE:
	case KEY_IP_SADDR:
	case KEY_IP_DADDR:
	case KEY_IP6_SADDR:
	case KEY_IP6_DADDR:
	case KEY_PROTO_SRC:
	case KEY_PROTO_DST:
		break;
	}
	return give_tuple(out, &en->tuple[dir == CT_DIR_REPLY ? CT_DIR_REPLY : CT_DIR_ORIG], key);
}

int ct_nft_ct_read(struct ct_nft_reading *r, const struct ct_value *v, struct ct_nft_expr *e)
{
	const char *key = ct_value_get_str(v, "key"), *dir = ct_value_get_str(v, "dir");

	e->name = ct_nft_label(r, "ct", key ? key : "");
	e->n[1] = !dir ? DIR_NONE : strcmp(dir, "reply") == 0 ? CT_DIR_REPLY : CT_DIR_ORIG;
	for (size_t i = 0; key && i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(keys[i].name, key) == 0) {
			e->n[0] = (uint32_t)i;
			e->shape = ct_nft_shape_of((enum ct_nft_type)keys[i].type, keys[i].bits);
			e->load = load_ct;
			return 0;
		}
	return -EINVAL;
}
