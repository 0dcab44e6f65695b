/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conntune size: from memory to limit and buckets by every rule in use, and back to memory; what
 * the ratio does to the chains; whether it fits.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/cmd/cmd.h"
#include "lib/base/number.h"
#include "ops/host/netns.h"
#include "ops/settings/persist.h"
#include "ops/settings/size.h"

enum { SIZE_MEMORY = 1, SIZE_BITS, SIZE_KERNEL, SIZE_MAX_OPTION, SIZE_BUCKETS, SIZE_ENTRIES };

struct size_state {
	uint64_t mem_bytes, bits, max, buckets, entries; /* 0: not given */
	uint32_t release;
};

static const struct option_spec size_options[] = {
	{ "memory", 'm', "SIZE", SIZE_MEMORY,
	  "a machine of this memory (64G) instead of this one" },
	{ "bits", 0, "N", SIZE_BITS, "with --memory: 32 or 64" },
	{ "kernel", 'k', "RELEASE", SIZE_KERNEL, "as this kernel would do it (5.10)" },
	{ "max", 0, "N", SIZE_MAX_OPTION, "judge this limit" },
	{ "buckets", 'b', "N", SIZE_BUCKETS, "with this many buckets (default: one an entry)" },
	{ "entries", 'e', "N", SIZE_ENTRIES, "judge this many entries instead of a full table" },
	{ NULL, 0, NULL, 0, NULL },
};

/* "5.10", "2.6.32", "6.1.0-18-amd64" */
static int parse_release(const char *s, uint32_t *out, struct ct_err *err)
{
	if (host_release_parse(s, out) < 0)
		return ct_err_set(err, -EINVAL, "--kernel takes a release such as 5.10, not '%s'",
				  s);
	return 0;
}

static int size_option(void *state, int key, const char *value, struct ct_err *err)
{
	struct size_state *s = state;
	uint64_t *number = key == SIZE_BITS	    ? &s->bits
			   : key == SIZE_MAX_OPTION ? &s->max
			   : key == SIZE_BUCKETS    ? &s->buckets
						    : &s->entries;

	if (key == SIZE_KERNEL)
		return parse_release(value, &s->release, err);
	if (key == SIZE_MEMORY) {
		if (ct_number_size(value, strlen(value), &s->mem_bytes) < 0 ||
		    s->mem_bytes < 1 << 20 || s->mem_bytes > UINT64_C(1) << 50)
			return ct_err_set(err, -EINVAL,
					  "--memory takes a size from 1M to 1024T, not '%s'",
					  value);
		return 0;
	}
	if (ct_number_u64(value, strlen(value), UINT64_C(1) << 40, number) < 0 || *number == 0)
		return ct_err_set(err, -EINVAL,
				  "--%s takes a number from 1 to %" PRIu64 ", not '%s'",
				  key == SIZE_BITS	   ? "bits"
				  : key == SIZE_MAX_OPTION ? "max"
				  : key == SIZE_BUCKETS	   ? "buckets"
							   : "entries",
				  UINT64_C(1) << 40, value);
	if (key == SIZE_BITS && *number != 32 && *number != 64)
		return ct_err_set(err, -EINVAL, "--bits takes 32 or 64, not '%s'", value);
	return 0;
}

/* Everything the screen shows. */
struct picture {
	struct size_machine m;
	struct size_defaults by_kernel;
	struct size_entry entry;
	uint64_t max, buckets, entries;
	const char *max_from, *buckets_from;
	bool is_this_machine;
	bool max_is_asked;	 /* by --max */
	size_t n_netns;		 /* of this machine, 0 unknown */
	const struct boot *boot; /* of this machine, or null */
};

static const char *bytes_text(uint64_t bytes, char out[32])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double v = (double)bytes;
	size_t u = 0;

	while (v >= 1024 && u < 4) {
		v /= 1024;
		u++;
	}
	(void)snprintf(out, 32, v < 10 && u > 0 ? "%.1f %s" : "%.0f %s", v, units[u]);
	return out;
}

static const char *chance_text(double p, char out[32])
{
	if (p <= 0)
		(void)snprintf(out, 32, "never");
	else if (p < 1e-12)
		(void)snprintf(out, 32, "practically never");
	else if (p < 1e-5)
		(void)snprintf(out, 32, "%.0e", p);
	else if (p < 0.01)
		(void)snprintf(out, 32, "%.2g %%", p * 100);
	else
		(void)snprintf(out, 32, "%.0f %%", p * 100);
	return out;
}

static void put_bytes(struct writer *w, const char *key, const char *label, uint64_t bytes)
{
	char text[32];

	writer_u64_as(w, key, label, bytes, bytes_text(bytes, text));
}

static void put_chance(struct writer *w, const char *key, const char *label, double p)
{
	char text[32];

	writer_f64_as(w, key, label, p, chance_text(p, text));
}

static bool has_chain_limit(const struct picture *p)
{
	unsigned min, max;

	return size_chain_limit(p->m.release, &min, &max) == 0;
}

/* The limit and buckets to judge: given, or those of this machine now, or the kernel's default. */
static void choose(struct picture *p, const struct size_state *s, const struct settings *now)
{
	const struct setting_value *max = now ? settings_get(now, "nf_conntrack_max") : NULL;
	const struct setting_value *buckets =
		now ? settings_get(now, "nf_conntrack_buckets") : NULL;

	if (now && !buckets)
		buckets = settings_get(now, "hashsize");
	p->max = p->by_kernel.max;
	p->buckets = p->by_kernel.buckets;
	p->max_from = p->buckets_from = "the kernel's default";
	if (max && max->now > 0) {
		p->max = (uint64_t)max->now;
		p->max_from = max->now_path;
	}
	if (buckets && buckets->now > 0) {
		p->buckets = (uint64_t)buckets->now;
		p->buckets_from = buckets->now_path;
	}
	if (s->max) {
		p->max = s->max;
		p->max_from = "as asked";
		p->buckets = size_buckets_rounded(&p->m, s->max);
		p->buckets_from = "one an entry, in whole pages";
	}
	if (s->buckets) {
		p->buckets = size_buckets_rounded(&p->m, s->buckets);
		p->buckets_from =
			p->buckets == s->buckets ? "as asked" : "rounded up to whole pages";
	}
	p->entries = s->entries ? s->entries : p->max;
}

static void show_machine(struct writer *w, const struct picture *p)
{
	char release[32];

	(void)snprintf(release, sizeof(release), "%u.%u.%u", p->m.release / 1000000,
		       p->m.release / 1000 % 1000, p->m.release % 1000);
	writer_section(w, "machine", "Machine");
	put_bytes(w, "memory_bytes", "memory", p->m.mem_bytes);
	if (p->m.low_mem_bytes != p->m.mem_bytes)
		put_bytes(w, "low_memory_bytes", "of it for the kernel", p->m.low_mem_bytes);
	writer_u64(w, "word_bits", "word bits", p->m.word_bits);
	if (p->m.release)
		writer_str(w, "kernel", "kernel", release);
	else
		writer_unknown(w, "kernel", "kernel", "not told; taken as the newest");
	writer_u64(w, "default_max", "limit by default", p->by_kernel.max);
	writer_u64(w, "default_buckets", "buckets by default", p->by_kernel.buckets);
	writer_end(w);
}

static void show_table(struct writer *w, const struct picture *p)
{
	char text[96];
	double ratio = (double)p->entries / (double)p->buckets;

	writer_section(w, "table", "Table");
	(void)snprintf(text, sizeof(text), "%" PRIu64 "  (%s)", p->max, p->max_from);
	writer_u64_as(w, "max", "limit", p->max, text);
	writer_str(w, "max_from", NULL, p->max_from);
	(void)snprintf(text, sizeof(text), "%" PRIu64 "  (%s)", p->buckets, p->buckets_from);
	writer_u64_as(w, "buckets", "buckets", p->buckets, text);
	writer_str(w, "buckets_from", NULL, p->buckets_from);
	if (p->entries != p->max)
		writer_u64(w, "entries", "entries judged", p->entries);
	else
		writer_u64(w, "entries", NULL, p->entries);
	writer_f64(w, "entries_per_bucket", "entries per bucket", ratio, 2);
	writer_end(w);
}

static void show_memory(struct writer *w, const struct picture *p, const struct size_cost *c)
{
	double share = 100.0 * (double)c->total_bytes / (double)p->m.low_mem_bytes;
	char text[160], size[32];

	writer_section(w, "memory",
		       p->entries == p->max ? "Memory when full (not swappable)"
					    : "Memory (not swappable)");
	(void)snprintf(text, sizeof(text), "%" PRIu64 " B  (%s)", p->entry.entry_bytes,
		       p->entry.origin);
	writer_u64_as(w, "entry_bytes", "one entry", p->entry.entry_bytes, text);
	writer_bool(w, "entry_is_measured", NULL, p->entry.is_measured);
	(void)snprintf(text, sizeof(text), "%" PRIu64 " B  (%s)", p->entry.extension_bytes,
		       p->entry.extension_bytes
			       ? "acct, timestamp or events is on"
			       : "128 B each with acct, timestamp, a listener or a helper");
	writer_u64_as(w, "extension_bytes", "its extensions", p->entry.extension_bytes, text);
	put_bytes(w, "entries_bytes", "entries", c->entries_bytes);
	if (c->extensions_bytes)
		put_bytes(w, "extensions_bytes", "extension blocks", c->extensions_bytes);
	else
		writer_u64(w, "extensions_bytes", NULL, 0);
	put_bytes(w, "buckets_bytes", "hash", c->buckets_bytes);
	put_bytes(w, "nat_bytes", "hash of NAT", c->nat_bytes);
	(void)snprintf(text, sizeof(text), "%s, %.*f %% of %s", bytes_text(c->total_bytes, size),
		       share < 1 ? 2 : 0, share,
		       p->m.word_bits == 32 ? "what the kernel can use" : "memory");
	writer_u64_as(w, "total_bytes", "together", c->total_bytes, text);
	if (p->n_netns > 1) {
		uint64_t most = c->total_bytes +
				(p->n_netns - 1) * (c->entries_bytes + c->extensions_bytes);

		(void)snprintf(text, sizeof(text), "%s  (%zu namespaces, each may fill up)",
			       bytes_text(most, size), p->n_netns);
		writer_u64_as(w, "all_namespaces_bytes", "at the very most", most, text);
	}
	writer_end(w);
}

/* The distribution of chain lengths, in steps that double. */
static void show_chains(struct writer *w, double ratio)
{
	static const struct writer_column columns[] = {
		{ "from", "links", true },
		{ "to", "to", true },
		{ "share", "share of buckets", true },
	};
	static const unsigned steps[] = { 0, 1, 2, 3, 5, 9, 17, 33, 50, 80 };

	writer_list(w, "chains", "Chains at that load", columns, 3);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		bool is_last = i + 1 == sizeof(steps) / sizeof(steps[0]);
		double above = i ? size_chain_longer(ratio, steps[i] - 1) : 1;
		double beyond = is_last ? 0 : size_chain_longer(ratio, steps[i + 1] - 1);

		if (above - beyond < 1e-9)
			continue;
		writer_row(w);
		writer_u64(w, "from", NULL, steps[i]);
		if (is_last)
			writer_unknown(w, "to", NULL, "more");
		else
			writer_u64(w, "to", NULL, steps[i + 1] - 1);
		put_chance(w, "share", NULL, above - beyond);
		writer_end(w);
	}
	writer_end(w);
}

static void show_load(struct writer *w, const struct picture *p)
{
	double ratio = (double)p->entries / (double)p->buckets;

	writer_section(w, "load", "At that load");
	writer_f64(w, "mean_chain", "mean chain", 2 * ratio, 2);
	writer_f64(w, "lookup_links", "links walked per lookup", size_lookup_links(ratio), 2);
	if (has_chain_limit(p))
		put_chance(w, "insert_failure", "new flow refused: chain too long",
			   size_insert_failure_on(p->m.release, ratio));
	else
		writer_f64_as(w, "insert_failure", "new flow refused: chain too long", 0,
			      "never: no limit on chains before 5.15");
	put_chance(w, "drop_when_full_unassured_1", "new flow dropped when full, 1 % unassured",
		   size_early_drop_miss(ratio, 0.01));
	put_chance(w, "drop_when_full_unassured_5", "5 % unassured",
		   size_early_drop_miss(ratio, 0.05));
	put_chance(w, "drop_when_full_unassured_20", "20 % unassured",
		   size_early_drop_miss(ratio, 0.20));
	writer_end(w);
	show_chains(w, ratio);
}

/* The same entries in more or fewer buckets. */
static void show_ratios(struct writer *w, const struct picture *p)
{
	static const struct writer_column columns[] = {
		{ "entries_per_bucket", "per bucket", true },
		{ "buckets", "buckets", true },
		{ "hash_bytes", "hash", true },
		{ "mean_chain", "mean chain", true },
		{ "insert_failure", "refused", true },
		{ "drop_when_full_unassured_5", "dropped when full *", true },
	};
	static const double ratios[] = { 0.5, 1, 2, 4, 8, 12, 16, 20, 24, 32 };
	uint64_t bytes = p->m.word_bits / 8;

	writer_list(w, "ratios", "The same entries in other numbers of buckets", columns, 6);
	for (size_t i = 0; i < sizeof(ratios) / sizeof(ratios[0]); i++) {
		uint64_t buckets =
			size_buckets_rounded(&p->m, (uint64_t)ceil((double)p->entries / ratios[i]));

		writer_row(w);
		writer_f64(w, "entries_per_bucket", NULL, ratios[i], 1);
		writer_u64(w, "buckets", NULL, buckets);
		put_bytes(w, "hash_bytes", NULL, buckets * bytes);
		writer_f64(w, "mean_chain", NULL, 2 * ratios[i], 1);
		put_chance(w, "insert_failure", NULL,
			   size_insert_failure_on(p->m.release, ratios[i]));
		put_chance(w, "drop_when_full_unassured_5", NULL,
			   size_early_drop_miss(ratios[i], 0.05));
		writer_end(w);
	}
	writer_end(w);
	writer_para(w, 2,
		    "* when the table is full and 5 % of it may be evicted: only eight buckets are "
		    "searched, so short chains also mean less to evict.");
}

static void show_formulas(struct writer *w, const struct picture *p)
{
	static const struct writer_column columns[] = {
		{ "id", "rule", false },	{ "max", "limit", true },
		{ "buckets", "buckets", true }, { "cost_bytes", "full", true },
		{ "fits", "fits", false },	{ "kernels", "held for", false },
	};

	writer_list(w, "formulas", "By every rule in use", columns, 6);
	for (size_t i = 0; i < size_n_formulas; i++) {
		const struct size_formula *f = &size_formulas[i];
		uint64_t max = 0, buckets = 0;
		struct size_cost c;

		f->reckon(&p->m, &max, &buckets);
		if (!max)
			continue;
		size_cost(&p->m, &p->entry, max, buckets, &c);
		writer_row(w);
		writer_str(w, "id", NULL, f->id);
		writer_u64(w, "max", NULL, max);
		writer_u64(w, "buckets", NULL, buckets);
		put_bytes(w, "cost_bytes", NULL, c.total_bytes);
		writer_bool(w, "fits", NULL, size_fits(&p->m, &c, max, buckets, NULL) == 0);
		writer_str(w, "kernels", NULL,
			   size_formula_holds(f, &p->m) ? "this kernel, by itself" : f->kernels);
		writer_str(w, "formula", NULL, f->formula);
		writer_bool(w, "is_this_kernel", NULL, size_formula_holds(f, &p->m));
		writer_end(w);
	}
	writer_end(w);
}

static void show_advice(struct writer *w, const struct picture *p)
{
	double ratio = (double)p->max / (double)p->buckets;
	unsigned low, high;
	char text[320];

	if (size_chain_limit(p->m.release, &low, &high) == 0 && high < 50 &&
	    size_insert_failure_on(p->m.release, ratio) > 0.001)
		(void)snprintf(
			text, sizeof(text),
			"This kernel refuses chains longer than %u to %u links, drawn each "
			"time (repaired in 5.15.103, 6.1.20, 6.2.7 and 6.3): with %.2g entries "
			"per bucket %.2g %% of new flows are refused in a full table. Raise the "
			"buckets to one an entry.",
			low, high, ratio, 100 * size_insert_failure_on(p->m.release, ratio));
	else if (ratio > 16)
		(void)snprintf(text, sizeof(text),
			       "%.0f entries per bucket are unsafe: chains near their limit, new "
			       "connections are refused before the table is full. Raise the "
			       "buckets to %" PRIu64 ".",
			       ratio, size_buckets_rounded(&p->m, p->max));
	else if (ratio > 4)
		(void)snprintf(text, sizeof(text),
			       "%.0f entries per bucket make every lookup walk long chains. One "
			       "each would be %" PRIu64 " buckets.",
			       ratio, size_buckets_rounded(&p->m, p->max));
	else
		return;
	writer_para(w, 0, text);
}

/* The commands and the lines for what was asked. */
static void show_how(struct writer *w, const struct picture *p)
{
	static const struct writer_column now_columns[] = { { "command", "command", false } };
	static const struct writer_column columns[] = {
		{ "file", "file", false },
		{ "line", "line", false },
		{ "why", "for", false },
	};
	struct persist_line lines[PERSIST_MAX_LINES];
	char now[2][128];
	size_t n = persist_now(p->boot, p->max, p->buckets, now);

	writer_list(w, "set_now", "To set it now", now_columns, 1);
	for (size_t i = 0; i < n; i++) {
		writer_row(w);
		writer_str(w, "command", NULL, now[i]);
		writer_end(w);
	}
	writer_end(w);
	n = persist_lines(p->boot, p->max, p->buckets, lines);
	writer_list(w, "make_it_last", "To make it last", columns, 3);
	for (size_t i = 0; i < n; i++) {
		writer_row(w);
		writer_str(w, "file", NULL, lines[i].file);
		writer_str(w, "line", NULL, lines[i].line);
		writer_str(w, "why", NULL, lines[i].why);
		writer_end(w);
	}
	writer_end(w);
	writer_para(
		w, 2,
		"Writing the buckets moves every entry with all locks held: a stall that grows "
		"with the table. Raising the limit alone is a palliative; conntune doctor tells "
		"what fills the table.");
}

/* Shows it; 0, or an error when it does not fit. */
static int show(struct writer *w, const struct picture *p, struct ct_err *err)
{
	struct size_cost c;
	int r;

	size_cost(&p->m, &p->entry, p->entries, p->buckets, &c);
	r = size_fits(&p->m, &c, p->entries, p->buckets, err);
	writer_begin(w, "size", 1);
	show_machine(w, p);
	show_table(w, p);
	show_memory(w, p, &c);
	show_load(w, p);
	show_ratios(w, p);
	show_formulas(w, p);
	show_advice(w, p);
	if (p->boot && r == 0 && p->max_is_asked)
		show_how(w, p);
	writer_bool(w, "fits", NULL, r == 0);
	if (r < 0)
		writer_str(w, "why_not", NULL, err->text);
	return r;
}

/* How many there are, 0 when unknown. The limit is one for all, so --netns changes nothing but must
 * name one that exists. -ENOENT with a sentence. */
static int count_namespaces(struct host *h, const char *netns, size_t *out, struct ct_err *err)
{
	auto_fini(netns_list) struct netns_list list = { 0 };
	int r = netns_list(h, &list, err);

	*out = r == 0 ? list.n : 0;
	if (!netns || strcmp(netns, "all") == 0)
		return 0;
	if (r == 0)
		r = netns_find(h, &list, netns, err);
	return r < 0 ? r : 0;
}

static int size_run(void *state, const struct common_options *common, int argc, char **argv)
{
	const struct size_state *s = state;
	auto_free(host) struct host *h = NULL;
	auto_free(writer) struct writer *w = NULL;
	auto_fini(settings) struct settings now = { 0 };
	auto_free(boot) struct boot *b = NULL;
	struct picture p = { .max_is_asked = s->max > 0 };
	struct ct_err err = { "" };
	int fits;

	(void)argv;
	if (argc > 0) {
		cmd_error("size takes no operands; see 'conntune size --help'");
		return EXIT_MISUSE;
	}
	h = cmd_host(common);
	if (!h)
		return EXIT_FAILED;
	if (count_namespaces(h, common->netns, &p.n_netns, &err) < 0) {
		cmd_error("%s", err.text);
		return EXIT_FAILED;
	}
	p.is_this_machine = !s->mem_bytes && !s->bits && !s->release;
	if (size_machine_of(h, &p.m) < 0) {
		if (!s->mem_bytes) {
			cmd_error("the memory of this machine is not known; give --memory");
			return EXIT_FAILED;
		}
		size_machine_like(&p.m, s->mem_bytes, 64, 0);
	}
	if (!p.is_this_machine)
		size_machine_like(&p.m, s->mem_bytes ? s->mem_bytes : p.m.mem_bytes,
				  s->bits ? (unsigned)s->bits : p.m.word_bits,
				  s->release ? s->release : p.m.release);
	if (p.is_this_machine && settings_read_now(h, &now, &err) < 0) {
		cmd_error("%s", err.text);
		return EXIT_FAILED;
	}
	if (size_defaults(&p.m, &p.by_kernel) < 0)
		return EXIT_FAILED;
	if (p.is_this_machine) {
		size_entry_of(h, &p.m, &now, &p.entry);
		if (s->max && boot_read(h, &b, NULL) == 0)
			p.boot = b;
	} else {
		p.n_netns = 0;
		size_entry_by_release(&p.m, &p.entry);
	}
	choose(&p, s, p.is_this_machine ? &now : NULL);
	w = cmd_writer(common);
	if (!w)
		return EXIT_FAILED;
	fits = show(w, &p, &err);
	if (cmd_finish(w) != EXIT_DONE)
		return EXIT_FAILED;
	if (fits < 0) {
		cmd_error("it does not fit: %s", err.text);
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}

const struct command command_size = {
	.name = "size",
	.summary = "From memory to limit and buckets by every rule, and what they cost",
	.options = size_options,
	.option = size_option,
	.run = size_run,
	.state_size = sizeof(struct size_state),
};
