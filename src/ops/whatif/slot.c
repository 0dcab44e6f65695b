/* SPDX-License-Identifier: BSD-2-Clause
 *
 * See slot.h.
 */
#include "ops/whatif/slot.h"

#include <netinet/in.h>
#include <string.h>

#define ANY	    (-1)
#define PREFIX	    "nf_conntrack_"
#define MAX_RETRANS PREFIX "tcp_timeout_max_retrans"

static const struct {
	uint8_t proto;
	int8_t key;
	const char *text, *knob;
	enum whatif_ends ends;
} slots[WHATIF_SLOTS] = {
#define SLOT(id, proto, key, text, knob, ends)                                                     \
	[WHATIF_##id] = { proto, key, text, PREFIX knob, WHATIF_##ends },
#include "ops/whatif/slot.def"
#undef SLOT
};

const char *whatif_slot_text(enum whatif_slot slot)
{
	return slots[slot].text;
}

enum whatif_ends whatif_slot_ends(enum whatif_slot slot)
{
	return slots[slot].ends;
}

const char *whatif_slot_knob(enum whatif_slot slot)
{
	return slots[slot].knob[sizeof(PREFIX) - 1] ? slots[slot].knob : NULL;
}

/* State @e of the states that begin with @first, whose number is 1. */
static enum whatif_slot by_state(const struct ct_entry *e, enum whatif_slot first,
				 enum whatif_slot last)
{
	if (!(e->known & CT_KNOWN_STATE))
		return WHATIF_UNKNOWN;
	for (enum whatif_slot i = first; i <= last; i++)
		if (slots[i].key == (int)e->state)
			return i;
	return WHATIF_UNKNOWN;
}

static enum whatif_slot by_assured(const struct ct_entry *e, enum whatif_slot young,
				   enum whatif_slot stream)
{
	if (!(e->known & (CT_KNOWN_STATUS | CT_KNOWN_FLAGS)))
		return WHATIF_UNKNOWN;
	return e->status & CT_STATUS_ASSURED ? stream : young;
}

enum whatif_slot whatif_slot_of(const struct ct_entry *e)
{
	switch (e->tuple[CT_DIR_ORIG].proto) {
	case IPPROTO_TCP:
		return by_state(e, WHATIF_TCP_SYN_SENT, WHATIF_TCP_SYN_SENT2);
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
		return by_assured(e, WHATIF_UDP, WHATIF_UDP_STREAM);
	case IPPROTO_ICMP:
		return WHATIF_ICMP;
	case IPPROTO_ICMPV6:
		return WHATIF_ICMPV6;
	case IPPROTO_GRE:
		return by_assured(e, WHATIF_GRE, WHATIF_GRE_STREAM);
	case IPPROTO_SCTP:
		return by_state(e, WHATIF_SCTP_CLOSED, WHATIF_SCTP_HEARTBEAT_SENT);
	case IPPROTO_DCCP:
		/* a protocol like any other since it lost its tracker in 6.17 */
		return e->known & CT_KNOWN_STATE
			       ? by_state(e, WHATIF_DCCP_REQUEST, WHATIF_DCCP_TIMEWAIT)
			       : WHATIF_GENERIC;
	default:
		return WHATIF_GENERIC;
	}
}

static uint32_t timeout_of(const struct settings *s, const char *knob, bool *is_assumed)
{
	const struct setting_value *v = settings_at(s, knob);
	int64_t n;

	if (!v)
		return 0;
	if (v->is_now_known)
		return v->now > 0 && v->now <= UINT32_MAX ? (uint32_t)v->now : 0;
	if (setting_default(v->setting, s->release, &n) < 0 || n <= 0 || n > UINT32_MAX)
		return 0;
	*is_assumed = true;
	return (uint32_t)n;
}

void whatif_timeouts_of(const struct settings *s, struct whatif_timeouts *out)
{
	*out = (struct whatif_timeouts){ 0 };
	for (enum whatif_slot i = 0; i < WHATIF_SLOTS; i++)
		if (whatif_slot_knob(i))
			out->s[i] = timeout_of(s, slots[i].knob, &out->is_assumed[i]);
	out->max_retrans_s = timeout_of(s, MAX_RETRANS, &out->is_assumed[WHATIF_TCP_UNACKED]);
}

bool whatif_timeouts_set(struct whatif_timeouts *t, const char *knob, uint32_t value_s)
{
	bool is_found = strcmp(knob, MAX_RETRANS) == 0;

	if (is_found)
		t->max_retrans_s = value_s;
	for (enum whatif_slot i = 0; i < WHATIF_SLOTS; i++) {
		if (strcmp(knob, slots[i].knob) != 0)
			continue;
		t->s[i] = value_s;
		is_found = true;
	}
	return is_found;
}
