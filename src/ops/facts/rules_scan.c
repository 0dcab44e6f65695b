/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A rule is a line of words; see rules_scan.h.
 *
 * Which words need the tracker answers to the callers of nf_ct_netns_get() in Linux 6.18
 * (xt_state, xt_conntrack, xt_CT, xt_connmark, xt_nat, nft_ct, nft_nat, ...): CT --notrack and
 * notrack do not.
 */
#include "ops/facts/rules_scan.h"

#include <string.h>

#include "lib/base/number.h"

#define MAX_WORDS 96

struct word {
	const char *p;
	size_t len;
};

struct line {
	struct word w[MAX_WORDS];
	unsigned n;
	const char *p; /* the whole line without indentation */
	size_t len;
	unsigned no;
};

/* Where we are in the text. */
struct scan {
	struct rules *r;
	enum rules_syntax syntax;
	const char *source;
	char table[64], chain[64];
	bool is_ipv4, is_ipv6; /* families of the present table */
	enum rules_hook hook;
	const char *owner; /* by table name */
	bool is_skipped;   /* an nft table that iptables manages and iptables-save already told */
	bool knows_iptables;
	bool is_of_nf_tables; /* this iptables-save speaks of nf_tables */
	unsigned depth;	      /* of braces, nft */
};

static const struct {
	const char *prefix, *owner;
} owners[] = {
	{ "DOCKER", "docker" },
	{ "docker", "docker" },
	{ "KUBE-", "kubernetes" },
	{ "kube-", "kubernetes" },
	{ "cali-", "calico" },
	{ "CILIUM", "cilium" },
	{ "OLD_CILIUM", "cilium" },
	{ "FLANNEL", "flannel" },
	{ "WEAVE", "weave" },
	{ "CNI-", "a CNI plugin" },
	{ "cni_", "a CNI plugin" },
	{ "ISTIO", "istio" },
	{ "NETAVARK", "podman" },
	{ "netavark", "podman" },
	{ "LIBVIRT", "libvirt" },
	{ "libvirt", "libvirt" },
	{ "ufw", "ufw" },
	{ "firewalld", "firewalld" },
	{ "IN_public", "firewalld" },
	{ "FWDI_", "firewalld" },
	{ "POST_public", "firewalld" },
	{ "f2b-", "fail2ban" },
	{ "fail2ban", "fail2ban" },
	{ "ts-", "tailscale" },
	{ "neutron-", "openstack neutron" },
	{ "nixos-fw", "the NixOS firewall" },
	{ "fw4", "the OpenWrt firewall" },
	{ "zone_", "the OpenWrt firewall" },
	{ "sha-lh", "shorewall" },
	{ "lxc", "lxc" },
	{ "incus", "incus" },
	{ "antrea", "antrea" },
	{ "ANTREA", "antrea" },
	{ "RH-Firewall-1", "the Red Hat firewall (/etc/sysconfig/iptables)" },
};

const char *rules_owner(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(owners) / sizeof(owners[0]); i++) {
		size_t n = strlen(owners[i].prefix);

		if (len >= n && memcmp(name, owners[i].prefix, n) == 0)
			return owners[i].owner;
	}
	return NULL;
}

const char *rules_need_name(enum rules_need n)
{
	switch (n) {
	case RULES_NEED_NONE:
		return "nothing";
	case RULES_NEED_STATE:
		return "a match on connection state";
	case RULES_NEED_NAT:
		return "address translation";
	case RULES_NEED_CT:
		return "a connection target";
	case RULES_NEED_MAX:
		break;
	}
	return "nothing";
}

static bool is_word(const struct word *w, const char *s)
{
	return w->len == strlen(s) && memcmp(w->p, s, w->len) == 0;
}

static bool is_either(const struct word *w, const char *a, const char *b)
{
	return is_word(w, a) || is_word(w, b);
}

static bool begins(const struct word *w, const char *s)
{
	return w->len >= strlen(s) && memcmp(w->p, s, strlen(s)) == 0;
}

static bool is_one_of(const struct word *w, const char *const list[], size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_word(w, list[i]))
			return true;
	return false;
}

/* Whether the comma list or braces in @w hold the word @s. */
static bool has_item(const struct word *w, const char *s)
{
	const char *p = w->p, *end = w->p + w->len;
	size_t n = strlen(s);

	while ((size_t)(end - p) >= n) {
		const char *hit = memmem(p, (size_t)(end - p), s, n);

		if (!hit)
			return false;
		if ((hit == w->p || hit[-1] == ',') && (hit + n == end || hit[n] == ','))
			return true;
		p = hit + 1;
	}
	return false;
}

static uint16_t port_of(const struct word *w)
{
	uint64_t v;

	return ct_number_u64(w->p, w->len, UINT16_MAX, &v) == 0 ? (uint16_t)v : 0;
}

static uint8_t proto_of(const struct word *w)
{
	uint64_t v;

	if (is_word(w, "tcp"))
		return 6;
	if (is_word(w, "udp"))
		return 17;
	if (is_word(w, "icmp"))
		return 1;
	if (ct_number_u64(w->p, w->len, 255, &v) == 0)
		return (uint8_t)v;
	return 255; /* a name we need not tell apart */
}

static enum rules_hook hook_of(const struct word *w)
{
	if (is_word(w, "PREROUTING") || is_word(w, "prerouting"))
		return RULES_HOOK_PREROUTING;
	if (is_word(w, "INPUT") || is_word(w, "input"))
		return RULES_HOOK_INPUT;
	if (is_word(w, "FORWARD") || is_word(w, "forward"))
		return RULES_HOOK_FORWARD;
	if (is_word(w, "OUTPUT") || is_word(w, "output"))
		return RULES_HOOK_OUTPUT;
	if (is_word(w, "POSTROUTING") || is_word(w, "postrouting"))
		return RULES_HOOK_POSTROUTING;
	return RULES_HOOK_OTHER;
}

static void copy_text(char *to, size_t size, const char *p, size_t len)
{
	bool is_cut = len >= size;

	if (is_cut)
		len = size - 1;
	for (size_t i = 0; i < len; i++)
		to[i] = p[i] < ' ' || p[i] == 0x7f ? ' ' : p[i];
	to[len] = '\0';
	if (is_cut)
		memcpy(to + len - 3, "...", 3);
}

static void copy_name(char *to, size_t size, const struct word *w)
{
	copy_text(to, size, w->p, w->len);
}

static void add_need(struct scan *s, enum rules_need need, const char *owner, const struct line *l)
{
	struct rules *r = s->r;

	if (need == RULES_NEED_NONE)
		return;
	r->n_need[need]++;
	for (unsigned i = 0; i < r->n_hits; i++) {
		if (r->hit[i].need == need && r->hit[i].owner == owner) {
			r->hit[i].n++;
			return;
		}
	}
	if (r->n_hits == RULES_MAX_HITS)
		return;
	r->hit[r->n_hits] = (struct rules_hit){ need, owner, 1, l->no, s->source, "" };
	copy_text(r->hit[r->n_hits].text, RULES_MAX_TEXT, l->p, l->len);
	r->n_hits++;
}

static void add_noted(struct scan *s, struct rules_noted *list, unsigned *n,
		      struct rules_noted *rule, const struct line *l)
{
	if (*n == RULES_MAX_NOTED) {
		s->r->n_lost++;
		return;
	}
	rule->hook = s->hook;
	rule->line = l->no;
	rule->source = s->source;
	copy_text(rule->text, sizeof(rule->text), l->p, l->len);
	list[(*n)++] = *rule;
}

/* What one rule says, gathered word by word in either syntax. */
struct seen {
	enum rules_need need;
	struct rules_noted rule;
	bool is_notrack, accepts, drops, matches_invalid, has_condition, jumps;
};

static void need(struct seen *x, enum rules_need n)
{
	if (n > x->need)
		x->need = n;
}

static void seen_state(struct seen *x, const struct word *list, bool is_inverted)
{
	static const char *const upper[] = { "NEW", "ESTABLISHED", "RELATED", "INVALID" };
	static const char *const lower[] = { "new", "established", "related", "invalid" };
	bool untracked = has_item(list, "UNTRACKED") || has_item(list, "untracked");

	for (unsigned i = 0; i < 4; i++)
		if (has_item(list, upper[i]) || has_item(list, lower[i]))
			x->matches_invalid |= i == 3 && !is_inverted;
	/* Linux 6.18, conntrack_mt(): an untracked packet satisfies any inverted list without it */
	x->rule.accepts_untracked |= untracked != is_inverted;
	x->rule.needs_state |= untracked == is_inverted;
	x->has_condition = true;
}

/* --- iptables-save --- */

static const char *const ipt_state_matches[] = { "state",     "conntrack", "connlimit", "connbytes",
						 "connlabel", "connmark",  "helper",	"cluster" };
static const char *const ipt_nat_targets[] = { "MASQUERADE", "SNAT", "DNAT", "REDIRECT", "NETMAP" };
static const char *const ipt_ct_targets[] = { "CONNMARK", "CONNSECMARK", "SYNPROXY",
					      "FLOWOFFLOAD" };

static void ipt_target(struct scan *s, struct seen *x, const struct line *l, unsigned i)
{
	const struct word *w = &l->w[i];

	if (is_one_of(w, ipt_nat_targets, 5)) {
		need(x, RULES_NEED_NAT);
		s->r->n_nat++;
	} else if (is_one_of(w, ipt_ct_targets, 4)) {
		need(x, RULES_NEED_CT);
		s->r->n_synproxy += is_word(w, "SYNPROXY");
		s->r->n_flow_offload += is_word(w, "FLOWOFFLOAD");
	} else if (is_word(w, "NOTRACK")) {
		x->is_notrack = true;
	} else if (is_word(w, "CT")) {
		for (unsigned k = i + 1; k < l->n; k++)
			x->is_notrack |= is_word(&l->w[k], "--notrack");
		if (!x->is_notrack)
			need(x, RULES_NEED_CT);
	} else if (is_word(w, "ACCEPT")) {
		x->accepts = true;
	} else if (is_word(w, "DROP") || is_word(w, "REJECT")) {
		x->drops = true;
	} else {
		x->jumps = true;
	}
}

/* The option at word @i with its value; returns how many words it took, 0 for "not an option that
 * we read". */
static unsigned ipt_option(struct scan *s, struct seen *x, const struct line *l, unsigned i,
			   bool is_inverted)
{
	const struct word *w = &l->w[i], *v = i + 1 < l->n ? &l->w[i + 1] : NULL;

	if (!v)
		return 0;
	if (is_either(w, "-m", "--match")) {
		if (is_one_of(v, ipt_state_matches, 8))
			need(x, RULES_NEED_STATE);
		else if (!is_word(v, "tcp") && !is_word(v, "udp") && !is_word(v, "comment"))
			x->rule.is_narrow = x->has_condition = true;
	} else if (is_word(w, "--state") || is_word(w, "--ctstate")) {
		seen_state(x, v, is_inverted);
	} else if (is_either(w, "-j", "--jump") || is_either(w, "-g", "--goto")) {
		ipt_target(s, x, l, i + 1);
	} else if (is_either(w, "-p", "--protocol")) {
		x->rule.proto = proto_of(v);
		x->rule.is_narrow |= is_inverted;
		x->has_condition = true;
	} else if (is_word(w, "--dport") || is_word(w, "--sport")) {
		uint16_t port = is_inverted ? 0 : port_of(v);

		*(is_word(w, "--dport") ? &x->rule.dport : &x->rule.sport) = port;
		x->rule.is_narrow |= port == 0;
		x->has_condition = true;
	} else if (is_either(w, "-i", "--in-interface") || is_either(w, "-o", "--out-interface")) {
		if (is_word(v, "lo") && !is_inverted)
			x->rule.is_loopback = true;
		else
			x->rule.is_narrow = true;
		x->has_condition = true;
	} else if (is_word(w, "--comment") || is_word(w, "--reject-with")) {
		return 2;
	} else {
		return 0;
	}
	return 2;
}

static struct seen ipt_read(struct scan *s, const struct line *l, unsigned from)
{
	struct seen x = { .rule = { .is_ipv4 = s->is_ipv4, .is_ipv6 = s->is_ipv6 } };
	bool is_inverted = false, is_target_seen = false;

	for (unsigned i = from; i < l->n;) {
		const struct word *w = &l->w[i];
		unsigned took;

		if (is_word(w, "!")) {
			is_inverted = true;
			i++;
			continue;
		}
		took = ipt_option(s, &x, l, i, is_inverted);
		is_target_seen |=
			took && (is_either(w, "-j", "--jump") || is_either(w, "-g", "--goto"));
		if (!took && w->p[0] == '-' && !is_target_seen)
			x.rule.is_narrow = x.has_condition = true;
		is_inverted = false;
		i += took ? took : 1;
	}
	return x;
}

/* What is the same for both syntaxes once a rule is read. */
static void take_rule(struct scan *s, struct seen *x, const char *owner, const struct line *l)
{
	struct rules *r = s->r;

	r->n_rules++;
	add_need(s, x->need, owner, l);
	if (x->is_notrack)
		add_noted(s, r->notrack, &r->n_notrack, &x->rule, l);
	if (x->drops && x->matches_invalid)
		r->n_drop_invalid++;
	if (s->hook != RULES_HOOK_INPUT)
		return;
	if (x->accepts || x->jumps) {
		x->rule.is_narrow |= x->jumps;
		add_noted(s, r->accept, &r->n_accept, &x->rule, l);
	} else if (x->drops && !x->has_condition) {
		r->input_drops_v4 |= x->rule.is_ipv4;
		r->input_drops_v6 |= x->rule.is_ipv6;
	}
}

/* The bit of an iptables table in rules.managed_v4, 0 for any other name. */
static unsigned table_bit(const struct word *name)
{
	static const char *const tables[] = { "raw", "mangle", "nat", "filter", "security" };

	for (unsigned i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		if (is_word(name, tables[i]))
			return 1u << i;
	return 0;
}

/* "# Generated by iptables-save v1.8.9 (nf_tables) on ..." */
static void ipt_comment(struct scan *s, const struct line *l)
{
	if (memmem(l->p, l->len, "Generated by ", 13))
		s->is_of_nf_tables = memmem(l->p, l->len, "(nf_tables)", 11) != NULL;
}

static void ipt_line(struct scan *s, const struct line *l)
{
	unsigned at = 0;
	const char *owner;
	struct seen x;

	if (l->w[0].p[0] == '*') {
		struct word name = { l->w[0].p + 1, l->w[0].len - 1 };

		copy_name(s->table, sizeof(s->table), &name);
		if (s->is_of_nf_tables && s->is_ipv4)
			s->r->managed_v4 |= table_bit(&name);
		if (s->is_of_nf_tables && s->is_ipv6)
			s->r->managed_v6 |= table_bit(&name);
		return;
	}
	if (l->w[0].p[0] == ':') {
		struct word name = { l->w[0].p + 1, l->w[0].len - 1 };

		if (strcmp(s->table, "filter") == 0 && is_word(&name, "INPUT") && l->n > 1 &&
		    is_word(&l->w[1], "DROP")) {
			s->r->input_drops_v4 |= s->is_ipv4;
			s->r->input_drops_v6 |= s->is_ipv6;
		}
		return;
	}
	if (l->w[0].p[0] == '[')
		at = 1;
	if (at + 1 >= l->n || !is_word(&l->w[at], "-A"))
		return;
	s->hook = hook_of(&l->w[at + 1]);
	if (s->hook == RULES_HOOK_INPUT && strcmp(s->table, "filter") != 0)
		s->hook = RULES_HOOK_OTHER;
	owner = rules_owner(l->w[at + 1].p, l->w[at + 1].len);
	x = ipt_read(s, l, at + 2);
	take_rule(s, &x, owner, l);
}

/* --- nft --- */

static void nft_table(struct scan *s, const struct line *l)
{
	bool is_family = l->n >= 4;
	const struct word *name = &l->w[is_family ? 2 : 1];

	s->is_ipv4 = !is_family || is_word(&l->w[1], "ip") || is_word(&l->w[1], "inet");
	s->is_ipv6 = is_family && (is_word(&l->w[1], "ip6") || is_word(&l->w[1], "inet"));
	copy_name(s->table, sizeof(s->table), name);
	s->owner = rules_owner(name->p, name->len);
}

/* "type filter hook prerouting priority raw; policy drop;" */
static void nft_hook(struct scan *s, const struct line *l)
{
	for (unsigned i = 0; i + 1 < l->n; i++) {
		if (is_word(&l->w[i], "hook")) {
			s->hook = hook_of(&l->w[i + 1]);
		} else if (is_word(&l->w[i], "policy") && begins(&l->w[i + 1], "drop") &&
			   s->hook == RULES_HOOK_INPUT) {
			s->r->input_drops_v4 |= s->is_ipv4;
			s->r->input_drops_v6 |= s->is_ipv6;
		}
	}
}

/* The state list behind "ct state", whose braces and blanks nft prints in several ways. */
static unsigned nft_state(struct seen *x, const struct line *l, unsigned i)
{
	bool is_inverted = i < l->n && is_word(&l->w[i], "!=");
	unsigned first;

	i += is_inverted;
	if (i < l->n && is_word(&l->w[i], "{")) {
		for (first = ++i; i < l->n && !is_word(&l->w[i], "}"); i++) {
			struct word w = l->w[i];

			if (w.len > 1 && w.p[w.len - 1] == ',')
				w.len--;
			seen_state(x, &w, is_inverted);
		}
		/* one match of a set: it accepts what any of its items accepts */
		x->rule.needs_state = i > first && !x->rule.accepts_untracked;
		return i + 1;
	}
	if (i < l->n)
		seen_state(x, &l->w[i], is_inverted);
	return i + 1;
}

static void nft_ports(struct seen *x, const struct line *l, unsigned i)
{
	const struct word *v = i + 2 < l->n ? &l->w[i + 2] : NULL;

	x->has_condition = true;
	x->rule.proto = proto_of(&l->w[i]);
	if (v && is_word(&l->w[i + 1], "dport"))
		x->rule.dport = port_of(v);
	else if (v && is_word(&l->w[i + 1], "sport"))
		x->rule.sport = port_of(v);
	x->rule.is_narrow |= !v || (x->rule.dport == 0 && x->rule.sport == 0);
}

static void nft_interface(struct seen *x, const struct line *l, unsigned i)
{
	x->has_condition = true;
	if (i + 1 < l->n && (is_word(&l->w[i + 1], "\"lo\"") || is_word(&l->w[i + 1], "lo")))
		x->rule.is_loopback = true;
	else
		x->rule.is_narrow = true;
}

static const char *const nft_nat_words[] = { "masquerade", "snat", "dnat", "redirect" };
static const char *const nft_match_words[] = { "ip",   "ip6",  "meta",	"ether", "fib",
					       "vlan", "mark", "limit", "icmp",	 "icmpv6",
					       "th",   "sctp", "xt" };

static void nft_word(struct scan *s, struct seen *x, const struct line *l, unsigned i)
{
	const struct word *w = &l->w[i], *v = i + 1 < l->n ? &l->w[i + 1] : NULL;

	if (is_one_of(w, nft_nat_words, 4)) {
		need(x, RULES_NEED_NAT);
		s->r->n_nat++;
	} else if (is_word(w, "synproxy")) {
		need(x, RULES_NEED_CT);
		s->r->n_synproxy++;
	} else if (is_word(w, "flow") && v && (is_word(v, "add") || is_word(v, "offload"))) {
		need(x, RULES_NEED_CT);
		s->r->n_flow_offload++;
	} else if (is_word(w, "notrack")) {
		x->is_notrack = true;
	} else if (is_word(w, "accept")) {
		x->accepts = true;
	} else if (is_word(w, "drop") || is_word(w, "reject")) {
		x->drops = true;
	} else if (is_word(w, "jump") || is_word(w, "goto")) {
		x->jumps = true;
	} else if ((is_word(w, "tcp") || is_word(w, "udp")) && v && v->len > 0) {
		nft_ports(x, l, i);
	} else if (begins(w, "iif") || begins(w, "oif")) {
		nft_interface(x, l, i);
	} else if (is_one_of(w, nft_match_words, 13)) {
		x->rule.is_narrow = x->has_condition = true;
	}
}

/* `xt match "conntrack"`, `xt target "MASQUERADE"`: what nft shows of rules it cannot spell. */
static void nft_xt(struct scan *s, struct seen *x, const struct line *l, unsigned i)
{
	struct word name;

	if (i + 2 >= l->n)
		return;
	name = l->w[i + 2];
	if (name.len > 2 && name.p[0] == '"') {
		name.p++;
		name.len -= 2;
	}
	if (is_word(&l->w[i + 1], "match") && is_one_of(&name, ipt_state_matches, 8)) {
		need(x, RULES_NEED_STATE);
	} else if (is_word(&l->w[i + 1], "target")) {
		if (is_one_of(&name, ipt_nat_targets, 5)) {
			need(x, RULES_NEED_NAT);
			s->r->n_nat++;
		} else if (is_one_of(&name, ipt_ct_targets, 4) || is_word(&name, "CT")) {
			need(x, RULES_NEED_CT);
		}
	}
}

static void nft_rule(struct scan *s, const struct line *l)
{
	struct seen x = { .rule = { .is_ipv4 = s->is_ipv4, .is_ipv6 = s->is_ipv6 } };
	struct word chain = { s->chain, strlen(s->chain) };
	const char *owner = rules_owner(chain.p, chain.len);

	for (unsigned i = 0; i < l->n; i++) {
		if (is_word(&l->w[i], "comment"))
			break;
		if (is_word(&l->w[i], "ct") && i + 1 < l->n) {
			need(&x, RULES_NEED_STATE);
			if (is_word(&l->w[i + 1], "state"))
				i = nft_state(&x, l, i + 2) - 1;
			else
				x.rule.is_narrow = x.has_condition = true;
			continue;
		}
		if (is_word(&l->w[i], "xt"))
			nft_xt(s, &x, l, i);
		nft_word(s, &x, l, i);
	}
	take_rule(s, &x, owner ? owner : s->owner, l);
}

/* Whether "table ip filter {" is one that iptables-save has shown. Some releases of nft say so in a
 * remark of their own, on standard error. */
static bool is_managed(const struct scan *s, const struct line *l)
{
	if (is_word(&l->w[1], "ip"))
		return s->r->managed_v4 & table_bit(&l->w[2]);
	if (is_word(&l->w[1], "ip6"))
		return s->r->managed_v6 & table_bit(&l->w[2]);
	return false;
}

static void nft_line(struct scan *s, const struct line *l)
{
	const struct word *first = &l->w[0], *last = &l->w[l->n - 1];

	if (is_word(first, "#") && s->depth == 0) {
		/* "# Warning: table ip filter is managed by iptables-nft, do not touch!" */
		s->is_skipped = s->knows_iptables &&
				memmem(l->p, l->len, "managed by iptables-nft", 23) != NULL;
		return;
	}
	if (is_word(last, "{")) {
		s->depth++;
		if (s->depth == 1 && is_word(first, "table") && l->n >= 3) {
			nft_table(s, l);
			s->is_skipped |= is_managed(s, l);
		} else if (s->depth == 2) {
			s->hook = RULES_HOOK_OTHER;
			copy_name(s->chain, sizeof(s->chain),
				  is_word(first, "chain") && l->n >= 2 ? &l->w[1]
								       : &(struct word){ "", 0 });
		}
		return;
	}
	if (is_word(first, "}")) {
		if (s->depth > 0 && --s->depth == 0)
			s->is_skipped = false;
		return;
	}
	if (s->depth != 2 || s->chain[0] == '\0' || s->is_skipped)
		return;
	if (is_word(first, "type") && l->n > 2 && is_word(&l->w[2], "hook"))
		nft_hook(s, l);
	else
		nft_rule(s, l);
}

/* Splits at blanks; what stands in double quotes is one word. */
static void split(struct line *l, const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	l->p = p;
	l->len = (size_t)(end - p);
	l->n = 0;
	while (p < end && l->n < MAX_WORDS) {
		const char *start = p;
		bool is_quoted = false;

		for (; p < end && (is_quoted || (*p != ' ' && *p != '\t')); p++)
			is_quoted ^= *p == '"';
		if (p > start)
			l->w[l->n++] = (struct word){ start, (size_t)(p - start) };
		while (p < end && (*p == ' ' || *p == '\t'))
			p++;
	}
}

void rules_scan(struct rules *r, enum rules_syntax syntax, const char *source, const char *text,
		size_t len)
{
	const char *end = text + len;
	struct line l = { .no = 0 };
	struct scan s = { .r = r,
			  .syntax = syntax,
			  .source = source,
			  .is_ipv4 = syntax == RULES_IPTABLES,
			  .is_ipv6 = syntax == RULES_IP6TABLES,
			  .knows_iptables = syntax == RULES_NFT && r->n_rules > 0 };

	r->is_known = true;
	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *stop = newline ? newline : end;

		l.no++;
		split(&l, text, stop > text && stop[-1] == '\r' ? stop - 1 : stop);
		if (l.n > 0) {
			if (syntax == RULES_NFT)
				nft_line(&s, &l);
			else if (l.w[0].p[0] == '#')
				ipt_comment(&s, &l);
			else
				ipt_line(&s, &l);
		}
		text = newline ? newline + 1 : end;
	}
}
