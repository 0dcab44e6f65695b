/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What shorter timeouts would break: connections silent for longer than the new timeout, whose
 * ends are still there.
 */
#ifndef OPS_WHATIF_BREAKS_H
#define OPS_WHATIF_BREAKS_H

#include "ops/facts/endpoints.h"
#include "ops/whatif/idle.h"

#define BREAKS_MAX_EXAMPLES 5

/* Where an entry that would be forgotten stands. */
enum breaks_verdict {
	BREAKS_NOT,	  /* stands, or is no connection that could still live */
	BREAKS_OPEN,	  /* a socket of this machine is open: it breaks */
	BREAKS_GONE,	  /* an end is here, without a socket: nothing breaks */
	BREAKS_FORWARDED, /* both ends elsewhere: it may break */
	BREAKS_UNKNOWN,	  /* no sockets or addresses are known: it may break */
	BREAKS_OTHER,	  /* not TCP: it may break */
	BREAKS_VERDICTS
};

struct breaks_example {
	struct ct_tuple tuple;
	uint32_t idle_s;
	bool has_keepalive;
};

struct breaks {
	const struct endpoints *ends; /* borrowed; null when nothing is known */
	uint64_t n[BREAKS_VERDICTS];
	uint64_t n_keepalive; /* of OPEN: it probes, but not soon enough */
	/* Open sockets whose entries stand now: */
	uint64_t n_late;   /* the next keepalive probe comes after the new timeout */
	uint64_t n_silent; /* no timer of theirs runs: only the program can keep them known */
	struct breaks_example example[BREAKS_MAX_EXAMPLES];
	unsigned n_examples; /* of OPEN */
};

/* Judges @e and counts it. */
enum breaks_verdict breaks_add(struct breaks *b, const struct ct_entry *e,
			       const struct whatif_idle *idle);

#endif
