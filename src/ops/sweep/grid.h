/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What a sweep varies: lists of values for settings, and classes of packets that are tracked or
 * not. Every combination is one run.
 */
#ifndef OPS_SWEEP_GRID_H
#define OPS_SWEEP_GRID_H

#include "ops/sim/sim.h"
#include "ops/whatif/change.h"

enum {
	GRID_MAX_RUNS = 256,
	GRID_MAX_AXES = 8,
	GRID_MAX_VALUES = 64,
	GRID_MAX_NAME = 64,
};

struct grid_axis {
	char name[GRID_MAX_NAME]; /* as it was given */
	unsigned n;
	uint32_t value[GRID_MAX_VALUES];
};

struct grid {
	struct grid_axis axis[GRID_MAX_AXES];
	unsigned n_axes;
};

/* Takes "NAME=VALUE,VALUE,...": a setting of the tracker, "max" or "buckets"; times also with a
 * unit. -EINVAL or -E2BIG with a sentence. */
int grid_add(struct grid *g, const char *text, struct ct_err *err);

/* How many combinations, with @n_classes of packets that are tracked or not. -E2BIG with a
 * sentence beyond GRID_MAX_RUNS. */
int grid_n_runs(const struct grid *g, unsigned n_classes, unsigned *out, struct ct_err *err);

/* The place of run @run on each axis; the bits of the classes that it does not track. */
unsigned grid_at(const struct grid *g, unsigned run, unsigned place[GRID_MAX_AXES]);

/* Gives @engine the values of run @run. -EINVAL with a sentence. */
int grid_configure(const struct grid *g, unsigned run, struct ct_engine_config *engine,
		   struct ct_err *err);

/* Gives @engine one value, by any name of the setting. -EINVAL with a sentence. */
int grid_assign(struct ct_engine_config *engine, const char *name, uint64_t value,
		struct ct_err *err);

#endif
