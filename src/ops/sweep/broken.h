/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Sessions that one run broke: their entry ended by time or for room, and then more of their
 * packets came, which the tracker calls INVALID or takes for the beginning of something new.
 *
 * A TCP packet without SYN cannot begin a session, and of other protocols one that comes from the
 * side that answered. That a client begins anew is no break.
 */
#ifndef OPS_SWEEP_BROKEN_H
#define OPS_SWEEP_BROKEN_H

#include <conntune/engine.h>

#include "lib/base/clean.h"

struct broken;

/* Null when memory is out. */
struct broken *broken_new(void);
void broken_free(struct broken *b);
DEFINE_AUTO_FREE(broken);

/* An engine's event function, with a struct broken. */
void broken_event(void *user, const struct ct_event_info *info, const struct ct_entry *e);

/* Is shown each packet after the tracker. */
void broken_packet(void *user, const struct ct_packet *p);

/* Sessions so far. */
uint64_t broken_count(const struct broken *b);

/* Ended sessions that had to be forgotten, so that there may be as many more. */
uint64_t broken_forgotten(const struct broken *b);

#endif
