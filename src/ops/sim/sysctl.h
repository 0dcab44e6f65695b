/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Sysctls for an engine: one by one, or a file in the form of sysctl.conf(5).
 */
#ifndef OPS_SIM_SYSCTL_H
#define OPS_SIM_SYSCTL_H

#include <conntune/defrag.h>
#include <conntune/engine.h>

#include <conntune/route.h>

/* What a sysctl can change; borrowed. */
struct sim_sysctls {
	struct ct_engine_config *engine;
	struct ct_defrag_config *defrag;
	struct ct_router *router; /* ip_forward, rp_filter */
	/* Is told what of a file concerns the tracker and was passed over; may be null. */
	void (*remark)(void *user, const char *text);
	void *user;
};

/* "KEY=VALUE" with '.' or '/' in the key, whose first words may be left out. -EINVAL with a
 * sentence. */
int sim_sysctl_assign(const struct sim_sysctls *s, const char *text, struct ct_err *err);

/* Reads a file. What is not about tracking is passed over, and with a remark what is but has no
 * meaning here, or what stands behind a '-' and is wrong. -EINVAL with a sentence that names file
 * and line, or the errno of opening. */
int sim_sysctl_file(const struct sim_sysctls *s, const char *path, struct ct_err *err);

#endif
