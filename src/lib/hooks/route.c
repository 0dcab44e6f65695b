/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Routing: see route.h. Answers to Linux 6.18, ip_route_input_rcu(), ip_route_input_slow(),
 * fib_validate_source(), ip_mc_validate_source(), ip_rcv_options(), ip_route_output_key_hash(),
 * ip6_route_input(), ip6_mc_input(), ip6_forward().
 */
#include <conntune/route.h>

#include <stdlib.h>
#include <string.h>

#include "lib/packet/option.h"

static size_t addr_size(uint8_t family)
{
	return family == CT_FAMILY_IPV6 ? 16 : 4;
}

/* @addr without the bits behind the prefix. */
static void mask(uint8_t *out, const uint8_t *addr, size_t size, unsigned prefix)
{
	for (size_t i = 0; i < size; i++) {
		unsigned bits = prefix > 8 * i ? prefix - 8 * (unsigned)i : 0;

		out[i] = bits >= 8 ? addr[i] : (uint8_t)(addr[i] & (0xff00u >> bits));
	}
}

static int by_place(const void *a, const void *b)
{
	const struct ct_route_line *x = a, *y = b;
	int order;

	if (x->family != y->family)
		return x->family < y->family ? -1 : 1;
	if (x->prefix != y->prefix)
		return x->prefix > y->prefix ? -1 : 1;
	order = memcmp(&x->dst, &y->dst, addr_size(x->family));
	if (order != 0)
		return order;
	if (x->metric != y->metric)
		return x->metric < y->metric ? -1 : 1;
	return (x->number > y->number) - (x->number < y->number);
}

void ct_router_sort(struct ct_router *r, struct ct_route_line *lines, unsigned n)
{
	struct ct_route_group *g = NULL;

	for (unsigned i = 0; i < n; i++) {
		mask(lines[i].dst.bytes, lines[i].dst.bytes, addr_size(lines[i].family),
		     lines[i].prefix);
		lines[i].number = i;
	}
	if (n > 0)
		qsort(lines, n, sizeof(*lines), by_place);
	r->lines = lines;
	r->n_groups = 0;
	for (unsigned i = 0; i < n; i++) {
		if (!g || g->family != lines[i].family || g->prefix != lines[i].prefix) {
			g = &r->groups[r->n_groups++];
			*g = (struct ct_route_group){ i, 0, lines[i].family, lines[i].prefix };
		}
		g->n++;
	}
}

static const struct ct_route_line *group_find(const struct ct_router *r,
					      const struct ct_route_group *g, const uint8_t *addr)
{
	const struct ct_route_line *lines = r->lines + g->first;
	size_t size = addr_size(g->family);
	uint32_t low = 0, high = g->n;
	uint8_t net[16];

	mask(net, addr, size, g->prefix);
	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (memcmp(&lines[middle].dst, net, size) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < g->n && memcmp(&lines[low].dst, net, size) == 0 ? &lines[low] : NULL;
}

const struct ct_route_line *ct_route_find(const struct ct_router *r, uint8_t family,
					  const uint8_t *addr)
{
	for (unsigned i = 0; i < r->n_groups; i++) {
		const struct ct_route_line *found =
			r->groups[i].family == family ? group_find(r, &r->groups[i], addr) : NULL;

		if (found)
			return found;
	}
	return NULL;
}

static bool has_routes(const struct ct_router *r, uint8_t family)
{
	for (unsigned i = 0; i < r->n_groups; i++)
		if (r->groups[i].family == family)
			return true;
	return false;
}

bool ct_route_is_own(const struct ct_router *r, uint8_t family, const uint8_t *addr)
{
	static const uint8_t loopback6[16] = { [15] = 1 }, loopback4[4] = { 127, 0, 0, 1 };
	const struct ct_route_line *line;

	/* Without rules of policy routing the local table and the main one are one trie, in which
	 * a longer prefix than loopback's wins. */
	if (family == CT_FAMILY_IPV4 && addr[0] == 127) {
		line = ct_route_find(r, family, addr);
		return !line || line->kind != CT_ROUTE_UNICAST || line->prefix <= 8 ||
		       memcmp(addr, loopback4, 4) == 0;
	}
	if (family == CT_FAMILY_IPV6 && memcmp(addr, loopback6, 16) == 0)
		return true;
	for (unsigned i = 0; i < r->n_addrs; i++)
		if (r->addrs[i].family == family &&
		    memcmp(&r->addrs[i].addr, addr, addr_size(family)) == 0)
			return true;
	line = ct_route_find(r, family, addr);
	return line && line->kind == CT_ROUTE_TO_SELF;
}

bool ct_route_is_broadcast(const struct ct_router *r, const uint8_t *addr)
{
	uint32_t to = (uint32_t)addr[0] << 24 | (uint32_t)addr[1] << 16 | (uint32_t)addr[2] << 8 |
		      addr[3];
	const struct ct_route_line *line;

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
	line = ct_route_find(r, CT_FAMILY_IPV4, addr);
	return line && line->kind == CT_ROUTE_BROADCAST;
}

/* fib_validate_source(): the machine has a way back, by the right interface. */
static bool is_source_valid(const struct ct_router *r, const uint8_t *src, const char *in)
{
	const struct ct_route_line *back;

	if (in && strcmp(in, "lo") == 0)
		return true;
	if (ct_route_is_own(r, CT_FAMILY_IPV4, src))
		return !r->refuses_martians;
	if (r->rp_filter == CT_RP_OFF || !has_routes(r, CT_FAMILY_IPV4))
		return true;
	back = ct_route_find(r, CT_FAMILY_IPV4, src);
	if (!back || back->kind != CT_ROUTE_UNICAST)
		return false;
	return r->rp_filter == CT_RP_LOOSE || !in || !back->iface || strcmp(back->iface, in) == 0;
}

static enum ct_route only_if(bool is_valid, enum ct_route route)
{
	return is_valid ? route : CT_ROUTE_NOWHERE;
}

/* A unicast destination that is not the machine's own. */
static enum ct_route reach(const struct ct_router *r, uint8_t family, const uint8_t *dst,
			   const char **out)
{
	const struct ct_route_line *line = ct_route_find(r, family, dst);

	if (!line)
		return has_routes(r, family) ? CT_ROUTE_NOWHERE : CT_ROUTE_FORWARD;
	*out = line->iface;
	return line->kind == CT_ROUTE_UNICAST ? CT_ROUTE_FORWARD : CT_ROUTE_NOWHERE;
}

static const uint8_t everyone4[4] = { 255, 255, 255, 255 }, nobody[16];

/* ipv4_is_zeronet(): of 0.0.0.0/8 only the first address. */
static bool is_nobody4(const uint8_t *addr)
{
	return memcmp(addr, nobody, 4) == 0;
}

/* Groups are looked at before anything else: ip_route_input_rcu(), ip_mc_validate_source(). */
static enum ct_route input_group4(const struct ct_router *r, const uint8_t *src, const uint8_t *dst,
				  const char *in)
{
	static const uint8_t all_hosts[4] = { 224, 0, 0, 1 };

	if (memcmp(dst, all_hosts, 4) != 0)
		return CT_ROUTE_NOWHERE;
	return only_if(is_nobody4(src) || is_source_valid(r, src, in), CT_ROUTE_LOCAL);
}

static enum ct_route input_ipv4(const struct ct_router *r, const uint8_t *src, const uint8_t *dst,
				const char *in, const char **out)
{
	bool is_from_lo = in && strcmp(in, "lo") == 0;

	if (src[0] >> 4 == 14 || memcmp(src, everyone4, 4) == 0)
		return CT_ROUTE_NOWHERE;
	if (dst[0] >> 4 == 14)
		return input_group4(r, src, dst, in);
	if (memcmp(dst, everyone4, 4) == 0)
		return only_if(is_nobody4(src) || is_source_valid(r, src, in), CT_ROUTE_LOCAL);
	if (is_nobody4(dst) && is_nobody4(src))
		return CT_ROUTE_LOCAL;
	if (is_nobody4(src) || is_nobody4(dst))
		return CT_ROUTE_NOWHERE;
	if (r->refuses_martians && !is_from_lo && (dst[0] == 127 || src[0] == 127))
		return CT_ROUTE_NOWHERE;
	if (ct_route_is_own(r, CT_FAMILY_IPV4, dst) || ct_route_is_broadcast(r, dst))
		return only_if(is_source_valid(r, src, in), CT_ROUTE_LOCAL);
	if (!r->is_forwarding || !is_source_valid(r, src, in))
		return CT_ROUTE_NOWHERE;
	return reach(r, CT_FAMILY_IPV4, dst, out);
}

static bool is_link_local(const uint8_t *addr)
{
	return addr[0] == 0xfe && (addr[1] & 0xc0) == 0x80;
}

/* The groups of all nodes; routers are also in those of all routers. */
static bool is_joined(const struct ct_router *r, const uint8_t *dst)
{
	if (memcmp(dst + 2, nobody, 13) != 0)
		return false;
	if (dst[15] == 1)
		return dst[1] == 1 || dst[1] == 2;
	return r->is_forwarding && dst[15] == 2 && (dst[1] == 1 || dst[1] == 2 || dst[1] == 5);
}

/* Link-local destinations are looked for among the routes of the interface the packet came by. */
static enum ct_route reach_on_link(const struct ct_router *r, const uint8_t *dst, const char *in,
				   const char **out)
{
	const struct ct_route_line *line = NULL;

	for (unsigned i = 0; in && i < r->n_groups && !line; i++) {
		if (r->groups[i].family != CT_FAMILY_IPV6)
			continue;
		line = group_find(r, &r->groups[i], dst);
		if (line && (!line->iface || strcmp(line->iface, in) != 0))
			line = NULL;
	}
	if (!line || line->kind != CT_ROUTE_UNICAST)
		return CT_ROUTE_NOWHERE;
	*out = in;
	return CT_ROUTE_FORWARD;
}

/* A packet that leaves by the interface it came by only deserves a redirect; of others, sources
 * that mean nothing beyond their link are refused. */
static enum ct_route forward6(const struct ct_router *r, const uint8_t *src, const uint8_t *dst,
			      const char *in, const char **out)
{
	enum ct_route route = is_link_local(dst) ? reach_on_link(r, dst, in, out)
						 : reach(r, CT_FAMILY_IPV6, dst, out);
	bool turns_back = in && *out && strcmp(in, *out) == 0;

	if (!turns_back && (is_link_local(src) || memcmp(src, nobody, 16) == 0))
		return CT_ROUTE_NOWHERE;
	return route;
}

static enum ct_route input_ipv6(const struct ct_router *r, const uint8_t *src, const uint8_t *dst,
				const char *in, const char **out)
{
	if (dst[0] == 0xff)
		return is_joined(r, dst) ? CT_ROUTE_LOCAL : CT_ROUTE_NOWHERE;
	if (ct_route_is_own(r, CT_FAMILY_IPV6, dst))
		return CT_ROUTE_LOCAL;
	if (!r->is_forwarding || memcmp(dst, nobody, 16) == 0)
		return CT_ROUTE_NOWHERE;
	return forward6(r, src, dst, in, out);
}

void ct_route_in(const struct ct_router *r, const struct ct_packet *p, const char *in,
		 struct ct_routed *out)
{
	*out = (struct ct_routed){ CT_ROUTE_NOWHERE, NULL };
	if (p->data[0] >> 4 == 6)
		out->route = input_ipv6(r, p->data + 8, p->data + 24, in, &out->out);
	else if (ct_options_are_fine(p->data, (p->data[0] & 15U) * 4))
		out->route = input_ipv4(r, p->data + 12, p->data + 16, in, &out->out);
}

void ct_route_out(const struct ct_router *r, const struct ct_packet *p, struct ct_routed *out)
{
	bool is_v6 = p->data[0] >> 4 == 6;
	uint8_t family = is_v6 ? CT_FAMILY_IPV6 : CT_FAMILY_IPV4;
	const uint8_t *dst = p->data + (is_v6 ? 24 : 16);

	*out = (struct ct_routed){ CT_ROUTE_LOCAL, "lo" };
	/* ip_route_output_key_hash_rcu(): to nobody is to oneself. */
	if (ct_route_is_own(r, family, dst) || (!is_v6 && is_nobody4(dst)))
		return;
	out->out = NULL;
	out->route = reach(r, family, dst, &out->out);
	/* Groups and broadcasts leave by the interface of their route, or by some interface. */
	if (is_v6 ? dst[0] == 0xff || is_link_local(dst)
		  : dst[0] >> 4 == 14 || memcmp(dst, everyone4, 4) == 0 ||
			    ct_route_is_broadcast(r, dst))
		out->route = CT_ROUTE_FORWARD;
}
