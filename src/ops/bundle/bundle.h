/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A machine copied into a folder: what host_open() reads as if it were that machine.
 *
 * What is copied stands in bundle.def. Nothing else is, and of most files only the lines that are
 * about tracking; no environment, no keys, no arguments of processes.
 */
#ifndef OPS_BUNDLE_BUNDLE_H
#define OPS_BUNDLE_BUNDLE_H

#include "ops/bundle/anon.h"
#include "ops/host/host.h"

struct bundle_options {
	const char *dir;     /* the new folder */
	const char *made_by; /* "conntune 0.1.0", for recorded/host */
	const char *netns;   /* besides the own one only this (netns_find()); null for all */
	bool has_table;	     /* entries, expectations and sockets too */
	bool is_anonymous;   /* addresses replaced under @key */
	uint8_t key[ANON_KEY_BYTES];
};

/* Something that should be in the bundle and is not, or not whole. */
struct bundle_gap {
	char *what, *why;
};

struct bundle {
	uint64_t n_files, n_bytes, n_commands, n_recordings, n_entries;
	size_t n_netns;	       /* namespaces looked into */
	size_t n_netns_closed; /* listed only: we may not enter */
	struct bundle_gap *gaps;
	size_t n_gaps;
};

/* Writes the bundle of @h. What cannot be read becomes a gap; when the bundle cannot be written,
 * what there is of it is removed. Release with bundle_fini(). */
int bundle_write(struct host *h, const struct bundle_options *options, struct bundle *out,
		 struct ct_err *err);
void bundle_fini(struct bundle *b);

#endif
