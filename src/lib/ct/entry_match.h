/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Which entries are meant: conditions on every field, all of which must hold.
 *
 * A condition is a list of values, one of which must fit; with ! in front, none of them may. What
 * is not known of an entry is equal to no value. Statuses are the exception: each of a list must
 * hold, and ! stands before one of them.
 */
#ifndef CT_ENTRY_MATCH_H
#define CT_ENTRY_MATCH_H

#include <conntune/entry.h>

enum ct_match_field {
#define MATCH(name, option, value, help) CT_MATCH_##name,
#include "lib/ct/entry_match.def"
#undef MATCH
	CT_MATCH_FIELDS
};

#define CT_MATCH_VALUES 16 /* in one list */

struct ct_match_net {
	union ct_addr addr;
	uint8_t family, bits;
};

struct ct_match_range {
	uint64_t from, to; /* both included */
};

/* One condition. Marks keep value and mask in a range's two numbers, states a set of state numbers
 * (bit by number) per protocol in ranges 0 tcp, 1 sctp, 2 dccp. */
struct ct_match_list {
	bool is_not;
	uint8_t n;
	union {
		struct ct_match_net net[CT_MATCH_VALUES];
		struct ct_match_range range[CT_MATCH_VALUES];
	};
};

struct ct_match {
	uint32_t fields; /* 1 << enum ct_match_field: conditions that were given */
	uint32_t status_on, status_off;
	struct ct_match_list list[CT_MATCH_FIELDS];
};

/* What only the caller can tell of an entry. */
struct ct_match_times {
	bool is_age_known, is_idle_known;
	uint64_t age_s, idle_s;
};

/* Adds the condition @value on @field. A field may be given once. -EINVAL with a sentence. */
int ct_match_add(struct ct_match *m, enum ct_match_field field, const char *value,
		 struct ct_err *err);

/* True when every condition holds. @times may be null. */
bool ct_match_entry(const struct ct_match *m, const struct ct_entry *e,
		    const struct ct_match_times *times);

/* The fields of an entry (enum ct_known) that the conditions look at. */
uint32_t ct_match_want(const struct ct_match *m);

/* True when @field was given. */
static inline bool ct_match_has(const struct ct_match *m, enum ct_match_field field)
{
	return m->fields >> field & 1;
}

#endif
