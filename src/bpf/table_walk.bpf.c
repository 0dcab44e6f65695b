/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reads the connection table where it lies. Run on request (BPF_PROG_TEST_RUN), attached to
 * nothing, writing nothing but maps of its own.
 *
 * A run reads a range of buckets in four steps, under one RCU read lock:
 *
 *  1. The heads of all chains are copied. Empty ones are done with.
 *  2. Several chains are followed in lock step: the loads of one round do not depend on each
 *     other, so the processor waits for their cache misses at the same time. The code has no
 *     branches; a lane that comes to the end of its chain takes the next at once. Entries hang in
 *     the table twice; only the node of the original direction is noted.
 *  3. The heads are compared. Entries are recycled without a grace period
 *     (SLAB_TYPESAFE_BY_RCU): one that is put elsewhere while we stand on it leads us into another
 *     chain, whose end marker names another bucket; one that is put back at the head of its own
 *     chain shows us the chain twice, and the head tells. Either way the run counts for nothing
 *     and is asked for again.
 *  4. Each entry noted is read.
 *
 * Memory of the kernel is read by loads that fail without harm: bpf_rdonly_cast() to no type
 * (Linux 6.17), or else, with WALK_PROBE, through bpf_probe_read_kernel(), which is half as fast.
 * Answers to Linux 6.18, nf_conntrack_core.c: __nf_conntrack_hash_insert(), nf_conntrack_free().
 */
#include "bpf/kernel.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "bpf/table_walk.h"

#define IPS_EXPECTED   (1u << 0)
#define IPS_CONFIRMED  (1u << 3)
#define IPS_SEQ_ADJUST (1u << 6)
#define AF_INET	       2
#define IPPROTO_TCP    6
#define IPPROTO_DCCP   33
#define IPPROTO_SCTP   132
#define HEADS	       8
#define TOUCHED	       8
#define MAX_CHAIN      1024
/* More rounds in one call only take longer to verify; calls are bounded, far above a sane table. */
#define ROUNDS	       4
#define MAX_CALLS      (32 * WALK_MAX_ENTRIES)
#ifdef WALK_PROBE
#define LANES 6 /* more do not fit the stack */
#else
#define LANES 8
#endif

/* Keeps the compiler from making a branch of a mask. */
#define HIDE(x) asm volatile("" : "+r"(x))

/* Why a kernel function is offered to programs under the GPL only is its own business. */
char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* What a run remembers; user space never sees it. What is used most stands in front, where one
 * instruction reaches it. */
struct walk_work {
	__u64 lane[LANES];
	__u64 at[LANES]; /* the bucket of each lane */
	__u64 n_chains, next, n_nodes, n_bad;
	__u64 node[WALK_MAX_ENTRIES];
	__u64 chain[WALK_MAX_BUCKETS]; /* first nodes of the chains that are not empty */
	__u32 bucket[WALK_MAX_BUCKETS];
	__u64 head[WALK_MAX_BUCKETS];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct walk_work);
} work SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct walk_out);
} out SEC(".maps");

struct walk_table table;
__u8 peek_bytes[WALK_MAX_PEEK];
char symbol_name[WALK_MAX_NAME];

extern void bpf_rcu_read_lock(void) __ksym __weak;
extern void bpf_rcu_read_unlock(void) __ksym __weak;

#ifdef WALK_PROBE
#define AT(type, address) ((type *)(address))
#define READ(p, field)                                                                             \
	({                                                                                         \
		typeof((p)->field) value_ = 0;                                                     \
		bpf_core_read(&value_, sizeof(value_), &(p)->field);                               \
		value_;                                                                            \
	})
static __always_inline __u64 read64(__u64 address)
{
	__u64 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), (void *)address);
	return value;
}
static __always_inline __u32 read32(__u64 address)
{
	__u32 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), (void *)address);
	return value;
}
static __always_inline __u32 read8(__u64 address)
{
	__u8 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), (void *)address);
	return value;
}
#else
extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym;
#define AT(type, address) ((type *)bpf_rdonly_cast((void *)(address), 0))
#define READ(p, field)	  (AT(typeof(*(p)), p)->field)
static __always_inline __u64 read64(__u64 address)
{
	return *AT(volatile __u64, address);
}
static __always_inline __u32 read32(__u64 address)
{
	return *AT(volatile __u32, address);
}
static __always_inline __u32 read8(__u64 address)
{
	return *AT(volatile __u8, address);
}
#endif

/* On the stack of a run; the callbacks of bpf_loop() share it. */
struct run {
	__u32 slot, from, n_buckets, netns, want;
	__u32 now, n, n_all, n_expired;
};

/* 1 for 0, else 0, and no branch: the verifier would go both ways each time. */
static __always_inline __u64 is_zero(__u64 x)
{
	__u64 negative = -x;

	HIDE(negative);
	return ((x | negative) >> 63) ^ 1;
}

/* Bucket number @k of group @i of a run, or its last one where there are fewer. */
static __always_inline __u64 bucket_of(const struct run *r, __u32 i, __u32 k, __u64 *is_there)
{
	__u64 b = (__u64)i * HEADS + k, last = (__u64)r->n_buckets - 1, mask;

	*is_there = (b - last - 1) >> 63;
	mask = -*is_there;
	HIDE(mask);
	return (b & mask) | (last & ~mask);
}

static int copy_heads(__u32 i, struct run *r)
{
	struct walk_work *w = bpf_map_lookup_elem(&work, &r->slot);
	__u64 n, bad = 0;

	if (!w)
		return 1;
	n = w->n_chains;
#pragma unroll
	for (__u32 k = 0; k < HEADS; k++) {
		__u64 is_there, b = bucket_of(r, i, k, &is_there);
		__u64 head = read64(table.array + 8 * (r->from + b));

		w->head[b & (WALK_MAX_BUCKETS - 1)] = head;
		w->chain[n & (WALK_MAX_BUCKETS - 1)] = head;
		w->bucket[n & (WALK_MAX_BUCKETS - 1)] = r->from + b;
		n += ((head & 1) ^ 1) & is_there;
		bad += is_zero(head) | ((is_zero(head >> 1 ^ (r->from + b)) ^ 1) & head & 1);
	}
	w->n_chains = n;
	w->n_bad += bad;
	return 0;
}

/* A node: what is next, and which direction it is of. */
static __always_inline void load_node(__u64 p, __u64 *next, __u64 *dir)
{
#ifdef WALK_PROBE
	struct nf_conntrack_tuple_hash *at = (void *)p;

	*next = (__u64)READ(at, hnnode.next);
	*dir = READ(at, tuple.dst.dir);
#else
	struct nf_conntrack_tuple_hash *at = AT(struct nf_conntrack_tuple_hash, p);

	*next = (__u64)at->hnnode.next;
	*dir = at->tuple.dst.dir;
#endif
}

static int follow(__u32 i, struct run *r)
{
	struct walk_work *w = bpf_map_lookup_elem(&work, &r->slot);
	__u64 next, n_chains, n_nodes, n_bad, all = 1;

	if (!w)
		return 1;
	next = w->next;
	n_chains = w->n_chains;
	n_nodes = w->n_nodes;
	n_bad = w->n_bad;
	for (int round = 0; round < ROUNDS; round++) {
		all = 1;
#pragma unroll
		for (__u32 l = 0; l < LANES; l++) {
			__u64 p = w->lane[l], is_end = p & 1, is_left = (next - n_chains) >> 63;
			__u64 mask = -(is_end & is_left), rest, b, n;
			__u64 is_idle, is_orig, is_lost, differs;

			HIDE(mask);
			p = (p & ~mask) | (w->chain[next & (WALK_MAX_BUCKETS - 1)] & mask);
			b = (w->at[l] & ~mask) | (w->bucket[next & (WALK_MAX_BUCKETS - 1)] & mask);
			next += is_end & is_left;
			is_idle = p & 1;
			rest = -is_idle;
			HIDE(rest);
			load_node(p, &n, &is_orig);
			is_orig = ((is_orig & 1) ^ 1) & (is_idle ^ 1);
			HIDE(is_orig);
			w->node[n_nodes & (WALK_MAX_ENTRIES - 1)] = p;
			n_nodes += is_orig;
			/* What cannot be read is zero, and ends the chain wrongly. */
			is_lost = is_zero(n);
			n |= is_lost;
			n_bad += is_lost & (is_idle ^ 1);
			n = (n & ~rest) | is_idle;
			differs = (n >> 1) ^ b;
			n_bad += (is_zero(differs) ^ 1) & n & (is_idle ^ 1);
			w->lane[l] = n;
			w->at[l] = b;
			all &= n;
		}
	}
	w->next = next;
	w->n_nodes = n_nodes;
	w->n_bad = n_bad;
	return (all & 1) && next >= n_chains;
}

static int compare_heads(__u32 i, struct run *r)
{
	struct walk_work *w = bpf_map_lookup_elem(&work, &r->slot);
	__u64 changed = 0;

	if (!w)
		return 1;
#pragma unroll
	for (__u32 k = 0; k < HEADS; k++) {
		__u64 is_there, b = bucket_of(r, i, k, &is_there);

		changed |= read64(table.array + 8 * (r->from + b)) ^
			   w->head[b & (WALK_MAX_BUCKETS - 1)];
	}
	w->n_bad += is_zero(changed) ^ 1;
	return 0;
}

/* The lines of memory that export() will ask for, all at once: their cache misses overlap. */
static int touch(__u32 i, struct run *r)
{
	struct walk_work *w = bpf_map_lookup_elem(&work, &r->slot);

	if (!w)
		return 1;
#pragma unroll
	for (__u32 k = 0; k < TOUCHED; k++) {
		__u64 node = w->node[(i * TOUCHED + k) & (WALK_MAX_ENTRIES - 1)];
		__u64 ct = node - bpf_core_field_offset(struct nf_conn, tuplehash);

		(void)read64(ct + bpf_core_field_offset(struct nf_conn, status));
		(void)read64(ct + bpf_core_field_offset(struct nf_conn, tuplehash[1].tuple));
	}
	return 0;
}

/* The same for the extensions, whose addresses have come by now. */
static int touch_ext(__u32 i, struct run *r)
{
	struct walk_work *w = bpf_map_lookup_elem(&work, &r->slot);

	if (!w)
		return 1;
#pragma unroll
	for (__u32 k = 0; k < TOUCHED; k++) {
		__u64 node = w->node[(i * TOUCHED + k) & (WALK_MAX_ENTRIES - 1)];
		__u64 ct = node - bpf_core_field_offset(struct nf_conn, tuplehash);

		(void)read64(read64(ct + bpf_core_field_offset(struct nf_conn, ext)));
	}
	return 0;
}

static __always_inline int is_resized(void)
{
	return read64(table.array_at) != table.array || (__u32)read64(table.size_at) != table.size;
}

/* Notes the entries of a range. */
static __always_inline __u32 collect(struct run *r)
{
	struct walk_work *w = bpf_map_lookup_elem(&work, &r->slot);

	if (!w)
		return WALK_NONE;
	w->n_chains = w->next = w->n_nodes = w->n_bad = 0;
#pragma unroll
	for (__u32 l = 0; l < LANES; l++)
		w->lane[l] = 1;
	bpf_loop((r->n_buckets + HEADS - 1) / HEADS, copy_heads, r, 0);
	if (w->n_bad == 0 && bpf_loop(MAX_CALLS, follow, r, 0) == MAX_CALLS)
		w->n_bad++;
	if (w->n_bad == 0)
		bpf_loop((r->n_buckets + HEADS - 1) / HEADS, compare_heads, r, 0);
	if (is_resized())
		return WALK_RESIZED;
	return w->n_nodes > WALK_MAX_ENTRIES ? WALK_FULL : WALK_DONE;
}

static __always_inline void copy_tuple(struct walk_tuple *to, struct nf_conntrack_tuple *from)
{
	to->l3num = READ(from, src.l3num);
	to->src[0] = READ(from, src.u3.all[0]);
	to->dst[0] = READ(from, dst.u3.all[0]);
	to->src_part = READ(from, src.u.all);
	to->dst_part = READ(from, dst.u.all);
	to->proto = READ(from, dst.protonum);
	if (to->l3num == AF_INET)
		return;
	to->src[1] = READ(from, src.u3.all[1]);
	to->src[2] = READ(from, src.u3.all[2]);
	to->src[3] = READ(from, src.u3.all[3]);
	to->dst[1] = READ(from, dst.u3.all[1]);
	to->dst[2] = READ(from, dst.u3.all[2]);
	to->dst[3] = READ(from, dst.u3.all[3]);
}

static __always_inline void copy_proto(struct walk_entry *to, struct nf_conn *ct)
{
	if (to->orig.proto == IPPROTO_TCP) {
		to->state = READ(ct, proto.tcp.state);
		to->wscale[0] = READ(ct, proto.tcp.seen[0].td_scale);
		to->wscale[1] = READ(ct, proto.tcp.seen[1].td_scale);
		to->flags[0] = READ(ct, proto.tcp.seen[0].flags);
		to->flags[1] = READ(ct, proto.tcp.seen[1].flags);
	} else if (to->orig.proto == IPPROTO_SCTP) {
		to->state = READ(ct, proto.sctp.state);
		to->vtag[0] = READ(ct, proto.sctp.vtag[0]);
		to->vtag[1] = READ(ct, proto.sctp.vtag[1]);
	} else if (to->orig.proto == IPPROTO_DCCP && bpf_core_field_exists(ct->proto.dccp)) {
		to->state = READ(ct, proto.dccp.state);
	}
}

/* The address of extension @id, or 0 where the entry or the kernel has none. */
#define EXT(ext, id)                                                                               \
	(bpf_core_enum_value_exists(enum nf_ct_ext_id, id)                                         \
		 ? ext_at(ext, bpf_core_enum_value(enum nf_ct_ext_id, id))                         \
		 : 0)

static __always_inline __u64 ext_at(__u64 ext, __u64 id)
{
	__u64 at = read8(ext + bpf_core_field_offset(struct nf_ct_ext, offset) + id);

	return at ? ext + at : 0;
}

static __always_inline void copy_counters(struct walk_entry *to, __u64 ext)
{
	__u64 at = EXT(ext, NF_CT_EXT_ACCT);
	struct nf_conn_acct *a = (struct nf_conn_acct *)at;

	if (!at)
		return;
	to->packets[0] = READ(a, counter[0].packets.counter);
	to->bytes[0] = READ(a, counter[0].bytes.counter);
	to->packets[1] = READ(a, counter[1].packets.counter);
	to->bytes[1] = READ(a, counter[1].bytes.counter);
	to->has |= WALK_HAS_COUNTERS;
}

static __always_inline void copy_helper(struct walk_entry *to, __u64 ext)
{
	__u64 at = EXT(ext, NF_CT_EXT_HELPER), name;
	struct nf_conn_help *help = (struct nf_conn_help *)at;
	struct nf_conntrack_helper *helper;

	if (!at)
		return;
	helper = READ(help, helper);
	if (!helper)
		return;
	name = (__u64)helper + bpf_core_field_offset(struct nf_conntrack_helper, name);
	to->helper[0] = read64(name);
	to->helper[1] = read64(name + 8);
	to->has |= WALK_HAS_HELPER;
}

static __always_inline void copy_seqadj(struct walk_entry *to, __u64 ext)
{
	__u64 at = EXT(ext, NF_CT_EXT_SEQADJ);
	struct nf_conn_seqadj *s = (struct nf_conn_seqadj *)at;

	if (!at || !(to->status & IPS_SEQ_ADJUST))
		return;
	to->seqadj[0][0] = READ(s, seq[0].correction_pos);
	to->seqadj[0][1] = READ(s, seq[0].offset_before);
	to->seqadj[0][2] = READ(s, seq[0].offset_after);
	to->seqadj[1][0] = READ(s, seq[1].correction_pos);
	to->seqadj[1][1] = READ(s, seq[1].offset_before);
	to->seqadj[1][2] = READ(s, seq[1].offset_after);
	to->has |= WALK_HAS_SEQADJ;
}

static __always_inline void copy_synproxy(struct walk_entry *to, __u64 ext)
{
	__u64 at = EXT(ext, NF_CT_EXT_SYNPROXY);
	struct nf_conn_synproxy *s = (struct nf_conn_synproxy *)at;

	if (!at)
		return;
	to->synproxy[0] = READ(s, isn);
	to->synproxy[1] = READ(s, its);
	to->synproxy[2] = READ(s, tsoff);
	to->has |= WALK_HAS_SYNPROXY;
}

static __always_inline void copy_more(struct walk_entry *to, __u64 ext)
{
	__u64 times = EXT(ext, NF_CT_EXT_TSTAMP), labels = EXT(ext, NF_CT_EXT_LABELS);
	struct nf_conn_tstamp *t = (struct nf_conn_tstamp *)times;

	if (times) {
		to->start = READ(t, start);
		to->stop = READ(t, stop);
		to->has |= WALK_HAS_TIMES;
	}
	if (labels) {
		to->labels[0] = read64(labels);
		to->labels[1] = read64(labels + 8);
		to->has |= WALK_HAS_LABELS;
	}
	copy_helper(to, ext);
	copy_seqadj(to, ext);
	copy_synproxy(to, ext);
}

static __always_inline void copy_master(struct walk_entry *to, struct nf_conn *ct)
{
	struct nf_conn *master = READ(ct, master);

	if (!(to->status & IPS_EXPECTED) || !master)
		return;
	copy_tuple(&to->master, &master->tuplehash[0].tuple);
	to->has |= WALK_HAS_MASTER;
}

/* References; whatever type counts them. */
static __always_inline __u32 use_of(struct nf_conn *ct)
{
	return read32((__u64)ct + bpf_core_field_offset(struct nf_conn, ct_general.use));
}

static __always_inline __u32 netns_of(struct nf_conn *ct)
{
	struct net *net = READ(ct, ct_net.net);

	return READ(net, ns.inum);
}

/* The entry that node number @i belongs to; 0 when it is not one of those asked for. */
static __always_inline struct nf_conn *choose(__u32 i, struct run *r, struct walk_work *w)
{
	struct nf_conn *ct;

	ct = (void *)(w->node[i & (WALK_MAX_ENTRIES - 1)] -
		      bpf_core_field_offset(struct nf_conn, tuplehash));
	/* One that was freed meanwhile, or begins again. */
	if (!(READ(ct, status) & IPS_CONFIRMED) || !use_of(ct))
		return 0;
	r->n_all++;
	if (r->netns && netns_of(ct) != r->netns)
		return 0;
	if ((__s32)(READ(ct, timeout) - r->now) <= 0) {
		r->n_expired++;
		return 0;
	}
	return ct;
}

static int export(__u32 i, struct run *r)
{
	struct walk_work *w = bpf_map_lookup_elem(&work, &r->slot);
	struct walk_out *o = bpf_map_lookup_elem(&out, &r->slot);
	struct walk_entry *to;
	struct nf_conn *ct;
	__u64 ext;

	if (!w || !o)
		return 1;
	ct = choose(i, r, w);
	if (!ct)
		return 0;
	to = &o->entry[r->n & (WALK_MAX_ENTRIES - 1)];
	to->has = 0;
	copy_tuple(&to->orig, &ct->tuplehash[0].tuple);
	to->status = READ(ct, status);
	to->left = READ(ct, timeout) - r->now;
	to->use = use_of(ct);
	to->netns = netns_of(ct);
	if (bpf_core_field_exists(ct->mark)) {
		to->mark = READ(ct, mark);
		to->has |= WALK_HAS_MARK;
	}
	to->secmark = 0;
	if (bpf_core_field_exists(ct->secmark))
		to->secmark = READ(ct, secmark);
	to->zone = 0;
	to->zone_dir = 3;
	if (bpf_core_field_exists(ct->zone)) {
		to->zone = READ(ct, zone.id);
		to->zone_dir = READ(ct, zone.dir);
	}
	if (bpf_core_field_exists(ct->proto.dccp))
		to->has |= WALK_HAS_DCCP;
	if (r->want & WALK_WANT_REPLY)
		copy_tuple(&to->reply, &ct->tuplehash[1].tuple);
	if (r->want & WALK_WANT_PROTO)
		copy_proto(to, ct);
	ext = r->want & (WALK_WANT_COUNTERS | WALK_WANT_MORE) ? (__u64)READ(ct, ext) : 0;
	if (ext && r->want & WALK_WANT_COUNTERS)
		copy_counters(to, ext);
	if (ext && r->want & WALK_WANT_MORE)
		copy_more(to, ext);
	if (r->want & WALK_WANT_MORE)
		copy_master(to, ct);
	r->n++;
	return 0;
}

static __always_inline void lock(void)
{
	if (bpf_rcu_read_lock)
		bpf_rcu_read_lock();
}

static __always_inline void unlock(void)
{
	if (bpf_rcu_read_unlock)
		bpf_rcu_read_unlock();
}

static __always_inline void begin(struct run *r, const struct walk_args *a)
{
	r->slot = a->slot;
	r->from = a->from;
	r->n_buckets = a->upto - a->from;
	r->netns = a->netns;
	r->want = a->want;
	r->now = (__u32)bpf_jiffies64();
	r->n = r->n_all = r->n_expired = 0;
}

static __always_inline void answer(struct walk_args *a, const struct run *r)
{
	struct walk_work *w = bpf_map_lookup_elem(&work, &r->slot);

	a->n = r->n;
	a->n_all = r->n_all;
	a->n_expired = r->n_expired;
	a->n_bad = w ? w->n_bad : 1;
}

static __always_inline int is_sense(const struct walk_args *a)
{
	return a->from < a->upto && a->upto - a->from <= WALK_MAX_BUCKETS && a->upto <= table.size;
}

/* Entries of a range, for user space. */
SEC("syscall")
int walk_entries(struct walk_args *a)
{
	struct walk_work *w;
	struct run r;

	a->result = WALK_NONE;
	begin(&r, a);
	w = bpf_map_lookup_elem(&work, &r.slot);
	if (!is_sense(a) || !w)
		return 0;
	lock();
	a->result = is_resized() ? WALK_RESIZED : collect(&r);
	if (a->result == WALK_DONE && w->n_bad == 0) {
		__u32 n = w->n_nodes / TOUCHED;

		bpf_loop(n, touch, &r, 0);
		if (r.want & (WALK_WANT_COUNTERS | WALK_WANT_MORE))
			bpf_loop(n, touch_ext, &r, 0);
		bpf_loop(w->n_nodes, export, &r, 0);
	}
	unlock();
	answer(a, &r);
	return 0;
}

/* For finding the table: a name of the kernel's symbol table. Needs the right to see it. */
SEC("syscall")
int lookup(struct walk_symbol *a)
{
	__u64 address = 0;

	a->address = 0;
	if (bpf_kallsyms_lookup_name(symbol_name, sizeof(symbol_name), 0, &address))
		return 1;
	a->address = address;
	return 0;
}

/* For finding the table: bytes of the kernel's text and variables. */
SEC("syscall")
int peek(struct walk_peek *a)
{
	if (a->len > WALK_MAX_PEEK)
		return 1;
	return bpf_probe_read_kernel(peek_bytes, a->len, (void *)a->address) ? 1 : 0;
}

struct chain {
	__u64 at, p;
};

static int follow_one(__u32 i, struct chain *c)
{
	if (bpf_probe_read_kernel(&c->p, sizeof(c->p), (void *)c->at))
		return 1;
	c->at = c->p;
	return c->p & 1;
}

/* For checking it: does this chain end in the marker of its bucket? */
SEC("syscall")
int probe(struct walk_probe *a)
{
	struct chain c = { .at = a->array + 8ull * a->bucket };

	bpf_loop(MAX_CHAIN, follow_one, &c, 0);
	a->is_it = c.p & 1 && c.p >> 1 == a->bucket;
	return 0;
}
