/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Services are counted exactly, by port, in pages touched only where ports are in use; sources by
 * sketches. See summary.h.
 */
#include "ops/facts/summary.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "ops/table/service.h"

#define N_PORTS 65536

const uint32_t summary_age_bound_s[SUMMARY_AGES] = {
	60, 600, 3600, 7200, 6 * 3600, 86400, 2 * 86400, UINT32_MAX,
};

struct summary_work {
	struct summary_service tcp[N_PORTS], udp[N_PORTS], other[256];
	struct distinct sources, opening_sources;
	struct heavy heavy, opening_heavy;
	uint64_t n_udp_unanswered; /* one-shot entries, for the rate */
	uint64_t n_icmp;
	uint32_t max_time_wait_age_s, max_close_age_s, max_syn_age_s, max_udp_age_s;
};

int summary_init(struct summary *s, const struct summary_timeouts *timeouts)
{
	struct summary_work *work = calloc(1, sizeof(*work));

	if (!work)
		return -ENOMEM;
	*s = (struct summary){ .timeouts = *timeouts, .work = work };
	return 0;
}

void summary_fini(struct summary *s)
{
	free(s->work);
	s->work = NULL;
}

static bool is_loopback(const struct ct_tuple *t)
{
	static const uint8_t one[16] = { [15] = 1 };

	if (memcmp(&t->src, &t->dst, sizeof(t->src)) == 0)
		return true;
	if (t->family == CT_FAMILY_IPV4)
		return t->src.bytes[0] == 127 || t->dst.bytes[0] == 127;
	return memcmp(t->dst.bytes, one, 16) == 0;
}

static bool is_closing(uint8_t state)
{
	return state >= CT_TCP_FIN_WAIT && state <= CT_TCP_CLOSE;
}

/* Whether the collector takes an ASSURED entry under pressure.
 * Linux 6.18, tcp_can_early_drop(), sctp_can_early_drop(). */
static bool is_collectable(const struct ct_entry *e)
{
	if (!(e->known & CT_KNOWN_STATE))
		return false;
	if (e->tuple[0].proto == IPPROTO_TCP)
		return is_closing(e->state);
	return e->tuple[0].proto == IPPROTO_SCTP && e->state >= CT_SCTP_SHUTDOWN_SENT &&
	       e->state <= CT_SCTP_SHUTDOWN_ACK_SENT;
}

/* Boyer-Moore majority vote over addresses. */
static void vote(union ct_addr *held, uint8_t *family, uint32_t *n, const union ct_addr *a,
		 uint8_t a_family)
{
	if (*n == 0) {
		*held = *a;
		*family = a_family;
		*n = 1;
	} else if (*family == a_family && memcmp(held, a, sizeof(*a)) == 0) {
		++*n;
	} else {
		--*n;
	}
}

static void raise_to(uint32_t *max, uint32_t v)
{
	if (v > *max)
		*max = v;
}

/* Idle seconds: configured timeout less what remains. False when either is unknown or what
 * remains is more than configured. */
static bool idle_s(const struct ct_entry *e, uint32_t timeout_s, uint32_t *out)
{
	if (!(e->known & CT_KNOWN_TIMEOUT) || timeout_s == 0 || e->timeout_s > timeout_s)
		return false;
	*out = timeout_s - e->timeout_s;
	return true;
}

/* Idle age of an ESTABLISHED entry. Linux 6.18, nf_conntrack_tcp_packet(): data not yet
 * acknowledged, a zero window or repeated segments run on a shorter timeout, so an entry that has
 * less than that left may be old or busy: we cannot know. */
static void add_established(struct summary *s, struct summary_service *v, const struct ct_entry *e)
{
	uint32_t shorter = s->timeouts.tcp_unacknowledged, age;

	if (s->timeouts.tcp_max_retrans > shorter)
		shorter = s->timeouts.tcp_max_retrans;
	if (!(e->known & CT_KNOWN_TIMEOUT) || s->timeouts.tcp[CT_TCP_ESTABLISHED] == 0)
		return;
	if (!idle_s(e, s->timeouts.tcp[CT_TCP_ESTABLISHED], &age)) {
		s->n_age_longer++;
		return;
	}
	if (e->timeout_s <= shorter && s->timeouts.tcp[CT_TCP_ESTABLISHED] > shorter) {
		s->n_age_ambiguous++;
		return;
	}
	s->n_aged++;
	for (unsigned i = 0; i < SUMMARY_AGES; i++) {
		if (age < summary_age_bound_s[i] || i + 1 == SUMMARY_AGES) {
			s->age[i]++;
			break;
		}
	}
	v->n_idle_hour += age >= 3600;
}

static void add_tcp_ages(struct summary *s, struct summary_service *v, const struct ct_entry *e)
{
	uint32_t age;

	if (!idle_s(e, s->timeouts.tcp[e->state], &age))
		return;
	if (e->state == CT_TCP_TIME_WAIT) {
		raise_to(&v->max_time_wait_age_s, age);
		raise_to(&s->work->max_time_wait_age_s, age);
	} else if (e->state == CT_TCP_CLOSE) {
		raise_to(&v->max_close_age_s, age);
		raise_to(&s->work->max_close_age_s, age);
	} else if (e->state == CT_TCP_SYN_SENT) {
		raise_to(&s->work->max_syn_age_s, age);
	}
}

static void add_tcp(struct summary *s, struct summary_service *v, const struct ct_entry *e,
		    bool is_unreplied)
{
	bool is_opening;

	if (!(e->known & CT_KNOWN_STATE) || e->state >= SUMMARY_TCP_STATES)
		return;
	is_opening = e->state == CT_TCP_SYN_SENT || e->state == CT_TCP_SYN_RECV ||
		     e->state == CT_TCP_SYN_SENT2;
	s->tcp_state[e->state]++;
	s->n_opening += is_opening;
	s->n_unreplied_opening += is_unreplied && e->state == CT_TCP_SYN_SENT;
	s->n_tcp_closing += is_closing(e->state);
	v->n_opening += is_opening;
	v->n_closing += is_closing(e->state);
	v->n_time_wait += e->state == CT_TCP_TIME_WAIT;
	v->n_close += e->state == CT_TCP_CLOSE;
	if (is_opening) {
		distinct_add(&s->work->opening_sources, &e->tuple[0].src);
		heavy_add(&s->work->opening_heavy, &e->tuple[0].src, e->tuple[0].family);
	}
	if (e->state == CT_TCP_ESTABLISHED) {
		v->n_established++;
		add_established(s, v, e);
	} else {
		add_tcp_ages(s, v, e);
	}
}

static void add_udp(struct summary *s, const struct ct_entry *e, uint16_t port, bool is_assured)
{
	uint32_t age;

	s->n_udp++;
	/* VXLAN (IANA and Linux), Geneve: the underlay of tunnels */
	s->n_tunnel += port == 4789 || port == 8472 || port == 6081;
	if (e->known & CT_KNOWN_COUNTERS) {
		s->n_udp_counted++;
		s->n_udp_small += e->packets[0] + e->packets[1] <= 2;
	}
	if (!is_assured) {
		s->work->n_udp_unanswered++;
		if (idle_s(e, s->timeouts.udp, &age))
			raise_to(&s->work->max_udp_age_s, age);
	}
}

/* Flags and what follows from them. */
static void add_flags(struct summary *s, struct summary_service *v, const struct ct_entry *e)
{
	bool is_assured = e->status & CT_STATUS_ASSURED;

	s->n_flags++;
	s->n_unassured += !is_assured;
	v->n_unassured += !is_assured;
	s->n_unreplied += !(e->status & CT_STATUS_SEEN_REPLY);
	v->n_unreplied += !(e->status & CT_STATUS_SEEN_REPLY);
	s->n_assured_closing += is_assured && is_collectable(e);
	s->n_offload += (e->status & (CT_STATUS_OFFLOAD | CT_STATUS_HW_OFFLOAD)) != 0;
}

static struct summary_service *service_of(struct summary *s, uint8_t proto, uint16_t port)
{
	if (proto == IPPROTO_TCP)
		return &s->work->tcp[port];
	if (proto == IPPROTO_UDP)
		return &s->work->udp[port];
	return &s->work->other[proto];
}

static bool is_translated(const struct ct_entry *e)
{
	struct ct_tuple back;

	if (ct_tuple_invert(&back, &e->tuple[CT_DIR_ORIG]) < 0)
		return false;
	return memcmp(&back.src, &e->tuple[CT_DIR_REPLY].src, sizeof(back.src)) != 0 ||
	       memcmp(&back.dst, &e->tuple[CT_DIR_REPLY].dst, sizeof(back.dst)) != 0 ||
	       back.src_part != e->tuple[CT_DIR_REPLY].src_part ||
	       back.dst_part != e->tuple[CT_DIR_REPLY].dst_part;
}

void summary_add(struct summary *s, const struct ct_entry *e)
{
	const struct ct_tuple *t = &e->tuple[CT_DIR_ORIG];
	bool has_flags = e->known & (CT_KNOWN_STATUS | CT_KNOWN_FLAGS);
	bool is_assured = has_flags && (e->status & CT_STATUS_ASSURED);
	bool is_unreplied = has_flags && !(e->status & CT_STATUS_SEEN_REPLY);
	bool is_reversed;
	uint16_t port = entry_service_port(e, &is_reversed);
	struct summary_service *v = service_of(s, t->proto, port);

	s->n++;
	v->n++;
	v->proto = t->proto;
	v->port = t->proto == IPPROTO_TCP || t->proto == IPPROTO_UDP ? port : 0;
	s->n_ipv4 += t->family == CT_FAMILY_IPV4;
	s->n_ipv6 += t->family == CT_FAMILY_IPV6;
	vote(&v->server, &v->server_family, &v->n_server, is_reversed ? &t->src : &t->dst,
	     t->family);
	vote(&v->client, &v->client_family, &v->n_client, is_reversed ? &t->dst : &t->src,
	     t->family);
	distinct_add(&s->work->sources, &t->src);
	heavy_add(&s->work->heavy, &t->src, t->family);
	if (has_flags)
		add_flags(s, v, e);
	if (is_loopback(t)) {
		s->n_loopback++;
		v->n_loopback++;
	}
	s->n_nat += is_translated(e);
	s->n_zone += (e->known & CT_KNOWN_ZONE) && e->zone != 0;
	if (t->proto == IPPROTO_TCP) {
		s->n_tcp++;
		add_tcp(s, v, e, is_unreplied);
	} else if (t->proto == IPPROTO_UDP) {
		add_udp(s, e, port, is_assured);
	} else if (t->proto == IPPROTO_ICMP || t->proto == IPPROTO_ICMPV6) {
		s->n_icmp++;
	} else {
		s->n_sctp += t->proto == IPPROTO_SCTP;
		s->n_other += t->proto != IPPROTO_SCTP;
		s->n_tunnel += t->proto == IPPROTO_GRE || t->proto == IPPROTO_IPIP;
	}
}

/* Entries that stay @timeout_s each and are @n now came at n / timeout a second (Little's law);
 * when the oldest is younger than that, they came within its age. 0 when nothing is known. */
static double rate(uint64_t n, uint32_t timeout_s, uint32_t max_age_s)
{
	if (n == 0 || timeout_s == 0)
		return 0;
	if (max_age_s + 1 < timeout_s)
		timeout_s = max_age_s + 1;
	return (double)n / timeout_s;
}

/* Whether entries have come for as long as TIME_WAIT lasts, so that as many leave as come. */
static bool is_steady(const struct summary *s, uint32_t max_age_s)
{
	return (uint64_t)max_age_s * 10 >= (uint64_t)s->timeouts.tcp[CT_TCP_TIME_WAIT] * 9;
}

static void service_end(struct summary *s, struct summary_service *v)
{
	if (v->proto != IPPROTO_TCP)
		return;
	v->rate_per_s =
		rate(v->n_time_wait, s->timeouts.tcp[CT_TCP_TIME_WAIT], v->max_time_wait_age_s) +
		rate(v->n_close, s->timeouts.tcp[CT_TCP_CLOSE], v->max_close_age_s);
	v->steady_n =
		rate(v->n_time_wait, s->timeouts.tcp[CT_TCP_TIME_WAIT], v->max_time_wait_age_s) *
		s->timeouts.tcp[CT_TCP_TIME_WAIT];
	/* entries over rate is the mean stay only once the first ones have left again */
	if (v->rate_per_s > 0 && is_steady(s, v->max_time_wait_age_s))
		v->residence_s = v->n / v->rate_per_s;
}

/* Keeps the top list sorted: more entries first, then by protocol and port. */
static void offer(struct summary *s, struct summary_service *v)
{
	unsigned at = s->n_top;

	if (v->n == 0)
		return;
	s->n_services++;
	service_end(s, v);
	if (v->n_closing > s->churn.n_closing)
		s->churn = *v;
	while (at > 0 && s->top[at - 1].n < v->n)
		at--;
	if (at == SUMMARY_TOP)
		return;
	if (s->n_top < SUMMARY_TOP)
		s->n_top++;
	memmove(&s->top[at + 1], &s->top[at], (s->n_top - 1 - at) * sizeof(s->top[0]));
	s->top[at] = *v;
}

void summary_end(struct summary *s)
{
	struct summary_work *w = s->work;
	const struct heavy_slot *top = heavy_top(&w->heavy);
	const struct heavy_slot *opening = heavy_top(&w->opening_heavy);

	for (unsigned port = 0; port < N_PORTS; port++)
		offer(s, &w->tcp[port]);
	for (unsigned port = 0; port < N_PORTS; port++)
		offer(s, &w->udp[port]);
	for (unsigned proto = 0; proto < 256; proto++)
		offer(s, &w->other[proto]);
	s->n_sources = distinct_count(&w->sources);
	s->n_opening_sources = distinct_count(&w->opening_sources);
	if (top)
		s->top_source = *top;
	if (opening)
		s->top_opening_source = *opening;
	s->rate_per_s = rate(s->tcp_state[CT_TCP_TIME_WAIT], s->timeouts.tcp[CT_TCP_TIME_WAIT],
			     w->max_time_wait_age_s) +
			rate(s->tcp_state[CT_TCP_CLOSE], s->timeouts.tcp[CT_TCP_CLOSE],
			     w->max_close_age_s) +
			rate(s->tcp_state[CT_TCP_SYN_SENT], s->timeouts.tcp[CT_TCP_SYN_SENT],
			     w->max_syn_age_s) +
			rate(w->n_udp_unanswered, s->timeouts.udp, w->max_udp_age_s) +
			rate(s->n_icmp, s->timeouts.icmp, s->timeouts.icmp);
	if (s->rate_per_s > 0 && is_steady(s, w->max_time_wait_age_s))
		s->residence_s = (double)s->n / s->rate_per_s;
	summary_fini(s);
}
