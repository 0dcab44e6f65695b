/* SPDX-License-Identifier: BSD-2-Clause
 *
 * JSON, read by jansson, handed over to the rule set object by object: see nft_json.h.
 */
#include "ops/rules/nft_json.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "lib/ruleset/nft/nft.h"

#define MAX_JSON  (64u << 20)
#define MAX_NESTS 4000000u /* objects and lists, which take jansson hundreds of bytes each */

/* Names of members, of which a listing has few: each is kept once, if it finds its place free. */
struct keys {
	struct ct_arena *arena;
	const char *key[256];
};

static const char *key_keep(struct keys *k, const char *key)
{
	uint8_t at = 0;

	for (const char *s = key; *s; s++)
		at = (uint8_t)(at * 31 + (uint8_t)*s);
	if (k->key[at] && strcmp(k->key[at], key) == 0)
		return k->key[at];
	k->key[at] = ct_arena_copy(k->arena, key, strlen(key));
	return k->key[at];
}

static struct ct_value *scalar(struct ct_arena *a, const json_t *json)
{
	struct ct_value *v;
	char buf[64];
	struct ct_text t;

	switch (json_typeof(json)) {
	case JSON_STRING:
		return ct_value_text(a, json_string_value(json));
	case JSON_INTEGER:
		return ct_value_number(a, json_integer_value(json));
	case JSON_REAL:
		ct_text_init(&t, buf, sizeof(buf));
		ct_text_printf(&t, "%.17g", json_real_value(json));
		v = ct_value_text(a, buf);
		if (v)
			v->type = CT_VALUE_REAL;
		return v;
	case JSON_TRUE:
		return ct_value_new(a, CT_VALUE_TRUE);
	case JSON_FALSE:
		return ct_value_new(a, CT_VALUE_FALSE);
	case JSON_NULL:
	case JSON_OBJECT:
	case JSON_ARRAY:
		break;
	}
	return ct_value_new(a, CT_VALUE_NULL);
}

/* The same value in the rule set's memory; -E2BIG when it is nested too deep. */
static int value_of(struct keys *k, json_t *json, unsigned depth, struct ct_value **out)
{
	struct ct_arena *a = k->arena;
	struct ct_value *v, *last = NULL, *member;
	const char *key;
	json_t *m;
	size_t i;
	int ret;

	if (!json_is_object(json) && !json_is_array(json)) {
		*out = scalar(a, json);
		return *out ? 0 : -ENOMEM;
	}
	if (depth == CT_MAX_VALUE_DEPTH)
		return -E2BIG;
	v = ct_value_new(a, json_is_object(json) ? CT_VALUE_OBJECT : CT_VALUE_LIST);
	if (!v)
		return -ENOMEM;
	json_array_foreach(json, i, m)
	{
		ret = value_of(k, m, depth + 1, &member);
		if (ret < 0)
			return ret;
		last = ct_value_put(v, last, NULL, member);
	}
	json_object_foreach(json, key, m)
	{
		ret = value_of(k, m, depth + 1, &member);
		if (ret < 0)
			return ret;
		last = ct_value_put(v, last, key_keep(k, key), member);
		if (!last->key)
			return -ENOMEM;
	}
	*out = v;
	return 0;
}

static int objects_read(struct ct_ruleset *rs, json_t *list, struct ct_err *err)
{
	struct keys keys = { .arena = ct_nft_arena(rs) };

	for (size_t i = 0; i < json_array_size(list); i++) {
		struct ct_value *v = NULL;
		int ret = value_of(&keys, json_array_get(list, i), 0, &v);

		/* Freed as it goes: the rule set grows meanwhile. */
		(void)json_array_set_new(list, i, json_null());
		if (ret == -E2BIG)
			ct_err_set(err, ret, "more than %u values within values",
				   CT_MAX_VALUE_DEPTH);
		else if (ret < 0)
			ct_err_set(err, ret,
				   "not enough memory, or a larger rule set than is read");
		else
			ret = ct_nft_add(rs, v, err);
		if (ret < 0)
			return ct_err_wrap(err, ret, "object %zu of the listing", i + 1);
	}
	return ct_nft_end(rs, err);
}

/* No fewer than there are objects and lists. */
static size_t nests(const char *bytes, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += bytes[i] == '{' || bytes[i] == '[';
	return n;
}

struct ct_ruleset *nft_json_read(const char *bytes, size_t len, struct ct_err *err)
{
	json_error_t fault;
	struct ct_ruleset *rs;
	json_t *root, *list;

	if (len > MAX_JSON) {
		ct_err_set(err, -E2BIG, "JSON of more than %u MiB", MAX_JSON >> 20);
		return NULL;
	}
	if (nests(bytes, len) > MAX_NESTS) {
		ct_err_set(err, -E2BIG, "JSON of more than %u objects and lists", MAX_NESTS);
		return NULL;
	}
	root = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, &fault);
	if (!root) {
		ct_err_set(err, -EINVAL, "line %d, column %d: %s", fault.line, fault.column,
			   fault.text);
		return NULL;
	}
	list = json_object_get(root, "nftables");
	rs = json_is_array(list) ? ct_nft_new(err) : NULL;
	if (!json_is_array(list))
		ct_err_set(err, -EINVAL, "no listing of nft: there is no list \"nftables\"");
	if (rs && objects_read(rs, list, err) < 0) {
		ct_ruleset_free(rs);
		rs = NULL;
	}
	json_decref(root);
	return rs;
}
