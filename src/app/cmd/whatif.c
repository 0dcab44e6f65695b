/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conntune whatif: the effect of a change before it is made, from one look at the table.
 */
#include "app/cmd/whatif.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "app/cmd/via.h"
#include "app/cmd/whatif_traffic.h"
#include "lib/base/number.h"
#include "ops/host/netns.h"
#include "ops/table/table.h"

#define DEFAULT_LIMIT 10
#define MAX_LIMIT     1000

enum whatif_key {
	KEY_SET = 1,
	KEY_NOTRACK,
	KEY_GROWTH,
	KEY_FROM,
	KEY_VIA,
	KEY_LIMIT,
	KEY_TRAFFIC,
	KEY_SWEEP
};

struct whatif_state {
	struct change change;
	const char *from;
	enum table_via via;
	bool has_via;
	unsigned limit; /* 0 is "not given" */
	struct whatif_traffic traffic;
};

static const struct option_spec whatif_options[] = {
	{ "set", 's', "NAME=VALUE", KEY_SET,
	  "a timeout, nf_conntrack_max or nf_conntrack_buckets as it would be; again for more" },
	{ "notrack", 0, "CONDITIONS", KEY_NOTRACK,
	  "connections that would not be tracked: 'tcp dport 6379'; again for more" },
	{ "growth", 'g', "FACTOR", KEY_GROWTH, "so many times the connections: 3x, 1.5, +20%" },
	{ "from", 0, "FILE", KEY_FROM, "read a listing or a recorded dump instead; - is stdin" },
	{ "via", 0, VIA_VALUE, KEY_VIA, VIA_HELP },
	{ "traffic", 't', "FILE", KEY_TRAFFIC,
	  "judge by a capture or an event recording instead of the table; again for more" },
	{ "sweep", 0, "NAME=VALUES", KEY_SWEEP,
	  "with --traffic: a setting and the values to try, max=65536,131072; again for more" },
	{ "limit", 'n', "N", KEY_LIMIT, "show the N largest services (10)" },
	{ NULL, 0, NULL, 0, NULL },
};

static int whatif_option(void *state, int key, const char *value, struct ct_err *err)
{
	struct whatif_state *s = state;
	uint64_t n;

	switch ((enum whatif_key)key) {
	case KEY_SET:
		return change_add_set(&s->change, value, err);
	case KEY_NOTRACK:
		return change_add_notrack(&s->change, value, err);
	case KEY_GROWTH:
		return change_set_growth(&s->change, value, err);
	case KEY_FROM:
		s->from = value;
		return 0;
	case KEY_TRAFFIC:
		return whatif_traffic_add(&s->traffic, value, err);
	case KEY_SWEEP:
		return grid_add(&s->traffic.grid, value, err);
	case KEY_VIA:
		s->has_via = true;
		return via_parse(value, &s->via, err);
	case KEY_LIMIT:
		if (ct_number_u64(value, strlen(value), MAX_LIMIT, &n) < 0 || n == 0)
			return ct_err_set(err, -EINVAL, "--limit takes 1 to %d, not '%s'",
					  MAX_LIMIT, value);
		s->limit = (unsigned)n;
		return 0;
	}
	return -EINVAL;
}

/* A run, and what the visit of the namespace fills. */
struct whatif_run {
	const struct whatif_state *state;
	const struct common_options *common;
	struct whatif_answer *answer;
	struct endpoints *ends;
	uint64_t seed;
	struct writer *brief; /* of another command, which wants the table only */
};

static int open_table(const struct whatif_run *run, struct host *h, struct table **out)
{
	const char *path = run->state->from;
	struct table_options o = { .want = whatif_want(&run->state->change),
				   .allow_proc = true,
				   .via = run->state->via };
	struct ct_err err = { "" };
	bool is_stdin;
	int fd, r;

	if (!path) {
		r = via_open(run->common, h, &o, out, &err);
	} else {
		is_stdin = strcmp(path, "-") == 0;
		fd = is_stdin ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0) {
			cmd_error("%s: %s", path, strerror(errno));
			return -errno;
		}
		r = table_open_file(fd, is_stdin ? "standard input" : path, o.want, out, &err);
	}
	if (r < 0)
		cmd_error("%s", err.text[0] ? err.text : strerror(-r));
	return r;
}

static int read_table(const struct whatif_run *run, struct host *h)
{
	struct whatif_answer *a = run->answer;
	auto_free(table) struct table *t = NULL;
	struct ct_err err = { "" };
	struct ct_entry e;
	int r;

	if (open_table(run, h, &t) < 0)
		return EXIT_FAILED;
	while ((r = table_next(t, &e, &err)) > 0)
		whatif_add(a->whatif, &e);
	table_info(t, &a->table);
	if (r < 0) {
		a->table.is_whole = false;
		(void)snprintf(a->table.why_not, sizeof(a->table.why_not), "%.250s", err.text);
	}
	return EXIT_DONE;
}

static int visit(void *user, struct host *h, const struct netns *ns)
{
	struct whatif_run *run = user;

	(void)ns;
	/* sockets of now say nothing of a table of then */
	if (!run->state->from && endpoints_read(h, run->seed, &run->ends) == 0)
		whatif_set_endpoints(run->answer->whatif, run->ends);
	return read_table(run, h);
}

/* What is the same before and after, and what the change says. */
static void make_levels(struct whatif_answer *a, const struct change *c)
{
	const struct facts_netns *ns = &a->facts->netns[0];
	const struct change_set *max = change_find(c, "nf_conntrack_max");
	const struct change_set *buckets = change_find(c, "nf_conntrack_buckets");
	struct level *now = &a->now, *then = &a->then;

	*now = (struct level){ .entries = (double)a->outcome.total.now,
			       .unassured = a->outcome.unassured_now,
			       .is_max_known = ns->is_max_known,
			       .max = ns->max,
			       .buckets = a->facts->is_buckets_known ? a->facts->buckets : 0 };
	if (!a->is_file && ns->is_count_known && a->facts->n_total > ns->count)
		now->elsewhere = (double)(a->facts->n_total - ns->count);
	*then = *now;
	then->entries = a->outcome.total.then;
	then->unassured = a->outcome.unassured_then;
	if (max) {
		then->max = (uint64_t)max->value;
		then->is_max_known = true;
	}
	if (buckets)
		then->buckets = size_buckets_rounded(&a->facts->machine, (uint64_t)buckets->value);
	level_reckon(now, &a->facts->machine, &a->facts->entry);
	level_reckon(then, &a->facts->machine, &a->facts->entry);
}

static int show(const struct whatif_run *run)
{
	auto_free(writer) struct writer *w = cmd_writer(run->common);
	int r;

	if (!w)
		return EXIT_FAILED;
	whatif_write(w, run->answer);
	r = writer_finish(w);
	if (r < 0)
		cmd_error("standard output: %s", strerror(-r));
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

/* Tells what is missing. */
static int tell_missing(const struct whatif_run *run)
{
	const struct table_info *t = &run->answer->table;

	if (t->n_bad)
		cmd_warn(run->common, "%" PRIu64 " passed over; the first: %s", t->n_bad,
			 t->first_bad);
	if (t->is_whole)
		return EXIT_DONE;
	cmd_warn(run->common, "not the whole table: %s", t->why_not);
	return EXIT_FAILED;
}

static int ask(struct whatif_run *run, struct host *h)
{
	struct whatif_answer *a = run->answer;
	struct facts_options o = { .netns = run->common->netns };
	auto_free(facts) struct facts *f = NULL;
	auto_free(whatif) struct whatif *w = NULL;
	struct ct_err err = { "" };
	int code;

	if (facts_collect(h, &o, &f, &err) < 0) {
		cmd_error("%s", err.text[0] ? err.text : "out of memory");
		return EXIT_FAILED;
	}
	if (!f->netns[0].has_settings) {
		cmd_error("the settings of this machine cannot be read");
		return EXIT_FAILED;
	}
	if (whatif_new(&run->state->change, &f->netns[0].settings, run->seed, &w) < 0) {
		cmd_error("out of memory");
		return EXIT_FAILED;
	}
	a->facts = f;
	a->whatif = w;
	code = cmd_each_netns(run->common, h, visit, run);
	if (code != EXIT_DONE)
		return code;
	whatif_end(w, &a->outcome);
	make_levels(a, &run->state->change);
	if (run->brief)
		whatif_write_brief(run->brief, a);
	else
		code = show(run);
	return code == EXIT_DONE ? tell_missing(run) : code;
}

void whatif_brief(struct writer *w, const struct common_options *common, struct host *h,
		  const struct change *change)
{
	const struct whatif_state state = { .change = *change };
	struct whatif_answer answer = { .change = &state.change, .is_json = common->is_json };
	struct whatif_run run = {
		.state = &state, .common = common, .answer = &answer, .brief = w
	};

	if (getrandom(&run.seed, sizeof(run.seed), 0) < 0)
		run.seed = (uint64_t)getpid();
	(void)ask(&run, h);
	endpoints_free(run.ends);
}

/* The other source of an answer: packets instead of entries. */
static int by_traffic(const struct whatif_state *s, const struct common_options *common, int argc,
		      char **argv)
{
	struct whatif_traffic traffic = s->traffic;
	struct ct_err err = { "" };

	if (s->from || s->has_via || s->change.growth > 0 || s->limit) {
		cmd_error("--from, --via, --growth and --limit are about the table, and do not go "
			  "with --traffic");
		return EXIT_MISUSE;
	}
	for (int i = 0; i < argc; i++) {
		if (whatif_traffic_add(&traffic, argv[i], &err) < 0) {
			cmd_error("%s", err.text);
			return EXIT_MISUSE;
		}
	}
	return whatif_traffic_run(&traffic, &s->change, common);
}

static int whatif_run(void *state, const struct common_options *common, int argc, char **argv)
{
	const struct whatif_state *s = state;
	struct whatif_answer answer = { .change = &s->change,
					.is_file = s->from != NULL,
					.is_json = common->is_json,
					.limit = s->limit ? s->limit : DEFAULT_LIMIT };
	struct whatif_run run = { .state = s, .common = common, .answer = &answer };
	auto_free(host) struct host *h = NULL;
	int code;

	if (s->traffic.n_files > 0)
		return by_traffic(s, common, argc, argv);
	if (argc > 0 || s->traffic.grid.n_axes > 0) {
		cmd_error("whatif: %s%s%s", argc ? "'" : "--sweep goes with --traffic",
			  argc ? argv[0] : "", argc ? "' is not understood" : "");
		return EXIT_MISUSE;
	}
	if (common->netns && strcmp(common->netns, "all") == 0) {
		cmd_error("whatif looks at one namespace; settings and tables are its own");
		return EXIT_MISUSE;
	}
	if (getrandom(&run.seed, sizeof(run.seed), 0) < 0)
		run.seed = (uint64_t)getpid();
	h = cmd_host(common);
	if (!h)
		return EXIT_FAILED;
	code = ask(&run, h);
	endpoints_free(run.ends);
	return code;
}

const struct command command_whatif = {
	.name = "whatif",
	.summary = "Tell the effect of a change before it is made",
	.arguments = "[--traffic FILE...]",
	.options = whatif_options,
	.option = whatif_option,
	.run = whatif_run,
	.state_size = sizeof(struct whatif_state),
};
