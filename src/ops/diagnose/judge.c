/* SPDX-License-Identifier: BSD-2-Clause
 *
 * See judge.h.
 */
#include "ops/diagnose/judge.h"

#include <math.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ops/facts/odds.h"

const char judge_raise_danger[] =
	"Kernel memory cannot be swapped, and every network namespace may hold this many. Changing "
	"the buckets stops packet processing for a moment, longer the larger the table is. A "
	"higher "
	"limit only postpones the day when a leak or churn fills it again.";

double judge_fill(const struct facts_netns *ns)
{
	if (!ns->is_count_known || !ns->is_max_known || ns->max == 0)
		return -1;
	return (double)ns->count / (double)ns->max;
}

bool judge_is_many(const struct facts_netns *ns, uint64_t n)
{
	return n >= (judge_fill(ns) >= 0.75 ? 20 : 1000);
}

enum pressure judge_pressure(const struct facts *f, const struct facts_netns *ns)
{
	const struct facts_log_source *log = facts_best_log(f);
	double fill = judge_fill(ns), age = facts_full_age_s(f, ns);

	if (age >= 0 && age < JUDGE_RECENT_S)
		return PRESSURE_FULL;
	if (fill >= 1)
		return PRESSURE_FULL;
	if (fill >= 0.75)
		return PRESSURE_HIGH;
	if (log && facts_full_lines(f, ns, &log->log))
		return PRESSURE_PAST;
	return fill < 0 ? PRESSURE_UNKNOWN : PRESSURE_LOW;
}

enum severity judge_cause(const struct facts *f, const struct facts_netns *ns)
{
	return judge_pressure(f, ns) >= PRESSURE_PAST ? SEVERITY_WARNING : SEVERITY_NOTE;
}

__attribute__((format(printf, 2, 0))) static const char *text_v(struct report *r, const char *fmt,
								va_list ap)
{
	char text[2048];

	(void)vsnprintf(text, sizeof(text), fmt, ap);
	return report_text(r, "%s", text);
}

struct finding *judge_add(const struct facts *f, struct report *r, const struct check *c,
			  enum severity severity, const struct facts_netns *ns, const char *fmt,
			  ...)
{
	struct finding *x = report_add(r, c->id, c->name, severity);
	va_list ap;

	if (!x)
		return NULL;
	if (ns && (ns != &f->netns[0] || (!ns->is_initial && f->n_netns > 1)))
		x->netns = report_text(r, "%s", ns->label);
	va_start(ap, fmt);
	x->sentence = text_v(r, fmt, ap);
	va_end(ap);
	return x;
}

const char *judge_inside(struct report *r, const struct facts_netns *ns, const char *remedy)
{
	if (!ns->enter[0])
		return remedy;
	return report_text(r,
			   "%s\nThat namespace has knobs and rules of its own: put '%s' before "
			   "each command.",
			   remedy, ns->enter);
}

const char *judge_iptables(const struct summary *s)
{
	return s->n_ipv6 > s->n_ipv4 ? "ip6tables" : "iptables";
}

void judge_ok(struct report *r, const struct check *c, const char *fmt, ...)
{
	struct finding *x = report_add(r, c->id, c->name, SEVERITY_OK);
	va_list ap;

	if (!x)
		return;
	va_start(ap, fmt);
	x->sentence = text_v(r, fmt, ap);
	va_end(ap);
}

void judge_unknown(struct report *r, const struct check *c, const char *fmt, ...)
{
	struct finding *x = report_add(r, c->id, c->name, SEVERITY_NOT_JUDGED);
	va_list ap;

	if (!x)
		return;
	va_start(ap, fmt);
	x->sentence = text_v(r, fmt, ap);
	va_end(ap);
}

bool judge_no_table(const struct facts *f, struct report *r, const struct check *c)
{
	const struct facts_netns *ns = &f->netns[0];

	if (ns->has_summary)
		return false;
	if (!f->is_table_asked)
		judge_unknown(r, c, "the table was not read (--no-table)");
	else
		judge_unknown(r, c, "the table could not be read: %s",
			      ns->table_why[0] ? ns->table_why : "no reason known");
	return true;
}

bool judge_no_rules(const struct facts *f, struct report *r, const struct check *c)
{
	if (f->rules.is_known)
		return false;
	judge_unknown(r, c, "%s", f->rules_why[0] ? f->rules_why : "the rules were not read");
	return true;
}

bool judge_drop_chance(const struct facts *f, const struct facts_netns *ns, double *chance,
		       uint64_t *n_victims)
{
	double fill = judge_fill(ns);

	if (!ns->has_summary || ns->summary.n_flags == 0 || !f->is_buckets_known || fill < 0)
		return false;
	/* what would be there at max with the present mix */
	*n_victims =
		(uint64_t)((double)ns->summary.n_unassured * (fill < 1 && fill > 0 ? 1 / fill : 1));
	*chance = odds_next_dropped(*n_victims, f->buckets);
	return true;
}

const char *judge_times(struct report *r, uint64_t n)
{
	return n == 1 ? "once" : report_text(r, "%llu times", (unsigned long long)n);
}

const char *judge_percent(struct report *r, double share)
{
	double percent = share * 100;

	if (percent > 0 && percent < 0.01)
		return "less than 0.01%";
	if (percent > 99.9 && percent < 100)
		return "more than 99.9%";
	if (percent < 1)
		return report_text(r, "%.2g%%", percent);
	return report_text(r, percent < 9.95 && percent != floor(percent) ? "%.1f%%" : "%.0f%%",
			   percent);
}

const char *judge_bytes(struct report *r, uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double v = (double)bytes;
	unsigned unit = 0;

	while (v >= 1024 && unit < 6) {
		v /= 1024;
		unit++;
	}
	return report_text(r, v < 10 && unit > 0 ? "%.1f %s" : "%.0f %s", v, units[unit]);
}

const char *judge_seconds(struct report *r, double s)
{
	if (s < 120)
		return report_text(r, "%.0f s", s);
	if (s < 2 * 3600)
		return report_text(r, "%.0f min", s / 60);
	if (s < 2 * 86400)
		return report_text(r, "%.0f h", s / 3600);
	return report_text(r, "%.0f days", s / 86400);
}

const char *judge_moment(const struct facts *f, struct report *r,
			 const struct facts_log_source *log, const struct kernel_log_event *e)
{
	if (e->is_uptime && f->is_uptime_known && strcmp(log->source, "dmesg") == 0 &&
	    f->uptime_s >= e->last_s)
		return report_text(r, "%s ago", judge_seconds(r, f->uptime_s - e->last_s));
	return e->last;
}

const char *judge_addr(struct report *r, const union ct_addr *a, uint8_t family)
{
	char buf[64];
	struct ct_text t;

	ct_text_init(&t, buf, sizeof(buf));
	ct_addr_format(a, family, false, &t);
	return report_text(r, "%s", buf);
}

static const struct known_service {
	uint8_t proto;
	uint16_t port;
	const char *name;
	enum service_kind kind;
} known_services[] = {
#define SERVICE(proto, port, name, kind) { proto, port, name, SERVICE_##kind },
#include "ops/diagnose/service.def"
#undef SERVICE
};

static const struct known_service *find_service(const struct summary_service *s)
{
	for (size_t i = 0; i < sizeof(known_services) / sizeof(known_services[0]); i++)
		if (known_services[i].proto == s->proto && known_services[i].port == s->port)
			return &known_services[i];
	return NULL;
}

enum service_kind judge_service_kind(const struct summary_service *s)
{
	const struct known_service *k = find_service(s);

	return k ? k->kind : SERVICE_UNKNOWN;
}

const char *judge_service(const struct facts *f, const struct facts_netns *ns, struct report *r,
			  const struct summary_service *s)
{
	const struct known_service *k = find_service(s);
	/* sockets are read in the first namespace only */
	const char *program =
		s->proto == IPPROTO_TCP && ns == &f->netns[0] ? facts_listener(f, s->port) : NULL;

	if (s->proto != IPPROTO_TCP && s->proto != IPPROTO_UDP)
		return report_text(r, "%s", ct_proto_name(s->proto));
	if (program && k && !strstr(program, k->name))
		return report_text(r, "%s port %u (%s, served by %s)", ct_proto_name(s->proto),
				   s->port, k->name, program);
	if (program)
		return report_text(r, "%s port %u (%s)", ct_proto_name(s->proto), s->port, program);
	if (k)
		return report_text(r, "%s port %u (%s)", ct_proto_name(s->proto), s->port, k->name);
	return report_text(r, "%s port %u", ct_proto_name(s->proto), s->port);
}

const char *judge_key(struct report *r, const char *path)
{
	static const char sys[] = "/proc/sys/";
	char key[128];

	if (strncmp(path, sys, sizeof(sys) - 1) != 0)
		return "net.netfilter.nf_conntrack_max";
	(void)snprintf(key, sizeof(key), "%.100s", path + sizeof(sys) - 1);
	for (char *p = key; *p; p++)
		if (*p == '/')
			*p = '.';
	return report_text(r, "%s", key);
}

static uint64_t entry_bytes(const struct facts *f)
{
	return f->entry.entry_bytes + f->entry.extension_bytes;
}

uint64_t judge_new_max(const struct facts *f, const struct facts_netns *ns)
{
	uint64_t now = ns->count > ns->max ? ns->count : ns->max, max = 1024;

	if (now > UINT32_MAX / 4)
		return 0;
	while (max < now * 2)
		max *= 2;
	if (f->is_mem_known && entry_bytes(f) > 0 && max * (entry_bytes(f) + 8) > f->mem_bytes / 4)
		return 0;
	return max;
}

/* Where the buckets of this kernel are written. */
static const char *buckets_command(const struct facts *f, struct report *r, uint64_t buckets)
{
	const char *module =
		strstr(f->buckets_origin, "ip_conntrack") ? "ip_conntrack" : "nf_conntrack";

	if (f->release_number >= RELEASE(4, 8, 0) || f->release_number == 0)
		return report_text(r, "sysctl -w net.netfilter.nf_conntrack_buckets=%llu",
				   (unsigned long long)buckets);
	if (f->release_number >= RELEASE(2, 6, 14))
		return report_text(r, "echo %llu > /sys/module/%s/parameters/hashsize",
				   (unsigned long long)buckets, module);
	return report_text(r,
			   "echo 'options ip_conntrack hashsize=%llu' >> /etc/modules.conf\n"
			   "    (takes effect when the module is loaded again)",
			   (unsigned long long)buckets);
}

/* Whether files below /etc/sysctl.d and /etc/modules-load.d are read: systemd came with Linux 3.x.
 */
static bool has_drop_ins(const struct facts *f)
{
	return f->release_number == 0 || f->release_number >= RELEASE(3, 10, 0);
}

const char *judge_persist(const struct facts *f, struct report *r, const char *key, uint64_t value)
{
	bool is_module = f->module != FACTS_MODULE_BUILTIN;

	if (!has_drop_ins(f))
		return report_text(r,
				   "    echo '%s = %llu' >> /etc/sysctl.conf\n"
				   "    (and load the module before sysctl runs: /etc/modules, or "
				   "modprobe in rc.sysinit)",
				   key, (unsigned long long)value);
	return report_text(
		r, "    echo '%s = %llu' >> /etc/sysctl.d/90-conntrack.conf%s", key,
		(unsigned long long)value,
		is_module ? "\n    echo nf_conntrack >> /etc/modules-load.d/conntrack.conf" : "");
}

static const char *buckets_persist(const struct facts *f, struct report *r, uint64_t buckets)
{
	if (f->release_number && f->release_number < RELEASE(2, 6, 14))
		return "";
	/* built in, the knob is there when sysctl runs, and since 4.8 it can be written */
	if (f->module == FACTS_MODULE_BUILTIN && f->release_number >= RELEASE(4, 8, 0))
		return report_text(r,
				   "\n    echo 'net.netfilter.nf_conntrack_buckets = %llu' >> "
				   "/etc/sysctl.d/90-conntrack.conf",
				   (unsigned long long)buckets);
	if (f->module == FACTS_MODULE_BUILTIN)
		return report_text(r, "\n    nf_conntrack.hashsize=%llu on the kernel command line",
				   (unsigned long long)buckets);
	return report_text(r, "\n    echo 'options nf_conntrack hashsize=%llu' %s",
			   (unsigned long long)buckets,
			   has_drop_ins(f) ? ">> /etc/modprobe.d/conntrack.conf"
					   : ">> /etc/modprobe.conf");
}

/* "66 MiB when full", or "" where the size of an entry is not known. */
static const char *when_full(const struct facts *f, struct report *r, uint64_t max,
			     uint64_t buckets)
{
	if (entry_bytes(f) == 0)
		return "";
	return report_text(r, "%s when full", judge_bytes(r, max * entry_bytes(f) + buckets * 8));
}

const char *judge_raise(const struct facts *f, struct report *r, const struct facts_netns *ns)
{
	uint64_t max = judge_new_max(f, ns), buckets;
	const char *key = judge_key(r, ns->max_origin), *full;
	const char *where = ns->is_initial || ns->inode == 0
				    ? ""
				    : "in the initial namespace (the limit is one for all) ";

	if (max == 0)
		return "the limit cannot be raised: a table twice as large would take more than a "
		       "quarter of this machine's memory.";
	buckets = f->release_number && f->release_number < RELEASE(5, 15, 0) ? max / 4 : max;
	full = when_full(f, r, max,
			 f->is_buckets_known && buckets < f->buckets ? f->buckets : buckets);
	if (f->is_buckets_known && buckets <= f->buckets)
		return report_text(r,
				   "%sraise the limit (%s%sthe %llu buckets suffice):\n"
				   "    sysctl -w %s=%llu\n"
				   "and make it last:\n"
				   "%s",
				   where, full, full[0] ? "; " : "", (unsigned long long)f->buckets,
				   key, (unsigned long long)max, judge_persist(f, r, key, max));
	return report_text(r,
			   "%sraise limit and buckets together%s%s%s:\n"
			   "    sysctl -w %s=%llu\n"
			   "    %s\n"
			   "and make both last:\n"
			   "%s%s",
			   where, full[0] ? " (" : "", full, full[0] ? ")" : "", key,
			   (unsigned long long)max, buckets_command(f, r, buckets),
			   judge_persist(f, r, key, max), buckets_persist(f, r, buckets));
}
