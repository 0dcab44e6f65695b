/* SPDX-License-Identifier: BSD-2-Clause
 *
 * modprobe.d files: module names are words in the kernel's spelling, options are cut to size.
 */
#include "ops/settings/modprobe_conf.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int is_true)
{
	if (!is_true)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_fini(modprobe_conf) struct modprobe_conf c = { 0 };
	char value[8];

	if (modprobe_conf_parse(&c, "/x.conf", (const char *)data, size, NULL) < 0)
		return 0;
	for (size_t i = 0; i < c.n; i++) {
		must(*c.at[i].module && !strpbrk(c.at[i].module, " \t-"));
		if (modprobe_option(c.at[i].rest, "hashsize", value, sizeof(value)))
			must(strlen(value) < sizeof(value));
	}
	return 0;
}
