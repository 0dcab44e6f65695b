/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Bytes of a file through a window that slides: plain or gzip, never more in memory than asked.
 */
#ifndef OPS_CAPTURE_SOURCE_H
#define OPS_CAPTURE_SOURCE_H

#include <conntune/err.h>
#include <stddef.h>
#include <stdint.h>

struct source {
	uint8_t *window; /* owned */
	size_t size;	 /* of the window */
	size_t from, to; /* what is in it and not yet used */
	int fd;		 /* owned; -1 when gz reads it */
	void *gz;	 /* gzFile */
	int is_ended;
};

/* Opens @path, "-" for standard input. -errno with a sentence. */
int source_open(struct source *s, const char *path, struct ct_err *err);
void source_fini(struct source *s);

/* Sees to it that @need bytes stand at window + from, moving what is there: 1, or 0 when the file
 * has fewer left (all of which are then there). -EIO, -ENOMEM, -EFBIG when @need is absurd. */
int source_fill(struct source *s, size_t need, struct ct_err *err);

static inline const uint8_t *source_at(const struct source *s)
{
	return s->window + s->from;
}

static inline size_t source_left(const struct source *s)
{
	return s->to - s->from;
}

#endif
