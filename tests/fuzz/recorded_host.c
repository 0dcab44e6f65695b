/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Facts of a copied machine: the same bytes stand in every small file that is read for them.
 */
#include "ops/host/host.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ops/host/netns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const files[] = {
	"recorded/host",	 "recorded/netns/7/about",
	"recorded/netns/8/name", "proc/meminfo",
	"proc/cpuinfo",		 "proc/version",
	"proc/9/comm",		 "sys/devices/system/cpu/possible",
};

static const char *const folders[] = {
	"recorded",
	"recorded/netns",
	"recorded/netns/7",
	"recorded/netns/8",
	"proc",
	"proc/9",
	"proc/9/ns",
	"sys",
	"sys/devices",
	"sys/devices/system",
	"sys/devices/system/cpu",
};

#define N(list) (sizeof(list) / sizeof((list)[0]))

static void must(int is_true)
{
	if (!is_true)
		abort();
}

/* The copy: all its files are links to one, whose bytes change. Made once, as making is slow. */
static struct {
	char path[32];
	int root, data;
} copy = { "/tmp/conntune-fuzz-XXXXXX", -1, -1 };

static void build(void)
{
	must(mkdtemp(copy.path) != NULL);
	copy.root = open(copy.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < N(folders); i++)
		must(mkdirat(copy.root, folders[i], 0700) == 0);
	for (size_t i = 0; i < N(files); i++)
		must(symlinkat("/data", copy.root, files[i]) == 0);
	must(symlinkat("net:[9]", copy.root, "proc/9/ns/net") == 0);
	copy.data = openat(copy.root, "data", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	must(copy.data >= 0);
}

__attribute__((destructor)) static void remove_all(void)
{
	if (copy.root < 0)
		return;
	(void)unlinkat(copy.root, "data", 0);
	(void)unlinkat(copy.root, "proc/9/ns/net", 0);
	for (size_t i = 0; i < N(files); i++)
		(void)unlinkat(copy.root, files[i], 0);
	for (size_t i = N(folders); i > 0; i--)
		(void)unlinkat(copy.root, folders[i - 1], AT_REMOVEDIR);
	(void)rmdir(copy.path);
}

static void ask(struct host *h)
{
	auto_fini(netns_list) struct netns_list list = { 0 };
	char word[64] = "";
	uint32_t number = 0;
	uint64_t bytes = 0;
	unsigned n = 0;
	ct_time now = 0;

	(void)host_release(h, word, sizeof(word));
	(void)host_machine(h, word, sizeof(word));
	must(strnlen(word, sizeof(word)) < sizeof(word));
	(void)host_release_number(h, &number);
	(void)host_word_bits(h, &n);
	(void)host_page_size(h, &number);
	if (host_n_cpus(h, &n) == 0)
		must(n > 0 && n < 1u << 24);
	(void)host_mem_bytes(h, &bytes);
	if (host_now(h, &now) == 0)
		must(now >= 0);
	if (netns_list(h, &list, NULL) < 0)
		return;
	must(list.n >= 1 && list.at[0].is_own);
	for (size_t i = 1; i < list.n; i++)
		for (const char *p = list.at[i].name; p && *p; p++)
			must((unsigned char)*p >= ' ' && *p != 127);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct host *h = NULL;

	if (copy.root < 0)
		build();
	must(pwrite(copy.data, data, size, 0) == (ssize_t)size);
	must(ftruncate(copy.data, (off_t)size) == 0);
	if (host_open(copy.path, &h, NULL) == 0)
		ask(h);
	host_free(h);
	return 0;
}
