/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The writing half of a host; see write.h.
 */
#include "ops/host/write.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "ops/host/inner.h"

#define MAX_XATTRS 16384 /* bytes of names, or of one value */

int host_write_value(struct host *h, const char *path, const char *text)
{
	size_t len = strlen(text);
	auto_fd int fd = -1;
	ssize_t n;

	if (!host_is_live(h))
		return -EROFS;
	fd = host_open_path(h, path, O_WRONLY);
	if (fd < 0)
		return fd;
	/* A sysctl takes a value whole or not at all; a second write would be another value. */
	do
		n = write(fd, text, len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

/* Where @path really stands, links followed; itself when it is not there yet. */
static int real_path(const char *path, char out[HOST_MAX_PATH])
{
	char *real = realpath(path, NULL);
	int n;

	if (!real && errno != ENOENT)
		return -errno;
	n = snprintf(out, HOST_MAX_PATH, "%s", real ? real : path);
	free(real);
	return n < 0 || n >= HOST_MAX_PATH ? -ENAMETOOLONG : 0;
}

/* The name a file is written under before it is renamed. Hidden, so that no reader of a folder
 * takes it for a file of its own, and fixed, so that what a kill leaves is found again. */
static int beside(const char *path, char out[HOST_MAX_PATH])
{
	const char *slash = strrchr(path, '/');
	int n = snprintf(out, HOST_MAX_PATH, "%.*s/.%s.conntune", (int)(slash - path), path,
			 slash + 1);

	return n < 0 || n >= HOST_MAX_PATH ? -ENAMETOOLONG : 0;
}

/* A rename lasts once its folder is on the disk. */
static int sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char folder[HOST_MAX_PATH];
	auto_fd int fd = -1;

	(void)snprintf(folder, sizeof(folder), "%.*s", slash == path ? 1 : (int)(slash - path),
		       path);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return fsync(fd) < 0 ? -errno : 0;
}

static int keep_xattr(int from, int to, const char *name)
{
	auto_memory char *value = malloc(MAX_XATTRS);
	ssize_t n = value ? fgetxattr(from, name, value, MAX_XATTRS) : -1;

	if (!value)
		return -ENOMEM;
	if (n < 0)
		return errno == ENODATA ? 0 : -errno;
	return fsetxattr(to, name, value, (size_t)n, 0) < 0 ? -errno : 0;
}

/* Owner, mode and attributes of the file that is replaced. */
static int keep_rights(const char *path, int to)
{
	auto_fd int from = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	auto_memory char *names = NULL;
	struct stat st;
	ssize_t n;
	int r = 0;

	if (from < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(from, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (fchown(to, st.st_uid, st.st_gid) < 0 || fchmod(to, st.st_mode & 07777) < 0)
		return -errno;
	names = malloc(MAX_XATTRS);
	n = names ? flistxattr(from, names, MAX_XATTRS) : -1;
	if (!names)
		return -ENOMEM;
	if (n < 0)
		return errno == ENOTSUP ? 0 : -errno;
	for (ssize_t i = 0; r == 0 && i < n; i += (ssize_t)strlen(names + i) + 1)
		r = keep_xattr(from, to, names + i);
	return r;
}

static int write_beside(const char *path, const char *temporary, const void *bytes, size_t size,
			uint32_t mode)
{
	auto_fd int fd =
		open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r;

	if (fd < 0)
		return -errno;
	if (fchmod(fd, mode) < 0)
		return -errno;
	r = keep_rights(path, fd);
	r = r < 0 ? r : host_write_all(fd, bytes, size);
	return r < 0 ? r : fsync(fd) < 0 ? -errno : 0;
}

int host_replace(struct host *h, const char *path, const void *bytes, size_t size, uint32_t mode)
{
	char real[HOST_MAX_PATH], temporary[HOST_MAX_PATH];
	int r;

	if (!host_is_live(h))
		return -EROFS;
	r = real_path(path, real);
	r = r < 0 ? r : beside(real, temporary);
	if (r < 0)
		return r;
	if (unlink(temporary) < 0 && errno != ENOENT)
		return -errno;
	r = write_beside(real, temporary, bytes, size, mode);
	if (r == 0 && rename(temporary, real) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlink(temporary);
		return r;
	}
	return sync_folder(real);
}

int host_clean(struct host *h, const char *path)
{
	char real[HOST_MAX_PATH], temporary[HOST_MAX_PATH];
	int r;

	if (!host_is_live(h))
		return -EROFS;
	r = real_path(path, real);
	r = r < 0 ? r : beside(real, temporary);
	return r < 0 ? r : unlink(temporary) < 0 && errno != ENOENT ? -errno : 0;
}

int host_remove(struct host *h, const char *path)
{
	char temporary[HOST_MAX_PATH];
	int r;

	if (!host_is_live(h))
		return -EROFS;
	r = beside(path, temporary);
	if (r < 0)
		return r;
	if ((unlink(temporary) < 0 && errno != ENOENT) || (unlink(path) < 0 && errno != ENOENT))
		return -errno;
	r = sync_folder(path);
	return r == -ENOENT ? 0 : r;
}

int host_remove_folder(struct host *h, const char *path)
{
	if (!host_is_live(h))
		return -EROFS;
	return rmdir(path) < 0 ? -errno : 0;
}

int host_make_new_folder(struct host *h, const char *path, uint32_t mode)
{
	if (!host_is_live(h))
		return -EROFS;
	if (mkdir(path, mode) < 0)
		return -errno;
	return sync_folder(path);
}

int host_make_folder(struct host *h, const char *path, uint32_t mode)
{
	char part[HOST_MAX_PATH];
	int n = snprintf(part, sizeof(part), "%s", path);

	if (n < 0 || (size_t)n >= sizeof(part))
		return -ENAMETOOLONG;
	for (char *at = strchr(part + 1, '/');; at = strchr(at + 1, '/')) {
		int r;

		if (at)
			*at = '\0';
		r = host_make_new_folder(h, part, mode);
		if (r < 0 && r != -EEXIST)
			return r;
		if (!at)
			return 0;
		*at = '/';
	}
}

int host_lock(struct host *h, const char *path, bool is_patient)
{
	int fd, r;

	if (!host_is_live(h))
		return -EROFS;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	do
		r = flock(fd, LOCK_EX | (is_patient ? 0 : LOCK_NB));
	while (r < 0 && errno == EINTR);
	if (r < 0) {
		r = -errno;
		(void)close(fd);
		return r;
	}
	return fd;
}

/* Nothing of the terminal, no signal that is held back here, a session of its own. */
static int spawn_apart(const char *const argv[])
{
	char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	char *const envp[] = { path, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	pid_t pid;
	int r;

	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	if (posix_spawn_file_actions_init(&files) != 0)
		return -ENOMEM;
	if (posix_spawnattr_init(&attr) != 0) {
		(void)posix_spawn_file_actions_destroy(&files);
		return -ENOMEM;
	}
	(void)posix_spawnattr_setsigmask(&attr, &none);
	(void)posix_spawnattr_setsigdefault(&attr, &all);
	(void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
						      POSIX_SPAWN_SETSID);
	r = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	for (int fd = 1; r == 0 && fd <= 2; fd++)
		r = posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_WRONLY, 0);
	if (r == 0)
		r = posix_spawn_file_actions_addclosefrom_np(&files, 3);
	if (r == 0)
		r = posix_spawn_file_actions_addchdir_np(&files, "/");
	if (r == 0)
		r = posix_spawn(&pid, "/proc/self/exe", &files, &attr, (char *const *)argv, envp);
	(void)posix_spawnattr_destroy(&attr);
	(void)posix_spawn_file_actions_destroy(&files);
	return -r;
}

int host_start_self(struct host *h, const char *const argv[])
{
	return host_is_live(h) ? spawn_apart(argv) : -EROFS;
}
