/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Asking the running kernel: packets go through a scratch network namespace that carries the
 * addresses, routes, settings and rules of a machine.
 *
 * The namespace belongs to one thread and has no name: it ends with that thread, and with the
 * process however that ends. Its interfaces are TUN devices; packets are written into them one at
 * a time, and the kernel has finished with each before the write returns. A table of its own
 * (nftables) reports by NFLOG how the tracker sees each packet and whether the filter let it pass;
 * it also keeps the kernel from answering by itself.
 */
#ifndef OPS_REHEARSE_REHEARSE_H
#define OPS_REHEARSE_REHEARSE_H

#include <conntune/engine.h>
#include <conntune/ruleset.h>

#include "ops/host/host.h"
#include "ops/sim/machine.h"
#include "ops/sim/sim.h"

enum { REHEARSE_MAX_IFACES = 32, REHEARSE_STATE = 32 };

struct rehearsal;

struct rehearse_config {
	struct host *host;				      /* borrowed: this machine */
	const struct sim_machine *machine;		      /* borrowed */
	const struct ct_ruleset *rules4, *rules6, *rules_nft; /* borrowed; or null */
	const struct ct_engine_settings *settings;	      /* borrowed */
};

/* What the kernel made of a packet. */
struct rehearse_result {
	char state[REHEARSE_STATE]; /* "NEW/o", "INVALID", ...; "-" when the tracker did not see it
				     */
	enum sim_fate fate;
	const char *out;     /* the interface it left by; or null */
	const uint8_t *data; /* as it left or was delivered; lives until the next packet */
	uint32_t size;
};

/* Makes the namespace, calls @act on its thread and ends it. What @act returns, or a negative errno
 * with a sentence: -EPERM without rights, -ENOENT without ip, nft or iptables-restore, -EINVAL
 * when the rules are refused. */
typedef int (*rehearse_fn)(void *user, struct rehearsal *r);
int rehearse(const struct rehearse_config *cfg, rehearse_fn act, void *user, struct ct_err *err);

/* Sends one packet: by the interface @way names, by the first when it names none, or as the machine
 * itself. A negative errno when the kernel does not take it. */
int rehearse_send(struct rehearsal *r, const uint8_t *data, uint32_t size, const struct ct_way *way,
		  struct rehearse_result *out);

#endif
