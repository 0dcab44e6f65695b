/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Routing of what comes in: see route.h. Answers to Linux 6.18, ip_route_input_rcu() and
 * ip_route_input_slow() with source validation off, ip6_mc_input(), ip6_forward().
 */
#include "lib/hooks/route.h"

#include <string.h>

bool ct_route_is_own(const struct ct_router *r, uint8_t family, const uint8_t *addr)
{
	size_t size = family == CT_FAMILY_IPV6 ? 16 : 4;

	if (family == CT_FAMILY_IPV4 && addr[0] == 127)
		return true;
	for (unsigned i = 0; i < r->n_addrs; i++)
		if (r->addrs[i].family == family && memcmp(&r->addrs[i].addr, addr, size) == 0)
			return true;
	return false;
}

/* The highest address of a prefix that the machine is on: directed broadcast. */
static bool is_broadcast(const struct ct_router *r, const uint8_t *dst)
{
	uint32_t to =
		(uint32_t)dst[0] << 24 | (uint32_t)dst[1] << 16 | (uint32_t)dst[2] << 8 | dst[3];

	for (unsigned i = 0; i < r->n_addrs; i++) {
		const uint8_t *own = r->addrs[i].addr.bytes;
		uint32_t host, have;

		if (r->addrs[i].family != CT_FAMILY_IPV4 || r->addrs[i].prefix > 30)
			continue;
		host = r->addrs[i].prefix ? UINT32_MAX >> r->addrs[i].prefix : UINT32_MAX;
		have = (uint32_t)own[0] << 24 | (uint32_t)own[1] << 16 | (uint32_t)own[2] << 8 |
		       own[3];
		if (to == (have | host))
			return true;
	}
	return false;
}

static enum ct_route route_ipv4(const struct ct_router *r, const uint8_t *src, const uint8_t *dst)
{
	static const uint8_t everyone[4] = { 255, 255, 255, 255 }, nobody[4];
	static const uint8_t all_hosts[4] = { 224, 0, 0, 1 };

	if (dst[0] >> 4 == 14)
		return memcmp(dst, all_hosts, 4) == 0 ? CT_ROUTE_LOCAL : CT_ROUTE_NOWHERE;
	if (src[0] >> 4 == 14 || memcmp(src, everyone, 4) == 0)
		return CT_ROUTE_NOWHERE;
	if (memcmp(dst, everyone, 4) == 0)
		return CT_ROUTE_LOCAL;
	if (memcmp(dst, nobody, 4) == 0 && memcmp(src, nobody, 4) == 0)
		return CT_ROUTE_LOCAL;
	if (src[0] == 0 || dst[0] == 0)
		return CT_ROUTE_NOWHERE;
	if (ct_route_is_own(r, CT_FAMILY_IPV4, dst) || is_broadcast(r, dst))
		return CT_ROUTE_LOCAL;
	return r->is_forwarding ? CT_ROUTE_FORWARD : CT_ROUTE_NOWHERE;
}

static bool is_link_local(const uint8_t *addr)
{
	return addr[0] == 0xfe && (addr[1] & 0xc0) == 0x80;
}

/* The groups of all nodes; routers are also in those of all routers. */
static bool is_joined(const struct ct_router *r, const uint8_t *dst)
{
	static const uint8_t zeroes[13];

	if (memcmp(dst + 2, zeroes, 13) != 0)
		return false;
	if (dst[15] == 1)
		return dst[1] == 1 || dst[1] == 2;
	return r->is_forwarding && dst[15] == 2 && (dst[1] == 1 || dst[1] == 2 || dst[1] == 5);
}

static enum ct_route route_ipv6(const struct ct_router *r, const uint8_t *src, const uint8_t *dst)
{
	static const uint8_t nobody[16];

	if (dst[0] == 0xff)
		return is_joined(r, dst) ? CT_ROUTE_LOCAL : CT_ROUTE_NOWHERE;
	if (ct_route_is_own(r, CT_FAMILY_IPV6, dst))
		return CT_ROUTE_LOCAL;
	if (!r->is_forwarding || is_link_local(src) || is_link_local(dst) ||
	    memcmp(src, nobody, 16) == 0 || memcmp(dst, nobody, 16) == 0)
		return CT_ROUTE_NOWHERE;
	return CT_ROUTE_FORWARD;
}

enum ct_route ct_route_of(const struct ct_router *r, const struct ct_packet *p)
{
	if (p->data[0] >> 4 == 4)
		return route_ipv4(r, p->data + 12, p->data + 16);
	return route_ipv6(r, p->data + 8, p->data + 24);
}
