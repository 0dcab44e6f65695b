/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Facts of a machine: release, word size, processors, memory, time.
 *
 * A copy is asked in this order: the file the kernel itself shows, the line in recorded/host, and
 * where neither is there the fact is unknown.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "lib/base/number.h"
#include "ops/host/inner.h"

#define MAX_CPUS 65536u /* no kernel numbers that many */

int host_recorded(const struct host *h, const char *key, const char **out, size_t *out_len)
{
	const char *at = h->recorded.p, *end = at ? at + h->recorded.len : NULL;
	size_t key_len = strlen(key);

	while (at < end) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));

		if (!stop)
			stop = end;
		if ((size_t)(stop - at) > key_len && at[key_len] == '=' &&
		    memcmp(at, key, key_len) == 0) {
			*out = at + key_len + 1;
			*out_len = (size_t)(stop - *out);
			return 0;
		}
		at = stop + 1;
	}
	return -ENOENT;
}

static int recorded_number(const struct host *h, const char *key, uint64_t max, uint64_t *out)
{
	const char *s;
	size_t len;
	int r = host_recorded(h, key, &s, &len);

	return r < 0 ? r : ct_number_u64(s, len, max, out);
}

/* A word for people and for comparing: printable, not empty, fits. */
static int copy_word(const char *s, size_t len, char *out, size_t size)
{
	if (len == 0)
		return -EINVAL;
	if (len >= size)
		return -ENAMETOOLONG;
	for (size_t i = 0; i < len; i++)
		if (s[i] <= ' ' || s[i] > '~')
			return -EINVAL;
	memcpy(out, s, len);
	out[len] = '\0';
	return 0;
}

/* The first word of @path behind @prefix. */
static int first_word(struct host *h, const char *path, const char *prefix, char *out, size_t size)
{
	auto_fini(ct_buf) struct ct_buf b = { 0 };
	size_t skip = strlen(prefix);
	int r = host_read(h, path, &b);

	if (r < 0)
		return r;
	if (strncmp(b.p, prefix, skip) != 0)
		return -EINVAL;
	return copy_word(b.p + skip, strcspn(b.p + skip, " \t\n"), out, size);
}

int host_release(struct host *h, char *out, size_t size)
{
	struct utsname u;
	const char *s;
	size_t len;

	if (host_is_live(h))
		return uname(&u) < 0 ? -errno : copy_word(u.release, strlen(u.release), out, size);
	if (first_word(h, "/proc/sys/kernel/osrelease", "", out, size) == 0)
		return 0;
	if (host_recorded(h, "release", &s, &len) == 0)
		return copy_word(s, len, out, size);
	return first_word(h, "/proc/version", "Linux version ", out, size);
}

/* One number of a release and what follows it; "6.1-rc3" and "6" are releases too. */
static int release_part(const char **at, uint32_t max, uint32_t *out)
{
	size_t len = strspn(*at, "0123456789");
	uint64_t v;

	if (ct_number_u64(*at, len, UINT32_MAX, &v) < 0)
		return -EINVAL;
	*out = v < max ? (uint32_t)v : max;
	*at += len;
	if (**at == '.')
		(*at)++;
	return 0;
}

int host_release_parse(const char *release, uint32_t *out)
{
	uint32_t version, patch = 0, sub = 0;
	const char *at = release;

	if (release_part(&at, 999, &version) < 0)
		return -EINVAL;
	if (at[-1] == '.' && release_part(&at, 999, &patch) < 0)
		return -EINVAL;
	if (at[-1] == '.')
		(void)release_part(&at, 999, &sub);
	*out = version * 1000000u + patch * 1000u + sub;
	return 0;
}

int host_release_number(struct host *h, uint32_t *out)
{
	char release[128];
	int r = host_release(h, release, sizeof(release));

	return r < 0 ? r : host_release_parse(release, out);
}

int host_machine(struct host *h, char *out, size_t size)
{
	struct utsname u;
	const char *s;
	size_t len;
	int r;

	if (host_is_live(h))
		return uname(&u) < 0 ? -errno : copy_word(u.machine, strlen(u.machine), out, size);
	r = host_recorded(h, "machine", &s, &len);
	return r < 0 ? r : copy_word(s, len, out, size);
}

/* What uname(2) calls the machines Linux runs on, by the start of the name. */
static const struct machine {
	const char *begin;
	unsigned bits;
	uint32_t page_bytes; /* 0: a choice of the kernel's builder */
} machines[] = {
	{ "x86_64", 64, 4096 },	 { "i386", 32, 4096 },	   { "i486", 32, 4096 },
	{ "i586", 32, 4096 },	 { "i686", 32, 4096 },	   { "aarch64", 64, 0 },
	{ "arm64", 64, 0 },	 { "armv", 32, 4096 },	   { "riscv64", 64, 4096 },
	{ "riscv32", 32, 4096 }, { "ppc64", 64, 0 },	   { "ppc", 32, 0 },
	{ "s390x", 64, 4096 },	 { "s390", 32, 4096 },	   { "mips64", 64, 0 },
	{ "mips", 32, 0 },	 { "loongarch64", 64, 0 }, { "loongarch32", 32, 0 },
	{ "sparc64", 64, 8192 }, { "sparc", 32, 0 },	   { "parisc64", 64, 4096 },
	{ "parisc", 32, 4096 },	 { "alpha", 64, 8192 },	   { "ia64", 64, 0 },
	{ "m68k", 32, 0 },	 { "arc", 32, 0 },	   { "sh4", 32, 4096 },
};

static const struct machine *find_machine(struct host *h)
{
	char name[65];

	if (host_machine(h, name, sizeof(name)) < 0)
		return NULL;
	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++)
		if (strncmp(name, machines[i].begin, strlen(machines[i].begin)) == 0)
			return &machines[i];
	return NULL;
}

int host_word_bits(struct host *h, unsigned *out)
{
	const struct machine *m = find_machine(h);

	if (!m)
		return -ENOENT;
	*out = m->bits;
	return 0;
}

int host_page_size(struct host *h, uint32_t *out_bytes)
{
	const struct machine *m;
	uint64_t v;

	if (host_is_live(h)) {
		*out_bytes = (uint32_t)sysconf(_SC_PAGESIZE);
		return 0;
	}
	if (recorded_number(h, "page_size", 1u << 24, &v) == 0 && v > 0 && (v & (v - 1)) == 0) {
		*out_bytes = (uint32_t)v;
		return 0;
	}
	m = find_machine(h);
	if (!m || !m->page_bytes)
		return -ENOENT;
	*out_bytes = m->page_bytes;
	return 0;
}

/* Counts a list such as "0-3,8-11"; a number may not come twice or backwards. */
static int count_cpu_list(const char *s, unsigned *out)
{
	uint64_t n = 0, next = 0;

	for (;;) {
		size_t len = strspn(s, "0123456789");
		uint64_t first, last;

		if (ct_number_u64(s, len, MAX_CPUS, &first) < 0 || first < next)
			return -EINVAL;
		s += len;
		last = first;
		if (*s == '-') {
			len = strspn(++s, "0123456789");
			if (ct_number_u64(s, len, MAX_CPUS, &last) < 0 || last < first)
				return -EINVAL;
			s += len;
		}
		n += last - first + 1;
		next = last + 1;
		if (*s != ',')
			break;
		s++;
	}
	if (*s != '\0' && *s != '\n')
		return -EINVAL;
	*out = (unsigned)n;
	return 0;
}

/* Lines of /proc/cpuinfo that begin a processor; s390 says "processor 0: ...". */
static int count_cpuinfo(const char *s, unsigned *out)
{
	unsigned n = 0;

	while (s) {
		n += strncmp(s, "processor", 9) == 0 && (s[9] == '\t' || s[9] == ' ');
		s = strchr(s, '\n');
		if (s)
			s++;
	}
	if (n == 0)
		return -EINVAL;
	*out = n;
	return 0;
}

int host_n_cpus(struct host *h, unsigned *out)
{
	auto_fini(ct_buf) struct ct_buf b = { 0 };
	uint64_t v;
	long n;

	if (host_read(h, "/sys/devices/system/cpu/possible", &b) == 0 &&
	    count_cpu_list(b.p, out) == 0)
		return 0;
	if (host_is_live(h)) {
		n = sysconf(_SC_NPROCESSORS_CONF);
		if (n < 1)
			return -ENOENT;
		*out = (unsigned)n;
		return 0;
	}
	if (recorded_number(h, "cpus", MAX_CPUS, &v) == 0 && v > 0) {
		*out = (unsigned)v;
		return 0;
	}
	if (host_read(h, "/proc/cpuinfo", &b) == 0 && count_cpuinfo(b.p, out) == 0)
		return 0;
	return -ENOENT;
}

int host_mem_bytes(struct host *h, uint64_t *out)
{
	auto_fini(ct_buf) struct ct_buf b = { 0 };
	const char *at;
	uint64_t kib;

	if (host_read(h, "/proc/meminfo", &b) < 0)
		return recorded_number(h, "mem_bytes", UINT64_MAX, out) == 0 ? 0 : -ENOENT;
	at = strstr(b.p, "MemTotal:");
	if (!at || (at != b.p && at[-1] != '\n'))
		return -EINVAL;
	at += strlen("MemTotal:");
	at += strspn(at, " \t");
	if (ct_number_u64(at, strspn(at, "0123456789"), UINT64_MAX / 1024, &kib) < 0)
		return -EINVAL;
	*out = kib * 1024;
	return 0;
}

/* Unix seconds, with up to nine digits of a fraction. */
static int parse_moment(const char *s, size_t len, ct_time *out)
{
	const char *dot = memchr(s, '.', len);
	size_t whole = dot ? (size_t)(dot - s) : len, digits = dot ? len - whole - 1 : 0;
	uint64_t seconds, fraction = 0;

	if (ct_number_u64(s, whole, INT64_MAX / CT_NS_PER_S - 1, &seconds) < 0)
		return -EINVAL;
	if (dot && (digits > 9 || ct_number_u64(dot + 1, digits, UINT64_MAX, &fraction) < 0))
		return -EINVAL;
	for (; digits < 9; digits++)
		fraction *= 10;
	*out = (ct_time)seconds * CT_NS_PER_S + (ct_time)fraction;
	return 0;
}

int host_now(struct host *h, ct_time *out)
{
	struct timespec ts;
	const char *s;
	size_t len;
	int r;

	if (!host_is_live(h)) {
		r = host_recorded(h, "now", &s, &len);
		return r < 0 ? r : parse_moment(s, len, out);
	}
	if (clock_gettime(CLOCK_REALTIME, &ts) < 0)
		return -errno;
	*out = ts.tv_sec * CT_NS_PER_S + ts.tv_nsec;
	return 0;
}

int host_uptime_ms(struct host *h, int64_t *out)
{
	struct timespec ts;

	if (!host_is_live(h))
		return -EROFS;
	if (clock_gettime(CLOCK_BOOTTIME, &ts) < 0)
		return -errno;
	*out = (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
	return 0;
}

int host_boot_id(struct host *h, char *out, size_t size)
{
	auto_fini(ct_buf) struct ct_buf b = { 0 };
	int r = host_read(h, "/proc/sys/kernel/random/boot_id", &b);

	if (r < 0)
		return r;
	b.len = strcspn(b.p, "\n");
	if (b.len == 0 || b.len >= size)
		return -EINVAL;
	(void)snprintf(out, size, "%.*s", (int)b.len, b.p);
	return 0;
}

static bool has_text(struct host *h, const char *path, const char *word)
{
	auto_fini(ct_buf) struct ct_buf b = { 0 };

	return host_read(h, path, &b) == 0 && memmem(b.p, b.len, word, strlen(word)) != NULL;
}

bool host_has_module(struct host *h, const char *name)
{
	auto_fini(ct_buf) struct ct_buf modules = { 0 };
	char word[80], path[256], release[128];
	struct host_stat st;
	int len;

	if (host_read(h, "/proc/modules", &modules) < 0)
		return true;
	len = snprintf(word, sizeof(word), "\n%.64s ", name);
	if (strncmp(modules.p, word + 1, (size_t)len - 1) == 0 || strstr(modules.p, word))
		return true;
	(void)snprintf(path, sizeof(path), "/sys/module/%.64s", name);
	if (host_stat(h, path, &st) == 0)
		return true;
	if (host_release(h, release, sizeof(release)) < 0)
		return false;
	(void)snprintf(path, sizeof(path), "/lib/modules/%s/modules.builtin", release);
	(void)snprintf(word, sizeof(word), "/%.64s.ko", name);
	return has_text(h, path, word);
}

bool host_is_root(const struct host *h)
{
	return !host_is_live(h) || geteuid() == 0;
}
