/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What checks share: how hard the limit presses, and the words for services, sizes and commands.
 */
#ifndef OPS_DIAGNOSE_JUDGE_H
#define OPS_DIAGNOSE_JUDGE_H

#include "ops/diagnose/check.h"

/* A log line younger than this says that it happens now. */
#define JUDGE_RECENT_S 600

enum pressure {
	PRESSURE_UNKNOWN,
	PRESSURE_LOW,
	PRESSURE_PAST, /* it was full since this boot, and is not now */
	PRESSURE_HIGH, /* above 75 % */
	PRESSURE_FULL, /* full, or was in the last ten minutes */
};
enum pressure judge_pressure(const struct facts *f, const struct facts_netns *ns);

/* count / max, or -1 when either is unknown or there is no limit. */
double judge_fill(const struct facts_netns *ns);

/* Whether @n entries of one kind are worth a word in @ns: a thousand always, fewer where the table
 * is so small that they fill it. */
bool judge_is_many(const struct facts_netns *ns, uint64_t n);

/* How loudly to name what fills the table: a warning where the limit presses or did, else a note.
 */
enum severity judge_cause(const struct facts *f, const struct facts_netns *ns);

/* A finding about @ns (its label is shown unless it is the only one); the sentence is formatted. */
struct finding *judge_add(const struct facts *f, struct report *r, const struct check *c,
			  enum severity severity, const struct facts_netns *ns, const char *fmt,
			  ...) __attribute__((format(printf, 6, 7)));

/* @remedy, whose commands are for @ns: says how to get there where it is not the own one. */
const char *judge_inside(struct report *r, const struct facts_netns *ns, const char *remedy);

/* "iptables" or "ip6tables", by the family of most entries. */
const char *judge_iptables(const struct summary *s);

/* "Judged, nothing wrong" and "not judged, because ...". */
void judge_ok(struct report *r, const struct check *c, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void judge_unknown(struct report *r, const struct check *c, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* When the table of @ns was not read: says so for @c and returns true. */
bool judge_no_table(const struct facts *f, struct report *r, const struct check *c);

/* When the rules were not read: says so for @c and returns true. */
bool judge_no_rules(const struct facts *f, struct report *r, const struct check *c);

/* The chance that a new connection of @ns is dropped when its table is full, with the present mix
 * of entries. False when that is not known. */
bool judge_drop_chance(const struct facts *f, const struct facts_netns *ns, double *chance,
		       uint64_t *n_victims);

/* Texts in the report's arena. */
const char *judge_times(struct report *r, uint64_t n);	   /* "once", "7 times" */
const char *judge_percent(struct report *r, double share); /* "37%", "0.4%" */
const char *judge_bytes(struct report *r, uint64_t bytes); /* "1.5 GiB" */
const char *judge_addr(struct report *r, const union ct_addr *a, uint8_t family);
const char *judge_seconds(struct report *r, double s); /* "12 s", "3 min", "5 h", "2 days" */

/* When the last of @e was: "12 s ago" where this boot's clock tells, else as the log writes it. */
const char *judge_moment(const struct facts *f, struct report *r,
			 const struct facts_log_source *log, const struct kernel_log_event *e);

/* "tcp port 6379 (redis)", with the program that listens in @ns when we know it. */
const char *judge_service(const struct facts *f, const struct facts_netns *ns, struct report *r,
			  const struct summary_service *s);

enum service_kind {
	SERVICE_UNKNOWN,
	SERVICE_OTHER,
	SERVICE_HTTP,
	SERVICE_REDIS,
	SERVICE_POOL,
	SERVICE_FASTCGI,
	SERVICE_DNS
};
enum service_kind judge_service_kind(const struct summary_service *s);

/* A limit worth proposing: twice the larger of count and max, a power of two, within a quarter of
 * memory; 0 when memory does not allow more than now. */
uint64_t judge_new_max(const struct facts *f, const struct facts_netns *ns);

/* The commands that raise limit and buckets on this kernel, with their memory; for remedies. */
const char *judge_raise(const struct facts *f, struct report *r, const struct facts_netns *ns);
extern const char judge_raise_danger[];

/* The lines that make @key = @value hold after a boot of this machine. */
const char *judge_persist(const struct facts *f, struct report *r, const char *key, uint64_t value);

/* The sysctl key of the file @path: "net.netfilter.nf_conntrack_max". */
const char *judge_key(struct report *r, const char *path);

#endif
