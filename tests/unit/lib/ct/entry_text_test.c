/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Lines as kernels and conntrack(8) printed them, read and written again in their own form.
 */
#include <arpa/inet.h>
#include <conntune/entry.h>
#include <errno.h>
#include <stdlib.h>

#include "tap.h"

static const char *formatted(const struct ct_entry *e, enum ct_form form, unsigned flags)
{
	static char buf[4096];
	struct ct_text t;

	ct_text_init(&t, buf, sizeof(buf));
	EQ_INT(ct_entry_format(e, form, flags, &t), 0);
	return buf;
}

static struct ct_entry parsed(const char *line)
{
	struct ct_entry e;
	struct ct_err err = { "" };

	if (ct_entry_parse(line, strlen(line), &e, &err) < 0)
		TAP_FAIL("'%s' was refused: %s", line, err.text);
	return e;
}

#define ALL_FLAGS (CT_FORMAT_ID | CT_FORMAT_LABELS | CT_FORMAT_KTIMESTAMP)

static void comes_back(enum ct_form form, const char *const *lines, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct ct_entry e = parsed(lines[i]);

		EQ_STR(formatted(&e, form, ALL_FLAGS), lines[i]);
	}
}
#define COMES_BACK(form, lines) comes_back(form, lines, sizeof(lines) / sizeof(lines[0]))

static const char *const proc_lines[] = {
#include "lines_proc.inc"
};
static const char *const extended_lines[] = {
#include "lines_extended.inc"
};
static const char *const conntrack_lines[] = {
#include "lines_conntrack.inc"
};
static const char *const save_lines[] = {
#include "lines_save.inc"
};

TEST(proc_lines_come_back)
{
	COMES_BACK(CT_FORM_PROC, proc_lines);
}

TEST(extended_lines_come_back)
{
	COMES_BACK(CT_FORM_EXTENDED, extended_lines);
}

TEST(conntrack_lines_come_back)
{
	COMES_BACK(CT_FORM_CONNTRACK, conntrack_lines);
}

TEST(save_lines_come_back)
{
	COMES_BACK(CT_FORM_SAVE, save_lines);
}

TEST(every_field_of_a_line_is_read)
{
	struct ct_entry e =
		parsed("ipv4     2 tcp      6 431999 ESTABLISHED src=10.0.1.2 dst=10.0.2.2 "
		       "sport=1111 dport=80 packets=3 bytes=180 src=10.0.2.3 dst=10.0.1.2 "
		       "sport=8080 dport=1111 packets=2 bytes=120 [ASSURED] mark=7 "
		       "secctx=system_u:object_r:x_t:s0 zone=5 delta-time=12 use=2");

	EQ_INT(e.tuple[0].family, CT_FAMILY_IPV4);
	EQ_INT(e.tuple[1].proto, 6);
	EQ_INT(e.timeout_s, 431999);
	EQ_INT(e.state, CT_TCP_ESTABLISHED);
	EQ_INT(ntohl(e.tuple[1].src.ip4), 0x0a000203);
	EQ_INT(ntohs(e.tuple[0].src_part), 1111);
	EQ_INT(ntohs(e.tuple[1].src_part), 8080);
	EQ_INT(e.packets[0], 3);
	EQ_INT(e.bytes[1], 120);
	EQ_INT(e.status, CT_STATUS_ASSURED | CT_STATUS_SEEN_REPLY);
	EQ_INT(e.mark, 7);
	EQ_INT(e.zone, 5);
	EQ_INT(e.zone_dir, CT_ZONE_BOTH);
	EQ_INT(e.delta_s, 12);
	EQ_INT(e.secctx.len, 24);
	OK(e.known & CT_KNOWN_COUNTERS);
	OK(!(e.known & (CT_KNOWN_ID | CT_KNOWN_STATUS | CT_KNOWN_HELPER)));
}

TEST(the_forms_are_made_of_each_other)
{
	struct ct_entry e = parsed(
		"ipv6     10 icmpv6   58 29 src=fd00:0001:0000:0000:0000:0000:0000:0002 "
		"dst=fd00:0002:0000:0000:0000:0000:0000:0002 type=128 code=0 id=55 [UNREPLIED] "
		"src=fd00:0002:0000:0000:0000:0000:0000:0002 "
		"dst=fd00:0001:0000:0000:0000:0000:0000:0002 "
		"type=129 code=0 id=55 mark=0 zone=0 use=2");

	EQ_STR(formatted(&e, CT_FORM_EXTENDED, 0),
	       "ipv6     10 icmpv6   58 29 src=fd00:1::2 dst=fd00:2::2 type=128 code=0 id=55 "
	       "[UNREPLIED] src=fd00:2::2 dst=fd00:1::2 type=129 code=0 id=55 mark=0 use=1");
	EQ_STR(formatted(&e, CT_FORM_SAVE, 0),
	       "-A -t 29 -u UNSET -s fd00:1::2 -d fd00:2::2 -r fd00:2::2 -q fd00:1::2 -p icmpv6 "
	       "--icmpv6-type 128 --icmpv6-code 0 --icmpv6-id 55");
	e = parsed("gre      47 29 src=10.0.1.2 dst=10.0.2.2 srckey=0x0 dstkey=0x4321 [UNREPLIED] "
		   "src=10.0.2.2 dst=10.0.1.2 srckey=0x4321 dstkey=0x0 mark=0 use=1");
	EQ_STR(formatted(&e, CT_FORM_SAVE, 0),
	       "-A -t 29 -u UNSET -s 10.0.1.2 -d 10.0.2.2 -r 10.0.2.2 -q 10.0.1.2 -p gre --srckey "
	       "0 "
	       "--dstkey 17185 --reply-key-src 17185 --reply-key-dst 0");
}

/* conntrack writes ports for protocols whose tracker the kernel lacks; /proc does not. */
TEST(a_missing_tracker_is_unknown_in_proc)
{
	struct ct_entry e =
		parsed("ipv4     2 dccp     33 480 src=10.0.0.1 dst=10.0.0.2 sport=0 dport=0 "
		       "[UNREPLIED] src=10.0.0.2 dst=10.0.0.1 sport=0 dport=0 mark=0 use=1");

	EQ_STR(formatted(&e, CT_FORM_PROC, 0),
	       "ipv4     2 unknown  33 480 src=10.0.0.1 dst=10.0.0.2 [UNREPLIED] src=10.0.0.2 "
	       "dst=10.0.0.1 mark=0 use=1");
}

TEST(translated_addresses_are_told_in_the_option_form)
{
	struct ct_entry e =
		parsed("tcp      6 499 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=1005 "
		       "dport=80 src=10.0.0.9 dst=10.0.0.7 sport=8080 dport=1005 mark=0 use=1");

	EQ_STR(formatted(&e, CT_FORM_SAVE, 0),
	       "-A -t 499 -u SEEN_REPLY -s 10.0.0.1 -d 10.0.0.2 -g 10.0.0.9 -n 10.0.0.7 -p tcp "
	       "--sport "
	       "1005 --dport 80 --reply-port-src 8080 --reply-port-dst 1005 --state ESTABLISHED");
}

TEST(events_are_read_as_entries)
{
	struct ct_entry e =
		parsed("[1795228295.486727]\t    [NEW] udp      17 30 src=127.0.0.1 dst=127.0.0.1 "
		       "sport=35468 dport=9998 [UNREPLIED] src=127.0.0.1 dst=127.0.0.1 sport=9998 "
		       "dport=35468");

	EQ_INT(e.timeout_s, 30);
	EQ_INT(e.tuple[0].proto, 17);
	e = parsed("[DESTROY] udp      17 29 src=127.0.0.1 dst=127.0.0.1 sport=1 dport=2 packets=1 "
		   "bytes=29 [UNREPLIED] src=127.0.0.1 dst=127.0.0.1 sport=2 dport=1 packets=0 "
		   "bytes=0 "
		   "delta-time=0 [start=Sat Nov 21 02:31:35 2026] [stop=Sat Nov 21 02:31:36 2026] "
		   "id=7 labels=five,my label [USERSPACE] portid=3584640322");
	EQ_INT(e.stop_ns - e.start_ns, 1000000000);
	EQ_INT(e.start_ns / 1000000000, 1795228295);
	EQ_INT(e.label_text.len, 13);
	EQ_INT(e.n_rest, 1);
	EQ_INT(e.rest[0].text.len, 29);
}

TEST(unknown_words_keep_their_places)
{
	static const char line[] = "ipv4     2 tcp      6 9 FOO src=10.0.0.1 dst=10.0.0.2 sport=1 "
				   "dport=2 l3dev=eth0 x "
				   "[UNREPLIED] src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 "
				   "[NEWFLAG] mark=0 zone=0 use=2 "
				   "what=ever [x y]";
	struct ct_entry e = parsed(line);

	EQ_INT(e.n_rest, 4);
	EQ_STR(formatted(&e, CT_FORM_PROC, 0), line);
	EQ_STR(formatted(&e, CT_FORM_SAVE, 0),
	       "-A -t 9 -u UNSET -s 10.0.0.1 -d 10.0.0.2 -r 10.0.0.2 -q 10.0.0.1 -p tcp --sport 1 "
	       "--dport 2 --reply-port-src 2 --reply-port-dst 1");
}

struct bad {
	const char *line, *why;
};

TEST(bad_lines_are_refused_with_a_sentence)
{
	static const struct bad bad[] = {
		{ "", "an empty line" },
		{ "   \n", "an empty line" },
		{ "conntrack v1.4.7 (conntrack-tools): 20 flow entries have been shown.",
		  "'v1.4.7': not a number from 0 to 255" },
		{ "tcp 6", "half a line" },
		{ "ipv4", "'ipv4': half a line" },
		{ "ipv4 10 tcp 6 1 src=1.1.1.1", "'10': not the number of that family" },
		{ "udp 6 9 src=1.1.1.1", "'udp': not the name of the protocol behind it" },
		{ "unknown 5 tcp 6 9 src=1.1.1.1", "a family that is neither" },
		{ "tcp 6 9 SYN_SENT src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2",
		  "half a line: two tuples" },
		{ "udp 17 9 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 "
		  "sport=2",
		  "the tuples do not match" },
		{ "udp 17 9 src=10.0.0.1 dst=10.0.0.2 sport=65536 dport=2 src=10.0.0.2 "
		  "dst=10.0.0.1",
		  "'sport=65536': not a number from 0 to 65535" },
		{ "udp 17 4294967296 src=10.0.0.1",
		  "'4294967296': not a number from 0 to 4294967295" },
		{ "udp 17 99999999999999999999999 src=10.0.0.1",
		  "not a number from 0 to 4294967295" },
		{ "udp 17 9 src=10.0.0.1 dst=10.0.0.300", "'dst=10.0.0.300': not an address" },
		{ "udp 17 9 src=10.0.0.1 dst=::1", "'dst=::1': an address of another family" },
		{ "udp 17 9 src=10.0.0.1 dst=10.0.0.2 dst=10.0.0.2", "said twice" },
		{ "udp 17 9 src=1.1.1.1 dst=1.1.1.1 src=1.1.1.1 dst=1.1.1.1 src=1.1.1.1",
		  "a third tuple" },
		{ "udp 17 9 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 packets=5 bytes=6 "
		  "src=10.0.0.2 "
		  "dst=10.0.0.1 sport=2 dport=1",
		  "the counters are not complete" },
		{ "udp 17 9 src=10.0.0.1 dst=10.0.0.2 src=10.0.0.2 dst=10.0.0.1 mark=1 mark=2",
		  "'mark=2': said twice" },
		{ "udp 17 9 src=10.0.0.1 dst=10.0.0.2 src=10.0.0.2 dst=10.0.0.1 \x1b[31m=x",
		  "'?[31m=x': holds a control character" },
		{ "udp 17 9 src=10.0.0.1 dst=10.0.0.2 src=10.0.0.2 dst=10.0.0.1 [start=Sun Nov 21 "
		  "02:28:42 2026]",
		  "not a moment" },
		{ "icmp 1 9 src=10.0.0.1 dst=10.0.0.2 sport=1",
		  "'sport=1': this protocol has none" },
		{ "icmp 1 9 src=10.0.0.1 dst=10.0.0.2 type=256",
		  "'type=256': not a number from 0 to 255" },
		{ "-A -t 5 -s 10.0.0.1 -d 10.0.0.2", "half a line: -s, -d and -p are needed" },
		{ "-A -t 5 -s 10.0.0.1 -d", "'-d': half a line: a value is missing" },
		{ "-A -t 5 -u ASSURED,FOO -s 10.0.0.1", "'FOO': not a status conntrack sets" },
		{ "-A -s 10.0.0.1 -d 10.0.0.2 -p icmp --icmp-type 300", "beyond 255" },
		{ "-A -s 10.0.0.1 -d 10.0.0.2 -p icmp --icmp-type 3", "nothing answers" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct ct_err err = { "" };
		struct ct_entry e;

		if (ct_entry_parse(bad[i].line, strlen(bad[i].line), &e, &err) != -EINVAL)
			TAP_FAIL("'%s' was taken", bad[i].line);
		else if (!strstr(err.text, bad[i].why))
			TAP_FAIL("'%s' gives '%s', want '%s'", bad[i].line, err.text, bad[i].why);
	}
}

TEST(a_line_beyond_the_limit_is_refused)
{
	static char line[CT_MAX_LINE + 2];
	struct ct_entry e;

	memset(line, 'x', sizeof(line));
	EQ_INT(ct_entry_parse(line, CT_MAX_LINE + 1, &e, NULL), -E2BIG);
	EQ_INT(ct_entry_parse(line, CT_MAX_LINE, &e, NULL), -EINVAL);
}

/* Each prefix of each line is read or refused, and nothing else happens. */
TEST(half_lines_do_no_harm)
{
	for (size_t i = 0; i < sizeof(proc_lines) / sizeof(proc_lines[0]); i++) {
		for (size_t n = 0; n <= strlen(proc_lines[i]); n++) {
			char *copy = malloc(n + 1); /* so that a sanitizer sees an overrun */
			struct ct_err err = { "" };
			struct ct_entry e;

			memcpy(copy, proc_lines[i], n);
			if (ct_entry_parse(copy, n, &e, &err) < 0)
				OK(err.text[0] != '\0');
			free(copy);
		}
	}
}

static uint32_t draw(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (uint32_t)(*seed >> 16);
}

static struct ct_tuple drawn_tuple(uint64_t *seed, uint8_t family, uint8_t proto)
{
	struct ct_tuple t = { .family = family, .proto = proto };

	for (int i = 0; i < (family == CT_FAMILY_IPV4 ? 4 : 16); i++) {
		t.src.bytes[i] = draw(seed) & 1 ? (uint8_t)draw(seed) : 0;
		t.dst.bytes[i] = draw(seed) & 1 ? (uint8_t)draw(seed) : 0;
	}
	t.src_part = (ct_be16)draw(seed);
	t.dst_part = (ct_be16)draw(seed);
	if (proto == 1)
		ct_tuple_set_icmp(&t, 8, (uint8_t)draw(seed));
	if (proto == 58)
		ct_tuple_set_icmp(&t, 128, (uint8_t)draw(seed));
	return t;
}

static struct ct_entry drawn_entry(uint64_t *seed)
{
	static const uint8_t protos[] = { 6, 17, 1, 58, 132, 47, 136, 33, 253, 0 };
	uint8_t proto = protos[draw(seed) % sizeof(protos)];
	uint8_t family = draw(seed) & 1 ? CT_FAMILY_IPV4 : CT_FAMILY_IPV6;
	struct ct_entry e = { .known = draw(seed) &
				       (CT_KNOWN_TIMEOUT | CT_KNOWN_MARK | CT_KNOWN_ZONE |
					CT_KNOWN_COUNTERS | CT_KNOWN_DELTA | CT_KNOWN_USE |
					CT_KNOWN_ID | CT_KNOWN_HELPER | CT_KNOWN_SECCTX |
					CT_KNOWN_START | CT_KNOWN_STOP) };

	e.known |= CT_KNOWN_FLAGS | CT_KNOWN_FAMILY;
	e.tuple[0] = drawn_tuple(seed, family, proto);
	e.tuple[1] = drawn_tuple(seed, family, proto);
	if (proto != 253 && proto != 0)
		e.known |= CT_KNOWN_PARTS;
	if (ct_state_name(proto, 0)) {
		e.known |= CT_KNOWN_STATE;
		e.state = (uint8_t)(draw(seed) % 9);
	}
	if (proto == 47) {
		e.known |= CT_KNOWN_GRE;
		e.gre_timeout_s = draw(seed);
		e.gre_stream_timeout_s = draw(seed);
	}
	e.status = draw(seed) & (CT_STATUS_SEEN_REPLY | CT_STATUS_ASSURED);
	e.timeout_s = draw(seed) >> draw(seed) % 32;
	e.mark = draw(seed);
	e.zone = (uint16_t)draw(seed);
	e.zone_dir = (uint8_t)(1 + draw(seed) % 3);
	for (int i = 0; i < 2; i++) {
		e.packets[i] = (uint64_t)draw(seed) << draw(seed) % 33;
		e.bytes[i] = (uint64_t)draw(seed) << 32 | draw(seed);
	}
	e.delta_s = draw(seed);
	e.use = 1 + draw(seed) % 9;
	e.id = draw(seed);
	e.start_ns = (int64_t)draw(seed) * 1000000000;
	e.stop_ns = (int64_t)draw(seed) * 1000000000;
	e.helper = (struct ct_slice){ "ftp-2121", 8 };
	e.secctx = (struct ct_slice){ "a:b:c", 5 };
	return e;
}

TEST(what_is_written_is_read_again)
{
	static const enum ct_form forms[] = { CT_FORM_PROC, CT_FORM_CONNTRACK, CT_FORM_EXTENDED,
					      CT_FORM_SAVE };
	uint64_t seed = 3;

	for (int i = 0; i < 20000 && !tap_failures; i++) {
		struct ct_entry e = drawn_entry(&seed);
		enum ct_form form = forms[i & 3];
		char line[4096];
		struct ct_entry back;

		strcpy(line, formatted(&e, form, ALL_FLAGS));
		back = parsed(line);
		EQ_STR(formatted(&back, form, ALL_FLAGS), line);
		OK(ct_tuple_equal(&e.tuple[0], &back.tuple[0]) || !(e.known & CT_KNOWN_PARTS));
		EQ_INT(back.timeout_s, e.known & CT_KNOWN_TIMEOUT ? e.timeout_s : 0);
		if (form != CT_FORM_SAVE && (e.known & CT_KNOWN_COUNTERS))
			OK(memcmp(e.bytes, back.bytes, sizeof(e.bytes)) == 0);
		if (form == CT_FORM_EXTENDED && (e.known & CT_KNOWN_START))
			EQ_INT(back.start_ns, e.start_ns);
	}
}

TEST(blanks_between_words_do_not_matter)
{
	struct ct_entry e = parsed("ipv4 2 icmp 1 29 src=127.0.0.1\tdst=127.0.0.1 type=8 code=0 "
				   "id=26067   src=127.0.0.1 "
				   "dst=127.0.0.1 type=0 code=0 id=26067 mark=0 use=1  \r\n");

	EQ_INT(ntohs(e.tuple[1].src_part), 26067);
	EQ_INT(ct_tuple_icmp_type(&e.tuple[0]), 8);
	EQ_STR(formatted(&e, CT_FORM_EXTENDED, 0),
	       "ipv4     2 icmp     1 29 src=127.0.0.1 dst=127.0.0.1 type=8 code=0 id=26067 "
	       "src=127.0.0.1 dst=127.0.0.1 type=0 code=0 id=26067 mark=0 use=1");
}

/* Netlink carries any bytes; a line stays one line. */
TEST(control_characters_of_a_name_are_not_written)
{
	struct ct_entry e = parsed(proc_lines[0]);
	static const char name[] = "ftp\n\x1b[31mudp";

	e.known |= CT_KNOWN_HELPER;
	e.helper = (struct ct_slice){ name, sizeof(name) - 1 };
	OK(strstr(formatted(&e, CT_FORM_EXTENDED, 0), " helper=ftp??[31mudp ") != NULL);
}

TAP_MAIN(&tap_proc_lines_come_back, &tap_extended_lines_come_back, &tap_conntrack_lines_come_back,
	 &tap_save_lines_come_back, &tap_every_field_of_a_line_is_read,
	 &tap_the_forms_are_made_of_each_other, &tap_a_missing_tracker_is_unknown_in_proc,
	 &tap_translated_addresses_are_told_in_the_option_form, &tap_events_are_read_as_entries,
	 &tap_unknown_words_keep_their_places, &tap_bad_lines_are_refused_with_a_sentence,
	 &tap_a_line_beyond_the_limit_is_refused, &tap_half_lines_do_no_harm,
	 &tap_what_is_written_is_read_again, &tap_blanks_between_words_do_not_matter,
	 &tap_control_characters_of_a_name_are_not_written)
