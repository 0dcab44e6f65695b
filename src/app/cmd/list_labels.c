/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Lines of connlabel.conf are a number, blanks, a name which may hold blanks; # begins a comment.
 * Answers to libnetfilter_conntrack's labelmap.
 */
#include "app/cmd/list_labels.h"

#include <string.h>

#include "lib/base/number.h"

#define LABEL_FILE "/etc/xtables/connlabel.conf"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static void read_line(struct list_labels *l, const char *p, const char *end)
{
	const char *from, *comment = memchr(p, '#', (size_t)(end - p));
	uint64_t bit;

	if (comment)
		end = comment;
	while (p < end && is_blank(*p))
		p++;
	for (from = p; p < end && !is_blank(*p);)
		p++;
	if (ct_number_any(from, (size_t)(p - from), LIST_N_LABELS - 1, &bit) < 0)
		return;
	while (p < end && is_blank(*p))
		p++;
	while (p < end && is_blank(end[-1]))
		end--;
	l->name[bit] = (struct ct_slice){ p, (uint32_t)(end - p) };
}

void list_labels_read(struct host *h, struct list_labels *out)
{
	const char *p, *end;

	list_labels_fini(out);
	if (host_read(h, LABEL_FILE, &out->file) < 0 || !out->file.p)
		return;
	for (p = out->file.p, end = p + out->file.len; p < end;) {
		const char *line_end = memchr(p, '\n', (size_t)(end - p));

		if (!line_end)
			line_end = end;
		read_line(out, p, line_end);
		p = line_end + 1;
	}
}

void list_labels_fini(struct list_labels *l)
{
	ct_buf_fini(&l->file);
	memset(l->name, 0, sizeof(l->name));
}

void list_labels_name(struct list_labels *l, struct ct_entry *e)
{
	struct ct_text t;

	if (!l->file.p || !(e->known & CT_KNOWN_LABELS) || (e->known & CT_KNOWN_LABEL_TEXT))
		return;
	ct_text_init(&t, l->text, sizeof(l->text));
	for (unsigned bit = 0; bit < e->labels_len * 8u && bit < LIST_N_LABELS; bit++) {
		if (!(e->labels[bit / 8] >> bit % 8 & 1) || l->name[bit].len == 0)
			continue;
		if (t.len > 0)
			ct_text_char(&t, ',');
		ct_text_put(&t, l->name[bit].p, l->name[bit].len);
	}
	if (t.len == 0 || t.is_cut)
		return;
	e->label_text = (struct ct_slice){ l->text, (uint32_t)t.len };
	e->known |= CT_KNOWN_LABEL_TEXT;
}
