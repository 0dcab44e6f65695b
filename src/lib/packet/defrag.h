/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The inside of reassembly, shared by its files.
 *
 *     defrag.c         a context's life, clock, settings
 *     defrag_queue.c   queues of fragments, their index, memory and end: inet_fragment.c
 *     defrag4.c        IPv4: ip_fragment.c         defrag6.c    IPv6: nf_conntrack_reasm.c
 */
#ifndef CT_PACKET_DEFRAG_H
#define CT_PACKET_DEFRAG_H

#include <conntune/defrag.h>

enum {
	DEFRAG_IPV4,
	DEFRAG_IPV6,
	DEFRAG_FAMILIES,
	/* The largest whole packet: an IPv6 header and as much as its length field can say. */
	DEFRAG_MAX = 40 + 65535,
	ECN_SPOILED = 0xff,
};

/* A link of a hash table; stands first in what is linked. */
struct defrag_node {
	struct defrag_node *next;
	uint64_t hash;
};

struct defrag_table {
	struct defrag_node **slots;
	uint32_t n_slots; /* a power of two, or 0 */
	uint32_t n;
};

/* What tells packets in pieces apart: struct frag_v4_compare_key, frag_v6_compare_key. */
struct defrag_key {
	uint8_t src[16], dst[16];
	uint32_t id, iif;
	uint16_t zone;
	uint8_t hook, family, proto;
	uint8_t zero[3];
};

/* Counts the fragments of one source: struct inet_peer, of which only rid matters here. */
struct defrag_peer {
	struct defrag_node node;
	uint32_t addr, rid, n_queues;
};

/* One fragment's payload. */
struct defrag_part {
	struct defrag_part *next; /* in its run */
	uint32_t offset, size;
	uint8_t bytes[];
};

/* Fragments that came in order, one right behind the other. Only the last run of a queue grows,
 * as in the kernel: what counts as a duplicate depends on it. */
struct defrag_run {
	uint32_t start, end;
	struct defrag_part *first, *last;
};

/* A packet in pieces: struct inet_frag_queue with ipq or frag_queue around it. */
struct defrag_queue {
	struct defrag_node node;
	struct defrag_key key;
	struct defrag_queue *older, *newer;
	ct_time deadline;
	uint64_t charge;
	struct defrag_peer *peer;
	struct defrag_run *runs; /* by place */
	uint8_t *head;		 /* headers of the first fragment, or null */
	uint32_t n_runs, max_runs;
	uint32_t head_size;
	uint32_t rid;
	uint32_t len, meat;		/* its length as far as known; bytes there */
	uint32_t max_size, max_df_size; /* the largest fragments */
	bool has_first, has_last, is_vouched;
	uint8_t ecn;			 /* 1 << codepoint of each fragment */
	uint8_t next_at;		 /* of the field in head that says what follows (IPv6) */
	uint8_t flags, helper, zone_dir; /* the first fragment's */
};

/* A family's queues: struct fqdir. */
struct defrag_dir {
	uint64_t high_thresh, charge, queue_charge;
	ct_time timeout;
	struct defrag_queue *oldest, *newest; /* by deadline */
	struct ct_defrag_stats stats;
};

struct ct_defrag {
	struct ct_defrag_config cfg;
	uint64_t key[2];
	ct_time now;
	bool is_begun;
	size_t memory_bytes;
	struct defrag_table queues, peers;
	struct defrag_dir dirs[DEFRAG_FAMILIES];
	uint8_t *whole; /* DEFRAG_MAX bytes */
};

/* A fragment on its way in, cut to what counts. */
struct defrag_piece {
	struct ct_packet *p;
	uint32_t offset, end; /* within the payload of the whole packet */
	uint32_t header_size; /* bytes before the payload */
};

enum defrag_insert { INSERT_OK, INSERT_DUPLICATE, INSERT_OVERLAP, INSERT_NO_MEMORY };

void *ct_defrag_alloc(struct ct_defrag *d, size_t size);
void ct_defrag_release(struct ct_defrag *d, void *p, size_t size);

/* Finds or begins a queue: inet_frag_find(). Null over the threshold or without memory. */
struct defrag_queue *ct_defrag_find(struct ct_defrag *d, const struct defrag_key *key);

/* Ends a queue with all in it: inet_frag_kill(). */
void ct_defrag_kill(struct ct_defrag *d, struct defrag_queue *q);

/* Empties a queue and gives it its whole time again: ip_frag_reinit(). */
void ct_defrag_restart(struct ct_defrag *d, struct defrag_queue *q);

/* Puts a fragment into its place and accounts for it: inet_frag_queue_insert(). */
enum defrag_insert ct_defrag_insert(struct ct_defrag *d, struct defrag_queue *q,
				    const struct defrag_piece *piece);

/* Writes the first @head_size bytes of the head and the payload into d->whole; the size. */
uint32_t ct_defrag_join(struct ct_defrag *d, const struct defrag_queue *q, uint32_t head_size);

/* What @p is after reassembly: d->whole with what the first fragment knew. */
void ct_defrag_finish(const struct ct_defrag *d, const struct defrag_queue *q, struct ct_packet *p,
		      uint32_t size);

/* Bits for the whole packet's ECN field by those seen, ip_frag_ecn_table: ECN_SPOILED when the
 * fragments do not fit together. */
uint8_t ct_defrag_ecn(uint8_t seen);

/* The queue's user: nf_ct_defrag_user(), nf_ct6_defrag_user(). */
void ct_defrag_key_begin(struct defrag_key *key, const struct ct_packet *p, uint8_t family);

enum ct_defrag_result ct_defrag_ipv4(struct ct_defrag *d, struct ct_packet *p);
enum ct_defrag_result ct_defrag_ipv6(struct ct_defrag *d, struct ct_packet *p);

static inline bool defrag_is_complete(const struct defrag_queue *q)
{
	return q->has_first && q->has_last && q->meat == q->len;
}

static inline enum ct_defrag_result defrag_drop(struct ct_packet *p, const char *why)
{
	p->why = why;
	return CT_DEFRAG_DROP;
}

#endif
