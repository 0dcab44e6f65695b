/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Expectations: connections that a helper announced and that have not come yet.
 *
 * Answers to Linux 6.18, ctnetlink_exp_dump_expect(). The mask tuple carries the protocol of the
 * tuple and all ones in the destination part.
 */
#include "ops/netlink/ctnetlink.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "ops/netlink/layout.h"

enum { KNOWN_TIMEOUT = 1 };
#define BIT(n)	  (1u << (n))
#define AT(field) .offset = offsetof(struct nl_expect, field)

static const struct nl_field expect_fields[] = {
	[CTA_EXPECT_MASTER] = { NL_TUPLE, AT(master), .nest = &nl_tuple_layout },
	[CTA_EXPECT_TUPLE] = { NL_TUPLE, AT(tuple), .nest = &nl_tuple_layout },
	[CTA_EXPECT_MASK] = { NL_TUPLE, AT(mask), .nest = &nl_tuple_layout },
	[CTA_EXPECT_TIMEOUT] = { NL_BE32, AT(timeout_s), .known = KNOWN_TIMEOUT },
	[CTA_EXPECT_ID] = { NL_BE32, AT(id) },
	[CTA_EXPECT_HELP_NAME] = { NL_STRING, AT(helper) },
	[CTA_EXPECT_ZONE] = { NL_BE16, AT(zone) },
	[CTA_EXPECT_FLAGS] = { NL_BE32, AT(flags) },
	[CTA_EXPECT_CLASS] = { NL_BE32, AT(class_no) },
};
static const struct nl_layout expect_layout = {
	.fields = expect_fields,
	.n = sizeof(expect_fields) / sizeof(expect_fields[0]),
	.needs = BIT(CTA_EXPECT_MASTER) | BIT(CTA_EXPECT_TUPLE) | BIT(CTA_EXPECT_MASK),
};

int nl_expect_decode(const void *payload, size_t size, struct nl_expect *out)
{
	const uint8_t *bytes = payload;
	struct nl_reader r = { .want = CT_KNOWN_ALL };
	struct nl_expect e = { 0 };
	int error;

	if (size < sizeof(struct nfgenmsg))
		return -EBADMSG;
	r.family = bytes[0];
	error = nl_layout_read(
		&r, ct_bytes_of(bytes + sizeof(struct nfgenmsg), size - sizeof(struct nfgenmsg)),
		&expect_layout, &e, NULL);
	if (error < 0)
		return error;
	e.is_timeout_known = r.known & KNOWN_TIMEOUT;
	*out = e;
	return 0;
}
