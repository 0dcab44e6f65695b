/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A packet's whole way: reassembly, raw, tracker, mangle, nat, filter, security at each hook it
 * passes, then confirm; and nft's base chains among them, each at its priority.
 *
 *     struct ct_hooks h = { .engine = en, .nat = nat, .rules4 = rs, .router = router };
 *     ct_packet_init(&p, bytes, size);
 *     if (ct_packet_receive(&p) == 0)
 *             ct_hooks_packet(&h, &p, &way, now, &passage);
 *
 * passage says what became of it; its data and size are the packet as it leaves.
 */
#ifndef CONNTUNE_HOOKS_H
#define CONNTUNE_HOOKS_H

#include <conntune/defrag.h>
#include <conntune/engine.h>
#include <conntune/nat.h>
#include <conntune/route.h>
#include <conntune/ruleset.h>

/* A moment of a packet's way that is told. */
enum ct_trace_kind {
	CT_TRACE_TRACK,	  /* the tracker has looked at it: packet->info, entry */
	CT_TRACE_RULE,	  /* a rule matched: table, chain, line, verdict */
	CT_TRACE_TABLE,	  /* a table is done: chain and line decided (line 0: its policy), fate */
	CT_TRACE_NAT,	  /* it was rewritten */
	CT_TRACE_ROUTE,	  /* it was routed: way_on */
	CT_TRACE_CONFIRM, /* its entry is in the table */
};

/* Everything lives for the call. */
struct ct_trace {
	enum ct_trace_kind kind;
	enum ct_at at;
	const char *table, *chain; /* null where there is none */
	const char *verdict;	   /* a target, "ACCEPT", the chain that is called; null: none */
	uint32_t line;
	enum ct_rule_fate fate;
	uint32_t mark;
	const struct ct_packet *packet; /* as it is now */
	const struct ct_entry *entry;	/* or null */
	const struct ct_routed *way_on; /* as far as it is known */
};
typedef void ct_trace_fn(void *user, const struct ct_trace *t);

struct ct_hooks {
	struct ct_engine *engine; /* borrowed; null: nothing is tracked */
	struct ct_defrag *defrag; /* borrowed; null: fragments stay what they are */
	/* Borrowed, of the same engine; null: where a rule asks for a translation, the outcome
	 * depends on it. It is at work for a family whose rules have a nat table with rules. */
	struct ct_nat *nat;
	struct ct_ruleset *rules4, *rules6; /* of iptables; borrowed; null: no rules */
	struct ct_ruleset *rules_nft;	    /* beside them; borrowed; null: no rules */
	struct ct_router router;
	ct_trace_fn *trace; /* may be null */
	void *trace_user;
	/* What is known of every packet: enum ct_rule_known and the members it stands for. */
	struct ct_rule_packet about;
};

/* How a packet came. */
struct ct_way {
	const char *in; /* the interface; null when it is not told, or when the packet is sent */
	bool is_sent;	/* by the host: begins at OUTPUT */
};

/* Where a packet ended and why. */
struct ct_passage {
	enum ct_rule_fate fate;
	bool is_through;   /* it came to its receiver, or out of the machine */
	bool is_waiting;   /* a fragment that waits for the others */
	const char *table; /* where it ended; null: in the tracker or in routing */
	enum ct_at at;	   /* the last hook it came to */
	bool is_tracked;   /* it came past the tracker, which looked at it or was told not to */
	struct ct_routed way_on; /* where routing sent it, as far as it came there */
	const char *depends_on;	 /* as in struct ct_rule_outcome; the first doubt on its way */
	const char *depends_table;
	uint32_t depends_line, line;
	uint32_t mark;
	uint8_t manips;	     /* which halves were rewritten: 1 << enum ct_manip */
	const uint8_t *data; /* the packet as it leaves, or as it was when it ended; it stays */
	uint32_t size;	     /* until the next one. Reassembled, it is whole */
};

/* Carries @p, which ct_packet_receive() took, along its way at @now. Counts in the rule sets;
 * confirms or releases its entry. Where @p does not lend its bytes, a copy is changed and
 * p->data then is that. */
void ct_hooks_packet(struct ct_hooks *h, struct ct_packet *p, const struct ct_way *way, ct_time now,
		     struct ct_passage *out);

#endif
