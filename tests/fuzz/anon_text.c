/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What goes into a bundle: filters and replaced addresses make text of text, of no more lines than
 * there were.
 */
#include <stdlib.h>
#include <string.h>

#include "ops/bundle/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count_lines(const char *p, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += p[i] == '\n';
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t key[ANON_KEY_BYTES] = "0123456789abcdef";
	const char *text = (const char *)data;
	struct anon *a = NULL;

	if (anon_new(key, &a) < 0)
		abort();
	for (int f = FILTER_WHOLE; f <= FILTER_NOTHING; f++) {
		auto_fini(ct_buf) struct ct_buf out = { 0 };
		bool has_something;

		if (bundle_filter((enum bundle_filter)f, a, text, size, &out, &has_something) < 0)
			abort();
		if (count_lines(out.p, out.len) > count_lines(text, size) + 1)
			abort();
	}
	anon_free(a);
	return 0;
}
