/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The model of nft rules: what reading makes of a listing and judging walks. Everything lives in
 * the arena of its rule set. Beside what judging needs stand the values that were read: they are
 * what is written.
 */
#ifndef CT_NFT_MODEL_H
#define CT_NFT_MODEL_H

#include "lib/ruleset/eval.h"
#include "lib/ruleset/model.h"
#include "lib/ruleset/nft/type.h"

struct ct_nft_chain;
struct ct_nft_expr;
struct ct_nft_judging;
struct ct_nft_set;
struct ct_nft_stmt;

/* Where a rule sends a packet. */
enum ct_nft_code {
	CT_NFT_CONTINUE,
	CT_NFT_ACCEPT,
	CT_NFT_DROP,
	CT_NFT_RETURN,
	CT_NFT_QUEUE,
	CT_NFT_REJECT,
	CT_NFT_JUMP,
	CT_NFT_GOTO,
	CT_NFT_LOST, /* to a chain that the listing does not have */
};

struct ct_nft_verdict {
	struct ct_nft_chain *chain; /* with JUMP and GOTO */
	const char *name;	    /* of that chain, also when LOST */
	uint8_t code;		    /* enum ct_nft_code */
};

/* What remembers packets: a statement of a rule, an object with a name, part of an element. */
enum ct_nft_state_kind { CT_NFT_COUNTER, CT_NFT_QUOTA, CT_NFT_LIMIT };
struct ct_nft_state {
	struct ct_nft_state *next;    /* of the same element */
	struct ct_nft_state *sibling; /* all of the rule set */
	struct ct_value *value;	      /* where its numbers stand; null: nowhere */
	struct ct_value *n[2];	      /* counter: packets and bytes; quota: used and its unit */
	uint64_t packets, bytes;      /* counter; quota: bytes used */
	uint64_t max;		      /* quota: bytes; limit: tokens in ns */
	uint64_t rate, per_ns;	      /* limit */
	uint64_t tokens;
	ct_time last;
	uint8_t kind; /* enum ct_nft_state_kind */
	bool is_inverted, of_bytes, has_begun;
};

/* Expressions ------------------------------------------------------------------------------- */

/* Gives the data of an expression: YES; NO ends the rule (NFT_BREAK); UNSURE with j->doubt. */
typedef enum ct_truth ct_nft_load_fn(struct ct_nft_expr *e, struct ct_nft_judging *j,
				     struct ct_nft_data *out);

struct ct_nft_expr {
	ct_nft_load_fn *load;
	const char *name; /* what a doubt is about */
	struct ct_nft_shape shape;
	struct ct_nft_expr *first, *next; /* operands */
	const void *def;		  /* of a field or a key, for its loader */
	struct ct_nft_set *set;		  /* of a map */
	struct ct_nft_data *range;	  /* of a constant: its first and its last */
	uint32_t n[4];			  /* for its loader */
	uint64_t count;			  /* numgen */
};

/* Sets -------------------------------------------------------------------------------------- */

enum ct_nft_gives {
	CT_NFT_GIVES_NOTHING,
	CT_NFT_GIVES_DATA,
	CT_NFT_GIVES_VERDICT,
	CT_NFT_GIVES_OBJECT,
	CT_NFT_GIVES_UNKNOWN
};

struct ct_nft_elem {
	struct ct_nft_elem *next;      /* in its set */
	struct ct_nft_elem *chained;   /* of the same hash */
	uint8_t *from, *to;	       /* the same when it is one key; null: whatever else */
	uint8_t *data, *data_to;       /* with GIVES_DATA */
	struct ct_nft_verdict verdict; /* with GIVES_VERDICT */
	struct ct_nft_state *object;   /* with GIVES_OBJECT; null when it is not known */
	struct ct_nft_state *states;
	struct ct_value *value;	  /* as read; null: a packet added it */
	struct ct_value *expires; /* its number in value; or null */
	uint64_t timeout_s;
	ct_time until; /* 0: for ever */
	bool is_gone;
};

struct ct_nft_set {
	const char *name;
	struct ct_value *value; /* of the object; null: anonymous */
	struct ct_nft_shape key, data;
	struct ct_nft_elem *first, **end;
	struct ct_nft_elem *rest;   /* the one for all other keys; or null */
	struct ct_nft_elem **index; /* by hash of the key, or sorted when there are ranges */
	uint64_t timeout_s, max;
	uint32_t n_elems, index_size, n_live;
	uint8_t gives;	/* enum ct_nft_gives */
	bool is_opaque; /* keys or data of a type that is not known, or broken ones */
	bool has_ranges;
	bool is_changed; /* by packets: its elements are written anew */
};

/* Statements -------------------------------------------------------------------------------- */

/* What a statement makes of a packet: on to the next; no match; unknown (j->doubt); a verdict. */
enum ct_nft_step { CT_NFT_ON, CT_NFT_BREAK, CT_NFT_UNSURE, CT_NFT_END };
typedef enum ct_nft_step ct_nft_stmt_fn(struct ct_nft_stmt *s, struct ct_nft_judging *j);

enum ct_nft_stmt_flag {
	CT_NFT_PURE = 1 << 0,  /* asks and changes nothing: may be asked behind a doubt */
	CT_NFT_WATCH = 1 << 1, /* matters to nobody but those who read counters and logs */
};

struct ct_nft_stmt {
	ct_nft_stmt_fn *run;
	const char *name; /* what a doubt is about */
	struct ct_nft_stmt *next;
	struct ct_nft_expr *left, *right;
	struct ct_nft_set *set;
	struct ct_nft_state *state;
	struct ct_value *states; /* of elements that it adds */
	const char *text;
	struct ct_nft_verdict verdict;
	uint64_t timeout_s;
	uint8_t flags; /* enum ct_nft_stmt_flag */
	uint8_t op;    /* of a match, of a set statement, of what is set */
	uint8_t family, proto;
};

/* Rules ------------------------------------------------------------------------------------- */

struct ct_nft_rule {
	struct ct_nft_rule *next;
	struct ct_nft_stmt *first;
	uint32_t handle;
	bool is_opaque;
};

struct ct_nft_table {
	struct ct_nft_table *next;
	const char *name;
	uint32_t last_handle;
	uint8_t family; /* enum ct_family; 0 both of IP */
	bool is_ip;	/* false: of packets below IP, never met */
	bool is_dormant;
	const char *family_name;
};

struct ct_nft_chain {
	struct ct_nft_chain *next;
	struct ct_nft_table *table;
	const char *name;
	struct ct_nft_rule *first, **end;
	int32_t priority;
	uint8_t type;	/* enum ct_chain_type */
	uint8_t at;	/* enum ct_at */
	uint8_t policy; /* enum ct_nft_code */
	bool is_base;	/* stands at a hook that IP packets meet */
	uint16_t depth; /* of calls, as far as was looked */
};

/* Things by kind, table and name. */
struct ct_nft_name {
	struct ct_nft_name *next;
	const void *table;
	const char *kind, *name;
	void *thing;
};

/* One member of the listing, in its order. */
struct ct_nft_object {
	struct ct_nft_object *next;
	const char *kind;
	struct ct_value *value; /* with the kind around it */
	void *thing;		/* set, chain */
};

struct ct_nft {
	struct ct_arena *arena; /* the rule set's */
	struct ct_nft_object *objects, **objects_end;
	struct ct_nft_table *tables;
	struct ct_nft_state *states; /* by sibling */
	struct ct_nft_chain *chains, **chains_end;
	struct ct_nft_name **names;
	uint32_t names_size, n_names;
	struct ct_nft_chain **bases;
	uint32_t n_objects, n_elems, n_bases;
	uint64_t asked_fields[2]; /* of headers, that some rule looks at: bits by their number */
	ct_time now;		  /* of the last packet */
	bool has_begun;		  /* the first packet was here: expiries count from there */
};

/* What reading passes around. */
struct ct_nft_reading {
	struct ct_ruleset *rs;
	struct ct_nft *nft;
	struct ct_arena *arena;
	struct ct_nft_table *table;
	struct ct_nft_rule *rule; /* becomes opaque where something is not understood */
	struct ct_err *err;
	bool is_writing; /* the next field is set, not looked at */
	bool is_out_of_memory;
};

/* A packet on its way through a chain: nft_set_pktinfo(). */
struct ct_nft_judging {
	const struct ct_rule_packet *p;
	struct ct_rule_outcome *out;
	struct ct_nft *nft;
	struct ct_arena *arena;
	const uint8_t *ip, *l4; /* borrowed; l4 null when there is none */
	uint32_t size, l4_size;
	uint8_t family, proto;
	bool has_proto, is_fragment; /* not the first one */
	bool is_asking;		     /* behind a doubt: nothing may remember this packet */
	const char *doubt;
	struct ct_nft_verdict verdict; /* of CT_NFT_END */
};

/* A thing by its name, or null. */
void *ct_nft_find(const struct ct_nft *nft, const void *table, const char *kind, const char *name);

/* "a b" in the arena; never null (a constant without memory). */
const char *ct_nft_label(struct ct_nft_reading *r, const char *a, const char *b);

/* Zeroed memory; null is noted in @r. */
void *ct_nft_get(struct ct_nft_reading *r, size_t size);

#endif
