/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Values and their spelling: see value.h. Answers to nft 1.0.6, whose writer is jansson's with
 * flags 0.
 */
#include "lib/ruleset/nft/value.h"

#include <string.h>

struct ct_value *ct_value_new(struct ct_arena *a, enum ct_value_type type)
{
	struct ct_value *v = ct_arena_get(a, sizeof(*v));

	if (v)
		v->type = (uint8_t)type;
	return v;
}

struct ct_value *ct_value_number(struct ct_arena *a, int64_t n)
{
	struct ct_value *v = ct_value_new(a, CT_VALUE_NUMBER);

	if (v)
		v->number = n;
	return v;
}

struct ct_value *ct_value_text(struct ct_arena *a, const char *s)
{
	struct ct_value *v = ct_value_new(a, CT_VALUE_STRING);

	if (!v)
		return NULL;
	v->text = ct_arena_copy(a, s, strlen(s));
	return v->text ? v : NULL;
}

struct ct_value *ct_value_put(struct ct_value *around, struct ct_value *last, const char *key,
			      struct ct_value *member)
{
	if (!member)
		return NULL;
	member->key = key;
	if (last)
		last->next = member;
	else
		around->first = member;
	around->len++;
	return member;
}

struct ct_value *ct_value_get(const struct ct_value *v, const char *key)
{
	if (!v || v->type != CT_VALUE_OBJECT)
		return NULL;
	for (struct ct_value *m = v->first; m; m = m->next)
		if (strcmp(m->key, key) == 0)
			return m;
	return NULL;
}

const char *ct_value_str(const struct ct_value *v)
{
	return v && v->type == CT_VALUE_STRING ? v->text : NULL;
}

const char *ct_value_get_str(const struct ct_value *v, const char *key)
{
	return ct_value_str(ct_value_get(v, key));
}

uint64_t ct_value_get_number(const struct ct_value *v, const char *key, uint64_t otherwise)
{
	const struct ct_value *m = ct_value_get(v, key);

	return m && m->type == CT_VALUE_NUMBER && m->number >= 0 ? (uint64_t)m->number : otherwise;
}

/* Writing ----------------------------------------------------------------------------------- */

struct out {
	ct_ruleset_write_fn *write;
	void *user;
};

static int put(const struct out *o, const char *s)
{
	return o->write(o->user, s, strlen(s));
}

static int put_escape(const struct out *o, unsigned char c)
{
	static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt";
	char buf[8];
	struct ct_text t;

	ct_text_init(&t, buf, sizeof(buf));
	for (const char *p = letters; *p; p += 2)
		if ((unsigned char)p[0] == c) {
			ct_text_char(&t, '\\');
			ct_text_char(&t, p[1]);
			return put(o, buf);
		}
	ct_text_printf(&t, "\\u%04X", c);
	return put(o, buf);
}

static int put_string(const struct out *o, const char *s)
{
	int ret = put(o, "\"");

	while (ret == 0 && *s) {
		size_t plain = 0;

		while ((unsigned char)s[plain] >= 0x20 && s[plain] != '"' && s[plain] != '\\')
			plain++;
		ret = plain ? o->write(o->user, s, plain) : put_escape(o, (unsigned char)*s);
		s += plain ? plain : 1;
	}
	return ret == 0 ? put(o, "\"") : ret;
}

static int put_scalar(const struct out *o, const struct ct_value *v)
{
	char buf[24];
	struct ct_text t;

	switch ((enum ct_value_type)v->type) {
	case CT_VALUE_FALSE:
		return put(o, "false");
	case CT_VALUE_TRUE:
		return put(o, "true");
	case CT_VALUE_NUMBER:
		ct_text_init(&t, buf, sizeof(buf));
		ct_text_printf(&t, "%lld", (long long)v->number);
		return put(o, buf);
	case CT_VALUE_REAL:
		return put(o, v->text);
	case CT_VALUE_STRING:
		return put_string(o, v->text);
	case CT_VALUE_NULL:
	case CT_VALUE_LIST:
	case CT_VALUE_OBJECT:
		break;
	}
	return put(o, "null");
}

static int put_value(const struct out *o, const struct ct_value *v)
{
	bool is_object = v->type == CT_VALUE_OBJECT;
	int ret;

	if (!is_object && v->type != CT_VALUE_LIST)
		return put_scalar(o, v);
	ret = put(o, is_object ? "{" : "[");
	for (const struct ct_value *m = v->first; ret == 0 && m; m = m->next) {
		if (is_object)
			ret = put_string(o, m->key);
		if (ret == 0 && is_object)
			ret = put(o, ": ");
		if (ret == 0)
			ret = put_value(o, m);
		if (ret == 0 && m->next)
			ret = put(o, ", ");
	}
	return ret == 0 ? put(o, is_object ? "}" : "]") : ret;
}

int ct_value_write(const struct ct_value *v, ct_ruleset_write_fn *write, void *user)
{
	const struct out o = { write, user };

	return put_value(&o, v);
}
