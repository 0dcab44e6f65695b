/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the kernel's log says about connection tracking: lines in, counts and moments out.
 *
 * Understands dmesg, /dev/kmsg records, syslog files and the journal's short forms. The kernel
 * limits the rate of its messages, so every count is a lower bound. Files go on across boots: only
 * what was said since the last one counts, since counters and limits begin anew with it.
 */
#ifndef OPS_FACTS_KERNEL_LOG_H
#define OPS_FACTS_KERNEL_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KERNEL_LOG_MAX_NETNS 32
#define KERNEL_LOG_MAX_STAMP 48

/* How often one kind of line was seen, and when. */
struct kernel_log_event {
	uint64_t n;
	char first[KERNEL_LOG_MAX_STAMP], last[KERNEL_LOG_MAX_STAMP]; /* as the log writes time */
	double first_s, last_s; /* seconds since boot, when the stamp says so */
	bool is_uptime;		/* first_s and last_s hold something */
};

struct kernel_log_netns {
	uint64_t inode;
	struct kernel_log_event full;
};

struct kernel_log {
	uint64_t n_lines;
	struct kernel_log_event full; /* "table full", in whatever namespace */
	struct kernel_log_event expect_full;
	struct kernel_log_event syn_flood;    /* "Possible SYN flooding" */
	struct kernel_log_event boot_miss;    /* systemd-sysctl or sysctl could not set a knob */
	struct kernel_log_event full_unnamed; /* of these: lines that name no namespace */
	uint64_t n_suppressed;		      /* messages net_ratelimit kept back */
	uint16_t syn_flood_port;	      /* of the last such line, 0 unknown */
	bool is_legacy;			      /* the prefix was ip_conntrack */
	struct kernel_log_netns netns[KERNEL_LOG_MAX_NETNS]; /* namespaces named, as they came */
	unsigned n_netns;
	bool is_version_known; /* "nf_conntrack version 0.5.0 (65536 buckets, 262144 max)" */
	uint64_t version_buckets, version_max;
	char boot_miss_text[160]; /* the last such message */
	bool is_uptime_known;	  /* some line told seconds since boot; the last of them: */
	double uptime_s;
	unsigned
		n_boots; /* boots that began in this log; what stood before the last is forgotten */
};

/* Forgets all lines: they are of an earlier boot. */
void kernel_log_forget(struct kernel_log *log);

/* Takes one line, with or without newline. */
void kernel_log_line(struct kernel_log *log, const char *line, size_t len);

/* Takes many lines. */
void kernel_log_text(struct kernel_log *log, const char *text, size_t len);

#endif
