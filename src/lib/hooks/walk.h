/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A packet under way through the hooks, shared by the files that carry it.
 */
#ifndef CT_HOOKS_WALK_H
#define CT_HOOKS_WALK_H

#include <conntune/hooks.h>

struct passing {
	struct ct_hooks *h;
	struct ct_packet *p;
	const char *in; /* the interface; null: not told or none */
	struct ct_passage *out;
	struct ct_entry entry; /* with has_entry */
	bool has_entry;
	enum ct_at at;
	ct_time now;
	struct ct_rule_packet r;
};

/* hooks.c */
/* The rule set of the packet's family, or null. */
struct ct_ruleset *ct_walk_rules(const struct passing *g);
/* One table at the hook; false when the packet ends there. @o is what its rules made of it. */
bool ct_walk_table(struct passing *g, const char *table, struct ct_rule_outcome *o);
/* What the rules of @table made of the packet comes into force; false when it ends there. */
bool ct_walk_apply(struct passing *g, const char *table, const struct ct_rule_outcome *o);
/* The outcome depends on what @name stands for; the first doubt counts. */
void ct_walk_doubt(struct passing *g, const char *table, const char *name, uint32_t line);
/* Looks again at the packet's entry, or at one of its addresses, which has changed. */
void ct_walk_look_at_entry(struct passing *g);
void ct_walk_look_at_addr(struct passing *g, enum ct_manip half);
/* The packet ends here, by nobody's rule. Always false. */
bool ct_walk_end(struct passing *g);
void ct_walk_trace(struct passing *g, enum ct_trace_kind kind, const char *table,
		   const struct ct_rule_outcome *o);

/* bases.c: base chains of nft */
/* Where a walk through them stands: behind chain number @i of that priority. */
struct bases_at {
	int32_t priority;
	unsigned i;
	bool has_begun;
};
/* Those at the hook that are no NAT chains, up to @priority, itself counted with @is_through. False
 * when the packet ends there. */
bool ct_walk_bases(struct passing *g, struct bases_at *at, int32_t priority, bool is_through);
/* Those of NAT up to @priority, until one decides: @o says so. */
bool ct_walk_nat_bases(struct passing *g, struct bases_at *at, int32_t priority,
		       struct ct_rule_outcome *o);
/* Whether a chain of NAT is there for packets of this family. */
bool ct_walk_has_nat_base(const struct passing *g);

/* translate.c: nf_nat_inet_fn() */
bool ct_walk_translate(struct passing *g);

/* own_addr.c */
/* The address that a machine masquerades as: inet_select_addr(), ipv6_dev_get_saddr(). @hop: what
 * the packet is sent to. False when there is none. */
bool ct_own_addr_masquerade(const struct ct_router *r, uint8_t family, const char *iface,
			    const uint8_t *hop, union ct_addr *out);
/* The address that packets from @iface are redirected to: nf_nat_redirect_ipv4() and _ipv6(). */
bool ct_own_addr_redirect(const struct ct_router *r, uint8_t family, const char *iface,
			  const uint8_t *dst, union ct_addr *out);

#endif
