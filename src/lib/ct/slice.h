/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Words of foreign origin on their way to people.
 */
#ifndef CT_SLICE_H
#define CT_SLICE_H

#include <conntune/entry.h>

/* Appends @s with every control character as a question mark: a name from a recording must neither
 * begin a line nor command a terminal. */
void ct_slice_put(struct ct_text *to, struct ct_slice s);

#endif
