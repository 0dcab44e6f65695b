/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One netlink dump as a stream of datagrams, live over libmnl or from a recording.
 *
 * This layer knows only netlink's own framing: end of dump, errors, NLM_F_DUMP_INTR, ENOBUFS.
 * What the messages mean is the business of ops/netlink.
 */
#ifndef OPS_HOST_DUMP_H
#define OPS_HOST_DUMP_H

#include "ops/host/host.h"

struct dump;

struct dump_info {
	uint64_t n_messages, n_bytes, n_datagrams;
	unsigned n_interrupted; /* messages that carried NLM_F_DUMP_INTR: the view is not whole */
	unsigned n_overruns;	/* ENOBUFS: the kernel could not hand over something */
	bool is_filtered;	/* the kernel confirmed a filter (NLM_F_DUMP_FILTERED) */
	bool is_done;		/* the end was seen; without it the dump was cut */
};

/* Starts the dump @request (one whole netlink message, @size bytes). In a copy, @name is the file
 * under recorded/netlink/. -EPERM, -EPROTONOSUPPORT (no netlink), -ENOENT (no recording). */
int dump_open(struct host *h, const char *name, const void *request, size_t size, struct dump **out,
	      struct ct_err *err);

/* Delivers the payload of the next message: @type is nlmsg_type, @payload (borrowed until the next
 * call) what stands behind the netlink header. 1 a message, 0 the end, negative an error: the
 * kernel's own, or -EBADMSG for bytes that are no netlink. */
int dump_next(struct dump *d, uint16_t *type, const void **payload, size_t *size,
	      struct ct_err *err);

void dump_info(const struct dump *d, struct dump_info *out);
void dump_free(struct dump *d);
DEFINE_AUTO_FREE(dump);

/* Also writes each datagram, its length (be32) in front, to @fd from now on: makes a recording. */
void dump_record_to(struct dump *d, int fd);

#endif
