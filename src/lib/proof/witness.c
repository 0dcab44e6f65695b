/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A packet out of a class: for each field a usual value if the class has it, else its smallest.
 */
#include <string.h>

#include "lib/proof/classes.h"
#include "lib/proof/session.h"

/* The packets that are left while one field after the other is fixed. */
struct choosing {
	struct ct_proof *p;
	ct_dd left;
};

static bool fix(struct choosing *c, enum ct_field f, const struct ct_field_value *v)
{
	struct ct_field_value all;
	ct_dd rest;

	memset(&all, 0xff, sizeof(all));
	rest = ct_dd_and(c->p->d, c->left, ct_field_masked(c->p->d, f, c->p->family, v, &all));
	if (rest == CT_DD_FALSE)
		return false;
	c->left = rest;
	return true;
}

/* The smallest value of a field that is left. */
static struct ct_field_value smallest(const struct choosing *c, enum ct_field f)
{
	struct ct_dds *d = c->p->d;
	unsigned bits = ct_field_bits(f, c->p->family), first = ct_field_var(f);
	struct ct_field_value v = { { 0 } };
	ct_dd set = c->left;

	if (first > 0)
		set = ct_dd_exists(d, set, 0, first - 1);
	set = ct_dd_exists(d, set, ct_field_var(f + 1), CT_DD_MAX_VARS);
	while (!ct_dd_is_leaf(set)) {
		unsigned i = ct_dd_top(d, set) - first + (8 - bits % 8) % 8;
		bool is_one = ct_dd_low(d, set) == CT_DD_FALSE;

		if (is_one)
			v.bytes[i / 8] |= (uint8_t)(1u << (7 - i % 8));
		set = is_one ? ct_dd_high(d, set) : ct_dd_low(d, set);
	}
	return v;
}

static struct ct_field_value choose(struct choosing *c, enum ct_field f,
				    const struct ct_field_value *usual, unsigned n)
{
	struct ct_field_value v;

	for (unsigned i = 0; i < n; i++)
		if (fix(c, f, &usual[i]))
			return usual[i];
	v = smallest(c, f);
	(void)fix(c, f, &v);
	return v;
}

static uint64_t number(struct choosing *c, enum ct_field f, const uint64_t *usual, unsigned n)
{
	struct ct_field_value values[8], v;
	uint64_t r = 0;

	for (unsigned i = 0; i < n; i++)
		values[i] = ct_field_value(f, c->p->family, usual[i]);
	v = choose(c, f, values, n);
	for (unsigned i = 0; i < (ct_field_bits(f, c->p->family) + 7) / 8; i++)
		r = r << 8 | v.bytes[i];
	return r;
}

#define NUMBER(l, field, ...)                                                                      \
	number(l, CT_FIELD_##field, (const uint64_t[]){ __VA_ARGS__ },                             \
	       sizeof((const uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t))

/* Addresses of documentation: RFC 5737, RFC 3849. */
static union ct_addr address(struct choosing *c, enum ct_field f, bool is_far)
{
	static const uint8_t v4[2][4] = { { 192, 0, 2, 10 }, { 198, 51, 100, 7 } };
	static const uint8_t v6[16] = { 0x20, 0x01, 0x0d, 0xb8 };
	struct ct_field_value usual = { { 0 } }, v;
	union ct_addr out = { { 0 } };

	if (c->p->family == CT_FAMILY_IPV4) {
		memcpy(usual.bytes, v4[is_far], 4);
	} else {
		memcpy(usual.bytes, v6, 16);
		usual.bytes[5] = is_far ? 2 : 1;
		usual.bytes[15] = is_far ? 7 : 10;
	}
	v = choose(c, f, &usual, 1);
	memcpy(out.bytes, v.bytes, sizeof(out.bytes));
	return out;
}

static void iface(struct choosing *c, enum ct_field f, char to[static 16])
{
	const uint64_t usual[] = { CT_ATOM_OTHER, CT_ATOM_LOOPBACK, CT_ATOM_NONE };

	ct_atom_example(&c->p->atoms, (uint32_t)number(c, f, usual, 3), to);
}

/* Who opened the connection has the high port; a NEW packet of TCP is a SYN. */
void ct_class_witness(struct ct_proof *p, const struct ct_class *c, struct ct_witness *out)
{
	bool is_new, is_invalid, from_here = c->way == CT_WAY_SENT || c->way == CT_WAY_LOOPED;
	struct choosing left = { p, ct_dd_and(p->d, ct_proof_domain(p, c->way), c->rest) };
	struct choosing *l = &left;
	struct ct_witness *w = out;

	for (unsigned f = 0; f < N_FIELDS; f++)
		left.left = ct_dd_and(p->d, left.left, c->value[f]);
	*w = (struct ct_witness){ .way = c->way, .family = p->family };
	w->state = (enum ct_proof_state)NUMBER(l, STATE, CT_PROOF_NEW, CT_PROOF_ESTABLISHED);
	is_new = w->state == CT_PROOF_NEW;
	is_invalid = w->state == CT_PROOF_INVALID; /* as a SYN/ACK without its SYN is */
	w->has_snat = NUMBER(l, HAS_SNAT, 0);
	w->has_dnat = NUMBER(l, HAS_DNAT, 0);
	w->proto = (uint8_t)NUMBER(l, PROTO, 6, 17, 1, 58);
	iface(l, CT_FIELD_IIF, w->in);
	iface(l, CT_FIELD_OIF, w->out);
	w->is_fragment = NUMBER(l, FRAGMENT, 0);
	w->flags = (uint8_t)NUMBER(l, FLAGS,
				   is_new	? 0x02
				   : is_invalid ? 0x12
						: 0x10,
				   0x10, 0x12, 0x18, 0x11, 0x04);
	w->icmp_type = (uint8_t)NUMBER(l, ICMP_TYPE, p->family == CT_FAMILY_IPV4 ? 8 : 128);
	w->icmp_code = (uint8_t)NUMBER(l, ICMP_CODE, 0);
	w->dport = (uint16_t)NUMBER(l, DPORT, 40000);
	w->sport = (uint16_t)NUMBER(l, SPORT, 40000, 40001);
	w->dst = address(l, CT_FIELD_DADDR, from_here);
	w->src = address(l, CT_FIELD_SADDR, !from_here);
	w->dst_type = (uint8_t)NUMBER(l, DST_TYPE, CT_ADDR_LOCAL, CT_ADDR_UNICAST);
	w->src_type = (uint8_t)NUMBER(l, SRC_TYPE, CT_ADDR_UNICAST, CT_ADDR_LOCAL);
	w->tos = (uint8_t)NUMBER(l, TOS, 0);
	w->ttl = (uint8_t)NUMBER(l, TTL, 64, 63);
	w->length = (uint16_t)NUMBER(l, LENGTH, p->family == CT_FAMILY_IPV4 ? 60 : 80);
	w->mark = (uint32_t)NUMBER(l, MARK, 0);
	w->connmark = (uint32_t)NUMBER(l, CONNMARK, 0);
}

/* In words --------------------------------------------------------------------------------------
 */

static bool has_ports(uint8_t proto)
{
	return proto == 6 || proto == 17 || proto == 132 || proto == 33 || proto == 136;
}

static void put_end(const struct ct_witness *w, const union ct_addr *a, uint16_t port,
		    struct ct_text *to)
{
	bool in_brackets = has_ports(w->proto) && w->family == CT_FAMILY_IPV6;

	ct_text_str(to, in_brackets ? "[" : "");
	ct_addr_format(a, w->family, false, to);
	ct_text_str(to, in_brackets ? "]" : "");
	if (has_ports(w->proto)) {
		ct_text_char(to, ':');
		ct_text_u64(to, port);
	}
}

static void put_flags(const struct ct_witness *w, struct ct_text *to)
{
	static const char letters[] = "FSRPAUEC";

	ct_text_char(to, ' ');
	for (unsigned i = 0; i < 8; i++)
		if (w->flags >> i & 1)
			ct_text_char(to, letters[i]);
	if (!w->flags)
		ct_text_char(to, '.');
}

void ct_witness_text(const struct ct_witness *w, struct ct_text *to)
{
	const char *name = ct_rule_proto_name(w->proto);

	if (w->proto == 58)
		name = "icmp6";
	if (name)
		ct_text_str(to, name);
	else
		ct_text_u64(to, w->proto);
	ct_text_char(to, ' ');
	put_end(w, &w->src, w->sport, to);
	ct_text_str(to, " > ");
	put_end(w, &w->dst, w->dport, to);
	if (w->proto == 6)
		put_flags(w, to);
	if (w->proto == 1 || w->proto == 58)
		ct_text_printf(to, " type %u code %u", (unsigned)w->icmp_type,
			       (unsigned)w->icmp_code);
	if (w->way == CT_WAY_SENT || w->way == CT_WAY_LOOPED)
		ct_text_str(to, " out");
	else if (w->in[0])
		ct_text_printf(to, " in %s", w->in);
}

void ct_witness_conversation(const struct ct_witness *w, bool is_answer, struct ct_text *to)
{
	bool is_later = w->state == CT_PROOF_ESTABLISHED || w->state == CT_PROOF_RELATED;
	struct ct_witness first = *w;

	if (!is_later) {
		ct_witness_text(w, to);
		return;
	}
	if (is_answer) {
		first.src = w->dst;
		first.dst = w->src;
		first.sport = w->dport;
		first.dport = w->sport;
		first.way = ct_way_kind_answer(w->way);
		memcpy(first.in, w->out, sizeof(first.in));
	}
	first.flags = 0x02;
	ct_witness_text(&first, to);
	ct_text_str(to, w->proto == 6 ? "; < SA" : "; <");
	if (!is_answer)
		ct_text_str(to, w->proto == 6 ? "; > A" : "; >");
}
