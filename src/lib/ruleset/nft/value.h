/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Values as a listing of nft has them: what JSON can say, without JSON's spelling. A rule set keeps
 * the values it was read from, those that nobody understood included, and is written from them.
 */
#ifndef CT_NFT_VALUE_H
#define CT_NFT_VALUE_H

#include <conntune/ruleset.h>

#include "lib/base/arena.h"

#define CT_MAX_VALUE_DEPTH 48u /* values within values */

enum ct_value_type {
	CT_VALUE_NULL,
	CT_VALUE_FALSE,
	CT_VALUE_TRUE,
	CT_VALUE_NUMBER,
	CT_VALUE_REAL, /* its digits, as a string */
	CT_VALUE_STRING,
	CT_VALUE_LIST,
	CT_VALUE_OBJECT,
};

struct ct_value {
	struct ct_value *next; /* in the list or object around it */
	const char *key;       /* as a member of an object; else null */
	union {
		int64_t number;
		const char *text;
		struct ct_value *first; /* of a list, of an object */
	};
	uint32_t len; /* members */
	uint8_t type; /* enum ct_value_type */
};

/* A value in the arena; null when there is no memory. Strings are copied. */
struct ct_value *ct_value_new(struct ct_arena *a, enum ct_value_type type);
struct ct_value *ct_value_number(struct ct_arena *a, int64_t n);
struct ct_value *ct_value_text(struct ct_arena *a, const char *s);

/* Hangs @member, which has no owner yet, behind @last or, when that is null, as the first into
 * @around. @key: null in a list; borrowed, and lives as long. Returns @member, also null. */
struct ct_value *ct_value_put(struct ct_value *around, struct ct_value *last, const char *key,
			      struct ct_value *member);

/* The member of an object by its key; null when there is none or @v is no object (or null). */
struct ct_value *ct_value_get(const struct ct_value *v, const char *key);

/* The text of a string, of the string @key of an object; null otherwise. */
const char *ct_value_str(const struct ct_value *v);
const char *ct_value_get_str(const struct ct_value *v, const char *key);

/* A number of the member @key that is not negative; @otherwise when it is not there or none. */
uint64_t ct_value_get_number(const struct ct_value *v, const char *key, uint64_t otherwise);

/* Writes @v as JSON in one line: the spelling of nft -j. */
int ct_value_write(const struct ct_value *v, ct_ruleset_write_fn *write, void *user);

#endif
