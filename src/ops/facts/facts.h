/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One gathered picture of a machine, constant afterwards: what checks judge and status shows.
 *
 * Whatever could not be read is unknown, with the reason beside it where a person will ask.
 */
#ifndef OPS_FACTS_FACTS_H
#define OPS_FACTS_FACTS_H

#include "ops/facts/kernel_log.h"
#include "ops/facts/proc_stat.h"
#include "ops/facts/rules_scan.h"
#include "ops/facts/sockets.h"
#include "ops/facts/summary.h"
#include "ops/host/host.h"
#include "ops/settings/settings.h"
#include "ops/settings/size.h"
#include "ops/table/table.h"

#define FACTS_MAX_LOGS 8

/* One network namespace. */
struct facts_netns {
	uint64_t inode;	 /* 0 when unknown */
	char label[80];	 /* "the initial namespace", "web (pid 812 nginx)" */
	char name[48];	 /* short, for columns and --netns: "web", "812", "net:[4026532314]" */
	char enter[112]; /* what goes before a command to run it there; "" for the own one */
	bool is_initial, is_own;
	bool is_readable;
	char why[160]; /* when not readable */

	bool is_count_known, is_max_known;
	uint64_t count, max; /* max 0 is "no limit" up to Linux 6.18 */
	char count_origin[96], max_origin[96];

	bool is_stats_known;
	struct stats stats;
	const char *stats_origin;
	char stats_why[160];

	bool is_expect_known; /* how many expectations there are */
	uint64_t n_expect;

	bool has_settings; /* of the namespaces looked at closely */
	struct settings settings;

	bool has_summary; /* its table was read */
	struct summary summary;
	struct table_info table;
	char table_why[256]; /* why not, "" when nobody asked */
};

struct facts_log_source {
	char source[64]; /* "dmesg", "/var/log/kern.log" */
	int error;	 /* why it could not be read, else 0 */
	struct kernel_log log;
};

/* How the tracker is present in the kernel. */
enum facts_module {
	FACTS_MODULE_UNKNOWN,
	FACTS_MODULE_ABSENT,   /* this kernel was built without it */
	FACTS_MODULE_LOADABLE, /* a module, not loaded */
	FACTS_MODULE_LOADED,
	FACTS_MODULE_BUILTIN,
};

/* A program known to have a hand in connection tracking, found among the processes. */
#define FACTS_MAX_PROGRAMS 16

struct facts_listener {
	uint16_t port;
	char program[32];
};
#define FACTS_MAX_LISTENERS 256

struct facts {
	/* the machine */
	bool is_live, is_root;
	char release[80];
	uint32_t release_number; /* 0 unknown */
	bool is_mem_known, is_uptime_known;
	uint64_t mem_bytes;
	double uptime_s;
	unsigned n_cpus; /* 0 unknown */
	struct size_machine machine;
	struct size_entry entry; /* bytes an entry takes */

	/* the tracker */
	enum facts_module module;
	const char *module_origin;
	bool is_buckets_known;
	uint64_t buckets;
	char buckets_origin[96];
	bool is_expect_max_known;
	uint64_t expect_max;

	/* the namespaces: the one looked at first, then by count, fullest first */
	struct facts_netns *netns;
	size_t n_netns;
	unsigned n_unreadable; /* namespaces we may not enter or whose processes are hidden */
	bool is_netns_known;
	char netns_why[160];
	uint64_t n_total; /* entries in all readable namespaces */
	bool is_table_asked;

	/* logs */
	struct facts_log_source log[FACTS_MAX_LOGS];
	unsigned n_logs;
	unsigned best_log; /* the one with most "table full" lines, n_logs when none was read */

	/* rules and sockets of the first namespace */
	struct rules rules;
	char rules_why[160];
	struct sockets sockets;
	bool has_sockets;
	struct facts_listener listener[FACTS_MAX_LISTENERS];
	unsigned n_listeners;

	/* hints at other tables (RC23) */
	struct {
		char interface[32], counter[64];
		uint64_t value;
	} allowance[8];
	unsigned n_allowances;
	bool has_cilium_map, has_calico_map, has_ovs;

	/* cron jobs that flush the table (RC26) */
	struct {
		char origin[128], text[160];
	} flush[4];
	unsigned n_flushes;

	const char *program[FACTS_MAX_PROGRAMS];
	unsigned n_programs;
};

struct facts_options {
	bool want_table;	   /* read the tables of the namespaces that matter */
	bool want_rules;	   /* run iptables-save and nft */
	unsigned rules_timeout_ms; /* for each of these; 0 is 5000 */
	bool want_sockets;	   /* read /proc/net/tcp and who listens */
	bool want_logs;		   /* also the files under /var/log; without it dmesg only */
	bool want_boot;		   /* files read at boot, programs that run, interface counters */
	const char *netns; /* look at this one instead of our own; "all" reads every table */
};

/* Gathers. Only a machine that cannot be read at all is an error; the rest is unknown.
 * Owned by the caller. */
int facts_collect(struct host *h, const struct facts_options *o, struct facts **out,
		  struct ct_err *err);
void facts_free(struct facts *f);
DEFINE_AUTO_FREE(facts);

/* The value of a knob of a namespace, or -1 when it is unknown. */
int64_t facts_knob(const struct facts_netns *ns, const char *name);

/* The merged view of one kind of line: from the log with most of them; null when no log was read.
 * @source gets its name. */
const struct facts_log_source *facts_best_log(const struct facts *f);

/* The "table full" lines of @log that speak of @ns: those that name its inode, or for the initial
 * namespace those that name none. Null when there are none. The kernel gives the inode of a
 * namespace that ended to a later one, and before 6.16 names none at all, so lines about a
 * namespace that never dropped a packet are not its own. */
const struct kernel_log_event *facts_full_lines(const struct facts *f, const struct facts_netns *ns,
						const struct kernel_log *log);

/* Seconds since the last such line, or -1 when there is none or its moment is unknown. With a null
 * @ns, of any namespace. */
double facts_full_age_s(const struct facts *f, const struct facts_netns *ns);

/* The program that listens on TCP port @port, or null. */
const char *facts_listener(const struct facts *f, uint16_t port);

bool facts_has_program(const struct facts *f, const char *name);

#endif
