/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What remembers packets: see state.h. Answers to Linux 6.18, net/netfilter/nft_counter.c,
 * nft_quota.c, nft_limit.c.
 */
#include "lib/ruleset/nft/state.h"

#include <string.h>

static const char *const kinds[] = { "counter", "quota", "limit" };

bool ct_nft_is_state(const char *kind)
{
	return strcmp(kind, "counter") == 0 || strcmp(kind, "quota") == 0 ||
	       strcmp(kind, "limit") == 0;
}

const char *ct_nft_state_name(const struct ct_nft_state *s)
{
	return kinds[s->kind];
}

/* "mbytes" as a factor; 0: no unit of bytes. */
static uint64_t unit_bytes(const char *unit)
{
	if (!unit || strcmp(unit, "bytes") == 0)
		return 1;
	if (strcmp(unit, "kbytes") == 0)
		return 1024;
	return strcmp(unit, "mbytes") == 0 ? 1024 * 1024 : 0;
}

static uint64_t unit_s(const char *per)
{
	static const struct {
		const char *name;
		uint32_t s;
	} units[] = { { "second", 1 },
		      { "minute", 60 },
		      { "hour", 3600 },
		      { "day", 86400 },
		      { "week", 604800 } };

	for (size_t i = 0; per && i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(units[i].name, per) == 0)
			return units[i].s;
	return 0;
}

static bool is_true(const struct ct_value *v, const char *key)
{
	const struct ct_value *m = ct_value_get(v, key);

	return m && m->type == CT_VALUE_TRUE;
}

/* A member that will be written to; null when it is not of that type. */
static struct ct_value *member(const struct ct_value *v, const char *key, enum ct_value_type type)
{
	struct ct_value *m = ct_value_get(v, key);

	return m && m->type == type ? m : NULL;
}

static bool counter_read(struct ct_nft_state *s, struct ct_value *v)
{
	s->n[0] = member(v, "packets", CT_VALUE_NUMBER);
	s->n[1] = member(v, "bytes", CT_VALUE_NUMBER);
	s->packets = ct_value_get_number(v, "packets", 0);
	s->bytes = ct_value_get_number(v, "bytes", 0);
	return true;
}

/* The members of a statement that appear with the first packet. */
static bool quota_prepare(struct ct_arena *a, struct ct_nft_state *s)
{
	struct ct_value *unit = ct_value_text(a, "bytes"), *used = ct_value_number(a, 0);

	if (!unit || !used)
		return false;
	used->key = "used";
	unit->key = "used_unit";
	s->n[0] = used;
	s->n[1] = unit;
	return true;
}

/* As a statement: val, val_unit, used, used_unit; as an object: bytes, used. */
static bool quota_read(struct ct_arena *a, struct ct_nft_state *s, struct ct_value *v)
{
	bool is_object = ct_value_get(v, "bytes") != NULL;
	uint64_t unit = unit_bytes(ct_value_get_str(v, "val_unit"));
	uint64_t used_unit = unit_bytes(ct_value_get_str(v, "used_unit"));
	uint64_t val = ct_value_get_number(v, is_object ? "bytes" : "val", 0);
	uint64_t used = ct_value_get_number(v, "used", 0);

	if (!unit || !used_unit || val > UINT64_MAX / unit || used > UINT64_MAX / used_unit)
		return false;
	s->max = val * unit;
	s->bytes = used * used_unit;
	s->is_inverted = is_true(v, "inv");
	s->n[0] = member(v, "used", CT_VALUE_NUMBER);
	s->n[1] = is_object ? NULL : member(v, "used_unit", CT_VALUE_STRING);
	return is_object || s->n[0] || quota_prepare(a, s);
}

/* nft_limit_init(): tokens are ns; a packet costs those of its share of the rate. */
static bool limit_read(struct ct_nft_state *s, struct ct_value *v)
{
	const char *unit = ct_value_get_str(v, "rate_unit");
	uint64_t factor = unit_bytes(unit);
	uint64_t burst_factor = unit_bytes(ct_value_get_str(v, "burst_unit"));
	uint64_t rate = ct_value_get_number(v, "rate", 0);
	uint64_t burst = ct_value_get_number(v, "burst", 0);
	uint64_t per_ns = unit_s(ct_value_get_str(v, "per")) * (uint64_t)CT_NS_PER_S, all;

	s->of_bytes = unit && strcmp(unit, "packets") != 0;
	if (!s->of_bytes)
		factor = burst_factor = 1;
	if (!factor || !burst_factor || !rate || !per_ns || rate > UINT32_MAX || burst > UINT32_MAX)
		return false;
	s->rate = rate * factor;
	s->per_ns = per_ns;
	burst *= burst_factor;
	s->is_inverted = is_true(v, "inv");
	if (s->of_bytes ? __builtin_mul_overflow(per_ns, s->rate + burst, &all)
			: __builtin_mul_overflow(per_ns / s->rate, burst ? burst : 5, &all))
		return false;
	s->max = s->tokens = s->of_bytes ? all / s->rate : all;
	return true;
}

struct ct_nft_state *ct_nft_state_read(struct ct_nft *nft, const char *kind, struct ct_value *v)
{
	struct ct_nft_state *s = ct_arena_get(nft->arena, sizeof(*s));
	bool is_fine;

	if (!s)
		return NULL;
	s->value = v;
	s->kind = kind[0] == 'c' ? CT_NFT_COUNTER : kind[0] == 'q' ? CT_NFT_QUOTA : CT_NFT_LIMIT;
	switch ((enum ct_nft_state_kind)s->kind) {
	case CT_NFT_COUNTER:
		is_fine = counter_read(s, v);
		break;
	case CT_NFT_QUOTA:
		is_fine = quota_read(nft->arena, s, v);
		break;
	case CT_NFT_LIMIT:
		is_fine = limit_read(s, v);
		break;
	}
	if (!is_fine)
		return NULL;
	s->sibling = nft->states;
	nft->states = s;
	return s;
}

void ct_nft_state_zero(struct ct_nft_state *s)
{
	if (s->kind != CT_NFT_COUNTER)
		return;
	s->packets = s->bytes = 0;
	for (unsigned i = 0; i < 2; i++)
		if (s->n[i])
			s->n[i]->number = 0;
}

/* Running ----------------------------------------------------------------------------------- */

static void count(struct ct_nft_state *s, uint32_t size)
{
	s->packets++;
	s->bytes += size;
	if (s->n[0])
		s->n[0]->number = (int64_t)s->packets;
	if (s->n[1])
		s->n[1]->number = (int64_t)s->bytes;
}

/* nft_limit_eval(). True when the packet is beyond the limit. */
static bool is_beyond(struct ct_nft_state *s, ct_time now, uint32_t size)
{
	uint64_t cost = s->per_ns * (s->of_bytes ? size : 1) / s->rate;

	if (s->has_begun && now > s->last) {
		uint64_t passed = (uint64_t)(now - s->last);

		s->tokens = passed > s->max - s->tokens ? s->max : s->tokens + passed;
	}
	s->has_begun = true;
	s->last = now;
	if (s->tokens < cost)
		return true;
	s->tokens -= cost;
	return false;
}

/* nft_quota_do_dump() shows no more than the quota; nft's get_rate() in the largest unit that
 * divides it, up to mbytes. */
static void quota_show(struct ct_nft_state *s)
{
	static const char *const units[] = { "bytes", "kbytes", "mbytes" };
	uint64_t n = s->bytes < s->max ? s->bytes : s->max;
	unsigned unit = 0;

	if (!s->n[0])
		return;
	for (; s->n[1] && unit < 2 && n && n % 1024 == 0; unit++)
		n /= 1024;
	s->n[0]->number = (int64_t)n;
	if (!s->n[1])
		return;
	s->n[1]->text = units[unit];
	if (!ct_value_get(s->value, "used")) {
		struct ct_value *last = s->value->first;

		while (last->next)
			last = last->next;
		last->next = s->n[0];
		s->n[0]->next = s->n[1];
		s->value->len += 2;
	}
}

/* nft_overquota(): what went beyond is not counted on. */
static bool is_used_up(struct ct_nft_state *s, uint32_t size)
{
	if (s->bytes >= s->max)
		return true;
	s->bytes += size;
	quota_show(s);
	return s->bytes > s->max;
}

enum ct_nft_step ct_nft_state_run(struct ct_nft_state *s, struct ct_nft_judging *j)
{
	bool is_over = false;

	switch ((enum ct_nft_state_kind)s->kind) {
	case CT_NFT_COUNTER:
		count(s, j->size);
		return CT_NFT_ON;
	case CT_NFT_QUOTA:
		is_over = is_used_up(s, j->size);
		break;
	case CT_NFT_LIMIT:
		is_over = is_beyond(s, j->p->now, j->size);
		break;
	}
	return is_over != s->is_inverted ? CT_NFT_BREAK : CT_NFT_ON;
}

/* Spelling ---------------------------------------------------------------------------------- */

/* A copy of a limit's or quota's value; they are flat. */
static struct ct_value *copy(struct ct_arena *a, const struct ct_value *v)
{
	struct ct_value *to = ct_value_new(a, CT_VALUE_OBJECT), *last = NULL;

	for (const struct ct_value *m = v ? v->first : NULL; to && m; m = m->next) {
		struct ct_value *one = ct_value_new(a, (enum ct_value_type)m->type);

		if (one && m->type == CT_VALUE_STRING)
			one->text = m->text;
		else if (one && m->type == CT_VALUE_NUMBER)
			one->number = m->number;
		last = ct_value_put(to, last, m->key, one);
		if (!last)
			return NULL;
	}
	return to;
}

struct ct_value *ct_nft_state_spell(struct ct_arena *a, const struct ct_nft_state *s)
{
	struct ct_value *v, *last;

	if (s->kind != CT_NFT_COUNTER)
		return copy(a, s->value);
	v = ct_value_new(a, CT_VALUE_OBJECT);
	if (!v)
		return NULL;
	last = ct_value_put(v, NULL, "packets", ct_value_number(a, (int64_t)s->packets));
	if (!last || !ct_value_put(v, last, "bytes", ct_value_number(a, (int64_t)s->bytes)))
		return NULL;
	return v;
}
