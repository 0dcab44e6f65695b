/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the parts of `conntune replay` share: replay.c reads options and feeds the engine,
 * replay_out.c writes what became of it.
 */
#ifndef APP_CMD_REPLAY_H
#define APP_CMD_REPLAY_H

#include <conntune/defrag.h>
#include <conntune/engine.h>
#include <stdio.h>

#include "app/cmd/cmd.h"
#include "lib/hooks/route.h"

enum {
	REPLAY_MAX_LOCAL = 64,
	REPLAY_MAX_SKIPPED = 32,
	REPLAY_INFOS = CT_INFO_INVALID + 1,
	REPLAY_PATH = 4096,
	REPLAY_MAX_HELPERS = 16,
};

/* A rule that gives a helper to new flows to a port. */
struct replay_helper {
	uint8_t helper, proto;
	uint16_t port;
};

struct replay_options {
	struct ct_engine_config engine;
	struct ct_defrag_config defrag;
	bool wants_table, wants_packets, fixes_checksums, pads;
	bool is_host;	 /* the capture was made on the host that `local` describes */
	const char *out; /* directory, or null */
	struct ct_route_addr local[REPLAY_MAX_LOCAL];
	unsigned n_local;
	struct replay_helper helpers[REPLAY_MAX_HELPERS];
	unsigned n_helpers;
	char capture[REPLAY_PATH];   /* the case's, or empty */
	char numbering[REPLAY_PATH]; /* the capture whose frames are counted, or empty */
};

/* Reads DIR/case.json into @o. -EINVAL with a sentence. */
int replay_read_case(struct replay_options *o, const char *dir, struct ct_err *err);

/* Adds ADDR or ADDR/LEN to the machine's addresses. -EINVAL with a sentence. */
int replay_add_local(struct replay_options *o, const char *text, struct ct_err *err);

/* Adds NAME:PORT to the helpers. -EINVAL with a sentence. */
int replay_add_helper(struct replay_options *o, const char *text, struct ct_err *err);

/* Reads settings in the form of sysctl.conf. -EINVAL with a sentence. */
int replay_read_settings(struct replay_options *o, const char *path, struct ct_err *err);

/* Frames without an IP packet, by reason. */
struct replay_skipped {
	const char *why;
	uint64_t n;
};

struct merge;

struct replay {
	const struct replay_options *o;
	struct ct_engine *en;
	struct ct_defrag *defrag;
	struct merge *numbering; /* borrowed; or null */
	FILE *trace;		 /* where the packets go, or null */
	ct_time first, last;
	uint64_t n_packets, n_refused, n_fragments, n_dropped, n_unrouted;
	struct ct_router router;
	uint64_t by_info[REPLAY_INFOS];
	struct replay_skipped skipped[REPLAY_MAX_SKIPPED];
	char events[4096]; /* of the packet under way, in the trace's form */
	size_t events_len;
};

/* Notes an event for the trace: letter, state, flags. An engine's event function. */
void replay_event(void *user, const struct ct_event_info *info, const struct ct_entry *e);

/* The trace: its head, and a line for one packet. @is_refused: IP input did not take it. */
void replay_trace_head(FILE *to);
void replay_trace(struct replay *r, const struct ct_packet *p, uint64_t number, ct_time at,
		  enum ct_route route, bool is_refused);

/* The table as /proc/net/nf_conntrack would show it, sorted. -ENOMEM. */
int replay_table(const struct replay *r, FILE *to);

/* The counters with the columns of /proc/net/stat/nf_conntrack, as JSON. */
void replay_stats(const struct replay *r, FILE *to);

/* What happened, for people or programs. */
int replay_summary(const struct replay *r, struct writer *w);

#endif
