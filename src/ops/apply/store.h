/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Where changes are kept: /var/lib/conntune/changes/N/ with journal.json and the texts saved for
 * it. One lock, so that one change is made, or taken back, at a time.
 */
#ifndef OPS_APPLY_STORE_H
#define OPS_APPLY_STORE_H

#include "ops/apply/journal.h"
#include "ops/host/host.h"

#define STORE_DIR	  "/var/lib/conntune"
#define STORE_MAX_CHANGES 1000 /* kept; older ones that are over are forgotten */

/* Takes the lock, making the folders first. A descriptor: closing it lets go. -EWOULDBLOCK with a
 * sentence when another change is under way, unless @is_patient. */
int store_lock(struct host *h, bool is_patient, struct ct_err *err);

/* The numbers of all changes, rising; @out is the caller's, free(). 0 when there are none. */
int store_list(struct host *h, unsigned **out, size_t *n);

/* Reads change @number. -ENOENT with a sentence. */
int store_get(struct host *h, unsigned number, struct journal *out, struct ct_err *err);

/* Gives @j the next number and makes its folder. The lock is held. */
int store_add(struct host *h, struct journal *j, struct ct_err *err);

/* Removes change @number and all that was saved for it. */
void store_drop(struct host *h, unsigned number);

/* Puts the journal on the disk, whole. */
int store_put(struct host *h, const struct journal *j, struct ct_err *err);

/* A text saved beside the journal, by name ("0.old"). */
int store_put_text(struct host *h, unsigned number, const char *name, const void *bytes,
		   size_t size);
int store_get_text(struct host *h, unsigned number, const char *name, struct ct_buf *out);

/* The watcher of change @number holds this while it lives. */
int store_lock_watch(struct host *h, unsigned number);
bool store_is_watched(struct host *h, unsigned number);

#endif
