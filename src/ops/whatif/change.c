/* SPDX-License-Identifier: BSD-2-Clause
 *
 * See change.h.
 */
#include "ops/whatif/change.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/number.h"
#include "ops/whatif/slot.h"

#define MAX_NAME   96
#define MAX_GROWTH 1e6

/* --- settings --- */

/* Edits that make @b of @a (Levenshtein). Both shorter than MAX_NAME. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[MAX_NAME + 1];
	size_t n = strlen(b);

	for (unsigned j = 0; j <= n; j++)
		row[j] = j;
	for (unsigned i = 1; a[i - 1]; i++) {
		unsigned corner = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= n; j++) {
			unsigned best = corner + (a[i - 1] != b[j - 1]);

			corner = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[n];
}

/* The setting a change of which can be judged; the module's name for the buckets is another. */
static const struct setting *judged(const struct setting *s)
{
	struct whatif_timeouts t = { 0 };

	if (strcmp(s->key, "nf_conntrack.hashsize") == 0)
		return settings_find("nf_conntrack_buckets");
	if (strcmp(s->name, "nf_conntrack_max") == 0 ||
	    strcmp(s->name, "nf_conntrack_buckets") == 0 || whatif_timeouts_set(&t, s->name, 1))
		return s;
	return NULL;
}

static const char *nearest(const char *name)
{
	const char *best = "nf_conntrack_max";
	unsigned least = UINT32_MAX;

	for (size_t i = 0; i < settings_n; i++) {
		const char *other = settings_list[i].name;
		unsigned d, bare = UINT32_MAX;

		if (strlen(other) > MAX_NAME || !judged(&settings_list[i]))
			continue;
		d = distance(name, other);
		if (strncmp(other, "nf_conntrack_", 13) == 0)
			bare = distance(name, other + 13);
		d = bare < d ? bare : d;
		if (d < least) {
			least = d;
			best = other;
		}
	}
	return best;
}

static int value_of(const struct setting *s, const char *text, int64_t *out)
{
	uint64_t n;
	int r = s->unit == SETTING_SECONDS ? ct_number_duration(text, strlen(text), &n)
					   : ct_number_u64(text, strlen(text), INT64_MAX, &n);

	if (r < 0 || n > INT64_MAX)
		return -EINVAL;
	*out = (int64_t)n;
	return 0;
}

int change_add_set(struct change *c, const char *text, struct ct_err *err)
{
	const char *equals = strchr(text, '=');
	const struct setting *s;
	char name[MAX_NAME + 1];
	int64_t value;
	int r;

	if (!equals || equals == text || (size_t)(equals - text) > MAX_NAME)
		return ct_err_set(err, -EINVAL, "--set takes NAME=VALUE, not '%.100s'", text);
	(void)snprintf(name, sizeof(name), "%.*s", (int)(equals - text), text);
	s = settings_find(name);
	if (!s)
		return ct_err_set(err, -ENOENT, "no setting is called '%s'; the nearest is %s",
				  name, nearest(name));
	if (!judged(s))
		return ct_err_set(err, -EOPNOTSUPP,
				  "what %s does to the table cannot be told from its entries; "
				  "timeouts, nf_conntrack_max and nf_conntrack_buckets can be set",
				  s->name);
	s = judged(s);
	if (value_of(s, equals + 1, &value) < 0)
		return ct_err_set(err, -EINVAL, "%s: '%.40s' is no %s", s->name, equals + 1,
				  s->unit == SETTING_SECONDS ? "time" : "number");
	r = setting_accepts(s, 0, value, err);
	if (r < 0)
		return r;
	if (value == 0 && strcmp(s->name, "nf_conntrack_max") != 0)
		return ct_err_set(err, -EINVAL,
				  "%s=0 leaves no entry a moment to live; give at least 1",
				  s->name);
	if (change_find(c, s->name))
		return ct_err_set(err, -EINVAL, "%s is set twice", s->name);
	if (c->n_sets == CHANGE_MAX_SETS)
		return ct_err_set(err, -E2BIG, "more than %d settings", CHANGE_MAX_SETS);
	c->set[c->n_sets++] = (struct change_set){ s, value };
	return 0;
}

const struct change_set *change_find(const struct change *c, const char *name)
{
	for (unsigned i = 0; i < c->n_sets; i++)
		if (strcmp(c->set[i].setting->name, name) == 0)
			return &c->set[i];
	return NULL;
}

/* --- what is not tracked --- */

/* The fields that a rule in the raw table can look at. */
static const struct {
	const char *name;
	enum ct_match_field field;
} fields[] = {
	{ "src", CT_MATCH_SRC },     { "dst", CT_MATCH_DST },	    { "addr", CT_MATCH_ADDR },
	{ "sport", CT_MATCH_SPORT }, { "dport", CT_MATCH_DPORT },   { "port", CT_MATCH_PORT },
	{ "proto", CT_MATCH_PROTO }, { "family", CT_MATCH_FAMILY },
};

static bool next_word(const char **at, char *word, size_t size)
{
	size_t len;

	*at += strspn(*at, " \t");
	len = strcspn(*at, " \t");
	if (len == 0 || len >= size)
		return false;
	memcpy(word, *at, len);
	word[len] = '\0';
	*at += len;
	return true;
}

static int add_condition(struct ct_match *m, const char *word, const char **at, struct ct_err *err)
{
	char value[160];

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (strcmp(word, fields[i].name) != 0)
			continue;
		if (!next_word(at, value, sizeof(value)))
			return ct_err_set(err, -EINVAL, "--notrack: %s needs a value", word);
		return ct_match_add(m, fields[i].field, value, err);
	}
	if (strcmp(word, "lo") == 0 || strcmp(word, "loopback") == 0)
		return ct_match_add(m, CT_MATCH_ADDR, "127.0.0.0/8", err);
	if (strcmp(word, "ip") == 0)
		return ct_match_add(m, CT_MATCH_FAMILY, "ipv4", err);
	if (strcmp(word, "ip6") == 0)
		return ct_match_add(m, CT_MATCH_FAMILY, "ipv6", err);
	if (ct_proto_number(word, strlen(word)) >= 0)
		return ct_match_add(m, CT_MATCH_PROTO, word, err);
	return ct_err_set(err, -EINVAL,
			  "--notrack: '%s' is no protocol and none of src, dst, addr, sport, "
			  "dport, port, proto, family",
			  word);
}

int change_add_notrack(struct change *c, const char *text, struct ct_err *err)
{
	struct change_notrack *n = &c->notrack[c->n_notrack];
	const char *at = text;
	char word[160];
	int r;

	if (c->n_notrack == CHANGE_MAX_NOTRACK)
		return ct_err_set(err, -E2BIG, "more than %d --notrack", CHANGE_MAX_NOTRACK);
	if (strlen(text) >= sizeof(n->text))
		return ct_err_set(err, -EINVAL, "--notrack: '%.40s...' is too long", text);
	*n = (struct change_notrack){ 0 };
	while (next_word(&at, word, sizeof(word))) {
		r = add_condition(&n->match, word, &at, err);
		if (r < 0)
			return r;
	}
	if (!n->match.fields)
		return ct_err_set(err, -EINVAL, "--notrack takes conditions: 'tcp dport 6379'");
	(void)snprintf(n->text, sizeof(n->text), "%s", text);
	c->n_notrack++;
	return 0;
}

bool change_untracks(const struct change *c, unsigned i, const struct ct_entry *e)
{
	const struct ct_match *m = &c->notrack[i].match;
	struct ct_entry back = *e;

	if (ct_match_entry(m, e, NULL))
		return true;
	back.tuple[CT_DIR_ORIG] = e->tuple[CT_DIR_REPLY];
	back.tuple[CT_DIR_REPLY] = e->tuple[CT_DIR_ORIG];
	return ct_match_entry(m, &back, NULL);
}

/* --- growth --- */

int change_set_growth(struct change *c, const char *text, struct ct_err *err)
{
	bool is_plus = text[0] == '+';
	const char *digits = text + is_plus;
	char *end = NULL;
	double v = digits[0] >= '0' && digits[0] <= '9' ? strtod(digits, &end) : 0;
	bool is_percent = end && strcmp(end, "%") == 0;

	if (!end || (is_plus && !is_percent) ||
	    !(is_percent || end[0] == '\0' || strcmp(end, "x") == 0))
		return ct_err_set(err, -EINVAL, "--growth takes 3x, 1.5 or +20%%, not '%.40s'",
				  text);
	if (is_percent)
		v = v / 100 + (is_plus ? 1 : 0);
	if (!(v > 0 && v <= MAX_GROWTH))
		return ct_err_set(err, -EINVAL,
				  "--growth: '%.40s' is not more than 0 and at most "
				  "a million",
				  text);
	c->growth = v;
	return 0;
}
