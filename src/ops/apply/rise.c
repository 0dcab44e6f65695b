/* SPDX-License-Identifier: BSD-2-Clause
 *
 * See rise.h.
 */
#include "ops/apply/rise.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/number.h"
#include "ops/facts/proc_stat.h"
#include "ops/host/dump.h"

static void stats_by_netlink(struct host *h, struct stats *out)
{
	auto_free(dump) struct dump *d = NULL;
	uint8_t request[NL_MAX_REQUEST];
	const void *payload;
	struct nl_stats cpu;
	uint16_t type;
	size_t size;

	if (dump_open(h, NL_NAME_STATS_CPU, request, (size_t)nl_stats_cpu_request(request), &d,
		      NULL) < 0)
		return;
	while (dump_next(d, &type, &payload, &size, NULL) > 0)
		if (nl_stats_cpu_decode(payload, size, &cpu) == 0)
			(void)stats_add(out, &cpu);
}

static void add_tracker(struct host *h, struct rise *out)
{
	auto_fini(ct_buf) struct ct_buf b = { 0 };
	struct stats s = { 0 };

	if (host_read(h, "/proc/net/stat/nf_conntrack", &b) < 0 ||
	    proc_stat_parse(b.p, b.len, &s) < 0) {
		stats_fini(&s);
		s = (struct stats){ 0 };
		stats_by_netlink(h, &s);
	}
	out->drop += s.sum[NL_STAT_DROP] + s.sum[NL_STAT_INSERT_FAILED];
	out->invalid += s.sum[NL_STAT_INVALID];
	stats_fini(&s);
}

/* The word after @name in the header gives the column of the same number in the next line. */
static uint64_t snmp_value(const char *text, const char *name)
{
	const char *head = strstr(text, "Tcp:"), *values = head ? strstr(head + 4, "Tcp:") : NULL;
	size_t len = strlen(name);
	uint64_t v = 0;

	while (values && head < values) {
		size_t n = strcspn(head, " \n"), m = strcspn(values, " \n");

		if (n == len && memcmp(head, name, n) == 0)
			return ct_number_u64(values, m, UINT64_MAX, &v) == 0 ? v : 0;
		if (head[n] != ' ' || values[m] != ' ')
			return 0;
		head += n + 1;
		values += m + 1;
	}
	return 0;
}

static void add_resets(struct host *h, struct rise *out)
{
	auto_fini(ct_buf) struct ct_buf b = { 0 };

	if (host_read(h, "/proc/net/snmp", &b) < 0)
		return;
	out->reset += snmp_value(b.p, "EstabResets") + snmp_value(b.p, "OutRsts");
}

static void add(struct host *h, struct rise *out)
{
	add_tracker(h, out);
	add_resets(h, out);
}

void rise_read(struct site *s, const struct journal *j, struct rise *out)
{
	uint64_t last = 0;
	struct host *h;

	*out = (struct rise){ 0 };
	(void)host_uptime_ms(s->machine, &out->at_ms);
	add(s->machine, out);
	for (size_t i = 0; i < j->n_steps; i++) {
		uint64_t netns = j->steps[i].netns;

		if (netns == last || site_in(s, netns, &h, NULL) < 0)
			continue;
		last = netns;
		if (h != s->machine)
			add(h, out);
	}
}

/* Per second; a counter of a namespace that went away may have fallen. */
static uint64_t rate(uint64_t a, uint64_t b, int64_t ms)
{
	return b > a && ms > 0 ? (b - a) * 1000 / (uint64_t)ms : 0;
}

bool rise_exceeds(const struct rise *a, const struct rise *b, const struct journal_bounds *limits,
		  char why[160])
{
	const struct {
		const char *name;
		uint64_t rate, limit;
	} rows[] = {
		{ "dropped packets", rate(a->drop, b->drop, b->at_ms - a->at_ms), limits->drop },
		{ "INVALID packets", rate(a->invalid, b->invalid, b->at_ms - a->at_ms),
		  limits->invalid },
		{ "resets", rate(a->reset, b->reset, b->at_ms - a->at_ms), limits->reset },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].limit == 0 || rows[i].rate <= rows[i].limit)
			continue;
		(void)snprintf(why, 160,
			       "%s rose to %" PRIu64 " a second, more than the bound of %" PRIu64,
			       rows[i].name, rows[i].rate, rows[i].limit);
		return true;
	}
	return false;
}

static uint32_t limit(uint64_t usual, uint32_t more)
{
	uint64_t sum = usual + more;

	return more == 0 ? 0 : sum > UINT32_MAX ? UINT32_MAX : (uint32_t)sum;
}

void rise_limits(const struct rise *a, const struct rise *b, const struct journal_bounds *more,
		 struct journal_bounds *out)
{
	int64_t ms = b->at_ms - a->at_ms;

	*out = (struct journal_bounds){
		.drop = limit(rate(a->drop, b->drop, ms), more->drop),
		.invalid = limit(rate(a->invalid, b->invalid, ms), more->invalid),
		.reset = limit(rate(a->reset, b->reset, ms), more->reset),
	};
}
