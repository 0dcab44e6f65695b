/* SPDX-License-Identifier: BSD-2-Clause
 *
 * sysctl_files: precedence of folders, masks, '-' and patterns, dots and slashes, foreign bytes.
 */
#include "ops/settings/sysctl_files.h"

#include <errno.h>

#include "../host/copy.h"
#include "tap.h"

static void parse(struct sysctl_files *f, const char *text)
{
	EQ_INT(sysctl_files_parse(f, "/x.conf", text, strlen(text), NULL), 0);
}

static const char *decided(const struct sysctl_files *f, const char *key)
{
	const struct sysctl_assignment *a = sysctl_files_decides(f, key);

	return a ? a->value : "(none)";
}

TEST(lines_are_read_as_sysctl_d_says)
{
	auto_fini(sysctl_files) struct sysctl_files f = { 0 };

	parse(&f, "# comment\n; comment\n\n"
		  "  net.netfilter.nf_conntrack_max =  262144 \r\n"
		  "-net/ipv4/conf/eth0.1/forwarding=1\n"
		  "net.ipv4.conf.eth0/1.forwarding = 0\n"
		  "nonsense\n"
		  "=5\n"
		  "kernel.core_pattern = |/usr/bin/x a=b");
	EQ_INT(f.n, 4);
	EQ_STR(f.at[0].key, "net/netfilter/nf_conntrack_max");
	EQ_STR(f.at[0].value, "262144");
	EQ_INT(f.at[0].line, 4);
	EQ_STR(f.at[1].key, "net/ipv4/conf/eth0.1/forwarding");
	OK(f.at[1].ignores_failure);
	EQ_STR(f.at[2].key, "net/ipv4/conf/eth0.1/forwarding");
	EQ_STR(f.at[3].value, "|/usr/bin/x a=b");
	EQ_INT(f.n_skipped, 2);
	EQ_INT(f.skipped[0].line, 7);
}

TEST(the_last_explicit_assignment_decides)
{
	auto_fini(sysctl_files) struct sysctl_files f = { 0 };

	parse(&f, "net.a.x = 1\nnet.a.* = 9\nnet.a.x = 2\nnet.a.y = 3\nnet.*.z = 4\n"
		  "net.a.z*=5\n-net.a.w\nnet/a/v = 6\n");
	EQ_STR(decided(&f, "net.a.x"), "2");
	EQ_STR(decided(&f, "net/a/y"), "3");
	EQ_STR(decided(&f, "net.a.z"), "5");
	EQ_STR(decided(&f, "net.b.z"), "4");
	EQ_STR(decided(&f, "net.a.q"), "9");
	EQ_STR(decided(&f, "net.a.w"), "(none)");
	EQ_STR(decided(&f, "net.a.b.c"), "(none)"); /* a star does not cross a slash */
	EQ_STR(decided(&f, "net.a.v"), "6");
}

TEST(folders_hide_and_mask)
{
	auto_free(host) struct host *h = NULL;
	auto_fini(copy) struct copy c;
	auto_fini(sysctl_files) struct sysctl_files f = { 0 };

	copy_init(&c);
	copy_file(&c, "/usr/lib/sysctl.d/50-a.conf", "net.x = 1\n");
	copy_file(&c, "/etc/sysctl.d/50-a.conf", "net.x = 2\n");
	copy_file(&c, "/run/sysctl.d/10-b.conf", "net.y = 3\n");
	copy_file(&c, "/usr/local/lib/sysctl.d/60-c.conf", "net.y = 4\n");
	copy_file(&c, "/usr/lib/sysctl.d/70-d.conf", "net.y = 5\n");
	copy_link(&c, "/etc/sysctl.d/70-d.conf", "/dev/null");
	copy_file(&c, "/etc/sysctl.d/README", "net.y = 6\n");
	copy_file(&c, "/etc/sysctl.conf", "net.y = 7\n");
	EQ_INT(host_open(c.root, &h, NULL), 0);
	EQ_INT(sysctl_files_read(h, SYSCTL_BY_SYSTEMD, &f, NULL), 0);
	EQ_INT(f.n_files, 3);
	EQ_STR(f.files[0], "/run/sysctl.d/10-b.conf");
	EQ_STR(f.files[1], "/etc/sysctl.d/50-a.conf");
	EQ_STR(decided(&f, "net.x"), "2");
	EQ_STR(decided(&f, "net.y"), "4");
	EQ_STR(sysctl_files_decides(&f, "net.y")->file, "/usr/local/lib/sysctl.d/60-c.conf");
	sysctl_files_fini(&f);
	EQ_INT(sysctl_files_read(h, SYSCTL_BY_PROCPS_SYSTEM, &f, NULL), 0);
	EQ_STR(decided(&f, "net.y"), "7");
	sysctl_files_fini(&f);
	EQ_INT(sysctl_files_read(h, SYSCTL_BY_PROCPS, &f, NULL), 0);
	EQ_INT(f.n, 1);
	sysctl_files_fini(&f);
	copy_link(&c, "/etc/sysctl.d/99-sysctl.conf", "../sysctl.conf");
	EQ_INT(sysctl_files_read(h, SYSCTL_BY_SYSTEMD, &f, NULL), 0);
	EQ_STR(decided(&f, "net.y"), "7");
}

TEST(hostile_bytes_are_bounded)
{
	auto_fini(sysctl_files) struct sysctl_files f = { 0 };
	static char text[200000];

	memset(text, 'k', sizeof(text));
	text[100000] = '=';
	EQ_INT(sysctl_files_parse(&f, "/x", text, sizeof(text), NULL), 0);
	EQ_INT(f.n, 0);
	EQ_INT(f.n_skipped, 1);
	EQ_INT(sysctl_files_parse(&f, "/x", "net.a=1\0net.b=2\n", 16, NULL), 0);
	EQ_INT(f.n, 2);
	for (size_t i = 0; i + 4 <= sizeof(text); i += 4)
		memcpy(text + i, "a=1\n", 4);
	EQ_INT(sysctl_files_parse(&f, "/x", text, sizeof(text), NULL), 0);
	EQ_INT(sysctl_files_parse(&f, "/x", text, sizeof(text), NULL), -E2BIG);
}

TAP_MAIN(&tap_lines_are_read_as_sysctl_d_says, &tap_the_last_explicit_assignment_decides,
	 &tap_folders_hide_and_mask, &tap_hostile_bytes_are_bounded)
