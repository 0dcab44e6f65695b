/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Framing of netlink dumps: whole, cut, corrupt and live.
 */
#include "ops/host/dump.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <sys/mman.h>

#include "copy.h"
#include "tap.h"

#define TYPE 0x100

/* A recording under construction. */
struct tape {
	uint8_t bytes[4096];
	size_t size, begin; /* where the datagram under construction begins */
};

static void tape_datagram(struct tape *t)
{
	size_t len = t->size - t->begin - 4;

	t->bytes[t->begin] = (uint8_t)(len >> 24);
	t->bytes[t->begin + 1] = (uint8_t)(len >> 16);
	t->bytes[t->begin + 2] = (uint8_t)(len >> 8);
	t->bytes[t->begin + 3] = (uint8_t)len;
	t->begin = t->size;
	t->size += 4;
}

static void tape_init(struct tape *t)
{
	*t = (struct tape){ .size = 4 };
}

static void tape_message(struct tape *t, uint16_t type, uint16_t flags, const void *payload,
			 size_t size)
{
	struct nlmsghdr h = { .nlmsg_len = (uint32_t)(sizeof(h) + size),
			      .nlmsg_type = type,
			      .nlmsg_flags = flags };

	memcpy(t->bytes + t->size, &h, sizeof(h));
	memcpy(t->bytes + t->size + sizeof(h), payload, size);
	t->size += NLMSG_ALIGN(sizeof(h) + size);
}

static void tape_done(struct tape *t, int32_t code)
{
	tape_message(t, NLMSG_DONE, NLM_F_MULTI, &code, sizeof(code));
	tape_datagram(t);
}

static struct dump *play_bytes(const void *p, size_t size)
{
	int fd = memfd_create("tape", MFD_CLOEXEC);
	struct dump *d = NULL;

	if (fd < 0 || write(fd, p, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0 ||
	    dump_open_recording(fd, "tape", &d, NULL) < 0)
		abort();
	return d;
}

static struct dump *play(const struct tape *t)
{
	return play_bytes(t->bytes, t->size - 4);
}

/* Reads to the end; the last result. Counts messages into @n. */
static int drain(struct dump *d, unsigned *n, struct ct_err *err)
{
	const void *payload;
	uint16_t type;
	size_t size;
	int r;

	*n = 0;
	while ((r = dump_next(d, &type, &payload, &size, err)) > 0)
		++*n;
	return r;
}

TEST(messages_come_in_order)
{
	auto_free(dump) struct dump *d = NULL;
	struct dump_info info;
	struct ct_err err = { "" };
	const void *payload;
	struct tape t;
	uint16_t type;
	size_t size;

	tape_init(&t);
	tape_message(&t, TYPE, NLM_F_MULTI, "abcde", 5);
	tape_message(&t, TYPE + 1, NLM_F_MULTI, "", 0);
	tape_datagram(&t);
	tape_message(&t, TYPE, NLM_F_MULTI, "xyz", 3);
	tape_datagram(&t);
	tape_done(&t, 0);
	d = play(&t);
	EQ_INT(dump_next(d, &type, &payload, &size, &err), 1);
	EQ_INT(type, TYPE);
	EQ_INT(size, 5);
	OK(memcmp(payload, "abcde", 5) == 0);
	EQ_INT(dump_next(d, &type, &payload, &size, &err), 1);
	EQ_INT(type, TYPE + 1);
	EQ_INT(size, 0);
	EQ_INT(dump_next(d, &type, &payload, &size, &err), 1);
	OK(memcmp(payload, "xyz", 3) == 0);
	dump_info(d, &info);
	OK(!info.is_done);
	EQ_INT(dump_next(d, &type, &payload, &size, &err), 0);
	EQ_INT(dump_next(d, &type, &payload, &size, &err), 0);
	dump_info(d, &info);
	OK(info.is_done && !info.is_filtered);
	EQ_INT(info.n_messages, 4);
	EQ_INT(info.n_datagrams, 3);
	EQ_INT(info.n_interrupted, 0);
	EQ_STR(err.text, "");
}

TEST(interruption_overrun_and_filter_are_seen)
{
	auto_free(dump) struct dump *d = NULL;
	struct dump_info info;
	struct ct_err err = { "" };
	struct tape t;
	unsigned n;

	tape_init(&t);
	tape_message(&t, TYPE, NLM_F_DUMP_INTR | NLM_F_DUMP_FILTERED, "a", 1);
	tape_message(&t, NLMSG_NOOP, 0, "", 0);
	tape_message(&t, NLMSG_OVERRUN, 0, "", 0);
	tape_message(&t, NLMSG_DONE, NLM_F_DUMP_INTR, "\0\0\0\0", 4);
	tape_datagram(&t);
	d = play(&t);
	EQ_INT(drain(d, &n, &err), 0);
	EQ_INT(n, 1);
	dump_info(d, &info);
	EQ_INT(info.n_interrupted, 2);
	EQ_INT(info.n_overruns, 1);
	OK(info.is_filtered && info.is_done);
}

TEST(no_end_means_cut)
{
	auto_free(dump) struct dump *d = NULL;
	struct dump_info info;
	struct ct_err err = { "" };
	struct tape t;
	unsigned n;

	tape_init(&t);
	tape_message(&t, TYPE, NLM_F_MULTI, "a", 1);
	tape_datagram(&t);
	d = play(&t);
	EQ_INT(drain(d, &n, &err), 0);
	dump_info(d, &info);
	EQ_INT(n, 1);
	OK(!info.is_done);
}

/* Wherever a recording is cut, the whole messages before the cut arrive, and nothing after. */
TEST(cut_anywhere)
{
	struct ct_err err;
	struct tape t;
	unsigned n;
	int r;

	tape_init(&t);
	for (int i = 0; i < 3; i++)
		tape_message(&t, TYPE, NLM_F_MULTI, "12345678", 8);
	tape_datagram(&t);
	tape_message(&t, TYPE, NLM_F_MULTI, "12345678", 8);
	tape_datagram(&t);
	for (size_t size = 0; size < t.size - 4; size++) {
		auto_free(dump) struct dump *d = play_bytes(t.bytes, size);
		size_t second = 4 + 3 * 24;

		r = drain(d, &n, &err);
		EQ_INT(r, size == 0 || size == second ? 0 : -EBADMSG);
		EQ_INT(n, size < 4 ? 0 : size <= second ? (size - 4) / 24 : 3);
		if (r < 0)
			OK(strstr(err.text, "tape: the recording is cut at byte"));
		EQ_INT(drain(d, &n, &err), 0);
	}
}

TEST(errors_of_the_kernel)
{
	auto_free(dump) struct dump *refused = NULL, *broken = NULL, *odd = NULL, *fine = NULL;
	int32_t code[5] = { -EPERM };
	struct ct_err err = { "" };
	struct dump_info info;
	struct tape t;
	unsigned n;

	tape_init(&t);
	tape_message(&t, NLMSG_ERROR, 0, code, sizeof(code));
	tape_datagram(&t);
	refused = play(&t);
	EQ_INT(drain(refused, &n, &err), -EPERM);
	EQ_STR(err.text,
	       "tape: the kernel answers: Operation not permitted; CAP_NET_ADMIN is needed");
	tape_init(&t);
	tape_message(&t, TYPE, NLM_F_MULTI, "a", 1);
	tape_done(&t, -ENOMEM);
	broken = play(&t);
	EQ_INT(drain(broken, &n, &err), -ENOMEM);
	EQ_INT(n, 1);
	tape_init(&t);
	code[0] = 12345;
	tape_message(&t, NLMSG_ERROR, 0, code, sizeof(code));
	tape_datagram(&t);
	odd = play(&t);
	EQ_INT(drain(odd, &n, &err), -EBADMSG);
	tape_init(&t);
	code[0] = 0;
	tape_message(&t, TYPE, NLM_F_MULTI, "a", 1);
	tape_datagram(&t);
	tape_message(&t, NLMSG_ERROR, NLM_F_CAPPED, code, sizeof(code));
	tape_datagram(&t);
	fine = play(&t);
	EQ_INT(drain(fine, &n, &err), 0);
	EQ_INT(n, 1);
	dump_info(fine, &info);
	OK(info.is_done);
}

TEST(extended_acknowledgement_is_told)
{
	auto_free(dump) struct dump *d = NULL;
	struct ct_err err = { "" };
	struct nlmsgerr e = { .error = -EINVAL, .msg = { .nlmsg_len = sizeof(e.msg) } };
	struct nlattr attr = { .nla_len = sizeof(attr) + 9, .nla_type = NLMSGERR_ATTR_MSG };
	uint8_t payload[64] = { 0 };
	struct tape t;
	unsigned n;

	memcpy(payload, &e, sizeof(e));
	memcpy(payload + sizeof(e), &attr, sizeof(attr));
	memcpy(payload + sizeof(e) + sizeof(attr), "bad zone", 9);
	tape_init(&t);
	tape_message(&t, NLMSG_ERROR, NLM_F_CAPPED | NLM_F_ACK_TLVS, payload,
		     sizeof(e) + sizeof(attr) + 12);
	tape_datagram(&t);
	d = play(&t);
	EQ_INT(drain(d, &n, &err), -EINVAL);
	EQ_STR(err.text, "tape: the kernel answers: Invalid argument (bad zone)");
}

TEST(bytes_that_are_no_netlink)
{
	static const char text[] = "ipv4     2 tcp      6 431999 ESTABLISHED src=10.0.1.2";
	auto_free(dump) struct dump *d = play_bytes(text, sizeof(text)), *other = NULL,
				    *zero = NULL;
	struct nlmsghdr h = { .nlmsg_len = __builtin_bswap32(20), .nlmsg_type = 1 };
	uint8_t swapped[24] = { 0, 0, 0, 20 };
	struct ct_err err = { "" };
	unsigned n;

	EQ_INT(drain(d, &n, &err), -EBADMSG);
	OK(strstr(err.text, "this is no recording of netlink"));
	memcpy(swapped + 4, &h, sizeof(h));
	other = play_bytes(swapped, sizeof(swapped));
	EQ_INT(drain(other, &n, &err), -EBADMSG);
	EQ_STR(err.text, "tape: recorded on a machine of the other byte order");
	zero = play_bytes("\0\0\0\0\0\0\0\0", 8);
	EQ_INT(drain(zero, &n, &err), -EBADMSG);
}

static void shout(void *user, uint8_t *datagram, size_t size)
{
	(void)user;
	if (size > 16 && datagram[16] == 'a')
		datagram[16] = 'A';
}

TEST(a_recording_is_the_same_bytes)
{
	auto_free(dump) struct dump *d = NULL;
	struct ct_err err = { "" };
	uint8_t got[4096];
	struct tape t;
	unsigned n;
	int fd = memfd_create("copy", MFD_CLOEXEC);

	tape_init(&t);
	tape_message(&t, TYPE, NLM_F_MULTI, "abc", 3);
	tape_datagram(&t);
	tape_done(&t, 0);
	d = play(&t);
	dump_rewrite_by(d, shout, NULL);
	EQ_INT(dump_record_to(d, fd), 0);
	EQ_INT(drain(d, &n, &err), 0);
	EQ_INT(n, 1);
	t.bytes[4 + 16] = 'A';
	EQ_INT(pread(fd, got, sizeof(got), 0), t.size - 4);
	OK(memcmp(got, t.bytes, t.size - 4) == 0);
	(void)close(fd);
}

TEST(a_full_disk_is_said)
{
	auto_free(dump) struct dump *d = NULL;
	struct ct_err err = { "" };
	struct tape t;
	unsigned n;
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	tape_init(&t);
	tape_done(&t, 0);
	d = play(&t);
	EQ_INT(dump_record_to(d, fd), 0);
	EQ_INT(drain(d, &n, &err), -ENOSPC);
	EQ_STR(err.text, "tape: recording: No space left on device");
	(void)close(fd);
}

TEST(a_copy_plays_what_it_has)
{
	auto_free(host) struct host *h = NULL;
	auto_free(dump) struct dump *d = NULL, *none = NULL;
	struct ct_err err = { "" };
	struct tape t;
	struct copy c;
	unsigned n;

	tape_init(&t);
	tape_message(&t, TYPE, NLM_F_MULTI, "abc", 3);
	tape_done(&t, 0);
	copy_init(&c);
	copy_bytes(&c, "/recorded/netlink/conntrack", t.bytes, t.size - 4);
	EQ_INT(host_open(c.root, &h, &err), 0);
	EQ_INT(dump_open(h, "conntrack", NULL, 0, &d, &err), 0);
	EQ_INT(drain(d, &n, &err), 0);
	EQ_INT(n, 1);
	EQ_INT(dump_open(h, "expect", NULL, 0, &none, &err), -ENOENT);
	EQ_STR(err.text, "expect: this copy has no recording of it (recorded/netlink/expect)");
	copy_fini(&c);
}

/* A request of ctnetlink without attributes. */
struct request {
	struct nlmsghdr header;
	struct nfgenmsg family;
};

static struct request make_request(uint16_t message, uint16_t flags)
{
	return (struct request){
		.header = { .nlmsg_len = sizeof(struct request),
			    .nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | message),
			    .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags) },
	};
}

/* Dumps the counters of each processor (IPCTNL_MSG_CT_GET_STATS_CPU), then asks for one number
 * without a dump (IPCTNL_MSG_CT_GET_STATS), whose answer has no NLMSG_DONE. */
TEST(the_running_kernel_answers)
{
	auto_free(host) struct host *h = NULL;
	auto_free(dump) struct dump *cpus = NULL, *count = NULL, *bad = NULL;
	struct request r = make_request(IPCTNL_MSG_CT_GET_STATS_CPU, NLM_F_DUMP);
	struct dump_info info;
	struct ct_err err = { "" };
	unsigned n, n_cpus = 0;
	int code;

	EQ_INT(host_open("/", &h, &err), 0);
	code = dump_open(h, "conntrack-stats-cpu", &r, sizeof(r), &cpus, &err);
	if (code == -EPERM)
		SKIP("needs CAP_NET_ADMIN");
	if (code < 0)
		SKIP("no connection tracking by netlink here");
	EQ_INT(drain(cpus, &n, &err), 0);
	EQ_INT(host_n_cpus(h, &n_cpus), 0);
	EQ_INT(n, n_cpus);
	dump_info(cpus, &info);
	OK(info.is_done);
	r = make_request(IPCTNL_MSG_CT_GET_STATS, 0);
	EQ_INT(dump_open(h, "conntrack-stats", &r, sizeof(r), &count, &err), 0);
	EQ_INT(drain(count, &n, &err), 0);
	EQ_INT(n, 1);
	r = make_request(200, NLM_F_DUMP);
	EQ_INT(dump_open(h, "none", &r, sizeof(r), &bad, &err), -EINVAL);
	EQ_STR(err.text, "none: the kernel answers: Invalid argument");
	EQ_INT(dump_open(h, "none", &r, 5, &bad, &err), -EINVAL);
}

static bool is_harmless(const char *path, const char *text)
{
	auto_free(host) struct host *h = NULL;
	struct copy c;
	bool is;

	copy_init(&c);
	copy_file(&c, path, text);
	if (host_open(c.root, &h, NULL) < 0)
		abort();
	is = dump_is_harmless(h);
	copy_fini(&c);
	return is;
}

TEST(asking_must_not_load_the_tracker)
{
	OK(!is_harmless("/proc/modules", ""));
	OK(!is_harmless("/proc/modules",
			"nfnetlink 1 0 - Live 0x0\nnf_conntrack_x 1 0 - Live 0x0\n"));
	OK(is_harmless("/proc/modules", "nf_conntrack 1 0 - Live 0x0\n"));
	OK(is_harmless("/proc/modules", "loop 1 0 - Live 0x0\nnf_conntrack 1 0 - Live 0x0\n"));
	OK(is_harmless("/proc/sys/net/netfilter/nf_conntrack_count", "0\n"));
	OK(is_harmless("/proc/version", "Linux version 6.1.0\n")); /* no modules at all */
}

TAP_MAIN(&tap_messages_come_in_order, &tap_interruption_overrun_and_filter_are_seen,
	 &tap_no_end_means_cut, &tap_cut_anywhere, &tap_errors_of_the_kernel,
	 &tap_extended_acknowledgement_is_told, &tap_bytes_that_are_no_netlink,
	 &tap_a_recording_is_the_same_bytes, &tap_a_full_disk_is_said,
	 &tap_a_copy_plays_what_it_has, &tap_the_running_kernel_answers,
	 &tap_asking_must_not_load_the_tracker)
