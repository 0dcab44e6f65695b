/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What a proof says of all packets is what judging says of one: random rule sets, random packets.
 * And differences in words, for the rule sets of well-known outages.
 */
#include "lib/proof/proof.h"

#include <conntune/entry.h>
#include <conntune/text.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/proof/classes.h"
#include "tap.h"

static uint64_t chance_state;

static unsigned chance(unsigned below)
{
	chance_state = chance_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(chance_state >> 33) % below;
}

static const char *one_of(const char *const *words, unsigned n)
{
	return words[chance(n)];
}

#define ONE_OF(...)                                                                                \
	one_of((const char *const[]){ __VA_ARGS__ },                                               \
	       sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

TEST(equal_functions_are_one)
{
	struct ct_dds *d = ct_dds_new(1000);
	ct_dd a = ct_dd_node(d, 0, CT_DD_FALSE, CT_DD_TRUE);
	ct_dd b = ct_dd_node(d, 1, CT_DD_FALSE, CT_DD_TRUE);

	EQ_INT(ct_dd_or(d, a, b), ct_dd_not(d, ct_dd_and(d, ct_dd_not(d, a), ct_dd_not(d, b))));
	EQ_INT(ct_dd_exists(d, ct_dd_and(d, a, b), 1, 1), a);
	EQ_INT(ct_dd_xor(d, a, a), CT_DD_FALSE);
	EQ_INT(ct_dd_where(d, ct_dd_ite(d, a, CT_DD_LEAF(7), CT_DD_LEAF(9)), CT_DD_LEAF(9)),
	       ct_dd_not(d, a));
	EQ_INT(ct_dd_simplify(d, ct_dd_and(d, a, b), a), b);
	ct_dds_free(d);
}

TEST(a_full_place_says_so)
{
	struct ct_dds *d = ct_dds_new(20);
	ct_dd f = CT_DD_TRUE;

	for (unsigned i = 0; i < 40; i++)
		f = ct_dd_and(d, f, ct_dd_node(d, i, CT_DD_FALSE, CT_DD_TRUE));
	OK(ct_dds_is_full(d));
	ct_dds_free(d);
}

/* Random rule sets ----------------------------------------------------------------------------- */

static const char *const addresses[] = { "10.0.0.0/8", "192.0.2.10/32", "198.51.100.0/24",
					 "192.0.2.0/25", "198.51.100.7/32" };
static const char *const ports[] = { "80", "8080", "53", "1024:65535", "0:1023", "443" };

static void put_match(struct ct_text *t, const char *hook, bool is_raw)
{
	if (chance(3) == 0)
		ct_text_printf(t, " %s-s %s", chance(4) ? "" : "! ", addresses[chance(5)]);
	if (chance(4) == 0)
		ct_text_printf(t, " %s-d %s", chance(4) ? "" : "! ", addresses[chance(5)]);
	if (chance(4) == 0 && strcmp(hook, "OUTPUT") != 0)
		ct_text_printf(t, " %s-i %s", chance(4) ? "" : "! ",
			       ONE_OF("eth0", "eth+", "lo", "wan0"));
	switch (chance(6)) {
	case 0:
		ct_text_printf(t, " -p tcp -m tcp %s--dport %s", chance(4) ? "" : "! ",
			       ports[chance(6)]);
		break;
	case 1:
		ct_text_printf(t, " -p udp -m udp --sport %s", ports[chance(6)]);
		break;
	case 2:
		ct_text_printf(t, " -p tcp -m tcp %s--tcp-flags %s", chance(4) ? "" : "! ",
			       ONE_OF("SYN,ACK SYN", "FIN,SYN,RST,ACK SYN", "ALL NONE", "RST RST"));
		break;
	case 3:
		ct_text_printf(t, " -p %s", ONE_OF("tcp", "udp", "icmp", "50"));
		break;
	case 4:
		ct_text_printf(t, " -p tcp -m multiport %s--%s %s", chance(4) ? "" : "! ",
			       ONE_OF("dports", "sports", "ports"),
			       ONE_OF("80,443,8080", "1:1000,8080"));
		break;
	}
	switch (chance(9)) {
	case 0:
		ct_text_printf(t, " -m conntrack %s--ctstate %s", chance(3) ? "" : "! ",
			       ONE_OF("NEW", "ESTABLISHED,RELATED", "INVALID", "UNTRACKED",
				      "NEW,UNTRACKED", "SNAT"));
		break;
	case 1:
		ct_text_printf(t, " -m state --state %s",
			       ONE_OF("NEW", "RELATED,ESTABLISHED", "INVALID"));
		break;
	case 2:
		ct_text_printf(t, " -m mark %s--mark %s", chance(3) ? "" : "! ",
			       ONE_OF("0x1", "0x2/0x2", "0x0/0xff"));
		break;
	case 3:
		ct_text_printf(t, " -m length --length %s", ONE_OF("40", "41:1500", "0:60"));
		break;
	case 4:
		ct_text_printf(t, " -m iprange --src-range 192.0.2.5-192.0.2.100");
		break;
	case 5:
		if (!is_raw)
			ct_text_printf(t, " -m connmark --mark %s", ONE_OF("0x1", "0x4/0x4"));
		break;
	}
}

static void put_rule(struct ct_text *t, const char *chain, const char *hook, const char *table)
{
	bool is_raw = strcmp(table, "raw") == 0, is_filter = strcmp(table, "filter") == 0;

	ct_text_printf(t, "-A %s", chain);
	put_match(t, hook, is_raw);
	if (chance(3) == 0 && is_raw)
		ct_text_printf(t, " -j %s", ONE_OF("NOTRACK", "CT --notrack", "CT --zone 3"));
	else if (chance(4) == 0 && strcmp(table, "mangle") == 0)
		ct_text_printf(t, " -j %s",
			       ONE_OF("MARK --set-xmark 0x1/0x1", "MARK --set-xmark 0x2/0xffffffff",
				      "CONNMARK --save-mark", "CONNMARK --restore-mark",
				      "CONNMARK --set-xmark 0x4/0x4", "TOS --set-tos 0x10/0xff"));
	else if (strcmp(chain, "A") == 0)
		ct_text_printf(t, " -j %s", ONE_OF("ACCEPT", "DROP", "RETURN"));
	else if (strcmp(chain, "B") == 0)
		ct_text_printf(t, " %s", ONE_OF("-j ACCEPT", "-j A", "-g A", "-j RETURN"));
	else
		ct_text_printf(t, " %s",
			       is_filter ? ONE_OF("-j ACCEPT", "-j DROP", "-j REJECT", "-j A",
						  "-j B", "-g B")
					 : ONE_OF("-j ACCEPT", "-j DROP", "-j A", "-j B", "-g B"));
	ct_text_char(t, '\n');
}

static void put_table(struct ct_text *t, const char *table, const char *const *hooks, unsigned n)
{
	ct_text_printf(t, "*%s\n", table);
	for (unsigned i = 0; i < n; i++)
		ct_text_printf(t, ":%s %s [0:0]\n", hooks[i], chance(4) ? "ACCEPT" : "DROP");
	ct_text_str(t, ":A - [0:0]\n:B - [0:0]\n");
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = chance(6); k > 0; k--)
			put_rule(t, hooks[i], hooks[i], table);
	for (unsigned k = chance(5); k > 0; k--)
		put_rule(t, "A", "OUTPUT", table);
	for (unsigned k = chance(5); k > 0; k--)
		put_rule(t, "B", "OUTPUT", table);
	ct_text_str(t, "COMMIT\n");
}

static struct ct_ruleset *random_rules(char *text, size_t size)
{
	static const char *const raw[] = { "PREROUTING", "OUTPUT" };
	static const char *const all[] = { "PREROUTING", "INPUT", "FORWARD", "OUTPUT",
					   "POSTROUTING" };
	struct ct_text t;
	struct ct_err err;
	struct ct_ruleset *rs;

	ct_text_init(&t, text, size);
	put_table(&t, "raw", raw, 2);
	put_table(&t, "mangle", all, 5);
	put_table(&t, "filter", all + 1, 3);
	rs = ct_ruleset_parse(text, t.len, CT_SYNTAX_IPTABLES, &err);
	if (!rs)
		TAP_FAIL("%s\n%s", err.text, text);
	return rs;
}

/* Random packets, and what judging makes of them ------------------------------------------------
 */

static const uint8_t some_addresses[][4] = { { 10, 1, 2, 3 },	  { 192, 0, 2, 10 },
					     { 192, 0, 2, 200 },  { 198, 51, 100, 7 },
					     { 198, 51, 100, 8 }, { 203, 0, 113, 1 } };

static void random_point(struct ct_witness *w, enum ct_way_kind way)
{
	static const uint16_t some_ports[] = { 80, 8080, 53, 443, 40000, 1023, 1024 };
	static const uint8_t protos[] = { 6, 6, 6, 17, 1, 50 };

	*w = (struct ct_witness){ .way = way, .family = CT_FAMILY_IPV4 };
	w->state = (enum ct_proof_state)chance(4);
	w->proto = protos[chance(6)];
	w->flags = (const uint8_t[]){ 0x02, 0x10, 0x12, 0x04, 0x00 }[chance(5)];
	w->icmp_type = 8;
	w->sport = some_ports[chance(7)];
	w->dport = some_ports[chance(7)];
	memcpy(w->src.bytes, some_addresses[chance(6)], 4);
	memcpy(w->dst.bytes, some_addresses[chance(6)], 4);
	w->ttl = 64;
	w->length = (uint16_t)(w->proto == 6 ? 40 + 4 * chance(8) : 28 + chance(40));
	w->src_type = way == CT_WAY_SENT || way == CT_WAY_LOOPED ? CT_ADDR_LOCAL : CT_ADDR_UNICAST;
	w->dst_type =
		way == CT_WAY_RECEIVED || way == CT_WAY_LOOPED ? CT_ADDR_LOCAL : CT_ADDR_UNICAST;
	if (w->state == CT_PROOF_ESTABLISHED || w->state == CT_PROOF_RELATED)
		w->connmark = chance(3) ? chance(8) : 0;
	(void)snprintf(w->in, sizeof(w->in), "%s",
		       way == CT_WAY_SENT     ? ""
		       : way == CT_WAY_LOOPED ? "lo"
					      : ONE_OF("eth0", "eth1", "wan0", "ppp0"));
	(void)snprintf(w->out, sizeof(w->out), "%s",
		       way == CT_WAY_RECEIVED ? ""
		       : way == CT_WAY_LOOPED ? "lo"
					      : ONE_OF("eth0", "eth1", "wan0"));
}

static void build(const struct ct_witness *w, uint8_t *b, struct ct_packet *p)
{
	memset(b, 0, 128);
	b[0] = 0x45;
	b[2] = (uint8_t)(w->length >> 8);
	b[3] = (uint8_t)w->length;
	b[8] = w->ttl;
	b[9] = w->proto;
	memcpy(b + 12, w->src.bytes, 4);
	memcpy(b + 16, w->dst.bytes, 4);
	b[20] = (uint8_t)(w->sport >> 8);
	b[21] = (uint8_t)w->sport;
	b[22] = (uint8_t)(w->dport >> 8);
	b[23] = (uint8_t)w->dport;
	if (w->proto == 1) {
		b[20] = w->icmp_type;
		b[21] = w->icmp_code;
	}
	b[32] = 0x50;
	b[33] = w->flags;
	ct_packet_init(p, b, w->length);
	(void)ct_packet_parse(p);
}

struct judged {
	struct ct_ruleset *rs;
	struct ct_packet *p;
	struct ct_entry entry;
	struct ct_rule_packet r;
	enum ct_rule_fate fate;
	bool is_notrack;
};

static bool pass(struct judged *j, const char *table, enum ct_at at, const struct ct_witness *w)
{
	struct ct_rule_outcome o = { 0 };

	j->r.in = at == CT_AT_OUTPUT || at == CT_AT_POSTROUTING || !w->in[0] ? NULL : w->in;
	j->r.out = at == CT_AT_PREROUTING || at == CT_AT_INPUT || !w->out[0] ? NULL : w->out;
	if (ct_ruleset_judge(j->rs, table, at, &j->r, &o) < 0)
		return true;
	j->r.mark = o.mark;
	if (o.has_connmark)
		j->entry.mark = o.connmark;
	j->is_notrack = o.is_notrack;
	j->fate = o.fate;
	return o.fate == CT_FATE_ACCEPT;
}

static void track(struct judged *j, const struct ct_witness *w)
{
	static const enum ct_info infos[] = { CT_INFO_INVALID, CT_INFO_NEW, CT_INFO_RELATED,
					      CT_INFO_ESTABLISHED, CT_INFO_UNTRACKED };

	if (j->is_notrack) {
		j->p->info = CT_INFO_UNTRACKED;
		return;
	}
	j->p->info = (uint8_t)infos[w->state];
	j->entry.mark = w->connmark;
	if (w->state != CT_PROOF_INVALID)
		j->r.entry = &j->entry;
}

static enum ct_rule_fate judge(struct ct_ruleset *rs, const struct ct_witness *w)
{
	uint8_t bytes[128];
	struct ct_packet p;
	struct judged j = { .rs = rs, .p = &p };
	enum ct_at first = w->way == CT_WAY_RECEIVED || w->way == CT_WAY_FORWARDED
				   ? CT_AT_PREROUTING
				   : CT_AT_OUTPUT;

	build(w, bytes, &p);
	p.info = CT_INFO_INVALID;
	j.r = (struct ct_rule_packet){
		.packet = &p, .mark = w->mark, .src_type = w->src_type, .dst_type = w->dst_type
	};
	if (!pass(&j, "raw", first, w))
		return j.fate;
	track(&j, w);
	if (!pass(&j, "mangle", first, w))
		return j.fate;
	if (w->way == CT_WAY_FORWARDED &&
	    (!pass(&j, "mangle", CT_AT_FORWARD, w) || !pass(&j, "filter", CT_AT_FORWARD, w)))
		return j.fate;
	if ((w->way == CT_WAY_SENT || w->way == CT_WAY_LOOPED) &&
	    !pass(&j, "filter", CT_AT_OUTPUT, w))
		return j.fate;
	if (w->way != CT_WAY_RECEIVED && !pass(&j, "mangle", CT_AT_POSTROUTING, w))
		return j.fate;
	if (w->way == CT_WAY_LOOPED &&
	    (!pass(&j, "raw", CT_AT_PREROUTING, w) || !pass(&j, "mangle", CT_AT_PREROUTING, w)))
		return j.fate;
	if ((w->way == CT_WAY_RECEIVED || w->way == CT_WAY_LOOPED) &&
	    (!pass(&j, "mangle", CT_AT_INPUT, w) || !pass(&j, "filter", CT_AT_INPUT, w)))
		return j.fate;
	return CT_FATE_ACCEPT;
}

/* Judging has one packet; that its answers are half tracked it cannot know. */
static bool is_half(struct ct_proof *p, ct_dd halves, const struct ct_witness *w)
{
	return (w->state == CT_PROOF_ESTABLISHED || w->state == CT_PROOF_RELATED) &&
	       ct_proof_fate_at(p, halves, w);
}

static unsigned compare(struct ct_ruleset *rs, const char *text)
{
	struct ct_proof *p = ct_proof_new(CT_FAMILY_IPV4, 0);
	unsigned n_compared = 0;

	EQ_INT(ct_proof_learn(p, rs, NULL), 0);
	for (unsigned way = 0; way < N_WAYS; way++) {
		ct_dd fates = ct_proof_fates(p, rs, (enum ct_way_kind)way);
		ct_dd halves = ct_proof_halves(p, rs, (enum ct_way_kind)way);

		for (unsigned i = 0; i < 60; i++) {
			struct ct_witness w;
			uint32_t leaf;
			enum ct_rule_fate want;

			random_point(&w, (enum ct_way_kind)way);
			if (is_half(p, halves, &w) || !ct_proof_tracks(rs))
				continue;
			n_compared++;
			leaf = ct_proof_fate_at(p, fates, &w);
			want = judge(rs, &w);
			if (ct_fate_of(leaf) == want)
				continue;
			TAP_FAIL("%s %s %u.%u.%u.%u:%u > %u.%u.%u.%u:%u proto %u flags %x in %s "
				 "out %s mark %u connmark %u len %u: fate %u, judged %u\n%s",
				 ct_way_kind_name(w.way), ct_proof_state_name(w.state),
				 w.src.bytes[0], w.src.bytes[1], w.src.bytes[2], w.src.bytes[3],
				 w.sport, w.dst.bytes[0], w.dst.bytes[1], w.dst.bytes[2],
				 w.dst.bytes[3], w.dport, w.proto, w.flags, w.in, w.out,
				 (unsigned)w.mark, (unsigned)w.connmark, w.length, ct_fate_of(leaf),
				 want, text);
			ct_proof_free(p);
			return n_compared;
		}
	}
	EQ_INT(ct_proof_check(p, NULL), 0);
	ct_proof_free(p);
	return n_compared;
}

TEST(what_is_proved_is_what_is_judged)
{
	static char text[65536];
	unsigned n = 0;

	chance_state = 1;
	for (unsigned i = 0; i < 150 && tap_failures == 0; i++) {
		struct ct_ruleset *rs = random_rules(text, sizeof(text));

		if (rs)
			n += compare(rs, text);
		ct_ruleset_free(rs);
	}
	OK(n > 10000);
}

/* Differences in words --------------------------------------------------------------------------
 */

struct words {
	struct ct_proof *p;
	struct ct_text t;
};

static bool put_class(void *user, const struct ct_class *c)
{
	struct words *w = user;
	struct ct_witness one;

	ct_class_text(w->p, c, 8, &w->t);
	ct_class_witness(w->p, c, &one);
	ct_text_str(&w->t, " | ");
	ct_witness_text(&one, &w->t);
	ct_text_char(&w->t, '\n');
	return true;
}

static uint32_t now_gone(void *user, uint32_t before, uint32_t after)
{
	(void)user;
	return ct_fate_of(before) == CT_FATE_ACCEPT && ct_fate_of(after) != CT_FATE_ACCEPT;
}

static const char *lost(const char *before, const char *after, enum ct_way_kind way)
{
	static char out[4096];
	struct ct_proof *p = ct_proof_new(CT_FAMILY_IPV4, 0);
	struct ct_ruleset *a = ct_ruleset_parse(before, strlen(before), 0, NULL);
	struct ct_ruleset *b = ct_ruleset_parse(after, strlen(after), 0, NULL);
	struct words w = { .p = p };
	ct_dd set;

	ct_text_init(&w.t, out, sizeof(out));
	EQ_INT(ct_proof_learn(p, a, NULL), 0);
	EQ_INT(ct_proof_learn(p, b, NULL), 0);
	set = ct_dd_pair(ct_proof_dds(p), ct_proof_fates(p, a, way), ct_proof_fates(p, b, way), 1,
			 now_gone, NULL);
	EQ_INT(ct_proof_classes(p, set, way, put_class, &w), 0);
	EQ_INT(ct_proof_check(p, NULL), 0);
	ct_ruleset_free(a);
	ct_ruleset_free(b);
	ct_proof_free(p);
	return out;
}

#define RAW(rules) "*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n" rules "COMMIT\n"
#define RHEL                                                                                       \
	"*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n"              \
	"-A INPUT -m state --state ESTABLISHED,RELATED -j ACCEPT\n"                                \
	"-A INPUT -p icmp -j ACCEPT\n"                                                             \
	"-A INPUT -i lo -j ACCEPT\n"                                                               \
	"-A INPUT -m state --state NEW -m tcp -p tcp --dport 22 -j ACCEPT\n"                       \
	"-A INPUT -m state --state NEW -m tcp -p tcp --dport 8080 -j ACCEPT\n"                     \
	"-A INPUT -j REJECT --reject-with icmp-host-prohibited\n"                                  \
	"-A FORWARD -j REJECT --reject-with icmp-host-prohibited\nCOMMIT\n"
#define BOTH                                                                                       \
	"-A PREROUTING -p tcp --dport 8080 -j NOTRACK\n-A OUTPUT -p tcp --sport 8080 -j NOTRACK\n"

TEST(an_untracked_service_dies_in_the_last_reject)
{
	EQ_STR(lost(RHEL, RAW(BOTH) RHEL, CT_WAY_RECEIVED),
	       "NEW,RELATED,ESTABLISHED tcp to port 8080 | "
	       "tcp 198.51.100.7:40000 > 192.0.2.10:8080 S in eth0\n");
	EQ_STR(lost(RHEL, RAW(BOTH) RHEL, CT_WAY_SENT), "");
}

TEST(nothing_changes_where_untracked_packets_are_accepted)
{
	EQ_STR(lost(RHEL,
		    RAW(BOTH) "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT "
			      "[0:0]\n"
			      "-A INPUT -p tcp --dport 8080 -m state --state UNTRACKED -j ACCEPT\n"
			      "-A INPUT -m state --state ESTABLISHED,RELATED -j ACCEPT\n"
			      "-A INPUT -p icmp -j ACCEPT\n"
			      "-A INPUT -i lo -j ACCEPT\n"
			      "-A INPUT -m state --state NEW -m tcp -p tcp --dport 22 -j ACCEPT\n"
			      "-A INPUT -j REJECT --reject-with icmp-host-prohibited\n"
			      "-A FORWARD -j REJECT --reject-with icmp-host-prohibited\nCOMMIT\n",
		    CT_WAY_RECEIVED),
	       "");
}

TEST(half_a_notrack_loses_the_answers)
{
	static const char strict[] =
		"*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT DROP [0:0]\n"
		"-A OUTPUT -m state --state ESTABLISHED -j ACCEPT\nCOMMIT\n";
	static const char half[] = RAW(
		"-A PREROUTING -p tcp --dport 8080 -j NOTRACK\n") "*filter\n:INPUT ACCEPT "
								  "[0:0]\n:FORWARD ACCEPT "
								  "[0:0]\n:OUTPUT DROP [0:0]\n"
								  "-A OUTPUT -m state --state "
								  "ESTABLISHED -j ACCEPT\nCOMMIT\n";

	EQ_STR(lost(strict, half, CT_WAY_SENT),
	       "ESTABLISHED tcp from port 8080 | tcp 192.0.2.10:8080 > 198.51.100.7:40000 A out\n");
}

TAP_MAIN(&tap_equal_functions_are_one, &tap_a_full_place_says_so,
	 &tap_what_is_proved_is_what_is_judged, &tap_an_untracked_service_dies_in_the_last_reject,
	 &tap_nothing_changes_where_untracked_packets_are_accepted,
	 &tap_half_a_notrack_loses_the_answers)
