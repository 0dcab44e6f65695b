/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What surrounds the packet: interfaces, marks, lengths, the type of an address, numbers that are
 * counted or hashed. Answers to Linux 6.18, net/netfilter/nft_meta.c, nft_fib.c, nft_numgen.c,
 * nft_hash.c.
 */
#include <errno.h>
#include <string.h>

#include "lib/ruleset/nft/expr.h"

/* Several keys may ask for one thing, of the type that they say. */
enum meta {
	META_LENGTH,
	META_NFPROTO,
	META_L4PROTO,
	META_PROTOCOL,
	META_MARK,
	META_IIF,
	META_OIF,
	META_PKTTYPE,
	META_SKUID,
	META_SKGID,
	META_CPU,
	META_DAY,
	META_IPSEC,
};

static const struct {
	const char *key;
	uint8_t type, bits, meta;
} metas[] = {
#define META(key, id, type, bits) { key, CT_NFT_##type, bits, META_##id },
#define CT(key, id, type, bits)
#include "lib/ruleset/nft/key.def"
#undef CT
#undef META
};

static enum ct_truth give(struct ct_nft_data *out, uint32_t size, uint64_t n)
{
	out->size = size;
	ct_nft_put_number(out->bytes, size, n);
	return CT_YES;
}

static enum ct_truth give_name(struct ct_nft_data *out, const char *name)
{
	size_t len = name ? strlen(name) : 0;

	out->size = 16;
	memset(out->bytes, 0, 16);
	memcpy(out->bytes, name ? name : "", len < 15 ? len : 15);
	return CT_YES;
}

/* nft_meta_pkttype is the frame's, which is not at hand: frames carry the kind of packet that their
 * address says. What the host sends is its own until it has left. */
static enum ct_truth give_kind(struct ct_nft_data *out, const struct ct_rule_packet *p)
{
	if (p->known & CT_RULE_KNOWS_KIND)
		return give(out, 1, p->kind);
	if (!p->in)
		return give(out, 1, 0);
	switch ((enum ct_addr_type)p->dst_type) {
	case CT_ADDR_UNKNOWN:
		return CT_UNSURE;
	case CT_ADDR_UNICAST:
	case CT_ADDR_LOCAL:
		return give(out, 1, 0);
	case CT_ADDR_BROADCAST:
		return give(out, 1, 1);
	case CT_ADDR_MULTICAST:
		break;
	}
	return give(out, 1, 2);
}

/* What the caller may know of its host. */
static enum ct_truth load_host(enum meta meta, const struct ct_rule_packet *p,
			       struct ct_nft_data *out)
{
	int64_t s = p->now / CT_NS_PER_S - p->west_min * INT64_C(60);

	if (meta == META_DAY && p->known & CT_RULE_KNOWS_TIME)
		return give(out, 1, (uint64_t)((s / 86400 + 4) % 7));
	if (meta == META_CPU && p->known & CT_RULE_KNOWS_CPU)
		return give(out, 4, p->cpu);
	if (meta == META_IPSEC && p->known & CT_RULE_KNOWS_NO_IPSEC)
		return give(out, 1, 0);
	if ((meta != META_SKUID && meta != META_SKGID) || !(p->known & CT_RULE_KNOWS_SOCKET))
		return CT_UNSURE;
	if (!p->has_socket)
		return CT_NO;
	return give(out, 4, meta == META_SKUID ? p->uid : p->gid);
}

static enum ct_truth load_meta(struct ct_nft_expr *e, struct ct_nft_judging *j,
			       struct ct_nft_data *out)
{
	bool is_v6 = j->family == CT_FAMILY_IPV6;

	switch ((enum meta)e->n[0]) {
	case META_LENGTH:
		return give(out, 4, j->size);
	case META_NFPROTO:
		return give(out, 1, is_v6 ? 10 : 2);
	case META_L4PROTO:
		return j->has_proto ? give(out, 1, j->proto) : CT_NO;
	case META_PROTOCOL:
		return give(out, 2, is_v6 ? 0x86dd : 0x0800);
	case META_MARK:
		return give(out, 4, j->out->mark);
	case META_IIF:
		return give_name(out, j->p->in);
	case META_OIF:
		return give_name(out, j->p->out);
	case META_PKTTYPE:
		return give_kind(out, j->p);
	case META_SKUID:
	case META_SKGID:
	case META_CPU:
	case META_DAY:
	case META_IPSEC:
		break;
	}
	return load_host((enum meta)e->n[0], j->p, out);
}

int ct_nft_meta_read(struct ct_nft_reading *r, const struct ct_value *v, struct ct_nft_expr *e)
{
	const char *key = ct_value_get_str(v, "key");

	e->name = ct_nft_label(r, "meta", key ? key : "");
	for (size_t i = 0; key && i < sizeof(metas) / sizeof(metas[0]); i++)
		if (strcmp(metas[i].key, key) == 0) {
			e->n[0] = metas[i].meta;
			e->shape = ct_nft_shape_of((enum ct_nft_type)metas[i].type, metas[i].bits);
			e->load = load_meta;
			return 0;
		}
	return -EINVAL;
}

/* fib --------------------------------------------------------------------------------------- */

enum { FIB_SADDR = 1 << 0, FIB_IFACE = 1 << 1, FIB_MARK = 1 << 2 };

static const uint8_t *address(const struct ct_nft_judging *j, bool is_src)
{
	if (j->family == CT_FAMILY_IPV6)
		return j->ip + (is_src ? 8 : 24);
	return j->ip + (is_src ? 12 : 16);
}

/* nft_fib4_eval_type(). n[0]: flags. Seen from an interface, an address of the host may be none. */
static enum ct_truth load_fib_type(struct ct_nft_expr *e, struct ct_nft_judging *j,
				   struct ct_nft_data *out)
{
	static const uint8_t rtn[] = { 0, 1, 2, 3, 5 };
	const struct ct_rule_ask *ask = j->p->ask;
	bool is_src = e->n[0] & FIB_SADDR;
	uint8_t type = is_src ? j->p->src_type : j->p->dst_type;
	const char *iface = j->p->in ? j->p->in : j->p->out;

	if (e->n[0] & FIB_IFACE && (type == CT_ADDR_LOCAL || type == CT_ADDR_BROADCAST))
		type = ask && ask->addr_type ? (uint8_t)ask->addr_type(ask->user, j->family,
								       address(j, is_src), iface)
					     : CT_ADDR_UNKNOWN;
	return type == CT_ADDR_UNKNOWN ? CT_UNSURE : give(out, 4, rtn[type]);
}

/* nft_fib4_eval(), nft_fib6_eval(): what the host sent itself has a way, and so have calls of those
 * that have no address yet. */
static bool needs_no_way(const struct ct_nft_judging *j)
{
	static const uint8_t everyone[4] = { 255, 255, 255, 255 }, nobody[16];
	const uint8_t *src = address(j, true), *dst = address(j, false);

	if (j->p->in && strcmp(j->p->in, "lo") == 0)
		return true;
	if (j->family == CT_FAMILY_IPV6)
		return memcmp(src, nobody, 16) == 0 && dst[0] >= 0xfe;
	return src[0] == 0 &&
	       (memcmp(dst, everyone, 4) == 0 || (dst[0] == 224 && dst[1] == 0 && dst[2] == 0));
}

/* Whether there is a way back to the source, by the interface it came in by when that counts. */
static enum ct_truth load_fib_way(struct ct_nft_expr *e, struct ct_nft_judging *j,
				  struct ct_nft_data *out)
{
	const struct ct_rule_ask *ask = j->p->ask;
	enum ct_rule_answer has = CT_ANSWER_UNKNOWN;

	if (needs_no_way(j))
		has = CT_ANSWER_YES;
	else if (ask && ask->reverse)
		has = ask->reverse(ask->user, j->family, address(j, true), address(j, false),
				   j->p->in, e->n[0] & FIB_MARK ? j->out->mark : 0,
				   !(e->n[0] & FIB_IFACE), false);
	return has == CT_ANSWER_UNKNOWN ? CT_UNSURE : give(out, 1, has == CT_ANSWER_YES);
}

static int fib_flags(const struct ct_value *flags, uint32_t *out)
{
	static const struct {
		const char *name;
		uint32_t bit;
	} names[] = { { "saddr", FIB_SADDR },
		      { "daddr", 0 },
		      { "iif", FIB_IFACE },
		      { "oif", FIB_IFACE },
		      { "mark", FIB_MARK } };
	const struct ct_value *m = flags && flags->type == CT_VALUE_LIST ? flags->first : flags;

	for (; m; m = m == flags ? NULL : m->next) {
		const char *flag = ct_value_str(m);
		size_t i = 0;

		while (i < 5 && (!flag || strcmp(names[i].name, flag) != 0))
			i++;
		if (i == 5)
			return -EINVAL;
		*out |= names[i].bit;
	}
	return 0;
}

int ct_nft_fib_read(struct ct_nft_reading *r, const struct ct_value *v, struct ct_nft_expr *e)
{
	const char *result = ct_value_get_str(v, "result");
	bool is_type = result && strcmp(result, "type") == 0;

	e->name = ct_nft_label(r, "fib", result ? result : "");
	if (!result || fib_flags(ct_value_get(v, "flags"), &e->n[0]) < 0)
		return -EINVAL;
	if (is_type ? e->n[0] & FIB_MARK : !(e->n[0] & FIB_SADDR))
		return -EINVAL;
	e->shape = ct_nft_shape_of(is_type ? CT_NFT_FIB_TYPE : CT_NFT_BOOLEAN, 0);
	e->load = is_type ? load_fib_type : load_fib_way;
	return 0;
}

/* Numbers ----------------------------------------------------------------------------------- */

/* nft_ng_inc_gen(): begins at 0 and comes round after n[0] numbers. */
static enum ct_truth load_numgen(struct ct_nft_expr *e, struct ct_nft_judging *j,
				 struct ct_nft_data *out)
{
	if (j->is_asking)
		return CT_UNSURE;
	(void)give(out, 4, e->count + e->n[1]);
	e->count = (e->count + 1) % e->n[0];
	return CT_YES;
}

static int numbers_read(const struct ct_value *v, struct ct_nft_expr *e)
{
	uint64_t mod = ct_value_get_number(v, "mod", 0);
	uint64_t offset = ct_value_get_number(v, "offset", 0);

	e->shape = ct_nft_shape_of(CT_NFT_INTEGER, 32);
	if (!mod || mod > UINT32_MAX || offset > UINT32_MAX)
		return -EINVAL;
	e->n[0] = (uint32_t)mod;
	e->n[1] = (uint32_t)offset;
	return 0;
}

/* Random ones are not known. */
int ct_nft_numgen_read(struct ct_nft_reading *r, const struct ct_value *v, struct ct_nft_expr *e)
{
	const char *mode = ct_value_get_str(v, "mode");

	e->name = ct_nft_label(r, "numgen", mode ? mode : "");
	if (numbers_read(v, e) < 0 || !mode || strcmp(mode, "inc") != 0)
		return -EINVAL;
	e->load = load_numgen;
	return 0;
}

/* Bob Jenkins' lookup3 (in the public domain), as include/linux/jhash.h has it. */
struct mixing {
	uint32_t a, b, c;
};

static uint32_t turned(uint32_t v, unsigned by)
{
	return v << by | v >> (32 - by);
}

static void mix(struct mixing *m)
{
	static const uint8_t by[6] = { 4, 6, 8, 16, 19, 4 };
	uint32_t *v[3] = { &m->a, &m->b, &m->c };

	for (unsigned i = 0; i < 6; i++) {
		uint32_t *x = v[i % 3], *y = v[(i + 1) % 3], *z = v[(i + 2) % 3];

		*x -= *z;
		*x ^= turned(*z, by[i]);
		*z += *y;
	}
}

static void mix_last(struct mixing *m)
{
	static const uint8_t by[7] = { 14, 11, 25, 16, 4, 14, 24 };
	uint32_t *v[3] = { &m->c, &m->a, &m->b };

	for (unsigned i = 0; i < 7; i++) {
		uint32_t *x = v[i % 3], *y = v[(i + 2) % 3];

		*x ^= *y;
		*x -= turned(*y, by[i]);
	}
}

static uint32_t word(const uint8_t *p, uint32_t left, uint32_t at)
{
	uint32_t v = 0;

	for (uint32_t i = 0; i < 4 && at + i < left; i++)
		v |= (uint32_t)p[at + i] << 8 * i;
	return v;
}

static uint32_t jhash(const uint8_t *p, uint32_t size, uint32_t seed)
{
	struct mixing m;

	m.a = m.b = m.c = 0xdeadbeef + size + seed;
	for (; size > 12; size -= 12, p += 12) {
		m.a += word(p, 12, 0);
		m.b += word(p, 12, 4);
		m.c += word(p, 12, 8);
		mix(&m);
	}
	if (!size)
		return m.c;
	m.a += word(p, size, 0);
	m.b += word(p, size, 4);
	m.c += word(p, size, 8);
	mix_last(&m);
	return m.c;
}

/* nft_jhash_eval(). n[2]: the seed. */
static enum ct_truth load_jhash(struct ct_nft_expr *e, struct ct_nft_judging *j,
				struct ct_nft_data *out)
{
	struct ct_nft_data data = { .size = 0 };
	enum ct_truth is_there = ct_nft_load(e->first, j, &data);
	uint64_t h;

	if (is_there != CT_YES)
		return is_there;
	h = jhash(data.bytes, data.size, e->n[2]);
	return give(out, 4, (h * e->n[0] >> 32) + e->n[1]);
}

/* True of data whose bytes stand in the kernel's registers as they do here. */
static bool is_network_order(const struct ct_nft_shape *shape)
{
	static const uint8_t types[] = { CT_NFT_IPV4, CT_NFT_IPV6, CT_NFT_ETHER,
					 CT_NFT_INET_SERVICE, CT_NFT_IFNAME };

	for (unsigned i = 0; i < shape->n; i++)
		if (shape->part[i].bits > 8 && !memchr(types, shape->part[i].type, sizeof(types)))
			return false;
	return shape->n > 0;
}

/* Without a seed the kernel has drawn one. */
int ct_nft_jhash_read(struct ct_nft_reading *r, const struct ct_value *v, struct ct_nft_expr *e)
{
	const struct ct_value *of = ct_value_get(v, "expr");
	uint64_t seed = ct_value_get_number(v, "seed", UINT64_MAX);

	if (numbers_read(v, e) < 0 || !of || seed > UINT32_MAX)
		return -EINVAL;
	e->n[2] = (uint32_t)seed;
	e->first = ct_nft_expr_read(r, of, NULL);
	if (!e->first || ct_nft_expr_is_opaque(e->first) || !is_network_order(&e->first->shape))
		return -EINVAL;
	e->load = load_jhash;
	return 0;
}
