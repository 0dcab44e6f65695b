/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Namespaces of copies and of this machine: each once, and what a visit sees and leaves behind.
 */
#include "ops/host/netns.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "copy.h"
#include "ops/host/inner.h"
#include "ops/host/netns_scan.h"
#include "tap.h"

static struct host *open_host(const char *root)
{
	struct ct_err err = { "" };
	struct host *h = NULL;

	if (host_open(root, &h, &err) < 0)
		TAP_FAIL("%s", err.text);
	return h;
}

TEST(inodes_of_links)
{
	uint64_t v = 1;

	EQ_INT(netns_inode_parse("net:[4026531840]", 16, &v), 0);
	EQ_INT(v, 4026531840);
	EQ_INT(netns_inode_parse("net:[]", 6, &v), -EINVAL);
	EQ_INT(netns_inode_parse("net:[1", 6, &v), -EINVAL);
	EQ_INT(netns_inode_parse("mnt:[1]", 7, &v), -EINVAL);
	EQ_INT(netns_inode_parse("net:[1]x", 8, &v), -EINVAL);
	EQ_INT(netns_inode_parse("net:[99999999999999999999]", 26, &v), -ERANGE);
}

TEST(a_copy_that_does_not_tell)
{
	auto_free(host) struct host *h = NULL;
	struct netns_list list;
	struct ct_err err = { "" };
	struct copy c;

	copy_init(&c);
	copy_file(&c, "/proc/version", "Linux version 3.10.0\n");
	h = open_host(c.root);
	EQ_INT(netns_list(h, &list, &err), -ENOENT);
	EQ_STR(err.text, "this copy does not tell its network namespace");
	copy_fini(&c);
}

/* A plain copy of /proc: links of three processes in two namespaces. */
TEST(processes_of_a_copy)
{
	auto_free(host) struct host *h = NULL;
	auto_fini(netns_list) struct netns_list list = { 0 };
	struct ct_err err = { "" };
	struct copy c;

	copy_init(&c);
	copy_link(&c, "/proc/1/ns/net", "net:[4026531840]");
	copy_file(&c, "/proc/1/comm", "init\n");
	copy_link(&c, "/proc/77/ns/net", "net:[4026530001]");
	copy_file(&c, "/proc/77/comm", "evil\033[31m\n");
	copy_link(&c, "/proc/8/ns/net", "net:[4026530001]");
	copy_file(&c, "/proc/8/comm", "nginx\n");
	copy_link(&c, "/proc/9/ns/net", "net:[what]");
	copy_file(&c, "/proc/sys/net/nf_conntrack_max", "1000\n");
	h = open_host(c.root);
	EQ_INT(netns_list(h, &list, &err), 0);
	EQ_INT(list.n, 2);
	EQ_INT(list.at[0].inode, 4026531840);
	OK(list.at[0].is_own && list.at[0].is_initial && list.at[0].is_readable);
	EQ_STR(list.at[0].owner, "init");
	EQ_INT(list.at[1].inode, 4026530001);
	EQ_INT(list.at[1].pid, 8);
	EQ_INT(list.at[1].n_pids, 2);
	EQ_STR(list.at[1].owner, "nginx");
	OK(!list.at[1].is_own && !list.at[1].is_initial && !list.at[1].is_readable);
	EQ_INT(netns_find(h, &list, "77", &err), 1);
	copy_fini(&c);
}

static void make_recorded(const struct copy *c)
{
	copy_file(c, "/recorded/host", "netns=5\nnetns_hidden=3\n");
	copy_file(c, "/recorded/netns/5/about", "owner=systemd\npid=1\nn_pids=120\nis_initial=1\n");
	copy_file(c, "/recorded/netns/7/about",
		  "name=blue\nowner=dockerd\npid=412\nn_pids=3\npath=/run/netns/blue\nnew=x\n");
	copy_file(c, "/recorded/netns/7/proc/sys/net/netfilter/nf_conntrack_count", "71\n");
	copy_file(c, "/recorded/netns/7/proc/net/stat/nf_conntrack", "entries\n");
	copy_file(c, "/recorded/netns/7/commands/iptables-save", "blue rules\n");
	copy_file(c, "/recorded/netns/6/name", "by-hand\n");
	copy_file(c, "/recorded/netns/8/about", "is_readable=0\n");
	copy_file(c, "/recorded/netns/junk/about", "name=junk\n");
	copy_file(c, "/proc/sys/net/netfilter/nf_conntrack_count", "50\n");
	copy_file(c, "/recorded/commands/iptables-save", "own rules\n");
}

TEST(recorded_namespaces)
{
	auto_free(host) struct host *h = NULL, *blue = NULL, *own = NULL, *dark = NULL;
	auto_fini(netns_list) struct netns_list list = { 0 };
	auto_fini(ct_buf) struct ct_buf b = { 0 };
	struct host_names names = { 0 };
	struct ct_err err = { "" };
	struct copy c;
	int64_t v = 0;

	copy_init(&c);
	make_recorded(&c);
	h = open_host(c.root);
	EQ_INT(netns_list(h, &list, &err), 0);
	EQ_INT(list.n, 4);
	EQ_INT(list.n_hidden, 3);
	EQ_INT(list.at[0].inode, 5);
	OK(list.at[0].is_own && list.at[0].is_initial);
	EQ_INT(list.at[0].n_pids, 120);
	EQ_INT(list.at[1].inode, 6);
	EQ_STR(list.at[1].name, "by-hand");
	EQ_INT(list.at[2].inode, 7);
	EQ_STR(list.at[2].name, "blue");
	EQ_STR(list.at[2].owner, "dockerd");
	EQ_STR(list.at[2].path, "/run/netns/blue");
	OK(list.at[2].is_readable && !list.at[3].is_readable);
	EQ_INT(netns_find(h, &list, "blue", &err), 2);
	EQ_INT(netns_find(h, &list, "412", &err), 2);
	EQ_INT(netns_find(h, &list, "net:[7]", &err), 2);
	EQ_INT(netns_find(h, &list, "inode:7", &err), 2);
	EQ_INT(netns_find(h, &list, "net:[9]", &err), -ENOENT);
	EQ_STR(err.text, "no network namespace has the number 'net:[9]'");
	EQ_INT(netns_find(h, &list, "green", &err), -ENOENT);
	EQ_STR(err.text, "no network namespace is named 'green'");
	EQ_INT(netns_find(h, &list, "413", &err), -ENOENT);

	EQ_INT(host_in_netns(h, &list.at[2], &blue, &err), 0);
	EQ_INT(host_read_i64(blue, "/proc/sys/net/netfilter/nf_conntrack_count", &v), 0);
	EQ_INT(v, 71);
	EQ_INT(host_read_i64(blue, "/proc/sys/net/netfilter/nf_conntrack_max", &v), -ENOENT);
	EQ_INT(host_list(blue, "/proc/net/stat", &names), 0);
	EQ_INT(names.n, 1);
	host_names_fini(&names);
	EQ_INT(host_command(blue, "iptables-save", NULL, 0, &b, NULL), 0);
	EQ_STR(b.p, "blue rules\n");
	EQ_INT(host_in_netns(h, &list.at[0], &own, &err), 0);
	EQ_INT(host_read_i64(own, "/proc/sys/net/netfilter/nf_conntrack_count", &v), 0);
	EQ_INT(v, 50);
	EQ_INT(host_in_netns(h, &list.at[3], &dark, &err), -EPERM);
	copy_fini(&c);
}

/* A child process that waits in a network namespace of its own. */
struct child {
	pid_t pid;
	int wake;
};

static bool child_start(struct child *c)
{
	int ready[2], wake[2];
	char word = 'n';

	if (pipe(ready) < 0 || pipe(wake) < 0)
		abort();
	c->pid = fork();
	if (c->pid == 0) {
		word = unshare(CLONE_NEWNET) == 0 ? 'y' : 'n';
		(void)close(wake[1]);
		(void)!write(ready[1], &word, 1);
		(void)!read(wake[0], &word, 1);
		_exit(0);
	}
	(void)!read(ready[0], &word, 1);
	(void)close(ready[0]);
	(void)close(ready[1]);
	(void)close(wake[0]);
	c->wake = wake[1];
	return word == 'y';
}

static void child_end(struct child *c)
{
	(void)close(c->wake);
	while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
}

static uint64_t own_inode(struct host *h)
{
	uint64_t inode = 0;

	(void)netns_inode_of(h, "/proc/thread-self/ns/net", &inode);
	return inode;
}

TEST(this_machine_has_one_of_its_own)
{
	auto_free(host) struct host *h = open_host("/");
	auto_fini(netns_list) struct netns_list list = { 0 };
	struct ct_err err = { "" };

	if (own_inode(h) == 0)
		SKIP("no network namespaces here");
	EQ_INT(netns_list(h, &list, &err), 0);
	OK(list.n >= 1 && list.at[0].is_own && list.at[0].is_readable && list.at[0].n_pids >= 1);
	EQ_INT(list.at[0].inode, own_inode(h));
	for (size_t i = 2; i < list.n; i++)
		OK(list.at[i - 1].inode < list.at[i].inode);
}

TEST(a_visit_sees_the_other_side_and_comes_back)
{
	auto_free(host) struct host *h = open_host("/"), *there = NULL;
	auto_fini(netns_list) struct netns_list list = { 0 };
	auto_fini(ct_buf) struct ct_buf b = { 0 };
	auto_fini(host_names) struct host_names names = { 0 };
	const char *const dev[] = { "cat", "/proc/net/dev", NULL };
	struct ct_err err = { "" };
	struct child child;
	uint64_t before = own_inode(h), inode = 0;
	char pid[16], path[64];
	int at;

	if (!child_start(&child)) {
		child_end(&child);
		SKIP("may not make network namespaces");
	}
	(void)snprintf(pid, sizeof(pid), "%d", (int)child.pid);
	(void)snprintf(path, sizeof(path), "/proc/%s/ns/net", pid);
	EQ_INT(netns_inode_of(h, path, &inode), 0);
	EQ_INT(netns_list(h, &list, &err), 0);
	at = netns_find(h, &list, pid, &err);
	OK(at > 0 && list.at[at].is_readable && !list.at[at].is_initial);
	EQ_INT(list.at[at].inode, inode);
	EQ_INT(list.at[at].n_pids, 1);
	EQ_STR(list.at[at].path, path);
	EQ_INT(host_in_netns(h, &list.at[at], &there, &err), 0);
	EQ_INT(host_list(there, "/proc/sys/net/ipv4/conf", &names), 0);
	EQ_INT(names.n, 3); /* all, default, lo: nothing else was made there */
	EQ_INT(host_read(there, "/proc/net/dev", &b), 0);
	OK(strstr(b.p, " lo:"));
	EQ_INT(host_command(there, "dev", dev, 5000, &b, NULL), 0);
	OK(strstr(b.p, " lo:"));
	EQ_INT(own_inode(h), before);
	child_end(&child);
	host_free(there);
	there = NULL;
	EQ_INT(host_in_netns(h, &list.at[at], &there, &err), -ENOENT);
	OK(strstr(err.text, "No such file") || strstr(err.text, "is gone"));
}

/* Found by bind mount alone: its process has ended, its path has a blank. */
TEST(bind_mounts_keep_namespaces)
{
	auto_free(host) struct host *h = open_host("/"), *there = NULL;
	auto_fini(netns_list) struct netns_list list = { 0 };
	struct ct_err err = { "" };
	struct child child;
	struct host_stat st = { 0 };
	struct copy c;
	char path[64], mount_path[512], what[64];
	int at;

	if (!child_start(&child)) {
		child_end(&child);
		SKIP("may not make network namespaces");
	}
	copy_init(&c);
	copy_file(&c, "/a net", "");
	(void)snprintf(mount_path, sizeof(mount_path), "%s", copy_path(&c, "/a net"));
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)child.pid);
	at = mount(path, mount_path, NULL, MS_BIND, NULL);
	child_end(&child);
	if (at < 0) {
		copy_fini(&c);
		SKIP("may not mount");
	}
	EQ_INT(host_stat(h, mount_path, &st), 0);
	EQ_INT(netns_list(h, &list, &err), 0);
	(void)snprintf(what, sizeof(what), "net:[%llu]", (unsigned long long)st.inode);
	at = netns_find(h, &list, what, &err);
	OK(at > 0);
	if (at > 0) {
		EQ_STR(list.at[at].path, mount_path);
		EQ_INT(list.at[at].n_pids, 0);
		OK(list.at[at].is_readable && !list.at[at].owner && !list.at[at].name);
		EQ_INT(host_in_netns(h, &list.at[at], &there, &err), 0);
	}
	(void)umount2(mount_path, MNT_DETACH);
	copy_fini(&c);
}

/* As nobody: what may not be entered is listed or counted as hidden, and refused with -EPERM. */
static int look_as_nobody(pid_t other)
{
	auto_free(host) struct host *h = NULL, *there = NULL;
	auto_fini(netns_list) struct netns_list list = { 0 };
	struct netns ns = { .inode = 1 };
	char path[64];

	if (setresuid(65534, 65534, 65534) < 0 || host_open("/", &h, NULL) < 0)
		return 10;
	if (netns_list(h, &list, NULL) < 0)
		return 11;
	if (list.n_hidden == 0)
		return 12;
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)other);
	ns.path = path;
	return host_in_netns(h, &ns, &there, NULL) == -EPERM ? 0 : 13;
}

TEST(without_rights_the_rest_is_shown)
{
	struct child child;
	int status = 0;
	pid_t pid;

	if (geteuid() != 0)
		SKIP("needs root to become nobody");
	if (!child_start(&child)) {
		child_end(&child);
		SKIP("may not make network namespaces");
	}
	pid = fork();
	if (pid == 0)
		_exit(look_as_nobody(child.pid));
	OK(waitpid(pid, &status, 0) == pid);
	EQ_INT(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0);
	child_end(&child);
}

/* A thread that cannot come back must not go on: here it loses its rights on the other side. */
TEST(no_way_back_ends_the_process)
{
	auto_free(host) struct host *h = open_host("/");
	struct rlimit no_core = { 0, 0 };
	struct child child;
	int status = 0;
	pid_t pid;

	if (geteuid() != 0)
		SKIP("needs root");
	if (!child_start(&child)) {
		child_end(&child);
		SKIP("may not make network namespaces");
	}
	pid = fork();
	if (pid == 0) {
		struct host_visit visit = { -1 };
		char path[64];

		(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)child.pid);
		h->netns_fd = open(path, O_RDONLY | O_CLOEXEC);
		(void)setrlimit(RLIMIT_CORE, &no_core);
		(void)signal(SIGABRT, SIG_DFL);
		(void)dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
		if (host_visit_begin(h, &visit) < 0 || setresuid(65534, 65534, 65534) < 0)
			_exit(1);
		host_visit_end(&visit);
		_exit(2);
	}
	OK(waitpid(pid, &status, 0) == pid);
	OK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	child_end(&child);
}

TAP_MAIN(&tap_inodes_of_links, &tap_a_copy_that_does_not_tell, &tap_processes_of_a_copy,
	 &tap_recorded_namespaces, &tap_this_machine_has_one_of_its_own,
	 &tap_a_visit_sees_the_other_side_and_comes_back, &tap_bind_mounts_keep_namespaces,
	 &tap_without_rights_the_rest_is_shown, &tap_no_way_back_ends_the_process)
