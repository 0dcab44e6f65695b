/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ct/tuple: inversion as the kernel does it, types without an answer refused.
 */
#include <conntune/tuple.h>
#include <errno.h>

#include "tap.h"

TEST(ports_are_swapped)
{
	struct ct_tuple t = { .src_part = 1, .dst_part = 2, .family = 2, .proto = 6 }, back;

	t.src.bytes[0] = 10;
	t.dst.bytes[0] = 20;
	EQ_INT(ct_tuple_invert(&back, &t), 0);
	EQ_INT(back.src.bytes[0], 20);
	EQ_INT(back.src_part, 2);
	EQ_INT(back.dst_part, 1);
	EQ_INT(ct_tuple_invert(&back, &back), 0);
	OK(ct_tuple_equal(&back, &t));
}

TEST(echo_keeps_its_identifier)
{
	struct ct_tuple t = { .src_part = 77, .family = 2, .proto = 1 }, back;

	ct_tuple_set_icmp(&t, 8, 3);
	EQ_INT(ct_tuple_invert(&back, &t), 0);
	EQ_INT(back.src_part, 77);
	EQ_INT(ct_tuple_icmp_type(&back), 0);
	EQ_INT(ct_tuple_icmp_code(&back), 3);
}

TEST(types_without_answer_are_refused)
{
	struct ct_tuple t = { .family = 10, .proto = 58 }, back = { .proto = 99 };

	ct_tuple_set_icmp(&t, 135, 0);
	EQ_INT(ct_tuple_invert(&back, &t), -EINVAL);
	EQ_INT(back.proto, 99);
}

TAP_MAIN(&tap_ports_are_swapped, &tap_echo_keeps_its_identifier,
	 &tap_types_without_answer_are_refused)
