/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A bundle while it is packed: shared by the parts that copy files, ask commands, ask netlink.
 *
 * Results are 0 or an error of writing, which ends the work. What cannot be read is a gap.
 */
#ifndef OPS_BUNDLE_PACK_H
#define OPS_BUNDLE_PACK_H

#include "ops/bundle/bundle.h"
#include "ops/bundle/filter.h"
#include "ops/bundle/out.h"

enum bundle_scope {
	SCOPE_MACHINE, /* once */
	SCOPE_NETNS,   /* in each network namespace */
	SCOPE_TABLE,   /* likewise, unless the table is left out */
};

/* The machine as one namespace sees it, and where that goes. */
struct view {
	struct host *host;
	const char *files;    /* "" or "/recorded/netns/N": in front of paths */
	const char *recorded; /* "/recorded" or "/recorded/netns/N": in front of commands/ */
	const char *label;    /* "" or " (net:[N])", for gaps */
	bool is_own;
};

struct pack {
	struct host *host;
	const struct bundle_options *options;
	struct bundle *bundle;
	struct ct_err *err; /* of the whole work */
	struct out out;
	struct anon *anon; /* null when addresses stay */
	char release[128]; /* "" when unknown */
};

/* Notes that @what is missing. */
int pack_gap(struct pack *p, const struct view *v, const char *what, const char *why);

/* True when things of @scope belong into the bundle for @v. */
bool pack_is_wanted(const struct pack *p, const struct view *v, enum bundle_scope scope);

/* True for errors of writing that mean no harm: the file came by another way already. */
bool pack_is_harmless(int error);

int pack_files(struct pack *p, const struct view *v);
int pack_commands(struct pack *p, const struct view *v);
int pack_netlink(struct pack *p, const struct view *v);

/* Copies the kernel's listing of the table as text, line by line. */
int pack_listing(struct pack *p, const struct view *v);

#endif
