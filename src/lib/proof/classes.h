/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A set of packets in words: as a few classes, each a product of values field by field, and for
 * each a packet that is in it.
 */
#ifndef CT_PROOF_CLASSES_H
#define CT_PROOF_CLASSES_H

#include <conntune/text.h>

#include "lib/proof/proof.h"

struct ct_class {
	enum ct_way_kind way;
	ct_dd value[N_FIELDS]; /* a set over that field alone; CT_DD_TRUE: any */
	ct_dd rest;	       /* choices under which it holds; CT_DD_TRUE: all */
};

/* One packet of a class. Text is NUL-terminated. */
struct ct_witness {
	enum ct_way_kind way;
	enum ct_proof_state state; /* what the tracker says of it */
	uint8_t family, proto, flags, icmp_type, icmp_code, tos, ttl;
	uint16_t sport, dport, length;
	uint32_t mark, connmark;
	union ct_addr src, dst;
	bool is_fragment, has_snat, has_dnat;
	uint8_t src_type, dst_type; /* enum ct_addr_type */
	char in[16], out[16];	    /* empty: none */
};

/* False ends it. */
typedef bool ct_class_fn(void *user, const struct ct_class *c);

/* Divides @set, packets of @way, into classes; those that cannot be belong to any. 0, 1 when @see
 * ended it, -ENOMEM. */
int ct_proof_classes(struct ct_proof *p, ct_dd set, enum ct_way_kind way, ct_class_fn *see,
		     void *user);

/* "NEW tcp from 10.0.0.0/8 to port 80,443 in by eth0": the class, at most @max values a field. */
void ct_class_text(struct ct_proof *p, const struct ct_class *c, unsigned max, struct ct_text *to);

/* The class as matches of an iptables rule, " -p tcp -m tcp --dport 8080"; what takes more than one
 * rule to say is left away, so that the matches may fit more than the class. */
void ct_class_rule(struct ct_proof *p, const struct ct_class *c, struct ct_text *to);

/* What the class also depends on, "set --match-set x src"; empty when on nothing. */
void ct_class_choices(struct ct_proof *p, const struct ct_class *c, struct ct_text *to);

/* A packet of the class, as usual a one as there is. */
void ct_class_witness(struct ct_proof *p, const struct ct_class *c, struct ct_witness *out);

/* "tcp 198.51.100.7:40000 > 192.0.2.10:8080 S", as `conntune trace` takes it. */
void ct_witness_text(const struct ct_witness *w, struct ct_text *to);

/* The same as the last of the packets that bring it into its state: "tcp ... S; < SA". @is_answer:
 * the other end began. */
void ct_witness_conversation(const struct ct_witness *w, bool is_answer, struct ct_text *to);

/* "NEW", ... */
const char *ct_proof_state_name(enum ct_proof_state s);

/* The leaf of fates @f for a witness; choices count as false. */
uint32_t ct_proof_fate_at(struct ct_proof *p, ct_dd f, const struct ct_witness *w);

#endif
