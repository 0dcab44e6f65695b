/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conntune lab: the demonstrations that were installed beside it, which are scripts.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/cmd/cmd.h"

enum lab_key { LAB_TOUR = 1, LAB_YES, LAB_KEEP };

struct lab_state {
	bool is_tour, may_change_max, is_kept;
};

static const struct option_spec lab_options[] = {
	{ "tour", 0, NULL, LAB_TOUR, "the whole story, to the change and the way back" },
	{ "yes-change-max", 0, NULL, LAB_YES, "lower this machine's limit for a minute" },
	{ "keep", 0, NULL, LAB_KEEP, "leave the namespaces up, not with --tour" },
	{ NULL, 0, NULL, 0, NULL },
};

static int lab_option(void *state, int key, const char *value, struct ct_err *err)
{
	struct lab_state *s = state;

	(void)value, (void)err;
	s->is_tour |= key == LAB_TOUR;
	s->may_change_max |= key == LAB_YES;
	s->is_kept |= key == LAB_KEEP;
	return 0;
}

/* The scripts call this very program, whichever conntune is first in PATH. */
static int name_this_program(void)
{
	char path[4096];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (len < 0)
		return -errno;
	path[len] = '\0';
	return setenv("CONNTUNE", path, 1) < 0 ? -errno : 0;
}

/* Becomes the script; returns only when that fails. */
static int run_script(const struct lab_state *s)
{
	const char *dir = getenv("CONNTUNE_LAB");
	const char *argv[4] = { NULL };
	char script[4096];
	size_t n = 0;

	if (snprintf(script, sizeof(script), "%s/%s", dir ? dir : CONNTUNE_LAB_DIR,
		     s->is_tour ? "tour" : "run") >= (int)sizeof(script)) {
		cmd_error("CONNTUNE_LAB is too long");
		return EXIT_FAILED;
	}
	argv[n++] = script;
	if (s->may_change_max)
		argv[n++] = "--yes-change-max";
	if (s->is_kept)
		argv[n++] = "--keep";
	(void)execv(script, (char *const *)argv);
	cmd_error("%s: %s; 'make install' puts it there, and bash runs it", script,
		  strerror(errno));
	return EXIT_FAILED;
}

static int lab_run(void *state, const struct common_options *common, int argc, char **argv)
{
	const struct lab_state *s = state;
	int r;

	(void)argv;
	if (argc > 0 || common->netns || common->is_json || strcmp(common->root, "/") != 0) {
		cmd_error("lab takes no operand, --netns, --json or --root: it makes a machine of "
			  "its own");
		return EXIT_MISUSE;
	}
	if (s->is_tour && s->is_kept) {
		cmd_error("--keep is not for the tour, which puts everything back");
		return EXIT_MISUSE;
	}
	r = name_this_program();
	if (r < 0) {
		cmd_error("/proc/self/exe: %s", strerror(-r));
		return EXIT_FAILED;
	}
	return run_script(s);
}

const struct command command_lab = {
	.name = "lab",
	.summary = "Watch a server run out of tracking, in namespaces of its own",
	.options = lab_options,
	.option = lab_option,
	.run = lab_run,
	.state_size = sizeof(struct lab_state),
};
