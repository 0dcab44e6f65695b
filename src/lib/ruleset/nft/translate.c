/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Translations that rules ask for: snat, dnat, masquerade, redirect. Answers to Linux 6.18,
 * net/netfilter/nft_nat.c, nft_masq.c, nft_redir.c, and to nft 1.0.6, src/parser_json.c.
 */
#include <errno.h>
#include <string.h>

#include "lib/ruleset/nft/expr.h"
#include "lib/ruleset/nft/stmt.h"

static const struct {
	const char *name;
	uint8_t flag; /* enum ct_nat_flag; 0: the prefix replaces that of the address */
} flags[] = {
	{ "random", CT_NAT_RANDOM },
	{ "fully-random", CT_NAT_RANDOM_FULLY },
	{ "persistent", CT_NAT_PERSISTENT },
	{ "netmap", 0 },
};

static bool add_addrs(struct ct_nft_stmt *s, struct ct_nft_judging *j)
{
	struct ct_nat_range *range = &j->out->nat_range;
	struct ct_nft_data from = { .size = 0 }, to;
	uint32_t size = j->family == CT_FAMILY_IPV6 ? 16 : 4;

	if (ct_nft_load_range(s->left, j, &from, &to) != CT_YES)
		return false;
	range->flags |= CT_NAT_MAP_ADDRS;
	memcpy(range->min_addr.bytes, from.bytes, size);
	memcpy(range->max_addr.bytes, to.bytes, size);
	if (s->left->shape.n < 2)
		return true;
	/* A map to an address and a port. */
	range->flags |= CT_NAT_MAP_PARTS;
	range->min_part = (uint16_t)ct_nft_number(from.bytes + size, 2);
	range->max_part = (uint16_t)ct_nft_number(to.bytes + size, 2);
	return true;
}

static bool add_parts(struct ct_nft_stmt *s, struct ct_nft_judging *j)
{
	struct ct_nat_range *range = &j->out->nat_range;
	struct ct_nft_data from = { .size = 0 }, to;

	if (ct_nft_load_range(s->right, j, &from, &to) != CT_YES)
		return false;
	range->flags |= CT_NAT_MAP_PARTS;
	range->min_part = (uint16_t)ct_nft_number(from.bytes, 2);
	range->max_part = (uint16_t)ct_nft_number(to.bytes, 2);
	return true;
}

/* nft_nat_inet_eval(): nothing for packets of another family. */
static enum ct_nft_step run_nat(struct ct_nft_stmt *s, struct ct_nft_judging *j)
{
	if (s->family && s->family != j->family)
		return CT_NFT_ON;
	j->out->nat_range = (struct ct_nat_range){ .flags = s->proto };
	if ((s->left && !add_addrs(s, j)) || (s->right && !add_parts(s, j))) {
		if (!j->doubt)
			return CT_NFT_BREAK;
	} else {
		j->out->nat_kind = s->op;
	}
	j->out->nat = s->name;
	j->verdict = (struct ct_nft_verdict){ .code = CT_NFT_ACCEPT };
	return CT_NFT_END;
}

static int flags_read(const struct ct_value *v, struct ct_nft_stmt *s)
{
	const struct ct_value *m = v && v->type == CT_VALUE_LIST ? v->first : v;

	for (; m; m = m == v ? NULL : m->next) {
		const char *name = ct_value_str(m);
		size_t i = 0;

		while (i < sizeof(flags) / sizeof(flags[0]) &&
		       (!name || strcmp(flags[i].name, name) != 0))
			i++;
		if (i == sizeof(flags) / sizeof(flags[0]))
			return -EINVAL;
		s->proto |= flags[i].flag;
		if (!flags[i].flag)
			s->op = CT_NAT_NETMAP;
	}
	return 0;
}

static enum ct_nat_kind kind_of(const char *name)
{
	switch (name[0]) {
	case 's':
		return CT_NAT_SNAT;
	case 'd':
		return CT_NAT_DNAT;
	case 'm':
		return CT_NAT_MASQUERADE;
	}
	return CT_NAT_REDIRECT;
}

/* The family of addresses: told, or the table's, or that of a constant. */
static uint8_t family_of(const struct ct_nft_reading *r, const struct ct_value *v)
{
	const char *family = ct_value_get_str(v, "family");

	if (family)
		return strcmp(family, "ip6") == 0 ? CT_FAMILY_IPV6 : CT_FAMILY_IPV4;
	return ct_value_get(v, "addr") ? r->table->family : CT_FAMILY_UNSPEC;
}

/* What a constant address is; an anonymous map may give an address and a port. */
static struct ct_nft_shape shape_of(const struct ct_nft_stmt *s, const struct ct_value *addr)
{
	struct ct_nft_shape shape =
		ct_nft_shape_of(s->family == CT_FAMILY_IPV6 ? CT_NFT_IPV6 : CT_NFT_IPV4, 0);
	const struct ct_value *of = ct_value_get(ct_value_get(addr, "map"), "data");
	const struct ct_value *set = ct_value_get(of, "set");
	const struct ct_value *elem = set && set->type == CT_VALUE_LIST ? set->first : NULL;

	if (elem && elem->type == CT_VALUE_LIST && elem->len == 2 &&
	    ct_value_get(elem->first->next, "concat"))
		shape.part[shape.n++] = ct_nft_shape_of(CT_NFT_INET_SERVICE, 0).part[0];
	return shape;
}

int ct_nft_read_nat(struct ct_nft_reading *r, struct ct_value *v, struct ct_nft_stmt *s)
{
	const struct ct_value *addr = ct_value_get(v, "addr"), *port = ct_value_get(v, "port");
	const struct ct_nft_shape parts = ct_nft_shape_of(CT_NFT_INET_SERVICE, 0);
	struct ct_nft_shape addrs;

	s->op = (uint8_t)kind_of(v->key);
	s->family = family_of(r, v);
	if ((addr && !s->family) || flags_read(ct_value_get(v, "flags"), s) < 0)
		return ct_nft_read_effect(r, v, s);
	addrs = shape_of(s, addr);
	s->left = addr ? ct_nft_expr_read(r, addr, &addrs) : NULL;
	s->right = port ? ct_nft_expr_read(r, port, &parts) : NULL;
	if ((addr && !s->left) || (port && !s->right))
		return -ENOMEM;
	s->run = run_nat;
	return 0;
}
