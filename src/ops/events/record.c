/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Recording: see record.h.
 *
 * Answers to Linux 6.18 ctnetlink_conntrack_event() and nf_ct_ecache_ext_add(): in the mode 2 of
 * nf_conntrack_events, the default, only entries that begin while somebody listens tell of their
 * end. So what stood before is looked up again when recording ends.
 */
#include "ops/events/record.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <string.h>
#include <time.h>

#include "ops/host/listen.h"
#include "ops/settings/settings.h"
#include "ops/table/table.h"

enum { LOOK_EVERY = 1024, WAIT_MS = 100, FLUSH_MS = 1000 };

#define WANT                                                                                       \
	(CT_KNOWN_STATUS | CT_KNOWN_STATE | CT_KNOWN_TIMEOUT | CT_KNOWN_ID | CT_KNOWN_ZONE |       \
	 CT_KNOWN_COUNTERS | CT_KNOWN_START | CT_KNOWN_STOP)
#define EVENTS_FILE "/proc/sys/net/netfilter/nf_conntrack_events"

struct recording {
	struct host *host;
	struct listener *listener;
	struct event_writer *writer;
	const struct record_options *options;
	struct record_counts *counts;
	struct event event; /* the one under way; too large for each call's stack */
	int64_t begin_ms, flushed_ms;
};

static ct_time unix_now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * CT_NS_PER_S + t.tv_nsec;
}

static int64_t clock_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The numbers that a replay has to know. */
static void read_settings(struct host *h, struct event_head *head)
{
	struct settings s = { 0 };
	struct ct_err err;

	if (settings_read_now(h, &s, &err) < 0)
		return;
	for (size_t i = 0; i < s.n && head->n_settings < EVENTS_MAX_SETTINGS; i++) {
		const struct setting_value *v = &s.at[i];
		struct event_setting *to = &head->settings[head->n_settings];

		if (!v->is_now_known || v->now < 0 || v->now > UINT32_MAX ||
		    strncmp(v->setting->name, "nf_conntrack_", 13) != 0 ||
		    strlen(v->setting->name) >= EVENTS_MAX_NAME)
			continue;
		memcpy(to->name, v->setting->name, strlen(v->setting->name) + 1);
		to->value = (uint32_t)v->now;
		head->n_settings++;
	}
	settings_fini(&s);
}

static int put(struct recording *r, enum event_kind kind, ct_time at, struct ct_err *err)
{
	int ret;

	r->event.kind = kind;
	r->event.at = at;
	ret = event_writer_put(r->writer, &r->event);
	r->counts->bytes = event_writer_bytes(r->writer);
	return ret < 0 ? ct_err_set(err, ret, "writing: %s", strerror(-ret)) : 0;
}

/* One message of the kernel. Its own time counts where it tells one (nf_conntrack_timestamp). */
static int put_message(struct recording *r, uint16_t type, const void *payload, size_t size,
		       struct ct_err *err)
{
	struct ct_entry *e = &r->event.entry;
	bool is_new = (type & 0xff) == IPCTNL_MSG_CT_NEW;

	if (type >> 8 != NFNL_SUBSYS_CTNETLINK ||
	    (!is_new && (type & 0xff) != IPCTNL_MSG_CT_DELETE))
		return 0;
	if (nl_entry_decode(payload, size, WANT, e) < 0) {
		r->counts->n_bad++;
		return 0;
	}
	if (is_new) {
		r->counts->n_new++;
		return put(r, EVENT_NEW, e->known & CT_KNOWN_START ? e->start_ns : unix_now(), err);
	}
	r->counts->n_destroyed++;
	return put(r, EVENT_DESTROY, e->known & CT_KNOWN_STOP ? e->stop_ns : unix_now(), err);
}

static int put_gap(struct recording *r, struct ct_err *err)
{
	r->counts->n_gaps++;
	r->event.lost = 1;
	return put(r, EVENT_GAP, unix_now(), err);
}

static bool is_full(const struct recording *r)
{
	return r->options->max_bytes && r->counts->bytes >= r->options->max_bytes;
}

/* All that is at hand; what comes meanwhile cannot keep it here for good. */
static int drain(struct recording *r, struct ct_err *err)
{
	for (unsigned n = 0; n < 64u * LOOK_EVERY && !is_full(r); n++) {
		const void *payload;
		uint16_t type;
		size_t size;
		int ret = listener_next(r->listener, &type, &payload, &size, err);

		if (ret == 0)
			return 0;
		if (ret == -ENOBUFS)
			ret = put_gap(r, err);
		else if (ret > 0)
			ret = put_message(r, type, payload, size, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* The table, with events taken in between so that their queue does not overflow meanwhile. */
static int put_table(struct recording *r, enum event_kind kind, uint64_t *n, struct ct_err *err)
{
	const struct table_options o = { .want = WANT, .via = TABLE_VIA_NETLINK };
	auto_free(table) struct table *t = NULL;
	int ret = table_open(r->host, &o, &t, err);

	while (ret >= 0 && !is_full(r) && (ret = table_next(t, &r->event.entry, err)) > 0) {
		ret = put(r, kind, unix_now(), err);
		if (ret == 0 && ++*n % LOOK_EVERY == 0)
			ret = drain(r, err);
	}
	return ret;
}

static bool is_over(const struct recording *r, int64_t now_ms)
{
	struct record_counts *c = r->counts;

	if (*r->options->ask)
		c->stop = EVENT_STOP_ASKED;
	else if (is_full(r))
		c->stop = EVENT_STOP_SIZE;
	else if (r->options->for_ms && now_ms - r->begin_ms >= r->options->for_ms)
		c->stop = EVENT_STOP_TIME;
	else
		return false;
	return true;
}

static int flush(struct recording *r, struct ct_err *err)
{
	int ret = event_writer_flush(r->writer);

	return ret < 0 ? ct_err_set(err, ret, "writing: %s", strerror(-ret)) : 0;
}

/* What is recorded is soon in the file, for one who is killed. */
static int look_after(struct recording *r, int64_t now_ms, struct ct_err *err)
{
	r->counts->lasted_ms = now_ms - r->begin_ms;
	if (now_ms - r->flushed_ms < FLUSH_MS)
		return 0;
	r->flushed_ms = now_ms;
	if (r->options->progress)
		r->options->progress(r->options->user, r->counts);
	return flush(r, err);
}

static int listen_on(struct recording *r, struct ct_err *err)
{
	int ret = 0;

	while (ret == 0) {
		int64_t now = clock_ms(), left = WAIT_MS;

		ret = look_after(r, now, err);
		if (ret < 0 || is_over(r, now))
			break;
		if (r->options->for_ms && r->begin_ms + r->options->for_ms - now < left)
			left = r->begin_ms + r->options->for_ms - now;
		if (listener_wait(r->listener, (int)left) > 0)
			ret = drain(r, err);
	}
	return ret;
}

/* From the first look to the last. */
static int record_all(struct recording *r, struct ct_err *err)
{
	int ret = put_table(r, EVENT_STANDS, &r->counts->n_standing, err);

	if (ret == 0)
		ret = put(r, EVENT_READY, unix_now(), err);
	if (ret == 0)
		ret = flush(r, err);
	if (ret == 0)
		ret = listen_on(r, err);
	if (ret < 0)
		r->counts->stop = EVENT_STOP_ERROR;
	else if (r->counts->stop != EVENT_STOP_SIZE)
		ret = drain(r, err);
	if (ret == 0 && r->counts->stop != EVENT_STOP_SIZE)
		ret = put_table(r, EVENT_STILL, &r->counts->n_still, err);
	return ret;
}

/* The last record, also after a failure, as far as it can be written. */
static int finish(struct recording *r, int ret, struct ct_err *err)
{
	struct ct_err ignored;
	int last;

	r->event.reason = (uint8_t)(ret < 0 ? EVENT_STOP_ERROR : r->counts->stop);
	last = put(r, EVENT_END, unix_now(), ret < 0 ? &ignored : err);
	if (last == 0)
		last = flush(r, ret < 0 ? &ignored : err);
	return ret < 0 ? ret : last;
}

static int open_listener(struct host *h, const struct record_options *o, struct listener **out,
			 struct ct_err *err)
{
	static const unsigned groups[] = { NFNLGRP_CONNTRACK_NEW, NFNLGRP_CONNTRACK_DESTROY };
	int64_t mode;

	if (host_read_i64(h, EVENTS_FILE, &mode) == 0 && mode == 0)
		return ct_err_set(err, -EOPNOTSUPP,
				  "the kernel makes no events: nf_conntrack_events is 0 in this "
				  "namespace; 1 or 2 makes it tell");
	return listener_open(h, groups, 2, o->room, out, err);
}

int record_run(struct host *h, int fd, const struct record_options *o, struct record_counts *out,
	       struct ct_err *err)
{
	auto_free(listener) struct listener *l = NULL;
	auto_free(event_writer) struct event_writer *w = NULL;
	struct event_head head = { .begin = unix_now() };
	struct recording r = { .host = h, .options = o, .counts = out };
	int ret;

	memset(out, 0, sizeof(*out));
	ret = open_listener(h, o, &l, err);
	if (ret < 0)
		return ret;
	read_settings(h, &head);
	ret = event_writer_new(fd, &head, &w);
	if (ret < 0)
		return ct_err_set(err, ret, "out of memory");
	r.listener = l;
	r.writer = w;
	r.begin_ms = r.flushed_ms = clock_ms();
	return finish(&r, record_all(&r, err), err);
}
