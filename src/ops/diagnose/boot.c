/* SPDX-License-Identifier: BSD-2-Clause
 *
 * RC13, RC14: what the next boot makes of the settings, and who else writes them.
 *
 * The classic: sysctl runs before the first rule loads the module, the file is skipped in silence,
 * and the default returns at every boot.
 */
#include <stdio.h>
#include <string.h>

#include "ops/diagnose/judge.h"

static bool is_limit(const struct setting_value *v)
{
	return strcmp(v->setting->name, "nf_conntrack_max") == 0 ||
	       strcmp(v->setting->name, "nf_conntrack_buckets") == 0 ||
	       strcmp(v->setting->name, "hashsize") == 0;
}

static void lost(const struct facts *f, const struct check *c, struct report *r,
		 const struct setting_value *v)
{
	const struct facts_log_source *log = facts_best_log(f);
	struct finding *x;

	x = judge_add(f, r, c, is_limit(v) ? SEVERITY_WARNING : SEVERITY_NOTE, NULL,
		      "%s is set to %lld in %s, and the boot loses it: %s.", v->setting->name,
		      (long long)v->boot, v->boot_origin,
		      v->boot_why[0] ? v->boot_why : "nothing applies the file in time");
	finding_evidence(r, x, "in the file", v->boot_origin, "%lld", (long long)v->boot);
	if (v->is_now_known)
		finding_evidence(r, x, "now", v->now_path, "%lld", (long long)v->now);
	if (v->is_after_known)
		finding_evidence(r, x, "after the next boot", "reckoned", "%lld",
				 (long long)v->after);
	if (log && log->log.boot_miss.n > 0)
		finding_evidence(r, x, "log", log->source, "%s", log->log.boot_miss_text);
	if (!x)
		return;
	x->cause = "The knob exists only while the module nf_conntrack is loaded, and the module "
		   "comes with the first rule that needs it, after sysctl has run. A missing knob "
		   "is skipped without a word. That `sysctl -p` works by hand proves nothing.";
	x->remedy = "Load the module before sysctl runs:\n"
		    "    echo nf_conntrack >> /etc/modules-load.d/conntrack.conf\n"
		    "(without systemd: a line in /etc/modules), and for the buckets\n"
		    "    echo 'options nf_conntrack hashsize=N' >> /etc/modprobe.d/conntrack.conf\n"
		    "Now, without a boot: sysctl --system.";
	x->danger = "Where nothing loaded the module before, it is there from now on; before Linux "
		    "4.10 that alone switches tracking on.";
}

/* Two values that cannot be told apart: defaults that follow from memory are reckoned from
 * MemTotal, which is less than what the kernel saw when it loaded the tracker. */
static bool is_same(const struct setting_value *v)
{
	int64_t gap = v->now > v->after ? v->now - v->after : v->after - v->now;

	if (v->boot_fate == SETTING_UNSET && v->setting->is_computed)
		return gap <= v->after / 4;
	return gap == 0;
}

static void differs(const struct facts *f, const struct check *c, struct report *r,
		    const struct setting_value *v)
{
	const char *key = judge_key(r, v->now_path);
	bool is_set = v->boot_fate != SETTING_UNSET;
	struct finding *x;

	x = judge_add(f, r, c, SEVERITY_NOTE, NULL,
		      "%s is %lld now and will be %s%lld after a boot%s%s.", key, (long long)v->now,
		      is_set ? "" : "about ", (long long)v->after,
		      is_set ? ", by " : ": no file sets it", is_set ? v->boot_origin : "");
	finding_evidence(r, x, "now", v->now_path, "%lld", (long long)v->now);
	if (v->is_boot_known)
		finding_evidence(r, x, "in the file", v->boot_origin, "%lld", (long long)v->boot);
	if (v->is_default_known)
		finding_evidence(r, x, "default", "this kernel", "%lld", (long long)v->by_default);
	if (!x)
		return;
	if (!is_set) {
		x->cause = "It was set by hand or by a program.";
		x->remedy = report_text(r, "If it is meant to stay:\n%s",
					judge_persist(f, r, key, (uint64_t)v->now));
		return;
	}
	x->cause =
		"It was changed since the file was applied: by hand, by a program, or because the "
		"module was unloaded and loaded again, which brings the default back (on Red Hat "
		"'service iptables restart' does it while IPTABLES_MODULES_UNLOAD is yes).";
	x->remedy = report_text(r,
				"    sysctl -w %s=%lld\n"
				"or change the file, whichever of the two is meant.",
				key, (long long)v->boot);
}

/* Programs that write the limit themselves, and where they are told. */
static const struct owner {
	const char *program, *text, *remedy;
} owners[] = {
	{ "kube-proxy", "kube-proxy sets max (and the buckets) when it starts",
	  "Set it there: conntrack.maxPerCore and conntrack.min in its configuration "
	  "(--conntrack-max-per-core, --conntrack-min); maxPerCore 0 leaves the limit alone." },
	{ "k3s-server", "k3s runs kube-proxy, which sets max when it starts",
	  "Set it there: --kube-proxy-arg=conntrack-max-per-core=0 leaves the limit alone." },
	{ "k3s-agent", "k3s runs kube-proxy, which sets max when it starts",
	  "Set it there: --kube-proxy-arg=conntrack-max-per-core=0 leaves the limit alone." },
	{ "tuned", "tuned applies the sysctls of its profile when it starts",
	  "Look for nf_conntrack in the active profile (tuned-adm active)." },
};

static const struct owner *find_owner(const struct facts *f)
{
	for (size_t i = 0; i < sizeof(owners) / sizeof(owners[0]); i++)
		if (facts_has_program(f, owners[i].program))
			return &owners[i];
	return NULL;
}

void check_boot(const struct facts *f, const struct check *c, struct report *r)
{
	const struct settings *s = &f->netns[0].settings;
	unsigned n_said = 0, n_unsure = 0, n_set = 0;
	const char *why = "";

	if (!f->netns[0].has_settings || f->netns[0].settings.n == 0) {
		judge_unknown(r, c, "the settings were not read");
		return;
	}
	for (size_t i = 0; i < s->n; i++) {
		const struct setting_value *v = &s->at[i];

		n_set += v->boot_fate != SETTING_UNSET;
		if (v->boot_fate == SETTING_UNSURE) {
			n_unsure++;
			why = v->boot_why;
		} else if (v->boot_fate == SETTING_LOST) {
			lost(f, c, r, v);
			n_said++;
		} else if (v->setting->scope != SETTING_MODULE && v->is_now_known &&
			   v->is_after_known && !is_same(v) && is_limit(v) && !find_owner(f)) {
			differs(f, c, r, v);
			n_said++;
		}
	}
	if (n_said > 0)
		return;
	if (n_unsure > 0)
		judge_unknown(r, c, "%s", why[0] ? why : "the order at boot is not clear");
	else if (n_set == 0)
		judge_ok(r, c,
			 "No file sets a conntrack knob; after a boot the defaults hold, as "
			 "they do now.");
	else
		judge_ok(r, c, "What the files set (%u knobs) will hold after a boot.", n_set);
}

/* kube-proxy: max = maxPerCore (32768) * cores, at least min (131072). */
static uint64_t kube_max(const struct facts *f)
{
	uint64_t max = UINT64_C(32768) * f->n_cpus;

	return max < 131072 ? 131072 : max;
}

void check_owner(const struct facts *f, const struct check *c, struct report *r)
{
	const struct facts_netns *ns = &f->netns[0];
	const struct setting_value *v =
		ns->has_settings ? settings_get(&ns->settings, "nf_conntrack_max") : NULL;
	const struct owner *o = find_owner(f);
	struct finding *x;

	if (!o) {
		judge_ok(r, c, "No program known to write the limit runs here.");
		return;
	}
	if (!v || !v->is_boot_known || v->boot == v->now) {
		judge_ok(r, c, "%s; nothing here contradicts it.", o->text);
		return;
	}
	x = judge_add(f, r, c, SEVERITY_NOTE, NULL, "%s: max is %lld, though %s says %lld.",
		      o->text, (long long)v->now, v->boot_origin, (long long)v->boot);
	finding_evidence(r, x, "now", v->now_path, "%lld", (long long)v->now);
	finding_evidence(r, x, "in the file", v->boot_origin, "%lld", (long long)v->boot);
	if (f->n_cpus > 0 && strcmp(o->program, "tuned") != 0)
		finding_evidence(r, x, "kube-proxy's default here",
				 "32768 x cores, at least 131072", "%llu",
				 (unsigned long long)kube_max(f));
	if (x) {
		x->cause = "Two managers of one value: the one that starts last wins.";
		x->remedy = o->remedy;
	}
}
