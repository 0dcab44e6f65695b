/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A run: see sim.h.
 */
#include "ops/sim/sim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ops/sim/follow.h"

enum { BURST = 32, ROOM_SIZE = 65536, GRAIN_NS = 4000000 };

/* What is collected for one call of the engine: packets within one tick of its clock. */
struct burst {
	struct ct_packet packets[BURST];
	struct ct_packet *list[BURST];
	unsigned n;
	ct_time at;
};

struct sim {
	struct sim_config cfg;
	struct ct_hooks hooks;
	struct sim_outcome outcome;
	struct burst burst;
	struct sim_follow *follow; /* owned; null: answers stay as they are */
	uint8_t *room; /* owned: for packets that are filled up or changed, one each of a burst */
	unsigned n_uncounted; /* packets since the peak was looked at */
};

void sim_config_default(struct sim_config *cfg)
{
	*cfg = (struct sim_config){ .n_helpers = 0 };
	ct_engine_config_default(&cfg->engine);
	ct_defrag_config_default(&cfg->defrag);
}

/* Engine, reassembly and translator of the hooks. */
static int make_hooks(struct sim *s, struct ct_err *err)
{
	struct ct_nat_config nat = { .memory = s->cfg.engine.memory };

	memcpy(s->cfg.defrag.seed, s->cfg.engine.seed, sizeof(s->cfg.defrag.seed));
	memcpy(nat.seed, s->cfg.engine.seed, sizeof(nat.seed));
	s->hooks.engine = nat.engine = ct_engine_new(&s->cfg.engine, err);
	if (!s->hooks.engine)
		return -ENOMEM;
	s->hooks.defrag = ct_defrag_new(&s->cfg.defrag, err);
	s->hooks.nat = s->hooks.defrag ? ct_nat_new(&nat, err) : NULL;
	return s->hooks.nat ? 0 : -ENOMEM;
}

struct sim *sim_new(const struct sim_config *cfg, struct ct_err *err)
{
	struct sim *s = calloc(1, sizeof(*s));

	if (!s) {
		(void)ct_err_set(err, -ENOMEM, "no memory for a run");
		return NULL;
	}
	s->cfg = *cfg;
	s->hooks.rules4 = cfg->rules4;
	s->hooks.rules6 = cfg->rules6;
	s->hooks.rules_nft = cfg->rules_nft;
	s->hooks.router = cfg->machine->router;
	s->hooks.trace = cfg->trace;
	s->hooks.trace_user = cfg->user;
	s->hooks.about.known = CT_RULE_KNOWS_TIME | (cfg->mtu ? CT_RULE_KNOWS_MTU : 0);
	s->hooks.about.mtu = cfg->mtu;
	s->hooks.about.sets = cfg->sets;
	s->room = malloc((size_t)BURST * ROOM_SIZE);
	s->follow = cfg->follows_nat ? sim_follow_new() : NULL;
	if (!s->room || (cfg->follows_nat && !s->follow))
		(void)ct_err_set(err, -ENOMEM, "no memory for a run");
	else
		(void)make_hooks(s, err);
	if (!s->hooks.nat) {
		sim_free(s);
		return NULL;
	}
	return s;
}

void sim_free(struct sim *s)
{
	if (!s)
		return;
	ct_nat_free(s->hooks.nat);
	ct_engine_free(s->hooks.engine);
	ct_defrag_free(s->hooks.defrag);
	sim_follow_free(s->follow);
	free(s->room);
	free(s);
}

const struct sim_outcome *sim_outcome(const struct sim *s)
{
	return &s->outcome;
}

const struct ct_engine *sim_engine(const struct sim *s)
{
	return s->hooks.engine;
}

static void skip_frame(struct sim_outcome *o, const char *why)
{
	for (size_t i = 0; i < SIM_MAX_SKIPPED; i++) {
		if (!o->skipped[i].why)
			o->skipped[i].why = why;
		if (o->skipped[i].why == why) {
			o->skipped[i].n++;
			return;
		}
	}
}

/* A packet cut by the snap length, filled up in @room. */
static void pad_packet(struct ct_packet *p, uint8_t *room)
{
	uint32_t total = p->data[0] >> 4 == 4 ? (uint32_t)p->data[2] << 8 | p->data[3]
					      : 40 + ((uint32_t)p->data[4] << 8 | p->data[5]);

	if (total <= p->size || total > ROOM_SIZE)
		return;
	memcpy(room, p->data, p->size);
	memset(room + p->size, 0, total - p->size);
	p->data = room;
	p->size = total;
}

/* RFC 1624: the checksum after a 16 bit word has changed. */
static void put_changed(uint8_t *checksum, unsigned was, unsigned is)
{
	unsigned sum =
		(~((unsigned)checksum[0] << 8 | checksum[1]) & 0xffff) + (~was & 0xffff) + is;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
	checksum[0] = (uint8_t)(sum >> 8);
	checksum[1] = (uint8_t)sum;
}

/* A capture may have been made behind the machine that it now passes. */
static void raise_hops(struct ct_packet *p, uint8_t *room)
{
	bool is_v6 = p->data[0] >> 4 == 6;
	uint32_t at = is_v6 ? 7 : 8;

	if (p->size < 20 || p->size > ROOM_SIZE || p->data[at] > 1)
		return;
	if (p->data != room)
		memcpy(room, p->data, p->size);
	p->data = room;
	if (!is_v6)
		put_changed(room + 10, (unsigned)room[8] << 8 | room[9], 64u << 8 | room[9]);
	room[at] = 64;
}

/* Makes a packet of a frame. 1, 0 when there is none in it. @via gets the interface of a packet
 * that was readdressed. */
static int make_packet(struct sim *s, const struct frame *f, struct ct_packet *p, uint8_t *room,
		       const char **via)
{
	const uint8_t *data;
	uint32_t size;
	const char *why = frame_ip(f, &data, &size);

	if (!why && size < 20)
		why = "shorter than an IP header";
	if (why && s->cfg.numbering) {
		/* All frames of a recording were packets of the capture it was made of. */
		data = f->data;
		size = f->size;
	} else if (why) {
		skip_frame(&s->outcome, why);
		return 0;
	}
	ct_packet_init(p, data, size);
	p->flags = CT_PACKET_OFFLOAD;
	p->iif = f->interface + 1;
	if (s->cfg.fixes_checksums)
		p->flags |= CT_PACKET_CHECKSUM_OK;
	if (s->cfg.pads)
		pad_packet(p, room);
	if (s->cfg.raises_hops)
		raise_hops(p, room);
	*via = s->follow ? sim_follow_apply(s->follow, p, room) : NULL;
	return 1;
}

/* True when the host sends the packet itself; else @in is where it comes from. */
static bool is_sent(const struct sim *s, const struct ct_packet *p, const char *captured,
		    const char **in)
{
	const struct sim_machine *m = s->cfg.machine;
	bool has_addrs = p->data[0] >> 4 == 4 || (p->data[0] >> 4 == 6 && p->size >= 40);

	/* A router of which nothing is known has no interfaces to tell apart. */
	*in = m->is_host || m->n_ifaces > 0 ? NULL : captured;
	return has_addrs && (m->is_host || m->n_ifaces > 0) && sim_machine_way(m, p, captured, in);
}

/* What a rule in the raw table would have done. */
static void set_helper(const struct sim *s, struct ct_packet *p)
{
	const uint8_t *l4;

	if (s->cfg.n_helpers == 0 || ct_packet_parse(p) < 0 || p->size - p->offset < 4)
		return;
	l4 = p->data + p->offset;
	for (unsigned i = 0; i < s->cfg.n_helpers; i++)
		if (ct_helper_is_for((enum ct_helper)s->cfg.helpers[i].helper, p->proto) &&
		    s->cfg.helpers[i].port == (uint16_t)(l4[2] << 8 | l4[3]))
			p->helper = s->cfg.helpers[i].helper;
}

/* The frame of the next IP packet in another capture. False at its end. */
static bool next_numbered(struct merge *numbering, struct frame *out)
{
	struct ct_err err;

	for (;;) {
		const uint8_t *data;
		uint32_t size;

		if (merge_next(numbering, out) == 0) {
			if (merge_fill(numbering, &err) <= 0)
				return false;
			continue;
		}
		if (!frame_ip(out, &data, &size) && size >= 20)
			return true;
	}
}

/* A recording's frame goes by the number of the capture it was made of. Where answers follow our
 * own translations, they are those of that capture: the recorded ones followed the kernel's. */
static bool take_numbered(const struct sim *s, struct frame *f)
{
	struct frame other;

	if (!s->cfg.numbering)
		return true;
	if (!next_numbered(s->cfg.numbering, &other))
		return false;
	if (s->follow) {
		other.at = f->at;
		*f = other;
	}
	f->number = other.number;
	return true;
}

static void note_time(struct sim_outcome *o, ct_time at)
{
	if (o->n_packets++ == 0)
		o->first = o->last = at;
	if (at > o->last)
		o->last = at;
}

/* The highest count so far, and what stands in the table now and then. */
static void note_table(struct sim *s, unsigned n_packets)
{
	struct ct_engine_stats stats;

	ct_engine_stats(s->hooks.engine, &stats);
	if (stats.peak > s->outcome.peak) {
		s->outcome.peak = stats.peak;
		s->outcome.peak_at = s->outcome.last;
	}
	if (s->cfg.has_series)
		series_note(&s->outcome.series, s->hooks.engine, s->outcome.last, n_packets);
	s->n_uncounted = 0;
}

/* Forwarded, delivered here, sent out by this host, or gone. What the tracker refuses at the very
 * end of INPUT has been delivered as far as rules go. */
static enum sim_fate fate_of(const struct ct_passage *was, bool is_sent)
{
	bool is_past_input =
		was->at == CT_AT_INPUT && !was->table && was->way_on.route == CT_ROUTE_LOCAL;

	if (was->way_on.route == CT_ROUTE_LOCAL)
		return was->is_through || is_past_input ? SIM_DELIVERED : SIM_GONE;
	if (!was->is_through)
		return SIM_GONE;
	return is_sent ? SIM_SENT : SIM_FORWARDED;
}

static void count_passage(struct sim_outcome *o, const struct ct_packet *p,
			  const struct ct_passage *was)
{
	if (was->is_waiting) {
		o->n_fragments++;
		return;
	}
	o->by_info[p->info]++;
	if (was->depends_on && o->n_doubtful++ == 0) {
		o->doubt = was->depends_on;
		o->doubt_table = was->depends_table;
		o->doubt_line = was->depends_line;
	}
	if (p->verdict == CT_DROP)
		o->n_dropped++;
	else if (was->table && !was->is_through)
		o->n_by_rules++;
	else if (was->way_on.route == CT_ROUTE_NOWHERE && !was->is_through)
		o->n_unrouted++;
}

/* Where the packet enters, and through the hooks. */
static void pass_hooks(struct sim *s, struct ct_packet *p, struct sim_packet *told,
		       struct ct_passage *was)
{
	struct ct_way way = { told->in, told->is_sent };

	p->hook = way.is_sent ? CT_HOOK_OUTPUT : CT_HOOK_PREROUTING;
	set_helper(s, p);
	ct_hooks_packet(&s->hooks, p, &way, s->outcome.last, was);
	count_passage(&s->outcome, p, was);
	told->fate = fate_of(was, way.is_sent);
	if (s->follow && (told->fate == SIM_FORWARDED || told->fate == SIM_SENT))
		sim_follow_learn(s->follow, told->data, told->size, was->data, was->size,
				 was->way_on.out);
}

/* One by one, through all the hooks. */
static void feed_hooks(struct sim *s, struct frame f, const char *captured)
{
	struct sim_packet told = { .at = f.at, .fate = SIM_GONE };
	struct sim_outcome *o = &s->outcome;
	struct ct_passage was = { .table = NULL };
	const char *via = NULL;
	struct ct_packet p;
	int kind = take_numbered(s, &f) ? make_packet(s, &f, &p, s->room, &via) : 0;

	if (kind == 0)
		return;
	note_time(o, told.at);
	told.number = f.number;
	told.is_sent = is_sent(s, &p, captured, &told.in);
	if (via && !told.is_sent)
		told.in = via;
	told.is_refused = (told.is_sent ? ct_packet_send(&p) : ct_packet_receive(&p)) < 0;
	told.data = p.data;
	told.size = p.size;
	if (!told.is_refused)
		pass_hooks(s, &p, &told, &was);
	else
		o->n_refused++;
	ct_engine_advance(s->hooks.engine, o->last);
	o->by_fate[told.fate]++;
	if (++s->n_uncounted == BURST)
		note_table(s, BURST);
	told.packet = &p;
	told.passage = &was;
	if (s->cfg.packet)
		s->cfg.packet(s->cfg.user, &told);
}

static void count_packet(struct sim *s, const struct ct_packet *p)
{
	s->outcome.by_info[p->info]++;
	s->outcome.n_dropped += p->verdict == CT_DROP;
	if (s->cfg.seen)
		s->cfg.seen(s->cfg.user, p);
}

static void flush(struct sim *s)
{
	struct burst *b = &s->burst;

	if (b->n == 0)
		return;
	ct_engine_burst(s->hooks.engine, b->list, b->n, b->at);
	for (unsigned i = 0; i < b->n; i++)
		count_packet(s, b->list[i]);
	note_table(s, b->n);
	b->n = 0;
}

/* Where a packet goes on to; one that the host itself sends meets the tracker at OUTPUT. -EBADMSG
 * when IP refuses it. */
static int set_way(const struct sim *s, struct ct_packet *p, enum ct_route *route)
{
	struct ct_routed routed = { CT_ROUTE_NOWHERE, NULL };
	const char *in;
	int ret;

	if (is_sent(s, p, NULL, &in)) {
		p->hook = CT_HOOK_OUTPUT;
		ret = ct_packet_send(p);
		if (ret == 0)
			ct_route_out(&s->hooks.router, p, &routed);
	} else {
		ret = ct_packet_receive(p);
		if (ret == 0)
			ct_route_in(&s->hooks.router, p, in, &routed);
	}
	*route = routed.route;
	return ret;
}

/* Through the tracker alone, to be forgotten when routing drops it. */
static void track_one(struct sim *s, struct ct_packet *p, enum ct_route route)
{
	ct_engine_in(s->hooks.engine, p, s->outcome.last);
	if (route == CT_ROUTE_NOWHERE)
		ct_engine_release(s->hooks.engine, p);
	else
		ct_engine_confirm(s->hooks.engine, p, s->outcome.last);
	s->outcome.n_unrouted += route == CT_ROUTE_NOWHERE;
	count_packet(s, p);
}

/* Behind IP input and before the tracker. 1 when the packet goes on. */
static bool reassemble(struct sim *s, struct ct_packet *p)
{
	switch (ct_defrag_in(s->hooks.defrag, p, s->outcome.last)) {
	case CT_DEFRAG_WAIT:
		s->outcome.n_fragments++;
		return false;
	case CT_DEFRAG_DROP:
		s->outcome.n_refused++;
		return false;
	case CT_DEFRAG_PASS:
	case CT_DEFRAG_WHOLE:
		break;
	}
	set_helper(s, p);
	return true;
}

/* The next packet of a burst becomes the first of another, behind a tick of the clock. */
static void begin_burst(struct sim *s, struct ct_packet *p, const uint8_t *own)
{
	struct ct_packet kept = *p;

	flush(s);
	s->burst.packets[0] = kept;
	if (kept.data == own) {
		memmove(s->room, own, kept.size);
		s->burst.packets[0].data = s->room;
	}
}

static void feed_burst(struct sim *s, const struct frame *f)
{
	struct burst *b = &s->burst;
	struct ct_packet *p = &b->packets[b->n];
	uint8_t *own = s->room + (size_t)b->n * ROOM_SIZE;
	struct sim_outcome *o = &s->outcome;
	const char *via;
	int kind = make_packet(s, f, p, own, &via);
	const uint8_t *fragment;
	enum ct_route route;

	if (kind == 0)
		return;
	note_time(o, f->at);
	if (set_way(s, p, &route) < 0) {
		o->n_refused++;
		return;
	}
	fragment = p->data;
	if (!reassemble(s, p))
		return;
	/* A whole datagram stands in memory that the next one will use. */
	if (route == CT_ROUTE_NOWHERE || p->data != fragment) {
		struct ct_packet alone = *p;

		flush(s);
		track_one(s, &alone, route);
		return;
	}
	if (b->n > 0 && (o->last - o->first) / GRAIN_NS != (b->at - o->first) / GRAIN_NS)
		begin_burst(s, p, own);
	b->at = o->last;
	b->list[b->n] = &b->packets[b->n];
	b->n++;
	if (b->n == BURST)
		flush(s);
}

static bool is_enough(const struct sim *s)
{
	return s->cfg.limit && s->outcome.n_packets >= s->cfg.limit;
}

int sim_step(struct sim *s, struct merge *m, struct ct_err *err)
{
	bool is_stepwise = s->cfg.packet || s->cfg.numbering || s->cfg.rules4 || s->cfg.rules6 ||
			   s->cfg.rules_nft;
	int more = is_enough(s) ? 0 : merge_fill(m, err);
	struct frame f;

	while (more > 0 && !is_enough(s) && merge_next(m, &f) > 0) {
		if (is_stepwise)
			feed_hooks(s, f, merge_interface(m));
		else
			feed_burst(s, &f);
	}
	flush(s);
	return more;
}

void sim_frame(struct sim *s, const struct frame *f)
{
	feed_burst(s, f);
}

void sim_flush(struct sim *s)
{
	flush(s);
}

enum sim_fate sim_send(struct sim *s, const uint8_t *data, uint32_t size, ct_time at,
		       const struct ct_way *way, struct ct_packet *p, struct ct_passage *was)
{
	struct sim_packet told = { .at = at,
				   .in = way->in,
				   .is_sent = way->is_sent,
				   .data = data,
				   .size = size,
				   .fate = SIM_GONE };

	*was = (struct ct_passage){ .table = NULL };
	note_time(&s->outcome, at);
	ct_engine_advance(s->hooks.engine, s->outcome.last);
	ct_packet_init(p, data, size);
	if (ct_packet_receive(p) < 0)
		s->outcome.n_refused++;
	else
		pass_hooks(s, p, &told, was);
	s->outcome.by_fate[told.fate]++;
	return told.fate;
}

void sim_end(struct sim *s)
{
	struct sim_outcome *o = &s->outcome;

	if (o->n_packets > 0)
		ct_engine_advance(s->hooks.engine, o->last);
	note_table(s, 0);
	if (s->cfg.has_series && o->n_packets > 0)
		series_end(&o->series, s->hooks.engine, o->last);
	ct_engine_stats(s->hooks.engine, &o->stats);
}
