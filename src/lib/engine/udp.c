/* SPDX-License-Identifier: BSD-2-Clause
 *
 * UDP and UDP-Lite. Answers to Linux 6.18, net/netfilter/nf_conntrack_proto_udp.c:
 * nf_conntrack_udp_packet(), udp_error(), nf_conntrack_udplite_packet(), udplite_error().
 */
#include "lib/engine/engine.h"
#include "lib/packet/wire.h"

enum { STREAM_AFTER_S = 2 };

static bool is_wrong(const struct visit *v, const char *why)
{
	v->p->why = why;
	return true;
}

/* The checks both share; checksums are looked at in PREROUTING alone. */
static bool has_bad_checksum(const struct visit *v, const char *why)
{
	if (v->p->hook != CT_HOOK_PREROUTING || !v->en->cfg.settings.checksum ||
	    (v->p->flags & CT_PACKET_CHECKSUM_OK) || ct_packet_checksum(v->p))
		return false;
	return is_wrong(v, why);
}

static bool udp_error(const struct visit *v)
{
	const uint8_t *l4 = v->p->data + v->p->offset;
	uint32_t left = v->p->size - v->p->offset, length;

	if (left < 8)
		return is_wrong(v, "udp: short packet");
	length = wire_be16(l4 + 4);
	if (length > left || length < 8)
		return is_wrong(v, "udp: bad length");
	if (wire_raw16(l4 + 6) == 0)
		return false;
	return has_bad_checksum(v, "udp: bad checksum");
}

static bool udplite_error(const struct visit *v)
{
	const uint8_t *l4 = v->p->data + v->p->offset;
	uint32_t left = v->p->size - v->p->offset, coverage;

	if (left < 8)
		return is_wrong(v, "udplite: short packet");
	coverage = wire_be16(l4 + 4);
	if (coverage != 0 && (coverage < 8 || coverage > left))
		return is_wrong(v, "udplite: bad checksum coverage");
	if (wire_raw16(l4 + 6) == 0)
		return is_wrong(v, "udplite: checksum missing");
	return has_bad_checksum(v, "udplite: bad checksum");
}

static void become_assured(const struct visit *v)
{
	if (v->e->status & (CT_STATUS_ASSURED | CT_STATUS_NAT_CLASH))
		return;
	v->e->status |= CT_STATUS_ASSURED;
	v->p->events |= CT_EVENT_ASSURED;
}

static enum judgement udp_packet(const struct visit *v)
{
	const struct ct_engine_settings *s = &v->en->cfg.settings;
	struct entry *e = v->e;
	bool is_stream;

	if (udp_error(v))
		return JUDGE_INVALID;
	if (!(e->status & CT_STATUS_CONFIRMED))
		e->u.stream_from = v->en->tick + ticks(STREAM_AFTER_S);
	/* Still talking after two seconds: more than a question and its answer. */
	is_stream =
		(e->status & CT_STATUS_SEEN_REPLY) && (int32_t)(v->en->tick - e->u.stream_from) > 0;
	ct_entry_refresh(v, ticks(is_stream ? s->udp_timeout_stream : s->udp_timeout));
	if (is_stream)
		become_assured(v);
	return JUDGE_ACCEPT;
}

static enum judgement udplite_packet(const struct visit *v)
{
	const struct ct_engine_settings *s = &v->en->cfg.settings;
	bool is_replied = v->e->status & CT_STATUS_SEEN_REPLY;

	if (udplite_error(v))
		return JUDGE_INVALID;
	ct_entry_refresh(v, ticks(is_replied ? s->udp_timeout_stream : s->udp_timeout));
	if (is_replied)
		become_assured(v);
	return JUDGE_ACCEPT;
}

const struct ct_proto_ops ct_udp_tracker = { .name = "udp",
					     .allow_clash = true,
					     .packet = udp_packet };
const struct ct_proto_ops ct_udplite_tracker = { .name = "udplite",
						 .allow_clash = true,
						 .packet = udplite_packet };
