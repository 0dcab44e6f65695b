/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Where network namespaces show up, and the set in which each stands once.
 */
#ifndef OPS_HOST_NETNS_SCAN_H
#define OPS_HOST_NETNS_SCAN_H

#include "ops/host/netns.h"

/* Reads "net:[4026531840]", as ns/net links and mountinfo show it. -EINVAL. */
int netns_inode_parse(const char *s, size_t len, uint64_t *out);

/* The inode of the namespace that link @path of the host shows. */
int netns_inode_of(struct host *h, const char *path, uint64_t *out);

/* Adds the namespaces of all processes, with owner and count. */
int netns_scan_processes(struct host *h, struct netns_list *list);

/* Adds those that a bind mount keeps, here or where process 1 looks from. */
int netns_scan_mounts(struct host *h, struct netns_list *list);

/* Adds those that have a name in /run/netns. */
int netns_scan_names(struct host *h, struct netns_list *list);

/* Adds those of recorded/netns/. */
int netns_scan_recorded(struct host *h, struct netns_list *list);

/* The entry of @inode, made when there is none; null when memory or the limit is out. The list is
 * sorted by inode; pointers live until the next call. */
struct netns *netns_list_get(struct netns_list *list, uint64_t inode);

#endif
