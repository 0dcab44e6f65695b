/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Rule sets: tables, chains and rules of a packet filter as one model.
 *
 *     rs = ct_ruleset_parse(text, len, CT_SYNTAX_IPTABLES, &err);
 *     ct_ruleset_print(rs, 0, write, user);           as iptables-save prints it after a restore
 *     ct_ruleset_free(rs);
 *
 * Answers to iptables 1.8.9 (iptables-restore, iptables-save). What the model does not know (an
 * extension, an option) is kept word by word, written back unchanged and counted as opaque.
 */
#ifndef CONNTUNE_RULESET_H
#define CONNTUNE_RULESET_H

#include <conntune/entry.h>
#include <conntune/err.h>
#include <conntune/nat_range.h>
#include <conntune/packet.h>
#include <conntune/time.h>
#include <stddef.h>
#include <stdint.h>

struct ct_ruleset;

/* How a rule set is spelt; STRICT is or'd to it: what iptables would refuse is then an error, also
 * what only an unknown extension, chain, helper or policy makes doubtful. */
enum ct_syntax {
	CT_SYNTAX_IPTABLES = 0,
	CT_SYNTAX_IP6TABLES = 1,
	CT_SYNTAX_STRICT = 1 << 8,
};

/* Reads iptables-save or ip6tables-save text, with or without -c, or what people write for
 * iptables-restore: any order of options, long and old spellings, -I, -N and -P. Null with a
 * sentence in @err (may be null) that names line and word: a broken line, no memory, too large.
 * A table that stands there twice counts as the last one, as a restore has it. */
struct ct_ruleset *ct_ruleset_parse(const char *text, size_t len, unsigned syntax,
				    struct ct_err *err);

/* Null is fine. */
void ct_ruleset_free(struct ct_ruleset *rs);

/* How much a rule set holds. */
struct ct_ruleset_size {
	uint32_t n_tables, n_chains, n_rules;
	uint32_t n_opaque; /* rules with something that the model does not know */
};
void ct_ruleset_size(const struct ct_ruleset *rs, struct ct_ruleset_size *out);

/* Sets all counters to 0, as a restore without -c does. */
void ct_ruleset_zero(struct ct_ruleset *rs);

/* Takes text of a rule set on its way out; a negative errno ends the writing. */
typedef int ct_ruleset_write_fn(void *user, const char *text, size_t len);

enum ct_ruleset_flag {
	CT_RULESET_COUNTERS = 1 << 0, /* iptables-save -c */
};

/* Writes @rs as iptables-save does after a restore of it, without its "#" lines: chains of the
 * kernel in its order, others sorted, rules normalised. Returns 0, the first error of @write, or
 * -ENOSPC when a rule is longer than 64 KiB. */
int ct_ruleset_print(const struct ct_ruleset *rs, unsigned flags, ct_ruleset_write_fn *write,
		     void *user);

/* Where a chain of the kernel stands: enum nf_inet_hooks. */
enum ct_at { CT_AT_PREROUTING, CT_AT_INPUT, CT_AT_FORWARD, CT_AT_OUTPUT, CT_AT_POSTROUTING };

/* What routing says of an address, RTN_*, as far as it is told. */
enum ct_addr_type {
	CT_ADDR_UNKNOWN,
	CT_ADDR_UNICAST,
	CT_ADDR_LOCAL,
	CT_ADDR_BROADCAST,
	CT_ADDR_MULTICAST,
};

/* A rule that a packet matched. Everything lives for the call. */
struct ct_rule_trace {
	const char *table, *chain;
	uint32_t line;
	const char *verdict; /* a target, "ACCEPT", the chain that is called; null: none */
};
typedef void ct_rule_trace_fn(void *user, const struct ct_rule_trace *t);

/* What else the caller knows of a packet. Where a rule asks for what is not known here, the
 * outcome depends on it. */
enum ct_rule_known {
	CT_RULE_KNOWS_TIME = 1 << 0,	 /* now is UNIX time; west_min */
	CT_RULE_KNOWS_LINK = 1 << 1,	 /* mac: of the sender; null: the frame has none */
	CT_RULE_KNOWS_KIND = 1 << 2,	 /* kind: enum ct_frame_kind */
	CT_RULE_KNOWS_BRIDGE = 1 << 3,	 /* bridge_in, bridge_out; both null: no bridge */
	CT_RULE_KNOWS_SOCKET = 1 << 4,	 /* has_socket; uid and gid with it */
	CT_RULE_KNOWS_NO_IPSEC = 1 << 5, /* neither came out of IPsec nor goes into it */
	CT_RULE_KNOWS_MTU = 1 << 6,	 /* mtu: the smaller one of the way there and back */
	CT_RULE_KNOWS_CPU = 1 << 7,	 /* cpu */
};

/* The kind of packet that the address of its frame makes it: PACKET_HOST and so on. */
enum ct_frame_kind { CT_FRAME_UNICAST, CT_FRAME_BROADCAST, CT_FRAME_MULTICAST };

/* An answer that may be unknown. */
enum ct_rule_answer { CT_ANSWER_NO, CT_ANSWER_YES, CT_ANSWER_UNKNOWN };

/* What rules ask beyond the packet. Functions may be null: their answer is unknown. */
struct ct_rule_ask {
	void *user;
	/* The entry that holds @t in either direction; 0, or negative when there is none. */
	int (*entry)(void *user, const struct ct_tuple *t, uint16_t zone, struct ct_entry *out);
	/* RTN_* of an address as an interface sees it (null: as the host does). */
	enum ct_addr_type (*addr_type)(void *user, uint8_t family, const uint8_t *addr,
				       const char *iface);
	/* Whether the way back to @src leaves by @iface, or, loosely, exists. */
	enum ct_rule_answer (*reverse)(void *user, uint8_t family, const uint8_t *src,
				       const uint8_t *dst, const char *iface, uint32_t mark,
				       bool is_loose, bool is_local_fine);
};

struct ct_ipsets;

/* Reads what "ipset save" prints: the sets that rules name by --match-set, --add-set, --del-set.
 * Null with a sentence in @err (may be null) that names the line. A set of a type or with an option
 * that the model does not know is opaque: what asks it depends on it. Of ranges, those of addresses
 * of IPv4 and of ports are read. Timeouts run from the first packet that asks; packets change sets
 * (counters, the target SET), so that they belong to one run. */
struct ct_ipsets *ct_ipsets_parse(const char *text, size_t len, struct ct_err *err);

/* Null is fine. */
void ct_ipsets_free(struct ct_ipsets *s);

/* A packet as rules see it. Everything is borrowed. */
struct ct_rule_packet {
	struct ct_packet *packet;     /* parsed; its info counts, CT_INFO_UNTRACKED also; targets
				       * change it where its bytes are lent for that */
	const struct ct_entry *entry; /* what tracks it, confirmed or not; or null */
	const char *in, *out;	      /* interfaces; null where it has none */
	uint32_t mark;
	uint8_t src_type, dst_type; /* enum ct_addr_type */
	uint8_t kind;		    /* enum ct_frame_kind */
	bool has_socket;
	ct_time now;
	ct_rule_trace_fn *trace; /* may be null */
	void *trace_user;
	uint32_t known;	    /* enum ct_rule_known */
	int32_t west_min;   /* minutes that the kernel's time zone lies west of UTC */
	const uint8_t *mac; /* 6 bytes */
	const char *bridge_in, *bridge_out;
	uint32_t uid, gid, mtu, cpu;
	const struct ct_rule_ask *ask; /* or null */
	struct ct_ipsets *sets;	       /* or null: sets are not known */
};

enum ct_rule_fate {
	CT_FATE_ACCEPT,
	CT_FATE_DROP,
	CT_FATE_REJECT, /* dropped with an answer */
	CT_FATE_QUEUE,	/* a program decides */
};

/* What a chain of rules makes of a packet. */
struct ct_rule_outcome {
	enum ct_rule_fate fate;
	/* Not null: the fate is only the likely one. It depends on this match or target, of the
	 * rule in that line, which the model cannot judge; the walk counted it as no match. */
	const char *depends_on;
	uint32_t depends_line;
	/* The rule that decided: its chain and line; line 0 when the policy did. */
	const char *chain;
	uint32_t line;
	/* What rules did to the packet on the way. */
	uint32_t mark;
	bool is_notrack, has_zone, has_connmark, has_class;
	bool has_template; /* of a CT rule: the members from zone_dir to exp_events count */
	uint8_t zone_dir;  /* with has_zone: enum ct_zone_dir */
	uint16_t zone;
	const char *helper;  /* for a new entry; or null */
	const char *timeout; /* the policy for a new entry; or null */
	uint32_t events;     /* of a new entry, 1 << enum ip_conntrack_events; 0: all */
	uint32_t exp_events; /* of its expectations, likewise */
	uint32_t connmark;   /* with has_connmark */
	uint32_t tc_class;   /* with has_class: CLASSIFY */
	const char *nat;     /* the target that asks for a translation; or null */
	/* With nat: what it asks for. The range of MASQUERADE and REDIRECT lacks the address. */
	uint8_t nat_kind; /* enum ct_nat_kind */
	struct ct_nat_range nat_range;
};

/* From now on "statistic --mode random" throws dice that begin with @seed: the same seed and the
 * same packets give the same answers. Without, the outcome depends on it. */
void ct_ruleset_seed(struct ct_ruleset *rs, uint64_t seed);

/* Carries a packet through one table at one hook, and counts as the kernel does: a rule when all
 * its matches are true, a policy when it decides. Not for two threads at once. -ENOENT when @rs
 * has no such chain; @out is then untouched. */
int ct_ruleset_judge(struct ct_ruleset *rs, const char *table, enum ct_at at,
		     const struct ct_rule_packet *p, struct ct_rule_outcome *out);

/* True when @rs (null: no rules) has a table of that name with at least one rule in it: what makes
 * the kernel translate, when the table is "nat". */
bool ct_ruleset_has_rules(const struct ct_ruleset *rs, const char *table);

/* What a base chain may do: nft's words. NAT chains see the first packet of a connection only. */
enum ct_chain_type { CT_CHAIN_FILTER, CT_CHAIN_NAT, CT_CHAIN_ROUTE };

/* A chain that stands at a hook. Names are borrowed from the rule set. */
struct ct_base_chain {
	const char *table, *name;
	int32_t priority; /* the smallest first; of equal ones the later of the listing first */
	uint8_t at;	  /* enum ct_at */
	uint8_t type;	  /* enum ct_chain_type */
	uint8_t family;	  /* enum ct_family of the packets that meet it, unspecified for both */
};

/* The base chains that IP packets meet, in the order of the rule set: number @i, or false beyond
 * the last. Tables of iptables are chains at the kernel's fixed places. */
bool ct_ruleset_base(const struct ct_ruleset *rs, unsigned i, struct ct_base_chain *out);

/* Carries a packet through base chain @i; as ct_ruleset_judge() otherwise. Lines of nft's rules are
 * their handles. -ENOENT when there is no such chain, -EBADMSG when it does not meet packets of
 * that family; @out is then untouched. */
int ct_ruleset_judge_base(struct ct_ruleset *rs, unsigned i, const struct ct_rule_packet *p,
			  struct ct_rule_outcome *out);

#endif
