/* SPDX-License-Identifier: BSD-2-Clause
 *
 * base: numbers are strict, texts never overrun, errors gain context on the way up.
 */
#include <conntune/err.h>
#include <conntune/text.h>
#include <errno.h>

#include "lib/base/buf.h"
#include "lib/base/bytes.h"
#include "lib/base/number.h"
#include "tap.h"

static int number(const char *s, uint64_t max, uint64_t *out)
{
	return ct_number_u64(s, strlen(s), max, out);
}

TEST(numbers_are_digits_only)
{
	uint64_t v = 7;

	EQ_INT(number("0", 10, &v), 0);
	EQ_INT(v, 0);
	EQ_INT(number("18446744073709551615", UINT64_MAX, &v), 0);
	OK(v == UINT64_MAX);
	EQ_INT(number("18446744073709551616", UINT64_MAX, &v), -ERANGE);
	EQ_INT(number("11", 10, &v), -ERANGE);
	EQ_INT(number("", 10, &v), -EINVAL);
	EQ_INT(number(" 1", 10, &v), -EINVAL);
	EQ_INT(number("+1", 10, &v), -EINVAL);
	EQ_INT(number("0x1", 10, &v), -EINVAL);
	OK(v == UINT64_MAX);
}

TEST(sizes_and_durations_have_units)
{
	uint64_t v;

	EQ_INT(ct_number_size("1.5G", 4, &v), 0);
	EQ_INT(v, 1610612736);
	EQ_INT(ct_number_size("64k", 3, &v), 0);
	EQ_INT(v, 65536);
	EQ_INT(ct_number_size("1x", 2, &v), -EINVAL);
	EQ_INT(ct_number_size("99999999999T", 12, &v), -ERANGE);
	EQ_INT(ct_number_duration("5d", 2, &v), 0);
	EQ_INT(v, 432000);
	EQ_INT(ct_number_duration("d", 1, &v), -EINVAL);
}

TEST(text_is_cut_not_overrun)
{
	char room[8];
	struct ct_text t;

	ct_text_init(&t, room, sizeof(room));
	ct_text_str(&t, "abc");
	ct_text_u64(&t, 1234);
	OK(!t.is_cut);
	EQ_STR(room, "abc1234");
	ct_text_char(&t, '!');
	OK(t.is_cut);
	EQ_STR(room, "abc1234");
}

TEST(errors_gain_context)
{
	struct ct_err err = { "" };

	EQ_INT(ct_err_set(&err, -EINVAL, "'%s' is not a number", "abc"), -EINVAL);
	EQ_INT(ct_err_wrap(&err, -EINVAL, "etc/x.conf:%d", 3), -EINVAL);
	EQ_STR(err.text, "etc/x.conf:3: 'abc' is not a number");
}

TEST(bytes_cannot_overrun)
{
	const uint8_t raw[5] = { 1, 2, 3, 4, 5 };
	struct ct_bytes b = ct_bytes_of(raw, sizeof(raw));
	uint32_t v32;
	uint16_t v16 = 9;

	EQ_INT(take_be32(&b, &v32), 0);
	EQ_INT(v32, 0x01020304);
	EQ_INT(take_be16(&b, &v16), -EBADMSG);
	EQ_INT(v16, 9);
	EQ_INT(ct_bytes_left(&b), 1);
}

TEST(buf_grows)
{
	struct ct_buf b = { 0 };

	for (int i = 0; i < 1000; i++)
		EQ_INT(ct_buf_printf(&b, "%d,", i), 0);
	EQ_INT(b.len, 3890);
	EQ_INT(strlen(b.p), 3890);
	ct_buf_fini(&b);
	OK(!b.p);
}

TAP_MAIN(&tap_numbers_are_digits_only, &tap_sizes_and_durations_have_units,
	 &tap_text_is_cut_not_overrun, &tap_errors_gain_context, &tap_bytes_cannot_overrun,
	 &tap_buf_grows)
