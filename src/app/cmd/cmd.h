/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What a subcommand is, and what all of them share.
 *
 * A command is one file cmd/<verb>.c with its option table, one line in commands.def, and one
 * section in the manual. Options are data: help, completion and the parser read the same table.
 */
#ifndef APP_CMD_CMD_H
#define APP_CMD_CMD_H

#include <conntune/err.h>
#include <stdbool.h>
#include <stddef.h>

#include "ops/host/host.h"
#include "ops/report/writer.h"

enum exit_code {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_MISUSE = 2,
	EXIT_FINDINGS = 3, /* findings at or above the asked severity */
};

/* One option of a command. */
struct option_spec {
	const char *name; /* long name without dashes */
	char letter;	  /* short form, or 0 */
	/* What the value is called in help ("N", "DIR"), null for a switch; "[N]" may be left out,
	 * and is otherwise given with an equals sign. */
	const char *value;
	int key; /* given to the command's handler */
	const char *help;
};

/* Options every command understands; their keys are negative. */
struct common_options {
	const char *root;  /* --root DIR, default "/" */
	const char *netns; /* --netns all|NAME|PID|net:[INODE], or null */
	bool is_json;	   /* --json */
	bool is_quiet;	   /* --quiet: no talk on stderr */
	bool is_debug;	   /* --debug: what was tried, and why it was not taken */
	int colour;	   /* --color auto|always|never: -1, 1, 0 */
};

struct command {
	const char *name, *summary, *arguments;
	const struct option_spec *options; /* ends with a null name */
	/* Called for each own option; @value is null for a switch. 0, or -EINVAL with a sentence.
	 */
	int (*option)(void *state, int key, const char *value, struct ct_err *err);
	/* Runs; returns an exit code. @argv holds the operands only. */
	int (*run)(void *state, const struct common_options *common, int argc, char **argv);
	size_t state_size; /* zeroed memory given to both */
};

#define COMMAND(name) extern const struct command command_##name;
#include "app/cmd/commands.def"
#undef COMMAND
extern const struct command *const command_all[]; /* ends with null */

/* Parses @argv (without the verb) for @c: options into @state and @common, operands moved to the
 * front and counted into @argc. 1 when help was asked for, 0, or -EINVAL with a sentence. */
int options_parse(const struct command *c, int *argc, char **argv, void *state,
		  struct common_options *common, struct ct_err *err);

/* Prints the help of one command. */
void options_help(const struct command *c);

/* Lists a command and its options for programs: lines of COMMAND, OPTION, LETTER, VALUE, HELP with
 * tabs between; the first has no option and says ARGUMENTS and SUMMARY. */
void options_list(const struct command *c);

/* The same for the options that every command understands, with "*" as the command. */
void options_list_common(void);

/* Talks: "conntune: SENTENCE" on stderr; cmd_warn() is silent with --quiet. */
void cmd_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void cmd_warn(const struct common_options *common, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* A writer to stdout in the form the options ask for. Null with a message when memory is out. */
struct writer *cmd_writer(const struct common_options *common);

/* Ends what @w writes. EXIT_DONE, or EXIT_FAILED with a message when it could not be written. */
int cmd_finish(struct writer *w);

/* The width of the output in columns: COLUMNS, the terminal's, else 100. */
unsigned cmd_columns(void);

/* Whether colours belong on stdout: --color, NO_COLOR, TERM, isatty. */
bool cmd_is_colour(const struct common_options *common);

/* Opens the host that --root names, with its message on failure. Null then. */
struct host *cmd_host(const struct common_options *common);

/* Calls @visit for each network namespace that --netns names, or once with a null @ns for the
 * machine as it is. A namespace that cannot be entered is talked of and passed over. The first exit
 * code of a visit that is not EXIT_DONE, with the rest still visited. */
struct netns;
typedef int (*cmd_visitor)(void *user, struct host *h, const struct netns *ns);
int cmd_each_netns(const struct common_options *common, struct host *h, cmd_visitor visit,
		   void *user);

/* How a namespace is called in output: its name, or "net:[INODE]". */
void cmd_netns_name(const struct netns *ns, char *out, size_t size);

#endif
