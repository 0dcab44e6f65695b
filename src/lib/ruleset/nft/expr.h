/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Expressions: what the data are that a rule compares, looks up, sets.
 */
#ifndef CT_NFT_EXPR_H
#define CT_NFT_EXPR_H

#include "lib/ruleset/nft/model.h"

/* Reads an expression. @want: the shape of a constant or of the data of an anonymous map, when the
 * place tells; or null. What is not understood becomes an expression of which nothing is known;
 * null only without memory. */
struct ct_nft_expr *ct_nft_expr_read(struct ct_nft_reading *r, const struct ct_value *v,
				     const struct ct_nft_shape *want);

/* Loads the data of @e. */
enum ct_truth ct_nft_load(struct ct_nft_expr *e, struct ct_nft_judging *j, struct ct_nft_data *out);

/* Loads the first and the last of what @e stands for: a constant or a map may give a range. */
enum ct_truth ct_nft_load_range(struct ct_nft_expr *e, struct ct_nft_judging *j,
				struct ct_nft_data *from, struct ct_nft_data *to);

/* True when nothing is known of what @e gives. */
bool ct_nft_expr_is_opaque(const struct ct_nft_expr *e);

/* Readers of single kinds: fill @e from what stands behind the kind's name. -EINVAL: unknown. */
int ct_nft_payload_read(struct ct_nft_reading *r, const struct ct_value *v, struct ct_nft_expr *e);
int ct_nft_exthdr_read(struct ct_nft_reading *r, const struct ct_value *v, struct ct_nft_expr *e);
int ct_nft_tcp_option_read(struct ct_nft_reading *r, const struct ct_value *v,
			   struct ct_nft_expr *e);
int ct_nft_meta_read(struct ct_nft_reading *r, const struct ct_value *v, struct ct_nft_expr *e);
int ct_nft_ct_read(struct ct_nft_reading *r, const struct ct_value *v, struct ct_nft_expr *e);
int ct_nft_fib_read(struct ct_nft_reading *r, const struct ct_value *v, struct ct_nft_expr *e);
int ct_nft_numgen_read(struct ct_nft_reading *r, const struct ct_value *v, struct ct_nft_expr *e);
int ct_nft_jhash_read(struct ct_nft_reading *r, const struct ct_value *v, struct ct_nft_expr *e);

/* What the packet looks like to nft: nft_set_pktinfo(). -EBADMSG: neither IPv4 nor IPv6. */
int ct_nft_look(struct ct_nft_judging *j, const struct ct_rule_packet *p);

/* Whether some rule looks at the field of headers that @e stands for. */
bool ct_nft_is_asked(const struct ct_nft *nft, const struct ct_nft_expr *e);

/* The connection's state bits as `ct state` has them. */
uint32_t ct_nft_ct_state(const struct ct_nft_judging *j);

#endif
