/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Numbers out of text, strictly: no sign, no blanks, no silent overflow.
 */
#ifndef CT_BASE_NUMBER_H
#define CT_BASE_NUMBER_H

#include <stddef.h>
#include <stdint.h>

/* Reads the whole of @s (@len bytes) as a decimal number of at most @max.
 * -EINVAL when it is not digits only or empty, -ERANGE when it is larger; @out then untouched. */
int ct_number_u64(const char *s, size_t len, uint64_t max, uint64_t *out);

/* As above, also with a leading 0x for hexadecimal. */
int ct_number_any(const char *s, size_t len, uint64_t max, uint64_t *out);

/* Reads a decimal number with an optional minus sign. */
int ct_number_i64(const char *s, size_t len, int64_t *out);

/* Reads a size in bytes: "512", "64k", "2M", "1.5G", "1GiB"; the factors are powers of 1024. */
int ct_number_size(const char *s, size_t len, uint64_t *out_bytes);

/* Reads a duration: "90", "90s", "5m", "2h", "5d"; in seconds. */
int ct_number_duration(const char *s, size_t len, uint64_t *out_s);

#endif
