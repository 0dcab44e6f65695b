/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conntune forget: removes every line and file that apply --persist wrote, as a change of its own.
 */
#include <stdio.h>
#include <string.h>

#include "app/cmd/changes.h"

enum { FORGET_YES = 1 };

struct forget_state {
	bool is_sure;
	struct change_log log;
};

static const struct option_spec forget_options[] = {
	{ "yes", 'y', NULL, FORGET_YES, "do it; without it what would go is shown" },
	{ NULL, 0, NULL, 0, NULL },
};

static int forget_option(void *state, int key, const char *value, struct ct_err *err)
{
	struct forget_state *s = state;

	(void)value, (void)err;
	s->is_sure |= key == FORGET_YES;
	return 0;
}

static void show(struct writer *w, const struct draft *d, bool is_done)
{
	static const struct writer_column columns[] = {
		{ "what", "file", false },
		{ "to", "becomes", false },
	};

	writer_list(w, "changes", NULL, columns, 2);
	for (size_t i = 0; i < d->journal.n_steps; i++) {
		const struct step *p = &d->journal.steps[i];

		writer_row(w);
		writer_str(w, "what", NULL, p->path);
		writer_str(w, "to", NULL, p->to ? "as without us" : "none");
		writer_end(w);
	}
	writer_end(w);
	for (size_t i = 0; i < d->n_remarks; i++)
		writer_para(w, 0, d->remarks[i]);
	if (is_done)
		writer_u64(w, "number", NULL, d->journal.number);
	writer_str(w, "state", NULL,
		   is_done		? journal_state_name(d->journal.state)
		   : d->journal.n_steps ? "planned"
					: "nothing");
	writer_para(w, 0,
		    is_done ? "They are gone; what holds now holds until the next boot."
		    : d->journal.n_steps ? "Nothing was changed; -y does it."
					 : "Nothing of ours is there.");
}

static int forget(struct forget_state *s, const struct common_options *common, struct host *h)
{
	static const struct txn_options at_once = { 0 };
	struct txn_teller teller = change_log_teller(&s->log);
	auto_free(writer) struct writer *w = cmd_writer(common);
	auto_fini(draft) struct draft d = { 0 };
	struct ct_err err = { "" };
	int r = draft_forget(h, &d, &err);
	bool is_done = r == 0 && s->is_sure && d.journal.n_steps > 0;

	if (!w)
		return EXIT_FAILED;
	if (is_done)
		r = txn_commit(h, &d, &at_once, &teller, &err);
	if (r < 0) {
		cmd_error("%s", err.text);
		return EXIT_FAILED;
	}
	writer_begin(w, "forget", 1);
	show(w, &d, is_done);
	return cmd_finish(w);
}

static int forget_run(void *state, const struct common_options *common, int argc, char **argv)
{
	auto_free(host) struct host *h = NULL;

	if (argc > 0) {
		cmd_error("forget: '%s' is not understood", argv[0]);
		return EXIT_MISUSE;
	}
	h = changes_host(common);
	return h ? forget(state, common, h) : EXIT_FAILED;
}

const struct command command_forget = {
	.name = "forget",
	.summary = "Remove every file and line that apply --persist wrote",
	.options = forget_options,
	.option = forget_option,
	.run = forget_run,
	.state_size = sizeof(struct forget_state),
};
