/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Conditions to a filter of ctnetlink. It knows one value a field: no lists, ranges, networks, and
 * no negation but that of status bits. Answers to Linux 6.18 ctnetlink_alloc_filter().
 */
#include "ops/table/filter.h"

#include <arpa/inet.h>

/* The one value of @field as a range of its own, or null. */
static const struct ct_match_range *single(const struct ct_match *m, enum ct_match_field field)
{
	const struct ct_match_list *l = &m->list[field];

	if (!ct_match_has(m, field) || l->is_not || l->n != 1)
		return NULL;
	return l->range[0].from == l->range[0].to ? &l->range[0] : NULL;
}

/* The one address of @field, or null. */
static const struct ct_match_net *single_addr(const struct ct_match *m, enum ct_match_field field)
{
	const struct ct_match_list *l = &m->list[field];

	if (!ct_match_has(m, field) || l->is_not || l->n != 1)
		return NULL;
	return l->net[0].bits == (l->net[0].family == CT_FAMILY_IPV4 ? 32 : 128) ? &l->net[0]
										 : NULL;
}

static void set_family(struct nl_filter *f, uint8_t family)
{
	f->fields |= NL_FILTER_FAMILY;
	f->family = family;
}

/* Networks cannot be asked for, but they tell the family, which tuples need. */
static void find_family(const struct ct_match *m, struct nl_filter *f)
{
	static const enum ct_match_field fields[] = { CT_MATCH_SRC, CT_MATCH_DST,
						      CT_MATCH_REPLY_SRC, CT_MATCH_REPLY_DST,
						      CT_MATCH_ADDR };
	const struct ct_match_range *family = single(m, CT_MATCH_FAMILY);

	if (family) {
		set_family(f, (uint8_t)family->from);
		return;
	}
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		const struct ct_match_list *l = &m->list[fields[i]];
		uint8_t n = 0;

		if (!ct_match_has(m, fields[i]) || l->is_not)
			continue;
		while (n < l->n && l->net[n].family == l->net[0].family)
			n++;
		if (n == l->n) {
			set_family(f, l->net[0].family);
			return;
		}
	}
}

static void set_addrs(const struct ct_match *m, struct nl_filter *f)
{
	struct ct_tuple *orig = &f->tuple[CT_DIR_ORIG], *reply = &f->tuple[CT_DIR_REPLY];
	const struct {
		enum ct_match_field field;
		unsigned bit;
		union ct_addr *to;
	} list[] = {
		{ CT_MATCH_SRC, NL_FILTER_SRC, &orig->src },
		{ CT_MATCH_DST, NL_FILTER_DST, &orig->dst },
		{ CT_MATCH_REPLY_SRC, NL_FILTER_REPLY_SRC, &reply->src },
		{ CT_MATCH_REPLY_DST, NL_FILTER_REPLY_DST, &reply->dst },
	};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		const struct ct_match_net *net = single_addr(m, list[i].field);

		if (!net || net->family != f->family)
			continue;
		*list[i].to = net->addr;
		f->fields |= list[i].bit;
	}
}

static void set_ports(const struct ct_match *m, struct nl_filter *f)
{
	struct ct_tuple *orig = &f->tuple[CT_DIR_ORIG], *reply = &f->tuple[CT_DIR_REPLY];
	const struct {
		enum ct_match_field field;
		unsigned bit;
		ct_be16 *to;
	} list[] = {
		{ CT_MATCH_SPORT, NL_FILTER_SPORT, &orig->src_part },
		{ CT_MATCH_DPORT, NL_FILTER_DPORT, &orig->dst_part },
		{ CT_MATCH_REPLY_SPORT, NL_FILTER_REPLY_SPORT, &reply->src_part },
		{ CT_MATCH_REPLY_DPORT, NL_FILTER_REPLY_DPORT, &reply->dst_part },
	};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		const struct ct_match_range *port = single(m, list[i].field);

		if (!port)
			continue;
		*list[i].to = htons((uint16_t)port->from);
		f->fields |= list[i].bit;
	}
}

static void set_tuples(const struct ct_match *m, struct nl_filter *f)
{
	const struct ct_match_range *proto = single(m, CT_MATCH_PROTO);

	set_addrs(m, f);
	if (!proto)
		return;
	f->fields |= NL_FILTER_PROTO;
	f->tuple[CT_DIR_ORIG].proto = f->tuple[CT_DIR_REPLY].proto = (uint8_t)proto->from;
	set_ports(m, f);
}

bool table_filter_of(const struct ct_match *m, struct nl_filter *out)
{
	const struct ct_match_list *mark = &m->list[CT_MATCH_MARK];
	const struct ct_match_range *zone = single(m, CT_MATCH_ZONE);

	*out = (struct nl_filter){ 0 };
	find_family(m, out);
	if (out->fields & NL_FILTER_FAMILY)
		set_tuples(m, out);
	if (ct_match_has(m, CT_MATCH_MARK) && !mark->is_not && mark->n == 1) {
		out->fields |= NL_FILTER_MARK;
		out->mark = (uint32_t)mark->range[0].from;
		out->mark_mask = (uint32_t)mark->range[0].to;
	}
	if (zone) {
		out->fields |= NL_FILTER_ZONE;
		out->zone = (uint16_t)zone->from;
	}
	/* A bit that must be on and off fits nothing; the kernel need not be asked that. */
	if (ct_match_has(m, CT_MATCH_STATUS) && !(m->status_on & m->status_off)) {
		out->fields |= NL_FILTER_STATUS;
		out->status = m->status_on;
		out->status_mask = m->status_on | m->status_off;
	}
	return out->fields != 0;
}
