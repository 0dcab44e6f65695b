/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Recordings as packets: a connection speaks from its beginning to its last activity, which follows
 * from its end, and an engine then forgets it by the timeout that is tried.
 */
#include "ops/sweep/echo.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/mman.h>

#include "ops/sweep/sweep.h"
#include "tap.h"

#define BEGIN (1700000000 * CT_NS_PER_S)
#define AT(s) (BEGIN + (ct_time)(s)*CT_NS_PER_S)

static struct event make(enum event_kind kind, ct_time at, uint8_t proto, uint16_t port)
{
	struct event ev = { .kind = kind, .at = at };
	struct ct_tuple *t = &ev.entry.tuple[0];

	*t = (struct ct_tuple){ .family = CT_FAMILY_IPV4, .proto = proto };
	t->src.ip4 = htonl(0x0a000001);
	t->dst.ip4 = htonl(0x0a000002);
	t->src_part = htons(port);
	t->dst_part = htons(443);
	ev.entry.id = port;
	ev.entry.known = CT_KNOWN_ID | CT_KNOWN_STATUS;
	return ev;
}

/* A TCP connection in @state that ended at @at. */
static struct event ended(ct_time at, uint16_t port, uint8_t state)
{
	struct event ev = make(EVENT_DESTROY, at, IPPROTO_TCP, port);

	ev.entry.known |= CT_KNOWN_STATE;
	ev.entry.state = state;
	ev.entry.status = CT_STATUS_SEEN_REPLY | CT_STATUS_ASSURED;
	return ev;
}

static struct echo *open_events(const struct event *events, unsigned n)
{
	static const struct event_head head = {
		.begin = BEGIN,
		.n_settings = 2,
		.settings = { { "nf_conntrack_tcp_timeout_established", 100 },
			      { "nf_conntrack_max", 77 } },
	};
	auto_free(event_writer) struct event_writer *w = NULL;
	auto_fd int fd = memfd_create("events", MFD_CLOEXEC);
	struct ct_err err = { "" };
	struct echo *e = NULL;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	EQ_INT(event_writer_new(fd, &head, &w), 0);
	for (unsigned i = 0; i < n; i++)
		EQ_INT(event_writer_put(w, &events[i]), 0);
	EQ_INT(event_writer_flush(w), 0);
	EQ_INT(echo_open(path, &e, &err), 0);
	return e;
}

static void begin(struct echo *e, uint32_t established_s)
{
	struct ct_engine_config cfg;
	struct whatif_timeouts shortest;

	echo_configure(e, &cfg);
	EQ_INT(cfg.max, 77);
	EQ_INT(cfg.settings.tcp_timeout_established, 100);
	cfg.settings.tcp_timeout_established = established_s;
	echo_timeouts_of(&cfg.settings, &shortest);
	EQ_INT(echo_begin(e, &shortest, NULL), 0);
}

TEST(it_speaks_until_its_last_activity)
{
	const struct event events[] = { make(EVENT_READY, AT(0), 0, 0),
					make(EVENT_NEW, AT(10), IPPROTO_TCP, 1000),
					ended(AT(260), 1000, CT_TCP_ESTABLISHED),
					make(EVENT_END, AT(300), 0, 0) };
	auto_free(echo) struct echo *e = open_events(events, 4);
	struct frame f = { .at = 0 };
	ct_time last = AT(10);
	unsigned n = 0;

	begin(e, 20);
	while (echo_next(e, &f) > 0) {
		n++;
		OK(f.at >= last && f.at - last <= 10 * CT_NS_PER_S);
		last = f.at;
	}
	EQ_INT(last, AT(160));
	EQ_INT(n, 3 + 14 + 1);
}

TEST(what_stood_was_active_before)
{
	struct event stood = ended(AT(0), 1000, CT_TCP_ESTABLISHED), still = stood;
	struct echo_counts counts;
	struct frame f = { .at = 0 };

	stood.kind = EVENT_STANDS;
	stood.entry.known |= CT_KNOWN_TIMEOUT;
	stood.entry.timeout_s = 70;
	still = stood;
	still.kind = EVENT_STILL;
	still.at = AT(60);
	still.entry.timeout_s = 95;
	{
		const struct event events[] = { stood, still, make(EVENT_END, AT(61), 0, 0) };
		auto_free(echo) struct echo *e = open_events(events, 3);

		begin(e, 100);
		EQ_INT(echo_next(e, &f), 1);
		EQ_INT(f.at, AT(-30));
		while (echo_next(e, &f) > 0)
			;
		EQ_INT(f.at, AT(55));
		echo_counts(e, &counts);
		EQ_INT(counts.n_lives, 1);
		EQ_INT(counts.n_unended, 0);
	}
}

/* One that ended while the first table was read, and is told of afterwards as standing. */
TEST(a_late_look_is_no_second_life)
{
	struct event stands = ended(AT(2), 1000, CT_TCP_ESTABLISHED);
	const struct event gone = ended(AT(1), 1000, CT_TCP_TIME_WAIT);
	struct echo_counts counts;

	stands.kind = EVENT_STANDS;
	{
		const struct event events[] = { gone, stands, make(EVENT_GAP, AT(3), 0, 0) };
		auto_free(echo) struct echo *e = open_events(events, 3);

		echo_counts(e, &counts);
		EQ_INT(counts.n_lives, 1);
		EQ_INT(counts.n_gaps, 1);
		OK(counts.is_cut);
	}
}

TEST(a_connection_of_centuries_is_refused)
{
	const struct event events[] = { make(EVENT_NEW, AT(10), IPPROTO_TCP, 1000),
					ended(INT64_MAX / 2, 1000, CT_TCP_ESTABLISHED) };
	auto_free(echo) struct echo *e = open_events(events, 2);
	struct whatif_timeouts shortest = { .s = { 1, 1, 1, 1 } };
	struct ct_err err = { "" };

	EQ_INT(echo_begin(e, &shortest, &err), -E2BIG);
	OK(strstr(err.text, "too long") != NULL);
}

static int next(void *user, struct frame *out, struct ct_err *err)
{
	(void)err;
	return echo_next(user, out);
}

/* Each TCP state is reached, and nothing made up is INVALID or begins anything twice. */
TEST(an_engine_takes_what_is_made_up)
{
	enum { N = 200 };
	static struct event events[2 * N];
	struct grid g = { .n_axes = 0 };
	struct change none = { .n_sets = 0 };
	struct sweep_options o = { .grid = &g, .classes = &none, .n_threads = 2, .next = next };
	auto_memory struct sweep_result *results = NULL;
	struct ct_err err = { "" };
	unsigned n = 0;

	for (unsigned i = 0; i < N; i++) {
		uint8_t state = (uint8_t)(CT_TCP_SYN_SENT + i % 8);

		events[i] = make(EVENT_NEW, AT(i), IPPROTO_TCP, (uint16_t)(1000 + i));
		events[N + i] = ended(AT(N + 200 + i), (uint16_t)(1000 + i), state);
	}
	{
		auto_free(echo) struct echo *e = open_events(events, 2 * N);

		begin(e, 20);
		echo_configure(e, &o.engine);
		o.engine.max = 1000;
		o.traffic = e;
		size_machine_like(&o.machine, UINT64_C(8) << 30, 64, 6018000);
		size_entry_by_release(&o.machine, &o.entry);
		EQ_INT(grid_add(&g, "tcp_timeout_established=20,100", &err), 0);
		EQ_INT(sweep_run(&o, &results, &n, &err), 0);
	}
	EQ_INT(n, 2);
	for (unsigned i = 0; i < n; i++) {
		EQ_INT(results[i].outcome.stats.created, N);
		EQ_INT(results[i].outcome.stats.invalid, 0);
		EQ_INT(results[i].n_drops, 0);
		OK(results[i].outcome.peak <= N);
	}
}

TAP_MAIN(&tap_it_speaks_until_its_last_activity, &tap_what_stood_was_active_before,
	 &tap_a_late_look_is_no_second_life, &tap_a_connection_of_centuries_is_refused,
	 &tap_an_engine_takes_what_is_made_up)
