/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One cursor over a connection table, whatever stands behind it: the kernel's dump, the same bytes
 * recorded, a listing (/proc/net/nf_conntrack or conntrack -L in any form), later the engine.
 */
#ifndef OPS_TABLE_TABLE_H
#define OPS_TABLE_TABLE_H

#include <conntune/entry.h>

#include "ops/host/host.h"
#include "ops/netlink/ctnetlink.h"

struct table;

enum table_source {
	TABLE_NETLINK,	/* the running kernel by ctnetlink */
	TABLE_RECORD,	/* a recorded dump */
	TABLE_PROC,	/* /proc/net/nf_conntrack of a machine, or its ip_conntrack */
	TABLE_LISTING,	/* a file of lines */
	TABLE_IN_PLACE, /* the running kernel's memory, by a program in the kernel */
};

struct table_info {
	enum table_source source;
	uint64_t n_entries;  /* delivered so far */
	uint64_t n_expired;  /* not delivered, where that is known: out of time, not collected */
	uint64_t n_again;    /* in place: parts read again, as they changed under our eyes */
	uint64_t n_bad;	     /* lines or messages that were no entries */
	char first_bad[256]; /* sentence about the first of them, with its line number */
	bool is_whole;	     /* meaningful at the end: nothing is known to be missing */
	char why_not[256];   /* when it is not whole: interrupted, overrun, cut */
};

/* How the table of the running kernel is read. */
enum table_via {
	TABLE_VIA_AUTO, /* in place when it is large and that can be done, else by netlink */
	TABLE_VIA_NETLINK,
	TABLE_VIA_BPF,	     /* in place, else by netlink */
	TABLE_VIA_BPF_PROBE, /* likewise, in the form that kernels before 6.17 get */
	TABLE_VIA_BPF_OLD,   /* likewise before 5.17 */
};

/* Entries from which on the table is read in place by itself. Loading included, that costs as much
 * as netlink with some 5,000 entries, and half with 20,000 (bench/run, name=threshold). */
#define TABLE_LARGE 20000

struct table_options {
	uint32_t want;			/* fields needed (enum ct_known); 0 means all */
	const struct nl_filter *filter; /* applied in the kernel where it can; may be null */
	bool allow_proc;		/* fall back to /proc text when netlink is not to be had */
	bool is_parallel; /* two dumps side by side: less time on two processors, more work in
			   * all; the order of entries is then by chance */
	enum table_via via;
	struct ct_err *why_not; /* may be null: why it was not read in place, "" when it was */
	struct ct_buf *log;	/* may be null: what the kernel's verifier says of our programs */
};

/* Opens the table of the namespace that @h stands for. The filter is a help, not a promise: a
 * source that cannot filter delivers everything (table_is_filtered() tells).
 * -EPERM, -ENOENT (no table here), -EPROTONOSUPPORT, each with a sentence. */
int table_open(struct host *h, const struct table_options *options, struct table **out,
	       struct ct_err *err);

/* Opens the text of the table in /proc, which shows what netlink does not: the timeouts of GRE.
 * -ENOENT, -EACCES. */
int table_open_proc(struct host *h, struct table **out, struct ct_err *err);

/* Opens a listing: lines from descriptor @fd, which the table takes over. @name for messages. */
int table_open_listing(int fd, const char *name, struct table **out, struct ct_err *err);

/* Opens recorded datagrams (the form of dump_record_to()) likewise. */
int table_open_recording(int fd, const char *name, uint32_t want, struct table **out,
			 struct ct_err *err);

/* Opens either of the two, told apart by the first byte: no line begins with a zero, and every
 * recording does. What cannot be read twice, a pipe, is taken as lines. */
int table_open_file(int fd, const char *name, uint32_t want, struct table **out,
		    struct ct_err *err);

/* Fills @out with the next entry; slices live until the next call. 1 an entry, 0 the end,
 * negative an error with a sentence. */
int table_next(struct table *t, struct ct_entry *out, struct ct_err *err);

/* Whether the kernel confirmed the filter; known from the first entry on. Older kernels filter
 * without saying so. */
bool table_is_filtered(const struct table *t);
void table_info(const struct table *t, struct table_info *out);
void table_free(struct table *t);
DEFINE_AUTO_FREE(table);

#endif
