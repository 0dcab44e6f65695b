/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Counting in the kernel (inplace_count.c), or entry by entry through the cursor. See look.h.
 */
#include "ops/table/look.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ops/table/inplace.h"

struct look {
	struct host *host; /* borrowed */
	struct look_options o;
	struct tally_options by;
	struct inplace_counter *counter; /* owned; null when entries are read one by one */
	struct table *first;		 /* owned; opened to see that it can be, read once */
	struct tally *into;		 /* borrowed, during a look */
	uint64_t n_entries;
};

static int open_counter(struct look *l)
{
	struct ct_err why_not = { "" };
	int r = -EOPNOTSUPP;

	if (l->o.is_meant)
		(void)ct_err_set(&why_not, r, "%s", "conditions are not for the kernel to check");
	else if (inplace_is_wanted(l->host, &l->o.table, &why_not))
		r = inplace_counter_open(l->host, &l->o.table, &l->by, l->o.netns_of, &l->counter,
					 &why_not);
	if (r < 0 && l->o.table.why_not)
		*l->o.table.why_not = why_not;
	return r;
}

int look_open(struct host *h, const struct look_options *o, struct look **out, struct ct_err *err)
{
	auto_free(look) struct look *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return ct_err_set(err, -ENOMEM, "out of memory");
	l->host = h;
	l->o = *o;
	l->by = *o->by;
	l->o.table.want |= tally_want(o->by);
	r = open_counter(l);
	if (r < 0 && o->netns_of)
		return ct_err_set(err, -EOPNOTSUPP,
				  "all namespaces at once are read in place only");
	/* What cannot count in the kernel is not tried in vain again: unless conditions were in
	 * the way, entries are read by netlink then. */
	if (r < 0 && !o->is_meant)
		l->o.table.via = TABLE_VIA_NETLINK;
	if (r < 0) {
		struct table_options t = l->o.table;

		if (!o->is_meant)
			t.why_not = NULL;
		r = table_open(h, &t, &l->first, err);
	}
	if (r < 0)
		return r;
	l->o.table.why_not = NULL;
	l->o.table.log = NULL;
	*out = l;
	l = NULL;
	return 0;
}

bool look_is_in_place(const struct look *l)
{
	return l->counter;
}

static int add_counted(void *user, const struct inplace_counted *c)
{
	struct look *l = user;
	uint32_t netns = l->o.netns;

	if (l->o.netns_of)
		netns = l->o.netns_of(l->o.user, c->netns, c->group.n);
	l->n_entries += c->group.n;
	return tally_add_group(l->into, &c->entry, netns, &c->group);
}

static int count_in_place(struct look *l, struct table_info *info, struct ct_err *err)
{
	const struct inplace_sink sink = { add_counted, l };
	struct inplace_told told = { 0 };
	int r;

	l->n_entries = 0;
	r = inplace_counter_look(l->counter, &sink, &told, err);
	*info = (struct table_info){ .source = TABLE_IN_PLACE,
				     .n_entries = l->n_entries,
				     .n_expired = told.n_expired,
				     .n_again = told.n_again };
	inplace_judge(told.is_resized, told.n_unsure, info);
	return r;
}

static int count_entries(struct look *l, struct table_info *info, struct ct_err *err)
{
	auto_free(table) struct table *t = l->first;
	struct ct_entry e;
	int r = 0;

	l->first = NULL;
	*info = (struct table_info){ .source = TABLE_NETLINK };
	if (!t)
		r = table_open(l->host, &l->o.table, &t, err);
	if (r < 0)
		return r;
	while ((r = table_next(t, &e, err)) > 0) {
		if (l->o.is_meant && !l->o.is_meant(l->o.user, &e))
			continue;
		r = tally_add(l->into, &e, l->o.netns);
		if (r < 0) {
			(void)ct_err_set(err, r, "out of memory");
			break;
		}
	}
	table_info(t, info);
	return r;
}

int look_again(struct look *l, struct tally *into, struct table_info *info, struct ct_err *err)
{
	int r;

	l->into = into;
	r = l->counter ? count_in_place(l, info, err) : count_entries(l, info, err);
	l->into = NULL;
	if (r < 0) {
		info->is_whole = false;
		(void)snprintf(info->why_not, sizeof(info->why_not), "%.*s", 250, err->text);
	}
	return r;
}

void look_free(struct look *l)
{
	if (!l)
		return;
	inplace_counter_free(l->counter);
	table_free(l->first);
	free(l);
}
