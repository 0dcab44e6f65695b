/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Packets that shall not be tracked: a class in words, and the rules that a rule set of iptables
 * needs for it: NOTRACK in both directions, and for each rule that lets such packets in or out by
 * their state, one that lets them in or out without.
 */
#ifndef OPS_APPLY_UNTRACK_H
#define OPS_APPLY_UNTRACK_H

#include <conntune/entry.h>
#include <conntune/err.h>
#include <stdbool.h>

#include "lib/base/buf.h"

/* "tcp dport 8080": a service of this machine. "udp dst 10.0.0.53 dport 53": one that it uses.
 * "lo": its talk with itself. */
struct untrack_class {
	bool is_loopback;
	uint8_t family; /* enum ct_family, 0 both */
	uint8_t proto;	/* 0 with is_loopback */
	char proto_name[8];
	uint16_t port_from, port_to;
	char dst[64]; /* empty: this machine */
};

/* -EINVAL with a sentence. */
int untrack_parse(const char *text, struct untrack_class *out, struct ct_err *err);

/* Whether an entry is of a connection of the class, going by its first packet. For a service of
 * this machine the caller sees that it is this machine's. */
bool untrack_has(const struct untrack_class *c, const struct ct_entry *e);

/* What becomes of one rule set (iptables-save, or what restores it). */
struct untracked_rules {
	struct ct_buf restore; /* for iptables-restore --noflush: only the new rules */
	struct ct_buf whole;   /* the rule set with them in place */
	unsigned n_rules;      /* new ones */
	unsigned n_accepts;    /* of these, such that let packets pass */
};

/* Reckons the rules for @c in the rule set @text of @family, each with the comment @tag. A rule
 * that holds back new connections by their rate cannot be kept for packets without one:
 * -EOPNOTSUPP. */
int untrack_compose(const struct untrack_class *c, uint8_t family, const char *text,
		    const char *tag, struct untracked_rules *out, struct ct_err *err);

/* The rules with the comment @tag in a rule set, as the text that removes them; how many. */
int untrack_removal(const char *text, const char *tag, struct ct_buf *out, unsigned *n);

/* @text without any rule of ours, whatever change made it. */
int untrack_strip(const char *text, struct ct_buf *out);

/* How every comment of ours begins. */
#define UNTRACK_TAG "conntune:"

void untracked_rules_fini(struct untracked_rules *u);

#endif
