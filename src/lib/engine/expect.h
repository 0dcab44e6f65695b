/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Expectations: flows that a helper has read about, and helpers themselves.
 */
#ifndef CT_ENGINE_EXPECT_H
#define CT_ENGINE_EXPECT_H

#include "lib/engine/engine.h"

/* The tuple of the packet to come: from any port of one address, to exactly one address and port.
 */
struct expect {
	struct ct_tuple tuple;
	uint32_t master;
	uint16_t zone;
	uint8_t helper; /* of the master, whose policy counts */
	bool is_used;
	ct_tick deadline;
	uint32_t age;  /* the order of registration */
	uint32_t next; /* in its bucket, or on the free list */
};

struct expectations *ct_expect_new(struct ct_engine *en);
void ct_expect_free(struct ct_engine *en);

/* nf_ct_expect_related(): registers what the tuple of @want describes for entry @master. -1 when
 * it clashes with another's or the table of expectations is full. */
int ct_expect_register(struct ct_engine *en, uint32_t master, const struct ct_tuple *want);

/* True when there are any. */
bool ct_expect_any(const struct ct_engine *en);

/* nf_ct_find_expectation(): the master of the expectation that @t fulfils, which is used up by
 * it; 0 when there is none. */
uint32_t ct_expect_take(struct ct_engine *en, const struct ct_tuple *t, uint16_t zone);

/* nf_ct_remove_expectations(): the entry ends. */
void ct_expect_forget(struct ct_engine *en, uint32_t master);

/* Ends expectations whose time is over. */
void ct_expect_advance(struct ct_engine *en);

/* The rare part of an entry, made when it is first wanted; null when memory is out. */
struct cold *ct_cold_of(struct ct_engine *en, uint32_t number);
/* The same, or null when there is none. */
struct cold *ct_cold_look(const struct ct_engine *en, const struct entry *e);
void ct_cold_give(struct ct_engine *en, struct entry *e);

/* Runs the helper of the packet's entry, nf_confirm(). False when the packet is to be dropped. */
bool ct_helper_run(struct ct_engine *en, struct ct_packet *p, struct entry *e);

/* The helpers; @data is what layer 4 carries. */
bool ct_ftp_help(struct ct_engine *en, struct ct_packet *p, struct cold *c);
bool ct_tftp_help(struct ct_engine *en, struct ct_packet *p);

#endif
