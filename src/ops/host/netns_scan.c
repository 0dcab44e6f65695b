/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Finding network namespaces; see netns_scan.h.
 *
 * Live, an entry is only as good as the file that reaches it, so a path found by name or mount is
 * preferred to /proc/PID/ns/net, whose process may end at any moment.
 */
#include "ops/host/netns_scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/number.h"
#include "ops/host/inner.h"

#define MAX_NETNS 65536u

int netns_inode_parse(const char *s, size_t len, uint64_t *out)
{
	static const char begin[] = "net:[";
	size_t skip = sizeof(begin) - 1;

	if (len < skip + 2 || memcmp(s, begin, skip) != 0 || s[len - 1] != ']')
		return -EINVAL;
	return ct_number_u64(s + skip, len - skip - 1, UINT64_MAX, out);
}

int netns_inode_of(struct host *h, const char *path, uint64_t *out)
{
	auto_fini(ct_buf) struct ct_buf link = { 0 };
	int r = host_readlink(h, path, &link);

	return r < 0 ? r : netns_inode_parse(link.p, link.len, out);
}

struct netns *netns_list_get(struct netns_list *list, uint64_t inode)
{
	size_t low = 0, high = list->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (list->at[middle].inode < inode)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < list->n && list->at[low].inode == inode)
		return &list->at[low];
	if (list->n >= MAX_NETNS)
		return NULL;
	if ((list->n & (list->n - 1)) == 0) { /* full at each power of two */
		size_t room = list->n ? list->n * 2 : 1;
		struct netns *p = realloc(list->at, room * sizeof(*p));

		if (!p)
			return NULL;
		list->at = p;
	}
	memmove(&list->at[low + 1], &list->at[low], (list->n - low) * sizeof(*list->at));
	list->n++;
	list->at[low] = (struct netns){ .inode = inode };
	return &list->at[low];
}

/* A name from outside as a string of ours: what could steer a terminal becomes '?'. */
static char *clean_copy(const char *s, size_t len)
{
	char *copy = strndup(s, len);

	for (char *p = copy; p && *p; p++)
		if ((unsigned char)*p < ' ' || *p == 127)
			*p = '?';
	return copy;
}

/* Sets *@field, which is empty, to @s. */
static int set_text(char **field, const char *s, size_t len)
{
	*field = clean_copy(s, len);
	return *field ? 0 : -ENOMEM;
}

static int set_owner(struct host *h, struct netns *ns)
{
	auto_fini(ct_buf) struct ct_buf comm = { 0 };
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%lld/comm", (long long)ns->pid);
	if (host_read(h, path, &comm) < 0)
		return 0;
	return set_text(&ns->owner, comm.p, strcspn(comm.p, "\n"));
}

static int add_process(struct host *h, struct netns_list *list, const char *pid_name)
{
	struct netns *ns;
	char path[64];
	uint64_t pid, inode;
	int r;

	if (ct_number_u64(pid_name, strlen(pid_name), INT32_MAX, &pid) < 0 || pid == 0)
		return 0;
	(void)snprintf(path, sizeof(path), "/proc/%s/ns/net", pid_name);
	r = netns_inode_of(h, path, &inode);
	if (r == -EACCES || r == -EPERM)
		list->n_hidden++;
	if (r < 0) /* also a process that has just ended */
		return 0;
	ns = netns_list_get(list, inode);
	if (!ns)
		return -ENOMEM;
	ns->n_pids++;
	if (ns->pid == 0 || (int64_t)pid < ns->pid)
		ns->pid = (int64_t)pid;
	return 0;
}

int netns_scan_processes(struct host *h, struct netns_list *list)
{
	auto_fini(host_names) struct host_names names = { 0 };
	int r = host_list(h, "/proc", &names);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	for (size_t i = 0; i < names.n && r == 0; i++)
		r = add_process(h, list, names.name[i]);
	for (size_t i = 0; i < list->n && r == 0; i++) {
		struct netns *ns = &list->at[i];

		if (ns->pid == 0 || ns->owner)
			continue;
		r = set_owner(h, ns);
		if (r == 0 && !ns->path &&
		    asprintf(&ns->path, "/proc/%lld/ns/net", (long long)ns->pid) < 0) {
			ns->path = NULL;
			r = -ENOMEM;
		}
	}
	return r;
}

/* True when @path is a namespace file of @inode right now. */
static bool is_reached_by(struct host *h, const char *path, uint64_t inode, uint64_t device)
{
	struct host_stat st;

	return host_stat(h, path, &st) == 0 && st.inode == inode && st.device == device;
}

/* Undoes the octal escapes of mountinfo (mangle() in the kernel's fs/seq_file.c), in place. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
		    s[3] >= '0' && s[3] <= '7') {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

/* One line of mountinfo: "ID PARENT MAJ:MIN ROOT WHERE OPTIONS ... - nsfs nsfs rw". */
static int add_mount(struct host *h, struct netns_list *list, char *line, const char *prefix,
		     uint64_t device)
{
	auto_memory char *path = NULL;
	char *save = NULL, *root = NULL, *where = NULL;
	struct netns *ns;
	uint64_t inode;

	if (!strstr(line, " - nsfs "))
		return 0;
	for (int field = 1; field <= 5; field++) {
		char *word = strtok_r(field == 1 ? line : NULL, " ", &save);

		if (!word)
			return 0;
		if (field == 4)
			root = word;
		if (field == 5)
			where = word;
	}
	if (!root || !where || netns_inode_parse(root, strlen(root), &inode) < 0)
		return 0;
	unescape(where);
	if (asprintf(&path, "%s%s", prefix, where) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	ns = netns_list_get(list, inode);
	if (!ns)
		return -ENOMEM;
	if (!ns->path && is_reached_by(h, path, inode, device)) {
		ns->path = path;
		path = NULL;
	}
	return 0;
}

/* The device all namespace files stand on. */
static int nsfs_device(struct host *h, uint64_t *out)
{
	struct host_stat st;
	int r = host_stat(h, "/proc/self/ns/net", &st);

	if (r == 0)
		*out = st.device;
	return r;
}

int netns_scan_mounts(struct host *h, struct netns_list *list)
{
	static const struct {
		const char *info, *prefix;
	} views[] = { { "/proc/self/mountinfo", "" }, { "/proc/1/mountinfo", "/proc/1/root" } };
	uint64_t device = 0;

	if (!host_is_live(h) || nsfs_device(h, &device) < 0)
		return 0;
	for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++) {
		auto_fini(ct_buf) struct ct_buf b = { 0 };
		char *save = NULL;

		if (host_read(h, views[i].info, &b) < 0)
			continue;
		for (char *line = strtok_r(b.p, "\n", &save); line;
		     line = strtok_r(NULL, "\n", &save)) {
			int r = add_mount(h, list, line, views[i].prefix, device);

			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int add_name(struct host *h, struct netns_list *list, const char *folder, const char *name,
		    uint64_t device)
{
	auto_memory char *path = NULL;
	struct host_stat st;
	struct netns *ns;

	if (asprintf(&path, "%s/%s", folder, name) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	/* A plain file is what a namespace of another mount namespace left behind. */
	if (host_stat(h, path, &st) < 0 || st.device != device)
		return 0;
	ns = netns_list_get(list, st.inode);
	if (!ns)
		return -ENOMEM;
	if (ns->name)
		return 0;
	free(ns->path);
	ns->path = path;
	path = NULL;
	return set_text(&ns->name, name, strlen(name));
}

int netns_scan_names(struct host *h, struct netns_list *list)
{
	static const char *const folders[] = { "/run/netns", "/var/run/netns",
					       "/proc/1/root/run/netns" };
	uint64_t device = 0;

	if (!host_is_live(h) || nsfs_device(h, &device) < 0)
		return 0;
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		auto_fini(host_names) struct host_names names = { 0 };

		if (host_list(h, folders[i], &names) < 0)
			continue;
		for (size_t k = 0; k < names.n; k++) {
			int r = add_name(h, list, folders[i], names.name[k], device);

			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* Applies "key=value" of recorded/netns/INODE/about; unknown keys are from a later version. */
static int set_about(struct netns *ns, const char *key, const char *value)
{
	char **text = strcmp(key, "name") == 0	  ? &ns->name
		      : strcmp(key, "owner") == 0 ? &ns->owner
		      : strcmp(key, "path") == 0  ? &ns->path
						  : NULL;
	size_t len = strlen(value);
	uint64_t n;

	if (text) {
		if (*text || len == 0)
			return 0;
		return set_text(text, value, len);
	}
	if (ct_number_u64(value, len, INT32_MAX, &n) < 0)
		return 0;
	if (strcmp(key, "pid") == 0)
		ns->pid = (int64_t)n;
	else if (strcmp(key, "n_pids") == 0)
		ns->n_pids = (uint32_t)n;
	else if (strcmp(key, "is_initial") == 0)
		ns->is_initial = n == 1;
	else if (strcmp(key, "is_readable") == 0)
		ns->is_readable = n == 1;
	return 0;
}

static int read_about(struct host *h, const char *folder, struct netns *ns)
{
	auto_fini(ct_buf) struct ct_buf b = { 0 };
	char path[128], *save = NULL;
	int r = 0;

	(void)snprintf(path, sizeof(path), "%s/about", folder);
	ns->is_readable = true;
	if (host_read(h, path, &b) == 0) {
		for (char *line = strtok_r(b.p, "\n", &save); line && r == 0;
		     line = strtok_r(NULL, "\n", &save)) {
			char *equals = strchr(line, '=');

			if (!equals)
				continue;
			*equals = '\0';
			r = set_about(ns, line, equals + 1);
		}
		return r;
	}
	(void)snprintf(path, sizeof(path), "%s/name", folder);
	if (host_read(h, path, &b) == 0 && b.p[0] != '\n' && b.p[0] != '\0' && !ns->name)
		return set_text(&ns->name, b.p, strcspn(b.p, "\n"));
	return 0;
}

int netns_scan_recorded(struct host *h, struct netns_list *list)
{
	auto_fini(host_names) struct host_names names = { 0 };
	const char *hidden;
	uint64_t n_hidden;
	size_t len;
	int r = 0;

	if (host_is_live(h) || host_list(h, "/recorded/netns", &names) < 0)
		return 0;
	if (host_recorded(h, "netns_hidden", &hidden, &len) == 0 &&
	    ct_number_u64(hidden, len, UINT32_MAX, &n_hidden) == 0)
		list->n_hidden = (unsigned)n_hidden;
	for (size_t i = 0; i < names.n && r == 0; i++) {
		const char *name = names.name[i];
		struct netns *ns;
		char folder[64];
		uint64_t inode;

		if (ct_number_u64(name, strlen(name), UINT64_MAX, &inode) < 0 || inode == 0)
			continue;
		ns = netns_list_get(list, inode);
		if (!ns)
			return -ENOMEM;
		(void)snprintf(folder, sizeof(folder), "/recorded/netns/%.20s", name);
		r = read_about(h, folder, ns);
	}
	return r;
}
