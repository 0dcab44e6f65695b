/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Rules of nft judged: what matches, what is unknown, where a packet goes, what is remembered. The
 * running kernel is compared with in tests/kernel/nft_judge_test.py; here stand the answers that it
 * cannot be asked for.
 */
#include <conntune/ruleset.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/clean.h"
#include "ops/rules/rules.h"
#include "tap.h"
#include "unit/lib/engine/build.h"

#define IN_TABLE "\"family\": \"inet\", \"table\": \"t\""
#define HEAD	 "{\"nftables\": [{\"table\": {\"family\": \"inet\", \"name\": \"t\"}}, "
#define BASE                                                                                       \
	"{\"chain\": {" IN_TABLE ", \"name\": \"in\", \"type\": \"filter\", \"hook\": \"input\", " \
	"\"prio\": -5, \"policy\": \"drop\"}}, {\"chain\": {" IN_TABLE ", \"name\": \"u\"}}"
#define RULE(chain, handle, expr)                                                                  \
	", {\"rule\": {" IN_TABLE ", \"chain\": \"" chain "\", \"handle\": " #handle               \
	", \"expr\": [" expr "]}}"
#define MATCH(left, op, right)                                                                     \
	"{\"match\": {\"op\": \"" op "\", \"left\": " left ", \"right\": " right "}}"
#define DPORT	    "{\"payload\": {\"protocol\": \"udp\", \"field\": \"dport\"}}"
#define SADDR	    "{\"payload\": {\"protocol\": \"ip\", \"field\": \"saddr\"}}"
#define ACCEPT	    "{\"accept\": null}"
#define DROP	    "{\"drop\": null}"
#define CPU	    "{\"meta\": {\"key\": \"cgroup\"}}"
#define COUNTER	    "{\"counter\": {\"packets\": 0, \"bytes\": 0}}"
#define RULES(text) HEAD BASE text "]}"

static struct ct_ruleset *read_rules(const char *json)
{
	struct ct_err err = { "" };
	struct ct_ruleset *rs = rules_read(json, strlen(json), CT_SYNTAX_IPTABLES, &err);

	if (!rs)
		TAP_FAIL("%s", err.text);
	return rs;
}

/* What the first base chain makes of a UDP packet 10.0.0.1:1000 > 10.0.0.2:53 at @now. */
static struct ct_rule_outcome judge(struct ct_ruleset *rs, ct_time now)
{
	struct ct_rule_outcome out = { .line = 999 };
	struct made m;
	const struct ct_rule_packet r = {
		.packet = made_udp(&m, 0x0a000001, 1000, 0x0a000002, 53),
		.in = "eth0",
		.dst_type = CT_ADDR_LOCAL,
		.now = now,
	};

	if (rs)
		EQ_INT(ct_ruleset_judge_base(rs, 0, &r, &out), 0);
	return out;
}

static struct ct_rule_outcome judge_once(const char *json)
{
	struct ct_ruleset *rs = read_rules(json);
	struct ct_rule_outcome out = judge(rs, 1);

	/* Names die with the rule set. */
	static char doubt[64];

	doubt[0] = '\0';
	if (out.depends_on)
		strncpy(doubt, out.depends_on, sizeof(doubt) - 1);
	out.depends_on = out.depends_on ? doubt : NULL;
	out.chain = NULL;
	ct_ruleset_free(rs);
	return out;
}

/* The fate when a rule of that match accepts, else the policy drops. */
static bool fits(const char *left, const char *op, const char *right)
{
	struct ct_buf json = { 0 };
	const char *parts[] = { HEAD,
				BASE,
				", {\"rule\": {" IN_TABLE ", \"chain\": \"in\", \"expr\": "
				"[{\"match\": {\"op\": \"",
				op,
				"\", \"left\": ",
				left,
				", \"right\": ",
				right,
				"}}, {\"accept\": null}]}}]}" };
	struct ct_rule_outcome out;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		(void)ct_buf_put(&json, parts[i], strlen(parts[i]));
	(void)ct_buf_put(&json, "", 1);
	out = judge_once(json.p);
	if (out.depends_on)
		TAP_FAIL("%s %s %s depends on %s", left, op, right, out.depends_on);
	ct_buf_fini(&json);
	return out.fate == CT_FATE_ACCEPT;
}

TEST(base_chains_say_where_they_stand)
{
	struct ct_ruleset *rs = read_rules(RULES(""));
	struct ct_base_chain b;

	OK(rs && ct_ruleset_base(rs, 0, &b));
	EQ_STR(b.table, "t");
	EQ_STR(b.name, "in");
	EQ_INT(b.priority, -5);
	EQ_INT(b.at, CT_AT_INPUT);
	EQ_INT(b.family, CT_FAMILY_UNSPEC);
	OK(!ct_ruleset_base(rs, 1, &b));
	ct_ruleset_free(rs);
}

TEST(tables_of_iptables_are_base_chains_too)
{
	static const char text[] = "*nat\nCOMMIT\n*mangle\nCOMMIT\n";
	struct ct_ruleset *rs =
		rules_read(text, strlen(text), CT_SYNTAX_IP6TABLES, &(struct ct_err){ "" });
	struct ct_base_chain b;
	unsigned n = 0;

	for (; ct_ruleset_base(rs, n, &b); n++) {
		EQ_INT(b.family, CT_FAMILY_IPV6);
		if (strcmp(b.table, "mangle") == 0)
			EQ_INT(b.priority, -150);
		else
			EQ_INT(b.priority,
			       b.at == CT_AT_PREROUTING || b.at == CT_AT_OUTPUT ? -100 : 100);
	}
	EQ_INT(n, 9);
	ct_ruleset_free(rs);
}

TEST(values_are_compared)
{
	OK(fits(DPORT, "==", "53"));
	OK(!fits(DPORT, "!=", "53"));
	OK(fits(DPORT, "<", "54"));
	OK(!fits(DPORT, ">", "53"));
	OK(fits(DPORT, ">=", "53"));
	OK(fits(DPORT, "==", "{\"range\": [50, 60]}"));
	OK(fits(DPORT, "==", "\"domain\""));
	OK(fits(SADDR, "==", "{\"prefix\": {\"addr\": \"10.0.0.0\", \"len\": 31}}"));
	OK(!fits(SADDR, "==", "{\"prefix\": {\"addr\": \"10.0.0.2\", \"len\": 31}}"));
	OK(fits("{\"&\": [" SADDR ", \"255.0.0.255\"]}", "==", "\"10.0.0.1\""));
	OK(fits(DPORT, "==", "{\"set\": [22, {\"range\": [50, 60]}, 80]}"));
	OK(!fits(DPORT, "!=", "{\"set\": [22, {\"range\": [50, 60]}, 80]}"));
	OK(fits("{\"meta\": {\"key\": \"iifname\"}}", "==", "\"eth*\""));
	OK(!fits("{\"meta\": {\"key\": \"iifname\"}}", "==", "\"eth\""));
	OK(fits("{\"concat\": [" SADDR ", " DPORT "]}", "==",
		"{\"set\": [{\"concat\": [{\"prefix\": {\"addr\": \"10.0.0.0\", \"len\": 8}}, "
		"{\"range\": [1, 53]}]}]}"));
}

/* A field is there only in packets of its protocol: what the listing leaves out. */
TEST(fields_imply_their_protocol)
{
	OK(!fits("{\"payload\": {\"protocol\": \"tcp\", \"field\": \"dport\"}}", "==", "53"));
	OK(!fits("{\"payload\": {\"protocol\": \"tcp\", \"field\": \"dport\"}}", "!=", "53"));
	OK(!fits("{\"payload\": {\"protocol\": \"ip6\", \"field\": \"saddr\"}}", "!=", "\"::1\""));
	OK(fits("{\"payload\": {\"protocol\": \"th\", \"field\": \"dport\"}}", "==", "53"));
}

/* Without an entry only the state is known. */
TEST(a_packet_without_entry_has_a_state_only)
{
	OK(fits("{\"ct\": {\"key\": \"state\"}}", "in", "[\"invalid\", \"new\"]"));
	OK(!fits("{\"ct\": {\"key\": \"state\"}}", "in", "\"new\""));
	OK(!fits("{\"ct\": {\"key\": \"mark\"}}", "!=", "5"));
	OK(!fits("{\"ct\": {\"key\": \"status\"}}", "!=", "\"assured\""));
}

TEST(calls_and_returns)
{
	struct ct_rule_outcome out = judge_once(
		RULES(RULE("in", 4, "{\"jump\": {\"target\": \"u\"}}") RULE("in", 5, ACCEPT)
			      RULE("u", 6, MATCH(DPORT, "==", "53") ", {\"return\": null}")
				      RULE("u", 7, DROP)));

	EQ_INT(out.fate, CT_FATE_ACCEPT);
	EQ_INT(out.line, 5);
	out = judge_once(
		RULES(RULE("in", 4, "{\"goto\": {\"target\": \"u\"}}") RULE("in", 5, ACCEPT)));
	EQ_INT(out.fate, CT_FATE_DROP);
	EQ_INT(out.line, 0);
	out = judge_once(RULES(RULE("in", 4,
				    "{\"vmap\": {\"key\": " DPORT ", \"data\": {\"set\": [[53, "
				    "{\"jump\": {\"target\": \"u\"}}], [\"*\", " DROP "]]}}}")
				       RULE("u", 9, ACCEPT)));
	EQ_INT(out.fate, CT_FATE_ACCEPT);
	EQ_INT(out.line, 9);
}

TEST(what_is_not_known_is_said)
{
	struct ct_rule_outcome out = judge_once(
		RULES(RULE("in", 4, MATCH(CPU, "==", "1") ", " DROP) RULE("in", 5, ACCEPT)));

	EQ_INT(out.fate, CT_FATE_ACCEPT);
	EQ_STR(out.depends_on, "meta cgroup");
	EQ_INT(out.depends_line, 4);
	/* A later part of the rule that is false settles it; so does a rule that only counts. */
	out = judge_once(RULES(
		RULE("in", 4, MATCH(CPU, "==", "1") ", " MATCH(DPORT, "==", "80") ", " DROP)
			RULE("in", 5, MATCH(CPU, "==", "1") ", " COUNTER) RULE("in", 6, ACCEPT)));
	OK(!out.depends_on);
	out = judge_once(RULES(RULE("in", 4, "{\"dance\": null}, " ACCEPT)));
	EQ_INT(out.fate, CT_FATE_DROP);
	EQ_STR(out.depends_on, "dance");
	out = judge_once(RULES(
		RULE("in", 4, "{\"xt\": {\"type\": \"match\", \"name\": \"time\"}}, " ACCEPT)));
	EQ_STR(out.depends_on, "match time");
	out = judge_once(RULES(RULE("in", 4, "{\"jump\": {\"target\": \"gone\"}}")));
	EQ_STR(out.depends_on, "gone");
}

TEST(translations_are_told_with_their_range)
{
	static const char base[] =
		"{\"chain\": {" IN_TABLE ", \"name\": \"nat\", \"type\": \"nat\", \"hook\": "
		"\"prerouting\", \"prio\": -100, \"policy\": \"accept\"}}";
	char json[1024];
	struct ct_rule_outcome out;

	(void)snprintf(json, sizeof(json), "%s%s%s]}", HEAD, base,
		       RULE("nat", 3,
			    "{\"dnat\": {\"family\": \"ip\", \"addr\": {\"range\": "
			    "[\"192.0.2.1\", \"192.0.2.9\"]}, \"port\": {\"range\": [80, "
			    "90]}, \"flags\": [\"random\", \"persistent\"]}}"));
	out = judge_once(json);
	EQ_INT(out.nat_kind, CT_NAT_DNAT);
	EQ_INT(out.nat_range.flags,
	       CT_NAT_MAP_ADDRS | CT_NAT_MAP_PARTS | CT_NAT_RANDOM | CT_NAT_PERSISTENT);
	EQ_INT(out.nat_range.min_addr.bytes[3], 1);
	EQ_INT(out.nat_range.max_addr.bytes[3], 9);
	EQ_INT(out.nat_range.min_part, 80);
	EQ_INT(out.nat_range.max_part, 90);
	OK(!out.depends_on);
	/* Of another family: not met. */
	(void)snprintf(json, sizeof(json), "%s%s%s]}", HEAD, base,
		       RULE("nat", 3, "{\"dnat\": {\"family\": \"ip6\", \"addr\": \"::1\"}}"));
	OK(!judge_once(json).nat);
}

static int append(void *user, const char *text, size_t len)
{
	return ct_buf_put(user, text, len);
}

static bool is_written(const struct ct_ruleset *rs, const char *what)
{
	struct ct_buf out = { 0 };
	bool is_there;

	(void)ct_ruleset_print(rs, 0, append, &out);
	(void)ct_buf_put(&out, "", 1);
	is_there = strstr(out.p, what) != NULL;
	if (!is_there)
		printf("# %s", out.p);
	ct_buf_fini(&out);
	return is_there;
}

#define SECOND CT_NS_PER_S
TEST(sets_forget_in_time)
{
	struct ct_ruleset *rs = read_rules(
		HEAD BASE
		", {\"set\": {" IN_TABLE
		", \"name\": \"s\", \"type\": \"ipv4_addr\", \"size\": 10, "
		"\"flags\": [\"timeout\"], \"timeout\": 60, \"elem\": [{\"elem\": {\"val\": "
		"\"10.0.0.1\", \"expires\": 5}}]}}" RULE("in", 3,
							 MATCH(SADDR, "==", "\"@s\"") ", " ACCEPT)
			RULE("in", 4,
			     "{\"set\": {\"op\": \"add\", \"elem\": " SADDR
			     ", \"set\": \"@s\"}}") "]}");

	EQ_INT(judge(rs, 100 * SECOND).fate, CT_FATE_ACCEPT);
	EQ_INT(judge(rs, 104 * SECOND).fate, CT_FATE_ACCEPT);
	OK(is_written(rs, "\"expires\": 1}"));
	/* Gone; this packet adds it again for the set's own time. */
	EQ_INT(judge(rs, 105 * SECOND).fate, CT_FATE_DROP);
	EQ_INT(judge(rs, 106 * SECOND).fate, CT_FATE_ACCEPT);
	OK(is_written(rs, "[{\"elem\": {\"val\": \"10.0.0.1\", \"expires\": 59}}]"));
	ct_ruleset_free(rs);
}

TEST(limits_fill_up_with_time)
{
	struct ct_ruleset *rs = read_rules(
		RULES(RULE("in", 3,
			   "{\"limit\": {\"rate\": 1, \"burst\": 2, \"per\": \"second\"}}, " COUNTER
			   ", " ACCEPT)));

	EQ_INT(judge(rs, 10 * SECOND).fate, CT_FATE_ACCEPT);
	EQ_INT(judge(rs, 10 * SECOND).fate, CT_FATE_ACCEPT);
	EQ_INT(judge(rs, 10 * SECOND + SECOND / 2).fate, CT_FATE_DROP);
	EQ_INT(judge(rs, 11 * SECOND).fate, CT_FATE_ACCEPT);
	OK(is_written(rs, "{\"counter\": {\"packets\": 3, \"bytes\": 96}}"));
	ct_ruleset_zero(rs);
	OK(is_written(rs, "{\"counter\": {\"packets\": 0, \"bytes\": 0}}"));
	ct_ruleset_free(rs);
}

TEST(quotas_are_used_up)
{
	struct ct_ruleset *rs = read_rules(RULES(
		RULE("in", 3, "{\"quota\": {\"val\": 40, \"val_unit\": \"bytes\"}}, " ACCEPT)));

	EQ_INT(judge(rs, 1).fate, CT_FATE_ACCEPT);
	OK(is_written(rs, "\"used\": 32, \"used_unit\": \"bytes\""));
	EQ_INT(judge(rs, 2).fate, CT_FATE_DROP);
	OK(is_written(rs, "\"used\": 40, \"used_unit\": \"bytes\""));
	ct_ruleset_free(rs);
}

TAP_MAIN(&tap_base_chains_say_where_they_stand, &tap_tables_of_iptables_are_base_chains_too,
	 &tap_values_are_compared, &tap_fields_imply_their_protocol,
	 &tap_a_packet_without_entry_has_a_state_only, &tap_calls_and_returns,
	 &tap_what_is_not_known_is_said, &tap_translations_are_told_with_their_range,
	 &tap_sets_forget_in_time, &tap_limits_fill_up_with_time, &tap_quotas_are_used_up)
