/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Carries packets through rule sets as a router between lan0 (10.1.0.1/24, 2001:db8:1::1/64) and
 * wan0 (10.2.0.1/24, 2001:db8:2::1/64, the default route). Arguments: 4 or 6, a file of rules, and
 * perhaps one of sets. On stdin, for each packet: time in ns (8 bytes, little-endian), interface
 * (1 byte: 0 lan0, 1 wan0, 2 sent by the host), size (2 bytes), bytes. On stdout: a line for each,
 * "fate through out hex", then "--" and the rules with their counters.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/clean.h"
#include <conntune/hooks.h>

enum { ROOM = 65536 + 64, MTU = 1500 };

static int read_file(const char *path, struct ct_buf *out)
{
	char part[4096];
	FILE *f = fopen(path, "r");
	size_t n;

	if (!f)
		return -1;
	while ((n = fread(part, 1, sizeof(part), f)) > 0)
		(void)ct_buf_put(out, part, n);
	return fclose(f);
}

static int append(void *user, const char *text, size_t len)
{
	return fwrite(text, 1, len, user) == len ? 0 : -EIO;
}

static void print_packet(const struct ct_passage *out, const struct ct_packet *p)
{
	static const char *const fates[] = { "accept", "drop", "reject", "queue" };

	printf("%s %s %s ", fates[out->fate],
	       out->is_waiting						  ? "waits"
	       : out->is_through && out->way_on.route == CT_ROUTE_FORWARD ? "out"
	       : out->is_through					  ? "in"
									  : "ended",
	       out->depends_on ? out->depends_on : "-");
	for (uint32_t i = 0; out->is_through && i < p->size; i++)
		printf("%02x", p->data[i]);
	printf("\n");
}

/* One packet of stdin; 1, or 0 at the end. */
static int pass(struct ct_hooks *h, uint8_t *bytes)
{
	static const char *const names[] = { "lan0", "wan0", NULL };
	uint8_t head[11];
	uint16_t size;
	int64_t now;
	struct ct_packet p;
	struct ct_passage out = { .fate = CT_FATE_DROP };
	struct ct_way way = { 0 };

	if (fread(head, 1, sizeof(head), stdin) != sizeof(head))
		return 0;
	memcpy(&now, head, 8);
	memcpy(&size, head + 9, 2);
	if (fread(bytes, 1, size, stdin) != size)
		return 0;
	ct_packet_init(&p, bytes, size);
	way.in = names[head[8] % 3];
	way.is_sent = head[8] == 2;
	if (ct_packet_receive(&p) < 0) {
		printf("drop ended - \n");
		return 1;
	}
	p.bytes = bytes;
	p.room = ROOM;
	ct_hooks_packet(h, &p, &way, now, &out);
	print_packet(&out, &p);
	return 1;
}

static void set_up(struct ct_hooks *h, struct ct_route_addr *addrs, struct ct_route_line *lines)
{
	static const char *const own[] = { "10.1.0.1", "10.2.0.1", "2001:db8:1::1",
					   "2001:db8:2::1" };
	static const char *const nets[] = { "10.1.0.0", "0.0.0.0", "2001:db8:1::", "::" };
	static const uint8_t prefixes[] = { 16, 0, 64, 0 };

	for (unsigned i = 0; i < 4; i++) {
		const char *iface = i % 2 ? "wan0" : "lan0";

		(void)ct_addr_parse(own[i], strlen(own[i]), &addrs[i].addr, &addrs[i].family);
		addrs[i].prefix = i < 2 ? 16 : 64;
		addrs[i].iface = iface;
		(void)ct_addr_parse(nets[i], strlen(nets[i]), &lines[i].dst, &lines[i].family);
		lines[i].prefix = prefixes[i];
		lines[i].iface = iface;
	}
	h->router.addrs = addrs;
	h->router.n_addrs = 4;
	h->router.is_forwarding = true;
	ct_router_sort(&h->router, lines, 4);
}

int main(int argc, char **argv)
{
	auto_fini(ct_buf) struct ct_buf text = { 0 }, saved = { 0 };
	bool is_v6 = argc > 1 && argv[1][0] == '6';
	struct ct_engine_config cfg;
	struct ct_defrag_config defrag;
	struct ct_hooks h = { 0 };
	struct ct_route_addr addrs[4];
	struct ct_route_line lines[4] = { { .prefix = 0 } };
	struct ct_err err = { "" };
	struct ct_ruleset *rs;
	uint8_t *bytes = malloc(ROOM);

	if (argc < 3 || !bytes || read_file(argv[2], &text) < 0)
		return 2;
	rs = ct_ruleset_parse(text.p, text.len, is_v6 ? CT_SYNTAX_IP6TABLES : CT_SYNTAX_IPTABLES,
			      &err);
	if (!rs) {
		(void)fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	ct_engine_config_default(&cfg);
	cfg.settings.acct = 1;
	ct_defrag_config_default(&defrag);
	h.engine = ct_engine_new(&cfg, &err);
	h.defrag = ct_defrag_new(&defrag, &err);
	*(is_v6 ? &h.rules6 : &h.rules4) = rs;
	set_up(&h, addrs, lines);
	h.about.known = CT_RULE_KNOWS_TIME | CT_RULE_KNOWS_LINK | CT_RULE_KNOWS_KIND |
			CT_RULE_KNOWS_NO_IPSEC | CT_RULE_KNOWS_MTU;
	h.about.mtu = MTU;
	if (argc > 3 && (read_file(argv[3], &saved) < 0 ||
			 !(h.about.sets = ct_ipsets_parse(saved.p, saved.len, &err)))) {
		(void)fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	while (pass(&h, bytes) == 1)
		;
	printf("--\n");
	(void)ct_ruleset_print(rs, CT_RULESET_COUNTERS, append, stdout);
	ct_engine_free(h.engine);
	ct_defrag_free(h.defrag);
	ct_ruleset_free(rs);
	ct_ipsets_free(h.about.sets);
	free(bytes);
	return 0;
}
