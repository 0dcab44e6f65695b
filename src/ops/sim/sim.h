/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One run of traffic through the tracker, or through a machine's whole hooks, under given settings
 * and rules: frames in, one value out.
 *
 *     sim_config_default(&cfg);
 *     sim = sim_new(&cfg, &err);
 *     while (sim_step(sim, merge, &err) > 0)
 *             ;
 *     sim_end(sim);
 *     sim_outcome(sim)->peak
 *
 * Time is that of the traffic. Without rules, and when nobody asks for each packet, packets go in
 * bursts, which is several times faster.
 */
#ifndef OPS_SIM_SIM_H
#define OPS_SIM_SIM_H

#include "lib/base/clean.h"
#include "ops/capture/merge.h"
#include "ops/sim/machine.h"
#include "ops/sim/series.h"
#include <conntune/hooks.h>

enum {
	SIM_MAX_HELPERS = 16,
	SIM_MAX_SKIPPED = 32,
	SIM_INFOS = CT_INFO_INVALID + 1,
};

/* Gives a helper to new flows to a port, as a rule with the target CT does. */
struct sim_helper {
	uint8_t helper; /* enum ct_helper */
	uint16_t port;
};

/* What became of a packet. */
enum sim_fate {
	SIM_FORWARDED,
	SIM_DELIVERED,
	SIM_SENT, /* out of this host */
	SIM_GONE,
	SIM_FATES,
};

/* One packet, told of. */
struct sim_packet {
	uint64_t number;     /* of its frame */
	ct_time at;	     /* of the capture */
	const char *in;	     /* the interface it came by; null: not told, or sent by the host */
	const uint8_t *data; /* as it came, from the IP header on */
	uint32_t size;
	bool is_sent;	 /* by the host */
	bool is_refused; /* IP input did not take it */
	enum sim_fate fate;
	const struct ct_packet *packet;	  /* as it left: data may be others */
	const struct ct_passage *passage; /* its way; without meaning when it is refused */
};

typedef void sim_packet_fn(void *user, const struct sim_packet *p);

/* One packet of a burst, as the tracker left it. */
typedef void sim_seen_fn(void *user, const struct ct_packet *p);

struct sim_config {
	struct ct_engine_config engine; /* its event function too */
	struct ct_defrag_config defrag;
	/* Borrowed, and counted in; null: none. Those of nft stand beside the others. */
	struct ct_ruleset *rules4, *rules6, *rules_nft;
	struct ct_ipsets *sets;		   /* borrowed, and changed; null: sets are not known */
	const struct sim_machine *machine; /* borrowed; ready */
	struct sim_helper helpers[SIM_MAX_HELPERS];
	unsigned n_helpers;
	bool fixes_checksums; /* every checksum counts as right */
	bool pads;	      /* packets cut by the snap length are filled up with zeroes */
	bool raises_hops;     /* a packet on its last hop is given more of them */
	bool follows_nat;     /* answers are readdressed to what rules made of the flow */
	bool has_series;
	uint32_t mtu;	/* of all interfaces, which clamping a segment size asks for; 0 not known */
	uint64_t limit; /* packets; 0 all */
	/* Borrowed: the capture that a recording was made of, whose frames are counted instead;
	 * or null. */
	struct merge *numbering;
	sim_packet_fn *packet; /* may be null */
	ct_trace_fn *trace;    /* of each step on a packet's way; may be null */
	sim_seen_fn *seen;     /* of each packet that goes in bursts; may be null */
	void *user;	       /* of all three */
};

/* The MTU of the devices that recordings and rehearsals send through. */
#define SIM_WHOLE_MTU 65535u

/* Frames without an IP packet, by reason. */
struct sim_skipped {
	const char *why; /* static text */
	uint64_t n;
};

struct sim_outcome {
	ct_time first, last; /* of the packets */
	uint64_t n_packets;
	uint64_t n_refused;   /* by IP, before tracking */
	uint64_t n_fragments; /* kept until their datagram was whole */
	uint64_t n_dropped;   /* by the tracker */
	uint64_t n_by_rules;  /* dropped by rules */
	uint64_t n_unrouted;
	uint64_t n_doubtful;		 /* whose fate depends on what a model cannot know */
	const char *doubt, *doubt_table; /* what that was for the first of them; null */
	uint32_t doubt_line;
	uint64_t by_info[SIM_INFOS], by_fate[SIM_FATES];
	uint64_t peak;
	ct_time peak_at;
	struct ct_engine_stats stats;
	struct sim_skipped skipped[SIM_MAX_SKIPPED];
	struct series series; /* with has_series */
};

struct sim;

/* Defaults of engine and reassembly, no machine, no rules. */
void sim_config_default(struct sim_config *cfg);

/* Null with a sentence: no memory, or a value out of range. Copies @cfg. */
struct sim *sim_new(const struct sim_config *cfg, struct ct_err *err);
void sim_free(struct sim *s);
DEFINE_AUTO_FREE(sim);

/* Sends the frames that one reading of @m gives. 1, 0 at the end, negative with a sentence when a
 * capture is broken: calling again goes on with the others. */
int sim_step(struct sim *s, struct merge *m, struct ct_err *err);

/* Sends one frame of a run without rules and without a packet function, in bursts: sim_flush() when
 * the bytes of the frames so far are about to go. */
void sim_frame(struct sim *s, const struct frame *f);
void sim_flush(struct sim *s);

/* Sends one packet, made by hand, that came by @in (null: not told, or sent by the machine itself)
 * at @at. Its way is @was, which lasts until the next packet. What became of it. */
enum sim_fate sim_send(struct sim *s, const uint8_t *data, uint32_t size, ct_time at,
		       const struct ct_way *way, struct ct_packet *p, struct ct_passage *was);

/* Ends the run at its last packet. */
void sim_end(struct sim *s);

/* So far, or after sim_end() for good; lives as long as @s. */
const struct sim_outcome *sim_outcome(const struct sim *s);

/* For a walk over the table; lives as long as @s. */
const struct ct_engine *sim_engine(const struct sim *s);

#endif
