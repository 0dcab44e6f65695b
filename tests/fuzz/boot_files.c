/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Everything boot.h reads of a machine: the input is cut at bytes 0xff into the files of a small
 * copied tree. Whatever stands in them, each assignment gets a fate and a sentence.
 */
#include "ops/settings/boot.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/ops/host/copy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const paths[] = {
	"/etc/modules-load.d/a.conf",
	"/etc/udev/rules.d/a.rules",
	"/proc/cmdline",
	"/etc/tmpfiles.d/a.conf",
	"/etc/rc.local",
	"/etc/modprobe.d/a.conf",
	"/etc/sysctl.d/a.conf",
	"/proc/modules",
	"/etc/dracut.conf",
	"/etc/sysconfig/iptables-config",
	"/etc/tuned/active_profile",
	"/proc/sys/kernel/osrelease",
};

static void must(int is_true)
{
	if (!is_true)
		abort();
}

static struct copy tree;

static void remove_tree(void)
{
	copy_fini(&tree);
}

static void prepare(void)
{
	copy_init(&tree);
	(void)atexit(remove_tree);
	copy_file(&tree, "/proc/meminfo", "MemTotal: 1048576 kB\n");
	copy_file(&tree, "/etc/rc.local", "");
	(void)chmod(copy_path(&tree, "/etc/rc.local"), 0755);
	copy_file(&tree, "/run/systemd/system/x", "");
	copy_link(&tree, "/etc/systemd/system/a.wants/tuned.service", "/x");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free(host) struct host *h = NULL;
	auto_free(boot) struct boot *b = NULL;

	if (!*tree.root)
		prepare();
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		const uint8_t *end = size ? memchr(data, 0xff, size) : NULL;
		size_t n = end ? (size_t)(end - data) : size;

		copy_bytes(&tree, paths[i], data, n);
		data += n + (end != NULL);
		size -= n + (end != NULL);
	}
	must(host_open(tree.root, &h, NULL) == 0);
	must(boot_read(h, &b, NULL) == 0);
	for (size_t i = 0; i < b->n; i++)
		must(b->at[i].fate != SETTING_UNSET && *b->at[i].why && *b->at[i].origin);
	return 0;
}
