/* SPDX-License-Identifier: BSD-2-Clause
 *
 * See whatif.h.
 */
#include "ops/whatif/whatif.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "ops/table/service.h"

struct kind {
	uint64_t n, n_notrack, n_stand;
	uint64_t n_lost, n_gained; /* of EITHER: stands, but not otherwise; the reverse */
	uint64_t n_apart;	   /* stand as far as one knows: longer than the setting, no age */
	uint64_t n_unassured, n_unassured_stand;
	struct steady_ages ages, ages_all; /* of what stays tracked; of all */
};

struct whatif {
	const struct change *change;
	struct whatif_timeouts now, then;
	struct kind kind[WHATIF_SLOTS];
	struct whatif_notrack notrack[CHANGE_MAX_NOTRACK];
	uint64_t n_certainty[WHATIF_CERTAINTIES];
	struct services *services;
	struct breaks breaks;
};

/* Data waits for its acknowledgement on the shorter of two timeouts: when that is the state's, the
 * entry counts as one of the state. */
static void cap_unacked(struct whatif_timeouts *t)
{
	uint32_t state_s = t->s[WHATIF_TCP_ESTABLISHED];

	if (state_s && t->s[WHATIF_TCP_UNACKED] > state_s)
		t->s[WHATIF_TCP_UNACKED] = state_s;
}

int whatif_new(const struct change *c, const struct settings *now, uint64_t seed,
	       struct whatif **out)
{
	struct whatif *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	if (services_new(seed, &w->services) < 0) {
		free(w);
		return -ENOMEM;
	}
	w->change = c;
	whatif_timeouts_of(now, &w->now);
	w->then = w->now;
	for (unsigned i = 0; i < c->n_sets; i++)
		if (c->set[i].setting->unit == SETTING_SECONDS)
			(void)whatif_timeouts_set(&w->then, c->set[i].setting->name,
						  (uint32_t)c->set[i].value);
	cap_unacked(&w->now);
	cap_unacked(&w->then);
	for (enum whatif_slot i = 0; i < WHATIF_SLOTS; i++)
		w->kind[i].ages.full_s = w->kind[i].ages_all.full_s = w->now.s[i];
	*out = w;
	return 0;
}

void whatif_free(struct whatif *w)
{
	if (!w)
		return;
	services_free(w->services);
	free(w);
}

void whatif_set_endpoints(struct whatif *w, const struct endpoints *ends)
{
	w->breaks.ends = ends;
}

const struct whatif_timeouts *whatif_now(const struct whatif *w)
{
	return &w->now;
}

const struct whatif_timeouts *whatif_then(const struct whatif *w)
{
	return &w->then;
}

struct services *whatif_services(struct whatif *w)
{
	return w->services;
}

uint32_t whatif_want(const struct change *c)
{
	uint32_t want = CT_KNOWN_FAMILY | CT_KNOWN_PARTS | CT_KNOWN_TIMEOUT | CT_KNOWN_STATUS |
			CT_KNOWN_FLAGS | CT_KNOWN_STATE | CT_KNOWN_TCP | CT_KNOWN_HELPER |
			CT_KNOWN_MASTER;

	for (unsigned i = 0; i < c->n_notrack; i++)
		want |= ct_match_want(&c->notrack[i].match);
	return want;
}

bool whatif_is_translated(const struct ct_entry *e)
{
	struct ct_tuple back;

	if ((e->known & CT_KNOWN_STATUS) && (e->status & (CT_STATUS_SRC_NAT | CT_STATUS_DST_NAT)))
		return true;
	return ct_tuple_invert(&back, &e->tuple[CT_DIR_ORIG]) == 0 &&
	       !ct_tuple_equal(&back, &e->tuple[CT_DIR_REPLY]);
}

static void count_notrack(struct whatif_notrack *n, const struct ct_entry *e, bool is_alone)
{
	n->n++;
	n->n_alone += is_alone;
	n->n_helped += (e->known & (CT_KNOWN_HELPER | CT_KNOWN_MASTER)) != 0;
	if (!whatif_is_translated(e))
		return;
	if (n->n_nat++ == 0)
		memcpy(n->nat_example, e->tuple, sizeof(n->nat_example));
}

/* Whether rules would keep @e out; counts it by condition. */
static bool is_untracked(struct whatif *w, const struct ct_entry *e)
{
	unsigned met = 0, last = 0;
	uint32_t which = 0;

	for (unsigned i = 0; i < w->change->n_notrack; i++) {
		if (!change_untracks(w->change, i, e))
			continue;
		which |= 1u << i;
		last = i;
		met++;
	}
	for (unsigned i = 0; which && i <= last; i++)
		if (which >> i & 1)
			count_notrack(&w->notrack[i], e, met == 1);
	return met > 0;
}

static bool is_aged(const struct kind *k, const struct whatif_idle *idle)
{
	return idle->certainty <= WHATIF_EITHER && idle->full_s == k->ages.full_s;
}

static void add_tracked(struct whatif *w, const struct whatif_idle *idle, bool is_unassured)
{
	struct kind *k = &w->kind[idle->slot];

	w->n_certainty[idle->certainty]++;
	k->n_stand += idle->stands;
	k->n_unassured_stand += is_unassured && idle->stands;
	k->n_lost += idle->stands && !idle->stands_otherwise;
	k->n_gained += !idle->stands && idle->stands_otherwise;
	k->n_apart += idle->certainty == WHATIF_LONGER || idle->certainty == WHATIF_UNAGED;
	if (is_aged(k, idle))
		steady_add(&k->ages, idle->idle_s);
}

void whatif_add(struct whatif *w, const struct ct_entry *e)
{
	struct service_key key = { e->tuple[CT_DIR_ORIG].proto, entry_service_port(e, NULL) };
	bool are_flags_known = e->known & (CT_KNOWN_STATUS | CT_KNOWN_FLAGS);
	bool is_unassured = are_flags_known && !(e->status & CT_STATUS_ASSURED);
	bool is_out = is_untracked(w, e);
	enum breaks_verdict verdict = BREAKS_NOT;
	struct whatif_idle idle;
	struct kind *k;

	whatif_idle_of(e, &w->now, &w->then, &idle);
	k = &w->kind[idle.slot];
	k->n++;
	k->n_notrack += is_out;
	k->n_unassured += is_unassured;
	if (!is_out)
		verdict = breaks_add(&w->breaks, e, &idle);
	services_add(w->services, key, idle.slot, !is_out && idle.stands,
		     verdict != BREAKS_NOT && verdict != BREAKS_GONE);
	if (is_aged(k, &idle))
		steady_add(&k->ages_all, idle.idle_s);
	if (!is_out)
		add_tracked(w, &idle, is_unassured);
}

/* The oldest idle age that speaks for a kind: its own where time alone ends it, else that of any,
 * as a kind may be short of old entries for another reason than a young table. */
static uint32_t oldest_for(const struct whatif *w, enum whatif_slot slot, uint32_t oldest_s)
{
	return whatif_slot_ends(slot) == WHATIF_BY_TIME ? w->kind[slot].ages.oldest_s : oldest_s;
}

static void end_row(const struct whatif *w, enum whatif_slot slot, uint32_t oldest_s,
		    struct whatif_outcome *out)
{
	double growth = w->change->growth > 0 ? w->change->growth : 1;
	const struct kind *k = &w->kind[slot];
	struct whatif_row *row = &out->row[slot];
	struct steady_forecast f;
	uint64_t n_seen;

	steady_forecast(&(struct steady_question){ .ages = &k->ages,
						   .ends = whatif_slot_ends(slot),
						   .n = k->n - k->n_notrack,
						   .n_stand = k->n_stand,
						   .n_low = k->n_lost,
						   .n_high = k->n_gained,
						   .then_s = w->then.s[slot],
						   .oldest_s = oldest_for(w, slot, oldest_s) },
			&f);
	*row = (struct whatif_row){ .now = k->n,
				    .n_notrack = k->n_notrack,
				    .full_s = w->now.s[slot],
				    .then_s = w->then.s[slot],
				    .rate_per_s = steady_leaving_per_s(&k->ages_all, &n_seen),
				    .rate_then_per_s = f.leaving_per_s * growth,
				    .settled = f.settled + (double)k->n_notrack,
				    .then = f.n * growth,
				    .low = f.low * growth,
				    .high = f.high * growth,
				    .is_young = f.is_young,
				    .goes_on = f.goes_on,
				    .is_beyond = f.is_beyond,
				    .has_gap = steady_has_gap(&k->ages) };
	if (row->then_s < row->full_s && k->n_apart > 0)
		row->low = row->low > growth * (double)k->n_apart
				   ? row->low - growth * (double)k->n_apart
				   : 0;
	out->factor[slot] = k->n_stand ? row->then / (double)k->n_stand : 0;
	out->unassured_now += (double)k->n_unassured;
	out->unassured_then += (double)k->n_unassured_stand * out->factor[slot];
	if (row->then_s < row->full_s && k->n_stand < k->n - k->n_notrack &&
	    row->full_s - row->then_s > out->effect_s)
		out->effect_s = row->full_s - row->then_s;
	if (row->is_beyond && row->then_s > out->effect_s)
		out->effect_s = row->then_s;
	if (row->n_notrack > 0 && row->full_s > out->effect_s)
		out->effect_s = row->full_s;
}

void whatif_end(const struct whatif *w, struct whatif_outcome *out)
{
	struct whatif_row *total = &out->total;

	*out = (struct whatif_outcome){ 0 };
	memcpy(out->n_certainty, w->n_certainty, sizeof(out->n_certainty));
	memcpy(out->notrack, w->notrack, sizeof(out->notrack));
	out->breaks = w->breaks;
	for (enum whatif_slot i = 0; i < WHATIF_SLOTS; i++)
		if (w->kind[i].ages.n && w->kind[i].ages.oldest_s > out->oldest_s)
			out->oldest_s = w->kind[i].ages.oldest_s;
	for (enum whatif_slot i = 0; i < WHATIF_SLOTS; i++) {
		const struct whatif_row *row = &out->row[i];

		end_row(w, i, out->oldest_s, out);
		out->n_unsure += w->kind[i].n_lost + w->kind[i].n_gained;
		total->now += row->now;
		total->n_notrack += row->n_notrack;
		total->rate_per_s += row->rate_per_s;
		total->rate_then_per_s += row->rate_then_per_s;
		total->settled += row->settled;
		total->then += row->then;
		total->low += row->low;
		total->high += row->high;
	}
}
