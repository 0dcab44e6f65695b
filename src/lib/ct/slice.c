/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Words of foreign origin; see slice.h.
 */
#include "lib/ct/slice.h"

void ct_slice_put(struct ct_text *to, struct ct_slice s)
{
	uint32_t from = 0;

	for (uint32_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c >= 0x20 && c != 0x7f)
			continue;
		ct_text_put(to, s.p + from, i - from);
		ct_text_char(to, '?');
		from = i + 1;
	}
	ct_text_put(to, s.p + from, s.len - from);
}
