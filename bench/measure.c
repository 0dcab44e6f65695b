/* SPDX-License-Identifier: BSD-2-Clause
 *
 * measure FILE COMMAND...: runs a shell command line and appends to FILE what it and everything it
 * started used: "user_us sys_us wall_us maxrss_kib". The largest process counts for memory.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t us(struct timeval t)
{
	return (int64_t)t.tv_sec * 1000000 + t.tv_usec;
}

static int report(const char *path, int64_t wall_us)
{
	struct rusage u;
	FILE *to = fopen(path, "ae");

	if (!to || getrusage(RUSAGE_CHILDREN, &u) < 0) {
		perror(path);
		return 1;
	}
	(void)fprintf(to, "%" PRId64 " %" PRId64 " %" PRId64 " %ld\n", us(u.ru_utime),
		      us(u.ru_stime), wall_us, u.ru_maxrss);
	return fclose(to) != 0;
}

int main(int argc, char **argv)
{
	int64_t begin = now_us();
	int status;
	pid_t child;

	if (argc != 3) {
		(void)fprintf(stderr, "usage: measure FILE COMMAND\n");
		return 2;
	}
	child = fork();
	if (child == 0) {
		(void)execl("/bin/sh", "sh", "-c", argv[2], (char *)NULL);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0) {
		perror("measure");
		return 1;
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		(void)fprintf(stderr, "measure: failed: %s\n", argv[2]);
		return 1;
	}
	return report(argv[1], now_us() - begin);
}
