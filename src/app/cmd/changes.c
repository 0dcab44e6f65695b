/* SPDX-License-Identifier: BSD-2-Clause
 *
 * See changes.h.
 */
#include "app/cmd/changes.h"

#include <stdio.h>
#include <string.h>

static const char *const event_names[] = {
	[TXN_WRITTEN] = "written", [TXN_RESTORED] = "restored", [TXN_KEPT] = "left",
	[TXN_GONE] = "gone",	   [TXN_UNDONE] = "taken back", [TXN_REMOVED] = "cleared",
};

static void note(void *user, enum txn_event event, const struct journal *j, const struct step *p,
		 const char *now)
{
	struct change_log *log = user;
	struct change_event *e = &log->at[log->n];

	log->has_foreign |= event == TXN_KEPT;
	if (log->n == sizeof(log->at) / sizeof(log->at[0]))
		return;
	log->n++;
	e->event = event;
	e->number = j->number;
	(void)snprintf(e->what, sizeof(e->what), "%s",
		       p		      ? p->what
		       : event == TXN_REMOVED ? "entries"
					      : "the change");
	(void)snprintf(e->now, sizeof(e->now), "%s", now ? now : "");
	if (event == TXN_KEPT)
		(void)snprintf(e->now, sizeof(e->now), "%.80s, which is not ours: left so", now);
	else if (event == TXN_GONE)
		(void)snprintf(e->now, sizeof(e->now), "ended with its namespace or boot");
	else if (p && p->kind == STEP_rules)
		(void)snprintf(e->now, sizeof(e->now), "%s (%s)",
			       event == TXN_WRITTEN ? "rules put in" : "rules taken out", p->path);
	else if (p && p->kind == STEP_file)
		(void)snprintf(e->now, sizeof(e->now), "%s",
			       event == TXN_WRITTEN ? "written"
			       : p->from	    ? "as before"
						    : "removed");
}

struct txn_teller change_log_teller(struct change_log *log)
{
	return (struct txn_teller){ .tell = note, .user = log };
}

void change_log_write(struct writer *w, const struct change_log *log)
{
	static const struct writer_column columns[] = {
		{ "number", "change", true },
		{ "event", "event", false },
		{ "what", "what", false },
		{ "now", "now", false },
	};

	if (log->n == 0)
		return;
	writer_list(w, "events", NULL, columns, 4);
	for (size_t i = 0; i < log->n; i++) {
		const struct change_event *e = &log->at[i];

		writer_row(w);
		writer_u64(w, "number", NULL, e->number);
		writer_str(w, "event", NULL, event_names[e->event]);
		writer_str(w, "what", NULL, e->what);
		writer_str(w, "now", NULL, e->now);
		writer_end(w);
	}
	writer_end(w);
}

const char *change_value(const struct step *p, const char *value)
{
	if (p->kind == STEP_setting)
		return value;
	if (p->kind == STEP_rules)
		return value == p->to ? "rules" : "";
	return value ? "a file" : "none";
}

struct host *changes_host(const struct common_options *common)
{
	struct host *h = cmd_host(common);
	struct ct_err err = { "" };

	if (!h)
		return NULL;
	if (host_is_live(h) && txn_begin(&err) == 0)
		return h;
	if (host_is_live(h)) {
		cmd_error("%s", err.text);
		host_free(h);
		return NULL;
	}
	cmd_error("%s is a copied machine, and a copy is never written to", common->root);
	host_free(h);
	return NULL;
}

int changes_finish(const struct common_options *common, const char *schema,
		   const struct change_log *log, unsigned number, const char *sentence)
{
	auto_free(writer) struct writer *w = cmd_writer(common);

	if (!w)
		return EXIT_FAILED;
	writer_begin(w, schema, 1);
	if (number)
		writer_u64(w, "number", NULL, number);
	change_log_write(w, log);
	if (sentence && !common->is_json)
		writer_para(w, 0, sentence);
	return cmd_finish(w);
}
