/* SPDX-License-Identifier: BSD-2-Clause
 *
 * An entry to one line: the plain forms. entry_save.c writes the option form.
 *
 * A form is a list of writers in the order of the line; each knows whether its field is there.
 * Answers to Linux 6.18 ct_seq_show() and to conntrack 1.4.7.
 */
#include <conntune/entry.h>

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "lib/ct/calendar.h"
#include "lib/ct/entry_line.h"
#include "lib/ct/slice.h"

#define NS_PER_S INT64_C(1000000000)

struct pen {
	const struct ct_entry *e;
	struct ct_text *to;
	enum ct_form form;
	unsigned flags;
	enum ct_parts parts;
};

#define PUT(to, literal) ct_text_put(to, literal, sizeof(literal) - 1)

enum ct_parts line_parts(const struct ct_entry *e)
{
	enum ct_parts parts = ct_proto_parts(e->tuple[0].proto);

	if (!(e->known & CT_KNOWN_PARTS))
		return CT_PARTS_NONE;
	if (parts == CT_PARTS_NONE && (e->tuple[0].src_part || e->tuple[0].dst_part ||
				       e->tuple[1].src_part || e->tuple[1].dst_part))
		return CT_PARTS_PORTS;
	return parts;
}

/* A name padded to eight and a blank. */
static void put_padded(struct ct_text *to, const char *name)
{
	char s[9] = "         ";
	size_t len = strlen(name);

	memcpy(s, name, len < 8 ? len : 8);
	ct_text_put(to, s, 9);
}

static void put_proto(struct pen *p)
{
	uint8_t proto = p->e->tuple[0].proto, family = p->e->tuple[0].family;
	bool is_unknown = p->form == CT_FORM_PROC && p->parts == CT_PARTS_NONE;

	if (p->form != CT_FORM_CONNTRACK) {
		bool is_ip6 = family == CT_FAMILY_IPV6;

		put_padded(p->to, is_ip6 ? "ipv6" : family == CT_FAMILY_IPV4 ? "ipv4" : "unknown");
		ct_text_u64(p->to, family);
		ct_text_char(p->to, ' ');
	}
	put_padded(p->to, is_unknown ? "unknown" : ct_proto_name(proto));
	ct_text_u64(p->to, proto);
}

static void put_u64(struct pen *p, uint32_t bit, const char *key, size_t len, uint64_t v)
{
	if (!(p->e->known & bit))
		return;
	ct_text_put(p->to, key, len);
	ct_text_u64(p->to, v);
}
#define PUT_U64(p, bit, key, v) put_u64(p, bit, key, sizeof(key) - 1, v)

static void put_timeout(struct pen *p)
{
	PUT_U64(p, CT_KNOWN_TIMEOUT, " ", p->e->timeout_s);
}

static void put_state(struct pen *p)
{
	const struct ct_entry *e = p->e;

	if ((e->known & CT_KNOWN_GRE) && p->form == CT_FORM_PROC) {
		PUT(p->to, " timeout=");
		ct_text_u64(p->to, e->gre_timeout_s);
		PUT(p->to, ", stream_timeout=");
		ct_text_u64(p->to, e->gre_stream_timeout_s);
	}
	if (e->known & CT_KNOWN_STATE) {
		const char *name = ct_state_name(e->tuple[0].proto, e->state);

		ct_text_char(p->to, ' ');
		ct_text_str(p->to, name ? name : "UNKNOWN");
	}
}

static void put_addrs(struct pen *p, enum ct_dir dir)
{
	const struct ct_tuple *t = &p->e->tuple[dir];
	bool is_full = p->form == CT_FORM_PROC;

	PUT(p->to, " src=");
	ct_addr_format(&t->src, t->family, is_full, p->to);
	PUT(p->to, " dst=");
	ct_addr_format(&t->dst, t->family, is_full, p->to);
}

static void put_pair(struct pen *p, const char *first, uint64_t a, const char *second, uint64_t b)
{
	ct_text_str(p->to, first);
	ct_text_u64(p->to, a);
	ct_text_str(p->to, second);
	ct_text_u64(p->to, b);
}

/* conntrack goes by its own knowledge of protocols and writes zeros for what the kernel, whose
 * tracker is missing, does not send. */
static void put_parts(struct pen *p, enum ct_dir dir)
{
	const struct ct_tuple *t = &p->e->tuple[dir];
	enum ct_parts parts = p->parts;

	if (p->form != CT_FORM_PROC && parts == CT_PARTS_NONE)
		parts = ct_proto_parts(t->proto);
	switch (parts) {
	case CT_PARTS_NONE:
		return;
	case CT_PARTS_PORTS:
		put_pair(p, " sport=", ntohs(t->src_part), " dport=", ntohs(t->dst_part));
		return;
	case CT_PARTS_ICMP:
		put_pair(p, " type=", ct_tuple_icmp_type(t), " code=", ct_tuple_icmp_code(t));
		PUT(p->to, " id=");
		ct_text_u64(p->to, ntohs(t->src_part));
		return;
	case CT_PARTS_KEYS:
		PUT(p->to, " srckey=0x");
		ct_text_hex(p->to, ntohs(t->src_part));
		PUT(p->to, " dstkey=0x");
		ct_text_hex(p->to, ntohs(t->dst_part));
		return;
	}
}

static void put_counters(struct pen *p, enum ct_dir dir)
{
	if (p->e->known & CT_KNOWN_COUNTERS)
		put_pair(p, " packets=", p->e->packets[dir], " bytes=", p->e->bytes[dir]);
}

static void put_zone_if(struct pen *p, enum ct_zone_dir dir, const char *key)
{
	const struct ct_entry *e = p->e;

	if (!(e->known & CT_KNOWN_ZONE) || e->zone_dir != dir)
		return;
	if (dir == CT_ZONE_BOTH && e->zone == 0 && p->form != CT_FORM_PROC)
		return;
	ct_text_str(p->to, key);
	ct_text_u64(p->to, e->zone);
}

static void put_orig_addr(struct pen *p)
{
	put_addrs(p, CT_DIR_ORIG);
}

static void put_orig_parts(struct pen *p)
{
	put_parts(p, CT_DIR_ORIG);
}

static void put_orig_zone(struct pen *p)
{
	put_zone_if(p, CT_ZONE_ORIG, " zone-orig=");
}

static void put_orig_counters(struct pen *p)
{
	put_counters(p, CT_DIR_ORIG);
}

static void put_unreplied(struct pen *p)
{
	const struct ct_entry *e = p->e;

	if ((e->known & (CT_KNOWN_FLAGS | CT_KNOWN_STATUS)) && !(e->status & CT_STATUS_SEEN_REPLY))
		PUT(p->to, " [UNREPLIED]");
}

static void put_reply_addr(struct pen *p)
{
	put_addrs(p, CT_DIR_REPLY);
}

static void put_reply_parts(struct pen *p)
{
	put_parts(p, CT_DIR_REPLY);
}

static void put_reply_zone(struct pen *p)
{
	put_zone_if(p, CT_ZONE_REPLY, " zone-reply=");
}

static void put_reply_counters(struct pen *p)
{
	put_counters(p, CT_DIR_REPLY);
}

static void put_flags(struct pen *p)
{
	const struct ct_entry *e = p->e;

	if (!(e->known & (CT_KNOWN_FLAGS | CT_KNOWN_STATUS)))
		return;
	if (e->status & CT_STATUS_HW_OFFLOAD)
		PUT(p->to, " [HW_OFFLOAD]");
	else if (e->status & CT_STATUS_OFFLOAD)
		PUT(p->to, " [OFFLOAD]");
	else if (e->status & CT_STATUS_ASSURED)
		PUT(p->to, " [ASSURED]");
}

static void put_mark(struct pen *p)
{
	PUT_U64(p, CT_KNOWN_MARK, " mark=", p->e->mark);
}

static void put_secmark(struct pen *p)
{
	PUT_U64(p, CT_KNOWN_SECMARK, " secmark=", p->e->secmark);
}

static void put_slice(struct pen *p, uint32_t bit, const char *key, struct ct_slice s)
{
	if (!(p->e->known & bit))
		return;
	ct_text_str(p->to, key);
	ct_slice_put(p->to, s);
}

static void put_secctx(struct pen *p)
{
	put_slice(p, CT_KNOWN_SECCTX, " secctx=", p->e->secctx);
}

static void put_zone(struct pen *p)
{
	put_zone_if(p, CT_ZONE_BOTH, " zone=");
}

static void put_delta(struct pen *p)
{
	PUT_U64(p, CT_KNOWN_DELTA, " delta-time=", p->e->delta_s);
}

static void put_moment(struct pen *p, uint32_t bit, const char *key, int64_t ns)
{
	if (!(p->flags & CT_FORMAT_KTIMESTAMP) || !(p->e->known & bit))
		return;
	ct_text_str(p->to, key);
	ct_calendar_format(ns / NS_PER_S, p->to);
	ct_text_char(p->to, ']');
}

static void put_start(struct pen *p)
{
	put_moment(p, CT_KNOWN_START, " [start=", p->e->start_ns);
}

static void put_stop(struct pen *p)
{
	put_moment(p, CT_KNOWN_STOP, " [stop=", p->e->stop_ns);
}

static void put_helper(struct pen *p)
{
	if (p->form != CT_FORM_PROC)
		put_slice(p, CT_KNOWN_HELPER, " helper=", p->e->helper);
}

/* The kernel counts the reader of /proc; a line that may or may not include it stays as it is. */
static void put_use(struct pen *p)
{
	const struct ct_entry *e = p->e;
	bool has_reader = e->known & CT_KNOWN_USE_READER;
	uint32_t use = e->use;

	if (e->known & CT_KNOWN_USE_UNSURE)
		has_reader = p->form == CT_FORM_PROC;
	if (p->form == CT_FORM_PROC && !has_reader && use < UINT32_MAX)
		use++;
	else if (p->form != CT_FORM_PROC && has_reader && use > 1)
		use--;
	PUT_U64(p, CT_KNOWN_USE, " use=", use);
}

static void put_id(struct pen *p)
{
	if (p->flags & CT_FORMAT_ID)
		PUT_U64(p, CT_KNOWN_ID, " id=", p->e->id);
}

/* Names come from a file of the machine that wrote them; without it the bits are shown, the
 * highest first. */
static void put_label_bits(struct pen *p)
{
	const struct ct_entry *e = p->e;
	unsigned n = e->labels_len < sizeof(e->labels) ? e->labels_len : sizeof(e->labels);
	uint32_t word[4] = { 0 };
	bool is_begun = false;

	memcpy(word, e->labels, n);
	for (int i = 3; i >= 0; i--) {
		char digits[8];

		if (!word[i] && !is_begun)
			continue;
		if (!is_begun) {
			PUT(p->to, " labels=0x");
			ct_text_hex(p->to, word[i]);
			is_begun = true;
			continue;
		}
		for (int k = 0; k < 8; k++)
			digits[k] = "0123456789abcdef"[word[i] >> (28 - 4 * k) & 15];
		ct_text_put(p->to, digits, 8);
	}
}

static void put_labels(struct pen *p)
{
	if (!(p->flags & CT_FORMAT_LABELS))
		return;
	if (p->e->known & CT_KNOWN_LABEL_TEXT)
		put_slice(p, CT_KNOWN_LABEL_TEXT, " labels=", p->e->label_text);
	else if (p->e->known & CT_KNOWN_LABELS)
		put_label_bits(p);
}

static void (*const writers[SLOT_PLAIN_END])(struct pen *p) = {
	[SLOT_PROTO] = put_proto,
	[SLOT_TIMEOUT] = put_timeout,
	[SLOT_STATE] = put_state,
	[SLOT_ORIG_ADDR] = put_orig_addr,
	[SLOT_ORIG_PARTS] = put_orig_parts,
	[SLOT_ORIG_ZONE] = put_orig_zone,
	[SLOT_ORIG_COUNTERS] = put_orig_counters,
	[SLOT_UNREPLIED] = put_unreplied,
	[SLOT_REPLY_ADDR] = put_reply_addr,
	[SLOT_REPLY_PARTS] = put_reply_parts,
	[SLOT_REPLY_ZONE] = put_reply_zone,
	[SLOT_REPLY_COUNTERS] = put_reply_counters,
	[SLOT_FLAGS] = put_flags,
	[SLOT_MARK] = put_mark,
	[SLOT_SECMARK] = put_secmark,
	[SLOT_SECCTX] = put_secctx,
	[SLOT_ZONE] = put_zone,
	[SLOT_DELTA] = put_delta,
	[SLOT_START] = put_start,
	[SLOT_STOP] = put_stop,
	[SLOT_HELPER] = put_helper,
	[SLOT_USE] = put_use,
	[SLOT_ID] = put_id,
	[SLOT_LABELS] = put_labels,
};

void line_put_rest(const struct ct_entry *e, uint8_t slot, struct ct_text *to)
{
	for (uint8_t i = 0; i < e->n_rest; i++) {
		if (e->rest[i].slot != slot)
			continue;
		ct_text_char(to, ' ');
		ct_text_put(to, e->rest[i].text.p, e->rest[i].text.len);
	}
}

int ct_entry_format(const struct ct_entry *e, enum ct_form form, unsigned flags, struct ct_text *to)
{
	struct pen p = { e, to, form, form == CT_FORM_PROC ? 0 : flags, line_parts(e) };
	bool has_rest = (e->known & CT_KNOWN_REST) && e->n_rest > 0;

	if (form == CT_FORM_SAVE) {
		line_format_save(e, to);
		return to->is_cut ? -ENOSPC : 0;
	}
	for (unsigned slot = 0; slot < SLOT_PLAIN_END; slot++) {
		writers[slot](&p);
		if (has_rest)
			line_put_rest(e, (uint8_t)slot, to);
	}
	return to->is_cut ? -ENOSPC : 0;
}
