/* SPDX-License-Identifier: BSD-2-Clause
 *
 * JSON's spelling of strings and numbers, for the writer and for streams too long for it.
 */
#ifndef OPS_REPORT_JSON_TEXT_H
#define OPS_REPORT_JSON_TEXT_H

#include <stddef.h>

#include "lib/base/buf.h"

/* Appends @len bytes of @s as a JSON string with its quotes. Bytes that are no UTF-8 become
 * U+FFFD, so that foreign bytes never make the document invalid. -ENOMEM. */
int json_put_string(struct ct_buf *b, const char *s, size_t len);

/* Appends a number with @digits decimals (0 to 9), or with as many as it needs when @digits is
 * negative; null for what JSON has no number for. -ENOMEM. */
int json_put_f64(struct ct_buf *b, double v, int digits);

#endif
