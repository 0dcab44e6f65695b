/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The inside of a rehearsal, shared by its files: net.c makes the namespace, log.c reads what the
 * probe says, rehearse.c sends.
 */
#ifndef OPS_REHEARSE_INNER_H
#define OPS_REHEARSE_INNER_H

#include "ops/rehearse/rehearse.h"

enum { REHEARSE_GROUP = 77, REHEARSE_PACKET = 65536 + 1024 };

struct rehearse_tun {
	const char *name; /* borrowed from the machine */
	int fd;		  /* owned */
};

struct rehearsal {
	const struct rehearse_config *cfg;
	struct rehearse_tun tuns[REHEARSE_MAX_IFACES];
	unsigned n_tuns;
	int raw4, raw6, log; /* sockets, owned; -1 */
	uint8_t left[REHEARSE_PACKET], delivered[REHEARSE_PACKET];
	uint32_t delivered_size;
};

/* Makes interfaces, addresses, routes, rules, probe. A negative errno with a sentence. */
int rehearse_net_make(struct rehearsal *r, struct ct_err *err);

/* Opens the probe's messages. */
int rehearse_log_open(struct rehearsal *r, struct ct_err *err);

/* What the probe has said since the last call: tracking state, whether the packet passed FORWARD
 * or INPUT; a delivered one is kept in r->delivered. */
struct rehearse_said {
	char state[REHEARSE_STATE];
	bool is_forwarded, is_delivered;
};
void rehearse_log_read(struct rehearsal *r, struct rehearse_said *out);

#endif
