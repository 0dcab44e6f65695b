/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Listings: entries come one by one, what is no entry is counted and told, memory stays the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ops/table/provider.h"
#include "tap.h"

static const char good[] =
	"ipv4     2 udp      17 29 src=10.0.1.2 dst=10.0.2.2 sport=2000 dport=53 [UNREPLIED] "
	"src=10.0.2.2 dst=10.0.1.2 sport=53 dport=2000 mark=0 zone=5 use=2\n";

static int file_of(const char *text, size_t len)
{
	int fd = memfd_create("listing", MFD_CLOEXEC);

	if (write(fd, text, len) != (ssize_t)len || lseek(fd, 0, SEEK_SET) != 0)
		TAP_FAIL("no file for the test");
	return fd;
}

static struct table *opened(int fd, enum table_source source)
{
	struct table *t = NULL;

	EQ_INT(table_open_lines(fd, "a.txt", source, &t, NULL), 0);
	return t;
}

/* Reads to the end; the number of entries. */
static uint64_t count(struct table *t, struct table_info *info, int *result)
{
	struct ct_entry e;
	struct ct_err err;
	uint64_t n = 0;

	while ((*result = t->provider->next(t, &e, &err)) > 0)
		n++;
	*info = (struct table_info){ .n_entries = n };
	t->provider->info(t, info);
	return n;
}

TEST(bad_lines_are_counted_and_the_first_is_told)
{
	static const char text[] = "# a remark\n\nrubbish\n";
	struct ct_buf b = { 0 };
	struct table_info info;
	struct table *t;
	int r;

	(void)ct_buf_put(&b, text, sizeof(text) - 1);
	(void)ct_buf_put(&b, good, sizeof(good) - 1);
	(void)ct_buf_printf(&b, "ipv4     2 tcp      6\n%s", good);
	(void)ct_buf_printf(&b,
			    "conntrack v1.4.7 (conntrack-tools): 2 flow entries have been shown.");
	t = opened(file_of(b.p, b.len), TABLE_LISTING);
	EQ_INT(count(t, &info, &r), 2);
	EQ_INT(r, 0);
	EQ_INT(info.n_bad, 2);
	EQ_STR(info.first_bad, "a.txt:3: 'rubbish': no entry of a table begins like this");
	OK(!info.is_whole);
	EQ_STR(info.why_not, "2 of 7 lines were no entries");
	t->provider->free(t);
	ct_buf_fini(&b);
}

TEST(the_last_line_needs_no_newline)
{
	struct table_info info;
	struct table *t = opened(file_of(good, sizeof(good) - 2), TABLE_LISTING);
	int r;

	EQ_INT(count(t, &info, &r), 1);
	EQ_INT(r, 0);
	OK(info.is_whole);
	t->provider->free(t);
}

/* Lines of all lengths, so that they straddle the ends of the buffer in every way. */
TEST(lines_across_the_buffer_are_whole)
{
	struct ct_buf b = { 0 };
	struct table_info info;
	struct table *t;
	int r;

	for (int i = 0; i < 3000; i++) {
		(void)ct_buf_put(&b, good, sizeof(good) - 2);
		(void)ct_buf_printf(&b, " %0*d\n", 1 + i * 7 % 331, i);
	}
	t = opened(file_of(b.p, b.len), TABLE_LISTING);
	EQ_INT(count(t, &info, &r), 3000);
	EQ_INT(info.n_bad, 0);
	OK(info.is_whole);
	t->provider->free(t);
	ct_buf_fini(&b);
}

static void *write_long_line(void *arg)
{
	static char block[1 << 16];
	int fd = *(int *)arg;

	memset(block, 'x', sizeof(block));
	(void)!write(fd, good, sizeof(good) - 1);
	for (int i = 0; i < 1 << 14; i++) /* 1 GiB */
		if (write(fd, block, sizeof(block)) < 0)
			break;
	(void)!write(fd, "\n", 1);
	(void)!write(fd, good, sizeof(good) - 1);
	(void)close(fd);
	return NULL;
}

TEST(a_line_of_a_gigabyte_is_passed_over)
{
	struct table_info info;
	struct table *t;
	pthread_t writer;
	int pipe_fd[2], r;

	if (pipe2(pipe_fd, O_CLOEXEC) < 0)
		SKIP("no pipe");
	t = opened(pipe_fd[0], TABLE_LISTING);
	EQ_INT(pthread_create(&writer, NULL, write_long_line, &pipe_fd[1]), 0);
	EQ_INT(count(t, &info, &r), 2);
	EQ_INT(info.n_bad, 1);
	EQ_STR(info.first_bad, "a.txt:2: a line longer than any entry");
	(void)pthread_join(writer, NULL);
	t->provider->free(t);
}

TEST(a_byte_order_mark_is_no_fault)
{
	struct ct_buf b = { 0 };
	struct table_info info;
	struct table *t;
	int r;

	(void)ct_buf_printf(&b, "\xef\xbb\xbf%s%s", good, good);
	t = opened(file_of(b.p, b.len), TABLE_LISTING);
	EQ_INT(count(t, &info, &r), 2);
	EQ_INT(info.n_bad, 0);
	OK(info.is_whole);
	t->provider->free(t);
	ct_buf_fini(&b);
}

TEST(a_file_that_cannot_be_read_says_so)
{
	struct ct_err err = { "" };
	struct table_info info = { 0 };
	struct ct_entry e;
	struct table *t = opened(open("/", O_RDONLY | O_CLOEXEC), TABLE_LISTING);

	EQ_INT(t->provider->next(t, &e, &err), -EISDIR);
	EQ_STR(err.text, "a.txt: Is a directory");
	EQ_INT(t->provider->next(t, &e, &err), -EISDIR);
	t->provider->info(t, &info);
	OK(!info.is_whole);
	t->provider->free(t);
}

TEST(lines_of_the_kernel_count_their_reader)
{
	struct ct_entry e;
	struct table *t = opened(file_of(good, sizeof(good) - 1), TABLE_LISTING);

	EQ_INT(t->provider->next(t, &e, NULL), 1);
	OK(e.known & CT_KNOWN_USE_UNSURE);
	t->provider->free(t);
	t = opened(file_of(good, sizeof(good) - 1), TABLE_PROC);
	EQ_INT(t->provider->next(t, &e, NULL), 1);
	OK(!(e.known & CT_KNOWN_USE_UNSURE));
	OK(e.known & CT_KNOWN_USE_READER);
	t->provider->free(t);
}

TAP_MAIN(&tap_bad_lines_are_counted_and_the_first_is_told, &tap_the_last_line_needs_no_newline,
	 &tap_lines_across_the_buffer_are_whole, &tap_a_line_of_a_gigabyte_is_passed_over,
	 &tap_a_byte_order_mark_is_no_fault, &tap_a_file_that_cannot_be_read_says_so,
	 &tap_lines_of_the_kernel_count_their_reader)
