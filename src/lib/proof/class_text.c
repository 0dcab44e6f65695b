/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Classes in words. A field's values are met in their order, as blocks of a power of two, and
 * joined to ranges; addresses stay networks.
 */
#include <conntune/entry.h>
#include <stdio.h>
#include <string.h>

#include "lib/proof/classes.h"
#include "lib/proof/session.h"

/* Blocks of values: the first @fixed bits are given, the others anything. */
struct block {
	struct ct_field_value value;
	unsigned fixed;
};

struct listing {
	struct ct_proof *p;
	enum ct_field field;
	struct ct_text *to;
	unsigned n, max, bits;
	uint64_t from, end; /* a range under way; end 0: none */
	bool is_first;
};

typedef void put_fn(struct listing *l, uint64_t from, uint64_t to);

static const char *const state_names[] = { "INVALID", "NEW", "RELATED", "ESTABLISHED",
					   "UNTRACKED" };

const char *ct_proof_state_name(enum ct_proof_state s)
{
	return state_names[s];
}

static void comma(struct listing *l)
{
	if (!l->is_first)
		ct_text_char(l->to, ',');
	l->is_first = false;
}

static void put_number(struct listing *l, uint64_t from, uint64_t to)
{
	ct_text_u64(l->to, from);
	if (to > from) {
		ct_text_char(l->to, '-');
		ct_text_u64(l->to, to);
	}
}

static void put_state(struct listing *l, uint64_t from, uint64_t to)
{
	for (uint64_t s = from; s <= to && s < N_PROOF_STATES; s++) {
		if (s > from)
			ct_text_char(l->to, ',');
		ct_text_str(l->to, state_names[s]);
	}
}

static void put_proto(struct listing *l, uint64_t from, uint64_t to)
{
	for (uint64_t v = from; v <= to; v++) {
		const char *name = ct_rule_proto_name((uint8_t)v);

		if (to - from > 3) {
			ct_text_str(l->to, "protocols ");
			put_number(l, from, to);
			return;
		}
		if (v > from)
			ct_text_char(l->to, ',');
		if (name)
			ct_text_str(l->to, name);
		else
			ct_text_u64(l->to, v);
	}
}

static void put_iface(struct listing *l, uint64_t from, uint64_t to)
{
	const struct ct_atoms *a = &l->p->atoms;

	for (uint64_t v = from; v <= to && v < a->n; v++) {
		const struct ct_atom *it = &a->atom[v];

		if (v > from)
			ct_text_char(l->to, ',');
		ct_text_str(l->to, v == CT_ATOM_OTHER ? "others" : it->name);
		ct_text_str(l->to, v != CT_ATOM_OTHER && it->is_prefix ? "+" : "");
	}
}

static void put_type(struct listing *l, uint64_t from, uint64_t to)
{
	static const char *const names[] = { "?", "unicast", "local", "broadcast", "multicast" };

	for (uint64_t v = from; v <= to && v < 5; v++) {
		if (v > from)
			ct_text_char(l->to, ',');
		ct_text_str(l->to, names[v]);
	}
}

static put_fn *put_of(enum ct_field f)
{
	switch ((unsigned)f) {
	case CT_FIELD_STATE:
		return put_state;
	case CT_FIELD_PROTO:
		return put_proto;
	case CT_FIELD_IIF:
	case CT_FIELD_OIF:
		return put_iface;
	case CT_FIELD_DST_TYPE:
	case CT_FIELD_SRC_TYPE:
		return put_type;
	}
	return put_number;
}

/* A range is complete: it is written, unless there were too many. */
static void flush(struct listing *l)
{
	if (l->end == 0)
		return;
	if (l->n++ < l->max) {
		comma(l);
		put_of(l->field)(l, l->from, l->end - 1);
	}
	l->end = 0;
}

static void put_network(struct listing *l, const struct block *b)
{
	union ct_addr a;

	if (l->n++ >= l->max)
		return;
	memcpy(a.bytes, b->value.bytes, sizeof(a.bytes));
	comma(l);
	ct_addr_format(&a, l->p->family, false, l->to);
	if (b->fixed < l->bits) {
		ct_text_char(l->to, '/');
		ct_text_u64(l->to, b->fixed);
	}
}

static void put_block(struct listing *l, const struct block *b)
{
	uint64_t v = 0, size;

	if (l->bits > 32 || l->field == CT_FIELD_SADDR || l->field == CT_FIELD_DADDR) {
		put_network(l, b);
		return;
	}
	for (unsigned i = 0; i < (l->bits + 7) / 8; i++)
		v = v << 8 | b->value.bytes[i];
	size = UINT64_C(1) << (l->bits - b->fixed);
	if (l->end != v) {
		flush(l);
		l->from = v;
	}
	l->end = v + size;
}

static void set_bit(struct ct_field_value *v, unsigned bits, unsigned i, bool on)
{
	unsigned at = i + (8 - bits % 8) % 8;
	uint8_t one = (uint8_t)(1u << (7 - at % 8));

	v->bytes[at / 8] = (uint8_t)(on ? v->bytes[at / 8] | one : v->bytes[at / 8] & ~one);
}

/* Depth first, 0 before 1: values come in their order. */
static void list_blocks(struct listing *l, ct_dd set, unsigned bit, struct block *b)
{
	struct ct_dds *d = l->p->d;
	unsigned var = ct_field_var(l->field) + bit;

	if (set == CT_DD_FALSE || l->n > l->max)
		return;
	if (set == CT_DD_TRUE) {
		b->fixed = bit;
		put_block(l, b);
		return;
	}
	for (unsigned v = 0; v < 2; v++) {
		ct_dd part = ct_dd_top(d, set) != var ? set
			     : v		      ? ct_dd_high(d, set)
						      : ct_dd_low(d, set);

		set_bit(&b->value, l->bits, bit, v);
		list_blocks(l, part, bit + 1, b);
	}
	set_bit(&b->value, l->bits, bit, false);
}

static void put_values(struct ct_proof *p, enum ct_field f, ct_dd set, unsigned max,
		       struct ct_text *to)
{
	struct listing l = { .p = p,
			     .field = f,
			     .to = to,
			     .max = max,
			     .bits = ct_field_bits(f, p->family),
			     .is_first = true };
	struct block b = { 0 };

	list_blocks(&l, set, 0, &b);
	flush(&l);
	if (l.n > l.max)
		ct_text_str(to, ",...");
}

/* Sets that miss little are said by what they miss. */
static bool is_nearly_all(struct ct_proof *p, enum ct_field f, ct_dd set)
{
	unsigned bits = ct_field_bits(f, p->family), var = ct_field_var(f), n = 0;

	if (bits < 8)
		return false;
	for (unsigned i = 0; i < bits && !ct_dd_is_leaf(set); i++) {
		ct_dd low = ct_dd_low(p->d, set), high = ct_dd_high(p->d, set);

		if (ct_dd_top(p->d, set) != var + i)
			continue;
		n += low == CT_DD_TRUE || high == CT_DD_TRUE;
		set = low == CT_DD_TRUE ? high : low;
	}
	return n >= 4;
}

/* Fields of few values, most of which often go without saying. */
static bool is_small(enum ct_field f)
{
	return ct_field_bits(f, CT_FAMILY_IPV4) <= 3 || f == CT_FIELD_IIF || f == CT_FIELD_OIF;
}

/* What is left of a field in a class of packets that there are; with @is_free of all its values. */
static ct_dd possible(struct ct_proof *p, const struct ct_class *c, enum ct_field f, bool is_free)
{
	ct_dd set = ct_proof_domain(p, c->way);

	for (unsigned i = 0; i < N_FIELDS; i++)
		if (is_small((enum ct_field)i) || i == CT_FIELD_PROTO)
			if (!is_free || i != (unsigned)f)
				set = ct_dd_and(p->d, set, c->value[i]);
	if (f > 0)
		set = ct_dd_exists(p->d, set, 0, ct_field_var(f) - 1);
	return ct_dd_exists(p->d, set, ct_field_var(f + 1), CT_DD_MAX_VARS);
}

static void put_field(struct ct_proof *p, const struct ct_class *c, enum ct_field f,
		      const char *word, unsigned max, struct ct_text *to)
{
	ct_dd set = c->value[f];

	if (set == CT_DD_TRUE)
		return;
	if (is_small(f)) {
		set = possible(p, c, f, false);
		if (set == possible(p, c, f, true))
			return;
		/* Most connections are not translated. */
		if ((f == CT_FIELD_HAS_SNAT || f == CT_FIELD_HAS_DNAT) &&
		    set == ct_field_is(p->d, f, 0))
			return;
	}
	if (to->len && to->buf[to->len - 1] != ' ')
		ct_text_char(to, ' ');
	ct_text_str(to, word);
	if (is_nearly_all(p, f, set)) {
		ct_text_str(to, "not ");
		set = ct_dd_not(p->d, set);
	}
	put_values(p, f, set, max, to);
}

void ct_class_text(struct ct_proof *p, const struct ct_class *c, unsigned max, struct ct_text *to)
{
	static const struct {
		enum ct_field field;
		const char *word;
	} order[] = {
		{ CT_FIELD_STATE, "" },
		{ CT_FIELD_PROTO, "" },
		{ CT_FIELD_ICMP_TYPE, "type " },
		{ CT_FIELD_ICMP_CODE, "code " },
		{ CT_FIELD_FLAGS, "flags " },
		{ CT_FIELD_SADDR, "from " },
		{ CT_FIELD_SPORT, "from port " },
		{ CT_FIELD_DADDR, "to " },
		{ CT_FIELD_DPORT, "to port " },
		{ CT_FIELD_IIF, "in by " },
		{ CT_FIELD_OIF, "out by " },
		{ CT_FIELD_SRC_TYPE, "from an address that is " },
		{ CT_FIELD_DST_TYPE, "to an address that is " },
		{ CT_FIELD_FRAGMENT, "fragment " },
		{ CT_FIELD_TOS, "tos " },
		{ CT_FIELD_TTL, "ttl " },
		{ CT_FIELD_LENGTH, "length " },
		{ CT_FIELD_MARK, "mark " },
		{ CT_FIELD_CONNMARK, "connmark " },
		{ CT_FIELD_HAS_SNAT, "SNATed " },
		{ CT_FIELD_HAS_DNAT, "DNATed " },
		{ CT_FIELD_DADDR2, "translated to " },
		{ CT_FIELD_DPORT2, "translated to port " },
		{ CT_FIELD_SADDR2, "translated from " },
		{ CT_FIELD_SPORT2, "translated from port " },
	};
	size_t before = to->len;

	for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++)
		put_field(p, c, order[i].field, order[i].word, max, to);
	if (to->len == before)
		ct_text_str(to, "all packets");
}

void ct_class_choices(struct ct_proof *p, const struct ct_class *c, struct ct_text *to)
{
	ct_dd at = c->rest;
	bool is_first = true;

	while (!ct_dd_is_leaf(at)) {
		bool is_true = ct_dd_low(p->d, at) == CT_DD_FALSE;
		const char *name = p->choices.text[ct_dd_top(p->d, at) - ct_field_vars_end()];

		ct_text_str(to, is_first ? "" : " and ");
		ct_text_str(to, is_true ? "" : "not ");
		ct_text_str(to, name);
		is_first = false;
		at = is_true ? ct_dd_high(p->d, at) : ct_dd_low(p->d, at);
	}
}
