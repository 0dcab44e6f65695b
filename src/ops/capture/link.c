/* SPDX-License-Identifier: BSD-2-Clause
 *
 * From a frame to its IP packet, through whatever link layers stand before it.
 */
#include <string.h>

#include "ops/capture/capture.h"

enum {
	TYPE_IPV4 = 0x0800,
	TYPE_VLAN = 0x8100,
	TYPE_IPV6 = 0x86dd,
	TYPE_MPLS = 0x8847,
	TYPE_MPLS_MULTI = 0x8848,
	TYPE_PPPOE = 0x8864,
	TYPE_QINQ = 0x88a8,
	TYPE_QINQ_OLD = 0x9100,
	TYPE_QINQ_OLDER = 0x9200,
	LARGEST_LENGTH = 1500, /* below it, the field is an 802.3 length */
	PPP_IPV4 = 0x0021,
	PPP_IPV6 = 0x0057,
};

struct rest {
	const uint8_t *p;
	uint32_t size;
};

static unsigned be16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static bool skip(struct rest *r, uint32_t n)
{
	if (r->size < n)
		return false;
	r->p += n;
	r->size -= n;
	return true;
}

static const char *by_version(const struct rest *r)
{
	if (r->size > 0 && (r->p[0] >> 4 == 4 || r->p[0] >> 4 == 6))
		return NULL;
	return "not IP";
}

static const char *by_ppp(struct rest *r)
{
	unsigned protocol;

	if (r->size >= 2 && r->p[0] == 0xff && r->p[1] == 0x03)
		(void)skip(r, 2);
	if (r->size < 2)
		return "PPP header cut";
	if (r->p[0] & 1) {
		protocol = r->p[0];
		(void)skip(r, 1);
	} else {
		protocol = be16(r->p);
		(void)skip(r, 2);
	}
	return protocol == PPP_IPV4 || protocol == PPP_IPV6 ? NULL : "PPP without IP";
}

static const char *by_mpls(struct rest *r)
{
	while (r->size >= 4) {
		bool is_bottom = r->p[2] & 1;

		(void)skip(r, 4);
		if (is_bottom)
			return by_version(r);
	}
	return "MPLS label cut";
}

static const char *by_ethertype(unsigned type, struct rest *r)
{
	static const uint8_t snap[] = { 0xaa, 0xaa, 3, 0, 0, 0 };

	/* A length, then SNAP, leads to a type once. */
	if (type <= LARGEST_LENGTH && r->size >= 8 && memcmp(r->p, snap, 6) == 0) {
		type = be16(r->p + 6);
		(void)skip(r, 8);
	}
	while ((type == TYPE_VLAN || type == TYPE_QINQ || type == TYPE_QINQ_OLD ||
		type == TYPE_QINQ_OLDER) &&
	       r->size >= 4) {
		type = be16(r->p + 2);
		(void)skip(r, 4);
	}
	switch (type) {
	case TYPE_IPV4:
	case TYPE_IPV6:
		return NULL;
	case TYPE_PPPOE:
		return skip(r, 6) ? by_ppp(r) : "PPPoE header cut";
	case TYPE_MPLS:
	case TYPE_MPLS_MULTI:
		return by_mpls(r);
	default:
		return type <= LARGEST_LENGTH ? "LLC without IP" : "another network protocol";
	}
}

/* The protocol field at @type_at of a header of @header bytes says what follows. */
static const char *by_header(struct rest *r, uint32_t type_at, uint32_t header)
{
	unsigned type;

	if (r->size < header)
		return "frame shorter than its header";
	type = be16(r->p + type_at);
	(void)skip(r, header);
	return by_ethertype(type, r);
}

/* NFLOG: type-length-value in the order of the machine that wrote it, usually little-endian. */
static const char *by_nflog(struct rest *r)
{
	enum { PAYLOAD = 9 };

	if (!skip(r, 4))
		return "frame shorter than its header";
	while (r->size >= 4) {
		uint32_t size = (uint32_t)r->p[1] << 8 | r->p[0];
		unsigned type = (unsigned)r->p[3] << 8 | r->p[2];

		if (size < 4 || size > r->size)
			break;
		if (type == PAYLOAD) {
			r->p += 4;
			r->size = size - 4;
			return by_version(r);
		}
		if (!skip(r, (size + 3) & ~UINT32_C(3)))
			break;
	}
	return "NFLOG without payload";
}

static const char *by_link(uint32_t link, struct rest *r)
{
	switch (link) {
	case LINK_ETHERNET:
		return by_header(r, 12, 14);
	case LINK_LINUX_SLL:
		return by_header(r, 14, 16);
	case LINK_LINUX_SLL2:
		return by_header(r, 0, 20);
	case LINK_C_HDLC:
		return by_header(r, 2, 4);
	case LINK_RAW:
	case LINK_RAW_12:
	case LINK_RAW_14:
		return by_version(r);
	case LINK_IPV4:
	case LINK_IPV6:
		return NULL;
	case LINK_NULL:
	case LINK_LOOP:
		return skip(r, 4) ? by_version(r) : "frame shorter than its header";
	case LINK_PPP:
	case LINK_PPP_HDLC:
		return by_ppp(r);
	case LINK_PPP_PPPD:
		return skip(r, 1) ? by_ppp(r) : "frame shorter than its header";
	case LINK_PPP_ETHER:
		return skip(r, 6) ? by_ppp(r) : "frame shorter than its header";
	case LINK_NFLOG:
		return by_nflog(r);
	default:
		return "link type that is not read";
	}
}

const char *frame_ip(const struct frame *f, const uint8_t **data, uint32_t *size)
{
	struct rest r = { f->data, f->size };
	const char *why = by_link(f->link, &r);

	if (why)
		return why;
	*data = r.p;
	*size = r.size;
	return NULL;
}
