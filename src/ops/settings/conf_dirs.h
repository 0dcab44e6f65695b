/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Drop-in folders as systemd, procps, kmod and udev share them: files of several folders sorted
 * together by name, a name in an earlier folder hides the same name in a later one, and a link to
 * /dev/null there masks it.
 */
#ifndef OPS_SETTINGS_CONF_DIRS_H
#define OPS_SETTINGS_CONF_DIRS_H

#include <conntune/err.h>

#include "ops/host/host.h"
#include "ops/settings/words.h"

#define CONF_MAX_FILES 4096

struct conf_file {
	const char *name;  /* "50-ct.conf" */
	const char *path;  /* "/etc/sysctl.d/50-ct.conf" */
	const char *hides; /* path of one it hides, or null */
	bool is_masked;	   /* a link to /dev/null: it only hides */
};

struct conf_files {
	struct conf_file *at;
	size_t n;
	struct words words;
};

/* Lists what is effective in @dirs (absolute, ends with null, the strongest first), names that end
 * in @suffix, sorted bytewise by name. Folders that cannot be read count as empty. -ENOMEM,
 * -E2BIG. */
int conf_files_list(struct host *h, const char *const *dirs, const char *suffix,
		    struct conf_files *out, struct ct_err *err);
void conf_files_fini(struct conf_files *c);

#endif
