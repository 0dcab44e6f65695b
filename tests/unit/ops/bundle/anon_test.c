/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Addresses are replaced, their structure is not.
 */
#include "ops/bundle/anon.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <stdlib.h>

#include "ops/netlink/ctnetlink.h"
#include "tap.h"

static const uint8_t key[ANON_KEY_BYTES] = "0123456789abcdef";

static struct anon *make(void)
{
	struct anon *a = NULL;

	if (anon_new(key, &a) < 0)
		abort();
	return a;
}

/* A generator of numbers without a seed from outside: tests give the same each time. */
static uint32_t next_number(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*state >> 32);
}

static unsigned shared_bits(const uint8_t *a, const uint8_t *b, unsigned max)
{
	for (unsigned i = 0; i < max; i++)
		if ((a[i / 8] ^ b[i / 8]) & (0x80 >> i % 8))
			return i;
	return max;
}

/* The very meaning of the scheme, for any two addresses; it implies that none meet. */
TEST(prefixes_are_shared_as_before)
{
	auto_free(anon) struct anon *a = make();
	uint64_t state = 1;

	for (int n = 0; n < 20000; n++) {
		uint32_t x = next_number(&state), y = x ^ next_number(&state) >> n % 32;
		uint8_t from[2][4], to[2][4];

		memcpy(from[0], &x, 4);
		memcpy(from[1], &y, 4);
		memcpy(to, from, sizeof(to));
		anon_ip4(a, to[0], 32);
		anon_ip4(a, to[1], 32);
		EQ_INT(shared_bits(to[0], to[1], 32), shared_bits(from[0], from[1], 32));
	}
	for (int n = 0; n < 3000; n++) {
		uint8_t from[2][16], to[2][16];

		for (int i = 0; i < 16; i++)
			from[0][i] = from[1][i] = (uint8_t)next_number(&state);
		from[0][0] = from[1][0] = n & 1 ? 0xfd : 0x20;
		from[1][n % 16] ^= (uint8_t)(1 << n % 8);
		memcpy(to, from, sizeof(to));
		anon_ip6(a, to[0], 128);
		anon_ip6(a, to[1], 128);
		EQ_INT(shared_bits(to[0], to[1], 128), shared_bits(from[0], from[1], 128));
	}
}

static bool is_in4(const uint8_t *p, uint32_t net, unsigned bits)
{
	uint32_t v = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];

	return (v ^ net) >> (32 - bits) == 0;
}

static unsigned kind4(const uint8_t *p)
{
	static const struct {
		uint32_t net;
		unsigned bits;
	} kinds[] = {
		{ 0x0a000000, 8 }, { 0xac100000, 12 }, { 0xc0a80000, 16 },
		{ 0x7f000000, 8 }, { 0xa9fe0000, 16 }, { 0x64400000, 10 },
		{ 0xe0000000, 4 }, { 0xf0000000, 4 },  { 0, 8 },
	};
	unsigned i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (is_in4(p, kinds[i].net, kinds[i].bits))
			break;
	return i;
}

TEST(kinds_stay)
{
	static const char *const inside[] = { "10.1.2.3",      "172.31.255.1", "192.168.7.9",
					      "100.127.1.1",   "169.254.3.4",  "239.1.2.3",
					      "172.32.0.1",    "192.169.1.1",  "8.8.8.8",
					      "193.99.144.80", "11.0.0.1",     "223.255.255.1" };
	auto_free(anon) struct anon *a = make();
	unsigned n_changed = 0;
	uint64_t state = 2;

	for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++) {
		uint8_t from[4], to[4];

		OK(inet_pton(AF_INET, inside[i], from) == 1);
		memcpy(to, from, 4);
		anon_ip4(a, to, 32);
		EQ_INT(kind4(to), kind4(from));
		n_changed += memcmp(to, from, 4) != 0;
	}
	OK(n_changed >= 11);
	for (unsigned n = 0; n < 1000; n++) {
		static const uint8_t begins[] = { 0xfc, 0xfd, 0xff, 0x20, 0x3f };
		uint8_t from[16] = { begins[n % 5], (uint8_t)(n >> 8), (uint8_t)n }, to[16];

		memcpy(to, from, 16);
		anon_ip6(a, to, 128);
		EQ_INT(to[0] >> 5, from[0] >> 5);
		OK(from[0] < 0xfc || to[0] == from[0]);
		OK(from[0] != 0xff || to[1] == from[1]);
	}
	for (int n = 0; n < 50000; n++) {
		uint32_t x = next_number(&state);
		uint8_t from[4], to[4];

		memcpy(from, &x, 4);
		memcpy(to, from, 4);
		anon_ip4(a, to, 32);
		EQ_INT(kind4(to), kind4(from));
	}
}

static void text_is(const char *from, const char *want)
{
	auto_free(anon) struct anon *a = make();
	auto_fini(ct_buf) struct ct_buf b = { 0 };

	EQ_INT(anon_text(a, from, strlen(from), &b), 0);
	EQ_STR(b.p, want);
}

TEST(what_is_no_secret_is_kept)
{
	static const char *const kept[] = {
		"127.0.0.1 127.9.8.7 0.0.0.0/0 255.255.255.0 224.0.0.251 ::1 :: ff02::fb ::/0\n",
		"[12345.678901] nf_conntrack: table full, dropping packet\n",
		"-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\n",
		":DOCKER - [0:0]\n[12:3456] -A POSTROUTING -j MASQUERADE\n",
		"12:34:56 deed::beef_1 a.b.c.d 1.2.3 1.2.3.4.5 256.1.1.1 face:b00k\n",
		"2026-11-21T02:23:45+00:00 cafe 0x1f:2 std::add b:a ab:cd:ef\n",
		"timeout 300 /proc/sys/net/netfilter/nf_conntrack_max=262144\n",
	};

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		text_is(kept[i], kept[i]);
}

/* All that could be read as an address is gone, and what surrounds it is not. */
static void hides(const char *from, const char *secret, const char *before, const char *behind)
{
	auto_free(anon) struct anon *a = make();
	auto_fini(ct_buf) struct ct_buf b = { 0 };

	EQ_INT(anon_text(a, from, strlen(from), &b), 0);
	if (strstr(b.p, secret) || strncmp(b.p, before, strlen(before)) != 0 ||
	    strlen(b.p) < strlen(behind) || strcmp(b.p + strlen(b.p) - strlen(behind), behind) != 0)
		TAP_FAIL("'%s' became '%s'", from, b.p);
}

TEST(addresses_in_text_are_hidden)
{
	hides("src=198.51.100.7 dport=1", "198.51.100.7", "src=", " dport=1");
	hides("198.51.100.7:443", "198.51.100.7", "", ":443");
	hides("[2001:db8::1]:443", "2001:db8::1", "[", "]:443");
	hides("to 2001:db8:1:2:3:4:5:6.", "2001:db8:1", "to ", ".");
	hides("::ffff:198.51.100.7", "198.51.100.7", "::ffff:", "");
	hides("set_198.51.100.7_x", "198.51.100.7", "set_", "_x");
	hides("node-abc198.51.100.7", "198.51.100.7", "node-abc", "");
	hides("MAC=02:42:ac:11:00:02:02:42:ac:11:00:03:08:00 SRC=1.2.3.4", "42:ac:11:00:02",
	      "MAC=", "");
	hides("lladdr 52:54:00:12:34:56 x", "52:54:00:12:34:56", "lladdr ", " x");
	hides("src=fd00:0001:0000:0000:0000:0000:0000:0002 dst", "fd00:0001", "src=", " dst");
	hides("198.51.100.1-198.51.100.9", "198.51.100", "", "");
	hides("198.51.100.1.", "198.51.100.1", "", ".");
	hides("fe80::1%eth0", "fe80::1%", "fe", "%eth0");
	hides("--comment \"web of 7.7.7.7 \\\" alice\" -j X", "alice", "--comment \"-\"", " -j X");
	hides("--comment alice -j X", "alice", "--comment -", " -j X");
	hides("{\"comment\": \"alice\", \"x\": 1}", "alice", "{\"comment\": \"-\"", ", \"x\": 1}");
	hides("accept comment \"alice\"", "alice", "accept comment \"-\"", "");
}

static unsigned v4_at(const char *p)
{
	char text[16] = "";
	struct in_addr a = { 0 };

	(void)snprintf(text, sizeof(text), "%.*s", (int)strspn(p, "0123456789."), p);
	return inet_pton(AF_INET, text, &a) == 1 ? ntohl(a.s_addr) : 0;
}

/* A network stays a network, and what was inside it still is. */
TEST(networks_stay_networks)
{
	static const char text[] = "10.20.0.0/16 10.20.3.4 10.20.3.4/16 10.20.0.0/255.255.0.0 "
				   "{\"addr\": \"10.20.0.0\", \"len\": 16} 10.20.0.0";
	auto_free(anon) struct anon *a = make();
	auto_fini(ct_buf) struct ct_buf b = { 0 };
	const char *p;

	EQ_INT(anon_text(a, text, sizeof(text) - 1, &b), 0);
	EQ_INT(v4_at(b.p) & 0xffff, 0);
	OK(v4_at(b.p) != 0x0a140000);
	p = strstr(b.p, "/16 ") + 4;
	EQ_INT(v4_at(p) & 0xffff0000, v4_at(b.p));
	OK((v4_at(p) & 0xffff) != 0);
	EQ_INT(v4_at(strchr(p, ' ') + 1), v4_at(p));
	p = strstr(b.p, "/255.255.0.0");
	OK(p != NULL);
	p = strstr(b.p, "\"addr\": \"");
	OK(p && v4_at(p + 9) == v4_at(b.p));
	OK(strstr(b.p, "\", \"len\": 16}"));
}

TEST(sockets_in_hexadecimal)
{
	static const char text[] =
		"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 1\n"
		"   1: 076433C6:01BB 0201000A:D431 01 00000000:00000000 00:00000000 00000000 0 2\n"
		"   2: 00000000000000000000000001000000:0050 B80D0120000000000000000001000000:1234 "
		"01\n";
	auto_free(anon) struct anon *a = make();
	auto_fini(ct_buf) struct ct_buf b = { 0 };
	uint8_t peer[4] = { 198, 51, 100, 7 };
	char want[16];

	EQ_INT(anon_sockets(a, text, sizeof(text) - 1, &b), 0);
	EQ_INT(b.len, sizeof(text) - 1);
	OK(strstr(b.p, "0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 0"));
	OK(!strstr(b.p, "076433C6") && !strstr(b.p, "0201000A") && !strstr(b.p, "B80D0120"));
	OK(strstr(b.p, "00000000000000000000000001000000:0050"));
	anon_ip4(a, peer, 32);
	(void)snprintf(want, sizeof(want), "%02X%02X%02X%02X:01BB", peer[3], peer[2], peer[1],
		       peer[0]);
	if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
		OK(strstr(b.p, want));
}

/* Wraps what nl_entry_encode() writes into a netlink message. */
static size_t make_message(const struct ct_entry *e, uint8_t *buf, size_t size)
{
	struct nlmsghdr h = { .nlmsg_type = 1 << 8 };
	int n = nl_entry_encode(e, buf + sizeof(h), size - sizeof(h));

	if (n < 0)
		abort();
	h.nlmsg_len = (uint32_t)(sizeof(h) + (size_t)n);
	memcpy(buf, &h, sizeof(h));
	return h.nlmsg_len;
}

TEST(netlink_entries_keep_all_but_addresses)
{
	auto_free(anon) struct anon *a = make();
	struct ct_entry e = { .known = CT_KNOWN_FAMILY | CT_KNOWN_STATUS | CT_KNOWN_MARK |
				       CT_KNOWN_TIMEOUT | CT_KNOWN_PARTS,
			      .status = 0xe,
			      .mark = 0x0a010203,
			      .timeout_s = 100 },
			out;
	uint8_t buf[1024], src[4] = { 198, 51, 100, 7 }, dst[4] = { 10, 1, 2, 3 };
	size_t size;

	for (int dir = 0; dir < 2; dir++) {
		struct ct_tuple *t = &e.tuple[dir];

		t->family = CT_FAMILY_IPV4;
		t->proto = 6;
		memcpy(dir ? t->dst.bytes : t->src.bytes, src, 4);
		memcpy(dir ? t->src.bytes : t->dst.bytes, dst, 4);
		t->src_part = htons(dir ? 443 : 40000);
		t->dst_part = htons(dir ? 40000 : 443);
	}
	size = make_message(&e, buf, sizeof(buf));
	anon_datagram(a, buf, size);
	EQ_INT(nl_entry_decode(buf + 16, size - 16, 0, &out), 0);
	anon_ip4(a, src, 32);
	anon_ip4(a, dst, 32);
	OK(memcmp(out.tuple[0].src.bytes, src, 4) == 0);
	OK(memcmp(out.tuple[0].dst.bytes, dst, 4) == 0);
	OK(memcmp(out.tuple[1].src.bytes, dst, 4) == 0);
	OK(memcmp(out.tuple[1].dst.bytes, src, 4) == 0);
	OK(memcmp(src, "\306\063\144\007", 4) != 0 && dst[0] == 10);
	EQ_INT(out.tuple[0].src_part, e.tuple[0].src_part);
	EQ_INT(out.tuple[1].dst_part, e.tuple[1].dst_part);
	EQ_INT(out.mark, e.mark);
	EQ_INT(out.status, e.status);
	EQ_INT(out.timeout_s, 100);
}

TEST(what_cannot_be_understood_is_wiped)
{
	auto_free(anon) struct anon *a = make();
	uint8_t buf[64] = { 0 };
	struct nlmsghdr h = { .nlmsg_len = 40, .nlmsg_type = 1 << 8 };

	memcpy(buf, &h, sizeof(h));
	memset(buf + 16, 0xc6, 48); /* an attribute of 0xc6c6 bytes; then no message at all */
	anon_datagram(a, buf, sizeof(buf));
	for (size_t i = 16; i < sizeof(buf); i++)
		EQ_INT(buf[i], 0);
}

TEST(another_key_another_face)
{
	static const uint8_t other[ANON_KEY_BYTES] = "fedcba9876543210";
	auto_free(anon) struct anon *a = make(), *b = NULL;
	uint8_t x[4] = { 198, 51, 100, 7 }, y[4] = { 198, 51, 100, 7 };

	EQ_INT(anon_new(other, &b), 0);
	anon_ip4(a, x, 32);
	anon_ip4(b, y, 32);
	OK(memcmp(x, y, 4) != 0);
}

TAP_MAIN(&tap_prefixes_are_shared_as_before, &tap_kinds_stay, &tap_what_is_no_secret_is_kept,
	 &tap_addresses_in_text_are_hidden, &tap_networks_stay_networks,
	 &tap_sockets_in_hexadecimal, &tap_netlink_entries_keep_all_but_addresses,
	 &tap_what_cannot_be_understood_is_wiped, &tap_another_key_another_face)
