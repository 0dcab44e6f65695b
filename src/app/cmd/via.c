/* SPDX-License-Identifier: BSD-2-Clause
 *
 * --via, shared by the commands that walk the table.
 */
#include "app/cmd/via.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int via_parse(const char *value, enum table_via *out, struct ct_err *err)
{
	static const char *const names[] = { [TABLE_VIA_AUTO] = "auto",
					     [TABLE_VIA_NETLINK] = "netlink",
					     [TABLE_VIA_BPF] = "bpf",
					     [TABLE_VIA_BPF_PROBE] = "bpf-probe",
					     [TABLE_VIA_BPF_OLD] = "bpf-old" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i], value) == 0) {
			*out = (enum table_via)i;
			return 0;
		}
	}
	return ct_err_set(err, -EINVAL, "--via: '%s' is not netlink, bpf or auto", value);
}

/* Says what was kept back while the table was opened. */
static void tell(const struct common_options *common, enum table_via via, const struct ct_buf *log,
		 const struct ct_err *why_not)
{
	if (log->len)
		(void)fwrite(log->p, 1, log->len, stderr);
	if (why_not->text[0] && (via >= TABLE_VIA_BPF || common->is_debug))
		cmd_warn(common, "the table is not read in place: %s", why_not->text);
}

int via_open(const struct common_options *common, struct host *h, const struct table_options *o,
	     struct table **out, struct ct_err *err)
{
	auto_fini(ct_buf) struct ct_buf log = { 0 };
	struct ct_err why_not = { "" };
	struct table_options own = *o;
	int r;

	own.why_not = &why_not;
	own.log = common->is_debug ? &log : NULL;
	r = table_open(h, &own, out, err);
	tell(common, o->via, &log, &why_not);
	return r;
}

int via_look(const struct common_options *common, struct host *h, const struct look_options *o,
	     struct look **out, struct ct_err *err)
{
	auto_fini(ct_buf) struct ct_buf log = { 0 };
	struct ct_err why_not = { "" };
	struct look_options own = *o;
	int r;

	own.table.why_not = &why_not;
	own.table.log = common->is_debug ? &log : NULL;
	r = look_open(h, &own, out, err);
	tell(common, o->table.via, &log, &why_not);
	return r;
}
