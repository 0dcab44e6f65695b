/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Addresses to text and back, byte for byte what inet_ntop() writes (conntrack uses it) and what
 * the kernel's %pI6 writes, without the printf behind them: a listing has four on each line.
 */
#include <conntune/entry.h>

#include <errno.h>
#include <string.h>

static void format4(const uint8_t *b, struct ct_text *to)
{
	char s[16];
	size_t n = 0;

	for (int i = 0; i < 4; i++) {
		unsigned v = b[i];

		if (v >= 100)
			s[n++] = (char)('0' + v / 100);
		if (v >= 10)
			s[n++] = (char)('0' + v / 10 % 10);
		s[n++] = (char)('0' + v % 10);
		s[n++] = '.';
	}
	ct_text_put(to, s, n - 1);
}

static const char hex_digits[] = "0123456789abcdef";

static void format6_full(const uint8_t *b, struct ct_text *to)
{
	char s[40];
	size_t n = 0;

	for (int i = 0; i < 16; i++) {
		s[n++] = hex_digits[b[i] >> 4];
		s[n++] = hex_digits[b[i] & 15];
		if (i & 1)
			s[n++] = ':';
	}
	ct_text_put(to, s, n - 1);
}

struct run {
	int at, len;
};

/* The first of the longest runs of at least two zero groups. */
static struct run longest_zeros(const uint16_t *group)
{
	struct run best = { -1, 1 }, now = { 0, 0 };

	for (int i = 0; i < 8; i++) {
		if (group[i] != 0) {
			now = (struct run){ i + 1, 0 };
			continue;
		}
		now.len++;
		if (now.len > best.len)
			best = now;
	}
	return best;
}

static size_t put_group(char *s, uint16_t v)
{
	size_t n = 0;

	for (int shift = 12; shift >= 0; shift -= 4)
		if (v >> shift || shift == 0)
			s[n++] = hex_digits[v >> shift & 15];
	return n;
}

static void format6(const uint8_t *b, struct ct_text *to)
{
	uint16_t group[8];
	struct run zeros;
	char s[48];
	size_t n = 0;

	for (size_t i = 0; i < 8; i++)
		group[i] = (uint16_t)(b[2 * i] << 8 | b[2 * i + 1]);
	zeros = longest_zeros(group);
	for (int i = 0; i < 8; i++) {
		if (i == zeros.at) {
			s[n++] = ':';
			i += zeros.len - 1;
			if (i == 7)
				s[n++] = ':';
			continue;
		}
		if (i > 0)
			s[n++] = ':';
		/* inet_ntop() shows mapped and compatible addresses with a dotted end. */
		if (i == 6 && zeros.at == 0 &&
		    (zeros.len == 6 || (zeros.len == 5 && group[5] == 0xffff))) {
			ct_text_put(to, s, n);
			format4(b + 12, to);
			return;
		}
		n += put_group(s + n, group[i]);
	}
	ct_text_put(to, s, n);
}

void ct_addr_format(const union ct_addr *a, uint8_t family, bool is_full, struct ct_text *to)
{
	if (family != CT_FAMILY_IPV6)
		format4(a->bytes, to);
	else if (is_full)
		format6_full(a->bytes, to);
	else
		format6(a->bytes, to);
}

static int parse4(const char *s, const char *end, uint8_t *out)
{
	for (int i = 0; i < 4; i++) {
		unsigned v = 0;
		const char *from = s;

		while (s < end && *s >= '0' && *s <= '9' && s - from < 3)
			v = v * 10 + (unsigned)(*s++ - '0');
		if (s == from || v > 255 || (s - from > 1 && *from == '0'))
			return -EINVAL;
		out[i] = (uint8_t)v;
		if (i < 3 && (s >= end || *s++ != '.'))
			return -EINVAL;
	}
	return s == end ? 0 : -EINVAL;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Groups go to @out one after the other; @gap remembers where "::" stood. */
static int parse6(const char *s, const char *end, uint8_t *out)
{
	uint8_t b[16] = { 0 };
	int n = 0, gap = -1;

	if (end - s >= 2 && s[0] == ':' && s[1] == ':') {
		gap = 0;
		s += 2;
	}
	while (s < end) {
		const char *from = s;
		unsigned v = 0;
		int digit;

		while (s < end && s - from < 5 && (digit = hex_value(*s)) >= 0) {
			v = v << 4 | (unsigned)digit;
			s++;
		}
		if (s < end && *s == '.') {
			if (n > 12 || parse4(from, end, b + n) < 0)
				return -EINVAL;
			n += 4;
			break;
		}
		if (s == from || s - from > 4 || n > 14)
			return -EINVAL;
		b[n++] = (uint8_t)(v >> 8);
		b[n++] = (uint8_t)v;
		if (s == end)
			break;
		if (*s++ != ':' || s == end)
			return -EINVAL;
		if (*s == ':') {
			if (gap >= 0)
				return -EINVAL;
			gap = n;
			s++;
		}
	}
	if (gap < 0 ? n != 16 : n > 14)
		return -EINVAL;
	memset(out, 0, 16);
	if (gap < 0)
		gap = n;
	memcpy(out, b, (size_t)gap);
	memcpy(out + 16 - (n - gap), b + gap, (size_t)(n - gap));
	return 0;
}

int ct_addr_parse(const char *s, size_t len, union ct_addr *out, uint8_t *family)
{
	union ct_addr a = { .bytes = { 0 } };
	bool is_ip6 = memchr(s, ':', len) != NULL;

	if (is_ip6 ? parse6(s, s + len, a.bytes) : parse4(s, s + len, a.bytes))
		return -EINVAL;
	*out = a;
	*family = is_ip6 ? CT_FAMILY_IPV6 : CT_FAMILY_IPV4;
	return 0;
}
