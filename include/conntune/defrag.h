/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Fragments become whole packets before the tracker sees them: nf_defrag_ipv4 and nf_defrag_ipv6,
 * at PREROUTING and OUTPUT, without the kernel.
 *
 *     switch (ct_defrag_in(d, &p, now)) {
 *     case CT_DEFRAG_PASS:                  as it was
 *     case CT_DEFRAG_WHOLE:                 p is the reassembled packet now
 *             ct_engine_in(engine, &p, now);
 *             break;
 *     case CT_DEFRAG_WAIT:
 *     case CT_DEFRAG_DROP:                  p.why says why
 *             break;
 *     }
 *
 * A context is what one network namespace holds of fragments. It reads no clock and does no I/O;
 * time, seed and memory are arguments. It belongs to one thread at a time. What it holds is
 * bounded: while more than the high threshold is charged, every fragment is refused; a fragment
 * is charged what it costs the kernel, which is more than it costs here.
 *
 * Answers to Linux 6.18, net/ipv4/ip_fragment.c, net/ipv4/inet_fragment.c and
 * net/ipv6/netfilter/nf_conntrack_reasm.c; differences stand in docs/fidelity.md.
 */
#ifndef CONNTUNE_DEFRAG_H
#define CONNTUNE_DEFRAG_H

#include <conntune/err.h>
#include <conntune/memory.h>
#include <conntune/packet.h>
#include <conntune/time.h>

struct ct_defrag;

/* The sysctls, in their units. */
struct ct_defrag_settings {
#define DEFRAG_SETTING(field, name, standard, highest) uint64_t field;
#include <conntune/defrag_setting.def>
#undef DEFRAG_SETTING
};

struct ct_defrag_config {
	uint8_t seed[16]; /* secret key of the hash */
	struct ct_defrag_settings settings;
	struct ct_memory memory;
};

enum ct_defrag_result {
	CT_DEFRAG_PASS,	 /* not for reassembly: goes on as it is */
	CT_DEFRAG_WHOLE, /* the last missing fragment: the packet is the whole one now */
	CT_DEFRAG_WAIT,	 /* kept until the others come */
	CT_DEFRAG_DROP,	 /* gone, perhaps with those that waited for it */
};

/* Of one family; the first five are the kernel's IpReasm*, which it counts for IPv4 only. */
struct ct_defrag_stats {
	uint64_t requests; /* fragments that came */
	uint64_t oks;	   /* packets made whole */
	uint64_t fails;
	uint64_t timeouts;
	uint64_t overlaps;
	uint64_t queues;	/* packets that wait for fragments */
	uint64_t charged_bytes; /* what the thresholds are compared with */
	uint64_t memory_bytes;	/* really taken from the allocator, for both families */
};

/* Linux 6.18's defaults, zero seed, the C library's memory. */
void ct_defrag_config_default(struct ct_defrag_config *cfg);

/* Finds a setting by the kernel's name ('/' counts as '.'), with or without "net.ipv4." or
 * "net.netfilter.". Writes a reference into @s, and the highest value it takes. -ENOENT. */
int ct_defrag_setting_find(struct ct_defrag_settings *s, const char *name, size_t len,
			   uint64_t **value, uint64_t *highest);

/* Makes a context; copies @cfg. Null with a sentence in @err (may be null) without memory. */
struct ct_defrag *ct_defrag_new(const struct ct_defrag_config *cfg, struct ct_err *err);

/* Ends a context with all that waits in it. Null is fine. */
void ct_defrag_free(struct ct_defrag *d);

/* One packet that IP input took (ct_packet_receive()). With CT_DEFRAG_WHOLE, data and size of @p
 * are the whole packet, which stays with the context until the next call, and flags, helper and
 * zone_dir are those of the first fragment (its checksum is vouched for when every fragment's
 * was). Otherwise @p keeps all but why. Time never runs backwards: an earlier @now counts as the
 * latest seen. */
enum ct_defrag_result ct_defrag_in(struct ct_defrag *d, struct ct_packet *p, ct_time now);

/* Lets time pass: what has waited too long is dropped. */
void ct_defrag_advance(struct ct_defrag *d, ct_time now);

/* When ct_defrag_advance() has work next; CT_TIME_NONE when nothing waits. */
ct_time ct_defrag_expiry(const struct ct_defrag *d);

/* The counters of a family. */
void ct_defrag_stats(const struct ct_defrag *d, enum ct_family family, struct ct_defrag_stats *out);

#endif
