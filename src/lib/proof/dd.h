/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Decision diagrams: functions of many boolean variables to small numbers, each in one canonical
 * form, so that two functions are equal when their names are. A set is a function to 0 and 1.
 * Variables are asked in the order of their numbers.
 *
 * Bryant, "Graph-Based Algorithms for Boolean Function Manipulation" (1986), with leaves that are
 * numbers. Nodes are shared by all functions and freed together.
 */
#ifndef CT_PROOF_DD_H
#define CT_PROOF_DD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ct_dds;

/* A function's name within its struct ct_dds; leaves name themselves. */
typedef uint32_t ct_dd;

#define CT_DD_LEAF_BIT (UINT32_C(1) << 31)
#define CT_DD_LEAF(v)  (CT_DD_LEAF_BIT | (v)) /* the constant @v < 2^31 */
#define CT_DD_FALSE    CT_DD_LEAF(0)
#define CT_DD_TRUE     CT_DD_LEAF(1)
#define CT_DD_MAX_VARS 65535u

static inline bool ct_dd_is_leaf(ct_dd f)
{
	return f & CT_DD_LEAF_BIT;
}

static inline uint32_t ct_dd_value(ct_dd leaf)
{
	return leaf & ~CT_DD_LEAF_BIT;
}

/* A place for diagrams of at most @max_nodes nodes (16 bytes each and about as much again for
 * looking up). Null when there is no memory. */
struct ct_dds *ct_dds_new(uint32_t max_nodes);

/* Null is fine. */
void ct_dds_free(struct ct_dds *d);

/* True once a node did not fit: every function made since may be wrong. */
bool ct_dds_is_full(const struct ct_dds *d);
uint32_t ct_dds_n_nodes(const struct ct_dds *d);

/* The parts of a function that is no leaf. */
unsigned ct_dd_top(const struct ct_dds *d, ct_dd f);
ct_dd ct_dd_low(const struct ct_dds *d, ct_dd f);
ct_dd ct_dd_high(const struct ct_dds *d, ct_dd f);

/* @low where variable @var is 0, else @high; both ask only variables after @var. */
ct_dd ct_dd_node(struct ct_dds *d, unsigned var, ct_dd low, ct_dd high);

/* @yes where the set @f holds, @no elsewhere. */
ct_dd ct_dd_ite(struct ct_dds *d, ct_dd f, ct_dd yes, ct_dd no);

static inline ct_dd ct_dd_and(struct ct_dds *d, ct_dd a, ct_dd b)
{
	return ct_dd_ite(d, a, b, CT_DD_FALSE);
}

static inline ct_dd ct_dd_or(struct ct_dds *d, ct_dd a, ct_dd b)
{
	return ct_dd_ite(d, a, CT_DD_TRUE, b);
}

static inline ct_dd ct_dd_not(struct ct_dds *d, ct_dd a)
{
	return ct_dd_ite(d, a, CT_DD_FALSE, CT_DD_TRUE);
}

static inline ct_dd ct_dd_less(struct ct_dds *d, ct_dd a, ct_dd b)
{
	return ct_dd_ite(d, b, CT_DD_FALSE, a);
}

static inline ct_dd ct_dd_xor(struct ct_dds *d, ct_dd a, ct_dd b)
{
	return ct_dd_ite(d, a, ct_dd_not(d, b), b);
}

/* @f with @k where @f is @leaf. */
ct_dd ct_dd_splice(struct ct_dds *d, ct_dd f, ct_dd leaf, ct_dd k);

/* The set where @f is @leaf. */
ct_dd ct_dd_where(struct ct_dds *d, ct_dd f, ct_dd leaf);

/* What the variables of a function become: a set for each that changes. */
struct ct_dd_subst;

/* Null when there is no memory. Lives as long as @d. */
struct ct_dd_subst *ct_dd_subst_new(struct ct_dds *d);
void ct_dd_subst_set(struct ct_dd_subst *s, unsigned var, ct_dd becomes);

/* What @var becomes; CT_DD_STAYS when it is not replaced. */
#define CT_DD_STAYS UINT32_MAX
ct_dd ct_dd_subst_get(const struct ct_dd_subst *s, unsigned var);

/* @f with all its variables replaced at once. @s must not change after its first use. */
ct_dd ct_dd_replace(struct ct_dds *d, ct_dd f, const struct ct_dd_subst *s);

/* The set where some values of the variables @from ... @to (both included) make @f true. */
ct_dd ct_dd_exists(struct ct_dds *d, ct_dd f, unsigned from, unsigned to);

/* Makes one leaf of two. */
typedef uint32_t ct_dd_pair_fn(void *user, uint32_t a, uint32_t b);

/* @fn of both functions everywhere. @op tells one @fn from another: equal numbers below 256 stand
 * for the same function. */
ct_dd ct_dd_pair(struct ct_dds *d, ct_dd a, ct_dd b, unsigned op, ct_dd_pair_fn *fn, void *user);

/* Function @f of @from, in @d. */
ct_dd ct_dd_copy(struct ct_dds *d, const struct ct_dds *from, ct_dd f);

/* A function that is @f within the set @care and as simple as that allows elsewhere: Coudert and
 * Madre's restriction. */
ct_dd ct_dd_simplify(struct ct_dds *d, ct_dd f, ct_dd care);

/* The set, over variables up to @last alone, where @f goes on as @exit: a leaf, or a function of
 * later variables that @f comes to. */
ct_dd ct_dd_exit(struct ct_dds *d, ct_dd f, unsigned last, ct_dd exit);

/* Calls @see for each function that @f comes to behind variable @last, once. -ENOMEM. */
int ct_dd_exits(const struct ct_dds *d, ct_dd f, unsigned last, void (*see)(void *user, ct_dd exit),
		void *user);

/* The leaf of @f for one point: @is_set says of each variable whether it is 1. */
typedef bool ct_dd_point_fn(void *user, unsigned var);
uint32_t ct_dd_at(const struct ct_dds *d, ct_dd f, ct_dd_point_fn *is_set, void *user);

#endif
