/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The statistics file of new and old kernels, found by the names of its columns.
 */
#include "ops/facts/proc_stat.h"

#include <errno.h>

#include "tap.h"

static int parse(const char *text, struct stats *out)
{
	*out = (struct stats){ 0 };
	return proc_stat_parse(text, strlen(text), out);
}

TEST(columns_of_new_kernels)
{
	struct stats s;

	EQ_INT(parse("entries  clashres found new invalid ignore delete chainlength insert "
		     "insert_failed drop early_drop icmp_error  expect_new expect_create "
		     "expect_delete search_restart\n"
		     "0000000a  00000001 00000000 00000000 00000002 00000000 00000000 00000003 "
		     "00000000 00000004 00000005 00000006 00000007  00000000 00000000 00000000 "
		     "00000008\n"
		     "0000000a  00000000 00000000 00000000 000000ff 00000000 00000000 00000000 "
		     "00000000 00000000 00000010 00000000 00000000  00000000 00000000 00000000 "
		     "00000000\n",
		     &s),
	       0);
	EQ_INT(s.n_cpus, 2);
	EQ_INT(s.entries, 10);
	EQ_INT(s.sum[NL_STAT_CLASH_RESOLVE], 1);
	EQ_INT(s.sum[NL_STAT_INVALID], 2 + 255);
	EQ_INT(s.sum[NL_STAT_CHAINTOOLONG], 3);
	EQ_INT(s.sum[NL_STAT_INSERT_FAILED], 4);
	EQ_INT(s.sum[NL_STAT_DROP], 5 + 16);
	EQ_INT(s.sum[NL_STAT_EARLY_DROP], 6);
	EQ_INT(s.sum[NL_STAT_ERROR], 7);
	EQ_INT(s.sum[NL_STAT_SEARCH_RESTART], 8);
	OK(!(s.known & 1u << NL_STAT_SEARCHED));
	stats_fini(&s);
}

TEST(columns_of_old_kernels)
{
	struct stats s;

	EQ_INT(parse("entries  searched found new invalid ignore delete delete_list insert "
		     "insert_failed drop early_drop icmp_error\n"
		     "00000001  00000002 3 4 5 6 7 8 9 a b c d\n",
		     &s),
	       0);
	EQ_INT(s.sum[NL_STAT_SEARCHED], 2);
	EQ_INT(s.sum[NL_STAT_DROP], 11);
	OK(!(s.known & 1u << NL_STAT_CHAINTOOLONG));
	stats_fini(&s);
}

TEST(nonsense_is_refused)
{
	struct stats s;

	EQ_INT(parse("", &s), -EBADMSG);
	EQ_INT(parse("entries\n", &s), -EBADMSG);
	EQ_INT(parse("entries drop\nxyz 1\n", &s), -EBADMSG);
	EQ_INT(parse("entries drop\n1 123456789\n", &s), -EBADMSG);
	EQ_INT(parse("entries drop", &s), -EBADMSG);
}

TAP_MAIN(&tap_columns_of_new_kernels, &tap_columns_of_old_kernels, &tap_nonsense_is_refused)
