/* SPDX-License-Identifier: BSD-2-Clause
 *
 * F1, F6, F7: bytes: of one entry, of full tables, and the kernel's own choice of limits.
 */
#include "ops/diagnose/judge.h"

static uint64_t each(const struct facts *f)
{
	return f->entry.entry_bytes + f->entry.extension_bytes;
}

void check_memory(const struct facts *f, const struct check *c, struct report *r)
{
	const struct facts_netns *ns = &f->netns[0];
	uint64_t one, all;
	struct finding *x;
	size_t n = 0;

	if (!f->is_mem_known || !ns->is_max_known || each(f) == 0) {
		judge_unknown(r, c, "memory, limit or entry size is not known");
		return;
	}
	for (size_t i = 0; i < f->n_netns; i++)
		n += f->netns[i].is_count_known;
	if (n == 0)
		n = 1;
	if (ns->max == 0 || ns->max > UINT32_MAX) {
		x = judge_add(f, r, c, SEVERITY_NOTE, NULL,
			      "There is no limit: the table may take all memory.");
		if (x)
			x->remedy = "Set one: conntune size.";
		return;
	}
	one = ns->max * each(f) + f->buckets * 8;
	all = ns->max * n * each(f) + f->buckets * 8;
	if (one * 2 <= f->mem_bytes) {
		judge_ok(r, c, "A full table takes %s, all %zu namespaces full %s, of %s.",
			 judge_bytes(r, one), n, judge_bytes(r, all), judge_bytes(r, f->mem_bytes));
		return;
	}
	x = judge_add(f, r, c, SEVERITY_WARNING, NULL,
		      "A full table would take %s of this machine's %s, and it cannot be swapped.",
		      judge_bytes(r, one), judge_bytes(r, f->mem_bytes));
	finding_evidence(r, x, "max", ns->max_origin, "%llu", (unsigned long long)ns->max);
	finding_evidence(r, x, "bytes an entry", f->entry.origin, "%llu",
			 (unsigned long long)each(f));
	finding_evidence(r, x, "all namespaces full", "namespaces x max", "%s",
			 judge_bytes(r, all));
	if (x)
		x->remedy = "Lower the limit to what fits: conntune size shows both ways.";
}

void check_default(const struct facts *f, const struct check *c, struct report *r)
{
	const struct facts_netns *ns = &f->netns[0];
	struct size_defaults d;
	struct finding *x;

	if (!f->is_mem_known || f->release_number == 0 || !ns->is_max_known ||
	    size_defaults(&f->machine, &d) < 0) {
		judge_unknown(r, c, "memory, release or limit is not known");
		return;
	}
	/* MemTotal is less than what the kernel reckoned with when it loaded the tracker */
	if (ns->max == 0 || ns->max >= d.max / 4 * 3) {
		judge_ok(r, c, "max is %llu; this kernel would choose %llu by itself.",
			 (unsigned long long)ns->max, (unsigned long long)d.max);
		return;
	}
	x = judge_add(f, r, c, SEVERITY_NOTE, NULL,
		      "max is %llu; this kernel on this memory would choose %llu by itself.",
		      (unsigned long long)ns->max, (unsigned long long)d.max);
	finding_evidence(r, x, "max", ns->max_origin, "%llu", (unsigned long long)ns->max);
	finding_evidence(r, x, "default", "memory and release", "max %llu, buckets %llu",
			 (unsigned long long)d.max, (unsigned long long)d.buckets);
	if (x)
		x->cause = "Somebody lowered it, or the tracker was loaded when less memory was "
			   "there.";
}

void check_entry_size(const struct facts *f, const struct check *c, struct report *r)
{
	if (f->entry.entry_bytes == 0) {
		judge_unknown(r, c, "neither the slab nor the release is known");
		return;
	}
	if (f->entry.extension_bytes > 0)
		judge_ok(r, c, "One entry takes %llu bytes and %llu of extensions (%s).",
			 (unsigned long long)f->entry.entry_bytes,
			 (unsigned long long)f->entry.extension_bytes, f->entry.origin);
	else
		judge_ok(r, c,
			 "One entry takes %llu bytes (%s), and 128 more when an extension is on.",
			 (unsigned long long)f->entry.entry_bytes, f->entry.origin);
}
