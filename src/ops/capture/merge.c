/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Several captures as one: see merge.h. There are few, so the earliest is found by looking.
 */
#include "ops/capture/merge.h"

#include <errno.h>
#include <stdlib.h>

enum { MAX_FILES = 256, AT_ONCE = 256 };

struct input {
	struct capture *capture;
	const char *path; /* borrowed */
	struct frame frames[AT_ONCE];
	unsigned n, at;
	bool is_over;
};

struct merge {
	unsigned n;
	uint64_t n_frames;
	const struct capture *last; /* of the frame given last */
	uint32_t interface;
	struct input inputs[];
};

int merge_open(char *const paths[], unsigned n, struct merge **out, struct ct_err *err)
{
	struct merge *m;

	if (n > MAX_FILES)
		return ct_err_set(err, -E2BIG, "more than %d files", MAX_FILES);
	m = calloc(1, sizeof(*m) + n * sizeof(m->inputs[0]));
	if (!m)
		return ct_err_set(err, -ENOMEM, "no memory for %u files", n);
	for (; m->n < n; m->n++) {
		int r = capture_open(paths[m->n], &m->inputs[m->n].capture, err);

		if (r < 0) {
			merge_free(m);
			return r;
		}
		m->inputs[m->n].path = paths[m->n];
	}
	*out = m;
	return 0;
}

void merge_free(struct merge *m)
{
	if (!m)
		return;
	for (unsigned i = 0; i < m->n; i++)
		capture_free(m->inputs[i].capture);
	free(m);
}

int merge_fill(struct merge *m, struct ct_err *err)
{
	bool has_some = false;

	for (unsigned i = 0; i < m->n; i++) {
		struct input *in = &m->inputs[i];
		int r;

		if (in->at == in->n && !in->is_over) {
			in->at = in->n = 0;
			r = capture_read(in->capture, in->frames, AT_ONCE, err);
			if (r <= 0)
				in->is_over = true;
			if (r < 0)
				return ct_err_wrap(err, r, "%s", in->path);
			in->n = (unsigned)r;
		}
		has_some |= in->at < in->n;
	}
	return has_some;
}

int merge_next(struct merge *m, struct frame *out)
{
	struct input *first = NULL;

	for (unsigned i = 0; i < m->n; i++) {
		struct input *in = &m->inputs[i];

		if (in->at == in->n) {
			if (!in->is_over)
				return 0;
			continue;
		}
		if (!first || in->frames[in->at].at < first->frames[first->at].at)
			first = in;
	}
	if (!first)
		return 0;
	*out = first->frames[first->at++];
	m->n_frames++;
	m->last = first->capture;
	m->interface = out->interface;
	if (m->n > 1)
		out->number = m->n_frames;
	return 1;
}

const char *merge_interface(const struct merge *m)
{
	return m->last ? capture_interface(m->last, m->interface) : NULL;
}

bool merge_is_cut(const struct merge *m)
{
	for (unsigned i = 0; i < m->n; i++)
		if (capture_is_cut(m->inputs[i].capture))
			return true;
	return false;
}
