/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conntune replay: what the kernel's tracker would have made of captured packets.
 */
#include "app/cmd/replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/number.h"
#include "ops/capture/merge.h"

enum { BURST = 32, PAD_SIZE = 65536, GRAIN_NS = 4000000 };

enum replay_key {
	KEY_TABLE = 1,
	KEY_PACKETS,
	KEY_OUT,
	KEY_SET,
	KEY_SETTINGS,
	KEY_MAX,
	KEY_BUCKETS,
	KEY_LOCAL,
	KEY_HOST,
	KEY_CASE,
	KEY_FIDELITY,
	KEY_SEED,
	KEY_HELPER,
	KEY_FIX_CHECKSUMS,
	KEY_PAD,
};

static const struct option_spec replay_specs[] = {
	{ "table", 't', NULL, KEY_TABLE, "print the table at the end, as /proc shows it" },
	{ "packets", 'p', NULL, KEY_PACKETS, "print a line for each packet, with tabs" },
	{ "out", 'o', "DIR", KEY_OUT, "write table.txt, packets.tsv and stats.json there" },
	{ "set", 's', "KEY=VALUE", KEY_SET, "a sysctl of net.netfilter.nf_conntrack_*" },
	{ "settings", 0, "FILE", KEY_SETTINGS, "many of them, in the form of sysctl.conf" },
	{ "max", 0, "N", KEY_MAX, "nf_conntrack_max; 0 for no limit (default 262144)" },
	{ "buckets", 0, "N", KEY_BUCKETS, "nf_conntrack_buckets (default 262144)" },
	{ "fidelity", 0, "KIND", KEY_FIDELITY,
	  "exact: entries end on time (default); kernel: buckets and lazy expiry as there" },
	{ "seed", 0, "N", KEY_SEED, "of what is chance in the kernel" },
	{ "helper", 0, "NAME:PORT", KEY_HELPER, "give a helper (ftp, tftp) to flows to a port" },
	{ "local", 0, "ADDR[/LEN],...", KEY_LOCAL, "addresses of the machine in the middle" },
	{ "host", 0, NULL, KEY_HOST, "that machine is a host and forwards nothing" },
	{ "case", 0, "DIR", KEY_CASE, "a recorded case: capture, settings and role" },
	{ "fix-checksums", 0, NULL, KEY_FIX_CHECKSUMS, "take every checksum for right" },
	{ "pad", 0, NULL, KEY_PAD, "fill packets cut by the snap length with zeroes" },
	{ NULL, 0, NULL, 0, NULL },
};

struct replay_state {
	struct replay_options o;
	bool is_begun;
};

static int set_sysctl(struct replay_options *o, const char *key, size_t key_len, const char *value,
		      size_t value_len, struct ct_err *err)
{
	uint32_t *at = NULL, highest;
	uint64_t v, *wide = &v, top;

	if (ct_engine_setting_find(&o->engine.settings, key, key_len, &at, &highest) == 0)
		top = highest;
	else if (ct_defrag_setting_find(&o->defrag.settings, key, key_len, &wide, &top) < 0)
		return ct_err_set(err, -ENOENT, "no setting '%.*s' of the tracker", (int)key_len,
				  key);
	if (ct_number_u64(value, value_len, top, wide) < 0)
		return ct_err_set(err, -EINVAL, "%.*s takes 0 to %llu, not '%.*s'", (int)key_len,
				  key, (unsigned long long)top, (int)value_len, value);
	if (at)
		*at = (uint32_t)v;
	return 0;
}

static int option_set(struct replay_options *o, const char *text, struct ct_err *err)
{
	const char *equals = strchr(text, '=');

	if (!equals)
		return ct_err_set(err, -EINVAL, "--set takes KEY=VALUE, not '%s'", text);
	return set_sysctl(o, text, (size_t)(equals - text), equals + 1, strlen(equals + 1), err) < 0
		       ? -EINVAL
		       : 0;
}

static const char *trim(const char *s, size_t *len)
{
	while (*len > 0 && strchr(" \t\r\n", *s)) {
		s++;
		(*len)--;
	}
	while (*len > 0 && strchr(" \t\r\n", s[*len - 1]))
		(*len)--;
	return s;
}

/* One line of sysctl.conf; what is not the tracker's is passed over. */
static int read_setting(struct replay_options *o, const char *line, struct ct_err *err)
{
	size_t len = strcspn(line, "\n"), key_len, value_len;
	const char *key = trim(line, &len), *equals = memchr(key, '=', len), *value;

	if (len == 0 || *key == '#' || *key == ';' || !equals)
		return 0;
	if (*key == '-') {
		key++;
		len--;
	}
	key_len = (size_t)(equals - key);
	value_len = len - key_len - 1;
	key = trim(key, &key_len);
	value = trim(equals + 1, &value_len);
	if (!memmem(key, key_len, "nf_conntrack_", 13) && !memmem(key, key_len, "ipfrag_", 7))
		return 0;
	if (set_sysctl(o, key, key_len, value, value_len, err) == -EINVAL)
		return -EINVAL;
	return 0;
}

int replay_read_settings(struct replay_options *o, const char *path, struct ct_err *err)
{
	FILE *f = fopen(path, "re");
	char line[4096];
	unsigned number = 0;
	int r = 0;

	if (!f)
		return ct_err_set(err, -EINVAL, "%s: %s", path, strerror(errno));
	while (r == 0 && fgets(line, sizeof(line), f)) {
		number++;
		r = read_setting(o, line, err);
	}
	(void)fclose(f);
	return r < 0 ? ct_err_wrap(err, r, "%s:%u", path, number) : 0;
}

static int add_local(struct replay_options *o, const char *text, size_t len, struct ct_err *err)
{
	struct ct_route_addr *a = &o->local[o->n_local];
	const char *slash = memchr(text, '/', len);
	size_t addr_len = slash ? (size_t)(slash - text) : len;
	uint64_t prefix;

	if (o->n_local == REPLAY_MAX_LOCAL)
		return ct_err_set(err, -EINVAL, "more than %d addresses", REPLAY_MAX_LOCAL);
	if (ct_addr_parse(text, addr_len, &a->addr, &a->family) < 0)
		return ct_err_set(err, -EINVAL, "'%.*s' is no address", (int)addr_len, text);
	prefix = a->family == CT_FAMILY_IPV6 ? 128 : 32;
	if (slash && ct_number_u64(slash + 1, len - addr_len - 1, prefix, &prefix) < 0)
		return ct_err_set(err, -EINVAL, "'%.*s' has no such prefix", (int)len, text);
	a->prefix = (uint8_t)prefix;
	o->n_local++;
	return 0;
}

int replay_add_local(struct replay_options *o, const char *text, struct ct_err *err)
{
	while (*text) {
		size_t len = strcspn(text, ",");
		int r = add_local(o, text, len, err);

		if (r < 0)
			return r;
		text += len + (text[len] == ',');
	}
	return 0;
}

static int option_number(const char *name, const char *text, uint32_t *out, struct ct_err *err)
{
	uint64_t v;

	if (ct_number_u64(text, strlen(text), INT32_MAX, &v) < 0)
		return ct_err_set(err, -EINVAL, "--%s takes a number, not '%s'", name, text);
	*out = (uint32_t)v;
	return 0;
}

int replay_add_helper(struct replay_options *o, const char *text, struct ct_err *err)
{
	static const struct {
		const char *name;
		uint8_t helper, proto;
	} known[] = {
#define HELPER(constant, text, number, max, timeout) { text, CT_HELPER_##constant, number },
#include <conntune/helper.def>
#undef HELPER
	};
	size_t len = strcspn(text, ":");
	uint64_t port;

	if (text[len] == 0 ||
	    ct_number_u64(text + len + 1, strlen(text + len + 1), 65535, &port) < 0)
		return ct_err_set(err, -EINVAL, "--helper takes NAME:PORT, not '%s'", text);
	if (o->n_helpers == REPLAY_MAX_HELPERS)
		return ct_err_set(err, -EINVAL, "more than %d helpers", REPLAY_MAX_HELPERS);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strlen(known[i].name) != len || memcmp(known[i].name, text, len) != 0)
			continue;
		o->helpers[o->n_helpers++] =
			(struct replay_helper){ known[i].helper, known[i].proto, (uint16_t)port };
		return 0;
	}
	return ct_err_set(err, -EINVAL, "there is no helper '%.*s'", (int)len, text);
}

static int option_fidelity(struct replay_options *o, const char *text, struct ct_err *err)
{
	bool is_kernel = strcmp(text, "kernel") == 0;

	if (!is_kernel && strcmp(text, "exact") != 0)
		return ct_err_set(err, -EINVAL, "--fidelity takes exact or kernel, not '%s'", text);
	o->engine.fidelity = is_kernel ? CT_FIDELITY_KERNEL : CT_FIDELITY_EXACT;
	return 0;
}

static int option_seed(struct replay_options *o, const char *text, struct ct_err *err)
{
	uint64_t v;

	if (ct_number_any(text, strlen(text), UINT64_MAX, &v) < 0)
		return ct_err_set(err, -EINVAL, "--seed takes a number, not '%s'", text);
	memcpy(o->engine.seed, &v, sizeof(v));
	return 0;
}

static void begin(struct replay_state *s)
{
	if (s->is_begun)
		return;
	s->is_begun = true;
	ct_engine_config_default(&s->o.engine);
	ct_defrag_config_default(&s->o.defrag);
}

static int replay_option(void *state, int key, const char *value, struct ct_err *err)
{
	struct replay_state *s = state;

	begin(s);
	switch ((enum replay_key)key) {
	case KEY_TABLE:
		s->o.wants_table = true;
		return 0;
	case KEY_PACKETS:
		s->o.wants_packets = true;
		return 0;
	case KEY_OUT:
		s->o.out = value;
		return 0;
	case KEY_SET:
		return option_set(&s->o, value, err);
	case KEY_SETTINGS:
		return replay_read_settings(&s->o, value, err);
	case KEY_MAX:
		return option_number("max", value, &s->o.engine.max, err);
	case KEY_BUCKETS:
		return option_number("buckets", value, &s->o.engine.buckets, err);
	case KEY_LOCAL:
		return replay_add_local(&s->o, value, err);
	case KEY_FIDELITY:
		return option_fidelity(&s->o, value, err);
	case KEY_SEED:
		return option_seed(&s->o, value, err);
	case KEY_HELPER:
		return replay_add_helper(&s->o, value, err);
	case KEY_HOST:
		s->o.is_host = true;
		return 0;
	case KEY_CASE:
		return replay_read_case(&s->o, value, err);
	case KEY_FIX_CHECKSUMS:
		s->o.fixes_checksums = true;
		return 0;
	case KEY_PAD:
		s->o.pads = true;
		return 0;
	}
	return 0;
}

static void skip_frame(struct replay *r, const char *why)
{
	for (size_t i = 0; i < REPLAY_MAX_SKIPPED; i++) {
		if (!r->skipped[i].why)
			r->skipped[i].why = why;
		if (r->skipped[i].why == why) {
			r->skipped[i].n++;
			return;
		}
	}
}

/* A packet cut by the snap length, filled up in @room. */
static void pad_packet(struct ct_packet *p, uint8_t *room)
{
	uint32_t total = p->data[0] >> 4 == 4 ? (uint32_t)p->data[2] << 8 | p->data[3]
					      : 40 + ((uint32_t)p->data[4] << 8 | p->data[5]);

	if (total <= p->size || total > PAD_SIZE)
		return;
	memcpy(room, p->data, p->size);
	memset(room + p->size, 0, total - p->size);
	p->data = room;
	p->size = total;
}

/* Makes a packet of a frame. 1, 0 when there is none in it, -EBADMSG when IP refuses it. */
static int make_packet(struct replay *r, const struct frame *f, struct ct_packet *p, uint8_t *room)
{
	const uint8_t *data;
	uint32_t size;
	const char *why = frame_ip(f, &data, &size);

	if (!why && size < 20)
		why = "shorter than an IP header";
	if (why && r->numbering) {
		/* All frames of a recording were packets of the capture it was made of. */
		data = f->data;
		size = f->size;
	} else if (why) {
		skip_frame(r, why);
		return 0;
	}
	ct_packet_init(p, data, size);
	p->flags = CT_PACKET_OFFLOAD;
	p->iif = f->interface + 1;
	if (r->o->fixes_checksums)
		p->flags |= CT_PACKET_CHECKSUM_OK;
	if (r->o->pads)
		pad_packet(p, room);
	return ct_packet_receive(p) < 0 ? -EBADMSG : 1;
}

/* What a rule in the raw table would have done. */
static void set_helper(const struct replay *r, struct ct_packet *p)
{
	const uint8_t *l4;

	if (r->o->n_helpers == 0 || ct_packet_parse(p) < 0 || p->size - p->offset < 4)
		return;
	l4 = p->data + p->offset;
	for (unsigned i = 0; i < r->o->n_helpers; i++)
		if (r->o->helpers[i].proto == p->proto &&
		    r->o->helpers[i].port == (uint16_t)(l4[2] << 8 | l4[3]))
			p->helper = r->o->helpers[i].helper;
}

enum { WHOLE = 1, KEPT = 2 };

/* Reassembly, behind IP input and before the raw table. WHOLE, KEPT, or -EBADMSG when a fragment is
 * dropped. */
static int reassemble(struct replay *r, struct ct_packet *p)
{
	switch (ct_defrag_in(r->defrag, p, r->last)) {
	case CT_DEFRAG_WAIT:
		return KEPT;
	case CT_DEFRAG_DROP:
		return -EBADMSG;
	case CT_DEFRAG_PASS:
	case CT_DEFRAG_WHOLE:
		break;
	}
	set_helper(r, p);
	return WHOLE;
}

/* A packet that the host itself sends meets the tracker at OUTPUT. Where it goes on to. */
static enum ct_route set_way(const struct replay *r, struct ct_packet *p)
{
	bool is_v6 = p->data[0] >> 4 == 6;
	uint8_t family = is_v6 ? CT_FAMILY_IPV6 : CT_FAMILY_IPV4;
	struct ct_routed routed;

	if (ct_route_is_own(&r->router, family, p->data + (is_v6 ? 8 : 12)) && r->o->is_host) {
		p->hook = CT_HOOK_OUTPUT;
		ct_route_out(&r->router, p, &routed);
	} else {
		ct_route_in(&r->router, p, NULL, &routed);
	}
	return routed.route;
}

/* The number that the frame of the next IP packet has in another capture. */
static uint64_t next_number(struct replay *r)
{
	struct frame f;
	struct ct_err err;

	for (;;) {
		const uint8_t *data;
		uint32_t size;

		if (merge_next(r->numbering, &f) == 0) {
			if (merge_fill(r->numbering, &err) <= 0)
				return 0;
			continue;
		}
		if (!frame_ip(&f, &data, &size) && size >= 20)
			return f.number;
	}
}

static void count_packet(struct replay *r, const struct ct_packet *p)
{
	r->by_info[p->info]++;
	r->n_dropped += p->verdict == CT_DROP;
}

static void note_time(struct replay *r, ct_time at)
{
	if (r->n_packets++ == 0)
		r->first = r->last = at;
	if (at > r->last)
		r->last = at;
}

static void track_one(struct replay *r, struct ct_packet *p, enum ct_route route)
{
	ct_engine_in(r->en, p, r->last);
	if (route == CT_ROUTE_NOWHERE)
		ct_engine_release(r->en, p);
	else
		ct_engine_confirm(r->en, p, r->last);
	r->n_unrouted += route == CT_ROUTE_NOWHERE;
	count_packet(r, p);
}

/* One by one, because each is to be told of. */
static void feed_traced(struct replay *r, const struct frame *f, uint8_t *room)
{
	struct ct_packet p;
	enum ct_route route = CT_ROUTE_NOWHERE;
	int kind = make_packet(r, f, &p, room);

	if (kind == 0)
		return;
	note_time(r, f->at);
	if (kind > 0) {
		route = set_way(r, &p);
		kind = reassemble(r, &p);
	}
	if (kind != WHOLE) {
		*(kind == KEPT ? &r->n_fragments : &r->n_refused) += 1;
		ct_engine_advance(r->en, r->last);
	} else {
		track_one(r, &p, route);
	}
	replay_trace(r, &p, r->numbering ? next_number(r) : f->number, r->last, route,
		     kind != WHOLE);
}

/* What is collected for one call of the engine: packets within one tick of its clock. */
struct burst {
	struct ct_packet packets[BURST];
	struct ct_packet *list[BURST];
	unsigned n;
	ct_time at;
};

static void flush(struct replay *r, struct burst *b)
{
	if (b->n == 0)
		return;
	ct_engine_burst(r->en, b->list, b->n, b->at);
	for (unsigned i = 0; i < b->n; i++)
		count_packet(r, b->list[i]);
	b->n = 0;
}

static void feed_burst(struct replay *r, struct burst *b, const struct frame *f, uint8_t *room)
{
	struct ct_packet *p = &b->packets[b->n];
	uint8_t *own = room ? room + (size_t)b->n * PAD_SIZE : NULL;
	int kind = make_packet(r, f, p, own);
	enum ct_route route = CT_ROUTE_NOWHERE;
	const uint8_t *fragment = NULL;

	if (kind == 0)
		return;
	note_time(r, f->at);
	if (kind > 0) {
		route = set_way(r, p);
		fragment = p->data;
		kind = reassemble(r, p);
	}
	if (kind != WHOLE) {
		*(kind == KEPT ? &r->n_fragments : &r->n_refused) += 1;
		return;
	}
	/* A whole datagram stands in memory that the next one will use. */
	if (route == CT_ROUTE_NOWHERE || p->data != fragment) {
		struct ct_packet alone = *p;

		flush(r, b);
		track_one(r, &alone, route);
		return;
	}
	if (b->n > 0 && (r->last - r->first) / GRAIN_NS != (b->at - r->first) / GRAIN_NS) {
		struct ct_packet kept = *p;

		flush(r, b);
		b->packets[0] = kept;
		if (own && kept.data == own) {
			memmove(room, own, kept.size);
			b->packets[0].data = room;
		}
	}
	b->at = r->last;
	b->list[b->n] = &b->packets[b->n];
	b->n++;
	if (b->n == BURST)
		flush(r, b);
}

static int feed_all(struct replay *r, struct merge *m, uint8_t *room, struct ct_err *err)
{
	struct burst b = { .n = 0 };
	struct frame f;
	int more;

	while ((more = merge_fill(m, err)) > 0) {
		while (merge_next(m, &f) > 0) {
			if (r->trace)
				feed_traced(r, &f, room);
			else
				feed_burst(r, &b, &f, room);
		}
		flush(r, &b);
	}
	if (r->n_packets > 0)
		ct_engine_advance(r->en, r->last);
	return more;
}

static FILE *open_out(const char *dir, const char *name)
{
	char path[4096];
	FILE *f;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path)) {
		cmd_error("%s: the name is too long", dir);
		return NULL;
	}
	f = fopen(path, "we");
	if (!f)
		cmd_error("%s: %s", path, strerror(errno));
	return f;
}

static int close_out(FILE *f, int result)
{
	if (fclose(f) != 0 && result == 0)
		result = -errno;
	if (result < 0)
		cmd_error("writing failed: %s", strerror(-result));
	return result < 0 ? EXIT_FAILED : EXIT_DONE;
}

static int write_files(const struct replay *r)
{
	FILE *f = open_out(r->o->out, "table.txt");
	int code;

	if (!f)
		return EXIT_FAILED;
	code = close_out(f, replay_table(r, f));
	if (code != EXIT_DONE)
		return code;
	f = open_out(r->o->out, "stats.json");
	if (!f)
		return EXIT_FAILED;
	replay_stats(r, f);
	return close_out(f, 0);
}

static int show(const struct replay *r, const struct common_options *common)
{
	auto_free(writer) struct writer *w = NULL;

	if (r->o->out && write_files(r) != EXIT_DONE)
		return EXIT_FAILED;
	if (r->o->wants_table && replay_table(r, stdout) < 0) {
		cmd_error("no memory for the table's lines");
		return EXIT_FAILED;
	}
	if (r->o->wants_table || r->o->wants_packets || (r->o->out && !common->is_json))
		return EXIT_DONE;
	w = cmd_writer(common);
	return w && replay_summary(r, w) == 0 ? EXIT_DONE : EXIT_FAILED;
}

static int open_trace(struct replay *r)
{
	if (r->o->wants_packets)
		r->trace = stdout;
	if (!r->o->out)
		return 0;
	if (mkdir(r->o->out, 0777) < 0 && errno != EEXIST) {
		cmd_error("%s: %s", r->o->out, strerror(errno));
		return -1;
	}
	r->trace = open_out(r->o->out, "packets.tsv");
	return r->trace ? 0 : -1;
}

static int replay_files(struct replay *r, const struct common_options *common, struct merge *m)
{
	auto_memory uint8_t *room = NULL;
	struct ct_err err = { "" };
	int result;

	if (r->o->pads) {
		room = malloc((size_t)BURST * PAD_SIZE);
		if (!room) {
			cmd_error("out of memory");
			return EXIT_FAILED;
		}
	}
	if (open_trace(r) < 0)
		return EXIT_FAILED;
	if (r->trace)
		replay_trace_head(r->trace);
	result = feed_all(r, m, room, &err);
	if (r->trace && r->trace != stdout && close_out(r->trace, 0) != EXIT_DONE)
		return EXIT_FAILED;
	r->trace = NULL;
	if (result < 0)
		cmd_error("%s; what came before it is shown", err.text);
	if (merge_is_cut(m))
		cmd_warn(common, "the capture ends inside a frame");
	if (show(r, common) != EXIT_DONE)
		return EXIT_FAILED;
	return result < 0 ? EXIT_FAILED : EXIT_DONE;
}

static int replay_run(void *state, const struct common_options *common, int argc, char **argv)
{
	struct replay_state *s = state;
	auto_free(merge) struct merge *m = NULL, *numbering = NULL;
	char *of_case[] = { s->o.capture }, *numbered[] = { s->o.numbering };
	struct replay r = { .o = &s->o };
	struct ct_err err = { "" };
	int code;

	begin(s);
	if (argc == 0 && !s->o.capture[0]) {
		cmd_error("replay: which capture? Name one or more files, or - for standard input");
		return EXIT_MISUSE;
	}
	if (merge_open(argc ? argv : of_case, argc ? (unsigned)argc : 1, &m, &err) < 0 ||
	    (s->o.numbering[0] && merge_open(numbered, 1, &numbering, &err) < 0)) {
		cmd_error("%s", err.text);
		return EXIT_FAILED;
	}
	r.numbering = numbering;
	r.router = (struct ct_router){ .addrs = s->o.local,
				       .n_addrs = s->o.n_local,
				       .is_forwarding = !s->o.is_host };
	if (s->o.wants_packets || s->o.out) {
		s->o.engine.event = replay_event;
		s->o.engine.event_user = &r;
	}
	memcpy(s->o.defrag.seed, s->o.engine.seed, sizeof(s->o.defrag.seed));
	r.en = ct_engine_new(&s->o.engine, &err);
	r.defrag = ct_defrag_new(&s->o.defrag, &err);
	if (r.en && r.defrag) {
		code = replay_files(&r, common, m);
	} else {
		cmd_error("%s", err.text);
		code = EXIT_FAILED;
	}
	ct_engine_free(r.en);
	ct_defrag_free(r.defrag);
	return code;
}

const struct command command_replay = {
	.name = "replay",
	.summary = "Show what the kernel's tracker makes of captured packets",
	.arguments = "FILE... | --case DIR",
	.options = replay_specs,
	.option = replay_option,
	.run = replay_run,
	.state_size = sizeof(struct replay_state),
};
