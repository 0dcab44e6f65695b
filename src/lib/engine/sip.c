/* SPDX-License-Identifier: BSD-2-Clause
 *
 * SIP: descriptions of media announce RTP and RTCP, registrations announce calls that come in; any
 * message keeps the connection for an hour. Answers to Linux 6.18,
 * net/netfilter/nf_conntrack_sip.c: sip_help_udp(), sip_help_tcp(), process_sip_msg(),
 * process_sdp(), set_expected_rtp_rtcp(), process_register_request() and their neighbours, with
 * its parameters at their defaults: sip_timeout=3600, sip_direct_signalling=1, sip_direct_media=1.
 */
#include <errno.h>
#include <string.h>

#include "lib/engine/expect.h"
#include "lib/engine/sip_text.h"
#include "lib/packet/wire.h"

enum { SIP_TIMEOUT_S = 3600, SHORTEST = sizeof("SIP/2.0 200") - 1, UDP_HEADER = 8 };

/* The classes of expectations, enum sip_expectation_classes. */
enum { SIGNALLING, AUDIO, VIDEO, IMAGE };
#define SIGNALLING_CLASS (1U << SIGNALLING)
#define MEDIA_CLASSES	 (1U << AUDIO | 1U << VIDEO | 1U << IMAGE)

/* A message on its way through a helper. */
struct dialogue {
	struct ct_engine *en;
	struct ct_packet *p;
	struct ct_tuple mine, theirs; /* of the sender's direction, of the other */
	struct sip_text text;
	uint32_t number;
	uint32_t cseq, code; /* code: of an answer */
};

/* Handlers say whether the packet may go on. */
typedef bool handler_fn(struct dialogue *d);

static struct sip_part *state(const struct dialogue *d)
{
	return &ct_cold_look(d->en, entry_at(d->en, d->number))->u.sip;
}

static bool refuse(struct dialogue *d, const char *why)
{
	d->p->why = why;
	return false;
}

/* flush_expectations(): all media, or the newest of signalling. */
static void forget_media(struct dialogue *d)
{
	uint32_t place;

	while ((place = ct_expect_extreme(d->en, d->number, MEDIA_CLASSES, true)))
		ct_expect_unlink(d->en, place);
}

static void forget_signalling(struct dialogue *d)
{
	ct_expect_unlink(d->en, ct_expect_extreme(d->en, d->number, SIGNALLING_CLASS, true));
}

/* Another connection through this machine already expects the same media. In the kernel, SIP over
 * TCP and over UDP are two helpers. */
static bool is_expected_elsewhere(struct dialogue *d, const struct expect *x)
{
	uint32_t place = ct_expect_find(d->en, &x->tuple, entry_at(d->en, d->number)->zone);
	const struct expect *found = ct_expect_at(d->en, place);

	return place && found->master != d->number && found->helper == CT_HELPER_SIP &&
	       entry_at(d->en, found->master)->key.proto == d->mine.proto &&
	       found->class == x->class;
}

static int expect_port(struct dialogue *d, struct expect *x, uint16_t port)
{
	x->tuple.dst_part = __builtin_bswap16(port);
	return ct_expect_register(d->en, d->number, x);
}

/* set_expected_rtp_rtcp(): an even port and the one behind it. */
static bool expect_media(struct dialogue *d, const union ct_addr *to, uint16_t port, uint8_t class)
{
	struct expect x = { .class = class,
			    .flags = EXPECT_ANY_MASTER,
			    .tuple = { .src = d->theirs.src,
				       .dst = *to,
				       .dst_part = __builtin_bswap16(port),
				       .family = d->mine.family,
				       .proto = PROTO_UDP } };
	int rtp, rtcp;

	if (memcmp(to, &d->mine.src, sizeof(*to)) != 0 || is_expected_elsewhere(d, &x))
		return true;
	port &= (uint16_t)~1U;
	rtp = expect_port(d, &x, port);
	if (rtp != 0 && rtp != -EALREADY)
		return refuse(d, "sip: cannot expect RTP");
	rtcp = expect_port(d, &x, (uint16_t)(port + 1));
	if (rtcp == 0 || rtcp == -EALREADY)
		return true;
	x.tuple.dst_part = __builtin_bswap16(port);
	if (rtp == 0)
		ct_expect_unlink(d->en,
				 ct_expect_find(d->en, &x.tuple, entry_at(d->en, d->number)->zone));
	return refuse(d, "sip: cannot expect RTCP");
}

/* The class of the media whose type stands at @m, and the size of its name; 0 for others. */
static uint8_t media_class(const struct dialogue *d, const struct sip_match *m, uint32_t *size)
{
	static const char *const names[] = {
		[AUDIO] = "audio ", [VIDEO] = "video ", [IMAGE] = "image "
	};

	*size = 6;
	for (uint8_t class = AUDIO; m->size >= *size && class <= IMAGE; class ++)
		if (memcmp(d->text.p + m->at, names[class], *size) == 0)
			return class;
	return 0;
}

/* process_sdp() */
static bool read_media(struct dialogue *d)
{
	enum { MOST_MEDIA = 3, LOWEST_PORT = 1024, HIGHEST_PORT = 65535 };
	union ct_addr common, own;
	bool has_common;
	struct sip_match m;

	if (ct_sdp_find(&d->text, 0, SDP_VERSION, SDP_NONE, &m) <= 0)
		return true;
	has_common = ct_sdp_addr(&d->text, m.at, &common) > 0;
	for (unsigned n = 0; n < MOST_MEDIA;) {
		uint32_t word, port;
		uint8_t class;

		if (ct_sdp_find(&d->text, m.at, SDP_MEDIA, SDP_NONE, &m) <= 0)
			break;
		class = media_class(d, &m, &word);
		if (!class) {
			m.at += m.size;
			continue;
		}
		m.at += word;
		/* No port, or one that cannot be read, is media that is switched off. */
		if (!ct_sip_number(&d->text, m.at, &port, NULL) || port == 0)
			continue;
		if (port < LOWEST_PORT || port > HIGHEST_PORT)
			return refuse(d, "sip: port of media");
		if (ct_sdp_addr(&d->text, m.at, &own) <= 0) {
			if (!has_common)
				return refuse(d, "sip: media without address");
			own = common;
		}
		if (!expect_media(d, &own, (uint16_t)port, class))
			return false;
		n++;
	}
	return true;
}

static bool read_invite(struct dialogue *d)
{
	forget_media(d);
	if (!read_media(d))
		return false;
	state(d)->invite_cseq = d->cseq;
	return true;
}

static bool read_bye(struct dialogue *d)
{
	forget_media(d);
	return true;
}

/* The answer to INVITE, UPDATE or PRACK. */
static bool read_media_answer(struct dialogue *d)
{
	if (d->code >= 100 && d->code <= 299)
		return read_media(d);
	if (state(d)->invite_cseq == d->cseq)
		forget_media(d);
	return true;
}

/* For how long a registration holds, by its own header. */
static uint32_t expiry(const struct dialogue *d)
{
	uint32_t seconds = 0;
	struct sip_match m;

	if (ct_sip_header(&d->text, 0, SIP_EXPIRES, &m) > 0)
		(void)ct_sip_number(&d->text, m.at, &seconds, NULL);
	return seconds;
}

/* process_register_request(): calls from the registrar are expected once it agrees. */
static bool read_register(struct dialogue *d)
{
	struct expect x = { .class = SIGNALLING,
			    .flags = EXPECT_PERMANENT | EXPECT_INACTIVE,
			    .gives = CT_HELPER_SIP };
	struct sip_walk walk = { 0, false };
	uint32_t seconds = expiry(d), behind;
	struct sip_uri uri;

	if (entry_at(d->en, d->number)->status & CT_STATUS_EXPECTED ||
	    !ct_sip_uri(&d->text, SIP_CONTACT, &walk, &uri))
		return true;
	behind = uri.match.at + uri.match.size;
	if (memcmp(&uri.addr, &d->mine.src, sizeof(uri.addr)) != 0 ||
	    !ct_sip_transport(&d->text, behind, d->mine.proto))
		return true;
	if (!ct_sip_parameter(&d->text, behind, "expires=", &seconds))
		return refuse(d, "sip: duration of a registration");
	x.tuple = (struct ct_tuple){ .src = d->theirs.src,
				     .dst = uri.addr,
				     .dst_part = __builtin_bswap16(uri.port),
				     .family = d->mine.family,
				     .proto = d->mine.proto };
	if (seconds != 0 && ct_expect_register(d->en, d->number, &x) < 0)
		return refuse(d, "sip: cannot expect calls");
	state(d)->register_cseq = d->cseq;
	return true;
}

/* refresh_signalling_expectation() */
static bool activate(struct dialogue *d, const struct sip_uri *uri, uint32_t seconds)
{
	uint32_t place = ct_expect_extreme(d->en, d->number, SIGNALLING_CLASS, true);
	struct expect *x = ct_expect_at(d->en, place);

	if (!place || memcmp(&x->tuple.dst, &uri->addr, sizeof(uri->addr)) != 0 ||
	    x->tuple.proto != d->mine.proto || x->tuple.dst_part != __builtin_bswap16(uri->port))
		return false;
	x->flags &= (uint8_t)~EXPECT_INACTIVE;
	ct_expect_prolong(d->en, place, seconds);
	return true;
}

/* process_register_response() */
static bool read_register_answer(struct dialogue *d)
{
	bool is_good = d->code >= 200 && d->code <= 299;
	struct sip_walk walk = { 0, false };
	uint32_t common = expiry(d);
	struct sip_uri uri;

	if (state(d)->register_cseq != d->cseq || (d->code >= 100 && d->code <= 199))
		return true;
	while (is_good && ct_sip_uri(&d->text, SIP_CONTACT, &walk, &uri)) {
		uint32_t behind = uri.match.at + uri.match.size, seconds = common;

		if (memcmp(&uri.addr, &d->mine.dst, sizeof(uri.addr)) != 0 ||
		    !ct_sip_transport(&d->text, behind, d->mine.proto))
			continue;
		if (!ct_sip_parameter(&d->text, behind, "expires=", &seconds))
			return refuse(d, "sip: duration of a registration");
		if (seconds == 0)
			break;
		if (activate(d, &uri, seconds))
			return true;
	}
	forget_signalling(d);
	return true;
}

static const struct {
	const char *method;
	handler_fn *request, *answer;
} handlers[] = {
	{ "INVITE", read_invite, read_media_answer },
	{ "UPDATE", read_media, read_media_answer },
	{ "ACK", read_media, NULL },
	{ "PRACK", read_media, read_media_answer },
	{ "BYE", read_bye, NULL },
	{ "REGISTER", read_register, read_register_answer },
};
enum { N_HANDLERS = sizeof(handlers) / sizeof(handlers[0]) };

/* The sequence number; what stands behind it is at @end. */
static bool read_cseq(struct dialogue *d, uint32_t *end)
{
	struct sip_match m;

	if (ct_sip_header(&d->text, 0, SIP_CSEQ, &m) <= 0 ||
	    !ct_sip_number(&d->text, m.at, &d->cseq, NULL))
		return refuse(d, "sip: sequence number");
	*end = m.at + m.size;
	return true;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool read_request(struct dialogue *d)
{
	const struct sip_text *t = &d->text;
	uint32_t end;

	for (unsigned i = 0; i < N_HANDLERS; i++) {
		uint32_t len = (uint32_t)strlen(handlers[i].method);

		if (t->size < len + 2 || !ct_sip_says(t, 0, handlers[i].method) ||
		    t->p[len] != ' ' || !is_letter(t->p[len + 1]))
			continue;
		return read_cseq(d, &end) && handlers[i].request(d);
	}
	return true;
}

static bool read_answer(struct dialogue *d)
{
	uint32_t end;

	if (d->text.size < SHORTEST)
		return true;
	if (!ct_sip_number(&d->text, sizeof("SIP/2.0 ") - 1, &d->code, NULL) || d->code == 0)
		return refuse(d, "sip: status of an answer");
	if (!read_cseq(d, &end))
		return false;
	for (unsigned i = 0; i < N_HANDLERS; i++)
		if (handlers[i].answer && ct_sip_says(&d->text, end + 1, handlers[i].method))
			return handlers[i].answer(d);
	return true;
}

static bool read_message(struct dialogue *d)
{
	return ct_sip_says(&d->text, 0, "SIP/2.0 ") ? read_answer(d) : read_request(d);
}

/* nf_ct_refresh() */
static void keep(struct ct_engine *en, uint32_t number)
{
	struct entry *e = entry_at(en, number);

	if (e->status & CT_STATUS_FIXED_TIMEOUT)
		return;
	if (e->status & CT_STATUS_CONFIRMED)
		ct_entry_set_deadline(en, number, en->tick + ticks(SIP_TIMEOUT_S));
	else
		e->deadline = ticks(SIP_TIMEOUT_S);
}

/* The size of the message at the beginning of a stream's bytes, with the body it announces; 0 when
 * not all of it is there. */
static uint32_t message_size(const struct sip_text *t)
{
	struct sip_match m;
	uint32_t body, at;

	if (ct_sip_header(t, 0, SIP_CONTENT_LENGTH, &m) <= 0 || !ct_sip_number(t, m.at, &body, &at))
		return 0;
	while (at + 4 <= t->size && memcmp(t->p + at, "\r\n\r\n", 4) != 0)
		at++;
	if (at + 4 > t->size || body > t->size - at - 4)
		return 0;
	return at + 4 + (uint32_t)body;
}

/* sip_help_tcp(): one message after the other. */
static bool read_stream(struct dialogue *d)
{
	struct sip_text all = d->text;

	for (;;) {
		d->text = all;
		d->text.size = message_size(&all);
		if (d->text.size == 0)
			return true;
		if (!read_message(d))
			return false;
		all.p += d->text.size;
		all.size -= d->text.size;
	}
}

bool ct_sip_help(struct ct_engine *en, struct ct_packet *p)
{
	const uint8_t *l4 = p->data + p->offset;
	uint32_t left = p->size - p->offset, header = UDP_HEADER;
	enum ct_dir dir = ct_info_dir(p->info);
	struct dialogue d = { .en = en, .p = p, .number = p->entry.number };

	if (p->proto == PROTO_TCP) {
		if (p->info != CT_INFO_ESTABLISHED && p->info != CT_INFO_ESTABLISHED_REPLY)
			return true;
		header = left >= 20 ? (l4[12] >> 4) * 4U : left;
	}
	if (header >= left)
		return true;
	keep(en, d.number);
	d.text = (struct sip_text){ (const char *)l4 + header, left - header, p->family };
	if (d.text.size < SHORTEST)
		return true;
	ct_entry_tuple(en, d.number, dir, &d.mine);
	ct_entry_tuple(en, d.number, !dir, &d.theirs);
	return p->proto == PROTO_TCP ? read_stream(&d) : read_message(&d);
}
