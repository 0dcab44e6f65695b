/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Every formula for the size of the table that is in use, the kernels' own and those of guides.
 */
#include "ops/settings/size.h"

#define MIB (UINT64_C(1) << 20)

/* What a kernel of @release would choose on this machine. */
static void kernel_of(const struct size_machine *m, uint32_t release, uint64_t *max,
		      uint64_t *buckets)
{
	struct size_machine like = *m;
	struct size_defaults d = { 0 };

	like.release = release;
	(void)size_defaults(&like, &d);
	*max = d.max;
	*buckets = d.buckets;
}

static void kernel_5_15(const struct size_machine *m, uint64_t *max, uint64_t *buckets)
{
	kernel_of(m, RELEASE(5, 15, 0), max, buckets);
}

static void kernel_4_0(const struct size_machine *m, uint64_t *max, uint64_t *buckets)
{
	kernel_of(m, RELEASE(5, 14, 0), max, buckets);
}

static void kernel_2_6_23(const struct size_machine *m, uint64_t *max, uint64_t *buckets)
{
	kernel_of(m, RELEASE(3, 19, 0), max, buckets);
}

static void kernel_2_4(const struct size_machine *m, uint64_t *max, uint64_t *buckets)
{
	kernel_of(m, RELEASE(2, 6, 18), max, buckets);
}

static uint64_t classic_max(const struct size_machine *m)
{
	return m->mem_bytes / 16384 / (m->word_bits / 32);
}

static void classic_eighth(const struct size_machine *m, uint64_t *max, uint64_t *buckets)
{
	*max = classic_max(m);
	*buckets = *max / 8;
}

static void classic_half(const struct size_machine *m, uint64_t *max, uint64_t *buckets)
{
	*max = classic_max(m);
	*buckets = *max / 2;
}

static void classic_quarter(const struct size_machine *m, uint64_t *max, uint64_t *buckets)
{
	*max = m->mem_bytes / MIB * 32;
	*buckets = *max / 4;
}

static void classic_32(const struct size_machine *m, uint64_t *max, uint64_t *buckets)
{
	*max = m->mem_bytes / 16384;
	*buckets = *max / 8;
}

static void kube_proxy(const struct size_machine *m, uint64_t *max, uint64_t *buckets)
{
	if (!m->n_cpus)
		return;
	*max = (uint64_t)m->n_cpus * 32768;
	if (*max > 1048576)
		*max = 1048576;
	if (*max < 131072)
		*max = 131072;
	*buckets = *max / 4;
}

static void one_each(const struct size_machine *m, uint64_t *max, uint64_t *buckets)
{
	*max = classic_max(m);
	*buckets = *max;
}

const struct size_formula size_formulas[] = {
	{ "kernel-5.15",
	  "buckets = RAM / 16384 / pointer, at least 1024; above 1 GiB 65536, above 4 GiB (64 bit) "
	  "262144; max = buckets",
	  "Linux 5.15 and later, by itself", true, RELEASE(5, 15, 0), UINT32_MAX, kernel_5_15 },
	{ "kernel-4.0",
	  "buckets = RAM / 16384 / pointer; above 1 GiB 16384, above 4 GiB (64 bit) 65536; "
	  "max = 4 x buckets",
	  "Linux 4.0 to 5.14 by itself, and vendor kernels that took it back (RHEL 7)", true,
	  RELEASE(4, 0, 0), RELEASE(5, 15, 0), kernel_4_0 },
	{ "kernel-2.6.23", "buckets = RAM / 16384 / pointer; above 1 GiB 16384; max = 4 x buckets",
	  "Linux 2.6.23 to 3.19, by itself", true, RELEASE(2, 6, 23), RELEASE(4, 0, 0),
	  kernel_2_6_23 },
	{ "kernel-2.4", "buckets = RAM / 16384 / two pointers; above 1 GiB 8192; max = 8 x buckets",
	  "Linux 2.4 to 2.6.22 (ip_conntrack), by itself", true, 0, RELEASE(2, 6, 23), kernel_2_4 },
	{ "classic", "max = RAM / 16384 / (bits / 32); buckets = max / 8",
	  "true of ip_conntrack (2.4, early 2.6) on 32 bit up to 1 GiB; advice elsewhere", false, 0,
	  0, classic_eighth },
	{ "classic-half", "max = RAM / 16384 / (bits / 32); buckets = max / 2",
	  "advice: the most buckets of guides for 2.6", false, 0, 0, classic_half },
	{ "mib-32", "max = RAM in MiB x 32; buckets = max / 4",
	  "advice for 64 bit; the ratio is that of 2.6.23 to 5.14", false, 0, 0, classic_quarter },
	{ "bits-32", "max = RAM / 16384; buckets = max / 8",
	  "true of ip_conntrack on 32 bit up to 1 GiB; on 64 bit twice the classic", false, 0, 0,
	  classic_32 },
	{ "kube-proxy", "max = 32768 x processors, 131072 to 1048576; buckets = max / 4",
	  "what kube-proxy writes at start, on any kernel", false, 0, 0, kube_proxy },
	{ "one-each", "max = RAM / 16384 / (bits / 32); buckets = max",
	  "advice for speed; the ratio is the kernel's own since 5.15", false, 0, 0, one_each },
};
const size_t size_n_formulas = sizeof(size_formulas) / sizeof(size_formulas[0]);

bool size_formula_holds(const struct size_formula *f, const struct size_machine *m)
{
	uint32_t release = m->release ? m->release : UINT32_MAX - 1;

	return f->is_kernel && release >= f->since && release < f->until;
}
