/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Making room: early drop when a new entry finds the table full, and the kernel's collector, which
 * walks all buckets about once a minute and, after a refusal, evicts what it would otherwise keep.
 * Answers to Linux 6.18, net/netfilter/nf_conntrack_core.c: early_drop(), early_drop_list(),
 * gc_worker(), gc_worker_can_early_drop().
 *
 * The kernel also ends a slice of its walk after 10 ms of its own time. Here, no time passes while
 * a slice runs.
 */
#include "lib/engine/engine.h"

enum {
	DROP_BUCKETS = 8,
	EXPIRED_MAX = 64000 / ENGINE_HZ,
	FIRST_COUNT = 100,
	/* Exact fidelity has no buckets; as many entries are looked at as 8 buckets hold on
	 * average at the kernel's default load of two links each. */
	DROP_SAMPLE = 16,
	INTERVAL_MIN = 1 * ENGINE_HZ,
	INTERVAL_MAX = 60 * ENGINE_HZ,
	INTERVAL_CLAMP = 300 * ENGINE_HZ,
};

/* Evicts what is not assured from one bucket; their number. */
static unsigned drop_bucket(struct ct_engine *en, uint32_t bucket)
{
	uint32_t link = ct_chain_first(en, bucket), next;
	unsigned n = 0;

	for (; link; link = next) {
		uint32_t number = link >> 1;
		const struct entry *e = entry_at(en, number);

		if (tick_passed(e->deadline, en->tick)) {
			next = ct_chain_next_other(en, link);
			ct_entry_kill(en, number, CT_END_TIMEOUT);
		} else if (e->status & CT_STATUS_ASSURED) {
			next = ct_chain_next(en, link);
		} else {
			next = ct_chain_next_other(en, link);
			ct_entry_kill(en, number, CT_END_EARLY_DROP);
			n++;
		}
	}
	return n;
}

static bool drop_kernel(struct ct_engine *en, uint64_t hash)
{
	uint32_t bucket = ct_chain_bucket(en, hash);

	for (unsigned i = 0; i < DROP_BUCKETS; i++) {
		unsigned n = drop_bucket(en, bucket);

		if (n > 0) {
			en->stats.early_drop += n;
			return true;
		}
		bucket = bucket + 1 == ct_chains_buckets(en) ? 0 : bucket + 1;
	}
	return false;
}

/* The index spreads entries as evenly as buckets do; only whom chance meets differs. */
static bool drop_exact(struct ct_engine *en, uint64_t hash)
{
	uint32_t sample[DROP_SAMPLE];
	unsigned n = ct_index_sample(en->index, hash, sample, DROP_SAMPLE);

	for (unsigned i = 0; i < n; i++) {
		if (entry_at(en, sample[i])->status & CT_STATUS_ASSURED)
			continue;
		ct_entry_kill(en, sample[i], CT_END_EARLY_DROP);
		en->stats.early_drop++;
		return true;
	}
	return false;
}

bool ct_early_drop(struct ct_engine *en, uint64_t hash)
{
	return en->chains ? drop_kernel(en, hash) : drop_exact(en, hash);
}

static bool may_evict(const struct entry *e)
{
	const struct ct_proto_ops *ops;

	if (!(e->status & CT_STATUS_ASSURED))
		return true;
	ops = ct_tracker_of(e->key.proto);
	return ops->can_early_drop && ops->can_early_drop(e);
}

/* One bucket of the collector's walk. False when the slice has ended enough entries. */
static bool collect_bucket(struct ct_engine *en, uint32_t bucket, uint64_t max95, unsigned *ended)
{
	struct collector *gc = &en->gc;
	uint32_t link = ct_chain_first(en, bucket), next;

	for (; link; link = next) {
		uint32_t number = link >> 1;
		const struct entry *e = entry_at(en, number);
		int64_t left;

		if (*ended > EXPIRED_MAX)
			return false;
		if (tick_passed(e->deadline, en->tick)) {
			next = ct_chain_next_other(en, link);
			ct_entry_kill(en, number, CT_END_TIMEOUT);
			(*ended)++;
			continue;
		}
		left = e->deadline - en->tick;
		left = left < INTERVAL_MIN ? INTERVAL_MIN : left;
		left = left > INTERVAL_CLAMP ? INTERVAL_CLAMP : left;
		gc->average += (left - gc->average) / ++gc->count;
		next = ct_chain_next(en, link);
		if (max95 == 0 || en->count < max95 || !may_evict(e))
			continue;
		next = ct_chain_next_other(en, link);
		ct_entry_kill(en, number, CT_END_PRESSURE);
		en->stats.evicted++;
		(*ended)++;
	}
	return true;
}

/* One slice; the ticks until the next. */
static uint64_t collect_slice(struct ct_engine *en)
{
	struct collector *gc = &en->gc;
	uint64_t max95 = en->wants_early_drop ? en->cfg.max / 100 * 95 : 0;
	unsigned ended = 0;
	uint64_t taken, next;

	if (gc->bucket == 0) {
		gc->average = INTERVAL_MAX;
		gc->count = FIRST_COUNT;
		gc->started = en->tick64;
	}
	for (; gc->bucket < ct_chains_buckets(en); gc->bucket++)
		if (!collect_bucket(en, gc->bucket, max95, &ended))
			return en->tick64 - gc->started < INTERVAL_MAX;
	gc->bucket = 0;
	next = gc->average < INTERVAL_MIN ? INTERVAL_MIN : (uint64_t)gc->average;
	next = next > INTERVAL_MAX ? INTERVAL_MAX : next;
	taken = en->tick64 - gc->started;
	taken = taken ? taken : 1;
	return next > taken ? next - taken : 1;
}

void ct_collector_advance(struct ct_engine *en, uint64_t to)
{
	while (en->gc.next <= to) {
		uint64_t delay;

		/* An empty table is walked once a minute to no effect. */
		if (en->count == 0 && en->gc.bucket == 0) {
			en->gc.next +=
				(to - en->gc.next) / INTERVAL_MAX * INTERVAL_MAX + INTERVAL_MAX;
			en->wants_early_drop = false;
			break;
		}
		en->tick64 = en->gc.next;
		en->tick = (ct_tick)en->tick64;
		delay = collect_slice(en);
		if (delay > 0)
			en->wants_early_drop = false;
		en->gc.next += delay;
	}
	en->tick64 = to;
	en->tick = (ct_tick)to;
}

void ct_collector_begin(struct ct_engine *en)
{
	en->gc = (struct collector){ .next = ENGINE_HZ };
}
