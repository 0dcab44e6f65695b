/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Bundles: what goes in, what stays out, and that a bundle is the machine again.
 */
#include "ops/bundle/bundle.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include "ops/bundle/filter.h"
#include "ops/host/netns.h"
#include "tap.h"

#include "../host/copy.h"

/* Two folders: the machine and its bundle, which is not there yet. */
struct pair {
	struct copy from, to;
};

static void pair_init(struct pair *p)
{
	copy_init(&p->from);
	copy_init(&p->to);
	(void)rmdir(p->to.root);
}

static void pair_fini(struct pair *p)
{
	copy_fini(&p->from);
	copy_fini(&p->to);
}

static int collect(const char *root, const char *dir, bool is_anonymous, bool has_table,
		   struct bundle *b, struct ct_err *err)
{
	struct bundle_options o = {
		.dir = dir, .made_by = "test", .has_table = has_table, .is_anonymous = is_anonymous
	};
	auto_free(host) struct host *h = NULL;

	memcpy(o.key, "0123456789abcdef", sizeof(o.key));
	if (host_open(root, &h, err) < 0)
		return -EIO;
	return bundle_write(h, &o, b, err);
}

static void file_is(const struct pair *p, const char *path, const char *want)
{
	auto_free(host) struct host *h = NULL;
	auto_fini(ct_buf) struct ct_buf b = { 0 };
	int r;

	if (host_open(p->to.root, &h, NULL) < 0)
		abort();
	r = host_read(h, path, &b);
	if (!want) {
		EQ_INT(r, -ENOENT);
		return;
	}
	if (r < 0)
		TAP_FAIL("%s: %d", path, r);
	else
		EQ_STR(b.p, want);
}

static void make_machine(const struct copy *c)
{
	copy_file(c, "/proc/sys/net/netfilter/nf_conntrack_max", "1000\n");
	(void)chmod(copy_path(c, "/proc/sys/net/netfilter/nf_conntrack_max"), 0444);
	copy_file(c, "/proc/sys/kernel/osrelease", "6.1.0-18-amd64\n");
	copy_file(
		c, "/proc/cmdline",
		"root=/dev/sda1 nf_conntrack.hashsize=9 password=x sysctl.a.token=y sysctl.b=1\n");
	copy_file(c, "/proc/modules",
		  "nf_conntrack 180224 3 nf_nat, Live 0xffffffffc0a5b000\nloop 1 0 - Live 0x1\n");
	copy_file(c, "/etc/sysctl.d/50-ct.conf",
		  "kernel.sysrq = 1\n# nothing\nnet.netfilter.nf_conntrack_max = 9\n"
		  "net.ipv6.conf.all.stable_secret = 2001:db8::1\n");
	copy_file(c, "/etc/sysctl.d/10-empty.conf", "kernel.sysrq = 1\n");
	copy_link(c, "/usr/lib/sysctl.d/60-off.conf", "/dev/null");
	copy_link(c, "/lib", "usr/lib");
	copy_link(c, "/sbin", "usr/sbin");
	copy_link(c, "/usr/sbin/init", "../lib/systemd/systemd");
	copy_file(c, "/etc/udev/rules.d/90-disk.rules", "SUBSYSTEM==\"block\"\n");
	copy_file(c, "/etc/shadow", "root:secret\n");
	copy_file(c, "/etc/rancher/k3s/config.yaml",
		  "token: abc\nkube-proxy-arg:\n- conntrack-max-per-core=0\n");
	copy_file(c, "/proc/77/comm", "kube-proxy\n");
	copy_file(c, "/proc/77/cmdline", "kube-proxy\0--token=abc");
	copy_file(c, "/proc/77/environ", "PASSWORD=x");
	copy_file(c, "/proc/78/comm", "sshd\n");
	copy_file(c, "/sys/module/nf_conntrack/parameters/hashsize", "65536\n");
	copy_file(c, "/sys/module/nf_conntrack/sections/.text", "0xffffffffc0a5b000\n");
	copy_file(c, "/lib/modules/6.1.0-18-amd64/modules.builtin",
		  "kernel/net/a.ko\nkernel/net/netfilter/nf_conntrack.ko\n");
	copy_file(c, "/recorded/commands/iptables-save", "-A INPUT -s 198.51.100.7/32 -j ACCEPT\n");
	copy_file(c, "/recorded/commands/dmesg",
		  "[1.0] usb 1-1: new\n[2.0] nf_conntrack: table full, dropping packet\n");
	copy_file(c, "/recorded/host", "netns=5\nmachine=x86_64\npage_size=4096\nnow=17\n");
	copy_file(c, "/recorded/netns/7/about", "name=blue\npid=9\nowner=x\n");
	copy_file(c, "/recorded/netns/7/proc/sys/net/netfilter/nf_conntrack_count", "3\n");
	copy_file(c, "/recorded/netns/7/commands/iptables-save", "-A OUTPUT -d 10.1.2.3\n");
	copy_file(c, "/recorded/netns/8/about", "is_readable=0\n");
	copy_file(c, "/proc/net/nf_conntrack", "ipv4 2 udp 17 29 src=198.51.100.7 dst=10.1.2.3\n");
}

TEST(what_matters_goes_in_and_the_rest_stays_out)
{
	auto_fini(bundle) struct bundle b = { 0 };
	struct ct_err err = { "" };
	struct host_stat st = { 0 };
	auto_free(host) struct host *h = NULL;
	auto_fini(ct_buf) struct ct_buf link = { 0 };
	struct pair p;

	pair_init(&p);
	make_machine(&p.from);
	EQ_INT(collect(p.from.root, p.to.root, false, true, &b, &err), 0);
	EQ_STR(err.text, "");
	file_is(&p, "/proc/sys/net/netfilter/nf_conntrack_max", "1000\n");
	file_is(&p, "/proc/cmdline", "nf_conntrack.hashsize=9 sysctl.b=1\n");
	file_is(&p, "/proc/modules",
		"nf_conntrack 180224 3 nf_nat, Live 0x0000000000000000\n"
		"loop 1 0 - Live 0x0000000000000000\n");
	/* numbers of lines stay */
	file_is(&p, "/etc/sysctl.d/50-ct.conf", "\n\nnet.netfilter.nf_conntrack_max = 9\n\n");
	/* a file counts by its name even when nothing in it matters */
	file_is(&p, "/etc/sysctl.d/10-empty.conf", "\n");
	file_is(&p, "/etc/udev/rules.d/90-disk.rules", NULL);
	file_is(&p, "/etc/shadow", NULL);
	file_is(&p, "/etc/rancher/k3s/config.yaml", "\n\n- conntrack-max-per-core=0\n");
	file_is(&p, "/proc/77/comm", "kube-proxy");
	file_is(&p, "/proc/77/cmdline", NULL);
	file_is(&p, "/proc/77/environ", NULL);
	file_is(&p, "/proc/78/comm", NULL);
	file_is(&p, "/sys/module/nf_conntrack/parameters/hashsize", "65536\n");
	file_is(&p, "/sys/module/nf_conntrack/sections/.text", NULL);
	file_is(&p, "/lib/modules/6.1.0-18-amd64/modules.builtin",
		"\nkernel/net/netfilter/nf_conntrack.ko\n");
	file_is(&p, "/recorded/commands/dmesg",
		"[2.0] nf_conntrack: table full, dropping packet\n");
	file_is(&p, "/recorded/commands/iptables-save", "-A INPUT -s 198.51.100.7/32 -j ACCEPT\n");
	file_is(&p, "/recorded/netns/7/commands/iptables-save", "-A OUTPUT -d 10.1.2.3\n");
	file_is(&p, "/proc/net/nf_conntrack", "ipv4 2 udp 17 29 src=198.51.100.7 dst=10.1.2.3\n");
	EQ_INT(host_open(p.to.root, &h, NULL), 0);
	EQ_INT(host_stat(h, "/proc/sys/net/netfilter/nf_conntrack_max", &st), 0);
	EQ_INT(st.mode & 0777, 0444);
	EQ_INT(host_readlink(h, "/usr/lib/sysctl.d/60-off.conf", &link), 0);
	EQ_STR(link.p, "/dev/null");
	EQ_INT(host_readlink(h, "/sbin/init", &link), 0);
	EQ_STR(link.p, "../lib/systemd/systemd");
	EQ_INT(b.n_netns, 2);
	EQ_INT(b.n_netns_closed, 1);
	pair_fini(&p);
}

/* A bundle of a bundle tells the same of the machine. */
TEST(a_bundle_is_the_machine)
{
	auto_fini(bundle) struct bundle b = { 0 };
	auto_free(host) struct host *h = NULL, *blue = NULL;
	auto_fini(netns_list) struct netns_list list = { 0 };
	struct ct_err err = { "" };
	char machine[65] = "";
	struct pair p;
	ct_time now = 0;
	int64_t v = 0;

	pair_init(&p);
	make_machine(&p.from);
	EQ_INT(collect(p.from.root, p.to.root, false, true, &b, &err), 0);
	EQ_INT(host_open(p.to.root, &h, NULL), 0);
	EQ_INT(host_machine(h, machine, sizeof(machine)), 0);
	EQ_STR(machine, "x86_64");
	EQ_INT(host_now(h, &now), 0);
	EQ_INT(now, 17 * CT_NS_PER_S);
	EQ_INT(netns_list(h, &list, &err), 0);
	EQ_INT(list.n, 3);
	OK(list.at[0].is_own && list.at[0].inode == 5);
	EQ_STR(list.at[1].name, "blue");
	OK(list.at[1].is_readable && !list.at[2].is_readable);
	EQ_INT(host_in_netns(h, &list.at[1], &blue, &err), 0);
	EQ_INT(host_read_i64(blue, "/proc/sys/net/netfilter/nf_conntrack_count", &v), 0);
	EQ_INT(v, 3);
	pair_fini(&p);
}

/* No byte of the addresses is left in any file. */
static int n_found;
static int look_for_addresses(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	char text[65536];
	ssize_t n;
	int fd;

	(void)ftw;
	if (type != FTW_F || st->st_size == 0)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = read(fd, text, sizeof(text));
	(void)close(fd);
	if (n > 0 &&
	    (memmem(text, (size_t)n, "198.51.100", 10) || memmem(text, (size_t)n, "10.1.2.3", 8))) {
		TAP_FAIL("an address is left in %s", path);
		n_found++;
	}
	return 0;
}

TEST(anonymous_bundles_hold_no_address)
{
	auto_fini(bundle) struct bundle b = { 0 };
	struct ct_err err = { "" };
	struct pair p;

	pair_init(&p);
	make_machine(&p.from);
	EQ_INT(collect(p.from.root, p.to.root, true, true, &b, &err), 0);
	EQ_INT(nftw(p.to.root, look_for_addresses, 16, FTW_PHYS), 0);
	EQ_INT(n_found, 0);
	pair_fini(&p);
}

TEST(the_table_can_be_left_out)
{
	auto_fini(bundle) struct bundle b = { 0 };
	struct ct_err err = { "" };
	struct pair p;

	pair_init(&p);
	make_machine(&p.from);
	copy_file(&p.from, "/proc/net/tcp", "x\n");
	EQ_INT(collect(p.from.root, p.to.root, false, false, &b, &err), 0);
	file_is(&p, "/proc/net/nf_conntrack", NULL);
	file_is(&p, "/proc/net/tcp", NULL);
	file_is(&p, "/recorded/commands/iptables-save", "-A INPUT -s 198.51.100.7/32 -j ACCEPT\n");
	pair_fini(&p);
}

TEST(only_an_empty_folder_is_written_into)
{
	auto_fini(bundle) struct bundle b = { 0 };
	struct ct_err err = { "" };
	struct pair p;

	pair_init(&p);
	make_machine(&p.from);
	(void)mkdir(p.to.root, 0700);
	copy_file(&p.to, "/mine", "precious\n");
	EQ_INT(collect(p.from.root, p.to.root, false, true, &b, &err), -ENOTEMPTY);
	OK(strstr(err.text, "is not empty"));
	file_is(&p, "/mine", "precious\n");
	EQ_INT(collect(p.from.root, "/proc/version", false, true, &b, &err), -ENOTDIR);
	EQ_INT(collect(p.from.root, "/proc/nowhere/x", false, true, &b, &err), -ENOENT);
	pair_fini(&p);
}

/* A machine that lies: links and names that would lead a careless writer out of its folder. */
TEST(a_hostile_machine_cannot_write_elsewhere)
{
	auto_fini(bundle) struct bundle b = { 0 };
	struct ct_err err = { "" };
	struct copy outside;
	char path[128];
	struct pair p;

	pair_init(&p);
	copy_init(&outside);
	copy_file(&p.from, "/usr/lib/sysctl.d/a.conf", "net.core.x=1\n");
	copy_link(&p.from, "/lib", outside.root);
	copy_link(&p.from, "/sbin", "../../../../../../tmp");
	copy_link(&p.from, "/etc/systemd/system/multi-user.target.wants/x.service", "/etc/passwd");
	(void)snprintf(path, sizeof(path), "%s/sysctl.d/b.conf", outside.root);
	copy_file(&p.from, path, "net.core.y=1\n");
	if (mkfifo(copy_path(&p.from, "/etc/sysctl.d/fifo.conf"), 0644) < 0)
		abort();
	EQ_INT(collect(p.from.root, p.to.root, false, true, &b, &err), 0);
	file_is(&p, "/usr/lib/sysctl.d/a.conf", "net.core.x=1\n");
	file_is(&p, "/etc/sysctl.d/fifo.conf", NULL);
	OK(access(copy_path(&outside, "/sysctl.d/b.conf"), F_OK) < 0);
	copy_fini(&outside);
	pair_fini(&p);
}

/* A full disk, played by a limit on the size of files. */
TEST(what_cannot_be_finished_is_removed)
{
	auto_fini(bundle) struct bundle b = { 0 };
	struct rlimit old, small;
	struct ct_err err = { "" };
	struct pair p;
	char line[200];
	int r;

	pair_init(&p);
	make_machine(&p.from);
	memset(line, 'x', sizeof(line));
	copy_bytes(&p.from, "/proc/meminfo", line, sizeof(line));
	if (getrlimit(RLIMIT_FSIZE, &old) < 0)
		abort();
	small = old;
	small.rlim_cur = 150;
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)setrlimit(RLIMIT_FSIZE, &small);
	r = collect(p.from.root, p.to.root, false, true, &b, &err);
	(void)setrlimit(RLIMIT_FSIZE, &old);
	EQ_INT(r, -EFBIG);
	OK(strstr(err.text, " is not made: File too large"));
	OK(access(p.to.root, F_OK) < 0);
	pair_fini(&p);
}

TAP_MAIN(&tap_what_matters_goes_in_and_the_rest_stays_out, &tap_a_bundle_is_the_machine,
	 &tap_anonymous_bundles_hold_no_address, &tap_the_table_can_be_left_out,
	 &tap_only_an_empty_folder_is_written_into, &tap_a_hostile_machine_cannot_write_elsewhere,
	 &tap_what_cannot_be_finished_is_removed)
