/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A growing byte buffer for code that may allocate (ops and app; the engine does not use it).
 */
#ifndef CT_BASE_BUF_H
#define CT_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

struct ct_buf {
	char *p;     /* owned; NUL-terminated whenever it is not null */
	size_t len;  /* bytes, the NUL not counted */
	size_t size; /* bytes allocated */
};

/* Releases what the buffer owns and makes it empty. Null and empty buffers are fine. */
void ct_buf_fini(struct ct_buf *b);

/* Makes room for @more bytes behind len (and a NUL). -ENOMEM. */
int ct_buf_reserve(struct ct_buf *b, size_t more);

/* Appends @len bytes. -ENOMEM; the buffer is then unchanged. */
int ct_buf_put(struct ct_buf *b, const void *p, size_t len);

/* Appends formatted text. -ENOMEM. */
int ct_buf_printf(struct ct_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
