/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Messages of ctnetlink to entries, and the judgement of a finished dump.
 */
#include "ops/table/datagram.h"

#include <inttypes.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdio.h>
#include <string.h>

#define TYPE_ENTRY (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW)

/* The number of buckets of a live table. */
static int64_t buckets_of(struct host *h)
{
	int64_t n;

	if (!h || !host_is_live(h) ||
	    host_read_i64(h, "/proc/sys/net/netfilter/nf_conntrack_buckets", &n) < 0)
		return 0;
	return n;
}

void datagram_begin(struct datagram_reader *r, struct host *h, uint32_t want)
{
	*r = (struct datagram_reader){ .want = want ? want : CT_KNOWN_ALL,
				       .host = h,
				       .n_buckets = buckets_of(h) };
}

/* Linux 6.18, ctnetlink_dump_table() goes on in the new table where it stood in the old one, and
 * does not set NLM_F_DUMP_INTR; so we look ourselves. */
void datagram_end(struct datagram_reader *r)
{
	r->is_resized = r->n_buckets && buckets_of(r->host) != r->n_buckets;
}

/* The age, as /proc and conntrack(8) tell it: until the entry's end, or else until now.
 * Linux 6.18, ct_show_delta_time(). */
void datagram_set_delta(struct host *h, struct ct_entry *e)
{
	ct_time until;

	if (!(e->known & CT_KNOWN_START))
		return;
	if (e->known & CT_KNOWN_STOP)
		until = e->stop_ns;
	else if (!h || host_now(h, &until) < 0)
		return;
	e->delta_s = until > e->start_ns ? (uint64_t)(until - e->start_ns) / CT_NS_PER_S : 0;
	e->known |= CT_KNOWN_DELTA;
}

static void note_bad(struct datagram_reader *r, uint16_t type)
{
	if (r->n_bad++ > 0)
		return;
	if (type != TYPE_ENTRY)
		(void)snprintf(r->first_bad, sizeof(r->first_bad),
			       "message %" PRIu64 ": type 0x%x is no entry", r->n_seen, type);
	else
		(void)snprintf(r->first_bad, sizeof(r->first_bad),
			       "message %" PRIu64 ": its attributes are cut or contradict each "
			       "other",
			       r->n_seen);
}

bool datagram_read(struct datagram_reader *r, uint16_t type, const void *payload, size_t size,
		   struct ct_entry *out)
{
	uint32_t want = r->want & CT_KNOWN_DELTA ? r->want | CT_KNOWN_START : r->want;

	r->n_seen++;
	if (type != TYPE_ENTRY || nl_entry_decode(payload, size, want, out) < 0) {
		note_bad(r, type);
		return false;
	}
	if (r->want & CT_KNOWN_DELTA)
		datagram_set_delta(r->host, out);
	return true;
}

void datagram_judge(const struct datagram_reader *r, const struct dump_info *dump,
		    struct table_info *out)
{
	out->n_bad = r->n_bad;
	memcpy(out->first_bad, r->first_bad, sizeof(out->first_bad));
	out->is_whole = false;
	if (!dump->is_done)
		(void)snprintf(out->why_not, sizeof(out->why_not),
			       "the dump was cut before its end");
	else if (dump->n_overruns)
		(void)snprintf(out->why_not, sizeof(out->why_not),
			       "the kernel could not hand over everything (ENOBUFS, %u times)",
			       dump->n_overruns);
	else if (dump->n_interrupted || r->is_resized)
		(void)snprintf(out->why_not, sizeof(out->why_not),
			       "the table was %s while it was read%s, entries may be missing or "
			       "shown twice",
			       r->is_resized ? "resized" : "changed",
			       dump->n_interrupted ? " (NLM_F_DUMP_INTR)" : "");
	else if (r->n_bad)
		(void)snprintf(out->why_not, sizeof(out->why_not),
			       "%" PRIu64 " messages were no entries", r->n_bad);
	else
		out->is_whole = true;
}
