/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Moments as asctime() writes them, "Sat Nov 21 02:28:42 2026", in UTC and without libc's time
 * zones, which belong to the environment.
 */
#ifndef CT_CALENDAR_H
#define CT_CALENDAR_H

#include <conntune/text.h>

/* Reads the whole of @s, years 1970 to 9999, into seconds since 1970. -EINVAL. */
int ct_calendar_parse(const char *s, size_t len, int64_t *out_s);

/* Appends the moment; what lies outside those years is written as its nearest end. */
void ct_calendar_format(int64_t s, struct ct_text *to);

#endif
