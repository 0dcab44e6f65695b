/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the kernels choose by themselves, and what a table costs; see size.h.
 */
#include "ops/settings/size.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/number.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

/* Lowmem of a 32-bit kernel with the usual 3:1 split; more memory is out of its reach. */
#define LOW_MEM_32 (896 * MIB)
/* More of anything is reckoned as this much. */
#define COST_MOST  (UINT64_C(1) << 44)
/* vmalloc room of such a kernel: the hash must fit in it when no pages in a row are left. */
#define VMALLOC_32 (120 * MIB)

static uint32_t release_of(const struct size_machine *m)
{
	return m->release ? m->release : UINT32_MAX;
}

static uint64_t pointer_bytes(const struct size_machine *m)
{
	return m->word_bits / 8;
}

void size_machine_like(struct size_machine *out, uint64_t mem_bytes, unsigned word_bits,
		       uint32_t release)
{
	*out = (struct size_machine){
		.mem_bytes = mem_bytes,
		.low_mem_bytes = mem_bytes,
		.word_bits = word_bits,
		.page_bytes = 4096,
		.release = release,
	};
	if (word_bits == 32 && mem_bytes > LOW_MEM_32)
		out->low_mem_bytes = LOW_MEM_32;
}

/* Reads word @n of a line, counted from 0, as a number. */
static int word_number(const char *line, unsigned n, uint64_t *out)
{
	for (; n > 0; n--) {
		line += strcspn(line, " \t\n");
		line += strspn(line, " \t");
	}
	return ct_number_u64(line, strcspn(line, " \t\n"), UINT64_MAX, out);
}

/* LowTotal stands in meminfo of 32-bit kernels with high memory. */
static void read_low_mem(struct host *h, struct size_machine *m)
{
	auto_fini(ct_buf) struct ct_buf b = { 0 };
	const char *at;
	uint64_t kb;

	if (host_read(h, "/proc/meminfo", &b) < 0 || !b.p)
		return;
	at = strstr(b.p, "LowTotal:");
	if (at && word_number(at, 1, &kb) == 0 && kb > 0 && kb < UINT64_MAX >> 10)
		m->low_mem_bytes = kb << 10;
}

int size_machine_of(struct host *h, struct size_machine *out)
{
	uint64_t mem_bytes;
	unsigned bits;
	uint32_t release, page;
	struct size_machine m;

	if (host_mem_bytes(h, &mem_bytes) < 0 || mem_bytes == 0)
		return -ENOENT;
	if (host_word_bits(h, &bits) < 0)
		bits = 64;
	if (host_release_number(h, &release) < 0)
		release = 0;
	size_machine_like(&m, mem_bytes, bits, release);
	if (host_page_size(h, &page) == 0 && page >= 1024)
		m.page_bytes = page;
	(void)host_n_cpus(h, &m.n_cpus);
	if (bits == 32)
		read_low_mem(h, &m);
	*out = m;
	return 0;
}

/* One generation of the rule that sets the table's size at load. */
struct generation {
	uint32_t until;
	unsigned head_words; /* words in a bucket's head */
	uint64_t floor, above_1g, above_4g;
	unsigned factor;
};

/* Spec: the history of the defaults. Before 2.6.23 a bucket was a doubly linked head. */
static const struct generation generations[] = {
	{ RELEASE(2, 6, 23), 2, 16, 8192, 8192, 8 },
	{ RELEASE(4, 0, 0), 1, 32, 16384, 16384, 4 },
	{ RELEASE(5, 15, 0), 1, 32, 16384, 65536, 4 },
	{ UINT32_MAX, 1, 1024, 65536, 262144, 1 },
};

static const struct generation *generation_of(const struct size_machine *m)
{
	const struct generation *g = generations;

	while (release_of(m) >= g->until && g->until != UINT32_MAX)
		g++;
	return g;
}

/* nf_conntrack_init_start(): buckets before rounding. */
static uint64_t buckets_of_memory(const struct size_machine *m, const struct generation *g)
{
	uint64_t n = m->mem_bytes / 16384 / (pointer_bytes(m) * g->head_words);

	if (m->mem_bytes > 4 * GIB && m->word_bits == 64)
		return g->above_4g;
	if (m->mem_bytes > GIB)
		return g->above_1g;
	return n < g->floor ? g->floor : n;
}

uint64_t size_buckets_rounded(const struct size_machine *m, uint64_t n)
{
	uint64_t step = m->page_bytes / pointer_bytes(m);

	if (release_of(m) < RELEASE(2, 6, 23))
		return n;
	return (n + step - 1) / step * step;
}

/* Fills what follows from buckets. Before 4.7 each namespace rounded its own table after the limit
 * was derived: that is how a boot line could say (7997 buckets, 31988 max). */
static void derive(const struct size_machine *m, uint64_t asked, unsigned factor,
		   struct size_defaults *out)
{
	uint64_t rounded = size_buckets_rounded(m, asked);
	uint64_t base = release_of(m) < RELEASE(4, 7, 0) ? asked : rounded;
	uint64_t expect = base / 256 ? base / 256 : 1;

	*out = (struct size_defaults){
		.buckets = rounded,
		.max = base * factor,
		.expect_buckets = size_buckets_rounded(m, expect),
		.expect_max = expect * 4,
		.factor = factor,
	};
}

int size_defaults(const struct size_machine *m, struct size_defaults *out)
{
	const struct generation *g = generation_of(m);

	if (m->mem_bytes == 0)
		return -EINVAL;
	derive(m, buckets_of_memory(m, g), g->factor, out);
	return 0;
}

void size_of_hashsize(const struct size_machine *m, uint64_t n, struct size_defaults *out)
{
	derive(m, n, 8, out);
}

/* Parts of the extension block on 64 bit, and the header in front of them. */
static const struct {
	unsigned bit;
	uint64_t bytes;
} extension_parts[] = {
	{ SIZE_EXT_HELPER, 56 }, { SIZE_EXT_NAT, 8 },	  { SIZE_EXT_SEQADJ, 24 },
	{ SIZE_EXT_ACCT, 32 },	 { SIZE_EXT_EVENTS, 32 }, { SIZE_EXT_TIMESTAMP, 16 },
	{ SIZE_EXT_TIMEOUT, 8 }, { SIZE_EXT_LABELS, 16 }, { SIZE_EXT_SYNPROXY, 12 },
};
#define EXTENSION_HEADER 16

uint64_t size_extension_bytes(unsigned extensions)
{
	uint64_t bytes = EXTENSION_HEADER;

	if (!extensions)
		return 0;
	for (size_t i = 0; i < sizeof(extension_parts) / sizeof(extension_parts[0]); i++)
		if (extensions & extension_parts[i].bit)
			bytes += (extension_parts[i].bytes + 7) & ~UINT64_C(7);
	return bytes <= 128 ? 128 : 256; /* NF_CT_EXT_PREALLOC, then the next kmalloc size */
}

/* About, by generation: distributions' configurations differ by some fields. */
static const struct {
	uint32_t until;
	uint64_t bytes_64, bytes_32;
} entry_sizes[] = {
	{ RELEASE(2, 6, 23), 352, 300 },
	{ RELEASE(4, 9, 0), 320, 256 },
	{ RELEASE(5, 4, 0), 320, 192 },
	{ UINT32_MAX, 256, 192 },
};

void size_entry_by_release(const struct size_machine *m, struct size_entry *out)
{
	size_t i = 0;

	while (release_of(m) >= entry_sizes[i].until && entry_sizes[i].until != UINT32_MAX)
		i++;
	*out = (struct size_entry){
		.entry_bytes =
			m->word_bits == 64 ? entry_sizes[i].bytes_64 : entry_sizes[i].bytes_32,
	};
	(void)snprintf(out->origin, sizeof(out->origin), "about, by kernel release");
}

/* "nf_conntrack  0 0 256 16 1 : ...", also nf_conntrack_ffff... of 2.6.3x-4.6 (one a namespace). */
static int slabinfo_entry(struct host *h, uint64_t *out)
{
	auto_fini(ct_buf) struct ct_buf b = { 0 };

	if (host_read(h, "/proc/slabinfo", &b) < 0 || !b.p)
		return -ENOENT;
	for (char *line = b.p; line && *line;
	     line = strchr(line, '\n') ? strchr(line, '\n') + 1 : 0) {
		char name[64];
		uint64_t size;

		(void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(line, " \t\n"), line);
		if (word_number(line, 3, &size) < 0)
			continue;
		if (strcmp(name, "nf_conntrack") != 0 && strcmp(name, "ip_conntrack") != 0 &&
		    strncmp(name, "nf_conntrack_ffff", 17) != 0 &&
		    strncmp(name, "nf_conntrack_0", 14) != 0 &&
		    strncmp(name, "nf_conntrack_1", 14) != 0)
			continue;
		if (size >= 64 && size <= 4096) {
			*out = size;
			return 0;
		}
	}
	return -ENOENT;
}

/* Which blocks the switches give every new entry. A listener is not visible here: with events=2
 * the block comes when somebody listens. */
static unsigned extensions_in_use(const struct settings *s)
{
	static const struct {
		const char *name;
		int64_t value;
		unsigned bit;
	} switches[] = {
		{ "nf_conntrack_acct", 1, SIZE_EXT_ACCT },
		{ "nf_conntrack_timestamp", 1, SIZE_EXT_TIMESTAMP },
		{ "nf_conntrack_events", 1, SIZE_EXT_EVENTS },
	};
	unsigned bits = 0;

	for (size_t i = 0; s && i < sizeof(switches) / sizeof(switches[0]); i++) {
		const struct setting_value *v = settings_get(s, switches[i].name);

		if (v && v->now == switches[i].value)
			bits |= switches[i].bit;
	}
	return bits;
}

void size_entry_of(struct host *h, const struct size_machine *m, const struct settings *s,
		   struct size_entry *out)
{
	static const char sysfs[] = "/sys/kernel/slab/nf_conntrack/slab_size";
	uint64_t bytes;
	int64_t v;

	size_entry_by_release(m, out);
	if (host_read_i64(h, sysfs, &v) == 0 && v >= 64 && v <= 4096) {
		out->entry_bytes = (uint64_t)v;
		out->is_measured = true;
		(void)snprintf(out->origin, sizeof(out->origin), "%s", sysfs);
	} else if (slabinfo_entry(h, &bytes) == 0) {
		out->entry_bytes = bytes;
		out->is_measured = true;
		(void)snprintf(out->origin, sizeof(out->origin), "/proc/slabinfo");
	}
	out->extension_bytes = size_extension_bytes(extensions_in_use(s));
}

void size_cost(const struct size_machine *m, const struct size_entry *e, uint64_t n_entries,
	       uint64_t n_buckets, struct size_cost *out)
{
	/* Bounded so that no product overflows, far above what size_fits() lets pass. */
	uint64_t n = n_entries > COST_MOST ? COST_MOST : n_entries;
	uint64_t b = n_buckets > COST_MOST ? COST_MOST : n_buckets;

	*out = (struct size_cost){
		.entries_bytes = n * e->entry_bytes,
		.extensions_bytes = n * e->extension_bytes,
		.buckets_bytes = b * pointer_bytes(m) * (release_of(m) < RELEASE(2, 6, 23) ? 2 : 1),
	};
	out->nat_bytes = out->buckets_bytes;
	out->total_bytes =
		out->entries_bytes + out->extensions_bytes + out->buckets_bytes + out->nat_bytes;
}

int size_fits(const struct size_machine *m, const struct size_cost *c, uint64_t n_entries,
	      uint64_t n_buckets, struct ct_err *err)
{
	uint64_t most = INT32_MAX / pointer_bytes(m);

	if (n_entries > INT32_MAX)
		return ct_err_set(err, -ERANGE,
				  "%" PRIu64 " entries are more than the kernel can count (%d)",
				  n_entries, INT32_MAX);
	if (n_buckets > most)
		return ct_err_set(err, -ERANGE,
				  "%" PRIu64 " buckets are more than the kernel makes (%" PRIu64
				  ")",
				  n_buckets, most);
	if (m->word_bits == 32 && c->buckets_bytes > VMALLOC_32)
		return ct_err_set(err, -ENOMEM,
				  "a hash of %" PRIu64 " MiB does not fit into the vmalloc area of "
				  "a 32-bit kernel (about %" PRIu64 " MiB)",
				  c->buckets_bytes / MIB, VMALLOC_32 / MIB);
	if (c->total_bytes > m->low_mem_bytes / 2)
		return ct_err_set(err, -ENOMEM,
				  "it would take %" PRIu64 " MiB of memory that cannot be swapped, "
				  "more than half of the %" PRIu64 " MiB %s",
				  c->total_bytes / MIB, m->low_mem_bytes / MIB,
				  m->word_bits == 32 ? "that a 32-bit kernel can use for itself"
						     : "of this machine");
	return 0;
}

uint64_t size_max_within(const struct size_machine *m, const struct size_entry *e, double share)
{
	double each = (double)(e->entry_bytes + e->extension_bytes + 2 * pointer_bytes(m));
	double n = (double)m->low_mem_bytes * share / each;

	return n > INT32_MAX ? INT32_MAX : (uint64_t)n;
}
