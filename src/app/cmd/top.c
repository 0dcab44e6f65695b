/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conntune top: who holds the entries of the table. Only what the keys need is decoded; a group
 * costs a few bytes, an entry none.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "app/cmd/cmd.h"
#include "app/cmd/entry_timeouts.h"
#include "app/cmd/top.h"
#include "app/cmd/via.h"
#include "lib/base/number.h"
#include "lib/ct/entry_match.h"
#include "ops/host/netns.h"
#include "ops/table/filter.h"
#include "ops/table/look.h"
#include "ops/table/table.h"
#include "ops/table/tally.h"

#define MAX_NETNS 65536

/* Keys of conditions are their number and one. */
enum top_key {
	TOP_BY = CT_MATCH_FIELDS + 1,
	TOP_LIMIT,
	TOP_FROM,
	TOP_PARALLEL,
	TOP_VIA,
	TOP_EVERY,
	TOP_TIMES,
};

static const struct option_spec top_options[] = {
	{ "by", 'b', "KEY[,KEY...]", TOP_BY,
	  "src, dst, sport, dport, service (default), proto, state, zone, mark, status, family, "
	  "idle, netns" },
	{ "limit", 'n', "N", TOP_LIMIT, "show the N largest groups (default 20, 0 for all)" },
	{ "from", 0, "FILE", TOP_FROM, "read a listing or a recorded dump instead; - is stdin" },
	{ "parallel", 0, NULL, TOP_PARALLEL,
	  "read with several processors: sooner done; by netlink two dumps, more work in all" },
	{ "via", 0, VIA_VALUE, TOP_VIA, VIA_HELP },
	{ "every", 0, "SECONDS", TOP_EVERY, "look again and again, this long apart" },
	{ "times", 0, "N", TOP_TIMES, "end after N looks" },
#define MATCH(name, option, value, help) { option, 0, value, CT_MATCH_##name + 1, help },
#include "lib/ct/entry_match.def"
#undef MATCH
	{ NULL, 0, NULL, 0, NULL },
};

static int add_keys(struct tally_options *by, const char *value, struct ct_err *err)
{
	for (const char *at = value;; at++) {
		size_t len = strcspn(at, ",");
		int key = tally_key_find(at, len);

		if (key < 0)
			return ct_err_set(err, -EINVAL,
					  "--by: no key '%.*s'; see 'conntune top --help'",
					  (int)len, at);
		if (by->n_keys == TALLY_MAX_KEYS)
			return ct_err_set(err, -EINVAL, "--by takes at most %d keys",
					  TALLY_MAX_KEYS);
		by->keys[by->n_keys++] = (enum tally_key)key;
		at += len;
		if (*at == '\0')
			return 0;
	}
}

/* Seconds, with a fraction or without. */
static int parse_every(const char *value, uint64_t *ms, struct ct_err *err)
{
	char *end;
	double seconds = strtod(value, &end);

	if (end == value || *end || !(seconds >= 0) || seconds > 86400)
		return ct_err_set(err, -EINVAL, "--every: '%s' is not a number of seconds", value);
	*ms = (uint64_t)(seconds * 1000);
	return 0;
}

static int top_option(void *user, int key, const char *value, struct ct_err *err)
{
	struct top_state *s = user;

	if (key <= CT_MATCH_FIELDS)
		return ct_match_add(&s->match, (enum ct_match_field)(key - 1), value, err);
	switch ((enum top_key)key) {
	case TOP_BY:
		return add_keys(&s->by, value, err);
	case TOP_LIMIT:
		if (ct_number_u64(value, strlen(value), UINT32_MAX, &s->limit) < 0)
			return ct_err_set(err, -EINVAL, "--limit: '%s' is not a number", value);
		s->is_limit_set = true;
		return 0;
	case TOP_FROM:
		s->from = value;
		return 0;
	case TOP_PARALLEL:
		s->is_parallel = true;
		return 0;
	case TOP_VIA:
		return via_parse(value, &s->via, err);
	case TOP_EVERY:
		s->is_repeated = true;
		return parse_every(value, &s->every_ms, err);
	case TOP_TIMES:
		s->is_repeated = true;
		if (ct_number_u64(value, strlen(value), UINT32_MAX, &s->times) < 0 || !s->times)
			return ct_err_set(err, -EINVAL, "--times: '%s' is not a number from 1 on",
					  value);
		return 0;
	}
	return -EINVAL;
}

static bool has_key(const struct tally_options *by, enum tally_key key)
{
	for (unsigned i = 0; i < by->n_keys; i++)
		if (by->keys[i] == key)
			return true;
	return false;
}

static uint32_t timeout_of(const void *user, const struct ct_entry *e)
{
	const struct top_run *run = user;

	return entry_timeout_s(&run->timeouts, e);
}

static bool is_meant(void *user, const struct ct_entry *e)
{
	const struct top_run *run = user;
	struct ct_match_times times = entry_times(&run->timeouts, e);

	return ct_match_entry(&run->state->match, e, &times);
}

static bool needs_timeouts(const struct top_state *s)
{
	return has_key(&s->by, TALLY_IDLE) || ct_match_has(&s->match, CT_MATCH_IDLE);
}

/* Makes room for one more table. */
static struct top_part *add_part(struct top_run *run, const char *name, uint64_t inode)
{
	struct top_part *parts;

	if (run->n_parts == MAX_NETNS)
		return NULL;
	parts = realloc(run->parts, (run->n_parts + 1) * sizeof(*parts));
	if (!parts)
		return NULL;
	run->parts = parts;
	parts[run->n_parts] = (struct top_part){ .inode = inode };
	(void)snprintf(parts[run->n_parts].name, sizeof(parts->name), "%s", name);
	return &parts[run->n_parts++];
}

/* Counts a whole file, which this takes over. */
static int count(struct top_run *run, struct table *table)
{
	auto_free(table) struct table *t = table;
	struct top_part *part = add_part(run, "", 0);
	struct ct_err err = { "" };
	struct ct_entry e;
	int r;

	if (!part)
		return -ENOMEM;
	while ((r = table_next(t, &e, &err)) > 0)
		if ((!run->state->match.fields || is_meant(run, &e)) &&
		    tally_add(run->tally, &e, 0) < 0)
			return -ENOMEM;
	table_info(t, &part->info);
	if (r < 0) {
		part->info.is_whole = false;
		(void)snprintf(part->info.why_not, sizeof(part->info.why_not), "%.*s", 250,
			       err.text);
	}
	return 0;
}

static int count_file(struct top_run *run, struct host *h)
{
	const char *path = run->state->from;
	bool is_stdin = strcmp(path, "-") == 0;
	int fd = is_stdin ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC), r;
	struct ct_err err = { "" };
	struct table *t;

	if (fd < 0) {
		cmd_error("%s: %s", path, strerror(errno));
		return EXIT_FAILED;
	}
	if (needs_timeouts(run->state))
		entry_timeouts_read(h, &run->timeouts);
	r = table_open_file(fd, is_stdin ? "standard input" : path,
			    tally_want(&run->state->by) | ct_match_want(&run->state->match), &t,
			    &err);
	if (r < 0) {
		cmd_error("%s", err.text);
		return EXIT_FAILED;
	}
	r = count(run, t);
	if (r < 0)
		cmd_error("%s", strerror(-r));
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

/* Shows what was counted, and begins anew. */
static int show(struct top_run *run)
{
	int written = top_write(run), whole = top_tell_missing(run);

	/* The next look may be long in coming. */
	if (written == EXIT_DONE && fflush(stdout) != 0) {
		cmd_error("standard output: %s", strerror(errno));
		written = EXIT_FAILED;
	}
	run->n_looks++;
	run->n_parts = 0;
	tally_free(run->tally);
	run->tally = NULL;
	if (tally_new(&run->state->by, &run->tally) < 0) {
		cmd_error("out of memory");
		return EXIT_FAILED;
	}
	return written != EXIT_DONE ? written : whole;
}

/* Whether there is another look, for which it waits. */
static bool is_next(const struct top_run *run)
{
	const struct top_state *s = run->state;
	struct timespec rest = { .tv_sec = (time_t)(s->every_ms / 1000),
				 .tv_nsec = (long)(s->every_ms % 1000) * 1000000 };

	if (!s->is_repeated || (s->times && run->n_looks >= s->times))
		return false;
	while (nanosleep(&rest, &rest) < 0 && errno == EINTR)
		;
	return true;
}

static void set_look(struct top_run *run, struct look_options *o)
{
	const struct top_state *s = run->state;

	o->table.want = ct_match_want(&s->match);
	o->table.allow_proc = true;
	o->table.is_parallel = s->is_parallel;
	o->table.via = s->via;
	o->by = &s->by;
	o->is_meant = s->match.fields ? is_meant : NULL;
	o->user = run;
}

/* Counts the table of one namespace, and shows it where it is the only one. */
static int look_at(struct top_run *run, struct host *h, struct look *l, const char *name)
{
	struct ct_err err = { "" };
	int code = EXIT_DONE;

	do {
		struct top_part *part = add_part(run, name, 0);

		if (!part) {
			cmd_error("out of memory");
			return EXIT_FAILED;
		}
		if (needs_timeouts(run->state))
			entry_timeouts_read(h, &run->timeouts);
		(void)look_again(l, run->tally, &part->info, &err);
		if (run->is_many)
			return EXIT_DONE;
		code = show(run);
	} while (is_next(run));
	return code;
}

static int visit(void *user, struct host *h, const struct netns *ns)
{
	struct top_run *run = user;
	auto_free(look) struct look *l = NULL;
	struct look_options o = { .netns = (uint32_t)run->n_parts };
	struct nl_filter filter;
	struct ct_err err = { "" };
	char name[64] = "";

	if (ns)
		cmd_netns_name(ns, name, sizeof(name));
	if (needs_timeouts(run->state))
		entry_timeouts_read(h, &run->timeouts);
	set_look(run, &o);
	if (table_filter_of(&run->state->match, &filter))
		o.table.filter = &filter;
	if (via_look(run->common, h, &o, &l, &err) < 0) {
		cmd_error("%s%s%s", name, name[0] ? ": " : "", err.text);
		return EXIT_FAILED;
	}
	return look_at(run, h, l, name);
}

/* A namespace that entries were found in. One that nobody can enter has no name. */
static uint32_t netns_of(void *user, uint32_t inode, uint64_t n)
{
	struct top_run *run = user;
	struct top_part *part = NULL;
	char name[32];

	for (size_t i = 0; i < run->n_parts && !part; i++)
		if (run->parts[i].inode == inode)
			part = &run->parts[i];
	if (!part) {
		(void)snprintf(name, sizeof(name), "net:[%" PRIu32 "]", inode);
		part = add_part(run, name, inode);
	}
	if (!part)
		return 0;
	part->info.n_entries += n;
	return (uint32_t)(part - run->parts);
}

static int list_part(void *user, struct host *h, const struct netns *ns)
{
	char name[64];

	(void)h;
	cmd_netns_name(ns, name, sizeof(name));
	return add_part(user, name, ns->inode) ? EXIT_DONE : EXIT_FAILED;
}

/* What one walk over the tables of all namespaces said of each. */
static void spread(struct top_run *run, const struct table_info *info)
{
	for (size_t i = 0; i < run->n_parts; i++) {
		uint64_t n = run->parts[i].info.n_entries;

		run->parts[i].info = *info;
		run->parts[i].info.n_entries = n;
	}
}

/* Counts all namespaces in one walk. -EOPNOTSUPP when that cannot be done. */
static int look_at_all(struct top_run *run, struct host *h, int *code)
{
	auto_free(look) struct look *l = NULL;
	struct look_options o = { .netns_of = netns_of };
	struct table_info info = { 0 };
	struct ct_err err = { "" };
	int r;

	/* Idle times are reckoned from the timeouts of each. */
	if (needs_timeouts(run->state) || run->state->match.fields)
		return -EOPNOTSUPP;
	set_look(run, &o);
	r = look_open(h, &o, &l, &err);
	if (r < 0)
		return r;
	do {
		int shown;

		*code = cmd_each_netns(run->common, h, list_part, run);
		(void)look_again(l, run->tally, &info, &err);
		spread(run, &info);
		shown = show(run);
		*code = *code == EXIT_DONE ? shown : *code;
	} while (is_next(run));
	return 0;
}

static int look_at_each(struct top_run *run, struct host *h)
{
	int code;

	do {
		code = cmd_each_netns(run->common, h, visit, run);
		if (run->n_parts > 0) {
			int shown = show(run);

			code = code == EXIT_DONE ? shown : code;
		}
	} while (is_next(run));
	return code;
}

static int look(struct top_run *run, struct host *h)
{
	int code = EXIT_DONE;

	if (run->state->from) {
		code = count_file(run, h);
		if (run->n_parts > 0) {
			int shown = show(run);

			code = code == EXIT_DONE ? shown : code;
		}
		return code;
	}
	if (!run->is_many)
		return cmd_each_netns(run->common, h, visit, run);
	return look_at_all(run, h, &code) == 0 ? code : look_at_each(run, h);
}

static int top_run(void *user, const struct common_options *common, int argc, char **argv)
{
	struct top_state *s = user;
	struct top_run run = { .state = s, .common = common };
	auto_free(host) struct host *h = NULL;
	int code;

	if (argc > 0) {
		cmd_error("top: '%s' is not understood", argv[0]);
		return EXIT_MISUSE;
	}
	if (s->from && s->is_repeated) {
		cmd_error("top: a file does not change: --from, and --every or --times");
		return EXIT_MISUSE;
	}
	if (s->by.n_keys == 0)
		s->by.keys[s->by.n_keys++] = TALLY_SERVICE;
	s->by.timeout_s = timeout_of;
	s->by.user = &run;
	if (getrandom(&s->by.seed, sizeof(s->by.seed), 0) < 0)
		s->by.seed = (uint64_t)getpid();
	h = cmd_host(common);
	if (!h)
		return EXIT_FAILED;
	if (tally_new(&s->by, &run.tally) < 0) {
		cmd_error("out of memory");
		return EXIT_FAILED;
	}
	run.is_many = common->netns && strcmp(common->netns, "all") == 0;
	code = look(&run, h);
	tally_free(run.tally);
	free(run.parts);
	return code;
}

const struct command command_top = {
	.name = "top",
	.summary = "Show who holds the entries of the table",
	.options = top_options,
	.option = top_option,
	.run = top_run,
	.state_size = sizeof(struct top_state),
};
