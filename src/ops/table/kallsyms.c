/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Lines of "ADDRESS TYPE NAME", and behind a tab the module. See kallsyms.h.
 */
#include "ops/table/kallsyms.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define CHUNK (64u << 10)

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static void scan_line(const char *line, size_t len, struct kallsyms_name *names, size_t n)
{
	uint64_t address = 0;
	size_t at = 0, end;

	for (; at < len && at < 16 && hex(line[at]) >= 0; at++)
		address = address << 4 | (uint64_t)hex(line[at]);
	if (at == 0 || at + 3 >= len || line[at] != ' ' || line[at + 2] != ' ')
		return;
	at += 3;
	for (end = at; end < len && line[end] != '\t' && line[end] != ' '; end++)
		;
	for (size_t i = 0; i < n; i++)
		if (!names[i].address && strlen(names[i].name) == end - at &&
		    memcmp(names[i].name, line + at, end - at) == 0)
			names[i].address = address;
}

void kallsyms_scan(const char *text, size_t len, struct kallsyms_name *names, size_t n)
{
	const char *end;

	for (; len > 0 && (end = memchr(text, '\n', len));
	     len -= (size_t)(end + 1 - text), text = end + 1)
		scan_line(text, (size_t)(end - text), names, n);
}

/* What is behind the last line of @text, moved to its front. */
static size_t keep_rest(char *text, size_t len)
{
	const char *end = memrchr(text, '\n', len);
	size_t rest = end ? (size_t)(text + len - end - 1) : len;

	memmove(text, text + len - rest, rest);
	return rest < CHUNK ? rest : 0;
}

int kallsyms_read(struct host *h, struct kallsyms_name *names, size_t n)
{
	auto_memory char *text = malloc(CHUNK);
	int fd = text ? host_open_fd(h, "/proc/kallsyms") : -ENOMEM;
	size_t len = 0;
	ssize_t got;

	if (fd < 0)
		return fd;
	while ((got = read(fd, text + len, CHUNK - len)) > 0) {
		len += (size_t)got;
		kallsyms_scan(text, len, names, n);
		len = keep_rest(text, len);
	}
	(void)close(fd);
	return got < 0 ? -EIO : 0;
}
