/* SPDX-License-Identifier: BSD-2-Clause */
#include <arpa/inet.h>
#include <conntune/entry.h>
#include <errno.h>

#include "tap.h"

/* xorshift: the same addresses on every run. */
static uint64_t draw(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static const char *shown(const union ct_addr *a, uint8_t family, bool is_full)
{
	static char buf[64];
	struct ct_text t;

	ct_text_init(&t, buf, sizeof(buf));
	ct_addr_format(a, family, is_full, &t);
	return buf;
}

TEST(ipv4_is_dotted)
{
	union ct_addr a;
	uint8_t family = 0;

	EQ_INT(ct_addr_parse("10.0.200.255", 12, &a, &family), 0);
	EQ_INT(family, CT_FAMILY_IPV4);
	EQ_STR(shown(&a, family, true), "10.0.200.255");
}

TEST(ipv6_in_full_and_compressed)
{
	static const char full[] = "fd00:0001:0000:0000:0000:0000:0000:0002";
	union ct_addr a;
	uint8_t family = 0;

	EQ_INT(ct_addr_parse(full, sizeof(full) - 1, &a, &family), 0);
	EQ_INT(family, CT_FAMILY_IPV6);
	EQ_STR(shown(&a, family, false), "fd00:1::2");
	EQ_STR(shown(&a, family, true), full);
}

/* Groups of few values, so that runs of zeros of every length and place come up. */
TEST(every_shape_is_what_inet_ntop_says)
{
	static const uint16_t values[] = { 0, 0, 0, 1, 0xffff, 0xfd00, 0x20, 0x300 };
	uint64_t seed = 1;

	for (int i = 0; i < 50000; i++) {
		union ct_addr a, back;
		char want[INET6_ADDRSTRLEN], full[40];
		uint8_t family;

		for (size_t g = 0; g < 8; g++) {
			uint16_t v = values[draw(&seed) >> 20 & 7];

			a.bytes[2 * g] = (uint8_t)(v >> 8);
			a.bytes[2 * g + 1] = (uint8_t)v;
		}
		(void)inet_ntop(AF_INET6, &a, want, sizeof(want));
		EQ_STR(shown(&a, CT_FAMILY_IPV6, false), want);
		EQ_INT(ct_addr_parse(want, strlen(want), &back, &family), 0);
		OK(memcmp(&a, &back, sizeof(a)) == 0);
		strcpy(full, shown(&a, CT_FAMILY_IPV6, true));
		EQ_INT(ct_addr_parse(full, strlen(full), &back, &family), 0);
		OK(memcmp(&a, &back, sizeof(a)) == 0);
		if (tap_failures)
			return;
	}
}

/* Any text of address characters: we and inet_pton() agree on what is an address. */
TEST(accepts_what_inet_pton_accepts)
{
	static const char chars[] = "0123456789abcdefF:::::....";
	uint64_t seed = 7;
	int n_good = 0;

	for (int i = 0; i < 2000000; i++) {
		char s[24];
		unsigned char want[16];
		union ct_addr a = { .bytes = { 0 } };
		uint8_t family;
		size_t len = 1 + draw(&seed) % 12;
		int is_ip6, is_good;

		for (size_t k = 0; k < len; k++)
			s[k] = chars[draw(&seed) >> 11 & 15 ? (draw(&seed) >> 9) % 26 : 16];
		s[len] = '\0';
		is_ip6 = strchr(s, ':') != NULL;
		is_good = inet_pton(is_ip6 ? AF_INET6 : AF_INET, s, want) == 1;
		n_good += is_good;
		if ((ct_addr_parse(s, len, &a, &family) == 0) != is_good)
			TAP_FAIL("'%s' is %s address", s, is_good ? "an" : "no");
		else if (is_good)
			OK(memcmp(&a, want, is_ip6 ? 16 : 4) == 0);
		if (tap_failures)
			return;
	}
	OK(n_good > 1000);
}

TEST(refuses_what_is_none)
{
	static const char *const bad[] = {
		"",  "1.2.3",	"1.2.3.4.5", "256.1.1.1",   "1.2.3.4 ",	  "01.2.3.4",
		":", "1::2::3", "12345::",   "::1.2.3.4:5", "fe80::1%lo", "1:2:3:4:5:6:7"
	};
	union ct_addr a;
	uint8_t family;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (ct_addr_parse(bad[i], strlen(bad[i]), &a, &family) != -EINVAL)
			TAP_FAIL("'%s' was taken for an address", bad[i]);
}

TAP_MAIN(&tap_ipv4_is_dotted, &tap_ipv6_in_full_and_compressed,
	 &tap_every_shape_is_what_inet_ntop_says, &tap_accepts_what_inet_pton_accepts,
	 &tap_refuses_what_is_none)
