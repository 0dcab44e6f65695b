/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A socket sends what arrives as the original tuple when it began the connection, and as the reply
 * tuple when it answers: translated addresses stand in the other one. See breaks.h.
 */
#include "ops/whatif/breaks.h"

#include <netinet/in.h>

#define TICKS_PER_S 100 /* USER_HZ, in which the kernel shows timers */

static bool is_open_kind(enum whatif_slot slot)
{
	return slot == WHATIF_TCP_ESTABLISHED || slot == WHATIF_TCP_UNACKED ||
	       slot == WHATIF_TCP_FIN_WAIT || slot == WHATIF_TCP_CLOSE_WAIT;
}

/* The socket whose next packet will be the sooner one, when both ends are here. */
static const struct socket_line *socket_of(const struct endpoints *ends, const struct ct_entry *e)
{
	const struct socket_line *found = NULL;

	for (unsigned d = 0; d < CT_DIR_MAX; d++) {
		const struct socket_line *s = endpoints_socket(ends, &e->tuple[d]);

		if (s && (!found || found->timer == SOCKET_TIMER_NONE ||
			  (s->timer != SOCKET_TIMER_NONE && s->timer_ticks < found->timer_ticks)))
			found = s;
	}
	return found;
}

static enum breaks_verdict without_socket(const struct endpoints *ends, const struct ct_entry *e)
{
	for (unsigned d = 0; d < CT_DIR_MAX; d++)
		if (endpoints_is_own(ends, &e->tuple[d].src, e->tuple[d].family))
			return endpoints_is_cut(ends) ? BREAKS_UNKNOWN : BREAKS_GONE;
	return endpoints_knows_own(ends) ? BREAKS_FORWARDED : BREAKS_UNKNOWN;
}

static void add_example(struct breaks *b, const struct ct_entry *e, uint32_t idle_s,
			bool has_keepalive)
{
	if (b->n_examples < BREAKS_MAX_EXAMPLES)
		b->example[b->n_examples++] =
			(struct breaks_example){ e->tuple[CT_DIR_ORIG], idle_s, has_keepalive };
}

static enum breaks_verdict judge_gone(struct breaks *b, const struct ct_entry *e,
				      const struct whatif_idle *idle)
{
	const struct socket_line *s;
	bool has_keepalive;

	if (!is_open_kind(idle->slot))
		return BREAKS_OTHER;
	if (!b->ends)
		return BREAKS_UNKNOWN;
	s = socket_of(b->ends, e);
	if (!s)
		return without_socket(b->ends, e);
	has_keepalive = s->timer == SOCKET_TIMER_KEEPALIVE;
	b->n_keepalive += has_keepalive;
	add_example(b, e, idle->idle_s, has_keepalive);
	return BREAKS_OPEN;
}

/* An entry that stands today may be forgotten before its ends speak again. */
static void judge_standing(struct breaks *b, const struct ct_entry *e,
			   const struct whatif_idle *idle)
{
	const struct socket_line *s =
		is_open_kind(idle->slot) && b->ends ? socket_of(b->ends, e) : NULL;

	if (!s)
		return;
	b->n_silent += s->timer == SOCKET_TIMER_NONE;
	b->n_late += s->timer == SOCKET_TIMER_KEEPALIVE &&
		     idle->idle_s + s->timer_ticks / TICKS_PER_S >= idle->then_s;
}

enum breaks_verdict breaks_add(struct breaks *b, const struct ct_entry *e,
			       const struct whatif_idle *idle)
{
	enum breaks_verdict v = BREAKS_NOT;

	if (whatif_slot_ends(idle->slot) != WHATIF_LIVES || idle->then_s >= idle->full_s)
		return BREAKS_NOT;
	if (!idle->stands)
		v = judge_gone(b, e, idle);
	else if (idle->certainty <= WHATIF_EITHER)
		judge_standing(b, e, idle);
	b->n[v]++;
	return v;
}
