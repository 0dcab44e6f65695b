/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Recordings of netlink: every message that is delivered lies within one datagram, the reader comes
 * to an end, and stays there.
 */
#include "ops/host/dump.h"

#include <stdlib.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int is_true)
{
	if (!is_true)
		abort();
}

static int open_bytes(const uint8_t *data, size_t size)
{
	int fd = memfd_create("recording", MFD_CLOEXEC);

	must(fd >= 0 && write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free(dump) struct dump *d = NULL;
	struct ct_err err = { "" };
	volatile uint8_t seen = 0;
	struct dump_info info;
	const void *payload;
	uint16_t type;
	size_t len, sum = 0;
	int r;

	must(dump_open_recording(open_bytes(data, size), "recording", &d, &err) == 0);
	while ((r = dump_next(d, &type, &payload, &len, &err)) > 0) {
		sum += 16 + len;
		must(sum <= size);
		for (size_t i = 0; i < len; i++)
			seen ^= ((const uint8_t *)payload)[i];
	}
	(void)seen;
	(void)seen;
	must(r == 0 || err.text[0] != '\0');
	must(dump_next(d, &type, &payload, &len, &err) <= 0);
	dump_info(d, &info);
	must(info.n_bytes <= size);
	return 0;
}
