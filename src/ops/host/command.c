/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Commands of a machine: run without a shell, bounded in time and output; or read from a recording.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "ops/host/inner.h"

/* Programs are looked for here and nowhere else, whatever the caller's PATH says: we run as root.
 */
static const char *const folders[] = { "/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
				       "/usr/bin",	  "/sbin",	    "/bin" };

bool host_is_plain_name(const char *name)
{
	return name[0] != '\0' && name[0] != '.' && !strchr(name, '/');
}

int host_recorded_path(const struct host *h, const char *kind, const char *name, char *out,
		       size_t size)
{
	int n;

	if (!host_is_plain_name(name))
		return -EINVAL;
	if (h->netns_inode)
		n = snprintf(out, size, "/recorded/netns/%llu/%s/%s",
			     (unsigned long long)h->netns_inode, kind, name);
	else
		n = snprintf(out, size, "/recorded/%s/%s", kind, name);
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

static int find_program(const char *name, char *out, size_t size)
{
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		int n = name[0] == '/' ? snprintf(out, size, "%s", name)
				       : snprintf(out, size, "%s/%s", folders[i], name);

		if (n > 0 && (size_t)n < size && access(out, X_OK) == 0)
			return 0;
	}
	return -ENOENT;
}

static int64_t clock_ms(void)
{
	struct timespec ts = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Starts the program with stdout into a pipe, everything else nowhere, in a group of its own so
 * that a late one can be ended with all it started. */
static int start(const char *program, const char *const argv[], int stdout_fd, pid_t *out)
{
	char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	char locale[] = "LC_ALL=C";
	char *const envp[] = { path, locale, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
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
	(void)posix_spawnattr_setpgroup(&attr, 0);
	(void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
						      POSIX_SPAWN_SETPGROUP);
	r = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&files, stdout_fd, 1);
	if (r == 0)
		r = posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
	if (r == 0)
		r = posix_spawn(out, program, &files, &attr, (char *const *)argv, envp);
	(void)posix_spawnattr_destroy(&attr);
	(void)posix_spawn_file_actions_destroy(&files);
	return -r;
}

/* Reads until the program closes its stdout. */
static int drain(int fd, int64_t deadline_ms, struct ct_buf *out)
{
	char chunk[16384];

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = deadline_ms - clock_ms();
		ssize_t n;
		int r;

		if (left <= 0)
			return -ETIMEDOUT;
		r = poll(&p, 1, (int)left);
		if (r < 0 && errno != EINTR)
			return -errno;
		if (r <= 0)
			continue;
		n = read(fd, chunk, sizeof(chunk));
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (n == 0)
			return 0;
		if (n < 0)
			continue;
		if (out->len + (size_t)n > HOST_MAX_FILE)
			return -EFBIG;
		if (ct_buf_put(out, chunk, (size_t)n) < 0)
			return -ENOMEM;
	}
}

/* Waits for the end of a program that has closed its stdout. */
static int reap(pid_t pid, int64_t deadline_ms, int *status)
{
	for (;;) {
		pid_t got = waitpid(pid, status, WNOHANG);

		if (got == pid)
			return 0;
		if (got < 0 && errno != EINTR)
			return -errno;
		if (clock_ms() >= deadline_ms)
			return -ETIMEDOUT;
		(void)poll(NULL, 0, 1);
	}
}

static void end(pid_t pid)
{
	(void)kill(-pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		continue;
}

static int run(const struct host *h, const char *program, const char *const argv[],
	       int64_t deadline_ms, struct ct_buf *out, int *status)
{
	struct host_visit visit;
	int fds[2], r;
	pid_t pid = 0;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	r = host_visit_begin(h, &visit);
	if (r == 0) {
		r = start(program, argv, fds[1], &pid);
		host_visit_end(&visit);
	}
	(void)close(fds[1]);
	if (r == 0) {
		r = drain(fds[0], deadline_ms, out);
		if (r == 0)
			r = reap(pid, deadline_ms, status);
		if (r < 0)
			end(pid);
	}
	(void)close(fds[0]);
	return r;
}

int host_command(struct host *h, const char *name, const char *const argv[], unsigned timeout_ms,
		 struct ct_buf *out, int *exit_status)
{
	auto_fini(ct_buf) struct ct_buf printed = { 0 };
	char path[HOST_MAX_PATH];
	int r, status = 0;

	if (!host_is_live(h)) {
		r = host_recorded_path(h, "commands", name, path, sizeof(path));
		return r < 0 ? r : host_read(h, path, out);
	}
	r = find_program(argv[0], path, sizeof(path));
	if (r == 0)
		r = ct_buf_reserve(&printed, 1);
	if (r == 0)
		r = run(h, path, argv, clock_ms() + timeout_ms, &printed, &status);
	if (r < 0)
		return r;
	ct_buf_fini(out);
	*out = printed;
	printed = (struct ct_buf){ 0 };
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (exit_status)
		*exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return -EIO;
}
