/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Settings to timeouts by protocol and state. Answers to Linux 6.18, tcp_timeouts[],
 * sctp_timeouts[] and udp_timeouts[].
 */
#include "app/cmd/entry_timeouts.h"

#include <ctype.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "ops/settings/settings.h"

static uint32_t get(const struct settings *s, const char *name)
{
	const struct setting_value *v = settings_get(s, name);

	return v && v->is_now_known && v->now > 0 && v->now <= UINT32_MAX ? (uint32_t)v->now : 0;
}

/* The timeout of a state is named after it. */
static void read_states(const struct settings *s, const char *prefix, uint8_t proto, uint32_t *to)
{
	for (uint8_t state = 0; state < 16; state++) {
		const char *name = ct_state_name(proto, state);
		char setting[80];
		size_t at;

		if (!name)
			continue;
		(void)snprintf(setting, sizeof(setting), "%s%s", prefix, name);
		for (at = strlen(prefix); setting[at]; at++)
			setting[at] = (char)tolower((unsigned char)setting[at]);
		to[state] = get(s, setting);
	}
}

void entry_timeouts_read(struct host *h, struct entry_timeouts *out)
{
	struct settings s = { 0 };

	*out = (struct entry_timeouts){ 0 };
	if (settings_read(h, &s, NULL) < 0)
		return;
	read_states(&s, "nf_conntrack_tcp_timeout_", IPPROTO_TCP, out->tcp);
	out->tcp[CT_TCP_SYN_SENT2] = out->tcp[CT_TCP_SYN_SENT];
	read_states(&s, "nf_conntrack_sctp_timeout_", IPPROTO_SCTP, out->sctp);
	out->udp = get(&s, "nf_conntrack_udp_timeout");
	out->udp_stream = get(&s, "nf_conntrack_udp_timeout_stream");
	out->icmp = get(&s, "nf_conntrack_icmp_timeout");
	out->icmpv6 = get(&s, "nf_conntrack_icmpv6_timeout");
	out->gre = get(&s, "nf_conntrack_gre_timeout");
	out->gre_stream = get(&s, "nf_conntrack_gre_timeout_stream");
	out->generic = get(&s, "nf_conntrack_generic_timeout");
	settings_fini(&s);
}

uint32_t entry_timeout_s(const struct entry_timeouts *t, const struct ct_entry *e)
{
	bool is_assured = e->status & CT_STATUS_ASSURED;
	bool has_state = (e->known & CT_KNOWN_STATE) && e->state < 16;

	switch (e->tuple[CT_DIR_ORIG].proto) {
	case IPPROTO_TCP:
		return has_state ? t->tcp[e->state] : 0;
	case IPPROTO_SCTP:
		return has_state ? t->sctp[e->state] : 0;
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
		return is_assured ? t->udp_stream : t->udp;
	case IPPROTO_ICMP:
		return t->icmp;
	case IPPROTO_ICMPV6:
		return t->icmpv6;
	case IPPROTO_GRE:
		return is_assured ? t->gre_stream : t->gre;
	default:
		return t->generic;
	}
}

struct ct_match_times entry_times(const struct entry_timeouts *t, const struct ct_entry *e)
{
	uint32_t full_s = e->known & CT_KNOWN_TIMEOUT ? entry_timeout_s(t, e) : 0;
	struct ct_match_times out = { .is_age_known = e->known & CT_KNOWN_DELTA,
				      .age_s = e->delta_s };

	if (full_s > 0 && e->timeout_s <= full_s && !(e->status & CT_STATUS_FIXED_TIMEOUT)) {
		out.is_idle_known = true;
		out.idle_s = full_s - e->timeout_s;
	}
	return out;
}
