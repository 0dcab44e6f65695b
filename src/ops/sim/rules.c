/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Rule sets out of files: see rules.h.
 */
#include "ops/sim/rules.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/clean.h"

static int read_all(int fd, struct ct_buf *out)
{
	for (;;) {
		ssize_t n;

		if (out->len > SIM_MAX_RULES_SIZE)
			return -EFBIG;
		if (ct_buf_reserve(out, 65536) < 0)
			return -ENOMEM;
		n = read(fd, out->p + out->len, 65536);
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		out->len += (size_t)n;
	}
}

/* "line 3: sentence" becomes "FILE:3: sentence". */
static int name_place(struct ct_err *err, const char *name)
{
	struct ct_err told = { "" };
	size_t digits = 0;

	if (!err)
		return -EINVAL;
	if (strncmp(err->text, "line ", 5) == 0)
		digits = strspn(err->text + 5, "0123456789");
	if (digits == 0)
		return ct_err_wrap(err, -EINVAL, "%s", name);
	(void)ct_err_set(&told, -EINVAL, "%s:%.*s%s", name, (int)digits, err->text + 5,
			 err->text + 5 + digits);
	*err = told;
	return -EINVAL;
}

static int read_file(const char *path, struct ct_buf *text, const char **name, struct ct_err *err)
{
	bool is_stdin = strcmp(path, "-") == 0;
	auto_fd int opened = is_stdin ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	int r;

	*name = is_stdin ? "standard input" : path;
	if (!is_stdin && opened < 0)
		return ct_err_set(err, -errno, "%s: %s", *name, strerror(errno));
	r = read_all(is_stdin ? STDIN_FILENO : opened, text);
	return r < 0 ? ct_err_set(err, r, "%s: %s", *name, strerror(-r)) : 0;
}

int sim_rules_file(const char *path, unsigned syntax, struct ct_ruleset **out, struct ct_err *err)
{
	auto_fini(ct_buf) struct ct_buf text = { 0 };
	const char *name;
	int r = read_file(path, &text, &name, err);

	if (r < 0)
		return r;
	*out = ct_ruleset_parse(text.p ? text.p : "", text.len, syntax, err);
	return *out ? 0 : name_place(err, name);
}

int sim_rules_any(const char *path, unsigned syntax, struct ct_ruleset **out,
		  enum rules_spelling *spelling, struct ct_err *err)
{
	auto_fini(ct_buf) struct ct_buf text = { 0 };
	const char *name;
	int r = read_file(path, &text, &name, err);

	if (r < 0)
		return r;
	*spelling = rules_spelling(text.p ? text.p : "", text.len);
	*out = rules_read(text.p ? text.p : "", text.len, syntax, err);
	return *out ? 0 : name_place(err, name);
}

int sim_sets_file(const char *path, struct ct_ipsets **out, struct ct_err *err)
{
	auto_fini(ct_buf) struct ct_buf text = { 0 };
	const char *name;
	int r = read_file(path, &text, &name, err);

	if (r < 0)
		return r;
	*out = ct_ipsets_parse(text.p ? text.p : "", text.len, err);
	return *out ? 0 : name_place(err, name);
}
