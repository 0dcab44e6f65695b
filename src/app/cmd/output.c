/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Where a command's output goes: stdout, in the form, width and colour that were asked for.
 */
#include "app/cmd/cmd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/base/number.h"

bool cmd_is_colour(const struct common_options *common)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	if (common->colour >= 0)
		return common->colour > 0;
	if (no_color && no_color[0])
		return false;
	return isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0;
}

unsigned cmd_columns(void)
{
	const char *env = getenv("COLUMNS");
	struct winsize size;
	uint64_t columns;

	if (env && ct_number_u64(env, strlen(env), 10000, &columns) == 0 && columns > 0)
		return (unsigned)columns;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	return 100;
}

static int to_stdout(void *user, const char *bytes, size_t len)
{
	(void)user;
	errno = 0;
	if (fwrite(bytes, 1, len, stdout) == len)
		return 0;
	return errno ? -errno : -EIO;
}

struct writer *cmd_writer(const struct common_options *common)
{
	struct writer_options o = {
		.form = common->is_json ? WRITER_JSON : WRITER_TEXT,
		.is_colour = cmd_is_colour(common),
		.columns = cmd_columns(),
	};
	struct writer *w = NULL;

	if (writer_new(&o, to_stdout, NULL, &w) < 0)
		cmd_error("out of memory");
	return w;
}

int cmd_finish(struct writer *w)
{
	int r = writer_finish(w);

	if (r < 0)
		cmd_error("standard output: %s", strerror(-r));
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

struct host *cmd_host(const struct common_options *common)
{
	struct ct_err err = { "" };
	struct host *h = NULL;

	if (host_open(common->root, &h, &err) < 0) {
		cmd_error("%s", err.text);
		return NULL;
	}
	return h;
}
