/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What conntune whatif has found out, for those who show it.
 */
#ifndef APP_CMD_WHATIF_H
#define APP_CMD_WHATIF_H

#include "app/cmd/cmd.h"
#include "ops/facts/facts.h"
#include "ops/whatif/level.h"
#include "ops/whatif/whatif.h"

struct whatif_answer {
	const struct change *change;
	const struct facts *facts;
	struct whatif *whatif;
	struct whatif_outcome outcome;
	struct table_info table;
	struct level now, then;
	bool is_file, is_json; /* the table came from --from; programs read the answer */
	unsigned limit;
};

/* Writes what the change would break. */
void whatif_write_breaks(struct writer *w, const struct whatif_answer *a);

/* "tcp/443", "icmp" */
void whatif_service_text(struct service_key key, char *out, size_t size);

/* Writes all of it. */
void whatif_write(struct writer *w, struct whatif_answer *a);

/* Only what becomes of the table, and what breaks. */
void whatif_write_brief(struct writer *w, const struct whatif_answer *a);

/* Judges @change on the table that @common names and writes that much to @w; what cannot be judged
 * is talked of. */
void whatif_brief(struct writer *w, const struct common_options *common, struct host *h,
		  const struct change *change);

#endif
