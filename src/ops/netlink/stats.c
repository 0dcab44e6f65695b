/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The counters of the tracker per CPU, and the fill level of a namespace.
 *
 * Answers to Linux 6.18, ctnetlink_ct_stat_cpu_fill_info(), ctnetlink_stat_ct_fill_info() and
 * ctnetlink_exp_stat_fill_info(). The number of the CPU stands in the generic header.
 */
#include "ops/netlink/ctnetlink.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "ops/netlink/attr.h"

/* CTA_STATS_GLOBAL_MAX_ENTRIES came with Linux 4.18. */
enum { ATTR_ENTRIES = 1, ATTR_MAX_ENTRIES = 2, MAX_ATTR = 32 };

/* The 32-bit numbers of a flat message, by attribute; @seen has a bit for each. */
struct flat {
	uint16_t cpu;
	uint32_t seen;
	uint32_t value[MAX_ATTR];
};

static int read_flat(const void *payload, size_t size, struct flat *out)
{
	struct ct_bytes b = ct_bytes_of(payload, size);
	struct nl_attr a;
	int more;

	*out = (struct flat){ 0 };
	if (take_skip(&b, offsetof(struct nfgenmsg, res_id)) < 0 || take_be16(&b, &out->cpu) < 0)
		return -EBADMSG;
	while ((more = nl_attr_take(&b, &a)) > 0) {
		struct ct_bytes v = ct_bytes_of(a.p, a.size);

		if (a.type >= MAX_ATTR)
			continue;
		if (a.size != 4)
			return -EBADMSG;
		(void)take_be32(&v, &out->value[a.type]);
		out->seen |= 1u << a.type;
	}
	return more;
}

int nl_stats_cpu_decode(const void *payload, size_t size, struct nl_stats *out)
{
	static const uint8_t attrs[] = {
#define NL_STAT(name, attr, text) [NL_STAT_##name] = (attr),
#include "ops/netlink/stat.def"
#undef NL_STAT
	};
	struct flat f;
	int error = read_flat(payload, size, &f);

	if (error < 0)
		return error;
	*out = (struct nl_stats){ .cpu = f.cpu };
	for (unsigned i = 0; i < NL_STAT_MAX; i++) {
		if (!(f.seen & 1u << attrs[i]))
			continue;
		out->known |= 1u << i;
		out->value[i] = f.value[attrs[i]];
	}
	return 0;
}

const char *nl_stat_name(enum nl_stat s)
{
	static const char *const names[] = {
#define NL_STAT(name, attr, text) [NL_STAT_##name] = (text),
#include "ops/netlink/stat.def"
#undef NL_STAT
	};

	return names[s];
}

int nl_stats_decode(const void *payload, size_t size, struct nl_level *out)
{
	struct flat f;
	int error = read_flat(payload, size, &f);

	if (error < 0)
		return error;
	if (!(f.seen & 1u << ATTR_ENTRIES))
		return -EBADMSG;
	*out = (struct nl_level){ .count = f.value[ATTR_ENTRIES],
				  .max = f.value[ATTR_MAX_ENTRIES],
				  .is_max_known = f.seen & 1u << ATTR_MAX_ENTRIES };
	return 0;
}

int nl_expect_stats_cpu_decode(const void *payload, size_t size, struct nl_expect_stats *out)
{
	const uint32_t all =
		1u << CTA_STATS_EXP_NEW | 1u << CTA_STATS_EXP_CREATE | 1u << CTA_STATS_EXP_DELETE;
	struct flat f;
	int error = read_flat(payload, size, &f);

	if (error < 0)
		return error;
	if ((f.seen & all) != all)
		return -EBADMSG;
	*out = (struct nl_expect_stats){ .cpu = f.cpu,
					 .n_new = f.value[CTA_STATS_EXP_NEW],
					 .n_create = f.value[CTA_STATS_EXP_CREATE],
					 .n_delete = f.value[CTA_STATS_EXP_DELETE] };
	return 0;
}
