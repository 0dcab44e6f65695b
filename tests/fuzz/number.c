/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Numbers out of text: whatever is accepted is within its limit, and nothing else is touched.
 */
#include "lib/base/number.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define UNTOUCHED UINT64_C(0x5ca1ab1e0ddba11)

static void must(int is_true)
{
	if (!is_true)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *)data;
	uint64_t v = UNTOUCHED;
	int64_t i = 0;
	int r;

	r = ct_number_u64(s, size, 65535, &v);
	must(r == 0 ? v <= 65535 : v == UNTOUCHED);
	v = UNTOUCHED;
	r = ct_number_any(s, size, 65535, &v);
	must(r == 0 ? v <= 65535 : v == UNTOUCHED);
	v = UNTOUCHED;
	r = ct_number_size(s, size, &v);
	must(r == 0 || v == UNTOUCHED);
	v = UNTOUCHED;
	r = ct_number_duration(s, size, &v);
	must(r == 0 || v == UNTOUCHED);
	(void)ct_number_i64(s, size, &i);
	return 0;
}
