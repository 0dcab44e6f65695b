/* SPDX-License-Identifier: BSD-2-Clause
 *
 * An appender over a caller's buffer: formats without allocating and never overruns.
 *
 * The buffer always holds a NUL-terminated string. What does not fit is dropped and `is_cut` is
 * set, so a long chain of appends needs one check at its end.
 */
#ifndef CONNTUNE_TEXT_H
#define CONNTUNE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ct_text {
	char *buf;   /* borrowed from the caller */
	size_t size; /* of buf in bytes, the NUL included; at least 1 */
	size_t len;  /* bytes written, the NUL not counted */
	bool is_cut; /* something did not fit */
};

/* Begins an empty text in @buf of @size bytes (at least 1). Borrows @buf. */
void ct_text_init(struct ct_text *t, char *buf, size_t size);

/* Appends @len bytes from @s. */
void ct_text_put(struct ct_text *t, const char *s, size_t len);

/* Appends the NUL-terminated @s. */
void ct_text_str(struct ct_text *t, const char *s);

/* Appends one character. */
void ct_text_char(struct ct_text *t, char c);

/* Appends @v in decimal. Much faster than printf; used once per field when millions are shown. */
void ct_text_u64(struct ct_text *t, uint64_t v);

/* Appends @v in lower-case hexadecimal without prefix. */
void ct_text_hex(struct ct_text *t, uint64_t v);

/* Appends formatted text. */
void ct_text_printf(struct ct_text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
