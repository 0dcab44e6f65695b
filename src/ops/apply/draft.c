/* SPDX-License-Identifier: BSD-2-Clause
 *
 * From a plan to writes; see draft.h.
 */
#include "ops/apply/draft.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ops/apply/drafts.h"

int draft_remark(struct draft *d, const char *fmt, ...)
{
	const char **at = list_grown(d->remarks, d->n_remarks, sizeof(*at));
	char text[640];
	va_list ap;

	if (!at)
		return -ENOMEM;
	d->remarks = at;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	at[d->n_remarks] = journal_text(&d->journal, text);
	return at[d->n_remarks++] ? 0 : -ENOMEM;
}

const char *draft_save(struct draft *d, const char *suffix, const void *bytes, size_t size)
{
	struct draft_text *at = list_grown(d->texts, d->n_texts, sizeof(*at));

	if (!at)
		return NULL;
	d->texts = at;
	at[d->n_texts] = (struct draft_text){
		.name = words_printf(&d->journal.words, "%zu.%s", d->journal.n_steps, suffix),
	};
	if (!at[d->n_texts].name || ct_buf_put(&at[d->n_texts].text, bytes, size) < 0)
		return NULL;
	return at[d->n_texts++].name;
}

int draft_add_file(struct draft *d, struct host *h, const char *path, const void *bytes,
		   size_t size, uint32_t mode, struct ct_err *err)
{
	auto_fini(ct_buf) struct ct_buf old = { 0 };
	int r = host_read(h, path, &old);
	bool was_there = r == 0;
	struct step s = { .kind = STEP_file, .what = path, .path = path, .mode = mode };

	if (r < 0 && r != -ENOENT)
		return ct_err_set(err, r, "%s: %s", path, strerror(-r));
	if (was_there == (bytes != NULL) &&
	    (!bytes || (old.len == size && memcmp(old.p, bytes, size) == 0)))
		return 0;
	s.from = was_there ? draft_save(d, "old", old.p, old.len) : NULL;
	s.to = bytes ? draft_save(d, "new", bytes, size) : NULL;
	if ((was_there && !s.from) || (bytes && !s.to))
		return ct_err_set(err, -ENOMEM, "out of memory");
	return journal_add(&d->journal, &s);
}

void draft_fini(struct draft *d)
{
	for (size_t i = 0; i < d->n_texts; i++)
		ct_buf_fini(&d->texts[i].text);
	free(d->texts);
	free(d->remarks);
	journal_fini(&d->journal);
	*d = (struct draft){ 0 };
}

int draft_make(struct host *machine, struct host *h, const struct plan *p,
	       const struct draft_options *o, struct draft *out, struct ct_err *err)
{
	int r;

	out->journal.reason = journal_text(&out->journal, p->reason);
	r = draft_settings(machine, h, p, o, out, err);
	r = r < 0 ? r : draft_untrack(h, p, o, out, err);
	if (r == 0 && p->is_persistent)
		r = draft_persist(h, p, o, out, err);
	return r;
}
