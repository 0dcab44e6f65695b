/* SPDX-License-Identifier: BSD-2-Clause */
#include "ops/host/host.h"

#include <errno.h>
#include <time.h>

#include "copy.h"
#include "tap.h"

static int run(const char *const argv[], unsigned timeout_ms, struct ct_buf *out, int *status)
{
	auto_free(host) struct host *h = NULL;

	if (host_open("/", &h, NULL) < 0)
		abort();
	return host_command(h, "test", argv, timeout_ms, out, status);
}

TEST(output_comes_back_without_a_shell)
{
	auto_fini(ct_buf) struct ct_buf b = { 0 };
	const char *const argv[] = { "printf", "%s\n", "$HOME `id`", NULL };

	EQ_INT(run(argv, 5000, &b, NULL), 0);
	EQ_STR(b.p, "$HOME `id`\n");
}

TEST(nothing_printed_is_an_empty_text)
{
	auto_fini(ct_buf) struct ct_buf b = { 0 };
	const char *const argv[] = { "true", NULL };

	EQ_INT(run(argv, 5000, &b, NULL), 0);
	EQ_STR(b.p, "");
}

TEST(stdin_is_empty)
{
	auto_fini(ct_buf) struct ct_buf b = { 0 };
	const char *const argv[] = { "cat", NULL };

	EQ_INT(run(argv, 5000, &b, NULL), 0);
	EQ_INT(b.len, 0);
}

TEST(a_failure_tells_its_status)
{
	auto_fini(ct_buf) struct ct_buf b = { 0 };
	const char *const argv[] = { "sh", "-c", "echo said; exit 7", NULL };
	const char *const killed[] = { "sh", "-c", "kill -9 $$", NULL };
	int status = 0;

	EQ_INT(run(argv, 5000, &b, &status), -EIO);
	EQ_INT(status, 7);
	EQ_STR(b.p, "said\n");
	EQ_INT(run(killed, 5000, &b, &status), -EIO);
	EQ_INT(status, 128 + 9);
}

TEST(a_missing_program_is_not_found)
{
	auto_fini(ct_buf) struct ct_buf b = { 0 };
	const char *const argv[] = { "no-such-program-here", NULL };
	const char *const path[] = { "/no/such/program", NULL };

	EQ_INT(run(argv, 5000, &b, NULL), -ENOENT);
	EQ_INT(run(path, 5000, &b, NULL), -ENOENT);
}

static double seconds(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Also one that has closed its stdout, and one whose child holds it open. */
TEST(a_late_program_is_ended)
{
	auto_fini(ct_buf) struct ct_buf b = { 0 };
	const char *const slow[] = { "sleep", "30", NULL };
	const char *const closed[] = { "sh", "-c", "exec >&-; sleep 30", NULL };
	const char *const child[] = { "sh", "-c", "sleep 30 & exit 0", NULL };
	double start = seconds();

	EQ_INT(run(slow, 100, &b, NULL), -ETIMEDOUT);
	EQ_INT(run(closed, 100, &b, NULL), -ETIMEDOUT);
	EQ_INT(run(child, 100, &b, NULL), -ETIMEDOUT);
	OK(seconds() - start < 10);
}

TEST(endless_output_is_cut_off)
{
	auto_fini(ct_buf) struct ct_buf b = { 0 };
	const char *const argv[] = { "cat", "/dev/zero", NULL };

	EQ_INT(run(argv, 60000, &b, NULL), -EFBIG);
	EQ_INT(b.len, 0);
}

TEST(a_copy_reads_its_recording)
{
	auto_free(host) struct host *h = NULL;
	auto_fini(ct_buf) struct ct_buf b = { 0 };
	const char *const argv[] = { "touch", "/tmp/never-run", NULL };
	struct copy c;

	copy_init(&c);
	copy_file(&c, "/recorded/commands/iptables-save", "*filter\nCOMMIT\n");
	copy_file(&c, "/recorded/secret", "x");
	EQ_INT(host_open(c.root, &h, NULL), 0);
	EQ_INT(host_command(h, "iptables-save", argv, 1000, &b, NULL), 0);
	EQ_STR(b.p, "*filter\nCOMMIT\n");
	EQ_INT(host_command(h, "nft-ruleset", argv, 1000, &b, NULL), -ENOENT);
	EQ_INT(host_command(h, "../secret", argv, 1000, &b, NULL), -EINVAL);
	OK(access("/tmp/never-run", F_OK) < 0);
	copy_fini(&c);
}

TAP_MAIN(&tap_output_comes_back_without_a_shell, &tap_nothing_printed_is_an_empty_text,
	 &tap_stdin_is_empty, &tap_a_failure_tells_its_status, &tap_a_missing_program_is_not_found,
	 &tap_a_late_program_is_ended, &tap_endless_output_is_cut_off,
	 &tap_a_copy_reads_its_recording)
