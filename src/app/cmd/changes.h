/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the commands that change a machine have to tell.
 */
#ifndef APP_CMD_CHANGES_H
#define APP_CMD_CHANGES_H

#include "app/cmd/cmd.h"
#include "ops/apply/txn.h"

/* What happened, kept until it is shown: it may begin before there is anything to write to. */
struct change_log {
	struct change_event {
		enum txn_event event;
		unsigned number;
		char what[128], now[192];
	} at[512];
	size_t n;
	bool has_foreign; /* a value of somebody else was left as it is */
};

struct txn_teller change_log_teller(struct change_log *log);

/* Writes it as a list; nothing when nothing happened. */
void change_log_write(struct writer *w, const struct change_log *log);

/* A value before or after, for people: that of a setting, or whether there is a file. */
const char *change_value(const struct step *p, const char *value);

/* Opens the machine to be changed, with no more rights than that takes; null with a message for a
 * copy. */
struct host *changes_host(const struct common_options *common);

/* Shows a log as a document of its own. */
int changes_finish(const struct common_options *common, const char *schema,
		   const struct change_log *log, unsigned number, const char *sentence);

#endif
