/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The entries of connections whose packets are no longer tracked: nothing refreshes them, yet they
 * would stay for up to five days.
 */
#include "ops/apply/untrack_entries.h"

#include <errno.h>
#include <string.h>

#include "ops/apply/untrack.h"
#include "ops/facts/endpoints.h"
#include "ops/host/dump.h"
#include "ops/table/table.h"

#define MAX_ENTRIES 4000000 /* remembered at one time */

struct found {
	struct ct_entry *at;
	size_t n;
};

static int remember(struct found *f, const struct ct_entry *e)
{
	struct ct_entry *at = list_grown(f->at, f->n, sizeof(*at));

	if (!at)
		return -ENOMEM;
	f->at = at;
	at[f->n++] = *e;
	return 0;
}

/* A service of this machine: what is only passed on to another machine's stays. */
static bool is_meant(const struct untrack_class *c, const struct endpoints *ends,
		     const struct ct_entry *e)
{
	const struct ct_tuple *t = &e->tuple[CT_DIR_ORIG];

	return untrack_has(c, e) &&
	       (c->dst[0] || c->is_loopback || endpoints_is_own(ends, &t->dst, t->family));
}

static int find(struct host *h, const struct untrack_class *c, struct found *out)
{
	static const struct table_options o = { .want = CT_KNOWN_ZONE | CT_KNOWN_ID,
						.via = TABLE_VIA_NETLINK };
	auto_free(endpoints) struct endpoints *ends = NULL;
	auto_free(table) struct table *t = NULL;
	struct ct_entry e;
	int r = endpoints_read(h, 0, &ends);

	r = r < 0 ? r : table_open(h, &o, &t, NULL);
	while (r >= 0 && out->n < MAX_ENTRIES && (r = table_next(t, &e, NULL)) > 0)
		if (is_meant(c, ends, &e))
			r = remember(out, &e);
	return r < 0 ? r : 0;
}

/* One that went by itself, or became another, is none to remove. */
static bool delete_one(struct host *h, const struct ct_entry *e)
{
	auto_free(dump) struct dump *d = NULL;
	uint8_t request[NL_MAX_REQUEST];
	const void *payload;
	uint16_t type;
	size_t size;
	int n = nl_delete_request(request, e);

	if (n < 0 || dump_open(h, "delete", request, (size_t)n, &d, NULL) < 0)
		return false;
	return dump_next(d, &type, &payload, &size, NULL) == 0;
}

uint64_t untrack_entries(struct site *s, const struct journal *j)
{
	uint64_t n = 0;

	for (size_t i = 0; i < j->n_steps; i++) {
		const struct step *p = &j->steps[i];
		struct untrack_class c;
		struct found f = { 0 };
		struct host *h;

		if (p->kind != STEP_rules || strncmp(p->what, "notrack ", 8) != 0 ||
		    untrack_parse(p->what + 8, &c, NULL) < 0 ||
		    site_in(s, p->netns, &h, NULL) < 0 || find(h, &c, &f) < 0)
			f.n = 0;
		for (size_t k = 0; k < f.n; k++)
			n += delete_one(h, &f.at[k]);
		free(f.at);
	}
	return n;
}
