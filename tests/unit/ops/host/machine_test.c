/* SPDX-License-Identifier: BSD-2-Clause */
#include "ops/host/host.h"

#include <errno.h>
#include <sys/utsname.h>

#include "copy.h"
#include "tap.h"

static struct host *open_copy(const struct copy *c)
{
	struct ct_err err = { "" };
	struct host *h = NULL;

	if (host_open(c->root, &h, &err) < 0)
		TAP_FAIL("%s", err.text);
	return h;
}

TEST(an_empty_copy_knows_nothing)
{
	auto_free(host) struct host *h = NULL;
	struct copy c;
	char word[65] = "untouched";
	uint64_t bytes;
	uint32_t n;
	unsigned u;
	ct_time t;

	copy_init(&c);
	h = open_copy(&c);
	EQ_INT(host_release(h, word, sizeof(word)), -ENOENT);
	EQ_INT(host_machine(h, word, sizeof(word)), -ENOENT);
	EQ_STR(word, "untouched");
	EQ_INT(host_release_number(h, &n), -ENOENT);
	EQ_INT(host_word_bits(h, &u), -ENOENT);
	EQ_INT(host_page_size(h, &n), -ENOENT);
	EQ_INT(host_n_cpus(h, &u), -ENOENT);
	EQ_INT(host_mem_bytes(h, &bytes), -ENOENT);
	EQ_INT(host_now(h, &t), -ENOENT);
	OK(host_is_root(h));
	copy_fini(&c);
}

TEST(recorded_host_tells)
{
	auto_free(host) struct host *h = NULL;
	struct copy c;
	char word[65];
	uint64_t bytes = 0;
	uint32_t n = 0;
	unsigned u = 0;
	ct_time t = 0;

	copy_init(&c);
	copy_file(&c, "/recorded/host",
		  "# made by hand\nrelease=4.19.0-27-amd64\nmachine=x86_64\npage_size=4096\n"
		  "cpus=12\nmem_bytes=1073741824\nnow=1700000000.25");
	h = open_copy(&c);
	EQ_INT(host_release(h, word, sizeof(word)), 0);
	EQ_STR(word, "4.19.0-27-amd64");
	EQ_INT(host_release_number(h, &n), 0);
	EQ_INT(n, 4019000);
	EQ_INT(host_machine(h, word, sizeof(word)), 0);
	EQ_STR(word, "x86_64");
	EQ_INT(host_word_bits(h, &u), 0);
	EQ_INT(u, 64);
	EQ_INT(host_page_size(h, &n), 0);
	EQ_INT(n, 4096);
	EQ_INT(host_n_cpus(h, &u), 0);
	EQ_INT(u, 12);
	EQ_INT(host_mem_bytes(h, &bytes), 0);
	EQ_INT(bytes, 1073741824);
	EQ_INT(host_now(h, &t), 0);
	EQ_INT(t, 1700000000250000000);
	EQ_INT(host_release(h, word, 4), -ENAMETOOLONG);
	copy_fini(&c);
}

TEST(a_plain_copy_of_proc_tells)
{
	auto_free(host) struct host *h = NULL;
	struct copy c;
	uint64_t bytes = 0;
	uint32_t n = 0;
	unsigned u = 0;

	copy_init(&c);
	copy_file(&c, "/proc/version", "Linux version 2.6.32-754.el6.x86_64 (builder) #1 SMP\n");
	copy_file(&c, "/proc/cpuinfo",
		  "processor\t: 0\nflags\t: x\n\nprocessor\t: 1\nflags\t: x\n");
	copy_file(&c, "/proc/meminfo", "MemTotal:        2048 kB\nMemFree: 1 kB\n");
	h = open_copy(&c);
	EQ_INT(host_release_number(h, &n), 0);
	EQ_INT(n, 2006032);
	EQ_INT(host_n_cpus(h, &u), 0);
	EQ_INT(u, 2);
	EQ_INT(host_mem_bytes(h, &bytes), 0);
	EQ_INT(bytes, 2048 * 1024);
	copy_fini(&c);
}

static unsigned cpus_of(const char *list)
{
	auto_free(host) struct host *h = NULL;
	struct copy c;
	unsigned u = 0;

	copy_init(&c);
	copy_file(&c, "/sys/devices/system/cpu/possible", list);
	h = open_copy(&c);
	(void)host_n_cpus(h, &u);
	copy_fini(&c);
	return u;
}

TEST(lists_of_processors)
{
	EQ_INT(cpus_of("0\n"), 1);
	EQ_INT(cpus_of("0-127\n"), 128);
	EQ_INT(cpus_of("0-3,8-11,15"), 9);
	EQ_INT(cpus_of(""), 0);
	EQ_INT(cpus_of("3-0\n"), 0);
	EQ_INT(cpus_of("0-3,2\n"), 0);
	EQ_INT(cpus_of("0-999999999\n"), 0);
	EQ_INT(cpus_of("0-\n"), 0);
	EQ_INT(cpus_of("0x4\n"), 0);
}

static long release_of(const char *release)
{
	auto_free(host) struct host *h = NULL;
	struct copy c;
	uint32_t n = 0;
	int r;

	copy_init(&c);
	copy_file(&c, "/proc/sys/kernel/osrelease", release);
	h = open_copy(&c);
	r = host_release_number(h, &n);
	copy_fini(&c);
	return r < 0 ? r : (long)n;
}

TEST(release_numbers)
{
	EQ_INT(release_of("6.1.20\n"), 6001020);
	EQ_INT(release_of("6.18.0-rc3+\n"), 6018000);
	EQ_INT(release_of("6.1-rc3\n"), 6001000);
	EQ_INT(release_of("6\n"), 6000000);
	EQ_INT(release_of("4.9.337\n"), 4009337);
	EQ_INT(release_of("4.9.100000\n"), 4009999); /* never runs over into 4.10 */
	EQ_INT(release_of("six\n"), -EINVAL);
	EQ_INT(release_of("6.x\n"), -EINVAL);
	EQ_INT(release_of(".1\n"), -EINVAL);
}

TEST(foreign_words_are_not_printed_raw)
{
	auto_free(host) struct host *h = NULL;
	struct copy c;
	char word[65];
	uint32_t n;
	ct_time t;

	copy_init(&c);
	copy_file(&c, "/recorded/host", "machine=\033[2Jx\npage_size=4095\nnow=1.2.3\nnow=5\n");
	h = open_copy(&c);
	EQ_INT(host_machine(h, word, sizeof(word)), -EINVAL);
	EQ_INT(host_page_size(h, &n), -ENOENT);
	EQ_INT(host_now(h, &t), -EINVAL);
	copy_fini(&c);
}

TEST(modules_loaded_or_built_in)
{
	auto_free(host) struct host *h = NULL;
	struct copy c;

	copy_init(&c);
	copy_file(&c, "/proc/sys/kernel/osrelease", "6.1.0\n");
	h = open_copy(&c);
	OK(host_has_module(h, "nf_tables")); /* nothing tells */
	copy_file(&c, "/proc/modules", "nf_tables 1 0 - Live 0x0\nloop 1 0 - Live 0x0\n");
	OK(host_has_module(h, "nf_tables"));
	OK(host_has_module(h, "loop"));
	OK(!host_has_module(h, "oop"));
	OK(!host_has_module(h, "nf"));
	OK(!host_has_module(h, "ip_tables"));
	copy_file(&c, "/lib/modules/6.1.0/modules.builtin",
		  "kernel/net/ipv4/netfilter/ip_tables.ko\n");
	OK(host_has_module(h, "ip_tables"));
	OK(!host_has_module(h, "tables"));
	copy_file(&c, "/sys/module/tables/refcnt", "0\n");
	OK(host_has_module(h, "tables"));
	copy_fini(&c);
}

TEST(this_machine_tells)
{
	auto_free(host) struct host *h = NULL;
	struct utsname u;
	char word[65];
	uint64_t bytes = 0;
	uint32_t n = 0;
	unsigned cpus = 0;
	ct_time t = 0;

	EQ_INT(host_open("/", &h, NULL), 0);
	OK(uname(&u) == 0);
	EQ_INT(host_release(h, word, sizeof(word)), 0);
	EQ_STR(word, u.release);
	EQ_INT(host_release_number(h, &n), 0);
	OK(n >= 2006000);
	EQ_INT(host_n_cpus(h, &cpus), 0);
	OK((long)cpus >= sysconf(_SC_NPROCESSORS_ONLN));
	EQ_INT(host_page_size(h, &n), 0);
	EQ_INT(n, sysconf(_SC_PAGESIZE));
	EQ_INT(host_mem_bytes(h, &bytes), 0);
	OK(bytes > 1 << 24);
	EQ_INT(host_now(h, &t), 0);
	OK(t > INT64_C(1600000000) * CT_NS_PER_S);
	EQ_INT(host_is_root(h), geteuid() == 0);
}

TAP_MAIN(&tap_an_empty_copy_knows_nothing, &tap_recorded_host_tells,
	 &tap_a_plain_copy_of_proc_tells, &tap_lists_of_processors, &tap_release_numbers,
	 &tap_foreign_words_are_not_printed_raw, &tap_modules_loaded_or_built_in,
	 &tap_this_machine_tells)
