/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A copied machine in a temporary folder, for the tests of ops/host.
 */
#ifndef TESTS_UNIT_OPS_HOST_COPY_H
#define TESTS_UNIT_OPS_HOST_COPY_H

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct copy {
	char root[64];
};

static inline void copy_init(struct copy *c)
{
	(void)snprintf(c->root, sizeof(c->root), "/tmp/conntune-copy-XXXXXX");
	if (!mkdtemp(c->root))
		abort();
}

static inline int copy_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static inline void copy_fini(struct copy *c)
{
	(void)nftw(c->root, copy_remove, 16, FTW_DEPTH | FTW_PHYS);
}

/* The path of @path inside the copy, with the folders above it made. Valid until the next call. */
static inline const char *copy_path(const struct copy *c, const char *path)
{
	static char full[512];

	(void)snprintf(full, sizeof(full), "%s%s", c->root, path);
	for (char *p = full + strlen(c->root) + 1; (p = strchr(p, '/')) != NULL; p++) {
		*p = '\0';
		(void)mkdir(full, 0755);
		*p = '/';
	}
	return full;
}

static inline void copy_bytes(const struct copy *c, const char *path, const void *p, size_t size)
{
	int fd = open(copy_path(c, path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, p, size) != (ssize_t)size)
		abort();
	(void)close(fd);
}

static inline void copy_file(const struct copy *c, const char *path, const char *text)
{
	copy_bytes(c, path, text, strlen(text));
}

static inline void copy_link(const struct copy *c, const char *path, const char *target)
{
	if (symlink(target, copy_path(c, path)) < 0)
		abort();
}

#endif
