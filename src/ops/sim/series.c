/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The table over time: see series.h.
 */
#include "ops/sim/series.h"

#include <string.h>

enum { PACKETS_PER_ENTRY = 8 };

static unsigned state_find(struct series *s, const struct ct_entry *e)
{
	struct series_state state = { .proto = e->tuple[0].proto };
	unsigned i;

	state.has_state = e->known & CT_KNOWN_STATE;
	state.state = state.has_state ? e->state : 0;
	state.is_unreplied = !state.has_state && !(e->status & CT_STATUS_SEEN_REPLY);
	for (i = 0; i < s->n_states; i++)
		if (memcmp(&s->states[i], &state, sizeof(state)) == 0)
			return i;
	if (i == SERIES_STATES)
		return i - 1;
	s->states[i] = state;
	s->n_states++;
	return i;
}

/* Keeps the first of every two. */
static void thin_out(struct series *s)
{
	for (unsigned i = 1; i < s->n / 2; i++) {
		s->at[i] = s->at[2 * i];
		s->count[i] = s->count[2 * i];
		memcpy(s->by_state[i], s->by_state[2 * i], sizeof(s->by_state[i]));
	}
	s->n /= 2;
	s->gap *= 2;
}

static void look(struct series *s, const struct ct_engine *en, ct_time now)
{
	struct ct_cursor cursor = { 0, 0 };
	uint32_t *row;
	struct ct_entry e;

	if (s->n == SERIES_MOMENTS)
		thin_out(s);
	row = s->by_state[s->n];
	memset(row, 0, sizeof(s->by_state[0]));
	s->at[s->n] = now;
	s->count[s->n] = 0;
	while (ct_engine_next(en, &cursor, &e) > 0) {
		row[state_find(s, &e)]++;
		s->count[s->n]++;
	}
	s->n++;
}

void series_note(struct series *s, const struct ct_engine *en, ct_time now, unsigned n_packets)
{
	s->cost += n_packets;
	if (s->gap == 0) {
		s->gap = SERIES_FIRST_GAP_NS;
		s->due = now;
	}
	if (now < s->due || (s->n > 0 && s->cost < PACKETS_PER_ENTRY * s->count[s->n - 1]))
		return;
	look(s, en, now);
	s->cost = 0;
	s->due = now + s->gap;
}

void series_end(struct series *s, const struct ct_engine *en, ct_time now)
{
	if (s->n > 0 && s->at[s->n - 1] == now)
		s->n--;
	look(s, en, now);
}
