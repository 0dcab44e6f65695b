/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Recorded dumps as tables: what the kernel sent is what the cursor delivers, and what is missing
 * is said.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../host/copy.h"
#include "lib/base/buf.h"
#include "ops/table/table.h"
#include "tap.h"

static void put_message(struct ct_buf *b, uint16_t type, uint16_t flags, const void *payload,
			size_t size)
{
	static const uint8_t zeros[4] = { 0 };
	struct nlmsghdr h = { .nlmsg_len = (uint32_t)(sizeof(h) + size),
			      .nlmsg_type = type,
			      .nlmsg_flags = (uint16_t)(NLM_F_MULTI | flags) };
	uint8_t length[4] = { 0, 0, 0, 0 };
	size_t whole = sizeof(h) + ((size + 3) & ~(size_t)3);

	length[2] = (uint8_t)(whole >> 8);
	length[3] = (uint8_t)whole;
	(void)ct_buf_put(b, length, 4);
	(void)ct_buf_put(b, &h, sizeof(h));
	(void)ct_buf_put(b, payload, size);
	(void)ct_buf_put(b, zeros, whole - sizeof(h) - size);
}

static void put_entry(struct ct_buf *b, uint16_t port, uint16_t flags)
{
	struct ct_entry e = { .known = CT_KNOWN_PARTS | CT_KNOWN_START | CT_KNOWN_TIMEOUT,
			      .timeout_s = 30,
			      .start_ns = 1000 * CT_NS_PER_S };
	struct ct_tuple *t = &e.tuple[0];
	uint8_t bytes[512];
	int size;

	*t = (struct ct_tuple){ .family = CT_FAMILY_IPV4, .proto = 17, .dst_part = htons(port) };
	t->src.ip4 = htonl(0x0a000001);
	t->dst.ip4 = htonl(0x0a000002);
	(void)ct_tuple_invert(&e.tuple[1], t);
	size = nl_entry_encode(&e, bytes, sizeof(bytes));
	put_message(b, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW, flags, bytes, (size_t)size);
}

static void put_done(struct ct_buf *b)
{
	const int32_t zero = 0;

	put_message(b, NLMSG_DONE, 0, &zero, sizeof(zero));
}

static struct table *opened(const struct ct_buf *b)
{
	int fd = memfd_create("recording", MFD_CLOEXEC);
	struct table *t = NULL;

	if (write(fd, b->p, b->len) != (ssize_t)b->len || lseek(fd, 0, SEEK_SET) != 0)
		TAP_FAIL("no file for the test");
	EQ_INT(table_open_file(fd, "dump", 0, &t, NULL), 0);
	return t;
}

/* Reads to the end; the sum of the ports. */
static int read_all(struct table *t, struct table_info *info, int *result)
{
	struct ct_err err = { "" };
	struct ct_entry e;
	int sum = 0;

	while ((*result = table_next(t, &e, &err)) > 0)
		sum += ntohs(e.tuple[0].dst_part);
	table_info(t, info);
	return sum;
}

TEST(a_recording_is_a_whole_table)
{
	auto_fini(ct_buf) struct ct_buf b = { 0 };
	auto_free(table) struct table *t = NULL;
	struct table_info info;
	int r;

	put_entry(&b, 1, NLM_F_DUMP_FILTERED);
	put_entry(&b, 20, NLM_F_DUMP_FILTERED);
	put_done(&b);
	t = opened(&b);
	EQ_INT(read_all(t, &info, &r), 21);
	EQ_INT(r, 0);
	EQ_INT(info.source, TABLE_RECORD);
	EQ_INT(info.n_entries, 2);
	EQ_INT(info.n_bad, 0);
	OK(info.is_whole);
	OK(table_is_filtered(t));
}

TEST(what_was_interrupted_or_cut_is_not_whole)
{
	auto_fini(ct_buf) struct ct_buf b = { 0 };
	auto_free(table) struct table *t = NULL, *cut = NULL;
	struct table_info info;
	int r;

	put_entry(&b, 1, 0);
	put_entry(&b, 20, NLM_F_DUMP_INTR);
	cut = opened(&b);
	EQ_INT(read_all(cut, &info, &r), 21);
	OK(!info.is_whole);
	EQ_STR(info.why_not, "the dump was cut before its end");
	put_done(&b);
	t = opened(&b);
	EQ_INT(read_all(t, &info, &r), 21);
	OK(!info.is_whole);
	OK(strstr(info.why_not, "NLM_F_DUMP_INTR") != NULL);
}

TEST(messages_that_are_no_entries_are_counted)
{
	auto_fini(ct_buf) struct ct_buf b = { 0 };
	auto_free(table) struct table *t = NULL;
	struct table_info info;
	int r;

	put_entry(&b, 1, 0);
	put_message(&b, 0x777, 0, "abcd", 4);
	put_message(&b, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW, 0, "\2\0\0\0", 4);
	put_entry(&b, 20, 0);
	put_done(&b);
	t = opened(&b);
	EQ_INT(read_all(t, &info, &r), 21);
	EQ_INT(r, 0);
	EQ_INT(info.n_bad, 2);
	EQ_STR(info.first_bad, "message 2: type 0x777 is no entry");
	OK(!info.is_whole);
}

static const char line[] =
	"ipv4     2 udp      17 29 src=10.0.1.2 dst=10.0.2.2 sport=2000 dport=53 [UNREPLIED] "
	"src=10.0.2.2 dst=10.0.1.2 sport=53 dport=2000 mark=0 zone=5 use=2\n";

TEST(a_copy_gives_its_recording_first_then_its_text)
{
	const struct table_options by_text = { .allow_proc = true }, only = { 0 };
	auto_fini(ct_buf) struct ct_buf b = { 0 };
	auto_free(host) struct host *h = NULL;
	struct ct_err err = { "" };
	struct table_info info;
	struct ct_entry e;
	struct copy c;
	struct table *t;
	int r;

	copy_init(&c);
	copy_file(&c, "/recorded/host", "now=1060.5\n");
	EQ_INT(host_open(c.root, &h, &err), 0);
	EQ_INT(table_open(h, &by_text, &t, &err), -ENOENT);
	OK(strstr(err.text, "no connection table") != NULL);

	copy_file(&c, "/proc/net/nf_conntrack", line);
	EQ_INT(table_open(h, &only, &t, &err), -ENOENT);
	EQ_INT(table_open(h, &by_text, &t, &err), 0);
	EQ_INT(read_all(t, &info, &r), 53);
	EQ_INT(info.source, TABLE_PROC);
	table_free(t);

	put_entry(&b, 20, 0);
	put_done(&b);
	copy_bytes(&c, "/recorded/netlink/" NL_NAME_TABLE, b.p, b.len);
	EQ_INT(table_open(h, &by_text, &t, &err), 0);
	EQ_INT(table_next(t, &e, &err), 1);
	EQ_INT(ntohs(e.tuple[0].dst_part), 20);
	OK(e.known & CT_KNOWN_DELTA);
	EQ_INT(e.delta_s, 60); /* by the copy's clock */
	table_free(t);
	copy_fini(&c);
}

TAP_MAIN(&tap_a_recording_is_a_whole_table, &tap_what_was_interrupted_or_cut_is_not_whole,
	 &tap_messages_that_are_no_entries_are_counted,
	 &tap_a_copy_gives_its_recording_first_then_its_text)
