/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the parts of `conntune trace` share: trace.c reads options and sends the conversation,
 * trace_out.c writes each packet's way, trace_rules.c knows the rules by number and text.
 */
#ifndef APP_CMD_TRACE_H
#define APP_CMD_TRACE_H

#include "app/cmd/cmd.h"
#include "ops/sim/case.h"
#include "ops/sim/talk.h"

/* The rules of a rule set, as they are written. */
struct trace_rules;

/* Null without memory; a null @rs has no rules. */
struct trace_rules *trace_rules_new(const struct ct_ruleset *rs);
/* The same for rules of nft, whose lines are handles. */
struct trace_rules *trace_rules_nft(const struct ct_ruleset *rs);
void trace_rules_free(struct trace_rules *r);

/* The rule that stands in @line of what was read: its text behind "-A CHAIN ", and its number in
 * the chain. Null when there is none. */
const char *trace_rules_find(const struct trace_rules *r, const char *table, const char *chain,
			     uint32_t line, unsigned *number);

/* True when the chain has rules. */
bool trace_rules_has(const struct trace_rules *r, const char *table, const char *chain);

/* One packet as it is told. */
struct trace_packet {
	unsigned number;
	ct_time at; /* since the first */
	const struct ct_way *way;
	const uint8_t *data; /* as it came */
	uint32_t size;
};

/* What became of a packet, in words. */
struct trace_outcome {
	char state[32]; /* "NEW/o" */
	enum sim_fate fate;
	char out[TALK_IFACE]; /* "" when it did not leave, or by an interface not told */
	char packet[256];     /* as it left or was delivered */
};

/* The flows of a conversation as it goes on: one with our engine, one with the kernel. */
struct trace_side {
	struct talk_flow flows[TALK_MAX_FLOWS];
	/* Where each end of a flow is: the interface, or the machine itself. */
	struct ct_way ends[TALK_MAX_FLOWS][2];
};

struct trace {
	struct writer *w;
	bool is_json;
	struct sim *sim;
	struct talk talk;
	struct trace_side ours, kernels;
	struct trace_outcome *kernel; /* owned: of each packet; or null */
	unsigned n_different;
	struct sim_machine *machine;
	struct trace_rules *rules4, *rules6, *rules_nft;
	uint8_t family; /* of the packet under way */
};

/* The head of a packet and the list of its steps; a ct_trace_fn on a struct trace for each of
 * these; and what became of it. */
void trace_begin(struct trace *t, const struct trace_packet *p);
void trace_step(void *user, const struct ct_trace *step);
void trace_end(struct trace *t, unsigned number, const struct ct_packet *p,
	       const struct ct_passage *was, enum sim_fate fate);

/* trace_live.c: takes rules, addresses, routes and settings of a machine, by reading only. 0, or a
 * negative errno with a sentence. */
int trace_live(struct sim_case *c, struct ct_engine_settings *settings, struct host *h,
	       struct ct_err *err);

/* trace_verify.c: sends the conversation through the running kernel and keeps what it makes of each
 * packet. 0, or a negative errno with a sentence. */
int trace_verify(struct trace *t, const struct sim_config *cfg, struct ct_err *err);

/* trace.c: how a step's packet comes, and what its arrival means for the flow. */
struct ct_way trace_way_of(const struct trace *t, struct trace_side *side,
			   const struct talk_step *s);
void trace_arrived(struct trace_side *side, const struct talk_step *s, const uint8_t *data,
		   uint32_t size, enum sim_fate fate, const char *out);

#endif
