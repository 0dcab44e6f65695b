/* SPDX-License-Identifier: BSD-2-Clause
 *
 * RC23, RC26: limits of other tables with the same symptoms, and flushing as a habit.
 */
#include <string.h>

#include "ops/diagnose/judge.h"

static bool exceeded(const struct facts *f, const struct check *c, struct report *r)
{
	bool is_said = false;

	for (unsigned i = 0; i < f->n_allowances; i++) {
		struct finding *x;

		if (f->allowance[i].value == 0 || !strstr(f->allowance[i].counter, "conntrack"))
			continue;
		is_said = true;
		x = judge_add(f, r, c, SEVERITY_WARNING, NULL,
			      "The cloud's own connection table was full: %s dropped %llu packets.",
			      f->allowance[i].interface, (unsigned long long)f->allowance[i].value);
		finding_evidence(r, x, f->allowance[i].counter,
				 report_text(r, "ethtool -S %s", f->allowance[i].interface), "%llu",
				 (unsigned long long)f->allowance[i].value);
		if (!x)
			continue;
		x->cause = "The instance type has a limit of tracked connections outside this "
			   "machine. Nothing here can raise it.";
		x->remedy = "A larger instance; security group rules that need no tracking (all "
			    "traffic allowed in both directions); shorter idle timeout of the "
			    "network interface.";
	}
	return is_said;
}

void check_elsewhere(const struct facts *f, const struct check *c, struct report *r)
{
	if (exceeded(f, c, r))
		return;
	if (f->has_cilium_map || f->has_calico_map) {
		struct finding *x = judge_add(f, r, c, SEVERITY_NOTE, NULL,
					      "%s tracks connections in a BPF map of its own; this "
					      "table does not show them.",
					      f->has_cilium_map ? "Cilium" : "Calico");

		if (x)
			x->remedy =
				f->has_cilium_map
					? "cilium status --verbose and cilium bpf ct list global "
					  "show it; bpf-ct-global-tcp-max sets its size."
					: "calico-node -bpf conntrack dump shows it; "
					  "bpfMapSizeConntrack sets its size.";
		return;
	}
	judge_ok(r, c, "%s",
		 f->n_allowances ? "The cloud's allowance was not exceeded."
				 : "No sign of another table with a limit.");
}

void check_flush(const struct facts *f, const struct check *c, struct report *r)
{
	struct finding *x;

	if (f->n_flushes == 0) {
		judge_ok(r, c, "No cron job flushes the table.");
		return;
	}
	x = judge_add(f, r, c, SEVERITY_WARNING, NULL, "A cron job flushes the whole table.");
	for (unsigned i = 0; i < f->n_flushes; i++)
		finding_evidence(r, x, "the job", f->flush[i].origin, "%s", f->flush[i].text);
	if (!x)
		return;
	x->cause = "A flush cuts every translated connection; the others come back as connections "
		   "picked up in the middle, so the table fills again.";
	x->remedy = "Find the cause above and delete by class if you must: conntrack -D -p tcp "
		    "--state TIME_WAIT.";
}
