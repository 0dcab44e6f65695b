/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Combinations of values: see grid.h. A run's number counts through the axes, the last one
 * fastest, and behind them through the classes, all tracked first.
 */
#include "ops/sweep/grid.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/number.h"
#include "ops/sim/sysctl.h"

int grid_assign(struct ct_engine_config *engine, const char *name, uint64_t value,
		struct ct_err *err)
{
	struct ct_defrag_config defrag;
	struct ct_router router = { .rp_filter = 0 };
	const struct sim_sysctls to = { .engine = engine, .defrag = &defrag, .router = &router };
	char text[GRID_MAX_NAME + 32];

	ct_defrag_config_default(&defrag);
	(void)snprintf(text, sizeof(text), "%s=%" PRIu64, name, value);
	return sim_sysctl_assign(&to, text, err);
}

static int add_value(struct grid_axis *a, const char *text, size_t len, struct ct_err *err)
{
	struct ct_engine_config scratch;
	uint64_t v;

	if (a->n == GRID_MAX_VALUES)
		return ct_err_set(err, -E2BIG, "--sweep %s: more than %d values", a->name,
				  GRID_MAX_VALUES);
	if (ct_number_u64(text, len, UINT32_MAX, &v) < 0 &&
	    (!strstr(a->name, "timeout") || ct_number_duration(text, len, &v) < 0))
		return ct_err_set(err, -EINVAL, "--sweep %s: '%.*s' is no value", a->name, (int)len,
				  text);
	for (unsigned i = 0; i < a->n; i++)
		if (a->value[i] == v)
			return ct_err_set(err, -EINVAL, "--sweep %s: %" PRIu64 " comes twice",
					  a->name, v);
	ct_engine_config_default(&scratch);
	if (grid_assign(&scratch, a->name, v, err) < 0)
		return ct_err_wrap(err, -EINVAL, "--sweep");
	a->value[a->n++] = (uint32_t)v;
	return 0;
}

int grid_add(struct grid *g, const char *text, struct ct_err *err)
{
	size_t len = strcspn(text, "=");
	struct grid_axis *a = &g->axis[g->n_axes];
	int r = 0;

	if (text[len] != '=' || len == 0 || len >= GRID_MAX_NAME)
		return ct_err_set(err, -EINVAL, "--sweep takes NAME=VALUE,VALUE,..., not '%s'",
				  text);
	if (g->n_axes == GRID_MAX_AXES)
		return ct_err_set(err, -E2BIG, "more than %d settings to sweep", GRID_MAX_AXES);
	*a = (struct grid_axis){ .n = 0 };
	memcpy(a->name, text, len);
	for (unsigned i = 0; i < g->n_axes; i++)
		if (strcmp(g->axis[i].name, a->name) == 0)
			return ct_err_set(err, -EINVAL, "--sweep %s is given twice", a->name);
	for (text += len; r == 0 && *text; text += len) {
		text++;
		len = strcspn(text, ",");
		r = add_value(a, text, len, err);
	}
	g->n_axes += r == 0;
	return r;
}

int grid_n_runs(const struct grid *g, unsigned n_classes, unsigned *out, struct ct_err *err)
{
	uint64_t n = UINT64_C(1) << n_classes;

	for (unsigned i = 0; i < g->n_axes; i++)
		n *= g->axis[i].n;
	if (n > GRID_MAX_RUNS)
		return ct_err_set(err, -E2BIG,
				  "%" PRIu64 " combinations are more than the %d that are run at "
				  "once; sweep fewer values",
				  n, GRID_MAX_RUNS);
	*out = (unsigned)n;
	return 0;
}

unsigned grid_at(const struct grid *g, unsigned run, unsigned place[GRID_MAX_AXES])
{
	for (unsigned i = g->n_axes; i-- > 0;) {
		place[i] = run % g->axis[i].n;
		run /= g->axis[i].n;
	}
	return run;
}

int grid_configure(const struct grid *g, unsigned run, struct ct_engine_config *engine,
		   struct ct_err *err)
{
	unsigned place[GRID_MAX_AXES];
	int r = 0;

	(void)grid_at(g, run, place);
	for (unsigned i = 0; r == 0 && i < g->n_axes; i++)
		r = grid_assign(engine, g->axis[i].name, g->axis[i].value[place[i]], err);
	return r;
}
