/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Event recordings: any bytes are read to the end or refused, and what is read can be written and
 * read again into the same number of events. Made packets again, they come in the order of time.
 */
#include "ops/sweep/echo.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ops/sweep/echo_packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int open_memory(char path[64])
{
	int fd = memfd_create("events", MFD_CLOEXEC);

	if (fd < 0)
		abort();
	(void)snprintf(path, 64, "/proc/self/fd/%d", fd);
	return fd;
}

/* Reads @path to its end, into @to when that is not null; how many events. */
static unsigned read_all(const char *path, int to)
{
	auto_free(events) struct events *ev = NULL;
	auto_free(event_writer) struct event_writer *w = NULL;
	struct ct_err err = { "" };
	struct event e;
	unsigned n = 0;
	int r = events_open(path, &ev, &err);

	if (r == 0 && to >= 0 && event_writer_new(to, events_head(ev), &w) < 0)
		abort();
	while (r >= 0 && (r = events_next(ev, &e, &err)) > 0) {
		n++;
		if (w && event_writer_put(w, &e) < 0)
			abort();
	}
	if (r < 0 && !err.text[0])
		abort();
	if (w && event_writer_flush(w) < 0)
		abort();
	return n;
}

static void make_packets(const char *path)
{
	auto_free(echo) struct echo *e = NULL;
	struct ct_engine_config cfg;
	struct whatif_timeouts timeouts;
	struct ct_err err = { "" };
	struct frame f;
	ct_time last = 0;

	if (echo_open(path, &e, &err) < 0)
		return;
	echo_configure(e, &cfg);
	echo_timeouts_of(&cfg.settings, &timeouts);
	if (echo_begin(e, &timeouts, &err) < 0)
		return;
	for (unsigned n = 0; n < 10000 && echo_next(e, &f) > 0; n++) {
		if (f.at < last || f.size > sizeof(struct echo_packet))
			abort();
		last = f.at;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[64], again[64];
	int fd = open_memory(path), copy = open_memory(again);
	unsigned n;

	if (write(fd, data, size) != (ssize_t)size)
		abort();
	n = read_all(path, copy);
	if (n > 0 && read_all(again, -1) != n)
		abort();
	make_packets(path);
	(void)close(fd);
	(void)close(copy);
	return 0;
}
