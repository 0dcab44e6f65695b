/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The parts of boot.c: each looks at one kind of file and adds what it found.
 */
#ifndef OPS_SETTINGS_BOOT_INNER_H
#define OPS_SETTINGS_BOOT_INNER_H

#include "ops/settings/boot.h"
#include "ops/settings/modprobe_conf.h"

/* Each adds to a list of @b; all text is copied into its words. -ENOMEM. */
int boot_add_loader(struct boot *b, enum boot_when when, const char *module, const char *origin,
		    bool is_certain);
int boot_add_reapply(struct boot *b, const char *origin, const char *prefixes,
		     bool reads_conf_only);
int boot_add_assignment(struct boot *b, enum boot_source source, const char *key, const char *value,
			const char *origin);
int boot_remark(struct boot *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* True for modules that are the tracker or cannot be loaded without it. */
bool boot_is_tracker_module(const char *module);

/* boot_init.c: the init system, and whether the tracker is built in. */
int boot_find_init(struct host *h, struct boot *b);
int boot_find_kind(struct host *h, struct boot *b);

/* boot_load.c: who loads the module before or after the files are applied. */
int boot_find_loaders(struct host *h, struct boot *b);

/* Whether the service @name is started at boot. */
bool boot_is_enabled(struct host *h, const struct boot *b, const char *name);

/* boot_write.c: command line, modprobe.d, udev rules, scripts. */
int boot_read_command_line(struct host *h, struct boot *b);
int boot_read_modprobe(struct host *h, struct boot *b);
int boot_read_udev(struct host *h, struct boot *b);
int boot_read_tmpfiles(struct host *h, struct boot *b);
int boot_read_scripts(struct host *h, struct boot *b);
int boot_read_services(struct host *h, struct boot *b);

/* Calls @each for every line of @text: its number and the line without its end, NUL-terminated and
 * changeable. Stops at the first error. */
int boot_each_line(char *text, int (*each)(void *user, unsigned line, char *s), void *user);

#endif
