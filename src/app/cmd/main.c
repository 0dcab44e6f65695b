/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conntune: finds the verb, reads the options, runs. The only place that exits.
 */
#include "app/cmd/cmd.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct command *const command_all[] = {
#define COMMAND(name) &command_##name,
#include "app/cmd/commands.def"
#undef COMMAND
	NULL,
};

void cmd_error(const char *fmt, ...)
{
	va_list ap;

	(void)fputs("conntune: ", stderr);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
}

void cmd_warn(const struct common_options *common, const char *fmt, ...)
{
	va_list ap;

	if (common->is_quiet)
		return;
	(void)fputs("conntune: ", stderr);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
}

static void usage(FILE *to)
{
	(void)fputs("Usage: conntune COMMAND [options]\n\n"
		    "Says why the kernel's connection table fills, and what to do.\n\n"
		    "Commands:\n",
		    to);
	for (const struct command *const *c = command_all; *c; c++)
		(void)fprintf(to, "  %-10s %s\n", (*c)->name, (*c)->summary);
	(void)fputs("\n'conntune COMMAND --help' shows the options of one; the manual is "
		    "conntune(8).\n",
		    to);
}

static const struct command *find_command(const char *name)
{
	for (const struct command *const *c = command_all; *c; c++)
		if (strcmp((*c)->name, name) == 0)
			return *c;
	return NULL;
}

enum help_key { HELP_OPTIONS = 1 };

struct help_state {
	bool is_listing; /* --options */
};

static const struct option_spec help_options[] = {
	{ "options", 0, NULL, HELP_OPTIONS,
	  "list every option of every command, one line each, for programs" },
	{ NULL, 0, NULL, 0, NULL },
};

static int help_option(void *state, int key, const char *value, struct ct_err *err)
{
	struct help_state *h = state;

	(void)key, (void)value, (void)err;
	h->is_listing = true;
	return 0;
}

static int help_run(void *state, const struct common_options *common, int argc, char **argv)
{
	const struct help_state *h = state;
	const struct command *c;

	(void)common;
	if (h->is_listing) {
		for (const struct command *const *each = command_all; *each; each++)
			options_list(*each);
		options_list_common();
		return EXIT_DONE;
	}
	if (argc == 0) {
		usage(stdout);
		return EXIT_DONE;
	}
	c = find_command(argv[0]);
	if (!c) {
		cmd_error("no command '%s'; 'conntune help' lists them", argv[0]);
		return EXIT_MISUSE;
	}
	options_help(c);
	return EXIT_DONE;
}

const struct command command_help = {
	.name = "help",
	.summary = "Show the commands, or the options of one",
	.arguments = "[COMMAND]",
	.options = help_options,
	.option = help_option,
	.run = help_run,
	.state_size = sizeof(struct help_state),
};

static int run_command(const struct command *c, int argc, char **argv)
{
	struct common_options common = { .root = "/", .colour = -1 };
	auto_memory void *state = calloc(1, c->state_size ? c->state_size : 1);
	struct ct_err err = { "" };
	int r;

	if (!state) {
		cmd_error("out of memory");
		return EXIT_FAILED;
	}
	r = options_parse(c, &argc, argv, state, &common, &err);
	if (r > 0) {
		options_help(c);
		return EXIT_DONE;
	}
	if (r < 0) {
		cmd_error("%s", err.text);
		return EXIT_MISUSE;
	}
	return c->run(state, &common, argc, argv);
}

/* A full disk or a closed pipe behind stdout must not look like success. */
static int close_stdout(int code)
{
	if (fflush(stdout) != 0 && errno != EPIPE) {
		cmd_error("standard output: %s", strerror(errno));
		return code == EXIT_DONE ? EXIT_FAILED : code;
	}
	return code;
}

int main(int argc, char **argv)
{
	const struct command *c;

	if (argc < 2) {
		usage(stderr);
		return EXIT_MISUSE;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		(void)puts("conntune " CONNTUNE_VERSION);
		return close_stdout(EXIT_DONE);
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		usage(stdout);
		return close_stdout(EXIT_DONE);
	}
	c = find_command(argv[1]);
	if (!c) {
		cmd_error("no command '%s'; 'conntune help' lists them", argv[1]);
		return EXIT_MISUSE;
	}
	return close_stdout(run_command(c, argc - 2, argv + 2));
}
