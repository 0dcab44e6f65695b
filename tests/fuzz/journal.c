/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Journals: what is read is written and read again into the same.
 */
#include "ops/apply/journal.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int is_true)
{
	if (!is_true)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_fini(journal) struct journal one = { 0 }, two = { 0 };
	auto_fini(ct_buf) struct ct_buf a = { 0 }, b = { 0 };

	if (journal_read((const char *)data, size, &one, NULL) < 0)
		return 0;
	must(one.n_steps <= JOURNAL_MAX_STEPS && one.number > 0 && one.state < JOURNAL_STATES);
	must(journal_write(&one, &a) == 0);
	must(journal_read(a.p, a.len, &two, NULL) == 0);
	must(journal_write(&two, &b) == 0);
	must(strcmp(a.p, b.p) == 0);
	return 0;
}
