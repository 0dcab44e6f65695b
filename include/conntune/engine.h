/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The tracker: what Linux's nf_conntrack does to a packet, without the kernel.
 *
 * An engine is one network namespace's connection table with its trackers. It reads no clock,
 * draws no chance and does no I/O: time, seed and memory are arguments. It belongs to one thread
 * at a time; two engines share nothing.
 *
 * A packet takes two steps, as in the kernel: ct_engine_in() (nf_conntrack_in(), at PREROUTING or
 * OUTPUT) finds or begins its entry, ct_engine_confirm() (nf_conntrack_confirm(), at the end of
 * POSTROUTING or INPUT) puts a new entry into the table. Between them the caller may judge the
 * packet; one that is not confirmed is given back with ct_engine_release(). ct_engine_burst() does
 * both steps for many packets at once and is several times faster, because it waits for the
 * memory of all of them together.
 *
 * Answers to Linux 6.18, net/netfilter/nf_conntrack_*.c; differences stand in docs/fidelity.md.
 */
#ifndef CONNTUNE_ENGINE_H
#define CONNTUNE_ENGINE_H

#include <conntune/entry.h>
#include <conntune/err.h>
#include <conntune/memory.h>
#include <conntune/packet.h>
#include <conntune/time.h>

struct ct_engine;

/* How closely the table follows the kernel's where that costs. */
enum ct_fidelity {
	/* An entry ends when its timeout has passed; buckets are not modelled. */
	CT_FIDELITY_EXACT,
	/* Entries hang in bucket chains as in the kernel: expired ones stay counted until a walk
	 * or the collector meets them, chains can grow too long, early drop looks at 8 buckets. */
	CT_FIDELITY_KERNEL,
};

/* The sysctls net.netfilter.nf_conntrack_*, in their units. */
struct ct_engine_settings {
#define ENGINE_SETTING(field, name, standard, highest) uint32_t field;
#include <conntune/engine_setting.def>
#undef ENGINE_SETTING
};

struct ct_engine_stats {
	uint64_t count;	       /* nf_conntrack_count: unconfirmed entries included */
	uint64_t peak;	       /* the highest count so far */
	uint64_t created;      /* entries confirmed by packets (the kernel does not count them) */
	uint64_t collected;    /* entries that ended by timeout */
	uint64_t evicted;      /* ended by the collector under pressure, not by timeout */
	uint64_t moved;	       /* buckets, or lines of the index, that a resize has moved */
	uint64_t memory_bytes; /* taken from the allocator and not yet given back */
#define ENGINE_STAT(field, column) uint64_t field;
#include <conntune/engine_stat.def>
#undef ENGINE_STAT
};

/* What happened to an entry; the first three are what the kernel multicasts. A packet's changes
 * to one entry are told together, with the union of their bits: enum ip_conntrack_events. */
enum ct_event {
	CT_EVENT_NEW = 1 << 0,
	CT_EVENT_DESTROY = 1 << 1,
	CT_EVENT_REPLY = 1 << 2,
	CT_EVENT_ASSURED = 1 << 3,
	CT_EVENT_PROTOINFO = 1 << 4,
	CT_EVENT_HELPER = 1 << 5,
	CT_EVENT_MARK = 1 << 6,
	CT_EVENT_RELATED = 1 << 7, /* new, by an expectation */
};

/* Why an entry ended. */
enum ct_end {
	CT_END_NONE,
	CT_END_TIMEOUT,
	CT_END_RESET,	   /* a RST answered a connection's first packet */
	CT_END_REOPEN,	   /* a SYN used the tuple again */
	CT_END_EARLY_DROP, /* room for another, by a new packet */
	CT_END_PRESSURE,   /* room for others, by the collector */
	CT_END_CALL,	   /* of a PPTP call, when its control connection ended or said so */
	CT_END_REQUEST,	   /* ct_engine_delete(), ct_engine_flush() */
};

struct ct_event_info {
	unsigned events; /* enum ct_event bits */
	enum ct_end end; /* with CT_EVENT_DESTROY */
	ct_time at;
	struct ct_handle handle;
};

/* Is told of changes while a call into the engine runs; must not call the engine's changing
 * functions. @e lives for the call. */
typedef void ct_event_fn(void *user, const struct ct_event_info *info, const struct ct_entry *e);

/* Readers of payloads that announce other connections; a rule gives one to a new entry. */
enum ct_helper {
	CT_HELPER_NONE,
#define HELPER(constant, ...) CT_HELPER_##constant,
#include <conntune/helper.def>
#undef HELPER
};

/* Its name, "" for none. */
const char *ct_helper_name(enum ct_helper h);

/* True when it reads connections of IP protocol @proto. */
bool ct_helper_is_for(enum ct_helper h, uint8_t proto);

struct ct_engine_config {
	uint32_t max;	     /* nf_conntrack_max; 0 no limit */
	uint32_t buckets;    /* nf_conntrack_buckets, rounded up to 512 as there; 0: like max */
	uint32_t expect_max; /* nf_conntrack_expect_max; 0: the kernel's default for the buckets */
	enum ct_fidelity fidelity;
	uint8_t seed[16]; /* secret key of all hashes; the same seed, the same behaviour */
	struct ct_engine_settings settings;
	struct ct_memory memory;
	ct_event_fn *event; /* may be null */
	void *event_user;
};

/* Linux 6.18's defaults on a machine with more than 4 GiB: max and buckets 262144, every setting
 * at its default, kernel's expectation limit, exact fidelity, zero seed, no events. */
void ct_engine_config_default(struct ct_engine_config *cfg);

/* Finds a setting by the kernel's name, with or without "net.netfilter." and "nf_conntrack_" and
 * with '/' for '.'. Writes a reference into @s, and the highest value it takes. -ENOENT. */
int ct_engine_setting_find(struct ct_engine_settings *s, const char *name, size_t len,
			   uint32_t **value, uint32_t *highest);

/* Makes an engine; copies @cfg. Null with a sentence in @err (may be null): no memory, or a
 * value out of range. */
struct ct_engine *ct_engine_new(const struct ct_engine_config *cfg, struct ct_err *err);

/* Ends an engine and everything in it, without events. Null is fine. */
void ct_engine_free(struct ct_engine *en);

/* One packet at PREROUTING or OUTPUT: parses it, looks its tuple up, begins an entry when there
 * is none, runs the tracker. Sets family, proto, offset, info, verdict, why, entry of @p.
 * Time never runs backwards: an earlier @now counts as the latest seen. */
void ct_engine_in(struct ct_engine *en, struct ct_packet *p, ct_time now);

/* The end of the packet's way: helpers run, a new entry enters the table. @p as ct_engine_in()
 * left it; other packets may come in between, and may have begun an entry for the same flow: then
 * that clash is resolved as nf_ct_resolve_clash() does, and p->entry may be the other's. May change
 * p->verdict to CT_DROP: clash, chain too long, a helper that refuses. */
void ct_engine_confirm(struct ct_engine *en, struct ct_packet *p, ct_time now);

/* The packet goes no further: an unconfirmed entry of it is freed, without trace. Always safe. */
void ct_engine_release(struct ct_engine *en, struct ct_packet *p);

/* ct_engine_in() and ct_engine_confirm() for @n packets in their order; 16 to 32 at once are the
 * fast way. Packets are independent of one another as if they came one by one. */
void ct_engine_burst(struct ct_engine *en, struct ct_packet *p[], unsigned n, ct_time now);

/* Lets time pass: entries whose timeout is over end (exact), the collector runs (kernel). */
void ct_engine_advance(struct ct_engine *en, ct_time now);

/* When ct_engine_advance() may have work next; CT_TIME_NONE when there is none in sight. Never
 * later than the truth. */
ct_time ct_engine_expiry(const struct ct_engine *en);

/* The counters so far. */
void ct_engine_stats(const struct ct_engine *en, struct ct_engine_stats *out);

/* Walking the table: begin with a zeroed cursor. 1 with an entry, 0 at the end. Shows confirmed
 * entries that have not expired, in no order that means anything. The engine may change between
 * calls; entries begun or ended meanwhile are then shown or not. */
struct ct_cursor {
	uint32_t pool, number;
};
int ct_engine_next(const struct ct_engine *en, struct ct_cursor *at, struct ct_entry *out);

/* The entry of a handle as a value. -ENOENT when it has ended. */
int ct_engine_entry(const struct ct_engine *en, struct ct_handle h, struct ct_entry *out);

/* The entry that holds @t in either direction, in zone @zone; @dir says in which. -ENOENT. */
int ct_engine_find(const struct ct_engine *en, const struct ct_tuple *t, uint16_t zone,
		   struct ct_handle *out, enum ct_dir *dir);

/* One entry as NAT sees it: what it is, without the cost of a whole ct_entry. Each -ENOENT when it
 * has ended, or has no such thing. */
int ct_engine_tuple(const struct ct_engine *en, struct ct_handle h, enum ct_dir dir,
		    struct ct_tuple *out);
/* The status word; 0 when it has ended, or has none of the bits yet. */
uint32_t ct_engine_status(const struct ct_engine *en, struct ct_handle h);
/* The entry whose expectation this one fulfilled. */
int ct_engine_master(const struct ct_engine *en, struct ct_handle h, struct ct_handle *out);
/* The sequence number after the last that a TCP sender has used, td_end. */
int ct_engine_tcp_end(const struct ct_engine *en, struct ct_handle h, enum ct_dir dir,
		      uint32_t *out);

/* nf_conntrack_alter_reply(): gives an unconfirmed entry another reply tuple than the inverse of
 * its original; packets of that tuple then are its reply. -ENOENT, -EBUSY when it is confirmed,
 * -EINVAL for a tuple of another protocol or without inverse, -ENOMEM. */
int ct_engine_set_reply(struct ct_engine *en, struct ct_handle h, const struct ct_tuple *reply);

/* nf_conntrack_tuple_taken(): does another entry, in the zone of the unconfirmed @by, hold @reply
 * in either direction? An entry that begins with @by's original tuple does not count: that clash
 * is confirm's. Every "yes" counts as `found`. */
bool ct_engine_is_taken(struct ct_engine *en, const struct ct_tuple *reply, struct ct_handle by);

/* Adds status bits that NAT decides: SRC_NAT, DST_NAT, their DONE, SEQ_ADJUST. -ENOENT, -EINVAL
 * for any other bit. */
int ct_engine_set_status(struct ct_engine *en, struct ct_handle h, uint32_t status);

/* A change of the mark is told with the entry's next packet that is confirmed. -ENOENT. */
int ct_engine_set_mark(struct ct_engine *en, struct ct_handle h, uint32_t mark);

/* Gives an unconfirmed entry a helper, as nft's "ct helper set" does; CT --helper goes by
 * p->helper. -ENOENT, -EBUSY when it is confirmed, -EINVAL for no helper, -ENOMEM. */
int ct_engine_set_helper(struct ct_engine *en, struct ct_handle h, enum ct_helper helper);

/* nf_ct_seqadj_set(): what a TCP sender in direction @dir sends after @seq is @by bytes further on
 * from now on, as its payload was changed. -ENOENT, -ENOMEM. */
int ct_engine_set_seqadj(struct ct_engine *en, struct ct_handle h, enum ct_dir dir, uint32_t seq,
			 int32_t by);

/* The shifts of both directions. -ENOENT when there are none. */
int ct_engine_seqadj(const struct ct_engine *en, struct ct_handle h,
		     struct ct_seqadj out[CT_DIR_MAX]);

/* Ends an entry now, as ctnetlink's delete does. -ENOENT. */
int ct_engine_delete(struct ct_engine *en, struct ct_handle h);

/* Another number of buckets, rounded up to 512 as at the beginning, while the engine runs:
 * nf_conntrack_hash_resize(). In kernel fidelity the chains are moved by and by, a few buckets with
 * each packet, and end in the order in which the kernel leaves them; an earlier resize that is
 * still under way is ended first. In exact fidelity there are none to move. -EINVAL for 0, -ERANGE,
 * -ENOMEM. */
int ct_engine_set_buckets(struct ct_engine *en, uint32_t buckets);

/* Changes a limit or a setting while the engine runs; acts on entries as the kernel's does (at
 * their next refresh, or for new ones). */
void ct_engine_set_max(struct ct_engine *en, uint32_t max);
void ct_engine_set(struct ct_engine *en, const struct ct_engine_settings *settings);

#endif
