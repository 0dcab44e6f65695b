/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Entries through bytes and back; and bytes that are wrong.
 */
#include "ops/netlink/ctnetlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "ops/netlink/attr.h"
#include "tap.h"

static uint64_t chance(uint64_t *seed)
{
	uint64_t z = (*seed += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static void fill(uint64_t *seed, void *p, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((uint8_t *)p)[i] = (uint8_t)chance(seed);
}

static void fill_tuple(uint64_t *seed, struct ct_tuple *t, uint8_t family, uint8_t proto,
		       bool has_parts)
{
	*t = (struct ct_tuple){ .family = family, .proto = proto };
	fill(seed, &t->src, family == CT_FAMILY_IPV4 ? 4 : 16);
	fill(seed, &t->dst, family == CT_FAMILY_IPV4 ? 4 : 16);
	if (has_parts) {
		fill(seed, &t->src_part, 2);
		fill(seed, &t->dst_part, 2);
		t->src_part |= htons(1);
	}
}

static struct ct_slice slice(uint64_t *seed, const char *const *names, size_t n)
{
	const char *name = names[chance(seed) % n];

	return (struct ct_slice){ name, (uint32_t)strlen(name) };
}

/* An entry whose known fields are random; the others are zero, as the reader leaves them. */
static void fill_optional(uint64_t *seed, struct ct_entry *e)
{
	static const char *const helpers[] = { "ftp", "sip-20000", "a-name-of-16-byt" };
	static const char *const contexts[] = { "system_u:object_r:x_t:s0", "c" };

#define SOME(bit, field)                                                                           \
	do {                                                                                       \
		if (e->known & (bit))                                                              \
			fill(seed, &(field), sizeof(field));                                       \
	} while (0)
	SOME(CT_KNOWN_STATUS, e->status);
	SOME(CT_KNOWN_TIMEOUT, e->timeout_s);
	SOME(CT_KNOWN_STATE, e->state);
	SOME(CT_KNOWN_TCP, e->tcp_wscale);
	SOME(CT_KNOWN_TCP, e->tcp_flags);
	SOME(CT_KNOWN_SCTP, e->sctp_vtag);
	SOME(CT_KNOWN_MARK, e->mark);
	SOME(CT_KNOWN_USE, e->use);
	SOME(CT_KNOWN_ID, e->id);
	SOME(CT_KNOWN_COUNTERS, e->packets);
	SOME(CT_KNOWN_COUNTERS, e->bytes);
	SOME(CT_KNOWN_START, e->start_ns);
	SOME(CT_KNOWN_STOP, e->stop_ns);
	SOME(CT_KNOWN_SEQADJ, e->seqadj);
	SOME(CT_KNOWN_SYNPROXY, e->synproxy_isn);
	SOME(CT_KNOWN_SYNPROXY, e->synproxy_its);
	SOME(CT_KNOWN_SYNPROXY, e->synproxy_tsoff);
#undef SOME
	if (e->known & CT_KNOWN_LABELS) {
		e->labels_len = (uint8_t)(4 * (1 + chance(seed) % 4));
		fill(seed, e->labels, e->labels_len);
	}
	if (e->known & CT_KNOWN_HELPER)
		e->helper = slice(seed, helpers, 3);
	if (e->known & CT_KNOWN_SECCTX)
		e->secctx = slice(seed, contexts, 2);
}

static struct ct_entry random_entry(uint64_t *seed)
{
	static const uint8_t protos[] = { 1, 6, 17, 33, 47, 58, 132, 136, 253, 0, 255 };
	const uint32_t of_text = CT_KNOWN_LABEL_TEXT | CT_KNOWN_SECMARK | CT_KNOWN_REST |
				 CT_KNOWN_USE_READER | CT_KNOWN_DELTA | CT_KNOWN_GRE;
	uint8_t family = chance(seed) & 1 ? CT_FAMILY_IPV4 : CT_FAMILY_IPV6;
	uint8_t proto = protos[chance(seed) % sizeof(protos)];
	struct ct_entry e = { .known = (uint32_t)chance(seed) & ((1u << 27) - 1) & ~of_text };

	e.known |= CT_KNOWN_FAMILY | CT_KNOWN_ZONE;
	e.known &= ~(uint32_t)(CT_KNOWN_STATUS | CT_KNOWN_FLAGS);
	if (chance(seed) & 1)
		e.known |= CT_KNOWN_STATUS | CT_KNOWN_FLAGS;
	if (proto != IPPROTO_TCP)
		e.known &= ~(uint32_t)CT_KNOWN_TCP;
	if (proto != IPPROTO_SCTP)
		e.known &= ~(uint32_t)CT_KNOWN_SCTP;
	if (proto != IPPROTO_TCP && proto != IPPROTO_SCTP && proto != IPPROTO_DCCP)
		e.known &= ~(uint32_t)CT_KNOWN_STATE;
	for (int d = 0; d < CT_DIR_MAX; d++)
		fill_tuple(seed, &e.tuple[d], family, proto, e.known & CT_KNOWN_PARTS);
	if (e.known & CT_KNOWN_MASTER)
		fill_tuple(seed, &e.master, family, protos[chance(seed) % sizeof(protos)], true);
	e.zone_dir = (uint8_t)(CT_ZONE_ORIG + chance(seed) % 3);
	e.zone = (uint16_t)(chance(seed) & 1 ? chance(seed) : 0);
	fill_optional(seed, &e);
	return e;
}

static bool is_same_slice(struct ct_slice *a, struct ct_slice *b)
{
	bool is_same = a->len == b->len && (!a->len || memcmp(a->p, b->p, a->len) == 0);

	a->p = b->p = NULL;
	return is_same;
}

TEST(random_entries_survive)
{
	uint64_t seed = 7;

	for (unsigned i = 0; i < 200000 && !tap_failures; i++) {
		struct ct_entry e = random_entry(&seed), back;
		uint8_t bytes[1024], small[1024];
		int size = nl_entry_encode(&e, bytes, sizeof(bytes));

		OK(size > 0);
		for (int room = 0; room < size && i < 200; room++)
			EQ_INT(nl_entry_encode(&e, small, (size_t)room), -ENOSPC);
		EQ_INT(nl_entry_decode(bytes, (size_t)size, 0, &back), 0);
		EQ_INT(back.known, e.known);
		OK(is_same_slice(&e.helper, &back.helper));
		OK(is_same_slice(&e.secctx, &back.secctx));
		OK(memcmp(&e, &back, sizeof(e)) == 0);
	}
}

TEST(only_what_is_wanted_is_known)
{
	uint64_t seed = 3;

	for (unsigned i = 0; i < 2000; i++) {
		struct ct_entry e = random_entry(&seed), back;
		uint32_t want = 1u << (i % 27);
		uint8_t bytes[1024];
		int size = nl_entry_encode(&e, bytes, sizeof(bytes));

		EQ_INT(nl_entry_decode(bytes, (size_t)size, want, &back), 0);
		OK((back.known & want) == (e.known & want));
		OK(ct_tuple_equal(&e.tuple[0], &back.tuple[0]));
		OK(ct_tuple_equal(&e.tuple[1], &back.tuple[1]));
	}
}

/* Cutting a message anywhere either shortens the list of attributes or is refused. */
TEST(cut_messages_are_refused_or_say_less)
{
	uint64_t seed = 11;

	for (unsigned i = 0; i < 500; i++) {
		struct ct_entry e = random_entry(&seed), back;
		uint8_t bytes[1024], *exact;
		int size = nl_entry_encode(&e, bytes, sizeof(bytes));

		for (int cut = 0; cut < size; cut++) {
			/* Memory of just this size lets a sanitizer see an overread. */
			exact = malloc(cut ? (size_t)cut : 1);
			if (!exact)
				return;
			memcpy(exact, bytes, (size_t)cut);
			if (nl_entry_decode(exact, (size_t)cut, 0, &back) == 0)
				OK((back.known & ~e.known) == 0 && back.known != 0);
			free(exact);
		}
	}
}

/* What conntrack -L shows as: tcp 6 ... src=10.0.1.2 dst=10.0.2.2 sport=1111 dport=80 */
static size_t put_tuple(struct nl_message *m, unsigned type, const char *src, const char *dst)
{
	size_t tuple = nl_nest_begin(m, type), nest = nl_nest_begin(m, 1);
	struct in_addr a;

	(void)inet_pton(AF_INET, src, &a);
	nl_attr_put(m, 1, &a, 4);
	(void)inet_pton(AF_INET, dst, &a);
	nl_attr_put(m, 2, &a, 4);
	nl_nest_end(m, nest);
	nest = nl_nest_begin(m, 2);
	nl_attr_put_u8(m, 1, 6);
	nl_attr_put_be16(m, 2, 1111);
	nl_attr_put_be16(m, 3, 80);
	nl_nest_end(m, nest);
	nl_nest_end(m, tuple);
	return tuple;
}

static void begin(struct nl_message *m, uint8_t *bytes, size_t size)
{
	*m = (struct nl_message){ .buf = bytes, .size = size };
	nl_message_room(m, 4)[0] = CT_FAMILY_IPV4;
	(void)put_tuple(m, 1, "10.0.1.2", "10.0.2.2");
	(void)put_tuple(m, 2, "10.0.2.2", "10.0.1.2");
}

TEST(bytes_of_the_wire_have_their_meaning)
{
	struct nl_message m;
	struct ct_entry e;
	uint8_t bytes[512];

	begin(&m, bytes, sizeof(bytes));
	nl_attr_put_be32(&m, 3, 0x8a);
	nl_attr_put_be32(&m, 7, 431999);
	nl_attr_put_be32(&m, 12, 0xdeadbeef);
	nl_attr_put_be16(&m, 18, 77);
	nl_attr_put_be64(&m, 27, 5); /* newer than we are */
	nl_attr_put_be64(&m, 99, 5);
	EQ_INT(nl_entry_decode(bytes, m.len, 0, &e), 0);
	EQ_INT(e.tuple[0].family, CT_FAMILY_IPV4);
	EQ_INT(ntohl(e.tuple[0].src.ip4), 0x0a000102);
	EQ_INT(ntohs(e.tuple[1].dst_part), 80);
	EQ_INT(e.tuple[0].proto, 6);
	EQ_INT(e.status, 0x8a);
	EQ_INT(e.timeout_s, 431999);
	EQ_INT(e.id, 0xdeadbeef);
	EQ_INT(e.zone, 77);
	EQ_INT(e.zone_dir, CT_ZONE_BOTH);
	EQ_INT(e.known, CT_KNOWN_FAMILY | CT_KNOWN_PARTS | CT_KNOWN_STATUS | CT_KNOWN_FLAGS |
				CT_KNOWN_TIMEOUT | CT_KNOWN_ID | CT_KNOWN_ZONE);
}

TEST(order_inside_a_tuple_does_not_matter)
{
	struct ct_entry usual, other;
	uint8_t bytes[512], part[8];
	struct nl_message m;

	begin(&m, bytes, sizeof(bytes));
	EQ_INT(nl_entry_decode(bytes, m.len, 0, &usual), 0);
	/* Swap the two ports, headers and all; they stand behind 4 + 4 + 20 + 4 + 8 bytes. */
	memcpy(part, bytes + 40, 8);
	memcpy(bytes + 40, bytes + 48, 8);
	memcpy(bytes + 48, part, 8);
	EQ_INT(nl_entry_decode(bytes, m.len, 0, &other), 0);
	OK(memcmp(&usual, &other, sizeof(usual)) == 0);
	EQ_INT(ntohs(other.tuple[0].src_part), 1111);
}

TEST(silence_about_the_zone_means_zone_0)
{
	struct nl_message m;
	struct ct_entry e;
	uint8_t bytes[512];

	begin(&m, bytes, sizeof(bytes));
	EQ_INT(nl_entry_decode(bytes, m.len, CT_KNOWN_ZONE, &e), 0);
	OK(e.known & CT_KNOWN_ZONE);
	EQ_INT(e.zone, 0);
	EQ_INT(nl_entry_decode(bytes, m.len, CT_KNOWN_MARK, &e), 0);
	OK(!(e.known & CT_KNOWN_ZONE));
	OK(!(e.known & CT_KNOWN_MARK));
}

TEST(counters_of_one_direction_are_not_known)
{
	struct nl_message m;
	struct ct_entry e;
	uint8_t bytes[512];
	size_t nest;

	begin(&m, bytes, sizeof(bytes));
	nest = nl_nest_begin(&m, 9);
	nl_attr_put_be64(&m, 1, 3);
	nl_attr_put_be64(&m, 2, 300);
	nl_nest_end(&m, nest);
	EQ_INT(nl_entry_decode(bytes, m.len, 0, &e), 0);
	OK(!(e.known & CT_KNOWN_COUNTERS));
}

TEST(wrong_sizes_and_missing_parts_are_refused)
{
	struct nl_message m;
	struct ct_entry e;
	uint8_t bytes[512], labels[20] = { 0 };

	begin(&m, bytes, sizeof(bytes));
	nl_attr_put_be16(&m, 7, 1); /* a timeout has four bytes */
	EQ_INT(nl_entry_decode(bytes, m.len, 0, &e), -EBADMSG);

	begin(&m, bytes, sizeof(bytes));
	nl_attr_put(&m, 22, labels, sizeof(labels));
	EQ_INT(nl_entry_decode(bytes, m.len, 0, &e), -EBADMSG);

	begin(&m, bytes, sizeof(bytes));
	bytes[0] = CT_FAMILY_IPV6; /* and IPv4 addresses */
	EQ_INT(nl_entry_decode(bytes, m.len, 0, &e), -EBADMSG);

	m = (struct nl_message){ .buf = bytes, .size = sizeof(bytes) };
	nl_message_room(&m, 4)[0] = CT_FAMILY_IPV4;
	(void)put_tuple(&m, 1, "10.0.1.2", "10.0.2.2");
	EQ_INT(nl_entry_decode(bytes, m.len, 0, &e), -EBADMSG);
	EQ_INT(nl_entry_decode(bytes, 3, 0, &e), -EBADMSG);
}

TAP_MAIN(&tap_random_entries_survive, &tap_only_what_is_wanted_is_known,
	 &tap_cut_messages_are_refused_or_say_less, &tap_bytes_of_the_wire_have_their_meaning,
	 &tap_order_inside_a_tuple_does_not_matter, &tap_silence_about_the_zone_means_zone_0,
	 &tap_counters_of_one_direction_are_not_known,
	 &tap_wrong_sizes_and_missing_parts_are_refused)
