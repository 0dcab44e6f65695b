/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The growing buffer of buf.h: doubles, so that appending stays linear.
 */
#include "lib/base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ct_buf_fini(struct ct_buf *b)
{
	if (!b)
		return;
	free(b->p);
	*b = (struct ct_buf){ 0 };
}

int ct_buf_reserve(struct ct_buf *b, size_t more)
{
	size_t size = b->size ? b->size : 256;
	char *p;

	if (b->len >= SIZE_MAX / 4 || more >= SIZE_MAX / 4 - b->len)
		return -ENOMEM;
	while (size < b->len + more + 1)
		size *= 2;
	if (size == b->size)
		return 0;
	p = realloc(b->p, size);
	if (!p)
		return -ENOMEM;
	b->p = p;
	b->size = size;
	b->p[b->len] = '\0';
	return 0;
}

int ct_buf_put(struct ct_buf *b, const void *p, size_t len)
{
	if (ct_buf_reserve(b, len) < 0)
		return -ENOMEM;
	if (len)
		memcpy(b->p + b->len, p, len);
	b->len += len;
	b->p[b->len] = '\0';
	return 0;
}

int ct_buf_printf(struct ct_buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || ct_buf_reserve(b, (size_t)n) < 0)
		return -ENOMEM;
	va_start(ap, fmt);
	(void)vsnprintf(b->p + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
	return 0;
}
