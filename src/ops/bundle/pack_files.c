/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Files of a bundle: the patterns of bundle.def, walked and filtered.
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "ops/bundle/pack.h"

#define MAX_PATH     4096
#define MAX_LOG_TAIL (8 << 20) /* bytes of a log file, its end */
#define CHUNK_BYTES  65536u

enum item_kind { ITEM_LINK, ITEM_MARK, ITEM_PICK };

struct item {
	enum item_kind kind;
	enum bundle_scope scope;
	enum bundle_filter filter;
	const char *pattern;
};

static const struct item items[] = {
#define LINK(pattern)		     { ITEM_LINK, SCOPE_MACHINE, FILTER_NOTHING, pattern },
#define MARK(pattern)		     { ITEM_MARK, SCOPE_MACHINE, FILTER_NOTHING, pattern },
#define PICK(scope, filter, pattern) { ITEM_PICK, SCOPE_##scope, FILTER_##filter, pattern },
#define RUN(...)
#define ASK(...)
#include "ops/bundle/bundle.def"
#undef LINK
#undef MARK
#undef PICK
#undef RUN
#undef ASK
};

static int join(char *out, const char *a, const char *b)
{
	return snprintf(out, MAX_PATH, "%s%s", a, b) >= MAX_PATH ? -ENAMETOOLONG : 0;
}

static int gap_errno(struct pack *p, const struct view *v, const char *path, int error)
{
	return pack_gap(p, v, path + 1, strerror(-error));
}

/* Reads a file; of a log that is too large, the end. */
static int read_file(struct host *h, const char *path, enum bundle_filter filter,
		     struct ct_buf *out)
{
	int r = host_read(h, path, out), fd;
	ssize_t n;

	if (r != -EFBIG || filter != FILTER_LOG)
		return r;
	fd = host_open_fd(h, path);
	if (fd < 0)
		return fd;
	out->len = 0;
	r = lseek(fd, -MAX_LOG_TAIL, SEEK_END) < 0 ? -errno : ct_buf_reserve(out, MAX_LOG_TAIL);
	while (r == 0 && out->len < MAX_LOG_TAIL) {
		n = read(fd, out->p + out->len, MAX_LOG_TAIL - out->len);
		if (n <= 0) {
			r = n < 0 && errno != EINTR ? -errno : 0;
			if (n == 0)
				break;
			continue;
		}
		out->len += (size_t)n;
	}
	(void)close(fd);
	return r;
}

static int pick(struct pack *p, const struct view *v, const struct item *item, const char *path,
		const struct host_stat *st)
{
	auto_fini(ct_buf) struct ct_buf text = { 0 }, kept = { 0 };
	bool has_something;
	char to[MAX_PATH];
	int r;

	if (join(to, v->files, path) < 0)
		return 0;
	r = read_file(v->host, path, item->filter, &text);
	if (r == -ENOENT || r == -EINVAL || r == -EIO || r == -EOPNOTSUPP)
		return 0; /* it went away, or is not for reading */
	if (r < 0)
		return gap_errno(p, v, path, r);
	if (bundle_filter(item->filter, p->anon, text.p, text.len, &kept, &has_something) < 0)
		return -ENOMEM;
	if (!has_something && (item->filter == FILTER_MENTIONS || item->filter == FILTER_LOG))
		return 0;
	return out_bytes(&p->out, to, st->mode, kept.p, kept.len);
}

static int mark(struct pack *p, const struct view *v, const char *path, const struct host_stat *st)
{
	char to[MAX_PATH];

	if (join(to, v->files, path) < 0)
		return 0;
	if (S_ISDIR(st->mode))
		return out_folder(&p->out, to);
	return S_ISREG(st->mode) ? out_bytes(&p->out, to, st->mode, "", 0) : 0;
}

/* A link to /dev/null is how an administrator turns a file off, wherever it stands. */
static int copy_link(struct pack *p, const struct view *v, const char *path, bool nowhere_only)
{
	auto_fini(ct_buf) struct ct_buf target = { 0 };
	char to[MAX_PATH];

	if (host_readlink(v->host, path, &target) < 0 || join(to, v->files, path) < 0)
		return 0;
	if (nowhere_only && strcmp(target.p, "/dev/null") != 0)
		return 0;
	return out_link(&p->out, to, target.p);
}

static int take(struct pack *p, const struct view *v, const struct item *item, const char *path)
{
	struct host_stat st;
	int r;

	if (item->kind == ITEM_LINK)
		return copy_link(p, v, path, false);
	r = host_stat(v->host, path, &st);
	if (item->kind == ITEM_MARK)
		return r < 0 ? 0 : mark(p, v, path, &st);
	if (r == 0 && S_ISREG(st.mode))
		return pick(p, v, item, path, &st);
	if (r == -EACCES || r == -EPERM)
		return gap_errno(p, v, path, r);
	return copy_link(p, v, path, true);
}

static int walk(struct pack *p, const struct view *v, const struct item *item, const char *done,
		const char *rest);

/* Goes on with each name in @folder that fits @pattern (@len bytes). */
static int walk_names(struct pack *p, const struct view *v, const struct item *item,
		      const char *folder, const char *pattern, size_t len, const char *rest)
{
	auto_fini(host_names) struct host_names names = { 0 };
	char word[256], path[MAX_PATH];
	int r = host_list(v->host, folder[0] ? folder : "/", &names);

	if (r == -EACCES || r == -EPERM)
		return gap_errno(p, v, folder, r);
	if (r < 0 || len >= sizeof(word))
		return 0;
	memcpy(word, pattern, len);
	word[len] = '\0';
	for (size_t i = 0; i < names.n; i++) {
		if (fnmatch(word, names.name[i], FNM_PERIOD) != 0 ||
		    snprintf(path, sizeof(path), "%s/%s", folder, names.name[i]) >=
			    (int)sizeof(path))
			continue;
		r = walk(p, v, item, path, rest);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Takes what fits the pattern @rest below @done. */
static int walk(struct pack *p, const struct view *v, const struct item *item, const char *done,
		const char *rest)
{
	char path[MAX_PATH];
	size_t len, plain;
	int r;

	if (*rest == '\0') {
		r = take(p, v, item, done);
		return pack_is_harmless(r) ? 0 : r;
	}
	len = strcspn(rest + 1, "/");
	plain = strcspn(rest + 1, "*?");
	if (plain < len)
		return walk_names(p, v, item, done, rest + 1, len, rest + 1 + len);
	if (snprintf(path, sizeof(path), "%s/%.*s", done, (int)len, rest + 1) >= (int)sizeof(path))
		return 0;
	return walk(p, v, item, path, rest + 1 + len);
}

/* Puts the release where a pattern says %R. False when it is not known. */
static bool expand(const struct pack *p, const char *pattern, char *out)
{
	const char *at = strstr(pattern, "%R");

	if (!at)
		return snprintf(out, MAX_PATH, "%s", pattern) < MAX_PATH;
	return p->release[0] && !strchr(p->release, '/') &&
	       snprintf(out, MAX_PATH, "%.*s%s%s", (int)(at - pattern), pattern, p->release,
			at + 2) < MAX_PATH;
}

int pack_files(struct pack *p, const struct view *v)
{
	char pattern[MAX_PATH];

	for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++) {
		int r;

		if (!pack_is_wanted(p, v, items[i].scope) || !expand(p, items[i].pattern, pattern))
			continue;
		r = walk(p, v, &items[i], "", pattern);
		if (r < 0)
			return r;
	}
	return 0;
}

static int write_kept(int fd, struct pack *p, const char *text, size_t len)
{
	auto_fini(ct_buf) struct ct_buf kept = { 0 };
	bool has_something;

	if (bundle_filter(FILTER_TEXT, p->anon, text, len, &kept, &has_something) < 0)
		return -ENOMEM;
	return host_write_all(fd, kept.p, kept.len);
}

/* Carries whole lines over; a line longer than a chunk is none of the kernel's and left out. */
static int copy_lines(struct pack *p, int from, int to)
{
	auto_memory char *chunk = malloc(CHUNK_BYTES);
	size_t len = 0;

	if (!chunk)
		return -ENOMEM;
	for (;;) {
		ssize_t n = read(from, chunk + len, CHUNK_BYTES - len);
		const char *last;
		size_t whole;
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : write_kept(to, p, chunk, len);
		len += (size_t)n;
		last = memrchr(chunk, '\n', len);
		if (!last && len == CHUNK_BYTES)
			len = 0;
		if (!last)
			continue;
		whole = (size_t)(last + 1 - chunk);
		r = write_kept(to, p, chunk, whole);
		if (r < 0)
			return r;
		len -= whole;
		memmove(chunk, chunk + whole, len);
	}
}

int pack_listing(struct pack *p, const struct view *v)
{
	static const char *const paths[] = { "/proc/net/nf_conntrack", "/proc/net/ip_conntrack" };

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		auto_fd int from = host_open_fd(v->host, paths[i]);
		char path[MAX_PATH];
		int to, r;

		if (from < 0 || join(path, v->files, paths[i]) < 0)
			continue;
		to = out_file(&p->out, path, 0440);
		if (to < 0)
			return pack_is_harmless(to) ? 0 : to;
		r = copy_lines(p, from, to);
		out_count(&p->out, to);
		(void)close(to);
		return r;
	}
	return -ENOENT;
}
