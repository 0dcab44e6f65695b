/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ICMP and ICMPv6: questions and answers, and errors about other flows. Answers to Linux 6.18,
 * nf_conntrack_proto_icmp.c and nf_conntrack_proto_icmpv6.c: nf_conntrack_icmpv4_error(),
 * nf_conntrack_inet_error(), nf_conntrack_icmp_packet() and their ICMPv6 likes.
 */
#include <string.h>

#include "lib/engine/expect.h"
#include "lib/engine/key.h"
#include "lib/packet/wire.h"

/* Counted as an error, not as invalid, and without an entry. */
static bool end_as_error(struct ct_engine *en, struct ct_packet *p, const char *why)
{
	en->stats.error++;
	p->info = CT_INFO_INVALID;
	p->why = why;
	return true;
}

static bool has_bad_checksum(const struct ct_engine *en, const struct ct_packet *p)
{
	return p->hook == CT_HOOK_PREROUTING && en->cfg.settings.checksum &&
	       !(p->flags & CT_PACKET_CHECKSUM_OK) && !ct_packet_checksum(p);
}

/* nf_conntrack_inet_error(): the packet quoted at @at belongs to a flow, and the error goes to
 * the one who sent it. */
static bool relate(struct ct_engine *en, struct ct_packet *p, uint32_t at)
{
	struct ct_packet quoted = { .data = p->data + at, .size = p->size - at };
	struct ct_tuple t, inverse;
	enum ct_dir dir;
	uint32_t number;
	size_t addr_at = p->family == CT_FAMILY_IPV6 ? 24 : 16;
	size_t addr_size = p->family == CT_FAMILY_IPV6 ? 16 : 4;

	if (ct_packet_parse(&quoted) < 0 || quoted.family != p->family ||
	    ct_packet_tuple(&quoted, &t) < 0)
		return end_as_error(en, p, "icmp: quoted packet has no tuple");
	ct_gre_key(en, &quoted, &t);
	if (ct_tuple_invert(&inverse, &t) < 0)
		return end_as_error(en, p, "icmp: quoted packet has no answer");
	number = ct_table_find_tuple(en, &inverse, p->zone, p->zone_dir, &dir);
	if (!number)
		return end_as_error(en, p, "icmp: error about an unknown flow");
	ct_entry_tuple(en, number, dir, &t);
	if (memcmp(p->data + addr_at, &t.dst, addr_size) != 0)
		return end_as_error(en, p, "icmp: error is not for the sender of what it quotes");
	p->info = dir == CT_DIR_REPLY ? CT_INFO_RELATED_REPLY : CT_INFO_RELATED;
	p->entry = (struct ct_handle){ number, entry_at(en, number)->generation };
	return true;
}

bool ct_icmp_error(struct ct_engine *en, struct ct_packet *p)
{
	enum { HIGHEST_TYPE = 18 };
	uint8_t type;

	if (p->size - p->offset < 8)
		return end_as_error(en, p, "icmp: short packet");
	if (has_bad_checksum(en, p))
		return end_as_error(en, p, "icmp: bad checksum");
	type = p->data[p->offset];
	if (type > HIGHEST_TYPE)
		return end_as_error(en, p, "icmp: unknown type");
	if (type != 3 && type != 4 && type != 5 && type != 11 && type != 12)
		return false;
	return relate(en, p, p->offset + 8);
}

static bool is_untracked_icmpv6(uint8_t type)
{
	return (type >= 130 && type <= 136) || type == 143 || type == 151 || type == 152;
}

/* icmpv6_redirect(): about the packet in its "redirected header" option, when it is honest. */
static bool redirect_error(struct ct_engine *en, struct ct_packet *p)
{
	enum { FIXED = 40, OPTION_REDIRECTED = 4 };
	const uint8_t *l4 = p->data + p->offset;

	if (p->size - p->offset < FIXED)
		return end_as_error(en, p, "icmpv6: short redirect");
	if (l4[1] != 0)
		return false;
	if (p->data[7] != 255 || p->data[8] != 0xfe || (p->data[9] & 0xc0) != 0x80)
		return end_as_error(en, p, "icmpv6: redirect from beyond the link");
	if (p->size - p->offset < FIXED + 8 || l4[FIXED + 1] == 0)
		return end_as_error(en, p, "icmpv6: redirect with a broken option");
	if (l4[FIXED] != OPTION_REDIRECTED)
		return false;
	return relate(en, p, p->offset + FIXED + 8);
}

bool ct_icmpv6_error(struct ct_engine *en, struct ct_packet *p)
{
	uint8_t type;

	if (p->size - p->offset < 8)
		return end_as_error(en, p, "icmpv6: short packet");
	if (has_bad_checksum(en, p))
		return end_as_error(en, p, "icmpv6: bad checksum");
	type = p->data[p->offset];
	if (is_untracked_icmpv6(type)) {
		p->info = CT_INFO_UNTRACKED;
		return true;
	}
	if (type == 137)
		return redirect_error(en, p);
	return type < 128 ? relate(en, p, p->offset + 8) : false;
}

static enum judgement answer_packet(const struct visit *v, bool may_open, uint32_t timeout_s)
{
	if (!(v->e->status & CT_STATUS_CONFIRMED) && !may_open) {
		v->p->why = "icmp: type does not begin a flow";
		return JUDGE_INVALID;
	}
	ct_entry_refresh(v, ticks(timeout_s));
	return JUDGE_ACCEPT;
}

static enum judgement icmp_packet(const struct visit *v)
{
	uint8_t type = v->p->data[v->p->offset];
	bool may_open = type == 8 || type == 13 || type == 15 || type == 17;

	if (v->p->family != CT_FAMILY_IPV4) {
		v->p->why = "icmp: not over IPv4";
		return JUDGE_INVALID;
	}
	return answer_packet(v, may_open, v->en->cfg.settings.icmp_timeout);
}

static enum judgement icmpv6_packet(const struct visit *v)
{
	uint8_t type = v->p->data[v->p->offset];

	if (v->p->family != CT_FAMILY_IPV6) {
		v->p->why = "icmpv6: not over IPv6";
		return JUDGE_INVALID;
	}
	return answer_packet(v, type == 128 || type == 139, v->en->cfg.settings.icmpv6_timeout);
}

const struct ct_proto_ops ct_icmp_tracker = { .name = "icmp", .packet = icmp_packet };
const struct ct_proto_ops ct_icmpv6_tracker = { .name = "icmpv6", .packet = icmpv6_packet };
