/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What changes a machine: values of the kernel, files, locks. Only ops/apply includes this.
 *
 * A copy is never written to: each of these says -EROFS there.
 */
#ifndef OPS_HOST_WRITE_H
#define OPS_HOST_WRITE_H

#include "ops/host/host.h"

/* Writes @text with one write(2) into the existing file @path of the kernel (/proc/sys, /sys), as
 * the namespace of @h sees it. The errno of open(2) or write(2). */
int host_write_value(struct host *h, const char *path, const char *text);

/* Puts a whole new content into @path, or makes it: written beside it, fsync, rename, fsync of the
 * folder, so that either the old or the new file is there after a power cut. Owner, mode and
 * extended attributes (SELinux context, ACL) of the old file are kept; a new one gets @mode. A link
 * is followed. */
int host_replace(struct host *h, const char *path, const void *bytes, size_t size, uint32_t mode);

/* Removes what an interrupted host_replace() of @path left beside it. */
int host_clean(struct host *h, const char *path);

/* Removes a file, or what an interrupted host_replace() left of it. 0 when there is none. */
int host_remove(struct host *h, const char *path);

/* Makes the folder @path and those above it, @mode for each that is new. */
int host_make_folder(struct host *h, const char *path, uint32_t mode);

/* Removes the empty folder @path. */
int host_remove_folder(struct host *h, const char *path);

/* Makes just the folder @path. -EEXIST. */
int host_make_new_folder(struct host *h, const char *path, uint32_t mode);

/* Locks the file @path (made when missing) for this process until the descriptor that is returned
 * is closed, or the process ends in whatever way. -EWOULDBLOCK when another has it, unless
 * @is_patient: then it waits. */
int host_lock(struct host *h, const char *path, bool is_patient);

/* Gives up every right (capability) of this process and its children but those that changing a
 * machine takes: sysctls and rules, entering namespaces, files of others with their owner and mode.
 * What is left cannot load modules, change the clock, reboot, trace, read the kernel's memory. */
int host_give_up_rights(void);

/* Starts this very program again with @argv, apart from the terminal and the session, with no open
 * files. */
int host_start_self(struct host *h, const char *const argv[]);

#endif
