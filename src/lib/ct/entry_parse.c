/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One line of a table to an entry: the plain forms. entry_save.c reads the option form.
 *
 * A line is a head (family, protocol, seconds, state) and then words of the kind key=value or
 * [FLAG], which come in one order with some left out: the list of keys is in that order and is
 * searched from where the last one was found. Answers to Linux 6.18 ct_seq_show(), the /proc/net
 * layouts before it, and libnetfilter_conntrack's default form.
 */
#include <conntune/entry.h>

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "lib/base/number.h"
#include "lib/ct/calendar.h"
#include "lib/ct/entry_line.h"

#define NS_PER_S INT64_C(1000000000)

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

bool line_word(struct line *l, struct ct_slice *w)
{
	const char *p = l->at, *end = l->end;

	while (p < end && is_blank(*p))
		p++;
	w->p = p;
	while (p < end && !is_blank(*p))
		p++;
	w->len = (uint32_t)(p - w->p);
	l->at = p;
	return w->len > 0;
}

bool line_is(struct ct_slice s, const char *text)
{
	return strlen(text) == s.len && memcmp(s.p, text, s.len) == 0;
}

/* Foreign bytes go to terminals; control characters do not. */
static bool is_printable(struct ct_slice s)
{
	for (uint32_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return true;
}

int line_refuse(struct line *l, struct ct_slice w, const char *why)
{
	char shown[48];
	size_t n = w.len < sizeof(shown) - 4 ? w.len : sizeof(shown) - 4;

	if (!l->err)
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		shown[i] = (unsigned char)w.p[i] < 0x20 || (unsigned char)w.p[i] >= 0x7f ? '?'
											 : w.p[i];
	strcpy(shown + n, n < w.len ? "..." : "");
	return ct_err_set(l->err, -EINVAL, "'%s': %s", shown, why);
}

static int refuse_number(struct line *l, struct ct_slice w, uint64_t max)
{
	struct ct_err why = { "" };

	(void)ct_err_set(&why, 0, "not a number from 0 to %llu", (unsigned long long)max);
	return line_refuse(l, w, why.text);
}

int line_number(struct line *l, struct ct_slice w, struct ct_slice v, uint64_t max, uint64_t *out)
{
	uint64_t n = 0;

	if (v.len == 0 || v.len > 18) {
		if (ct_number_any(v.p, v.len, max, out) < 0)
			return refuse_number(l, w, max);
		return 0;
	}
	for (uint32_t i = 0; i < v.len; i++) {
		unsigned digit = (unsigned)(unsigned char)v.p[i] - '0';

		if (digit > 9)
			return ct_number_any(v.p, v.len, max, out) < 0 ? refuse_number(l, w, max)
								       : 0;
		n = n * 10 + digit;
	}
	if (n > max)
		return refuse_number(l, w, max);
	*out = n;
	return 0;
}

int line_know(struct line *l, struct ct_slice w, uint32_t bit)
{
	if (l->e->known & bit)
		return line_refuse(l, w, "said twice");
	l->e->known |= bit;
	return 0;
}

/* True when nothing but blanks stands between the kept words and @p. */
static bool follows(const struct ct_rest *kept, const char *p)
{
	const char *at = kept->text.p + kept->text.len;

	while (at < p && is_blank(*at))
		at++;
	return at == p;
}

int line_keep(struct line *l, struct ct_slice w)
{
	struct ct_entry *e = l->e;
	struct ct_rest *last = e->n_rest ? &e->rest[e->n_rest - 1] : NULL;

	if (!is_printable(w))
		return line_refuse(l, w, "holds a control character");
	if (last && last->slot == l->slot && follows(last, w.p)) {
		last->text.len = (uint32_t)(w.p + w.len - last->text.p);
		return 0;
	}
	if (e->n_rest == CT_MAX_REST)
		return line_refuse(l, w, "too many words that are not understood");
	e->rest[e->n_rest++] = (struct ct_rest){ .text = w, .slot = l->slot };
	e->known |= CT_KNOWN_REST;
	return 0;
}

/* /proc writes IPv6 in full, conntrack compressed; this tells whose line it is. */
static void note_addr_form(struct line *l, struct ct_slice v)
{
	bool is_full = v.len == 39;

	if (!is_full) {
		l->is_short_addr = true;
		return;
	}
	for (uint32_t i = 0; i < v.len; i += 5)
		if (v.p[i] == '0')
			l->is_full_addr = true;
}

int line_addr(struct line *l, struct ct_slice w, struct ct_slice v, enum ct_dir dir,
	      union ct_addr *out)
{
	struct ct_tuple *t = &l->e->tuple[dir];
	uint8_t family;

	if (ct_addr_parse(v.p, v.len, out, &family) < 0)
		return line_refuse(l, w, "not an address");
	if (l->e->tuple[0].family && l->e->tuple[0].family != family)
		return line_refuse(l, w, "an address of another family than the line's");
	l->e->tuple[0].family = t->family = family;
	if (family == CT_FAMILY_IPV6)
		note_addr_form(l, v);
	return 0;
}

static int read_src(struct line *l, struct ct_slice w, struct ct_slice v)
{
	if (l->seen[CT_DIR_REPLY] & SEEN_SRC)
		return line_refuse(l, w, "a third tuple");
	l->dir = l->seen[CT_DIR_ORIG] & SEEN_SRC ? CT_DIR_REPLY : CT_DIR_ORIG;
	l->seen[l->dir] |= SEEN_SRC;
	return line_addr(l, w, v, l->dir, &l->e->tuple[l->dir].src);
}

/* Marks a part of the present tuple; its source comes first and no part twice. */
static int see(struct line *l, struct ct_slice w, unsigned what)
{
	if (!(l->seen[l->dir] & SEEN_SRC))
		return line_refuse(l, w, "stands before any 'src='");
	if (l->seen[l->dir] & what)
		return line_refuse(l, w, "said twice");
	l->seen[l->dir] |= what;
	return 0;
}

static int read_dst(struct line *l, struct ct_slice w, struct ct_slice v)
{
	int r = see(l, w, SEEN_DST);

	return r < 0 ? r : line_addr(l, w, v, l->dir, &l->e->tuple[l->dir].dst);
}

static int read_part16(struct line *l, struct ct_slice w, struct ct_slice v, unsigned what,
		       ct_be16 *out)
{
	uint64_t n;
	int r = see(l, w, what);

	if (r < 0)
		return r;
	r = line_number(l, w, v, UINT16_MAX, &n);
	if (r < 0)
		return r;
	*out = htons((uint16_t)n);
	return 0;
}

static bool is_icmp(const struct ct_entry *e)
{
	return ct_proto_parts(e->tuple[0].proto) == CT_PARTS_ICMP;
}

static int read_src_part(struct line *l, struct ct_slice w, struct ct_slice v)
{
	if (is_icmp(l->e))
		return line_refuse(l, w, "this protocol has none");
	return read_part16(l, w, v, SEEN_SRC_PART, &l->e->tuple[l->dir].src_part);
}

static int read_dst_part(struct line *l, struct ct_slice w, struct ct_slice v)
{
	if (is_icmp(l->e))
		return line_refuse(l, w, "this protocol has none");
	return read_part16(l, w, v, SEEN_DST_PART, &l->e->tuple[l->dir].dst_part);
}

static int read_icmp(struct line *l, struct ct_slice w, struct ct_slice v, unsigned what)
{
	struct ct_tuple *t = &l->e->tuple[l->dir];
	uint64_t n;
	int r;

	if (!is_icmp(l->e))
		return line_refuse(l, w, "this protocol has none");
	r = see(l, w, what);
	if (r < 0)
		return r;
	r = line_number(l, w, v, UINT8_MAX, &n);
	if (r < 0)
		return r;
	if (what == SEEN_SRC_PART)
		ct_tuple_set_icmp(t, (uint8_t)n, ct_tuple_icmp_code(t));
	else
		ct_tuple_set_icmp(t, ct_tuple_icmp_type(t), (uint8_t)n);
	return 0;
}

static int read_type(struct line *l, struct ct_slice w, struct ct_slice v)
{
	return read_icmp(l, w, v, SEEN_SRC_PART);
}

static int read_code(struct line *l, struct ct_slice w, struct ct_slice v)
{
	return read_icmp(l, w, v, SEEN_DST_PART);
}

static int read_u32(struct line *l, struct ct_slice w, struct ct_slice v, uint32_t bit,
		    uint32_t *out)
{
	uint64_t n;
	int r = line_know(l, w, bit);

	if (r < 0)
		return r;
	r = line_number(l, w, v, UINT32_MAX, &n);
	if (r < 0)
		return r;
	*out = (uint32_t)n;
	return 0;
}

/* Inside a tuple it is ICMP's identifier, at the end of the line the entry's. */
static int read_id(struct line *l, struct ct_slice w, struct ct_slice v)
{
	if (is_icmp(l->e) && !(l->seen[l->dir] & SEEN_ID) && (l->seen[l->dir] & SEEN_SRC_PART)) {
		l->slot = l->dir == CT_DIR_ORIG ? SLOT_ORIG_PARTS : SLOT_REPLY_PARTS;
		return read_part16(l, w, v, SEEN_ID, &l->e->tuple[l->dir].src_part);
	}
	return read_u32(l, w, v, CT_KNOWN_ID, &l->e->id);
}

static int read_counter(struct line *l, struct ct_slice w, struct ct_slice v, unsigned what,
			uint64_t *out)
{
	int r = see(l, w, what);

	return r < 0 ? r : line_number(l, w, v, UINT64_MAX, out);
}

static int read_packets(struct line *l, struct ct_slice w, struct ct_slice v)
{
	return read_counter(l, w, v, SEEN_PACKETS, &l->e->packets[l->dir]);
}

static int read_bytes(struct line *l, struct ct_slice w, struct ct_slice v)
{
	return read_counter(l, w, v, SEEN_BYTES, &l->e->bytes[l->dir]);
}

static int read_zone_of(struct line *l, struct ct_slice w, struct ct_slice v, enum ct_zone_dir dir)
{
	uint64_t n;
	int r = line_know(l, w, CT_KNOWN_ZONE);

	if (r < 0)
		return r;
	r = line_number(l, w, v, UINT16_MAX, &n);
	if (r < 0)
		return r;
	l->e->zone = (uint16_t)n;
	l->e->zone_dir = (uint8_t)dir;
	return 0;
}

static int read_zone(struct line *l, struct ct_slice w, struct ct_slice v)
{
	return read_zone_of(l, w, v, CT_ZONE_BOTH);
}

static int read_zone_orig(struct line *l, struct ct_slice w, struct ct_slice v)
{
	return read_zone_of(l, w, v, CT_ZONE_ORIG);
}

static int read_zone_reply(struct line *l, struct ct_slice w, struct ct_slice v)
{
	return read_zone_of(l, w, v, CT_ZONE_REPLY);
}

static int read_mark(struct line *l, struct ct_slice w, struct ct_slice v)
{
	return read_u32(l, w, v, CT_KNOWN_MARK, &l->e->mark);
}

static int read_secmark(struct line *l, struct ct_slice w, struct ct_slice v)
{
	return read_u32(l, w, v, CT_KNOWN_SECMARK, &l->e->secmark);
}

static int read_use(struct line *l, struct ct_slice w, struct ct_slice v)
{
	return read_u32(l, w, v, CT_KNOWN_USE, &l->e->use);
}

static int read_delta(struct line *l, struct ct_slice w, struct ct_slice v)
{
	int r = line_know(l, w, CT_KNOWN_DELTA);

	return r < 0 ? r : line_number(l, w, v, UINT64_MAX, &l->e->delta_s);
}

static int read_text(struct line *l, struct ct_slice w, struct ct_slice v, uint32_t bit,
		     struct ct_slice *out)
{
	if (v.len == 0 || !is_printable(v))
		return line_refuse(l, w, "empty, or holds a control character");
	*out = v;
	return line_know(l, w, bit);
}

static int read_helper(struct line *l, struct ct_slice w, struct ct_slice v)
{
	return read_text(l, w, v, CT_KNOWN_HELPER, &l->e->helper);
}

static int read_secctx(struct line *l, struct ct_slice w, struct ct_slice v)
{
	return read_text(l, w, v, CT_KNOWN_SECCTX, &l->e->secctx);
}

/* Names of labels may hold blanks; they stand last, but for the author of an event. */
static int read_labels(struct line *l, struct ct_slice w, struct ct_slice v)
{
	static const char author[] = " [USERSPACE]";
	const char *end = memmem(v.p, (size_t)(l->end - v.p), author, sizeof(author) - 1);

	l->at = end ? end : l->end;
	v.len = (uint32_t)(l->at - v.p);
	return read_text(l, w, v, CT_KNOWN_LABEL_TEXT, &l->e->label_text);
}

typedef int (*key_reader)(struct line *l, struct ct_slice w, struct ct_slice v);

/* In the order of the line; @slot for the original direction, those of the reply follow it in the
 * same distance. */
static const struct key {
	const char *name;
	uint8_t len, slot;
	key_reader read;
} keys[] = {
#define KEY(name, slot, read)                                                                      \
	{                                                                                          \
		name, sizeof(name) - 1, SLOT_##slot, read                                          \
	}
	KEY("src", ORIG_ADDR, read_src),
	KEY("dst", ORIG_ADDR, read_dst),
	KEY("sport", ORIG_PARTS, read_src_part),
	KEY("dport", ORIG_PARTS, read_dst_part),
	KEY("packets", ORIG_COUNTERS, read_packets),
	KEY("bytes", ORIG_COUNTERS, read_bytes),
	KEY("mark", MARK, read_mark),
	KEY("zone", ZONE, read_zone),
	KEY("delta-time", DELTA, read_delta),
	KEY("use", USE, read_use),
	KEY("type", ORIG_PARTS, read_type),
	KEY("code", ORIG_PARTS, read_code),
	KEY("id", ID, read_id),
	KEY("srckey", ORIG_PARTS, read_src_part),
	KEY("dstkey", ORIG_PARTS, read_dst_part),
	KEY("zone-orig", ORIG_ZONE, read_zone_orig),
	KEY("zone-reply", REPLY_ZONE, read_zone_reply),
	KEY("secmark", SECMARK, read_secmark),
	KEY("secctx", SECCTX, read_secctx),
	KEY("helper", HELPER, read_helper),
	KEY("labels", LABELS, read_labels),
#undef KEY
};
enum { N_KEYS = sizeof(keys) / sizeof(keys[0]) };

static const struct key *key_find(const char *p, size_t len, unsigned *hint)
{
	unsigned at = *hint;

	for (unsigned i = 0; i < N_KEYS; i++) {
		const struct key *k = &keys[at];

		at = at + 1 < N_KEYS ? at + 1 : 0;
		if (k->len == len && memcmp(k->name, p, len) == 0) {
			*hint = at;
			return k;
		}
	}
	return NULL;
}

static int read_key(struct line *l, struct ct_slice w, size_t key_len, unsigned *hint)
{
	const struct key *k = key_find(w.p, key_len, hint);
	struct ct_slice v = { w.p + key_len + 1, w.len - (uint32_t)key_len - 1 };
	int r;

	if (!k)
		return line_keep(l, w);
	l->slot = k->slot;
	r = k->read(l, w, v);
	if (l->dir == CT_DIR_REPLY && l->slot <= SLOT_ORIG_COUNTERS)
		l->slot = (uint8_t)(l->slot + SLOT_REPLY_ADDR - SLOT_ORIG_ADDR);
	return r;
}

/* "[start=Sat Nov 21 02:28:42 2026]", blanks and all. */
static int read_moment(struct line *l, struct ct_slice w, uint32_t bit, uint8_t slot, int64_t *out)
{
	const char *from = memchr(w.p, '=', w.len);
	const char *close = memchr(w.p, ']', (size_t)(l->end - w.p));
	int64_t s;

	if (!from || !close || close < from ||
	    ct_calendar_parse(from + 1, (size_t)(close - from - 1), &s) < 0)
		return line_refuse(l, w, "not a moment as asctime writes it");
	l->at = close + 1;
	l->slot = slot;
	*out = s * NS_PER_S;
	return line_know(l, w, bit);
}

static int read_flag(struct line *l, struct ct_slice w)
{
	struct ct_entry *e = l->e;

	if (line_is(w, "[UNREPLIED]")) {
		e->status &= ~(uint32_t)CT_STATUS_SEEN_REPLY;
		l->slot = SLOT_UNREPLIED;
		return 0;
	}
	if (w.len > 7 && memcmp(w.p, "[start=", 7) == 0)
		return read_moment(l, w, CT_KNOWN_START, SLOT_START, &e->start_ns);
	if (w.len > 6 && memcmp(w.p, "[stop=", 6) == 0)
		return read_moment(l, w, CT_KNOWN_STOP, SLOT_STOP, &e->stop_ns);
	if (line_is(w, "[ASSURED]"))
		e->status |= CT_STATUS_ASSURED;
	else if (line_is(w, "[OFFLOAD]"))
		e->status |= CT_STATUS_OFFLOAD;
	else if (line_is(w, "[HW_OFFLOAD]"))
		e->status |= CT_STATUS_OFFLOAD | CT_STATUS_HW_OFFLOAD;
	else
		return line_keep(l, w);
	l->slot = SLOT_FLAGS;
	return 0;
}

static bool is_digits(struct ct_slice w)
{
	for (uint32_t i = 0; i < w.len; i++)
		if (w.p[i] < '0' || w.p[i] > '9')
			return false;
	return w.len > 0;
}

/* What conntrack -E puts in front: a time in brackets, the kind of event. */
static bool is_event_word(struct ct_slice w)
{
	return line_is(w, "[NEW]") || line_is(w, "[UPDATE]") || line_is(w, "[DESTROY]") ||
	       (w.len > 2 && w.p[0] == '[' && w.p[1] >= '0' && w.p[1] <= '9');
}

/* Reads "ipv4     2" into the tuples; @w is its name, and the word behind it afterwards. */
static int read_family(struct line *l, struct ct_slice *w)
{
	struct ct_slice number;
	uint8_t family = line_is(*w, "ipv4") ? CT_FAMILY_IPV4 : CT_FAMILY_IPV6;
	uint64_t n;
	int r;

	if (!line_word(l, &number))
		return line_refuse(l, *w, "half a line");
	r = line_number(l, number, number, UINT8_MAX, &n);
	if (r < 0)
		return r;
	if (n != family)
		return line_refuse(l, number, "not the number of that family");
	l->e->tuple[0].family = family;
	l->e->known |= CT_KNOWN_FAMILY;
	if (!line_word(l, w))
		return line_refuse(l, number, "half a line");
	return 0;
}

static int read_proto(struct line *l, struct ct_slice name)
{
	struct ct_slice number;
	uint64_t n;
	int r, by_name = ct_proto_number(name.p, name.len);

	if (memchr(name.p, '=', name.len) || name.p[0] == '[' || !line_word(l, &number))
		return line_refuse(l, name, "no entry of a table begins like this");
	r = line_number(l, number, number, UINT8_MAX, &n);
	if (r < 0)
		return r;
	if (by_name < 0 ? !line_is(name, "unknown") : (uint64_t)by_name != n)
		return line_refuse(l, name, "not the name of the protocol behind it");
	l->e->tuple[0].proto = l->e->tuple[1].proto = (uint8_t)n;
	return 0;
}

static int read_state(struct line *l, struct ct_slice w)
{
	int state = ct_state_number(l->e->tuple[0].proto, w.p, w.len);

	if (state < 0)
		return line_keep(l, w);
	l->e->state = (uint8_t)state;
	l->e->known |= CT_KNOWN_STATE;
	l->slot = SLOT_STATE;
	return 0;
}

/* "timeout=30," or "stream_timeout=180" of a GRE line. */
static int read_gre_timeout(struct line *l, struct ct_slice w, size_t key_len)
{
	bool is_stream = w.p[0] == 's';
	struct ct_slice v = { w.p + key_len + 1, w.len - (uint32_t)key_len - 1 };
	uint64_t n = 0;
	int r;

	if (!is_stream && v.len > 0 && v.p[v.len - 1] == ',')
		v.len--;
	r = line_number(l, w, v, UINT32_MAX, &n);
	if (r < 0)
		return r;
	if (is_stream)
		l->e->gre_stream_timeout_s = (uint32_t)n;
	else
		l->e->gre_timeout_s = (uint32_t)n;
	if (is_stream && l->is_gre_text)
		l->e->known |= CT_KNOWN_GRE;
	l->is_gre_text = true;
	l->slot = SLOT_STATE;
	return 0;
}

/* Seconds, and what the protocol says of itself, up to the first address. */
static int read_head(struct line *l, struct ct_slice w)
{
	int r = 0;

	if (line_is(w, "ipv4") || line_is(w, "ipv6"))
		r = read_family(l, &w);
	if (r == 0)
		r = read_proto(l, w);
	while (r == 0 && line_word(l, &w)) {
		const char *equals = memchr(w.p, '=', w.len);
		size_t key_len = equals ? (size_t)(equals - w.p) : 0;

		if ((key_len == 3 && memcmp(w.p, "src", 3) == 0) || w.p[0] == '[') {
			l->at = w.p;
			return 0;
		}
		if ((key_len == 7 && memcmp(w.p, "timeout", 7) == 0) ||
		    (key_len == 14 && memcmp(w.p, "stream_timeout", 14) == 0)) {
			r = read_gre_timeout(l, w, key_len);
		} else if (l->slot == SLOT_PROTO && !l->e->n_rest && is_digits(w)) {
			uint64_t n = 0;

			r = line_number(l, w, w, UINT32_MAX, &n);
			l->e->timeout_s = (uint32_t)n;
			l->e->known |= CT_KNOWN_TIMEOUT;
			l->slot = SLOT_TIMEOUT;
		} else if (l->slot == SLOT_PROTO && !l->e->n_rest &&
			   ct_proto_number(w.p, w.len) >= 0) {
			r = line_refuse(l, w, "a family that is neither IPv4 nor IPv6");
		} else if (l->slot <= SLOT_TIMEOUT && !l->e->n_rest && !equals) {
			r = read_state(l, w);
		} else {
			r = line_keep(l, w);
		}
	}
	return r;
}

static int read_body(struct line *l)
{
	struct ct_slice w;
	unsigned hint = 0;
	int r = 0;

	while (r == 0 && line_word(l, &w)) {
		const char *equals = memchr(w.p, '=', w.len);

		if (w.p[0] == '[')
			r = read_flag(l, w);
		else if (equals)
			r = read_key(l, w, (size_t)(equals - w.p), &hint);
		else
			r = line_keep(l, w);
	}
	return r;
}

/* Whether use includes the reader of /proc: only some lines tell. */
static uint32_t use_kind(const struct line *l)
{
	uint32_t known = l->e->known;

	if (!(known & CT_KNOWN_USE))
		return 0;
	if (l->is_full_addr || l->is_gre_text ||
	    ((known & CT_KNOWN_ZONE) && l->e->zone == 0 && l->e->zone_dir == CT_ZONE_BOTH))
		return CT_KNOWN_USE_READER;
	if (l->is_short_addr ||
	    (known & (CT_KNOWN_ID | CT_KNOWN_HELPER | CT_KNOWN_LABEL_TEXT | CT_KNOWN_START)))
		return 0;
	return CT_KNOWN_USE_UNSURE;
}

bool line_is_made_up(const struct ct_entry *e)
{
	uint8_t proto = e->tuple[0].proto;

	return ct_proto_parts(proto) == CT_PARTS_PORTS && proto != CT_PROTO_TCP &&
	       proto != CT_PROTO_UDP && !e->tuple[0].src_part && !e->tuple[0].dst_part &&
	       !e->tuple[1].src_part && !e->tuple[1].dst_part;
}

static int check_whole(struct line *l)
{
	unsigned parts = SEEN_SRC_PART | SEEN_DST_PART, counters = SEEN_PACKETS | SEEN_BYTES;
	unsigned orig = l->seen[CT_DIR_ORIG], reply = l->seen[CT_DIR_REPLY];

	if (is_icmp(l->e))
		parts |= SEEN_ID;
	if ((orig & reply & (SEEN_SRC | SEEN_DST)) != (SEEN_SRC | SEEN_DST))
		return ct_err_set(l->err, -EINVAL, "half a line: two tuples are needed");
	if ((orig & parts) != (reply & parts) || ((orig & parts) && (orig & parts) != parts))
		return ct_err_set(l->err, -EINVAL, "half a line: the tuples do not match");
	if ((orig & counters) != (reply & counters) ||
	    ((orig & counters) && (orig & counters) != counters))
		return ct_err_set(l->err, -EINVAL, "half a line: the counters are not complete");
	if (l->is_gre_text && !(l->e->known & CT_KNOWN_GRE))
		return ct_err_set(l->err, -EINVAL, "half a line: one of two GRE timeouts");
	if ((orig & parts) && !line_is_made_up(l->e))
		l->e->known |= CT_KNOWN_PARTS;
	if (orig & counters)
		l->e->known |= CT_KNOWN_COUNTERS;
	return 0;
}

static int parse_plain(struct line *l, struct ct_slice first)
{
	int r;

	l->e->status = CT_STATUS_SEEN_REPLY;
	l->e->known = CT_KNOWN_FLAGS;
	r = read_head(l, first);
	if (r == 0)
		r = read_body(l);
	if (r == 0)
		r = check_whole(l);
	if (r == 0)
		l->e->known |= use_kind(l);
	return r;
}

int ct_entry_parse(const char *line, size_t len, struct ct_entry *out, struct ct_err *err)
{
	struct line l = { .at = line, .end = line + len, .e = out, .err = err };
	struct ct_slice w;

	if (len > CT_MAX_LINE)
		return ct_err_set(err, -E2BIG, "a line of %zu bytes; no entry is longer than %u",
				  len, CT_MAX_LINE);
	while (l.end > l.at && (l.end[-1] == '\n' || l.end[-1] == '\r' || is_blank(l.end[-1])))
		l.end--;
	memset(out, 0, sizeof(*out));
	out->zone_dir = CT_ZONE_BOTH;
	do {
		if (!line_word(&l, &w))
			return ct_err_set(err, -EINVAL, "an empty line");
	} while (is_event_word(w));
	if (w.len == 2 && w.p[0] == '-' && memchr("AIUD", w.p[1], 4))
		return line_parse_save(&l);
	return parse_plain(&l, w);
}
