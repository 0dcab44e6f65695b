/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Addresses inside text: listings, rule sets, logs; see anon.h.
 *
 * A word of the letters that addresses are made of is tried as IPv4, IPv6 and as hardware address.
 * A length behind it ("/24", "/255.255.255.0", JSON's `"len": 24`) says which bits are the network.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/number.h"
#include "ops/bundle/anon.h"

#define MAX_WORD 64 /* no address is longer, with its hardware header of a log line */

struct scan {
	struct anon *anon;
	const char *begin, *at, *end;
	struct ct_buf *out;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_address_letter(char c)
{
	return is_hex(c) || c == ':' || c == '.';
}

/* A letter that makes a longer word of what stands beside it. */
static bool is_word_letter(char c)
{
	return is_hex(c) || (c >= 'g' && c <= 'z') || (c >= 'G' && c <= 'Z') || c == '_';
}

/* The length of a dotted netmask, or -1. */
static int mask_bits(const uint8_t mask[4])
{
	uint32_t m = (uint32_t)mask[0] << 24 | (uint32_t)mask[1] << 16 | (uint32_t)mask[2] << 8 |
		     mask[3];
	uint32_t hosts = ~m;

	return hosts & (hosts + 1) ? -1 : 32 - (hosts ? 32 - __builtin_clz(hosts) : 0);
}

/* Steps over @word. */
static bool skip_word(const char **p, const char *end, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(end - *p) < len || memcmp(*p, word, len) != 0)
		return false;
	*p += len;
	return true;
}

static void skip_blanks(const char **p, const char *end)
{
	while (*p < end && (**p == ' ' || **p == '\n' || **p == '\t'))
		(*p)++;
}

/* The number at @p, at most @max; else @max. */
static unsigned number_at(const char *p, const char *end, unsigned max)
{
	size_t len = 0;
	uint64_t v;

	while (len < 4 && p + len < end && is_digit(p[len]))
		len++;
	return ct_number_u64(p, len, max, &v) == 0 ? (unsigned)v : max;
}

/* How many bits of the address before @p are the network; @max when nothing says. */
static unsigned network_bits(const char *p, const char *end, unsigned max)
{
	char word[MAX_WORD];
	uint8_t mask[4];
	size_t len = 0;

	if (p < end && *p == '/') {
		p++;
		while (len + 1 < sizeof(word) && p + len < end && is_address_letter(p[len]))
			len++;
		memcpy(word, p, len);
		word[len] = '\0';
		if (max == 32 && inet_pton(AF_INET, word, mask) == 1)
			return mask_bits(mask) < 0 ? max : (unsigned)mask_bits(mask);
		return number_at(p, end, max);
	}
	if (!skip_word(&p, end, "\""))
		return max;
	skip_blanks(&p, end);
	if (!skip_word(&p, end, ","))
		return max;
	skip_blanks(&p, end);
	if (!skip_word(&p, end, "\"len\":"))
		return max;
	skip_blanks(&p, end);
	return number_at(p, end, max);
}

/* With host bits set it is an address that tells its network too: "10.1.2.3/24". */
static unsigned bits_to_turn(const uint8_t *address, unsigned bits, unsigned max)
{
	for (unsigned at = bits; at < max; at++)
		if (address[at / 8] & (0x80u >> (at % 8)))
			return max;
	return bits;
}

static int put_ip4(struct scan *s, uint8_t address[4], const char *behind)
{
	unsigned bits = network_bits(behind, s->end, 32);

	anon_ip4(s->anon, address, bits_to_turn(address, bits, 32));
	return ct_buf_printf(s->out, "%u.%u.%u.%u", address[0], address[1], address[2], address[3]);
}

/* In full when it was: /proc prints all digits, everybody else the short form. */
static int put_ip6(struct scan *s, uint8_t address[16], const char *behind, bool is_full)
{
	unsigned bits = network_bits(behind, s->end, 128);
	char text[INET6_ADDRSTRLEN];

	anon_ip6(s->anon, address, bits_to_turn(address, bits, 128));
	if (!is_full)
		return ct_buf_printf(s->out, "%s",
				     inet_ntop(AF_INET6, address, text, sizeof(text)));
	for (unsigned i = 0; i < 16; i += 2)
		if (ct_buf_printf(s->out, "%s%02x%02x", i ? ":" : "", address[i], address[i + 1]) <
		    0)
			return -ENOMEM;
	return 0;
}

static unsigned nibble(char c)
{
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 32) - 'a') + 10;
}

/* "aa:bb:cc:dd:ee:ff", or the header of a log line: two addresses and the type. The number of
 * bytes, 0 when it is neither. */
static size_t parse_mac(const char *word, size_t len, uint8_t out[14])
{
	size_t n = (len + 1) / 3;

	if (len % 3 != 2 || (n != 6 && n != 14))
		return 0;
	for (size_t i = 0; i < n; i++) {
		const char *p = word + i * 3;

		if (!is_hex(p[0]) || !is_hex(p[1]) || (i + 1 < n && p[2] != ':'))
			return 0;
		out[i] = (uint8_t)(nibble(p[0]) << 4 | nibble(p[1]));
	}
	return n;
}

static int put_mac(struct scan *s, uint8_t *mac, size_t n)
{
	for (size_t i = 0; i + 6 <= n; i += 6)
		anon_mac(s->anon, mac + i);
	for (size_t i = 0; i < n; i++)
		if (ct_buf_printf(s->out, "%s%02x", i ? ":" : "", mac[i]) < 0)
			return -ENOMEM;
	return 0;
}

/* Four numbers with dots at @p, not part of a longer row of them. Its length, or 0. */
static size_t find_ip4(const struct scan *s, const char *p, uint8_t out[4])
{
	const char *begin = p;
	uint64_t v;

	if (p > s->begin && (is_digit(p[-1]) || p[-1] == '.'))
		return 0;
	for (unsigned i = 0; i < 4; i++) {
		size_t len = 0;

		if (i && (p == s->end || *p++ != '.'))
			return 0;
		while (len < 4 && p + len < s->end && is_digit(p[len]))
			len++;
		if (ct_number_u64(p, len, 255, &v) < 0)
			return 0;
		out[i] = (uint8_t)v;
		p += len;
	}
	if (p + 1 < s->end && *p == '.' && is_digit(p[1]))
		return 0;
	return (size_t)(p - begin);
}

/* A word of address letters: replaced when it is an address. 1 when it was. */
static int put_word(struct scan *s, const char *p, size_t len)
{
	uint8_t bytes[16];
	char word[MAX_WORD];
	size_t n;

	/* the dot or colon that ends a sentence or stands before a port */
	while (len > 2 && (p[len - 1] == '.' || (p[len - 1] == ':' && p[len - 2] != ':')))
		len--;
	if (len < 2 || len >= sizeof(word))
		return 0;
	memcpy(word, p, len);
	word[len] = '\0';
	s->at = p + len;
	n = parse_mac(word, len, bytes);
	if (n)
		return put_mac(s, bytes, n) < 0 ? -ENOMEM : 1;
	if (inet_pton(AF_INET6, word, bytes) == 1)
		return put_ip6(s, bytes, p + len, len == 39) < 0 ? -ENOMEM : 1;
	s->at = p;
	return 0;
}

/* Empties what people write into rules: `--comment "..."`, `"comment": "..."`, `comment "..."`. */
static bool skip_comment(struct scan *s, int *result)
{
	static const char *const begins[] = { "--comment ", "\"comment\": ", "comment \"" };
	const char *p = s->at, *text;

	for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++)
		if (skip_word(&p, s->end, begins[i]))
			break;
	if (p == s->at)
		return false;
	if (p[-1] == '"')
		p--;
	text = p;
	if (p < s->end && *p == '"') {
		for (p++; p < s->end && *p != '"' && *p != '\n'; p++)
			if (*p == '\\' && p + 1 < s->end)
				p++;
		if (p < s->end && *p == '"')
			p++;
		*result = ct_buf_put(s->out, s->at, (size_t)(text - s->at));
		if (*result == 0)
			*result = ct_buf_put(s->out, "\"-\"", 3);
	} else {
		while (p < s->end && *p != ' ' && *p != '\n')
			p++;
		*result = ct_buf_put(s->out, s->at, (size_t)(text - s->at));
		if (*result == 0)
			*result = ct_buf_put(s->out, "-", 1);
	}
	s->at = p;
	return true;
}

/* Copies one letter, or what stands for an address or a comment that begins here. */
static int put_next(struct scan *s, bool *is_inside_word)
{
	const char *p = s->at;
	uint8_t ip4[4];
	size_t len = 0;
	int r = 0;

	if (!*is_inside_word && (*p == '-' || *p == '"' || *p == 'c') && skip_comment(s, &r))
		return r;
	if (!*is_inside_word && is_address_letter(*p)) {
		while (len <= MAX_WORD && p + len < s->end && is_address_letter(p[len]))
			len++;
		/* "decade_1" is a longer word, no address */
		r = p + len < s->end && is_word_letter(p[len]) ? 0 : put_word(s, p, len);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	len = is_digit(*p) ? find_ip4(s, p, ip4) : 0;
	*is_inside_word = is_word_letter(*p);
	if (len) {
		s->at += len;
		return put_ip4(s, ip4, s->at);
	}
	s->at++;
	return ct_buf_put(s->out, p, 1);
}

int anon_text(struct anon *a, const char *text, size_t len, struct ct_buf *out)
{
	struct scan s = { .anon = a, .begin = text, .at = text, .end = text + len, .out = out };
	bool is_inside_word = false;
	int r = 0;

	while (s.at < s.end && r == 0)
		r = put_next(&s, &is_inside_word);
	return r;
}

/* 8 or 32 hexadecimal digits: words of four bytes in native order. */
static int put_hex_address(struct anon *a, const char *p, size_t digits, struct ct_buf *out)
{
	size_t n_words = digits == 8 ? 1 : 4;
	uint8_t bytes[16];

	for (size_t i = 0; i < n_words; i++) {
		uint32_t word = 0;

		for (size_t k = 0; k < 8; k++)
			word = word << 4 | nibble(p[i * 8 + k]);
		memcpy(bytes + i * 4, &word, sizeof(word));
	}
	if (digits == 8)
		anon_ip4(a, bytes, 32);
	else
		anon_ip6(a, bytes, 128);
	for (size_t i = 0; i < n_words; i++) {
		uint32_t word;

		memcpy(&word, bytes + i * 4, sizeof(word));
		if (ct_buf_printf(out, "%08X", word) < 0)
			return -ENOMEM;
	}
	return 0;
}

int anon_sockets(struct anon *a, const char *text, size_t len, struct ct_buf *out)
{
	const char *at = text, *end = text + len;

	while (at < end) {
		size_t digits = 0;
		int r;

		while (at + digits < end && is_hex(at[digits]))
			digits++;
		/* an address ends with the colon before its port */
		if ((digits == 8 || digits == 32) && at + digits < end && at[digits] == ':' &&
		    at + digits + 5 < end && at[digits + 5] == ' ') {
			r = put_hex_address(a, at, digits, out);
		} else {
			digits += digits == 0;
			r = ct_buf_put(out, at, digits);
		}
		if (r < 0)
			return r;
		at += digits;
	}
	return 0;
}
