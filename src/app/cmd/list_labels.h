/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Names of connection labels, as the machine has them in /etc/xtables/connlabel.conf.
 */
#ifndef APP_CMD_LIST_LABELS_H
#define APP_CMD_LIST_LABELS_H

#include <conntune/entry.h>

#include "ops/host/host.h"

#define LIST_N_LABELS 128

struct list_labels {
	struct ct_buf file; /* what the names point into */
	struct ct_slice name[LIST_N_LABELS];
	char text[CT_MAX_LINE]; /* of the entry named last */
};

/* Reads the names; none when the machine has no such file. */
void list_labels_read(struct host *h, struct list_labels *out);
void list_labels_fini(struct list_labels *l);

/* Turns the bits of @e into names where at least one of them has one; conntrack leaves out those
 * that have none. The text lives until the next call. */
void list_labels_name(struct list_labels *l, struct ct_entry *e);

#endif
