/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Drop-in folders; see conf_dirs.h. Answers to conf_files_list_strv() of systemd.
 */
#include "ops/settings/conf_dirs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool has_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name), s = strlen(suffix);

	return n > s && strcmp(name + n - s, suffix) == 0;
}

static struct conf_file *find_name(struct conf_files *c, const char *name)
{
	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->at[i].name, name) == 0)
			return &c->at[i];
	return NULL;
}

static bool is_null_link(struct host *h, const char *path)
{
	auto_fini(ct_buf) struct ct_buf b = { 0 };

	return host_readlink(h, path, &b) == 0 && b.p && strcmp(b.p, "/dev/null") == 0;
}

static int add_file(struct host *h, struct conf_files *c, const char *dir, const char *name)
{
	const char *path = words_printf(&c->words, "%s/%s", dir, name);
	struct conf_file *f = find_name(c, name), *at;
	struct host_stat st;

	if (!path)
		return -ENOMEM;
	if (f) {
		if (!f->hides)
			f->hides = path;
		return 0;
	}
	if (host_stat(h, path, &st) == 0 && (st.mode & 0170000) == 0040000)
		return 0; /* a folder */
	if (c->n == CONF_MAX_FILES)
		return -E2BIG;
	at = realloc(c->at, (c->n + 1) * sizeof(*at));
	if (!at)
		return -ENOMEM;
	c->at = at;
	at[c->n] = (struct conf_file){ .path = path, .is_masked = is_null_link(h, path) };
	at[c->n].name = words_put(&c->words, name, strlen(name));
	return at[c->n++].name ? 0 : -ENOMEM;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct conf_file *)a)->name, ((const struct conf_file *)b)->name);
}

/* /lib is a link to /usr/lib on most systems: the same folder is not read twice. */
static bool seen_before(struct host *h, const char *const *dirs, size_t i)
{
	struct host_stat st, other;

	if (host_stat(h, dirs[i], &st) < 0)
		return true;
	for (size_t k = 0; k < i; k++)
		if (host_stat(h, dirs[k], &other) == 0 && other.inode == st.inode &&
		    other.device == st.device)
			return true;
	return false;
}

int conf_files_list(struct host *h, const char *const *dirs, const char *suffix,
		    struct conf_files *out, struct ct_err *err)
{
	struct conf_files c = { 0 };

	for (size_t i = 0; dirs[i]; i++) {
		struct host_names names = { 0 };
		int r = 0;

		if (seen_before(h, dirs, i) || host_list(h, dirs[i], &names) < 0)
			continue;
		for (size_t k = 0; k < names.n && r == 0; k++)
			if (has_suffix(names.name[k], suffix))
				r = add_file(h, &c, dirs[i], names.name[k]);
		host_names_fini(&names);
		if (r < 0) {
			conf_files_fini(&c);
			return ct_err_set(err, r, "%s: %s", dirs[i],
					  r == -E2BIG ? "more files than can be meant"
						      : "out of memory");
		}
	}
	if (c.n)
		qsort(c.at, c.n, sizeof(*c.at), by_name);
	*out = c;
	return 0;
}

void conf_files_fini(struct conf_files *c)
{
	free(c->at);
	words_fini(&c->words);
	*c = (struct conf_files){ 0 };
}
