/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Files of copied and live machines; above all that nothing in a copy leads out of it or hangs.
 */
#include "ops/host/host.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "copy.h"
#include "tap.h"

static struct host *open_copy(const struct copy *c)
{
	struct ct_err err = { "" };
	struct host *h = NULL;

	if (host_open(c->root, &h, &err) < 0)
		TAP_FAIL("%s", err.text);
	return h;
}

static int try_open(const char *root, char *sentence, size_t size)
{
	auto_free(host) struct host *h = NULL;
	struct ct_err err = { "" };
	int r = host_open(root, &h, &err);

	(void)snprintf(sentence, size, "%s", err.text);
	return r;
}

TEST(root_must_be_a_folder)
{
	char sentence[512];

	EQ_INT(try_open("/nowhere/at/all", sentence, sizeof(sentence)), -ENOENT);
	EQ_STR(sentence, "/nowhere/at/all: No such file or directory");
	EQ_INT(try_open("/proc/version", sentence, sizeof(sentence)), -ENOTDIR);
	EQ_INT(try_open("", sentence, sizeof(sentence)), -ENOENT);
}

TEST(only_a_slash_is_this_machine)
{
	auto_free(host) struct host *live = NULL, *also = NULL;

	EQ_INT(host_open("/", &live, NULL), 0);
	OK(host_is_live(live));
	EQ_INT(host_open("//", &also, NULL), 0);
	OK(host_is_live(also));
	EQ_STR(host_root(also), "//");
}

TEST(reads_files_and_numbers)
{
	auto_free(host) struct host *h = NULL;
	auto_fini(ct_buf) struct ct_buf b = { 0 };
	struct copy c;
	int64_t v = 7;

	copy_init(&c);
	copy_file(&c, "/proc/sys/net/netfilter/nf_conntrack_max", " 262144\n");
	copy_file(&c, "/etc/empty", "");
	copy_file(&c, "/etc/word", "many\n");
	copy_file(&c, "/etc/huge", "99999999999999999999\n");
	copy_file(&c, "/etc/signed", "-3\n");
	h = open_copy(&c);
	OK(!host_is_live(h));
	EQ_INT(host_read(h, "/etc/word", &b), 0);
	EQ_STR(b.p, "many\n");
	EQ_INT(host_read(h, "/etc/none", &b), -ENOENT);
	EQ_STR(b.p, "many\n");
	EQ_INT(host_read(h, "/etc/empty", &b), 0);
	EQ_STR(b.p, "");
	EQ_INT(host_read_i64(h, "/proc/sys/net/netfilter/nf_conntrack_max", &v), 0);
	EQ_INT(v, 262144);
	EQ_INT(host_read_i64(h, "/etc/empty", &v), -EINVAL);
	EQ_INT(host_read_i64(h, "/etc/word", &v), -EINVAL);
	EQ_INT(host_read_i64(h, "/etc/huge", &v), -EINVAL);
	EQ_INT(v, 262144);
	EQ_INT(host_read_i64(h, "/etc/signed", &v), 0);
	EQ_INT(v, -3);
	EQ_INT(host_read(h, "etc/word", &b), -EINVAL);
	copy_fini(&c);
}

/* Every way out that a hostile tree can try must end inside it. */
TEST(no_link_leads_out)
{
	static const char *const paths[] = {
		"/absolute",	      "/relative", "/dotted/../../../../outside-file",
		"/up/etc/os",	      "/chain",	   "/magic/cwd/../outside-file",
		"/magic-root/etc/os",
	};
	auto_free(host) struct host *h = NULL;
	auto_fini(ct_buf) struct ct_buf b = { 0 };
	struct host_names names = { 0 };
	struct host_stat st;
	struct copy c;

	copy_init(&c);
	copy_file(&c, "/inside/root/etc/hostname", "inside\n");
	copy_file(&c, "/outside-file", "outside\n");
	copy_file(&c, "/etc/os", "outside\n");
	copy_link(&c, "/inside/root/absolute", "/outside-file");
	copy_link(&c, "/inside/root/relative", "../../outside-file");
	copy_link(&c, "/inside/root/up", "../..");
	copy_link(&c, "/inside/root/chain", "chain2");
	copy_link(&c, "/inside/root/chain2", "/../../../outside-file");
	copy_link(&c, "/inside/root/magic", "/proc/self");
	copy_link(&c, "/inside/root/magic-root", "/proc/self/root");
	copy_link(&c, "/inside/root/loop", "loop");
	copy_link(&c, "/inside/root/etc/link", "/etc/hostname");
	copy_link(&c, "/inside/root/names", "..");
	(void)strcat(c.root, "/inside/root");
	h = open_copy(&c);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		int r = host_read(h, paths[i], &b);

		if (r != -ENOENT && r != -EINVAL)
			TAP_FAIL("%s gave %d", paths[i], r);
		r = host_stat(h, paths[i], &st);
		if (r != -ENOENT && r != -EINVAL)
			TAP_FAIL("%s can be seen: %d", paths[i], r);
	}
	EQ_INT(host_read(h, "/loop", &b), -ELOOP);
	EQ_INT(host_read(h, "/etc/link", &b), 0);
	EQ_STR(b.p, "inside\n");
	EQ_INT(host_read(h, "/../../etc/hostname", &b), 0);
	EQ_STR(b.p, "inside\n");
	EQ_INT(host_list(h, "/names/..", &names), 0);
	OK(names.n > 2 && strcmp(names.name[0], "absolute") == 0);
	host_names_fini(&names);
	EQ_INT(host_readlink(h, "/absolute", &b), 0);
	EQ_STR(b.p, "/outside-file");
	EQ_INT(host_readlink(h, "/etc/hostname", &b), -EINVAL);
	*strstr(c.root, "/inside/root") = '\0';
	copy_fini(&c);
}

TEST(odd_files_neither_hang_nor_act)
{
	auto_free(host) struct host *h = NULL;
	auto_fini(ct_buf) struct ct_buf b = { 0 };
	struct host_names names = { 0 };
	struct copy c;

	copy_init(&c);
	if (mkfifo(copy_path(&c, "/etc/fifo"), 0644) < 0)
		abort();
	copy_file(&c, "/etc/folder/file", "x");
	h = open_copy(&c);
	EQ_INT(host_read(h, "/etc/fifo", &b), -EINVAL);
	EQ_INT(host_open_fd(h, "/etc/fifo"), -EINVAL);
	EQ_INT(host_list(h, "/etc/fifo", &names), -ENOTDIR);
	EQ_INT(host_read(h, "/etc/folder", &b), -EISDIR);
	EQ_INT(host_open_fd(h, "/etc/folder"), -EISDIR);
	EQ_INT(host_read(h, "/etc/folder/file/x", &b), -ENOTDIR);
	copy_fini(&c);
}

TEST(device_nodes_of_a_copy_stay_closed)
{
	auto_free(host) struct host *h = NULL;
	auto_fini(ct_buf) struct ct_buf b = { 0 };
	struct copy c;

	copy_init(&c);
	if (mknod(copy_path(&c, "/dev/zero"), S_IFCHR | 0666, makedev(1, 5)) < 0) {
		copy_fini(&c);
		SKIP("may not make device nodes");
	}
	h = open_copy(&c);
	EQ_INT(host_read(h, "/dev/zero", &b), -EINVAL);
	EQ_INT(host_open_fd(h, "/dev/zero"), -EINVAL);
	copy_fini(&c);
}

TEST(large_files_are_refused)
{
	auto_free(host) struct host *h = NULL;
	auto_fini(ct_buf) struct ct_buf b = { 0 };
	struct copy c;

	copy_init(&c);
	copy_file(&c, "/just", "");
	copy_file(&c, "/over", "");
	if (truncate(copy_path(&c, "/just"), HOST_MAX_FILE) < 0 ||
	    truncate(copy_path(&c, "/over"), (off_t)HOST_MAX_FILE + 1) < 0)
		abort();
	h = open_copy(&c);
	EQ_INT(host_read(h, "/just", &b), 0);
	EQ_INT(b.len, HOST_MAX_FILE);
	EQ_INT(host_read(h, "/over", &b), -EFBIG);
	copy_fini(&c);
}

TEST(stat_and_list)
{
	auto_free(host) struct host *h = NULL;
	auto_fini(host_names) struct host_names names = { 0 };
	struct host_stat st;
	struct copy c;

	copy_init(&c);
	copy_file(&c, "/etc/b", "12345");
	copy_file(&c, "/etc/a/x", "");
	copy_file(&c, "/etc/B", "");
	(void)chmod(copy_path(&c, "/etc/b"), 0444);
	h = open_copy(&c);
	EQ_INT(host_stat(h, "/etc/b", &st), 0);
	EQ_INT(st.size, 5);
	EQ_INT(st.mode & 07777, 0444);
	EQ_INT(host_stat(h, "/etc/none", &st), -ENOENT);
	EQ_INT(host_list(h, "/etc", &names), 0);
	EQ_INT(names.n, 3);
	EQ_STR(names.name[0], "B");
	EQ_STR(names.name[1], "a");
	EQ_STR(names.name[2], "b");
	EQ_INT(host_list(h, "/etc/b", &names), -ENOTDIR);
	EQ_INT(host_list(h, "/none", &names), -ENOENT);
	copy_fini(&c);
}

TEST(proc_files_have_no_size_but_content)
{
	auto_free(host) struct host *h = NULL;
	auto_fini(ct_buf) struct ct_buf b = { 0 };
	struct host_stat st;

	EQ_INT(host_open("/", &h, NULL), 0);
	EQ_INT(host_stat(h, "/proc/kallsyms", &st), 0);
	EQ_INT(st.size, 0);
	EQ_INT(host_read(h, "/proc/self/status", &b), 0);
	OK(b.len > 100 && strstr(b.p, "Name:\t"));
}

/* Makes openat2() unknown from here on, as before Linux 5.6. */
static bool forget_openat2(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = 4, .filter = code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static int open_without_openat2(const char *root)
{
	auto_free(host) struct host *copy = NULL, *live = NULL;
	auto_fini(ct_buf) struct ct_buf b = { 0 };
	struct ct_err err = { "" };

	if (!forget_openat2())
		return 77;
	if (host_open("/", &live, &err) < 0 || host_read(live, "/proc/version", &b) < 0)
		return 1;
	if (host_open(root, &copy, &err) != -ENOSYS)
		return 2;
	return strstr(err.text, "this kernel has no openat2") ? 0 : 3;
}

TEST(without_openat2_a_copy_is_refused)
{
	struct copy c;
	int status = 0;
	pid_t pid;

	copy_init(&c);
	pid = fork();
	if (pid == 0)
		_exit(open_without_openat2(c.root));
	OK(waitpid(pid, &status, 0) == pid);
	copy_fini(&c);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		SKIP("seccomp filters are not to be had");
	EQ_INT(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0);
}

TAP_MAIN(&tap_root_must_be_a_folder, &tap_only_a_slash_is_this_machine,
	 &tap_reads_files_and_numbers, &tap_no_link_leads_out, &tap_odd_files_neither_hang_nor_act,
	 &tap_device_nodes_of_a_copy_stay_closed, &tap_large_files_are_refused, &tap_stat_and_list,
	 &tap_proc_files_have_no_size_but_content, &tap_without_openat2_a_copy_is_refused)
