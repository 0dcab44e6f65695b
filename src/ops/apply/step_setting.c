/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A value of the kernel: one file of /proc/sys or /sys, one number.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ops/apply/inner.h"
#include "ops/host/write.h"

static int look(struct host *h, const struct journal *j, const struct step *p, enum step_found *out,
		char now[STEP_NOW], struct ct_err *err)
{
	auto_fini(ct_buf) struct ct_buf b = { 0 };
	int r = host_read(h, p->path, &b);

	(void)j;
	if (r < 0)
		return ct_err_set(err, r, "%s: %s", p->path, strerror(-r));
	(void)snprintf(now, STEP_NOW, "%.*s", (int)strcspn(b.p, " \t\n"), b.p);
	/* Old first: a step that changes nothing is not made, but may be read. */
	*out = strcmp(now, p->from) == 0 ? STEP_OLD
	       : strcmp(now, p->to) == 0 ? STEP_NEW
					 : STEP_OTHER;
	return 0;
}

static int write_value(struct host *h, const struct journal *j, const struct step *p, bool is_undo,
		       struct ct_err *err)
{
	const char *value = is_undo ? p->from : p->to;
	int r = host_write_value(h, p->path, value);

	(void)j;
	if (r < 0)
		return ct_err_set(err, r, "the kernel does not take %s: %s", value, strerror(-r));
	return 0;
}

const struct step_ops step_setting_ops = { .look = look, .write = write_value };
