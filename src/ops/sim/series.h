/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the table held over time, by state: a look at it now and then, at most SERIES_MOMENTS kept.
 * When there are more, every other one goes and looks become half as frequent.
 */
#ifndef OPS_SIM_SERIES_H
#define OPS_SIM_SERIES_H

#include <conntune/engine.h>

enum { SERIES_MOMENTS = 64, SERIES_STATES = 48, SERIES_FIRST_GAP_NS = 100000000 };

/* One kind of entry: a protocol and, where it has states, one of them. */
struct series_state {
	uint8_t proto, state;
	bool has_state, is_unreplied;
};

struct series {
	ct_time at[SERIES_MOMENTS];
	uint64_t count[SERIES_MOMENTS];
	uint32_t by_state[SERIES_MOMENTS][SERIES_STATES];
	struct series_state states[SERIES_STATES]; /* the last stands for all others when full */
	unsigned n, n_states;
	ct_time gap, due;
	uint64_t cost; /* packets since the last look pay for it */
};

/* Looks at the table when it is time and when the @n_packets since the last look are many enough
 * beside it; the engine's walk is then a small part of the work. */
void series_note(struct series *s, const struct ct_engine *en, ct_time now, unsigned n_packets);

/* The last look, whatever it costs. */
void series_end(struct series *s, const struct ct_engine *en, ct_time now);

#endif
