/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The engine's inside, shared by its files: one struct, and what each file offers the others.
 *
 *     pool.c    places for entries           key.c     one key for both directions, its hash
 *     index.c   key to entry, exact          chain.c   key to entry, the kernel's buckets
 *     expiry.c  who ends next, exact         gc.c      the kernel's collector, early drop
 *     track.c   a packet's way in and out    confirm.c what is new enters the table, clashes
 *     expect.c  flows that helpers announce  resize.c  another number of buckets
 *     second.c  replies that NAT or a zone makes differ      change.c  entries changed by callers
 *     tcp.c udp.c icmp.c sctp.c gre.c generic.c        the trackers
 */
#ifndef CT_ENGINE_ENGINE_H
#define CT_ENGINE_ENGINE_H

#include "lib/engine/entry.h"
#include "lib/engine/hash.h"
#include "lib/engine/translate.h"

/* What a tracker makes of a packet: the values of nf_conntrack_in()'s inner verdict. */
enum judgement {
	JUDGE_ACCEPT,
	JUDGE_INVALID, /* -NF_ACCEPT */
	JUDGE_REPEAT,  /* the entry was killed; look again */
	JUDGE_DROP,
	JUDGE_GONE, /* accepted, and the entry has ended */
};

/* A key on its way through a lookup. */
struct probe {
	struct key key;
	uint8_t addr6[32]; /* low endpoint, high endpoint */
	uint64_t hash;
	bool is_high; /* the packet's sender is the high endpoint */
	uint8_t rare; /* enum probe_rare */
};

/* What few probes are. */
enum probe_rare {
	PROBE_SELF = 1 << 0,  /* both endpoints are the same: the reply equals the original */
	PROBE_ORIG = 1 << 1,  /* matches original tuples alone */
	PROBE_REPLY = 1 << 2, /* matches reply tuples alone */
};

/* A packet at the moment its tracker runs. */
struct visit {
	struct ct_engine *en;
	struct ct_packet *p;
	struct entry *e;
	uint32_t number;
	enum ct_dir dir;
};

/* What is hashed, each under keys of its own; OTHER: a table's keys in the other direction. */
enum hash_use { HASH_TABLE, HASH_OTHER, HASH_ADDR6, N_HASHES };

struct index;
struct chains;
struct expectations;
struct gre_key;

/* Where the kernel's collector stands, struct conntrack_gc_work. */
struct collector {
	uint64_t next;	  /* tick of its next slice */
	uint64_t started; /* tick of its cycle's first slice */
	int64_t average;  /* of what the entries have left, in ticks */
	int64_t count;
	uint32_t bucket;
};

struct ct_engine {
	struct ct_engine_config cfg;
	ct_time base, now;
	uint64_t tick64; /* of now, since base */
	ct_tick tick;	 /* its low half, in which deadlines are kept */
	bool is_begun;
	uint64_t count;
	uint64_t n_second; /* confirmed entries with two keys */
	struct hash_key key[N_HASHES];
	bool has_aes; /* ct_hash_words_aes() can be called */
	struct pool pools[N_CLASSES];
	struct index *index;   /* exact fidelity */
	struct chains *chains; /* kernel fidelity */
	struct expectations *expects;
	const struct ct_translate_ops *translate; /* or null */
	void *translate_user;
	struct cold *cold;
	uint32_t n_cold, max_cold, free_cold;
	struct gre_key *gre_keys; /* in the order they were made */
	uint32_t n_gre_keys, max_gre_keys;
	ct_tick tcp_timeout[16]; /* by enum ct_tcp_state */
	ct_tick sctp_timeout[16];
	struct collector gc;
	uint64_t chance;       /* state of the generator that stands for the kernel's randomness */
	bool wants_early_drop; /* a new entry was refused: the collector is to evict */
	struct ct_engine_stats stats;
};

/* pool.c */
void *ct_mem_alloc(struct ct_engine *en, size_t size, size_t align);
void ct_mem_free(struct ct_engine *en, void *p, size_t size);
void ct_pool_init(struct pool *pool, uint8_t shift);
void ct_pool_fini(struct ct_engine *en, struct pool *pool);
/* A zeroed entry of @class with all but its generation unset; 0 when memory is out. */
uint32_t ct_pool_take(struct ct_engine *en, enum entry_class class);
void ct_pool_give(struct ct_engine *en, uint32_t number);

/* key.c */
void ct_probe_make(const struct ct_engine *en, const struct ct_tuple *t, uint16_t zone,
		   struct probe *out);
/* Moves a probe to another zone, where it matches tuples of direction @dir alone. */
void ct_probe_narrow(const struct ct_engine *en, struct probe *pr, uint16_t zone, enum ct_dir dir);
/* As ct_probe_make(), and ct_packet_parse(), for the packets that are most of all: whole TCP and
 * UDP over IPv4 without options. False, with nothing done, for all others. @before: null, or a
 * probe that may well be of the same flow, whose hash then is taken. */
bool ct_probe_quick(const struct ct_engine *en, struct ct_packet *p, const struct probe *before,
		    struct probe *out);
/* The hashes of both tuples of an entry, in kernel fidelity. */
void ct_entry_hashes(const struct ct_engine *en, uint32_t number, uint64_t hash[CT_DIR_MAX]);
/* The probe of one of its tuples. An entry of one key has the same key for both. */
void ct_entry_probe(const struct ct_engine *en, uint32_t number, enum ct_dir dir,
		    struct probe *out);
void ct_entry_tuple(const struct ct_engine *en, uint32_t number, enum ct_dir dir,
		    struct ct_tuple *out);

/* index.c */
int ct_index_new(struct ct_engine *en);
void ct_index_free(struct ct_engine *en);
uint32_t ct_index_find(const struct ct_engine *en, const struct probe *pr);
/* The same, passing over what has expired. */
uint32_t ct_index_peek(const struct ct_engine *en, const struct probe *pr);
/* Both keys of an entry; -1, and nothing done, when memory is out. */
int ct_index_insert(struct ct_engine *en, uint64_t hash, uint32_t number);
/* The reply's key alone, of an entry with two. */
int ct_index_insert_reply(struct ct_engine *en, uint32_t number);
void ct_index_remove(struct ct_engine *en, uint32_t number);

/* Numbers of entries near where @hash belongs, up to @max; their count. */
unsigned ct_index_sample(const struct index *ix, uint64_t hash, uint32_t *out, unsigned max);

/* chain.c */
/* A number of buckets as the kernel has it. */
uint32_t ct_chains_round(uint32_t buckets);
/* Is a resize under way? */
bool ct_chains_are_moving(const struct ct_engine *en);
int ct_chains_new(struct ct_engine *en);
void ct_chains_free(struct ct_engine *en);
uint32_t ct_chains_buckets(const struct ct_engine *en);
uint32_t ct_chain_bucket(const struct ct_engine *en, uint64_t hash);
void ct_chain_prefetch(const struct ct_engine *en, uint64_t hash);
void ct_chain_prefetch_link(const struct ct_engine *en, uint32_t link);
uint32_t ct_chain_guess(const struct ct_engine *en, uint64_t hash);
/* A bucket's links: number << 1 | direction, 0 at the end; the second kind of step passes over
 * the same entry's other link, so that the entry may be killed. */
uint32_t ct_chain_first(struct ct_engine *en, uint32_t bucket);
uint32_t ct_chain_next(const struct ct_engine *en, uint32_t link);
uint32_t ct_chain_next_other(const struct ct_engine *en, uint32_t link);
/* Finds an entry and ends the expired ones on the way; peek only looks. */
uint32_t ct_chain_find(struct ct_engine *en, const struct probe *pr);
uint32_t ct_chain_peek(const struct ct_engine *en, const struct probe *pr, bool sees_expired);
/* Is an entry the first link of its chain, and what ct_chain_find() would find? */
bool ct_chain_is_first(const struct ct_engine *en, const struct probe *pr, uint32_t ref);
/* -1 when one of the two chains is too long. */
int ct_chain_insert(struct ct_engine *en, uint32_t number);
/* The reply's link alone. */
void ct_chain_insert_reply(struct ct_engine *en, uint32_t number);
void ct_chain_remove(struct ct_engine *en, uint32_t number);

/* resize.c */
/* Moves what belongs into a bucket; no other call may look at a bucket before. */
void ct_resize_bucket(struct ct_engine *en, uint32_t bucket);
/* Does what belongs into a bucket still hang in old ones? */
bool ct_resize_is_waiting(const struct ct_engine *en, uint32_t bucket);
/* Moves a few buckets for each of @n packets, if a resize is under way. */
void ct_resize_step(struct ct_engine *en, unsigned n);
/* Ends a resize without moving what is left. */
void ct_resize_end(struct ct_engine *en);

/* gc.c */
/* Makes room for an entry whose original tuple has @hash, if there is somebody to drop. */
bool ct_early_drop(struct ct_engine *en, uint64_t hash);
void ct_collector_begin(struct ct_engine *en);
/* Runs what the collector has to do up to tick @to, and lets the clock be that. */
void ct_collector_advance(struct ct_engine *en, uint64_t to);

/* second.c */
/* Makes @reply the reply of an entry that is not in the table. -1 when memory is out. */
int ct_second_set(struct ct_engine *en, uint32_t number, const struct ct_tuple *reply);
/* Gives an entry two keys even if one would do. -1 when memory is out. */
int ct_second_split(struct ct_engine *en, uint32_t number);
bool ct_second_matches(const struct ct_engine *en, const struct probe *pr, uint32_t ref);

/* track.c */
/* Frees an entry that is not in the table. */
void ct_entry_forget(struct ct_engine *en, uint32_t number);

/* confirm.c */
/* Puts the packet's unconfirmed entry into the table. @fresh: its probe, when the search that found
 * nothing was a moment ago; else null, and others may have come in between. */
void ct_entry_insert(struct ct_engine *en, struct ct_packet *p, const struct probe *fresh);

/* expiry.c */
void ct_expiry_set(struct ct_engine *en, uint32_t number, ct_tick deadline);
void ct_expiry_advance(struct ct_engine *en, ct_tick to);
/* The tick at which something may end, as a distance from now; UINT32_MAX when never. */
uint32_t ct_expiry_distance(const struct ct_engine *en);

/* engine.c */
/* A number below @below, drawn from the seed. */
uint32_t ct_engine_random(struct ct_engine *en, uint32_t below);
void ct_clock_set(struct ct_engine *en, ct_time now);
void ct_event_tell(struct ct_engine *en, uint32_t number, unsigned events, enum ct_end end,
		   ct_time at);
void ct_entry_fill(const struct ct_engine *en, uint32_t number, struct ct_entry *out);
/* Takes a confirmed entry out of the table and tells its end: nf_ct_delete(). The packet that
 * brought it about still has it, until it is confirmed or released. */
void ct_entry_end(struct ct_engine *en, uint32_t number, enum ct_end end);
/* The same for one that no packet has: it is freed too. */
void ct_entry_kill(struct ct_engine *en, uint32_t number, enum ct_end end);
/* A reference to the entry, 0 when there is none. */
uint32_t ct_table_find(struct ct_engine *en, const struct probe *pr);
/* The same for a tuple and a zone that may be limited to one direction, and the direction found:
 * nf_conntrack_find_get(). */
uint32_t ct_table_find_tuple(struct ct_engine *en, const struct ct_tuple *t, uint16_t zone,
			     uint8_t zone_dir, enum ct_dir *dir);
/* The number of a handle whose entry still lives, else 0. */
uint32_t ct_handle_number(const struct ct_engine *en, struct ct_handle h);

/* icmp.c: nf_conntrack_icmpv4_error() and its like. True when the packet's way ends there. */
bool ct_icmp_error(struct ct_engine *en, struct ct_packet *p);
bool ct_icmpv6_error(struct ct_engine *en, struct ct_packet *p);

/* The trackers: struct nf_conntrack_l4proto. */
struct ct_proto_ops {
	const char *name;
	bool allow_clash; /* may two entries for one flow be made one? */
	enum judgement (*packet)(const struct visit *v);
	/* May the collector evict it although it is assured? */
	bool (*can_early_drop)(const struct entry *e);
};
#define TRACKER(proto, name) extern const struct ct_proto_ops ct_##name##_tracker;
#include "lib/engine/tracker.def"
#undef TRACKER
extern const struct ct_proto_ops ct_generic_tracker;
const struct ct_proto_ops *ct_tracker_of(uint8_t proto);

static inline struct entry *entry_at(const struct ct_engine *en, uint32_t number)
{
	return pool_entry(en->pools, number);
}

/* Is a zone limited to one direction? */
static inline bool zone_is_narrow(uint8_t zone_dir)
{
	return (zone_dir + 1U) & 2U; /* 1 or 2, of 0 to 3 */
}

/* nf_ct_zone_id(): what a zone is to tuples of one direction. */
static inline uint16_t zone_in(uint16_t zone, uint8_t zone_dir, enum ct_dir dir)
{
	return zone_is_narrow(zone_dir) && !(zone_dir & 1U << dir) ? 0 : zone;
}

static inline ct_tick ticks(uint32_t seconds)
{
	return seconds * ENGINE_HZ;
}

/* Exact fidelity: most refreshes put a deadline off, which the expiry tree need not know. */
static inline void ct_entry_set_deadline(struct ct_engine *en, uint32_t number, ct_tick deadline)
{
	struct entry *e = entry_at(en, number);

	e->deadline = deadline;
	if (!en->chains && (e->check == CHECK_NONE || (int32_t)(deadline - e->check) < 0))
		ct_expiry_set(en, number, deadline);
}

/* nf_ct_acct_update() */
static inline void ct_entry_count(const struct visit *v)
{
	struct acct *a;

	if (!(v->e->flags & ENTRY_HAS_ACCT))
		return;
	a = entry_acct(v->en->pools, v->number);
	a->packets[v->dir]++;
	a->bytes[v->dir] += v->p->size;
}

/* nf_ct_refresh_acct() */
static inline void ct_entry_refresh(const struct visit *v, ct_tick timeout)
{
	struct entry *e = v->e;

	if (!(e->status & CT_STATUS_FIXED_TIMEOUT)) {
		if (!(e->status & CT_STATUS_CONFIRMED))
			e->deadline = timeout;
		else if (e->deadline != v->en->tick + timeout)
			ct_entry_set_deadline(v->en, v->number, v->en->tick + timeout);
	}
	ct_entry_count(v);
}

#endif
