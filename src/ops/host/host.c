/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Files of a machine behind one root; see host.h.
 *
 * In a copy every path is resolved by openat2(2) with RESOLVE_IN_ROOT: "..", absolute links and
 * links of links end at the root as in a chroot. What is opened for reading is looked at with
 * O_PATH first, because opening alone may hang (a fifo) or act (a device node).
 */
#include "ops/host/host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "lib/base/number.h"
#include "ops/host/inner.h"

#define MAX_RECORDED 65536u /* bytes of recorded/host */
#define READ_STEP    4096u  /* files of /proc have no size: room to begin with */

static int open_in_root(int root_fd, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};

	/* EAGAIN: a rename elsewhere raced with a ".."; openat2(2) asks to try again. */
	for (int i = 0; i < 16; i++) {
		long fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));

		if (fd >= 0)
			return (int)fd;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
	return -EAGAIN;
}

static bool is_below(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	return strncmp(path, folder, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* True for what differs between network namespaces. */
static bool is_of_netns(const char *path)
{
	return is_below(path, "/proc/net") || is_below(path, "/proc/sys/net");
}

/* Where @path stands when the namespace of @h looks at it. /proc/net is /proc/self/net, which is
 * the namespace of the *first* thread; a visiting thread needs its own. */
static int seen_path(const struct host *h, const char *path, char *out, size_t size)
{
	int n;

	if (path[0] != '/')
		return -EINVAL;
	if (h->netns_inode && is_of_netns(path))
		n = snprintf(out, size, "/recorded/netns/%llu%s",
			     (unsigned long long)h->netns_inode, path);
	else if (h->netns_fd >= 0 && is_below(path, "/proc/net"))
		n = snprintf(out, size, "/proc/thread-self/net%s", path + strlen("/proc/net"));
	else
		n = snprintf(out, size, "%s", path);
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

int host_open_path(struct host *h, const char *path, int flags)
{
	struct host_visit visit = { -1 };
	char seen[HOST_MAX_PATH];
	int fd, r;

	r = seen_path(h, path, seen, sizeof(seen));
	if (r < 0)
		return r;
	if (!host_is_live(h))
		return open_in_root(h->root_fd, seen, flags);
	if (is_of_netns(path)) {
		r = host_visit_begin(h, &visit);
		if (r < 0)
			return r;
	}
	fd = open(seen, flags | O_CLOEXEC);
	if (fd < 0)
		fd = -errno;
	host_visit_end(&visit);
	return fd;
}

static int type_error(mode_t mode)
{
	if (S_ISDIR(mode))
		return -EISDIR;
	return S_ISREG(mode) ? 0 : -EINVAL;
}

/* Opens a file for reading. A copy has regular files only; live, a device (/dev/kmsg) is one too
 * when @may_be_device. */
static int open_file(struct host *h, const char *path, bool may_be_device)
{
	struct stat st;
	int fd, r;

	if (!host_is_live(h)) {
		auto_fd int look = host_open_path(h, path, O_PATH);

		if (look < 0)
			return look;
		if (fstat(look, &st) < 0)
			return -errno;
		r = type_error(st.st_mode);
		if (r < 0)
			return r;
		may_be_device = false;
	}
	fd = host_open_path(h, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return fd;
	r = fstat(fd, &st) < 0 ? -errno : type_error(st.st_mode);
	if (r == 0 || (may_be_device && S_ISCHR(st.st_mode)))
		return fd;
	(void)close(fd);
	return r;
}

int host_open_fd(struct host *h, const char *path)
{
	return open_file(h, path, true);
}

int host_read_fd(int fd, struct ct_buf *out)
{
	auto_fini(ct_buf) struct ct_buf b = { 0 };

	for (;;) {
		size_t step = b.size > b.len + READ_STEP ? b.size - b.len - 1 : READ_STEP;
		ssize_t n;

		if (ct_buf_reserve(&b, step) < 0)
			return -ENOMEM;
		n = read(fd, b.p + b.len, step);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		b.len += (size_t)n;
		if (b.len > HOST_MAX_FILE)
			return -EFBIG;
	}
	b.p[b.len] = '\0';
	ct_buf_fini(out);
	*out = b;
	b = (struct ct_buf){ 0 };
	return 0;
}

int host_write_all(int fd, const void *p, size_t size)
{
	const uint8_t *at = p;

	while (size) {
		ssize_t n = write(fd, at, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += n;
		size -= (size_t)n;
	}
	return 0;
}

int host_read(struct host *h, const char *path, struct ct_buf *out)
{
	auto_fd int fd = open_file(h, path, false);

	return fd < 0 ? fd : host_read_fd(fd, out);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

int host_read_i64(struct host *h, const char *path, int64_t *out)
{
	auto_fini(ct_buf) struct ct_buf b = { 0 };
	size_t begin = 0, end;
	int r = host_read(h, path, &b);

	if (r < 0)
		return r;
	end = b.len;
	while (begin < end && is_blank(b.p[begin]))
		begin++;
	while (end > begin && is_blank(b.p[end - 1]))
		end--;
	r = ct_number_i64(b.p + begin, end - begin, out);
	return r < 0 ? -EINVAL : 0;
}

int host_stat(struct host *h, const char *path, struct host_stat *out)
{
	auto_fd int fd = host_open_path(h, path, O_PATH);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	*out = (struct host_stat){
		.mode = st.st_mode,
		.size = (uint64_t)st.st_size,
		.inode = st.st_ino,
		.device = st.st_dev,
		.mtime_s = st.st_mtim.tv_sec,
	};
	return 0;
}

int host_readlink(struct host *h, const char *path, struct ct_buf *out)
{
	auto_fd int fd = host_open_path(h, path, O_PATH | O_NOFOLLOW);
	char target[HOST_MAX_PATH];
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISLNK(st.st_mode))
		return -EINVAL;
	n = readlinkat(fd, "", target, sizeof(target));
	if (n < 0)
		return -errno;
	if ((size_t)n >= sizeof(target))
		return -ENAMETOOLONG;
	out->len = 0;
	return ct_buf_put(out, target, (size_t)n);
}

void host_names_fini(struct host_names *names)
{
	if (!names)
		return;
	for (size_t i = 0; i < names->n; i++)
		free(names->name[i]);
	free(names->name);
	*names = (struct host_names){ 0 };
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_name(struct host_names *names, const char *name)
{
	if ((names->n & (names->n - 1)) == 0) { /* full at each power of two */
		size_t room = names->n ? names->n * 2 : 1;
		char **p = realloc(names->name, room * sizeof(*p));

		if (!p)
			return -ENOMEM;
		names->name = p;
	}
	names->name[names->n] = strdup(name);
	if (!names->name[names->n])
		return -ENOMEM;
	names->n++;
	return 0;
}

static int read_names(DIR *dir, struct host_names *names)
{
	for (;;) {
		const struct dirent *e;
		int r;

		errno = 0;
		e = readdir(dir);
		if (!e)
			return -errno;
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (names->n >= HOST_MAX_NAMES)
			return -E2BIG;
		r = add_name(names, e->d_name);
		if (r < 0)
			return r;
	}
}

int host_list(struct host *h, const char *path, struct host_names *out)
{
	auto_fini(host_names) struct host_names names = { 0 };
	struct host_visit visit = { -1 };
	int fd = host_open_path(h, path, O_RDONLY | O_DIRECTORY);
	DIR *dir;
	int r;

	if (fd < 0)
		return fd;
	dir = fdopendir(fd);
	if (!dir) {
		r = -errno;
		(void)close(fd);
		return r;
	}
	/* Linux, proc_sys_readdir(): a folder of /proc/sys/net shows the names of the reader. */
	r = is_of_netns(path) ? host_visit_begin(h, &visit) : 0;
	if (r == 0)
		r = read_names(dir, &names);
	host_visit_end(&visit);
	(void)closedir(dir);
	if (r < 0)
		return r;
	if (names.n)
		qsort(names.name, names.n, sizeof(*names.name), by_bytes);
	*out = names;
	names = (struct host_names){ 0 };
	return 0;
}

/* Opens the root of a copy and sees whether it can be confined. */
static int open_copy(struct host *h, struct ct_err *err)
{
	int probe, r;

	h->root_fd = open(h->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (h->root_fd < 0) {
		r = -errno;
		return ct_err_set(err, r, "%s: %s", h->root, strerror(-r));
	}
	probe = open_in_root(h->root_fd, "/", O_PATH);
	if (probe == -ENOSYS)
		return ct_err_set(err, probe,
				  "%s: this kernel has no openat2 (Linux 5.6), so a copied machine "
				  "cannot be kept from leading out to this one",
				  h->root);
	if (probe < 0)
		return ct_err_set(err, probe, "%s: %s", h->root, strerror(-probe));
	(void)close(probe);
	r = host_read(h, "/recorded/host", &h->recorded);
	if (r == 0 && h->recorded.len > MAX_RECORDED)
		return ct_err_set(err, -EFBIG, "%s/recorded/host is larger than %u bytes", h->root,
				  MAX_RECORDED);
	return 0;
}

static bool is_this_machine(const char *root)
{
	return root[0] == '/' && strspn(root, "/") == strlen(root);
}

int host_open(const char *root, struct host **out, struct ct_err *err)
{
	auto_free(host) struct host *h = calloc(1, sizeof(*h));
	int r;

	if (!h)
		return -ENOMEM;
	h->root_fd = h->netns_fd = -1;
	h->root = strdup(root);
	if (!h->root)
		return -ENOMEM;
	if (!is_this_machine(root)) {
		r = open_copy(h, err);
		if (r < 0)
			return r;
	}
	*out = h;
	h = NULL;
	return 0;
}

void host_free(struct host *h)
{
	if (!h)
		return;
	if (h->root_fd >= 0)
		(void)close(h->root_fd);
	if (h->netns_fd >= 0)
		(void)close(h->netns_fd);
	ct_buf_fini(&h->recorded);
	free(h->root);
	free(h);
}

bool host_is_live(const struct host *h)
{
	return h->root_fd < 0;
}

const char *host_root(const struct host *h)
{
	return h->root;
}
