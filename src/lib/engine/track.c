/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A packet's way through the tracker. Answers to Linux 6.18, net/netfilter/nf_conntrack_core.c:
 * nf_conntrack_in(), resolve_normal_ct(), init_conntrack(), nf_confirm().
 */
#include <string.h>

#include "lib/engine/expect.h"
#include "lib/engine/index.h"
#include "lib/engine/key.h"
#include "lib/packet/wire.h"

enum { BURST_LEN = 32 };

const struct ct_proto_ops *ct_tracker_of(uint8_t proto)
{
	switch (proto) {
#define TRACKER(number, name)                                                                      \
	case number:                                                                               \
		return &ct_##name##_tracker;
#include "lib/engine/tracker.def"
#undef TRACKER
	default:
		return &ct_generic_tracker;
	}
}

static void set_invalid(struct ct_engine *en, struct ct_packet *p, const char *why)
{
	en->stats.invalid++;
	p->info = CT_INFO_INVALID;
	p->entry = (struct ct_handle){ 0, 0 };
	if (!p->why)
		p->why = why;
}

static void set_dropped(struct ct_engine *en, struct ct_packet *p, const char *why)
{
	en->stats.drop++;
	p->info = CT_INFO_INVALID;
	p->entry = (struct ct_handle){ 0, 0 };
	p->verdict = CT_DROP;
	p->why = why;
}

static enum entry_class class_for(const struct probe *pr)
{
	if (pr->key.proto == PROTO_TCP)
		return pr->key.is_ipv6 ? CLASS_TCP6 : CLASS_TCP;
	return pr->key.is_ipv6 ? CLASS_SMALL6 : CLASS_SMALL;
}

/* The side array of a chunk, made when its first entry wants it. */
static void add_acct(struct ct_engine *en, uint32_t number, struct entry *e)
{
	struct chunk *c = pool_chunk(en->pools, number);

	if (!c->acct)
		c->acct = ct_mem_alloc(en, CHUNK_LEN * sizeof(*c->acct), 64);
	if (!c->acct)
		return;
	c->acct[number & CHUNK_MASK] = (struct acct){ { 0 }, { 0 } };
	e->flags |= ENTRY_HAS_ACCT;
}

static void add_stamp(struct ct_engine *en, uint32_t number, struct entry *e)
{
	struct chunk *c = pool_chunk(en->pools, number);

	if (!c->stamp)
		c->stamp = ct_mem_alloc(en, CHUNK_LEN * sizeof(*c->stamp), 64);
	if (c->stamp)
		e->flags |= ENTRY_HAS_STAMP;
}

void ct_entry_forget(struct ct_engine *en, uint32_t number)
{
	ct_cold_end(en, number);
	ct_pool_give(en, number);
	en->count--;
}

/* A zone of one direction: the reply's tuple stands in another zone than the original's. */
static int limit_zone(struct ct_engine *en, const struct ct_packet *p, uint32_t number)
{
	struct ct_tuple reply;

	ct_entry_tuple(en, number, CT_DIR_REPLY, &reply);
	entry_at(en, number)->zone_dir = p->zone_dir;
	return ct_second_set(en, number, &reply);
}

/* init_conntrack(): counted from here on, found only after confirm. 0 when there is no room. */
static uint32_t begin_entry(struct ct_engine *en, const struct ct_packet *p, const struct probe *pr)
{
	uint32_t number;
	struct entry *e;

	if (en->cfg.max && en->count >= en->cfg.max && !ct_early_drop(en, pr->hash)) {
		en->wants_early_drop = true;
		return 0;
	}
	number = ct_pool_take(en, class_for(pr));
	if (!number)
		return 0;
	e = entry_at(en, number);
	e->key = pr->key;
	e->zone = p->zone;
	e->zone_dir = CT_ZONE_BOTH;
	if (pr->is_high)
		e->flags |= ENTRY_ORIG_HIGH;
	if (pr->key.is_ipv6) {
		e->flags |= ENTRY_IPV6;
		memcpy(entry_addr6(en->pools, number), pr->addr6, 32);
	}
	if (en->cfg.settings.acct)
		add_acct(en, number, e);
	if (en->cfg.settings.timestamp)
		add_stamp(en, number, e);
	en->count++;
	if (en->count > en->stats.peak)
		en->stats.peak = en->count;
	if (zone_is_narrow(p->zone_dir) && limit_zone(en, p, number) < 0) {
		ct_entry_forget(en, number);
		return 0;
	}
	return number;
}

/* The parts of init_conntrack() that few entries need: an expectation that the packet fulfils, or
 * a helper that a rule gives. */
static void adorn_entry(struct ct_engine *en, const struct ct_packet *p, uint32_t number)
{
	struct entry *e = entry_at(en, number);
	struct cold *c;
	struct ct_tuple t;
	struct expect x;
	bool is_expected;

	ct_entry_tuple(en, number, CT_DIR_ORIG, &t);
	is_expected = ct_expect_take(en, &t, e->zone, &x);
	if (!is_expected && !p->helper)
		return;
	c = ct_cold_of(en, number);
	if (!c)
		return;
	if (!is_expected) {
		if (*ct_helper_name((enum ct_helper)p->helper)) {
			c->helper = p->helper;
			e->status |= CT_STATUS_HELPER;
		}
		return;
	}
	e->status |= CT_STATUS_EXPECTED;
	e->mark = entry_at(en, x.master)->mark;
	c->helper = x.gives;
	ct_cold_adopt(en, number, x.master);
	if (x.flags & EXPECT_FOLLOW && en->translate)
		en->translate->follow(en->translate_user,
				      (struct ct_handle){ number, e->generation }, c->master,
				      (enum ct_dir)x.dir, x.saved_part);
}

static enum ct_info info_of(const struct entry *e, enum ct_dir dir)
{
	if (dir == CT_DIR_REPLY)
		return CT_INFO_ESTABLISHED_REPLY;
	if (e->status & CT_STATUS_SEEN_REPLY)
		return CT_INFO_ESTABLISHED;
	return e->status & CT_STATUS_EXPECTED ? CT_INFO_RELATED : CT_INFO_NEW;
}

/* The entry that a burst has guessed, if it is what a search would find. */
static inline bool is_guess_right(const struct ct_engine *en, const struct probe *pr,
				  uint32_t guess, const struct entry *e)
{
	if (!(e->status & CT_STATUS_CONFIRMED) || tick_passed(e->deadline, en->tick))
		return false;
	if (en->chains)
		return ct_chain_is_first(en, pr, guess);
	return !e->overlaid && ct_probe_matches(en, pr, guess, e);
}

/* A probe that is limited to original tuples has found nothing; the reply's zone is another. */
static uint32_t find_reply(struct ct_engine *en, const struct ct_packet *p, const struct probe *pr)
{
	struct probe other = *pr;
	uint32_t ref;

	ct_probe_narrow(en, &other, zone_in(p->zone, p->zone_dir, CT_DIR_REPLY), CT_DIR_REPLY);
	ref = ct_table_find(en, &other);
	return ref ? ref | REF_REPLY : 0;
}

/* A reference to a packet's entry, and the entry; 0 when there is none. */
static inline uint32_t look_up(struct ct_engine *en, const struct ct_packet *p,
			       const struct probe *pr, uint32_t guess, struct entry **e)
{
	uint32_t ref;

	if (guess) {
		*e = entry_at(en, guess & REF_NUMBER);
		if (is_guess_right(en, pr, guess, *e))
			return guess;
	}
	ref = ct_table_find(en, pr);
	if (!ref && (pr->rare & PROBE_ORIG))
		ref = find_reply(en, p, pr);
	if (ref)
		*e = entry_at(en, ref & REF_NUMBER);
	return ref;
}

/* A new entry for a packet that has none. False when the packet's way ends here. */
static bool begin(struct ct_engine *en, struct ct_packet *p, const struct probe *pr,
		  struct visit *v)
{
	struct ct_tuple t, other;

	if (p->proto == PROTO_ICMP || p->proto == PROTO_ICMPV6) {
		(void)ct_packet_tuple(p, &t);
		if (ct_tuple_invert(&other, &t) < 0) {
			set_invalid(en, p, "icmp: type has no answer");
			return false;
		}
	}
	v->number = begin_entry(en, p, pr);
	if (!v->number) {
		set_dropped(en, p, "table full");
		return false;
	}
	v->e = entry_at(en, v->number);
	v->dir = CT_DIR_ORIG;
	if (p->helper || ct_expect_any(en))
		adorn_entry(en, p, v->number);
	return true;
}

/* resolve_normal_ct(): finds or begins the entry. False when the packet's way ends here. */
static inline bool resolve(struct ct_engine *en, struct ct_packet *p, const struct probe *pr,
			   uint32_t guess, struct visit *v)
{
	uint32_t ref = look_up(en, p, pr, guess, &v->e);

	if (ref) {
		v->number = ref & REF_NUMBER;
		v->dir = ct_probe_dir(pr, v->e, ref);
	} else if (!begin(en, p, pr, v)) {
		return false;
	}
	p->info = (uint8_t)info_of(v->e, v->dir);
	p->entry = (struct ct_handle){ v->number, v->e->generation };
	return true;
}

/* The second half of nf_conntrack_in() for most packets. */
static inline void accept_packet(const struct visit *v)
{
	if (v->p->info != CT_INFO_ESTABLISHED_REPLY || (v->e->status & CT_STATUS_SEEN_REPLY))
		return;
	v->e->status |= CT_STATUS_SEEN_REPLY;
	v->p->events |= CT_EVENT_REPLY;
}

/* The second half of nf_conntrack_in(), after the tracker has judged. False: look up again. */
static bool conclude(const struct visit *v, enum judgement j)
{
	struct ct_engine *en = v->en;
	struct ct_packet *p = v->p;

	switch (j) {
	case JUDGE_ACCEPT:
		return true;
	case JUDGE_GONE:
		p->events = 0;
		return true;
	case JUDGE_REPEAT:
		return false;
	case JUDGE_INVALID:
		/* The kernel keeps an entry's changes with the entry: those of a packet that turns
		 * out invalid halfway are told with the next one that is confirmed. */
		if (v->e->status & CT_STATUS_CONFIRMED)
			v->e->pending |= p->events;
		else
			ct_entry_forget(en, v->number);
		p->events = 0;
		set_invalid(en, p, NULL);
		return true;
	case JUDGE_DROP:
		if (!(v->e->status & CT_STATUS_CONFIRMED))
			ct_entry_forget(en, v->number);
		p->events = 0;
		en->stats.invalid++;
		set_dropped(en, p, "tuple is being reopened elsewhere");
		return true;
	}
	return true;
}

/* @guess: a reference to an entry that may be the packet's, or 0. The entry when the packet is
 * accepted with it, as most are; else null, whatever became of it. */
static inline struct entry *track(struct ct_engine *en, struct ct_packet *p, const struct probe *pr,
				  uint32_t guess)
{
	struct visit v = { .en = en, .p = p };
	enum judgement j;

	do {
		if (!resolve(en, p, pr, guess, &v))
			return NULL;
		j = ct_tracker_of(p->proto)->packet(&v);
		if (j == JUDGE_ACCEPT) {
			accept_packet(&v);
			return v.e;
		}
	} while (!conclude(&v, j));
	return NULL;
}

/* Readies a packet for its lookup. False when it has none: its info is then final. */
static bool prepare(struct ct_engine *en, struct ct_packet *p, struct probe *pr)
{
	struct ct_tuple t;

	if (ct_packet_tuple(p, &t) < 0) {
		set_invalid(en, p, "too short for a tuple");
		return false;
	}
	ct_gre_key(en, p, &t);
	ct_probe_make(en, &t, p->zone, pr);
	if (zone_is_narrow(p->zone_dir))
		ct_probe_narrow(en, pr, zone_in(p->zone, p->zone_dir, CT_DIR_ORIG), CT_DIR_ORIG);
	return true;
}

/* The first steps of nf_conntrack_in(), which need no table. False: the way ends here. */
static inline bool begin_way(struct ct_packet *p)
{
	p->verdict = CT_ACCEPT;
	p->events = 0;
	p->why = NULL;
	p->entry = (struct ct_handle){ 0, 0 };
	p->info = CT_INFO_UNTRACKED;
	return !(p->flags & CT_PACKET_UNTRACKED);
}

static bool enter(struct ct_engine *en, struct ct_packet *p)
{
	if (ct_packet_parse(p) < 0) {
		set_invalid(en, p, "no layer 4 header");
		return false;
	}
	return true;
}

static bool is_icmp_error(struct ct_engine *en, struct ct_packet *p)
{
	if (p->proto == PROTO_ICMP && p->family == CT_FAMILY_IPV4)
		return ct_icmp_error(en, p);
	if (p->proto == PROTO_ICMPV6 && p->family == CT_FAMILY_IPV6)
		return ct_icmpv6_error(en, p);
	return false;
}

/* Everything behind enter(), for one packet. */
static void track_alone(struct ct_engine *en, struct ct_packet *p)
{
	struct probe pr;

	if (is_icmp_error(en, p) || !prepare(en, p, &pr))
		return;
	(void)track(en, p, &pr, 0);
}

void ct_engine_in(struct ct_engine *en, struct ct_packet *p, ct_time now)
{
	struct probe pr;

	ct_clock_set(en, now);
	if (en->chains)
		ct_resize_step(en, 1);
	if (!begin_way(p))
		return;
	if (ct_probe_quick(en, p, NULL, &pr))
		(void)track(en, p, &pr, 0);
	else if (enter(en, p))
		track_alone(en, p);
}

void ct_engine_release(struct ct_engine *en, struct ct_packet *p)
{
	const struct entry *e;

	if (!p->entry.number)
		return;
	e = entry_at(en, p->entry.number);
	if (e->generation == p->entry.generation) {
		if (entry_is_listed(e))
			entry_at(en, p->entry.number)->pending |= p->events;
		else
			ct_entry_forget(en, p->entry.number);
	}
	p->events = 0;
	p->entry = (struct ct_handle){ 0, 0 };
}

/* nf_confirm(): helpers, and numbers that an earlier change of the payload has shifted. False when
 * the packet is to be dropped. */
static bool help(struct ct_engine *en, struct ct_packet *p, struct entry *e)
{
	bool is_shifted = e->status & CT_STATUS_SEQ_ADJUST && !(p->flags & CT_PACKET_LOOPED);

	if (!ct_helper_run(en, p, e))
		return false;
	if (!is_shifted || !en->translate || en->translate->adjust(en->translate_user, p))
		return true;
	en->stats.drop++;
	p->why = "sequence numbers cannot be adjusted";
	return false;
}

static inline void leave(struct ct_engine *en, struct ct_packet *p, const struct probe *fresh)
{
	struct entry *e;

	if (!p->entry.number || p->verdict != CT_ACCEPT)
		return;
	e = entry_at(en, p->entry.number);
	if (e->generation != p->entry.generation)
		return;
	if (e->status & CT_STATUS_DYING) {
		ct_engine_release(en, p);
		return;
	}
	if (e->cold && p->info != CT_INFO_RELATED_REPLY && !help(en, p, e)) {
		p->verdict = CT_DROP;
		ct_engine_release(en, p);
		return;
	}
	p->events |= e->pending;
	e->pending = 0;
	if (!(e->status & CT_STATUS_CONFIRMED)) {
		if (ct_info_dir(p->info) == CT_DIR_ORIG)
			ct_entry_insert(en, p, fresh);
	} else if (p->events && en->cfg.event) {
		ct_event_tell(en, p->entry.number, p->events, CT_END_NONE, en->now);
	}
	p->events = 0;
}

/* Is there nothing to do for a packet that leaves with its entry? */
static inline bool is_settled(const struct ct_packet *p, const struct entry *e)
{
	return (e->status & (CT_STATUS_CONFIRMED | CT_STATUS_DYING)) == CT_STATUS_CONFIRMED &&
	       !e->cold && !(p->events | e->pending);
}

void ct_engine_confirm(struct ct_engine *en, struct ct_packet *p, ct_time now)
{
	ct_clock_set(en, now);
	leave(en, p, NULL);
}

__attribute__((always_inline)) static inline void prefetch(const struct ct_engine *en,
							   uint64_t hash)
{
	if (en->chains)
		ct_chain_prefetch(en, hash);
	else
		ct_index_prefetch(en->index, hash);
}

static inline uint32_t guess(const struct ct_engine *en, uint64_t hash)
{
	return en->chains ? ct_chain_guess(en, hash) : ct_index_guess(en->index, hash);
}

/* What stands between a packet and its tracker. */
enum way { WAY_DONE, WAY_ALONE, WAY_READY };

/* Everything up to the lookup. */
static inline enum way approach(struct ct_engine *en, struct ct_packet *p,
				const struct probe *before, struct probe *pr)
{
	if (!begin_way(p))
		return WAY_DONE;
	if (ct_probe_quick(en, p, before, pr))
		return WAY_READY;
	if (!enter(en, p))
		return WAY_DONE;
	if (p->proto == PROTO_ICMP || p->proto == PROTO_ICMPV6 || zone_is_narrow(p->zone_dir))
		return WAY_ALONE;
	return prepare(en, p, pr) ? WAY_READY : WAY_DONE;
}

/* Always inline: gcc takes a function that only prefetches for one without effect and leaves its
 * calls out. */
__attribute__((always_inline)) static inline void prefetch_entry(const struct ct_engine *en,
								 uint32_t ref)
{
	uint32_t number = ref & REF_NUMBER;
	enum entry_class class = entry_class_of(number);
	const struct entry *e = entry_at(en, number);

	__builtin_prefetch(e, 1);
	if (class == CLASS_TCP || class == CLASS_TCP6)
		__builtin_prefetch(e + 1, 1);
	if (class == CLASS_SMALL6 || class == CLASS_TCP6)
		__builtin_prefetch(entry_addr6(en->pools, number));
	if ((ref & REF_REPLY) && en->n_second > 0) {
		const struct key *second = pool_chunk(en->pools, number)->second;

		if (second)
			__builtin_prefetch(second + (number & CHUNK_MASK));
	}
}

/* Kernel fidelity: the first links of all chains of a burst, step by step beside one another, so
 * that the walks of the lookups find them near. */
static void walk_ahead(struct ct_engine *en, const struct probe *pr, const enum way *way,
		       unsigned n)
{
	enum { STEPS = 4 };
	uint32_t link[BURST_LEN];

	for (unsigned i = 0; i < n; i++) {
		link[i] = way[i] == WAY_READY ? ct_chain_first(en, ct_chain_bucket(en, pr[i].hash))
					      : 0;
		if (!link[i])
			continue;
		prefetch_entry(en, link[i] >> 1);
		ct_chain_prefetch_link(en, link[i]);
	}
	for (unsigned step = 1; step < STEPS; step++)
		for (unsigned i = 0; i < n; i++) {
			if (!link[i] || key_equal(&entry_at(en, link[i] >> 1)->key, &pr[i].key))
				continue;
			link[i] = ct_chain_next(en, link[i]);
			if (!link[i])
				continue;
			prefetch_entry(en, link[i] >> 1);
			ct_chain_prefetch_link(en, link[i]);
		}
}

/* One burst: all hashes, then all lines of the index, then all entries, so that each wait for
 * memory is shared; then the packets in their order. What is guessed about a packet's entry is
 * verified in its turn, so two packets of one flow are as good as two bursts. */
static void burst(struct ct_engine *en, struct ct_packet *p[], unsigned n)
{
	struct probe pr[BURST_LEN];
	uint32_t entry[BURST_LEN];
	enum way way[BURST_LEN];
	const struct probe *before = NULL;

	for (unsigned i = 0; i < n; i++) {
		way[i] = approach(en, p[i], before, &pr[i]);
		before = way[i] == WAY_READY ? &pr[i] : NULL;
		if (before)
			prefetch(en, pr[i].hash);
	}
	if (en->chains && !ct_chains_are_moving(en))
		walk_ahead(en, pr, way, n);
	for (unsigned i = 0; i < n; i++) {
		entry[i] = way[i] == WAY_READY ? guess(en, pr[i].hash) : 0;
		if (entry[i])
			prefetch_entry(en, entry[i]);
	}
	for (unsigned i = 0; i < n; i++) {
		const struct entry *e = NULL;

		if (way[i] == WAY_READY)
			e = track(en, p[i], &pr[i], entry[i]);
		else if (way[i] == WAY_ALONE)
			track_alone(en, p[i]);
		if (!e || !is_settled(p[i], e))
			leave(en, p[i], way[i] == WAY_READY ? &pr[i] : NULL);
	}
}

void ct_engine_burst(struct ct_engine *en, struct ct_packet *p[], unsigned n, ct_time now)
{
	ct_clock_set(en, now);
	if (en->chains)
		ct_resize_step(en, n);
	for (unsigned i = 0; i < n; i += BURST_LEN)
		burst(en, p + i, n - i < BURST_LEN ? n - i : BURST_LEN);
}
