/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Sets that rules ask for: what is read, what is refused, and what time and target change; that
 * lookups agree with the running kernel is shown by tests/kernel/ipset_test.py.
 */
#include <conntune/ruleset.h>

#include "lib/base/buf.h"
#include "lib/base/clean.h"
#include "tap.h"

#define SECOND CT_NS_PER_S

/* A SYN from 198.51.100.7:40000 to 192.0.2.10:22. */
static const uint8_t syn[] = { 0x45, 0, 0,   40, 0,    1,  0,	 0,    64, 6,  0, 0, 198, 51,
			       100,  7, 192, 0,	 2,    10, 0x9c, 0x40, 0,  22, 0, 0, 0,	  1,
			       0,    0, 0,   0,	 0x50, 2,  4,	 0,    0,  0,  0, 0 };

struct setup {
	struct ct_ruleset *rs;
	struct ct_ipsets *sets;
	struct ct_packet p;
	struct ct_rule_packet r;
	struct ct_rule_outcome out;
};

static bool begin(struct setup *s, const char *sets, const char *rules)
{
	auto_fini(ct_buf) struct ct_buf text = { 0 };
	struct ct_err err = { "" };

	*s = (struct setup){ .rs = NULL };
	(void)ct_buf_printf(&text, "*filter\n%s\nCOMMIT\n", rules);
	s->rs = ct_ruleset_parse(text.p, text.len, CT_SYNTAX_IPTABLES, &err);
	EQ_STR(err.text, "");
	s->sets = sets ? ct_ipsets_parse(sets, strlen(sets), &err) : NULL;
	EQ_STR(err.text, "");
	ct_packet_init(&s->p, syn, sizeof(syn));
	EQ_INT(ct_packet_parse(&s->p), 0);
	s->r = (struct ct_rule_packet){
		.packet = &s->p, .in = "eth0", .now = SECOND, .sets = s->sets
	};
	return s->rs != NULL;
}

static void end(struct setup *s)
{
	ct_ruleset_free(s->rs);
	ct_ipsets_free(s->sets);
}

static bool is_dropped(struct setup *s)
{
	EQ_INT(ct_ruleset_judge(s->rs, "filter", CT_AT_INPUT, &s->r, &s->out), 0);
	return s->out.fate == CT_FATE_DROP;
}

/* Whether "-m set --match-set x DIRECTIONS OPTIONS" is true of the packet; null sets: unknown. */
static bool is_in(const char *sets, const char *rest)
{
	auto_fini(ct_buf) struct ct_buf rule = { 0 };
	struct setup s;
	bool found;

	(void)ct_buf_printf(&rule, "-A INPUT -m set --match-set x %s -j DROP", rest);
	if (!begin(&s, sets, rule.p))
		return false;
	found = is_dropped(&s);
	EQ_STR(s.out.depends_on ? s.out.depends_on : "", "");
	end(&s);
	return found;
}

TEST(the_longest_network_counts)
{
	const char *sets = "create x hash:net family inet hashsize 1024 maxelem 65536\n"
			   "add x 198.51.0.0/16\nadd x 198.51.100.0/24 nomatch\n"
			   "add x 198.51.100.128/25\nadd x 192.0.2.0/24\n";

	EQ_INT(is_in(sets, "src"), false);
	EQ_INT(is_in(sets, "src --return-nomatch"), true);
	EQ_INT(is_in(sets, "dst"), true);
	EQ_INT(is_in(sets, "dst --return-nomatch"), false);
	EQ_INT(is_in("create x hash:net\nadd x 198.51.0.0/16", "src"), true);
	EQ_INT(is_in("create x hash:net family inet6\nadd x ::/1", "src"), false);
}

TEST(each_type_asks_for_its_parts)
{
	EQ_INT(is_in("create x hash:ip,port\nadd x 198.51.100.7,tcp:22", "src,dst"), true);
	EQ_INT(is_in("create x hash:ip,port\nadd x 198.51.100.7,tcp:22", "src,src"), false);
	EQ_INT(is_in("create x hash:ip,port\nadd x 198.51.100.7,udp:22", "src,dst"), false);
	EQ_INT(is_in("create x hash:ip,port\nadd x 198.51.100.7,tcp:22", "src"), false);
	EQ_INT(is_in("create x bitmap:port range 0-1000\nadd x 20-25", "dst"), true);
	EQ_INT(is_in("create x hash:ip netmask 24\nadd x 198.51.100.99", "src"), true);
	EQ_INT(is_in("create x hash:net,net\nadd x 198.51.0.0/16,192.0.2.0/28", "src,dst"), true);
	EQ_INT(is_in("create x hash:net,net\nadd x 198.51.0.0/16,192.0.2.0/29", "src,dst"), false);
	EQ_INT(is_in("create x hash:ip,port,net\nadd x 198.51.100.7,22,192.0.2.0/24",
		     "src,dst,dst"),
	       true);
	EQ_INT(is_in("create x hash:net,iface\nadd x 198.51.0.0/16,eth+", "src,src"), true);
	EQ_INT(is_in("create x hash:net,iface\nadd x 0.0.0.0/0,eth0\nadd x 198.51.0.0/16,eth1",
		     "src,src"),
	       false);
	EQ_INT(is_in("create y hash:ip\nadd y 198.51.100.7\ncreate x list:set\nadd x y", "src"),
	       true);
	EQ_INT(is_in("create x hash:ip,mark markmask 0xff\nadd x 198.51.100.7,0x0", "src,src"),
	       true);
}

TEST(counters_are_kept_and_asked_for)
{
	struct setup s;

	if (!begin(&s, "create x hash:ip counters\nadd x 198.51.100.7 packets 3 bytes 100",
		   "-A INPUT -m set --match-set x src --packets-gt 5 -j DROP"))
		return;
	EQ_INT(is_dropped(&s), false);
	EQ_INT(is_dropped(&s), false);
	EQ_INT(is_dropped(&s), true);
	end(&s);
}

TEST(elements_end_with_their_time)
{
	struct setup s;

	if (!begin(&s, "create x hash:ip timeout 60\nadd x 198.51.100.7 timeout 5",
		   "-A INPUT -m set --match-set x src -j DROP"))
		return;
	EQ_INT(is_dropped(&s), true);
	s.r.now += 5 * SECOND;
	EQ_INT(is_dropped(&s), true);
	s.r.now += 1;
	EQ_INT(is_dropped(&s), false);
	end(&s);
}

TEST(the_target_adds_and_removes)
{
	struct setup s;

	if (!begin(&s, "create x hash:ip,port timeout 3\ncreate y hash:net\nadd y 198.51.0.0/16",
		   "-A INPUT -m set --match-set x src,dst -j DROP\n"
		   "-A INPUT -m set --match-set y src -j SET --add-set x src,dst\n"
		   "-A INPUT -j SET --del-set y src"))
		return;
	EQ_INT(is_dropped(&s), false);
	EQ_INT(is_dropped(&s), true);
	s.r.now += 4 * SECOND;
	EQ_INT(is_dropped(&s), false);
	/* The network is gone by now: an address goes out as the longest that stands there. */
	EQ_INT(is_dropped(&s), false);
	end(&s);
}

static void depends(const char *sets, const char *on)
{
	struct setup s;

	if (!begin(&s, sets, "-A INPUT -m set --match-set x src -j DROP"))
		return;
	EQ_INT(is_dropped(&s), false);
	EQ_STR(s.out.depends_on ? s.out.depends_on : "", on);
	end(&s);
}

TEST(what_is_not_known_is_said)
{
	depends(NULL, "set");
	depends("create y hash:ip", "set");
	depends("create x hash:future\nadd x what,ever", "set");
	depends("create x hash:ip novel 3", "set");
	depends("create x hash:mac\nadd x 02:00:00:00:00:01", "set");
	depends("create x hash:ip", "");
}

static void refused(const char *text, const char *why)
{
	struct ct_err err = { "" };
	struct ct_ipsets *sets = ct_ipsets_parse(text, strlen(text), &err);

	EQ_INT(sets == NULL, true);
	EQ_STR(err.text, why);
	ct_ipsets_free(sets);
}

TEST(broken_text_is_refused_with_its_line)
{
	refused("create x hash:ip\nadd x 1.2.3\n",
		"line 2: '1.2.3' is no address of the set's family");
	refused("create x hash:ip\nadd x ::1\n", "line 2: '::1' is no address of the set's family");
	refused("add x 1.2.3.4\n", "line 1: 'x' is no set above");
	refused("\ncreate x hash:ip\ncreate x hash:ip\n", "line 3: 'x' is made a second time");
	refused("create x bitmap:port\n", "line 1: a bitmap needs a range");
	refused("create x bitmap:port range 1-9\nadd x 10\n",
		"line 2: beyond the range of the set");
	refused("create x hash:ip,port\nadd x 1.2.3.4\n",
		"line 2: '1.2.3.4' has too few parts for its set");
	refused("create x hash:ip\nadd x 0.0.0.0/0\n", "line 2: more than 4194304 elements");
	refused("flush x\n", "line 1: 'flush' is neither create nor add");
	refused("create x\001\n", "line 1: a control character");
}

/* A million elements: each is found, and what is not there is not. */
TEST(a_million_networks)
{
	auto_fini(ct_buf) struct ct_buf text = { 0 };
	struct setup s;

	(void)ct_buf_printf(&text, "create x hash:net maxelem 2000000\n");
	for (unsigned i = 0; i < 1000000; i++)
		(void)ct_buf_printf(&text, "add x %u.%u.%u.0/%u\n", 1 + (i >> 16), i >> 8 & 255,
				    i & 255, 24 + i % 5);
	(void)ct_buf_printf(&text, "add x 198.51.100.0/29\n");
	if (!begin(&s, text.p, "-A INPUT -m set --match-set x src -j DROP"))
		return;
	for (unsigned i = 0; i < 100000; i++)
		if (!is_dropped(&s))
			break;
	EQ_INT(s.out.fate, CT_FATE_DROP);
	end(&s);
}

TAP_MAIN(&tap_the_longest_network_counts, &tap_each_type_asks_for_its_parts,
	 &tap_counters_are_kept_and_asked_for, &tap_elements_end_with_their_time,
	 &tap_the_target_adds_and_removes, &tap_what_is_not_known_is_said,
	 &tap_broken_text_is_refused_with_its_line, &tap_a_million_networks)
