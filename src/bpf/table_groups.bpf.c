/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Counts the entries of the table by what they have in common, inside the kernel: nothing is
 * copied but the groups. How entries are come by is told in chains.inc.
 *
 * What makes a group is a mask over a few words that each entry is boiled down to (struct walk_by).
 * It is constant when the program is loaded, so the verifier leaves out whatever was not asked for.
 * Groups stand one behind the other, found through an index (open addressing, few probes, keyed).
 * Who finds no place in the index gets a group of its own: the reader adds equal groups up, so that
 * only costs time. The reader empties a slot before it can overflow.
 */
#include "bpf/chains.inc"
#include "bpf/find.inc"

#define AF_INET	   2
#define N_PROBES   8
#define EPHEMERAL  32768 /* ports from here on are no service's, see ops/table/service.c */
#define IDLE_CLASS 5	 /* bits of a class but the protocol */

const volatile struct walk_by by;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct walk_groups);
} out SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct walk_timeouts);
} timeouts SEC(".maps");

static __always_inline __u64 be_port(__u64 port)
{
	return __builtin_bswap16((__u16)port);
}

/* The ports that decide which service an entry is of, as entry_service_port() will see it. */
static __always_inline __u64 fold_ports(__u64 from, __u64 to, __u64 proto)
{
	__u64 src = be_port(from), dst = be_port(to);
	int has_ports = proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP ||
			proto == IPPROTO_UDPLITE || proto == IPPROTO_DCCP;
	int is_back = has_ports && dst >= EPHEMERAL && src > 0 && src < EPHEMERAL;

	if (by.fold == WALK_FOLD_SOURCE)
		return (is_back ? from : 0) | to << 16;
	if (!has_ports)
		return 0;
	return (is_back ? from : to) << 16;
}

static __always_inline __u64 state_of(struct nf_conn *ct, __u64 proto)
{
	if (proto == IPPROTO_TCP)
		return READ(ct, proto.tcp.state);
	if (proto == IPPROTO_SCTP)
		return READ(ct, proto.sctp.state);
	if (proto == IPPROTO_DCCP && bpf_core_field_exists(ct->proto.dccp))
		return READ(ct, proto.dccp.state);
	return 0;
}

/* How long ago the last packet came, as a class of those the reader gave bounds of. */
static __always_inline __u64 idle_of(struct nf_conn *ct, __u64 status, __u64 proto, __u64 state,
				     __u32 now)
{
	__u32 zero = 0, left = READ(ct, timeout) - now, full, idle;
	struct walk_timeouts *t = bpf_map_lookup_elem(&timeouts, &zero);
	__u64 slot = 0;

	if (!t || status & IPS_OFFLOAD || !by.hz)
		return WALK_N_IDLE;
	left /= by.hz;
	full = t->full_s[(proto << IDLE_CLASS | (status & IPS_ASSURED ? 16 : 0) | (state & 15)) &
			 (WALK_N_CLASSES - 1)];
	if (full == 0 || left > full)
		return WALK_N_IDLE;
	idle = full - left;
#pragma unroll
	for (int i = 0; i < WALK_N_IDLE - 1; i++)
		slot += idle >= by.idle_s[i];
	return slot;
}

/* What the addresses are of: two words, of which an IPv4 address takes half of the first. */
static __always_inline void put_address(__u64 *to, __u64 at, __u64 family)
{
	__u64 mask = family == AF_INET ? 0 : ~0ull;

	to[0] = read64(at) & (mask | 0xffffffff);
	to[1] = read64(at + 8) & mask;
}

static __always_inline void put_parts(struct walk_key *key, struct nf_conn *ct, __u64 status,
				      __u32 now)
{
	struct nf_conntrack_tuple *t = &ct->tuplehash[0].tuple;
	__u64 proto = READ(t, dst.protonum), from = READ(t, src.u.all), to = READ(t, dst.u.all);
	__u64 mask = by.mask.word[WALK_WORD_PARTS], state = 0;

	key->word[WALK_WORD_PARTS] = by.fold ? fold_ports(from, to, proto) : from | to << 16;
	key->word[WALK_WORD_PARTS] |= proto << WALK_AT_PROTO;
	if (mask & WALK_MASK_FAMILY)
		key->word[WALK_WORD_PARTS] |= (__u64)READ(t, src.l3num) << WALK_AT_FAMILY;
	if (mask & WALK_MASK_STATE)
		state = status & IPS_OFFLOAD ? 0 : state_of(ct, proto);
	key->word[WALK_WORD_PARTS] |= state << WALK_AT_STATE;
	if (mask & WALK_MASK_IDLE)
		key->word[WALK_WORD_PARTS] |= idle_of(ct, status, proto, state, now)
					      << WALK_AT_IDLE;
}

static __always_inline void put_marks(struct walk_key *key, struct nf_conn *ct)
{
	__u64 mask = by.mask.word[WALK_WORD_MARKS];

	key->word[WALK_WORD_MARKS] = 0;
	if (mask & 0xffffffff && bpf_core_field_exists(ct->mark))
		key->word[WALK_WORD_MARKS] = READ(ct, mark);
	if (mask >> 32)
		key->word[WALK_WORD_MARKS] |= (__u64)netns_of(ct) << 32;
}

/* An entry as the words that decide its group. */
static __always_inline void make_key(struct walk_key *key, struct nf_conn *ct, __u32 now)
{
	struct nf_conntrack_tuple *t = &ct->tuplehash[0].tuple;
	__u64 status = READ(ct, status), family = 0;

	if (by.mask.word[WALK_WORD_PARTS])
		put_parts(key, ct, status, now);
	if (by.mask.word[WALK_WORD_STATUS]) {
		key->word[WALK_WORD_STATUS] = status & 0xffffffff;
		if (by.mask.word[WALK_WORD_STATUS] >> 32 && bpf_core_field_exists(ct->zone))
			key->word[WALK_WORD_STATUS] |= (__u64)READ(ct, zone.id) << 32;
	}
	if (by.mask.word[WALK_WORD_MARKS])
		put_marks(key, ct);
	if (by.mask.word[WALK_WORD_SRC] || by.mask.word[WALK_WORD_DST])
		family = READ(t, src.l3num);
	if (by.mask.word[WALK_WORD_SRC])
		put_address(&key->word[WALK_WORD_SRC],
			    (__u64)t + bpf_core_field_offset(struct nf_conntrack_tuple, src.u3),
			    family);
	if (by.mask.word[WALK_WORD_DST])
		put_address(&key->word[WALK_WORD_DST],
			    (__u64)t + bpf_core_field_offset(struct nf_conntrack_tuple, dst.u3),
			    family);
#pragma unroll
	for (int i = 0; i < WALK_N_WORDS; i++)
		key->word[i] &= by.mask.word[i];
}

static __always_inline __u64 hash(const struct walk_key *key)
{
	__u64 h = by.seed;

#pragma unroll
	for (int i = 0; i < WALK_N_WORDS; i++) {
		if (by.mask.word[i]) {
			h = (h ^ key->word[i]) * by.factor;
			h ^= h >> 32;
		}
	}
	return h;
}

static __always_inline int is_group(const struct walk_groups *g, __u32 at,
				    const struct walk_key *key)
{
	__u64 differs = 0;

#pragma unroll
	for (int i = 0; i < WALK_N_WORDS; i++)
		if (by.mask.word[i])
			differs |= g->word[at + WALK_GROUP_HEAD + i] ^ key->word[i];
	return differs == 0;
}

/* Where the group of @key stands, begun if it was not there; WALK_GROUP_WORDS when there is no
 * room, which the reader sees to. */
static __always_inline __u32 find_group(struct walk_groups *g, const struct walk_key *key)
{
	__u64 h = hash(key);
	__u32 free = WALK_INDEX, at;

	for (__u32 i = 0; i < N_PROBES; i++) {
		__u32 place = (h + i) & (WALK_INDEX - 1);

		at = g->index[place];
		if (at == 0) {
			free = place;
			break;
		}
		at--;
		if (at <= WALK_GROUP_WORDS - WALK_MAX_STRIDE && is_group(g, at, key))
			return at;
	}
	at = g->used;
	if (at > WALK_GROUP_WORDS - WALK_MAX_STRIDE)
		return WALK_GROUP_WORDS;
	g->used = at + by.stride;
	if (free < WALK_INDEX)
		g->index[free] = at + 1;
	g->word[at] = g->word[at + 1] = g->word[at + 2] = 0;
#pragma unroll
	for (int i = 0; i < WALK_N_WORDS; i++)
		if (by.mask.word[i])
			g->word[at + WALK_GROUP_HEAD + i] = key->word[i];
	return at;
}

static __always_inline void count(struct walk_groups *g, __u32 at, __u64 ext)
{
	struct nf_conn_acct *a = (struct nf_conn_acct *)(ext ? EXT(ext, NF_CT_EXT_ACCT) : 0);

	if (at > WALK_GROUP_WORDS - WALK_MAX_STRIDE)
		return;
	g->word[at]++;
	if (!a)
		return;
	g->word[at] += 1ull << 32;
	g->word[at + 1] +=
		READ(a, counter[0].packets.counter) + READ(a, counter[1].packets.counter);
	g->word[at + 2] += READ(a, counter[0].bytes.counter) + READ(a, counter[1].bytes.counter);
}

STEP add(__u32 i, struct run *r)
{
	struct walk_work *w = work_of(r);
	struct walk_groups *g = w ? bpf_map_lookup_elem(&out, &r->slot) : 0;
	struct walk_key key = { { 0 } };
	struct nf_conn *ct;

	if (!w || !g)
		return 1;
	ct = choose(i, r, w);
	if (!ct)
		return 0;
	make_key(&key, ct, r->now);
	count(g, find_group(g, &key), (__u64)READ(ct, ext));
	r->n++;
	return 0;
}

/* Counts the entries of a range. */
SEC("syscall")
int walk(struct walk_args *a)
{
	struct walk_groups *g;
	struct walk_work *w;
	struct run r;

	a->result = WALK_NONE;
	begin(&r, a);
	w = bpf_map_lookup_elem(&work, &r.slot);
	g = bpf_map_lookup_elem(&out, &r.slot);
	if (!is_sense(a) || !w || !g ||
	    g->used + WALK_MAX_ENTRIES * by.stride > WALK_GROUP_WORDS - WALK_MAX_STRIDE)
		return 0;
	lock();
	a->result = is_resized() ? WALK_RESIZED : collect(&r);
	if (a->result == WALK_DONE && w->n_bad == 0 && !(r.want & WALK_WANT_NODES)) {
		touch_all(w, &r, 1);
		LOOP(MAX_NODES, w->n_nodes, add, &r);
	}
	unlock();
	answer(a, &r);
	return 0;
}
