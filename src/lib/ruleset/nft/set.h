/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Sets and maps, named and anonymous: their elements, looking into them, elements that packets
 * add.
 */
#ifndef CT_NFT_SET_H
#define CT_NFT_SET_H

#include "lib/ruleset/nft/model.h"

/* Reads a set or map object with its elements. Null: no memory, or r->err says why not. */
struct ct_nft_set *ct_nft_set_read(struct ct_nft_reading *r, struct ct_value *object);

/* What a set must give. */
struct ct_nft_wanted {
	enum ct_nft_gives gives;
	const struct ct_nft_shape *data; /* of an anonymous one with GIVES_DATA */
	const char *kind;		 /* of objects, with GIVES_OBJECT */
};

/* The set a rule means: "@name", or an anonymous one, {"set": [...]}, of keys of that shape. Null:
 * there is none of that name, it is of other data, or no memory. */
struct ct_nft_set *ct_nft_set_of(struct ct_nft_reading *r, const struct ct_value *v,
				 const struct ct_nft_shape *key, struct ct_nft_wanted want);

/* An empty set for what packets add: a meter. */
struct ct_nft_set *ct_nft_set_new(struct ct_nft_reading *r, const struct ct_nft_shape *key);

/* The living element with that key, or null. */
struct ct_nft_elem *ct_nft_set_find(const struct ct_nft_set *set, const struct ct_nft_data *key,
				    ct_time now);

/* Adds an element that is not there; @timeout_s 0: the set's own. Null when the set is full or
 * without memory. */
struct ct_nft_elem *ct_nft_set_add(struct ct_nft_judging *j, struct ct_nft_set *set,
				   const struct ct_nft_data *key, uint64_t timeout_s);

/* Makes an element live on from now for that long; 0: for ever. */
void ct_nft_elem_renew(struct ct_nft_elem *e, ct_time now, uint64_t timeout_s);

/* Removes an element. */
void ct_nft_elem_end(struct ct_nft_set *set, struct ct_nft_elem *e);

/* Moments of expiry count from the first packet. */
void ct_nft_set_begin(struct ct_nft_set *set, ct_time now);

/* Brings the value of a set that packets changed up to date. -ENOMEM. */
int ct_nft_set_refresh(struct ct_arena *a, struct ct_nft_set *set, ct_time now);

/* Lets what an element remembers judge the packet: nft_set_elem_update_expr(). */
enum ct_nft_step ct_nft_elem_run(struct ct_nft_elem *e, struct ct_nft_judging *j);

#endif
