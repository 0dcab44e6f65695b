/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The folder of changes; see store.h.
 */
#include "ops/apply/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/number.h"
#include "ops/host/write.h"

#define CHANGES STORE_DIR "/changes"

/* The folder of a change, or with @name a file in it. */
static void path_of(unsigned number, const char *name, char out[160])
{
	(void)snprintf(out, 160, CHANGES "/%u%s%.64s", number, name ? "/" : "", name ? name : "");
}

int store_lock(struct host *h, bool is_patient, struct ct_err *err)
{
	int r = host_make_folder(h, CHANGES, 0700);

	r = r < 0 ? r : host_lock(h, STORE_DIR "/lock", is_patient);
	if (r == -EWOULDBLOCK)
		return ct_err_set(err, r, "another change is under way at this moment");
	/* A program that we have running, iptables-restore, holds the lock to its own end, so that
	 * nobody takes back beside it what it is still about to write. The watcher closes it. */
	if (r >= 0 && fcntl(r, F_SETFD, 0) < 0) {
		(void)close(r);
		r = -errno;
	}
	return r < 0 ? ct_err_set(err, r, STORE_DIR ": %s", strerror(-r)) : r;
}

static int by_number(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

	return (x > y) - (x < y);
}

int store_list(struct host *h, unsigned **out, size_t *n)
{
	auto_fini(host_names) struct host_names names = { 0 };
	unsigned *at;
	int r = host_list(h, CHANGES, &names);

	*out = NULL;
	*n = 0;
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	at = calloc(names.n ? names.n : 1, sizeof(*at));
	if (!at)
		return -ENOMEM;
	for (size_t i = 0; i < names.n; i++) {
		uint64_t v;

		if (ct_number_u64(names.name[i], strlen(names.name[i]), INT32_MAX, &v) == 0 && v)
			at[(*n)++] = (unsigned)v;
	}
	qsort(at, *n, sizeof(*at), by_number);
	*out = at;
	return 0;
}

int store_get(struct host *h, unsigned number, struct journal *out, struct ct_err *err)
{
	auto_fini(ct_buf) struct ct_buf b = { 0 };
	char path[160];
	int r;

	path_of(number, "journal.json", path);
	r = host_read(h, path, &b);
	if (r == -ENOENT)
		return ct_err_set(err, r, "there is no change %u", number);
	if (r < 0)
		return ct_err_set(err, r, "%s: %s", path, strerror(-r));
	r = journal_read(b.p, b.len, out, err);
	return r < 0 ? ct_err_wrap(err, r, "%s", path) : 0;
}

void store_drop(struct host *h, unsigned number)
{
	auto_fini(host_names) struct host_names names = { 0 };
	char folder[160], path[320];

	path_of(number, NULL, folder);
	if (host_list(h, folder, &names) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		(void)snprintf(path, sizeof(path), "%s/%.128s", folder, names.name[i]);
		(void)host_remove(h, path);
	}
	(void)host_remove_folder(h, folder);
}

/* Keeps the store bounded: the oldest go, but nothing that is not over. */
static void prune(struct host *h, const unsigned *numbers, size_t n)
{
	for (size_t i = 0; i + STORE_MAX_CHANGES <= n; i++) {
		auto_fini(journal) struct journal j = { 0 };

		if (store_get(h, numbers[i], &j, NULL) < 0 || j.state == JOURNAL_kept ||
		    j.state == JOURNAL_undone)
			store_drop(h, numbers[i]);
	}
}

int store_add(struct host *h, struct journal *j, struct ct_err *err)
{
	auto_memory unsigned *numbers = NULL;
	char path[160];
	size_t n;
	int r = store_list(h, &numbers, &n);

	if (r < 0)
		return ct_err_set(err, r, CHANGES ": %s", strerror(-r));
	j->number = n ? numbers[n - 1] + 1 : 1;
	prune(h, numbers, n);
	path_of(j->number, NULL, path);
	r = host_make_new_folder(h, path, 0700);
	return r < 0 ? ct_err_set(err, r, "%s: %s", path, strerror(-r)) : 0;
}

int store_put_text(struct host *h, unsigned number, const char *name, const void *bytes,
		   size_t size)
{
	char path[160];

	path_of(number, name, path);
	return host_replace(h, path, bytes, size, 0600);
}

int store_get_text(struct host *h, unsigned number, const char *name, struct ct_buf *out)
{
	char path[160];

	if (strchr(name, '/'))
		return -EINVAL;
	path_of(number, name, path);
	return host_read(h, path, out);
}

int store_put(struct host *h, const struct journal *j, struct ct_err *err)
{
	auto_fini(ct_buf) struct ct_buf b = { 0 };
	int r = journal_write(j, &b);

	r = r < 0 ? r : store_put_text(h, j->number, "journal.json", b.p, b.len);
	return r < 0 ? ct_err_set(err, r, "the journal of change %u: %s", j->number, strerror(-r))
		     : 0;
}

int store_lock_watch(struct host *h, unsigned number)
{
	char path[160];

	path_of(number, "watch", path);
	return host_lock(h, path, true); /* who only looks holds it for a moment */
}

bool store_is_watched(struct host *h, unsigned number)
{
	char path[160];
	auto_fd int fd = -1;

	path_of(number, "watch", path);
	fd = host_lock(h, path, false);

	return fd == -EWOULDBLOCK;
}
