/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Recording: the kernel's events of one namespace into a file, between two looks at its table.
 */
#ifndef OPS_EVENTS_RECORD_H
#define OPS_EVENTS_RECORD_H

#include <signal.h>

#include "ops/events/events.h"
#include "ops/host/host.h"

struct record_counts {
	uint64_t n_standing, n_still; /* entries at the beginning and at the end */
	uint64_t n_new, n_destroyed;
	uint64_t n_gaps; /* how often the kernel said that events were lost */
	uint64_t n_bad;	 /* messages that were no entries */
	uint64_t bytes;	 /* of the file */
	int64_t lasted_ms;
	enum event_stop stop;
};

struct record_options {
	int64_t for_ms;		    /* 0: until asked to stop */
	uint64_t max_bytes;	    /* of the file; 0 no limit */
	int room;		    /* bytes that the socket may hold */
	volatile sig_atomic_t *ask; /* becomes true when it is to stop */
	/* Is told now and then how far it has come; may be null. */
	void (*progress)(void *user, const struct record_counts *c);
	void *user;
};

/* Records what happens in the namespace of @h into @fd (borrowed). Begins with all that stands,
 * ends with all that stands then. What was recorded is in the file also when it fails: a negative
 * errno with a sentence; -EOPNOTSUPP when the kernel is told to make no events. */
int record_run(struct host *h, int fd, const struct record_options *o, struct record_counts *out,
	       struct ct_err *err);

#endif
