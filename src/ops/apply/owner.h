/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Whose a setting is at boot, when it is not the administrator's alone.
 */
#ifndef OPS_APPLY_OWNER_H
#define OPS_APPLY_OWNER_H

#include "ops/settings/boot.h"

/* A foreign owner of one setting. */
struct owner {
	const char *name;  /* "kube-proxy", or the file that sets it later than ours would */
	char where[192];   /* where to tell it */
	char snippet[256]; /* what, for value and setting */
};

/* Finds who else sets @s at boot, later than @own_file (a base name in sysctl.d) would, or again
 * and again. False when nobody does. @out borrows from @b. */
bool owner_of(struct host *h, const struct boot *b, const struct setting *s, const char *key,
	      int64_t value, const char *own_file, struct owner *out);

#endif
