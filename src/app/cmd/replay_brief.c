/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A packet in one word, as a line about it shows it: protocol, ends, and what tells it from others.
 */
#include <conntune/entry.h>
#include <string.h>

#include "app/cmd/replay.h"

enum { FRAGMENT_MORE4 = 0x2000, FRAGMENT_PLACE4 = 0x1fff, MAX_EXTENSIONS = 12 };

/* Where the layers of a packet stand, as far as it has them. */
struct layers {
	const uint8_t *src, *dst;
	uint32_t offset;   /* of layer 4 */
	uint32_t fragment; /* its place in bytes */
	uint8_t family, proto;
	bool is_fragment, has_more;
};

static unsigned be16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static bool look_ipv4(const uint8_t *d, uint32_t size, struct layers *l)
{
	unsigned place;

	if (size < 20)
		return false;
	place = be16(d + 6);
	*l = (struct layers){ d + 12,
			      d + 16,
			      (d[0] & 15U) * 4,
			      (place & FRAGMENT_PLACE4) * 8,
			      CT_FAMILY_IPV4,
			      d[9],
			      place & (FRAGMENT_PLACE4 | FRAGMENT_MORE4),
			      place & FRAGMENT_MORE4 };
	return true;
}

static bool look_ipv6(const uint8_t *d, uint32_t size, struct layers *l)
{
	if (size < 40)
		return false;
	*l = (struct layers){ d + 8, d + 24, 40, 0, CT_FAMILY_IPV6, d[6], false, false };
	for (int i = 0; i < MAX_EXTENSIONS && l->fragment == 0; i++) {
		const uint8_t *at = d + l->offset;
		bool is_fragment = l->proto == 44, is_auth = l->proto == 51;

		if (size < l->offset + 8 || (!is_fragment && !is_auth && l->proto != 0 &&
					     l->proto != 43 && l->proto != 60 && l->proto != 135))
			break;
		if (is_fragment) {
			l->is_fragment = true;
			l->fragment = be16(at + 2) & 0xfff8;
			l->has_more = at[3] & 1;
		}
		l->proto = at[0];
		l->offset += is_fragment ? 8 : 8 + at[1] * (is_auth ? 4U : 8U);
	}
	return true;
}

static bool has_ports(const struct layers *l, uint32_t size)
{
	bool is_known = l->proto == 6 || l->proto == 17 || l->proto == 33 || l->proto == 132 ||
			l->proto == 136;

	return is_known && l->fragment == 0 && size >= l->offset + 4;
}

static void put_end(const struct layers *l, const uint8_t *addr, const uint8_t *port,
		    struct ct_text *to)
{
	bool is_bracketed = port && l->family == CT_FAMILY_IPV6;
	union ct_addr a = { .bytes = { 0 } };

	memcpy(&a, addr, l->family == CT_FAMILY_IPV6 ? 16 : 4);
	ct_text_str(to, is_bracketed ? "[" : "");
	ct_addr_format(&a, l->family, false, to);
	ct_text_str(to, is_bracketed ? "]" : "");
	if (port)
		ct_text_printf(to, ":%u", be16(port));
}

static void put_proto(uint8_t proto, struct ct_text *to)
{
	static const char *const names[256] = {
		[1] = "icmp",  [2] = "igmp",   [6] = "tcp",	  [17] = "udp", [33] = "dccp",
		[41] = "ipv6", [47] = "gre",   [50] = "esp",	  [51] = "ah",	[58] = "icmpv6",
		[89] = "ospf", [132] = "sctp", [136] = "udplite",
	};

	if (names[proto])
		ct_text_str(to, names[proto]);
	else
		ct_text_u64(to, proto);
}

static void put_tcp_flags(uint8_t flags, struct ct_text *to)
{
	static const char letters[] = "SFRPAUEC";
	static const uint8_t bits[] = { 2, 1, 4, 8, 16, 32, 64, 128 };

	ct_text_char(to, ',');
	for (size_t i = 0; i < sizeof(bits); i++)
		if (flags & bits[i])
			ct_text_char(to, letters[i]);
	if (flags == 0)
		ct_text_char(to, '-');
}

static void put_icmp(const struct layers *l, const uint8_t *l4, uint32_t left, struct ct_text *to)
{
	bool is_echo = l->proto == 1 ? l4[0] == 0 || l4[0] == 8 : l4[0] == 128 || l4[0] == 129;

	ct_text_printf(to, ",type=%u,code=%u", l4[0], l4[1]);
	if (is_echo && left >= 6)
		ct_text_printf(to, ",id=%u", be16(l4 + 4));
}

void replay_brief(const uint8_t *data, uint32_t size, struct ct_text *to)
{
	struct layers l;
	const uint8_t *l4;
	uint32_t left;

	if (size == 0 || !(data[0] >> 4 == 4   ? look_ipv4(data, size, &l)
			   : data[0] >> 4 == 6 ? look_ipv6(data, size, &l)
					       : false)) {
		ct_text_str(to, "short");
		return;
	}
	l4 = data + (l.offset < size ? l.offset : size);
	left = (uint32_t)(data + size - l4);
	put_proto(l.proto, to);
	ct_text_char(to, ':');
	put_end(&l, l.src, has_ports(&l, size) ? l4 : NULL, to);
	ct_text_char(to, '>');
	put_end(&l, l.dst, has_ports(&l, size) ? l4 + 2 : NULL, to);
	if (l.is_fragment)
		ct_text_printf(to, ",frag@%u%s", l.fragment, l.has_more ? "+" : "");
	if (l.proto == 6 && l.fragment == 0 && left >= 14)
		put_tcp_flags(l4[13], to);
	if ((l.proto == 1 || l.proto == 58) && l.fragment == 0 && left >= 2)
		put_icmp(&l, l4, left, to);
}
