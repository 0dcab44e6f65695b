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

/* True when asking the kernel about connection tracking loads nothing: the tracker is there, or the
 * kernel has no modules to load. Looking at a machine must not switch tracking on. */
bool dump_is_harmless(struct host *h);

/* Sends @request (one whole netlink message of NETLINK_NETFILTER, @size bytes) and waits for the
 * first answer. A request without NLM_F_DUMP is asked for an acknowledgement, which is then the
 * end of its answer. In a copy, @name is the file under recorded/netlink/. -EPERM,
 * -EPROTONOSUPPORT (no netlink, or the tracker is a module that asking would load), -ENOENT (no
 * recording), or what the kernel says to the request. */
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

/* Opens a recording: datagrams, the length (be32) in front of each, from descriptor @fd, which the
 * dump takes over. @name for messages. */
int dump_open_recording(int fd, const char *name, struct dump **out, struct ct_err *err);

/* Also writes each datagram that was not begun yet, its length in front, to @fd (borrowed): makes
 * a recording. A failed write, later too, is an error of the dump. */
int dump_record_to(struct dump *d, int fd);

/* Changes each datagram not yet begun before it is recorded and read; may not change its framing.
 * Set it before dump_record_to(). */
typedef void (*dump_rewrite)(void *user, uint8_t *datagram, size_t size);
void dump_rewrite_by(struct dump *d, dump_rewrite rewrite, void *user);

#endif
