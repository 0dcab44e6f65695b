/* SPDX-License-Identifier: BSD-2-Clause
 *
 * How an entry lies in memory, and how entries are kept.
 *
 * Every entry has a hot part of 64 bytes: its key, deadline, status, and the small trackers'
 * state. TCP adds its window records in the 64 bytes behind. What is rarely wanted stands in
 * side arrays under the same number: IPv6 addresses, accounting, time stamps, chain links. So an
 * entry is one or two lines of cache, is found by a 32-bit number, and never moves.
 *
 * One key serves both directions: the endpoint that sorts lower comes first, ICMP's requester
 * comes first; a bit says which endpoint is the original sender. An entry whose reply is not the
 * inverse of its original (NAT, a zone of one direction) has a second key for it: see second.c.
 */
#ifndef CT_ENGINE_ENTRY_H
#define CT_ENGINE_ENTRY_H

#include <conntune/engine.h>
#include <stdint.h>

/* The kernel's jiffies at HZ=250: the grain of every timeout. Ticks wrap; compare by difference. */
#define ENGINE_HZ   250U
#define NS_PER_TICK (CT_NS_PER_S / ENGINE_HZ)
typedef uint32_t ct_tick;

/* How entries differ in memory; an entry's number begins with it. */
enum entry_class { CLASS_SMALL, CLASS_TCP, CLASS_SMALL6, CLASS_TCP6, N_CLASSES };

/* Entry numbers: two bits of class over 29 bits of place. Bit 31 stays free, so that a number and
 * a direction fit 32 bits. 0 is no entry. */
enum { CLASS_SHIFT = 29, CHUNK_SHIFT = 15 };
#define PLACE_MASK  ((UINT32_C(1) << CLASS_SHIFT) - 1)
#define CHUNK_LEN   (UINT32_C(1) << CHUNK_SHIFT)
#define CHUNK_MASK  (CHUNK_LEN - 1)
#define MAX_ENTRIES PLACE_MASK

/* How searches name what they find: an entry's number, and in the bit that it leaves free, by
 * which key: of two keys, by the second; in a chain of kernel fidelity, by the reply's link. */
#define REF_REPLY  (UINT32_C(1) << 31)
#define REF_NUMBER (REF_REPLY - 1)

/* Compared as 16 bytes. For IPv6 `addr` is a keyed fingerprint of both addresses, which stand in
 * the side array and are compared after it. */
struct key {
	union {
		struct {
			ct_be32 low, high;
		} ip4;
		uint64_t fingerprint;
	} addr;
	ct_be16 low_part, high_part;
	uint8_t proto;
	uint8_t is_ipv6;
	uint16_t zone;
};

/* One sender's record, struct ip_ct_tcp_state. */
struct tcp_seen {
	uint32_t end, maxend, maxwin, maxack;
	uint8_t scale, flags;
	uint16_t unused;
};

/* struct ip_ct_tcp; its state stands in the hot part. */
struct tcp_part {
	struct tcp_seen seen[CT_DIR_MAX];
	uint32_t last_seq, last_ack, last_end;
	uint16_t last_win;
	uint8_t last_wscale, last_flags, last_index, last_dir, retrans;
	uint8_t unused[5];
};

/* struct ip_ct_sctp */
struct sctp_part {
	ct_be32 vtag[CT_DIR_MAX];
	uint8_t init[CT_DIR_MAX];
	uint8_t last_dir, flags;
};

struct gre_part {
	ct_tick timeout, stream_timeout;
};

enum entry_flag {
	ENTRY_ORIG_HIGH = 1 << 0, /* the original sender is the key's high endpoint */
	ENTRY_HAS_ACCT = 1 << 1,
	ENTRY_HAS_STAMP = 1 << 2,
	ENTRY_IN_USE = 1 << 3, /* else it is on its pool's free list */
	ENTRY_IPV6 = 1 << 4,
	ENTRY_SECOND = 1 << 5,	    /* the reply has a key of its own */
	ENTRY_SECOND_HIGH = 1 << 6, /* the reply's sender is that key's high endpoint */
};

struct entry {
	struct key key;
	ct_tick deadline; /* what is left of it, while the entry is unconfirmed */
	ct_tick check;	  /* copy of the expiry tree's leaf; never after the deadline */
	uint16_t status;  /* enum ct_status */
	uint8_t state;	  /* of TCP or SCTP */
	uint8_t flags;	  /* enum entry_flag */
	uint32_t mark;
	uint32_t generation;
	uint32_t cold; /* number of its cold record, 0 none; next free place while not in use */
	union {
		ct_tick stream_from; /* UDP: after this it counts as a stream */
		struct sctp_part sctp;
		struct gre_part gre;
	} u;
	uint16_t zone;	  /* its id, whatever direction it is limited to */
	uint8_t zone_dir; /* enum ct_zone_dir */
	uint8_t pending;  /* enum ct_event bits that a later packet will tell: see conclude() */
	uint8_t overlaid; /* a bit for each direction whose tuple a newer entry has: see index.c */
	uint8_t unused[3];
};

struct entry_tcp {
	struct entry hot;
	struct tcp_part tcp;
};

_Static_assert(sizeof(struct key) == 16, "compared as two words");
_Static_assert(sizeof(struct entry) == 64, "one line");
_Static_assert(sizeof(struct entry_tcp) == 128, "two lines");

struct acct {
	uint64_t packets[CT_DIR_MAX], bytes[CT_DIR_MAX];
};

/* Where lines end in an FTP control connection, struct nf_ct_ftp_master. */
struct ftp_part {
	uint8_t n_seq[CT_DIR_MAX];
	uint32_t seq[CT_DIR_MAX][2];
};

/* The session and the call of a PPTP control connection, struct nf_ct_pptp_master. */
struct pptp_part {
	uint8_t session, call;
	ct_be16 server_call, client_call; /* PAC's and PNS's */
};

/* The requests that answers are about, struct nf_ct_sip_master. */
struct sip_part {
	uint32_t register_cseq, invite_cseq;
};

enum { EXPECT_CLASSES = 4 };

/* What few entries have: expectations' children and parents. */
struct cold {
	struct ct_handle master;
	struct ct_tuple master_tuple;	     /* as it was, in case the master ends */
	struct ct_seqadj seqadj[CT_DIR_MAX]; /* with CT_STATUS_SEQ_ADJUST */
	uint32_t parent;		     /* the master's record, 0 none */
	uint32_t n_children;		     /* entries that were expected from this one and live */
	bool is_orphaned;		     /* its entry has ended before them */
	uint32_t next_free;
	uint8_t n_expects[EXPECT_CLASSES]; /* expectations that hang on this entry */
	uint8_t helper;			   /* enum ct_helper */
	union {
		struct ftp_part ftp;
		struct pptp_part pptp;
		struct sip_part sip;
	} u;
};

/* The expiry tree over one chunk: lower bounds of deadlines by 1, 64, 4096 and all entries. */
enum { TREE_FAN = 64, TREE_LEVEL1 = CHUNK_LEN / TREE_FAN, TREE_LEVEL2 = TREE_LEVEL1 / TREE_FAN };
#define CHECK_NONE UINT32_MAX
struct tree {
	ct_tick leaf[CHUNK_LEN];
	ct_tick level1[TREE_LEVEL1];
	ct_tick level2[TREE_LEVEL2];
};

/* One block of places; side arrays come when the first entry wants them. */
struct chunk {
	uint8_t *main;
	uint8_t (*addr6)[32];
	struct key *second;
	uint8_t (*second6)[32]; /* the second key's addresses */
	struct acct *acct;
	int64_t *stamp;
	uint32_t (*link)[CT_DIR_MAX]; /* kernel fidelity */
	struct tree *tree;	      /* exact fidelity */
};

struct pool {
	uint8_t **main; /* of each chunk: what the packet path needs, densely */
	struct chunk *chunk;
	ct_tick *bound; /* of each chunk: root of its expiry tree */
	uint32_t n_chunks, max_chunks;
	uint32_t n_used; /* places handed out so far; place 0 never is */
	uint32_t free;	 /* first of the free list */
	uint8_t shift;	 /* log2 of the entry size */
};

static inline enum entry_class entry_class_of(uint32_t number)
{
	return (enum entry_class)(number >> CLASS_SHIFT);
}

/* The entry with a number that is known to exist. */
static inline struct entry *pool_entry(const struct pool *pools, uint32_t number)
{
	const struct pool *pool = &pools[number >> CLASS_SHIFT];
	uint32_t place = number & PLACE_MASK;

	return (struct entry *)(void *)(pool->main[place >> CHUNK_SHIFT] +
					((size_t)(place & CHUNK_MASK) << pool->shift));
}

static inline struct chunk *pool_chunk(const struct pool *pools, uint32_t number)
{
	return &pools[number >> CLASS_SHIFT].chunk[(number & PLACE_MASK) >> CHUNK_SHIFT];
}

static inline struct tcp_part *entry_tcp(struct entry *e)
{
	return &((struct entry_tcp *)e)->tcp;
}

static inline uint8_t *entry_addr6(const struct pool *pools, uint32_t number)
{
	return pool_chunk(pools, number)->addr6[number & CHUNK_MASK];
}

static inline struct acct *entry_acct(const struct pool *pools, uint32_t number)
{
	return &pool_chunk(pools, number)->acct[number & CHUNK_MASK];
}

/* In the table: confirmed, and not on its way out. */
static inline bool entry_is_listed(const struct entry *e)
{
	return (e->status & (CT_STATUS_CONFIRMED | CT_STATUS_DYING)) == CT_STATUS_CONFIRMED;
}

/* True when a deadline lies behind: nf_ct_is_expired(). */
static inline bool tick_passed(ct_tick deadline, ct_tick now)
{
	return (int32_t)(deadline - now) <= 0;
}

#endif
