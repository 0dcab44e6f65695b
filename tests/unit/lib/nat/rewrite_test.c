/* SPDX-License-Identifier: BSD-2-Clause
 *
 * nat/rewrite: headers get other addresses and ports, and checksums follow.
 */
#include "lib/nat/rewrite.h"

#include <string.h>

#include "lib/packet/checksum.h"
#include "tap.h"

enum { SIZE = 96, SUM_NONE = 0 };

static const struct {
	uint8_t proto;
	uint8_t sum_at;
} protocols[] = { { 6, 16 }, { 17, 6 }, { 132, 8 }, { 1, 2 }, { 58, 2 }, { 47, SUM_NONE } };
#define N_PROTOCOLS (sizeof(protocols) / sizeof(protocols[0]))

static uint8_t chance(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + 1;
	return (uint8_t)(*state >> 56);
}

/* Sets the checksum at @at of layer 4. */
static void set_sum(uint8_t *bytes, const struct ct_packet *p, unsigned at)
{
	uint8_t *l4 = bytes + p->offset;
	uint32_t size = p->size - p->offset, crc;
	uint64_t sum = p->proto == 1 ? 0 : ct_checksum_pseudo(p, p->proto, size);
	uint16_t folded;

	if (p->proto == 132) {
		memset(l4 + at, 0, 4);
		crc = ~ct_crc32c(UINT32_MAX, l4, size);
		memcpy(l4 + at, &crc, 4);
		return;
	}
	memset(l4 + at, 0, 2);
	folded = (uint16_t)~ct_checksum_fold(ct_checksum_add(sum, l4, size));
	memcpy(l4 + at, &folded, 2);
}

/* A packet of random contents and right checksums. */
static void make(uint8_t *bytes, struct ct_packet *p, uint8_t family, unsigned kind,
		 uint64_t *state)
{
	bool is_v6 = family == CT_FAMILY_IPV6;
	uint32_t offset = is_v6 ? 40 : 20;
	uint16_t sum;

	for (unsigned i = 0; i < SIZE; i++)
		bytes[i] = chance(state);
	if (is_v6) {
		bytes[0] = 0x60;
		bytes[4] = 0;
		bytes[5] = SIZE - 40;
		bytes[6] = protocols[kind].proto;
	} else {
		memcpy(bytes, "\x45\0\0\x60\0\1\0\0", 8);
		bytes[9] = protocols[kind].proto;
		memset(bytes + 10, 0, 2);
		sum = ct_checksum_of(bytes, 20);
		memcpy(bytes + 10, &sum, 2);
	}
	if (protocols[kind].proto == 1 || protocols[kind].proto == 58)
		bytes[offset] = protocols[kind].proto == 1 ? 8 : 128;
	if (protocols[kind].proto == 47)
		memcpy(bytes + offset, "\x30\x81\x88\x0b", 4);
	ct_packet_init(p, bytes, SIZE);
	(void)ct_packet_parse(p);
	if (protocols[kind].sum_at)
		set_sum(bytes, p, protocols[kind].sum_at);
}

static struct ct_tuple random_tuple(uint8_t family, uint8_t proto, uint64_t *state)
{
	struct ct_tuple t = { .family = family, .proto = proto };

	for (unsigned i = 0; i < (family == CT_FAMILY_IPV6 ? 16 : 4); i++) {
		t.src.bytes[i] = chance(state);
		t.dst.bytes[i] = chance(state);
	}
	t.src_part = (ct_be16)(chance(state) << 8 | chance(state));
	t.dst_part = (ct_be16)(chance(state) << 8 | chance(state));
	return t;
}

static bool is_ip_right(const struct ct_packet *p)
{
	return p->family == CT_FAMILY_IPV6 || ct_checksum_of(p->data, 20) == 0;
}

TEST(checksums_stay_right_and_the_way_back_leads_home)
{
	static const uint8_t families[] = { CT_FAMILY_IPV4, CT_FAMILY_IPV6 };
	uint64_t state = 1;

	for (unsigned n = 0; n < 20000; n++) {
		unsigned kind = n % N_PROTOCOLS;
		uint8_t family = families[n / N_PROTOCOLS % 2], bytes[SIZE], before[SIZE];
		enum ct_manip manip = chance(&state) & 1 ? CT_MANIP_SRC : CT_MANIP_DST;
		struct ct_tuple was, want;
		struct ct_packet p;

		make(bytes, &p, family, kind, &state);
		/* ICMP's identifier stands in the source part, whichever half changes. */
		if ((protocols[kind].proto == 1) != (family == CT_FAMILY_IPV4) &&
		    (protocols[kind].proto == 1 || protocols[kind].proto == 58))
			continue;
		memcpy(before, bytes, SIZE);
		EQ_INT(ct_packet_tuple(&p, &was), 0);
		want = random_tuple(family, protocols[kind].proto, &state);
		OK(ct_nat_rewrite(bytes, SIZE, 0, &want, manip));
		OK(is_ip_right(&p));
		OK(ct_packet_checksum(&p));
		OK(memcmp(bytes, before, SIZE) != 0);
		OK(ct_nat_rewrite(bytes, SIZE, 0, &was, manip));
		OK(memcmp(bytes, before, SIZE) == 0);
	}
}

TEST(a_wrong_checksum_stays_as_wrong)
{
	uint64_t state = 2;
	uint8_t bytes[SIZE];
	struct ct_packet p;
	struct ct_tuple want;

	make(bytes, &p, CT_FAMILY_IPV4, 0, &state);
	bytes[20 + 16] ^= 0x40;
	want = random_tuple(CT_FAMILY_IPV4, 6, &state);
	OK(ct_nat_rewrite(bytes, SIZE, 0, &want, CT_MANIP_SRC));
	OK(is_ip_right(&p));
	OK(!ct_packet_checksum(&p));
}

TEST(udp_without_checksum_keeps_none_and_zero_is_written_as_all_ones)
{
	uint64_t state = 3;
	uint8_t bytes[SIZE];
	struct ct_packet p;
	struct ct_tuple want = random_tuple(CT_FAMILY_IPV4, 17, &state);
	unsigned n_ones = 0;

	make(bytes, &p, CT_FAMILY_IPV4, 1, &state);
	memset(bytes + 26, 0, 2);
	OK(ct_nat_rewrite(bytes, SIZE, 0, &want, CT_MANIP_DST));
	EQ_INT(bytes[26] | bytes[27], 0);
	/* Among all ports there is one that makes the sum zero. */
	make(bytes, &p, CT_FAMILY_IPV4, 1, &state);
	for (unsigned port = 0; port < 65536; port++) {
		want.dst_part = (ct_be16)port;
		OK(ct_nat_rewrite(bytes, SIZE, 0, &want, CT_MANIP_DST));
		n_ones += bytes[26] == 0xff && bytes[27] == 0xff;
		OK(bytes[26] | bytes[27]);
	}
	OK(n_ones > 0);
	OK(ct_packet_checksum(&p));
}

TEST(what_an_error_quotes_may_be_cut_short)
{
	uint64_t state = 4;

	for (uint32_t size = 0; size <= SIZE; size++) {
		uint8_t bytes[SIZE];
		struct ct_packet p;
		struct ct_tuple want = random_tuple(CT_FAMILY_IPV4, 6, &state);

		make(bytes, &p, CT_FAMILY_IPV4, 0, &state);
		/* Eight bytes of TCP are promised, and enough. */
		EQ_INT(ct_nat_rewrite(bytes, size, 0, &want, CT_MANIP_SRC), size >= 28);
		if (size >= 28)
			OK(memcmp(bytes + 12, &want.src, 4) == 0 &&
			   memcmp(bytes + 20, &want.src_part, 2) == 0);
	}
}

TAP_MAIN(&tap_checksums_stay_right_and_the_way_back_leads_home,
	 &tap_a_wrong_checksum_stays_as_wrong,
	 &tap_udp_without_checksum_keeps_none_and_zero_is_written_as_all_ones,
	 &tap_what_an_error_quotes_may_be_cut_short)
