/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Rules of iptables, put in by one restore and known by their comment. They are taken out as they
 * stand then, so rules that others wrote meanwhile stay.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ops/apply/inner.h"
#include "ops/apply/store.h"
#include "ops/apply/untrack.h"

#define TIMEOUT_MS 20000

static int read_rules(struct host *h, const struct step *p, struct ct_buf *out, struct ct_err *err)
{
	char name[64];
	const char *argv[] = { name, NULL };
	int r;

	(void)snprintf(name, sizeof(name), "%.50s-save", p->path);
	r = host_command(h, name, argv, TIMEOUT_MS, out, NULL);
	return r < 0 ? ct_err_set(err, r, "%s: %s", name, strerror(-r)) : 0;
}

/* Our comment and how often it is to be there, out of what was to be restored. */
static int read_tag(struct host *h, const struct journal *j, const struct step *p, char tag[32],
		    unsigned *n)
{
	auto_fini(ct_buf) struct ct_buf text = { 0 };
	int r = store_get_text(h, j->number, p->to, &text);
	const char *at = r == 0 ? strstr(text.p, UNTRACK_TAG) : NULL;

	if (!at)
		return r < 0 && r != -ENOENT ? r : -EIO;
	(void)snprintf(tag, 32, "%.*s", (int)strcspn(at, "\" \n"), at);
	*n = 0;
	for (at = text.p; (at = strstr(at, tag)) != NULL; at += strlen(tag))
		(*n)++;
	return 0;
}

static int look(struct host *h, const struct journal *j, const struct step *p, enum step_found *out,
		char now[STEP_NOW], struct ct_err *err)
{
	auto_fini(ct_buf) struct ct_buf rules = { 0 }, removal = { 0 };
	unsigned n_wanted, n;
	char tag[32];
	int r = read_tag(h, j, p, tag, &n_wanted);

	if (r < 0)
		return ct_err_set(err, r, "what was saved of the rules: %s", strerror(-r));
	r = read_rules(h, p, &rules, err);
	r = r < 0 ? r : untrack_removal(rules.p, tag, &removal, &n);
	if (r < 0)
		return r;
	/* Some left of them: ours still, and to be removed. */
	*out = n == 0 ? STEP_OLD : STEP_NEW;
	(void)snprintf(now, STEP_NOW, "%u of %u rules", n, n_wanted);
	return 0;
}

static int restore(struct host *h, const struct journal *j, const struct step *p, const char *name,
		   struct ct_err *err)
{
	char program[64], file[160];
	const char *argv[] = { program, "--wait=5", "--noflush", file, NULL };
	auto_fini(ct_buf) struct ct_buf out = { 0 };
	int status = 0, r;

	(void)snprintf(program, sizeof(program), "%.48s-restore", p->path);
	(void)snprintf(file, sizeof(file), STORE_DIR "/changes/%u/%.60s", j->number, name);
	r = host_command(h, program, argv, TIMEOUT_MS, &out, &status);
	if (r == -EIO)
		return ct_err_set(err, r, "%s does not take the rules (status %d): %s", program,
				  status, file);
	return r < 0 ? ct_err_set(err, r, "%s: %s", program, strerror(-r)) : 0;
}

static int remove_rules(struct host *h, const struct journal *j, const struct step *p,
			struct ct_err *err)
{
	auto_fini(ct_buf) struct ct_buf rules = { 0 }, removal = { 0 };
	unsigned n_wanted, n;
	char tag[32], name[80];
	int r = read_tag(h, j, p, tag, &n_wanted);

	r = r < 0 ? r : read_rules(h, p, &rules, err);
	r = r < 0 ? r : untrack_removal(rules.p, tag, &removal, &n);
	if (r < 0 || n == 0)
		return r;
	(void)snprintf(name, sizeof(name), "%.60s.removal", p->to);
	r = store_put_text(h, j->number, name, removal.p, removal.len);
	return r < 0 ? r : restore(h, j, p, name, err);
}

/* All of them or an error: a restore of several tables is one step only with nf_tables. */
static int put_rules(struct host *h, const struct journal *j, const struct step *p,
		     struct ct_err *err)
{
	auto_fini(ct_buf) struct ct_buf rules = { 0 }, removal = { 0 };
	unsigned n_wanted, n = 0;
	char tag[32];
	int r = restore(h, j, p, p->to, err);

	r = r < 0 ? r : read_tag(h, j, p, tag, &n_wanted);
	r = r < 0 ? r : read_rules(h, p, &rules, err);
	r = r < 0 ? r : untrack_removal(rules.p, tag, &removal, &n);
	if (r == 0 && n != n_wanted)
		r = ct_err_set(err, -EIO, "%u of %u rules are there", n, n_wanted);
	return r;
}

static int write_rules(struct host *h, const struct journal *j, const struct step *p, bool is_undo,
		       struct ct_err *err)
{
	return is_undo ? remove_rules(h, j, p, err) : put_rules(h, j, p, err);
}

const struct step_ops step_rules_ops = { .look = look, .write = write_rules };
