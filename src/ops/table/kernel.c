/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The kernel's table: in place (inplace.c), by netlink, from the recording of a dump, or else from
 * its text in /proc.
 *
 * Answers to Linux 6.18, ctnetlink_dump_table(). The kernel may refuse a filter it does not know;
 * then everything is asked for, since a filter is only a help.
 */
#include <errno.h>
#include <string.h>

#include "ops/table/datagram.h"
#include "ops/table/inplace.h"
#include "ops/table/parallel.h"

struct kernel_table {
	struct table base;
	struct dump *dump; /* owned */
	struct datagram_reader reader;
};

static int kernel_next(struct table *t, struct ct_entry *out, struct ct_err *err)
{
	struct kernel_table *k = (struct kernel_table *)t;
	const void *payload;
	uint16_t type;
	size_t size;
	int r;

	while ((r = dump_next(k->dump, &type, &payload, &size, err)) > 0) {
		if (t->n_entries == 0) {
			struct dump_info info;

			dump_info(k->dump, &info);
			t->is_filtered = info.is_filtered;
		}
		if (datagram_read(&k->reader, type, payload, size, out))
			return 1;
	}
	datagram_end(&k->reader);
	return r;
}

static void kernel_info(const struct table *t, struct table_info *out)
{
	const struct kernel_table *k = (const struct kernel_table *)t;
	struct dump_info info;

	dump_info(k->dump, &info);
	datagram_judge(&k->reader, &info, out);
}

static void kernel_free(struct table *t)
{
	struct kernel_table *k = (struct kernel_table *)t;

	dump_free(k->dump);
	free(k);
}

static const struct table_provider kernel_provider = { kernel_next, kernel_info, kernel_free };

/* A table over @dump, which it takes over, even on failure. */
static int make_table(struct dump *dump, struct host *h, enum table_source source, uint32_t want,
		      struct table **out, struct ct_err *err)
{
	struct kernel_table *k = calloc(1, sizeof(*k));

	if (!k) {
		dump_free(dump);
		return ct_err_set(err, -ENOMEM, "out of memory");
	}
	k->base.provider = &kernel_provider;
	k->base.source = source;
	k->dump = dump;
	datagram_begin(&k->reader, h, want);
	*out = &k->base;
	return 0;
}

int table_open_recording(int fd, const char *name, uint32_t want, struct table **out,
			 struct ct_err *err)
{
	struct dump *dump;
	int r = dump_open_recording(fd, name, &dump, err);

	return r < 0 ? r : make_table(dump, NULL, TABLE_RECORD, want, out, err);
}

static int open_dump(struct host *h, const struct nl_filter *filter, struct dump **out,
		     struct ct_err *err)
{
	_Alignas(4) uint8_t request[NL_MAX_REQUEST];
	int size = nl_dump_request(request, filter), r;

	if (size < 0)
		size = nl_dump_request(request, NULL);
	r = dump_open(h, NL_NAME_TABLE, request, (size_t)size, out, err);
	if (filter && (r == -EINVAL || r == -EOPNOTSUPP)) {
		size = nl_dump_request(request, NULL);
		r = dump_open(h, NL_NAME_TABLE, request, (size_t)size, out, err);
	}
	return r;
}

static int open_netlink(struct host *h, const struct table_options *o, struct table **out,
			struct ct_err *err)
{
	struct dump *dump;
	int r;

	if (o->is_parallel && host_is_live(h)) {
		r = parallel_open(h, o, out, err);
		if (r != -EOPNOTSUPP)
			return r;
	}
	r = open_dump(h, o->filter, &dump, err);
	if (r < 0)
		return r;
	return make_table(dump, h, host_is_live(h) ? TABLE_NETLINK : TABLE_RECORD, o->want, out,
			  err);
}

/* The text of the table; ip_conntrack was its name until Linux 4.9. */
int table_open_proc(struct host *h, struct table **out, struct ct_err *err)
{
	static const char *const paths[] = { "/proc/net/nf_conntrack", "/proc/net/ip_conntrack" };
	int first = 0;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		int fd = host_open_fd(h, paths[i]);

		if (fd >= 0)
			return table_open_lines(fd, paths[i], TABLE_PROC, out, err);
		if (first == 0 || first == -ENOENT)
			first = fd;
	}
	return ct_err_set(err, first, "%s: %s", paths[0], strerror(-first));
}

/* What only netlink tells. */
static const char *missing_in_place(struct host *h, uint32_t want)
{
	struct host_stat st;

	if (want & CT_KNOWN_ID)
		return "the kernel makes up the ids of entries for netlink only";
	if ((want & CT_KNOWN_SECCTX) && (host_stat(h, "/sys/fs/selinux/enforce", &st) == 0 ||
					 host_stat(h, "/sys/fs/smackfs/load2", &st) == 0))
		return "the names of security contexts are told by netlink only";
	return NULL;
}

bool inplace_is_wanted(struct host *h, const struct table_options *o, struct ct_err *why_not)
{
	const char *missing;
	int64_t count;

	if (o->via >= TABLE_VIA_BPF)
		return true;
	if (o->via == TABLE_VIA_NETLINK || !host_is_live(h)) {
		(void)ct_err_set(why_not, 0, "%s", "it was not asked for");
		return false;
	}
	if (host_read_i64(h, "/proc/sys/net/netfilter/nf_conntrack_count", &count) < 0 ||
	    count < TABLE_LARGE) {
		(void)ct_err_set(why_not, 0, "with fewer than %d entries netlink is as fast",
				 TABLE_LARGE);
		return false;
	}
	missing = missing_in_place(h, o->want ? o->want : CT_KNOWN_ALL);
	if (missing)
		(void)ct_err_set(why_not, 0, "%s", missing);
	return !missing;
}

static bool open_in_place(struct host *h, const struct table_options *o, struct table **out)
{
	struct ct_err why_not = { "" };
	bool is_open = inplace_is_wanted(h, o, &why_not) && inplace_open(h, o, out, &why_not) == 0;

	if (o->why_not)
		*o->why_not = is_open ? (struct ct_err){ "" } : why_not;
	return is_open;
}

int table_open(struct host *h, const struct table_options *options, struct table **out,
	       struct ct_err *err)
{
	struct ct_err by_netlink = { "" }, by_text = { "" };
	int r, text;

	if (open_in_place(h, options, out))
		return 0;
	r = open_netlink(h, options, out, &by_netlink);
	if (r == 0)
		return 0;
	text = options->allow_proc ? table_open_proc(h, out, &by_text) : r;
	if (text == 0)
		return 0;
	if (!options->allow_proc)
		return ct_err_set(err, r, "%s", by_netlink.text);
	return ct_err_set(err, r == -EPERM || text == -EACCES ? -EPERM : text,
			  "no connection table to read: %.200s; %.200s", by_netlink.text,
			  by_text.text);
}
