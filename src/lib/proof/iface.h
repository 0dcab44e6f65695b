/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Interface names as numbers. Rules know some names whole and some by their beginning ("eth+");
 * names that no rule tells apart are one atom.
 */
#ifndef CT_PROOF_IFACE_H
#define CT_PROOF_IFACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CT_MAX_ATOMS 4096u

/* An atom: a whole name; or all names with that beginning which are no other atom. */
struct ct_atom {
	char name[16];
	bool is_prefix;
};

/* Atom 0 is "no interface", 1 the loopback, 2 any name that no rule mentions. */
enum { CT_ATOM_NONE, CT_ATOM_LOOPBACK, CT_ATOM_OTHER, CT_FIRST_ATOM };

struct ct_atoms {
	struct ct_atom *atom; /* owned */
	uint32_t n, room;
};

int ct_atoms_init(struct ct_atoms *a);
void ct_atoms_fini(struct ct_atoms *a);

/* Makes the names that @pattern ("eth0", "eth+") tells apart atoms of their own. -ENOMEM, -E2BIG
 * when there are too many, -EINVAL when it is no interface name. */
int ct_atoms_add(struct ct_atoms *a, const char *pattern);

/* True when all names of an atom fit @pattern; else none does, once it was added. */
bool ct_atom_fits(const struct ct_atoms *a, uint32_t atom, const char *pattern);

/* The atom of a name; "" is no interface. */
uint32_t ct_atom_of(const struct ct_atoms *a, const char *name);

/* A name of that atom, in 16 bytes at @to; empty for none. */
void ct_atom_example(const struct ct_atoms *a, uint32_t atom, char to[static 16]);

#endif
