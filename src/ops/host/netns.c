/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The list of network namespaces, and a host seen from within one; see netns.h.
 */
#include "ops/host/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/number.h"
#include "ops/host/inner.h"
#include "ops/host/netns_scan.h"

/* Fixed numbers of the first namespaces: Linux include/uapi/linux/nsfs.h, enum init_ns_ino (the
 * one of networks since 6.18; before, it was given out at boot), proc_ns.h before that. */
#define INIT_NETNS_INODE UINT64_C(0xEFFFFFF9)
#define INIT_PIDNS_LINK	 "pid:[4026531836]"

void netns_list_fini(struct netns_list *list)
{
	if (!list)
		return;
	for (size_t i = 0; i < list->n; i++) {
		free(list->at[i].name);
		free(list->at[i].owner);
		free(list->at[i].path);
	}
	free(list->at);
	*list = (struct netns_list){ 0 };
}

/* The namespace the files of @h belong to. */
static int own_inode(struct host *h, uint64_t *out)
{
	const char *s;
	size_t len;
	int r;

	if (host_is_live(h))
		return netns_inode_of(h, "/proc/thread-self/ns/net", out);
	if (host_recorded(h, "netns", &s, &len) == 0)
		return ct_number_u64(s, len, UINT64_MAX, out);
	r = netns_inode_of(h, "/proc/self/ns/net", out);
	return r < 0 ? netns_inode_of(h, "/proc/1/ns/net", out) : r;
}

int host_netns_inode(struct host *h, uint64_t *out)
{
	struct stat st;

	if (h->netns_fd < 0) {
		if (h->netns_inode)
			*out = h->netns_inode;
		return h->netns_inode ? 0 : own_inode(h, out);
	}
	if (fstat(h->netns_fd, &st) < 0)
		return -errno;
	*out = st.st_ino;
	return 0;
}

static bool has_file(struct host *h, const char *path)
{
	struct host_stat st;

	return host_stat(h, path, &st) == 0;
}

/* True when /proc counts processes from the machine's own beginning. */
static bool is_first_pidns(struct host *h)
{
	auto_fini(ct_buf) struct ct_buf link = { 0 };
	int r = host_readlink(h, "/proc/1/ns/pid", &link);

	if (r < 0) /* a kernel without process namespaces has only the first */
		return r == -ENOENT && has_file(h, "/proc/1/ns/net") &&
		       !has_file(h, "/proc/self/ns/pid");
	return strcmp(link.p, INIT_PIDNS_LINK) == 0;
}

/* Finds the namespace of the machine itself. These sysctls exist nowhere else:
 * nf_conntrack_standalone_init_sysctl() and net/core/sysctl_net_core.c register them for init_net.
 */
static void mark_initial(struct host *h, struct netns_list *list, uint64_t own)
{
	bool is_own_initial = has_file(h, "/proc/sys/net/nf_conntrack_max") ||
			      has_file(h, "/proc/sys/net/core/netdev_max_backlog");
	uint64_t initial = 0;

	for (size_t i = 0; i < list->n; i++)
		if (list->at[i].is_initial) /* recorded so */
			return;
	if (is_own_initial)
		initial = own;
	else if (!is_first_pidns(h) || netns_inode_of(h, "/proc/1/ns/net", &initial) < 0 ||
		 initial == own)
		initial = INIT_NETNS_INODE;
	for (size_t i = 0; i < list->n; i++)
		list->at[i].is_initial = list->at[i].inode == initial;
}

/* Whether a visit would work, tried. Of a recorded one, the record tells. */
static bool may_enter(struct host *h, const struct netns *ns)
{
	struct host there = { .root_fd = -1, .netns_fd = -1 };
	struct host_visit visit;
	auto_fd int fd = -1;

	if (!host_is_live(h))
		return ns->is_readable;
	if (!ns->path)
		return false;
	fd = open(ns->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	there.netns_fd = fd;
	if (host_visit_begin(&there, &visit) < 0)
		return false;
	host_visit_end(&visit);
	return true;
}

static void mark_own(struct host *h, struct netns_list *list, uint64_t own)
{
	for (size_t i = 0; i < list->n; i++) {
		struct netns *ns = &list->at[i];

		ns->is_own = ns->inode == own;
		ns->is_readable = ns->is_own || may_enter(h, ns);
	}
	for (size_t i = 0; i < list->n; i++) {
		struct netns first = list->at[i];

		if (!first.is_own)
			continue;
		memmove(&list->at[1], &list->at[0], i * sizeof(first));
		list->at[0] = first;
	}
}

int netns_list(struct host *h, struct netns_list *out, struct ct_err *err)
{
	auto_fini(netns_list) struct netns_list list = { 0 };
	uint64_t own;
	int r = own_inode(h, &own);

	if (r < 0)
		return ct_err_set(err, r == -EINVAL ? r : -ENOENT,
				  host_is_live(h)
					  ? "/proc shows no network namespaces"
					  : "this copy does not tell its network namespace");
	r = netns_list_get(&list, own) ? 0 : -ENOMEM;
	if (r == 0)
		r = netns_scan_names(h, &list);
	if (r == 0)
		r = netns_scan_mounts(h, &list);
	if (r == 0)
		r = netns_scan_processes(h, &list);
	if (r == 0)
		r = netns_scan_recorded(h, &list);
	if (r < 0)
		return ct_err_wrap(err, r, "listing network namespaces");
	mark_initial(h, &list, own);
	mark_own(h, &list, own);
	*out = list;
	list = (struct netns_list){ 0 };
	return 0;
}

static int index_of(const struct netns_list *list, uint64_t inode)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->at[i].inode == inode)
			return (int)i;
	return -ENOENT;
}

static int find_inode(const struct netns_list *list, const char *what)
{
	static const char prefix[] = "inode:";
	size_t len = strlen(what), skip = sizeof(prefix) - 1;
	uint64_t inode;

	if (netns_inode_parse(what, len, &inode) < 0 &&
	    (strncmp(what, prefix, skip) != 0 ||
	     ct_number_u64(what + skip, len - skip, UINT64_MAX, &inode) < 0))
		return -EINVAL;
	return index_of(list, inode);
}

static int find_name(struct host *h, const struct netns_list *list, const char *what)
{
	char path[HOST_MAX_PATH];
	struct host_stat st;

	for (size_t i = 0; i < list->n; i++)
		if (list->at[i].name && strcmp(list->at[i].name, what) == 0)
			return (int)i;
	/* a second name of one */
	if (!host_is_live(h) || !host_is_plain_name(what) ||
	    snprintf(path, sizeof(path), "/run/netns/%s", what) >= (int)sizeof(path) ||
	    host_stat(h, path, &st) < 0)
		return -ENOENT;
	return index_of(list, st.inode);
}

static int find_process(struct host *h, const struct netns_list *list, const char *what)
{
	char path[64];
	uint64_t pid, inode;

	if (ct_number_u64(what, strlen(what), INT32_MAX, &pid) < 0)
		return -EINVAL;
	for (size_t i = 0; i < list->n; i++)
		if (pid != 0 && list->at[i].pid == (int64_t)pid)
			return (int)i;
	(void)snprintf(path, sizeof(path), "/proc/%llu/ns/net", (unsigned long long)pid);
	return netns_inode_of(h, path, &inode) < 0 ? -ENOENT : index_of(list, inode);
}

int netns_find(struct host *h, const struct netns_list *list, const char *what, struct ct_err *err)
{
	int r = find_inode(list, what);

	if (r == -ENOENT)
		return ct_err_set(err, r, "no network namespace has the number '%s'", what);
	if (r == -EINVAL)
		r = find_name(h, list, what);
	if (r >= 0)
		return r;
	r = find_process(h, list, what);
	if (r == -ENOENT)
		return ct_err_set(err, r,
				  "'%s' is no name of a network namespace, and no process %s is "
				  "to be seen",
				  what, what);
	if (r < 0)
		return ct_err_set(err, -ENOENT, "no network namespace is named '%s'", what);
	return r;
}

/* Opens the file that reaches @ns and makes sure that it is still that one. */
static int open_netns(const struct netns *ns, struct ct_err *err)
{
	struct stat st;
	int fd, r;

	if (!ns->path)
		return ct_err_set(err, -ENOENT, "net:[%llu]: no file leads into it",
				  (unsigned long long)ns->inode);
	fd = open(ns->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		r = errno == EACCES ? -EPERM : -errno;
		return ct_err_set(err, r, "%s: %s", ns->path, strerror(-r));
	}
	if (fstat(fd, &st) < 0 || st.st_ino != ns->inode) {
		(void)close(fd);
		return ct_err_set(err, -ENOENT, "%s: net:[%llu] is gone", ns->path,
				  (unsigned long long)ns->inode);
	}
	return fd;
}

static int look_live(const struct netns *ns, struct host *there, struct ct_err *err)
{
	struct host_visit visit;
	int r;

	if (ns->is_own)
		return 0;
	r = open_netns(ns, err);
	if (r < 0)
		return r;
	there->netns_fd = r;
	r = host_visit_begin(there, &visit);
	if (r < 0)
		return ct_err_set(err, r, "%s: entering it: %s", ns->path, strerror(-r));
	host_visit_end(&visit);
	return 0;
}

static int look_recorded(struct host *h, const struct netns *ns, struct host *there,
			 struct ct_err *err)
{
	char folder[64];

	there->root_fd = fcntl(h->root_fd, F_DUPFD_CLOEXEC, 0);
	if (there->root_fd < 0)
		return -errno;
	if (h->recorded.len && ct_buf_put(&there->recorded, h->recorded.p, h->recorded.len) < 0)
		return -ENOMEM;
	if (ns->is_own)
		return 0;
	(void)snprintf(folder, sizeof(folder), "/recorded/netns/%llu",
		       (unsigned long long)ns->inode);
	if (!has_file(h, folder))
		return ct_err_set(err, -ENOENT, "this copy holds nothing of net:[%llu]",
				  (unsigned long long)ns->inode);
	if (!ns->is_readable)
		return ct_err_set(err, -EPERM,
				  "net:[%llu] is not in this copy: it could not be entered, or was "
				  "not asked for",
				  (unsigned long long)ns->inode);
	there->netns_inode = ns->inode;
	return 0;
}

int host_in_netns(struct host *h, const struct netns *ns, struct host **out, struct ct_err *err)
{
	auto_free(host) struct host *there = calloc(1, sizeof(*there));
	int r;

	if (!there)
		return ct_err_set(err, -ENOMEM, "out of memory");
	there->root_fd = there->netns_fd = -1;
	there->root = strdup(h->root);
	if (!there->root)
		return ct_err_set(err, -ENOMEM, "out of memory");
	r = host_is_live(h) ? look_live(ns, there, err) : look_recorded(h, ns, there, err);
	if (r < 0)
		return r;
	*out = there;
	there = NULL;
	return 0;
}
