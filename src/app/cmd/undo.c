/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conntune undo: takes a change back.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "app/cmd/changes.h"
#include "lib/base/number.h"

enum { UNDO_FORCE = 1 };

struct undo_state {
	bool is_forced;
	struct change_log log;
};

static const struct option_spec undo_options[] = {
	{ "force", 'f', NULL, UNDO_FORCE, "also what somebody else wrote since" },
	{ NULL, 0, NULL, 0, NULL },
};

static int undo_option(void *state, int key, const char *value, struct ct_err *err)
{
	struct undo_state *s = state;

	(void)value, (void)err;
	s->is_forced |= key == UNDO_FORCE;
	return 0;
}

static int undo(struct undo_state *s, const struct common_options *common, struct host *h,
		unsigned number)
{
	struct txn_teller teller = change_log_teller(&s->log);
	struct ct_err err = { "" };
	int r = txn_undo(h, number, s->is_forced, &teller, &err);

	if (changes_finish(common, "undo", &s->log, 0, NULL) != EXIT_DONE)
		return EXIT_FAILED;
	if (r < 0)
		cmd_error("%s", err.text);
	else if (s->log.has_foreign)
		cmd_warn(common, "what somebody else wrote since was left; --force takes it back "
				 "too");
	return r < 0 || s->log.has_foreign ? EXIT_FAILED : EXIT_DONE;
}

static int undo_run(void *state, const struct common_options *common, int argc, char **argv)
{
	auto_free(host) struct host *h = NULL;
	uint64_t number = 0;

	if (argc > 1 ||
	    (argc == 1 &&
	     (ct_number_u64(argv[0], strlen(argv[0]), INT32_MAX, &number) < 0 || number == 0))) {
		cmd_error("undo takes one number of a change; 'conntune history' lists them");
		return EXIT_MISUSE;
	}
	h = changes_host(common);
	return h ? undo(state, common, h, (unsigned)number) : EXIT_FAILED;
}

const struct command command_undo = {
	.name = "undo",
	.summary = "Take a change back: the last one, or that with a number",
	.arguments = "[N]",
	.options = undo_options,
	.option = undo_option,
	.run = undo_run,
	.state_size = sizeof(struct undo_state),
};
