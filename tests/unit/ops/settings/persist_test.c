/* SPDX-License-Identifier: BSD-2-Clause
 *
 * persist: the lines it tells, put into the machine's files, hold at the next boot.
 */
#include "ops/settings/persist.h"

#include "../host/copy.h"
#include "tap.h"

#define MAX	1000000
#define BUCKETS 1000448

static const struct {
	const char *mark, *release;
	bool is_built_in;
} machines[] = {
	{ "/run/systemd/system/x", "6.1.0-18-amd64", false },
	{ "/run/systemd/system/x", "6.1.0-18-amd64", true },
	{ "/run/systemd/system/x", "4.4.0", true },
	{ "/etc/rcS.d/S10procps", "3.2.0-4-amd64", false },
	{ "/etc/rc.d/rc.sysinit", "2.6.32-754.el6.x86_64", false },
	{ "/etc/rc.d/rc.sysinit", "2.6.18-238.el5", false },
	{ "/etc/init/procps.conf", "3.13.0-170-generic", false },
	{ "/sbin/openrc", "6.6.30-0-lts", false },
	{ "/etc/openwrt_release", "5.15.150", true },
};

static void machine(struct copy *c, size_t i)
{
	char path[128];

	copy_init(c);
	copy_file(c, machines[i].mark, "");
	copy_file(c, "/proc/sys/kernel/osrelease", machines[i].release);
	copy_file(c, "/proc/meminfo", "MemTotal: 16384000 kB\n");
	(void)snprintf(path, sizeof(path), "/lib/modules/%s/modules.builtin", machines[i].release);
	copy_file(c, path,
		  machines[i].is_built_in ? "kernel/net/netfilter/nf_conntrack.ko\n" : "x\n");
}

static struct boot *look(const struct copy *c)
{
	auto_free(host) struct host *h = NULL;
	struct boot *b = NULL;

	EQ_INT(host_open(c->root, &h, NULL), 0);
	EQ_INT(boot_read(h, &b, NULL), 0);
	return b;
}

static void append(const struct copy *c, const char *path, const char *line)
{
	FILE *f = fopen(copy_path(c, path), "a");

	if (!f)
		abort();
	(void)fprintf(f, "%s\n", line);
	(void)fclose(f);
}

TEST(what_it_tells_holds)
{
	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
		struct persist_line lines[PERSIST_MAX_LINES];
		auto_fini(copy) struct copy c;
		auto_free(boot) struct boot *before = NULL, *after = NULL;
		size_t n;

		machine(&c, i);
		before = look(&c);
		n = persist_lines(before, MAX, BUCKETS, lines);
		OK(before->after_max != MAX && n >= 2);
		for (size_t k = 0; k < n; k++) {
			char file[64];

			(void)snprintf(file, sizeof(file), "%.63s",
				       *lines[k].file == '/' ? lines[k].file : "/proc/cmdline");
			append(&c, file, lines[k].line);
		}
		after = look(&c);
		if (after->after_max != MAX || after->after_buckets < BUCKETS - 448 ||
		    after->after_buckets > BUCKETS)
			TAP_FAIL("%s on %s: %llu max, %llu buckets", machines[i].release,
				 boot_init_name(after->init), (unsigned long long)after->after_max,
				 (unsigned long long)after->after_buckets);
		for (size_t k = 0; k < after->n; k++)
			EQ_STR(setting_fate_name(after->at[k].fate), "applied");
	}
}

TEST(commands_name_the_running_generation)
{
	struct boot b = { .release = RELEASE(2, 6, 18) };
	char out[2][128];

	EQ_INT(persist_now(&b, 5, 7, out), 2);
	EQ_STR(out[0], "echo 7 > /sys/module/ip_conntrack/parameters/hashsize");
	EQ_STR(out[1], "sysctl -w net.ipv4.netfilter.ip_conntrack_max=5");
}

TAP_MAIN(&tap_what_it_tells_holds, &tap_commands_name_the_running_generation)
