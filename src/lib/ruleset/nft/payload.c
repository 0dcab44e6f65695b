/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Data out of the packet's headers: fields by name, bits by place, extension headers of IPv6,
 * options of TCP. nft leaves out of a listing what a field implies ("tcp dport" says that the
 * packet is TCP), so a field is there only in a packet of its protocol. Answers to Linux 6.18,
 * net/netfilter/nft_payload.c and nft_exthdr.c, include/net/netfilter/nf_tables_ipv4.h and
 * nf_tables_ipv6.h.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "lib/packet/wire.h"
#include "lib/ruleset/nft/expr.h"

enum base { BASE_NH, BASE_TH };

struct header {
	const char *name;
	uint8_t family, proto;
};

struct field {
	const char *header, *name;
	uint16_t first, bits;
	uint8_t base, type;
};

static const struct header headers[] = {
#define HEADER(name, family, proto) { name, CT_FAMILY_##family, proto },
#define FIELD(header, name, base, first, bits, type)
#include "lib/ruleset/nft/field.def"
#undef FIELD
#undef HEADER
};

static const struct field fields[] = {
#define HEADER(name, family, proto)
#define FIELD(header, name, base, first, bits, type)                                               \
	{ header, name, first, bits, BASE_##base, CT_NFT_##type },
#include "lib/ruleset/nft/field.def"
#undef FIELD
#undef HEADER
};

static_assert(sizeof(fields) / sizeof(fields[0]) <= 128, "asked_fields has a bit for each");

static const struct {
	const char *name;
	uint8_t number;
} exthdrs[] = {
#define EXTHDR(name, number) { name, number },
#define EXTHDR_FIELD(header, name, first, bits, type)
#define TCP_OPTION(name, kind)
#define TCP_OPTION_FIELD(option, name, first, bits)
#include "lib/ruleset/nft/exthdr.def"
#undef EXTHDR
#undef EXTHDR_FIELD
};

static const struct field exthdr_fields[] = {
#define EXTHDR(name, number)
#define EXTHDR_FIELD(header, name, first, bits, type)                                              \
	{ header, name, first, bits, BASE_NH, CT_NFT_##type },
#include "lib/ruleset/nft/exthdr.def"
#undef EXTHDR_FIELD
#undef TCP_OPTION
#undef TCP_OPTION_FIELD
};

static const struct {
	const char *name;
	uint8_t kind;
} tcp_options[] = {
#define EXTHDR_FIELD(header, name, first, bits, type)
#define TCP_OPTION(name, kind) { name, kind },
#define TCP_OPTION_FIELD(option, name, first, bits)
#include "lib/ruleset/nft/exthdr.def"
#undef TCP_OPTION
#undef TCP_OPTION_FIELD
};

static const struct field tcp_option_fields[] = {
#define TCP_OPTION(name, kind)
#define TCP_OPTION_FIELD(option, name, first, bits)                                                \
	{ option, name, first, bits, BASE_TH, CT_NFT_INTEGER },
#include "lib/ruleset/nft/exthdr.def"
#undef TCP_OPTION_FIELD
#undef TCP_OPTION
#undef EXTHDR_FIELD
#undef EXTHDR
};

/* The packet -------------------------------------------------------------------------------- */

/* Bytes of an extension header by its number and length field; moves on to the @after next one. */
static uint32_t extension_size(uint8_t number, uint8_t len, uint8_t *next, uint8_t after)
{
	*next = after;
	if (number == PROTO_FRAGMENT)
		return 8;
	return number == PROTO_AH ? (len + 2u) * 4 : (len + 1u) * 8;
}

/* The header behind the extension headers, and where it begins: ipv6_find_hdr() asked for any;
 * with @want a certain one. -ENOENT without it. */
static int find_ipv6(const uint8_t *ip, uint32_t size, int want, uint8_t *found, uint32_t *at,
		     bool *is_fragment)
{
	uint8_t next = ip[6];
	uint32_t here = 40;

	*is_fragment = false;
	for (unsigned n = 0; n < 64; n++) {
		bool is_extension = next == PROTO_HOPOPTS || next == PROTO_ROUTING ||
				    next == PROTO_FRAGMENT || next == PROTO_AH ||
				    next == PROTO_DSTOPTS;

		if (want >= 0 ? next == want : !is_extension) {
			*found = next;
			*at = here;
			return 0;
		}
		if (!is_extension || here + 8 > size)
			return -ENOENT;
		if (next == PROTO_FRAGMENT && wire_be16(ip + here + 2) & 0xfff8) {
			*is_fragment = true;
			*found = ip[here];
			*at = here;
			return want >= 0 ? -ENOENT : 0;
		}
		here += extension_size(next, ip[here + 1], &next, ip[here]);
	}
	return -ENOENT;
}

int ct_nft_look(struct ct_nft_judging *j, const struct ct_rule_packet *p)
{
	const struct ct_packet *k = p->packet;
	uint32_t at = k->size;

	j->p = p;
	j->ip = k->data;
	j->size = k->size;
	if (k->size >= 20 && k->data[0] >> 4 == 4) {
		j->family = CT_FAMILY_IPV4;
		j->proto = k->data[9];
		j->has_proto = true;
		j->is_fragment = wire_be16(k->data + 6) & 0x1fff;
		at = (k->data[0] & 15u) * 4;
	} else if (k->size >= 40 && k->data[0] >> 4 == 6) {
		j->family = CT_FAMILY_IPV6;
		j->has_proto =
			find_ipv6(k->data, k->size, -1, &j->proto, &at, &j->is_fragment) == 0;
	} else {
		return -EBADMSG;
	}
	if (j->has_proto && !j->is_fragment && at <= k->size) {
		j->l4 = k->data + at;
		j->l4_size = k->size - at;
	}
	return 0;
}

/* Bits from @first on as a number of their own; false when @size bytes do not hold them. */
static bool take_bits(const uint8_t *from, uint32_t size, uint32_t first, uint32_t bits,
		      struct ct_nft_data *out)
{
	uint32_t end = first + bits, n = (bits + 7) / 8, shift = (8 - end % 8) % 8;

	if ((end + 7) / 8 > size || n > CT_NFT_MAX_DATA)
		return false;
	out->size = n;
	for (uint32_t i = 0; i < n; i++) {
		/* Byte i from the right. */
		uint32_t at = (end + 7) / 8 - 1 - i;
		unsigned v = from[at] >> shift;

		if (shift && at > 0)
			v |= (unsigned)from[at - 1] << (8 - shift);
		out->bytes[n - 1 - i] = (uint8_t)v;
	}
	if (bits % 8)
		out->bytes[0] &= (uint8_t)(0xff >> (8 - bits % 8));
	return true;
}

/* Fields ------------------------------------------------------------------------------------ */

static bool is_there(const struct ct_nft_judging *j, uint8_t family, uint8_t proto)
{
	if (family && family != j->family)
		return false;
	return !proto || (j->has_proto && j->proto == proto);
}

/* n: family, protocol, base, first bit */
static enum ct_truth load_payload(struct ct_nft_expr *e, struct ct_nft_judging *j,
				  struct ct_nft_data *out)
{
	const uint8_t *from = e->n[2] == BASE_NH ? j->ip : j->l4;
	uint32_t size = e->n[2] == BASE_NH ? j->size : j->l4_size;

	if (!is_there(j, (uint8_t)e->n[0], (uint8_t)e->n[1]) || !from)
		return CT_NO;
	return take_bits(from, size, e->n[3], e->shape.part[0].bits, out) ? CT_YES : CT_NO;
}

static const struct field *field_find(const struct field *list, size_t n, const char *header,
				      const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i].header, header) == 0 && strcmp(list[i].name, name) == 0)
			return &list[i];
	return NULL;
}
#define FIELD_FIND(list, header, name)                                                             \
	field_find(list, sizeof(list) / sizeof((list)[0]), header, name)

static int raw_payload_read(struct ct_nft_reading *r, const struct ct_value *v,
			    struct ct_nft_expr *e)
{
	const char *base = ct_value_get_str(v, "base");
	uint64_t first = ct_value_get_number(v, "offset", UINT64_MAX);
	uint64_t bits = ct_value_get_number(v, "len", 0);

	if (!base || (strcmp(base, "nh") != 0 && strcmp(base, "th") != 0))
		return -EINVAL;
	if (first > 65535 * 8 || !bits || bits > 8 * CT_NFT_MAX_DATA)
		return -EINVAL;
	/* It may be any field. */
	if (!r->is_writing)
		memset(r->nft->asked_fields, 0xff, sizeof(r->nft->asked_fields));
	e->n[2] = base[0] == 'n' ? BASE_NH : BASE_TH;
	e->n[3] = (uint32_t)first;
	e->shape = ct_nft_shape_of(CT_NFT_INTEGER, (unsigned)bits);
	e->load = load_payload;
	return 0;
}

int ct_nft_payload_read(struct ct_nft_reading *r, const struct ct_value *v, struct ct_nft_expr *e)
{
	const char *proto = ct_value_get_str(v, "protocol"), *name = ct_value_get_str(v, "field");
	const struct field *f = proto && name ? FIELD_FIND(fields, proto, name) : NULL;

	if (!proto)
		return raw_payload_read(r, v, e);
	e->name = ct_nft_label(r, proto, name ? name : "");
	if (!f)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		if (strcmp(headers[i].name, proto) == 0) {
			e->n[0] = headers[i].family;
			e->n[1] = headers[i].proto;
		}
	if (!r->is_writing)
		r->nft->asked_fields[(f - fields) / 64] |= UINT64_C(1) << (f - fields) % 64;
	e->def = f;
	e->n[2] = f->base;
	e->n[3] = f->first;
	e->shape = ct_nft_shape_of((enum ct_nft_type)f->type, f->bits);
	e->load = load_payload;
	return 0;
}

bool ct_nft_is_asked(const struct ct_nft *nft, const struct ct_nft_expr *e)
{
	ptrdiff_t i = e->def ? (const struct field *)e->def - fields : -1;

	return i < 0 || nft->asked_fields[i / 64] >> i % 64 & 1;
}

/* Extension headers: n: number, first bit, whether only being there counts. */
static enum ct_truth load_exthdr(struct ct_nft_expr *e, struct ct_nft_judging *j,
				 struct ct_nft_data *out)
{
	bool is_fragment, has_it;
	uint32_t at = 0;
	uint8_t found;

	if (j->family != CT_FAMILY_IPV6)
		return CT_NO;
	has_it = find_ipv6(j->ip, j->size, (int)e->n[0], &found, &at, &is_fragment) == 0;
	if (e->n[2]) {
		out->size = 1;
		out->bytes[0] = has_it;
		return CT_YES;
	}
	if (!has_it || at > j->size)
		return CT_NO;
	return take_bits(j->ip + at, j->size - at, e->n[1], e->shape.part[0].bits, out) ? CT_YES
											: CT_NO;
}

int ct_nft_exthdr_read(struct ct_nft_reading *r, const struct ct_value *v, struct ct_nft_expr *e)
{
	const char *name = ct_value_get_str(v, "name"), *field = ct_value_get_str(v, "field");
	const struct field *f = name && field ? FIELD_FIND(exthdr_fields, name, field) : NULL;

	if (!name || (field && !f))
		return -EINVAL;
	e->name = ct_nft_label(r, name, field ? field : "header");
	for (size_t i = 0; i < sizeof(exthdrs) / sizeof(exthdrs[0]); i++)
		if (strcmp(exthdrs[i].name, name) == 0) {
			e->n[0] = exthdrs[i].number;
			e->n[1] = f ? f->first : 0;
			e->n[2] = !f;
			e->shape = f ? ct_nft_shape_of((enum ct_nft_type)f->type, f->bits)
				     : ct_nft_shape_of(CT_NFT_BOOLEAN, 8);
			e->load = load_exthdr;
			return 0;
		}
	return -EINVAL;
}

/* Options of TCP: nft_exthdr_tcp_eval(). n: kind, first bit, whether only being there counts. */
static enum ct_truth load_tcp_option(struct ct_nft_expr *e, struct ct_nft_judging *j,
				     struct ct_nft_data *out)
{
	uint32_t end =
		j->l4 && j->proto == PROTO_TCP && j->l4_size >= 20 ? (j->l4[12] >> 4) * 4u : 0;
	enum ct_truth found = CT_NO;

	if (end > j->l4_size)
		end = 0;
	for (uint32_t at = 20, len; at < end; at += len) {
		len = j->l4[at] < 2 ? 1 : at + 1 < end && j->l4[at + 1] ? j->l4[at + 1] : 1;
		if (j->l4[at] != e->n[0])
			continue;
		if (at + len > end)
			break;
		found = e->n[2] || take_bits(j->l4 + at, len, e->n[1], e->shape.part[0].bits, out)
				? CT_YES
				: CT_NO;
		break;
	}
	if (!e->n[2])
		return found;
	out->size = 1;
	out->bytes[0] = found == CT_YES;
	return CT_YES;
}

int ct_nft_tcp_option_read(struct ct_nft_reading *r, const struct ct_value *v,
			   struct ct_nft_expr *e)
{
	const char *name = ct_value_get_str(v, "name"), *field = ct_value_get_str(v, "field");
	const struct field *f = name && field ? FIELD_FIND(tcp_option_fields, name, field) : NULL;

	if (!name || (field && !f))
		return -EINVAL;
	e->name = ct_nft_label(r, "tcp option", name);
	for (size_t i = 0; i < sizeof(tcp_options) / sizeof(tcp_options[0]); i++)
		if (strcmp(tcp_options[i].name, name) == 0) {
			e->n[0] = tcp_options[i].kind;
			e->n[1] = f ? f->first : 0;
			e->n[2] = !f;
			e->shape = f ? ct_nft_shape_of(CT_NFT_INTEGER, f->bits)
				     : ct_nft_shape_of(CT_NFT_BOOLEAN, 8);
			e->load = load_tcp_option;
			return 0;
		}
	return -EINVAL;
}
