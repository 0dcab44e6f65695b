/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Checks: functions of constant facts that add findings and touch nothing else.
 *
 * checks.def lists them; to add one is a file, a line there, and a golden case. Every check adds
 * at least one finding: something wrong, "nothing wrong", or "not judged, because ...".
 */
#ifndef OPS_DIAGNOSE_CHECK_H
#define OPS_DIAGNOSE_CHECK_H

#include <conntune/err.h>

#include "ops/facts/facts.h"
#include "ops/report/finding.h"

struct check {
	const char *id, *name, *title;
	void (*run)(const struct facts *f, const struct check *c, struct report *r);
};
extern const struct check check_list[];
extern const size_t check_n;

/* Runs every check, or only those named in @only (comma-separated ids or names, may be null).
 * -EINVAL with a sentence for an unknown name, -ENOMEM. */
int check_run(const struct facts *f, const char *only, struct report *r, struct ct_err *err);

/* One line for the top of the screen: what is wrong now, and why as far as it is known. Text in
 * the report's arena. */
const char *check_verdict(const struct facts *f, struct report *r);

#define CHECK(id, name, title)                                                                     \
	void check_##name(const struct facts *f, const struct check *c, struct report *r);
#include "ops/diagnose/checks.def"
#undef CHECK

#endif
