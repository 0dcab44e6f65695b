/* SPDX-License-Identifier: BSD-2-Clause
 *
 * report: one walk gives lined-up text and valid JSON; findings come out worst first.
 */
#include <jansson.h>
#include <stdlib.h>

#include "lib/base/buf.h"
#include "ops/report/finding.h"
#include "ops/report/json_text.h"
#include "ops/report/writer.h"
#include "tap.h"

static int to_buf(void *user, const char *bytes, size_t len)
{
	return ct_buf_put(user, bytes, len);
}

static void walk(struct writer *w)
{
	static const struct writer_column columns[] = { { "name", "NAME", false },
							{ "count", "COUNT", true } };

	writer_begin(w, "test", 1);
	writer_section(w, "table", "Table");
	writer_u64(w, "count", "entries", 77143);
	writer_f64_as(w, "share", "share of max", 0.5, "50 %");
	writer_unknown(w, "max", "max", "no such file");
	writer_bool(w, "hidden", NULL, true);
	writer_end(w);
	writer_list(w, "netns", "Namespaces", columns, 2);
	writer_row(w);
	writer_u64(w, "count", NULL, 5);
	writer_str(w, "name", NULL, "a\033b");
	writer_list(w, "inner", NULL, columns, 2);
	writer_row(w);
	writer_str(w, "name", NULL, "x");
	writer_end(w);
	writer_end(w);
	writer_end(w);
	writer_row(w);
	writer_str(w, "name", NULL, "long name");
	writer_u64(w, "count", NULL, 12345);
	writer_end(w);
	writer_end(w);
	writer_para(w, 2, "one two three four five six seven");
}

static void run(enum writer_form form, unsigned columns, struct ct_buf *out)
{
	struct writer_options o = { .form = form, .columns = columns };
	struct writer *w = NULL;

	EQ_INT(writer_new(&o, to_buf, out, &w), 0);
	walk(w);
	EQ_INT(writer_finish(w), 0);
	writer_free(w);
}

TEST(commands_stay_whole)
{
	struct ct_buf out = { 0 };
	struct writer_options o = { .form = WRITER_TEXT, .columns = 40 };
	struct writer *w = NULL;

	EQ_INT(writer_new(&o, to_buf, &out, &w), 0);
	writer_begin(w, "test", 1);
	writer_para(w, 4,
		    "Prose breaks between words, but not:\n"
		    "    echo 'net.netfilter.nf_conntrack_max = 1' >> /etc/sysctl.d/x.conf\n"
		    "end");
	EQ_INT(writer_finish(w), 0);
	writer_free(w);
	EQ_STR(out.p, "    Prose breaks between words, but not:\n"
		      "        echo 'net.netfilter.nf_conntrack_max = 1' >> "
		      "/etc/sysctl.d/x.conf\n"
		      "    end\n");
	ct_buf_fini(&out);
}

TEST(text_lines_up)
{
	struct ct_buf out = { 0 };

	run(WRITER_TEXT, 30, &out);
	EQ_STR(out.p, "Table\n"
		      "  entries       77143\n"
		      "  share of max  50 %\n"
		      "  max           unknown (no such file)\n"
		      "\n"
		      "Namespaces\n"
		      "  NAME       COUNT\n"
		      "  a\\x1bb         5\n"
		      "  long name  12345\n"
		      "  one two three four five six\n"
		      "  seven\n");
	ct_buf_fini(&out);
}

TEST(json_is_json)
{
	struct ct_buf out = { 0 };
	json_error_t error;
	json_t *root, *row;

	run(WRITER_JSON, 0, &out);
	root = json_loads(out.p, 0, &error);
	OK(root);
	EQ_STR(json_string_value(json_object_get(root, "schema")), "conntune.test");
	EQ_INT(json_integer_value(json_object_get(root, "version")), 1);
	OK(json_is_null(json_object_get(json_object_get(root, "table"), "max")));
	OK(json_is_true(json_object_get(json_object_get(root, "table"), "hidden")));
	EQ_INT(json_array_size(json_object_get(root, "netns")), 2);
	row = json_array_get(json_object_get(root, "netns"), 0);
	EQ_STR(json_string_value(json_object_get(row, "name")), "a\033b");
	EQ_INT(json_array_size(json_object_get(row, "inner")), 1);
	json_decref(root);
	ct_buf_fini(&out);
}

TEST(foreign_bytes_stay_valid_json)
{
	static const char raw[] = "a\xff\xc3\xa4\xed\xa0\x80\xf5\"\\\n";
	struct ct_buf b = { 0 };
	json_t *v;

	EQ_INT(json_put_string(&b, raw, sizeof(raw) - 1), 0);
	v = json_loads(b.p, JSON_DECODE_ANY, NULL);
	OK(v);
	EQ_STR(b.p, "\"a\\ufffd\xc3\xa4\\ufffd\\ufffd\\ufffd\\ufffd\\\"\\\\\\n\"");
	json_decref(v);
	ct_buf_fini(&b);
}

TEST(a_failing_sink_is_reported)
{
	struct writer_options o = { .form = WRITER_JSON };
	struct writer *w = NULL;
	struct ct_buf unlucky = { .len = SIZE_MAX / 2 };

	EQ_INT(writer_new(&o, to_buf, &unlucky, &w), 0);
	walk(w);
	OK(writer_finish(w) < 0);
	writer_free(w);
}

TEST(findings_come_worst_first)
{
	struct report *r = NULL;
	struct finding *f;

	EQ_INT(report_new(&r), 0);
	(void)report_add(r, "RC1", "a", SEVERITY_NOTE);
	(void)report_add(r, "RC2", "b", SEVERITY_CRITICAL);
	(void)report_add(r, "RC3", "c", SEVERITY_NOTE);
	f = report_add(r, "RC4", "d", SEVERITY_CRITICAL);
	finding_evidence(r, f, "count", "proc", "%d", 77143);
	EQ_INT(report_n(r), 4);
	EQ_STR(report_at(r, 0)->id, "RC2");
	EQ_STR(report_at(r, 1)->id, "RC4");
	EQ_STR(report_at(r, 1)->evidence[0].value, "77143");
	EQ_STR(report_at(r, 2)->id, "RC1");
	EQ_STR(report_at(r, 3)->id, "RC3");
	EQ_INT(report_worst(r), SEVERITY_CRITICAL);
	report_free(r);
}

TAP_MAIN(&tap_commands_stay_whole, &tap_text_lines_up, &tap_json_is_json,
	 &tap_foreign_bytes_stay_valid_json, &tap_a_failing_sink_is_reported,
	 &tap_findings_come_worst_first)
