/* SPDX-License-Identifier: BSD-2-Clause
 *
 * RC15: the limit presses where it cannot be changed: in a container, or with /proc/sys read-only.
 *
 * Since Linux 5.13 max and buckets are read-only (mode 0444) outside the initial namespace.
 */
#include "ops/diagnose/judge.h"

void check_readonly(const struct facts *f, const struct check *c, struct report *r)
{
	const struct facts_netns *ns = &f->netns[0];
	const struct setting_value *v =
		ns->has_settings ? settings_get(&ns->settings, "nf_conntrack_max") : NULL;
	bool is_child = ns->is_own && !ns->is_initial && ns->inode != 0;
	bool is_fixed;
	struct finding *x;

	if (!v) {
		judge_unknown(r, c, "the limit is not known");
		return;
	}
	is_fixed = is_child && (!v->is_writable || f->release_number >= RELEASE(5, 13, 0));
	if (!is_fixed || judge_pressure(f, ns) < PRESSURE_PAST) {
		judge_ok(r, c,
			 is_fixed ? "The limit cannot be changed from here, and need not."
				  : "No container keeps the limit from being changed.");
		return;
	}
	x = judge_add(f, r, c, SEVERITY_NOTE, ns,
		      "The limit cannot be changed from here: it is the host's, and read-only in "
		      "this namespace.");
	finding_evidence(r, x, "this namespace", "not the initial one", "%s", ns->label);
	if (!x)
		return;
	x->cause =
		"max and buckets are one for the whole machine; only the initial network namespace "
		"may write them. This is why 'docker run --sysctl net.netfilter.nf_conntrack_max' "
		"and kube-proxy in a container fail.";
	x->remedy =
		"Ask for it on the host. Timeouts can be shortened here, if /proc/sys is writable: "
		"a new namespace starts with the kernel's defaults, not with the host's.";
}
