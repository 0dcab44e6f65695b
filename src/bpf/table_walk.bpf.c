/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Copies the entries of the table for user space: every field that ctnetlink would tell, as far as
 * it is asked for. How entries are come by is told in chains.inc.
 */
#include "bpf/chains.inc"
#include "bpf/find.inc"

#define IPS_EXPECTED   (1u << 0)
#define IPS_SEQ_ADJUST (1u << 6)
#define AF_INET	       2

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct walk_out);
} out SEC(".maps");

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

STEP export(__u32 i, struct run *r)
{
	struct walk_work *w = work_of(r);
	struct walk_out *o = w ? bpf_map_lookup_elem(&out, &r->slot) : 0;
	struct walk_entry *to;
	struct nf_conn *ct;
	__u64 ext;

	if (!w || !o)
		return 1;
	ct = choose(i, r, w);
	if (!ct)
		return 0;
	to = &o->entry[r->n & (WALK_MAX_ENTRIES - 1)];
	to->has = has_always();
	copy_tuple(&to->orig, &ct->tuplehash[0].tuple);
	to->status = READ(ct, status);
	to->left = READ(ct, timeout) - r->now;
	to->use = use_of(ct);
	to->netns = netns_of(ct);
	if (bpf_core_field_exists(ct->mark))
		to->mark = READ(ct, mark);
	to->secmark = 0;
	if (bpf_core_field_exists(ct->secmark))
		to->secmark = READ(ct, secmark);
	to->zone = 0;
	to->zone_dir = 3;
	if (bpf_core_field_exists(ct->zone)) {
		to->zone = READ(ct, zone.id);
		to->zone_dir = READ(ct, zone.dir);
	}
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

/* Entries of a range, for user space. */
SEC("syscall")
int walk(struct walk_args *a)
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
	if (a->result == WALK_DONE && w->n_bad == 0 && !(r.want & WALK_WANT_NODES)) {
		touch_all(w, &r, r.want & (WALK_WANT_COUNTERS | WALK_WANT_MORE));
		LOOP(MAX_NODES, w->n_nodes, export, &r);
	}
	unlock();
	answer(a, &r);
	return 0;
}
