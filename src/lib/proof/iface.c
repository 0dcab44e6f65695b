/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Atoms of interface names: a name belongs to the atom of its whole, else to that of its longest
 * beginning.
 */
#include "lib/proof/iface.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int put(struct ct_atoms *a, const char *name, size_t len, bool is_prefix)
{
	if (a->n == CT_MAX_ATOMS)
		return -E2BIG;
	if (a->n == a->room) {
		uint32_t room = a->room ? a->room * 2 : 16;
		struct ct_atom *all = realloc(a->atom, room * sizeof(*all));

		if (!all)
			return -ENOMEM;
		a->atom = all;
		a->room = room;
	}
	a->atom[a->n] = (struct ct_atom){ .is_prefix = is_prefix };
	memcpy(a->atom[a->n++].name, name, len);
	return 0;
}

int ct_atoms_init(struct ct_atoms *a)
{
	*a = (struct ct_atoms){ 0 };
	if (put(a, "", 0, false) < 0 || put(a, "lo", 2, false) < 0 || put(a, "", 0, true) < 0) {
		ct_atoms_fini(a);
		return -ENOMEM;
	}
	return 0;
}

void ct_atoms_fini(struct ct_atoms *a)
{
	free(a->atom);
	*a = (struct ct_atoms){ 0 };
}

static bool is_prefix(const char *pattern, size_t *len)
{
	*len = strlen(pattern);
	if (*len == 0 || pattern[*len - 1] != '+')
		return false;
	--*len;
	return true;
}

int ct_atoms_add(struct ct_atoms *a, const char *pattern)
{
	size_t len;
	bool prefix = is_prefix(pattern, &len);

	if (len > 15)
		return -EINVAL;
	for (uint32_t i = 0; i < a->n; i++)
		if (a->atom[i].is_prefix == prefix && strlen(a->atom[i].name) == len &&
		    memcmp(a->atom[i].name, pattern, len) == 0)
			return 0;
	return put(a, pattern, len, prefix);
}

/* ifname_compare(): "eth+" is a beginning; no interface is an empty name, which "+" fits. */
bool ct_atom_fits(const struct ct_atoms *a, uint32_t atom, const char *pattern)
{
	const struct ct_atom *it = &a->atom[atom];
	size_t len;

	if (is_prefix(pattern, &len))
		return strncmp(it->name, pattern, len) == 0;
	return !it->is_prefix && strcmp(it->name, pattern) == 0;
}

uint32_t ct_atom_of(const struct ct_atoms *a, const char *name)
{
	uint32_t best = CT_ATOM_OTHER;

	for (uint32_t i = 0; i < a->n; i++) {
		const struct ct_atom *it = &a->atom[i];
		size_t len = strlen(it->name);

		if (!it->is_prefix && strcmp(it->name, name) == 0)
			return i;
		if (it->is_prefix && len > strlen(a->atom[best].name) &&
		    strncmp(it->name, name, len) == 0)
			best = i;
	}
	return best;
}

/* For beginnings: one more digit, as long as that is no atom of its own. */
void ct_atom_example(const struct ct_atoms *a, uint32_t atom, char to[static 16])
{
	size_t len = strlen(a->atom[atom].name);

	memset(to, 0, 16);
	memcpy(to, a->atom[atom].name, len);
	if (!a->atom[atom].is_prefix)
		return;
	if (len == 0) {
		memcpy(to, "eth", 3);
		len = 3;
	}
	for (char c = '0'; c <= 'z' && len < 15; c++) {
		to[len] = c;
		if (ct_atom_of(a, to) == atom)
			return;
	}
}
