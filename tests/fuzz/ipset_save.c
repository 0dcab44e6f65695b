/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Sets in the form of ipset save: whatever is read is asked for by rules with every number of
 * directions, and changed by them.
 */
#include <conntune/ruleset.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ASK(set)                                                                                   \
	"-A INPUT -m set --match-set " set " src\n"                                                \
	"-A INPUT -m set --match-set " set " src,src --return-nomatch --packets-gt 1\n"            \
	"-A INPUT -m set ! --match-set " set " src,src,dst ! --update-counters\n"                  \
	"-A INPUT -j SET --add-set " set " dst,src,src --exist --timeout 5\n"                      \
	"-A INPUT -m set --match-set " set " dst,src,src\n"                                        \
	"-A INPUT -j SET --del-set " set " dst,src,src\n"                                          \
	"-A INPUT -m set --match-set " set " dst,src,src -j DROP\n"

static const char rules[] =
	"*filter\n" ASK("a") ASK("b") ASK("c") ASK("d") ASK("e") ASK("l") "COMMIT\n";

/* A SYN from 198.51.100.7:40000 to 192.0.2.10:22. */
static const uint8_t syn[] = { 0x45, 0, 0,   40, 0,    1,  0,	 0,    64, 6,  0, 0, 198, 51,
			       100,  7, 192, 0,	 2,    10, 0x9c, 0x40, 0,  22, 0, 0, 0,	  1,
			       0,    0, 0,   0,	 0x50, 2,  4,	 0,    0,  0,  0, 0 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t mac[6] = { 2 };
	struct ct_ipsets *sets = ct_ipsets_parse((const char *)data, size, NULL);
	struct ct_ruleset *rs;
	struct ct_packet p;
	struct ct_rule_packet r = { .packet = &p, .in = "eth0", .mac = mac, .sets = sets };
	struct ct_rule_outcome out;

	if (!sets)
		return 0;
	rs = ct_ruleset_parse(rules, sizeof(rules) - 1, CT_SYNTAX_IPTABLES, NULL);
	if (!rs)
		abort();
	ct_packet_init(&p, syn, sizeof(syn));
	if (ct_packet_parse(&p) < 0)
		abort();
	for (unsigned i = 0; i < 4; i++) {
		r.now = (ct_time)i * 2 * CT_NS_PER_S;
		r.known = i & 1 ? UINT32_MAX : 0;
		if (ct_ruleset_judge(rs, "filter", CT_AT_INPUT, &r, &out) < 0)
			abort();
	}
	ct_ruleset_free(rs);
	ct_ipsets_free(sets);
	return 0;
}
