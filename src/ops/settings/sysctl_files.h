/* SPDX-License-Identifier: BSD-2-Clause
 *
 * sysctl.d and sysctl.conf: every assignment with its file and line, in the order in which the
 * program that this system runs at boot reads them.
 *
 * Who reads what differs: systemd-sysctl never reads /etc/sysctl.conf (a link in sysctl.d may
 * bring it in), `sysctl --system` reads it last, `sysctl -p` reads nothing else. Which assignment
 * decides is the same for all: the last explicit one; else the last pattern that matches, unless
 * "-key" takes the key out of patterns.
 */
#ifndef OPS_SETTINGS_SYSCTL_FILES_H
#define OPS_SETTINGS_SYSCTL_FILES_H

#include "ops/host/host.h"
#include "ops/settings/words.h"

enum sysctl_reader {
	SYSCTL_BY_SYSTEMD,	 /* systemd-sysctl */
	SYSCTL_BY_PROCPS_SYSTEM, /* sysctl --system: Debian's init script, OpenRC */
	SYSCTL_BY_PROCPS,	 /* sysctl -p: Red Hat 4-6 */
	SYSCTL_BY_UPSTART,	 /* cat sysctl.d, then sysctl.conf, into sysctl -p - */
	SYSCTL_BY_OPENWRT,	 /* sysctl -p of each in /etc/sysctl.d, then sysctl.conf */
};

/* "systemd-sysctl", "sysctl --system", ... */
const char *sysctl_reader_name(enum sysctl_reader r);

#define SYSCTL_MAX_ASSIGNMENTS 65536
#define SYSCTL_MAX_KEY	       4096

struct sysctl_assignment {
	const char *key;   /* as a path beneath /proc/sys: "net/netfilter/nf_conntrack_max" */
	const char *value; /* blanks around it removed; null: "-key", out of patterns */
	const char *file;  /* absolute */
	unsigned line;
	bool ignores_failure; /* a '-' stood in front */
	bool is_pattern;
};

struct sysctl_skip { /* a file or a line that was not understood */
	const char *file;
	unsigned line; /* 0: the whole file */
	const char *why;
};

struct sysctl_files {
	struct sysctl_assignment *at;
	size_t n;
	struct sysctl_skip *skipped;
	size_t n_skipped;
	const char **files; /* in the order read, masked ones left out */
	size_t n_files;
	struct words words;
};

/* Reads the files that @reader reads. What cannot be read is noted in skipped. -ENOMEM, -E2BIG. */
int sysctl_files_read(struct host *h, enum sysctl_reader reader, struct sysctl_files *out,
		      struct ct_err *err);

/* Adds one file's text (any bytes) as @file. -ENOMEM, -E2BIG. */
int sysctl_files_parse(struct sysctl_files *to, const char *file, const char *text, size_t len,
		       struct ct_err *err);

/* Adds the one file @path (a manual `sysctl -p`). -ENOENT and the like, -ENOMEM. */
int sysctl_files_add(struct host *h, struct sysctl_files *to, const char *path, struct ct_err *err);

/* The assignment that decides @wanted (dots or slashes), or null. */
const struct sysctl_assignment *sysctl_files_decides(const struct sysctl_files *f,
						     const char *wanted);

void sysctl_files_fini(struct sysctl_files *f);

/* Turns a key into the path form in place, as sysctl.d(5) says: when the first separator is a
 * slash, slashes stay; else dots become slashes and slashes dots. */
void sysctl_key_normalise(char *key);

#endif
