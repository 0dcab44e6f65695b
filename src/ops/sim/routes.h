/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A machine's interfaces, addresses and routes out of text: what ip(8) prints as text or JSON, and
 * the same words by hand. conntune(8) describes the form.
 */
#ifndef OPS_SIM_ROUTES_H
#define OPS_SIM_ROUTES_H

#include "ops/host/host.h"
#include "ops/sim/machine.h"

/* Adds what @text says. -EINVAL with "NAME:LINE: sentence". */
int sim_routes_text(struct sim_machine *m, const char *name, const char *text, size_t len,
		    struct ct_err *err);

/* Adds what the file says; "-" is standard input. */
int sim_routes_file(struct sim_machine *m, const char *path, struct ct_err *err);

/* Asks a machine, live or copied, for addresses and routes of both families and for what it
 * forwards. -ENOENT with a sentence when a copy does not tell. */
int sim_routes_host(struct sim_machine *m, struct host *h, struct ct_err *err);

#endif
