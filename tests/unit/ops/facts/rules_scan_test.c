/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What rule sets say about tracking, in each of their spellings.
 */
#include "ops/facts/rules_scan.h"

#include "tap.h"

static void scan(struct rules *r, enum rules_syntax syntax, const char *text)
{
	rules_scan(r, syntax, "test", text, strlen(text));
}

TEST(what_needs_the_tracker)
{
	static const struct {
		const char *rule;
		enum rules_need need;
	} rows[] = {
		{ "-A INPUT -m state --state NEW -j ACCEPT", RULES_NEED_STATE },
		{ "[1:2] -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
		  RULES_NEED_STATE },
		{ "-A POSTROUTING -o eth0 -j MASQUERADE", RULES_NEED_NAT },
		{ "-A PREROUTING -p tcp -j CT --zone 3", RULES_NEED_CT },
		{ "-A PREROUTING -p tcp -j CT --notrack", RULES_NEED_NONE },
		{ "-A PREROUTING -p tcp -j NOTRACK", RULES_NEED_NONE },
		{ "-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT", RULES_NEED_NONE },
		{ "-A INPUT -m comment --comment \"-m state is not here\" -j ACCEPT",
		  RULES_NEED_NONE },
		{ "# -A INPUT -m state --state NEW -j ACCEPT", RULES_NEED_NONE },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rules r = { 0 };

		scan(&r, RULES_IPTABLES, rows[i].rule);
		for (int n = RULES_NEED_STATE; n < RULES_NEED_MAX; n++)
			if ((r.n_need[n] == 1) != (rows[i].need == (enum rules_need)n))
				TAP_FAIL("%s: need %d is %llu", rows[i].rule, n,
					 (unsigned long long)r.n_need[n]);
	}
}

TEST(owners_by_chain)
{
	struct rules r = { 0 };

	scan(&r, RULES_IPTABLES,
	     "*nat\n:DOCKER - [0:0]\n"
	     "-A DOCKER -i br0 -p tcp -m tcp --dport 80 -j DNAT --to-destination 172.17.0.2:80\n"
	     "-A KUBE-SVC -m comment --comment \"x\" -j DNAT --to-destination 10.0.0.1:53\n"
	     "-A KUBE-SVC -j DNAT --to-destination 10.0.0.2:53\nCOMMIT\n");
	EQ_INT(r.n_hits, 2);
	EQ_STR(r.hit[0].owner, "docker");
	EQ_STR(r.hit[1].owner, "kubernetes");
	EQ_INT(r.hit[1].n, 2);
	EQ_INT(r.hit[0].line, 3);
	EQ_INT(r.n_nat, 3);
	OK(rules_owner("INPUT", 5) == NULL);
}

TEST(notrack_with_its_ports)
{
	struct rules r = { 0 };

	scan(&r, RULES_IPTABLES,
	     "*raw\n-A PREROUTING -p tcp -m tcp --dport 8080 -j NOTRACK\n"
	     "-A OUTPUT -p tcp -m tcp --sport 8080 -j CT --notrack\n"
	     "-A OUTPUT -o lo -j NOTRACK\nCOMMIT\n");
	EQ_INT(r.n_notrack, 3);
	EQ_INT(r.notrack[0].hook, RULES_HOOK_PREROUTING);
	EQ_INT(r.notrack[0].dport, 8080);
	EQ_INT(r.notrack[0].proto, 6);
	OK(!r.notrack[0].is_narrow);
	EQ_INT(r.notrack[1].sport, 8080);
	OK(r.notrack[2].is_loopback);
	OK(r.notrack[0].is_ipv4 && !r.notrack[0].is_ipv6);
}

TEST(input_and_untracked)
{
	struct rules r = { 0 };

	scan(&r, RULES_IPTABLES,
	     "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -m state --state RELATED,ESTABLISHED -j "
	     "ACCEPT\n"
	     "-A INPUT -p tcp -m state --state NEW -m tcp --dport 8080 -j ACCEPT\n"
	     "-A INPUT -m conntrack --ctstate INVALID -j DROP\n"
	     "-A INPUT -j REJECT --reject-with icmp-host-prohibited\nCOMMIT\n");
	EQ_INT(r.n_accept, 2);
	OK(r.accept[1].needs_state && r.accept[1].dport == 8080);
	OK(r.input_drops_v4 && !r.input_drops_v6);
	EQ_INT(r.n_drop_invalid, 1);

	r = (struct rules){ 0 };
	scan(&r, RULES_IPTABLES,
	     "*filter\n:INPUT DROP [0:0]\n-A INPUT -m conntrack --ctstate UNTRACKED,NEW -j "
	     "ACCEPT\n");
	OK(r.input_drops_v4);
	OK(r.accept[0].accepts_untracked && !r.accept[0].needs_state);
}

static const char nft[] =
	"table inet firewalld {\n"
	"\tchain raw_pre {\n"
	"\t\ttype filter hook prerouting priority raw; policy accept;\n"
	"\t\tudp dport 53 notrack\n"
	"\t}\n"
	"\tchain in {\n"
	"\t\ttype filter hook input priority filter; policy drop;\n"
	"\t\tct state { established, related } accept\n"
	"\t\tct state invalid drop\n"
	"\t\tudp dport 53 accept\n"
	"\t\ttcp dport 22 ct state new accept comment \"ct state untracked\"\n"
	"\t}\n"
	"\tset s {\n\t\ttype ipv4_addr\n\t}\n"
	"}\n"
	"table ip nat {\n\tchain POSTROUTING {\n\t\toifname \"eth0\" masquerade\n\t}\n}\n";

TEST(nft_says_the_same)
{
	struct rules r = { 0 };

	scan(&r, RULES_NFT, nft);
	EQ_INT(r.n_notrack, 1);
	EQ_INT(r.notrack[0].dport, 53);
	EQ_INT(r.notrack[0].proto, 17);
	OK(r.notrack[0].is_ipv4 && r.notrack[0].is_ipv6);
	OK(r.input_drops_v4 && r.input_drops_v6);
	EQ_INT(r.n_need[RULES_NEED_STATE], 3);
	EQ_INT(r.n_need[RULES_NEED_NAT], 1);
	EQ_INT(r.n_drop_invalid, 1);
	EQ_STR(r.hit[0].owner, "firewalld");
	EQ_INT(r.n_accept, 3);
	OK(!r.accept[1].needs_state && r.accept[1].dport == 53);
	OK(r.accept[2].needs_state && !r.accept[2].accepts_untracked);
}

TEST(nft_tables_of_iptables_count_once)
{
	struct rules r = { 0 };
	static const char managed[] =
		"# Warning: table ip nat is managed by iptables-nft, do not touch!\n"
		"table ip nat {\n\tchain POSTROUTING {\n\t\txt target \"MASQUERADE\"\n\t}\n}\n";

	scan(&r, RULES_IPTABLES, "*nat\n-A POSTROUTING -j MASQUERADE\nCOMMIT\n");
	scan(&r, RULES_NFT, managed);
	EQ_INT(r.n_nat, 1);
	r = (struct rules){ 0 };
	scan(&r, RULES_NFT, managed);
	EQ_INT(r.n_nat, 1);
}

/* nft 1.0.6 says whose a table is on standard error, where nobody reads it. */
TEST(what_iptables_shows_out_of_nf_tables_counts_once)
{
	struct rules r = { 0 };
	static const char listed[] =
		"table ip filter {\n\tchain INPUT {\n\t\tct state new accept\n\t}\n}\n"
		"table ip6 filter {\n\tchain INPUT {\n\t\tct state new accept\n\t}\n}\n"
		"table inet mine {\n\tchain c {\n\t\tct state new accept\n\t}\n}\n";

	scan(&r, RULES_IPTABLES,
	     "# Generated by iptables-save v1.8.9 (nf_tables) on Sat\n"
	     "*filter\n-A INPUT -m state --state NEW -j ACCEPT\nCOMMIT\n");
	scan(&r, RULES_NFT, listed);
	EQ_INT(r.n_rules, 3);
	r = (struct rules){ 0 };
	scan(&r, RULES_IPTABLES,
	     "# Generated by iptables-save v1.8.9 on Sat\n"
	     "*filter\n-A INPUT -m state --state NEW -j ACCEPT\nCOMMIT\n");
	scan(&r, RULES_NFT, listed);
	EQ_INT(r.n_rules, 4);
}

TEST(limits_hold)
{
	struct rules r = { 0 };

	for (unsigned i = 0; i < 1000; i++)
		scan(&r, RULES_IPTABLES, "*raw\n-A PREROUTING -p tcp --dport 1 -j NOTRACK\n");
	EQ_INT(r.n_notrack, RULES_MAX_NOTED);
	EQ_INT(r.n_lost, 1000 - RULES_MAX_NOTED);
}

TAP_MAIN(&tap_what_needs_the_tracker, &tap_owners_by_chain, &tap_notrack_with_its_ports,
	 &tap_input_and_untracked, &tap_nft_says_the_same, &tap_nft_tables_of_iptables_count_once,
	 &tap_what_iptables_shows_out_of_nf_tables_counts_once, &tap_limits_hold)
