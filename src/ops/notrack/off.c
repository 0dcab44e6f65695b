/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What keeps tracking on; see off.h. Rules: each that makes the kernel call nf_ct_netns_get().
 */
#include "ops/notrack/off.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/number.h"
#include "lib/proof/proof.h"
#include "lib/ruleset/ext.h"

const char *off_why_text(enum off_why why)
{
	static const char *const texts[] = {
		[OFF_NAT] = "translates addresses",
		[OFF_STATE] = "decides by the state",
		[OFF_IDLE] = "asks for a state, in vain",
		[OFF_ENTRY] = "needs the connection's entry",
	};

	return texts[why];
}

struct looking {
	struct ct_proof *p;
	const struct ct_ruleset *rs;
	ct_dd fates[N_WAYS];
};

static bool is_idle(struct looking *l, const struct ct_rule_ext *match)
{
	bool is_same = true;

	ct_proof_ignore(l->p, match);
	for (unsigned way = 0; way < N_WAYS && is_same; way++)
		is_same = ct_proof_fates(l->p, l->rs, (enum ct_way_kind)way) == l->fates[way];
	ct_proof_ignore(l->p, NULL);
	return is_same;
}

static enum off_why why_of(struct looking *l, const struct ct_rule *r)
{
	const struct ct_rule_ext *state = ct_proof_state_match(r);

	if (ct_proof_is_nat(r))
		return OFF_NAT;
	if (!state)
		return OFF_ENTRY;
	return is_idle(l, state) ? OFF_IDLE : OFF_STATE;
}

static int look_at_each(struct looking *l, off_rule_fn *see, void *user)
{
	char words[4096];
	struct ct_text t;

	for (const struct ct_rule_table *table = l->rs->tables; table; table = table->next)
		for (const struct ct_rule_chain *c = table->chains; c; c = c->next)
			for (const struct ct_rule *r = c->first; r; r = r->next) {
				if (!ct_proof_rule_tracks(r))
					continue;
				ct_text_init(&t, words, sizeof(words));
				ct_rule_words(l->rs, c, r, &t);
				if (!see(user, why_of(l, r), table->name, r->line, words))
					return 1;
			}
	return 0;
}

int off_rules(const struct ct_ruleset *rs, off_rule_fn *see, void *user, struct ct_err *err)
{
	struct looking l = { .p = ct_proof_new(rs->family, 0), .rs = rs };
	int r;

	if (!l.p)
		return ct_err_set(err, -ENOMEM, "no memory for the proof");
	r = ct_proof_learn(l.p, rs, err);
	for (unsigned way = 0; r == 0 && way < N_WAYS; way++)
		l.fates[way] = ct_proof_fates(l.p, rs, (enum ct_way_kind)way);
	if (r == 0)
		r = look_at_each(&l, see, user);
	if (r >= 0 && ct_proof_check(l.p, err) < 0)
		r = -E2BIG;
	ct_proof_free(l.p);
	return r;
}

/* Modules ------------------------------------------------------------------------------------- */

#define MAX_MODULES 512

/* A line of /proc/modules: name, size, references, and who uses it, "a,b," or "-". */
struct module {
	char name[64];
	const char *users;
	size_t users_len;
	unsigned n_users;
	bool is_told;
};

struct modules {
	struct module at[MAX_MODULES];
	unsigned n;
};

static struct module *find(struct modules *all, const char *name, size_t len)
{
	for (unsigned i = 0; i < all->n; i++)
		if (strlen(all->at[i].name) == len && memcmp(all->at[i].name, name, len) == 0)
			return &all->at[i];
	return NULL;
}

/* The next word of a line; its length, 0 at the end. */
static size_t word(const char **at)
{
	*at += strspn(*at, " ");
	return strcspn(*at, " \n");
}

static bool read_module(struct module *m, const char *at)
{
	size_t len = word(&at);
	uint64_t n;

	if (len == 0 || len >= sizeof(m->name))
		return false;
	memcpy(m->name, at, len);
	m->name[len] = 0;
	at += len;
	at += word(&at); /* its size */
	len = word(&at);
	if (ct_number_u64(at, len, UINT32_MAX, &n) < 0)
		return false;
	m->n_users = (unsigned)n;
	at += len;
	m->users_len = word(&at);
	m->users = at;
	return m->users_len > 0;
}

static int read_modules(struct modules *all, const char *text)
{
	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (read_module(&all->at[all->n], line) && ++all->n == MAX_MODULES)
			return -E2BIG;
	}
	return 0;
}

/* Everybody who uses @m goes before it. */
static void tell(struct modules *all, struct module *m, off_module_fn *see, void *user)
{
	const char *at = m->users, *end = m->users + m->users_len;

	if (m->is_told)
		return;
	m->is_told = true;
	while (at < end) {
		size_t len = strcspn(at, ",");
		size_t left = (size_t)(end - at);
		struct module *first = find(all, at, len < left ? len : left);

		if (first)
			tell(all, first, see, user);
		at += len + 1;
	}
	see(user, m->name, m->n_users);
}

int off_modules(const char *proc_modules, off_module_fn *see, void *user)
{
	struct modules all = { .n = 0 };
	struct module *tracker;
	int r = read_modules(&all, proc_modules);

	if (r < 0)
		return r;
	tracker = find(&all, "nf_conntrack", strlen("nf_conntrack"));
	if (!tracker)
		return -ENOENT;
	tell(&all, tracker, see, user);
	return 0;
}
