/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Writing below one folder; see out.h. Folders are walked one name at a time without following
 * links, because names may come from a copied machine that somebody else prepared.
 */
#include "ops/bundle/out.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/clean.h"
#include "ops/host/host.h"

#define MAX_NAME  255
#define MAX_DEPTH 64

static bool is_empty(int fd)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	unsigned n = 0;

	if (!dir) {
		if (copy >= 0)
			(void)close(copy);
		return false;
	}
	while (n < 3 && readdir(dir))
		n++;
	(void)closedir(dir);
	return n <= 2; /* "." and ".." */
}

int out_open(struct out *o, const char *dir, struct ct_err *err)
{
	int r;

	*o = (struct out){ .fd = -1 };
	o->is_made = mkdir(dir, 0700) == 0;
	if (!o->is_made && errno != EEXIST) {
		r = -errno;
		return ct_err_set(err, r, "%s: %s", dir, strerror(-r));
	}
	o->fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (o->fd < 0) {
		r = -errno;
		return ct_err_set(err, r, "%s: %s", dir, strerror(-r));
	}
	if (!is_empty(o->fd)) {
		(void)close(o->fd);
		o->fd = -1;
		return ct_err_set(err, -ENOTEMPTY,
				  "%s is not empty; a bundle wants a folder of its own", dir);
	}
	return 0;
}

void out_fini(struct out *o)
{
	if (o->fd >= 0)
		(void)close(o->fd);
	o->fd = -1;
}

/* Empties the folder @fd, which it takes. */
static void remove_below(int fd, unsigned depth)
{
	DIR *dir = fdopendir(fd);
	const struct dirent *e;

	if (!dir) {
		(void)close(fd);
		return;
	}
	while ((e = readdir(dir)) != NULL) {
		int inner;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (unlinkat(dirfd(dir), e->d_name, 0) == 0 || depth == 0)
			continue;
		inner = openat(dirfd(dir), e->d_name,
			       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (inner >= 0)
			remove_below(inner, depth - 1);
		(void)unlinkat(dirfd(dir), e->d_name, AT_REMOVEDIR);
	}
	(void)closedir(dir);
}

void out_remove(struct out *o, const char *dir)
{
	if (o->fd < 0)
		return;
	remove_below(o->fd, MAX_DEPTH);
	o->fd = -1;
	if (o->is_made)
		(void)rmdir(dir);
}

/* The next name of a path: its length, 0 at the end. */
static size_t next_name(const char **path, char *name)
{
	size_t len;

	*path += strspn(*path, "/");
	len = strcspn(*path, "/");
	if (len == 0 || len > MAX_NAME)
		return 0;
	memcpy(name, *path, len);
	name[len] = '\0';
	*path += len;
	return len;
}

/* Opens the folder in which @path stands, made where missing, and puts the last name of it into
 * @name. */
static int open_parent(const struct out *o, const char *path, char name[MAX_NAME + 1])
{
	int fd = fcntl(o->fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (next_name(&path, name) == 0) {
		(void)close(fd);
		return -EINVAL;
	}
	for (;;) {
		char following[MAX_NAME + 1];
		int inner, r;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
			(void)close(fd);
			return -EINVAL;
		}
		if (next_name(&path, following) == 0)
			return fd;
		(void)mkdirat(fd, name, 0755);
		inner = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		r = -errno;
		(void)close(fd);
		if (inner < 0)
			return r;
		fd = inner;
		memcpy(name, following, sizeof(following));
	}
}

int out_folder(struct out *o, const char *path)
{
	char name[MAX_NAME + 1];
	auto_fd int parent = open_parent(o, path, name);

	if (parent < 0)
		return parent;
	return mkdirat(parent, name, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

int out_file(struct out *o, const char *path, uint32_t mode)
{
	char name[MAX_NAME + 1];
	auto_fd int parent = open_parent(o, path, name);
	int fd, r;

	if (parent < 0)
		return parent;
	fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (fchmod(fd, mode & 0777) < 0) {
		r = -errno;
		(void)close(fd);
		return r;
	}
	return fd;
}

void out_count(struct out *o, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return;
	o->n_files++;
	o->n_bytes += (uint64_t)st.st_size;
}

int out_bytes(struct out *o, const char *path, uint32_t mode, const void *p, size_t size)
{
	auto_fd int fd = out_file(o, path, mode);
	int r = fd < 0 ? fd : host_write_all(fd, p, size);

	if (r == 0)
		out_count(o, fd);
	return r;
}

int out_link(struct out *o, const char *path, const char *target)
{
	char name[MAX_NAME + 1];
	auto_fd int parent = open_parent(o, path, name);

	if (parent < 0)
		return parent;
	return symlinkat(target, parent, name) < 0 ? -errno : 0;
}
