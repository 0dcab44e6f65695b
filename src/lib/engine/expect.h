/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Expectations: flows that a helper has read about, and helpers themselves.
 */
#ifndef CT_ENGINE_EXPECT_H
#define CT_ENGINE_EXPECT_H

#include "lib/engine/engine.h"

enum expect_flag {
	EXPECT_PERMANENT = 1 << 0,  /* is not used up by the entry that fulfils it */
	EXPECT_INACTIVE = 1 << 1,   /* not to be fulfilled yet */
	EXPECT_SRC_PART = 1 << 2,   /* the source part counts; else any will do */
	EXPECT_TWIN = 1 << 3,	    /* the one of the other direction ends with it */
	EXPECT_ANY_MASTER = 1 << 4, /* what another entry expects alike is good enough */
	EXPECT_FOLLOW = 1 << 5,	    /* translated as its master is: dir and saved_part count */
};

/* The tuple of the packet to come: from one address, to exactly one address and port. A helper
 * sets it, the class, the flags, and a helper for the new entry; the rest is set by registering. */
struct expect {
	struct ct_tuple tuple;
	uint8_t class; /* of the helper's limits */
	uint8_t flags;
	uint8_t gives;	    /* enum ct_helper */
	uint8_t dir;	    /* of the master, in which the new entry's first packet goes */
	ct_be16 saved_part; /* the destination's before translation */
	uint8_t helper;	    /* of the master, whose policy counts */
	uint32_t master;
	uint16_t zone;
	bool is_used;
	ct_tick deadline;
	uint32_t age;  /* the order of registration */
	uint32_t next; /* in its bucket, or on the free list */
};

/* The source key of GRE packets that tell only their destination's, struct nf_ct_gre_keymap. */
struct gre_key {
	struct ct_tuple tuple;
	uint32_t master;
	uint8_t dir;
};

struct expectations *ct_expect_new(struct ct_engine *en);
void ct_expect_free(struct ct_engine *en);

/* nf_ct_expect_related(): registers @want for entry @master. -EALREADY when another entry has the
 * same and @want may share, -EBUSY when it clashes with another's, -EMFILE when the table of
 * expectations is full. */
int ct_expect_register(struct ct_engine *en, uint32_t master, const struct expect *want);

/* nf_nat_exp_find_port(): the same, at the port that @want has or, if that is somebody else's, at
 * another; @want then has it. The port, in host order; 0 when there is none. */
uint16_t ct_expect_find_port(struct ct_engine *en, uint32_t master, struct expect *want);

/* True when there are any. */
bool ct_expect_any(const struct ct_engine *en);

/* nf_ct_find_expectation(): the expectation that a new entry's @t fulfils, used up by it unless
 * it is permanent. */
bool ct_expect_take(struct ct_engine *en, const struct ct_tuple *t, uint16_t zone,
		    struct expect *out);

/* nf_ct_expect_find_get(): the place of the one that @t would fulfil, active or not; 0 none. */
uint32_t ct_expect_find(struct ct_engine *en, const struct ct_tuple *t, uint16_t zone);
/* The oldest or newest of an entry's expectations in classes @classes (bits); 0 none. */
uint32_t ct_expect_extreme(const struct ct_engine *en, uint32_t master, unsigned classes,
			   bool is_newest);
struct expect *ct_expect_at(const struct ct_engine *en, uint32_t place);
/* Ends one; place 0 is none. */
void ct_expect_unlink(struct ct_engine *en, uint32_t place);
void ct_expect_prolong(struct ct_engine *en, uint32_t place, uint32_t seconds);

/* Ends expectations whose time is over. */
void ct_expect_advance(struct ct_engine *en);

/* The rare part of an entry, made when it is first wanted; null when memory is out. */
struct cold *ct_cold_of(struct ct_engine *en, uint32_t number);
/* The same, or null when there is none. */
struct cold *ct_cold_look(const struct ct_engine *en, const struct entry *e);
/* @child fulfils an expectation of @master; both have a rare part. */
void ct_cold_adopt(struct ct_engine *en, uint32_t child, uint32_t master);

/* The entry is forgotten, and with it its rare part and what it expects. */
void ct_cold_end(struct ct_engine *en, uint32_t number);

/* Doubles an array that is full; true when there is room. */
bool ct_mem_make_room(struct ct_engine *en, void **at, uint32_t n, uint32_t *max, size_t size,
		      uint32_t first);

/* Runs the helper of the packet's entry, nf_confirm(). False when the packet is to be dropped. */
bool ct_helper_run(struct ct_engine *en, struct ct_packet *p, struct entry *e);

/* The helpers. False when the packet is to be dropped. */
bool ct_ftp_help(struct ct_engine *en, struct ct_packet *p, struct cold *c);
bool ct_tftp_help(struct ct_engine *en, struct ct_packet *p);
void ct_pptp_help(struct ct_engine *en, struct ct_packet *p, struct cold *c);
bool ct_sip_help(struct ct_engine *en, struct ct_packet *p);

/* pptp.c: gre_keymap_lookup(), gives a tuple of GRE its source key if a call is known. */
void ct_gre_key(const struct ct_engine *en, const struct ct_packet *p, struct ct_tuple *t);
/* An entry with a rare part leaves the table: the calls of a control connection end with it. */
void ct_pptp_end(struct ct_engine *en, uint32_t number, enum ct_end end);
/* It is forgotten: the first entry of a call takes the keys of its session along. */
void ct_pptp_forget(struct ct_engine *en, uint32_t number);

#endif
