/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Checks: functions of constant facts that add findings and touch nothing else.
 *
 * checks.def lists them; to add one is a file, a line there, and a golden case.
 */
#ifndef OPS_DIAGNOSE_CHECK_H
#define OPS_DIAGNOSE_CHECK_H

#include "ops/facts/facts.h"
#include "ops/report/finding.h"

struct check {
	const char *id, *name, *title;
	void (*run)(const struct facts *f, struct report *r);
};
extern const struct check check_list[];
extern const size_t check_n;

/* Runs every check, or only those named in @only (comma-separated ids or names, may be null).
 * -EINVAL with a sentence for an unknown name, -ENOMEM. */
int check_run(const struct facts *f, const char *only, struct report *r, struct ct_err *err);

#endif
