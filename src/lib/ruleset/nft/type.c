/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Types of nft and their constants: see type.h. Answers to nft 1.0.6, src/datatype.c and
 * src/parser_json.c, json_parse_constant() and its like.
 */
#include "lib/ruleset/nft/type.h"

#include <conntune/entry.h>
#include <errno.h>
#include <string.h>

#include "lib/base/number.h"
#include "lib/ruleset/kind.h"

/* How the values of a type are written. */
enum ct_nft_spelling {
	SPELT_NUMBER,
	SPELT_BITS, /* a list of words, or'd */
	SPELT_IPV4,
	SPELT_IPV6,
	SPELT_ETHER,
	SPELT_PROTO,
	SPELT_SERVICE,
	SPELT_NAME,
	SPELT_LABEL, /* the number of a bit */
};

enum words {
	WORDS_NONE,
	WORDS_CT_STATE,
	WORDS_CT_DIR,
	WORDS_CT_STATUS,
	WORDS_CT_EVENT,
	WORDS_NF_PROTO,
	WORDS_ETHER_TYPE,
	WORDS_ICMP_TYPE,
	WORDS_ICMP_CODE,
	WORDS_ICMPV6_TYPE,
	WORDS_ICMPV6_CODE,
	WORDS_IGMP_TYPE,
	WORDS_TCP_FLAG,
	WORDS_DCCP_TYPE,
	WORDS_DSCP,
	WORDS_ECN,
	WORDS_PKT_TYPE,
	WORDS_FIB_TYPE,
	WORDS_DAY,
};

static const struct {
	const char *word;
	uint32_t number;
	uint8_t list; /* enum words */
} symbols[] = {
#define SYMBOL(list, word, number) { word, number, WORDS_##list },
#include "lib/ruleset/nft/symbol.def"
#undef SYMBOL
};
#define N_SYMBOLS (sizeof(symbols) / sizeof(symbols[0]))

static const struct type {
	const char *name;
	uint16_t bits;
	uint8_t spelling, words;
} types[] = {
#define TYPE(id, name, bits, spelling, words) { name, bits, SPELT_##spelling, WORDS_##words },
#include "lib/ruleset/nft/type.def"
#undef TYPE
};
#define N_TYPES (sizeof(types) / sizeof(types[0]))

int ct_nft_type_find(const char *name)
{
	for (size_t i = 0; i < N_TYPES; i++)
		if (strcmp(types[i].name, name) == 0)
			return (int)i;
	return -1;
}

/* Shapes ------------------------------------------------------------------------------------ */

uint32_t ct_nft_part_size(const struct ct_nft_part *part)
{
	return (part->bits + 7u) / 8;
}

uint32_t ct_nft_part_at(const struct ct_nft_shape *shape, unsigned i)
{
	uint32_t at = 0;

	for (unsigned k = 0; k < i; k++)
		at += (ct_nft_part_size(&shape->part[k]) + 3) & ~3u;
	return at;
}

uint32_t ct_nft_shape_size(const struct ct_nft_shape *shape)
{
	if (shape->n == 1)
		return ct_nft_part_size(&shape->part[0]);
	return ct_nft_part_at(shape, shape->n);
}

bool ct_nft_shape_fits(const struct ct_nft_shape *a, const struct ct_nft_shape *b)
{
	if (!a->n || a->n != b->n)
		return false;
	for (unsigned i = 0; i < a->n; i++)
		if (ct_nft_part_size(&a->part[i]) != ct_nft_part_size(&b->part[i]))
			return false;
	return true;
}

struct ct_nft_shape ct_nft_shape_of(enum ct_nft_type type, unsigned bits)
{
	struct ct_nft_shape s = { .n = 1 };

	s.part[0].type = (uint8_t)type;
	s.part[0].bits = bits ? (uint16_t)bits : types[type].bits;
	return s;
}

void ct_nft_put_number(uint8_t *to, uint32_t size, uint64_t n)
{
	memset(to, 0, size);
	for (uint32_t i = 0; i < size && i < 8; i++, n >>= 8)
		to[size - 1 - i] = (uint8_t)n;
}

uint64_t ct_nft_number(const uint8_t *from, uint32_t size)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < size; i++)
		n = n << 8 | from[i];
	return n;
}

/* Constants --------------------------------------------------------------------------------- */

static int word_number(const struct type *t, const char *word, uint64_t *out)
{
	for (size_t i = 0; t->words && i < N_SYMBOLS; i++)
		if (symbols[i].list == t->words && strcmp(symbols[i].word, word) == 0) {
			*out = symbols[i].number;
			return 0;
		}
	if (t->spelling == SPELT_PROTO) {
		int proto = ct_rule_proto_number(word);

		*out = (uint64_t)proto;
		return proto < 0 ? -EINVAL : 0;
	}
	if (t->spelling == SPELT_SERVICE) {
		uint16_t port;

		if (ct_kind_port(word, strlen(word), &port) < 0)
			return -EINVAL;
		*out = port;
		return 0;
	}
	return ct_number_any(word, strlen(word), UINT64_MAX, out);
}

/* A number, a word for one, true or false, or a list of them that are or'd. */
static int number(const struct type *t, const struct ct_value *v, uint64_t *out)
{
	const struct ct_value *list = v->type == CT_VALUE_LIST ? v : ct_value_get(v, "|");

	if (v->type == CT_VALUE_NUMBER && v->number >= 0) {
		*out = (uint64_t)v->number;
		return 0;
	}
	if (v->type == CT_VALUE_TRUE || v->type == CT_VALUE_FALSE) {
		*out = v->type == CT_VALUE_TRUE;
		return 0;
	}
	if (v->type == CT_VALUE_STRING)
		return word_number(t, v->text, out);
	if (!list || list->type != CT_VALUE_LIST || !list->len || t->spelling != SPELT_BITS)
		return -EINVAL;
	*out = 0;
	for (const struct ct_value *m = list->first; m; m = m->next) {
		uint64_t one;

		if (number(t, m, &one) < 0)
			return -EINVAL;
		*out |= one;
	}
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int ether(const char *s, uint8_t *to)
{
	for (unsigned i = 0; i < 6; i++, s += 3) {
		if (hex_digit(s[0]) < 0 || hex_digit(s[1]) < 0 || s[2] != (i < 5 ? ':' : '\0'))
			return -EINVAL;
		to[i] = (uint8_t)(hex_digit(s[0]) << 4 | hex_digit(s[1]));
	}
	return 0;
}

static int address(const char *s, uint32_t size, uint8_t *to)
{
	union ct_addr addr;
	uint8_t family;

	if (ct_addr_parse(s, strlen(s), &addr, &family) < 0 ||
	    (family == CT_FAMILY_IPV6 ? 16u : 4u) != size)
		return -EINVAL;
	memcpy(to, addr.bytes, size);
	return 0;
}

/* A name, or all that begin with it: "eth*"; a backslash takes the star its meaning. */
static int name(const char *s, uint8_t *from, uint8_t *to)
{
	size_t len = strlen(s);
	bool is_prefix = len && s[len - 1] == '*' && !(len > 1 && s[len - 2] == '\\');

	if (len && s[len - 1] == '*')
		len -= is_prefix ? 1 : 2;
	if (len > 15)
		return -EINVAL;
	memset(from, 0, 16);
	memcpy(from, s, len);
	if (len < strlen(s) && !is_prefix)
		from[len] = '*';
	memcpy(to, from, 16);
	if (is_prefix)
		memset(to + len, 0xff, 16 - len);
	return 0;
}

static int label(const struct ct_value *v, uint8_t *to)
{
	if (v->type != CT_VALUE_NUMBER || v->number < 0 || v->number > 127)
		return -EINVAL;
	memset(to, 0, 16);
	to[15 - v->number / 8] = (uint8_t)(1u << v->number % 8);
	return 0;
}

/* One constant; with a wildcard a range. */
static int single(const struct ct_nft_part *part, const struct ct_value *v, uint8_t *from,
		  uint8_t *to)
{
	const struct type *t = &types[part->type];
	uint32_t size = ct_nft_part_size(part);
	const char *text = ct_value_str(v);
	int ret = -EINVAL;
	uint64_t n;

	if (t->spelling == SPELT_NAME)
		return text ? name(text, from, to) : -EINVAL;
	if (t->spelling == SPELT_LABEL)
		ret = label(v, from);
	else if (t->spelling == SPELT_ETHER && text)
		ret = ether(text, from);
	else if ((t->spelling == SPELT_IPV4 || t->spelling == SPELT_IPV6) && text)
		ret = address(text, size, from);
	else if (t->spelling != SPELT_ETHER && t->spelling != SPELT_IPV4 &&
		 t->spelling != SPELT_IPV6)
		ret = number(t, v, &n);
	else
		return -EINVAL;
	if (ret < 0)
		return ret;
	if (t->spelling != SPELT_LABEL && t->spelling != SPELT_ETHER && t->spelling != SPELT_IPV4 &&
	    t->spelling != SPELT_IPV6) {
		if (part->bits < 64 && n >> part->bits)
			return -EINVAL;
		ct_nft_put_number(from, size, n);
	}
	memcpy(to, from, size);
	return 0;
}

static int prefix(const struct ct_nft_part *part, const struct ct_value *v, uint8_t *from,
		  uint8_t *to)
{
	const struct ct_value *addr = ct_value_get(v, "addr");
	uint64_t len = ct_value_get_number(v, "len", UINT64_MAX);
	uint32_t size = ct_nft_part_size(part);

	if (!addr || len > part->bits || part->bits % 8 || single(part, addr, from, to) < 0)
		return -EINVAL;
	for (uint32_t i = 0; i < size; i++) {
		unsigned fixed = len > 8 * i ? (unsigned)(len - 8 * i) : 0;
		uint8_t open = (uint8_t)(fixed >= 8 ? 0 : 0xff >> fixed);

		from[i] &= (uint8_t)~open;
		to[i] = from[i] | open;
	}
	return 0;
}

static int part_constant(const struct ct_nft_part *part, const struct ct_value *v, uint8_t *from,
			 uint8_t *to)
{
	const struct ct_value *range = ct_value_get(v, "range"), *p = ct_value_get(v, "prefix");
	uint8_t unused[CT_NFT_MAX_DATA];

	if (p)
		return prefix(part, p, from, to);
	if (!range)
		return single(part, v, from, to);
	if (range->type != CT_VALUE_LIST || range->len != 2 ||
	    single(part, range->first, from, unused) < 0 ||
	    single(part, range->first->next, unused, to) < 0)
		return -EINVAL;
	return memcmp(from, to, ct_nft_part_size(part)) <= 0 ? 0 : -EINVAL;
}

int ct_nft_constant(const struct ct_nft_shape *shape, const struct ct_value *v,
		    struct ct_nft_data *from, struct ct_nft_data *to)
{
	const struct ct_value *parts = ct_value_get(v, "concat");
	unsigned i = 0;

	*from = *to = (struct ct_nft_data){ .size = ct_nft_shape_size(shape) };
	if (!shape->n || from->size > CT_NFT_MAX_DATA)
		return -EINVAL;
	if (shape->n == 1)
		return part_constant(&shape->part[0], v, from->bytes, to->bytes);
	if (!parts || parts->type != CT_VALUE_LIST || parts->len != shape->n)
		return -EINVAL;
	for (const struct ct_value *m = parts->first; m; m = m->next, i++) {
		uint32_t at = ct_nft_part_at(shape, i);

		if (part_constant(&shape->part[i], m, from->bytes + at, to->bytes + at) < 0)
			return -EINVAL;
	}
	return 0;
}

/* Spelling ---------------------------------------------------------------------------------- */

static const char *word_of(const struct type *t, uint64_t n)
{
	for (size_t i = 0; t->words && i < N_SYMBOLS; i++)
		if (symbols[i].list == t->words && symbols[i].number == n)
			return symbols[i].word;
	return t->spelling == SPELT_PROTO ? ct_rule_proto_name((uint8_t)n) : NULL;
}

static struct ct_value *spell_number(struct ct_arena *a, const struct type *t, uint64_t n)
{
	const char *word = word_of(t, n);

	if (t - types == CT_NFT_BOOLEAN)
		return ct_value_new(a, n ? CT_VALUE_TRUE : CT_VALUE_FALSE);
	return word ? ct_value_text(a, word) : ct_value_number(a, (int64_t)n);
}

/* One word for each bit, as bitmask types are listed. */
static struct ct_value *spell_bits(struct ct_arena *a, const struct type *t, uint64_t n)
{
	struct ct_value *list, *last = NULL;

	if (word_of(t, n) || !n)
		return spell_number(a, t, n);
	list = ct_value_new(a, CT_VALUE_LIST);
	for (unsigned bit = 0; list && bit < 64; bit++)
		if (n >> bit & 1) {
			last = ct_value_put(list, last, NULL,
					    spell_number(a, t, UINT64_C(1) << bit));
			if (!last)
				return NULL;
		}
	return list;
}

static struct ct_value *spell_label(struct ct_arena *a, const uint8_t *data)
{
	for (int bit = 0; bit < 128; bit++)
		if (data[15 - bit / 8] >> bit % 8 & 1)
			return ct_value_number(a, bit);
	return ct_value_number(a, 0);
}

static struct ct_value *spell_part(struct ct_arena *a, const struct ct_nft_part *part,
				   const uint8_t *data)
{
	const struct type *t = &types[part->type];
	union ct_addr addr = { 0 };
	char buf[64];
	struct ct_text text;

	ct_text_init(&text, buf, sizeof(buf));
	switch ((enum ct_nft_spelling)t->spelling) {
	case SPELT_NUMBER:
	case SPELT_PROTO:
	case SPELT_SERVICE:
		return spell_number(a, t, ct_nft_number(data, ct_nft_part_size(part)));
	case SPELT_BITS:
		return spell_bits(a, t, ct_nft_number(data, ct_nft_part_size(part)));
	case SPELT_LABEL:
		return spell_label(a, data);
	case SPELT_IPV4:
	case SPELT_IPV6:
		memcpy(addr.bytes, data, ct_nft_part_size(part));
		ct_addr_format(&addr, t->spelling == SPELT_IPV6 ? CT_FAMILY_IPV6 : CT_FAMILY_IPV4,
			       false, &text);
		break;
	case SPELT_ETHER:
		for (unsigned i = 0; i < 6; i++)
			ct_text_printf(&text, i ? ":%02x" : "%02x", data[i]);
		break;
	case SPELT_NAME:
		ct_text_put(&text, (const char *)data, strnlen((const char *)data, 16));
		break;
	}
	return ct_value_text(a, buf);
}

struct ct_value *ct_nft_spell(struct ct_arena *a, const struct ct_nft_shape *shape,
			      const uint8_t *data)
{
	struct ct_value *object, *list, *last = NULL;

	if (shape->n == 1)
		return spell_part(a, &shape->part[0], data);
	object = ct_value_new(a, CT_VALUE_OBJECT);
	list = ct_value_new(a, CT_VALUE_LIST);
	if (!object || !list || !ct_value_put(object, NULL, "concat", list))
		return NULL;
	for (unsigned i = 0; i < shape->n; i++) {
		last = ct_value_put(
			list, last, NULL,
			spell_part(a, &shape->part[i], data + ct_nft_part_at(shape, i)));
		if (!last)
			return NULL;
	}
	return object;
}
