/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Translation: which tuple a connection gets, and packets rewritten to it.
 *
 *     nat = ct_nat_new(&cfg, &err);
 *     ct_engine_in(engine, &p, now);
 *     ct_nat_setup(nat, &p, &range, CT_MANIP_DST);     a rule's decision, once a connection
 *     ct_nat_setup_null(nat, &p, CT_MANIP_DST);        or none: it stays what it is, if it can
 *     ct_nat_packet(nat, &p, CT_MANIP_DST);            each packet, wherever it meets NAT
 *
 * A packet's bytes are changed where it lends them (struct ct_packet: bytes); of one that lends
 * none, a copy is changed, in memory of the translator that serves until the next packet.
 *
 * Answers to Linux 6.18, net/netfilter/nf_nat_core.c and nf_nat_proto.c. What is random there
 * comes from the seed here.
 */
#ifndef CONNTUNE_NAT_H
#define CONNTUNE_NAT_H

#include <conntune/engine.h>
#include <conntune/nat_range.h>

struct ct_nat;

struct ct_nat_config {
	struct ct_engine *engine; /* borrowed, and told to translate what helpers announce */
	uint8_t seed[16];	  /* the same seed, the same choices */
	struct ct_memory memory;
};

/* Makes a translator; copies @cfg. Null with a sentence in @err (may be null) without memory. */
struct ct_nat *ct_nat_new(const struct ct_nat_config *cfg, struct ct_err *err);

/* Ends a translator, before its engine. Null is fine. */
void ct_nat_free(struct ct_nat *nat);

/* True when it is decided how that half of an entry with that @status is translated, even if not
 * at all. */
static inline bool ct_nat_is_set(uint32_t status, enum ct_manip manip)
{
	return status & (manip == CT_MANIP_SRC ? CT_STATUS_SRC_NAT_DONE : CT_STATUS_DST_NAT_DONE);
}

/* nf_nat_setup_info(): decides for the entry of @p, which is not confirmed yet; else nothing is
 * done, as there. CT_DROP when it is decided already or memory is out. */
enum ct_verdict ct_nat_setup(struct ct_nat *nat, const struct ct_packet *p,
			     const struct ct_nat_range *range, enum ct_manip manip);

/* nf_nat_alloc_null_binding(): no rule decides. The address stays, and so does the port unless
 * it makes the reply another's. */
enum ct_verdict ct_nat_setup_null(struct ct_nat *nat, const struct ct_packet *p,
				  enum ct_manip manip);

/* Rewrites @p as decided, errors about connections inside and out: nf_nat_packet(),
 * nf_nat_icmp_reply_translation(). CT_DROP when the packet cannot be. */
enum ct_verdict ct_nat_packet(struct ct_nat *nat, struct ct_packet *p, enum ct_manip manip);

/* Masquerading: remembers the interface that the entry of @p, just set up, leaves by; and whether
 * a packet of it leaves by another: nf_nat_oif_changed(). */
void ct_nat_remember_out(struct ct_nat *nat, const struct ct_packet *p, const char *out);
bool ct_nat_is_out_changed(const struct ct_nat *nat, const struct ct_packet *p, const char *out);

/* The interface went down, or lost @addr (null: all of it): entries that were masqueraded by it
 * end. Their count. */
unsigned ct_nat_forget_out(struct ct_nat *nat, const char *out, const union ct_addr *addr);

/* The bytes of @p, where they may be changed: its own, or a copy. */
uint8_t *ct_nat_bytes(struct ct_nat *nat, struct ct_packet *p);

#endif
