/* SPDX-License-Identifier: BSD-2-Clause
 *
 * JSON spelling, RFC 8259; see json_text.h.
 */
#include "ops/report/json_text.h"

#include <math.h>
#include <stdint.h>

/* The length of the UTF-8 sequence at @s, or 0 when it is not a valid one (RFC 3629: no overlong
 * forms, no surrogates, nothing above U+10FFFF). */
static size_t utf8_len(const unsigned char *s, size_t left)
{
	static const struct {
		unsigned char first, last; /* of the lead byte */
		unsigned char second_min, second_max;
		size_t len;
	} forms[] = {
		{ 0x00, 0x7f, 0x00, 0x00, 1 }, { 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (s[0] < forms[i].first || s[0] > forms[i].last)
			continue;
		if (forms[i].len > left)
			return 0;
		if (forms[i].len > 1 && (s[1] < forms[i].second_min || s[1] > forms[i].second_max))
			return 0;
		for (size_t k = 2; k < forms[i].len; k++)
			if ((s[k] & 0xc0) != 0x80)
				return 0;
		return forms[i].len;
	}
	return 0;
}

static int put_char(struct ct_buf *b, const unsigned char *s, size_t len)
{
	switch (s[0]) {
	case '"':
		return ct_buf_put(b, "\\\"", 2);
	case '\\':
		return ct_buf_put(b, "\\\\", 2);
	case '\n':
		return ct_buf_put(b, "\\n", 2);
	case '\t':
		return ct_buf_put(b, "\\t", 2);
	default:
		if (s[0] < 0x20 || s[0] == 0x7f)
			return ct_buf_printf(b, "\\u%04x", s[0]);
		return ct_buf_put(b, s, len);
	}
}

int json_put_string(struct ct_buf *b, const char *s, size_t len)
{
	const unsigned char *p = (const unsigned char *)s;
	int r = ct_buf_put(b, "\"", 1);

	for (size_t i = 0; i < len && r == 0;) {
		size_t n = utf8_len(p + i, len - i);

		r = n ? put_char(b, p + i, n) : ct_buf_put(b, "\\ufffd", 6);
		i += n ? n : 1;
	}
	return r < 0 ? r : ct_buf_put(b, "\"", 1);
}

int json_put_f64(struct ct_buf *b, double v, int digits)
{
	if (!isfinite(v))
		return ct_buf_put(b, "null", 4);
	if (digits < 0)
		return ct_buf_printf(b, "%.17g", v);
	return ct_buf_printf(b, "%.*f", digits > 9 ? 9 : digits, v);
}
