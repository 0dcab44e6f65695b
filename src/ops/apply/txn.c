/* SPDX-License-Identifier: BSD-2-Clause
 *
 * See txn.h.
 */
#include "ops/apply/txn.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "ops/apply/rise.h"
#include "ops/apply/store.h"
#include "ops/apply/untrack_entries.h"
#include "ops/host/write.h"

#define USUAL_MS     1000 /* how long counters are watched before the change */
#define LOOK_MS	     250  /* how often the watcher looks at the journal */
#define RISE_MS	     1000 /* and at the counters */
#define RETRY_MS     1000 /* after a value could not be taken back */
#define RISE_TIMES   2	  /* so often in a row it takes to take back */
#define WATCH_TRY_MS 10
#define WATCH_TRIES  500 /* until the watcher stands */

static void wait_ms(int ms)
{
	(void)poll(NULL, 0, ms);
}

static void tell(const struct txn_teller *t, enum txn_event event, const struct journal *j,
		 const struct step *p, const char *now)
{
	if (t && t->tell)
		t->tell(t->user, event, j, p, now);
}

static bool is_this_boot(struct host *h, const struct journal *j)
{
	char boot[64];

	return host_boot_id(h, boot, sizeof(boot)) == 0 && strcmp(boot, j->boot) == 0;
}

/* --- taking back --- */

static int undo_step(struct site *s, const struct journal *j, const struct step *p, bool is_forced,
		     const struct txn_teller *t, struct ct_err *err)
{
	enum step_found found = STEP_GONE;
	char now[STEP_NOW] = "";
	int r = 0;

	if (step_is_lasting(p) || is_this_boot(s->machine, j))
		r = step_look(s, j, p, &found, now, err);
	if (r < 0)
		return r;
	switch (found) {
	case STEP_OLD:
		step_clean(s, p);
		return 0;
	case STEP_GONE:
		tell(t, TXN_GONE, j, p, now);
		return 0;
	case STEP_OTHER:
		if (!is_forced) {
			tell(t, TXN_KEPT, j, p, now);
			return 0;
		}
		break;
	case STEP_NEW:
		break;
	}
	r = step_write(s, j, p, true, err);
	if (r == 0)
		tell(t, TXN_RESTORED, j, p, p->from);
	return r;
}

/* Takes back what stands of @j, last write first. One that cannot be taken back does not keep the
 * others; the journal then stays, and the next command tries again. */
static int undo_all(struct site *s, struct journal *j, const char *why, bool is_forced,
		    const struct txn_teller *t, struct ct_err *err)
{
	struct ct_err later = { "" };
	int r, first = 0;

	j->state = JOURNAL_undoing;
	if (!j->why)
		j->why = journal_text(j, why);
	r = store_put(s->machine, j, err);
	if (r < 0)
		return r;
	for (size_t i = j->n_steps; i-- > 0;) {
		r = undo_step(s, j, &j->steps[i], is_forced, t, first ? &later : err);
		first = first ? first : r;
	}
	if (first)
		return ct_err_wrap(err, first, "change %u is not all taken back", j->number);
	j->state = JOURNAL_undone;
	r = store_put(s->machine, j, err);
	if (r == 0)
		tell(t, TXN_UNDONE, j, NULL, j->why);
	return r;
}

/* Why a change that is not over must be taken back now, or null. The lock is held, so whoever was
 * writing is no more. */
static const char *why_undo(struct host *h, const struct journal *j)
{
	int64_t now = 0;

	switch (j->state) {
	case JOURNAL_kept:
	case JOURNAL_undone:
		return NULL;
	case JOURNAL_undoing:
		return "taking it back was interrupted";
	case JOURNAL_writing:
		return "it was interrupted before it was all written";
	case JOURNAL_waiting:
	case JOURNAL_STATES:
		break;
	}
	if (!is_this_boot(h, j))
		return "the machine was started again before it was confirmed";
	(void)host_uptime_ms(h, &now);
	return now >= j->deadline_ms ? "it was not confirmed in time" : NULL;
}

static int recover_all(struct site *s, const struct txn_teller *t, struct ct_err *err)
{
	auto_memory unsigned *numbers = NULL;
	struct ct_err later = { "" };
	int r, first = 0;
	size_t n;

	r = store_list(s->machine, &numbers, &n);
	if (r < 0)
		return ct_err_set(err, r, STORE_DIR ": %s", strerror(-r));
	/* The youngest first, as each was made on top of the older ones. */
	while (n-- > 0) {
		auto_fini(journal) struct journal j = { 0 };
		const char *why;

		r = store_get(s->machine, numbers[n], &j, first ? &later : err);
		why = r == 0 ? why_undo(s->machine, &j) : NULL;
		if (why)
			r = undo_all(s, &j, why, false, t, first ? &later : err);
		/* A folder without a journal: nothing was written yet. */
		if (r < 0 && r != -ENOENT)
			first = first ? first : r;
	}
	return first;
}

int txn_recover(struct host *machine, const struct txn_teller *t, struct ct_err *err)
{
	auto_fd int lock = store_lock(machine, true, err);
	auto_fini(site) struct site s = { .machine = machine };

	return lock < 0 ? lock : recover_all(&s, t, err);
}

/* The newest change in one of two states; 0 when there is none. */
static int newest(struct host *h, enum journal_state one, enum journal_state other,
		  struct journal *out, struct ct_err *err)
{
	auto_memory unsigned *numbers = NULL;
	size_t n;
	int r = store_list(h, &numbers, &n);

	while (r == 0 && n-- > 0) {
		r = store_get(h, numbers[n], out, err);
		if (r == 0 && (out->state == one || out->state == other))
			return (int)out->number;
		journal_fini(out);
		r = r == -ENOENT ? 0 : r;
	}
	return r;
}

int txn_undo(struct host *machine, unsigned number, bool is_forced, const struct txn_teller *t,
	     struct ct_err *err)
{
	auto_fd int lock = store_lock(machine, true, err);
	auto_fini(site) struct site s = { .machine = machine };
	auto_fini(journal) struct journal j = { 0 };
	int r = lock;

	if (r >= 0 && number)
		r = store_get(machine, number, &j, err);
	else if (r >= 0) {
		r = newest(machine, JOURNAL_waiting, JOURNAL_kept, &j, err);
		if (r == 0)
			r = ct_err_set(err, -ENOENT, "there is no change to take back");
	}
	if (r < 0)
		return r;
	if (j.state == JOURNAL_undone && !is_forced)
		return ct_err_set(err, -ENOENT, "change %u was taken back already (%s)", j.number,
				  j.why ? j.why : "");
	return undo_all(&s, &j, "undo was asked for", is_forced, t, err);
}

/* --- confirming --- */

/* What cannot be taken back comes last, when nothing else can be either. */
static void clear_table(struct site *s, const struct journal *j, const struct txn_teller *t)
{
	char text[48];
	uint64_t n = untrack_entries(s, j);

	(void)snprintf(text, sizeof(text), "%llu removed", (unsigned long long)n);
	if (n)
		tell(t, TXN_REMOVED, j, NULL, text);
}

int txn_confirm(struct host *machine, unsigned *number, const struct txn_teller *t,
		struct ct_err *err)
{
	auto_fd int lock = store_lock(machine, true, err);
	auto_fini(site) struct site s = { .machine = machine };
	auto_fini(journal) struct journal j = { 0 };
	int r = lock < 0 ? lock : newest(machine, JOURNAL_waiting, JOURNAL_waiting, &j, err);

	if (r == 0)
		return ct_err_set(err, -ENOENT, "no change waits to be confirmed");
	if (r < 0)
		return r;
	if (why_undo(machine, &j))
		return ct_err_set(err, -ETIME, "change %u: %s", j.number, why_undo(machine, &j));
	j.state = JOURNAL_kept;
	*number = j.number;
	r = store_put(machine, &j, err);
	if (r == 0)
		clear_table(&s, &j, t);
	return r;
}

/* --- making --- */

int txn_begin(struct ct_err *err)
{
	int r = host_give_up_rights();

	return r < 0 ? ct_err_set(err, r, "rights cannot be given up: %s", strerror(-r)) : 0;
}

static int save_texts(struct host *h, const struct draft *d, struct ct_err *err)
{
	for (size_t i = 0; i < d->n_texts; i++) {
		const struct draft_text *t = &d->texts[i];
		int r = store_put_text(h, d->journal.number, t->name, t->text.p ? t->text.p : "",
				       t->text.len);

		if (r < 0)
			return ct_err_set(err, r, "the undo cannot be saved: %s", strerror(-r));
	}
	return 0;
}

/* Everything still is as it was shown. */
static int look_all(struct site *s, const struct journal *j, struct ct_err *err)
{
	for (size_t i = 0; i < j->n_steps; i++) {
		const struct step *p = &j->steps[i];
		enum step_found found;
		char now[STEP_NOW];
		int r = step_look(s, j, p, &found, now, err);

		if (r < 0)
			return r;
		if (found != STEP_OLD)
			return ct_err_set(err, -ESTALE,
					  "%s is %s now: somebody changed it at this very moment",
					  p->what, now[0] ? now : "gone");
	}
	return 0;
}

/* Starts the watcher and waits until it stands. Where systemd rules, the login session's group of
 * processes may be ended with the session, so there it is a service of its own. */
static int start_watcher(struct host *h, const struct journal *j, struct ct_err *err)
{
	char number[16], unit[48], self[4096];
	const char *const argv[] = { "conntune", "recover", "--watch", number, NULL };
	const char *const unit_argv[] = { "systemd-run", "--quiet", "--collect", "--no-block",
					  unit,		 "--",	    self,	 "recover",
					  "--watch",	 number,    NULL };
	auto_fini(ct_buf) struct ct_buf out = { 0 };
	auto_fini(ct_buf) struct ct_buf exe = { 0 };
	struct host_stat st;
	int r = -ENOENT;

	(void)snprintf(number, sizeof(number), "%u", j->number);
	(void)snprintf(unit, sizeof(unit), "--unit=conntune-watch-%u", j->number);
	if (host_stat(h, "/run/systemd/system", &st) == 0 &&
	    host_readlink(h, "/proc/self/exe", &exe) == 0) {
		(void)snprintf(self, sizeof(self), "%s", exe.p);
		r = host_command(h, "systemd-run", unit_argv, 10000, &out, NULL);
	}
	if (r < 0)
		r = host_start_self(h, argv);
	for (int i = 0; r == 0 && i < WATCH_TRIES; i++) {
		if (store_is_watched(h, j->number))
			return 0;
		wait_ms(WATCH_TRY_MS);
	}
	return ct_err_set(err, r < 0 ? r : -ETIME,
			  "the watcher, which would take the change back, did not start");
}

static int write_all(struct site *s, struct journal *j, const struct txn_teller *t,
		     struct ct_err *err)
{
	for (size_t i = 0; i < j->n_steps; i++) {
		int r = step_write(s, j, &j->steps[i], false, err);

		if (r < 0)
			return r;
		tell(t, TXN_WRITTEN, j, &j->steps[i], j->steps[i].to);
	}
	return 0;
}

/* What the counters do when nothing is changed. */
static void measure_usual(struct site *s, struct journal *j, const struct journal_bounds *more)
{
	struct rise a, b;

	if (!more->drop && !more->invalid && !more->reset)
		return;
	rise_read(s, j, &a);
	wait_ms(USUAL_MS);
	rise_read(s, j, &b);
	rise_limits(&a, &b, more, &j->bounds);
}

static int settle(struct host *h, struct journal *j, struct ct_err *err)
{
	int64_t now;
	int r;

	j->state = JOURNAL_kept;
	if (j->within_s) {
		r = host_uptime_ms(h, &now);
		if (r < 0)
			return ct_err_set(err, r, "the clock cannot be read");
		j->state = JOURNAL_waiting;
		j->deadline_ms = now + (int64_t)j->within_s * 1000;
	}
	return store_put(h, j, err);
}

static int fill_head(struct host *h, struct journal *j, uint32_t within_s)
{
	char boot[64];
	ct_time now = 0;
	int r = host_boot_id(h, boot, sizeof(boot));

	(void)host_now(h, &now);
	j->made_at = now / 1000000000;
	j->within_s = within_s;
	j->state = JOURNAL_writing;
	j->boot = r < 0 ? NULL : journal_text(j, boot);
	return r < 0 ? r : j->boot ? 0 : -ENOMEM;
}

/* Nothing else may be under way: neither interrupted nor waiting. */
static int clear_the_way(struct site *s, const struct txn_teller *t, struct ct_err *err)
{
	auto_fini(journal) struct journal other = { 0 };
	int r = recover_all(s, t, err);

	r = r < 0 ? r : newest(s->machine, JOURNAL_waiting, JOURNAL_waiting, &other, err);
	return r <= 0 ? r
		      : ct_err_set(err, -EBUSY,
				   "change %u waits to be confirmed: 'conntune confirm' keeps it, "
				   "'conntune undo' takes it back",
				   other.number);
}

static int begin(struct site *s, struct draft *d, struct ct_err *err)
{
	struct journal *j = &d->journal;
	int r = store_add(s->machine, j, err);

	r = r < 0 ? r : save_texts(s->machine, d, err);
	r = r < 0 ? r : look_all(s, j, err);
	return r < 0 ? r : store_put(s->machine, j, err);
}

int txn_commit(struct host *machine, struct draft *d, const struct txn_options *o,
	       const struct txn_teller *t, struct ct_err *err)
{
	auto_fd int lock = store_lock(machine, false, err);
	auto_fini(site) struct site s = { .machine = machine };
	struct journal *j = &d->journal;
	struct ct_err failed = { "" };
	int r = lock < 0 ? lock : clear_the_way(&s, t, err);

	if (r < 0)
		return r;
	r = fill_head(machine, j, o->within_s);
	if (r < 0)
		return ct_err_set(err, r, "this boot has no name: %s", strerror(-r));
	if (o->within_s)
		measure_usual(&s, j, &o->bounds);
	r = begin(&s, d, err);
	if (r < 0) {
		if (j->number)
			store_drop(machine, j->number);
		return r;
	}
	r = start_watcher(machine, j, err);
	r = r < 0 ? r : write_all(&s, j, t, err);
	r = r < 0 ? r : settle(machine, j, err);
	if (r < 0)
		(void)undo_all(&s, j, "a write failed", false, t, &failed);
	else if (j->state == JOURNAL_kept)
		clear_table(&s, j, t);
	return r;
}

/* --- watching --- */

/* Looks at the journal afresh under the lock; takes the change back for @why, or for a reason of
 * its own. True when it is over. */
static bool take_back(struct site *s, unsigned number, const char *why, struct ct_err *err)
{
	auto_fd int lock = store_lock(s->machine, true, err);
	auto_fini(journal) struct journal j = { 0 };
	const char *own;

	if (lock < 0 || store_get(s->machine, number, &j, err) < 0)
		return lock >= 0;
	own = why_undo(s->machine, &j);
	if (own || (why && j.state == JOURNAL_waiting))
		(void)undo_all(s, &j, own ? own : why, false, NULL, err);
	return j.state == JOURNAL_kept || j.state == JOURNAL_undone;
}

/* Whether the journal still waits, with the limits that hold. */
static bool still_waits(struct site *s, unsigned number, struct journal *j)
{
	journal_fini(j);
	return store_get(s->machine, number, j, NULL) == 0 && j->state == JOURNAL_waiting &&
	       !why_undo(s->machine, j);
}

/* Returns when the change no longer waits; false when it did not at all. */
static bool watch_counters(struct site *s, unsigned number, struct ct_err *err)
{
	auto_fini(journal) struct journal j = { 0 };
	struct rise a = { 0 }, b;
	char why[160] = "";
	int times = 0;

	while (still_waits(s, number, &j)) {
		if (a.at_ms == 0)
			rise_read(s, &j, &a);
		wait_ms(LOOK_MS);
		(void)host_uptime_ms(s->machine, &b.at_ms);
		if (b.at_ms - a.at_ms < RISE_MS)
			continue;
		rise_read(s, &j, &b);
		times = rise_exceeds(&a, &b, &j.bounds, why) ? times + 1 : 0;
		a = b;
		if (times == RISE_TIMES)
			(void)take_back(s, number, why, err);
	}
	return a.at_ms != 0;
}

int txn_watch(struct host *machine, unsigned number, struct ct_err *err)
{
	auto_fd int watch = store_lock_watch(machine, number);
	auto_fini(site) struct site s = { .machine = machine };

	if (watch < 0)
		return ct_err_set(err, watch, "change %u: %s", number, strerror(-watch));
	/* Waits for whoever writes, to its end or its kill. */
	while (!take_back(&s, number, NULL, err))
		if (!watch_counters(&s, number, err))
			wait_ms(RETRY_MS);
	return 0;
}
