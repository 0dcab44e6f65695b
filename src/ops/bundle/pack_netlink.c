/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Netlink recordings of a bundle: the kernel's own datagrams, in which addresses may be replaced.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ops/bundle/pack.h"
#include "ops/host/dump.h"
#include "ops/netlink/ctnetlink.h"

#define MAX_PATH 4096

static int bundle_table_request(void *buf)
{
	return nl_dump_request(buf, NULL);
}

struct ask {
	enum bundle_scope scope;
	const char *name;
	int (*request)(void *buf);
};

static const struct ask asks[] = {
#define LINK(pattern)
#define MARK(pattern)
#define PICK(scope, filter, pattern)
#define RUN(...)
#define ASK(scope, name, request) { SCOPE_##scope, name, request },
#include "ops/bundle/bundle.def"
#undef LINK
#undef MARK
#undef PICK
#undef RUN
#undef ASK
};

/* Reads the dump to its end while it is recorded. */
static int drain(struct dump *d, uint64_t *n, struct ct_err *err)
{
	const void *payload;
	uint16_t type;
	size_t size;
	int r;

	while ((r = dump_next(d, &type, &payload, &size, err)) > 0)
		++*n;
	return r;
}

/* What there is to say about a dump that ended. */
static int gap_of(struct pack *p, const struct view *v, const char *name, struct dump *d, int r,
		  const struct ct_err *err)
{
	struct dump_info info;

	dump_info(d, &info);
	if (r < 0)
		return pack_gap(p, v, name, err->text[0] ? err->text : strerror(-r));
	if (info.n_interrupted)
		return pack_gap(p, v, name,
				"the table was rebuilt meanwhile; entries may be missing or twice");
	if (info.n_overruns)
		return pack_gap(p, v, name, "the kernel could not hand over everything");
	return 0;
}

static bool is_writing_error(int r)
{
	return r == -ENOSPC || r == -EDQUOT || r == -EFBIG || r == -EROFS;
}

/* 1 when it was recorded, 0 when there is a gap, negative when writing failed. */
static int record(struct pack *p, const struct view *v, const struct ask *ask)
{
	auto_free(dump) struct dump *d = NULL;
	struct ct_err err = { "" };
	uint8_t request[NL_MAX_REQUEST];
	char path[MAX_PATH];
	uint64_t n = 0;
	int size = ask->request(request), fd, r;

	r = size < 0 ? size : dump_open(v->host, ask->name, request, (size_t)size, &d, &err);
	if (r == -ENOENT && !host_is_live(v->host))
		return 0;
	if (r < 0)
		return pack_gap(p, v, ask->name, err.text[0] ? err.text : strerror(-r));
	(void)snprintf(path, sizeof(path), "%s/netlink/%s", v->recorded, ask->name);
	fd = out_file(&p->out, path, 0444);
	if (fd < 0)
		return fd;
	if (p->anon)
		dump_rewrite_by(d, anon_datagram, p->anon);
	r = dump_record_to(d, fd);
	if (r == 0)
		r = drain(d, &n, &err);
	out_count(&p->out, fd);
	(void)close(fd);
	if (is_writing_error(r))
		return r;
	r = gap_of(p, v, ask->name, d, r, &err);
	p->bundle->n_recordings++;
	if (strcmp(ask->name, NL_NAME_TABLE) == 0)
		p->bundle->n_entries += n;
	return r < 0 ? r : 1;
}

int pack_netlink(struct pack *p, const struct view *v)
{
	if (host_is_live(v->host) && !dump_is_harmless(v->host))
		return v->is_own ? pack_gap(p, v, "conntrack",
					    "connection tracking is not loaded, and asking for it "
					    "would load it")
				 : 0;
	for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
		int r;

		if (!pack_is_wanted(p, v, asks[i].scope))
			continue;
		r = record(p, v, &asks[i]);
		if (r == 0 && strcmp(asks[i].name, NL_NAME_TABLE) == 0)
			r = pack_listing(p, v);
		if (r < 0 && r != -ENOENT)
			return r;
	}
	return 0;
}
