/* SPDX-License-Identifier: BSD-2-Clause
 *
 * See steady.h.
 */
#include "ops/whatif/steady.h"

#include <math.h>

/* Seen as nothing by chance once in e^10 = 22,000 tables. */
#define MIN_MISSING   10
#define MIN_HORIZON_S 5
#define MIN_GAP	      3 /* bins */

static unsigned bin_of(const struct steady_ages *a, uint32_t idle_s)
{
	uint64_t bin = a->full_s ? (uint64_t)idle_s * STEADY_BINS / a->full_s : 0;

	return bin < STEADY_BINS ? (unsigned)bin : STEADY_BINS - 1;
}

void steady_add(struct steady_ages *a, uint32_t idle_s)
{
	a->bin[bin_of(a, idle_s)]++;
	a->n++;
	if (idle_s > a->oldest_s)
		a->oldest_s = idle_s;
}

/* The first whole second that falls into bin @b. */
static uint32_t bin_start_s(const struct steady_ages *a, unsigned b)
{
	return (uint32_t)(((uint64_t)b * a->full_s + STEADY_BINS - 1) / STEADY_BINS);
}

static uint64_t sum(const struct steady_ages *a, unsigned from, unsigned to)
{
	uint64_t n = 0;

	for (unsigned b = from; b < to; b++)
		n += a->bin[b];
	return n;
}

static uint32_t seconds(const struct steady_ages *a, unsigned from, unsigned to)
{
	return bin_start_s(a, to) - bin_start_s(a, from);
}

/* Whether two counts over two spans may have come at one rate: at most twice the scatter apart. */
static bool is_alike(uint64_t n1, uint32_t s1, uint64_t n2, uint32_t s2)
{
	double rate = (double)(n1 + n2) / (s1 + s2);
	double scatter = rate / s1 + rate / s2, apart = (double)n1 / s1 - (double)n2 / s2;

	return apart * apart <= 4 * scatter;
}

double steady_leaving_per_s(const struct steady_ages *a, uint64_t *n_seen)
{
	unsigned from = STEADY_BINS - STEADY_BINS / 4;

	*n_seen = 0;
	if (a->full_s == 0)
		return 0;
	while (from > 0) {
		unsigned next = from > STEADY_BINS / 4 ? from - STEADY_BINS / 4 : 0;
		uint32_t near_s = seconds(a, next, from), far_s = seconds(a, from, STEADY_BINS);

		if (far_s > 0 && near_s > 0 &&
		    !is_alike(sum(a, next, from), near_s, sum(a, from, STEADY_BINS), far_s))
			break;
		from = next;
	}
	*n_seen = sum(a, from, STEADY_BINS);
	return (double)*n_seen / seconds(a, from, STEADY_BINS);
}

uint32_t steady_horizon_s(const struct steady_ages *a, uint32_t oldest_s)
{
	double seen_s = (double)oldest_s + 1, missing;

	if (a->n == 0 || oldest_s + 1 >= a->full_s || seen_s >= 0.95 * a->full_s)
		return 0;
	missing = (double)a->n / seen_s * (a->full_s - seen_s);
	return missing >= MIN_MISSING ? oldest_s + 1 : 0;
}

/* Whether so many follow bin @b, and so densely, that @empty bins before it are none by chance:
 * the density falls with age, so what follows a gap is the least that should stand in it. */
static bool is_gap(const struct steady_ages *a, unsigned b, unsigned empty)
{
	uint64_t after = sum(a, b, STEADY_BINS);

	return empty >= MIN_GAP && after >= MIN_MISSING &&
	       after * empty >= (uint64_t)MIN_MISSING * (STEADY_BINS - b);
}

bool steady_has_gap(const struct steady_ages *a)
{
	uint64_t before = 0;
	unsigned empty = 0;

	for (unsigned b = 0; b < STEADY_BINS; b++) {
		if (seconds(a, b, b + 1) == 0)
			continue;
		if (a->bin[b] == 0) {
			empty++;
			continue;
		}
		if (before >= MIN_MISSING && is_gap(a, b, empty))
			return true;
		before += a->bin[b];
		empty = 0;
	}
	return false;
}

static double at_least_0(double v)
{
	return v > 0 ? v : 0;
}

/* A longer timeout than the one that was: what left by time would still be there. */
static void beyond(const struct steady_question *q, uint64_t n_seen, struct steady_forecast *out)
{
	double added = out->leaving_per_s * (q->then_s - q->ages->full_s);
	/* nothing seen leaving may still be three (95 %) in the span looked at */
	double unseen = 3.0 / q->ages->full_s * (q->then_s - q->ages->full_s);
	double scatter = n_seen ? 2 * added / sqrt((double)n_seen) : unseen;

	out->is_beyond = true;
	out->n += added;
	out->high = out->n + scatter;
	out->low = q->ends == WHATIF_BY_TIME ? at_least_0(out->n - scatter) : (double)q->n_stand;
}

/* Whether they came evenly since the first one, long enough for whole seconds to tell. */
static bool is_even(const struct steady_ages *a, uint32_t horizon_s)
{
	unsigned end = bin_of(a, horizon_s - 1) + 1, middle = end / 2;
	uint32_t near_s = seconds(a, 0, middle), far_s = horizon_s - bin_start_s(a, middle);

	return horizon_s >= MIN_HORIZON_S && near_s > 0 && far_s > 0 &&
	       is_alike(sum(a, 0, middle), near_s, sum(a, middle, end), far_s);
}

/* Entries that began to come lately: their number so far, over the time they had. They may as well
 * end now, so there may be no more of them. */
static void young(const struct steady_question *q, uint32_t horizon_s, struct steady_forecast *out)
{
	const struct steady_ages *a = q->ages;
	double stay = (double)(q->n - a->n); /* those whose age is not known */
	double rate = (double)a->n / horizon_s, scatter = 2 / sqrt((double)a->n);
	bool goes_on = is_even(a, horizon_s);

	out->is_young = true;
	out->goes_on = goes_on;
	if (goes_on) {
		out->leaving_per_s = rate;
		out->settled = rate * a->full_s + stay;
	}
	if (q->then_s <= horizon_s)
		return;
	out->high = (rate * q->then_s + stay) * (1 + scatter);
	if (goes_on)
		out->n = rate * q->then_s + stay;
}

void steady_forecast(const struct steady_question *q, struct steady_forecast *out)
{
	uint32_t horizon_s = q->ends == WHATIF_BY_TIME || q->ends == WHATIF_MOSTLY
				     ? steady_horizon_s(q->ages, q->oldest_s)
				     : 0;
	double scatter = 2 * sqrt((double)q->n_stand);
	uint64_t n_seen;

	*out = (struct steady_forecast){ .n = (double)q->n_stand, .settled = (double)q->n };
	out->leaving_per_s = steady_leaving_per_s(q->ages, &n_seen);
	out->low = out->n - scatter;
	out->high = out->n + scatter;
	if (q->then_s == q->ages->full_s && !horizon_s)
		out->low = out->high = out->n;
	if (horizon_s)
		young(q, horizon_s, out);
	else if (q->then_s > q->ages->full_s && q->ages->full_s > 0)
		beyond(q, n_seen, out);
	out->low = at_least_0(out->low - (double)q->n_low);
	out->high += (double)q->n_high;
}
