/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/packet/option: which options of an IPv4 header let a packet go on.
 */
#include "lib/packet/option.h"

#include <string.h>

#include "tap.h"

static bool is_fine(const char *options, uint32_t size)
{
	uint8_t header[60] = { 0x45 };

	memcpy(header + 20, options, size);
	return ct_options_are_fine(header, 20 + size);
}

#define FINE(text)   OK(is_fine("" text, sizeof("" text) - 1))
#define BROKEN(text) OK(!is_fine("" text, sizeof("" text) - 1))

TEST(options_that_go_on)
{
	FINE("");
	FINE("\1\1\1\1");
	FINE("\0\xff\xff\xff");
	FINE("\x94\4\0\0");
	FINE("\7\x07\4\0\0\0\0\0");
	FINE("\7\x07\x08\1\2\3\4\0");
	FINE("\x44\x08\5\0\0\0\0\0");
	FINE("\x44\x0c\5\1\0\0\0\0\0\0\0\0");
	FINE("\x19\4zz");
}

TEST(options_that_end_a_packet)
{
	BROKEN("\x94\3\0\0");
	BROKEN("\x94\x08\0\0");
	BROKEN("\1\1\1\x94");
	BROKEN("\7\2\4\0");
	BROKEN("\7\x07\3\0\0\0\0\0");
	BROKEN("\7\x07\5\0\0\0\0\0");
	BROKEN("\7\3\4\7\3\4\0\0");
	BROKEN("\x44\x08\5\1\0\0\0\0");
	BROKEN("\x44\x04\5\xf0");
	/* A route of the sender's choice, and a label nobody has configured. */
	BROKEN("\x83\x07\4\1\2\3\4\0");
	BROKEN("\x89\x07\4\1\2\3\4\0");
	BROKEN("\x86\x06\0\0\0\1\0\0");
}

TAP_MAIN(&tap_options_that_go_on, &tap_options_that_end_a_packet)
