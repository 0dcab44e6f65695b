/* SPDX-License-Identifier: BSD-2-Clause
 *
 * journal: what was written is read again, and nothing else is.
 */
#include "ops/apply/journal.h"

#include <errno.h>

#include "tap.h"

static void fill(struct journal *j)
{
	const struct step steps[] = {
		{ STEP_setting, 4026531840, "blue \"net\"", "nf_conntrack_max", "/proc/sys/x", "1",
		  "2" },
		{ STEP_file, 0, NULL, "/etc/a", "/etc/a", NULL, "1.new" },
		{ STEP_file, 0, NULL, "/etc/b", "/etc/b", "2.old", NULL },
	};

	*j = (struct journal){ .number = 7,
			       .state = JOURNAL_waiting,
			       .made_at = 1700000000,
			       .within_s = 60,
			       .deadline_ms = 123456789,
			       .bounds = { 10, 0, UINT32_MAX } };
	j->boot = journal_text(j, "an-id");
	j->reason = journal_text(j, "why not");
	for (size_t i = 0; i < 3; i++)
		EQ_INT(journal_add(j, &steps[i]), 0);
}

TEST(a_journal_comes_back)
{
	auto_fini(journal) struct journal j, again = { 0 };
	auto_fini(ct_buf) struct ct_buf one = { 0 }, two = { 0 };

	fill(&j);
	EQ_INT(journal_write(&j, &one), 0);
	EQ_INT(journal_read(one.p, one.len, &again, NULL), 0);
	EQ_INT(again.state, JOURNAL_waiting);
	EQ_INT(again.n_steps, 3);
	EQ_STR(again.steps[0].where, "blue \"net\"");
	OK(!again.steps[1].from && !again.steps[2].to && !again.why);
	OK(again.steps[0].netns == 4026531840 && again.bounds.reset == UINT32_MAX);
	EQ_INT(journal_write(&again, &two), 0);
	EQ_STR(one.p, two.p);
}

TEST(nothing_else_is_read)
{
	auto_fini(journal) struct journal j;
	auto_fini(ct_buf) struct ct_buf b = { 0 };

	fill(&j);
	EQ_INT(journal_write(&j, &b), 0);
	for (size_t cut = 0; cut + 2 < b.len; cut++) {
		auto_fini(journal) struct journal again = { 0 };
		struct ct_err err = { "" };

		EQ_INT(journal_read(b.p, cut, &again, &err), -EINVAL);
		OK(err.text[0]);
	}
}

TAP_MAIN(&tap_a_journal_comes_back, &tap_nothing_else_is_read)
