/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The translator's inside, shared by its files.
 *
 *     nat.c      its life, decisions taken, packets rewritten      choose.c   the tuple
 *     source.c   who is mapped where, by source                    spread.c   the address
 *     rewrite.c  headers changed        error.c   errors of ICMP, outside and in
 *     payload.c  contents replaced      follow.c  what helpers announce
 */
#ifndef CT_NAT_NAT_H
#define CT_NAT_NAT_H

#include <conntune/nat.h>

enum { OUT_NAME = 16 }; /* IFNAMSIZ */

/* One decision about a source: the entry's place in the kernel's nf_nat_bysource. */
struct source {
	struct ct_handle entry;
	uint64_t hash;
	uint32_t next;
	char out[OUT_NAME]; /* the interface that it was masqueraded by, or "" */
};

struct sources {
	struct source *at; /* place 0 is never used */
	uint32_t *head;
	uint32_t n, max, n_heads, n_out;
};

struct ct_nat {
	struct ct_engine *engine;
	struct ct_memory memory;
	uint64_t key[2];
	uint64_t chance;
	struct sources sources;
	uint8_t *room;
};

static inline enum ct_dir ct_nat_other(enum ct_dir dir)
{
	return dir == CT_DIR_ORIG ? CT_DIR_REPLY : CT_DIR_ORIG;
}

/* nat.c */
void *ct_nat_alloc(struct ct_nat *nat, size_t size);
void ct_nat_release(struct ct_nat *nat, void *p, size_t size);
/* The kernel's get_random_u16() and get_random_u32_below(), from the seed. */
uint32_t ct_nat_random(struct ct_nat *nat, uint32_t below);

/* source.c */
int ct_source_add(struct ct_nat *nat, struct ct_handle h, const struct ct_entry *e);
struct source *ct_source_find(const struct ct_nat *nat, struct ct_handle h,
			      const struct ct_entry *e);
/* find_appropriate_src(): what another connection from the same source as @t, and in the zone of
 * @of, is mapped to, if that lies in the range. */
bool ct_source_mapped(const struct ct_nat *nat, const struct ct_tuple *t, const struct ct_entry *of,
		      const struct ct_nat_range *range, struct ct_tuple *out);
void ct_source_fini(struct ct_nat *nat);

/* spread.c: find_best_ips_proto() */
void ct_nat_spread(struct ct_tuple *t, const struct ct_nat_range *range, uint16_t zone,
		   enum ct_manip manip);

/* choose.c */
bool ct_nat_in_range(const struct ct_tuple *t, const struct ct_nat_range *range);
/* get_unique_tuple(): what @current becomes. @e is the entry of @h. */
void ct_nat_choose(struct ct_nat *nat, struct ct_handle h, const struct ct_entry *e,
		   const struct ct_tuple *current, const struct ct_nat_range *range,
		   enum ct_manip manip, struct ct_tuple *out);

/* error.c */
bool ct_nat_is_error(const struct ct_packet *p);
enum ct_verdict ct_nat_error(struct ct_nat *nat, struct ct_packet *p, enum ct_manip manip);

/* nat.c: ct_nat_setup() for an entry. */
enum ct_verdict ct_nat_setup_entry(struct ct_nat *nat, struct ct_handle h,
				   const struct ct_nat_range *range, enum ct_manip manip);

/* payload.c */
/* nf_nat_mangle_tcp_packet(): @size bytes that begin @at bytes into the payload become @text. */
bool ct_nat_replace(struct ct_nat *nat, struct ct_packet *p, uint32_t at, uint32_t size,
		    const char *text, uint32_t len);
/* nf_ct_seq_adjust() */
bool ct_nat_adjust(struct ct_nat *nat, struct ct_packet *p);

/* follow.c: the engine's helpers translate from now on. */
void ct_nat_take_part(struct ct_nat *nat);

#endif
