/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Steps by their kind, in the namespace they belong to; see step.h.
 */
#include "ops/apply/step.h"

#include <errno.h>
#include <string.h>

#include "ops/apply/inner.h"

static const struct step_ops *const ops[] = {
#define STEP(kind) &step_##kind##_ops,
#include "ops/apply/step.def"
#undef STEP
};

void site_fini(struct site *s)
{
	host_free(s->inside);
	netns_list_fini(&s->list);
	*s = (struct site){ 0 };
}

static const struct netns *find(const struct site *s, uint64_t netns)
{
	for (size_t i = 0; i < s->list.n; i++)
		if (s->list.at[i].inode == netns)
			return &s->list.at[i];
	return NULL;
}

int site_in(struct site *s, uint64_t netns, struct host **out, struct ct_err *err)
{
	const struct netns *ns;
	uint64_t own;
	int r;

	if (netns == 0 || (host_netns_inode(s->machine, &own) == 0 && own == netns)) {
		*out = s->machine;
		return 0;
	}
	if (s->netns != netns) {
		host_free(s->inside);
		netns_list_fini(&s->list);
		s->inside = NULL;
		s->netns = 0;
		r = netns_list(s->machine, &s->list, err);
		if (r < 0)
			return r;
		ns = find(s, netns);
		r = ns ? host_in_netns(s->machine, ns, &s->inside, err)
		       : ct_err_set(err, -ENOENT, "the network namespace net:[%llu] is gone",
				    (unsigned long long)netns);
		if (r < 0)
			return r;
		s->netns = netns;
	}
	*out = s->inside;
	return 0;
}

int step_look(struct site *s, const struct journal *j, const struct step *p, enum step_found *out,
	      char now[STEP_NOW], struct ct_err *err)
{
	struct host *h;
	int r = site_in(s, p->netns, &h, err);

	now[0] = '\0';
	r = r < 0 ? r : ops[p->kind]->look(h, j, p, out, now, err);
	if (r != -ENOENT)
		return r;
	*out = STEP_GONE;
	return 0;
}

int step_write(struct site *s, const struct journal *j, const struct step *p, bool is_undo,
	       struct ct_err *err)
{
	enum step_found found, wanted = is_undo ? STEP_OLD : STEP_NEW;
	char now[STEP_NOW];
	struct host *h;
	int r = site_in(s, p->netns, &h, err);

	r = r < 0 ? r : ops[p->kind]->write(h, j, p, is_undo, err);
	if (r < 0)
		return ct_err_wrap(err, r, "%s", p->what);
	r = step_look(s, j, p, &found, now, err);
	if (r == 0 && found != wanted)
		r = ct_err_set(err, -EIO, "%s: it was written, but is %s now", p->what, now);
	return r;
}

bool step_is_lasting(const struct step *p)
{
	return ops[p->kind]->is_lasting;
}

void step_clean(struct site *s, const struct step *p)
{
	struct host *h;

	if (ops[p->kind]->clean && site_in(s, p->netns, &h, NULL) == 0)
		ops[p->kind]->clean(h, p);
}
