/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conntune recover: finishes what was interrupted; with --watch, the watcher of one change.
 */
#include <errno.h>
#include <string.h>

#include "app/cmd/changes.h"
#include "lib/base/number.h"

enum { RECOVER_WATCH = 1 };

struct recover_state {
	unsigned watched;
	struct change_log log;
};

static const struct option_spec recover_options[] = {
	{ "watch", 0, "N", RECOVER_WATCH,
	  "stay until change N is confirmed or taken back (apply starts this itself)" },
	{ NULL, 0, NULL, 0, NULL },
};

static int recover_option(void *state, int key, const char *value, struct ct_err *err)
{
	struct recover_state *s = state;
	uint64_t n;

	(void)key;
	if (ct_number_u64(value, strlen(value), INT32_MAX, &n) < 0 || n == 0)
		return ct_err_set(err, -EINVAL, "--watch takes the number of a change, not '%s'",
				  value);
	s->watched = (unsigned)n;
	return 0;
}

static int recover(struct recover_state *s, const struct common_options *common, struct host *h)
{
	struct txn_teller teller = change_log_teller(&s->log);
	struct ct_err err = { "" };
	int r = txn_recover(h, &teller, &err);

	if (changes_finish(common, "recover", &s->log, 0,
			   s->log.n ? NULL : "Nothing was interrupted.") != EXIT_DONE)
		return EXIT_FAILED;
	if (r < 0)
		cmd_error("%s", err.text);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

static int recover_run(void *state, const struct common_options *common, int argc, char **argv)
{
	struct recover_state *s = state;
	auto_free(host) struct host *h = NULL;
	struct ct_err err = { "" };

	if (argc > 0) {
		cmd_error("recover: '%s' is not understood", argv[0]);
		return EXIT_MISUSE;
	}
	h = changes_host(common);
	if (!h)
		return EXIT_FAILED;
	if (!s->watched)
		return recover(s, common, h);
	if (txn_watch(h, s->watched, &err) == 0)
		return EXIT_DONE;
	cmd_error("%s", err.text);
	return EXIT_FAILED;
}

const struct command command_recover = {
	.name = "recover",
	.summary = "Finish a change that was interrupted, or take it back",
	.options = recover_options,
	.option = recover_option,
	.run = recover_run,
	.state_size = sizeof(struct recover_state),
};
