/* SPDX-License-Identifier: BSD-2-Clause
 *
 * An event recording as packets: each connection is begun at its time, kept alive to its last
 * activity and brought into the state in which it ended, so that an engine under other timeouts
 * forgets it that much later or sooner.
 *
 * When it was last active is not in the events. It follows from when the entry ended and from the
 * timeout that its last state ran on. Packets in between are made up, often enough for the shortest
 * timeout that is tried; a recording therefore says nothing of sessions that break.
 */
#ifndef OPS_SWEEP_ECHO_H
#define OPS_SWEEP_ECHO_H

#include "ops/capture/capture.h"
#include "ops/events/events.h"
#include "ops/sweep/grid.h"
#include "ops/whatif/slot.h"

enum { ECHO_MAX_LIVES = 1 << 22 };

struct echo;

/* What was in the recordings. */
struct echo_counts {
	uint64_t n_lives;   /* connections */
	uint64_t n_unended; /* of which nobody knows when they ended */
	uint64_t n_gaps;
	uint64_t n_mute; /* of protocols whose packets are not made up: SCTP, DCCP */
	bool is_cut;
};

/* Reads the recording @path whole, at most ECHO_MAX_LIVES connections. -E2BIG, -ENOMEM, -EBADMSG
 * and what opening gives, each with a sentence. */
int echo_open(const char *path, struct echo **out, struct ct_err *err);
void echo_free(struct echo *e);
DEFINE_AUTO_FREE(echo);

void echo_counts(const struct echo *e, struct echo_counts *out);

/* The recorded machine's settings over the kernel's defaults. */
void echo_configure(const struct echo *e, struct ct_engine_config *out);

/* The timeouts among settings, by kind of entry. */
void echo_timeouts_of(const struct ct_engine_settings *s, struct whatif_timeouts *out);

/* Makes all ready; @shortest are the least timeouts that are tried, by kind. -ENOMEM; -E2BIG
 * when that would be packets without end; each with a sentence. */
int echo_begin(struct echo *e, const struct whatif_timeouts *shortest, struct ct_err *err);

/* The next packet, in the order of time: 1, or 0 at the end. Lives until the next call. */
int echo_next(struct echo *e, struct frame *out);

#endif
