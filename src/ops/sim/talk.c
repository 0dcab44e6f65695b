/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Conversations out of words: see talk.h.
 */
#include "ops/sim/talk.h"

#include <conntune/entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/number.h"

enum { MAX_WORD = 256, WINDOW = 65535 };

/* A step while it is read. */
struct reading {
	const char *at;
	char word[MAX_WORD]; /* the next word; "" at the end */
	bool is_quoted;
	struct talk *t;
	struct talk_step *s;
	struct ct_err *err;
};

static int fault(const struct reading *rd, const char *what)
{
	return ct_err_set(rd->err, -EINVAL, "%s%s%s%s", what, rd->word[0] ? ": '" : "", rd->word,
			  rd->word[0] ? "'" : "");
}

/* What stands behind a backslash. */
static char unescape(char c)
{
	return (char)(c == 'r' ? '\r' : c == 'n' ? '\n' : c == 't' ? '\t' : c == '0' ? '\0' : c);
}

/* The next word, or what stands between quotes. -E2BIG when it is too long. */
static int next(struct reading *rd)
{
	size_t n = 0;

	rd->at += strspn(rd->at, " \t\n");
	rd->is_quoted = *rd->at == '"';
	rd->at += rd->is_quoted;
	while (*rd->at && n < MAX_WORD - 1 &&
	       (rd->is_quoted ? *rd->at != '"' : !strchr(" \t\n;", *rd->at)))
		rd->word[n++] = *rd->at++;
	rd->word[n] = 0;
	if (n == MAX_WORD - 1)
		return fault(rd, "the word is too long");
	if (rd->is_quoted && *rd->at++ != '"')
		return fault(rd, "the quotes are not closed");
	return 0;
}

static bool is_word(const struct reading *rd, const char *text)
{
	return !rd->is_quoted && strcmp(rd->word, text) == 0;
}

static int take_number(struct reading *rd, const char *what, uint64_t max, uint64_t *out)
{
	int r = next(rd);

	if (r == 0 && ct_number_any(rd->word, strlen(rd->word), max, out) < 0)
		r = ct_err_set(rd->err, -EINVAL, "%s takes 0 to %llu, not '%s'", what,
			       (unsigned long long)max, rd->word);
	return r;
}

static bool has_ports(uint8_t proto)
{
#define TALK_PROTO(word, number, ports)                                                            \
	if (proto == (number))                                                                     \
		return ports;
#define TALK_ICMP(...)
#define TALK_CHUNK(...)
#include "ops/sim/talk.def"
	return false;
}

static bool is_icmp(uint8_t proto)
{
	return proto == 1 || proto == 58;
}

/* "ADDR", "ADDR:PORT" or "[ADDR]:PORT". */
static int read_end(struct reading *rd, union ct_addr *addr, uint16_t *port, uint8_t *family)
{
	const char *text = rd->word, *end = text + strlen(text), *colon = NULL;
	uint64_t v = 0;

	if (*text == '[') {
		text++;
		end = strchr(text, ']');
		if (!end)
			return fault(rd, "no address");
		colon = end[1] == ':' ? end + 1 : NULL;
	} else if (strchr(text, ':') == strrchr(text, ':') && strchr(text, ':')) {
		colon = end = strchr(text, ':');
	}
	if (ct_addr_parse(text, (size_t)(end - text), addr, family) < 0)
		return fault(rd, "no address");
	if (colon && ct_number_u64(colon + 1, strlen(colon + 1), 65535, &v) < 0)
		return fault(rd, "no such port");
	if (has_ports(rd->s->proto) != (colon != NULL))
		return fault(rd, colon ? "this protocol has no ports" : "the port is missing");
	*port = (uint16_t)v;
	return 0;
}

static int read_ends(struct reading *rd)
{
	struct talk_ends *e = &rd->s->ends;
	uint8_t other;
	int r = next(rd);

	if (r == 0)
		r = read_end(rd, &e->src, &e->sport, &rd->s->family);
	if (r == 0)
		r = next(rd);
	if (r == 0 && !is_word(rd, ">"))
		return fault(rd, "'>' is missing between the ends");
	if (r == 0)
		r = next(rd);
	if (r == 0)
		r = read_end(rd, &e->dst, &e->dport, &other);
	if (r == 0 && other != rd->s->family)
		return fault(rd, "the ends are of two families");
	return r;
}

/* The letters of TCP's flags, or '-' for none. */
static bool read_flags(struct reading *rd)
{
	static const char letters[] = "FSRPAUEC";
	uint8_t flags = 0;

	if (rd->is_quoted || rd->s->proto != 6)
		return false;
	if (strcmp(rd->word, "-") == 0) {
		rd->s->tcp_flags = 0;
		return true;
	}
	for (const char *c = rd->word; *c; c++) {
		const char *at = strchr(letters, *c);

		if (!at)
			return false;
		flags |= (uint8_t)(1u << (at - letters));
	}
	rd->s->tcp_flags = flags;
	return true;
}

static bool read_name(struct reading *rd)
{
	struct talk_step *s = rd->s;
	bool is_v6 = s->family == CT_FAMILY_IPV6;

#define TALK_PROTO(...)
#define TALK_ICMP(word, type4, code4, type6, code6)                                                \
	if ((is_icmp(s->proto) || s->kind == TALK_ERROR) && is_word(rd, word)) {                   \
		s->type = (uint8_t)(is_v6 ? (type6) : (type4));                                    \
		s->code = (uint8_t)(is_v6 ? (code6) : (code4));                                    \
		return (is_v6 ? (type6) : (type4)) >= 0;                                           \
	}
#define TALK_CHUNK(word, number)                                                                   \
	if (s->proto == 132 && is_word(rd, word)) {                                                \
		s->type = number;                                                                  \
		return true;                                                                       \
	}
#include "ops/sim/talk.def"
	return false;
}

/* "+0.5" or "+2s": seconds. */
static int read_gap(struct reading *rd)
{
	char *end;
	double v = strtod(rd->word + 1, &end);

	if (end == rd->word + 1 || (*end && strcmp(end, "s") != 0) || !(v >= 0 && v <= 1e9))
		return fault(rd, "no such time");
	rd->s->gap = (ct_time)(v * (double)CT_NS_PER_S);
	return 0;
}

static int read_data(struct reading *rd)
{
	struct talk_step *s = rd->s;
	int r = next(rd);

	s->n_data = 0;
	for (const char *c = rd->word; r == 0 && *c; c++) {
		bool is_escaped = *c == '\\' && c[1];

		c += is_escaped;
		s->data[s->n_data++] = (uint8_t)(is_escaped ? unescape(*c) : *c);
	}
	return r;
}

static int read_iface(struct reading *rd)
{
	int r = next(rd);

	if (r == 0 && (!rd->word[0] || strlen(rd->word) >= TALK_IFACE))
		return fault(rd, "no name of an interface");
	if (r == 0)
		memcpy(rd->s->iface, rd->word, strlen(rd->word) + 1);
	return r;
}

static int read_source(struct reading *rd)
{
	uint8_t family;
	int r = next(rd);

	if (r == 0 && (ct_addr_parse(rd->word, strlen(rd->word), &rd->s->ends.src, &family) < 0 ||
		       family != rd->s->family))
		return fault(rd, "no address");
	rd->s->has_source = true;
	return r;
}

/* A word with a number behind it. -ENOENT when it is none. */
static int read_pair(struct reading *rd)
{
	struct talk_step *s = rd->s;
	uint64_t v = 0;
	int r;

	if (is_word(rd, "seq") || is_word(rd, "ack")) {
		bool is_ack = rd->word[0] == 'a';

		r = take_number(rd, is_ack ? "ack" : "seq", UINT32_MAX, &v);
		*(is_ack ? &s->ack : &s->seq) = (uint32_t)v;
		*(is_ack ? &s->has_ack : &s->has_seq) = true;
	} else if (is_word(rd, "win")) {
		r = take_number(rd, "win", 65535, &v);
		s->window = (uint16_t)v;
	} else if (is_word(rd, "len")) {
		r = take_number(rd, "len", TALK_MAX_DATA, &v);
		s->n_data = (uint16_t)v;
	} else if (is_word(rd, "ttl")) {
		r = take_number(rd, "ttl", 255, &v);
		s->hops = (uint8_t)v;
	} else if (is_word(rd, "id")) {
		r = take_number(rd, "id", 65535, &v);
		s->ends.sport = s->ends.dport = (uint16_t)v;
	} else if (is_word(rd, "type") || is_word(rd, "code")) {
		bool is_type = rd->word[0] == 't';

		r = take_number(rd, is_type ? "type" : "code", 255, &v);
		*(is_type ? &s->type : &s->code) = (uint8_t)v;
	} else if (is_word(rd, "key") || is_word(rd, "tag")) {
		r = take_number(rd, "key or tag", UINT32_MAX, &v);
		s->tag = (uint32_t)v;
		s->has_tag = true;
	} else {
		return -ENOENT;
	}
	return r;
}

/* What follows ends or direction, up to the end of the step. */
static int read_rest(struct reading *rd)
{
	int r = next(rd);

	while (r == 0 && (rd->word[0] || rd->is_quoted)) {
		if (is_word(rd, "in"))
			r = read_iface(rd);
		else if (is_word(rd, "out"))
			rd->s->is_sent = true;
		else if (is_word(rd, "from") && rd->s->kind == TALK_ERROR)
			r = read_source(rd);
		else if (is_word(rd, "data"))
			r = read_data(rd);
		else if (rd->word[0] == '+' && !rd->is_quoted)
			r = read_gap(rd);
		else if (!read_flags(rd) && !read_name(rd))
			r = read_pair(rd);
		if (r == -ENOENT)
			r = fault(rd, "not understood");
		if (r == 0)
			r = next(rd);
	}
	return r;
}

/* "proto N" or a name. */
static int read_proto(struct reading *rd)
{
	uint64_t v;
	int r;

	if (is_word(rd, "proto")) {
		r = take_number(rd, "proto", 255, &v);
		rd->s->proto = (uint8_t)v;
		return r;
	}
#define TALK_PROTO(word, number, ports)                                                            \
	if (is_word(rd, word)) {                                                                   \
		rd->s->proto = number;                                                             \
		return 0;                                                                          \
	}
#define TALK_ICMP(...)
#define TALK_CHUNK(...)
#include "ops/sim/talk.def"
	return fault(rd, "a step begins with a protocol, '>', '<' or 'error'");
}

/* What packets are when nothing else is said. */
static void set_standard(struct talk_step *s)
{
	s->window = WINDOW;
	s->tcp_flags = s->kind == TALK_BEGIN ? 2 : 16;
	if (s->proto == 1 || s->proto == 58) {
		bool is_back = s->kind == TALK_BACK;

		s->type = s->proto == 1 ? (is_back ? 0 : 8) : (is_back ? 129 : 128);
		s->ends.sport = s->ends.dport = 1;
	}
	if (s->proto == 132)
		s->type = s->kind == TALK_BEGIN ? 1 : 0;
	if (s->kind == TALK_ERROR) {
		s->type = s->family == CT_FAMILY_IPV6 ? 1 : 3;
		s->code = s->family == CT_FAMILY_IPV6 ? 4 : 3;
	}
}

static const struct talk_step *beginning(const struct talk *t, unsigned flow)
{
	for (unsigned i = 0; i < t->n; i++)
		if (t->steps[i].kind == TALK_BEGIN && t->steps[i].flow == flow)
			return &t->steps[i];
	return NULL;
}

/* ">", "2<", "error", "1error": goes on with a flow. False when the word says something else. */
static bool read_direction(struct reading *rd, int *result)
{
	size_t digits = strspn(rd->word, "0123456789");
	const char *what = rd->word + digits;
	uint64_t flow = rd->t->n_flows;
	const struct talk_step *begin;

	*result = 0;
	if (strcmp(what, ">") == 0)
		rd->s->kind = TALK_ON;
	else if (strcmp(what, "<") == 0)
		rd->s->kind = TALK_BACK;
	else if (strcmp(what, "error") == 0)
		rd->s->kind = TALK_ERROR;
	else
		return false;
	if (digits && ct_number_u64(rd->word, digits, TALK_MAX_FLOWS, &flow) < 0)
		flow = 0;
	begin = flow ? beginning(rd->t, (unsigned)flow - 1) : NULL;
	if (!begin) {
		*result = fault(rd, "there is no such flow yet");
		return true;
	}
	rd->s->flow = begin->flow;
	rd->s->family = begin->family;
	rd->s->proto = begin->proto;
	set_standard(rd->s);
	if (is_icmp(begin->proto))
		rd->s->ends.sport = rd->s->ends.dport = begin->ends.sport;
	return true;
}

static int read_step(struct reading *rd)
{
	int r = next(rd);

	if (r < 0 || read_direction(rd, &r))
		return r < 0 ? r : read_rest(rd);
	if (rd->t->n_flows == TALK_MAX_FLOWS)
		return ct_err_set(rd->err, -EINVAL, "more than %d flows", TALK_MAX_FLOWS);
	r = read_proto(rd);
	if (r == 0)
		r = read_ends(rd);
	if (r < 0)
		return r;
	rd->s->flow = (uint8_t)rd->t->n_flows;
	set_standard(rd->s);
	r = read_rest(rd);
	rd->t->n_flows += r == 0;
	return r;
}

static int add_one(struct talk *t, struct reading *rd)
{
	struct talk_step *more;
	int r;

	if (t->n == TALK_MAX_STEPS)
		return ct_err_set(rd->err, -EINVAL, "more than %d steps", TALK_MAX_STEPS);
	more = realloc(t->steps, (t->n + 1) * sizeof(*more));
	if (!more)
		return ct_err_set(rd->err, -ENOMEM, "no memory");
	t->steps = more;
	rd->s = &t->steps[t->n];
	memset(rd->s, 0, sizeof(*rd->s));
	r = read_step(rd);
	t->n += r == 0;
	return r;
}

int talk_add(struct talk *t, const char *text, struct ct_err *err)
{
	struct reading rd = { .at = text, .t = t, .err = err };

	do {
		int r = add_one(t, &rd);

		if (r < 0)
			return ct_err_wrap(err, r, "'%.80s'", text);
		rd.at += strspn(rd.at, "; \t\n");
	} while (*rd.at);
	return 0;
}

void talk_fini(struct talk *t)
{
	free(t->steps);
	*t = (struct talk){ NULL, 0, 0 };
}
