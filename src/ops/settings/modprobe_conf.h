/* SPDX-License-Identifier: BSD-2-Clause
 *
 * modprobe.d: options, install lines and blacklists, with file and line.
 */
#ifndef OPS_SETTINGS_MODPROBE_CONF_H
#define OPS_SETTINGS_MODPROBE_CONF_H

#include "ops/host/host.h"
#include "ops/settings/words.h"

enum modprobe_verb {
	MODPROBE_OPTIONS,
	MODPROBE_INSTALL,
	MODPROBE_REMOVE,
	MODPROBE_BLACKLIST,
	MODPROBE_ALIAS,
	MODPROBE_SOFTDEP,
};

struct modprobe_line {
	enum modprobe_verb verb;
	const char *module; /* '-' turned into '_', as the kernel does */
	const char *rest;   /* what follows, blanks around it removed; "" when nothing does */
	const char *file;
	unsigned line; /* of its beginning; a backslash joins lines */
};

#define MODPROBE_MAX_LINES 65536
struct modprobe_conf {
	struct modprobe_line *at;
	size_t n;
	struct words words;
};

/* Reads /etc, /run, /usr/local/lib, /usr/lib and /lib modprobe.d as kmod does, and the
 * /etc/modprobe.conf of old. -ENOMEM, -E2BIG. */
int modprobe_conf_read(struct host *h, struct modprobe_conf *out, struct ct_err *err);

/* Adds one file's text (any bytes). Lines that are none are passed over, as kmod does. */
int modprobe_conf_parse(struct modprobe_conf *to, const char *file, const char *text, size_t len,
			struct ct_err *err);
void modprobe_conf_fini(struct modprobe_conf *c);

/* Copies the value of parameter @name in an options line ("hashsize=1 acct") to @out: "1" or, for
 * a name alone, "1". The last one wins. False when it is not there. */
bool modprobe_option(const char *rest, const char *name, char *out, size_t size);

#endif
