/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Packets through the hooks, one line each way, for nat_test.py to compare with the kernel.
 *
 *     rules4 FILE, rules6 FILE           as iptables-save writes them
 *     nft FILE                           as nft -j list ruleset writes it
 *     addr IFACE ADDR LEN                in the order of configuration
 *     route IFACE ADDR LEN [VIA]
 *     set NAME VALUE                     a sysctl of the tracker
 *     host, seed N
 *     lend                               packets lend their bytes: a hop is taken from them
 *     p IFACE NS HEX                     a packet that came in; IFACE "-": sent by the host
 *         FATE STATE IFACE HEX           what became of it; "F" forwarded, "L" local, "O" sent, "D"
 *     table, save4, save6, savenft, stats
 *                                        as /proc has it, as iptables-save -c, as nft; then "."
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/rules/rules.h"
#include <conntune/hooks.h>

enum { MAX_LINES = 64, MAX_PACKET = 1 << 16 };

struct peer {
	struct ct_engine_config engine;
	struct ct_hooks h;
	struct ct_route_addr addrs[MAX_LINES];
	struct ct_route_line routes[MAX_LINES];
	unsigned n_addrs, n_routes;
	bool is_host, lends;
	char names[MAX_LINES][16];
	unsigned n_names;
};

static void fail(const char *what)
{
	(void)fprintf(stderr, "nat_peer: %s\n", what);
	exit(2);
}

static const char *name_keep(struct peer *k, const char *name)
{
	for (unsigned i = 0; i < k->n_names; i++)
		if (strcmp(k->names[i], name) == 0)
			return k->names[i];
	if (k->n_names == MAX_LINES || strlen(name) >= sizeof(k->names[0]))
		fail("too many interfaces");
	return strcpy(k->names[k->n_names++], name);
}

static struct ct_ruleset *read_rules(const char *path, unsigned syntax)
{
	static char text[1 << 20];
	FILE *f = fopen(path, "re");
	struct ct_err err = { "" };
	struct ct_ruleset *rs;

	if (!f)
		fail(path);
	rs = rules_read(text, fread(text, 1, sizeof(text), f), syntax, &err);
	(void)fclose(f);
	if (!rs)
		fail(err.text);
	return rs;
}

static void add_addr(struct peer *k, char **arg)
{
	struct ct_route_addr *a = &k->addrs[k->n_addrs++];

	if (k->n_addrs > MAX_LINES || ct_addr_parse(arg[2], strlen(arg[2]), &a->addr, &a->family))
		fail(arg[2]);
	a->iface = name_keep(k, arg[1]);
	a->prefix = (uint8_t)atoi(arg[3]);
}

static void add_route(struct peer *k, char **arg)
{
	struct ct_route_line *l = &k->routes[k->n_routes++];
	uint8_t family;

	if (k->n_routes > MAX_LINES || ct_addr_parse(arg[2], strlen(arg[2]), &l->dst, &l->family))
		fail(arg[2]);
	l->iface = name_keep(k, arg[1]);
	l->prefix = (uint8_t)atoi(arg[3]);
	l->has_via = arg[4] && ct_addr_parse(arg[4], strlen(arg[4]), &l->via, &family) == 0;
}

static void begin(struct peer *k)
{
	struct ct_nat_config nat = { .seed = { 0 } };
	struct ct_defrag_config defrag;
	struct ct_err err = { "" };

	if (k->h.engine)
		return;
	ct_defrag_config_default(&defrag);
	k->h.engine = nat.engine = ct_engine_new(&k->engine, &err);
	k->h.defrag = ct_defrag_new(&defrag, &err);
	if (!k->h.engine || !k->h.defrag)
		fail(err.text);
	memcpy(nat.seed, k->engine.seed, sizeof(nat.seed));
	k->h.nat = ct_nat_new(&nat, &err);
	if (!k->h.nat)
		fail(err.text);
	k->h.router.addrs = k->addrs;
	k->h.router.n_addrs = k->n_addrs;
	k->h.router.is_forwarding = !k->is_host;
	ct_router_sort(&k->h.router, k->routes, k->n_routes);
}

static char fate_of(const struct ct_passage *out, const struct ct_way *way)
{
	if (!out->is_through)
		return out->is_waiting ? 'W' : 'D';
	if (out->way_on.route == CT_ROUTE_LOCAL)
		return 'L';
	return way->is_sent ? 'O' : 'F';
}

static void put_hex(const uint8_t *data, uint32_t size)
{
	for (uint32_t i = 0; i < size; i++)
		(void)printf("%02x", data[i]);
}

static void feed(struct peer *k, char **arg)
{
	static uint8_t bytes[MAX_PACKET];
	size_t size = strlen(arg[3]) / 2;
	struct ct_passage out;
	struct ct_packet p;
	struct ct_way way = { .in = name_keep(k, arg[1]) };

	begin(k);
	for (size_t i = 0; i < size && i < sizeof(bytes); i++) {
		char digits[3] = { arg[3][2 * i], arg[3][2 * i + 1], 0 };

		bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	if (strcmp(arg[1], "-") == 0)
		way = (struct ct_way){ .is_sent = true };
	ct_packet_init(&p, bytes, size);
	if (k->lends) {
		p.bytes = bytes;
		p.room = sizeof(bytes);
	}
	if (ct_packet_receive(&p) < 0) {
		(void)printf("D - - \n");
		return;
	}
	ct_hooks_packet(&k->h, &p, &way, strtoll(arg[2], NULL, 10), &out);
	(void)printf("%c %s%s %s ", fate_of(&out, &way),
		     out.is_tracked ? ct_info_name((enum ct_info)p.info) : "-",
		     !out.is_tracked || p.info >= CT_INFO_UNTRACKED	 ? ""
		     : ct_info_dir((enum ct_info)p.info) == CT_DIR_REPLY ? "/r"
									 : "/o",
		     out.way_on.out ? out.way_on.out : "-");
	put_hex(out.data, out.size);
	(void)printf("%s%s\n", out.depends_on ? " depends on " : "",
		     out.depends_on ? out.depends_on : "");
}

static int write_out(void *user, const char *text, size_t len)
{
	return fwrite(text, 1, len, user) == len ? 0 : -1;
}

static void show(struct peer *k, const char *what)
{
	struct ct_cursor at = { 0 };
	struct ct_entry e;
	char line[CT_MAX_LINE];
	struct ct_text text;
	struct ct_engine_stats s;

	begin(k);
	if (strcmp(what, "save4") == 0 && k->h.rules4)
		(void)ct_ruleset_print(k->h.rules4, CT_RULESET_COUNTERS, write_out, stdout);
	if (strcmp(what, "save6") == 0 && k->h.rules6)
		(void)ct_ruleset_print(k->h.rules6, CT_RULESET_COUNTERS, write_out, stdout);
	if (strcmp(what, "savenft") == 0 && k->h.rules_nft)
		(void)ct_ruleset_print(k->h.rules_nft, 0, write_out, stdout);
	while (strcmp(what, "table") == 0 && ct_engine_next(k->h.engine, &at, &e) == 1) {
		ct_text_init(&text, line, sizeof(line));
		(void)ct_entry_format(&e, CT_FORM_PROC, 0, &text);
		(void)printf("%s\n", line);
	}
	ct_engine_stats(k->h.engine, &s);
#define ENGINE_STAT(field, column)                                                                 \
	if (strcmp(what, "stats") == 0)                                                            \
		(void)printf("%s %" PRIu64 "\n", column, s.field);
#include <conntune/engine_stat.def>
#undef ENGINE_STAT
	(void)printf(".\n");
}

static void obey(struct peer *k, char **arg)
{
	uint32_t *value, highest;

	if (strcmp(arg[0], "rules4") == 0)
		k->h.rules4 = read_rules(arg[1], CT_SYNTAX_IPTABLES);
	else if (strcmp(arg[0], "rules6") == 0)
		k->h.rules6 = read_rules(arg[1], CT_SYNTAX_IP6TABLES);
	else if (strcmp(arg[0], "nft") == 0)
		k->h.rules_nft = read_rules(arg[1], CT_SYNTAX_IPTABLES);
	else if (strcmp(arg[0], "addr") == 0)
		add_addr(k, arg);
	else if (strcmp(arg[0], "route") == 0)
		add_route(k, arg);
	else if (strcmp(arg[0], "host") == 0)
		k->is_host = true;
	else if (strcmp(arg[0], "lend") == 0)
		k->lends = true;
	else if (strcmp(arg[0], "seed") == 0)
		k->engine.seed[0] = (uint8_t)atoi(arg[1]);
	else if (strcmp(arg[0], "p") == 0)
		feed(k, arg);
	else if (strcmp(arg[0], "set") != 0)
		show(k, arg[0]);
	else if (ct_engine_setting_find(&k->engine.settings, arg[1], strlen(arg[1]), &value,
					&highest) == 0)
		*value = (uint32_t)atoi(arg[2]);
	else
		fail(arg[1]);
}

int main(void)
{
	static struct peer k;
	static char line[2 * MAX_PACKET + 256];

	ct_engine_config_default(&k.engine);
	while (fgets(line, sizeof(line), stdin)) {
		char *arg[8] = { NULL };
		unsigned n = 0;

		for (char *word = strtok(line, " \n"); word && n < 7; word = strtok(NULL, " \n"))
			arg[n++] = word;
		if (n > 0)
			obey(&k, arg);
		(void)fflush(stdout);
	}
	ct_nat_free(k.h.nat);
	ct_engine_free(k.h.engine);
	ct_defrag_free(k.h.defrag);
	ct_ruleset_free(k.h.rules4);
	ct_ruleset_free(k.h.rules6);
	ct_ruleset_free(k.h.rules_nft);
	return 0;
}
