/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One pass over a table: counts by protocol, state and service, what the kernel could reclaim, how
 * long entries have been idle, how fast they come. Constant memory, whatever the table's size.
 *
 *     summary_init(&s, &timeouts);
 *     while (table_next(t, &e, err) > 0) summary_add(&s, &e);
 *     summary_end(&s);
 */
#ifndef OPS_FACTS_SUMMARY_H
#define OPS_FACTS_SUMMARY_H

#include <conntune/entry.h>

#include "ops/facts/sketch.h"

#define SUMMARY_TOP	    10
#define SUMMARY_TCP_STATES  10
#define SUMMARY_SCTP_STATES 9

/* The configured timeouts in seconds; 0 is unknown. */
struct summary_timeouts {
	uint32_t tcp[SUMMARY_TCP_STATES]; /* by enum ct_tcp_state */
	uint32_t tcp_unacknowledged, tcp_max_retrans;
	uint32_t udp, udp_stream, icmp, icmpv6, generic;
	bool is_assumed; /* no file shows them: the defaults of this kernel */
};

/* Idle age of ESTABLISHED TCP entries: upper bounds of the classes in seconds. */
#define SUMMARY_AGES 8
extern const uint32_t summary_age_bound_s[SUMMARY_AGES]; /* the last one has no bound: UINT32_MAX */

/* One service: a protocol and the port of its server. */
struct summary_service {
	uint8_t proto;
	uint16_t port;
	uint32_t n, n_established, n_opening, n_closing; /* closing: FIN_WAIT to CLOSE */
	uint32_t n_time_wait, n_close;
	uint32_t n_unreplied, n_unassured, n_loopback, n_idle_hour;
	uint32_t max_time_wait_age_s, max_close_age_s;
	/* A vote (Boyer and Moore): at least @n_server of n go to @server, @n_client from @client.
	 */
	union ct_addr server, client;
	uint32_t n_server, n_client;
	uint8_t server_family, client_family;
	double rate_per_s;  /* connections ended a second by Little's law, 0 unknown */
	double residence_s; /* mean stay in the table, 0 unknown */
	double steady_n;    /* closing entries there will be when this rate goes on, 0 unknown */
};

struct summary {
	struct summary_timeouts timeouts;
	uint64_t n, n_ipv4, n_ipv6;
	uint64_t n_tcp, n_udp, n_icmp, n_sctp, n_other;
	uint64_t tcp_state[SUMMARY_TCP_STATES];
	uint64_t n_tcp_closing; /* FIN_WAIT, CLOSE_WAIT, LAST_ACK, TIME_WAIT, CLOSE */
	uint64_t n_opening;	/* SYN_SENT, SYN_SENT2, SYN_RECV */

	/* What can go when the table is full (causes F3); of entries whose flags are known. */
	uint64_t n_flags;	    /* entries whose flags are known */
	uint64_t n_unassured;	    /* early_drop() may take these at once */
	uint64_t n_assured_closing; /* the collector takes these above 95 % only */
	uint64_t n_unreplied;
	uint64_t n_unreplied_opening; /* SYN_SENT that nobody answered */

	uint64_t n_loopback, n_nat, n_offload, n_zone;
	uint64_t n_udp_counted, n_udp_small; /* accounted UDP entries; with at most 2 packets */
	uint64_t n_tunnel;		     /* VXLAN, Geneve, GRE ... underlay */

	/* Idle age of ESTABLISHED TCP entries. */
	uint64_t age[SUMMARY_AGES];
	uint64_t n_aged;	  /* judged */
	uint64_t n_age_ambiguous; /* a shorter timeout may run: data unacknowledged, pick-up */
	uint64_t n_age_longer;	  /* remain longer than configured: older setting or a policy */

	uint64_t n_sources, n_opening_sources;		  /* distinct, about 3 % */
	struct heavy_slot top_source, top_opening_source; /* n is 0 when there is none */

	struct summary_service top[SUMMARY_TOP]; /* by entries */
	unsigned n_top;
	struct summary_service churn; /* the service with most closing entries; n is 0 without */
	uint64_t n_services;

	double rate_per_s;  /* new entries a second, a lower bound by Little's law; 0 unknown */
	double residence_s; /* mean stay: entries / rate; 0 unknown */

	struct summary_work *work; /* only while adding */
};

/* Begins. Copies @timeouts. -ENOMEM. */
int summary_init(struct summary *s, const struct summary_timeouts *timeouts);
void summary_add(struct summary *s, const struct ct_entry *e);
/* Draws the conclusions and releases the working memory. */
void summary_end(struct summary *s);
void summary_fini(struct summary *s);

#endif
