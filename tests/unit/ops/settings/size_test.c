/* SPDX-License-Identifier: BSD-2-Clause
 *
 * size: each generation's defaults, the formulas of guides, chains, early drop, what fits.
 */
#include "ops/settings/size.h"

#include <errno.h>
#include <math.h>

#include "tap.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

/* What @mem_bytes makes on a kernel. */
static struct size_defaults on(uint64_t mem_bytes, unsigned bits, uint32_t release)
{
	struct size_machine m;
	struct size_defaults d = { 0 };

	size_machine_like(&m, mem_bytes, bits, release);
	EQ_INT(size_defaults(&m, &d), 0);
	return d;
}

/* One row of the history: memory, word, release, and what the kernel says. */
static const struct {
	uint64_t mem_bytes;
	unsigned bits;
	uint32_t release;
	uint64_t buckets, max;
} history[] = {
	/* 5.15 and later: one entry a bucket */
	{ 64 * GIB, 64, RELEASE(6, 1, 0), 262144, 262144 },
	{ 4 * GIB, 64, RELEASE(6, 1, 0), 65536, 65536 },
	{ 4 * GIB + 1, 64, RELEASE(6, 1, 0), 262144, 262144 },
	{ 8 * GIB, 32, RELEASE(6, 1, 0), 65536, 65536 },
	{ GIB, 64, RELEASE(6, 1, 0), 8192, 8192 },
	{ 512 * MIB, 64, RELEASE(6, 1, 0), 4096, 4096 },
	{ 256 * MIB, 64, RELEASE(6, 1, 0), 2048, 2048 },
	{ 64 * MIB, 64, RELEASE(6, 1, 0), 1024, 1024 },
	{ 512 * MIB, 32, RELEASE(6, 1, 0), 8192, 8192 },
	/* a size that is no whole page of pointers: rounded up before max is derived */
	{ 500 * MIB, 64, RELEASE(6, 1, 0), 4096, 4096 },
	{ 450 * MIB, 64, RELEASE(6, 1, 0), 3600 / 512 * 512 + 512, 4096 },
	/* 4.0 - 5.14: four entries a bucket */
	{ 64 * GIB, 64, RELEASE(5, 10, 0), 65536, 262144 },
	{ 2 * GIB, 64, RELEASE(5, 10, 0), 16384, 65536 },
	{ 64 * MIB, 64, RELEASE(4, 19, 0), 512, 2048 },
	/* 2.6.23 - 3.19: the boot line of a machine of 1 GiB said (7997 buckets, 31988 max) */
	{ 7997 * UINT64_C(131072), 64, RELEASE(2, 6, 32), 8192, 31988 },
	{ 64 * GIB, 64, RELEASE(3, 16, 0), 16384, 65536 },
	/* ip_conntrack: eight entries a bucket */
	{ GIB, 32, RELEASE(2, 6, 18), 8192, 65536 },
	{ 512 * MIB, 32, RELEASE(2, 4, 36), 4096, 32768 },
	{ 512 * MIB, 64, RELEASE(2, 6, 18), 2048, 16384 },
};

TEST(defaults_follow_the_history)
{
	for (size_t i = 0; i < sizeof(history) / sizeof(history[0]); i++) {
		struct size_defaults d =
			on(history[i].mem_bytes, history[i].bits, history[i].release);

		if (d.buckets != history[i].buckets || d.max != history[i].max)
			TAP_FAIL("row %zu: %llu buckets, %llu max", i,
				 (unsigned long long)d.buckets, (unsigned long long)d.max);
	}
}

TEST(expectations_are_a_256th)
{
	struct size_defaults d = on(24 * GIB, 64, RELEASE(6, 18, 0));

	EQ_INT(d.expect_buckets, 1024);
	EQ_INT(d.expect_max, 4096);
}

TEST(hashsize_makes_eight_times_as_many)
{
	struct size_machine m;
	struct size_defaults d;

	size_machine_like(&m, 64 * GIB, 64, RELEASE(6, 1, 0));
	size_of_hashsize(&m, 131072, &d);
	EQ_INT(d.buckets, 131072);
	EQ_INT(d.max, 1048576);
	size_of_hashsize(&m, 100000, &d);
	EQ_INT(d.buckets, 100352);
	EQ_INT(d.max, 802816);
}

static const struct size_formula *formula(const char *id)
{
	for (size_t i = 0; i < size_n_formulas; i++)
		if (strcmp(size_formulas[i].id, id) == 0)
			return &size_formulas[i];
	TAP_FAIL("no formula %s", id);
	return &size_formulas[0];
}

TEST(formulas_give_the_figures_of_the_guides)
{
	struct size_machine m;
	uint64_t max = 0, buckets = 0;

	size_machine_like(&m, 64 * GIB, 64, RELEASE(2, 6, 32));
	formula("classic")->reckon(&m, &max, &buckets);
	EQ_INT(max, 2097152);
	EQ_INT(buckets, 262144);
	formula("classic-half")->reckon(&m, &max, &buckets);
	EQ_INT(buckets, 1048576);
	size_machine_like(&m, 787752 * MIB, 64, RELEASE(2, 6, 32));
	formula("mib-32")->reckon(&m, &max, &buckets);
	EQ_INT(max, 25208064);
	EQ_INT(buckets, 6302016);
	size_machine_like(&m, 512 * MIB, 32, RELEASE(2, 6, 18));
	formula("bits-32")->reckon(&m, &max, &buckets);
	EQ_INT(max, 32768);
	size_machine_like(&m, 64 * GIB, 64, 0);
	m.n_cpus = 16;
	formula("kube-proxy")->reckon(&m, &max, &buckets);
	EQ_INT(max, 524288);
	EQ_INT(buckets, 131072);
}

TEST(exactly_one_formula_is_the_kernels)
{
	static const uint32_t releases[] = { RELEASE(2, 4, 20),
					     RELEASE(2, 6, 18),
					     RELEASE(2, 6, 32),
					     RELEASE(3, 10, 0),
					     RELEASE(5, 10, 0),
					     RELEASE(6, 18, 0),
					     0 };

	for (size_t r = 0; r < sizeof(releases) / sizeof(releases[0]); r++) {
		struct size_machine m;
		struct size_defaults d;
		unsigned n = 0;

		size_machine_like(&m, 16 * GIB, 64, releases[r]);
		EQ_INT(size_defaults(&m, &d), 0);
		for (size_t i = 0; i < size_n_formulas; i++) {
			uint64_t max, buckets;

			if (!size_formula_holds(&size_formulas[i], &m))
				continue;
			n++;
			size_formulas[i].reckon(&m, &max, &buckets);
			EQ_INT(max, d.max);
			EQ_INT(buckets, d.buckets);
		}
		EQ_INT(n, 1);
	}
}

TEST(cost_of_the_source_s_own_arithmetic)
{
	struct size_machine m;
	struct size_entry e = { .entry_bytes = 352 };
	struct size_cost c;

	size_machine_like(&m, 787752 * MIB, 64, RELEASE(2, 6, 32));
	size_cost(&m, &e, 25208064, 6302016, &c);
	EQ_INT(c.entries_bytes + c.buckets_bytes, 8923654656);
	size_entry_by_release(&m, &e);
	OK(!e.is_measured);
	size_cost(&m, &e, 65535, 16384, &c);
	OK(c.entries_bytes > 20000000 && c.entries_bytes < 30000000);
}

TEST(extensions_are_one_block)
{
	EQ_INT(size_extension_bytes(0), 0);
	EQ_INT(size_extension_bytes(SIZE_EXT_EVENTS), 128);
	EQ_INT(size_extension_bytes(SIZE_EXT_ACCT | SIZE_EXT_TIMESTAMP | SIZE_EXT_EVENTS), 128);
	EQ_INT(size_extension_bytes(SIZE_EXT_ACCT | SIZE_EXT_TIMESTAMP | SIZE_EXT_EVENTS |
				    SIZE_EXT_HELPER),
	       256);
}

/* F5: failure of an insertion by entries per bucket. */
static const struct {
	double ratio, low, high;
} failures[] = {
	{ 12, 5.5e-8, 6.5e-8 }, { 16, 0.9e-4, 1.2e-4 }, { 18, 0.00125, 0.00135 },
	{ 20, 0.0083, 0.0087 }, { 24, 0.085, 0.095 },	{ 28, 0.305, 0.315 },
	{ 32, 0.575, 0.585 },	{ 40, 0.95, 0.965 },
};

TEST(insert_failure_is_f5)
{
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		double p = size_insert_failure(failures[i].ratio);

		if (p < failures[i].low || p > failures[i].high)
			TAP_FAIL("ratio %g: %g", failures[i].ratio, p);
	}
	OK(size_insert_failure(0) == 0);
	OK(size_insert_failure(1) < 1e-30);
	OK(size_insert_failure(1000) > 0.999999);
}

TEST(the_limit_on_chains_has_a_history)
{
	unsigned min, max;

	EQ_INT(size_chain_limit(RELEASE(5, 14, 21), &min, &max), -ENOENT);
	EQ_INT(size_chain_limit(RELEASE(5, 15, 102), &min, &max), 0);
	EQ_INT(min, 8);
	EQ_INT(max, 31);
	EQ_INT(size_chain_limit(RELEASE(5, 15, 103), &min, &max), 0);
	EQ_INT(min, 50);
	EQ_INT(max, 79);
	EQ_INT(size_chain_limit(RELEASE(6, 1, 19), &min, &max), 0);
	EQ_INT(max, 31);
	EQ_INT(size_chain_limit(RELEASE(6, 1, 0), &min, &max), 0); /* Debian's 6.1.0-18 */
	EQ_INT(max, 79);
	EQ_INT(size_chain_limit(0, &min, &max), 0);
	EQ_INT(min, 50);
	OK(size_insert_failure_on(RELEASE(5, 10, 0), 1000) == 0);
	/* with 8 to 31 a chain of mean 1 is refused now and then, one of mean 16 mostly */
	OK(size_insert_failure_on(RELEASE(6, 0, 5), 0.5) > 1e-9);
	OK(size_insert_failure_on(RELEASE(6, 0, 5), 8) > 0.3);
	OK(size_insert_failure_on(RELEASE(6, 3, 0), 8) < 1e-9);
}

TEST(chains_are_a_distribution)
{
	static const double ratios[] = { 0, 0.01, 1, 4, 20, 100 };

	for (size_t r = 0; r < sizeof(ratios) / sizeof(ratios[0]); r++) {
		double sum = 0, mean = 0;

		for (unsigned k = 0; k < 600; k++) {
			sum += size_chain_share(ratios[r], k);
			mean += k * size_chain_share(ratios[r], k);
		}
		OK(fabs(sum - 1) < 1e-9);
		OK(fabs(mean - 2 * ratios[r]) < 1e-6);
	}
	OK(fabs(size_chain_longer(1, 0) - (1 - exp(-2))) < 1e-12);
}

TEST(early_drop_is_f4)
{
	OK(fabs(size_early_drop_miss(1, 0.01) - 0.85) < 0.005);
	OK(fabs(size_early_drop_miss(1, 0.05) - 0.45) < 0.005);
	OK(fabs(size_early_drop_miss(1, 0.20) - 0.04) < 0.005);
	OK(size_early_drop_miss(1, 0) == 1);
}

TEST(what_does_not_fit_is_refused)
{
	struct size_machine m;
	struct size_entry e;
	struct size_cost c;
	struct ct_err err = { "" };

	size_machine_like(&m, 64 * GIB, 64, RELEASE(6, 18, 0));
	size_entry_by_release(&m, &e);
	size_cost(&m, &e, 1048576, 1048576, &c);
	EQ_INT(c.entries_bytes, 268435456);
	EQ_INT(size_fits(&m, &c, 1048576, 1048576, &err), 0);
	size_cost(&m, &e, 200000000, 1048576, &c);
	EQ_INT(size_fits(&m, &c, 200000000, 1048576, &err), -ENOMEM);
	OK(strstr(err.text, "cannot be swapped") != NULL);
	size_cost(&m, &e, UINT64_MAX, UINT64_MAX, &c);
	EQ_INT(size_fits(&m, &c, UINT64_MAX, 1, &err), -ERANGE);
	EQ_INT(size_fits(&m, &c, 1, UINT64_MAX, &err), -ERANGE);

	/* 32 bit: plenty of memory, but the kernel reaches only the low part of it */
	size_machine_like(&m, 16 * GIB, 32, RELEASE(3, 2, 0));
	size_entry_by_release(&m, &e);
	size_cost(&m, &e, 4194304, 1048576, &c);
	EQ_INT(size_fits(&m, &c, 4194304, 1048576, &err), -ENOMEM);
	OK(strstr(err.text, "32-bit") != NULL);
	size_cost(&m, &e, 262144, 65536, &c);
	EQ_INT(size_fits(&m, &c, 262144, 65536, &err), 0);
}

TAP_MAIN(&tap_defaults_follow_the_history, &tap_expectations_are_a_256th,
	 &tap_hashsize_makes_eight_times_as_many, &tap_formulas_give_the_figures_of_the_guides,
	 &tap_exactly_one_formula_is_the_kernels, &tap_cost_of_the_source_s_own_arithmetic,
	 &tap_extensions_are_one_block, &tap_insert_failure_is_f5,
	 &tap_the_limit_on_chains_has_a_history, &tap_chains_are_a_distribution,
	 &tap_early_drop_is_f4, &tap_what_does_not_fit_is_refused)
