/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Extensions: matches and targets as data. ext.def has one entry for each; reading, writing and
 * checking walk the entries and know no extension by name.
 */
#ifndef CT_RULESET_EXT_H
#define CT_RULESET_EXT_H

#include "lib/ruleset/eval.h"
#include "lib/ruleset/kind.h"
#include "lib/ruleset/model.h"

#define CT_MAX_OPTIONS 32 /* of one extension */

struct ct_option_def {
	const char *name;     /* as written, without dashes */
	const char *also;     /* other spellings, between blanks: " a b " */
	ct_kind_fn *kind;     /* reads the value; null: there is none */
	const char *words;    /* for kinds that choose among words */
	const char *as;	      /* the option that this one becomes once it is read */
	const char *standard; /* the value that counts when the option is absent, and is written */
	const char *silent;   /* the normalised value that is not written */
	uint32_t max;	      /* for kinds of numbers: the largest; of text: its length */
	uint8_t n_args;	      /* words of the value */
	bool can_not, is_required;
	bool is_unwritten; /* read, but never written */
};

enum ct_ext_type { CT_EXT_MATCH, CT_EXT_TARGET };

/* What an extension asks of the rule around it. */
enum ct_ext_need {
	CT_NEED_PORTS = 1 << 0,	    /* a protocol with ports */
	CT_NEED_ANY_PROTO = 1 << 1, /* some protocol */
	CT_NEED_OPTION = 1 << 2,    /* at least one option */
	CT_NEED_ONE = 1 << 3,	    /* exactly one of its options */
};

struct ct_ext_def {
	const char *name;
	const struct ct_option_def *options; /* ends with a null name */
	/* Looks over a read extension and fills what depends on several options. Null: nothing. */
	int (*finish)(struct ct_reading *r, struct ct_rule *rule, struct ct_rule_ext *e);
	ct_match_fn *match;    /* is it true of a packet? null: never known */
	ct_target_fn *target;  /* what it does with a packet; null: nothing is known */
	uint8_t type;	       /* enum ct_ext_type */
	uint8_t family;	       /* enum ct_family, unspecified for both */
	uint8_t proto;	       /* the only protocol it is for, when not 0 */
	uint8_t need;	       /* enum ct_ext_need */
	uint8_t tables, hooks; /* where it may stand; 0 anywhere */
};

/* The extension of that name for a family, or null. */
const struct ct_ext_def *ct_ext_find(enum ct_ext_type type, const char *name, uint8_t family);

/* The match that belongs to a protocol and is loaded without -m; or null. */
const struct ct_ext_def *ct_ext_of_proto(uint8_t proto, uint8_t family);

/* The option of @e with that name, or null when it was not given. */
struct ct_rule_option *ct_ext_option(const struct ct_rule_ext *e, const char *name);

/* A rule as iptables-save words it: "-A INPUT -p tcp -j ACCEPT". */
void ct_rule_words(const struct ct_ruleset *rs, const struct ct_rule_chain *c,
		   const struct ct_rule *rule, struct ct_text *to);

/* A read extension as iptables-save words it, after -m or -j; cut to @size bytes. */
void ct_rule_ext_words(const struct ct_rule_ext *e, char *to, size_t size);

#endif
