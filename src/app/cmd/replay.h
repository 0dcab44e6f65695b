/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the parts of `conntune replay` share: replay.c reads options and runs, replay_out.c writes
 * table and summary, replay_packets.c a line for each packet, replay_events.c one for each change.
 */
#ifndef APP_CMD_REPLAY_H
#define APP_CMD_REPLAY_H

#include <conntune/text.h>
#include <stdio.h>
#include <time.h>

#include "app/cmd/cmd.h"
#include "app/cmd/list_forms.h"
#include "ops/sim/case.h"

/* What the options ask for. */
struct replay_options {
	struct sim_config cfg;
	struct sim_case of; /* the case, or what options say of machine and rules */
	bool is_case;
	bool wants_table, wants_packets, wants_events;
	enum list_form form; /* of the table */
	const char *out;     /* directory, or null */
	bool is_form_set;
};

struct replay {
	struct replay_options *o;
	struct sim *sim;
	FILE *packets; /* where they go, or null */
	bool is_json;  /* lines are objects */
	ct_time first; /* of the packets; known with the first of them */
	bool has_first;
	struct timespec progress; /* when it was shown last */
	char events[4096];	  /* of the packet under way, in the trace's form */
	size_t events_len;
	struct ct_text line;
	char *line_room; /* owned, LIST_MAX_ITEM bytes */
};

/* Notes an event for the packet's line: letter, state, flags. */
void replay_note_event(struct replay *r, const struct ct_event_info *info,
		       const struct ct_entry *e);

/* The packets: the head of the columns, and a line for each; a sim_packet_fn on a struct replay. */
void replay_packets_head(FILE *to);
void replay_packet(void *user, const struct sim_packet *p);

/* Writes an event as conntrack -E -o timestamp does, with why it ended; or as an object. */
void replay_put_event(struct replay *r, const struct ct_event_info *info, const struct ct_entry *e);

/* Tracking state and direction, "NEW/o"; "-" when the packet did not come past the tracker. */
void replay_state(const struct ct_packet *p, const struct ct_passage *was, struct ct_text *to);

/* The packet in one word: "tcp:10.0.0.1:1000>10.0.0.2:80,S". */
void replay_brief(const uint8_t *data, uint32_t size, struct ct_text *to);

/* The table in @form, sorted. -ENOMEM. */
int replay_table(const struct replay *r, enum list_form form, FILE *to);

/* The counters with the columns of /proc/net/stat/nf_conntrack, as JSON. */
void replay_stats(const struct replay *r, FILE *to);

/* What happened, for people or programs. */
int replay_summary(const struct replay *r, struct writer *w);

/* A rule set with its counters. 0 or a negative errno. */
int replay_rules(const struct ct_ruleset *rs, FILE *to);

#endif
