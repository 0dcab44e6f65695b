/* SPDX-License-Identifier: BSD-2-Clause
 *
 * boot: what becomes of a line in a file, on the init systems and kernels that are in use.
 */
#include "ops/settings/boot.h"

#include <errno.h>

#include "../host/copy.h"
#include "tap.h"

#define MODULES "/lib/modules/6.1.0-18-amd64/"

/* A Debian 12 with the tracker as a module, and one line that raises the limit. */
static void debian_12(struct copy *c)
{
	copy_init(c);
	copy_file(c, "/proc/sys/kernel/osrelease", "6.1.0-18-amd64\n");
	copy_file(c, "/proc/meminfo", "MemTotal:       16384000 kB\n");
	copy_file(c, "/proc/cmdline", "root=/dev/vda1 ro quiet\n");
	copy_file(c, "/run/systemd/system/x", "");
	copy_file(c, MODULES "modules.builtin", "kernel/fs/ext4/ext4.ko\n");
	copy_file(c, "/etc/sysctl.d/50-ct.conf",
		  "# raised\nnet.netfilter.nf_conntrack_max = 1048576\n");
}

/* Reads the boot of the copy; the copy goes away. */
static struct boot *boot_of(struct copy *c)
{
	auto_free(host) struct host *h = NULL;
	struct ct_err err = { "" };
	struct boot *b = NULL;

	EQ_INT(host_open(c->root, &h, NULL), 0);
	EQ_INT(boot_read(h, &b, &err), 0);
	EQ_STR(err.text, "");
	copy_fini(c);
	return b;
}

/* The deciding assignment of the limit: its fate and the sentence. */
static void expect(const struct boot *b, const char *name, const char *fate, const char *why)
{
	const struct boot_assignment *a = boot_decides(b, settings_find(name));

	EQ_STR(a ? setting_fate_name(a->fate) : "(none)", fate);
	EQ_STR(a ? a->why : "(none)", why);
}

TEST(systemd_loses_what_a_late_firewall_needs)
{
	auto_free(boot) struct boot *b = NULL;
	struct copy c;

	debian_12(&c);
	copy_file(&c, "/etc/nftables.conf", "table inet f { chain i { ct state new accept } }\n");
	copy_link(&c, "/etc/systemd/system/sysinit.target.wants/nftables.service",
		  "/lib/systemd/system/nftables.service");
	b = boot_of(&c);
	EQ_STR(boot_init_name(b->init), "systemd");
	EQ_INT(b->kind, BOOT_MODULE);
	expect(b, "nf_conntrack_max", "lost",
	       "systemd-sysctl runs before nf_conntrack is loaded (nftables.service loads it "
	       "later, with defaults), and nothing applies the file again");
	EQ_STR(b->at[0].origin, "/etc/sysctl.d/50-ct.conf:2");
	EQ_INT(b->after_max, 262144);
	EQ_INT(b->after_buckets, 262144);
}

TEST(systemd_holds_with_modules_load)
{
	auto_free(boot) struct boot *b = NULL;
	struct copy c;

	debian_12(&c);
	copy_file(&c, "/etc/modules-load.d/ct.conf", "# early\nnf_conntrack\n");
	copy_file(&c, "/etc/modprobe.d/ct.conf",
		  "options nf_conntrack \\\n  acct=1 hashsize=100000\n");
	b = boot_of(&c);
	expect(b, "nf_conntrack_max", "applied",
	       "/etc/modules-load.d/ct.conf:2 loads nf_conntrack before systemd-sysctl runs");
	expect(b, "hashsize", "applied", "nf_conntrack reads it when it is loaded");
	expect(b, "acct", "applied", "nf_conntrack reads it when it is loaded");
	EQ_STR(boot_decides(b, settings_find("hashsize"))->origin, "/etc/modprobe.d/ct.conf:1");
	EQ_INT(b->after_max, 1048576);
	EQ_INT(b->after_buckets, 100352);
}

TEST(hashsize_alone_makes_eight_times_the_limit)
{
	auto_free(boot) struct boot *b = NULL;
	struct copy c;

	debian_12(&c);
	copy_file(&c, "/etc/modprobe.d/ct.conf", "options nf_conntrack hashsize=131072\n");
	b = boot_of(&c);
	EQ_INT(b->after_max, 1048576);
	EQ_STR(b->after_max_why, "8 x hashsize, from /etc/modprobe.d/ct.conf:1");
	expect(b, "nf_conntrack_max", "lost",
	       "nothing loads nf_conntrack before systemd-sysctl runs, so the variable does not "
	       "exist then");
}

TEST(a_mask_takes_the_early_load_away)
{
	auto_free(boot) struct boot *b = NULL;
	struct copy c;

	debian_12(&c);
	copy_file(&c, "/usr/lib/modules-load.d/ct.conf", "nf_conntrack\n");
	copy_link(&c, "/etc/modules-load.d/ct.conf", "/dev/null");
	b = boot_of(&c);
	expect(b, "nf_conntrack_max", "lost",
	       "nothing loads nf_conntrack before systemd-sysctl runs, so the variable does not "
	       "exist then");
	EQ_INT(b->n_remarks, 1);
}

TEST(a_blacklist_stops_modules_load)
{
	auto_free(boot) struct boot *b = NULL;
	struct copy c;

	debian_12(&c);
	copy_file(&c, "/etc/modules-load.d/ct.conf", "nf_conntrack\n");
	copy_file(&c, "/etc/modprobe.d/no.conf", "blacklist nf-conntrack\n");
	b = boot_of(&c);
	EQ_STR(b->blocked_by, "/etc/modprobe.d/no.conf:1");
	EQ_STR(setting_fate_name(boot_decides(b, settings_find("nf_conntrack_max"))->fate), "lost");
}

TEST(an_install_line_forbids_it)
{
	auto_free(boot) struct boot *b = NULL;
	struct copy c;

	debian_12(&c);
	copy_file(&c, "/etc/modules-load.d/ct.conf", "nf_conntrack\n");
	copy_file(&c, "/etc/modprobe.d/no.conf", "install nf_conntrack /bin/false\n");
	b = boot_of(&c);
	expect(b, "nf_conntrack_max", "lost",
	       "/etc/modprobe.d/no.conf:1 keeps nf_conntrack from being loaded");
}

TEST(an_install_line_may_set_it)
{
	auto_free(boot) struct boot *b = NULL;
	struct copy c;

	debian_12(&c);
	copy_file(&c, "/etc/modprobe.d/ct.conf",
		  "install nf_conntrack /sbin/modprobe --ignore-install nf_conntrack; "
		  "/sbin/sysctl -q -w net.netfilter.nf_conntrack_max=500000\n");
	b = boot_of(&c);
	EQ_INT(b->after_max, 500000);
	EQ_STR(b->after_max_why, "/etc/modprobe.d/ct.conf:1");
}

TEST(a_udev_rule_applies_again)
{
	auto_free(boot) struct boot *b = NULL;
	struct copy c;

	debian_12(&c);
	copy_file(&c, "/etc/sysctl.d/60-more.conf",
		  "net.netfilter.nf_conntrack_tcp_timeout_established = 3600\n");
	copy_file(&c, "/etc/udev/rules.d/91-conntrack.rules",
		  "ACTION==\"add\", SUBSYSTEM==\"module\", KERNEL==\"nf_conntrack\", \\\n"
		  " RUN+=\"/usr/lib/systemd/systemd-sysctl "
		  "--prefix=/net/netfilter/nf_conntrack_max\"\n");
	b = boot_of(&c);
	expect(b, "nf_conntrack_max", "applied",
	       "/etc/udev/rules.d/91-conntrack.rules:1 applies the files again once nf_conntrack "
	       "is loaded");
	expect(b, "nf_conntrack_tcp_timeout_established", "lost",
	       "nothing loads nf_conntrack before systemd-sysctl runs, so the variable does not "
	       "exist then");
}

TEST(built_in_holds_and_modprobe_does_not)
{
	auto_free(boot) struct boot *b = NULL;
	struct copy c;

	debian_12(&c);
	copy_file(&c, MODULES "modules.builtin", "kernel/net/netfilter/nf_conntrack.ko\n");
	copy_file(&c, "/proc/cmdline",
		  "ro nf_conntrack.hashsize=65536 sysctl.net.netfilter.nf_conntrack_acct=1\n");
	copy_file(&c, "/etc/modprobe.d/ct.conf", "options nf_conntrack hashsize=131072\n");
	b = boot_of(&c);
	EQ_INT(b->kind, BOOT_BUILT_IN);
	expect(b, "nf_conntrack_max", "applied",
	       "nf_conntrack is built into the kernel, so the variable exists when "
	       "systemd-sysctl runs");
	expect(b, "nf_conntrack_acct", "applied",
	       "nf_conntrack is built into the kernel, so the variable exists when the command "
	       "line runs");
	EQ_INT(b->after_buckets, 65536);
	EQ_INT(b->after_max, 1048576);
}

TEST(old_names_are_lost_on_new_kernels)
{
	auto_free(boot) struct boot *b = NULL;
	struct copy c;

	debian_12(&c);
	copy_file(&c, "/etc/modules-load.d/ct.conf", "nf_conntrack\n");
	copy_file(&c, "/etc/sysctl.d/50-ct.conf",
		  "net.ipv4.ip_conntrack_max = 1048576\n"
		  "net.netfilter.nf_conntrack_count = 5\n"
		  "net.netfilter.nf_conntrack_acct = yes\n");
	b = boot_of(&c);
	expect(b, "nf_conntrack_max", "lost",
	       "the name net.ipv4.ip_conntrack_max is gone since Linux 4.9; today it is "
	       "net.netfilter.nf_conntrack_max");
	expect(b, "nf_conntrack_count", "lost",
	       "the kernel refuses it: net.netfilter.nf_conntrack_count is read-only");
	expect(b, "nf_conntrack_acct", "lost", "'yes' is not a number");
	EQ_INT(b->after_max, 262144);
}

TEST(later_files_win_and_say_so)
{
	auto_free(boot) struct boot *b = NULL;
	struct copy c;

	debian_12(&c);
	copy_file(&c, "/etc/modules-load.d/ct.conf", "nf_conntrack\n");
	copy_file(&c, "/usr/lib/sysctl.d/99-vendor.conf", "net.nf_conntrack_max = 131072\n");
	b = boot_of(&c);
	EQ_STR(setting_fate_name(b->at[0].fate), "overridden");
	EQ_STR(b->at[0].why, "/usr/lib/sysctl.d/99-vendor.conf:1 sets it to 131072 later");
	EQ_INT(b->after_max, 131072);
}

TEST(sysctl_conf_is_not_read_by_systemd)
{
	auto_free(boot) struct boot *b = NULL;
	struct copy c;

	debian_12(&c);
	copy_file(&c, "/etc/modules-load.d/ct.conf", "nf_conntrack\n");
	copy_file(&c, "/etc/sysctl.d/50-ct.conf", "");
	copy_file(&c, "/etc/sysctl.conf", "net.netfilter.nf_conntrack_max = 1\n");
	b = boot_of(&c);
	expect(b, "nf_conntrack_max", "lost",
	       "systemd-sysctl does not read /etc/sysctl.conf (there is no link to it in "
	       "/etc/sysctl.d)");
}

TEST(red_hat_6_works_by_luck)
{
	auto_free(boot) struct boot *b = NULL;
	struct copy c;

	copy_init(&c);
	copy_file(&c, "/proc/sys/kernel/osrelease", "2.6.32-754.el6.x86_64\n");
	copy_file(&c, "/proc/meminfo", "MemTotal:       65536000 kB\n");
	copy_file(&c, "/etc/rc.d/rc.sysinit", "sysctl -e -p /etc/sysctl.conf\n");
	copy_file(&c, "/etc/init/rcS.conf", "");
	copy_file(&c, "/lib/modules/2.6.32-754.el6.x86_64/modules.builtin", "x\n");
	copy_file(&c, "/etc/sysctl.conf", "net.netfilter.nf_conntrack_max = 1048576\n");
	copy_file(&c, "/etc/sysconfig/iptables-config",
		  "IPTABLES_MODULES=\"ip_conntrack_netbios_ns\"\n"
		  "IPTABLES_MODULES_UNLOAD=\"yes\"\n");
	copy_link(&c, "/etc/rc.d/rc3.d/S08iptables", "../init.d/iptables");
	copy_file(&c, "/etc/rc.d/init.d/iptables", "");
	b = boot_of(&c);
	EQ_STR(boot_init_name(b->init), "SysV (Red Hat)");
	expect(b, "nf_conntrack_max", "applied",
	       "/etc/init.d/network applies the files again once nf_conntrack is loaded");
	EQ_INT(b->after_max, 1048576);
	EQ_INT(b->after_buckets, 16384);
	EQ_INT(b->n_remarks, 1);
}

TEST(red_hat_6_loses_without_iptables)
{
	auto_free(boot) struct boot *b = NULL;
	struct copy c;

	copy_init(&c);
	copy_file(&c, "/proc/sys/kernel/osrelease", "2.6.32-754.el6.x86_64\n");
	copy_file(&c, "/etc/rc.d/rc.sysinit", "");
	copy_file(&c, "/proc/modules", "nf_conntrack 79206 3 - Live 0x0\n");
	copy_file(&c, "/etc/sysctl.conf", "net.netfilter.nf_conntrack_max = 1048576\n");
	b = boot_of(&c);
	expect(b, "nf_conntrack_max", "lost",
	       "nothing is known to load nf_conntrack before sysctl -p runs; it is loaded now by "
	       "something that came later");
	OK(!b->is_after_max_known); /* the memory is not told */
}

TEST(debian_sysv_takes_etc_modules)
{
	auto_free(boot) struct boot *b = NULL;
	struct copy c;

	copy_init(&c);
	copy_file(&c, "/proc/sys/kernel/osrelease", "3.2.0-4-amd64\n");
	copy_file(&c, "/etc/rcS.d/S10procps", "");
	copy_file(&c, "/lib/modules/3.2.0-4-amd64/modules.builtin", "x\n");
	copy_file(&c, "/etc/modules", "loop\nnf_conntrack\n");
	copy_file(&c, "/etc/sysctl.conf",
		  "net.ipv4.netfilter.ip_conntrack_max = 262144\n"
		  "net.netfilter.nf_conntrack_tcp_timeout_established = 3600\n");
	b = boot_of(&c);
	EQ_STR(boot_init_name(b->init), "SysV (Debian)");
	expect(b, "nf_conntrack_max", "applied",
	       "/etc/modules:2 loads nf_conntrack before sysctl --system runs");
	/* the trackers came with nf_conntrack_ipv4 then */
	expect(b, "nf_conntrack_tcp_timeout_established", "lost",
	       "nothing loads nf_conntrack_ipv4 before sysctl --system runs, so the variable does "
	       "not exist then");
}

TEST(openrc_and_openwrt_load_first)
{
	auto_free(boot) struct boot *b = NULL, *o = NULL;
	struct copy c;

	copy_init(&c);
	copy_file(&c, "/sbin/openrc", "");
	copy_file(&c, "/proc/sys/kernel/osrelease", "6.6.30-0-lts\n");
	copy_file(&c, "/proc/modules", "ext4 1 1 - Live 0x0\n");
	copy_file(&c, "/etc/conf.d/modules", "# modules=\"x\"\nmodules=\"tun nf_conntrack\"\n");
	copy_file(&c, "/etc/sysctl.d/ct.conf", "net.netfilter.nf_conntrack_max=262144\n");
	b = boot_of(&c);
	EQ_STR(boot_init_name(b->init), "OpenRC");
	expect(b, "nf_conntrack_max", "applied",
	       "/etc/conf.d/modules:2 loads nf_conntrack before sysctl --system runs");
	copy_init(&c);
	copy_file(&c, "/etc/openwrt_release", "DISTRIB_ID='OpenWrt'\n");
	copy_file(&c, "/proc/sys/kernel/osrelease", "5.15.150\n");
	copy_file(&c, "/etc/modules.d/nf-conntrack", "nf_conntrack\n");
	copy_file(&c, "/proc/modules", "nf_conntrack 79206 3 - Live 0x0\n");
	copy_file(&c, "/etc/sysctl.d/11-nf-conntrack.conf",
		  "net.netfilter.nf_conntrack_max=16384\n");
	o = boot_of(&c);
	EQ_STR(boot_init_name(o->init), "OpenWrt");
	expect(o, "nf_conntrack_max", "applied",
	       "/etc/modules.d/nf-conntrack:1 loads nf_conntrack before /etc/init.d/sysctl runs");
}

TEST(upstart_helps_perhaps)
{
	auto_free(boot) struct boot *b = NULL;
	struct copy c;

	copy_init(&c);
	copy_file(&c, "/etc/init/procps.conf", "start on virtual-filesystems\n");
	copy_file(&c, "/proc/sys/kernel/osrelease", "3.13.0-170-generic\n");
	copy_file(&c, "/lib/modules/3.13.0-170-generic/modules.builtin", "x\n");
	copy_file(&c, "/etc/rc2.d/S20iptables-persistent", "");
	copy_file(&c, "/etc/sysctl.conf", "net.netfilter.nf_conntrack_max=262144\n");
	b = boot_of(&c);
	EQ_STR(boot_init_name(b->init), "upstart");
	expect(b, "nf_conntrack_max", "unsure",
	       "the procps job runs again when networks are up; that helps only if "
	       "iptables-persistent in /etc/rc2.d has loaded nf_conntrack by then");
}

TEST(scripts_write_last)
{
	auto_free(boot) struct boot *b = NULL;
	struct copy c;

	debian_12(&c);
	copy_file(&c, "/etc/rc.local",
		  "#!/bin/sh\n"
		  "echo 200000 > /sys/module/nf_conntrack/parameters/hashsize\n"
		  "sysctl -w net.netfilter.nf_conntrack_max=800000\n"
		  "exit 0\n");
	(void)chmod(copy_path(&c, "/etc/rc.local"), 0755);
	b = boot_of(&c);
	EQ_INT(b->after_max, 800000);
	EQ_INT(b->after_buckets, 200192);
	expect(b, "nf_conntrack_max", "applied", "/etc/rc.local:3 sets it late in boot");
	debian_12(&c);
	copy_file(&c, "/etc/rc.local", "sysctl -w net.netfilter.nf_conntrack_max=800000\n");
	boot_free(b);
	b = boot_of(&c); /* not executable */
	EQ_INT(b->after_max, 262144);
	EQ_INT(b->n_remarks, 1);
}

TEST(services_write_too)
{
	auto_free(boot) struct boot *b = NULL;
	struct copy c;

	debian_12(&c);
	copy_file(&c, "/etc/modules-load.d/ct.conf", "nf_conntrack\n");
	copy_link(&c, "/etc/systemd/system/multi-user.target.wants/ufw.service", "/x");
	copy_file(&c, "/etc/ufw/sysctl.conf", "net/netfilter/nf_conntrack_max=300000\n");
	copy_link(&c, "/etc/systemd/system/multi-user.target.wants/tuned.service", "/x");
	copy_file(&c, "/etc/tuned/active_profile", "network-latency\n");
	copy_file(&c, "/usr/lib/tuned/network-latency/tuned.conf",
		  "[main]\ninclude=latency\n[sysctl]\n"
		  "net.netfilter.nf_conntrack_udp_timeout = 10\n");
	b = boot_of(&c);
	EQ_INT(b->after_max, 300000);
	EQ_STR(b->after_max_why, "/etc/ufw/sysctl.conf:1");
	EQ_STR(b->at[0].why, "/etc/ufw/sysctl.conf:1 sets it to 300000 later");
	EQ_STR(boot_decides(b, settings_find("nf_conntrack_udp_timeout"))->origin,
	       "/usr/lib/tuned/network-latency/tuned.conf:4");
}

TEST(tmpfiles_need_the_file)
{
	auto_free(boot) struct boot *b = NULL, *built_in = NULL;
	struct copy c;

	for (int i = 0; i < 2; i++) {
		debian_12(&c);
		copy_file(&c, "/etc/tmpfiles.d/ct.conf",
			  "# type path\n"
			  "w /sys/module/nf_conntrack/parameters/hashsize - - - - 500000\n");
		if (i == 0) {
			b = boot_of(&c);
			continue;
		}
		copy_file(&c, MODULES "modules.builtin", "kernel/net/netfilter/nf_conntrack.ko\n");
		built_in = boot_of(&c);
	}
	expect(b, "hashsize", "lost",
	       "systemd-tmpfiles runs before anything is known to load nf_conntrack");
	EQ_INT(built_in->after_buckets, 500224);
	EQ_INT(built_in->after_max, 1048576);
}

TEST(what_holds_now_is_not_called_lost)
{
	auto_free(boot) struct boot *b = NULL;
	struct copy c;

	debian_12(&c);
	copy_file(&c, "/proc/modules", "nf_conntrack 79206 3 - Live 0x0\n");
	copy_file(&c, "/proc/sys/net/netfilter/nf_conntrack_max", "1048576\n");
	b = boot_of(&c);
	expect(b, "nf_conntrack_max", "unsure",
	       "nothing is known to load nf_conntrack before systemd-sysctl runs, yet the value "
	       "holds now: set by hand since, or by something not known");
	OK(!b->is_after_max_known && b->is_after_buckets_known);
}

TEST(an_empty_tree_is_unknown)
{
	auto_free(boot) struct boot *b = NULL;
	struct copy c;

	copy_init(&c);
	b = boot_of(&c);
	EQ_INT(b->init, BOOT_UNKNOWN_INIT);
	EQ_INT(b->kind, BOOT_KIND_UNKNOWN);
	EQ_INT(b->n, 0);
	OK(!b->is_loaded_known && !b->is_after_max_known);
}

TAP_MAIN(&tap_systemd_loses_what_a_late_firewall_needs, &tap_systemd_holds_with_modules_load,
	 &tap_hashsize_alone_makes_eight_times_the_limit, &tap_a_mask_takes_the_early_load_away,
	 &tap_a_blacklist_stops_modules_load, &tap_an_install_line_forbids_it,
	 &tap_an_install_line_may_set_it, &tap_a_udev_rule_applies_again,
	 &tap_built_in_holds_and_modprobe_does_not, &tap_old_names_are_lost_on_new_kernels,
	 &tap_later_files_win_and_say_so, &tap_sysctl_conf_is_not_read_by_systemd,
	 &tap_red_hat_6_works_by_luck, &tap_red_hat_6_loses_without_iptables,
	 &tap_debian_sysv_takes_etc_modules, &tap_openrc_and_openwrt_load_first,
	 &tap_upstart_helps_perhaps, &tap_scripts_write_last, &tap_services_write_too,
	 &tap_tmpfiles_need_the_file, &tap_what_holds_now_is_not_called_lost,
	 &tap_an_empty_tree_is_unknown)
