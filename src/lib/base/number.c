/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Strict numbers; see number.h.
 */
#include "lib/base/number.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* The value of one digit, or 99 for what is none. */
static unsigned digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned)(c - 'a' + 10);
	if (c >= 'A' && c <= 'F')
		return (unsigned)(c - 'A' + 10);
	return 99;
}

static int number_base(const char *s, size_t len, unsigned base, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (len == 0)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		unsigned d = digit_value(s[i]);

		if (d >= base)
			return -EINVAL;
		if (v > (UINT64_MAX - d) / base)
			return -ERANGE;
		v = v * base + d;
	}
	if (v > max)
		return -ERANGE;
	*out = v;
	return 0;
}

int ct_number_u64(const char *s, size_t len, uint64_t max, uint64_t *out)
{
	return number_base(s, len, 10, max, out);
}

int ct_number_any(const char *s, size_t len, uint64_t max, uint64_t *out)
{
	if (len > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X'))
		return number_base(s + 2, len - 2, 16, max, out);
	return number_base(s, len, 10, max, out);
}

int ct_number_i64(const char *s, size_t len, int64_t *out)
{
	bool is_negative = len > 0 && s[0] == '-';
	uint64_t v;
	int r = number_base(s + is_negative, len - is_negative, 10, INT64_MAX, &v);

	if (r < 0)
		return r;
	*out = is_negative ? -(int64_t)v : (int64_t)v;
	return 0;
}

/* Splits "1.5G" into number and suffix; the number may have one fraction of up to 6 digits. */
static int number_scaled(const char *s, size_t len, uint64_t factor, uint64_t *out)
{
	const char *dot = memchr(s, '.', len);
	size_t whole_len = dot ? (size_t)(dot - s) : len;
	uint64_t whole, fraction = 0, scale = 1;
	int r = number_base(s, whole_len, 10, UINT64_MAX, &whole);

	if (r < 0)
		return r;
	if (dot) {
		size_t n = len - whole_len - 1;

		if (n > 6)
			return -EINVAL;
		r = number_base(dot + 1, n, 10, UINT64_MAX, &fraction);
		if (r < 0)
			return r;
		while (n--)
			scale *= 10;
	}
	if (whole > UINT64_MAX / factor || whole * factor > UINT64_MAX - factor)
		return -ERANGE;
	*out = whole * factor +
	       (uint64_t)((long double)fraction * (long double)factor / (long double)scale);
	return 0;
}

struct suffix {
	const char *text;
	uint64_t factor;
};

static int number_suffixed(const char *s, size_t len, const struct suffix *list, uint64_t *out)
{
	size_t n = 0;

	while (n < len && (digit_value(s[n]) < 10 || s[n] == '.'))
		n++;
	for (; list->text; list++)
		if (strlen(list->text) == len - n && strncasecmp(list->text, s + n, len - n) == 0)
			return number_scaled(s, n, list->factor, out);
	return -EINVAL;
}

int ct_number_size(const char *s, size_t len, uint64_t *out_bytes)
{
	static const struct suffix suffixes[] = {
		{ "", 1 },
		{ "b", 1 },
		{ "k", UINT64_C(1) << 10 },
		{ "kb", UINT64_C(1) << 10 },
		{ "kib", UINT64_C(1) << 10 },
		{ "m", UINT64_C(1) << 20 },
		{ "mb", UINT64_C(1) << 20 },
		{ "mib", UINT64_C(1) << 20 },
		{ "g", UINT64_C(1) << 30 },
		{ "gb", UINT64_C(1) << 30 },
		{ "gib", UINT64_C(1) << 30 },
		{ "t", UINT64_C(1) << 40 },
		{ "tb", UINT64_C(1) << 40 },
		{ "tib", UINT64_C(1) << 40 },
		{ NULL, 0 },
	};

	return number_suffixed(s, len, suffixes, out_bytes);
}

int ct_number_duration(const char *s, size_t len, uint64_t *out_s)
{
	static const struct suffix suffixes[] = {
		{ "", 1 },     { "s", 1 },     { "m", 60 },	{ "min", 60 },
		{ "h", 3600 }, { "d", 86400 }, { "w", 604800 }, { NULL, 0 },
	};

	return number_suffixed(s, len, suffixes, out_s);
}
