/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Rules that keep a service out of the tracker, both directions and hooks, together with the rules
 * that accept its packets where they were accepted while they were tracked.
 *
 *     notrack_read(&class, "tcp dport 8080", &err);
 *     notrack_make(&n, &class, text, len, CT_SYNTAX_IPTABLES, &err);     n.text are the new rules
 *     notrack_fini(&n);
 *
 * Each step is proved over every packet (lib/proof): where the exemption would silence a
 * translation it is refused, and accepting rules are added until none of the service's packets is
 * lost.
 */
#ifndef OPS_NOTRACK_NOTRACK_H
#define OPS_NOTRACK_NOTRACK_H

#include <conntune/err.h>
#include <conntune/ruleset.h>

#include "lib/base/buf.h"

/* Who the machine is for the service. */
enum notrack_role {
	NOTRACK_LOCAL,	 /* it offers it */
	NOTRACK_CLIENT,	 /* it uses it elsewhere */
	NOTRACK_FORWARD, /* it lies between */
};

#define NOTRACK_MAX_LINES 32
#define NOTRACK_MAX_WORDS 512

/* Packets of a service, as its clients send them: words for iptables. */
struct notrack_class {
	enum notrack_role role;
	bool is_loopback; /* what the machine says to itself, nothing else */
	uint8_t family;	  /* CT_FAMILY_UNSPEC: both */
	char proto[16];
	char src[64], dst[64], sport[32], dport[32]; /* empty: any */
};

/* A rule that is added. */
struct notrack_line {
	char table[32], chain[32];
	char words[NOTRACK_MAX_WORDS]; /* behind "-A CHAIN" */
	unsigned at;		       /* its number in the chain, from 1, once all are added */
};

struct notrack {
	struct ct_buf text; /* the whole new rule set */
	struct notrack_line line[NOTRACK_MAX_LINES];
	unsigned n_lines;
	bool was_done;	 /* all of it was untracked before, or nothing is tracked at all */
	unsigned n_lost; /* classes of packets that no added rule could save */
};

/* Reads "tcp dport 8080", "udp dst 192.0.2.53 dport 53", "loopback": the words of the packets that
 * clients send. -EINVAL with a sentence. */
int notrack_read(struct notrack_class *c, const char *text, struct ct_err *err);

/* Makes the new rules out of the present ones, @len bytes at @text in that @syntax. -EPERM with
 * the rule's words when a translation would be silenced; errors of reading and of proofs. */
int notrack_make(struct notrack *n, const struct notrack_class *c, const char *text, size_t len,
		 unsigned syntax, struct ct_err *err);
void notrack_fini(struct notrack *n);

#endif
