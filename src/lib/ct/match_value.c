/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Conditions out of text: what stands behind --src, --dport, --state and the others.
 */
#include "lib/ct/entry_match.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "lib/base/number.h"
#include "lib/ct/proto.h"

static const char *const options[] = {
#define MATCH(name, option, value, help) option,
#include "lib/ct/entry_match.def"
#undef MATCH
};

/* One value of a list, for sentences. */
struct value {
	enum ct_match_field field;
	struct ct_slice text;
	struct ct_err *err;
};

static int refuse(const struct value *v, const char *why)
{
	return ct_err_set(v->err, -EINVAL, "--%s: '%.*s' is %s", options[v->field],
			  (int)v->text.len, v->text.p, why);
}

static int add_net(struct ct_match_list *l, const struct value *v)
{
	struct ct_match_net *net = &l->net[l->n];
	const char *slash = memchr(v->text.p, '/', v->text.len);
	size_t len = slash ? (size_t)(slash - v->text.p) : v->text.len;
	uint64_t bits;

	if (ct_addr_parse(v->text.p, len, &net->addr, &net->family) < 0)
		return refuse(v, "not an address");
	bits = net->family == CT_FAMILY_IPV4 ? 32 : 128;
	if (slash && ct_number_u64(slash + 1, v->text.len - len - 1, bits, &bits) < 0)
		return refuse(v, "not an address with a number of bits behind the slash");
	net->bits = (uint8_t)bits;
	l->n++;
	return 0;
}

typedef int (*number_reader)(const char *s, size_t len, uint64_t *out);

static int read_port(const char *s, size_t len, uint64_t *out)
{
	return ct_number_u64(s, len, UINT16_MAX, out);
}

static int read_zone(const char *s, size_t len, uint64_t *out)
{
	return ct_number_any(s, len, UINT16_MAX, out);
}

/* "5", "5-9", "5-", "-9". A single number means itself. */
static int add_range(struct ct_match_list *l, const struct value *v, number_reader read,
		     const char *why)
{
	struct ct_match_range range = { 0, UINT64_MAX };
	const char *dash = memchr(v->text.p, '-', v->text.len);
	size_t len = dash ? (size_t)(dash - v->text.p) : v->text.len;
	size_t behind = dash ? v->text.len - len - 1 : 0;

	if ((len > 0 || !dash) && read(v->text.p, len, &range.from) < 0)
		return refuse(v, why);
	if (!dash)
		range.to = range.from;
	if (behind > 0 && read(dash + 1, behind, &range.to) < 0)
		return refuse(v, why);
	if (v->text.len == 1 && dash)
		return refuse(v, why);
	if (range.from > range.to)
		return refuse(v, "a range whose end is before its beginning");
	l->range[l->n++] = range;
	return 0;
}

static int add_proto(struct ct_match_list *l, const struct value *v)
{
	int n = ct_proto_number(v->text.p, v->text.len);

	if (n < 0)
		return refuse(v, "not a protocol");
	l->range[l->n++] = (struct ct_match_range){ (uint64_t)n, (uint64_t)n };
	return 0;
}

static bool is_word(struct ct_slice s, const char *word)
{
	return strlen(word) == s.len && strncasecmp(s.p, word, s.len) == 0;
}

static int add_family(struct ct_match_list *l, const struct value *v)
{
	bool is_ip6 = is_word(v->text, "ipv6") || is_word(v->text, "6");
	uint64_t n = is_ip6 ? CT_FAMILY_IPV6 : CT_FAMILY_IPV4;

	if (!is_ip6 && !is_word(v->text, "ipv4") && !is_word(v->text, "4"))
		return refuse(v, "neither ipv4 nor ipv6");
	l->range[l->n++] = (struct ct_match_range){ n, n };
	return 0;
}

/* A name counts for every protocol that has it. */
static int add_state(struct ct_match_list *l, const struct value *v)
{
	static const uint8_t protos[] = { CT_PROTO_TCP, CT_PROTO_SCTP, CT_PROTO_DCCP };
	char name[32] = "";
	bool is_any = false;

	for (uint32_t i = 0; i < v->text.len && i < sizeof(name) - 1; i++) {
		char c = v->text.p[i];

		name[i] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c == '-' ? '_' : c;
	}
	for (unsigned i = 0; i < sizeof(protos) && v->text.len < sizeof(name); i++) {
		int state = ct_state_number(protos[i], name, v->text.len);

		if (state < 0)
			continue;
		l->range[i].from |= UINT64_C(1) << state;
		is_any = true;
	}
	l->n = sizeof(protos);
	return is_any ? 0 : refuse(v, "not a state of tcp, sctp or dccp");
}

static int add_mark(struct ct_match_list *l, const struct value *v)
{
	const char *slash = memchr(v->text.p, '/', v->text.len);
	size_t len = slash ? (size_t)(slash - v->text.p) : v->text.len;
	uint64_t mark, mask = UINT32_MAX;

	if (ct_number_any(v->text.p, len, UINT32_MAX, &mark) < 0 ||
	    (slash && ct_number_any(slash + 1, v->text.len - len - 1, UINT32_MAX, &mask) < 0))
		return refuse(v, "not a mark: a number, perhaps a slash and a mask");
	l->range[l->n++] = (struct ct_match_range){ mark, mask };
	return 0;
}

static int add_status(struct ct_match *m, const struct value *v)
{
	static const struct {
		const char *name;
		uint32_t bit;
	} names[] = {
#define STATUS(name, bit, text) { text, 1u << (bit) },
#include <conntune/status.def>
#undef STATUS
	};
	struct value word = *v;
	bool is_not = word.text.len > 0 && word.text.p[0] == '!';

	word.text.p += is_not;
	word.text.len -= is_not;
	if (is_word(word.text, "unreplied")) {
		*(is_not ? &m->status_on : &m->status_off) |= CT_STATUS_SEEN_REPLY;
		return 0;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!is_word(word.text, names[i].name))
			continue;
		*(is_not ? &m->status_off : &m->status_on) |= names[i].bit;
		return 0;
	}
	return refuse(&word, "not a status; assured, seen_reply, src_nat, dst_nat, ... are");
}

static int add_value(struct ct_match *m, const struct value *v)
{
	struct ct_match_list *l = &m->list[v->field];

	if (v->text.len == 0)
		return refuse(v, "empty");
	if (l->n == CT_MATCH_VALUES)
		return refuse(v, "one value too many");
	switch (v->field) {
	case CT_MATCH_SRC:
	case CT_MATCH_DST:
	case CT_MATCH_REPLY_SRC:
	case CT_MATCH_REPLY_DST:
	case CT_MATCH_ADDR:
		return add_net(l, v);
	case CT_MATCH_SPORT:
	case CT_MATCH_DPORT:
	case CT_MATCH_REPLY_SPORT:
	case CT_MATCH_REPLY_DPORT:
	case CT_MATCH_PORT:
		return add_range(l, v, read_port, "not a port or range of ports");
	case CT_MATCH_ZONE:
		return add_range(l, v, read_zone, "not a zone or range of zones");
	case CT_MATCH_TIMEOUT:
	case CT_MATCH_AGE:
	case CT_MATCH_IDLE:
		return add_range(l, v, ct_number_duration, "not a time or range of times");
	case CT_MATCH_FAMILY:
		return add_family(l, v);
	case CT_MATCH_PROTO:
		return add_proto(l, v);
	case CT_MATCH_STATE:
		return add_state(l, v);
	case CT_MATCH_MARK:
		return add_mark(l, v);
	case CT_MATCH_STATUS:
		return add_status(m, v);
	case CT_MATCH_FIELDS:
		break;
	}
	return -EINVAL;
}

int ct_match_add(struct ct_match *m, enum ct_match_field field, const char *value,
		 struct ct_err *err)
{
	struct value v = { .field = field, .err = err };

	if (ct_match_has(m, field))
		return ct_err_set(err, -EINVAL, "--%s is given twice; separate values with commas",
				  options[field]);
	if (value[0] == '!' && field != CT_MATCH_STATUS) {
		m->list[field].is_not = true;
		value++;
	}
	for (;;) {
		size_t len = strcspn(value, ",");
		int r;

		v.text = (struct ct_slice){ value, len < UINT32_MAX ? (uint32_t)len : UINT32_MAX };
		r = add_value(m, &v);
		if (r < 0)
			return r;
		if (value[len] == '\0')
			break;
		value += len + 1;
	}
	m->fields |= 1u << field;
	return 0;
}
