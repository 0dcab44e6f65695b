/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Tallies: exact while they fit, within their stated error when they do not.
 */
#include "ops/table/tally.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "tap.h"

static struct ct_entry tcp(uint32_t src, uint16_t sport, uint16_t dport)
{
	struct ct_entry e = { .known = CT_KNOWN_PARTS | CT_KNOWN_FAMILY };
	struct ct_tuple *t = &e.tuple[CT_DIR_ORIG];

	*t = (struct ct_tuple){ .family = CT_FAMILY_IPV4, .proto = 6 };
	t->src.ip4 = htonl(src);
	t->dst.ip4 = htonl(0x0a000001);
	t->src_part = htons(sport);
	t->dst_part = htons(dport);
	(void)ct_tuple_invert(&e.tuple[CT_DIR_REPLY], t);
	return e;
}

static struct tally *begin(const char *names, size_t max_groups)
{
	struct tally_options o = { .seed = 99, .max_groups = max_groups };
	struct tally *t;

	for (const char *at = names; *at; at += strcspn(at, ","), at += *at == ',')
		o.keys[o.n_keys++] = (enum tally_key)tally_key_find(at, strcspn(at, ","));
	if (tally_new(&o, &t) < 0)
		abort();
	return t;
}

static const char *text_of(const struct tally *t, size_t i, unsigned k)
{
	static char room[128];
	struct tally_value v;
	struct ct_text text;

	ct_text_init(&text, room, sizeof(room));
	tally_value(t, i, k, &v);
	tally_value_text(&v, &text);
	return room;
}

TEST(ports_are_exact_all_of_them)
{
	auto_free(tally) struct tally *t = begin("dport", 0);
	struct tally_group g;

	for (unsigned round = 0; round < 2; round++) {
		for (unsigned port = 0; port < 65536; port++) {
			struct ct_entry e = tcp(1, 40000, (uint16_t)port);

			EQ_INT(tally_add(t, &e, 0), 0);
		}
	}
	for (unsigned i = 0; i < 5; i++) {
		struct ct_entry e = tcp(1, 40000, 6379);

		EQ_INT(tally_add(t, &e, 0), 0);
	}
	tally_sort(t);
	EQ_INT(tally_n(t), 65536);
	EQ_INT(tally_total(t), 131077);
	EQ_INT(tally_missed(t), 0);
	tally_group(t, 0, &g);
	EQ_INT(g.n, 7);
	EQ_INT(g.error, 0);
	EQ_STR(text_of(t, 0, 0), "6379");
	EQ_STR(text_of(t, 1, 0), "0"); /* equal counts stand in order of their values */
	EQ_STR(text_of(t, 65535, 0), "65535");
}

/* Every group held is within its error of the truth; every other is within tally_missed(). */
TEST(too_many_groups_keep_a_true_bound)
{
	enum { N = 300000, SOURCES = 20000, MAX = 500 };
	auto_free(tally) struct tally *t = begin("src", MAX);
	auto_memory uint32_t *truth = calloc(SOURCES, sizeof(*truth));
	auto_memory bool *is_held = calloc(SOURCES, sizeof(*is_held));
	uint32_t x = 1;

	if (!truth || !is_held)
		return;
	for (unsigned i = 0; i < N; i++) {
		uint32_t src;
		struct ct_entry e;

		x = x * 1664525u + 1013904223u;
		src = (x >> 8) % 10 < 4 ? (x >> 20) % 20 : (x >> 4) % SOURCES;
		e = tcp(src, 1, 80);
		truth[src]++;
		EQ_INT(tally_add(t, &e, 0), 0);
	}
	tally_sort(t);
	OK(tally_n(t) <= MAX);
	OK(tally_missed(t) > 0);
	OK(tally_missed(t) < 2 * N / MAX);
	for (size_t i = 0; i < tally_n(t); i++) {
		struct tally_group g;
		struct tally_value v;
		uint32_t src;

		tally_group(t, i, &g);
		tally_value(t, i, 0, &v);
		src = ntohl(v.addr.ip4);
		is_held[src] = true;
		OK(g.n <= truth[src] && truth[src] <= g.n + g.error);
	}
	for (unsigned i = 0; i < SOURCES; i++)
		OK(is_held[i] || truth[i] <= tally_missed(t));
	for (unsigned i = 0; i < 20; i++)
		OK(is_held[i]);
	EQ_INT(tally_total(t), N);
}

TEST(one_group_is_room_enough)
{
	auto_free(tally) struct tally *t = begin("src", 1);

	for (uint32_t src = 0; src < 100; src++) {
		struct ct_entry e = tcp(src % 3, 1, 80);

		EQ_INT(tally_add(t, &e, 0), 0);
	}
	EQ_INT(tally_n(t), 1);
	EQ_INT(tally_total(t), 100);
	OK(tally_missed(t) >= 34);
}

TEST(several_keys_make_one_group)
{
	auto_free(tally) struct tally *t = begin("proto,dport,netns", 0);
	struct ct_entry e = tcp(1, 2, 443), f = tcp(9, 3, 443);
	struct tally_group g;

	e.known |= CT_KNOWN_COUNTERS;
	e.packets[0] = 3;
	e.bytes[1] = 500;
	EQ_INT(tally_add(t, &e, 1), 0);
	EQ_INT(tally_add(t, &f, 1), 0);
	EQ_INT(tally_add(t, &f, 2), 0);
	tally_sort(t);
	EQ_INT(tally_n(t), 2);
	tally_group(t, 0, &g);
	EQ_INT(g.n, 2);
	EQ_INT(g.n_counted, 1);
	EQ_INT(g.packets, 3);
	EQ_INT(g.bytes, 500);
	EQ_STR(text_of(t, 0, 0), "tcp");
	EQ_STR(text_of(t, 0, 1), "443");
	EQ_STR(text_of(t, 1, 2), "2");
}

TEST(unknown_is_a_value_of_its_own)
{
	auto_free(tally) struct tally *t = begin("zone", 0);
	struct ct_entry e = tcp(1, 2, 443);

	EQ_INT(tally_add(t, &e, 0), 0);
	e.known |= CT_KNOWN_ZONE;
	EQ_INT(tally_add(t, &e, 0), 0);
	EQ_INT(tally_n(t), 2);
	tally_sort(t);
	EQ_STR(text_of(t, 0, 0), "-");
	EQ_STR(text_of(t, 1, 0), "0");
}

TEST(the_service_is_the_server_whoever_spoke_first)
{
	auto_free(tally) struct tally *t = begin("service", 0);
	struct ct_entry e = tcp(1, 51000, 6379), back = tcp(1, 6379, 51001);

	EQ_INT(tally_add(t, &e, 0), 0);
	EQ_INT(tally_add(t, &back, 0), 0);
	EQ_INT(tally_n(t), 1);
	EQ_STR(text_of(t, 0, 0), "tcp/6379");
}

static uint32_t always_1000(const void *user, const struct ct_entry *e)
{
	(void)user, (void)e;
	return 1000;
}

TEST(idle_time_is_the_timeout_less_what_remains)
{
	struct tally_options o = { .keys = { TALLY_IDLE }, .n_keys = 1, .timeout_s = always_1000 };
	auto_free(tally) struct tally *t = NULL;
	struct ct_entry e = tcp(1, 2, 3);

	if (tally_new(&o, &t) < 0)
		return;
	EQ_INT(tally_add(t, &e, 0), 0); /* no timeout known */
	e.known |= CT_KNOWN_TIMEOUT;
	e.timeout_s = 990;
	EQ_INT(tally_add(t, &e, 0), 0);
	EQ_INT(tally_add(t, &e, 0), 0);
	e.timeout_s = 340;
	EQ_INT(tally_add(t, &e, 0), 0);
	tally_sort(t);
	EQ_INT(tally_n(t), 3);
	EQ_STR(text_of(t, 0, 0), "under 1m");
	EQ_STR(text_of(t, 1, 0), "-");
	EQ_STR(text_of(t, 2, 0), "10m to 1h");
}

TEST(status_and_state_have_words)
{
	auto_free(tally) struct tally *t = begin("status,state", 0);
	struct ct_entry e = tcp(1, 2, 3);

	e.known |= CT_KNOWN_STATUS | CT_KNOWN_FLAGS | CT_KNOWN_STATE;
	e.state = CT_TCP_SYN_SENT;
	e.status = CT_STATUS_CONFIRMED;
	EQ_INT(tally_add(t, &e, 0), 0);
	tally_sort(t);
	EQ_STR(text_of(t, 0, 0), "unreplied");
	EQ_STR(text_of(t, 0, 1), "SYN_SENT");
	e.state = CT_TCP_ESTABLISHED;
	e.status =
		CT_STATUS_CONFIRMED | CT_STATUS_SEEN_REPLY | CT_STATUS_ASSURED | CT_STATUS_SRC_NAT;
	EQ_INT(tally_add(t, &e, 0), 0);
	EQ_INT(tally_add(t, &e, 0), 0);
	tally_sort(t);
	EQ_STR(text_of(t, 0, 0), "assured,src_nat");
	EQ_STR(text_of(t, 0, 1), "ESTABLISHED");
}

TAP_MAIN(&tap_ports_are_exact_all_of_them, &tap_too_many_groups_keep_a_true_bound,
	 &tap_one_group_is_room_enough, &tap_several_keys_make_one_group,
	 &tap_unknown_is_a_value_of_its_own, &tap_the_service_is_the_server_whoever_spoke_first,
	 &tap_idle_time_is_the_timeout_less_what_remains, &tap_status_and_state_have_words)
