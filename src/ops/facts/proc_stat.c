/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Columns are found by their names in the first line. Linux 6.18, nf_conntrack_standalone.c,
 * ct_cpu_seq_show(); "searched" became "clashres" and "delete_list" "chainlength" on the way.
 */
#include "ops/facts/proc_stat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/number.h"

#define MAX_COLUMNS   32
#define NO_STAT	      (-1)
/* No counter of nl_stats: netlink tells those of expectations apart. */
#define EXPECT_CREATE (-2)

static const struct {
	const char *name;
	enum nl_stat stat;
} names[] = {
	{ "clashres", NL_STAT_CLASH_RESOLVE },
	{ "searched", NL_STAT_SEARCHED },
	{ "found", NL_STAT_FOUND },
	{ "new", NL_STAT_NEW },
	{ "invalid", NL_STAT_INVALID },
	{ "ignore", NL_STAT_IGNORE },
	{ "delete", NL_STAT_DELETE },
	{ "delete_list", NL_STAT_DELETE_LIST },
	{ "chainlength", NL_STAT_CHAINTOOLONG },
	{ "insert", NL_STAT_INSERT },
	{ "insert_failed", NL_STAT_INSERT_FAILED },
	{ "drop", NL_STAT_DROP },
	{ "early_drop", NL_STAT_EARLY_DROP },
	{ "icmp_error", NL_STAT_ERROR },
	{ "error", NL_STAT_ERROR },
	{ "search_restart", NL_STAT_SEARCH_RESTART },
};

void stats_fini(struct stats *s)
{
	free(s->cpu);
	s->cpu = NULL;
	s->n_cpus = 0;
}

int stats_add(struct stats *s, const struct nl_stats *cpu)
{
	struct nl_stats *grown;

	if (s->n_cpus >= STATS_MAX_CPUS)
		return -E2BIG;
	grown = realloc(s->cpu, (s->n_cpus + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	s->cpu = grown;
	s->cpu[s->n_cpus++] = *cpu;
	s->known |= cpu->known;
	for (unsigned i = 0; i < NL_STAT_MAX; i++)
		if (cpu->known & 1u << i)
			s->sum[i] += cpu->value[i];
	return 0;
}

static bool next_word(const char **at, const char *end, const char **word, size_t *len)
{
	while (*at < end && (**at == ' ' || **at == '\t'))
		++*at;
	*word = *at;
	while (*at < end && **at != ' ' && **at != '\t' && **at != '\n')
		++*at;
	*len = (size_t)(*at - *word);
	return *len > 0;
}

/* The counter of each column, from the heading; the number of columns. */
static unsigned read_heading(const char *at, const char *end, int stat[MAX_COLUMNS])
{
	const char *word;
	size_t len;
	unsigned n = 0;

	for (; n < MAX_COLUMNS && next_word(&at, end, &word, &len); n++) {
		stat[n] = len == 13 && memcmp(word, "expect_create", 13) == 0 ? EXPECT_CREATE
									      : NO_STAT;
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			if (len == strlen(names[i].name) && memcmp(word, names[i].name, len) == 0)
				stat[n] = (int)names[i].stat;
	}
	return n;
}

static bool hex32(const char *p, size_t len, uint32_t *out)
{
	char text[20] = "0x";
	uint64_t v;

	if (len > 16)
		return false;
	memcpy(text + 2, p, len);
	if (ct_number_any(text, len + 2, UINT32_MAX, &v) < 0)
		return false;
	*out = (uint32_t)v;
	return true;
}

static int take_line(struct stats *s, const char *at, const char *end, unsigned n_columns,
		     const int stat[MAX_COLUMNS])
{
	struct nl_stats cpu = { .cpu = (uint16_t)s->n_cpus };
	const char *word;
	size_t len;
	uint32_t v;

	for (unsigned i = 0; i < n_columns && next_word(&at, end, &word, &len); i++) {
		if (!hex32(word, len, &v))
			return -EBADMSG;
		if (i == 0) {
			s->entries = v;
			s->is_entries_known = true;
		} else if (stat[i] == EXPECT_CREATE) {
			s->expect_create += v;
			s->is_expect_create_known = true;
		} else if (stat[i] != NO_STAT) {
			cpu.known |= 1u << stat[i];
			cpu.value[stat[i]] = v;
		}
	}
	return cpu.known ? stats_add(s, &cpu) : 0;
}

int proc_stat_parse(const char *text, size_t len, struct stats *out)
{
	const char *end = text + len, *newline = memchr(text, '\n', len);
	int stat[MAX_COLUMNS];
	unsigned n;

	if (len < 7 || memcmp(text, "entries", 7) != 0 || !newline)
		return -EBADMSG;
	n = read_heading(text, newline, stat);
	for (text = newline + 1; text < end; text = newline + 1) {
		int r;

		newline = memchr(text, '\n', (size_t)(end - text));
		if (!newline)
			newline = end;
		r = take_line(out, text, newline, n, stat);
		if (r < 0) {
			stats_fini(out);
			return r;
		}
	}
	return out->n_cpus > 0 ? 0 : -EBADMSG;
}
