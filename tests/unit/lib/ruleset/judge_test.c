/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Matches whose answers depend on time, on chance or on what the caller knows, and targets that
 * change a packet; the rest is compared with the running kernel (tests/kernel/traffic_test.py).
 */
#include <conntune/ruleset.h>

#include "lib/base/buf.h"
#include "lib/base/clean.h"
#include "lib/packet/checksum.h"
#include "tap.h"

#define SECOND CT_NS_PER_S

/* A SYN from 198.51.100.7:40000 to 192.0.2.10:22 with an MSS of 1460, and room behind it. */
static const uint8_t syn[64] = { 0x45, 0,   0,	44,  0, 1,   0, 0, 64, 6,    0x61,
				 0xab, 198, 51, 100, 7, 192, 0, 2, 10, 0x9c, 0x40,
				 0,    22,  0,	0,   0, 1,   0, 0, 0,  0,    0x60,
				 2,    4,   0,	0,   0, 0,   0, 2, 4,  0x05, 0xb4 };

struct setup {
	struct ct_ruleset *rs;
	struct ct_packet p;
	struct ct_rule_packet r;
	struct ct_rule_outcome out;
	uint8_t bytes[64];
};

static bool begin(struct setup *s, const char *table, const char *rules)
{
	auto_fini(ct_buf) struct ct_buf text = { 0 };
	struct ct_err err = { "" };

	*s = (struct setup){ .rs = NULL };
	(void)ct_buf_printf(&text, "*%s\n%s\nCOMMIT\n", table, rules);
	s->rs = ct_ruleset_parse(text.p, text.len, CT_SYNTAX_IPTABLES, &err);
	EQ_STR(err.text, "");
	memcpy(s->bytes, syn, sizeof(syn));
	ct_packet_init(&s->p, s->bytes, 44);
	EQ_INT(ct_packet_parse(&s->p), 0);
	s->r = (struct ct_rule_packet){ .packet = &s->p, .in = "eth0", .now = SECOND };
	return s->rs != NULL;
}

static enum ct_rule_fate judge(struct setup *s, const char *table, enum ct_at at)
{
	EQ_INT(ct_ruleset_judge(s->rs, table, at, &s->r, &s->out), 0);
	return s->out.fate;
}

/* Whether a packet at @s->r.now is dropped by the first rule. */
static bool is_dropped(struct setup *s)
{
	return judge(s, "filter", CT_AT_INPUT) == CT_FATE_DROP;
}

/* How many of @n packets, each @step later, a rule drops. */
static unsigned dropped(struct setup *s, unsigned n, ct_time step)
{
	unsigned found = 0;

	for (unsigned i = 0; i < n; i++, s->r.now += step)
		found += is_dropped(s);
	return found;
}

TEST(limits_grow_with_time)
{
	struct setup s;

	if (!begin(&s, "filter", "-A INPUT -m limit --limit 10/second --limit-burst 3 -j DROP"))
		return;
	EQ_INT(dropped(&s, 20, 0), 3);
	s.r.now += SECOND / 10;
	EQ_INT(dropped(&s, 20, 0), 1);
	/* Ten a second, the first a tenth later; and never more than the burst at once. */
	EQ_INT(dropped(&s, 41, SECOND / 40), 10);
	s.r.now += 100 * SECOND;
	EQ_INT(dropped(&s, 20, 0), 3);
	ct_ruleset_free(s.rs);
}

TEST(hashlimit_has_a_bucket_for_each_address)
{
	struct setup s;

	if (!begin(&s, "filter",
		   "-A INPUT -m hashlimit --hashlimit-upto 4/second --hashlimit-burst 2 "
		   "--hashlimit-mode srcip --hashlimit-srcmask 31 --hashlimit-name a "
		   "--hashlimit-htable-expire 2000 -j DROP"))
		return;
	EQ_INT(dropped(&s, 10, 0), 2);
	s.bytes[15] = 6; /* the same /31 */
	EQ_INT(dropped(&s, 10, 0), 0);
	s.bytes[15] = 8;
	EQ_INT(dropped(&s, 10, 0), 2);
	s.r.now += SECOND / 4;
	EQ_INT(dropped(&s, 10, 0), 1);
	/* Two seconds unseen, a bucket is gone, and the next one is full. */
	s.r.now += 3 * SECOND;
	EQ_INT(dropped(&s, 10, 0), 2);
	ct_ruleset_free(s.rs);
}

TEST(hashlimit_counts_bytes)
{
	struct setup s;

	if (!begin(&s, "filter",
		   "-A INPUT -m hashlimit --hashlimit-upto 480b/s --hashlimit-mode srcip "
		   "--hashlimit-name a -j DROP"))
		return;
	/* 44 bytes are three chunks of 16; 31 chunks a second are paid for. */
	EQ_INT(dropped(&s, 40, 0), 10);
	s.r.now += SECOND;
	EQ_INT(dropped(&s, 40, 0), 10);
	ct_ruleset_free(s.rs);
}

TEST(quotas_end_for_good)
{
	struct setup s;

	if (!begin(&s, "filter", "-A INPUT -m quota --quota 100 -j DROP"))
		return;
	EQ_INT(dropped(&s, 10, 0), 2);
	ct_ruleset_free(s.rs);
}

TEST(chance_is_thrown_only_with_a_seed)
{
	struct setup s;
	unsigned n;

	if (!begin(&s, "filter", "-A INPUT -m statistic --mode random --probability 0.25 -j DROP"))
		return;
	EQ_INT(dropped(&s, 1000, 0), 0);
	EQ_STR(s.out.depends_on, "statistic");
	ct_ruleset_seed(s.rs, 1);
	n = dropped(&s, 10000, 0);
	OK(n > 2300 && n < 2700);
	OK(s.out.depends_on == NULL);
	ct_ruleset_seed(s.rs, 1);
	EQ_INT(dropped(&s, 10000, 0), n);
	ct_ruleset_free(s.rs);
}

/* The fate at a moment of UNIX time, under the options of a time match. */
static bool is_time(const char *options, int64_t at)
{
	auto_fini(ct_buf) struct ct_buf text = { 0 };
	struct setup s;
	bool is;

	(void)ct_buf_printf(&text, "-A INPUT -m time %s -j DROP", options);
	if (!begin(&s, "filter", text.p))
		return false;
	s.r.known = CT_RULE_KNOWS_TIME;
	s.r.west_min = -60;
	s.r.now = at * SECOND;
	is = is_dropped(&s);
	ct_ruleset_free(s.rs);
	return is;
}

TEST(time_of_day_and_dates)
{
	const int64_t day = 86400, monday = 20780 * day; /* 2026-11-23 */

	OK(is_time("--timestart 08:00 --timestop 10:00", monday + 8 * 3600));
	OK(is_time("--timestart 08:00 --timestop 10:00", monday + 10 * 3600));
	OK(!is_time("--timestart 08:00 --timestop 10:00", monday + 10 * 3600 + 1));
	OK(is_time("--timestart 07:00 --timestop 08:30 --kerneltz", monday + 6 * 3600 + 60));
	OK(is_time("--timestart 22:00 --timestop 02:00", monday + 3600));
	OK(!is_time("--timestart 22:00 --timestop 02:00", monday + 3 * 3600));
	OK(is_time("--weekdays Mon", monday) && !is_time("--weekdays Mon", monday - 1));
	/* With --contiguous the hours after midnight are still those of Monday. */
	OK(is_time("--timestart 22:00 --timestop 02:00 --contiguous --weekdays Mon",
		   monday + day + 3600));
	OK(!is_time("--timestart 22:00 --timestop 02:00 --contiguous --weekdays Mon",
		    monday + 3600));
	OK(is_time("--monthdays 23", monday) && !is_time("! --monthdays 23", monday));
	OK(is_time("--monthdays 29", 11016 * day)); /* 2000-02-29 */
	OK(is_time("--datestart 2026-11-23 --datestop 2026-11-23T00:00:01", monday));
	OK(!is_time("--datestart 2026-11-23 --datestop 2026-11-23T00:00:01", monday + 2));
}

TEST(what_the_caller_does_not_know_is_said)
{
	static const char *const rules[] = {
		"-A INPUT -m time --weekdays Mon -j DROP",
		"-A INPUT -m mac --mac-source 02:00:00:00:00:01 -j DROP",
		"-A INPUT -m policy --dir in --pol ipsec -j DROP",
		"-A INPUT -m cpu --cpu 1 -j DROP",
		"-A INPUT -m connlimit --connlimit-above 3 -j DROP",
		"-A INPUT -m socket -j DROP",
		"-A INPUT -m rateest --rateest a --rateest-lt --rateest-bps 1 -j DROP",
	};

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		struct setup s;

		if (!begin(&s, "filter", rules[i]))
			continue;
		EQ_INT(judge(&s, "filter", CT_AT_INPUT), CT_FATE_ACCEPT);
		if (!s.out.depends_on)
			TAP_FAIL("no doubt about: %s", rules[i]);
		ct_ruleset_free(s.rs);
	}
}

/* The header's sum and that of TCP are as right as before. */
static bool is_sound(const struct setup *s)
{
	return ct_checksum_of(s->p.data, 20) == 0 && ct_packet_checksum(&s->p);
}

static void make_sound(struct setup *s)
{
	uint16_t sum;

	s->bytes[10] = s->bytes[11] = s->bytes[36] = s->bytes[37] = 0;
	sum = ct_checksum_of(s->bytes, 20);
	memcpy(s->bytes + 10, &sum, 2);
	sum = (uint16_t)~ct_checksum_fold(
		ct_checksum_add(ct_checksum_pseudo(&s->p, 6, 24), s->bytes + 20, 24));
	memcpy(s->bytes + 36, &sum, 2);
}

TEST(targets_change_packets_and_their_sums)
{
	struct setup s;

	if (!begin(&s, "mangle",
		   "-A FORWARD -j TTL --ttl-dec 3\n-A FORWARD -j TOS --set-tos 0x10\n"
		   "-A FORWARD -p tcp --syn -j TCPMSS --set-mss 1400\n"
		   "-A FORWARD -m ttl --ttl-eq 61 -m tos --tos 0x10 -j MARK --set-mark 5"))
		return;
	make_sound(&s);
	s.p.bytes = s.bytes;
	s.p.room = sizeof(s.bytes);
	EQ_INT(judge(&s, "mangle", CT_AT_FORWARD), CT_FATE_ACCEPT);
	EQ_INT(s.bytes[8], 61);
	EQ_INT(s.bytes[1], 0x10);
	EQ_INT(s.bytes[42] << 8 | s.bytes[43], 1400);
	EQ_INT(s.out.mark, 5);
	OK(is_sound(&s));
	ct_ruleset_free(s.rs);
}

/* A header without the option, or whose options leave no room for it. */
TEST(a_segment_size_is_added_where_it_fits)
{
	struct setup s;

	if (!begin(&s, "mangle", "-A FORWARD -p tcp --syn -j TCPMSS --set-mss 1400"))
		return;
	memcpy(s.bytes + 40, "\1\1\1\0", 4);
	make_sound(&s);
	s.p.bytes = s.bytes;
	s.p.room = 44;
	EQ_INT(judge(&s, "mangle", CT_AT_FORWARD), CT_FATE_ACCEPT);
	EQ_STR(s.out.depends_on, "TCPMSS");
	s.p.room = sizeof(s.bytes);
	EQ_INT(judge(&s, "mangle", CT_AT_FORWARD), CT_FATE_ACCEPT);
	EQ_INT(s.p.size, 48);
	EQ_INT(s.bytes[3], 48);
	EQ_INT(s.bytes[32] >> 4, 7);
	EQ_INT(memcmp(s.bytes + 40, "\2\4\2\x18\1\1\1\0", 8), 0); /* 536 */
	OK(is_sound(&s));
	ct_ruleset_free(s.rs);
}

TEST(templates_are_told)
{
	struct setup s;

	if (!begin(&s, "raw",
		   "-A PREROUTING -p tcp -j CT --zone mark --helper ftp --timeout slow "
		   "--ctevents new,mark --expevents new\n"
		   "-A PREROUTING -j CT --notrack\n"
		   "-A PREROUTING -m state --state NEW -j MARK --set-mark 9"))
		return;
	EQ_INT(judge(&s, "raw", CT_AT_PREROUTING), CT_FATE_ACCEPT);
	OK(s.out.has_template && !s.out.is_notrack && s.out.has_zone);
	EQ_INT(s.out.zone, 9);
	EQ_STR(s.out.helper, "ftp");
	EQ_STR(s.out.timeout, "slow");
	EQ_INT(s.out.events, 0x81);
	EQ_INT(s.out.exp_events, 1);
	ct_ruleset_free(s.rs);
}

TAP_MAIN(&tap_limits_grow_with_time, &tap_hashlimit_has_a_bucket_for_each_address,
	 &tap_hashlimit_counts_bytes, &tap_quotas_end_for_good,
	 &tap_chance_is_thrown_only_with_a_seed, &tap_time_of_day_and_dates,
	 &tap_what_the_caller_does_not_know_is_said, &tap_targets_change_packets_and_their_sums,
	 &tap_a_segment_size_is_added_where_it_fits, &tap_templates_are_told)
