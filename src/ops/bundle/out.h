/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The folder a bundle is written into: new or empty, and written beneath its root only.
 */
#ifndef OPS_BUNDLE_OUT_H
#define OPS_BUNDLE_OUT_H

#include <conntune/err.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct out {
	int fd;
	bool is_made; /* by us, so that we may remove it again */
	uint64_t n_files, n_bytes;
};

/* Makes the folder @dir, for its owner alone; an empty one that is there is taken. -ENOTEMPTY,
 * -ENOTDIR, and what mkdir(2) says. */
int out_open(struct out *o, const char *dir, struct ct_err *err);
void out_fini(struct out *o);

/* Removes all that was written, and the folder @dir when we made it. */
void out_remove(struct out *o, const char *dir);

/* Makes the folder @path (absolute, below the root) and those above it. */
int out_folder(struct out *o, const char *path);

/* Makes a file with the permission bits of @mode; -EEXIST when it is there. A descriptor. */
int out_file(struct out *o, const char *path, uint32_t mode);

/* Makes a file that holds @size bytes. */
int out_bytes(struct out *o, const char *path, uint32_t mode, const void *p, size_t size);

/* Makes a symbolic link, which may lead nowhere. */
int out_link(struct out *o, const char *path, const char *target);

/* Counts a file that was written through its descriptor. */
void out_count(struct out *o, int fd);

#endif
