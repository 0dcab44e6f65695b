/* SPDX-License-Identifier: BSD-2-Clause
 *
 * An engine's life, clock, entries as values, and their end: see include/conntune/engine.h.
 */
#include "lib/engine/expect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/engine/key.h"
#include "lib/packet/wire.h"

enum { DEFAULT_MAX = 262144, MAX_BUCKETS = 268435455 };
/* No step of the clock is so large that two deadlines could pass each other unseen. */
#define MAX_STEP (UINT64_C(1) << 30)

static const struct {
	const char *name;
	size_t offset;
	uint32_t standard, highest;
} setting_list[] = {
#define ENGINE_SETTING(field, text, value, top)                                                    \
	{ text, offsetof(struct ct_engine_settings, field), value, top },
#include <conntune/engine_setting.def>
#undef ENGINE_SETTING
};
#define N_SETTINGS (sizeof(setting_list) / sizeof(setting_list[0]))

static uint32_t *setting_at(struct ct_engine_settings *s, size_t offset)
{
	return (uint32_t *)(void *)((char *)s + offset);
}

void ct_engine_config_default(struct ct_engine_config *cfg)
{
	*cfg = (struct ct_engine_config){ .max = DEFAULT_MAX, .buckets = DEFAULT_MAX };
	for (size_t i = 0; i < N_SETTINGS; i++)
		*setting_at(&cfg->settings, setting_list[i].offset) = setting_list[i].standard;
}

/* Moves over @prefix, in which '.' also stands for '/'. */
static bool skip_prefix(const char **name, size_t *len, const char *prefix)
{
	size_t n = strlen(prefix);

	if (*len < n)
		return false;
	for (size_t i = 0; i < n; i++)
		if ((*name)[i] != prefix[i] && !(prefix[i] == '.' && (*name)[i] == '/'))
			return false;
	*name += n;
	*len -= n;
	return true;
}

int ct_engine_setting_find(struct ct_engine_settings *s, const char *name, size_t len,
			   uint32_t **value, uint32_t *highest)
{
	(void)skip_prefix(&name, &len, "net.netfilter.");
	(void)skip_prefix(&name, &len, "nf_conntrack_");
	for (size_t i = 0; i < N_SETTINGS; i++) {
		if (strlen(setting_list[i].name) != len ||
		    memcmp(setting_list[i].name, name, len) != 0)
			continue;
		*value = setting_at(s, setting_list[i].offset);
		*highest = setting_list[i].highest;
		return 0;
	}
	return -ENOENT;
}

void ct_engine_set(struct ct_engine *en, const struct ct_engine_settings *s)
{
	en->cfg.settings = *s;
	en->tcp_timeout[CT_TCP_SYN_SENT] = ticks(s->tcp_timeout_syn_sent);
	en->tcp_timeout[CT_TCP_SYN_RECV] = ticks(s->tcp_timeout_syn_recv);
	en->tcp_timeout[CT_TCP_ESTABLISHED] = ticks(s->tcp_timeout_established);
	en->tcp_timeout[CT_TCP_FIN_WAIT] = ticks(s->tcp_timeout_fin_wait);
	en->tcp_timeout[CT_TCP_CLOSE_WAIT] = ticks(s->tcp_timeout_close_wait);
	en->tcp_timeout[CT_TCP_LAST_ACK] = ticks(s->tcp_timeout_last_ack);
	en->tcp_timeout[CT_TCP_TIME_WAIT] = ticks(s->tcp_timeout_time_wait);
	en->tcp_timeout[CT_TCP_CLOSE] = ticks(s->tcp_timeout_close);
	/* No sysctl reaches this one. */
	en->tcp_timeout[CT_TCP_SYN_SENT2] = ticks(120);
	en->sctp_timeout[CT_SCTP_CLOSED] = ticks(s->sctp_timeout_closed);
	en->sctp_timeout[CT_SCTP_COOKIE_WAIT] = ticks(s->sctp_timeout_cookie_wait);
	en->sctp_timeout[CT_SCTP_COOKIE_ECHOED] = ticks(s->sctp_timeout_cookie_echoed);
	en->sctp_timeout[CT_SCTP_ESTABLISHED] = ticks(s->sctp_timeout_established);
	en->sctp_timeout[CT_SCTP_SHUTDOWN_SENT] = ticks(s->sctp_timeout_shutdown_sent);
	en->sctp_timeout[CT_SCTP_SHUTDOWN_RECD] = ticks(s->sctp_timeout_shutdown_recd);
	en->sctp_timeout[CT_SCTP_SHUTDOWN_ACK_SENT] = ticks(s->sctp_timeout_shutdown_ack_sent);
	en->sctp_timeout[CT_SCTP_HEARTBEAT_SENT] = ticks(s->sctp_timeout_heartbeat_sent);
}

void ct_engine_set_max(struct ct_engine *en, uint32_t max)
{
	en->cfg.max = max;
}

static int check_config(const struct ct_engine_config *cfg, struct ct_err *err)
{
	struct ct_engine_settings s = cfg->settings;

	if (cfg->max > MAX_ENTRIES)
		return ct_err_set(err, -ERANGE, "max %u is above %u", cfg->max, MAX_ENTRIES);
	if (cfg->buckets > MAX_BUCKETS)
		return ct_err_set(err, -ERANGE, "%u buckets are more than %u", cfg->buckets,
				  MAX_BUCKETS);
	for (size_t i = 0; i < N_SETTINGS; i++)
		if (*setting_at(&s, setting_list[i].offset) > setting_list[i].highest)
			return ct_err_set(err, -ERANGE, "nf_conntrack_%s is above %u",
					  setting_list[i].name, setting_list[i].highest);
	return 0;
}

/* The kernel derives it when the module loads; a resize later on does not change it. */
static uint32_t expect_max_for(const struct ct_engine_config *cfg)
{
	uint32_t buckets = cfg->buckets ? cfg->buckets : cfg->max;

	if (cfg->expect_max)
		return cfg->expect_max;
	return buckets / 256 ? 4 * (buckets / 256) : 4;
}

struct ct_engine *ct_engine_new(const struct ct_engine_config *cfg, struct ct_err *err)
{
	struct ct_engine boot = { .cfg = *cfg };
	struct ct_engine *en;

	if (check_config(cfg, err) < 0)
		return NULL;
	en = ct_mem_alloc(&boot, sizeof(*en), 64);
	if (!en) {
		(void)ct_err_set(err, -ENOMEM, "no memory for a connection table");
		return NULL;
	}
	*en = boot;
	en->cfg.expect_max = expect_max_for(cfg);
	for (unsigned i = 0; i < N_HASHES; i++)
		ct_hash_key_make(&en->key[i], cfg->seed, i);
	en->has_aes = ct_hash_has_aes();
	en->chance = en->key[HASH_TABLE].at[0][0];
	ct_collector_begin(en);
	ct_pool_init(&en->pools[CLASS_SMALL], 6);
	ct_pool_init(&en->pools[CLASS_TCP], 7);
	ct_pool_init(&en->pools[CLASS_SMALL6], 6);
	ct_pool_init(&en->pools[CLASS_TCP6], 7);
	ct_engine_set(en, &cfg->settings);
	en->expects = ct_expect_new(en);
	if (!en->expects ||
	    (cfg->fidelity == CT_FIDELITY_KERNEL ? ct_chains_new(en) : ct_index_new(en)) < 0) {
		ct_engine_free(en);
		(void)ct_err_set(err, -ENOMEM, "no memory for a connection table");
		return NULL;
	}
	return en;
}

void ct_engine_free(struct ct_engine *en)
{
	if (!en)
		return;
	ct_index_free(en);
	ct_chains_free(en);
	ct_expect_free(en);
	for (unsigned i = 0; i < N_CLASSES; i++)
		ct_pool_fini(en, &en->pools[i]);
	ct_mem_free(en, en, sizeof(*en));
}

/* splitmix64 */
uint32_t ct_engine_random(struct ct_engine *en, uint32_t below)
{
	uint64_t v = en->chance += UINT64_C(0x9e3779b97f4a7c15);

	v = (v ^ v >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	v = (v ^ v >> 27) * UINT64_C(0x94d049bb133111eb);
	v ^= v >> 31;
	return (uint32_t)((v >> 32) * below >> 32);
}

void ct_clock_set(struct ct_engine *en, ct_time now)
{
	uint64_t target;

	if (!en->is_begun) {
		en->is_begun = true;
		en->base = en->now = now;
	}
	if (now <= en->now)
		return;
	en->now = now;
	target = (uint64_t)(now - en->base) / NS_PER_TICK;
	if (en->chains) {
		ct_collector_advance(en, target);
		return;
	}
	while (en->tick64 != target) {
		uint64_t step = target - en->tick64;

		step = step > MAX_STEP ? MAX_STEP : step;
		ct_expiry_advance(en, en->tick + (ct_tick)step);
		en->tick64 += step;
		en->tick = (ct_tick)en->tick64;
	}
}

void ct_engine_advance(struct ct_engine *en, ct_time now)
{
	ct_clock_set(en, now);
	ct_expect_advance(en);
}

ct_time ct_engine_expiry(const struct ct_engine *en)
{
	uint32_t d = en->chains ? 0 : ct_expiry_distance(en);

	if (en->chains)
		return en->count ? en->base + (ct_time)(en->gc.next * NS_PER_TICK) : CT_TIME_NONE;
	if (d == UINT32_MAX)
		return CT_TIME_NONE;
	return en->base + (ct_time)((en->tick64 + d) * NS_PER_TICK);
}

void ct_engine_stats(const struct ct_engine *en, struct ct_engine_stats *out)
{
	*out = en->stats;
	out->count = en->count;
}

uint32_t ct_table_find(struct ct_engine *en, const struct probe *pr)
{
	uint32_t ref;

	if (en->chains)
		return ct_chain_find(en, pr);
	/* Whatever the structure still holds, an expired entry matches nothing. */
	while ((ref = ct_index_find(en, pr)) &&
	       tick_passed(entry_at(en, ref & REF_NUMBER)->deadline, en->tick))
		ct_entry_kill(en, ref & REF_NUMBER, CT_END_TIMEOUT);
	return ref;
}

uint32_t ct_table_find_tuple(struct ct_engine *en, const struct ct_tuple *t, uint16_t zone,
			     uint8_t zone_dir, enum ct_dir *dir)
{
	struct probe pr;
	uint32_t ref;

	ct_probe_make(en, t, zone, &pr);
	if (zone_is_narrow(zone_dir))
		ct_probe_narrow(en, &pr, zone_in(zone, zone_dir, CT_DIR_ORIG), CT_DIR_ORIG);
	ref = ct_table_find(en, &pr);
	if (!ref && zone_is_narrow(zone_dir)) {
		ct_probe_narrow(en, &pr, zone_in(zone, zone_dir, CT_DIR_REPLY), CT_DIR_REPLY);
		ref = ct_table_find(en, &pr);
	}
	if (ref)
		*dir = ct_probe_dir(&pr, entry_at(en, ref & REF_NUMBER), ref);
	return ref & REF_NUMBER;
}

static void fill_proto(const struct ct_engine *en, uint32_t number, struct ct_entry *out)
{
	struct entry *e = entry_at(en, number);

	switch (e->key.proto) {
	case PROTO_TCP:
		out->known |= CT_KNOWN_STATE | CT_KNOWN_TCP;
		out->state = e->state;
		for (int d = 0; d < CT_DIR_MAX; d++) {
			out->tcp_wscale[d] = entry_tcp(e)->seen[d].scale;
			out->tcp_flags[d] = entry_tcp(e)->seen[d].flags;
		}
		break;
	case PROTO_SCTP:
		out->known |= CT_KNOWN_STATE | CT_KNOWN_SCTP;
		out->state = e->state;
		for (int d = 0; d < CT_DIR_MAX; d++)
			out->sctp_vtag[d] = __builtin_bswap32(e->u.sctp.vtag[d]);
		break;
	case PROTO_GRE:
		out->known |= CT_KNOWN_GRE;
		out->gre_timeout_s = e->u.gre.timeout / ENGINE_HZ;
		out->gre_stream_timeout_s = e->u.gre.stream_timeout / ENGINE_HZ;
		break;
	default:
		break;
	}
}

static void fill_cold(const struct ct_engine *en, const struct entry *e, struct ct_entry *out)
{
	const struct cold *c = ct_cold_look(en, e);
	const char *name;

	if (!c)
		return;
	if (c->helper) {
		name = ct_helper_name((enum ct_helper)c->helper);
		out->known |= CT_KNOWN_HELPER;
		out->helper = (struct ct_slice){ name, (uint32_t)strlen(name) };
	}
	if (e->status & CT_STATUS_SEQ_ADJUST) {
		out->known |= CT_KNOWN_SEQADJ;
		memcpy(out->seqadj, c->seqadj, sizeof(out->seqadj));
	}
	if (c->master.number) {
		out->known |= CT_KNOWN_MASTER;
		out->master = c->master_tuple;
		name = ct_helper_name((enum ct_helper)en->cold[c->parent].helper);
		out->master_helper = (struct ct_slice){ name, (uint32_t)strlen(name) };
	}
}

void ct_entry_fill(const struct ct_engine *en, uint32_t number, struct ct_entry *out)
{
	const struct entry *e = entry_at(en, number);
	ct_tick left = e->deadline;

	memset(out, 0, sizeof(*out));
	out->known = CT_KNOWN_FAMILY | CT_KNOWN_TIMEOUT | CT_KNOWN_STATUS | CT_KNOWN_FLAGS |
		     CT_KNOWN_MARK | CT_KNOWN_ZONE | CT_KNOWN_USE;
	out->status = e->status;
	ct_entry_tuple(en, number, CT_DIR_ORIG, &out->tuple[CT_DIR_ORIG]);
	ct_entry_tuple(en, number, CT_DIR_REPLY, &out->tuple[CT_DIR_REPLY]);
	if (e->status & CT_STATUS_CONFIRMED)
		left = tick_passed(left, en->tick) ? 0 : left - en->tick;
	out->timeout_s = left / ENGINE_HZ;
	out->zone = e->zone;
	out->zone_dir = e->zone_dir;
	out->mark = e->mark;
	out->use = 1;
	if (ct_tracker_of(e->key.proto) != &ct_generic_tracker)
		out->known |= CT_KNOWN_PARTS;
	fill_proto(en, number, out);
	if (e->flags & ENTRY_HAS_ACCT) {
		const struct acct *a = entry_acct(en->pools, number);

		out->known |= CT_KNOWN_COUNTERS;
		memcpy(out->packets, a->packets, sizeof(out->packets));
		memcpy(out->bytes, a->bytes, sizeof(out->bytes));
	}
	fill_cold(en, e, out);
	if (e->flags & ENTRY_HAS_STAMP) {
		out->known |= CT_KNOWN_START;
		out->start_ns = pool_chunk(en->pools, number)->stamp[number & CHUNK_MASK];
	}
}

void ct_event_tell(struct ct_engine *en, uint32_t number, unsigned events, enum ct_end end,
		   ct_time at)
{
	struct ct_event_info info = { .events = events,
				      .end = end,
				      .at = at,
				      .handle = { number, entry_at(en, number)->generation } };
	struct ct_entry e;

	if (!en->cfg.event)
		return;
	ct_entry_fill(en, number, &e);
	if (end != CT_END_NONE && (e.known & CT_KNOWN_START)) {
		e.known |= CT_KNOWN_STOP;
		e.stop_ns = at;
	}
	en->cfg.event(en->cfg.event_user, &info, &e);
}

/* When an entry ended: by timeout on its deadline, in kernel fidelity when it is noticed. */
static ct_time end_time(const struct ct_engine *en, const struct entry *e, enum ct_end end)
{
	if (end != CT_END_TIMEOUT || en->chains)
		return en->base + (ct_time)(en->tick64 * NS_PER_TICK);
	return en->base +
	       (ct_time)(en->tick64 + (uint64_t)(int64_t)(int32_t)(e->deadline - en->tick)) *
		       (ct_time)NS_PER_TICK;
}

void ct_entry_end(struct ct_engine *en, uint32_t number, enum ct_end end)
{
	struct entry *e = entry_at(en, number);

	if (en->chains)
		ct_chain_remove(en, number);
	else
		ct_index_remove(en, number);
	if (e->flags & ENTRY_SECOND)
		en->n_second--;
	e->status |= CT_STATUS_DYING;
	ct_event_tell(en, number, CT_EVENT_DESTROY, end, end_time(en, e, end));
	if (end == CT_END_TIMEOUT)
		en->stats.collected++;
	if (e->cold)
		ct_pptp_end(en, number, end);
}

void ct_entry_kill(struct ct_engine *en, uint32_t number, enum ct_end end)
{
	ct_entry_end(en, number, end);
	ct_entry_forget(en, number);
}

static bool is_live(const struct ct_engine *en, uint32_t number)
{
	const struct entry *e = entry_at(en, number);

	return entry_is_listed(e) && !tick_passed(e->deadline, en->tick);
}

/* The kernel lists what hangs in the table by its original tuple. */
static bool is_listed(const struct ct_engine *en, uint32_t number)
{
	return is_live(en, number) && !(entry_at(en, number)->status & CT_STATUS_NAT_CLASH);
}

int ct_engine_next(const struct ct_engine *en, struct ct_cursor *at, struct ct_entry *out)
{
	for (; at->pool < N_CLASSES; at->pool++, at->number = 0) {
		const struct pool *pool = &en->pools[at->pool];

		if (at->number == 0)
			at->number = 1;
		for (; at->number < pool->n_used; at->number++) {
			uint32_t number = at->pool << CLASS_SHIFT | at->number;

			if (!is_listed(en, number))
				continue;
			ct_entry_fill(en, number, out);
			at->number++;
			return 1;
		}
	}
	return 0;
}

uint32_t ct_handle_number(const struct ct_engine *en, struct ct_handle h)
{
	const struct pool *pool = &en->pools[(h.number >> CLASS_SHIFT) % N_CLASSES];
	const struct entry *e;

	if (h.number >> CLASS_SHIFT >= N_CLASSES || (h.number & PLACE_MASK) == 0 ||
	    (h.number & PLACE_MASK) >= pool->n_used)
		return 0;
	e = entry_at(en, h.number);
	return (e->flags & ENTRY_IN_USE) && e->generation == h.generation ? h.number : 0;
}

int ct_engine_entry(const struct ct_engine *en, struct ct_handle h, struct ct_entry *out)
{
	uint32_t number = ct_handle_number(en, h);

	if (!number)
		return -ENOENT;
	ct_entry_fill(en, number, out);
	return 0;
}

int ct_engine_find(const struct ct_engine *en, const struct ct_tuple *t, uint16_t zone,
		   struct ct_handle *out, enum ct_dir *dir)
{
	struct probe pr;
	uint32_t ref, number;

	ct_probe_make(en, t, zone, &pr);
	ref = en->chains ? ct_chain_peek(en, &pr, false) : ct_index_peek(en, &pr);
	number = ref & REF_NUMBER;
	if (!number || !is_live(en, number))
		return -ENOENT;
	*out = (struct ct_handle){ number, entry_at(en, number)->generation };
	*dir = ct_probe_dir(&pr, entry_at(en, number), ref);
	return 0;
}

void ct_engine_set_translator(struct ct_engine *en, const struct ct_translate_ops *ops, void *user)
{
	en->translate = ops;
	en->translate_user = user;
}

int ct_engine_delete(struct ct_engine *en, struct ct_handle h)
{
	uint32_t number = ct_handle_number(en, h);

	if (!number || !entry_is_listed(entry_at(en, number)))
		return -ENOENT;
	ct_entry_kill(en, number, CT_END_REQUEST);
	return 0;
}
