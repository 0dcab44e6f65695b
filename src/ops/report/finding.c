/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Findings and the report that owns them. Texts live in a chain of blocks that dies at once;
 * findings are single allocations, so pointers to them stay good while others are added.
 */
#include "ops/report/finding.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct block {
	struct block *next;
	char text[];
};

struct report {
	struct finding **at;
	size_t n, size;
	struct block *texts;
	int error;
};

int report_new(struct report **out)
{
	struct report *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	*out = r;
	return 0;
}

void report_free(struct report *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n; i++)
		free(r->at[i]);
	free(r->at);
	while (r->texts) {
		struct block *next = r->texts->next;

		free(r->texts);
		r->texts = next;
	}
	free(r);
}

/* Where a finding of @severity belongs: behind all that are as bad or worse. */
static size_t place_of(const struct report *r, enum severity severity)
{
	size_t at = r->n;

	while (at > 0 && r->at[at - 1]->severity < severity)
		at--;
	return at;
}

struct finding *report_add(struct report *r, const char *id, const char *name,
			   enum severity severity)
{
	struct finding *f = calloc(1, sizeof(*f));
	size_t at = place_of(r, severity);

	if (f && r->n == r->size) {
		size_t size = r->size ? r->size * 2 : 32;
		struct finding **bigger = realloc(r->at, size * sizeof(*bigger));

		if (!bigger) {
			free(f);
			f = NULL;
		} else {
			r->at = bigger;
			r->size = size;
		}
	}
	if (!f) {
		r->error = -ENOMEM;
		return NULL;
	}
	*f = (struct finding){ .id = id, .name = name, .severity = severity, .sentence = "" };
	memmove(r->at + at + 1, r->at + at, (r->n - at) * sizeof(*r->at));
	r->at[at] = f;
	r->n++;
	return f;
}

__attribute__((format(printf, 2, 0))) static const char *keep(struct report *r, const char *fmt,
							      va_list ap)
{
	va_list again;
	struct block *b;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	b = n < 0 ? NULL : malloc(sizeof(*b) + (size_t)n + 1);
	if (!b) {
		r->error = -ENOMEM;
		return "";
	}
	(void)vsnprintf(b->text, (size_t)n + 1, fmt, ap);
	b->next = r->texts;
	r->texts = b;
	return b->text;
}

const char *report_text(struct report *r, const char *fmt, ...)
{
	const char *text;
	va_list ap;

	va_start(ap, fmt);
	text = keep(r, fmt, ap);
	va_end(ap);
	return text;
}

void finding_evidence(struct report *r, struct finding *f, const char *what, const char *origin,
		      const char *value_fmt, ...)
{
	const char *value;
	va_list ap;

	if (!f || f->n_evidence == FINDING_MAX_EVIDENCE)
		return;
	va_start(ap, value_fmt);
	value = keep(r, value_fmt, ap);
	va_end(ap);
	f->evidence[f->n_evidence++] = (struct evidence){
		.what = report_text(r, "%s", what),
		.value = value,
		.origin = origin ? report_text(r, "%s", origin) : NULL,
	};
}

size_t report_n(const struct report *r)
{
	return r->n;
}

const struct finding *report_at(const struct report *r, size_t i)
{
	return i < r->n ? r->at[i] : NULL;
}

enum severity report_worst(const struct report *r)
{
	return r->n ? r->at[0]->severity : SEVERITY_OK;
}

int report_error(const struct report *r)
{
	return r->error;
}

const char *severity_name(enum severity s)
{
	switch (s) {
	case SEVERITY_OK:
		return "ok";
	case SEVERITY_NOT_JUDGED:
		return "not judged";
	case SEVERITY_NOTE:
		return "note";
	case SEVERITY_WARNING:
		return "warning";
	case SEVERITY_CRITICAL:
		return "critical";
	}
	return "?";
}
