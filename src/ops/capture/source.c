/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A sliding window over a file: see source.h.
 */
#include "ops/capture/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef HAVE_ZLIB
#include <zlib.h>
#endif

enum { WINDOW = 1 << 20, MAX_WINDOW = 64 << 20 };

static ssize_t read_some(struct source *s, uint8_t *to, size_t size)
{
	ssize_t n;

#ifdef HAVE_ZLIB
	if (s->gz)
		return gzread((gzFile)s->gz, to, (unsigned)size);
#endif
	do
		n = read(s->fd, to, size);
	while (n < 0 && errno == EINTR);
	return n;
}

static int grow(struct source *s, size_t need)
{
	size_t size = s->size;
	uint8_t *more;

	if (need > MAX_WINDOW)
		return -EFBIG;
	while (size < need)
		size *= 2;
	more = realloc(s->window, size);
	if (!more)
		return -ENOMEM;
	s->window = more;
	s->size = size;
	return 0;
}

int source_fill(struct source *s, size_t need, struct ct_err *err)
{
	if (source_left(s) >= need)
		return 1;
	if (need > s->size) {
		int r = grow(s, need);

		if (r < 0)
			return ct_err_set(err, r, "%zu bytes in one piece are too many", need);
	}
	memmove(s->window, source_at(s), source_left(s));
	s->to -= s->from;
	s->from = 0;
	while (s->to < need && !s->is_ended) {
		ssize_t n = read_some(s, s->window + s->to, s->size - s->to);

		if (n < 0)
			return ct_err_set(err, -EIO, "cannot be read: %s",
					  s->gz ? "damaged gzip data" : strerror(errno));
		if (n == 0)
			s->is_ended = 1;
		s->to += (size_t)n;
	}
	return s->to >= need;
}

static int is_gzip(const struct source *s)
{
	return source_left(s) >= 2 && source_at(s)[0] == 0x1f && source_at(s)[1] == 0x8b;
}

/* Begins again through zlib, which wants to read from the start. */
static int open_gzip(struct source *s, struct ct_err *err)
{
#ifdef HAVE_ZLIB
	if (lseek(s->fd, 0, SEEK_SET) < 0)
		return ct_err_set(err, -ESPIPE, "gzip from a pipe: unpack it first (zcat FILE |)");
	s->gz = gzdopen(s->fd, "rb");
	if (!s->gz)
		return ct_err_set(err, -ENOMEM, "no memory to unpack it");
	(void)gzbuffer((gzFile)s->gz, 256 << 10);
	s->fd = -1;
	s->from = s->to = 0;
	s->is_ended = 0;
	return source_fill(s, 1, err) < 0 ? -EIO : 0;
#else
	(void)s;
	return ct_err_set(err, -ENOTSUP, "is compressed, and this build has no zlib");
#endif
}

int source_open(struct source *s, const char *path, struct ct_err *err)
{
	int r;

	*s = (struct source){ .fd = -1 };
	s->fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	if (s->fd < 0)
		return ct_err_set(err, -errno, "%s", strerror(errno));
	s->window = malloc(WINDOW);
	if (!s->window)
		return ct_err_set(err, -ENOMEM, "no memory");
	s->size = WINDOW;
	r = source_fill(s, 2, err);
	if (r < 0)
		return r;
	return is_gzip(s) ? open_gzip(s, err) : 0;
}

void source_fini(struct source *s)
{
#ifdef HAVE_ZLIB
	if (s->gz)
		(void)gzclose((gzFile)s->gz);
#endif
	if (s->fd >= 0)
		(void)close(s->fd);
	free(s->window);
	*s = (struct source){ .fd = -1 };
}
