/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Traffic through rule sets of the field, and the counters that a kernel had afterwards
 * (tests/rulesets/traffic): every rule and every policy must have counted the same.
 */
#include <conntune/hooks.h>

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/buf.h"
#include "lib/base/clean.h"
#include "ops/capture/capture.h"
#include "tap.h"

struct setup {
	const char *name, *rules;
	const char *own; /* address of a host with eth0; null for a router between lan0 and wan0 */
	bool is_v6;
};

static const char *data_path(char *path, size_t size, const char *folder, const char *name)
{
	const char *dir = getenv("TEST_DATA");

	(void)snprintf(path, size, "%s/rulesets/%s/%s", dir ? dir : "tests", folder, name);
	return path;
}

/* A file without the lines that begin with '#'. */
static int read_rules(const char *path, struct ct_buf *out)
{
	char line[4096];
	FILE *f = fopen(path, "r");

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		if (line[0] != '#')
			(void)ct_buf_put(out, line, strlen(line));
	return fclose(f);
}

static int append(void *user, const char *text, size_t len)
{
	return ct_buf_put(user, text, len);
}

/* The routes that the recordings were made with: a host's, and a router's. */
#define NET4(a, b, length, dev)                                                                    \
	{                                                                                          \
		.dst.bytes = { a, b }, .family = CT_FAMILY_IPV4, .prefix = length, .iface = dev    \
	}
static struct ct_route_line host_routes[] = {
	NET4(0, 0, 0, "eth0"),
	{ .family = CT_FAMILY_IPV6, .iface = "eth0" },
};
static struct ct_route_line routes[] = {
	NET4(0, 0, 0, "wan0"),
	NET4(192, 168, 16, "lan0"),
	NET4(10, 0, 8, "lan0"),
};

/* Whether the host sends a frame, by its addresses. */
static void find_way(const struct ct_hooks *h, const struct setup *s, const struct ct_packet *p,
		     const char *dev, struct ct_way *way)
{
	uint8_t family = s->is_v6 ? CT_FAMILY_IPV6 : CT_FAMILY_IPV4;

	*way = (struct ct_way){ .in = dev };
	if (s->own && ct_route_is_own(&h->router, family, p->data + (s->is_v6 ? 8 : 12)))
		*way = (struct ct_way){ .is_sent = true };
}

static void run(struct ct_hooks *h, const struct setup *s, struct capture *c)
{
	struct frame f[32];
	struct ct_err err;
	int n;

	while ((n = capture_read(c, f, 32, &err)) > 0)
		for (int i = 0; i < n; i++) {
			const char *dev = capture_interface(c, f[i].interface);
			struct ct_passage out;
			struct ct_packet p;
			struct ct_way way;

			ct_packet_init(&p, f[i].data, f[i].size);
			if (ct_packet_receive(&p) < 0)
				continue;
			find_way(h, s, &p, dev ? dev : "", &way);
			ct_hooks_packet(h, &p, &way, f[i].at, &out);
		}
}

/* The lines of one table in @text, from "*table" to COMMIT. */
static void table_of(const char *text, const char *table, struct ct_buf *out)
{
	const char *from = strstr(text, table), *end = from ? strstr(from, "COMMIT") : NULL;

	out->len = 0;
	(void)ct_buf_put(out, from ? from : "", end ? (size_t)(end - from) : 0);
}

static void compare(const char *name, const char *got, const char *want)
{
	static const char *const tables[] = { "*raw\n", "*mangle\n", "*nat\n", "*filter\n",
					      "*security\n" };

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		auto_fini(ct_buf) struct ct_buf a = { 0 }, b = { 0 };

		table_of(got, tables[i], &a);
		table_of(want, tables[i], &b);
		if (a.len != b.len || memcmp(a.p, b.p, a.len) != 0)
			TAP_FAIL("%s counts\n%s instead of\n%s", name, a.p, b.p);
	}
}

static void check(const struct setup *s)
{
	auto_fini(ct_buf) struct ct_buf rules = { 0 }, want = { 0 }, got = { 0 };
	struct ct_route_addr own = { .prefix = s->is_v6 ? 128 : 32 };
	struct ct_defrag_config defrag;
	struct ct_engine_config cfg;
	struct ct_ruleset *rs;
	struct capture *c = NULL;
	struct ct_hooks h = { 0 };
	char path[512], folder[64];
	struct ct_err err = { "" };

	(void)snprintf(folder, sizeof(folder), "traffic/%s", s->name);
	EQ_INT(read_rules(data_path(path, sizeof(path), ".", s->rules), &rules), 0);
	EQ_INT(read_rules(data_path(path, sizeof(path), folder,
				    s->is_v6 ? "rules.v6.txt" : "rules.v4.txt"),
			  &want),
	       0);
	EQ_INT(capture_open(data_path(path, sizeof(path), folder, "replayed.pcapng"), &c, &err), 0);
	rs = ct_ruleset_parse(rules.p, rules.len,
			      s->is_v6 ? CT_SYNTAX_IP6TABLES : CT_SYNTAX_IPTABLES, &err);
	EQ_STR(err.text, "");
	if (!rs || !c)
		return;
	ct_engine_config_default(&cfg);
	ct_defrag_config_default(&defrag);
	h.engine = ct_engine_new(&cfg, &err);
	h.defrag = ct_defrag_new(&defrag, &err);
	*(s->is_v6 ? &h.rules6 : &h.rules4) = rs;
	if (s->own)
		EQ_INT(ct_addr_parse(s->own, strlen(s->own), &own.addr, &own.family), 0);
	h.router = (struct ct_router){ .addrs = &own,
				       .n_addrs = s->own ? 1 : 0,
				       .is_forwarding = !s->own };
	ct_router_sort(&h.router, s->own ? host_routes : routes, s->own ? 2 : 3);
	run(&h, s, c);
	EQ_INT(ct_ruleset_print(rs, CT_RULESET_COUNTERS, append, &got), 0);
	compare(s->name, got.p, want.p);
	ct_engine_free(h.engine);
	ct_defrag_free(h.defrag);
	ct_ruleset_free(rs);
	capture_free(c);
}

#define HOST "192.0.2.10"

TEST(rules_of_a_host_count_as_in_the_kernel)
{
	static const struct setup hosts[] = {
		{ "dns-notrack", "dns-notrack.v4", HOST, false },
		{ "firewalld-zones", "firewalld-zones.v4", HOST, false },
		{ "rhel6-default", "rhel6-default.v4", HOST, false },
		{ "ufw-server", "ufw-server.v4", HOST, false },
		{ "ufw-server6", "ufw-server.v6", "2001:db8:1::10", true },
	};

	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		check(&hosts[i]);
}

TEST(every_match_counts_as_in_the_kernel)
{
	static const struct setup routers[] = {
		{ "match-conntrack", "traffic/match-conntrack/rules.v4", NULL, false },
		{ "match-packet", "traffic/match-packet/rules.v4", NULL, false },
		{ "drops", "traffic/drops/rules.v4", NULL, false },
	};

	for (size_t i = 0; i < sizeof(routers) / sizeof(routers[0]); i++)
		check(&routers[i]);
}

/* One SYN to a host whose rules the model cannot judge to the end. */
TEST(what_cannot_be_known_is_said)
{
	static const uint8_t syn[40] = { 0x45, 0,    0,	   40, 0,   1, 0,   0, 64, 6,
					 0,    0,    198,  51, 100, 7, 192, 0, 2,  10,
					 0x9c, 0x40, 0,	   22, 0,   0, 0,   1, 0,  0,
					 0,    0,    0x50, 2,  4,   0, 0,   0, 0,  0 };
	static const char text[] = "*filter\n:INPUT DROP [0:0]\n"
				   "-A INPUT -m quark --up -j LOG\n"
				   "-A INPUT -p udp -m quark --up -j ACCEPT\n"
				   "-A INPUT -p tcp -m set --match-set good src -j ACCEPT\n"
				   "-A INPUT -p tcp -j TARPIT --tarpit\n"
				   "COMMIT\n";
	const struct ct_way way = { .in = "eth0" };
	const struct ct_route_addr own = { .addr.bytes = { 192, 0, 2, 10 },
					   .family = CT_FAMILY_IPV4,
					   .prefix = 24 };
	struct ct_hooks h = { 0 };
	struct ct_passage out;
	struct ct_packet p;
	struct ct_err err;

	h.router = (struct ct_router){ .addrs = &own, .n_addrs = 1 };
	h.rules4 = ct_ruleset_parse(text, sizeof(text) - 1, CT_SYNTAX_IPTABLES, &err);
	OK(h.rules4 != NULL);
	if (!h.rules4)
		return;
	ct_packet_init(&p, syn, sizeof(syn));
	ct_hooks_packet(&h, &p, &way, 0, &out);
	EQ_INT(out.fate, CT_FATE_DROP);
	EQ_INT(out.at, CT_AT_INPUT);
	EQ_STR(out.depends_on, "set");
	EQ_INT(out.depends_line, 5);
	ct_ruleset_free(h.rules4);
}

TAP_MAIN(&tap_rules_of_a_host_count_as_in_the_kernel, &tap_every_match_counts_as_in_the_kernel,
	 &tap_what_cannot_be_known_is_said)
