/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A machine behind one root: the only door to files, commands, netlink, clock and processors.
 *
 * `host_open("/")` is this machine; `host_open("case-17/")` a copied one. Every path is opened
 * beneath the root (openat2 with RESOLVE_IN_ROOT), so no link inside a copy leads out to the
 * machine we run on. What a copy cannot hold as a file stands in its folder `recorded/`:
 *
 *     recorded/host                  release=…, machine=…, page_size=…, cpus=…, now=…, pid_ns=…
 *     recorded/commands/NAME         what a command printed (NAME is the name given to
 * host_command) recorded/netlink/NAME          the datagrams of one netlink dump, each with its
 * length in front recorded/netns/INODE/name      the names of another network namespace, one a line
 *     recorded/netns/INODE/proc/...  its view of /proc/net and /proc/sys/net
 *     recorded/netns/INODE/netlink/NAME
 *
 * What is absent is *unknown* (-ENOENT), never zero. A plain copy of /proc and /etc works, with
 * less known.
 */
#ifndef OPS_HOST_HOST_H
#define OPS_HOST_HOST_H

#include <conntune/err.h>
#include <conntune/time.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/clean.h"

#define HOST_MAX_FILE (16u << 20) /* no file read whole may be larger */

struct host;

/* Opens the machine behind @root ("/" is the one we run on). Owned by the caller, host_free().
 * -ENOENT, -ENOTDIR, -EACCES; -ENOSYS when a copied root cannot be confined on this kernel. */
int host_open(const char *root, struct host **out, struct ct_err *err);
void host_free(struct host *h);
DEFINE_AUTO_FREE(host);

/* True for the machine we run on. */
bool host_is_live(const struct host *h);

/* The root as it was given; borrowed. */
const char *host_root(const struct host *h);

/* Reads the whole file @path (absolute, taken beneath the root) into @out, replacing what it
 * held. -ENOENT when the host has no such file, -EACCES, -EFBIG beyond HOST_MAX_FILE; no message:
 * callers say what they wanted it for. */
int host_read(struct host *h, const char *path, struct ct_buf *out);

/* Reads a file that holds one decimal number, blanks around it allowed. Errors of host_read();
 * -EINVAL when it is no number. */
int host_read_i64(struct host *h, const char *path, int64_t *out);

/* Opens @path for reading as a stream. Returns a descriptor (the caller closes it) or an error. */
int host_open_fd(struct host *h, const char *path);

/* Writes all @size bytes to @fd, a descriptor of the caller's: what is recorded or collected, never
 * a file of the host. The errno of write(2), or -EIO when it takes nothing. */
int host_write_all(int fd, const void *p, size_t size);

/* Facts about a file without opening it: permission bits, size. Follows links within the root. */
struct host_stat {
	uint32_t mode; /* st_mode */
	uint64_t size, inode, device;
	int64_t mtime_s;
};
int host_stat(struct host *h, const char *path, struct host_stat *out);

/* The target of a symbolic link, into @out. -EINVAL when it is none. */
int host_readlink(struct host *h, const char *path, struct ct_buf *out);

/* The names in folder @path, sorted bytewise, without "." and "..". Release with
 * host_names_fini(). At most HOST_MAX_NAMES, -E2BIG beyond. */
#define HOST_MAX_NAMES (1u << 20)
struct host_names {
	char **name;
	size_t n;
};
int host_list(struct host *h, const char *path, struct host_names *out);
void host_names_fini(struct host_names *names);

/* Runs a command on a live machine (no shell, stdin from /dev/null, at most @timeout_ms), or reads
 * what recorded/commands/@name says; stdout goes into @out. -ENOENT when the program or the
 * recording is missing, -ETIMEDOUT, -EIO with the status in @exit_status (may be null) else. */
int host_command(struct host *h, const char *name, const char *const argv[], unsigned timeout_ms,
		 struct ct_buf *out, int *exit_status);

/* Facts of the machine. Unknown in a copy that does not say. */
int host_release(struct host *h, char *out, size_t size); /* "6.1.0-18-amd64" */
/* A release as version * 1,000,000 + patchlevel * 1,000 + sublevel: 6.1.20 is 6001020.
 * -EINVAL when it does not begin like a version. */
int host_release_parse(const char *release, uint32_t *out);
int host_release_number(struct host *h, uint32_t *out);	  /* that of the machine */
int host_machine(struct host *h, char *out, size_t size); /* "x86_64" */
int host_word_bits(struct host *h, unsigned *out);	  /* 32 or 64 */
int host_page_size(struct host *h, uint32_t *out_bytes);
int host_n_cpus(struct host *h, unsigned *out);	   /* possible processors */
int host_mem_bytes(struct host *h, uint64_t *out); /* MemTotal */
int host_now(struct host *h, ct_time *out);	   /* Unix time */
/* Since this machine started, time asleep included: no clock that is set makes it jump. -EROFS of a
 * copy, in which nothing runs. */
int host_uptime_ms(struct host *h, int64_t *out);
/* Which boot this is: a word of its own for each. -ENOENT. */
int host_boot_id(struct host *h, char *out, size_t size);
/* Whether module @name is in the kernel, loaded or built in; true also where that cannot be told,
 * and for a kernel without modules, as asking something of it then loads nothing. */
bool host_has_module(struct host *h, const char *name);
bool host_is_root(const struct host *h); /* effective user is 0, or a copy */

#endif
