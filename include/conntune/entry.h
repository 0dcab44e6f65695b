/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One entry of a connection table as a value, wherever it came from: the kernel by netlink,
 * /proc/net/nf_conntrack, a listing of conntrack(8), a recording, our own engine.
 *
 * Optional fields are meaningful only when their bit stands in `known`; a missing number is
 * unknown, never zero. Nothing here is owned: the slices point into the memory of whoever filled
 * the entry and live as long as that says (for a table cursor: until its next call).
 */
#ifndef CONNTUNE_ENTRY_H
#define CONNTUNE_ENTRY_H

#include <conntune/err.h>
#include <conntune/text.h>
#include <conntune/tuple.h>

/* Which optional fields of an entry hold something. */
enum ct_known {
	CT_KNOWN_FAMILY = 1 << 0, /* tuple[].family was given, not guessed */
	CT_KNOWN_TIMEOUT = 1 << 1,
	CT_KNOWN_STATUS = 1 << 2, /* the whole status word (netlink) */
	CT_KNOWN_FLAGS = 1 << 3,  /* the status bits that text shows: SEEN_REPLY ASSURED OFFLOAD */
	CT_KNOWN_STATE = 1 << 4,  /* tcp or sctp state */
	CT_KNOWN_MARK = 1 << 5,
	CT_KNOWN_ZONE = 1 << 6,
	CT_KNOWN_COUNTERS = 1 << 7, /* packets and bytes, both directions */
	CT_KNOWN_START = 1 << 8,    /* start_ns */
	CT_KNOWN_STOP = 1 << 9,	    /* stop_ns */
	CT_KNOWN_DELTA = 1 << 10,   /* delta_s */
	CT_KNOWN_USE = 1 << 11,
	CT_KNOWN_ID = 1 << 12,
	CT_KNOWN_HELPER = 1 << 13,
	CT_KNOWN_SECCTX = 1 << 14,
	CT_KNOWN_SECMARK = 1 << 15,    /* old kernels: secmark=N */
	CT_KNOWN_LABELS = 1 << 16,     /* labels as bits (netlink) */
	CT_KNOWN_LABEL_TEXT = 1 << 17, /* labels as text (conntrack -o labels) */
	CT_KNOWN_MASTER = 1 << 18,
	CT_KNOWN_TCP = 1 << 19,	 /* tcp_wscale, tcp_flags */
	CT_KNOWN_SCTP = 1 << 20, /* sctp_vtag */
	CT_KNOWN_GRE = 1 << 21,	 /* gre_timeout_s, gre_stream_timeout_s */
	CT_KNOWN_SEQADJ = 1 << 22,
	CT_KNOWN_SYNPROXY = 1 << 23,
	CT_KNOWN_REST = 1 << 24,  /* words of a listing that nobody understood: rest[0 .. n_rest) */
	CT_KNOWN_PARTS = 1 << 25, /* the tuples carry ports, ids or keys, even if all are zero */
	CT_KNOWN_USE_READER = 1 << 26, /* use includes the reader's own reference (/proc) */
	CT_KNOWN_USE_UNSURE = 1 << 27, /* the line does not tell whether use includes the reader */
	CT_KNOWN_NAT = 1 << 28,	       /* status says which addresses were translated (-o save) */
};
#define CT_KNOWN_ALL UINT32_MAX

/* The status word, include/uapi/linux/netfilter/nf_conntrack_common.h. */
enum ct_status {
#define STATUS(name, bit, text) CT_STATUS_##name = 1 << (bit),
#include <conntune/status.def>
#undef STATUS
};

/* TCP, SCTP and (until Linux 6.16) DCCP states with the kernel's numbers and names. */
enum ct_tcp_state {
#define TCP_STATE(name, value, text) CT_TCP_##name = (value),
#include <conntune/tcp_state.def>
#undef TCP_STATE
};
enum ct_sctp_state {
#define SCTP_STATE(name, value, text) CT_SCTP_##name = (value),
#include <conntune/sctp_state.def>
#undef SCTP_STATE
};
enum ct_dccp_state {
#define DCCP_STATE(name, value, text) CT_DCCP_##name = (value),
#include <conntune/dccp_state.def>
#undef DCCP_STATE
};

/* Where a zone applies: both directions, or one of them ("zone-orig", "zone-reply"). */
enum ct_zone_dir { CT_ZONE_ORIG = 1, CT_ZONE_REPLY = 2, CT_ZONE_BOTH = 3 };

/* Borrowed bytes of some text; not NUL-terminated. */
struct ct_slice {
	const char *p;
	uint32_t len;
};

/* Words of a line that nobody understood, and behind which known field they stood, so that the
 * same form written again has them in the same place. */
struct ct_rest {
	struct ct_slice text;
	uint8_t slot; /* private to src/lib/ct */
};
#define CT_MAX_REST 4

struct ct_seqadj {
	uint32_t position, offset_before, offset_after;
};

struct ct_entry {
	uint32_t known;	 /* enum ct_known */
	uint32_t status; /* enum ct_status */
	struct ct_tuple tuple[CT_DIR_MAX];
	uint32_t timeout_s; /* remaining seconds */
	uint8_t state;	    /* enum ct_tcp_state, ct_sctp_state, ct_dccp_state by tuple[0].proto */
	uint8_t zone_dir;   /* enum ct_zone_dir */
	uint16_t zone;
	uint32_t mark;
	uint32_t use; /* references as the source shows them, see CT_KNOWN_USE_READER */
	uint32_t id;
	uint64_t packets[CT_DIR_MAX];
	uint64_t bytes[CT_DIR_MAX]; /* layer 3, headers included */
	int64_t start_ns, stop_ns;  /* Unix time */
	uint64_t delta_s;	    /* seconds since confirm */
	struct ct_tuple master;
	uint8_t tcp_wscale[CT_DIR_MAX];
	uint8_t tcp_flags[CT_DIR_MAX];
	uint32_t sctp_vtag[CT_DIR_MAX]; /* host byte order */
	uint32_t gre_timeout_s, gre_stream_timeout_s;
	struct ct_seqadj seqadj[CT_DIR_MAX];
	uint32_t synproxy_isn, synproxy_its, synproxy_tsoff;
	uint32_t secmark;
	uint8_t labels[16]; /* the kernel's bit array as sent, native order */
	uint8_t labels_len;
	uint8_t n_rest;
	struct ct_slice master_helper; /* of CT_KNOWN_MASTER; null where the source does not tell */
	struct ct_slice helper, secctx, label_text;
	struct ct_rest rest[CT_MAX_REST];
};

/* The name of a protocol as the kernel and conntrack(8) print it ("tcp", "icmpv6", "unknown").
 * Never null. */
const char *ct_proto_name(uint8_t proto);

/* The number of a protocol name or decimal number, or -1. */
int ct_proto_number(const char *name, size_t len);

/* The name of state @state for protocol @proto, or null when the protocol has no states or the
 * number is out of range. */
const char *ct_state_name(uint8_t proto, uint8_t state);

/* The number of a state name for @proto, or -1. Accepts "LISTEN" for SYN_SENT2 as old tools do. */
int ct_state_number(uint8_t proto, const char *name, size_t len);

/* The forms in which a table is written as lines. */
enum ct_form {
	CT_FORM_PROC,	   /* /proc/net/nf_conntrack of a current kernel */
	CT_FORM_CONNTRACK, /* conntrack -L */
	CT_FORM_EXTENDED,  /* conntrack -L -o extended */
	CT_FORM_SAVE,	   /* conntrack -L -o save: options that create the entry again */
};

/* Options of ct_entry_format(); /proc knows none of them. */
enum ct_format_flag {
	CT_FORMAT_ID = 1 << 0,	       /* conntrack -o id */
	CT_FORMAT_LABELS = 1 << 1,     /* conntrack -o labels (bits shown as 0x… when unnamed) */
	CT_FORMAT_KTIMESTAMP = 1 << 2, /* conntrack -o ktimestamp */
};

/* No line that describes an entry is longer; label names make the longest ones. */
#define CT_MAX_LINE 16384u

/* Reads one line in any of the forms above, of the older /proc layouts (ip_conntrack without
 * leading family, secmark=), or of conntrack -E (the event in front is skipped), with or without
 * newline. Slices of @out point into @line. Unknown words are kept in `rest`. [start=...] is taken
 * as UTC. -EINVAL with a sentence in @err (may be null) when it is no entry, -E2BIG beyond
 * CT_MAX_LINE; @out is then undefined. */
int ct_entry_parse(const char *line, size_t len, struct ct_entry *out, struct ct_err *err);

/* Appends @e to @to in @form, without a newline. Fields not known are left out; [start=...] is
 * written in UTC. CT_FORM_SAVE says what conntrack -o save says, which knows no mark, helper or
 * label. Returns 0; -ENOSPC when the text was cut. */
int ct_entry_format(const struct ct_entry *e, enum ct_form form, unsigned flags,
		    struct ct_text *to);

/* Appends an address: IPv4 dotted, IPv6 compressed (RFC 5952), or in full with @is_full as
 * /proc prints it. */
void ct_addr_format(const union ct_addr *a, uint8_t family, bool is_full, struct ct_text *to);

/* Reads an address; the family is found by form. -EINVAL when it is none. */
int ct_addr_parse(const char *s, size_t len, union ct_addr *out, uint8_t *family);

#endif
