/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A rule set in iptables-save form: whatever is read judges packets and is written, and what
 * was written is read and written again as it is. The first byte says which family, and whether
 * strictly.
 */
#include <conntune/ruleset.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int is_true)
{
	if (!is_true)
		abort();
}

static int append(void *user, const char *text, size_t len)
{
	return ct_buf_put(user, text, len);
}

/* An entry for every other tuple, so that lists of connections grow and shrink. */
static int entry(void *user, const struct ct_tuple *t, uint16_t zone, struct ct_entry *out)
{
	(void)user;
	(void)zone;
	*out = (struct ct_entry){ .status = CT_STATUS_CONFIRMED };
	return t->src.bytes[3] & 1 ? 0 : -1;
}

/* One packet through every chain of the kernel; rules may change it. */
static void judge_one(struct ct_ruleset *rs, uint8_t *bytes, size_t size, size_t room, ct_time now)
{
	static const char *const tables[] = { "raw", "mangle", "nat", "filter", "security" };
	static const uint8_t mac[6] = { 2 };
	const struct ct_rule_ask ask = { .entry = entry };
	struct ct_rule_outcome out;
	struct ct_packet p;

	for (unsigned i = 0; i < 5; i++)
		for (unsigned at = CT_AT_PREROUTING; at <= CT_AT_POSTROUTING; at++) {
			struct ct_rule_packet r = { .packet = &p,
						    .in = "eth0",
						    .now = now,
						    .known = bytes[1] & 1 ? UINT32_MAX : 0,
						    .mtu = 1500,
						    .mac = mac,
						    .ask = &ask };

			ct_packet_init(&p, bytes, size);
			if (ct_packet_parse(&p) == 0) {
				p.bytes = bytes;
				p.room = (uint32_t)room;
			}
			(void)ct_ruleset_judge(rs, tables[i], (enum ct_at)at, &r, &out);
		}
}

/* Packets with the end of the input as their bytes, of changing size and protocol, in memory that
 * ends where they do. */
static void judge(struct ct_ruleset *rs, const uint8_t *data, size_t size, bool is_v6)
{
	static const uint8_t protos[] = { 6, 17, 1, 58, 132, 33, 51, 50, 0, 43, 60, 44, 135, 108 };

	ct_ruleset_seed(rs, size);
	for (unsigned n = 0; n < sizeof(protos); n++) {
		size_t len = 96 - (size ? (data[0] + n * 7) % 60 : 0), room = len + n % 8;
		uint8_t *bytes = calloc(1, room);

		must(bytes != NULL);
		for (size_t i = 0; i < len && i < size; i++)
			bytes[len - 1 - i] = data[size - 1 - i];
		bytes[0] = is_v6 ? 0x60 : 0x45;
		bytes[is_v6 ? 6 : 9] = protos[n];
		judge_one(rs, bytes, len, room, (ct_time)n * CT_NS_PER_S);
		free(bytes);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned family = size && data[0] & 1 ? CT_SYNTAX_IP6TABLES : CT_SYNTAX_IPTABLES;
	unsigned strict = size && data[0] & 2 ? CT_SYNTAX_STRICT : 0;
	struct ct_buf first = { 0 }, second = { 0 };
	struct ct_err err = { "" };
	struct ct_ruleset_size n;
	struct ct_ruleset *rs = ct_ruleset_parse((const char *)data, size, family | strict, &err);

	if (!rs) {
		must(err.text[0] != '\0');
		return 0;
	}
	ct_ruleset_size(rs, &n);
	judge(rs, data, size, family == CT_SYNTAX_IP6TABLES);
	if (ct_ruleset_print(rs, CT_RULESET_COUNTERS, append, &first) == 0 && first.len) {
		struct ct_ruleset *again = ct_ruleset_parse(first.p, first.len, family, &err);

		/* Options of nobody may find an owner once the rule stands in the usual order, and
		 * a line may have grown too long for reading: values spelt out. */
		must(again || n.n_opaque || strstr(err.text, "too long") != NULL);
		if (again && !n.n_opaque) {
			must(ct_ruleset_print(again, CT_RULESET_COUNTERS, append, &second) == 0);
			must(first.len == second.len && memcmp(first.p, second.p, first.len) == 0);
		}
		ct_ruleset_free(again);
	}
	ct_ruleset_free(rs);
	ct_buf_fini(&first);
	ct_buf_fini(&second);
	return 0;
}
