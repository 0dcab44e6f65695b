/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Data of nft: bytes of a type. All numbers stand in network order, so that comparing bytes
 * compares numbers; names of interfaces fill 16 bytes; parts of a concatenation begin at
 * multiples of 4, as in the kernel's registers.
 */
#ifndef CT_NFT_TYPE_H
#define CT_NFT_TYPE_H

#include "lib/ruleset/nft/value.h"

#define CT_NFT_MAX_PARTS 8u
#define CT_NFT_MAX_DATA	 64u /* NFT_DATA_VALUE_MAXLEN */

enum ct_nft_type {
#define TYPE(id, name, bits, spelling, words) CT_NFT_##id,
#include "lib/ruleset/nft/type.def"
#undef TYPE
};

/* What one piece of data is. */
struct ct_nft_part {
	uint8_t type; /* enum ct_nft_type */
	uint16_t bits;
};

/* What an expression gives, what a set holds: one part, or several behind one another. */
struct ct_nft_shape {
	struct ct_nft_part part[CT_NFT_MAX_PARTS];
	uint8_t n; /* 0: not known */
};

struct ct_nft_data {
	uint8_t bytes[CT_NFT_MAX_DATA];
	uint32_t size;
};

/* The type of that name, or -1. */
int ct_nft_type_find(const char *name);

/* Bytes of one part; the place of part @i; bytes of all. */
uint32_t ct_nft_part_size(const struct ct_nft_part *part);
uint32_t ct_nft_part_at(const struct ct_nft_shape *shape, unsigned i);
uint32_t ct_nft_shape_size(const struct ct_nft_shape *shape);

/* True when what one gives can be looked up in the other. */
bool ct_nft_shape_fits(const struct ct_nft_shape *a, const struct ct_nft_shape *b);

/* A shape of one part. */
struct ct_nft_shape ct_nft_shape_of(enum ct_nft_type type, unsigned bits);

/* Puts @n into @size bytes in network order; and back, of at most 8 bytes. */
void ct_nft_put_number(uint8_t *to, uint32_t size, uint64_t n);
uint64_t ct_nft_number(const uint8_t *from, uint32_t size);

/* Reads a constant, a range, a prefix or (of parts) a concatenation of such into the first and the
 * last of what it stands for. -EINVAL when it is none that is understood. */
int ct_nft_constant(const struct ct_nft_shape *shape, const struct ct_value *v,
		    struct ct_nft_data *from, struct ct_nft_data *to);

/* Data as a value, as nft lists it. Null without memory. */
struct ct_value *ct_nft_spell(struct ct_arena *a, const struct ct_nft_shape *shape,
			      const uint8_t *data);

#endif
