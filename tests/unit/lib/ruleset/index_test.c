/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Long chains are looked up, not walked through: random rules of all shapes count the same either
 * way; and the most rules of a long chain are never tried.
 */
#include "lib/ruleset/index.h"

#include <stdlib.h>

#include "lib/base/buf.h"
#include "lib/base/clean.h"
#include "tap.h"

static uint64_t seed = 1;

static unsigned some(unsigned n)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (unsigned)(seed >> 33) % n;
}

static void put_rule(struct ct_buf *text, const char *chain, unsigned n_users)
{
	static const char *const sources[] = { "",
					       "",
					       " -s 10.0.0.0/28",
					       " -s 10.0.0.3",
					       " ! -s 10.0.0.5",
					       " -s 10.0.0.2/255.0.0.3" };
	static const char *const ports[] = { "",
					     " --dport 2",
					     " --sport 1:4",
					     " --dport 3:60000",
					     " ! --dport 2",
					     " --dport 4 --sport 2",
					     " --dport 1:2" };
	static const char *const protos[] = { "tcp", "udp" };
	static const char *const targets[] = { "",	     " -j RETURN", " -j MARK --or-mark 1",
					       " -j ACCEPT", "",	   " -j DROP" };
	const char *proto = protos[some(2)];

	(void)ct_buf_printf(text, "-A %s%s", chain, sources[some(6)]);
	if (some(3) == 0)
		(void)ct_buf_printf(text, " -d 10.0.1.%u", some(6));
	if (some(4))
		(void)ct_buf_printf(text, " -p %s%s%s%s", proto,
				    some(5) ? "" : " -m length ! --length 0",
				    some(9) ? "" : " -m statistic --mode nth --every 2 --packet 0",
				    ports[some(7)]);
	if (n_users && some(10) == 0)
		(void)ct_buf_printf(text, " %s U%u\n", some(3) ? "-j" : "-g", some(n_users));
	else
		(void)ct_buf_printf(text, "%s\n", some(4) ? targets[some(3)] : targets[some(6)]);
}

/* A rule set with chains of @n rules. */
static void put_rules(struct ct_buf *text, unsigned n)
{
	(void)ct_buf_printf(text, "*filter\n:U0 -\n:U1 -\n");
	for (unsigned i = 0; i < n; i++) {
		put_rule(text, "FORWARD", 2);
		put_rule(text, "U1", 1);
		put_rule(text, "U0", 0);
	}
	(void)ct_buf_printf(text, "COMMIT\n");
}

static int append(void *user, const char *s, size_t len)
{
	return ct_buf_put(user, s, len);
}

/* Random packets, some of them too short for a header. */
static void send(struct ct_ruleset *rs, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint8_t b[48] = {
			0x45, 0, 0, 48, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 0, 10, 0, 1, 0
		};
		struct ct_rule_packet r = { .now = 1 };
		struct ct_rule_outcome out;
		struct ct_packet p;

		b[9] = some(9) ? (some(2) ? 6 : 17) : 1;
		b[15] = (uint8_t)some(8);
		b[19] = (uint8_t)some(6);
		b[7] = (uint8_t)(some(20) ? 0 : 1);
		b[21] = (uint8_t)some(6);
		b[23] = (uint8_t)some(6);
		b[32] = 0x50;
		ct_packet_init(&p, b, some(20) ? 48 : 20 + some(24));
		(void)ct_packet_parse(&p);
		r.packet = &p;
		(void)ct_ruleset_judge(rs, "filter", CT_AT_FORWARD, &r, &out);
	}
}

static void drop_indexes(struct ct_ruleset *rs)
{
	for (struct ct_rule_table *t = rs->tables; t; t = t->next)
		for (struct ct_rule_chain *c = t->chains; c; c = c->next)
			c->index = NULL;
}

TEST(looked_up_rules_count_as_walked_ones)
{
	for (unsigned round = 0; round < 200; round++) {
		auto_fini(ct_buf) struct ct_buf text = { 0 }, looked = { 0 }, walked = { 0 };
		struct ct_err err = { "" };
		uint64_t traffic;
		struct ct_ruleset *a, *b;

		put_rules(&text, 5 + some(100));
		a = ct_ruleset_parse(text.p, text.len, CT_SYNTAX_IPTABLES, &err);
		b = ct_ruleset_parse(text.p, text.len, CT_SYNTAX_IPTABLES, &err);
		EQ_STR(err.text, "");
		if (!a || !b)
			return;
		drop_indexes(b);
		traffic = seed;
		send(a, 200);
		seed = traffic;
		send(b, 200);
		(void)ct_ruleset_print(a, CT_RULESET_COUNTERS, append, &looked);
		(void)ct_ruleset_print(b, CT_RULESET_COUNTERS, append, &walked);
		if (looked.len != walked.len || memcmp(looked.p, walked.p, looked.len) != 0)
			TAP_FAIL("round %u:\n%s\ninstead of\n%s", round, looked.p, walked.p);
		ct_ruleset_free(a);
		ct_ruleset_free(b);
	}
}

/* A chain of a thousand hosts and ports: only the rules of the packet's own are met. */
TEST(the_rules_of_others_are_not_met)
{
	auto_fini(ct_buf) struct ct_buf text = { 0 };
	uint8_t b[40] = { 0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0,	    10,
			  0,	0, 1, 10, 0, 1, 7, 0, 1,  0, 9, [32] = 0x50 };
	struct ct_judging j = { .ip = b,
				.src = b + 12,
				.dst = b + 16,
				.l4 = b + 20,
				.size = 40,
				.l4_size = 20,
				.proto = 6,
				.addr_size = 4 };
	struct ct_rule_heads heads;
	struct ct_err err = { "" };
	struct ct_ruleset *rs;
	const struct ct_rule *r;

	(void)ct_buf_printf(&text, "*filter\n");
	for (unsigned i = 0; i < 1000; i++)
		(void)ct_buf_printf(&text,
				    "-A FORWARD -d 10.0.1.%u/32 -p tcp --dport %u -j ACCEPT\n",
				    i % 250, i / 250 + 8);
	(void)ct_buf_printf(&text, "COMMIT\n");
	rs = ct_ruleset_parse(text.p, text.len, CT_SYNTAX_IPTABLES, &err);
	EQ_STR(err.text, "");
	if (!rs)
		return;
	OK(ct_rule_index_fits(&j));
	ct_rule_index_find(ct_rule_chain_find(rs->tables, "FORWARD")->index, &j, &heads);
	r = ct_rule_index_next(&heads, 0);
	EQ_INT(r ? r->line : 0, 2 + 257);
	OK(!r || ct_rule_index_next(&heads, r->number + 1) == NULL);
	ct_ruleset_free(rs);
}

TAP_MAIN(&tap_looked_up_rules_count_as_walked_ones, &tap_the_rules_of_others_are_not_met)
