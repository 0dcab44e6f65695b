/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One entry of a ctnetlink dump: what is accepted stays inside its message and can be written
 * again.
 */
#include "ops/netlink/ctnetlink.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int is_true)
{
	if (!is_true)
		abort();
}

static void must_be_inside(const uint8_t *data, size_t size, const struct ct_slice *s)
{
	const uint8_t *p = (const uint8_t *)s->p;

	must(p >= data && p + s->len <= data + size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ct_entry e, again;
	static uint8_t room[1 << 17];
	int len;

	(void)nl_entry_decode(data, size, CT_KNOWN_PARTS, &e);
	if (nl_entry_decode(data, size, 0, &e) < 0)
		return 0;
	if (e.known & CT_KNOWN_HELPER)
		must_be_inside(data, size, &e.helper);
	if (e.known & CT_KNOWN_SECCTX)
		must_be_inside(data, size, &e.secctx);
	len = nl_entry_encode(&e, room, sizeof(room));
	must(len > 0);
	if (nl_entry_decode(room, (size_t)len, 0, &again) == 0)
		must((again.known & ~e.known) == 0);
	return 0;
}
