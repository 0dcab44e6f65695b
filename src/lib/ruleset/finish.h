/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What an extension adds and checks once all its options are read; named in ext.def. While these
 * run, the options of an extension stand in the order of its definition, absent ones with a null
 * def.
 */
#ifndef CT_RULESET_FINISH_H
#define CT_RULESET_FINISH_H

#include "lib/ruleset/ext.h"

typedef int ct_finish_fn(struct ct_reading *r, struct ct_rule *rule, struct ct_rule_ext *e);

ct_finish_fn ct_finish_cluster, ct_finish_connlimit, ct_finish_connmark, ct_finish_ct,
	ct_finish_hashlimit, ct_finish_limit, ct_finish_nat, ct_finish_nfqueue, ct_finish_owner,
	ct_finish_recent, ct_finish_reject, ct_finish_statistic, ct_finish_string, ct_finish_tcp,
	ct_finish_tcpmss, ct_finish_time, ct_finish_tproxy;

/* Gives @e the option @name with that value, as if it had been written. */
int ct_ext_give(struct ct_reading *r, struct ct_rule_ext *e, const char *name, const char *value);

/* The option when it was given, or null. */
struct ct_rule_option *ct_ext_given(const struct ct_rule_ext *e, const char *name);

/* Makes @e share the table that its name says; @expire_ms is how long buckets live. */
int ct_hashlimit_join(struct ct_reading *r, struct ct_rule_ext *e,
		      const struct ct_rule_option *rate, uint32_t expire_ms);

/* Gives @e a list of connections of its own. */
int ct_conncount_join(struct ct_reading *r, struct ct_rule_ext *e);

/* Makes @e share the list @name with all that name it; it must hold @hits moments an address. */
int ct_recent_join(struct ct_reading *r, struct ct_rule_ext *e, const char *name, uint32_t hits);

#endif
