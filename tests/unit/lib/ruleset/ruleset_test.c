/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Whole rule sets: those of tests/rulesets come out as iptables-save wrote them after a restore
 * (tests/rulesets/saved); what is broken is named with its line; what is unknown is kept.
 */
#include <conntune/ruleset.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/buf.h"
#include "lib/base/clean.h"
#include "tap.h"

static int append(void *user, const char *text, size_t len)
{
	return ct_buf_put(user, text, len);
}

static int read_file(const char *folder, const char *name, struct ct_buf *out)
{
	const char *dir = getenv("TEST_DATA");
	char path[512], part[4096];
	size_t n;
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s/%s", dir ? dir : "tests", folder, name);
	f = fopen(path, "r");
	if (!f)
		return -1;
	while ((n = fread(part, 1, sizeof(part), f)) > 0)
		(void)ct_buf_put(out, part, n);
	return fclose(f);
}

/* What becomes of @text; null when it is refused. */
static const char *rewrite(const char *text, size_t len, unsigned syntax, unsigned flags,
			   struct ct_buf *out, struct ct_err *err)
{
	struct ct_ruleset *rs = ct_ruleset_parse(text, len, syntax, err);

	if (!rs)
		return NULL;
	out->len = 0;
	(void)ct_buf_put(out, "", 0);
	(void)ct_ruleset_print(rs, flags, append, out);
	ct_ruleset_free(rs);
	return out->p;
}

static void check_file(const char *name, unsigned syntax)
{
	auto_fini(ct_buf) struct ct_buf text = { 0 }, want = { 0 }, got = { 0 }, again = { 0 };
	struct ct_err err = { "" };

	EQ_INT(read_file("rulesets", name, &text), 0);
	EQ_INT(read_file("rulesets/saved", name, &want), 0);
	if (!rewrite(text.p, text.len, syntax | CT_SYNTAX_STRICT, 0, &got, &err)) {
		TAP_FAIL("%s: %s", name, err.text);
		return;
	}
	if (strcmp(got.p, want.p) != 0)
		TAP_FAIL("%s becomes\n%s", name, got.p);
	EQ_STR(rewrite(got.p, got.len, syntax, CT_RULESET_COUNTERS, &again, &err) ? "" : err.text,
	       "");
	EQ_STR(rewrite(again.p, again.len, syntax, 0, &text, &err), got.p);
}

TEST(rule_sets_of_the_field_are_written_as_iptables_save_does)
{
	static const char *const names[] = {
		"dns-notrack.v4",     "docker-bridge.v4",    "ferm-dmz-router.v4",
		"firewalld-zones.v4", "kube-proxy-local.v4", "openwrt-router.v4",
		"rhel6-default.v4",   "ufw-server.v4",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		check_file(names[i], CT_SYNTAX_IPTABLES);
	check_file("firewalld-zones.v6", CT_SYNTAX_IP6TABLES);
	check_file("ufw-server.v6", CT_SYNTAX_IP6TABLES);
}

/* @rules within a filter table, rewritten; the rules only. */
static void check_rules(const char *rules, unsigned syntax, const char *want)
{
	auto_fini(ct_buf) struct ct_buf text = { 0 }, got = { 0 };
	struct ct_err err = { "" };

	(void)ct_buf_printf(&text, "*filter\n%sCOMMIT\n", rules);
	if (!rewrite(text.p, text.len, syntax, CT_RULESET_COUNTERS, &got, &err)) {
		EQ_STR(err.text, want);
		return;
	}
	for (char *s = got.p, *next; s; s = next) {
		next = strchr(s, '\n');
		if (next)
			*next++ = '\0';
		if (*s == '[') {
			EQ_STR(s, want);
			return;
		}
	}
	EQ_STR("no rule", want);
}

TEST(what_is_unknown_is_kept_as_it_stands)
{
	check_rules(
		"-A INPUT -p tcp -m quark --spin up ! --charm \"two words\" -j BOSON --mass 3\n", 0,
		"[0:0] -A INPUT -p tcp -m quark --spin up ! --charm \"two words\" -j BOSON "
		"--mass 3");
	check_rules("-A INPUT -p tcp -m tcp --dport 80 --new-option 5 -j ACCEPT\n", 0,
		    "[0:0] -A INPUT -p tcp -m tcp --dport 80 --new-option 5 -j ACCEPT");
	check_rules("-A INPUT -p tcp --dport nosuchservice -j ACCEPT\n", 0,
		    "[0:0] -A INPUT -p tcp -m tcp --dport nosuchservice -j ACCEPT");
	check_rules("-A INPUT -j CONNMARK --save-mark --mask 0xff --new 1\n", 0,
		    "[0:0] -A INPUT -j CONNMARK --save-mark --mask 0xff --new 1");
	check_rules("-A INPUT -m cluster --cluster-local-node 2 --new 1\n", 0,
		    "[0:0] -A INPUT -m cluster --cluster-local-nodemask 0x00000002 --new 1");
	check_rules("-A INPUT -m quark -j ACCEPT\n", CT_SYNTAX_STRICT,
		    "line 2: there is no match 'quark'");
}

TEST(old_spellings_are_understood)
{
	check_rules("[3:180] -A INPUT -s ! 10.0.0.0/8 -p tcp --dport ! 22 -j DROP\n", 0,
		    "[3:180] -A INPUT ! -s 10.0.0.0/8 -p tcp -m tcp ! --dport 22 -j DROP");
	check_rules("-A INPUT -ptcp --dport=80:90 -ieth0 --jump ACCEPT\n", 0,
		    "[0:0] -A INPUT -i eth0 -p tcp -m tcp --dport 80:90 -j ACCEPT");
	check_rules("-I INPUT -c 1 2 -j DROP\n", 0, "[1:2] -A INPUT -j DROP");
	check_rules("-A INPUT -j DROP\n-I INPUT 1 -s 10.0.0.1,10.0.0.2 -j ACCEPT\n", 0,
		    "[0:0] -A INPUT -s 10.0.0.1/32 -j ACCEPT");
}

TEST(faults_are_named_with_their_line)
{
	check_rules("\n\n-A INPUT --dport 80\n", 0, "line 4: unknown option '--dport'");
	check_rules("-A INPUT -m comment --comment \"open\n", 0,
		    "line 2: an open quote or a control character");
	check_rules("-A NOWHERE -j DROP\n", 0, "line 2: there is no chain 'NOWHERE'");
	check_rules("-A INPUT -p tcp --dport 99999\n", 0, "line 2: bad value for --dport: '99999'");
	check_rules(":A - [0:0]\n:B - [0:0]\n-A INPUT -j A\n-A A -j B\n-A B -j A\n", 0,
		    "line 6: a loop through chain 'A'");
	check_rules("*nat\n", 0, "line 2: COMMIT is missing before '*nat'");
}

TAP_MAIN(&tap_rule_sets_of_the_field_are_written_as_iptables_save_does,
	 &tap_what_is_unknown_is_kept_as_it_stands, &tap_old_spellings_are_understood,
	 &tap_faults_are_named_with_their_line)
