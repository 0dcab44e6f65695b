/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conntune record: connections begun and ended, as the kernel tells of them, into a file.
 */
#include "ops/events/record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/cmd/cmd.h"
#include "lib/base/number.h"

enum record_key { KEY_FOR = 1, KEY_SIZE, KEY_BUFFER };

#define DEFAULT_SIZE   (1ull << 30)
#define DEFAULT_BUFFER (32 << 20)
#define MAX_BUFFER     (1 << 30)
#define MAX_FOR_S      (366ull * 86400)

struct record_state {
	uint64_t for_s, max_bytes;
	int room;
};

static const struct option_spec record_options[] = {
	{ "for", 0, "TIME", KEY_FOR, "stop after this long (30s, 10m, 2h); else with ^C" },
	{ "size", 0, "SIZE", KEY_SIZE, "stop when the file is this large (1G)" },
	{ "buffer", 0, "SIZE", KEY_BUFFER,
	  "memory of the kernel for events that were not taken yet (32M)" },
	{ NULL, 0, NULL, 0, NULL },
};

static int record_option(void *state, int key, const char *value, struct ct_err *err)
{
	struct record_state *s = state;
	uint64_t n;

	switch ((enum record_key)key) {
	case KEY_FOR:
		if (ct_number_duration(value, strlen(value), &n) < 0 || n == 0 || n > MAX_FOR_S)
			return ct_err_set(err, -EINVAL, "--for takes a time like 10m, not '%s'",
					  value);
		s->for_s = n;
		return 0;
	case KEY_SIZE:
		if (ct_number_size(value, strlen(value), &n) < 0 || n == 0)
			return ct_err_set(err, -EINVAL, "--size takes a size like 500M, not '%s'",
					  value);
		s->max_bytes = n;
		return 0;
	case KEY_BUFFER:
		if (ct_number_size(value, strlen(value), &n) < 0 || n == 0 || n > MAX_BUFFER)
			return ct_err_set(err, -EINVAL,
					  "--buffer takes a size of at most 1G, not '%s'", value);
		s->room = (int)n;
		return 0;
	}
	return -EINVAL;
}

/* A signal may come at any moment and has nobody else to tell. */
static volatile sig_atomic_t is_asked;

static void ask(int signal)
{
	(void)signal;
	is_asked = 1;
}

static void heed_signals(void)
{
	struct sigaction a = { .sa_handler = ask };

	(void)sigaction(SIGINT, &a, NULL);
	(void)sigaction(SIGTERM, &a, NULL);
	(void)sigaction(SIGHUP, &a, NULL);
}

static void show_progress(void *user, const struct record_counts *c)
{
	(void)user;
	(void)fprintf(stderr, "\r\033[K%" PRId64 " s, %" PRIu64 " begun, %" PRIu64 " ended, %s",
		      c->lasted_ms / 1000, c->n_new, c->n_destroyed,
		      c->n_gaps ? "events were lost" : "none lost");
}

static const char *stop_text(enum event_stop stop)
{
	switch (stop) {
	case EVENT_STOP_TIME:
		return "the time is over";
	case EVENT_STOP_ASKED:
		return "asked to";
	case EVENT_STOP_SIZE:
		return "the file is full";
	case EVENT_STOP_ERROR:
		break;
	}
	return "an error";
}

static int summary(const struct common_options *common, const char *path,
		   const struct record_counts *c)
{
	auto_free(writer) struct writer *w = cmd_writer(common);
	char text[32];

	if (!w)
		return EXIT_FAILED;
	(void)snprintf(text, sizeof(text), "%.1f s", (double)c->lasted_ms / 1000);
	writer_begin(w, "record", 1);
	writer_str(w, "file", "file", path);
	writer_u64(w, "bytes", "bytes", c->bytes);
	writer_f64_as(w, "lasted_s", "lasted", (double)c->lasted_ms / 1000, text);
	writer_str(w, "stopped", "stopped", stop_text(c->stop));
	writer_u64(w, "standing", "stood at the beginning", c->n_standing);
	writer_u64(w, "new", "begun", c->n_new);
	writer_u64(w, "destroyed", "ended", c->n_destroyed);
	writer_u64(w, "still", "stood at the end", c->n_still);
	writer_u64(w, "gaps", "gaps", c->n_gaps);
	return cmd_finish(w);
}

struct record_job {
	const struct record_state *state;
	const struct common_options *common;
	const char *path;
	int fd;
};

static int visit(void *user, struct host *h, const struct netns *ns)
{
	const struct record_job *job = user;
	bool has_progress = !job->common->is_quiet && isatty(STDERR_FILENO);
	const struct record_options o = {
		.for_ms = (int64_t)job->state->for_s * 1000,
		.max_bytes = job->state->max_bytes ? job->state->max_bytes : DEFAULT_SIZE,
		.room = job->state->room ? job->state->room : DEFAULT_BUFFER,
		.ask = &is_asked,
		.progress = has_progress ? show_progress : NULL,
	};
	struct record_counts counts;
	struct ct_err err = { "" };
	int r = record_run(h, job->fd, &o, &counts, &err);

	(void)ns;
	if (has_progress)
		(void)fputs("\r\033[K", stderr);
	if (r < 0) {
		cmd_error("%s", err.text[0] ? err.text : strerror(-r));
		return EXIT_FAILED;
	}
	if (counts.n_gaps)
		cmd_warn(job->common,
			 "events were lost %" PRIu64 " times, and the gaps are marked: a larger "
			 "--buffer may hold them",
			 counts.n_gaps);
	return summary(job->common, job->path, &counts);
}

static int record_command(void *state, const struct common_options *common, int argc, char **argv)
{
	struct record_job job = { .state = state, .common = common };
	auto_free(host) struct host *h = NULL;
	auto_fd int fd = -1;

	if (argc != 1 || (common->netns && strcmp(common->netns, "all") == 0)) {
		cmd_error("%s", argc != 1 ? "record wants one file to write into"
					  : "record listens to one namespace at a time");
		return EXIT_MISUSE;
	}
	h = cmd_host(common);
	if (!h)
		return EXIT_FAILED;
	if (!host_is_live(h)) {
		cmd_error("record listens to a running machine; in a copy nothing happens");
		return EXIT_FAILED;
	}
	fd = open(argv[0], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0) {
		cmd_error("%s: %s", argv[0], strerror(errno));
		return EXIT_FAILED;
	}
	job.path = argv[0];
	job.fd = fd;
	heed_signals();
	return cmd_each_netns(common, h, visit, &job);
}

const struct command command_record = {
	.name = "record",
	.summary = "Record connections as they begin and end",
	.arguments = "FILE",
	.options = record_options,
	.option = record_option,
	.run = record_command,
	.state_size = sizeof(struct record_state),
};
