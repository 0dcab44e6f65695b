/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Days to dates and back, by the usual trick of letting the year begin in March so that the leap
 * day is its last.
 */
#include "lib/ct/calendar.h"

#include <errno.h>
#include <string.h>

#include "lib/base/number.h"

#define DAY_S	     INT64_C(86400)
#define LAST_S	     (INT64_C(2932897) * DAY_S - 1) /* the end of 9999 */
#define DAYS_TO_1970 719468			    /* from the first of March of year 0 */

static const char weekdays[] = "ThuFriSatSunMonTueWed"; /* 1970 began with a Thursday */
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

struct date {
	unsigned year, month, day; /* month from 1 */
};

static int64_t days_of(struct date d)
{
	unsigned year = d.month <= 2 ? d.year - 1 : d.year;
	unsigned month = (d.month + 9) % 12; /* March is 0 */

	return (int64_t)year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 +
	       d.day - 1 - DAYS_TO_1970;
}

static struct date date_of(int64_t days)
{
	unsigned z = (unsigned)(days + DAYS_TO_1970);
	unsigned era = z / 146097, in_era = z % 146097;
	unsigned year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	unsigned in_year = in_era - (365 * year + year / 4 - year / 100);
	unsigned month = (5 * in_year + 2) / 153;
	struct date d = { .day = in_year - (153 * month + 2) / 5 + 1,
			  .month = month < 10 ? month + 3 : month - 9 };

	d.year = year + era * 400 + (d.month <= 2);
	return d;
}

/* The index of a three-letter name in @names, or -1. */
static int name_index(const char *names, const char *s)
{
	for (int i = 0; names[i]; i += 3)
		if (memcmp(names + i, s, 3) == 0)
			return i / 3;
	return -1;
}

static int two_digits(const char *s, unsigned max, unsigned *out)
{
	uint64_t v;
	int skip = s[0] == ' ';

	if (ct_number_u64(s + skip, (size_t)(2 - skip), max, &v) < 0)
		return -EINVAL;
	*out = (unsigned)v;
	return 0;
}

/* Positions: 0 weekday, 4 month, 8 day, 11 hour, 14 minute, 17 second, 20 year. */
int ct_calendar_parse(const char *s, size_t len, int64_t *out_s)
{
	unsigned day, hour, minute, second;
	uint64_t year;
	int64_t days;
	int month;

	if (len != 24 || s[3] != ' ' || s[7] != ' ' || s[10] != ' ' || s[13] != ':' ||
	    s[16] != ':' || s[19] != ' ')
		return -EINVAL;
	month = name_index(months, s + 4);
	if (month < 0 || name_index(weekdays, s) < 0 || two_digits(s + 8, 31, &day) < 0 ||
	    day == 0 || two_digits(s + 11, 23, &hour) < 0 || two_digits(s + 14, 59, &minute) < 0 ||
	    two_digits(s + 17, 59, &second) < 0 || ct_number_u64(s + 20, 4, 9999, &year) < 0 ||
	    year < 1970)
		return -EINVAL;
	days = days_of((struct date){ (unsigned)year, (unsigned)month + 1, day });
	if (date_of(days).day != day || name_index(weekdays, s) != days % 7)
		return -EINVAL;
	*out_s = days * DAY_S + hour * INT64_C(3600) + minute * INT64_C(60) + second;
	return 0;
}

static void put_two(struct ct_text *to, unsigned v, char pad)
{
	char s[2] = { v < 10 ? pad : (char)('0' + v / 10), (char)('0' + v % 10) };

	ct_text_put(to, s, 2);
}

void ct_calendar_format(int64_t s, struct ct_text *to)
{
	int64_t at = s < 0 ? 0 : s > LAST_S ? LAST_S : s;
	unsigned in_day = (unsigned)(at % DAY_S);
	struct date d = date_of(at / DAY_S);

	ct_text_put(to, weekdays + at / DAY_S % 7 * 3, 3);
	ct_text_char(to, ' ');
	ct_text_put(to, months + (size_t)(d.month - 1) * 3, 3);
	ct_text_char(to, ' ');
	put_two(to, d.day, ' ');
	ct_text_char(to, ' ');
	put_two(to, in_day / 3600, '0');
	ct_text_char(to, ':');
	put_two(to, in_day / 60 % 60, '0');
	ct_text_char(to, ':');
	put_two(to, in_day % 60, '0');
	ct_text_char(to, ' ');
	ct_text_u64(to, d.year);
}
