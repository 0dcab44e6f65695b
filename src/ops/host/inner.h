/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the files of this folder share: the body of a host, and paths as its namespace sees them.
 */
#ifndef OPS_HOST_INNER_H
#define OPS_HOST_INNER_H

#include "ops/host/host.h"

#define HOST_MAX_PATH 4096 /* bytes, the NUL included: PATH_MAX */

struct host {
	char *root;
	int root_fd;		/* of a copy; -1 live */
	int netns_fd;		/* the namespace to visit; -1 for the one we run in */
	uint64_t netns_inode;	/* of a recorded namespace to look into; 0 for the copy's own */
	struct ct_buf recorded; /* recorded/host of a copy */
};

/* A stay in another network namespace, for the length of one call. */
struct host_visit {
	int back_fd; /* our own namespace; -1 when nobody left */
};

/* Enters the namespace of @h on the calling thread, when it stands for another one. -EPERM. */
int host_visit_begin(const struct host *h, struct host_visit *visit);

/* Returns. A thread that cannot go back must not go on: it would read and change the wrong
 * namespace from then on, so the process aborts. */
void host_visit_end(struct host_visit *visit);

/* Opens @path (absolute) as the namespace of @h sees it, with the O_ flags of open(2). In a copy
 * nothing leads out of the root. A descriptor or a negative errno. */
int host_open_path(struct host *h, const char *path, int flags);

/* True when @name can stand as one file name below recorded/. */
bool host_is_plain_name(const char *name);

/* The path of recording @name of kind "commands" or "netlink", for the namespace of @h. */
int host_recorded_path(const struct host *h, const char *kind, const char *name, char *out,
		       size_t size);

/* The value of @key in recorded/host: borrowed bytes. -ENOENT. */
int host_recorded(const struct host *h, const char *key, const char **out, size_t *out_len);

/* Reads a descriptor to its end into @out, replacing what it held. -EFBIG beyond HOST_MAX_FILE. */
int host_read_fd(int fd, struct ct_buf *out);

#endif
