/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Sizes: from memory to limit and buckets as each kernel generation reckons, and back; what the
 * ratio of the two does to the chains; what it costs and whether it fits.
 *
 * Answers to nf_conntrack_init_start() and nf_ct_alloc_hashtable() for the defaults,
 * __nf_conntrack_confirm() for the chain limit and early_drop() for the rest.
 */
#ifndef OPS_SETTINGS_SIZE_H
#define OPS_SETTINGS_SIZE_H

#include "ops/settings/settings.h"

/* What sizing needs to know of a machine. */
struct size_machine {
	uint64_t mem_bytes;	/* MemTotal */
	uint64_t low_mem_bytes; /* what the kernel can use for itself: all of it on 64 bit */
	unsigned word_bits;	/* 32 or 64 */
	uint32_t page_bytes;
	uint32_t release; /* 0 is taken as the newest */
	unsigned n_cpus;  /* 0 unknown */
};

/* Of this host. -ENOENT when memory is unknown; word size and page size are guessed then (64 bit,
 * 4096), the release may be 0. */
int size_machine_of(struct host *h, struct size_machine *out);

/* A machine by its figures, with what follows from them filled in. */
void size_machine_like(struct size_machine *out, uint64_t mem_bytes, unsigned word_bits,
		       uint32_t release);

/* What the kernel chooses by itself. */
struct size_defaults {
	uint64_t buckets, max, expect_buckets, expect_max;
	unsigned factor; /* max = factor * buckets */
};

/* -EINVAL when memory is 0. */
int size_defaults(const struct size_machine *m, struct size_defaults *out);

/* The buckets really made of @n: whole pages of pointers; as asked before 2.6.23. */
uint64_t size_buckets_rounded(const struct size_machine *m, uint64_t n);

/* What hashsize=@n as a module parameter makes: buckets, and 8 times as many entries. */
void size_of_hashsize(const struct size_machine *m, uint64_t n, struct size_defaults *out);

/* Formulas in use: the kernels' own and those of guides. */
struct size_formula {
	const char *id;	       /* "kernel-5.15", stable */
	const char *formula;   /* "max = RAM / 16384 / (bits / 32)" */
	const char *kernels;   /* what it held for */
	bool is_kernel;	       /* what a kernel does, not what somebody advises */
	uint32_t since, until; /* of a kernel's own: [since, until) */
	/* @out: max and buckets; 0 where the formula does not say. */
	void (*reckon)(const struct size_machine *m, uint64_t *max, uint64_t *buckets);
};
extern const struct size_formula size_formulas[];
extern const size_t size_n_formulas;

/* True when @f is what a kernel of this machine's release does by itself. */
bool size_formula_holds(const struct size_formula *f, const struct size_machine *m);

/* Extensions an entry may carry (bits), and how many bytes they add: one block for all. */
enum size_extension {
	SIZE_EXT_HELPER = 1 << 0,
	SIZE_EXT_NAT = 1 << 1, /* masquerading only */
	SIZE_EXT_SEQADJ = 1 << 2,
	SIZE_EXT_ACCT = 1 << 3,
	SIZE_EXT_EVENTS = 1 << 4,
	SIZE_EXT_TIMESTAMP = 1 << 5,
	SIZE_EXT_TIMEOUT = 1 << 6,
	SIZE_EXT_LABELS = 1 << 7,
	SIZE_EXT_SYNPROXY = 1 << 8,
};
uint64_t size_extension_bytes(unsigned extensions);

/* What one entry takes. */
struct size_entry {
	uint64_t entry_bytes;	  /* one object of the slab */
	uint64_t extension_bytes; /* what the switches of this machine add to each new entry */
	bool is_measured;	  /* from this kernel's slab; else the table by release */
	char origin[96];	  /* "/sys/kernel/slab/nf_conntrack/slab_size", ... */
};

/* By the table of releases only: about right, and says so. */
void size_entry_by_release(const struct size_machine *m, struct size_entry *out);

/* Of this machine: the slab when it can be read (root), else the table; extensions by the
 * switches in @s (may be null). */
void size_entry_of(struct host *h, const struct size_machine *m, const struct settings *s,
		   struct size_entry *out);

/* What a table costs, all of it unswappable. */
struct size_cost {
	uint64_t entries_bytes;	   /* @n_entries objects, in whole slabs of pages */
	uint64_t extensions_bytes; /* their extension blocks */
	uint64_t buckets_bytes;	   /* the hash */
	uint64_t nat_bytes;	   /* the by-source hash of NAT, sized like it at load */
	uint64_t total_bytes;
};
void size_cost(const struct size_machine *m, const struct size_entry *e, uint64_t n_entries,
	       uint64_t n_buckets, struct size_cost *out);

/* Whether @n_entries in @n_buckets may be set at all and fits into memory. 0; -ENOMEM with a
 * sentence when it is more than half of what the kernel can use; -ERANGE when the kernel refuses
 * the numbers. */
int size_fits(const struct size_machine *m, const struct size_cost *c, uint64_t n_entries,
	      uint64_t n_buckets, struct ct_err *err);

/* The most entries, with one bucket each, that take @share (0..1) of the usable memory. */
uint64_t size_max_within(const struct size_machine *m, const struct size_entry *e, double share);

/* Chains: with n entries in b buckets the length of a chain is Poisson with mean 2 n / b. */
double size_chain_share(double entries_per_bucket, unsigned length);  /* exactly @length links */
double size_chain_longer(double entries_per_bucket, unsigned length); /* more than @length */

/* Links walked on the average to find an entry that is there. */
double size_lookup_links(double entries_per_bucket);

/* How long a chain may be when an entry is added: the limit is drawn anew each time, min to max.
 * From 5.15 on; it was 8 to 31 at first, which refuses flows in tables that are half empty, until
 * 6.3 (and 6.2.7, 6.1.20, 5.15.103) made it 50 to 79. A release that ends in .0 is taken for a
 * distribution's, which hides the number of the stable release: as repaired. -ENOENT: no limit. */
#define SIZE_CHAIN_LIMIT_SINCE RELEASE(5, 15, 0)
int size_chain_limit(uint32_t release, unsigned *min, unsigned *max);

/* The chance that a new connection is refused because a chain is too long, on the newest kernels
 * and on @release (0 is the newest; 0 where no limit was). */
double size_insert_failure(double entries_per_bucket);
double size_insert_failure_on(uint32_t release, double entries_per_bucket);

/* When the table is full: the chance that the eight buckets searched hold no entry that may be
 * evicted, so that the new connection is dropped. @unassured is the share of entries (0..1). */
double size_early_drop_miss(double entries_per_bucket, double unassured);

#endif
