/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Peers behind a translator answer to the address they saw. A capture holds the answers that they
 * gave on another day; here they are readdressed to what the run at hand has made of the flow, also
 * inside errors. Payloads are left alone.
 */
#ifndef OPS_SIM_FOLLOW_H
#define OPS_SIM_FOLLOW_H

#include <conntune/packet.h>

struct sim_follow;

/* Null without memory. */
struct sim_follow *sim_follow_new(void);
void sim_follow_free(struct sim_follow *f);

/* What came out of @out for the packet that went in; beyond a million flows nothing is learnt. */
void sim_follow_learn(struct sim_follow *f, const uint8_t *sent, uint32_t sent_size,
		      const uint8_t *left, uint32_t left_size, const char *out);

/* Readdresses @p, changed in @room (65536 bytes), as a real peer would send it. The interface that
 * it comes by then; null when the packet stays as it is. */
const char *sim_follow_apply(const struct sim_follow *f, struct ct_packet *p, uint8_t *room);

#endif
