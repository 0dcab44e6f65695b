/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A whole listing: every line is an entry, a remark, or counted as bad, and the end is reached.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ops/table/provider.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int is_true)
{
	if (!is_true)
		abort();
}

static uint64_t n_lines(const uint8_t *data, size_t size)
{
	uint64_t n = size > 0 && data[size - 1] != '\n';

	for (size_t i = 0; i < size; i++)
		n += data[i] == '\n';
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("listing", MFD_CLOEXEC);
	struct table_info info = { 0 };
	struct table *t = NULL;
	struct ct_entry e;
	uint64_t n = 0;
	int r;

	must(fd >= 0 && write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
	must(table_open_lines(fd, "listing", TABLE_LISTING, &t, NULL) == 0);
	while ((r = t->provider->next(t, &e, NULL)) > 0)
		n++;
	must(r == 0);
	t->provider->info(t, &info);
	must(n + info.n_bad <= n_lines(data, size));
	must(info.is_whole == (info.n_bad == 0));
	must((info.first_bad[0] != '\0') == (info.n_bad > 0));
	t->provider->free(t);
	return 0;
}
