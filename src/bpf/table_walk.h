/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the program that reads the table in place and its loader say to each other.
 */
#ifndef BPF_TABLE_WALK_H
#define BPF_TABLE_WALK_H

#ifndef __bpf__
#include <linux/types.h>
#endif

#define WALK_MAX_BUCKETS 4096u /* of one run; powers of two */
#define WALK_MAX_ENTRIES 4096u
#define WALK_MAX_PEEK	 2048u
#define WALK_MAX_NAME	 64u

/* What a run is for, beyond what always is told. */
enum walk_want {
	WALK_WANT_REPLY = 1 << 0, /* the other tuple */
	WALK_WANT_PROTO = 1 << 1, /* state, window scale, flags, tags */
	WALK_WANT_COUNTERS = 1 << 2,
	WALK_WANT_MORE = 1 << 3,  /* times, helper, labels, master, sequence numbers */
	WALK_WANT_NODES = 1 << 4, /* nothing but how many there are */
};

/* Which fields of an entry hold something. */
enum walk_has {
	WALK_HAS_COUNTERS = 1 << 0,
	WALK_HAS_TIMES = 1 << 1,
	WALK_HAS_HELPER = 1 << 2,
	WALK_HAS_LABELS = 1 << 3,
	WALK_HAS_MASTER = 1 << 4,
	WALK_HAS_SEQADJ = 1 << 5,
	WALK_HAS_SYNPROXY = 1 << 6,
	WALK_HAS_MARK = 1 << 7,
	WALK_HAS_DCCP = 1 << 8, /* this kernel tracks it */
};

/* One direction, in the kernel's byte order of each member; of an IPv4 address only the first
 * word counts. */
struct walk_tuple {
	__u32 src[4], dst[4];
	__u16 src_part, dst_part;
	__u16 l3num;
	__u8 proto, pad;
};

struct walk_entry {
	struct walk_tuple orig;
	struct walk_tuple reply;
	__u32 status;
	__s32 left; /* jiffies until it expires */
	__u32 mark;
	__u32 secmark;
	__u32 use;
	__u32 netns; /* inode */
	__u16 zone;
	__u8 zone_dir; /* 1 original, 2 reply, 3 both */
	__u8 state;
	__u8 wscale[2];
	__u8 flags[2];
	__u32 vtag[2];
	__u32 has; /* enum walk_has */
	__u32 pad;
	__u64 packets[2], bytes[2];
	/* The rest is written where WALK_WANT_MORE was said. */
	__u64 start, stop;
	__u64 helper[2];
	__u64 labels[2];
	struct walk_tuple master;
	__u32 seqadj[2][3];
	__u32 synproxy[3];
	__u32 pad2;
};

/* A run over the buckets [from, upto): asked and answered in the same place. */
struct walk_args {
	__u32 slot;
	__u32 from, upto; /* at most WALK_MAX_BUCKETS */
	__u32 netns;	  /* inode of the namespace meant, 0 for all */
	__u32 want;	  /* enum walk_want */
	/* the answer */
	__u32 n;	 /* entries written */
	__u32 n_nodes;	 /* entries of all namespaces, whatever has become of them */
	__u32 n_expired; /* passed over: their time is up, and the kernel has not come by */
	__u32 n_bad;	 /* chains that changed under our eyes: nothing of this run may be used */
	__u32 result;	 /* enum walk_result */
	__u32 has;	 /* enum walk_has: what is known of every entry */
};

enum walk_result {
	WALK_DONE,
	WALK_NONE,    /* the program was not told which table, or asked nonsense */
	WALK_FULL,    /* more entries than fit: ask for fewer buckets */
	WALK_RESIZED, /* the table is another one now */
};

/* What one run writes for user space. */
struct walk_out {
	struct walk_entry entry[WALK_MAX_ENTRIES];
};

/* Counting by what entries have in common. An entry is boiled down to a few words; a mask says
 * which bits of them make a group. Ports are in network order. */
enum walk_word {
	WALK_WORD_PARTS,  /* source part, destination part, and what WALK_AT_* say */
	WALK_WORD_STATUS, /* status, zone */
	WALK_WORD_MARKS,  /* mark, namespace */
	WALK_WORD_SRC,	  /* two words each */
	WALK_WORD_DST = WALK_WORD_SRC + 2,
	WALK_N_WORDS = WALK_WORD_DST + 2,
};
#define WALK_AT_PROTO	 32
#define WALK_AT_STATE	 40
#define WALK_AT_FAMILY	 48
#define WALK_AT_IDLE	 56
#define WALK_MASK_SPORT	 0xffffull
#define WALK_MASK_DPORT	 (0xffffull << 16)
#define WALK_MASK_PROTO	 (0xffull << WALK_AT_PROTO)
#define WALK_MASK_STATE	 (0xffull << WALK_AT_STATE)
#define WALK_MASK_FAMILY (0xffull << WALK_AT_FAMILY)
#define WALK_MASK_IDLE	 (0xffull << WALK_AT_IDLE)
#define WALK_MASK_ZONE	 (0xffffull << 32)
#define WALK_MASK_MARK	 0xffffffffull
#define WALK_MASK_NETNS	 (0xffffffffull << 32)

struct walk_key {
	__u64 word[WALK_N_WORDS];
};

/* What becomes of the ports before the mask. */
enum walk_fold {
	WALK_FOLD_NONE,
	WALK_FOLD_SERVICE, /* only the service's port is kept, as the destination's */
	WALK_FOLD_SOURCE,  /* the source's is kept only where it is the service's */
};

#define WALK_N_IDLE    8	       /* classes of idle time; their number says unknown */
#define WALK_N_CLASSES (1u << (8 + 5)) /* protocol, assured or not, state */

/* Constant from loading on. */
struct walk_by {
	struct walk_key mask;
	__u64 seed, factor; /* of the index, by chance; the factor is odd */
	__u32 stride;	    /* words of a group */
	__u32 fold;	    /* enum walk_fold */
	__u32 hz;
	__u32 idle_s[WALK_N_IDLE - 1]; /* where each class of idle time ends */
};

/* The timeout that an entry of each class gets with every packet; 0 unknown. */
struct walk_timeouts {
	__u32 full_s[WALK_N_CLASSES];
};

/* A group is its number of entries (and, above, of those that have counters), their packets, their
 * bytes, and its words as far as the last that is not masked out. */
#define WALK_GROUP_HEAD	 3
#define WALK_MAX_STRIDE	 (WALK_GROUP_HEAD + WALK_N_WORDS)
#define WALK_GROUP_WORDS (1u << 18)
#define WALK_INDEX	 (1u << 17)

/* The groups of one slot. Who sets @used to 0 clears the index. */
struct walk_groups {
	__u32 used, pad;
	__u64 word[WALK_GROUP_WORDS];
	__u32 index[WALK_INDEX]; /* where a group begins, and one; 0 none */
};

/* The table: addresses in the kernel, found and checked by the loader. */
struct walk_table {
	__u64 array_at, size_at; /* of the kernel's variables */
	__u64 array;		 /* what they hold */
	__u32 size;
	__u32 pad;
};

/* Copies @len bytes of the kernel from @address. */
struct walk_peek {
	__u64 address;
	__u32 len;
	__u32 pad;
};

/* Where the kernel's symbol called @symbol_name is. */
struct walk_symbol {
	__u64 address; /* the answer; 0 when there is none */
};

/* Whether the chain of bucket @bucket of an array at @array ends as that bucket's chain must. */
struct walk_probe {
	__u64 array;
	__u32 bucket;
	__u32 is_it; /* the answer */
};

#endif
