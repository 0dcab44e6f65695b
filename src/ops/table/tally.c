/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Groups stand densely in one array, found through an index of their numbers (open addressing,
 * linear probing, keyed hash). The key of a group is the bytes of its values, each behind a byte
 * that says whether it is known. See tally.h.
 */
#include "ops/table/tally.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "ops/table/service.h"

#define FIRST_GROUPS 256u
#define MAX_KEY	     (TALLY_MAX_KEYS * 18)
#define NOBODY	     UINT32_MAX

static const struct {
	uint8_t width;
	uint32_t want;
	const char *text, *title;
} key_list[] = {
#define TALLY_KEY(name, width, want, text, title) [TALLY_##name] = { width, want, text, title },
#include "ops/table/tally_key.def"
#undef TALLY_KEY
};

const uint32_t tally_idle_bound_s[TALLY_N_IDLE] = { 60,	   600,	   3600,   21600,
						    86400, 172800, 345600, UINT32_MAX };
const char *const tally_idle_text[TALLY_N_IDLE] = { "under 1m", "1m to 10m", "10m to 1h",
						    "1h to 6h", "6h to 1d",  "1d to 2d",
						    "2d to 4d", "over 4d" };

struct group {
	uint64_t n, packets, bytes;
	uint32_t n_counted, error;
	uint8_t key[]; /* key_size bytes, padded */
};

struct tally {
	struct tally_options o;
	size_t key_size, stride;
	uint8_t *groups; /* n of them, room for max_now */
	size_t n, max_now;
	uint32_t *index; /* n_index of them, a power of two */
	size_t n_index;
	uint64_t total, missed, counted;
};

int tally_key_find(const char *text, size_t len)
{
	for (int i = 0; i < TALLY_N_KEYS; i++)
		if (strlen(key_list[i].text) == len && memcmp(key_list[i].text, text, len) == 0)
			return i;
	return -1;
}

const char *tally_key_text(enum tally_key key)
{
	return key_list[key].text;
}

const char *tally_key_title(enum tally_key key)
{
	return key_list[key].title;
}

uint32_t tally_want(const struct tally_options *o)
{
	uint32_t want = CT_KNOWN_PARTS | CT_KNOWN_COUNTERS;

	for (unsigned i = 0; i < o->n_keys; i++)
		want |= key_list[o->keys[i]].want;
	return want;
}

static struct group *group_at(const struct tally *t, size_t i)
{
	return (struct group *)(void *)(t->groups + i * t->stride);
}

static uint64_t fold(uint64_t a, uint64_t b)
{
	__extension__ unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Multiply and fold, eight bytes at a time, each step under the seed. */
static size_t hash(const struct tally *t, const uint8_t *key)
{
	uint64_t h = t->o.seed, part;
	size_t left = t->key_size;

	for (; left >= 8; left -= 8, key += 8) {
		memcpy(&part, key, 8);
		h = fold(h ^ part ^ UINT64_C(0xa0761d6478bd642f),
			 t->o.seed ^ UINT64_C(0xe7037ed1a0b428db));
	}
	part = 0;
	memcpy(&part, key, left);
	h = fold(h ^ part ^ UINT64_C(0x8ebc6af09c88c6e3), t->o.seed ^ UINT64_C(0x589965cc75374cc3));
	return (size_t)h & (t->n_index - 1);
}

/* The place in the index where @key is or belongs. */
static uint32_t *find(const struct tally *t, const uint8_t *key)
{
	size_t at = hash(t, key);

	while (t->index[at] != NOBODY &&
	       memcmp(group_at(t, t->index[at])->key, key, t->key_size) != 0)
		at = (at + 1) & (t->n_index - 1);
	return &t->index[at];
}

static void fill_index(struct tally *t)
{
	memset(t->index, 0xff, t->n_index * sizeof(*t->index));
	for (size_t i = 0; i < t->n; i++)
		*find(t, group_at(t, i)->key) = (uint32_t)i;
}

/* Makes room for @max groups; the index stays at most two thirds full. */
static int make_room(struct tally *t, size_t max)
{
	size_t n_index = 1;
	uint8_t *groups;
	uint32_t *index;

	while (n_index <= max + max / 2)
		n_index *= 2;
	groups = realloc(t->groups, max * t->stride);
	if (!groups)
		return -ENOMEM;
	t->groups = groups;
	index = malloc(n_index * sizeof(*index));
	if (!index)
		return -ENOMEM;
	free(t->index);
	t->index = index;
	t->n_index = n_index;
	t->max_now = max;
	fill_index(t);
	return 0;
}

/* Drops about half of the groups, the smallest: those that can have at most @missed entries. Sizes
 * are counted exactly up to 63 more than were missed before, by magnitude above. */
static uint64_t choose_missed(const struct tally *t)
{
	size_t count[128] = { 0 }, sum = 0;
	unsigned slot = 0;

	for (size_t i = 0; i < t->n; i++) {
		const struct group *g = group_at(t, i);
		uint64_t above = g->n + g->error - t->missed;

		count[above < 64 ? above : 121 - (unsigned)__builtin_clzll(above)]++;
	}
	for (slot = 0; slot < 127; slot++) {
		sum += count[slot];
		if (sum >= (t->n + 1) / 2)
			break;
	}
	return t->missed + (slot < 64 ? slot : (UINT64_C(1) << (slot - 57)) - 1);
}

static void drop_small(struct tally *t)
{
	uint64_t missed = choose_missed(t);
	size_t kept = 0;

	for (size_t i = 0; i < t->n; i++) {
		const struct group *g = group_at(t, i);

		if (g->n + g->error <= missed)
			continue;
		if (kept != i)
			memcpy(group_at(t, kept), g, t->stride);
		kept++;
	}
	t->n = kept;
	t->missed = missed;
	fill_index(t);
}

static int add_group(struct tally *t, const uint8_t *key, uint32_t **place)
{
	size_t max = t->o.max_groups ? t->o.max_groups : TALLY_MAX_GROUPS;
	struct group *g;

	if (t->n == t->max_now) {
		if (t->max_now >= max)
			drop_small(t);
		else if (make_room(t, 2 * t->max_now < max ? 2 * t->max_now : max) < 0)
			return -ENOMEM;
		*place = find(t, key);
	}
	g = group_at(t, t->n);
	memset(g, 0, t->stride);
	memcpy(g->key, key, t->key_size);
	g->error = t->missed > UINT32_MAX ? UINT32_MAX : (uint32_t)t->missed;
	**place = (uint32_t)t->n++;
	return 0;
}

static void put_addr(uint8_t *to, const union ct_addr *a, uint8_t family)
{
	to[0] = family != CT_FAMILY_UNSPEC;
	to[1] = family;
	memcpy(to + 2, a, sizeof(*a));
}

static void put_number(uint8_t *to, bool is_known, uint32_t v, size_t width)
{
	if (!is_known)
		return;
	to[0] = 1;
	for (size_t i = width; i > 0; i--, v >>= 8)
		to[i] = (uint8_t)v;
}

/* The bits of the status that tell groups apart for people. */
static uint32_t shown_status(const struct ct_entry *e)
{
	uint32_t text =
		CT_STATUS_SEEN_REPLY | CT_STATUS_ASSURED | CT_STATUS_OFFLOAD | CT_STATUS_HW_OFFLOAD;
	uint32_t whole = text | CT_STATUS_EXPECTED | CT_STATUS_SRC_NAT | CT_STATUS_DST_NAT |
			 CT_STATUS_DYING | CT_STATUS_FIXED_TIMEOUT | CT_STATUS_HELPER;

	return e->status & (e->known & CT_KNOWN_STATUS ? whole : text);
}

static void put_idle(const struct tally *t, uint8_t *to, const struct ct_entry *e)
{
	uint32_t timeout = t->o.timeout_s ? t->o.timeout_s(t->o.user, e) : 0, slot = 0, idle;

	if (!(e->known & CT_KNOWN_TIMEOUT) || timeout == 0 || e->timeout_s > timeout)
		return;
	idle = timeout - e->timeout_s;
	while (slot < TALLY_N_IDLE - 1 && idle >= tally_idle_bound_s[slot])
		slot++;
	put_number(to, true, slot, 1);
}

static void put_service(uint8_t *to, const struct ct_entry *e)
{
	uint32_t proto = e->tuple[CT_DIR_ORIG].proto;

	put_number(to, true, proto << 16 | entry_service_port(e, NULL), 3);
}

static void put_value(const struct tally *t, enum tally_key key, uint8_t *to,
		      const struct ct_entry *e, uint32_t netns)
{
	const struct ct_tuple *o = &e->tuple[CT_DIR_ORIG];
	bool has_flags = e->known & (CT_KNOWN_STATUS | CT_KNOWN_FLAGS);
	bool has_ports = (e->known & CT_KNOWN_PARTS) && o->proto != IPPROTO_ICMP &&
			 o->proto != IPPROTO_ICMPV6 && o->proto != IPPROTO_GRE;

	switch (key) {
	case TALLY_SRC:
		put_addr(to, &o->src, o->family);
		return;
	case TALLY_DST:
		put_addr(to, &o->dst, o->family);
		return;
	case TALLY_SPORT:
		put_number(to, has_ports, ntohs(o->src_part), 2);
		return;
	case TALLY_DPORT:
		put_number(to, has_ports, ntohs(o->dst_part), 2);
		return;
	case TALLY_SERVICE:
		put_service(to, e);
		return;
	case TALLY_PROTO:
		put_number(to, true, o->proto, 1);
		return;
	case TALLY_STATE:
		put_number(to, e->known & CT_KNOWN_STATE, (uint32_t)o->proto << 8 | e->state, 2);
		return;
	case TALLY_ZONE:
		put_number(to, e->known & CT_KNOWN_ZONE, e->zone, 2);
		return;
	case TALLY_MARK:
		put_number(to, e->known & CT_KNOWN_MARK, e->mark, 4);
		return;
	case TALLY_STATUS:
		put_number(to, has_flags, shown_status(e), 4);
		return;
	case TALLY_FAMILY:
		put_number(to, o->family != CT_FAMILY_UNSPEC, o->family, 1);
		return;
	case TALLY_IDLE:
		put_idle(t, to, e);
		return;
	case TALLY_NETNS:
		put_number(to, true, netns, 4);
		return;
	case TALLY_N_KEYS:
		return;
	}
}

int tally_add_group(struct tally *t, const struct ct_entry *e, uint32_t netns,
		    const struct tally_group *more)
{
	uint8_t key[MAX_KEY] = { 0 }, *to = key;
	struct group *g;
	uint32_t *place;

	for (unsigned i = 0; i < t->o.n_keys; i++) {
		put_value(t, t->o.keys[i], to, e, netns);
		to += 1 + key_list[t->o.keys[i]].width;
	}
	place = find(t, key);
	if (*place == NOBODY && add_group(t, key, &place) < 0)
		return -ENOMEM;
	g = group_at(t, *place);
	g->n += more->n;
	g->packets += more->packets;
	g->bytes += more->bytes;
	g->n_counted += (uint32_t)more->n_counted;
	t->total += more->n;
	t->counted += more->n_counted;
	return 0;
}

int tally_add(struct tally *t, const struct ct_entry *e, uint32_t netns)
{
	struct tally_group one = { .n = 1 };

	if (e->known & CT_KNOWN_COUNTERS) {
		one.packets = e->packets[0] + e->packets[1];
		one.bytes = e->bytes[0] + e->bytes[1];
		one.n_counted = 1;
	}
	return tally_add_group(t, e, netns, &one);
}

int tally_new(const struct tally_options *o, struct tally **out)
{
	struct tally *t = calloc(1, sizeof(*t));
	size_t first = FIRST_GROUPS;

	if (!t)
		return -ENOMEM;
	t->o = *o;
	for (unsigned i = 0; i < o->n_keys; i++)
		t->key_size += 1u + key_list[o->keys[i]].width;
	t->stride = (sizeof(struct group) + t->key_size + 7) & ~(size_t)7;
	if (o->max_groups && o->max_groups < first)
		first = o->max_groups;
	if (make_room(t, first) < 0) {
		tally_free(t);
		return -ENOMEM;
	}
	*out = t;
	return 0;
}

void tally_free(struct tally *t)
{
	if (!t)
		return;
	free(t->groups);
	free(t->index);
	free(t);
}

static int compare(const void *a, const void *b, void *user)
{
	const struct tally *t = user;
	const struct group *x = a, *y = b;

	if (x->n != y->n)
		return x->n < y->n ? 1 : -1;
	return memcmp(x->key, y->key, t->key_size);
}

void tally_sort(struct tally *t)
{
	qsort_r(t->groups, t->n, t->stride, compare, t);
	fill_index(t);
}

size_t tally_n(const struct tally *t)
{
	return t->n;
}

uint64_t tally_total(const struct tally *t)
{
	return t->total;
}

uint64_t tally_missed(const struct tally *t)
{
	return t->missed;
}

uint64_t tally_counted(const struct tally *t)
{
	return t->counted;
}

void tally_group(const struct tally *t, size_t i, struct tally_group *out)
{
	const struct group *g = group_at(t, i);

	*out = (struct tally_group){ .n = g->n,
				     .error = g->error,
				     .packets = g->packets,
				     .bytes = g->bytes,
				     .n_counted = g->n_counted };
}

void tally_value(const struct tally *t, size_t i, unsigned k, struct tally_value *out)
{
	const uint8_t *from = group_at(t, i)->key;
	size_t width = key_list[t->o.keys[k]].width;
	uint32_t v = 0;

	for (unsigned j = 0; j < k; j++)
		from += 1 + key_list[t->o.keys[j]].width;
	*out = (struct tally_value){ .key = t->o.keys[k], .is_known = from[0] };
	if (out->key == TALLY_SRC || out->key == TALLY_DST) {
		out->family = from[1];
		memcpy(&out->addr, from + 2, sizeof(out->addr));
		return;
	}
	for (size_t j = 1; j <= width; j++)
		v = v << 8 | from[j];
	if (out->key == TALLY_SERVICE) {
		out->proto = (uint8_t)(v >> 16);
		v &= 0xffff;
	} else if (out->key == TALLY_STATE) {
		out->proto = (uint8_t)(v >> 8);
		v &= 0xff;
	}
	out->number = v;
}

static void status_text(uint32_t status, struct ct_text *to)
{
	static const struct {
		uint32_t bit;
		const char *text;
	} list[] = {
#define STATUS(name, bit, text) { CT_STATUS_##name, text },
#include <conntune/status.def>
#undef STATUS
	};

	if (!(status & CT_STATUS_SEEN_REPLY))
		ct_text_str(to, status ? "unreplied," : "unreplied");
	else if (status & CT_STATUS_ASSURED) /* which implies a reply */
		status &= ~(uint32_t)CT_STATUS_SEEN_REPLY;
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		if (!(status & list[i].bit))
			continue;
		status &= ~list[i].bit;
		ct_text_str(to, list[i].text);
		if (status)
			ct_text_char(to, ',');
	}
}

static void service_text(const struct tally_value *v, struct ct_text *to)
{
	ct_text_str(to, ct_proto_name(v->proto));
	if (v->number) {
		ct_text_char(to, '/');
		ct_text_u64(to, v->number);
	}
}

static void proto_text(uint32_t proto, struct ct_text *to)
{
	const char *name = ct_proto_name((uint8_t)proto);

	if (strcmp(name, "unknown") == 0)
		ct_text_u64(to, proto);
	else
		ct_text_str(to, name);
}

static void state_text(const struct tally_value *v, struct ct_text *to)
{
	const char *name = ct_state_name(v->proto, (uint8_t)v->number);

	if (name)
		ct_text_str(to, name);
	else
		ct_text_u64(to, v->number);
}

void tally_value_text(const struct tally_value *v, struct ct_text *to)
{
	if (!v->is_known) {
		ct_text_char(to, '-');
		return;
	}
	switch (v->key) {
	case TALLY_SRC:
	case TALLY_DST:
		ct_addr_format(&v->addr, v->family, false, to);
		return;
	case TALLY_SERVICE:
		service_text(v, to);
		return;
	case TALLY_PROTO:
		proto_text(v->number, to);
		return;
	case TALLY_STATE:
		state_text(v, to);
		return;
	case TALLY_STATUS:
		status_text(v->number, to);
		return;
	case TALLY_FAMILY:
		ct_text_str(to, v->number == CT_FAMILY_IPV4 ? "ipv4" : "ipv6");
		return;
	case TALLY_IDLE:
		ct_text_str(to, tally_idle_text[v->number]);
		return;
	case TALLY_MARK:
		ct_text_printf(to, v->number > 9 ? "0x%x" : "%u", v->number);
		return;
	case TALLY_SPORT:
	case TALLY_DPORT:
	case TALLY_ZONE:
	case TALLY_NETNS:
	case TALLY_N_KEYS:
		ct_text_u64(to, v->number);
		return;
	}
}
