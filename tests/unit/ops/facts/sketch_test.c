/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Distinct addresses within the promised error; frequent ones always found.
 */
#include "ops/facts/sketch.h"

#include <arpa/inet.h>

#include "tap.h"

static union ct_addr addr(uint32_t i)
{
	union ct_addr a = { .bytes = { 0 } };

	a.ip4 = htonl(i);
	return a;
}

TEST(distinct_within_five_percent)
{
	static const uint32_t sizes[] = { 0, 1, 10, 1000, 5000, 100000, 1000000 };

	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		struct distinct d = { 0 };
		double got, n = sizes[k];

		for (uint32_t i = 0; i < sizes[k]; i++) {
			union ct_addr a = addr(i * 2654435761u);

			distinct_add(&d, &a);
			distinct_add(&d, &a);
		}
		got = (double)distinct_count(&d);
		if (got < n * 0.92 || got > n * 1.08)
			TAP_FAIL("%g distinct counted as %g", n, got);
	}
}

TEST(one_in_ten_is_found_among_many)
{
	struct heavy h = { .n_slots = 0 };
	const struct heavy_slot *top;

	for (uint32_t i = 0; i < 100000; i++) {
		union ct_addr a = addr(i % 10 == 0 ? 7 : 1000 + i);

		heavy_add(&h, &a, CT_FAMILY_IPV4);
	}
	top = heavy_top(&h);
	EQ_INT(ntohl(top->addr.ip4), 7);
	OK(top->n >= 10000 && top->n - top->error <= 10000);
	OK(top->n - top->error > 8000);
}

TEST(nothing_has_no_top)
{
	struct heavy h = { .n_slots = 0 };

	OK(heavy_top(&h) == NULL);
}

TAP_MAIN(&tap_distinct_within_five_percent, &tap_one_in_ten_is_found_among_many,
	 &tap_nothing_has_no_top)
