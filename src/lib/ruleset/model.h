/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The model of a rule set: what reading fills and writing and judging walk. All of it lives in the
 * arena of its rule set and is constant afterwards, but for counters.
 */
#ifndef CT_RULESET_MODEL_H
#define CT_RULESET_MODEL_H

#include <conntune/ruleset.h>
#include <conntune/tuple.h>

#include "lib/base/arena.h"

struct ct_ext_def;
struct ct_nft;
struct ct_option_def;
struct ct_hashlimit;
struct ct_recent_list;
struct ct_rule_chain;
struct ct_rule_index;

/* One option of an extension, in two forms: the text that is written, and what judging needs. */
struct ct_rule_option {
	const struct ct_option_def *def;
	const char *text; /* normalised; null for an option without value */
	bool is_inverted, is_opaque;
	uint32_t n[4];		    /* meaning by kind: from and to, value and mask, bits */
	union ct_addr addr, to;	    /* to is the mask of a network, the end of a range */
	const uint16_t (*ports)[2]; /* multiport: n[0] ranges */
	const void *data;	    /* what else the kind has compiled */
};

/* A match or a target as a rule has it. */
struct ct_rule_ext {
	const struct ct_ext_def *def; /* null: unknown */
	const char *name;
	struct ct_rule_option *option; /* in the order of the definition */
	const char *verbatim;	       /* words nobody understood, as they stood; or null */
	struct ct_rule_ext *next;
	uint64_t state[2]; /* of matches that remember packets; zero before the first */
	void *shared;	   /* what several rules remember together: a list of recent */
	uint8_t n_options;
	bool is_opaque; /* some of it is not understood */
};

enum ct_rule_flag {
	CT_RULE_NOT_SRC = 1 << 0,
	CT_RULE_NOT_DST = 1 << 1,
	CT_RULE_NOT_IN = 1 << 2,
	CT_RULE_NOT_OUT = 1 << 3,
	CT_RULE_NOT_PROTO = 1 << 4,
	CT_RULE_FRAGMENT = 1 << 5,
	CT_RULE_NOT_FRAGMENT = 1 << 6,
	CT_RULE_GOTO = 1 << 7,
	CT_RULE_OPAQUE = 1 << 8, /* a match or the target is opaque */
};

enum ct_rule_verdict {
	CT_RULE_CONTINUE, /* no target */
	CT_RULE_ACCEPT,
	CT_RULE_DROP,
	CT_RULE_RETURN,
	CT_RULE_QUEUE,
	CT_RULE_JUMP, /* to `jump`, or goto */
	CT_RULE_EXT,  /* `target` decides */
};

struct ct_rule {
	struct ct_rule *next;
	union ct_addr src, dst, src_mask, dst_mask;
	const char *in, *out; /* null: any; "eth+" is a prefix */
	struct ct_rule_ext *match;
	struct ct_rule_ext *target; /* with CT_RULE_EXT */
	const char *jump_name;	    /* of verdict, target or chain; null without one */
	struct ct_rule_chain *jump; /* with CT_RULE_JUMP */
	uint64_t packets, bytes;
	uint32_t line;
	uint32_t number; /* in an indexed chain: its place */
	uint16_t flags;	 /* enum ct_rule_flag */
	uint8_t verdict; /* enum ct_rule_verdict */
	uint8_t proto;	 /* 0: any */
};

struct ct_rule_chain {
	struct ct_rule_chain *next;
	const char *name;
	struct ct_rule *first, **end;
	const struct ct_rule_index *index; /* of a long chain; or null */
	uint32_t n_rules, line;
	uint64_t packets, bytes; /* of the policy */
	uint8_t policy;		 /* enum ct_rule_verdict; CT_RULE_CONTINUE for a user chain */
	uint8_t hook;		 /* enum ct_rule_hook bit; 0 for a user chain */
	uint8_t hooks;		 /* from which hooks it is reached */
};

struct ct_rule_table {
	struct ct_rule_table *next;
	const char *name;
	const struct ct_table_def *def; /* null: unknown */
	struct ct_rule_chain *chains;	/* sorted: the kernel's first */
	uint32_t n_chains, line;
	struct ct_rule_chain **index; /* while reading: by hash of the name */
	uint32_t index_size;
};

/* The hooks as bits, where built-in chains stand: NF_INET_PRE_ROUTING and so on. */
enum ct_rule_hook {
	CT_BIT_PREROUTING = 1 << CT_AT_PREROUTING,
	CT_BIT_INPUT = 1 << CT_AT_INPUT,
	CT_BIT_FORWARD = 1 << CT_AT_FORWARD,
	CT_BIT_OUTPUT = 1 << CT_AT_OUTPUT,
	CT_BIT_POSTROUTING = 1 << CT_AT_POSTROUTING,
	CT_BIT_ANY = 31,
};

enum ct_table_bit {
	CT_IN_FILTER = 1 << 0,
	CT_IN_NAT = 1 << 1,
	CT_IN_MANGLE = 1 << 2,
	CT_IN_RAW = 1 << 3,
	CT_IN_SECURITY = 1 << 4,
	CT_IN_ANY = 31,
};

struct ct_table_def {
	const char *name;
	uint8_t bit, hooks; /* enum ct_table_bit; which built-in chains it has */
};

struct ct_ruleset {
	struct ct_arena arena;
	struct ct_recent_list *recent; /* named lists */
	struct ct_hashlimit *hashlimits;
	uint64_t seed; /* for chance, with has_seed */
	struct ct_rule_table *tables;
	struct ct_nft *nft; /* not null: nft's rules, and no tables above */
	struct ct_ruleset_size size;
	uint8_t family; /* enum ct_family */
	bool is_strict, has_seed;
};

/* The definition of a table, or null. */
const struct ct_table_def *ct_table_def_find(const char *name);

/* "PREROUTING" ... for one bit of enum ct_rule_hook. */
const char *ct_rule_hook_name(unsigned hook);

struct ct_rule_chain *ct_rule_chain_find(const struct ct_rule_table *t, const char *name);

#endif
