/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Expectations: see expect.h. Answers to Linux 6.18, net/netfilter/nf_conntrack_expect.c:
 * nf_ct_expect_related_report(), __nf_ct_expect_check(), nf_ct_find_expectation(),
 * evict_oldest_expect(), nf_ct_unlink_expect_report().
 */
#include "lib/engine/expect.h"

#include <errno.h>
#include <string.h>

#include "lib/packet/wire.h"

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
	uint8_t proto; /* 0: TCP and UDP */
	uint16_t timeout_s;
	uint8_t max_expected[EXPECT_CLASSES];
} policies[] = {
	[CT_HELPER_NONE] = { "", 0, 0, { 0 } },
#define HELPER(constant, name, proto, timeout, ...)                                                \
	[CT_HELPER_##constant] = { name, proto, timeout, { __VA_ARGS__ } },
#include <conntune/helper.def>
#undef HELPER
};

const char *ct_helper_name(enum ct_helper h)
{
	return (unsigned)h < sizeof(policies) / sizeof(policies[0]) ? policies[h].name : "";
}

bool ct_helper_is_for(enum ct_helper h, uint8_t proto)
{
	if (!*ct_helper_name(h))
		return false;
	return policies[h].proto ? policies[h].proto == proto
				 : proto == PROTO_TCP || proto == PROTO_UDP;
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
	ct_mem_free(en, en->gre_keys, en->max_gre_keys * sizeof(*en->gre_keys));
	if (!x)
		return;
	ct_mem_free(en, x->at, x->max_places * sizeof(*x->at));
	ct_mem_free(en, x, sizeof(*x));
}

bool ct_mem_make_room(struct ct_engine *en, void **at, uint32_t n, uint32_t *max, size_t size,
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
		if (!ct_mem_make_room(en, &at, en->n_cold, &en->max_cold, sizeof(*en->cold),
				      FIRST_COLD))
			return NULL;
		en->cold = at;
		e->cold = en->n_cold++;
	}
	memset(&en->cold[e->cold], 0, sizeof(*en->cold));
	return &en->cold[e->cold];
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
		c->n_expects[gone->class]--;
	gone->is_used = false;
	gone->next = x->free;
	x->free = place;
	x->n_used--;
	en->stats.expect_delete++;
}

/* nf_ct_remove_expectations() */
static void forget_expects(struct ct_engine *en, uint32_t master)
{
	struct expectations *x = en->expects;

	for (uint32_t i = 1; i < x->n_places; i++)
		if (x->at[i].is_used && x->at[i].master == master)
			unlink_expect(en, i);
}

void ct_cold_adopt(struct ct_engine *en, uint32_t child, uint32_t master)
{
	struct cold *c = ct_cold_look(en, entry_at(en, child));

	c->master = (struct ct_handle){ master, entry_at(en, master)->generation };
	c->parent = entry_at(en, master)->cold;
	ct_entry_tuple(en, master, CT_DIR_ORIG, &c->master_tuple);
	en->cold[c->parent].n_children++;
}

/* nf_ct_destroy(): gives a record back, and with the last child of a master that has ended that
 * of the master, which has counted until now because its children held it. */
static void give_cold(struct ct_engine *en, uint32_t place)
{
	while (place) {
		struct cold *c = &en->cold[place];
		uint32_t parent = c->parent;

		c->next_free = en->free_cold;
		en->free_cold = place;
		if (!parent || --en->cold[parent].n_children > 0 || !en->cold[parent].is_orphaned)
			return;
		en->count--;
		place = parent;
	}
}

void ct_cold_end(struct ct_engine *en, uint32_t number)
{
	static const uint8_t none[EXPECT_CLASSES];
	struct entry *e = entry_at(en, number);
	uint32_t place = e->cold;

	if (!place)
		return;
	ct_pptp_forget(en, number);
	if (memcmp(en->cold[place].n_expects, none, sizeof(none)) != 0)
		forget_expects(en, number);
	e->cold = 0;
	if (en->cold[place].n_children == 0) {
		give_cold(en, place);
		return;
	}
	en->cold[place].is_orphaned = true;
	en->count++;
}

uint32_t ct_expect_extreme(const struct ct_engine *en, uint32_t master, unsigned classes,
			   bool is_newest)
{
	const struct expectations *x = en->expects;
	uint32_t best = 0;

	for (uint32_t i = 1; i < x->n_places; i++) {
		const struct expect *e = &x->at[i];
		bool is_newer = best && (int32_t)(e->age - x->at[best].age) > 0;

		if (!e->is_used || e->master != master || !(classes & 1U << e->class))
			continue;
		if (!best || is_newer == is_newest)
			best = i;
	}
	return best;
}

/* expect_matches() */
static bool is_equal(const struct expect *a, const struct expect *b)
{
	return is_same_end(&a->tuple, &b->tuple) && a->tuple.src_part == b->tuple.src_part &&
	       ((a->flags ^ b->flags) & EXPECT_SRC_PART) == 0;
}

/* expect_clash(): a packet could fulfil both. */
static bool do_clash(const struct expect *a, const struct expect *b)
{
	if (!is_same_end(&a->tuple, &b->tuple))
		return false;
	return !(a->flags & b->flags & EXPECT_SRC_PART) || a->tuple.src_part == b->tuple.src_part;
}

/* Removes an equal one of the same master. */
static int clear_way(struct ct_engine *en, const struct expect *want)
{
	struct expectations *x = en->expects;

	for (uint32_t i = *bucket_of(en, &want->tuple), next; i; i = next) {
		const struct expect *e = &x->at[i];
		bool may_share = (want->flags & EXPECT_ANY_MASTER) || e->master == want->master;

		next = e->next;
		if (e->zone != want->zone)
			continue;
		if (may_share && is_equal(e, want)) {
			if (e->class != want->class || e->master != want->master)
				return -EALREADY;
			unlink_expect(en, i);
			return 0;
		}
		if (do_clash(e, want))
			return -EBUSY;
	}
	return 0;
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
	if (!ct_mem_make_room(en, &at, x->n_places, &x->max_places, sizeof(*x->at), FIRST_EXPECTS))
		return 0;
	x->at = at;
	return x->n_places++;
}

/* Lists an expectation that nothing speaks against, nf_ct_expect_insert(). */
static int insert_expect(struct ct_engine *en, const struct expect *want)
{
	struct expectations *x = en->expects;
	uint32_t place = take_place(en);
	uint32_t *head = bucket_of(en, &want->tuple);

	if (!place)
		return -EMFILE;
	x->at[place] = *want;
	x->at[place].is_used = true;
	x->at[place].age = x->age++;
	x->at[place].next = *head;
	*head = place;
	if (x->n_used++ == 0 || (int32_t)(want->deadline - x->next) < 0)
		x->next = want->deadline;
	en->stats.expect_create++;
	return 0;
}

int ct_expect_register(struct ct_engine *en, uint32_t master, const struct expect *want)
{
	struct cold *c = ct_cold_look(en, entry_at(en, master));
	struct expect e = *want;
	int ret;

	if (!c)
		return -ESHUTDOWN;
	e.master = master;
	e.zone = entry_at(en, master)->zone;
	e.helper = c->helper;
	e.deadline = en->tick + ticks(policies[c->helper].timeout_s);
	ret = clear_way(en, &e);
	if (ret < 0)
		return ret;
	if (c->n_expects[e.class] >= policies[c->helper].max_expected[e.class])
		ct_expect_unlink(en, ct_expect_extreme(en, master, 1U << e.class, false));
	if (en->expects->n_used >= en->cfg.expect_max)
		return -EMFILE;
	ret = insert_expect(en, &e);
	if (ret == 0)
		c->n_expects[e.class]++;
	return ret;
}

uint16_t ct_expect_find_port(struct ct_engine *en, uint32_t master, struct expect *want)
{
	enum { MAX_ATTEMPTS = 128 };
	uint16_t wanted = __builtin_bswap16(want->tuple.dst_part), port = wanted;
	uint32_t range = 65535U - wanted;
	uint32_t left = range < MAX_ATTEMPTS ? range : MAX_ATTEMPTS;

	for (;;) {
		int ret;

		want->tuple.dst_part = __builtin_bswap16(port);
		ret = ct_expect_register(en, master, want);
		if (ret == 0)
			return port;
		if (ret != -EBUSY || left-- == 0)
			return 0;
		port = (uint16_t)(wanted + ct_engine_random(en, range));
	}
}

bool ct_expect_any(const struct ct_engine *en)
{
	return en->expects->n_used > 0;
}

static bool is_expected(const struct expect *e, const struct ct_tuple *t, uint16_t zone)
{
	return e->zone == zone && is_same_end(&e->tuple, t) &&
	       (!(e->flags & EXPECT_SRC_PART) || e->tuple.src_part == t->src_part);
}

uint32_t ct_expect_find(struct ct_engine *en, const struct ct_tuple *t, uint16_t zone)
{
	struct expectations *x = en->expects;
	uint32_t i = *bucket_of(en, t);

	ct_expect_advance(en);
	while (i && !is_expected(&x->at[i], t, zone))
		i = x->at[i].next;
	return i;
}

struct expect *ct_expect_at(const struct ct_engine *en, uint32_t place)
{
	return &en->expects->at[place];
}

void ct_expect_unlink(struct ct_engine *en, uint32_t place)
{
	if (place)
		unlink_expect(en, place);
}

void ct_expect_prolong(struct ct_engine *en, uint32_t place, uint32_t seconds)
{
	struct expectations *x = en->expects;

	x->at[place].deadline = en->tick + ticks(seconds);
	if ((int32_t)(x->at[place].deadline - x->next) < 0)
		x->next = x->at[place].deadline;
}

bool ct_expect_take(struct ct_engine *en, const struct ct_tuple *t, uint16_t zone,
		    struct expect *out)
{
	struct expectations *x = en->expects;
	struct ct_tuple other;
	uint32_t i;

	if (x->n_used == 0)
		return false;
	ct_expect_advance(en);
	i = *bucket_of(en, t);
	while (i && ((x->at[i].flags & EXPECT_INACTIVE) || !is_expected(&x->at[i], t, zone)))
		i = x->at[i].next;
	if (!i || !(entry_at(en, x->at[i].master)->status & CT_STATUS_CONFIRMED))
		return false;
	*out = x->at[i];
	if (!(out->flags & EXPECT_PERMANENT))
		unlink_expect(en, i);
	if (out->flags & EXPECT_TWIN) {
		(void)ct_tuple_invert(&other, &out->tuple);
		ct_expect_unlink(en, ct_expect_find(en, &other, zone));
	}
	en->stats.expect_new++;
	return true;
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

	if (!c)
		return true;
	switch ((enum ct_helper)c->helper) {
	case CT_HELPER_FTP:
		return ct_ftp_help(en, p, c);
	case CT_HELPER_TFTP:
		return ct_tftp_help(en, p);
	case CT_HELPER_PPTP:
		ct_pptp_help(en, p, c);
		return true;
	case CT_HELPER_SIP:
		return ct_sip_help(en, p);
	case CT_HELPER_NONE:
		break;
	}
	return true;
}
