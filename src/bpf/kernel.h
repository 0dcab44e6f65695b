/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the programs need to know of the kernel they run in: the members they read, by name.
 *
 * Nothing here says where a member stands. Each access is a relocation that the loader resolves by
 * the type information of the running kernel (CO-RE), so that one object fits kernels that differ,
 * and none of the build machine's own headers or types is used. Members that are not read are left
 * out. Answers to Linux 6.18, include/net/netfilter/nf_conntrack*.h.
 */
#ifndef BPF_KERNEL_H
#define BPF_KERNEL_H

typedef unsigned char __u8;
typedef signed short __s16;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long long __s64;
typedef unsigned long long __u64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

/* include/uapi/linux/bpf.h: numbers that never change. */
#define BPF_MAP_TYPE_HASH  1
#define BPF_MAP_TYPE_ARRAY 2
#define BPF_NOEXIST	   1
#define BPF_F_MMAPABLE	   (1u << 10)

#ifdef __bpf__
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
#endif

struct hlist_nulls_node {
	struct hlist_nulls_node *next;
};

union nf_inet_addr {
	__u32 all[4];
};

struct nf_conntrack_man {
	union nf_inet_addr u3;
	union nf_conntrack_man_proto {
		__be16 all;
	} u;
	__u16 l3num;
};

struct nf_conntrack_tuple {
	struct nf_conntrack_man src;
	struct {
		union nf_inet_addr u3;
		union {
			__be16 all;
		} u;
		__u8 protonum;
		__u8 dir;
	} dst;
};

struct nf_conntrack_tuple_hash {
	struct hlist_nulls_node hnnode;
	struct nf_conntrack_tuple tuple;
};

struct nf_conntrack {
	struct {
	} use; /* refcount_t, atomic_t before 5.18: one number either way */
};

struct nf_conntrack_zone {
	__u16 id;
	__u8 dir;
};

struct ip_ct_tcp_state {
	__u8 td_scale;
	__u8 flags;
};

struct ip_ct_tcp {
	struct ip_ct_tcp_state seen[2];
	__u8 state;
};

enum sctp_conntrack { SCTP_CONNTRACK_NONE };

struct ip_ct_sctp {
	enum sctp_conntrack state;
	__be32 vtag[2];
};

struct nf_ct_dccp { /* until 6.16 */
	__u8 role[2];
	__u8 state;
};

union nf_conntrack_proto {
	struct nf_ct_dccp dccp;
	struct ip_ct_sctp sctp;
	struct ip_ct_tcp tcp;
};

struct nf_ct_ext {
	__u8 offset[1];
};

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct nf_conn {
	struct nf_conntrack ct_general;
	__u32 timeout;
	struct nf_conntrack_zone zone;
	struct nf_conntrack_tuple_hash tuplehash[2];
	unsigned long status;
	possible_net_t ct_net;
	struct nf_conn *master;
	__u32 mark;
	__u32 secmark;
	struct nf_ct_ext *ext;
	union nf_conntrack_proto proto;
};

typedef struct {
	__s64 counter;
} atomic64_t;

struct nf_conn_counter {
	atomic64_t packets;
	atomic64_t bytes;
};

struct nf_conn_acct {
	struct nf_conn_counter counter[2];
};

struct nf_conn_tstamp {
	__u64 start;
	__u64 stop;
};

struct nf_conntrack_helper {
	char name[16];
};

struct nf_conn_help {
	struct nf_conntrack_helper *helper;
};

struct nf_conn_labels {
	unsigned long bits[2];
};

struct nf_ct_seqadj {
	__u32 correction_pos;
	__s32 offset_before;
	__s32 offset_after;
};

struct nf_conn_seqadj {
	struct nf_ct_seqadj seq[2];
};

struct nf_conn_synproxy {
	__u32 isn;
	__u32 its;
	__u32 tsoff;
};

#ifdef __bpf__
#pragma clang attribute pop
#endif

enum nf_ct_ext_id {
	NF_CT_EXT_HELPER,
	NF_CT_EXT_SEQADJ,
	NF_CT_EXT_ACCT,
	NF_CT_EXT_TSTAMP,
	NF_CT_EXT_LABELS,
	NF_CT_EXT_SYNPROXY,
};

#endif
