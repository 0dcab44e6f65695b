/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conntune list: the entries that fit, one after the other, in the form asked for. Nothing is kept,
 * so ten million entries need no more memory than ten.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "app/cmd/cmd.h"
#include "app/cmd/entry_timeouts.h"
#include "app/cmd/list_forms.h"
#include "app/cmd/list_labels.h"
#include "app/cmd/via.h"
#include "lib/base/number.h"
#include "lib/ct/slice.h"
#include "ops/table/filter.h"
#include "ops/table/table.h"

#define OUT_SIZE (2 * LIST_MAX_ITEM)

/* Keys of conditions are their number and one. */
enum list_key {
	LIST_FORM = CT_MATCH_FIELDS + 1,
	LIST_SHOW,
	LIST_FROM,
	LIST_LIMIT,
	LIST_COUNT,
	LIST_VIA
};

static const struct option_spec list_options[] = {
#define MATCH(name, option, value, help) { option, 0, value, CT_MATCH_##name + 1, help },
#include "lib/ct/entry_match.def"
#undef MATCH
	{ "form", 'f', "FORM", LIST_FORM, "columns, proc, conntrack, extended, save, json or csv" },
	{ "show", 0, "WHAT[,WHAT...]", LIST_SHOW,
	  "in the conntrack forms also: id, labels, ktimestamp" },
	{ "from", 0, "FILE", LIST_FROM, "read a listing or a recorded dump instead; - is stdin" },
	{ "limit", 'n', "N", LIST_LIMIT, "stop after N entries" },
	{ "count", 'c', NULL, LIST_COUNT, "only say how many there are" },
	{ "via", 0, VIA_VALUE, LIST_VIA, VIA_HELP },
	{ NULL, 0, NULL, 0, NULL },
};

struct list_state {
	struct ct_match match;
	enum list_form form;
	unsigned flags; /* enum ct_format_flag */
	const char *from;
	uint64_t limit;
	enum table_via via;
	bool is_form_set, is_limit_set, is_count;
};

/* A run over one table or several. */
struct list_run {
	const struct list_state *state;
	const struct common_options *common;
	enum list_form form;
	uint64_t n, n_bad; /* entries shown; lines or messages that were none */
	bool is_many;	   /* namespaces: each entry says its own */
	bool is_limited, is_cut, is_live, has_head;
	char why_not[256]; /* the first reason why it is not whole */
	struct entry_timeouts timeouts;
	struct list_labels labels;
	int error; /* of writing */
	struct ct_text out;
	char buf[OUT_SIZE];
};

static int set_show(struct list_state *s, const char *value, struct ct_err *err)
{
	static const char *const names[] = { "id", "labels", "ktimestamp" };
	static const unsigned flags[] = { CT_FORMAT_ID, CT_FORMAT_LABELS, CT_FORMAT_KTIMESTAMP };

	while (*value) {
		size_t len = strcspn(value, ","), i = 0;

		while (i < 3 && (strlen(names[i]) != len || memcmp(names[i], value, len) != 0))
			i++;
		if (i == 3)
			return ct_err_set(err, -EINVAL,
					  "--show: '%.*s' is not id, labels or ktimestamp",
					  (int)len, value);
		s->flags |= flags[i];
		value += len + (value[len] == ',');
	}
	return 0;
}

static int list_option(void *user, int key, const char *value, struct ct_err *err)
{
	struct list_state *s = user;
	int form;

	if (key <= CT_MATCH_FIELDS)
		return ct_match_add(&s->match, (enum ct_match_field)(key - 1), value, err);
	switch ((enum list_key)key) {
	case LIST_FORM:
		form = list_form_find(value);
		if (form < 0)
			return ct_err_set(err, -EINVAL,
					  "--form: '%s' is not columns, proc, conntrack, extended, "
					  "save, json or csv",
					  value);
		s->form = (enum list_form)form;
		s->is_form_set = true;
		return 0;
	case LIST_SHOW:
		return set_show(s, value, err);
	case LIST_FROM:
		s->from = value;
		return 0;
	case LIST_LIMIT:
		s->is_limit_set = true;
		if (ct_number_u64(value, strlen(value), UINT64_MAX, &s->limit) < 0)
			return ct_err_set(err, -EINVAL, "--limit: '%s' is not a number", value);
		return 0;
	case LIST_COUNT:
		s->is_count = true;
		return 0;
	case LIST_VIA:
		return via_parse(value, &s->via, err);
	}
	return -EINVAL;
}

/* Hands the buffer to stdout. The first error ends the listing. */
static void flush(struct list_run *run)
{
	if (!run->error && fwrite(run->buf, 1, run->out.len, stdout) != run->out.len)
		run->error = -errno;
	ct_text_init(&run->out, run->buf, sizeof(run->buf));
}

/* Why not all was seen: told at once, and kept for JSON. */
static void note_cut(struct list_run *run, const char *name, const char *why)
{
	if (!run->is_cut)
		(void)snprintf(run->why_not, sizeof(run->why_not), "%s", why);
	run->is_cut = true;
	if (!run->common->is_quiet)
		cmd_error("%s%snot the whole table: %s", name ? name : "", name ? ": " : "", why);
}

static uint32_t want_of(const struct list_run *run)
{
	const struct list_state *s = run->state;
	uint32_t want = ct_match_want(&s->match);

	if (s->is_count)
		return want;
	want |= list_form_want(run->form);
	if (s->flags & CT_FORMAT_ID)
		want |= CT_KNOWN_ID;
	if (s->flags & CT_FORMAT_LABELS)
		want |= CT_KNOWN_LABELS | CT_KNOWN_LABEL_TEXT;
	if (s->flags & CT_FORMAT_KTIMESTAMP)
		want |= CT_KNOWN_START | CT_KNOWN_STOP;
	return want;
}

/* conntrack(8) subtracts whole seconds, and shows moments in local time. */
static void speak_conntrack(const struct list_run *run, struct host *h, struct ct_entry *e)
{
	struct tm local;
	ct_time now;
	time_t start;

	if (!(e->known & CT_KNOWN_START) || !run->is_live ||
	    (run->form != LIST_CONNTRACK && run->form != LIST_EXTENDED))
		return;
	if (!(e->known & CT_KNOWN_STOP) && host_now(h, &now) == 0)
		e->delta_s = now > e->start_ns
				     ? (uint64_t)(now / CT_NS_PER_S - e->start_ns / CT_NS_PER_S)
				     : 0;
	start = (time_t)(e->start_ns / CT_NS_PER_S);
	if (!localtime_r(&start, &local))
		return;
	e->start_ns += local.tm_gmtoff * CT_NS_PER_S;
	e->stop_ns += local.tm_gmtoff * CT_NS_PER_S;
}

/* The line above the entries stands there once, and not above nothing but an error. */
static void put_head(struct list_run *run)
{
	if (!run->has_head && !run->state->is_count)
		list_put_head(run->form, run->is_many, &run->out);
	run->has_head = true;
}

static void show(struct list_run *run, struct host *h, struct ct_entry *e,
		 const struct ct_match_times *times, const char *netns)
{
	struct list_item item = {
		.e = e, .times = times, .netns = netns, .flags = run->state->flags
	};

	size_t len;

	speak_conntrack(run, h, e);
	list_labels_name(&run->labels, e);
	put_head(run);
	len = run->out.len;
	if (run->form == LIST_JSON && run->n > 0)
		ct_text_str(&run->out, ",\n");
	list_put_item(run->form, &item, &run->out);
	if (run->out.is_cut) {
		run->out.is_cut = false;
		run->out.len = len;
		run->n_bad++;
		note_cut(run, netns, "an entry with more text than any can have is left out");
		return;
	}
	if (run->form != LIST_JSON)
		ct_text_char(&run->out, '\n');
	run->n++;
	if (run->out.len > OUT_SIZE - LIST_MAX_ITEM)
		flush(run);
}

/* Walks one table, which this takes over. Errors are talked of and leave what was shown. */
static void walk(struct list_run *run, struct host *h, struct table *table, const char *netns)
{
	const struct list_state *s = run->state;
	auto_free(table) struct table *t = table;
	struct table_info info;
	struct ct_err err = { "" };
	struct ct_entry e;
	int r = 1;

	while (!run->error && !run->is_limited && (r = table_next(t, &e, &err)) > 0) {
		struct ct_match_times times = entry_times(&run->timeouts, &e);

		if (!ct_match_entry(&s->match, &e, &times))
			continue;
		if (s->is_count)
			run->n++;
		else
			show(run, h, &e, &times, netns);
		run->is_limited = s->is_limit_set && run->n >= s->limit;
	}
	table_info(t, &info);
	run->n_bad += info.n_bad;
	if (info.n_bad > 0 && !run->common->is_quiet)
		cmd_error("%s", info.first_bad);
	if (r < 0)
		note_cut(run, netns, err.text);
	else if (r == 0 && !info.is_whole)
		note_cut(run, netns, info.why_not);
}

/* The timeouts of GRE stand only in /proc; all else netlink tells sooner. */
static bool needs_proc(const struct list_run *run)
{
	const struct ct_match *m = &run->state->match;
	const struct ct_match_list *proto = &m->list[CT_MATCH_PROTO];
	uint32_t in_lines =
		CT_STATUS_SEEN_REPLY | CT_STATUS_ASSURED | CT_STATUS_SRC_NAT | CT_STATUS_DST_NAT;
	struct ct_entry gre = { .tuple = { { .proto = 47 }, { .proto = 47 } } };
	struct ct_match only_proto = { .fields = m->fields & 1u << CT_MATCH_PROTO };

	if (run->form != LIST_PROC || run->state->is_count || run->state->via != TABLE_VIA_AUTO)
		return false;
	if ((m->status_on | m->status_off) & ~in_lines)
		return false;
	only_proto.list[CT_MATCH_PROTO] = *proto;
	return ct_match_entry(&only_proto, &gre, NULL);
}

/* The forms of others have no field for it; a remark is what their readers pass over. */
static void put_netns(struct list_run *run, const char *name)
{
	if (run->state->is_count || (run->form != LIST_PROC && run->form != LIST_CONNTRACK &&
				     run->form != LIST_EXTENDED && run->form != LIST_SAVE))
		return;
	ct_text_str(&run->out, "# netns ");
	ct_slice_put(&run->out, (struct ct_slice){ name, (uint32_t)strlen(name) });
	ct_text_char(&run->out, '\n');
}

/* What the machine has to say beside its table, where it is asked for. */
static void learn_names(struct list_run *run, struct host *h)
{
	if (ct_match_has(&run->state->match, CT_MATCH_IDLE))
		entry_timeouts_read(h, &run->timeouts);
	if (want_of(run) & CT_KNOWN_LABEL_TEXT)
		list_labels_read(h, &run->labels);
}

static int visit(void *user, struct host *h, const struct netns *ns)
{
	struct list_run *run = user;
	struct nl_filter filter;
	struct table_options o = { .want = want_of(run),
				   .allow_proc = true,
				   .via = run->state->via };
	struct ct_err err = { "" };
	struct table *t;
	char name[64] = "";
	int r;

	if (run->is_limited || run->error)
		return EXIT_DONE;
	if (ns)
		cmd_netns_name(ns, name, sizeof(name));
	learn_names(run, h);
	if (table_filter_of(&run->state->match, &filter))
		o.filter = &filter;
	r = needs_proc(run) ? table_open_proc(h, &t, NULL) : -ENOENT;
	if (r < 0)
		r = via_open(run->common, h, &o, &t, &err);
	if (r < 0) {
		note_cut(run, ns ? name : NULL, err.text);
		return EXIT_FAILED;
	}
	run->is_live = host_is_live(h);
	if (run->is_many)
		put_netns(run, name);
	walk(run, h, t, run->is_many ? name : NULL);
	return EXIT_DONE;
}

static int walk_file(struct list_run *run, struct host *h)
{
	const char *path = run->state->from;
	bool is_stdin = strcmp(path, "-") == 0;
	int fd = is_stdin ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	struct ct_err err = { "" };
	struct table *t;

	if (fd < 0) {
		cmd_error("%s: %s", path, strerror(errno));
		return EXIT_FAILED;
	}
	learn_names(run, h);
	if (table_open_file(fd, is_stdin ? "standard input" : path, want_of(run), &t, &err) < 0) {
		cmd_error("%s", err.text);
		return EXIT_FAILED;
	}
	walk(run, h, t, NULL);
	return EXIT_DONE;
}

static void begin(struct list_run *run)
{
	ct_text_init(&run->out, run->buf, sizeof(run->buf));
	if (run->form == LIST_JSON)
		ct_text_str(&run->out, "{\"schema\":\"conntune.list\",\"version\":1");
	if (run->state->is_count)
		return;
	if (run->form == LIST_JSON)
		ct_text_str(&run->out, ",\"entries\":[\n");
}

static void put_json_end(struct list_run *run)
{
	struct ct_text *to = &run->out;

	if (!run->state->is_count)
		ct_text_str(to, "]");
	ct_text_str(to, ",\"count\":");
	ct_text_u64(to, run->n);
	ct_text_str(to, ",\"n_bad\":");
	ct_text_u64(to, run->n_bad);
	ct_text_str(to, run->is_cut || run->is_limited ? ",\"is_whole\":false,\"why_not\":"
						       : ",\"is_whole\":true");
	if (run->is_cut)
		list_put_json_string(run->why_not, strlen(run->why_not), to);
	else if (run->is_limited)
		ct_text_str(to, "\"the limit was reached\"");
	ct_text_str(to, "}\n");
}

static void end(struct list_run *run)
{
	if (run->n > 0 || !run->is_cut)
		put_head(run);
	if (run->form == LIST_JSON) {
		put_json_end(run);
	} else if (run->state->is_count) {
		ct_text_u64(&run->out, run->n);
		ct_text_char(&run->out, '\n');
	}
	flush(run);
}

static int list_run(void *user, const struct common_options *common, int argc, char **argv)
{
	struct list_run run; /* with its buffer, which the stack has room for */
	const struct list_state *s = user;
	auto_free(host) struct host *h = NULL;
	int code;

	if (argc > 0) {
		cmd_error("list: '%s' is not understood", argv[0]);
		return EXIT_MISUSE;
	}
	if (s->from && common->netns) {
		cmd_error("--from and --netns do not go together");
		return EXIT_MISUSE;
	}
	run = (struct list_run){ .state = s, .common = common, .form = s->form };
	if (common->is_json && !s->is_form_set)
		run.form = LIST_JSON;
	if (common->is_json && run.form != LIST_JSON) {
		cmd_error("--json and --form do not go together");
		return EXIT_MISUSE;
	}
	run.is_many = common->netns && strcmp(common->netns, "all") == 0;
	run.is_limited = s->is_limit_set && s->limit == 0;
	h = cmd_host(common);
	if (!h)
		return EXIT_FAILED;
	begin(&run);
	code = s->from ? walk_file(&run, h) : cmd_each_netns(common, h, visit, &run);
	end(&run);
	list_labels_fini(&run.labels);
	if (run.error && run.error != -EPIPE) {
		cmd_error("standard output: %s", strerror(-run.error));
		return EXIT_FAILED;
	}
	return code == EXIT_DONE && run.is_cut ? EXIT_FAILED : code;
}

const struct command command_list = {
	.name = "list",
	.summary = "Show the entries of the table",
	.options = list_options,
	.option = list_option,
	.run = list_run,
	.state_size = sizeof(struct list_state),
};
