/* SPDX-License-Identifier: BSD-2-Clause
 *
 * An event recording as packets: see echo.h. Connections stand in one array, found by tuple and
 * identifier through a hash table; a heap says whose packet is next.
 */
#include "ops/sweep/echo.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/sip.h"
#include "ops/sweep/echo_packet.h"

#define NOBODY	    UINT32_MAX
#define MAX_PACKETS UINT64_C(2000000000)

/* What is known of an entry's end. */
enum ending { STANDING, ENDED, SEEN_STILL };

struct life {
	struct ct_tuple tuple;
	uint32_t id;
	uint8_t slot; /* enum whatif_slot at the last look */
	uint8_t ending;
	bool is_answered;
	bool is_turn; /* who speaks next while it is kept alive */
	uint8_t step; /* of its phase */
	enum echo_phase phase;
	ct_time start, last, due;
};

struct echo {
	struct event_head head;
	struct whatif_timeouts recorded, shortest;
	struct echo_counts counts;
	ct_time end; /* of the recording */
	struct life *lives;
	uint32_t n, room;
	uint32_t *table; /* of open ones by hash: number, NOBODY free */
	uint32_t table_size;
	uint32_t *heap;
	uint32_t n_heap;
	struct echo_packet packet;
};

/* --- finding --- */

static uint64_t hash(const struct ct_tuple *t, uint32_t id)
{
	static const uint64_t key[2] = { UINT64_C(0x9b05688c2b3e6c1f), UINT64_C(0x6f) };
	uint64_t words[6];

	memcpy(words, t->src.bytes, 16);
	memcpy(words + 2, t->dst.bytes, 16);
	words[4] = (uint64_t)t->src_part << 32 | (uint64_t)t->dst_part << 16 |
		   (uint64_t)t->family << 8 | t->proto;
	words[5] = id;
	return ct_sip_words(key, words, 6);
}

/* The place in the table of the last life of an entry, or the free one where it would be. */
static uint32_t *find(const struct echo *e, const struct ct_tuple *t, uint32_t id)
{
	uint32_t mask = e->table_size - 1, at = (uint32_t)hash(t, id) & mask;

	while (e->table[at] != NOBODY) {
		const struct life *l = &e->lives[e->table[at]];

		if (l->id == id && ct_tuple_equal(&l->tuple, t))
			break;
		at = (at + 1) & mask;
	}
	return &e->table[at];
}

/* Room for one more, in the array and in a table that is at most half full. */
static int grow(struct echo *e)
{
	uint32_t room = e->room ? 2 * e->room : 1024, *table;
	struct life *lives;

	if (e->n < e->room)
		return 0;
	lives = realloc(e->lives, room * sizeof(*lives));
	if (!lives)
		return -ENOMEM;
	e->lives = lives;
	table = malloc(2 * (size_t)room * sizeof(*table));
	if (!table)
		return -ENOMEM;
	memset(table, 0xff, 2 * (size_t)room * sizeof(*table));
	free(e->table);
	e->table = table;
	e->table_size = 2 * room;
	e->room = room;
	for (uint32_t i = 0; i < e->n; i++) /* a later life of an entry replaces an earlier one */
		*find(e, &e->lives[i].tuple, e->lives[i].id) = i;
	return 0;
}

static int add(struct echo *e, const struct event *ev, struct life **out, struct ct_err *err)
{
	const struct ct_entry *entry = &ev->entry;

	if (e->n == ECHO_MAX_LIVES)
		return ct_err_set(err, -E2BIG, "more than %d connections in the recording",
				  ECHO_MAX_LIVES);
	if (grow(e) < 0)
		return ct_err_set(err, -ENOMEM, "no memory for %u connections", e->n);
	*find(e, &entry->tuple[0], entry->id) = e->n;
	*out = &e->lives[e->n++];
	**out = (struct life){
		.tuple = entry->tuple[0], .id = entry->id, .start = ev->at, .last = ev->at
	};
	return 0;
}

/* --- reading --- */

/* When an entry was last active that now has @left_s of the timeout of its kind. */
static ct_time active_at(const struct echo *e, enum whatif_slot slot, ct_time now, uint32_t left_s)
{
	uint32_t full_s = e->recorded.s[slot];
	ct_time ago = full_s > left_s ? (ct_time)(full_s - left_s) * CT_NS_PER_S : 0;

	return now > ago ? now - ago : 0;
}

/* The kind of an entry; a TCP state that is not told counts as the longest. */
static enum whatif_slot kind_of(const struct ct_entry *entry)
{
	enum whatif_slot slot = whatif_slot_of(entry);

	return entry->tuple[0].proto == IPPROTO_TCP && slot > WHATIF_TCP_SYN_SENT2
		       ? WHATIF_TCP_ESTABLISHED
		       : slot;
}

static void learn(struct life *l, const struct ct_entry *entry)
{
	l->slot = (uint8_t)kind_of(entry);
	if (entry->known & CT_KNOWN_STATUS)
		l->is_answered = entry->status & CT_STATUS_SEEN_REPLY;
}

/* An entry in one of the two looks: it was active some time before. */
static void look(const struct echo *e, struct life *l, const struct event *ev, bool is_first)
{
	ct_time active = ev->at;

	learn(l, &ev->entry);
	if (ev->entry.known & CT_KNOWN_TIMEOUT)
		active = active_at(e, (enum whatif_slot)l->slot, ev->at, ev->entry.timeout_s);
	if (is_first)
		l->start = active;
	l->last = active > l->start ? active : l->start;
	l->ending = is_first ? STANDING : SEEN_STILL;
}

/* One that spoke once only was last active when it began, however late the kernel collected it. */
static bool is_single(const struct ct_entry *entry)
{
	return (entry->known & CT_KNOWN_COUNTERS) && entry->packets[0] <= 1 &&
	       entry->packets[1] <= 1;
}

static void end(const struct echo *e, struct life *l, const struct event *ev)
{
	ct_time active;

	learn(l, &ev->entry);
	active = active_at(e, (enum whatif_slot)l->slot, ev->at, 0);
	if (active > l->last && !is_single(&ev->entry))
		l->last = active;
	l->ending = ENDED;
}

static int take(struct echo *e, const struct event *ev, struct ct_err *err)
{
	bool is_about = ev->kind >= EVENT_STANDS && ev->kind <= EVENT_STILL;
	uint32_t at =
		e->table_size && is_about ? *find(e, &ev->entry.tuple[0], ev->entry.id) : NOBODY;
	struct life *l = at == NOBODY ? NULL : &e->lives[at];
	bool is_open = l && l->ending == STANDING;
	int r = 0;

	if (is_about && !echo_can_speak(ev->entry.tuple[0].proto)) {
		e->counts.n_mute += ev->kind == EVENT_NEW || ev->kind == EVENT_STANDS;
		return 0;
	}
	switch (ev->kind) {
	case EVENT_STANDS: /* it may have been told of, and even have ended, meanwhile */
		if (!l && (r = add(e, ev, &l, err)) == 0)
			look(e, l, ev, true);
		return r;
	case EVENT_NEW:
		if (!is_open && (r = add(e, ev, &l, err)) == 0)
			learn(l, &ev->entry);
		return r;
	case EVENT_DESTROY:
		/* One whose beginning nobody saw began no later than it was last active. */
		if (!is_open && (r = add(e, ev, &l, err)) == 0)
			l->start = l->last = active_at(e, kind_of(&ev->entry), ev->at, 0);
		if (r == 0)
			end(e, l, ev);
		return r;
	case EVENT_STILL:
		if (!is_open && (r = add(e, ev, &l, err)) == 0)
			look(e, l, ev, true);
		if (r == 0)
			look(e, l, ev, false);
		return r;
	case EVENT_GAP:
		e->counts.n_gaps++;
		return 0;
	case EVENT_READY:
	case EVENT_END:
		break;
	}
	return 0;
}

/* Of those that nobody saw end: in a recording that was cut they stood to its end as far as is
 * known; in a whole one they ended without a word, and were last active when last seen so. */
static void settle(struct echo *e)
{
	for (uint32_t i = 0; i < e->n; i++) {
		struct life *l = &e->lives[i];

		/* nf_conntrack_tcp_packet(): a SYN or SYN-ACK that is sent again renews nothing */
		if (l->slot == WHATIF_TCP_SYN_SENT || l->slot == WHATIF_TCP_SYN_RECV ||
		    l->slot == WHATIF_TCP_SYN_SENT2)
			l->last = l->start;
		if (l->ending != STANDING)
			continue;
		e->counts.n_unended++;
		if (e->counts.is_cut && whatif_slot_ends((enum whatif_slot)l->slot) == WHATIF_LIVES)
			l->last = e->end;
	}
	e->counts.n_lives = e->n;
}

void echo_configure(const struct echo *e, struct ct_engine_config *out)
{
	ct_engine_config_default(out);
	for (unsigned i = 0; i < e->head.n_settings; i++)
		(void)grid_assign(out, e->head.settings[i].name, e->head.settings[i].value, NULL);
}

void echo_timeouts_of(const struct ct_engine_settings *s, struct whatif_timeouts *out)
{
	*out = (struct whatif_timeouts){ .max_retrans_s = s->tcp_timeout_max_retrans };
#define ENGINE_SETTING(field, name, standard, highest)                                             \
	(void)whatif_timeouts_set(out, "nf_conntrack_" name, s->field);
#include <conntune/engine_setting.def>
#undef ENGINE_SETTING
}

static int read_all(struct echo *e, struct events *ev, struct ct_err *err)
{
	struct ct_engine_config cfg;
	struct event event;
	int r;

	e->head = *events_head(ev);
	e->end = e->head.begin;
	echo_configure(e, &cfg);
	echo_timeouts_of(&cfg.settings, &e->recorded);
	while ((r = events_next(ev, &event, err)) > 0) {
		if (event.at > e->end)
			e->end = event.at;
		r = take(e, &event, err);
		if (r < 0)
			return r;
	}
	e->counts.is_cut = events_is_cut(ev);
	return r;
}

int echo_open(const char *path, struct echo **out, struct ct_err *err)
{
	auto_free(events) struct events *ev = NULL;
	auto_free(echo) struct echo *e = calloc(1, sizeof(*e));
	int r;

	if (!e)
		return ct_err_set(err, -ENOMEM, "%s: out of memory", path);
	r = events_open(path, &ev, err);
	if (r == 0)
		r = read_all(e, ev, err);
	if (r < 0)
		return r;
	settle(e);
	*out = e;
	e = NULL;
	return 0;
}

void echo_free(struct echo *e)
{
	if (!e)
		return;
	free(e->lives);
	free(e->table);
	free(e->heap);
	free(e);
}

void echo_counts(const struct echo *e, struct echo_counts *out)
{
	*out = e->counts;
}

/* --- packets --- */

static bool is_before(const struct echo *e, uint32_t a, uint32_t b)
{
	const struct life *x = &e->lives[a], *y = &e->lives[b];

	return x->due != y->due ? x->due < y->due : a < b;
}

/* The first of the heap has got another time, or has been replaced. */
static void sink(struct echo *e, uint32_t at)
{
	for (;;) {
		uint32_t least = at, kept = e->heap[at];

		for (uint32_t child = 2 * at + 1; child <= 2 * at + 2 && child < e->n_heap; child++)
			if (is_before(e, e->heap[child], e->heap[least]))
				least = child;
		if (least == at)
			return;
		e->heap[at] = e->heap[least];
		e->heap[least] = kept;
		at = least;
	}
}

/* Half of the shortest timeout that could end it while it lives. */
static ct_time keeping(const struct echo *e, const struct life *l)
{
	const uint32_t *t = e->shortest.s;
	uint32_t s = t[l->slot];

	if (l->tuple.proto == IPPROTO_TCP && l->slot > WHATIF_TCP_SYN_RECV)
		s = t[l->slot == WHATIF_TCP_SYN_SENT2 ? WHATIF_TCP_SYN_SENT
						      : WHATIF_TCP_ESTABLISHED];
	else if (l->slot == WHATIF_UDP_STREAM && t[WHATIF_UDP] < s)
		s = t[WHATIF_UDP];
	else if (l->slot == WHATIF_GRE_STREAM && t[WHATIF_GRE] < s)
		s = t[WHATIF_GRE];
	return (ct_time)(s ? s : 2) * CT_NS_PER_S / 2;
}

/* A clock that was set, or a file made by somebody, gives connections of centuries. */
static int check_length(const struct echo *e, struct ct_err *err)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < e->n; i++)
		n += (uint64_t)((e->lives[i].last - e->lives[i].start) / keeping(e, &e->lives[i]));
	if (n <= MAX_PACKETS)
		return 0;
	return ct_err_set(err, -E2BIG,
			  "the recording would take %llu packets, more than %llu: its connections "
			  "are too long for timeouts this short",
			  (unsigned long long)n, (unsigned long long)MAX_PACKETS);
}

int echo_begin(struct echo *e, const struct whatif_timeouts *shortest, struct ct_err *err)
{
	int r;

	e->shortest = *shortest;
	r = check_length(e, err);
	if (r < 0)
		return r;
	free(e->heap);
	e->heap = malloc(((size_t)e->n + 1) * sizeof(*e->heap));
	if (!e->heap)
		return ct_err_set(err, -ENOMEM, "no memory for %u connections", e->n);
	for (e->n_heap = 0; e->n_heap < e->n; e->n_heap++) {
		struct life *l = &e->lives[e->n_heap];

		l->due = l->start;
		l->step = 0;
		l->phase = ECHO_BEGIN;
		e->heap[e->n_heap] = e->n_heap;
	}
	for (uint32_t i = e->n_heap / 2; i-- > 0;)
		sink(e, i);
	return 0;
}

/* When it speaks again after beginning or a word in between. */
static void keep(const struct echo *e, struct life *l)
{
	ct_time due = l->due + keeping(e, l);

	l->step = 0;
	l->is_turn = !l->is_turn;
	l->phase = due < l->last ? ECHO_KEEP : ECHO_END;
	l->due = due < l->last ? due : l->last;
}

/* Goes on to the next packet. False when there is none. */
static bool advance(const struct echo *e, struct life *l)
{
	unsigned n = echo_script_len((enum whatif_slot)l->slot, l->is_answered, l->phase);

	if (l->phase == ECHO_KEEP)
		keep(e, l);
	else if (++l->step < n)
		return true;
	else if (l->phase == ECHO_BEGIN)
		keep(e, l);
	else
		return false;
	return true;
}

int echo_next(struct echo *e, struct frame *out)
{
	struct life *l;

	if (e->n_heap == 0)
		return 0;
	l = &e->lives[e->heap[0]];
	echo_packet_make(&e->packet, &l->tuple, (enum whatif_slot)l->slot, l->is_answered, l->phase,
			 l->phase == ECHO_KEEP ? l->is_turn : l->step);
	*out = (struct frame){ .at = l->due,
			       .data = e->packet.data,
			       .size = e->packet.size,
			       .wire_size = e->packet.size,
			       .link = LINK_RAW };
	if (!advance(e, l))
		e->heap[0] = e->heap[--e->n_heap];
	if (e->n_heap > 0)
		sink(e, 0);
	return 1;
}
