/* SPDX-License-Identifier: BSD-2-Clause
 *
 * B1: whether the tracker works here at all, and which rules keep it working.
 *
 * Linux 6.18, nf_ct_netns_get(): hooks are registered for each namespace and family while at least
 * one rule needs them. Before 4.10 loading the protocol modules was enough.
 */
#include <stdio.h>

#include "ops/diagnose/judge.h"

static void evidence_rules(const struct facts *f, struct report *r, struct finding *x)
{
	for (unsigned i = 0; i < f->rules.n_hits && i < 6; i++) {
		const struct rules_hit *h = &f->rules.hit[i];
		const char *what =
			h->owner ? report_text(r, "%s of %s", rules_need_name(h->need), h->owner)
				 : rules_need_name(h->need);

		finding_evidence(
			r, x, what, report_text(r, "%s line %u", h->source, h->line), "%s%s",
			h->text,
			h->n > 1 ? report_text(r, " (and %llu more)", (unsigned long long)h->n - 1)
				 : "");
	}
}

static void not_there(const struct facts *f, const struct check *c, struct report *r)
{
	switch (f->module) {
	case FACTS_MODULE_ABSENT:
		judge_ok(r, c, "This kernel was built without connection tracking (%s).",
			 f->module_origin);
		break;
	case FACTS_MODULE_LOADABLE:
		judge_ok(r, c,
			 "Connection tracking is off: the module nf_conntrack is not loaded, so "
			 "nothing is tracked.");
		break;
	case FACTS_MODULE_UNKNOWN:
	case FACTS_MODULE_LOADED:
	case FACTS_MODULE_BUILTIN:
		judge_unknown(r, c,
			      "neither /proc/sys/net/netfilter nor netlink shows a connection "
			      "table here");
		break;
	}
}

void check_tracking(const struct facts *f, const struct check *c, struct report *r)
{
	const struct facts_netns *ns = &f->netns[0];
	uint64_t n_need = 0;
	struct finding *x;

	if (!ns->is_count_known && !ns->is_max_known) {
		not_there(f, c, r);
		return;
	}
	for (unsigned i = 1; i < RULES_NEED_MAX; i++)
		n_need += f->rules.n_need[i];
	if (f->rules.is_known && n_need > 0) {
		x = judge_add(f, r, c, SEVERITY_OK, ns,
			      "Tracking is on: %llu of %llu rules need it.",
			      (unsigned long long)n_need, (unsigned long long)f->rules.n_rules);
		evidence_rules(f, r, x);
		return;
	}
	if (f->rules.is_known && ns->is_count_known && ns->count == 0) {
		judge_ok(r, c,
			 "Tracking is off here: no rule of this namespace needs it, and the table "
			 "is empty.");
		return;
	}
	if (f->rules.is_known && ns->is_count_known) {
		x = judge_add(f, r, c, SEVERITY_OK, ns,
			      "There are %llu entries although no rule we can read needs tracking.",
			      (unsigned long long)ns->count);
		if (x)
			x->cause =
				"The rule that needed it may be gone (entries stay until they "
				"expire), the module may have been loaded with enable_hooks=1, or "
				"the kernel is older than 4.10, where loading it was enough.";
		return;
	}
	judge_unknown(r, c, "what switched tracking on: %s",
		      f->rules_why[0] ? f->rules_why : "the rules were not read");
}
