/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Matches that look at any byte of a packet. Answers to Linux 6.18, net/netfilter/xt_string.c,
 * net/core/skbuff.c, skb_find_text(), net/netfilter/xt_u32.c, and to iptables 1.8.9, libxt_u32.c,
 * u32_parse().
 */
#include <errno.h>
#include <string.h>

#include "lib/packet/wire.h"
#include "lib/ruleset/ext.h"

/* string ------------------------------------------------------------------------------------ */

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static bool is_here(const uint8_t *at, const uint8_t *pattern, uint32_t len, bool is_any_case)
{
	if (!is_any_case)
		return memcmp(at, pattern, len) == 0;
	for (uint32_t i = 0; i < len; i++)
		if (lower(at[i]) != lower(pattern[i]))
			return false;
	return true;
}

/* Where the pattern first begins at @from or behind; @size when it does not. */
static uint32_t find(const struct ct_judging *j, uint32_t from, const uint8_t *pattern,
		     uint32_t len, bool is_any_case)
{
	for (uint32_t at = from; at + len <= j->size; at++)
		if (is_here(j->ip + at, pattern, len, is_any_case))
			return at;
	return j->size;
}

/* string_mt(): the first place from --from on; all of it must lie before --to. The algorithms find
 * the same. */
enum ct_truth ct_match_string(struct ct_rule_ext *e, struct ct_judging *j)
{
	const struct ct_rule_option *text = ct_ext_option(e, "string");
	const struct ct_rule_option *hex = ct_ext_option(e, "hex-string");
	const struct ct_rule_option *o = hex ? hex : text;
	const struct ct_rule_option *from = ct_ext_option(e, "from"), *to = ct_ext_option(e, "to");
	const uint8_t *pattern = hex ? hex->data : (const uint8_t *)text->text + text->n[0];
	uint32_t len = hex ? hex->n[0] : (uint32_t)strlen((const char *)pattern);
	uint32_t begin = from ? from->n[0] : 0, end = to ? to->n[0] : UINT16_MAX, at;

	/* skb_seq_read() begins nowhere behind the end. */
	if (begin >= end || begin >= j->size)
		return ct_truth_of(false, o);
	at = find(j, begin, pattern, len, ct_ext_option(e, "icase") != NULL);
	return ct_truth_of(at < j->size && at + len <= end, o);
}

/* u32 --------------------------------------------------------------------------------------- */

#define MAX_U32 11 /* XT_U32_MAXSIZE + 1: tests, steps of one, ranges of one */

struct u32_step {
	uint32_t number;
	char what; /* '&', '<', '>', '@'; of the first step the place */
};

struct u32_test {
	struct u32_step step[MAX_U32];
	uint32_t range[MAX_U32][2];
	uint8_t n_steps, n_ranges;
};

struct u32 {
	struct u32_test test[MAX_U32];
	uint8_t n;
};

/* A program being read and the text it is written as. */
struct u32_reading {
	const char *s;
	struct ct_text out;
};

static void skip_blanks(struct u32_reading *r)
{
	while (*r->s == ' ' || (*r->s >= '\t' && *r->s <= '\r'))
		r->s++;
}

static int take_number(struct u32_reading *r, uint32_t *to)
{
	size_t len;
	uint64_t v;

	skip_blanks(r);
	len = strspn(r->s, "0123456789abcdefABCDEFxX");
	if (ct_kind_number(r->s, len, UINT32_MAX, &v) < 0)
		return -EINVAL;
	r->s += len;
	skip_blanks(r);
	*to = (uint32_t)v;
	ct_text_str(&r->out, "0x");
	ct_text_hex(&r->out, v);
	return 0;
}

/* '&', "<<", ">>" or '@' before a number; '=' ends the steps; 0 is none of them. */
static char take_sign(struct u32_reading *r)
{
	char c = *r->s;

	if (c == '&' || c == '@' || c == '=') {
		r->s++;
		ct_text_char(&r->out, c);
		return c;
	}
	if ((c == '<' || c == '>') && r->s[1] == c) {
		r->s += 2;
		ct_text_char(&r->out, c);
		ct_text_char(&r->out, c);
		return c;
	}
	return 0;
}

static int take_ranges(struct u32_reading *r, struct u32_test *t)
{
	for (;;) {
		uint32_t *range = t->range[t->n_ranges];

		if (t->n_ranges == MAX_U32 || take_number(r, &range[0]) < 0)
			return -EINVAL;
		t->n_ranges++;
		range[1] = range[0];
		if (*r->s == ':') {
			r->s++;
			ct_text_char(&r->out, ':');
			if (take_number(r, &range[1]) < 0)
				return -EINVAL;
		}
		if (*r->s != ',')
			return 0;
		r->s++;
		ct_text_char(&r->out, ',');
	}
}

static int take_test(struct u32_reading *r, struct u32_test *t)
{
	for (char sign = '@'; sign != '=';) {
		struct u32_step *step = &t->step[t->n_steps];

		if (t->n_steps == MAX_U32 || take_number(r, &step->number) < 0)
			return -EINVAL;
		step->what = sign;
		t->n_steps++;
		sign = take_sign(r);
		if (!sign)
			return -EINVAL;
	}
	return take_ranges(r, t);
}

/* "start&mask@start=from:to,...&&...", every number written in hexadecimal. */
int ct_kind_u32(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	struct u32 *u = ct_arena_get(&r->rs->arena, sizeof(*u));
	struct u32_reading in = { .s = arg[0] };
	char out[2048];

	if (!u)
		return -ENOMEM;
	ct_text_init(&in.out, out, sizeof(out));
	ct_text_char(&in.out, '"');
	for (;;) {
		if (u->n == MAX_U32 || take_test(&in, &u->test[u->n++]) < 0)
			return -EINVAL;
		if (!*in.s)
			break;
		if (in.s[0] != '&' || in.s[1] != '&')
			return -EINVAL;
		in.s += 2;
		ct_text_str(&in.out, "&&");
	}
	ct_text_char(&in.out, '"');
	o->data = u;
	return in.out.is_cut ? -EINVAL : ct_kind_keep(r, o, out);
}

/* The word at @base + @at; false when the packet does not hold it. */
static bool word_at(const struct ct_judging *j, uint32_t base, uint32_t at, uint32_t *out)
{
	if (base > j->size || j->size - base < 4 || at > j->size - base - 4)
		return false;
	*out = wire_be32(j->ip + base + at);
	return true;
}

/* u32_match_it(): '@' moves the base by the value so far. */
static bool test_fits(const struct ct_judging *j, const struct u32_test *t)
{
	uint32_t base = 0, v = 0;

	if (!word_at(j, 0, t->step[0].number, &v))
		return false;
	for (uint8_t i = 1; i < t->n_steps; i++) {
		uint32_t n = t->step[i].number;

		switch (t->step[i].what) {
		case '&':
			v &= n;
			break;
		case '<':
			v <<= n & 31;
			break;
		case '>':
			v >>= n & 31;
			break;
		default:
			if (base + v < base)
				return false;
			base += v;
			if (!word_at(j, base, n, &v))
				return false;
		}
	}
	for (uint8_t i = 0; i < t->n_ranges; i++)
		if (v >= t->range[i][0] && v <= t->range[i][1])
			return true;
	return false;
}

enum ct_truth ct_match_u32(struct ct_rule_ext *e, struct ct_judging *j)
{
	const struct ct_rule_option *o = &e->option[0];
	const struct u32 *u = o->data;
	bool fits = true;

	for (uint8_t i = 0; fits && i < u->n; i++)
		fits = test_fits(j, &u->test[i]);
	return ct_truth_of(fits, o);
}
