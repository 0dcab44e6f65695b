/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A sweep: see sweep.h.
 */
#include "ops/sweep/sweep.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "ops/sweep/broken.h"

enum { PIECE_FRAMES = 4096, PIECE_BYTES = 4 << 20, MAX_THREADS = 64, BUCKET_BYTES = 16 };

/* Frames with their bytes, and which classes each belongs to. */
struct piece {
	unsigned n;
	bool is_last;
	size_t size;
	struct frame frames[PIECE_FRAMES];
	uint8_t classes[PIECE_FRAMES]; /* bits */
	uint8_t bytes[PIECE_BYTES];
};

struct run {
	struct sim *sim;
	struct broken *broken;
	unsigned untracks;
	uint64_t n_untracked;
	uint32_t max, buckets;
};

struct sweep {
	const struct sweep_options *o;
	unsigned n_runs;
	struct run runs[GRID_MAX_RUNS];
	struct sim_machine machine;
	struct piece *pieces[2]; /* one is worked on while the other is filled */
	struct piece *at;	 /* worked on */
	atomic_uint next;	 /* run to be taken */
	pthread_mutex_t gate;	 /* until it is known how many threads there are */
	pthread_barrier_t begin, end;
	struct frame held; /* did not fit into the last piece */
	bool has_held;
	uint64_t n_frames;
	ct_time first, last;
	int status; /* of reading */
};

/* --- reading --- */

/* The classes that the packet in @f belongs to, in either direction. */
static uint8_t classes_of(const struct change *c, const struct frame *f)
{
	struct ct_entry e = { .known = CT_KNOWN_FAMILY | CT_KNOWN_PARTS };
	struct ct_packet p;
	const uint8_t *data;
	unsigned bits = 0;
	uint32_t size;

	if (c->n_notrack == 0 || frame_ip(f, &data, &size) || size < 20)
		return 0;
	ct_packet_init(&p, data, size);
	if (ct_packet_parse(&p) < 0 || ct_packet_tuple(&p, &e.tuple[CT_DIR_ORIG]) < 0)
		return 0;
	if (ct_tuple_invert(&e.tuple[CT_DIR_REPLY], &e.tuple[CT_DIR_ORIG]) < 0)
		e.tuple[CT_DIR_REPLY] = e.tuple[CT_DIR_ORIG];
	for (unsigned i = 0; i < c->n_notrack; i++)
		bits |= (unsigned)change_untracks(c, i, &e) << i;
	return (uint8_t)bits;
}

static void add_frame(struct sweep *s, struct piece *p, const struct frame *f)
{
	struct frame *to = &p->frames[p->n];

	*to = *f;
	memcpy(p->bytes + p->size, f->data, f->size);
	to->data = p->bytes + p->size;
	p->size += f->size;
	p->classes[p->n++] = classes_of(s->o->classes, to);
	if (s->n_frames++ == 0)
		s->first = s->last = f->at;
	if (f->at > s->last)
		s->last = f->at;
}

/* Fills a piece. After the end of the traffic, or an error, it is the last. */
static void read_piece(struct sweep *s, struct piece *p, struct ct_err *err)
{
	p->n = 0;
	p->size = 0;
	p->is_last = false;
	while (p->n < PIECE_FRAMES) {
		int r = s->has_held ? 1 : s->o->next(s->o->traffic, &s->held, err);

		s->has_held = false;
		if (r <= 0) {
			s->status = r;
			p->is_last = true;
			return;
		}
		if (s->held.size > PIECE_BYTES) /* no capture gives one */
			continue;
		if (s->held.size > PIECE_BYTES - p->size) {
			s->has_held = true;
			return;
		}
		add_frame(s, p, &s->held);
	}
}

/* --- running --- */

static void feed(struct run *r, const struct piece *p)
{
	for (unsigned i = 0; i < p->n; i++) {
		if (p->classes[i] & r->untracks)
			r->n_untracked++;
		else
			sim_frame(r->sim, &p->frames[i]);
	}
	sim_flush(r->sim);
	if (p->is_last)
		sim_end(r->sim);
}

static void *work(void *user)
{
	struct sweep *s = user;

	(void)pthread_mutex_lock(&s->gate);
	(void)pthread_mutex_unlock(&s->gate);
	for (;;) {
		bool is_last;
		unsigned i;

		(void)pthread_barrier_wait(&s->begin);
		is_last = s->at->is_last;
		while ((i = atomic_fetch_add(&s->next, 1)) < s->n_runs)
			feed(&s->runs[i], s->at);
		(void)pthread_barrier_wait(&s->end);
		if (is_last)
			return NULL;
	}
}

/* Hands out pieces until the last. */
static void read_all(struct sweep *s, struct ct_err *err)
{
	unsigned turn = 0;
	bool is_last = false;

	read_piece(s, s->pieces[0], err);
	while (!is_last) {
		s->at = s->pieces[turn];
		is_last = s->at->is_last;
		atomic_store(&s->next, 0);
		(void)pthread_barrier_wait(&s->begin);
		turn = !turn;
		if (!is_last)
			read_piece(s, s->pieces[turn], err);
		(void)pthread_barrier_wait(&s->end);
		if (s->o->progress)
			s->o->progress(s->o->user, s->n_frames, s->last - s->first);
	}
}

/* As many workers as can be had; the barriers count those that there are. */
static int run_all(struct sweep *s, struct ct_err *err)
{
	pthread_t threads[MAX_THREADS];
	unsigned n = 0, most = s->o->n_threads < s->n_runs ? s->o->n_threads : s->n_runs;
	int r = 0;

	(void)pthread_mutex_init(&s->gate, NULL);
	(void)pthread_mutex_lock(&s->gate);
	while (n < most && n < MAX_THREADS && (r = pthread_create(&threads[n], NULL, work, s)) == 0)
		n++;
	(void)pthread_barrier_init(&s->begin, NULL, n + 1);
	(void)pthread_barrier_init(&s->end, NULL, n + 1);
	(void)pthread_mutex_unlock(&s->gate);
	if (n > 0)
		read_all(s, err);
	for (unsigned i = 0; i < n; i++)
		(void)pthread_join(threads[i], NULL);
	(void)pthread_barrier_destroy(&s->begin);
	(void)pthread_barrier_destroy(&s->end);
	(void)pthread_mutex_destroy(&s->gate);
	return n > 0 ? 0 : ct_err_set(err, -r, "starting a thread: %s", strerror(r));
}

/* --- runs made and judged --- */

static int make_run(struct sweep *s, unsigned i, struct ct_err *err)
{
	struct run *r = &s->runs[i];
	unsigned place[GRID_MAX_AXES];
	struct sim_config cfg;

	sim_config_default(&cfg);
	cfg.engine = s->o->engine;
	cfg.engine.fidelity = CT_FIDELITY_KERNEL;
	cfg.machine = &s->machine;
	cfg.fixes_checksums = !s->o->has_sessions;
	r->untracks = grid_at(s->o->grid, i, place);
	if (grid_configure(s->o->grid, i, &cfg.engine, err) < 0)
		return -EINVAL;
	r->broken = broken_new();
	if (!r->broken)
		return ct_err_set(err, -ENOMEM, "no memory for run %u of %u", i + 1, s->n_runs);
	cfg.engine.event = broken_event;
	cfg.engine.event_user = r->broken;
	cfg.seen = broken_packet;
	cfg.user = r->broken;
	r->max = cfg.engine.max;
	r->buckets = cfg.engine.buckets ? cfg.engine.buckets : cfg.engine.max;
	r->sim = sim_new(&cfg, err);
	return r->sim ? 0 : -ENOMEM;
}

static void judge(const struct sweep *s, unsigned i, struct sweep_result *out)
{
	const struct run *r = &s->runs[i];
	struct size_cost cost;

	*out = (struct sweep_result){ .run = i,
				      .untracks = r->untracks,
				      .max = r->max,
				      .buckets = r->buckets,
				      .outcome = *sim_outcome(r->sim),
				      .n_untracked = r->n_untracked,
				      .n_broken = broken_count(r->broken),
				      .n_forgotten = broken_forgotten(r->broken) };
	out->n_drops = out->outcome.stats.drop;
	out->n_refused = out->outcome.stats.insert_failed;
	out->n_early = out->outcome.stats.early_drop + out->outcome.stats.evicted;
	if (!s->o->has_sessions)
		out->n_broken = out->n_forgotten = 0;
	size_cost(&s->o->machine, &s->o->entry, out->outcome.peak, r->buckets, &cost);
	out->memory_bytes = cost.total_bytes;
}

/* Bucket arrays are had before the first packet: some runs of a large table are too much. */
static int check_room(const struct sweep *s, unsigned n, struct ct_err *err)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++)
		bytes += (uint64_t)s->runs[i].buckets * BUCKET_BYTES;
	if (s->o->machine.mem_bytes == 0 || bytes < s->o->machine.mem_bytes / 4)
		return 0;
	return ct_err_set(err, -E2BIG,
			  "the buckets of %u runs alone would take a quarter of the memory or "
			  "more; sweep fewer values",
			  s->n_runs);
}

static int make_all(struct sweep *s, struct ct_err *err)
{
	int r = 0;

	for (unsigned i = 0; i < 2; i++) {
		s->pieces[i] = malloc(sizeof(struct piece));
		if (!s->pieces[i])
			return ct_err_set(err, -ENOMEM, "no memory for a sweep");
	}
	sim_machine_init(&s->machine);
	sim_machine_ready(&s->machine);
	for (unsigned i = 0; r == 0 && i < s->n_runs; i++)
		if ((r = make_run(s, i, err)) == 0)
			r = check_room(s, i + 1, err);
	return r;
}

static void sweep_free(struct sweep *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < s->n_runs; i++) {
		sim_free(s->runs[i].sim);
		broken_free(s->runs[i].broken);
	}
	sim_machine_fini(&s->machine);
	free(s->pieces[0]);
	free(s->pieces[1]);
	free(s);
}
DEFINE_AUTO_FREE(sweep);

int sweep_run(const struct sweep_options *o, struct sweep_result **out, unsigned *out_n,
	      struct ct_err *err)
{
	auto_free(sweep) struct sweep *s = calloc(1, sizeof(*s));
	struct sweep_result *results;
	int r;

	if (!s)
		return ct_err_set(err, -ENOMEM, "no memory for a sweep");
	s->o = o;
	r = grid_n_runs(o->grid, o->classes->n_notrack, &s->n_runs, err);
	if (r == 0)
		r = make_all(s, err);
	if (r == 0)
		r = run_all(s, err);
	if (r < 0)
		return r;
	results = calloc(s->n_runs, sizeof(*results));
	if (!results)
		return ct_err_set(err, -ENOMEM, "no memory for the results");
	for (unsigned i = 0; i < s->n_runs; i++)
		judge(s, i, &results[i]);
	sweep_mark_best(results, s->n_runs);
	*out = results;
	*out_n = s->n_runs;
	return s->status;
}
