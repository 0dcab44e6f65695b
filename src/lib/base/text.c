/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The appender of include/conntune/text.h.
 */
#include <conntune/text.h>

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void ct_text_init(struct ct_text *t, char *buf, size_t size)
{
	assert(size > 0);
	*t = (struct ct_text){ .buf = buf, .size = size };
	buf[0] = '\0';
}

void ct_text_put(struct ct_text *t, const char *s, size_t len)
{
	size_t room = t->size - 1 - t->len;

	if (len > room) {
		t->is_cut = true;
		len = room;
	}
	memcpy(t->buf + t->len, s, len);
	t->len += len;
	t->buf[t->len] = '\0';
}

void ct_text_str(struct ct_text *t, const char *s)
{
	ct_text_put(t, s, strlen(s));
}

void ct_text_char(struct ct_text *t, char c)
{
	ct_text_put(t, &c, 1);
}

static void put_digits(struct ct_text *t, uint64_t v, unsigned base)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	ct_text_put(t, digits + at, sizeof(digits) - at);
}

void ct_text_u64(struct ct_text *t, uint64_t v)
{
	put_digits(t, v, 10);
}

void ct_text_hex(struct ct_text *t, uint64_t v)
{
	put_digits(t, v, 16);
}

void ct_text_printf(struct ct_text *t, const char *fmt, ...)
{
	size_t room = t->size - t->len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->len, room, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room) {
		t->is_cut = true;
		t->len = t->size - 1;
	} else {
		t->len += (size_t)n;
	}
}
