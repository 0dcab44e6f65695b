/* SPDX-License-Identifier: BSD-2-Clause
 *
 * IPv4 options: see option.h. Answers to Linux 6.18, ip_rcv_options() of net/ipv4/ip_input.c and
 * __ip_options_compile() of net/ipv4/ip_options.c. They are read behind PREROUTING, so the tracker
 * has judged a packet that ends here.
 */
#include "lib/packet/option.h"

enum option {
	OPTION_END = 0,
	OPTION_NOOP = 1,
	OPTION_RECORD_ROUTE = 7,
	OPTION_TIMESTAMP = 68,
	OPTION_LOOSE_ROUTE = 131,
	OPTION_CIPSO = 134,
	OPTION_STRICT_ROUTE = 137,
	OPTION_ROUTER_ALERT = 148,
};

/* The first place to write at, which the third byte counts from 1, and room for @n bytes there. */
static bool has_room(const uint8_t *option, uint32_t n)
{
	return option[2] + n - 1 <= option[1];
}

static bool is_route_fine(const uint8_t *option)
{
	if (option[1] < 3 || option[2] < 4)
		return false;
	return option[2] > option[1] || has_room(option, 4);
}

static bool is_timestamp_fine(const uint8_t *option)
{
	enum { WITH_ADDRESS = 1, PRESPECIFIED = 3, MOST_MISSED = 15 };
	unsigned kind, missed;

	if (option[1] < 4 || option[2] < 5)
		return false;
	kind = option[3] & 15;
	missed = option[3] >> 4;
	if (option[2] > option[1])
		return kind == PRESPECIFIED || missed < MOST_MISSED;
	return has_room(option, kind == WITH_ADDRESS || kind == PRESPECIFIED ? 8 : 4);
}

/* @seen: those that may come once, as bits. */
static bool is_fine(const uint8_t *option, unsigned *seen)
{
	enum { ROUTE = 1, TIMESTAMP = 2 };
	unsigned bit = 0;
	bool is_good = true;

	switch (option[0]) {
	case OPTION_RECORD_ROUTE:
		bit = ROUTE;
		is_good = is_route_fine(option);
		break;
	case OPTION_TIMESTAMP:
		bit = TIMESTAMP;
		is_good = is_timestamp_fine(option);
		break;
	case OPTION_ROUTER_ALERT:
		is_good = option[1] >= 4;
		break;
	case OPTION_LOOSE_ROUTE:
	case OPTION_STRICT_ROUTE:
	case OPTION_CIPSO: /* no domain of interpretation is configured */
		return false;
	default:
		break;
	}
	is_good = is_good && !(*seen & bit);
	*seen |= bit;
	return is_good;
}

bool ct_options_are_fine(const uint8_t *header, uint32_t size)
{
	unsigned seen = 0;

	for (uint32_t at = 20; at < size;) {
		const uint8_t *option = header + at;

		if (option[0] == OPTION_END)
			return true;
		if (option[0] == OPTION_NOOP) {
			at++;
			continue;
		}
		if (size - at < 2 || option[1] < 2 || option[1] > size - at ||
		    !is_fine(option, &seen))
			return false;
		at += option[1];
	}
	return true;
}
