/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Every spelling of the kernel's complaint, and what only looks like it.
 */
#include "ops/facts/kernel_log.h"

#include "tap.h"

static void line(struct kernel_log *log, const char *s)
{
	kernel_log_line(log, s, strlen(s));
}

TEST(every_spelling_of_full)
{
	static const char *const lines[] = {
		"[12345.678901] nf_conntrack: nf_conntrack: table full, dropping packet",
		"[    1.000001] nf_conntrack: table full, dropping packet.",
		"nf_conntrack: table full, dropping packet",
		"<4>[  12.5] ip_conntrack: table full, dropping packet.",
		"4,1234,567890123,-;nf_conntrack: nf_conntrack: table full, dropping packet",
		"Nov  1 02:26:29 web1 kernel: nf_conntrack: table full, dropping packet",
		"Nov 21 02:26:29 web1 kernel: [123.4] nf_conntrack: table full, dropping packet",
		"2026-11-21T02:26:29.123456+00:00 web1 kernel: nf_conntrack: table full, dropping",
		"[Sat Nov 21 02:26:29 2026] nf_conntrack: nf_conntrack: table full, dropping",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct kernel_log log = { 0 };

		line(&log, lines[i]);
		if (log.full.n != 1)
			TAP_FAIL("not seen: %s", lines[i]);
	}
}

TEST(what_only_quotes_it_does_not_count)
{
	struct kernel_log log = { 0 };

	line(&log, "Nov 21 02:26:29 web1 sudo: root : COMMAND=/bin/grep nf_conntrack: table full");
	line(&log, "[1.0] nf_conntrack: falling back to vmalloc.");
	line(&log, "kernel: table full");
	line(&log, "");
	line(&log, "_conntrack");
	EQ_INT(log.full.n, 0);
}

TEST(moments_first_and_last)
{
	struct kernel_log log = { 0 };
	static const char text[] = "[  100.500000] nf_conntrack: table full, dropping packet\n"
				   "[  105.000000] net_ratelimit: 812 callbacks suppressed\n"
				   "[  205.250000] nf_conntrack: table full, dropping packet\n";

	kernel_log_text(&log, text, sizeof(text) - 1);
	EQ_INT(log.full.n, 2);
	EQ_INT(log.n_suppressed, 812);
	EQ_STR(log.full.first, "100.500000");
	EQ_STR(log.full.last, "205.250000");
	OK(log.full.is_uptime);
	OK(log.full.last_s > 205.2 && log.full.last_s < 205.3);
	EQ_INT(log.n_lines, 3);
}

TEST(kmsg_time_is_microseconds)
{
	struct kernel_log log = { 0 };

	line(&log, "4,99,7000000,-;nf_conntrack: nf_conntrack: table full, dropping packet");
	OK(log.full.is_uptime);
	OK(log.full.last_s == 7);
}

TEST(namespaces_are_told_apart)
{
	struct kernel_log log = { 0 };

	line(&log, "[1.0] nf_conntrack: nf_conntrack: table full in netns 4026532314, dropping p");
	line(&log, "[2.0] nf_conntrack: nf_conntrack: table full in netns 4026532314, dropping p");
	line(&log, "[3.0] nf_conntrack: nf_conntrack: table full in netns 4026532999, dropping p");
	line(&log, "[4.0] nf_conntrack: nf_conntrack: table full, dropping packet");
	EQ_INT(log.full.n, 4);
	EQ_INT(log.full_unnamed.n, 1);
	EQ_INT(log.n_netns, 2);
	EQ_INT(log.netns[0].inode, 4026532314);
	EQ_INT(log.netns[0].full.n, 2);
	EQ_STR(log.netns[0].full.first, "1.0");
	EQ_STR(log.netns[0].full.last, "2.0");
	OK(log.netns[1].full.is_uptime && log.netns[1].full.last_s == 3);
}

TEST(many_namespaces_stay_bounded)
{
	struct kernel_log log = { 0 };
	char text[120];

	for (unsigned i = 0; i < 1000; i++) {
		(void)snprintf(text, sizeof(text),
			       "[1.0] nf_conntrack: nf_conntrack: table full in netns %u, drop", i);
		line(&log, text);
	}
	EQ_INT(log.n_netns, KERNEL_LOG_MAX_NETNS);
	EQ_INT(log.full.n, 1000);
}

TEST(expectations_floods_and_boot)
{
	struct kernel_log log = { 0 };

	line(&log, "[9.0] nf_conntrack: nf_conntrack: expectation table full");
	line(&log,
	     "[9.0] TCP: request_sock_TCP: Possible SYN flooding on port 80. Sending cookies.");
	line(&log, "[9.1] TCP: request_sock_TCP: Possible SYN flooding on port [::]:443. Sending "
		   "cookies.");
	line(&log, "[0.9] nf_conntrack version 0.5.0 (7997 buckets, 31988 max)");
	line(&log, "Nov 21 02:26:29 a systemd-sysctl[201]: Couldn't write '262144' to "
		   "'net/netfilter/nf_conntrack_max', ignoring: No such file or directory");
	EQ_INT(log.full.n, 0);
	EQ_INT(log.expect_full.n, 1);
	EQ_INT(log.syn_flood.n, 2);
	EQ_INT(log.syn_flood_port, 443);
	OK(log.is_version_known);
	EQ_INT(log.version_buckets, 7997);
	EQ_INT(log.version_max, 31988);
	EQ_INT(log.boot_miss.n, 1);
}

TEST(an_earlier_boot_is_forgotten)
{
	struct kernel_log log = { 0 };

	line(&log,
	     "Nov 10 03:12:10 a kernel: [812345.1] nf_conntrack: table full, dropping packet");
	line(&log, "Nov 10 03:12:11 a kernel: [812346.1] nf_conntrack: expectation table full");
	EQ_INT(log.full.n, 1);
	OK(log.full.is_uptime && log.full.last_s > 812345);
	EQ_STR(log.full.last, "Nov 10 03:12:10");
	line(&log, "Nov 12 09:00:01 a kernel: [    0.000000] Linux version 6.1.0-18-amd64 (d@d)");
	EQ_INT(log.full.n, 0);
	EQ_INT(log.full_unnamed.n, 0);
	EQ_INT(log.expect_full.n, 0);
	EQ_INT(log.n_boots, 1);
	line(&log, "Nov 12 09:00:09 a kernel: [    8.500000] nf_conntrack: table full, dropping p");
	EQ_INT(log.full.n, 1);
	OK(log.full.last_s == 8.5);
}

/* A file that lost the first lines of the boot: its clock goes back. */
TEST(a_clock_that_goes_back_is_a_boot)
{
	struct kernel_log log = { 0 };

	line(&log, "2026-11-10T03:12:10.1+00:00 a kernel: [812345.1] nf_conntrack: table full, d");
	line(&log, "2026-11-10T03:12:10.2+00:00 a kernel: [812340.0] a line out of order");
	EQ_INT(log.full.n, 1);
	line(&log, "2026-11-12T09:00:10.1+00:00 a kernel: [   12.0] something");
	EQ_INT(log.full.n, 0);
	EQ_INT(log.n_lines, 3);
}

/* "Linux version" in somebody's words, and lines of programs, begin no boot. */
TEST(words_about_a_version_are_no_boot)
{
	struct kernel_log log = { 0 };

	line(&log, "Nov 10 03:12:10 a kernel: nf_conntrack: table full, dropping packet");
	line(&log, "Nov 10 03:12:11 a agent[12]: running on Linux version 6.1.0");
	EQ_INT(log.full.n, 1);
	EQ_INT(log.n_boots, 0);
}

TAP_MAIN(&tap_every_spelling_of_full, &tap_what_only_quotes_it_does_not_count,
	 &tap_moments_first_and_last, &tap_kmsg_time_is_microseconds,
	 &tap_namespaces_are_told_apart, &tap_many_namespaces_stay_bounded,
	 &tap_expectations_floods_and_boot, &tap_an_earlier_boot_is_forgotten,
	 &tap_a_clock_that_goes_back_is_a_boot, &tap_words_about_a_version_are_no_boot)
