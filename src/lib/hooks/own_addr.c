/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Which of its own addresses a machine puts into a packet. Answers to Linux 6.18,
 * net/ipv4/devinet.c, inet_select_addr(); net/ipv6/addrconf.c, ipv6_dev_get_saddr();
 * net/netfilter/nf_nat_redirect.c.
 */
#include <string.h>

#include "lib/hooks/walk.h"

static bool is_on(const struct ct_route_addr *a, uint8_t family, const char *iface)
{
	return a->family == family && a->iface && strcmp(a->iface, iface) == 0;
}

/* How many bits two addresses begin with alike. */
static unsigned common_bits(const uint8_t *a, const uint8_t *b, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		if (a[i] != b[i])
			return 8 * i + (unsigned)__builtin_clz((unsigned)(a[i] ^ b[i])) - 24;
	return 8 * size;
}

/* Another address of the same subnet came first: IFA_F_SECONDARY. */
static bool is_secondary(const struct ct_router *r, unsigned n)
{
	const struct ct_route_addr *a = &r->addrs[n];

	for (unsigned i = 0; i < n; i++)
		if (is_on(&r->addrs[i], a->family, a->iface) && r->addrs[i].prefix == a->prefix &&
		    common_bits(r->addrs[i].addr.bytes, a->addr.bytes, 4) >= a->prefix)
			return true;
	return false;
}

/* Of the subnet that @hop is in, else the first; 127.0.0.0/8 is of no use outside. */
static const struct ct_route_addr *select4(const struct ct_router *r, const char *iface,
					   const uint8_t *hop)
{
	const struct ct_route_addr *first = NULL;

	for (unsigned i = 0; i < r->n_addrs; i++) {
		const struct ct_route_addr *a = &r->addrs[i];

		if (!is_on(a, CT_FAMILY_IPV4, iface) || a->addr.bytes[0] == 127 ||
		    is_secondary(r, i))
			continue;
		if (!hop || common_bits(a->addr.bytes, hop, 4) >= a->prefix)
			return a;
		if (!first)
			first = a;
	}
	return first;
}

/* An interface without addresses borrows those of the others. */
static const struct ct_route_addr *select4_anywhere(const struct ct_router *r)
{
	for (unsigned i = 0; i < r->n_addrs; i++)
		if (r->addrs[i].family == CT_FAMILY_IPV4 && r->addrs[i].iface &&
		    r->addrs[i].addr.bytes[0] != 127)
			return &r->addrs[i];
	return NULL;
}

static bool is_link_local(const uint8_t *addr)
{
	return addr[0] == 0xfe && (addr[1] & 0xc0) == 0x80;
}

/* RFC 6724 as far as addresses alone tell: scope, interface, then the longest common prefix. */
static const struct ct_route_addr *select6(const struct ct_router *r, const char *iface,
					   const uint8_t *dst)
{
	const struct ct_route_addr *best = NULL;
	unsigned best_score = 0;

	for (unsigned i = 0; i < r->n_addrs; i++) {
		const struct ct_route_addr *a = &r->addrs[i];
		unsigned score, bits;

		if (a->family != CT_FAMILY_IPV6 || !a->iface)
			continue;
		bits = common_bits(a->addr.bytes, dst, 16);
		score = 1024u * (is_link_local(a->addr.bytes) == is_link_local(dst)) +
			512u * (strcmp(a->iface, iface) == 0) +
			(bits < a->prefix ? bits : a->prefix) + 1;
		if (is_link_local(dst) && strcmp(a->iface, iface) != 0)
			continue;
		/* Of equals, the kernel meets the latest first. */
		if (score >= best_score) {
			best = a;
			best_score = score;
		}
	}
	return best;
}

static bool give(const struct ct_route_addr *a, union ct_addr *out)
{
	if (a)
		*out = a->addr;
	return a;
}

bool ct_own_addr_masquerade(const struct ct_router *r, uint8_t family, const char *iface,
			    const uint8_t *hop, union ct_addr *out)
{
	const struct ct_route_addr *a;

	if (family == CT_FAMILY_IPV6)
		return give(select6(r, iface, hop), out);
	a = select4(r, iface, hop);
	return give(a ? a : select4_anywhere(r), out);
}

bool ct_own_addr_redirect(const struct ct_router *r, uint8_t family, const char *iface,
			  const uint8_t *dst, union ct_addr *out)
{
	const struct ct_route_addr *found = NULL;

	for (unsigned i = 0; i < r->n_addrs; i++) {
		const struct ct_route_addr *a = &r->addrs[i];
		bool is_local = is_link_local(a->addr.bytes);

		if (!is_on(a, family, iface))
			continue;
		if (family == CT_FAMILY_IPV4)
			return give(a, out);
		if (is_link_local(dst) && !is_local)
			continue;
		/* The kernel's list has the widest scope first, and in it the latest. */
		if (!found || !is_local || is_link_local(found->addr.bytes))
			found = a;
	}
	return give(found, out);
}
