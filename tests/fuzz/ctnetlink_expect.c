/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Expectations: the helper's name stays inside the message.
 */
#include "ops/netlink/ctnetlink.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nl_expect x;

	if (nl_expect_decode(data, size, &x) < 0 || !x.helper.p)
		return 0;
	if ((const uint8_t *)x.helper.p < data ||
	    (const uint8_t *)x.helper.p + x.helper.len > data + size)
		abort();
	return 0;
}
