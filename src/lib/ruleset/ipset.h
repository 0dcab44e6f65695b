/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Sets of addresses, ports and the like, as ipset(8) keeps them. A set is a hash table of keys; a
 * network's key has its length, and a search tries the lengths that stand in the set.
 */
#ifndef CT_RULESET_IPSET_H
#define CT_RULESET_IPSET_H

#include <conntune/ruleset.h>
#include <conntune/tuple.h>

#include "lib/base/arena.h"

enum {
	IPSET_MAX_PARTS = 3,
	IPSET_MAX_NAME = 31,
	IPSET_LENGTHS = 129,
	IPSET_ANY_FAMILY = 255,
	IPSET_NAME_BUCKETS = 4096,
};

enum ipset_part {
	IPSET_END,
	IPSET_IP,
	IPSET_NET,
	IPSET_PORT,
	IPSET_BARE_PORT, /* of TCP or UDP, whichever */
	IPSET_MAC,
	IPSET_FREE_MAC, /* may be absent; the first packet then fills it in */
	IPSET_MARK,
	IPSET_IFACE,
	IPSET_MEMBER, /* another set */
};

struct ct_ipset_type {
	const char *name;
	uint8_t family; /* enum ct_family, IPSET_ANY_FAMILY, or 0 */
	uint8_t parts[IPSET_MAX_PARTS + 1];
};

/* What is looked up; zero where a type has no such part, and between its members. */
struct ct_ipset_key {
	union ct_addr addr[2];
	uint32_t mark;
	uint16_t port;
	uint8_t proto, len[2]; /* of networks */
	uint8_t mac[6], unused;
};

struct ct_ipset_element {
	struct ct_ipset_element *next; /* in its bucket */
	struct ct_ipset_key key;
	const char *iface;    /* of IPSET_IFACE, else null; "eth+" is a prefix */
	struct ct_ipset *set; /* of IPSET_MEMBER */
	uint64_t packets, bytes;
	ct_time left, expires; /* without a first packet, how long it has; then when; 0: never */
	uint8_t mac[6];	       /* of IPSET_FREE_MAC, with has_mac */
	bool has_mac, is_nomatch;
};

struct ct_ipset {
	struct ct_ipset *next, *next_named; /* in the file; in the bucket of its name */
	char name[IPSET_MAX_NAME + 1];
	const struct ct_ipset_type *type;  /* null: opaque */
	struct ct_arena *arena;		   /* borrowed */
	struct ct_ipset_element **buckets; /* owned */
	struct ct_ipset_element *unused;   /* what was deleted */
	uint32_t n_buckets, n, max;
	uint32_t n_of_length[2][IPSET_LENGTHS]; /* of each network part */
	union ct_addr mask;
	uint32_t mark_mask, first, last; /* of bitmaps */
	ct_time timeout;		 /* of an element that says nothing */
	uint8_t family;			 /* enum ct_family, 0: any */
	bool is_bitmap, has_timeout, has_counters, is_opaque, is_forced;
};

struct ct_ipsets {
	struct ct_arena arena;
	struct ct_ipset *first, **end, *named[IPSET_NAME_BUCKETS];
	uint32_t n, n_elements; /* sets; elements that were read */
	ct_time since;		/* the first packet: timeouts run from it */
	bool is_running;
};

/* Where the sets stand whose names have this hash. @len is at most IPSET_MAX_NAME. */
uint32_t ct_ipset_bucket(const char *name, size_t len);

/* The set of that name, or null. */
struct ct_ipset *ct_ipset_find(const struct ct_ipsets *s, const char *name, size_t len);

/* The type of that name, or null. */
const struct ct_ipset_type *ct_ipset_type_find(const char *name, size_t len);

/* How many parts a type has: the kernel's dimension. */
unsigned ct_ipset_dimension(const struct ct_ipset_type *t);

/* Bits of a family's address. */
unsigned ct_ipset_bits(const struct ct_ipset *set);

/* Clears the bits of @a beyond @len. */
void ct_ipset_cut(union ct_addr *a, unsigned len);

/* The element with this very key (and interface, or member), or null. */
struct ct_ipset_element *ct_ipset_get(const struct ct_ipset *set, const struct ct_ipset_key *key,
				      const char *iface, struct ct_ipset *member);

/* The first element of a key's bucket that has the key, then the others; null at the end. */
struct ct_ipset_element *ct_ipset_first(const struct ct_ipset *set, const struct ct_ipset_key *key);
struct ct_ipset_element *ct_ipset_next(struct ct_ipset_element *e);

/* A new element, with its key and all else zero; copies @iface. Null without memory. */
struct ct_ipset_element *ct_ipset_add(struct ct_ipset *set, const struct ct_ipset_key *key,
				      const char *iface, struct ct_ipset *member);

void ct_ipset_remove(struct ct_ipset *set, struct ct_ipset_element *e);

#endif
