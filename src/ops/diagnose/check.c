/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The list of checks, running them, and the verdict over what they found.
 */
#include "ops/diagnose/check.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "ops/diagnose/judge.h"

const struct check check_list[] = {
#define CHECK(id, name, title) { #id, #name, title, check_##name },
#include "ops/diagnose/checks.def"
#undef CHECK
};
const size_t check_n = sizeof(check_list) / sizeof(check_list[0]);

static bool is_named(const struct check *c, const char *word, size_t len)
{
	return (strlen(c->id) == len && strncasecmp(c->id, word, len) == 0) ||
	       (strlen(c->name) == len && strncasecmp(c->name, word, len) == 0);
}

/* Whether the comma list @only names @c. */
static bool is_listed(const struct check *c, const char *only)
{
	while (*only) {
		size_t len = strcspn(only, ",");

		if (is_named(c, only, len))
			return true;
		only += len + (only[len] == ',');
	}
	return false;
}

static int check_names(const char *only, struct ct_err *err)
{
	while (*only) {
		size_t len = strcspn(only, ","), i = 0;

		while (i < check_n && !is_named(&check_list[i], only, len))
			i++;
		if (i == check_n)
			return ct_err_set(err, -EINVAL,
					  "no check '%.*s'; 'conntune doctor --list' shows them",
					  (int)(len < 40 ? len : 40), only);
		only += len + (only[len] == ',');
	}
	return 0;
}

/* Without a tracker only whether it is there, and what the next boot does, can be asked. */
static bool is_applicable(const struct facts *f, const struct check *c)
{
	static const char *const always[] = { "B1", "RC13", "RC16", "RC23", "RC26" };

	if (f->netns[0].is_count_known || f->netns[0].is_max_known ||
	    (f->module != FACTS_MODULE_ABSENT && f->module != FACTS_MODULE_LOADABLE))
		return true;
	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		if (strcmp(c->id, always[i]) == 0)
			return true;
	return false;
}

int check_run(const struct facts *f, const char *only, struct report *r, struct ct_err *err)
{
	int e = only ? check_names(only, err) : 0;

	if (e < 0)
		return e;
	for (size_t i = 0; i < check_n; i++)
		if (only ? is_listed(&check_list[i], only) : is_applicable(f, &check_list[i]))
			check_list[i].run(f, &check_list[i], r);
	e = report_error(r);
	return e < 0 ? ct_err_set(err, e, "out of memory") : 0;
}

/* The cause that explains most of the table, the first of equals, or null. Causes have ids RCn. */
static const struct finding *main_cause(const struct report *r)
{
	const struct finding *best = NULL;

	for (size_t i = 0; i < report_n(r); i++) {
		const struct finding *x = report_at(r, i);

		if (x->severity >= SEVERITY_WARNING && strncmp(x->id, "RC", 2) == 0 &&
		    (!best || x->share > best->share))
			best = x;
	}
	return best;
}

static const struct finding *find_id(const struct report *r, const char *id)
{
	for (size_t i = 0; i < report_n(r); i++)
		if (strcmp(report_at(r, i)->id, id) == 0)
			return report_at(r, i);
	return NULL;
}

/* Nothing wrong: say whether there is anything at all, and how full it is. */
static const char *fine(const struct facts *f, struct report *r)
{
	const struct facts_netns *ns = &f->netns[0];
	const struct finding *tracking = find_id(r, "B1");

	if (tracking && tracking->severity == SEVERITY_OK &&
	    (!ns->is_count_known || ns->count == 0))
		return tracking->sentence;
	if (ns->is_count_known && ns->is_max_known && ns->max > 0)
		return report_text(
			r,
			"Nothing is wrong as far as could be judged: %llu of %llu entries "
			"(%s).",
			(unsigned long long)ns->count, (unsigned long long)ns->max,
			judge_percent(r, judge_fill(ns)));
	return "Nothing is wrong as far as could be judged.";
}

const char *check_verdict(const struct facts *f, struct report *r)
{
	const struct finding *worst = report_n(r) ? report_at(r, 0) : NULL, *cause;

	if (!worst || worst->severity <= SEVERITY_NOT_JUDGED)
		return fine(f, r);
	if (worst->severity == SEVERITY_NOTE)
		return report_text(r, "Nothing is wrong now. Worth knowing: %s", worst->sentence);
	cause = main_cause(r);
	if (cause && cause != worst && strcmp(worst->id, "F2") == 0)
		return report_text(r, "%s %s", worst->sentence, cause->sentence);
	return worst->sentence;
}
