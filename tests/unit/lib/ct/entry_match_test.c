/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Conditions: what is chosen, what is not, and what is said of a value that means nothing.
 */
#include "lib/ct/entry_match.h"

#include <errno.h>

#include "tap.h"

static const char dnat[] =
	"ipv4     2 tcp      6 90 ESTABLISHED src=10.0.1.2 dst=198.51.100.7 sport=41000 "
	"dport=443 src=192.168.0.9 dst=10.0.1.2 sport=8443 dport=41000 [ASSURED] "
	"mark=0x15 zone=5 delta-time=100 use=2";
static const char udp6[] = "udp      17 29 src=fd00::1 dst=fd00::2 sport=5353 dport=53 [UNREPLIED] "
			   "src=fd00::2 dst=fd00::1 sport=53 dport=5353 use=1";
static const char ping[] =
	"icmp     1 29 src=127.0.0.1 dst=127.0.0.1 type=8 code=0 id=53 src=127.0.0.1 "
	"dst=127.0.0.1 type=0 code=0 id=53 mark=0 use=1";

static int field_named(const char *option)
{
	static const char *const options[] = {
#define MATCH(name, option, value, help) option,
#include "lib/ct/entry_match.def"
#undef MATCH
	};

	for (int i = 0; i < CT_MATCH_FIELDS; i++)
		if (strcmp(options[i], option) == 0)
			return i;
	TAP_FAIL("no condition '%s'", option);
	return 0;
}

/* One letter an entry: d(nat), u(dp6), p(ing), in upper case when it is chosen. */
static const char *chosen(const char *option, const char *value)
{
	static const char *const lines[] = { dnat, udp6, ping };
	static char out[4];
	struct ct_match_times times = { .is_age_known = true, .age_s = 100 };
	struct ct_match m = { 0 };
	struct ct_err err = { "" };

	if (ct_match_add(&m, (enum ct_match_field)field_named(option), value, &err) < 0)
		TAP_FAIL("--%s %s: %s", option, value, err.text);
	strcpy(out, "dup");
	for (int i = 0; i < 3; i++) {
		struct ct_entry e;

		if (ct_entry_parse(lines[i], strlen(lines[i]), &e, &err) < 0)
			TAP_FAIL("%s", err.text);
		if (ct_match_entry(&m, &e, i == 0 ? &times : NULL))
			out[i] = (char)(out[i] - 'a' + 'A');
	}
	return out;
}

TEST(each_condition_chooses)
{
	static const char *const cases[][3] = {
		{ "src", "10.0.0.0/8", "Dup" },
		{ "src", "!10.0.0.0/8", "dUP" },
		{ "src", "10.0.1.2,fd00::/64", "DUp" },
		{ "src", "10.0.1.0/31", "dup" },
		{ "src", "10.0.1.0/30", "Dup" },
		{ "src", "0.0.0.0/0", "DuP" },
		{ "dst", "198.51.100.7", "Dup" },
		{ "reply-src", "192.168.0.9", "Dup" },
		{ "reply-dst", "fd00::1", "dUp" },
		{ "addr", "192.168.0.0/16", "Dup" },
		{ "sport", "41000", "Dup" },
		{ "dport", "53", "dUp" },
		{ "dport", "!53", "DuP" },
		{ "dport", "50-60,440-450", "DUp" },
		{ "reply-sport", "8443", "Dup" },
		{ "reply-dport", "1-40999", "dUp" },
		{ "port", "8443", "Dup" },
		{ "family", "ipv6", "dUp" },
		{ "proto", "tcp", "Dup" },
		{ "proto", "!tcp", "dUP" },
		{ "proto", "1,17", "dUP" },
		{ "state", "ESTABLISHED", "Dup" },
		{ "state", "!time_wait,close", "DUP" },
		{ "state", "!established", "dUP" },
		{ "status", "assured", "Dup" },
		{ "status", "!assured", "dUP" },
		{ "status", "seen_reply,!assured", "duP" },
		{ "status", "unreplied", "dUp" },
		{ "status", "dst_nat", "Dup" },
		{ "status", "src_nat", "dup" },
		{ "status", "confirmed", "DUP" },
		{ "status", "!confirmed", "dup" },
		{ "status", "!fixed_timeout", "dup" }, /* a line does not say */
		{ "status", "fixed_timeout", "dup" },
		{ "zone", "5", "Dup" },
		{ "zone", "0", "dUP" },
		{ "zone", "!0", "Dup" },
		{ "mark", "21", "Dup" },
		{ "mark", "0x5/0xf", "Dup" },
		{ "mark", "0", "duP" },
		{ "mark", "!0", "DUp" },
		{ "timeout", "90", "Dup" },
		{ "timeout", "-1m", "dUP" },
		{ "timeout", "1m-", "Dup" },
		{ "age", "1m-2m", "Dup" },
		{ "age", "-99", "dup" },
		{ "idle", "0-", "dup" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *got = chosen(cases[i][0], cases[i][1]);

		if (strcmp(got, cases[i][2]) != 0)
			TAP_FAIL("--%s %s chooses %s, want %s", cases[i][0], cases[i][1], got,
				 cases[i][2]);
	}
}

TEST(all_conditions_must_hold)
{
	struct ct_match m = { 0 };
	struct ct_entry e;

	EQ_INT(ct_entry_parse(dnat, strlen(dnat), &e, NULL), 0);
	OK(ct_match_entry(&m, &e, NULL));
	EQ_INT(ct_match_add(&m, CT_MATCH_PROTO, "tcp", NULL), 0);
	EQ_INT(ct_match_add(&m, CT_MATCH_DPORT, "443", NULL), 0);
	OK(ct_match_entry(&m, &e, NULL));
	EQ_INT(ct_match_add(&m, CT_MATCH_STATE, "SYN_SENT", NULL), 0);
	OK(!ct_match_entry(&m, &e, NULL));
	OK(ct_match_want(&m) & CT_KNOWN_STATE);
	OK(!(ct_match_want(&m) & CT_KNOWN_COUNTERS));
}

TEST(values_that_mean_nothing_are_refused)
{
	static const char *const bad[][3] = {
		{ "src", "10.0.0", "--src: '10.0.0' is not an address" },
		{ "src", "10.0.0.0/33",
		  "--src: '10.0.0.0/33' is not an address with a number of bits "
		  "behind the slash" },
		{ "src", "", "--src: '' is empty" },
		{ "dport", "80,,81", "--dport: '' is empty" },
		{ "dport", "65536", "--dport: '65536' is not a port or range of ports" },
		{ "dport", "-", "--dport: '-' is not a port or range of ports" },
		{ "dport", "9-8", "--dport: '9-8' is a range whose end is before its beginning" },
		{ "state", "OPENED", "--state: 'OPENED' is not a state of tcp, sctp or dccp" },
		{ "proto", "tpc", "--proto: 'tpc' is not a protocol" },
		{ "family", "inet", "--family: 'inet' is neither ipv4 nor ipv6" },
		{ "mark", "1/x",
		  "--mark: '1/x' is not a mark: a number, perhaps a slash and a mask" },
		{ "status", "!happy",
		  "--status: 'happy' is not a status; assured, seen_reply, src_nat, dst_nat, ... "
		  "are" },
		{ "idle", "5x", "--idle: '5x' is not a time or range of times" },
		{ "zone", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17",
		  "--zone: '17' is one value too many" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct ct_match m = { 0 };
		struct ct_err err = { "" };

		EQ_INT(ct_match_add(&m, (enum ct_match_field)field_named(bad[i][0]), bad[i][1],
				    &err),
		       -EINVAL);
		EQ_STR(err.text, bad[i][2]);
	}
}

TEST(a_condition_is_given_once)
{
	struct ct_match m = { 0 };
	struct ct_err err = { "" };

	EQ_INT(ct_match_add(&m, CT_MATCH_PROTO, "tcp", NULL), 0);
	EQ_INT(ct_match_add(&m, CT_MATCH_PROTO, "udp", &err), -EINVAL);
	EQ_STR(err.text, "--proto is given twice; separate values with commas");
}

TAP_MAIN(&tap_each_condition_chooses, &tap_all_conditions_must_hold,
	 &tap_values_that_mean_nothing_are_refused, &tap_a_condition_is_given_once)
