/* SPDX-License-Identifier: BSD-2-Clause
 *
 * plan: words and files make the same plan; a file comes back as it was written; what is not
 * understood is refused with a sentence that says where.
 */
#include "ops/plan/plan.h"

#include <errno.h>

#include "tap.h"

static int read_text(struct plan *p, const char *text, struct ct_err *err)
{
	return plan_read(p, text, strlen(text), err);
}

TEST(words_become_settings)
{
	auto_fini(plan) struct plan p = { 0 };

	EQ_INT(plan_add_set(&p, "nf_conntrack_tcp_timeout_established=1h", NULL), 0);
	EQ_INT(plan_add_set(&p, "net.netfilter.nf_conntrack_max=1000", NULL), 0);
	EQ_INT(plan_add_set(&p, "hashsize=512", NULL), 0);
	EQ_INT(p.n_sets, 3);
	EQ_INT(p.set[0].to, 3600);
	EQ_INT(plan_find(&p, "nf_conntrack_max")->to, 1000);
	EQ_STR(p.set[2].setting->name, "nf_conntrack_buckets");
	OK(!plan_find(&p, "nf_conntrack_acct"));
}

TEST(what_cannot_be_set_is_refused)
{
	static const struct {
		const char *text;
		int code;
	} rows[] = {
		{ "nf_conntrack_max", -EINVAL },    { "=1", -EINVAL },
		{ "nf_conntrack_max=", -EINVAL },   { "nf_conntrack_max=-1", -EINVAL },
		{ "nf_conntrack_max=1 ", -EINVAL }, { "nf_conntrack_max=99999999999", -ERANGE },
		{ "nf_conntrack_acct=2", -ERANGE }, { "nf_conntrack_count=5", -EROFS },
		{ "expect_hashsize=5", -EROFS },    { "nonsense=5", -ENOENT },
	};
	auto_fini(plan) struct plan p = { 0 };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ct_err err = { "" };

		EQ_INT(plan_add_set(&p, rows[i].text, &err), rows[i].code);
		OK(err.text[0]);
	}
	EQ_INT(p.n_sets, 0);
	EQ_INT(plan_add_set(&p, "nf_conntrack_max=1", NULL), 0);
	EQ_INT(plan_add_set(&p, "nf_conntrack_max=1", NULL), -EINVAL);
}

TEST(a_file_comes_back)
{
	static const char text[] =
		"{\"schema\": \"conntune.plan\", \"version\": 1, \"reason\": \"full\","
		" \"netns\": \"blue\", \"persist\": true, \"changes\": ["
		"{\"target\": \"nf_conntrack_max\", \"from\": 0, \"to\": 7,"
		" \"reason\": \"it is full\"},"
		"{\"target\": \"notrack\", \"to\": \"tcp dport 80\"}]}";
	auto_fini(plan) struct plan p = { 0 }, again = { 0 };
	auto_fini(ct_buf) struct ct_buf one = { 0 }, two = { 0 };

	EQ_INT(read_text(&p, text, NULL), 0);
	OK(p.is_persistent && p.set[0].is_from_known);
	EQ_INT(p.set[0].from, 0);
	EQ_INT(p.set[0].to, 7);
	EQ_STR(p.set[0].reason, "it is full");
	EQ_STR(p.notrack[0].text, "tcp dport 80");
	EQ_STR(p.netns, "blue");
	EQ_STR(p.reason, "full");
	EQ_INT(plan_write(&p, &one), 0);
	EQ_INT(plan_read(&again, one.p, one.len, NULL), 0);
	EQ_INT(plan_write(&again, &two), 0);
	EQ_STR(one.p, two.p);
}

TEST(a_file_says_what_is_wrong)
{
#define HEAD "{\"schema\": \"conntune.plan\", \"version\": 1, "
	static const struct {
		const char *text, *word;
	} rows[] = {
		{ "", "line 1" },
		{ "\n\n{]", "line 3" },
		{ "[]", "schema" },
		{ "{\"schema\": \"conntune.plan\", \"version\": 2, \"changes\": []}", "version 1" },
		{ HEAD "\"changes\": {}}", "changes" },
		{ HEAD "\"changes\": [], \"then\": 1}", "'then'" },
		{ HEAD "\"changes\": [], \"persist\": 1}", "persist" },
		{ HEAD "\"changes\": [], \"netns\": 1}", "netns" },
		{ HEAD "\"changes\": [], \"netns\": \"a\\u0000b\"}", "line 1" },
		{ HEAD "\"changes\": [7]}", "change 1" },
		{ HEAD "\"changes\": [{\"target\": \"x\"}]}", "change 1" },
		{ HEAD "\"changes\": [{\"target\": \"notrack\"}]}", "change 1" },
		{ HEAD "\"changes\": [{\"target\": \"nf_conntrack_max\", \"to\": \"5\"}]}",
		  "'to'" },
		{ HEAD "\"changes\": [{\"target\": \"nf_conntrack_max\", \"to\": 5, \"run\": 1}]}",
		  "'run'" },
		{ HEAD "\"changes\": [], \"changes\": []}", "line 1" },
	};
#undef HEAD

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_fini(plan) struct plan p = { 0 };
		struct ct_err err = { "" };

		EQ_INT(read_text(&p, rows[i].text, &err), -EINVAL);
		if (!strstr(err.text, rows[i].word))
			TAP_FAIL("%s: %s", rows[i].text, err.text);
	}
}

TAP_MAIN(&tap_words_become_settings, &tap_what_cannot_be_set_is_refused, &tap_a_file_comes_back,
	 &tap_a_file_says_what_is_wrong)
