/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The cursor itself: everything else is the business of the provider behind it.
 */
#include "ops/table/table.h"

#include <unistd.h>

#include "ops/table/provider.h"

int table_open_listing(int fd, const char *name, struct table **out, struct ct_err *err)
{
	return table_open_lines(fd, name, TABLE_LISTING, out, err);
}

int table_open_file(int fd, const char *name, uint32_t want, struct table **out, struct ct_err *err)
{
	char first = 'x';

	if (pread(fd, &first, 1, 0) == 1 && first == '\0')
		return table_open_recording(fd, name, want, out, err);
	return table_open_listing(fd, name, out, err);
}

int table_next(struct table *t, struct ct_entry *out, struct ct_err *err)
{
	int r = t->provider->next(t, out, err);

	t->n_entries += r > 0;
	return r;
}

bool table_is_filtered(const struct table *t)
{
	return t->is_filtered;
}

void table_info(const struct table *t, struct table_info *out)
{
	*out = (struct table_info){ .source = t->source, .n_entries = t->n_entries };
	t->provider->info(t, out);
}

void table_free(struct table *t)
{
	if (t)
		t->provider->free(t);
}
