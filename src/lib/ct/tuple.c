/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Tuples: see include/conntune/tuple.h. Answers to Linux 6.18, nf_ct_invert_tuple() and the
 * invert functions of nf_conntrack_proto_icmp.c and nf_conntrack_proto_icmpv6.c.
 */
#include <conntune/tuple.h>

#include <errno.h>
#include <stddef.h>
#include <string.h>

enum { PROTO_ICMP = 1, PROTO_ICMPV6 = 58 };

uint8_t ct_tuple_icmp_type(const struct ct_tuple *t)
{
	uint8_t b[2];

	memcpy(b, &t->dst_part, 2);
	return b[0];
}

uint8_t ct_tuple_icmp_code(const struct ct_tuple *t)
{
	uint8_t b[2];

	memcpy(b, &t->dst_part, 2);
	return b[1];
}

void ct_tuple_set_icmp(struct ct_tuple *t, uint8_t type, uint8_t code)
{
	uint8_t b[2] = { type, code };

	memcpy(&t->dst_part, b, 2);
}

/* A type and the type that answers it; both columns are searched. */
static const uint8_t icmp_pairs[][2] = { { 8, 0 }, { 13, 14 }, { 15, 16 }, { 17, 18 } };
static const uint8_t icmpv6_pairs[][2] = { { 128, 129 }, { 139, 140 } };

static int answer_to(const uint8_t (*pairs)[2], size_t n, uint8_t type)
{
	for (size_t i = 0; i < n; i++) {
		if (pairs[i][0] == type)
			return pairs[i][1];
		if (pairs[i][1] == type)
			return pairs[i][0];
	}
	return -EINVAL;
}

int ct_tuple_invert(struct ct_tuple *out, const struct ct_tuple *in)
{
	struct ct_tuple t = { .src = in->dst,
			      .dst = in->src,
			      .src_part = in->dst_part,
			      .dst_part = in->src_part,
			      .family = in->family,
			      .proto = in->proto };

	if (in->proto == PROTO_ICMP || in->proto == PROTO_ICMPV6) {
		uint8_t type = ct_tuple_icmp_type(in);
		int answer = in->proto == PROTO_ICMP ? answer_to(icmp_pairs, 4, type)
						     : answer_to(icmpv6_pairs, 2, type);

		if (answer < 0)
			return answer;
		t.src_part = in->src_part;
		ct_tuple_set_icmp(&t, (uint8_t)answer, ct_tuple_icmp_code(in));
	}
	*out = t;
	return 0;
}

bool ct_tuple_equal(const struct ct_tuple *a, const struct ct_tuple *b)
{
	return memcmp(&a->src, &b->src, sizeof(a->src)) == 0 &&
	       memcmp(&a->dst, &b->dst, sizeof(a->dst)) == 0 && a->src_part == b->src_part &&
	       a->dst_part == b->dst_part && a->family == b->family && a->proto == b->proto;
}
