/* SPDX-License-Identifier: BSD-2-Clause
 *
 * See own_file.h. Every file has '#' for comments.
 */
#include "ops/apply/own_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define HEADING "# Written by conntune; 'conntune forget' removes it.\n"
#define BEGIN	"# conntune: begin ('conntune forget' removes this)\n"
#define END	"# conntune: end\n"

const struct own_file own_files[] = {
	{ "/etc/sysctl.d/90-conntune.conf", false, 0644 },
	{ "/etc/sysctl.conf", true, 0644 },
	{ "/etc/modules-load.d/conntune.conf", false, 0644 },
	{ "/etc/modules", true, 0644 },
	{ "/etc/sysconfig/modules/conntune.modules", false, 0755 },
	{ "/etc/conf.d/modules", true, 0644 },
	{ "/etc/modprobe.d/conntune.conf", false, 0644 },
	{ "/etc/udev/rules.d/91-conntune.rules", false, 0644 },
	{ NULL, false, 0 },
};

const struct own_file *own_file_find(const char *path)
{
	for (const struct own_file *f = own_files; f->path; f++)
		if (strcmp(f->path, path) == 0)
			return f;
	return NULL;
}

/* Where our part begins and ends, marks included; false when there is none. */
static bool find_block(const char *text, size_t *begin, size_t *end)
{
	const char *b = strstr(text, BEGIN), *e = b ? strstr(b, END) : NULL;

	if (!e)
		return false;
	*begin = (size_t)(b - text);
	*end = (size_t)(e - text) + strlen(END);
	return true;
}

/* A script begins with its interpreter. */
static const char *first_line(const struct own_file *f)
{
	return f->mode & 0100 ? "#!/bin/sh\n" : "";
}

static int own_part(const struct own_file *f, const struct ct_buf *text, struct ct_buf *out,
		    struct ct_err *err)
{
	size_t begin, end, head = strlen(first_line(f));

	if (f->is_shared) {
		if (!find_block(text->p, &begin, &end))
			return 0;
		begin += strlen(BEGIN);
		end -= strlen(END);
		return ct_buf_put(out, text->p + begin, end - begin);
	}
	if (strncmp(text->p, first_line(f), head) != 0 ||
	    strncmp(text->p + head, HEADING, strlen(HEADING)) != 0)
		return ct_err_set(err, -EEXIST,
				  "%s is there and was not written by conntune; it is left alone",
				  f->path);
	return ct_buf_printf(out, "%s", text->p + head + strlen(HEADING));
}

int own_file_read(struct host *h, const struct own_file *f, struct ct_buf *out, struct ct_err *err)
{
	auto_fini(ct_buf) struct ct_buf text = { 0 };
	int r = host_read(h, f->path, &text);

	out->len = 0;
	if (r < 0)
		return r == -ENOENT ? 0 : ct_err_set(err, r, "%s: %s", f->path, strerror(-r));
	return text.len ? own_part(f, &text, out, err) : 0;
}

/* The text of a shared file with @lines as our block in it. */
static int with_block(const char *old, const struct ct_buf *lines, struct ct_buf *out)
{
	size_t begin = strlen(old), end = begin;
	bool is_open = begin && old[begin - 1] != '\n'; /* the last line has no end */
	int r;

	if (find_block(old, &begin, &end))
		is_open = false;
	r = ct_buf_printf(out, "%.*s%s", (int)begin, old, is_open && lines->len ? "\n" : "");
	if (r == 0 && lines->len)
		r = ct_buf_printf(out, BEGIN "%s" END, lines->p);
	return r < 0 ? r : ct_buf_printf(out, "%s", old + end);
}

int own_file_put(struct draft *d, struct host *h, const struct own_file *f,
		 const struct ct_buf *lines, struct ct_err *err)
{
	auto_fini(ct_buf) struct ct_buf old = { 0 };
	auto_fini(ct_buf) struct ct_buf text = { 0 };
	int r = host_read(h, f->path, &old);
	bool is_there = r == 0;

	if (r < 0 && r != -ENOENT)
		return ct_err_set(err, r, "%s: %s", f->path, strerror(-r));
	if (lines->len == 0 && (!is_there || !f->is_shared))
		return is_there ? draft_add_file(d, h, f->path, NULL, 0, f->mode, err) : 0;
	r = f->is_shared ? with_block(is_there ? old.p : "", lines, &text)
			 : ct_buf_printf(&text, "%s" HEADING "%s", first_line(f), lines->p);
	if (r < 0)
		return ct_err_set(err, r, "out of memory");
	return draft_add_file(d, h, f->path, text.p, text.len, f->mode, err);
}
