/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A change of a machine as it is remembered on disk: its writes, each with what was there before,
 * and how far it got. Everything that is needed to take it back stands here before the first write.
 *
 *     writing   the undo is on disk; writes have been made, or some, or none
 *     waiting   all is written; it is taken back unless confirmed in time
 *     kept      all is written, and stays
 *     undoing   it is being taken back
 *     undone    it was taken back
 */
#ifndef OPS_APPLY_JOURNAL_H
#define OPS_APPLY_JOURNAL_H

#include <conntune/err.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/clean.h"
#include "ops/settings/words.h"

#define JOURNAL_MAX_BYTES (1u << 20)
#define JOURNAL_MAX_STEPS 256

enum journal_state {
#define STATE(name) JOURNAL_##name,
#include "ops/apply/state.def"
#undef STATE
	JOURNAL_STATES
};
const char *journal_state_name(enum journal_state s); /* "waiting" */

enum step_kind {
#define STEP(name) STEP_##name,
#include "ops/apply/step.def"
#undef STEP
	STEP_KINDS
};

/* One write. All text is borrowed from the journal. */
struct step {
	enum step_kind kind;
	uint64_t netns;	   /* the namespace it is made in, 0 for what knows none */
	const char *where; /* that namespace for people, or null for the machine */
	const char *what;  /* what changes: "nf_conntrack_max", "/etc/sysctl.d/..." */
	const char *path;  /* what is written: a file; for rules the program that reads them */
	const char *from;  /* the value before; for a file or rules the name of a saved text, null
			      for a file that was not there */
	const char *to;	   /* the value after; likewise, null for a file that is removed */
	uint32_t mode;	   /* of a file that is new */
};

/* Counters that may not rise faster than before the change: per second, 0 for any. */
struct journal_bounds {
	uint32_t drop, invalid, reset;
};

struct journal {
	unsigned number; /* from 1 */
	enum journal_state state;
	const char *boot;    /* the boot it was made in: what lives in the kernel ends with it */
	int64_t made_at;     /* Unix time */
	uint32_t within_s;   /* to be confirmed in this time; 0 needs no confirmation */
	int64_t deadline_ms; /* of that boot's uptime, while waiting */
	struct journal_bounds bounds;
	const char *reason; /* why it was made, or null */
	const char *why;    /* why it was taken back, or null */
	struct step *steps; /* owned; in the order of the writes */
	size_t n_steps;
	struct words words;
};

/* Adds a step; its text is copied. -E2BIG, -ENOMEM. */
int journal_add(struct journal *j, const struct step *s);

/* Copies @text into @j for as long as it lives; null for null and when memory is out. */
const char *journal_text(struct journal *j, const char *text);

/* Reads what journal_write() wrote; any other bytes are -EINVAL with a sentence. */
int journal_read(const char *text, size_t len, struct journal *out, struct ct_err *err);
int journal_write(const struct journal *j, struct ct_buf *out);

void journal_fini(struct journal *j);

#endif
