/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Capture files: any bytes are read to the end or refused, and every frame lies inside its file.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ops/capture/capture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Touches every byte, so that a sanitizer sees one that is not there. */
static unsigned touch(const struct frame *f)
{
	const uint8_t *ip;
	uint32_t size = 0;
	unsigned sum = 0;

	for (uint32_t i = 0; i < f->size; i++)
		sum += f->data[i];
	if (!frame_ip(f, &ip, &size) && (ip < f->data || ip + size > f->data + f->size))
		abort();
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("capture", MFD_CLOEXEC);
	struct capture *c = NULL;
	struct frame frames[8];
	char path[64];
	unsigned sum = 0;
	int n;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (capture_open(path, &c, NULL) == 0) {
		while ((n = capture_read(c, frames, 8, NULL)) > 0)
			for (int i = 0; i < n; i++)
				sum += touch(&frames[i]);
		(void)capture_interface(c, sum);
	}
	capture_free(c);
	(void)close(fd);
	return 0;
}
