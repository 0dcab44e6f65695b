/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Expectations: see expect.h. Answers to Linux 6.18, net/netfilter/nf_conntrack_expect.c:
 * nf_ct_expect_related_report(), __nf_ct_expect_check(), nf_ct_find_expectation(),
 * evict_oldest_expect(), nf_ct_unlink_expect_report().
 */
#include "lib/engine/expect.h"

#include <string.h>

enum { N_BUCKETS = 1024, FIRST_EXPECTS = 64, FIRST_COLD = 256 };

struct expectations {
	struct expect *at; /* place 0 is never used */
	uint32_t n_places, n_used, max_places, free;
	uint32_t age;
	ct_tick next; /* no expectation ends before, while there are any */
	uint32_t head[N_BUCKETS];
};

static const struct {
	const char *name;
	uint8_t max_expected;
	uint16_t timeout_s;
} policies[] = {
	[CT_HELPER_NONE] = { "", 0, 0 },
#define HELPER(constant, name, proto, max, timeout) [CT_HELPER_##constant] = { name, max, timeout },
#include <conntune/helper.def>
#undef HELPER
};

const char *ct_helper_name(enum ct_helper h)
{
	return (unsigned)h < sizeof(policies) / sizeof(policies[0]) ? policies[h].name : "";
}

struct expectations *ct_expect_new(struct ct_engine *en)
{
	struct expectations *x = ct_mem_alloc(en, sizeof(*x), 64);

	if (x) {
		memset(x, 0, sizeof(*x));
		x->n_places = 1;
	}
	return x;
}

void ct_expect_free(struct ct_engine *en)
{
	struct expectations *x = en->expects;

	ct_mem_free(en, en->cold, en->max_cold * sizeof(*en->cold));
	if (!x)
		return;
	ct_mem_free(en, x->at, x->max_places * sizeof(*x->at));
	ct_mem_free(en, x, sizeof(*x));
}

/* Doubles an array that is full; true when there is room. */
static bool make_room(struct ct_engine *en, void **at, uint32_t n, uint32_t *max, size_t size,
		      uint32_t first)
{
	uint32_t more = *max ? *max * 2 : first;
	void *p;

	if (n < *max)
		return true;
	p = ct_mem_alloc(en, more * size, 64);
	if (!p)
		return false;
	if (*max)
		memcpy(p, *at, *max * size);
	ct_mem_free(en, *at, *max * size);
	*at = p;
	*max = more;
	return true;
}

struct cold *ct_cold_look(const struct ct_engine *en, const struct entry *e)
{
	return e->cold ? &en->cold[e->cold] : NULL;
}

struct cold *ct_cold_of(struct ct_engine *en, uint32_t number)
{
	struct entry *e = entry_at(en, number);
	void *at = en->cold;

	if (e->cold)
		return &en->cold[e->cold];
	if (en->free_cold) {
		e->cold = en->free_cold;
		en->free_cold = en->cold[e->cold].next_free;
	} else {
		en->n_cold += en->n_cold == 0; /* place 0 is "none" */
		if (!make_room(en, &at, en->n_cold, &en->max_cold, sizeof(*en->cold), FIRST_COLD))
			return NULL;
		en->cold = at;
		e->cold = en->n_cold++;
	}
	memset(&en->cold[e->cold], 0, sizeof(*en->cold));
	return &en->cold[e->cold];
}

void ct_cold_give(struct ct_engine *en, struct entry *e)
{
	if (!e->cold)
		return;
	en->cold[e->cold].next_free = en->free_cold;
	en->free_cold = e->cold;
	e->cold = 0;
}

/* By destination alone, as nf_ct_expect_dst_hash(). */
static uint32_t *bucket_of(struct ct_engine *en, const struct ct_tuple *t)
{
	struct ct_tuple to = {
		.dst = t->dst, .dst_part = t->dst_part, .family = t->family, .proto = t->proto
	};
	struct probe pr;

	ct_probe_make(en, &to, 0, &pr);
	return &en->expects->head[pr.hash % N_BUCKETS];
}

static bool is_same_end(const struct ct_tuple *a, const struct ct_tuple *b)
{
	return a->family == b->family && a->proto == b->proto && a->dst_part == b->dst_part &&
	       memcmp(&a->dst, &b->dst, sizeof(a->dst)) == 0 &&
	       memcmp(&a->src, &b->src, sizeof(a->src)) == 0;
}

static void unlink_expect(struct ct_engine *en, uint32_t place)
{
	struct expectations *x = en->expects;
	struct expect *gone = &x->at[place];
	uint32_t *at = bucket_of(en, &gone->tuple);
	struct cold *c = ct_cold_look(en, entry_at(en, gone->master));

	while (*at && *at != place)
		at = &x->at[*at].next;
	if (*at)
		*at = gone->next;
	if (c)
		c->n_expects--;
	gone->is_used = false;
	gone->next = x->free;
	x->free = place;
	x->n_used--;
	en->stats.expect_delete++;
}

static void evict_oldest(struct ct_engine *en, uint32_t master)
{
	struct expectations *x = en->expects;
	uint32_t oldest = 0;

	for (uint32_t i = 1; i < x->n_places; i++)
		if (x->at[i].is_used && x->at[i].master == master &&
		    (!oldest || (int32_t)(x->at[i].age - x->at[oldest].age) < 0))
			oldest = i;
	if (oldest)
		unlink_expect(en, oldest);
}

/* Removes an equal one of the same master. False when another master's stands in the way. */
static bool clear_way(struct ct_engine *en, uint32_t master, uint16_t zone,
		      const struct ct_tuple *want)
{
	struct expectations *x = en->expects;

	for (uint32_t i = *bucket_of(en, want); i; i = x->at[i].next) {
		const struct expect *e = &x->at[i];

		if (e->zone != zone || !is_same_end(&e->tuple, want))
			continue;
		if (e->master != master)
			return false;
		unlink_expect(en, i);
		return true;
	}
	return true;
}

static uint32_t take_place(struct ct_engine *en)
{
	struct expectations *x = en->expects;
	uint32_t place = x->free;
	void *at = x->at;

	if (place) {
		x->free = x->at[place].next;
		return place;
	}
	if (!make_room(en, &at, x->n_places, &x->max_places, sizeof(*x->at), FIRST_EXPECTS))
		return 0;
	x->at = at;
	return x->n_places++;
}

int ct_expect_register(struct ct_engine *en, uint32_t master, const struct ct_tuple *want)
{
	struct expectations *x = en->expects;
	struct cold *c = ct_cold_look(en, entry_at(en, master));
	uint16_t zone = entry_at(en, master)->zone;
	uint32_t *head, place;
	ct_tick deadline;

	if (!c || !clear_way(en, master, zone, want))
		return -1;
	if (c->n_expects >= policies[c->helper].max_expected)
		evict_oldest(en, master);
	if (x->n_used >= en->cfg.expect_max)
		return -1;
	place = take_place(en);
	if (!place)
		return -1;
	head = bucket_of(en, want);
	deadline = en->tick + ticks(policies[c->helper].timeout_s);
	x->at[place] = (struct expect){
		.tuple = *want,
		.master = master,
		.zone = zone,
		.helper = c->helper,
		.is_used = true,
		.deadline = deadline,
		.age = x->age++,
		.next = *head,
	};
	*head = place;
	if (x->n_used++ == 0 || (int32_t)(deadline - x->next) < 0)
		x->next = deadline;
	c->n_expects++;
	en->stats.expect_create++;
	return 0;
}

bool ct_expect_any(const struct ct_engine *en)
{
	return en->expects->n_used > 0;
}

uint32_t ct_expect_take(struct ct_engine *en, const struct ct_tuple *t, uint16_t zone)
{
	struct expectations *x = en->expects;

	if (x->n_used == 0)
		return 0;
	ct_expect_advance(en);
	for (uint32_t i = *bucket_of(en, t); i; i = x->at[i].next) {
		const struct expect *e = &x->at[i];
		uint32_t master = e->master;

		if (e->zone != zone || !is_same_end(&e->tuple, t))
			continue;
		if (!(entry_at(en, master)->status & CT_STATUS_CONFIRMED))
			return 0;
		unlink_expect(en, i);
		en->stats.expect_new++;
		return master;
	}
	return 0;
}

void ct_expect_forget(struct ct_engine *en, uint32_t master)
{
	struct expectations *x = en->expects;

	for (uint32_t i = 1; i < x->n_places; i++)
		if (x->at[i].is_used && x->at[i].master == master)
			unlink_expect(en, i);
}

void ct_expect_advance(struct ct_engine *en)
{
	struct expectations *x = en->expects;

	if (x->n_used == 0 || !tick_passed(x->next, en->tick))
		return;
	x->next = en->tick + (UINT32_MAX >> 1);
	for (uint32_t i = 1; i < x->n_places; i++) {
		if (!x->at[i].is_used)
			continue;
		if (tick_passed(x->at[i].deadline, en->tick))
			unlink_expect(en, i);
		else if ((int32_t)(x->at[i].deadline - x->next) < 0)
			x->next = x->at[i].deadline;
	}
}

bool ct_helper_run(struct ct_engine *en, struct ct_packet *p, struct entry *e)
{
	struct cold *c = ct_cold_look(en, e);

	if (!c || p->info == CT_INFO_RELATED_REPLY)
		return true;
	switch ((enum ct_helper)c->helper) {
	case CT_HELPER_FTP:
		return ct_ftp_help(en, p, c);
	case CT_HELPER_TFTP:
		return ct_tftp_help(en, p);
	case CT_HELPER_NONE:
		break;
	}
	return true;
}
