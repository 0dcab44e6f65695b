/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reading SIP: see sip_text.h. Answers to Linux 6.18, the first half of
 * net/netfilter/nf_conntrack_sip.c, quirks included: what a search passes over decides what it
 * finds.
 */
#include "lib/engine/sip_text.h"

#include <conntune/entry.h>
#include <string.h>

enum { DEFAULT_PORT = 5060, LOWEST_PORT = 1024, HIGHEST_PORT = 65535 };

/* No place in the text. */
#define NOWHERE UINT32_MAX

/* Reads a value at @at. Its size, 0 for none; @shift: what is to be passed over before it. */
typedef uint32_t measure_fn(const struct sip_text *t, uint32_t at, uint32_t *shift);

static char at_or_0(const struct sip_text *t, uint32_t at)
{
	return at < t->size ? t->p[at] : 0;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool is_letter(char c)
{
	return lower(c) >= 'a' && lower(c) <= 'z';
}

static bool is_hex(char c)
{
	return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f');
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_newline(char c)
{
	return c == '\r' || c == '\n';
}

bool ct_sip_says(const struct sip_text *t, uint32_t at, const char *word)
{
	uint32_t i = 0;

	for (; word[i]; i++)
		if (lower(at_or_0(t, at + i)) != lower(word[i]))
			return false;
	return true;
}

bool ct_sip_number(const struct sip_text *t, uint32_t at, uint32_t *value, uint32_t *end)
{
	enum { MOST_DIGITS = 11 };
	uint32_t from = at;
	uint64_t v = 0;

	for (; is_digit(at_or_0(t, at)) && at - from <= MOST_DIGITS; at++)
		v = v * 10 + (uint64_t)(t->p[at] - '0');
	*value = 0;
	if (at == from || at - from > MOST_DIGITS || v > UINT32_MAX)
		return false;
	*value = (uint32_t)v;
	if (end)
		*end = at;
	return true;
}

/* in4_pton(): four numbers; what ends them is anything that could not go on. */
static uint32_t read_ipv4(const struct sip_text *t, uint32_t at, union ct_addr *out)
{
	uint32_t from = at;

	memset(out, 0, sizeof(*out));
	for (unsigned part = 0; part < 4; part++) {
		unsigned v = 0;

		if (!is_digit(at_or_0(t, at)))
			return 0;
		for (; is_digit(at_or_0(t, at)); at++) {
			v = v * 10 + (unsigned)(t->p[at] - '0');
			if (v > 255)
				return 0;
		}
		out->bytes[part] = (uint8_t)v;
		if (part < 3 && at_or_0(t, at++) != '.')
			return 0;
	}
	return at_or_0(t, at) == '.' || is_hex(at_or_0(t, at)) ? 0 : at - from;
}

/* in6_pton(), in brackets where a port may follow. */
static uint32_t read_ipv6(const struct sip_text *t, uint32_t at, bool is_delimited,
			  union ct_addr *out)
{
	uint32_t from = at, start;
	uint8_t family;

	if (at_or_0(t, at) == '[')
		at++;
	else if (is_delimited)
		return 0;
	start = at;
	while (is_hex(at_or_0(t, at)) || at_or_0(t, at) == ':' || at_or_0(t, at) == '.')
		at++;
	if (ct_addr_parse(t->p + start, at - start, out, &family) < 0 || family != CT_FAMILY_IPV6)
		return 0;
	if (at_or_0(t, at) == ']')
		at++;
	else if (is_delimited)
		return 0;
	return at - from;
}

/* sip_parse_addr(): the size of the address at @at, 0 for none. */
static uint32_t read_addr(const struct sip_text *t, uint32_t at, bool is_delimited,
			  union ct_addr *out)
{
	if (at >= t->size)
		return 0;
	return t->family == CT_FAMILY_IPV4 ? read_ipv4(t, at, out)
					   : read_ipv6(t, at, is_delimited, out);
}

/* sip_parse_port(): a port that may stand behind an address. False when what stands there is none,
 * or when the text ends before one could tell. */
static bool read_port(const struct sip_text *t, uint32_t at, uint16_t *port, uint32_t *end)
{
	enum { MOST_DIGITS = 5 };
	uint32_t v = DEFAULT_PORT, from = at + 1;

	if (at >= t->size)
		return false;
	if (t->p[at] == ':') {
		v = 0;
		for (at = from; is_digit(at_or_0(t, at)) && at - from < MOST_DIGITS; at++)
			v = v * 10 + (uint32_t)(t->p[at] - '0');
		if (at >= t->size || is_digit(t->p[at]) || v < LOWEST_PORT || v > HIGHEST_PORT)
			return false;
	}
	*port = (uint16_t)v;
	*end = at;
	return true;
}

static uint32_t measure_digits(const struct sip_text *t, uint32_t at, uint32_t *shift)
{
	uint32_t from = at;

	(void)shift;
	while (is_digit(at_or_0(t, at)))
		at++;
	return at - from;
}

/* skp_epaddr_len(): an address and perhaps a port, behind the user's name if there is one. */
static uint32_t measure_uri(const struct sip_text *t, uint32_t at, uint32_t *shift)
{
	uint32_t name = at, size, end;
	union ct_addr addr;
	uint16_t port;

	while (name < t->size && t->p[name] != '@' && !is_newline(t->p[name]))
		name++;
	if (at_or_0(t, name) == '@') {
		*shift += name + 1 - at;
		at = name + 1;
	}
	size = read_addr(t, at, true, &addr);
	return size && read_port(t, at + size, &port, &end) ? end - at : 0;
}

static uint32_t measure_addr(const struct sip_text *t, uint32_t at, uint32_t *shift)
{
	union ct_addr addr;

	(void)shift;
	return read_addr(t, at, false, &addr);
}

/* media_len(): a word, one blank, a port. */
static uint32_t measure_media(const struct sip_text *t, uint32_t at, uint32_t *shift)
{
	uint32_t from = at;

	while (is_letter(at_or_0(t, at)))
		at++;
	if (at_or_0(t, at) != ' ')
		return 0;
	return at + 1 - from + measure_digits(t, at + 1, shift);
}

/* What may follow a line's end: the next line if it continues this one, else NOWHERE. */
static uint32_t follow_line(const struct sip_text *t, uint32_t at)
{
	bool was_return = t->p[at++] == '\r';

	if (was_return && at_or_0(t, at) == '\n')
		at++;
	if (at >= t->size || !is_blank(t->p[at]))
		return NOWHERE;
	while (at < t->size && is_blank(t->p[at]))
		at++;
	return at;
}

static uint32_t skip_blanks(const struct sip_text *t, uint32_t at)
{
	while (at_or_0(t, at) == ' ')
		at++;
	return at < t->size && is_newline(t->p[at]) ? follow_line(t, at) : at;
}

/* ct_sip_header_search(): @word in one header's value, before @limit. */
static uint32_t search_header(const struct sip_text *t, uint32_t at, uint32_t limit,
			      const char *word)
{
	uint32_t len = (uint32_t)strlen(word);

	for (; at + len < limit; at++) {
		if (is_newline(t->p[at])) {
			at = follow_line(t, at);
			if (at == NOWHERE)
				break;
			continue;
		}
		if (ct_sip_says(t, at, word))
			return at;
	}
	return NOWHERE;
}

/* The beginning of the line behind the end of line at @at; NOWHERE when the text is over. */
static uint32_t next_line(const struct sip_text *t, uint32_t at)
{
	bool was_return = t->p[at++] == '\r';

	if (was_return && at_or_0(t, at) == '\n')
		at++;
	return at < t->size ? at : NOWHERE;
}

static const struct {
	const char *name, *brief, *search; /* brief and search may be null */
	measure_fn *measure;
} headers[] = {
	[SIP_CSEQ] = { "CSeq", NULL, NULL, measure_digits },
	[SIP_CONTACT] = { "Contact", "m", "sip:", measure_uri },
	[SIP_EXPIRES] = { "Expires", NULL, NULL, measure_digits },
	[SIP_CONTENT_LENGTH] = { "Content-Length", "l", NULL, measure_digits },
};

/* The size of the header's name at @at, 0 when another stands there. */
static uint32_t name_size(const struct sip_text *t, uint32_t at, enum sip_header kind)
{
	const char *brief = headers[kind].brief;

	if (ct_sip_says(t, at, headers[kind].name))
		return (uint32_t)strlen(headers[kind].name);
	return brief && at + 1 < t->size && ct_sip_says(t, at, brief) && !is_letter(t->p[at + 1])
		       ? 1
		       : 0;
}

/* Reads the value at @at into @out. 1 or -1. */
static int read_value(const struct sip_text *t, uint32_t at, const char *search,
		      measure_fn *measure,
		      uint32_t (*find)(const struct sip_text *, uint32_t, uint32_t, const char *),
		      struct sip_match *out)
{
	uint32_t shift = 0;

	out->at = at;
	if (search) {
		at = find(t, at, t->size, search);
		if (at == NOWHERE)
			return -1;
		at += (uint32_t)strlen(search);
	}
	out->size = measure(t, at, &shift);
	if (out->size == 0)
		return -1;
	out->at = at + shift;
	return 1;
}

int ct_sip_header(const struct sip_text *t, uint32_t from, enum sip_header kind,
		  struct sip_match *out)
{
	for (uint32_t at = from; at < t->size; at++) {
		uint32_t name;

		if (!is_newline(t->p[at]))
			continue;
		at = next_line(t, at);
		if (at == NOWHERE)
			break;
		name = is_blank(t->p[at]) ? 0 : name_size(t, at, kind);
		if (name == 0)
			continue;
		at = skip_blanks(t, at + name);
		if (at == NOWHERE || at_or_0(t, at) != ':' || at + 1 >= t->size)
			break;
		at = skip_blanks(t, at + 1);
		if (at == NOWHERE)
			break;
		return read_value(t, at, headers[kind].search, headers[kind].measure, search_header,
				  out);
	}
	return 0;
}

/* ct_sip_next_header(): the next value behind a comma. */
static int next_value(const struct sip_text *t, uint32_t from, enum sip_header kind,
		      struct sip_match *out)
{
	uint32_t at = search_header(t, from, t->size, ","), shift = 0;

	if (at != NOWHERE)
		at = search_header(t, at, t->size, headers[kind].search);
	if (at == NOWHERE)
		return 0;
	at += (uint32_t)strlen(headers[kind].search);
	out->at = at;
	out->size = headers[kind].measure(t, at, &shift);
	if (out->size == 0)
		return -1;
	out->at += shift;
	return 1;
}

/* ct_sip_walk_headers(): what cannot be read is passed over, further than its end. */
static int walk(const struct sip_text *t, enum sip_header kind, struct sip_walk *w,
		struct sip_match *out)
{
	uint32_t at = w->at;
	int found;

	while (w->is_in_header) {
		found = next_value(t, at, kind, out);
		if (found > 0)
			return found;
		if (found == 0)
			w->is_in_header = false;
		else
			at += out->at;
	}
	while ((found = ct_sip_header(t, at, kind, out)) < 0)
		at += out->at;
	w->is_in_header = found > 0;
	return found;
}

bool ct_sip_uri(const struct sip_text *t, enum sip_header kind, struct sip_walk *w,
		struct sip_uri *out)
{
	uint32_t size;

	if (walk(t, kind, w, &out->match) <= 0)
		return false;
	/* The walk stops at what measure_uri() could read. */
	size = read_addr(t, out->match.at, true, &out->addr);
	return size && read_port(t, out->match.at + size, &out->port, &w->at);
}

/* What stands behind "NAME=" before the next comma; NOWHERE. */
static uint32_t parameter_at(const struct sip_text *t, uint32_t at, const char *name)
{
	uint32_t comma = search_header(t, at, t->size, ",");
	uint32_t found = search_header(t, at, comma == NOWHERE ? t->size : comma, name);

	return found == NOWHERE ? NOWHERE : found + (uint32_t)strlen(name);
}

bool ct_sip_parameter(const struct sip_text *t, uint32_t at, const char *name, uint32_t *value)
{
	uint32_t from = parameter_at(t, at, name);

	return from == NOWHERE || ct_sip_number(t, from, value, NULL);
}

bool ct_sip_transport(const struct sip_text *t, uint32_t at, uint8_t proto)
{
	enum { TCP = 6, UDP = 17 };
	uint32_t from = parameter_at(t, at, "transport=");

	if (from == NOWHERE)
		return true;
	return ct_sip_says(t, from, proto == TCP ? "TCP" : "UDP");
}

/* ct_sdp_header_search(): a line of SDP never goes on. */
static uint32_t search_line(const struct sip_text *t, uint32_t at, uint32_t limit, const char *word)
{
	uint32_t len = (uint32_t)strlen(word);

	for (; at + len < limit && !is_newline(t->p[at]); at++)
		if (memcmp(t->p + at, word, len) == 0)
			return at;
	return NOWHERE;
}

static const struct {
	const char *name, *search;
	measure_fn *measure;
} lines[] = {
	[SDP_VERSION] = { "v=", NULL, measure_digits },
	[SDP_CONNECTION4] = { "c=", "IN IP4 ", measure_addr },
	[SDP_CONNECTION6] = { "c=", "IN IP6 ", measure_addr },
	[SDP_MEDIA] = { "m=", NULL, measure_media },
};

int ct_sdp_find(const struct sip_text *t, uint32_t from, enum sdp_line kind, enum sdp_line stop,
		struct sip_match *out)
{
	for (uint32_t at = from; at < t->size; at++) {
		if (!is_newline(t->p[at]))
			continue;
		at = next_line(t, at);
		if (at == NOWHERE || (stop != SDP_NONE && ct_sip_says(t, at, lines[stop].name)))
			break;
		if (!ct_sip_says(t, at, lines[kind].name))
			continue;
		return read_value(t, at + 2, lines[kind].search, lines[kind].measure, search_line,
				  out);
	}
	return 0;
}

int ct_sdp_addr(const struct sip_text *t, uint32_t from, union ct_addr *out)
{
	enum sdp_line kind = t->family == CT_FAMILY_IPV4 ? SDP_CONNECTION4 : SDP_CONNECTION6;
	struct sip_match m;
	int found = ct_sdp_find(t, from, kind, SDP_MEDIA, &m);

	if (found > 0 && read_addr(t, m.at, false, out) == 0)
		return -1;
	return found;
}
