/* SPDX-License-Identifier: BSD-2-Clause
 *
 * See ask.h. Answers to Linux 6.18, net/ipv4/fib_frontend.c, __inet_dev_addr_type(),
 * net/netfilter/xt_addrtype.c, net/ipv4/netfilter/ipt_rpfilter.c, rpfilter_lookup_reverse(), and
 * net/ipv6/netfilter/ip6t_rpfilter.c.
 */
#include "lib/hooks/ask.h"

#include <string.h>

static bool is_at(const char *iface, const char *has)
{
	return !iface || !has || strcmp(iface, has) == 0;
}

/* One of the host's addresses, at @iface when that is given. */
static bool is_own_at(const struct ct_router *r, uint8_t family, const uint8_t *addr,
		      const char *iface)
{
	size_t size = family == CT_FAMILY_IPV6 ? 16 : 4;

	if (!ct_route_is_own(r, family, addr))
		return false;
	for (unsigned i = 0; iface && i < r->n_addrs; i++)
		if (r->addrs[i].family == family && memcmp(&r->addrs[i].addr, addr, size) == 0)
			return is_at(iface, r->addrs[i].iface);
	return !iface || strcmp(iface, "lo") == 0;
}

enum ct_addr_type ct_hooks_addr_type(const struct ct_router *r, uint8_t family, const uint8_t *addr,
				     const char *iface)
{
	static const uint8_t everyone[4] = { 255, 255, 255, 255 };

	if (is_own_at(r, family, addr, iface))
		return CT_ADDR_LOCAL;
	if (family == CT_FAMILY_IPV6)
		return addr[0] == 0xff ? CT_ADDR_MULTICAST : CT_ADDR_UNICAST;
	if (addr[0] >> 4 == 14)
		return CT_ADDR_MULTICAST;
	if (memcmp(addr, everyone, 4) == 0 || addr[0] == 0 || ct_route_is_broadcast(r, addr))
		return CT_ADDR_BROADCAST;
	return CT_ADDR_UNICAST;
}

static int entry(void *user, const struct ct_tuple *t, uint16_t zone, struct ct_entry *out)
{
	struct ct_hooks *h = user;
	struct ct_handle handle;
	enum ct_dir dir;
	int ret = ct_engine_find(h->engine, t, zone, &handle, &dir);

	return ret < 0 ? ret : ct_engine_entry(h->engine, handle, out);
}

static enum ct_addr_type addr_type(void *user, uint8_t family, const uint8_t *addr,
				   const char *iface)
{
	struct ct_hooks *h = user;

	return ct_hooks_addr_type(&h->router, family, addr, iface);
}

/* The way back to @src. Routing by marks is not known here. */
static enum ct_rule_answer reverse(void *user, uint8_t family, const uint8_t *src,
				   const uint8_t *dst, const char *iface, uint32_t mark,
				   bool is_loose, bool is_local_fine)
{
	const struct ct_router *r = &((struct ct_hooks *)user)->router;
	const struct ct_route_line *line = ct_route_find(r, family, src);

	(void)dst;
	if (mark || !iface || r->n_groups == 0)
		return CT_ANSWER_UNKNOWN;
	if (ct_route_is_own(r, family, src))
		return is_local_fine ? CT_ANSWER_YES : CT_ANSWER_NO;
	if (!line || line->kind != CT_ROUTE_UNICAST)
		return CT_ANSWER_NO;
	if (is_loose)
		return CT_ANSWER_YES;
	if (!line->iface)
		return CT_ANSWER_UNKNOWN;
	return strcmp(line->iface, iface) == 0 ? CT_ANSWER_YES : CT_ANSWER_NO;
}

void ct_hooks_ask(struct ct_hooks *h, struct ct_rule_ask *ask)
{
	*ask = (struct ct_rule_ask){ .user = h,
				     .entry = h->engine ? entry : NULL,
				     .addr_type = addr_type,
				     .reverse = reverse };
}
