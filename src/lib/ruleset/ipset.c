/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Sets and their elements: see ipset.h.
 */
#include "lib/ruleset/ipset.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/sip.h"

#define FIRST_BUCKETS 16u

static const struct ct_ipset_type types[] = {
#define TYPE(name, family, ...) { name, family, { __VA_ARGS__ } },
#include "lib/ruleset/ipset.def"
#undef TYPE
};

const struct ct_ipset_type *ct_ipset_type_find(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strlen(types[i].name) == len && memcmp(types[i].name, name, len) == 0)
			return &types[i];
	return NULL;
}

unsigned ct_ipset_dimension(const struct ct_ipset_type *t)
{
	unsigned n = 0;

	while (t->parts[n] != IPSET_END)
		n++;
	return n;
}

unsigned ct_ipset_bits(const struct ct_ipset *set)
{
	return set->family == CT_FAMILY_IPV6 ? 128 : 32;
}

void ct_ipset_cut(union ct_addr *a, unsigned len)
{
	for (unsigned i = 0; i < sizeof(a->bytes); i++) {
		unsigned keep = len > i * 8 ? len - i * 8 : 0;

		if (keep < 8)
			a->bytes[i] &= (uint8_t)(0xff00 >> keep);
	}
}

static const uint64_t seed[2] = { UINT64_C(0x3c6ef372fe94f82b), UINT64_C(0xa54ff53a5f1d36f1) };

uint32_t ct_ipset_bucket(const char *name, size_t len)
{
	uint64_t words[(IPSET_MAX_NAME + 1) / 8] = { 0 };

	memcpy(words, name, len);
	return (uint32_t)ct_sip_words(seed, words, sizeof(words) / 8) % IPSET_NAME_BUCKETS;
}

struct ct_ipset *ct_ipset_find(const struct ct_ipsets *s, const char *name, size_t len)
{
	struct ct_ipset *set;

	if (len > IPSET_MAX_NAME)
		return NULL;
	set = s->named[ct_ipset_bucket(name, len)];
	while (set && (strncmp(set->name, name, len) != 0 || set->name[len] != '\0'))
		set = set->next_named;
	return set;
}

static uint32_t bucket_of(const struct ct_ipset *set, const struct ct_ipset_key *key)
{
	uint64_t words[sizeof(*key) / 8];

	_Static_assert(sizeof(*key) % 8 == 0, "whole words");
	memcpy(words, key, sizeof(*key));
	return (uint32_t)ct_sip_words(seed, words, sizeof(words) / 8) & (set->n_buckets - 1);
}

static struct ct_ipset_element *with_key(struct ct_ipset_element *e, const struct ct_ipset_key *key)
{
	while (e && memcmp(&e->key, key, sizeof(*key)) != 0)
		e = e->next;
	return e;
}

struct ct_ipset_element *ct_ipset_first(const struct ct_ipset *set, const struct ct_ipset_key *key)
{
	return set->n_buckets ? with_key(set->buckets[bucket_of(set, key)], key) : NULL;
}

struct ct_ipset_element *ct_ipset_next(struct ct_ipset_element *e)
{
	return with_key(e->next, &e->key);
}

struct ct_ipset_element *ct_ipset_get(const struct ct_ipset *set, const struct ct_ipset_key *key,
				      const char *iface, struct ct_ipset *member)
{
	struct ct_ipset_element *e = ct_ipset_first(set, key);

	while (e && (e->set != member || (iface && strcmp(e->iface, iface) != 0)))
		e = ct_ipset_next(e);
	return e;
}

/* Twice the buckets. False without memory. */
static bool grow(struct ct_ipset *set)
{
	uint32_t old = set->n_buckets;
	struct ct_ipset_element **buckets = set->buckets;

	set->n_buckets = old ? old * 2 : FIRST_BUCKETS;
	set->buckets = calloc(set->n_buckets, sizeof(struct ct_ipset_element *));
	if (!set->buckets) {
		set->buckets = buckets;
		set->n_buckets = old;
		return false;
	}
	for (uint32_t i = 0; i < old; i++)
		for (struct ct_ipset_element *e = buckets[i], *next; e; e = next) {
			struct ct_ipset_element **to = &set->buckets[bucket_of(set, &e->key)];

			next = e->next;
			e->next = *to;
			*to = e;
		}
	free(buckets);
	return true;
}

/* Counts an element's networks in, or out. */
static void note_lengths(struct ct_ipset *set, const struct ct_ipset_key *key, uint32_t by)
{
	set->n_of_length[0][key->len[0]] += by;
	set->n_of_length[1][key->len[1]] += by;
}

struct ct_ipset_element *ct_ipset_add(struct ct_ipset *set, const struct ct_ipset_key *key,
				      const char *iface, struct ct_ipset *member)
{
	struct ct_ipset_element *e = set->unused, **at;
	const char *name = iface ? ct_arena_copy(set->arena, iface, strlen(iface)) : NULL;

	if (iface && !name)
		return NULL;
	if (set->n >= set->n_buckets && !grow(set))
		return NULL;
	if (e)
		set->unused = e->next;
	else
		e = ct_arena_get(set->arena, sizeof(*e));
	if (!e)
		return NULL;
	/* Behind the others of its bucket: members of a list stand in one, and in their order. */
	for (at = &set->buckets[bucket_of(set, key)]; *at;)
		at = &(*at)->next;
	*e = (struct ct_ipset_element){ .key = *key, .iface = name, .set = member };
	*at = e;
	set->n++;
	note_lengths(set, key, 1);
	return e;
}

void ct_ipset_remove(struct ct_ipset *set, struct ct_ipset_element *e)
{
	struct ct_ipset_element **at = &set->buckets[bucket_of(set, &e->key)];

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	e->next = set->unused;
	set->unused = e;
	set->n--;
	note_lengths(set, &e->key, UINT32_MAX);
}

void ct_ipsets_free(struct ct_ipsets *s)
{
	if (!s)
		return;
	for (struct ct_ipset *set = s->first; set; set = set->next)
		free(set->buckets);
	ct_arena_fini(&s->arena);
	free(s);
}
