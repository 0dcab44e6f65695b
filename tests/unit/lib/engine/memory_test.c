/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/engine: memory that ends. The recorded captures and some ten thousand flows beside them, of
 * all that makes an engine ask for memory, are replayed once for each request they make, which
 * then fails: that one alone, and that one with all behind it. After each, the engine must be
 * whole, go on when there is memory again, and give all back. And a table that is full for millions
 * of packets is then what it was at their beginning.
 */
#include <conntune/defrag.h>
#include <conntune/engine.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/engine/chain.h"
#include "lib/engine/index.h"
#include "ops/capture/capture.h"
#include "tap.h"
#include "unit/lib/engine/build.h"

enum { CLIENT = 0x0a000000, SERVER = 0x0a636407, PUBLIC = 0x0b000201, SYN = 2 };
enum { MAX_PACKETS = 20000, N_FLOWS = CHUNK_LEN + 100 };

struct meter {
	unsigned n, fail_at; /* requests so far; the first that fails, 0 none */
	bool is_lasting;     /* those behind it fail too */
	int n_held;
	size_t held;
};

static void *meter_alloc(void *user, size_t size, size_t align)
{
	struct meter *m = user;

	m->n++;
	if (m->fail_at && (m->is_lasting ? m->n >= m->fail_at : m->n == m->fail_at))
		return NULL;
	m->n_held++;
	m->held += size;
	return aligned_alloc(align, (size + align - 1) / align * align);
}

static void meter_free(void *user, void *p, size_t size)
{
	struct meter *m = user;

	m->n_held--;
	m->held -= size;
	free(p);
}

/* The IP packets of all captures, one behind the other. */
static struct recorded {
	uint8_t *bytes;
	uint32_t size;
	ct_time at;
} recorded[MAX_PACKETS];
static unsigned n_recorded;

static void record(const struct frame *f)
{
	struct recorded *r = &recorded[n_recorded];
	const uint8_t *data;
	uint32_t size;

	if (n_recorded == MAX_PACKETS || frame_ip(f, &data, &size))
		return;
	*r = (struct recorded){ malloc(size ? size : 1), size, f->at };
	memcpy(r->bytes, data, size);
	n_recorded++;
}

static void record_all(void)
{
	char dir[512], path[1024];
	struct dirent *d;
	DIR *at;

	(void)snprintf(dir, sizeof(dir), "%s/oracle/captures", getenv("TEST_DATA"));
	at = opendir(dir);
	while (at && (d = readdir(at))) {
		auto_free(capture) struct capture *c = NULL;
		struct frame f;

		(void)snprintf(path, sizeof(path), "%s/%s", dir, d->d_name);
		if (!strstr(d->d_name, ".pcap") || capture_open(path, &c, NULL) < 0)
			continue;
		while (capture_read(c, &f, 1, NULL) == 1)
			record(&f);
	}
	(void)closedir(at);
}

struct run {
	struct meter meter;
	struct ct_engine *en;
	struct ct_defrag *defrag;
	ct_time now;
};

static void track(struct run *r, struct ct_packet *p)
{
	enum ct_defrag_result was = CT_DEFRAG_PASS;

	if (ct_packet_receive(p) < 0)
		return;
	if (r->defrag)
		was = ct_defrag_in(r->defrag, p, r->now);
	if (was != CT_DEFRAG_PASS && was != CT_DEFRAG_WHOLE)
		return;
	(void)ct_packet_parse(p);
	p->helper = p->proto == 6 ? CT_HELPER_FTP : p->proto == 17 ? CT_HELPER_TFTP : 0;
	ct_engine_in(r->en, p, r->now);
	ct_engine_confirm(r->en, p, r->now);
}

static void replay_captures(struct run *r)
{
	for (unsigned i = 0; i < n_recorded; i++) {
		struct ct_packet p;

		r->now = recorded[i].at > r->now ? recorded[i].at : r->now;
		ct_packet_init(&p, recorded[i].bytes, recorded[i].size);
		track(r, &p);
	}
}

/* More flows than a chunk holds, so that index and pool grow, some of them mapped. */
static void replay_flows(struct run *r)
{
	struct ct_tuple reply;
	struct made m, back;

	for (unsigned i = 0; i < N_FLOWS; i++) {
		ct_engine_in(r->en, made_udp(&m, CLIENT + i, 1000, SERVER, 53), r->now);
		if (i % 64 == 0 && m.p.entry.number) {
			(void)ct_packet_tuple(made_udp(&back, SERVER, 53, PUBLIC, i), &reply);
			(void)ct_engine_set_reply(r->en, m.p.entry, &reply);
		}
		ct_engine_confirm(r->en, &m.p, r->now);
		if (i == N_FLOWS / 2)
			(void)ct_engine_set_buckets(r->en, 4096);
	}
	ct_engine_in(r->en, made_tcp(&m, CLIENT, 1000, SERVER, 80, SYN, 1, 0), r->now);
	ct_engine_confirm(r->en, &m.p, r->now);
}

/* Is the table what its counter says, and every 8th entry where its tuples are? */
static unsigned n_wrong(struct run *r)
{
	struct ct_cursor at = { 0, 0 };
	struct ct_engine_stats s;
	struct ct_entry e;
	uint64_t n = 0;
	unsigned wrong = 0;

	for (; ct_engine_next(r->en, &at, &e) == 1; n++)
		for (int d = 0; n % 8 == 0 && d < CT_DIR_MAX; d++) {
			struct ct_handle h;
			enum ct_dir dir;

			if (ct_engine_find(r->en, &e.tuple[d], e.zone, &h, &dir) < 0 ||
			    (int)dir != d)
				wrong++;
		}
	ct_engine_stats(r->en, &s);
	/* Kernel fidelity counts expired entries until somebody meets them. */
	return wrong + (r->en->chains ? n > s.count : n != s.count);
}

static bool begin(struct run *r, enum ct_fidelity fidelity)
{
	struct ct_memory memory = { meter_alloc, meter_free, &r->meter };
	struct ct_engine_config cfg;
	struct ct_defrag_config of_defrag;

	ct_engine_config_default(&cfg);
	cfg.fidelity = fidelity;
	cfg.buckets = 1024;
	cfg.settings.acct = cfg.settings.timestamp = 1;
	cfg.memory = memory;
	r->en = ct_engine_new(&cfg, NULL);
	ct_defrag_config_default(&of_defrag);
	of_defrag.memory = memory;
	r->defrag = ct_defrag_new(&of_defrag, NULL);
	return r->en != NULL;
}

/* One replay whose request number @fail_at fails; how many requests it made. */
static unsigned replay(enum ct_fidelity fidelity, unsigned fail_at, bool is_lasting)
{
	struct run r = { .meter = { .fail_at = fail_at, .is_lasting = is_lasting } };
	struct ct_engine_stats s;
	struct made m;
	unsigned n;

	if (begin(&r, fidelity)) {
		replay_flows(&r);
		replay_captures(&r);
		n = r.meter.n;
		r.meter.fail_at = 0;
		track(&r, made_udp(&m, CLIENT - 1, 1, SERVER, 53));
		EQ_INT(m.p.info, CT_INFO_NEW);
		EQ_INT(m.p.verdict, CT_ACCEPT);
		EQ_INT(n_wrong(&r), 0);
		ct_engine_advance(r.en, r.now + 100000 * CT_NS_PER_S);
		ct_engine_advance(r.en, r.now + 100200 * CT_NS_PER_S);
		ct_engine_stats(r.en, &s);
		EQ_INT(s.count, 0);
	} else {
		n = r.meter.n;
		OK(fail_at != 0);
	}
	ct_engine_free(r.en);
	ct_defrag_free(r.defrag);
	EQ_INT(r.meter.n_held, 0);
	EQ_INT(r.meter.held, 0);
	return n;
}

/* Those of the engine's start and growth all, of those that fragments make a sample. */
static void check(enum ct_fidelity fidelity)
{
	enum { ALL_OF = 50, SAMPLE = 10 };
	unsigned n = replay(fidelity, 0, false), step = n / SAMPLE + 1;

	printf("# %u packets, %u requests for memory; fails each up to the %uth, then one in %u\n",
	       n_recorded + N_FLOWS, n, ALL_OF, step);
	for (unsigned at = 1; at <= n; at += at < ALL_OF ? 1 : step) {
		(void)replay(fidelity, at, false);
		(void)replay(fidelity, at, true);
	}
}

TEST(a_replay_survives_any_failure_in_exact_fidelity)
{
	if (n_recorded == 0)
		record_all();
	OK(n_recorded > 100);
	check(CT_FIDELITY_EXACT);
}

TEST(a_replay_survives_any_failure_in_kernel_fidelity)
{
	if (n_recorded == 0)
		record_all();
	check(CT_FIDELITY_KERNEL);
}

/* What an engine holds, and how far its searches go. */
struct extent {
	uint64_t memory_bytes;
	uint32_t n_places, n_cold;
	uint64_t work; /* links of the longest chain, or lines that were passed by altogether */
};

static uint64_t longest_chain(struct ct_engine *en)
{
	uint64_t longest = 0;

	for (uint32_t i = 0; i < ct_chains_buckets(en); i++) {
		uint64_t n = 0;

		for (uint32_t l = ct_chain_first(en, i); l; l = ct_chain_next(en, l))
			n++;
		longest = n > longest ? n : longest;
	}
	return longest;
}

static uint64_t lines_passed(const struct index *ix)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < ix->now.n; i++)
		n += ix->now.at[i].n_past;
	return n;
}

static struct extent extent_of(struct ct_engine *en)
{
	struct extent x = { .n_cold = en->n_cold };

	for (unsigned i = 0; i < N_CLASSES; i++)
		x.n_places += en->pools[i].n_used;
	x.memory_bytes = en->stats.memory_bytes;
	x.work = en->chains ? longest_chain(en) : lines_passed(en->index);
	return x;
}

/* A packet of flow @i at a moment. */
static void say(struct ct_engine *en, unsigned i, bool is_reply, ct_time at)
{
	struct made m;

	(void)(is_reply ? made_udp(&m, SERVER, 69, CLIENT + i, 1000)
			: made_udp(&m, CLIENT + i, 1000, SERVER, 69));
	ct_engine_in(en, &m.p, at);
	ct_engine_confirm(en, &m.p, at);
}

/* A new flow each millisecond at a full table, a third of them mapped, some with a helper; one in
 * 64 is answered, and goes on after two seconds, which assures it. */
static void flood(struct ct_engine *en, unsigned from, unsigned to)
{
	enum { EACH = 64, LATER = 40 * EACH };
	struct ct_tuple reply = { .family = CT_FAMILY_IPV4, .proto = 17, .src.ip4 = SERVER };
	struct made m;

	for (unsigned i = from; i < to; i++) {
		ct_time at = (ct_time)i * CT_NS_PER_MS;

		(void)made_udp(&m, CLIENT + i, 1000, SERVER, 69);
		m.p.helper = i % 16 == 1 ? CT_HELPER_TFTP : CT_HELPER_NONE;
		ct_engine_in(en, &m.p, at);
		reply.dst.ip4 = i;
		if (i % 3 == 1 && m.p.entry.number)
			(void)ct_engine_set_reply(en, m.p.entry, &reply);
		ct_engine_confirm(en, &m.p, at);
		if (i % EACH != 0 || i <= LATER)
			continue;
		say(en, i, true, at);
		say(en, i - LATER, false, at);
	}
}

static void check_full(enum ct_fidelity fidelity)
{
	enum { MAX = 5000, WARM = 200000, LONG = 1200000 };
	struct ct_engine_config cfg;
	struct extent begin, end;
	struct ct_engine *en;

	ct_engine_config_default(&cfg);
	cfg.fidelity = fidelity;
	cfg.max = cfg.buckets = MAX;
	cfg.settings.acct = 1;
	en = ct_engine_new(&cfg, NULL);
	flood(en, 0, WARM);
	begin = extent_of(en);
	flood(en, WARM, LONG);
	end = extent_of(en);
	/* The kernel's early drop ends all of a bucket. */
	OK(en->count <= MAX && en->count > MAX - 20);
	OK(en->stats.early_drop > LONG / 2);
	EQ_INT(end.memory_bytes, begin.memory_bytes);
	EQ_INT(end.n_places, begin.n_places);
	OK(end.n_cold <= begin.n_cold + begin.n_cold / 10);
	OK(end.work <= begin.work * 2 + 8);
	ct_engine_free(en);
}

TEST(a_full_table_neither_grows_nor_slows_down)
{
	check_full(CT_FIDELITY_EXACT);
	check_full(CT_FIDELITY_KERNEL);
}

TAP_MAIN(&tap_a_replay_survives_any_failure_in_exact_fidelity,
	 &tap_a_replay_survives_any_failure_in_kernel_fidelity,
	 &tap_a_full_table_neither_grows_nor_slows_down)
