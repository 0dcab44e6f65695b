/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conntune confirm: keeps the change that waits.
 */
#include <stdio.h>

#include "app/cmd/changes.h"

static int confirm_run(void *state, const struct common_options *common, int argc, char **argv)
{
	struct change_log *log = state;
	struct txn_teller teller = change_log_teller(log);
	auto_free(host) struct host *h = NULL;
	struct ct_err err = { "" };
	char sentence[96] = "";
	unsigned number = 0;
	int r;

	if (argc > 0) {
		cmd_error("confirm: '%s' is not understood", argv[0]);
		return EXIT_MISUSE;
	}
	h = changes_host(common);
	if (!h)
		return EXIT_FAILED;
	r = txn_recover(h, &teller, &err);
	if (r == 0)
		r = txn_confirm(h, &number, &teller, &err);
	if (r == 0)
		(void)snprintf(sentence, sizeof(sentence), "Change %u is kept.", number);
	if (changes_finish(common, "confirm", log, number, sentence) != EXIT_DONE)
		return EXIT_FAILED;
	if (r < 0)
		cmd_error("%s", err.text);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

static int no_option(void *state, int key, const char *value, struct ct_err *err)
{
	(void)state, (void)key, (void)value, (void)err;
	return 0;
}

static const struct option_spec confirm_options[] = { { NULL, 0, NULL, 0, NULL } };

const struct command command_confirm = {
	.name = "confirm",
	.summary = "Keep the change that waits to be confirmed",
	.options = confirm_options,
	.option = no_option,
	.run = confirm_run,
	.state_size = sizeof(struct change_log),
};
