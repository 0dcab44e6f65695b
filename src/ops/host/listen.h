/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Netlink multicast of a live machine's namespace: what the kernel tells as it happens. Messages
 * are taken out of the socket many at a time; nothing is allocated for one.
 */
#ifndef OPS_HOST_LISTEN_H
#define OPS_HOST_LISTEN_H

#include "ops/host/host.h"

struct listener;

/* Joins @n groups (NFNLGRP_*) of NETLINK_NETFILTER in the namespace of @h. @room: bytes the socket
 * may hold; less without CAP_NET_ADMIN. -EROFS of a copy, -EPROTONOSUPPORT (the tracker is not
 * there, and asking would load it), -EPERM, each with a sentence. */
int listener_open(struct host *h, const unsigned groups[], unsigned n, int room,
		  struct listener **out, struct ct_err *err);
void listener_free(struct listener *l);
DEFINE_AUTO_FREE(listener);

/* Waits until there is something to take: 1; 0 after @timeout_ms or when a signal came. */
int listener_wait(struct listener *l, int timeout_ms);

/* The next message that is at hand, as dump_next() gives them. 1; 0 when there is none; -ENOBUFS
 * when the kernel had to throw messages away: ask again for what comes after. Another error has a
 * sentence. */
int listener_next(struct listener *l, uint16_t *type, const void **payload, size_t *size,
		  struct ct_err *err);

#endif
