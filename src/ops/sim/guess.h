/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Roles that a recorded case leaves open: which hosts of a capture are behind the gateway (those
 * that begin connections), or which address is the host's own (the one in most packets).
 */
#ifndef OPS_SIM_GUESS_H
#define OPS_SIM_GUESS_H

#include "ops/sim/machine.h"

/* Reads the capture @path through and adds what it finds to @m. A negative errno with a sentence.
 */
int sim_guess_inside(struct sim_machine *m, const char *path, struct ct_err *err);
int sim_guess_local(struct sim_machine *m, const char *path, struct ct_err *err);

#endif
