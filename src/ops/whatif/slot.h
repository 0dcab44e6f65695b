/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The kinds of entries by the timeout they run on, and those timeouts now or under a change.
 *
 * Answers to Linux 6.18 tcp_timeouts[], sctp_timeouts[], udp_timeouts[] and their like.
 */
#ifndef OPS_WHATIF_SLOT_H
#define OPS_WHATIF_SLOT_H

#include <conntune/entry.h>

#include "ops/settings/settings.h"

enum whatif_slot {
#define SLOT(id, proto, key, text, knob, ends) WHATIF_##id,
#include "ops/whatif/slot.def"
#undef SLOT
	WHATIF_SLOTS
};

/* What ends an entry of a kind, as far as one can know without seeing it end. */
enum whatif_ends {
	WHATIF_BY_TIME, /* time only: each stays for the whole timeout */
	WHATIF_MOSTLY,	/* so do most: a question, an answer, silence */
	WHATIF_LIVES,	/* packets keep it as long as the connection has something to say */
	WHATIF_PASSES,	/* the next packet makes another kind of it */
};

const char *whatif_slot_text(enum whatif_slot slot); /* "tcp TIME_WAIT" */
enum whatif_ends whatif_slot_ends(enum whatif_slot slot);

/* The whole name of the setting, or null. */
const char *whatif_slot_knob(enum whatif_slot slot);

/* The kind of @e by protocol and state alone, so never TCP_UNACKED. */
enum whatif_slot whatif_slot_of(const struct ct_entry *e);

/* In seconds, 0 unknown. */
struct whatif_timeouts {
	uint32_t s[WHATIF_SLOTS];
	uint32_t max_retrans_s;
	bool is_assumed[WHATIF_SLOTS]; /* the default of the release, as no file shows it */
};

/* Out of the settings of a namespace; what no file shows is this release's default. */
void whatif_timeouts_of(const struct settings *s, struct whatif_timeouts *out);

/* Sets the timeout called @knob. False when no kind runs on it. */
bool whatif_timeouts_set(struct whatif_timeouts *t, const char *knob, uint32_t value_s);

#endif
