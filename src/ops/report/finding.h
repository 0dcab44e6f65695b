/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Findings as values: what a check has to say. All text lives in the report's arena.
 */
#ifndef OPS_REPORT_FINDING_H
#define OPS_REPORT_FINDING_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/clean.h"

enum severity {
	SEVERITY_OK,	     /* judged, nothing wrong */
	SEVERITY_NOT_JUDGED, /* input unknown; the sentence says why */
	SEVERITY_NOTE,	     /* worth knowing */
	SEVERITY_WARNING,    /* will hurt, or hurts a little */
	SEVERITY_CRITICAL,   /* connections are lost now, or are about to be */
};

/* One observed value and where it was seen. */
struct evidence {
	const char *what, *value, *origin; /* "count", "77143", "proc/sys/.../nf_conntrack_count" */
};

#define FINDING_MAX_EVIDENCE 16
struct finding {
	const char *id;	  /* "RC2", stable */
	const char *name; /* "churn", stable, for scripts */
	enum severity severity;
	const char *netns; /* label of the namespace concerned, or null */
	double share;	   /* part of the table this explains, 0..1; 0 is "does not say" */
	const char *sentence;
	const char *cause, *remedy, *danger; /* null when there is nothing to say */
	struct evidence evidence[FINDING_MAX_EVIDENCE];
	size_t n_evidence;
};

struct report;
int report_new(struct report **out);
void report_free(struct report *r);
DEFINE_AUTO_FREE(report);

/* Adds a finding and returns it for filling, or null when memory is out (remembered: see
 * report_error()). @id and @name are borrowed string constants. */
struct finding *report_add(struct report *r, const char *id, const char *name,
			   enum severity severity);

/* Formats text into the report's arena; "" when memory is out. */
const char *report_text(struct report *r, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Adds evidence to @f (null is ignored): @value is formatted. */
void finding_evidence(struct report *r, struct finding *f, const char *what, const char *origin,
		      const char *value_fmt, ...) __attribute__((format(printf, 5, 6)));

/* Findings sorted by severity, worst first, then by order of adding. */
size_t report_n(const struct report *r);
const struct finding *report_at(const struct report *r, size_t i);
enum severity report_worst(const struct report *r);
int report_error(const struct report *r);
const char *severity_name(enum severity s);

#endif
