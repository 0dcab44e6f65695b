/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Rule sets out of files: which spelling it is, what listings of nft are refused and why, and that
 * what nobody understands is kept as it stands.
 */
#include "ops/rules/rules.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/clean.h"
#include "tap.h"

#define TABLE	    "{\"table\": {\"family\": \"inet\", \"name\": \"t\", \"handle\": 1}}"
#define IN_TABLE    "\"family\": \"inet\", \"table\": \"t\""
#define CHAIN(name) "{\"chain\": {" IN_TABLE ", \"name\": \"" name "\"}}"
#define BASE(name)                                                                                 \
	"{\"chain\": {" IN_TABLE ", \"name\": \"" name                                             \
	"\", \"type\": \"filter\", \"hook\": \"input\", \"prio\": 0, \"policy\": \"accept\"}}"
#define RULE(chain, expr)                                                                          \
	"{\"rule\": {" IN_TABLE ", \"chain\": \"" chain "\", \"handle\": 7, \"expr\": [" expr "]}" \
	"}"
#define LISTING(objects) "{\"nftables\": [" objects "]}"

static int append(void *user, const char *text, size_t len)
{
	return ct_buf_put(user, text, len);
}

static enum rules_spelling spelling(const char *s)
{
	return rules_spelling(s, strlen(s));
}

TEST(spelling_is_told_by_the_first_word)
{
	EQ_INT(spelling("# by iptables-save\n*filter\n"), RULES_IPTABLES);
	EQ_INT(spelling("-A INPUT -j ACCEPT\n"), RULES_IPTABLES);
	EQ_INT(spelling(""), RULES_IPTABLES);
	EQ_INT(spelling(" \n{\"nftables\": []}"), RULES_NFT_JSON);
	EQ_INT(spelling("#!/usr/sbin/nft -f\n\nflush ruleset\n"), RULES_NFT_TEXT);
	EQ_INT(spelling("table inet t {\n}\n"), RULES_NFT_TEXT);
}

/* What is said of @json; "" when it is taken. */
static const char *complaint(const char *json)
{
	static struct ct_err err;
	struct ct_ruleset *rs;

	err.text[0] = '\0';
	rs = rules_read(json, strlen(json), CT_SYNTAX_IPTABLES, &err);
	ct_ruleset_free(rs);
	if (rs)
		return "";
	return err.text[0] ? err.text : "no sentence";
}

TEST(what_is_no_listing_is_refused)
{
	EQ_STR(complaint("{\"nftables\": ["), "line 1, column 14: ']' expected near end of file");
	EQ_STR(complaint("{}"), "no listing of nft: there is no list \"nftables\"");
	EQ_STR(complaint(LISTING("{\"flush\": {\"ruleset\": null}}")),
	       "object 1 of the listing: 'flush' is a command: this is no listing");
	EQ_STR(complaint(LISTING("[]")),
	       "object 1 of the listing: an object with more, or less, than one name");
	EQ_STR(complaint(LISTING("{\"metainfo\": {\"json_schema_version\": 2}}")),
	       "object 1 of the listing: a json_schema_version that is not known");
}

TEST(what_belongs_nowhere_is_refused)
{
	EQ_STR(complaint(LISTING(CHAIN("a"))),
	       "object 1 of the listing: a chain of table 't', which is not listed");
	EQ_STR(complaint(LISTING(TABLE ", " TABLE)), "object 2 of the listing: two tables inet t");
	EQ_STR(complaint(LISTING(TABLE ", " CHAIN("a") ", " CHAIN("a"))),
	       "object 3 of the listing: table inet t has two of the name 'a' (chain)");
	EQ_STR(complaint(LISTING(TABLE ", " RULE("a", "{\"accept\": null}"))),
	       "a rule of chain 'a', which table inet t does not list");
}

/* As the kernel: from where packets come, 16 calls within calls, and so no loop. */
TEST(loops_are_refused_where_packets_enter_them)
{
#define JUMP(to) "{\"jump\": {\"target\": \"" to "\"}}"
#define LOOP	 CHAIN("a") ", " CHAIN("b") ", " RULE("a", JUMP("b")) ", " RULE("b", JUMP("a"))
	EQ_STR(complaint(LISTING(TABLE ", " LOOP)), "");
	EQ_STR(complaint(LISTING(TABLE ", " LOOP ", " BASE("in") ", " RULE("in", JUMP("a")))),
	       "chain b of table inet t is called in a loop, or more than 16 chains deep");
	EQ_STR(complaint(LISTING(TABLE ", " BASE("in") ", " CHAIN("a") ", " RULE(
		       "in", JUMP("a")) ", " RULE("a", "{\"vmap\": {\"key\": {\"meta\": {\"key\": "
						       "\"l4proto\"}}, \"data\": {\"set\": "
						       "[[\"tcp\", " JUMP("a") "]]}}}"))),
	       "chain a of table inet t is called in a loop, or more than 16 chains deep");
}

TEST(depth_has_a_limit)
{
	char deep[4096] = "{\"nftables\": [";
	size_t n = strlen(deep);

	for (unsigned i = 0; i < 100; i++)
		deep[n++] = '[';
	for (unsigned i = 0; i < 100; i++)
		deep[n++] = ']';
	strcpy(deep + n, "]}");
	EQ_STR(complaint(deep), "object 1 of the listing: more than 48 values within values");
}

/* Reads and writes; true when nothing has changed. */
static bool is_kept(const char *json, unsigned n_opaque)
{
	struct ct_err err = { "" };
	struct ct_buf out = { 0 };
	struct ct_ruleset *rs = rules_read(json, strlen(json), CT_SYNTAX_IPTABLES, &err);
	struct ct_ruleset_size size = { 0 };
	bool is_same;

	if (!rs) {
		printf("# %s\n", err.text);
		return false;
	}
	ct_ruleset_size(rs, &size);
	EQ_INT(size.n_opaque, n_opaque);
	is_same = ct_ruleset_print(rs, 0, append, &out) == 0 && out.len == strlen(json) + 1 &&
		  memcmp(out.p, json, strlen(json)) == 0;
	if (!is_same)
		printf("# %.*s", (int)out.len, out.p);
	ct_buf_fini(&out);
	ct_ruleset_free(rs);
	return is_same;
}

TEST(what_nobody_knows_is_kept)
{
	OK(is_kept(LISTING("{\"metainfo\": {\"version\": \"9\", \"other\": 1.5}}, " TABLE), 0));
	OK(is_kept(LISTING(TABLE ", {\"tunnel\": {\"a\": [true, false, null, -3]}}"), 0));
	OK(is_kept(
		LISTING(TABLE ", " BASE("in") ", " RULE("in", "{\"dance\": {\"x\": \"\\\"\\\\\\n"
							      "\\u0001\"}}, {\"accept\": null}")),
		1));
	OK(is_kept(LISTING(TABLE ", " BASE("in") ", " RULE("in", "\"add @z { ip saddr : 5 }\"")),
		   1));
	OK(is_kept(
		LISTING(TABLE ", " BASE("in") ", " RULE("in", "{\"queue\": {\"num\": {\"range\": "
							      "[1, 3]}, \"flags\": \"bypass\"}}")),
		0));
	OK(is_kept(LISTING(TABLE
			   ", {\"flowtable\": {" IN_TABLE ", \"name\": \"f\", \"hook\": "
			   "\"ingress\", \"prio\": 0, \"dev\": \"lo\"}}, " BASE("in") ", " RULE(
				   "in", "{\"flow\": {\"op\": \"add\", \"flowtable\": "
					 "\"@f\"}}")),
		   1));
	OK(is_kept(LISTING(TABLE ", {\"set\": {" IN_TABLE ", \"name\": \"s\", \"type\": "
				 "\"cgroupsv2\", \"elem\": [\"a.slice\"]}}"),
		   0));
}

TEST(what_points_nowhere_is_opaque)
{
	OK(is_kept(LISTING(TABLE ", " BASE("in") ", " RULE("in", "{\"jump\": {\"target\": "
								 "\"gone\"}}")),
		   1));
	OK(is_kept(LISTING(TABLE ", " BASE("in") ", " RULE("in", "{\"counter\": \"gone\"}")), 1));
	OK(is_kept(LISTING(TABLE ", " BASE("in") ", " RULE(
			   "in", "{\"match\": {\"op\": \"==\", \"left\": {\"payload\": "
				 "{\"protocol\": \"tcp\", \"field\": \"dport\"}}, \"right\": "
				 "\"@gone\"}}, {\"accept\": null}")),
		   1));
}

TAP_MAIN(&tap_spelling_is_told_by_the_first_word, &tap_what_is_no_listing_is_refused,
	 &tap_what_belongs_nowhere_is_refused, &tap_loops_are_refused_where_packets_enter_them,
	 &tap_depth_has_a_limit, &tap_what_nobody_knows_is_kept, &tap_what_points_nowhere_is_opaque)
