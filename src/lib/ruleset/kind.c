/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Kinds of option values that are plain numbers, texts and words. Answers to iptables 1.8.9,
 * libxtables/xtoptions.c, xtables_save_string() and the printers of the extensions.
 */
#include "lib/ruleset/kind.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/base/number.h"
#include "lib/ruleset/ext.h"

int ct_kind_keep(struct ct_reading *r, struct ct_rule_option *o, const char *text)
{
	o->text = ct_arena_copy(&r->rs->arena, text, strlen(text));
	return o->text ? 0 : -ENOMEM;
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

int ct_kind_number(const char *s, size_t len, uint64_t max, uint64_t *out)
{
	int base = 10;
	uint64_t v = 0;

	if (len > 2 && s[0] == '0' && (s[1] | 0x20) == 'x')
		base = 16;
	else if (len > 1 && s[0] == '0')
		base = 8;
	if (base == 16) {
		s += 2;
		len -= 2;
	}
	if (len == 0)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		int d = digit_of(s[i]);

		if (d >= base)
			return -EINVAL;
		if (v > (UINT64_MAX - (unsigned)d) / (unsigned)base)
			return -EINVAL;
		v = v * (unsigned)base + (unsigned)d;
	}
	if (v > max)
		return -EINVAL;
	*out = v;
	return 0;
}

static uint64_t max_of(const struct ct_rule_option *o)
{
	return o->def && o->def->max ? o->def->max : UINT32_MAX;
}

static int number(const char *s, const struct ct_rule_option *o, uint32_t *out)
{
	uint64_t v;

	if (ct_kind_number(s, strlen(s), max_of(o), &v) < 0)
		return -EINVAL;
	*out = (uint32_t)v;
	return 0;
}

static int keep_number(struct ct_reading *r, struct ct_rule_option *o, uint32_t v)
{
	struct ct_text t;
	char s[64];

	ct_text_init(&t, s, sizeof(s));
	ct_text_u64(&t, v);
	return ct_kind_keep(r, o, s);
}

int ct_kind_quota(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	struct ct_text t;
	char s[32];
	uint64_t v;

	if (ct_kind_number(arg[0], strlen(arg[0]), UINT64_MAX, &v) < 0)
		return -EINVAL;
	o->n[0] = (uint32_t)v;
	o->n[1] = (uint32_t)(v >> 32);
	ct_text_init(&t, s, sizeof(s));
	ct_text_u64(&t, v);
	return ct_kind_keep(r, o, s);
}

int ct_kind_decimal(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	return number(arg[0], o, &o->n[0]) < 0 ? -EINVAL : keep_number(r, o, o->n[0]);
}

int ct_kind_hex(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	struct ct_text t;
	char s[32];

	if (number(arg[0], o, &o->n[0]) < 0)
		return -EINVAL;
	ct_text_init(&t, s, sizeof(s));
	ct_text_str(&t, "0x");
	ct_text_hex(&t, o->n[0]);
	return ct_kind_keep(r, o, s);
}

int ct_kind_hex8(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	struct ct_text t;
	char s[32];

	if (number(arg[0], o, &o->n[0]) < 0)
		return -EINVAL;
	ct_text_init(&t, s, sizeof(s));
	ct_text_printf(&t, "0x%08x", (unsigned)o->n[0]);
	return ct_kind_keep(r, o, s);
}

int ct_kind_node(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	char hex[16], *as_mask[] = { hex };

	if (number(arg[0], o, &o->n[0]) < 0 || o->n[0] == 0)
		return -EINVAL;
	(void)snprintf(hex, sizeof(hex), "0x%x", 1u << (o->n[0] - 1));
	o->def = NULL;
	return ct_kind_hex8(r, as_mask, o);
}

/* "a", "a:b", "a:", ":b" with @mark between the ends. */
static int read_range(const char *s, char mark, struct ct_rule_option *o)
{
	const char *colon = strchr(s, mark);
	uint64_t from = 0, to = max_of(o);

	if (!colon) {
		if (ct_kind_number(s, strlen(s), max_of(o), &from) < 0)
			return -EINVAL;
		to = from;
	} else {
		if (colon > s && ct_kind_number(s, (size_t)(colon - s), max_of(o), &from) < 0)
			return -EINVAL;
		if (colon[1] && ct_kind_number(colon + 1, strlen(colon + 1), max_of(o), &to) < 0)
			return -EINVAL;
	}
	o->n[0] = (uint32_t)from;
	o->n[1] = (uint32_t)to;
	return 0;
}

static int keep_range(struct ct_reading *r, struct ct_rule_option *o, char mark, bool is_open)
{
	struct ct_text t;
	char s[32];

	ct_text_init(&t, s, sizeof(s));
	ct_text_u64(&t, o->n[0]);
	if (o->n[0] != o->n[1] && !(is_open && o->n[1] == max_of(o))) {
		ct_text_char(&t, mark);
		ct_text_u64(&t, o->n[1]);
	}
	return ct_kind_keep(r, o, s);
}

int ct_kind_range(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	return read_range(arg[0], ':', o) < 0 ? -EINVAL : keep_range(r, o, ':', false);
}

int ct_kind_dash_range(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	if (read_range(arg[0], '-', o) < 0 || o->n[0] > o->n[1])
		return -EINVAL;
	return keep_range(r, o, '-', false);
}

int ct_kind_connbytes(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	const char *s = arg[0], *colon = strchr(s, ':');
	uint64_t from = 0, to = UINT64_MAX;
	struct ct_text t;
	char out[64];

	if (ct_kind_number(s, colon ? (size_t)(colon - s) : strlen(s), UINT64_MAX, &from) < 0 ||
	    (colon && colon[1] &&
	     ct_kind_number(colon + 1, strlen(colon + 1), UINT64_MAX, &to) < 0) ||
	    from > to)
		return -EINVAL;
	o->n[0] = (uint32_t)from;
	o->n[1] = (uint32_t)(from >> 32);
	o->n[2] = (uint32_t)to;
	o->n[3] = (uint32_t)(to >> 32);
	ct_text_init(&t, out, sizeof(out));
	ct_text_u64(&t, from);
	if (to != UINT64_MAX) {
		ct_text_char(&t, ':');
		ct_text_u64(&t, to);
	}
	return ct_kind_keep(r, o, out);
}

/* Texts ------------------------------------------------------------------------------------- */

static bool is_plain(const char *s)
{
	static const char plain[] = "_-0123456789abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	return *s && s[strspn(s, plain)] == '\0';
}

static void put_quoted(struct ct_text *to, const char *s)
{
	ct_text_char(to, '"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\' || *s == '\'')
			ct_text_char(to, '\\');
		ct_text_char(to, *s);
	}
	ct_text_char(to, '"');
}

void ct_kind_quote(struct ct_text *to, const char *s)
{
	if (is_plain(s))
		ct_text_str(to, s);
	else
		put_quoted(to, s);
}

/* The value itself stays in the arena behind the written text: n[0] is where it begins. */
static int keep_text(struct ct_reading *r, struct ct_rule_option *o, const char *s,
		     bool is_always_quoted)
{
	size_t len = strlen(s);
	struct ct_text t;
	char *out;

	if (len > (o->def->max ? o->def->max : 4096))
		return -EINVAL;
	out = ct_arena_get(&r->rs->arena, 2 * len + 3 + len + 1);
	if (!out)
		return -ENOMEM;
	ct_text_init(&t, out, 2 * len + 3);
	if (is_always_quoted)
		put_quoted(&t, s);
	else
		ct_kind_quote(&t, s);
	o->n[0] = (uint32_t)t.len + 1;
	memcpy(out + o->n[0], s, len + 1);
	o->text = out;
	return 0;
}

int ct_kind_text(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	return keep_text(r, o, arg[0], false);
}

int ct_kind_quoted(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	return keep_text(r, o, arg[0], true);
}

int ct_kind_raw(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	if (!*arg[0] || strlen(arg[0]) > (o->def->max ? o->def->max : 4096) ||
	    arg[0][strcspn(arg[0], " \t\"\\'\n")])
		return -EINVAL;
	return ct_kind_keep(r, o, arg[0]);
}

/* Words: "first|alias,second": the first of each is written. -------------------------------- */

struct word {
	const char *p;
	size_t len;
};

/* The number of the word @s among @words, and how it is written; -1. */
static int word_find(const char *words, const char *s, size_t len, struct word *written)
{
	int n = 0;

	for (const char *w = words; *w; n++) {
		struct word first = { w, strcspn(w, "|,") };

		for (;;) {
			size_t size = strcspn(w, "|,");

			if (size == len && strncasecmp(w, s, len) == 0) {
				*written = first;
				return n;
			}
			w += size;
			if (*w != '|')
				break;
			w++;
		}
		if (*w == ',')
			w++;
	}
	return -1;
}

int ct_kind_word(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	struct word w;
	int n = word_find(o->def->words, arg[0], strlen(arg[0]), &w);

	if (n < 0)
		return -EINVAL;
	o->n[0] = (uint32_t)n;
	o->text = ct_arena_copy(&r->rs->arena, w.p, w.len);
	return o->text ? 0 : -ENOMEM;
}

static int keep_words(struct ct_reading *r, struct ct_rule_option *o)
{
	const char *w = o->def->words;
	struct ct_text t;
	char s[512];

	ct_text_init(&t, s, sizeof(s));
	for (unsigned n = 0; *w; n++) {
		size_t size = strcspn(w, "|,");

		if (o->n[0] >> n & 1) {
			if (t.len)
				ct_text_char(&t, ',');
			ct_text_put(&t, w, size);
		}
		w += strcspn(w, ",");
		if (*w == ',')
			w++;
	}
	return ct_kind_keep(r, o, s);
}

int ct_kind_words(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	const char *s = arg[0];
	struct word w;

	o->n[0] = 0;
	for (;;) {
		size_t len = strcspn(s, ",");
		int n = word_find(o->def->words, s, len, &w);

		if (n < 0 || n > 31)
			return -EINVAL;
		o->n[0] |= UINT32_C(1) << n;
		s += len;
		if (!*s)
			break;
		s++;
	}
	return keep_words(r, o);
}
