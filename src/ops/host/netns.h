/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Network namespaces of a machine: found by processes, bind mounts and /run/netns, each once.
 *
 * A namespace is again a `struct host`: the same machine, with /proc/net, /proc/sys/net and
 * netlink as that namespace sees them. Live, each such read enters the namespace for just that
 * call (setns and back) on the calling thread. In a copy they are what recorded/netns/ holds:
 *
 *     recorded/host                  netns=INODE is the namespace of the copy's own /proc
 *                                    netns_hidden=N processes whose namespace could not be seen
 *     recorded/netns/INODE/about     name=, owner=, pid=, n_pids=, path=, is_initial=, is_readable=
 *     recorded/netns/INODE/name      only its name, for copies made by hand
 *     recorded/netns/INODE/proc/...  what host_in_netns() reads
 */
#ifndef OPS_HOST_NETNS_H
#define OPS_HOST_NETNS_H

#include "ops/host/host.h"

struct netns {
	uint64_t inode; /* the number in "net:[4026531840]" and in the kernel's log line */
	char *name;	/* of /run/netns (the first, when it has several), else null */
	char *owner;	/* command of its first process, else null */
	int64_t pid;	/* of that process, or 0 */
	uint32_t n_pids;
	bool is_initial;  /* known to be the one of the machine itself */
	bool is_own;	  /* the one we run in */
	bool is_readable; /* we may enter it */
	char *path;	  /* the file that reaches it, for messages */
};

struct netns_list {
	struct netns *at;
	size_t n;
	unsigned n_hidden; /* processes whose namespace we may not see: there may be more */
};

/* Lists every namespace, own one first, then by inode. Release with netns_list_fini().
 * A machine without namespaces in /proc gives -ENOENT. */
int netns_list(struct host *h, struct netns_list *out, struct ct_err *err);
void netns_list_fini(struct netns_list *list);

/* Finds one by name of /run/netns, by "pid" number, or by inode ("net:[N]" or "inode:N").
 * The index into @list, or -ENOENT with a sentence. */
int netns_find(struct host *h, const struct netns_list *list, const char *what, struct ct_err *err);

/* The inode of the namespace that @h stands for. -ENOENT when a copy does not tell. */
int host_netns_inode(struct host *h, uint64_t *out);

/* The same machine seen from within @ns. Owned by the caller; @h must outlive it.
 * -EPERM when we may not enter, -ENOENT when it went away. */
int host_in_netns(struct host *h, const struct netns *ns, struct host **out, struct ct_err *err);

#endif
