/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Whole ways through the hooks: packets of any form, sent and received, through rules that
 * translate, give helpers and mark. What leaves must be as long as its header says, and afterwards
 * the table no longer than its counter.
 *
 * The input is a sequence of packets, each behind 3 bytes: where it comes from, and its size.
 */
#include <conntune/hooks.h>

#include <stdlib.h>
#include <string.h>

#include "fuzz/arena.h"
#include "lib/packet/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD = 3, MAX_PACKETS = 200 };

#define COMMON                                                                                     \
	"*raw\n-A PREROUTING -p tcp --dport 21 -j CT --helper ftp\n"                               \
	"-A PREROUTING -p udp --dport 69 -j CT --helper tftp\nCOMMIT\n"                            \
	"*mangle\n-A PREROUTING -j CONNMARK --restore-mark\n"                                      \
	"-A POSTROUTING -j CONNMARK --set-mark 7\nCOMMIT\n"

static const char rules4[] = COMMON
	"*nat\n-A PREROUTING -p udp --dport 53 -j DNAT --to-destination 10.0.1.50-10.0.1.57:53-60\n"
	"-A PREROUTING -p udp --dport 80 -j REDIRECT --to-ports 3128\n"
	"-A PREROUTING -p icmp -d 192.0.2.2 -j NETMAP --to 10.0.1.0/24\n"
	"-A OUTPUT -p udp -j DNAT --to-destination 10.0.1.50\n"
	"-A INPUT -p udp -j SNAT --to-source 10.0.1.99\n"
	"-A POSTROUTING -o wan0 -j MASQUERADE\nCOMMIT\n";

static const char rules6[] = COMMON
	"*nat\n-A PREROUTING -p udp --dport 53 -j DNAT --to-destination [2001:db8:1::50]:53-60\n"
	"-A POSTROUTING -o wan0 -j MASQUERADE\nCOMMIT\n";

static const struct ct_route_addr addrs[] = {
	{ { { 10, 0, 1, 1 } }, CT_FAMILY_IPV4, 24, "lan0" },
	{ { { 192, 0, 2, 1 } }, CT_FAMILY_IPV4, 24, "wan0" },
	{ { { 0x20, 1, 0xd, 0xb8, 0, 1, [15] = 1 } }, CT_FAMILY_IPV6, 64, "lan0" },
	{ { { 0x20, 1, 0xd, 0xb8, 0, 2, [15] = 1 } }, CT_FAMILY_IPV6, 64, "wan0" },
};

static void begin(struct ct_hooks *h, struct ct_route_line *routes, const struct ct_memory *memory)
{
	struct ct_nat_config nat = { .memory = *memory };
	struct ct_defrag_config defrag;
	struct ct_engine_config cfg;

	ct_engine_config_default(&cfg);
	ct_defrag_config_default(&defrag);
	cfg.memory = *memory;
	defrag.memory = *memory;
	nat.engine = h->engine = ct_engine_new(&cfg, NULL);
	h->defrag = ct_defrag_new(&defrag, NULL);
	h->nat = h->engine ? ct_nat_new(&nat, NULL) : NULL;
	h->rules4 = ct_ruleset_parse(rules4, sizeof(rules4) - 1, CT_SYNTAX_IPTABLES, NULL);
	h->rules6 = ct_ruleset_parse(rules6, sizeof(rules6) - 1, CT_SYNTAX_IP6TABLES, NULL);
	if (!h->engine || !h->defrag || !h->nat || !h->rules4 || !h->rules6)
		abort();
	routes[0] = (struct ct_route_line){ .family = CT_FAMILY_IPV4, .iface = "wan0" };
	routes[1] = (struct ct_route_line){ .family = CT_FAMILY_IPV6, .iface = "wan0" };
	routes[2] = (struct ct_route_line){
		.family = CT_FAMILY_IPV4, .iface = "lan0", .dst = addrs[0].addr, .prefix = 24
	};
	routes[3] = (struct ct_route_line){
		.family = CT_FAMILY_IPV6, .iface = "lan0", .dst = addrs[2].addr, .prefix = 64
	};
	h->router = (struct ct_router){ .addrs = addrs, .n_addrs = 4, .is_forwarding = true };
	ct_router_sort(&h->router, routes, 4);
}

static void end(struct ct_hooks *h)
{
	struct ct_cursor at = { 0 };
	struct ct_engine_stats s;
	struct ct_entry e;
	uint64_t n = 0;

	while (ct_engine_next(h->engine, &at, &e) == 1)
		n++;
	ct_engine_stats(h->engine, &s);
	if (n > s.count)
		abort();
	ct_nat_free(h->nat);
	ct_engine_free(h->engine);
	ct_defrag_free(h->defrag);
	ct_ruleset_free(h->rules4);
	ct_ruleset_free(h->rules6);
}

/* What leaves is what its header says. */
static void check(const struct ct_passage *out)
{
	uint32_t total;

	if (!out->is_through)
		return;
	total = out->data[0] >> 4 == 4 ? wire_be16(out->data + 2) : 40u + wire_be16(out->data + 4);
	if (total != out->size && out->data[0] >> 4 == 4)
		abort();
}

/* In memory of exactly its size, so that a step too far is seen. */
static void feed(struct ct_hooks *h, uint8_t from, const uint8_t *bytes, size_t size, ct_time now)
{
	static const char *const interfaces[] = { "lan0", "wan0" };
	const struct ct_way way = { .in = from & 2 ? NULL : interfaces[from & 1],
				    .is_sent = from & 2 };
	uint8_t *own = malloc(size ? size : 1);
	struct ct_passage out;
	struct ct_packet p;

	if (!own)
		abort();
	memcpy(own, bytes, size);
	ct_packet_init(&p, own, size);
	if (!(from & 4))
		p.flags = CT_PACKET_CHECKSUM_OK;
	if (ct_packet_receive(&p) == 0) {
		ct_hooks_packet(h, &p, &way, now, &out);
		check(&out);
	}
	free(own);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct arena arena;
	struct ct_memory memory = arena_begin(&arena, size);
	struct ct_route_line routes[4];
	struct ct_hooks h = { 0 };
	ct_time now = 0;

	begin(&h, routes, &memory);
	for (unsigned n = 0; n < MAX_PACKETS && size >= HEAD; n++) {
		size_t part = (size_t)data[1] << 8 | data[2];

		part = part < size - HEAD ? part : size - HEAD;
		now += (ct_time)(data[0] >> 3) * 100 * CT_NS_PER_MS;
		feed(&h, data[0], data + HEAD, part, now);
		data += HEAD + part;
		size -= HEAD + part;
	}
	end(&h);
	arena_end(&arena);
	return 0;
}
