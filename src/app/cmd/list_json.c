/* SPDX-License-Identifier: BSD-2-Clause
 *
 * An entry as a JSON object on one line. What is not known of it is not there.
 */
#include "app/cmd/list_forms.h"

#include <arpa/inet.h>
#include <conntune/time.h>
#include <string.h>

#include "lib/base/clean.h"
#include "lib/ct/proto.h"
#include "ops/report/json_text.h"

/* Appends `"key":`, with a comma unless an object has just begun. */
static void put_key(struct ct_text *to, const char *key)
{
	if (to->len > 0 && to->buf[to->len - 1] != '{')
		ct_text_char(to, ',');
	ct_text_char(to, '"');
	ct_text_str(to, key);
	ct_text_str(to, "\":");
}

static void put_u64(struct ct_text *to, const char *key, uint64_t v)
{
	put_key(to, key);
	ct_text_u64(to, v);
}

/* A word that needs no escapes. */
static void put_word(struct ct_text *to, const char *key, const char *word)
{
	put_key(to, key);
	ct_text_char(to, '"');
	ct_text_str(to, word);
	ct_text_char(to, '"');
}

void list_put_json_string(const char *s, size_t len, struct ct_text *to)
{
	auto_fini(ct_buf) struct ct_buf b = { 0 };

	if (json_put_string(&b, s, len) < 0)
		ct_text_str(to, "null");
	else
		ct_text_put(to, b.p, b.len);
}

static void put_slice(struct ct_text *to, const char *key, struct ct_slice s)
{
	put_key(to, key);
	list_put_json_string(s.p, s.len, to);
}

static void put_addr(struct ct_text *to, const char *key, const union ct_addr *a, uint8_t family)
{
	put_key(to, key);
	ct_text_char(to, '"');
	ct_addr_format(a, family, false, to);
	ct_text_char(to, '"');
}

static void put_tuple(struct ct_text *to, const struct ct_tuple *t, bool has_parts)
{
	put_addr(to, "src", &t->src, t->family);
	put_addr(to, "dst", &t->dst, t->family);
	if (!has_parts)
		return;
	switch (ct_proto_parts(t->proto)) {
	case CT_PARTS_ICMP:
		put_u64(to, "icmp_type", ct_tuple_icmp_type(t));
		put_u64(to, "icmp_code", ct_tuple_icmp_code(t));
		put_u64(to, "icmp_id", ntohs(t->src_part));
		break;
	case CT_PARTS_KEYS:
		put_u64(to, "srckey", ntohs(t->src_part));
		put_u64(to, "dstkey", ntohs(t->dst_part));
		break;
	case CT_PARTS_NONE:
	case CT_PARTS_PORTS:
		put_u64(to, "sport", ntohs(t->src_part));
		put_u64(to, "dport", ntohs(t->dst_part));
		break;
	}
}

static void put_direction(struct ct_text *to, const char *key, const struct ct_entry *e,
			  enum ct_dir dir)
{
	const struct ct_seqadj *adj = &e->seqadj[dir];

	put_key(to, key);
	ct_text_char(to, '{');
	put_tuple(to, &e->tuple[dir], e->known & CT_KNOWN_PARTS);
	if (e->known & CT_KNOWN_COUNTERS) {
		put_u64(to, "packets", e->packets[dir]);
		put_u64(to, "bytes", e->bytes[dir]);
	}
	if (e->known & CT_KNOWN_TCP) {
		put_u64(to, "tcp_wscale", e->tcp_wscale[dir]);
		put_u64(to, "tcp_flags", e->tcp_flags[dir]);
	}
	if (e->known & CT_KNOWN_SCTP)
		put_u64(to, "sctp_vtag", e->sctp_vtag[dir]);
	if (e->known & CT_KNOWN_SEQADJ) {
		put_u64(to, "seq_position", adj->position);
		put_u64(to, "seq_offset_before", adj->offset_before);
		put_u64(to, "seq_offset_after", adj->offset_after);
	}
	ct_text_char(to, '}');
}

static void put_status(struct ct_text *to, const struct ct_entry *e)
{
	bool is_begun = false;

	if (!(e->known & (CT_KNOWN_STATUS | CT_KNOWN_FLAGS)))
		return;
	put_key(to, "status");
	ct_text_char(to, '[');
#define STATUS(name, bit, text)                                                                    \
	if (e->status & (1u << (bit))) {                                                           \
		ct_text_str(to, is_begun ? ",\"" text "\"" : "\"" text "\"");                      \
		is_begun = true;                                                                   \
	}
#include <conntune/status.def>
#undef STATUS
	ct_text_char(to, ']');
	/* Lines show a few bits only. */
	put_key(to, "is_status_whole");
	ct_text_str(to, e->known & CT_KNOWN_STATUS ? "true" : "false");
}

static void put_zone(struct ct_text *to, const struct ct_entry *e)
{
	static const char *const dirs[] = { "", "orig", "reply", "both" };

	if (!(e->known & CT_KNOWN_ZONE))
		return;
	put_u64(to, "zone", e->zone);
	put_word(to, "zone_dir", dirs[e->zone_dir & 3]);
}

/* Numbers of bits, so that nobody has to know in which order a machine keeps them. */
static void put_labels(struct ct_text *to, const struct ct_entry *e)
{
	bool is_begun = false;

	if (e->known & CT_KNOWN_LABEL_TEXT)
		put_slice(to, "label_text", e->label_text);
	if (!(e->known & CT_KNOWN_LABELS))
		return;
	put_key(to, "labels");
	ct_text_char(to, '[');
	for (unsigned bit = 0; bit < e->labels_len * 8u && bit < 128; bit++) {
		if (!(e->labels[bit / 8] >> bit % 8 & 1))
			continue;
		if (is_begun)
			ct_text_char(to, ',');
		ct_text_u64(to, bit);
		is_begun = true;
	}
	ct_text_char(to, ']');
}

static void put_rest(struct ct_text *to, const struct ct_entry *e)
{
	if (!(e->known & CT_KNOWN_REST))
		return;
	put_key(to, "not_understood");
	ct_text_char(to, '[');
	for (uint8_t i = 0; i < e->n_rest; i++) {
		if (i > 0)
			ct_text_char(to, ',');
		list_put_json_string(e->rest[i].text.p, e->rest[i].text.len, to);
	}
	ct_text_char(to, ']');
}

static void put_times(struct ct_text *to, const struct list_item *item)
{
	const struct ct_entry *e = item->e;

	if (item->times->is_age_known)
		put_u64(to, "age_s", item->times->age_s);
	if (item->times->is_idle_known)
		put_u64(to, "idle_s", item->times->idle_s);
	if (e->known & CT_KNOWN_START)
		put_u64(to, "start_s", (uint64_t)(e->start_ns / CT_NS_PER_S));
	if (e->known & CT_KNOWN_STOP)
		put_u64(to, "stop_s", (uint64_t)(e->stop_ns / CT_NS_PER_S));
	if (e->known & CT_KNOWN_GRE) {
		put_u64(to, "gre_timeout_s", e->gre_timeout_s);
		put_u64(to, "gre_stream_timeout_s", e->gre_stream_timeout_s);
	}
}

static void put_rare(struct ct_text *to, const struct ct_entry *e)
{
	if (e->known & CT_KNOWN_HELPER)
		put_slice(to, "helper", e->helper);
	if (e->known & CT_KNOWN_SECCTX)
		put_slice(to, "secctx", e->secctx);
	if (e->known & CT_KNOWN_SECMARK)
		put_u64(to, "secmark", e->secmark);
	put_labels(to, e);
	if (e->known & CT_KNOWN_MASTER) {
		put_key(to, "master");
		ct_text_char(to, '{');
		put_word(to, "proto", ct_proto_name(e->master.proto));
		put_tuple(to, &e->master, true);
		ct_text_char(to, '}');
	}
	if (e->known & CT_KNOWN_SYNPROXY) {
		put_u64(to, "synproxy_isn", e->synproxy_isn);
		put_u64(to, "synproxy_its", e->synproxy_its);
		put_u64(to, "synproxy_tsoff", e->synproxy_tsoff);
	}
	put_rest(to, e);
}

void list_put_json(const struct list_item *item, struct ct_text *to)
{
	const struct ct_entry *e = item->e;
	const struct ct_tuple *t = &e->tuple[CT_DIR_ORIG];
	const char *state = e->known & CT_KNOWN_STATE ? ct_state_name(t->proto, e->state) : NULL;

	ct_text_char(to, '{');
	if (item->netns) {
		put_key(to, "netns");
		list_put_json_string(item->netns, strlen(item->netns), to);
	}
	put_word(to, "family", t->family == CT_FAMILY_IPV6 ? "ipv6" : "ipv4");
	put_word(to, "proto", ct_proto_name(t->proto));
	put_u64(to, "proto_number", t->proto);
	if (state)
		put_word(to, "state", state);
	if (e->known & CT_KNOWN_TIMEOUT)
		put_u64(to, "timeout_s", e->timeout_s);
	put_direction(to, "orig", e, CT_DIR_ORIG);
	put_direction(to, "reply", e, CT_DIR_REPLY);
	put_status(to, e);
	if (e->known & CT_KNOWN_MARK)
		put_u64(to, "mark", e->mark);
	put_zone(to, e);
	put_times(to, item);
	if (e->known & CT_KNOWN_USE)
		put_u64(to, "use", e->use);
	if (e->known & CT_KNOWN_ID)
		put_u64(to, "id", e->id);
	put_rare(to, e);
	ct_text_char(to, '}');
}
