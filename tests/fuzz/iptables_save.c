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

/* Packets with the end of the input as their bytes, through every chain of the kernel. */
static void judge(struct ct_ruleset *rs, const uint8_t *data, size_t size, bool is_v6)
{
	static const char *const tables[] = { "raw", "mangle", "nat", "filter", "security" };
	uint8_t bytes[96] = { 0 };
	struct ct_rule_outcome out;
	struct ct_packet p;

	for (size_t i = 0; i < sizeof(bytes) && i < size; i++)
		bytes[sizeof(bytes) - 1 - i] = data[size - 1 - i];
	bytes[0] = is_v6 ? 0x60 : 0x45;
	ct_packet_init(&p, bytes, sizeof(bytes) - (size ? data[0] % 60 : 0));
	(void)ct_packet_parse(&p);
	for (unsigned i = 0; i < 5; i++)
		for (unsigned at = CT_AT_PREROUTING; at <= CT_AT_POSTROUTING; at++) {
			const struct ct_rule_packet r = { .packet = &p, .in = "eth0", .now = 1 };

			(void)ct_ruleset_judge(rs, tables[i], (enum ct_at)at, &r, &out);
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
