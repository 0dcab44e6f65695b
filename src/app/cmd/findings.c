/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Findings as text and as JSON.
 */
#include "app/cmd/findings.h"

#include <errno.h>
#include <string.h>

int finding_severity(const char *value, enum severity *out, struct ct_err *err)
{
	static const enum severity levels[] = { SEVERITY_NOTE, SEVERITY_WARNING,
						SEVERITY_CRITICAL };

	for (size_t i = 0; i < 3; i++) {
		if (strcmp(value, severity_name(levels[i])) == 0) {
			*out = levels[i];
			return 0;
		}
	}
	return ct_err_set(err, -EINVAL, "--severity takes note, warning or critical, not '%s'",
			  value);
}

static void json_finding(struct writer *w, const struct finding *x)
{
	writer_row(w);
	writer_str(w, "id", NULL, x->id);
	writer_str(w, "name", NULL, x->name);
	writer_str(w, "severity", NULL, severity_name(x->severity));
	if (x->netns)
		writer_str(w, "netns", NULL, x->netns);
	writer_str(w, "sentence", NULL, x->sentence);
	if (x->cause)
		writer_str(w, "cause", NULL, x->cause);
	if (x->remedy)
		writer_str(w, "remedy", NULL, x->remedy);
	if (x->danger)
		writer_str(w, "danger", NULL, x->danger);
	writer_list(w, "evidence", NULL, NULL, 0);
	for (size_t i = 0; i < x->n_evidence; i++) {
		writer_row(w);
		writer_str(w, "what", NULL, x->evidence[i].what);
		writer_str(w, "value", NULL, x->evidence[i].value);
		writer_str(w, "origin", NULL, x->evidence[i].origin);
		writer_end(w);
	}
	writer_end(w);
	writer_end(w);
}

void findings_json(struct writer *w, const struct report *r)
{
	writer_list(w, "findings", NULL, NULL, 0);
	for (size_t i = 0; i < report_n(r); i++)
		json_finding(w, report_at(r, i));
	writer_end(w);
}

enum writer_style finding_style(enum severity s)
{
	switch (s) {
	case SEVERITY_OK:
		return WRITER_GOOD;
	case SEVERITY_NOT_JUDGED:
		return WRITER_PLAIN;
	case SEVERITY_NOTE:
		return WRITER_NOTE;
	case SEVERITY_WARNING:
		return WRITER_WARNING;
	case SEVERITY_CRITICAL:
		return WRITER_BAD;
	}
	return WRITER_PLAIN;
}

const char *finding_word(enum severity s)
{
	switch (s) {
	case SEVERITY_OK:
	case SEVERITY_NOT_JUDGED:
		return "OK";
	case SEVERITY_NOTE:
		return "NOTE";
	case SEVERITY_WARNING:
		return "WARNING";
	case SEVERITY_CRITICAL:
		return "CRITICAL";
	}
	return "";
}

/* Evidence lines up: what, value, and where it was seen. */
static void text_evidence(struct writer *w, struct report *r, const struct finding *x)
{
	size_t wide = 0;

	for (size_t i = 0; i < x->n_evidence; i++)
		if (strlen(x->evidence[i].what) > wide)
			wide = strlen(x->evidence[i].what);
	for (size_t i = 0; i < x->n_evidence; i++) {
		const struct evidence *e = &x->evidence[i];
		bool has_origin = e->origin && e->origin[0];

		writer_para(w, 4,
			    report_text(r, "%-*s  %s%s%s%s", (int)wide, e->what, e->value,
					has_origin ? " [" : "", has_origin ? e->origin : "",
					has_origin ? "]" : ""));
	}
}

static void text_part(struct writer *w, const char *title, const char *text)
{
	if (!text)
		return;
	writer_para(w, 2, title);
	writer_para(w, 4, text);
}

void finding_text(struct writer *w, struct report *r, const struct finding *x)
{
	writer_para_styled(w, finding_style(x->severity), 0,
			   report_text(r, "%s  %s %s%s%s", finding_word(x->severity), x->id,
				       x->name, x->netns ? ", namespace " : "",
				       x->netns ? x->netns : ""));
	writer_para_styled(w, WRITER_BOLD, 2, x->sentence);
	text_evidence(w, r, x);
	text_part(w, "Why", x->cause);
	text_part(w, "Do", x->remedy);
	text_part(w, "Danger", x->danger);
	writer_para(w, 0, "\n");
}
