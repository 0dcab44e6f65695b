/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What of a file goes into a bundle.
 */
#ifndef OPS_BUNDLE_FILTER_H
#define OPS_BUNDLE_FILTER_H

#include "ops/bundle/anon.h"

enum bundle_filter {
	FILTER_WHOLE,	   /* numbers and names of the kernel: no address, no secret */
	FILTER_TEXT,	   /* whole; addresses are replaced when asked */
	FILTER_SOCKETS,	   /* /proc/net/tcp and its like */
	FILTER_TRACKING,   /* lines about tracking; others are emptied, so that numbers of lines
			      stay */
	FILTER_MENTIONS,   /* likewise; no file at all when no line passes */
	FILTER_LOG,	   /* lines of the kernel about tracking and memory; others are dropped */
	FILTER_WORDS,	   /* words of the kernel's command line about tracking and sysctl */
	FILTER_MODULES,	   /* /proc/modules without addresses of the kernel */
	FILTER_ALLOWANCES, /* counters of ethtool about limits of a cloud */
	FILTER_NOTHING,	   /* an empty file: only that it exists */
};

/* Appends what @filter lets pass of @text; @anon may be null. True in *@has_something when it was
 * anything but empty lines. -ENOMEM. */
int bundle_filter(enum bundle_filter filter, struct anon *anon, const char *text, size_t len,
		  struct ct_buf *out, bool *has_something);

#endif
