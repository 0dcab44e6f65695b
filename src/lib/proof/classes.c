/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Classes are found field by field in the order in which a diagram asks: at a field, the values
 * that lead to the same function of the later fields belong together. Because equal functions are
 * one, no class could be joined with another that differs from it in a later field alone. What
 * cannot be is left out before, so that a class says nothing that goes without saying.
 */
#include "lib/proof/classes.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/proof/session.h"

struct dividing {
	struct ct_proof *p;
	struct ct_class class;
	ct_class_fn *see;
	void *user;
	int ret;
};

static unsigned last_var(enum ct_field f)
{
	return ct_field_var(f + 1) - 1;
}

/* The field of the first variable of a function. */
static unsigned field_of(const struct ct_dds *d, ct_dd f)
{
	unsigned var = ct_dd_top(d, f), i = 0;

	while (i < N_FIELDS && var >= ct_field_var((enum ct_field)(i + 1)))
		i++;
	return i;
}

struct exits {
	ct_dd *exit;
	unsigned n, room;
	bool is_out_of_memory;
};

static void keep(void *user, ct_dd exit)
{
	struct exits *all = user;

	if (exit == CT_DD_FALSE)
		return;
	if (all->n == all->room) {
		unsigned room = all->room ? all->room * 2 : 16;
		ct_dd *more = realloc(all->exit, room * sizeof(*more));

		if (!more) {
			all->is_out_of_memory = true;
			return;
		}
		all->exit = more;
		all->room = room;
	}
	all->exit[all->n++] = exit;
}

static void divide(struct dividing *v, ct_dd set);

static void divide_field(struct dividing *v, enum ct_field f, ct_dd set)
{
	struct ct_dds *d = v->p->d;
	struct exits all = { 0 };

	if (ct_dd_exits(d, set, last_var(f), keep, &all) < 0 || all.is_out_of_memory)
		v->ret = -ENOMEM;
	for (unsigned i = 0; i < all.n && v->ret == 0; i++) {
		v->class.value[f] = ct_dd_exit(d, set, last_var(f), all.exit[i]);
		divide(v, all.exit[i]);
	}
	v->class.value[f] = CT_DD_TRUE;
	free(all.exit);
}

static void divide(struct dividing *v, ct_dd set)
{
	unsigned f;

	if (set == CT_DD_FALSE || v->ret != 0)
		return;
	f = ct_dd_is_leaf(set) ? N_FIELDS : field_of(v->p->d, set);
	if (f < N_FIELDS) {
		divide_field(v, (enum ct_field)f, set);
		return;
	}
	v->class.rest = set;
	if (!v->see(v->user, &v->class))
		v->ret = 1;
}

int ct_proof_classes(struct ct_proof *p, ct_dd set, enum ct_way_kind way, ct_class_fn *see,
		     void *user)
{
	struct dividing v = { .p = p, .class = { .way = way }, .see = see, .user = user };
	ct_dd domain = ct_proof_domain(p, way);

	for (unsigned f = 0; f < N_FIELDS; f++)
		v.class.value[f] = CT_DD_TRUE;
	if (ct_dd_and(p->d, set, domain) != CT_DD_FALSE)
		divide(&v, ct_dd_simplify(p->d, set, domain));
	return v.ret;
}
