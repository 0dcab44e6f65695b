/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Answers to Linux 6.18 nf_conntrack_tcp_packet(), which chooses among the timeout of the state,
 * that for unacknowledged data and that for repeated segments; see idle.h.
 */
#include "ops/whatif/idle.h"

#include <netinet/in.h>

/* IP_CT_TCP_FLAG_DATA_UNACKNOWLEDGED */
#define TCP_DATA_UNACKED 0x10

static uint32_t shorter_of(uint32_t a_s, uint32_t b_s)
{
	if (a_s == 0 || b_s == 0)
		return a_s ? a_s : b_s;
	return a_s < b_s ? a_s : b_s;
}

/* Whether it stands when it was given @full_s and would have been given @then_s. */
static bool stands_by(const struct ct_entry *e, uint32_t full_s, uint32_t then_s, uint32_t *idle_s)
{
	*idle_s = e->timeout_s < full_s ? full_s - 1 - e->timeout_s : 0;
	return *idle_s < then_s;
}

static bool has_unacked(const struct ct_entry *e)
{
	bool is_pick_up = e->state == CT_TCP_ESTABLISHED &&
			  (e->known & (CT_KNOWN_STATUS | CT_KNOWN_FLAGS)) &&
			  !(e->status & CT_STATUS_SEEN_REPLY);

	return is_pick_up || ((e->known & CT_KNOWN_TCP) &&
			      ((e->tcp_flags[0] | e->tcp_flags[1]) & TCP_DATA_UNACKED));
}

static void take_clock(const struct ct_entry *e, uint32_t full_s, uint32_t then_s,
		       struct whatif_idle *out)
{
	out->full_s = full_s;
	out->then_s = then_s;
	out->stands = stands_by(e, full_s, then_s, &out->idle_s);
	out->stands_otherwise = out->stands;
}

/* A second clock that may have run: data that the source does not show as unacknowledged, repeated
 * segments, a closed window. Which one cannot be told when so little remains. */
static void take_second(const struct ct_entry *e, const struct whatif_timeouts *now,
			const struct whatif_timeouts *then, struct whatif_idle *out)
{
	bool are_flags_known = e->known & CT_KNOWN_TCP;
	uint32_t state_full_s = out->full_s, state_then_s = out->then_s, idle_s;
	uint32_t full_s = are_flags_known ? 0 : now->s[WHATIF_TCP_UNACKED];
	uint32_t then_s = then->s[WHATIF_TCP_UNACKED];

	if (full_s <= e->timeout_s) {
		full_s = now->max_retrans_s;
		then_s = then->max_retrans_s;
	}
	if (full_s <= e->timeout_s || full_s >= state_full_s)
		return;
	then_s = shorter_of(state_then_s, then_s);
	out->certainty = WHATIF_EITHER;
	if (are_flags_known) {
		out->stands_otherwise = stands_by(e, full_s, then_s, &idle_s);
		return;
	}
	/* where flags are not shown, a busy connection is likelier than one silent to its last
	 * minutes */
	take_clock(e, full_s, then_s, out);
	out->stands_otherwise = stands_by(e, state_full_s, state_then_s, &idle_s);
	if (e->state == CT_TCP_ESTABLISHED)
		out->slot = WHATIF_TCP_UNACKED;
}

static void judge_tcp(const struct ct_entry *e, const struct whatif_timeouts *now,
		      const struct whatif_timeouts *then, struct whatif_idle *out)
{
	uint32_t full_s = now->s[out->slot], then_s = then->s[out->slot];

	if (has_unacked(e)) {
		uint32_t unacked_s = now->s[WHATIF_TCP_UNACKED];

		if (e->state == CT_TCP_ESTABLISHED && unacked_s && unacked_s < full_s)
			out->slot = WHATIF_TCP_UNACKED;
		take_clock(e, shorter_of(full_s, unacked_s),
			   shorter_of(then_s, then->s[WHATIF_TCP_UNACKED]), out);
	} else {
		take_clock(e, full_s, then_s, out);
	}
	if (e->timeout_s <= out->full_s)
		take_second(e, now, then, out);
}

/* True when no packet would have set what remains to the setting. */
static bool is_apart(const struct ct_entry *e, struct whatif_idle *out)
{
	if (e->status & (CT_STATUS_OFFLOAD | CT_STATUS_HW_OFFLOAD))
		out->certainty = WHATIF_OFFLOAD;
	else if (e->status & CT_STATUS_FIXED_TIMEOUT)
		out->certainty = WHATIF_FIXED;
	else if (!(e->known & CT_KNOWN_TIMEOUT) || out->full_s == 0 || out->then_s == 0)
		out->certainty = WHATIF_UNAGED;
	return out->certainty != WHATIF_SURE;
}

void whatif_idle_of(const struct ct_entry *e, const struct whatif_timeouts *now,
		    const struct whatif_timeouts *then, struct whatif_idle *out)
{
	*out = (struct whatif_idle){ .slot = whatif_slot_of(e),
				     .stands = true,
				     .stands_otherwise = true };
	out->full_s = now->s[out->slot];
	out->then_s = then->s[out->slot];
	if (is_apart(e, out))
		return;
	if (e->tuple[CT_DIR_ORIG].proto == IPPROTO_TCP)
		judge_tcp(e, now, then, out);
	else
		take_clock(e, out->full_s, out->then_s, out);
	if (e->timeout_s > out->full_s) {
		out->certainty = WHATIF_LONGER;
		out->stands = out->stands_otherwise = true;
	}
}
