/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A whole file, replaced or made or removed. Its texts before and after are saved with the journal.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ops/apply/inner.h"
#include "ops/apply/store.h"
#include "ops/host/write.h"

/* Whether @now (null: no file) is what is saved under @name (null: no file). */
static int is_saved(struct host *h, const struct journal *j, const char *name,
		    const struct ct_buf *now, bool *out)
{
	auto_fini(ct_buf) struct ct_buf saved = { 0 };
	int r;

	*out = !name && !now;
	if (!name || !now)
		return 0;
	r = store_get_text(h, j->number, name, &saved);
	if (r < 0)
		return r == -ENOENT ? -EIO : r;
	*out = saved.len == now->len && memcmp(saved.p, now->p, now->len) == 0;
	return 0;
}

static int look(struct host *h, const struct journal *j, const struct step *p, enum step_found *out,
		char now[STEP_NOW], struct ct_err *err)
{
	auto_fini(ct_buf) struct ct_buf b = { 0 };
	bool is_old, is_new;
	int r = host_read(h, p->path, &b);
	const struct ct_buf *content = r == 0 ? &b : NULL;

	if (r < 0 && r != -ENOENT)
		return ct_err_set(err, r, "%s: %s", p->path, strerror(-r));
	r = is_saved(h, j, p->from, content, &is_old);
	r = r < 0 ? r : is_saved(h, j, p->to, content, &is_new);
	if (r < 0)
		return ct_err_set(err, r, "what was saved of %s: %s", p->path, strerror(-r));
	*out = is_old ? STEP_OLD : is_new ? STEP_NEW : STEP_OTHER;
	(void)snprintf(now, STEP_NOW, "%s", is_old ? "as before" : is_new ? "as written" : "other");
	return 0;
}

static int make_folder_of(struct host *h, const char *path)
{
	const char *slash = strrchr(path, '/');
	char folder[256];
	int n = snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);

	return n < 0 || (size_t)n >= sizeof(folder) ? -ENAMETOOLONG
						    : host_make_folder(h, folder, 0755);
}

static int write_file(struct host *h, const struct journal *j, const struct step *p, bool is_undo,
		      struct ct_err *err)
{
	auto_fini(ct_buf) struct ct_buf text = { 0 };
	const char *name = is_undo ? p->from : p->to;
	int r;

	if (!name) {
		r = host_remove(h, p->path);
		return r < 0 ? ct_err_set(err, r, "it cannot be removed: %s", strerror(-r)) : 0;
	}
	r = store_get_text(h, j->number, name, &text);
	if (r < 0)
		return ct_err_set(err, -EIO, "what was saved of it: %s", strerror(-r));
	r = make_folder_of(h, p->path);
	r = r < 0 ? r : host_replace(h, p->path, text.p, text.len, p->mode);
	return r < 0 ? ct_err_set(err, r, "it cannot be written: %s", strerror(-r)) : 0;
}

static void clean(struct host *h, const struct step *p)
{
	(void)host_clean(h, p->path);
}

const struct step_ops step_file_ops = {
	.look = look,
	.write = write_file,
	.clean = clean,
	.is_lasting = true,
};
