/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Event recordings: what is written is read again, cut files say so, and hostile ones are refused.
 */
#include "ops/events/events.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "tap.h"

static const struct event_head head = {
	.begin = 1700000000 * CT_NS_PER_S,
	.n_settings = 2,
	.settings = { { "nf_conntrack_max", 65536 }, { "nf_conntrack_udp_timeout", 30 } },
};

/* A file in memory, and its path. */
static int make_file(char path[64])
{
	int fd = memfd_create("events", MFD_CLOEXEC);

	(void)snprintf(path, 64, "/proc/self/fd/%d", fd);
	return fd;
}

static struct event make_event(unsigned n, enum event_kind kind)
{
	struct event ev = { .kind = kind, .at = head.begin + (ct_time)n * 7 - 3, .lost = n };
	struct ct_entry *e = &ev.entry;

	e->tuple[0] = (struct ct_tuple){ .family = n % 3 ? CT_FAMILY_IPV4 : CT_FAMILY_IPV6,
					 .proto = n % 2 ? 6 : 17,
					 .src_part = htons((uint16_t)(1000 + n)),
					 .dst_part = htons(443) };
	memset(e->tuple[0].src.bytes, (int)(n % 251), n % 3 ? 4 : 16);
	memset(e->tuple[0].dst.bytes, 10, n % 3 ? 4 : 16);
	e->id = n * 2654435761u;
	e->status = 0x18e;
	e->state = 3;
	e->timeout_s = n * 1000;
	e->zone = n % 5 == 0 ? 7 : 0;
	e->packets[0] = (uint64_t)n << 40;
	e->bytes[1] = UINT64_MAX - n;
	e->known = CT_KNOWN_ID | CT_KNOWN_STATUS | CT_KNOWN_STATE | CT_KNOWN_ZONE |
		   (n % 2 ? CT_KNOWN_TIMEOUT : 0u) | (n % 4 ? CT_KNOWN_COUNTERS : 0u);
	return ev;
}

static enum event_kind kind_of(unsigned n)
{
	return (enum event_kind)(EVENT_STANDS + n % 6);
}

static int write_events(char path[64], unsigned n, bool has_end)
{
	auto_free(event_writer) struct event_writer *w = NULL;
	int fd = make_file(path);
	struct event end = { .kind = EVENT_END, .at = head.begin + CT_NS_PER_S, .reason = 1 };

	EQ_INT(event_writer_new(fd, &head, &w), 0);
	for (unsigned i = 0; i < n; i++) {
		struct event ev = make_event(i, kind_of(i));

		EQ_INT(event_writer_put(w, &ev), 0);
	}
	if (has_end)
		EQ_INT(event_writer_put(w, &end), 0);
	EQ_INT(event_writer_flush(w), 0);
	EQ_INT(lseek(fd, 0, SEEK_END), event_writer_bytes(w));
	return fd;
}

static void check_entry(const struct ct_entry *got, const struct ct_entry *want)
{
	OK(ct_tuple_equal(&got->tuple[0], &want->tuple[0]));
	EQ_INT(got->id, want->id);
	EQ_INT(got->status, want->status);
	EQ_INT(got->state, want->state);
	EQ_INT(got->zone, want->zone);
	EQ_INT(got->known & CT_KNOWN_TIMEOUT, want->known & CT_KNOWN_TIMEOUT);
	if (want->known & CT_KNOWN_TIMEOUT)
		EQ_INT(got->timeout_s, want->timeout_s);
	EQ_INT(got->known & CT_KNOWN_COUNTERS, want->known & CT_KNOWN_COUNTERS);
	if (want->known & CT_KNOWN_COUNTERS) {
		OK(got->packets[0] == want->packets[0]);
		OK(got->bytes[1] == want->bytes[1]);
	}
}

TEST(what_is_written_is_read)
{
	enum { N = 20000 };
	auto_free(events) struct events *ev = NULL;
	struct ct_err err = { "" };
	struct event got;
	char path[64];
	auto_fd int fd = write_events(path, N, true);
	uint32_t value = 0;

	OK(fd >= 0);
	EQ_INT(events_open(path, &ev, &err), 0);
	EQ_INT(events_head(ev)->begin, head.begin);
	EQ_INT(event_head_find(events_head(ev), "nf_conntrack_udp_timeout", &value), 0);
	EQ_INT(value, 30);
	EQ_INT(event_head_find(events_head(ev), "nf_conntrack_acct", &value), -ENOENT);
	for (unsigned i = 0; i < N && !tap_failures; i++) {
		struct event want = make_event(i, kind_of(i));

		EQ_INT(events_next(ev, &got, &err), 1);
		EQ_INT(got.kind, want.kind);
		EQ_INT(got.at, want.at);
		if (got.kind <= EVENT_STILL)
			check_entry(&got.entry, &want.entry);
		else if (got.kind == EVENT_GAP)
			EQ_INT(got.lost, want.lost);
	}
	EQ_INT(events_next(ev, &got, &err), 1);
	EQ_INT(got.kind, EVENT_END);
	EQ_INT(got.reason, 1);
	EQ_INT(events_next(ev, &got, &err), 0);
	OK(!events_is_cut(ev));
}

/* A recording that was cut anywhere gives what was whole, and says that it was cut. */
TEST(a_cut_file_gives_its_whole_records)
{
	char path[64];
	auto_fd int fd = write_events(path, 12, true);
	off_t size = lseek(fd, 0, SEEK_END);

	for (off_t cut = size - 1; cut > 100; cut--) {
		auto_free(events) struct events *ev = NULL;
		struct ct_err err = { "" };
		struct event got;
		unsigned n = 0;
		int r;

		EQ_INT(ftruncate(fd, cut), 0);
		EQ_INT(events_open(path, &ev, &err), 0);
		while ((r = events_next(ev, &got, &err)) > 0)
			n++;
		EQ_INT(r, 0);
		OK(n <= 12);
		OK(events_is_cut(ev));
	}
}

TEST(a_gap_of_a_recording_costs_few_bytes)
{
	char path[64];
	auto_fd int fd = write_events(path, 0, false);
	off_t head_size = lseek(fd, 0, SEEK_END);
	auto_fd int other = write_events(path, 3000, false);

	/* IPv6 and counters of the widest kind included */
	OK((lseek(other, 0, SEEK_END) - head_size) / 3000 < 64);
}

static void refuse(const char *what, const void *bytes, size_t size)
{
	auto_free(events) struct events *ev = NULL;
	struct ct_err err = { "" };
	struct event got;
	char path[64];
	auto_fd int fd = make_file(path);
	int r;

	EQ_INT(write(fd, bytes, size), (ssize_t)size);
	r = events_open(path, &ev, &err);
	while (r >= 0 && (r = events_next(ev, &got, &err)) > 0)
		;
	if (r != -EBADMSG || !err.text[0])
		TAP_FAIL("%s: %d '%s'", what, r, err.text);
}

#define HEAD                                                                                       \
	"\x93"                                                                                     \
	"CTREC\r\n"                                                                                \
	"\0\1"                                                                                     \
	"\0\0"                                                                                     \
	"\0\0\0\0\0\0\0\1"
#define REFUSE(what, bytes) refuse(what, bytes, sizeof(bytes) - 1)
TEST(hostile_files_are_refused_with_a_sentence)
{
	REFUSE("empty", "");
	REFUSE("another file", "#!/bin/sh\nexit 0\n");
	REFUSE("head cut", "\x93"
			   "CTREC\r\n"
			   "\0\1");
	REFUSE("another version", "\x93"
				  "CTREC\r\n"
				  "\0\2"
				  "\0\0"
				  "\0\0\0\0\0\0\0\1");
	REFUSE("settings without end", "\x93"
				       "CTREC\r\n"
				       "\0\1"
				       "\xff\xff"
				       "\0\0\0\0\0\0\0\1");
	REFUSE("a name too long", "\x93"
				  "CTREC\r\n"
				  "\0\1"
				  "\0\1"
				  "\0\0\0\0\0\0\0\1"
				  "\xff"
				  "name");
	REFUSE("a name with a hole", "\x93"
				     "CTREC\r\n"
				     "\0\1"
				     "\0\1"
				     "\0\0\0\0\0\0\0\1"
				     "\4"
				     "na\0e"
				     "\0\0\0\1");
	REFUSE("kind 0", HEAD "\0\0");
	REFUSE("kind 8", HEAD "\10\0");
	REFUSE("a time before all", HEAD "\6\x7f");
	REFUSE("a time without end", HEAD "\6\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
	REFUSE("a time beyond", HEAD "\6\xfe\xff\xff\xff\xff\xff\xff\xff\xff\1");
	REFUSE("unknown flags", HEAD "\2\0\x40");
}

TAP_MAIN(&tap_what_is_written_is_read, &tap_a_cut_file_gives_its_whole_records,
	 &tap_a_gap_of_a_recording_costs_few_bytes, &tap_hostile_files_are_refused_with_a_sentence)
