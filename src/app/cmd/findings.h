/* SPDX-License-Identifier: BSD-2-Clause
 *
 * How findings are shown: shared by the commands that judge.
 */
#ifndef APP_CMD_FINDINGS_H
#define APP_CMD_FINDINGS_H

#include "app/cmd/cmd.h"
#include "ops/report/finding.h"

/* The list "findings", for JSON. */
void findings_json(struct writer *w, const struct report *r);

/* One finding whole: heading, sentence, evidence, why, what to do. */
void finding_text(struct writer *w, struct report *r, const struct finding *x);

/* "WARNING", and its colour. */
const char *finding_word(enum severity s);
enum writer_style finding_style(enum severity s);

/* Reads what --severity takes: note, warning or critical. -EINVAL with a sentence. */
int finding_severity(const char *value, enum severity *out, struct ct_err *err);

#endif
