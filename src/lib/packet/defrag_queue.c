/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Queues of fragments: finding and ending them, putting a fragment into its place, joining all of
 * them. Answers to Linux 6.18, net/ipv4/inet_fragment.c.
 *
 * A queue holds runs, sorted by place, none overlapping another. The kernel keeps them in a tree;
 * here they are an array searched by halves, of which inserting moves at most 8191 small elements.
 */
#include "lib/packet/defrag.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/sip.h"

enum {
	MIN_SLOTS = 64,
	MIN_RUNS = 4,
	/* What a sk_buff costs beside its bytes on a 64-bit kernel: the struct, a device's
	 * headroom, the shared info behind the data. What does not fit into a page goes into
	 * further ones. */
	SKB_STRUCT = 256,
	SKB_ROOM = 64,
	SKB_TAIL = 320,
	SKB_SMALL = 576,
	PAGE = 4096,
	IN_FIRST_PAGE = PAGE - SKB_TAIL - SKB_ROOM,
};

void *ct_defrag_alloc(struct ct_defrag *d, size_t size)
{
	const struct ct_memory *m = &d->cfg.memory;
	void *p = m->alloc ? m->alloc(m->user, size, _Alignof(max_align_t)) : malloc(size);

	if (p)
		d->memory_bytes += size;
	return p;
}

void ct_defrag_release(struct ct_defrag *d, void *p, size_t size)
{
	if (!p)
		return;
	d->memory_bytes -= size;
	if (d->cfg.memory.free)
		d->cfg.memory.free(d->cfg.memory.user, p, size);
	else
		free(p);
}

static bool table_grow(struct ct_defrag *d, struct defrag_table *t)
{
	uint32_t n = t->n_slots ? t->n_slots * 2 : MIN_SLOTS;
	struct defrag_node **slots;

	if (t->n < t->n_slots)
		return true;
	slots = ct_defrag_alloc(d, n * sizeof(struct defrag_node *));
	if (!slots)
		return t->n_slots > 0;
	memset(slots, 0, n * sizeof(struct defrag_node *));
	for (uint32_t i = 0; i < t->n_slots; i++) {
		while (t->slots[i]) {
			struct defrag_node *node = t->slots[i];

			t->slots[i] = node->next;
			node->next = slots[node->hash & (n - 1)];
			slots[node->hash & (n - 1)] = node;
		}
	}
	ct_defrag_release(d, t->slots, t->n_slots * sizeof(struct defrag_node *));
	t->slots = slots;
	t->n_slots = n;
	return true;
}

static bool table_add(struct ct_defrag *d, struct defrag_table *t, struct defrag_node *node,
		      uint64_t hash)
{
	struct defrag_node **slot;

	if (!table_grow(d, t))
		return false;
	slot = &t->slots[hash & (t->n_slots - 1)];
	node->hash = hash;
	node->next = *slot;
	*slot = node;
	t->n++;
	return true;
}

static void table_remove(struct defrag_table *t, const struct defrag_node *node)
{
	struct defrag_node **at = &t->slots[node->hash & (t->n_slots - 1)];

	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
	t->n--;
}

static struct defrag_node *table_first(const struct defrag_table *t, uint64_t hash)
{
	return t->n_slots ? t->slots[hash & (t->n_slots - 1)] : NULL;
}

/* inet_getpeer_v4(). A peer lives as long as a queue counts by it; only differences matter. */
static struct defrag_peer *peer_get(struct ct_defrag *d, uint32_t addr)
{
	uint64_t word = addr, hash = ct_sip_words(d->key, &word, 1);
	struct defrag_peer *peer;

	for (struct defrag_node *at = table_first(&d->peers, hash); at; at = at->next) {
		peer = (struct defrag_peer *)(void *)at;
		if (peer->addr == addr) {
			peer->n_queues++;
			return peer;
		}
	}
	peer = ct_defrag_alloc(d, sizeof(*peer));
	if (!peer)
		return NULL;
	*peer = (struct defrag_peer){ .addr = addr, .n_queues = 1 };
	if (!table_add(d, &d->peers, &peer->node, hash)) {
		ct_defrag_release(d, peer, sizeof(*peer));
		return NULL;
	}
	return peer;
}

static void peer_put(struct ct_defrag *d, struct defrag_peer *peer)
{
	if (!peer || --peer->n_queues > 0)
		return;
	table_remove(&d->peers, &peer->node);
	ct_defrag_release(d, peer, sizeof(*peer));
}

static struct defrag_dir *dir_of(struct ct_defrag *d, const struct defrag_queue *q)
{
	return &d->dirs[q->key.family == CT_FAMILY_IPV6 ? DEFRAG_IPV6 : DEFRAG_IPV4];
}

/* A deadline is set to the end of the whole time, which is one for all: the newest comes last. */
static void timer_set(const struct ct_defrag *d, struct defrag_dir *dir, struct defrag_queue *q)
{
	q->deadline = d->now > CT_TIME_NONE - dir->timeout ? CT_TIME_NONE : d->now + dir->timeout;
	q->newer = NULL;
	q->older = dir->newest;
	if (dir->newest)
		dir->newest->newer = q;
	else
		dir->oldest = q;
	dir->newest = q;
}

static void timer_delete(struct defrag_dir *dir, struct defrag_queue *q)
{
	if (q->older)
		q->older->newer = q->newer;
	else
		dir->oldest = q->newer;
	if (q->newer)
		q->newer->older = q->older;
	else
		dir->newest = q->older;
}

/* inet_frag_create(), with ip4_frag_init() */
static struct defrag_queue *queue_new(struct ct_defrag *d, const struct defrag_key *key,
				      uint64_t hash)
{
	struct defrag_queue *q = ct_defrag_alloc(d, sizeof(*q));
	struct defrag_dir *dir;

	if (!q)
		return NULL;
	*q = (struct defrag_queue){ .key = *key, .is_vouched = true };
	if (!table_add(d, &d->queues, &q->node, hash)) {
		ct_defrag_release(d, q, sizeof(*q));
		return NULL;
	}
	if (key->family == CT_FAMILY_IPV4 && d->cfg.settings.ip_max_dist > 0) {
		uint32_t addr;

		memcpy(&addr, key->src, sizeof(addr));
		q->peer = peer_get(d, addr);
	}
	dir = dir_of(d, q);
	dir->charge += dir->queue_charge;
	dir->stats.queues++;
	timer_set(d, dir, q);
	return q;
}

struct defrag_queue *ct_defrag_find(struct ct_defrag *d, const struct defrag_key *key)
{
	const struct defrag_dir *dir =
		&d->dirs[key->family == CT_FAMILY_IPV6 ? DEFRAG_IPV6 : DEFRAG_IPV4];
	uint64_t words[sizeof(*key) / 8], hash;

	/* inet_frag_find(): the limit holds for queues that exist already, too. */
	if (dir->high_thresh == 0 || dir->charge > dir->high_thresh)
		return NULL;
	memcpy(words, key, sizeof(*key));
	hash = ct_sip_words(d->key, words, sizeof(*key) / 8);
	for (struct defrag_node *at = table_first(&d->queues, hash); at; at = at->next) {
		struct defrag_queue *q = (struct defrag_queue *)(void *)at;

		if (at->hash == hash && memcmp(&q->key, key, sizeof(*key)) == 0)
			return q;
	}
	return queue_new(d, key, hash);
}

/* inet_frag_rbtree_purge() */
static void purge(struct ct_defrag *d, struct defrag_queue *q)
{
	for (uint32_t i = 0; i < q->n_runs; i++) {
		while (q->runs[i].first) {
			struct defrag_part *part = q->runs[i].first;

			q->runs[i].first = part->next;
			ct_defrag_release(d, part, sizeof(*part) + part->size);
		}
	}
	ct_defrag_release(d, q->runs, q->max_runs * sizeof(*q->runs));
	ct_defrag_release(d, q->head, q->head_size);
	dir_of(d, q)->charge -= q->charge;
	q->runs = NULL;
	q->head = NULL;
	q->n_runs = q->max_runs = q->head_size = 0;
	q->charge = 0;
}

void ct_defrag_kill(struct ct_defrag *d, struct defrag_queue *q)
{
	struct defrag_dir *dir = dir_of(d, q);

	purge(d, q);
	timer_delete(dir, q);
	table_remove(&d->queues, &q->node);
	peer_put(d, q->peer);
	dir->charge -= dir->queue_charge;
	dir->stats.queues--;
	ct_defrag_release(d, q, sizeof(*q));
}

void ct_defrag_restart(struct ct_defrag *d, struct defrag_queue *q)
{
	struct defrag_dir *dir = dir_of(d, q);

	purge(d, q);
	timer_delete(dir, q);
	timer_set(d, dir, q);
	q->len = q->meat = 0;
	q->has_first = q->has_last = false;
	q->is_vouched = true;
	q->ecn = 0;
}

/* What a packet of @size bytes is charged, skb->truesize: as a TUN device makes it. */
static uint64_t charge_of(uint32_t size)
{
	uint64_t room = ((uint64_t)size + SKB_ROOM + 63) / 64 * 64 + SKB_TAIL, class = 1024;

	if (room <= SKB_SMALL)
		return SKB_SMALL + SKB_STRUCT;
	if (room > PAGE)
		return ((uint64_t)size - IN_FIRST_PAGE + PAGE - 1) / PAGE * PAGE + PAGE +
		       SKB_STRUCT;
	while (class < room)
		class *= 2;
	return class + SKB_STRUCT;
}

static struct defrag_part *part_new(struct ct_defrag *d, const struct defrag_piece *piece)
{
	uint32_t size = piece->end - piece->offset;
	struct defrag_part *part = ct_defrag_alloc(d, sizeof(*part) + size);

	if (!part)
		return NULL;
	*part = (struct defrag_part){ .offset = piece->offset, .size = size };
	memcpy(part->bytes, piece->p->data + piece->header_size, size);
	return part;
}

static bool runs_grow(struct ct_defrag *d, struct defrag_queue *q)
{
	uint32_t n = q->max_runs ? q->max_runs * 2 : MIN_RUNS;
	struct defrag_run *runs;

	if (q->n_runs < q->max_runs)
		return true;
	runs = ct_defrag_alloc(d, n * sizeof(*runs));
	if (!runs)
		return false;
	if (q->runs)
		memcpy(runs, q->runs, q->n_runs * sizeof(*runs));
	ct_defrag_release(d, q->runs, q->max_runs * sizeof(*runs));
	q->runs = runs;
	q->max_runs = n;
	return true;
}

/* Keeps the headers of the fragment at offset 0, with what its sk_buff knows beside them. */
static bool head_keep(struct ct_defrag *d, struct defrag_queue *q, const struct defrag_piece *piece)
{
	if (piece->offset != 0)
		return true;
	q->head = ct_defrag_alloc(d, piece->header_size);
	if (!q->head)
		return false;
	memcpy(q->head, piece->p->data, piece->header_size);
	q->head_size = piece->header_size;
	q->has_first = true;
	q->flags = piece->p->flags;
	q->helper = piece->p->helper;
	q->zone_dir = piece->p->zone_dir;
	return true;
}

/* The first run that ends behind @offset; n_runs when none does. */
static uint32_t run_search(const struct defrag_queue *q, uint32_t offset)
{
	uint32_t low = 0, high = q->n_runs;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (q->runs[middle].end > offset)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static enum defrag_insert place(struct ct_defrag *d, struct defrag_queue *q,
				const struct defrag_piece *piece)
{
	uint32_t at = run_search(q, piece->offset);
	const struct defrag_run *run = at < q->n_runs ? &q->runs[at] : NULL;
	struct defrag_run *last;
	struct defrag_part *part;

	if (run && run->start < piece->end)
		return piece->offset >= run->start && piece->end <= run->end ? INSERT_DUPLICATE
									     : INSERT_OVERLAP;
	if (!runs_grow(d, q))
		return INSERT_NO_MEMORY;
	part = part_new(d, piece);
	if (!part)
		return INSERT_NO_MEMORY;
	if (!head_keep(d, q, piece)) {
		ct_defrag_release(d, part, sizeof(*part) + part->size);
		return INSERT_NO_MEMORY;
	}
	assert(q->runs);
	last = q->n_runs ? &q->runs[q->n_runs - 1] : NULL;
	if (last && last->end == piece->offset) {
		last->last->next = part;
		last->last = part;
		last->end = piece->end;
		return INSERT_OK;
	}
	memmove(q->runs + at + 1, q->runs + at, (q->n_runs - at) * sizeof(*q->runs));
	q->runs[at] = (struct defrag_run){ piece->offset, piece->end, part, part };
	q->n_runs++;
	return INSERT_OK;
}

enum defrag_insert ct_defrag_insert(struct ct_defrag *d, struct defrag_queue *q,
				    const struct defrag_piece *piece)
{
	enum defrag_insert r = place(d, q, piece);
	uint64_t charge = charge_of(piece->p->size);

	if (r != INSERT_OK)
		return r;
	q->meat += piece->end - piece->offset;
	q->is_vouched &= (piece->p->flags & CT_PACKET_CHECKSUM_OK) != 0;
	q->charge += charge;
	dir_of(d, q)->charge += charge;
	return INSERT_OK;
}

uint32_t ct_defrag_join(struct ct_defrag *d, const struct defrag_queue *q, uint32_t head_size)
{
	uint32_t size = head_size;

	memcpy(d->whole, q->head, size);
	for (uint32_t i = 0; i < q->n_runs; i++) {
		for (const struct defrag_part *part = q->runs[i].first; part; part = part->next) {
			memcpy(d->whole + size, part->bytes, part->size);
			size += part->size;
		}
	}
	return size;
}

void ct_defrag_finish(const struct ct_defrag *d, const struct defrag_queue *q, struct ct_packet *p,
		      uint32_t size)
{
	p->data = d->whole;
	p->size = size;
	p->flags = q->flags;
	if (!q->is_vouched)
		p->flags &= (uint8_t)~CT_PACKET_CHECKSUM_OK;
	p->helper = q->helper;
	p->zone_dir = q->zone_dir;
}
