/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Sweeps: combinations, the front, and the same outcome however many threads there are.
 */
#include "ops/sweep/sweep.h"

#include <arpa/inet.h>
#include <errno.h>

#include "tap.h"

static int refused(const char *text)
{
	struct grid g = { .n_axes = 0 };
	struct ct_err err = { "" };
	int r = grid_add(&g, text, &err);

	if (r < 0 && !err.text[0])
		TAP_FAIL("%s: no sentence", text);
	return r;
}

TEST(values_are_read_strictly)
{
	struct grid g = { .n_axes = 0 };
	struct ct_err err = { "" };

	EQ_INT(grid_add(&g, "nf_conntrack_tcp_timeout_established=1h,432000", &err), 0);
	EQ_INT(g.axis[0].value[0], 3600);
	EQ_INT(g.axis[0].value[1], 432000);
	EQ_INT(grid_add(&g, "nf_conntrack_tcp_timeout_established=5", &err), -EINVAL);
	EQ_INT(refused("max"), -EINVAL);
	EQ_INT(refused("max="), -EINVAL);
	EQ_INT(refused("max=1,,2"), -EINVAL);
	EQ_INT(refused("max=1h"), -EINVAL);
	EQ_INT(refused("max=5,5"), -EINVAL);
	EQ_INT(refused("nonsense=1"), -EINVAL);
	EQ_INT(refused("tcp_loose=2"), -EINVAL);
	EQ_INT(refused("=1"), -EINVAL);
}

TEST(every_combination_is_a_run)
{
	struct grid g = { .n_axes = 0 };
	struct ct_err err = { "" };
	struct ct_engine_config cfg;
	unsigned n = 0, place[GRID_MAX_AXES];

	EQ_INT(grid_add(&g, "max=10,20,30", &err), 0);
	EQ_INT(grid_add(&g, "udp_timeout=5,6", &err), 0);
	EQ_INT(grid_n_runs(&g, 1, &n, &err), 0);
	EQ_INT(n, 12);
	EQ_INT(grid_at(&g, 0, place), 0);
	EQ_INT(grid_at(&g, 11, place), 1);
	ct_engine_config_default(&cfg);
	EQ_INT(grid_configure(&g, 3, &cfg, &err), 0);
	EQ_INT(cfg.max, 20);
	EQ_INT(cfg.settings.udp_timeout, 6);
	EQ_INT(grid_n_runs(&g, 7, &n, &err), -E2BIG);
}

TEST(the_front_is_what_none_beats)
{
	struct sweep_result r[] = {
		{ .n_drops = 0, .memory_bytes = 100 }, { .n_drops = 5, .memory_bytes = 50 },
		{ .n_drops = 5, .memory_bytes = 60 },  { .n_drops = 0, .memory_bytes = 100 },
		{ .n_drops = 1, .memory_bytes = 200 }, { .n_drops = 1, .memory_bytes = 200 },
	};
	static const bool best[] = { true, true, false, true, false, true };

	r[5].n_broken = 0;
	r[0].n_broken = r[3].n_broken = r[4].n_broken = 1;
	r[1].n_broken = r[2].n_broken = 1;
	sweep_mark_best(r, 6);
	for (size_t i = 0; i < 6; i++)
		if (r[i].is_best != best[i])
			TAP_FAIL("result %zu", i);
}

/* Datagrams of ever new clients, one each millisecond. */
struct source {
	unsigned n, max;
	uint8_t data[28];
};

static int next_datagram(void *user, struct frame *out, struct ct_err *err)
{
	struct source *s = user;
	static const uint8_t head[20] = { 0x45, 0, 0,  28, 0, 0, 0,   0, 64, 17,
					  0,	0, 10, 0,  0, 0, 192, 0, 2,  1 };
	unsigned sum = 0;

	(void)err;
	if (s->n == s->max)
		return 0;
	memcpy(s->data, head, sizeof(head));
	s->data[14] = (uint8_t)(s->n >> 8);
	s->data[15] = (uint8_t)s->n;
	for (size_t i = 0; i < sizeof(head); i += 2)
		sum += (unsigned)s->data[i] << 8 | s->data[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	s->data[10] = (uint8_t)(~sum >> 8);
	s->data[11] = (uint8_t)~sum;
	memcpy(s->data + 20, "\x10\x00\x00\x35\x00\x08\x00\x00", 8);
	*out = (struct frame){ .at = (ct_time)s->n * CT_NS_PER_MS,
			       .data = s->data,
			       .size = sizeof(s->data),
			       .wire_size = sizeof(s->data),
			       .link = LINK_RAW,
			       .number = ++s->n };
	return 1;
}

static void run(unsigned n_threads, struct sweep_result out[8])
{
	struct grid g = { .n_axes = 0 };
	struct change classes = { .n_sets = 0 };
	struct source source = { .max = 10000 };
	struct sweep_options o = { .grid = &g,
				   .classes = &classes,
				   .n_threads = n_threads,
				   .has_sessions = true,
				   .next = next_datagram,
				   .traffic = &source };
	auto_memory struct sweep_result *results = NULL;
	struct ct_err err = { "" };
	unsigned n = 0;

	EQ_INT(grid_add(&g, "max=1000,2000", &err), 0);
	EQ_INT(grid_add(&g, "udp_timeout=1,3", &err), 0);
	EQ_INT(change_add_notrack(&classes, "udp dport 53", &err), 0);
	ct_engine_config_default(&o.engine);
	o.engine.buckets = 4096;
	size_machine_like(&o.machine, UINT64_C(8) << 30, 64, 6018000);
	size_entry_by_release(&o.machine, &o.entry);
	EQ_INT(sweep_run(&o, &results, &n, &err), 0);
	EQ_INT(n, 8);
	if (results)
		memcpy(out, results, 8 * sizeof(*results));
}

TEST(many_threads_find_what_one_does)
{
	static struct sweep_result one[8], many[8];

	run(1, one);
	run(5, many);
	for (unsigned i = 0; i < 8; i++) {
		EQ_INT(one[i].n_drops, many[i].n_drops);
		EQ_INT(one[i].n_early, many[i].n_early);
		EQ_INT(one[i].outcome.peak, many[i].outcome.peak);
		EQ_INT(one[i].n_untracked, i < 4 ? 0 : 10000);
	}
	/* 1000 new a second; entries out of time are counted until somebody meets them, as in the
	 * kernel, and give way without being dropped early */
	EQ_INT(one[1].outcome.peak, 1000);
	EQ_INT(one[3].outcome.peak, 2000);
	OK(one[3].n_early + one[3].n_drops > 3000);
	OK(one[2].n_early + one[2].n_drops < (one[3].n_early + one[3].n_drops) / 2);
	EQ_INT(one[4].outcome.peak, 0);
	OK(one[4].is_best && !one[1].is_best);
}

TAP_MAIN(&tap_values_are_read_strictly, &tap_every_combination_is_a_run,
	 &tap_the_front_is_what_none_beats, &tap_many_threads_find_what_one_does)
