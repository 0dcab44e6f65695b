/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What translations change of a packet.
 */
#ifndef CT_PROOF_NAT_H
#define CT_PROOF_NAT_H

#include "lib/proof/session.h"

/* True for a rule whose target translates. */
bool ct_is_nat(const struct ct_rule *rule);

/* What the rule at a place makes of the first packet of a connection; null without memory. */
struct ct_dd_subst *ct_nat_rule_changes(const struct ct_place *at, bool is_dst);

/* What the entry of a translated connection makes of later packets: addresses that nobody can
 * say, of those that take the way. */
struct ct_dd_subst *ct_nat_entry_changes(struct ct_proof *p, enum ct_way_kind way, bool is_dst);

#endif
