/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reads rule sets as text for what a diagnosis needs: which rules switch tracking on and whose
 * they are, what is exempted from it, and what happens to exempted packets afterwards.
 *
 * Understands iptables-save (legacy and nft, -c or not), ip6tables-save and `nft list ruleset`.
 * It does not judge packets: a condition it does not know makes a rule "narrow", nothing else.
 */
#ifndef OPS_FACTS_RULES_SCAN_H
#define OPS_FACTS_RULES_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Why a rule keeps the tracker's hooks registered (nf_ct_netns_get()). */
enum rules_need {
	RULES_NEED_NONE,
	RULES_NEED_STATE, /* matches the connection: state, conntrack, ct ..., connlimit ... */
	RULES_NEED_NAT,	  /* MASQUERADE, SNAT, DNAT, REDIRECT, NETMAP ... */
	RULES_NEED_CT,	  /* CT, CONNMARK, CONNSECMARK, SYNPROXY, flow offload */
	RULES_NEED_MAX
};

enum rules_hook {
	RULES_HOOK_OTHER,
	RULES_HOOK_PREROUTING,
	RULES_HOOK_INPUT,
	RULES_HOOK_FORWARD,
	RULES_HOOK_OUTPUT,
	RULES_HOOK_POSTROUTING,
};

enum rules_syntax { RULES_IPTABLES, RULES_IP6TABLES, RULES_NFT };

#define RULES_MAX_TEXT	160
#define RULES_MAX_HITS	16
#define RULES_MAX_NOTED 128

/* The first rule of one owner that needs tracking in one way, and how many such there are. */
struct rules_hit {
	enum rules_need need;
	const char *owner; /* "docker", "kubernetes", ...; null when no chain name tells */
	uint64_t n;
	unsigned line;		   /* of the first, from 1 */
	const char *source;	   /* as given to rules_scan(); borrowed */
	char text[RULES_MAX_TEXT]; /* the first rule, cut */
};

/* A rule of the kinds that matter for untracked packets. */
struct rules_noted {
	enum rules_hook hook;
	bool is_ipv4, is_ipv6;	/* the families it sees */
	uint8_t proto;		/* 0 any */
	uint16_t sport, dport;	/* 0 any */
	bool is_loopback;	/* in or out interface lo */
	bool is_narrow;		/* further conditions that we do not read */
	bool needs_state;	/* matches NEW, ESTABLISHED ...: never an untracked packet */
	bool accepts_untracked; /* matches UNTRACKED */
	unsigned line;
	const char *source; /* as given to rules_scan(); borrowed */
	char text[RULES_MAX_TEXT];
};

struct rules {
	bool is_known; /* at least one rule set was read */
	uint64_t n_rules;
	uint64_t n_need[RULES_NEED_MAX];
	uint64_t n_nat;		 /* rules that translate addresses */
	uint64_t n_drop_invalid; /* rules that drop packets the tracker calls INVALID */
	uint64_t n_flow_offload;
	uint64_t n_synproxy;
	struct rules_hit hit[RULES_MAX_HITS];
	unsigned n_hits;
	struct rules_noted notrack[RULES_MAX_NOTED]; /* NOTRACK, CT --notrack, notrack */
	unsigned n_notrack;
	struct rules_noted accept[RULES_MAX_NOTED]; /* of INPUT, in order */
	unsigned n_accept;
	uint64_t n_lost; /* notable rules beyond the limits above */
	/* Tables that iptables-save and ip6tables-save showed out of nf_tables (a bit each): nft
	 * shows them again. */
	unsigned managed_v4, managed_v6;
	bool input_drops_v4, input_drops_v6; /* INPUT ends in a drop for what nobody accepted */
};

/* Adds what @text says to @r (zeroed at first). @source is borrowed for messages. */
void rules_scan(struct rules *r, enum rules_syntax syntax, const char *source, const char *text,
		size_t len);

/* Whom a chain or table belongs to by its name, or null. */
const char *rules_owner(const char *name, size_t len);

/* "a state match", "address translation", ... */
const char *rules_need_name(enum rules_need n);

#endif
