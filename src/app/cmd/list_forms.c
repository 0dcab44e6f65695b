/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Items as columns for people and as CSV for tables; the forms of kernel and conntrack are the
 * library's.
 */
#include "app/cmd/list_forms.h"

#include <arpa/inet.h>
#include <string.h>

#include "lib/ct/proto.h"
#include "lib/ct/slice.h"

static const char *const form_names[] = { "columns", "proc", "conntrack", "extended",
					  "save",    "json", "csv" };

int list_form_find(const char *name)
{
	for (size_t i = 0; i < sizeof(form_names) / sizeof(form_names[0]); i++)
		if (strcmp(form_names[i], name) == 0)
			return (int)i;
	return -1;
}

#define WANT_LINE                                                                                  \
	(CT_KNOWN_FAMILY | CT_KNOWN_PARTS | CT_KNOWN_TIMEOUT | CT_KNOWN_STATE | CT_KNOWN_STATUS |  \
	 CT_KNOWN_FLAGS | CT_KNOWN_ZONE)
#define WANT_SHOWN                                                                                 \
	(WANT_LINE | CT_KNOWN_COUNTERS | CT_KNOWN_MARK | CT_KNOWN_SECCTX | CT_KNOWN_DELTA |        \
	 CT_KNOWN_START | CT_KNOWN_USE | CT_KNOWN_HELPER)

uint32_t list_form_want(enum list_form form)
{
	switch (form) {
	case LIST_COLUMNS:
		return WANT_LINE | CT_KNOWN_COUNTERS | CT_KNOWN_MARK | CT_KNOWN_HELPER;
	case LIST_PROC:
		return WANT_SHOWN | CT_KNOWN_GRE;
	case LIST_CONNTRACK:
	case LIST_EXTENDED:
		return WANT_SHOWN;
	case LIST_SAVE:
		return WANT_LINE | CT_KNOWN_SCTP;
	case LIST_CSV:
		return WANT_SHOWN | CT_KNOWN_ID | CT_KNOWN_LABELS | CT_KNOWN_LABEL_TEXT;
	case LIST_JSON:
		break;
	}
	return CT_KNOWN_ALL;
}

/* Fills up with blanks to column @to_len of what began at @from, at least one. */
static void pad(struct ct_text *to, size_t from, size_t to_len)
{
	static const char blanks[] = "                                                ";
	size_t len = to->len - from;

	ct_text_put(to, blanks, len < to_len && to_len - len < sizeof(blanks) ? to_len - len : 1);
}

static struct ct_slice slice_of(const char *s)
{
	return (struct ct_slice){ s, (uint32_t)strlen(s) };
}

static bool has_ports(const struct ct_entry *e)
{
	return (e->known & CT_KNOWN_PARTS) && ct_proto_parts(e->tuple[0].proto) == CT_PARTS_PORTS;
}

static void put_end(struct ct_text *to, const struct ct_entry *e, const struct ct_tuple *t,
		    const union ct_addr *a, ct_be16 port)
{
	bool is_ip6 = t->family == CT_FAMILY_IPV6;

	if (!has_ports(e)) {
		ct_addr_format(a, t->family, false, to);
		return;
	}
	if (is_ip6)
		ct_text_char(to, '[');
	ct_addr_format(a, t->family, false, to);
	ct_text_str(to, is_ip6 ? "]:" : ":");
	ct_text_u64(to, ntohs(port));
}

static const char *flag_text(const struct ct_entry *e)
{
	if (!(e->known & (CT_KNOWN_FLAGS | CT_KNOWN_STATUS)))
		return "?";
	if (e->status & CT_STATUS_HW_OFFLOAD)
		return "HW_OFFLOAD";
	if (e->status & CT_STATUS_OFFLOAD)
		return "OFFLOAD";
	if (!(e->status & CT_STATUS_SEEN_REPLY))
		return "UNREPLIED";
	return e->status & CT_STATUS_ASSURED ? "ASSURED" : "-";
}

static void put_named(struct ct_text *to, const char *name, uint64_t v)
{
	ct_text_str(to, name);
	ct_text_u64(to, v);
}

/* What only some entries have; the addresses of the reply when they are not the same turned. */
static void put_extras(const struct ct_entry *e, struct ct_text *to)
{
	const struct ct_tuple *orig = &e->tuple[CT_DIR_ORIG], *reply = &e->tuple[CT_DIR_REPLY];
	bool ports = has_ports(e);

	if (memcmp(&orig->dst, &reply->src, sizeof(orig->dst)) != 0 ||
	    (ports && orig->dst_part != reply->src_part)) {
		ct_text_str(to, " dnat=");
		put_end(to, e, reply, &reply->src, reply->src_part);
	}
	if (memcmp(&orig->src, &reply->dst, sizeof(orig->src)) != 0 ||
	    (ports && orig->src_part != reply->dst_part)) {
		ct_text_str(to, " snat=");
		put_end(to, e, reply, &reply->dst, reply->dst_part);
	}
	if ((e->known & CT_KNOWN_PARTS) && ct_proto_parts(orig->proto) == CT_PARTS_ICMP) {
		put_named(to, " type=", ct_tuple_icmp_type(orig));
		put_named(to, " id=", ntohs(orig->src_part));
	}
	if ((e->known & CT_KNOWN_ZONE) && e->zone != 0)
		put_named(to, " zone=", e->zone);
	if ((e->known & CT_KNOWN_MARK) && e->mark != 0) {
		ct_text_str(to, " mark=0x");
		ct_text_hex(to, e->mark);
	}
	if (e->known & CT_KNOWN_HELPER) {
		ct_text_str(to, " helper=");
		ct_slice_put(to, e->helper);
	}
	if (e->known & CT_KNOWN_COUNTERS) {
		put_named(to, " bytes=", e->bytes[CT_DIR_ORIG]);
		put_named(to, "/", e->bytes[CT_DIR_REPLY]);
	}
}

enum { WIDTH_NETNS = 12, WIDTH_PROTO = 8, WIDTH_STATE = 12, WIDTH_LEFT = 8, WIDTH_END = 24 };

static void put_columns(const struct list_item *item, struct ct_text *to)
{
	const struct ct_entry *e = item->e;
	const struct ct_tuple *t = &e->tuple[CT_DIR_ORIG];
	const char *state = e->known & CT_KNOWN_STATE ? ct_state_name(t->proto, e->state) : NULL;
	size_t from = to->len;

	if (item->netns) {
		ct_slice_put(to, slice_of(item->netns));
		pad(to, from, WIDTH_NETNS);
		from = to->len;
	}
	if (ct_proto_parts(t->proto) != CT_PARTS_NONE)
		ct_text_str(to, ct_proto_name(t->proto));
	else
		put_named(to, "ip-", t->proto);
	pad(to, from, WIDTH_PROTO);
	from = to->len;
	ct_text_str(to, state ? state : "-");
	pad(to, from, WIDTH_STATE);
	from = to->len;
	if (e->known & CT_KNOWN_TIMEOUT)
		ct_text_u64(to, e->timeout_s);
	else
		ct_text_char(to, '-');
	pad(to, from, WIDTH_LEFT);
	from = to->len;
	put_end(to, e, t, &t->src, t->src_part);
	pad(to, from, WIDTH_END);
	from = to->len;
	put_end(to, e, t, &t->dst, t->dst_part);
	pad(to, from, WIDTH_END);
	ct_text_str(to, flag_text(e));
	put_extras(e, to);
}

static void put_title(struct ct_text *to, const char *title, size_t width)
{
	size_t from = to->len;

	ct_text_str(to, title);
	pad(to, from, width);
}

static void put_column_head(bool has_netns, struct ct_text *to)
{
	if (has_netns)
		put_title(to, "NETNS", WIDTH_NETNS);
	put_title(to, "PROTO", WIDTH_PROTO);
	put_title(to, "STATE", WIDTH_STATE);
	put_title(to, "LEFT", WIDTH_LEFT);
	put_title(to, "SOURCE", WIDTH_END);
	put_title(to, "DESTINATION", WIDTH_END);
	ct_text_str(to, "FLAG\n");
}

/* A text field of CSV: quoted when it holds what CSV is made of (RFC 4180). */
static void csv_text(struct ct_text *to, struct ct_slice s)
{
	if (!memchr(s.p, ',', s.len) && !memchr(s.p, '"', s.len)) {
		ct_slice_put(to, s);
		return;
	}
	ct_text_char(to, '"');
	for (uint32_t i = 0; i < s.len; i++) {
		if (s.p[i] == '"')
			ct_text_char(to, '"');
		ct_slice_put(to, (struct ct_slice){ s.p + i, 1 });
	}
	ct_text_char(to, '"');
}

static void csv_slice(struct ct_text *to, const struct ct_entry *e, uint32_t bit, struct ct_slice s)
{
	ct_text_char(to, ',');
	if (e->known & bit)
		csv_text(to, s);
}

static void csv_u64(struct ct_text *to, bool is_known, uint64_t v)
{
	ct_text_char(to, ',');
	if (is_known)
		ct_text_u64(to, v);
}

static void csv_tuple(struct ct_text *to, const struct ct_entry *e, enum ct_dir dir)
{
	const struct ct_tuple *t = &e->tuple[dir];
	bool ports = has_ports(e), counters = e->known & CT_KNOWN_COUNTERS;

	ct_text_char(to, ',');
	ct_addr_format(&t->src, t->family, false, to);
	ct_text_char(to, ',');
	ct_addr_format(&t->dst, t->family, false, to);
	csv_u64(to, ports, ntohs(t->src_part));
	csv_u64(to, ports, ntohs(t->dst_part));
	csv_u64(to, counters, e->packets[dir]);
	csv_u64(to, counters, e->bytes[dir]);
}

/* The bits that the source told, by name, with blanks between. */
static void csv_status(struct ct_text *to, const struct ct_entry *e)
{
	bool is_begun = false;

	ct_text_char(to, ',');
	if (!(e->known & (CT_KNOWN_STATUS | CT_KNOWN_FLAGS)))
		return;
#define STATUS(name, bit, text)                                                                    \
	if (e->status & (1u << (bit))) {                                                           \
		ct_text_str(to, is_begun ? " " text : text);                                       \
		is_begun = true;                                                                   \
	}
#include <conntune/status.def>
#undef STATUS
	if (!is_begun)
		ct_text_str(to, "none");
}

static void csv_labels(struct ct_text *to, const struct ct_entry *e)
{
	ct_text_char(to, ',');
	if (e->known & CT_KNOWN_LABEL_TEXT) {
		csv_text(to, e->label_text);
		return;
	}
	if (!(e->known & CT_KNOWN_LABELS))
		return;
	for (unsigned bit = 0, n = 0; bit < e->labels_len * 8u && bit < 128; bit++)
		if (e->labels[bit / 8] >> bit % 8 & 1) {
			if (n++ > 0)
				ct_text_char(to, ' ');
			ct_text_u64(to, bit);
		}
}

static void put_csv(const struct list_item *item, struct ct_text *to)
{
	const struct ct_entry *e = item->e;
	const struct ct_tuple *t = &e->tuple[CT_DIR_ORIG];
	const char *state = e->known & CT_KNOWN_STATE ? ct_state_name(t->proto, e->state) : NULL;
	bool icmp = (e->known & CT_KNOWN_PARTS) && ct_proto_parts(t->proto) == CT_PARTS_ICMP;

	if (item->netns) {
		csv_text(to, slice_of(item->netns));
		ct_text_char(to, ',');
	}
	ct_text_str(to, t->family == CT_FAMILY_IPV6 ? "ipv6," : "ipv4,");
	ct_text_str(to, ct_proto_name(t->proto));
	csv_u64(to, true, t->proto);
	ct_text_char(to, ',');
	ct_text_str(to, state ? state : "");
	csv_u64(to, e->known & CT_KNOWN_TIMEOUT, e->timeout_s);
	csv_tuple(to, e, CT_DIR_ORIG);
	csv_tuple(to, e, CT_DIR_REPLY);
	csv_u64(to, icmp, ct_tuple_icmp_type(t));
	csv_u64(to, icmp, ct_tuple_icmp_code(t));
	csv_u64(to, icmp, ntohs(t->src_part));
	csv_status(to, e);
	csv_u64(to, e->known & CT_KNOWN_MARK, e->mark);
	csv_u64(to, e->known & CT_KNOWN_ZONE, e->zone);
	csv_slice(to, e, CT_KNOWN_HELPER, e->helper);
	csv_slice(to, e, CT_KNOWN_SECCTX, e->secctx);
	csv_labels(to, e);
	csv_u64(to, e->known & CT_KNOWN_USE, e->use);
	csv_u64(to, e->known & CT_KNOWN_ID, e->id);
	csv_u64(to, item->times->is_age_known, item->times->age_s);
	csv_u64(to, item->times->is_idle_known, item->times->idle_s);
}

void list_put_head(enum list_form form, bool has_netns, struct ct_text *to)
{
	if (form == LIST_COLUMNS)
		put_column_head(has_netns, to);
	if (form == LIST_CSV)
		ct_text_printf(to,
			       "%sfamily,proto,proto_number,state,timeout_s,src,dst,sport,dport,"
			       "packets,bytes,reply_src,reply_dst,reply_sport,reply_dport,"
			       "reply_packets,reply_bytes,icmp_type,icmp_code,icmp_id,status,mark,"
			       "zone,helper,secctx,labels,use,id,age_s,idle_s\n",
			       has_netns ? "netns," : "");
}

void list_put_item(enum list_form form, const struct list_item *item, struct ct_text *to)
{
	switch (form) {
	case LIST_COLUMNS:
		put_columns(item, to);
		break;
	case LIST_PROC:
		(void)ct_entry_format(item->e, CT_FORM_PROC, item->flags, to);
		break;
	case LIST_CONNTRACK:
		(void)ct_entry_format(item->e, CT_FORM_CONNTRACK, item->flags, to);
		break;
	case LIST_EXTENDED:
		(void)ct_entry_format(item->e, CT_FORM_EXTENDED, item->flags, to);
		break;
	case LIST_SAVE:
		(void)ct_entry_format(item->e, CT_FORM_SAVE, item->flags, to);
		break;
	case LIST_JSON:
		list_put_json(item, to);
		break;
	case LIST_CSV:
		put_csv(item, to);
		break;
	}
}
