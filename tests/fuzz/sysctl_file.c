/* SPDX-License-Identifier: BSD-2-Clause
 *
 * sysctl.d files: every key is normalised and bounded, lines count upward, and each key that was
 * read can be asked for.
 */
#include "ops/settings/sysctl_files.h"

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
	auto_fini(sysctl_files) struct sysctl_files f = { 0 };
	unsigned line = 0;

	if (sysctl_files_parse(&f, "/x.conf", (const char *)data, size, NULL) < 0)
		return 0;
	for (size_t i = 0; i < f.n; i++) {
		const char *key = f.at[i].key;

		must(strlen(key) <= SYSCTL_MAX_KEY && *key != '/' && !strstr(key, "//"));
		must(f.at[i].line > line || (line == f.at[i].line && i == 0));
		line = f.at[i].line;
		if (i < 16)
			(void)sysctl_files_decides(&f, key);
	}
	(void)sysctl_files_decides(&f, "net.netfilter.nf_conntrack_max");
	return 0;
}
