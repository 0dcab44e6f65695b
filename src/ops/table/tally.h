/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Entries counted by group in bounded memory.
 *
 *     tally_new(&options, &t);
 *     while (table_next(table, &e, err) > 0) tally_add(t, &e, 0);
 *     tally_sort(t);
 *     for (size_t i = 0; i < tally_n(t); i++) tally_group(t, i, &g), tally_value(t, i, 0, &v);
 *
 * Counts are exact as long as there are at most TALLY_MAX_GROUPS groups, so always for ports. With
 * more, the smallest groups are dropped (lossy counting after Manku and Motwani, 2002): a count is
 * then at most its group's `error` too low, and whoever is not shown has at most tally_missed().
 */
#ifndef OPS_TABLE_TALLY_H
#define OPS_TABLE_TALLY_H

#include <conntune/entry.h>

#include "lib/base/clean.h"

#define TALLY_MAX_GROUPS 65792u /* all ports, and a little */
#define TALLY_MAX_KEYS	 4

enum tally_key {
#define TALLY_KEY(name, width, want, text, title) TALLY_##name,
#include "ops/table/tally_key.def"
#undef TALLY_KEY
	TALLY_N_KEYS
};

/* Classes of idle time. */
#define TALLY_N_IDLE 8
extern const char *const tally_idle_text[TALLY_N_IDLE];
extern const uint32_t tally_idle_bound_s[TALLY_N_IDLE]; /* where each ends */

struct tally_options {
	enum tally_key keys[TALLY_MAX_KEYS];
	unsigned n_keys;   /* at least 1 */
	uint64_t seed;	   /* of the hash: by chance, so that nobody can choose collisions */
	size_t max_groups; /* 0 for TALLY_MAX_GROUPS */
	/* The timeout an entry in this state gets with each packet, in seconds, 0 unknown; for
	 * TALLY_IDLE. May be null. */
	uint32_t (*timeout_s)(const void *user, const struct ct_entry *e);
	const void *user;
};

struct tally;

/* The key called @text, or -1. */
int tally_key_find(const char *text, size_t len);
const char *tally_key_text(enum tally_key key);
const char *tally_key_title(enum tally_key key);

/* The fields of an entry that @o needs (enum ct_known), for table_options.want. */
uint32_t tally_want(const struct tally_options *o);

int tally_new(const struct tally_options *o, struct tally **out); /* copies @o; -ENOMEM */
void tally_free(struct tally *t);
DEFINE_AUTO_FREE(tally);

struct tally_group {
	uint64_t n, error;
	uint64_t packets, bytes, n_counted; /* of the entries that had counters */
};

/* Counts @e, of namespace number @netns. -ENOMEM. */
int tally_add(struct tally *t, const struct ct_entry *e, uint32_t netns);

/* Counts entries that are all like @e in what the keys look at; @g says how many, and what they
 * carried. -ENOMEM. */
int tally_add_group(struct tally *t, const struct ct_entry *e, uint32_t netns,
		    const struct tally_group *g);

/* Orders the groups: largest first, equal ones by their values. */
void tally_sort(struct tally *t);

size_t tally_n(const struct tally *t);	       /* groups held */
uint64_t tally_total(const struct tally *t);   /* entries counted */
uint64_t tally_missed(const struct tally *t);  /* most that a group not held can have */
uint64_t tally_counted(const struct tally *t); /* entries that had counters */

void tally_group(const struct tally *t, size_t i, struct tally_group *out);

/* The value of key number @k of group @i. */
struct tally_value {
	enum tally_key key;
	bool is_known;
	uint8_t proto;	 /* SERVICE, STATE */
	uint8_t family;	 /* SRC, DST */
	uint32_t number; /* of all but addresses */
	union ct_addr addr;
};
void tally_value(const struct tally *t, size_t i, unsigned k, struct tally_value *out);

/* Appends the value as people read it; "-" when unknown. A namespace is shown by number. */
void tally_value_text(const struct tally_value *v, struct ct_text *to);

#endif
