/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The recent match: lists of addresses with the moments they were last seen, shared by all rules
 * that name them. Answers to Linux 6.18, net/netfilter/xt_recent.c, recent_mt(), with the
 * module's defaults: 100 addresses in a list, as many moments each as the largest --hitcount asks
 * for.
 */
#include <errno.h>
#include <string.h>

#include "lib/ruleset/finish.h"

#define MAX_ADDRS  100u /* ip_list_tot */
#define STD_STAMPS 32u
#define MAX_HITS   65535u

struct seen {
	union ct_addr addr;
	ct_time *stamps;  /* a ring, as long as the list says */
	uint64_t touched; /* the least is the first to make room */
	uint32_t next, n_stamps;
	uint8_t ttl;
	bool is_used;
};

struct ct_recent_list {
	struct ct_recent_list *next;
	const char *name;
	struct ct_arena *arena;
	struct seen *seen; /* MAX_ADDRS; null until the first packet */
	uint64_t clock;
	uint32_t n_stamps; /* a power of two */
};

static struct ct_recent_list *list_named(struct ct_ruleset *rs, const char *name)
{
	struct ct_recent_list *l = rs->recent;

	while (l && strcmp(l->name, name) != 0)
		l = l->next;
	if (l)
		return l;
	l = ct_arena_get(&rs->arena, sizeof(*l));
	if (!l)
		return NULL;
	l->name = name;
	l->arena = &rs->arena;
	l->next = rs->recent;
	rs->recent = l;
	return l;
}

int ct_recent_join(struct ct_reading *r, struct ct_rule_ext *e, const char *name, uint32_t hits)
{
	uint32_t n = hits ? 1 : STD_STAMPS;
	struct ct_recent_list *l;

	if (hits > MAX_HITS)
		return ct_err_set(r->err, -EINVAL, "line %u: --hitcount is too large",
				  (unsigned)r->line);
	l = list_named(r->rs, name);
	if (!l)
		return -ENOMEM;
	while (n < hits)
		n *= 2;
	if (n > l->n_stamps)
		l->n_stamps = n;
	e->shared = l;
	return 0;
}

/* The entry of an address; a TTL that is asked for must be the same. */
static struct seen *find(struct ct_recent_list *l, const union ct_addr *addr, uint8_t ttl)
{
	for (unsigned i = 0; i < MAX_ADDRS; i++)
		if (l->seen[i].is_used && memcmp(&l->seen[i].addr, addr, sizeof(*addr)) == 0 &&
		    (l->seen[i].ttl == ttl || !ttl || !l->seen[i].ttl))
			return &l->seen[i];
	return NULL;
}

static void stamp(struct ct_recent_list *l, struct seen *s, ct_time now, uint8_t ttl)
{
	s->next &= l->n_stamps - 1;
	s->stamps[s->next++] = now;
	if (s->next > s->n_stamps)
		s->n_stamps = s->next;
	s->touched = ++l->clock;
	s->ttl = ttl;
}

/* A new entry, in the place of the one that was not seen for the longest time. Null: no memory. */
static struct seen *begin(struct ct_recent_list *l, const union ct_addr *addr)
{
	struct seen *s = &l->seen[0];

	for (unsigned i = 0; i < MAX_ADDRS && s->is_used; i++)
		if (!l->seen[i].is_used || l->seen[i].touched < s->touched)
			s = &l->seen[i];
	if (!s->stamps)
		s->stamps = ct_arena_get(l->arena, l->n_stamps * sizeof(*s->stamps));
	if (!s->stamps)
		return NULL;
	*s = (struct seen){ .addr = *addr, .stamps = s->stamps, .is_used = true };
	return s;
}

/* Whether enough of the moments lie within the last --seconds. */
static bool has_hits(const struct ct_rule_ext *e, const struct seen *s, ct_time now)
{
	const struct ct_rule_option *seconds = ct_ext_option(e, "seconds");
	const struct ct_rule_option *hitcount = ct_ext_option(e, "hitcount");
	ct_time since = seconds ? now - (ct_time)seconds->n[0] * CT_NS_PER_S : 0;
	uint32_t hits = 0;

	for (uint32_t i = 0; i < s->n_stamps; i++) {
		if (seconds && seconds->n[0] && s->stamps[i] < since)
			continue;
		if (!hitcount || !hitcount->n[0] || ++hits >= hitcount->n[0])
			return true;
	}
	return false;
}

/* recent_entry_reap(): the address that was not seen for the longest time goes when that is longer
 * than --seconds, unless it is the one that is just updated. */
static void reap(const struct ct_rule_ext *e, struct ct_recent_list *l, const struct seen *updated,
		 ct_time now)
{
	ct_time since = now - (ct_time)ct_ext_option(e, "seconds")->n[0] * CT_NS_PER_S;
	struct seen *oldest = NULL;

	for (unsigned i = 0; i < MAX_ADDRS; i++)
		if (l->seen[i].is_used && (!oldest || l->seen[i].touched < oldest->touched))
			oldest = &l->seen[i];
	if (oldest && oldest != updated && oldest->next && oldest->stamps[oldest->next - 1] < since)
		oldest->is_used = false;
}

static union ct_addr address(const struct ct_rule_ext *e, const struct ct_judging *j)
{
	const struct ct_rule_option *mask = ct_ext_option(e, "mask");
	union ct_addr addr = { 0 };

	memcpy(&addr, ct_ext_option(e, "rdest") ? j->dst : j->src, j->addr_size);
	for (unsigned i = 0; i < sizeof(addr); i++)
		addr.bytes[i] &= mask->addr.bytes[i];
	return addr;
}

enum ct_truth ct_match_recent(struct ct_rule_ext *e, struct ct_judging *j)
{
	const struct ct_rule_option *what = &e->option[0]; /* set, rcheck, update or remove */
	struct ct_recent_list *l = e->shared;
	bool is_set = what->def->name[0] == 's';
	uint8_t ttl = (uint8_t)(j->ttl + (j->p->in && j->p->out));
	union ct_addr addr = address(e, j);
	struct seen *s;
	bool is_true;

	if (!l->seen)
		l->seen = ct_arena_get(l->arena, MAX_ADDRS * sizeof(*l->seen));
	if (!l->seen)
		return CT_UNSURE;
	s = find(l, &addr, ct_ext_option(e, "rttl") ? ttl : 0);
	if (!s && !is_set)
		return what->is_inverted ? CT_YES : CT_NO;
	if (!s)
		s = begin(l, &addr);
	if (!s)
		return CT_UNSURE;
	is_true = is_set || what->def->name[2] == 'm' || has_hits(e, s, j->p->now);
	is_true = is_true != what->is_inverted;
	if (ct_ext_option(e, "reap"))
		reap(e, l, what->def->name[0] == 'u' && is_true ? s : NULL, j->p->now);
	if (is_set || (what->def->name[0] == 'u' && is_true))
		stamp(l, s, j->p->now, ttl);
	if (what->def->name[2] == 'm')
		s->is_used = false;
	return is_true ? CT_YES : CT_NO;
}
