/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Where a kernel's complaints may be found: its ring, the files of a syslog daemon, the journal.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ops/facts/inner.h"

#define MAX_LOG_BYTES (16u << 20) /* of the end of each file */
#define CHUNK_BYTES   65536u

static struct facts_log_source *new_source(struct facts *f, const char *name)
{
	struct facts_log_source *s;

	if (f->n_logs == FACTS_MAX_LOGS)
		return NULL;
	s = &f->log[f->n_logs++];
	*s = (struct facts_log_source){ .error = 0 };
	(void)snprintf(s->source, sizeof(s->source), "%s", name);
	return s;
}

static void read_command(struct host *h, const char *name, const char *const argv[],
			 unsigned timeout_ms, struct facts *f)
{
	auto_fini(ct_buf) struct ct_buf text = { 0 };
	struct facts_log_source *s = new_source(f, name);

	if (!s)
		return;
	s->error = host_command(h, name, argv, timeout_ms, &text, NULL);
	if (s->error == 0)
		kernel_log_text(&s->log, text.p ? text.p : "", text.len);
	/* without the right to read it some commands print nothing and call it success */
	if (s->error == 0 && s->log.n_lines == 0)
		s->error = -ENODATA;
}

/* Feeds the end of a file line by line; a line longer than a chunk is cut there. */
static void read_lines(int fd, struct kernel_log *log)
{
	static const size_t size = CHUNK_BYTES;
	auto_memory char *chunk = malloc(size);
	size_t len = 0;
	ssize_t n;

	if (!chunk)
		return;
	while ((n = read(fd, chunk + len, size - len)) > 0) {
		const char *last;

		len += (size_t)n;
		last = memrchr(chunk, '\n', len);
		if (!last && len < size)
			continue;
		n = last ? last + 1 - chunk : (ssize_t)len;
		kernel_log_text(log, chunk, (size_t)n);
		len -= (size_t)n;
		memmove(chunk, chunk + n, len);
	}
	kernel_log_text(log, chunk, len);
}

static void read_file(struct host *h, const char *path, struct facts *f)
{
	auto_fd int fd = host_open_fd(h, path);
	struct facts_log_source *s;
	struct stat st;

	if (fd == -ENOENT)
		return;
	s = new_source(f, path);
	if (!s)
		return;
	if (fd < 0) {
		s->error = fd;
		return;
	}
	if (fstat(fd, &st) == 0 && st.st_size > MAX_LOG_BYTES)
		(void)lseek(fd, st.st_size - MAX_LOG_BYTES, SEEK_SET);
	read_lines(fd, &s->log);
}

/* A file that ends before this boot, such as the one a syslog daemon that no longer runs left.
 * The ring is always of this boot, even where a container is told another uptime. */
static bool is_of_earlier_boot(const struct facts *f, const struct facts_log_source *s)
{
	static const double slack_s = 60;

	return s->source[0] == '/' && f->is_uptime_known && s->log.is_uptime_known &&
	       s->log.uptime_s > f->uptime_s + slack_s;
}

void facts_read_logs(struct host *h, bool want_files, struct facts *f)
{
	static const char *const dmesg[] = { "dmesg", NULL };
	static const char *const journal[] = { "journalctl", "-k", "-q",    "--no-pager", "-o",
					       "short-iso",  "-n", "20000", NULL };
	static const char *const files[] = { "/var/log/dmesg", "/var/log/kern.log",
					     "/var/log/messages", "/var/log/syslog" };

	read_command(h, "dmesg", dmesg, 2000, f);
	if (want_files) {
		for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
			read_file(h, files[i], f);
		read_command(h, "journalctl", journal, 3000, f);
	}
	f->best_log = f->n_logs;
	for (unsigned i = 0; i < f->n_logs; i++) {
		if (is_of_earlier_boot(f, &f->log[i]))
			kernel_log_forget(&f->log[i].log);
		if (f->log[i].error == 0 && (f->best_log == f->n_logs ||
					     f->log[i].log.full.n > f->log[f->best_log].log.full.n))
			f->best_log = i;
	}
}
