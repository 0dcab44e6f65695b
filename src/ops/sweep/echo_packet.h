/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The packets that stand for a connection of which only events are known: what it says at its
 * beginning, to stay, and at its end, by the kind of entry that it became.
 */
#ifndef OPS_SWEEP_ECHO_PACKET_H
#define OPS_SWEEP_ECHO_PACKET_H

#include "ops/whatif/slot.h"

enum echo_phase { ECHO_BEGIN, ECHO_KEEP, ECHO_END, ECHO_PHASES };

struct echo_packet {
	uint32_t size;
	uint8_t data[64];
};

/* Whether packets of IP protocol @proto can be made up. */
bool echo_can_speak(uint8_t proto);

/* How many packets a phase has; at least one. Those to stay are said one at a time, in turn. */
unsigned echo_script_len(enum whatif_slot slot, bool is_answered, enum echo_phase phase);

/* Packet @step of @phase of a connection that began with @t. */
void echo_packet_make(struct echo_packet *p, const struct ct_tuple *t, enum whatif_slot slot,
		      bool is_answered, enum echo_phase phase, unsigned step);

#endif
