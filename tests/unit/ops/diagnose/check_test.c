/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The catalogue and how it is run: names, verdicts, and that unknown is never taken for wrong.
 */
#include "ops/diagnose/check.h"

#include <errno.h>

#include "tap.h"

static struct facts_netns nothing = { .is_readable = true, .is_own = true };

static struct facts unknown_machine(void)
{
	return (struct facts){ .netns = &nothing, .n_netns = 1, .is_root = true };
}

TEST(ids_and_names_are_unique)
{
	for (size_t i = 0; i < check_n; i++)
		for (size_t k = 0; k < i; k++)
			if (strcmp(check_list[i].id, check_list[k].id) == 0 ||
			    strcmp(check_list[i].name, check_list[k].name) == 0)
				TAP_FAIL("%s twice", check_list[i].id);
}

TEST(every_check_speaks_and_the_unknown_is_no_fault)
{
	struct facts f = unknown_machine();

	for (size_t i = 0; i < check_n; i++) {
		struct report *r = NULL;

		EQ_INT(report_new(&r), 0);
		EQ_INT(check_run(&f, check_list[i].id, r, NULL), 0);
		if (report_n(r) == 0)
			TAP_FAIL("%s says nothing", check_list[i].id);
		if (report_worst(r) >= SEVERITY_NOTE)
			TAP_FAIL("%s: %s", check_list[i].id, report_at(r, 0)->sentence);
		report_free(r);
	}
}

TEST(names_are_checked_first)
{
	struct facts f = unknown_machine();
	struct report *r = NULL;
	struct ct_err err = { "" };

	EQ_INT(report_new(&r), 0);
	EQ_INT(check_run(&f, "rc2,headroom", r, &err), 0);
	EQ_INT(report_n(r), 2);
	EQ_INT(check_run(&f, "RC2,nonsense", r, &err), -EINVAL);
	OK(strstr(err.text, "nonsense"));
	report_free(r);
}

TEST(without_a_tracker_little_is_asked)
{
	struct facts f = unknown_machine();
	struct report *r = NULL;

	f.module = FACTS_MODULE_ABSENT;
	f.module_origin = "test";
	EQ_INT(report_new(&r), 0);
	EQ_INT(check_run(&f, NULL, r, NULL), 0);
	OK(report_n(r) < 8);
	OK(strstr(check_verdict(&f, r), "built without"));
	report_free(r);
}

TEST(a_full_table_is_critical_whatever_else_is_unknown)
{
	struct facts_netns full = { .is_readable = true,
				    .is_own = true,
				    .is_initial = true,
				    .is_count_known = true,
				    .is_max_known = true,
				    .count = 65536,
				    .max = 65536 };
	struct facts f = { .netns = &full, .n_netns = 1, .is_root = true };
	struct report *r = NULL;

	EQ_INT(report_new(&r), 0);
	EQ_INT(check_run(&f, NULL, r, NULL), 0);
	EQ_INT(report_worst(r), SEVERITY_CRITICAL);
	EQ_STR(report_at(r, 0)->id, "F2");
	report_free(r);
}

TAP_MAIN(&tap_ids_and_names_are_unique, &tap_every_check_speaks_and_the_unknown_is_no_fault,
	 &tap_names_are_checked_first, &tap_without_a_tracker_little_is_asked,
	 &tap_a_full_table_is_critical_whatever_else_is_unknown)
