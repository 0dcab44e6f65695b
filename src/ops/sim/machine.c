/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The machine in the middle: see machine.h.
 */
#include "ops/sim/machine.h"

#include <conntune/entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/number.h"

enum { IFACE_SIZE = 16 }; /* IFNAMSIZ */

void sim_machine_init(struct sim_machine *m)
{
	*m = (struct sim_machine){ .router.is_forwarding = true };
}

void sim_machine_fini(struct sim_machine *m)
{
	free(m->addrs);
	free(m->routes.at);
	free(m->inside.at);
	free(m->ifaces);
	ct_arena_fini(&m->names);
	*m = (struct sim_machine){ .n_addrs = 0 };
}

/* Makes room for one more of @size bytes, twice as many each time. */
static int grow(void **at, unsigned n, unsigned *room, size_t size, unsigned max)
{
	unsigned more = *room ? *room * 2 : 16;
	void *p;

	if (n < *room)
		return 0;
	if (n >= max)
		return -E2BIG;
	p = realloc(*at, more * size);
	if (!p)
		return -ENOMEM;
	*at = p;
	*room = more;
	return 0;
}

static const char *iface_find(const struct sim_machine *m, const char *name, size_t len)
{
	for (unsigned i = 0; i < m->n_ifaces; i++)
		if (strlen(m->ifaces[i]) == len && memcmp(m->ifaces[i], name, len) == 0)
			return m->ifaces[i];
	return NULL;
}

const char *sim_machine_iface(struct sim_machine *m, const char *name, size_t len)
{
	const char *known = iface_find(m, name, len);
	void *at = m->ifaces;

	if (known || len == 0 || len >= IFACE_SIZE)
		return known;
	if (grow(&at, m->n_ifaces, &m->room_ifaces, sizeof(*m->ifaces), SIM_MAX_IFACES) < 0)
		return NULL;
	m->ifaces = at;
	known = ct_arena_copy(&m->names, name, len);
	if (known)
		m->ifaces[m->n_ifaces++] = known;
	return known;
}

bool sim_machine_has_iface(const struct sim_machine *m, const char *name)
{
	return iface_find(m, name, strlen(name)) != NULL;
}

/* "ADDR" or "ADDR/LEN". */
static int read_net(const char *text, size_t len, union ct_addr *addr, uint8_t *family,
		    uint8_t *prefix, struct ct_err *err)
{
	const char *slash = memchr(text, '/', len);
	size_t addr_len = slash ? (size_t)(slash - text) : len;
	uint64_t bits;

	memset(addr, 0, sizeof(*addr));
	if (ct_addr_parse(text, addr_len, addr, family) < 0)
		return ct_err_set(err, -EINVAL, "'%.*s' is no address", (int)addr_len, text);
	bits = *family == CT_FAMILY_IPV6 ? 128 : 32;
	if (slash && ct_number_u64(slash + 1, len - addr_len - 1, bits, &bits) < 0)
		return ct_err_set(err, -EINVAL, "'%.*s' has no such prefix", (int)len, text);
	*prefix = (uint8_t)bits;
	return 0;
}

/* The name of @iface in the machine; null stays null. */
static int keep_iface(struct sim_machine *m, const char *iface, size_t len, const char **out,
		      struct ct_err *err)
{
	*out = iface ? sim_machine_iface(m, iface, len) : NULL;
	if (iface && !*out)
		return ct_err_set(err, -EINVAL, "'%.*s' is no name of an interface", (int)len,
				  iface);
	return 0;
}

static int lines_add(struct sim_lines *l, const struct ct_route_line *line, struct ct_err *err)
{
	void *at = l->at;
	int r = grow(&at, l->n, &l->room, sizeof(*line), SIM_MAX_ROUTES);

	if (r < 0)
		return ct_err_set(err, r, r == -E2BIG ? "more than a million routes" : "no memory");
	l->at = at;
	l->at[l->n++] = *line;
	return 0;
}

/* The kernel adds a route to what is on the link; any other to the same prefix counts more. */
static int add_link(struct sim_machine *m, const struct ct_route_addr *a, struct ct_err *err)
{
	struct ct_route_line line = { .dst = a->addr,
				      .family = a->family,
				      .prefix = a->prefix,
				      .metric = UINT32_MAX,
				      .iface = a->iface };

	if (!a->iface || a->prefix == (a->family == CT_FAMILY_IPV6 ? 128 : 32))
		return 0;
	return lines_add(&m->routes, &line, err);
}

int sim_machine_addr(struct sim_machine *m, const char *text, struct ct_err *err)
{
	const char *equals = strchr(text, '='), *addr = equals ? equals + 1 : text;
	struct ct_route_addr a = { .prefix = 0 };
	void *at = m->addrs;
	int r = read_net(addr, strlen(addr), &a.addr, &a.family, &a.prefix, err);

	if (r == 0)
		r = keep_iface(m, equals ? text : NULL, (size_t)(addr - text) - (equals ? 1 : 0),
			       &a.iface, err);
	if (r == 0) {
		r = grow(&at, m->n_addrs, &m->room_addrs, sizeof(a), SIM_MAX_ADDRS);
		if (r < 0)
			return ct_err_set(err, r, "too many addresses");
		m->addrs = at;
		m->addrs[m->n_addrs++] = a;
		r = add_link(m, &a, err);
	}
	return r;
}

int sim_machine_route(struct sim_machine *m, const struct sim_route *route, struct ct_err *err)
{
	struct ct_route_line line = { .metric = route->metric, .kind = (uint8_t)route->kind };
	uint8_t family, prefix;
	int r = 0;

	if (strcmp(route->dst, "default") == 0)
		line.family = CT_FAMILY_IPV4;
	else if (strcmp(route->dst, "default6") == 0)
		line.family = CT_FAMILY_IPV6;
	else
		r = read_net(route->dst, strlen(route->dst), &line.dst, &line.family, &line.prefix,
			     err);
	if (r == 0 && route->source) {
		r = read_net(route->source, strlen(route->source), &line.source, &family, &prefix,
			     err);
		line.has_source = true;
	}
	if (r == 0)
		r = keep_iface(m, route->iface, route->iface ? strlen(route->iface) : 0,
			       &line.iface, err);
	/* The highest one is kept for what nobody named. */
	if (line.metric == UINT32_MAX)
		line.metric--;
	return r < 0 ? r : lines_add(&m->routes, &line, err);
}

int sim_machine_inside(struct sim_machine *m, const char *net, struct ct_err *err)
{
	struct ct_route_line line = { .metric = 0 };
	int r = read_net(net, strlen(net), &line.dst, &line.family, &line.prefix, err);

	return r < 0 ? r : lines_add(&m->inside, &line, err);
}

/* A family of which only links are known reaches everything else as well, by the only interface if
 * there is but one. */
static void add_rest(struct sim_machine *m, uint8_t family)
{
	struct ct_route_line rest = { .family = family, .metric = UINT32_MAX };
	bool has_links = false;

	for (unsigned i = 0; i < m->routes.n; i++) {
		if (m->routes.at[i].family != family)
			continue;
		if (m->routes.at[i].metric != UINT32_MAX)
			return;
		has_links = true;
	}
	rest.iface = m->n_ifaces == 1 ? m->ifaces[0] : NULL;
	if (has_links || rest.iface)
		(void)lines_add(&m->routes, &rest, NULL);
}

void sim_machine_ready(struct sim_machine *m)
{
	add_rest(m, CT_FAMILY_IPV4);
	add_rest(m, CT_FAMILY_IPV6);
	m->router.addrs = m->addrs;
	m->router.n_addrs = m->n_addrs;
	ct_router_sort(&m->router, m->routes.at, m->routes.n);
	ct_router_sort(&m->inside_router, m->inside.at, m->inside.n);
}

/* An address that is nobody's in particular. */
static bool is_group(uint8_t family, const uint8_t *addr)
{
	static const uint8_t nobody[16], everyone[4] = { 255, 255, 255, 255 };

	if (family == CT_FAMILY_IPV6)
		return addr[0] == 0xff || memcmp(addr, nobody, 16) == 0;
	return addr[0] >> 4 == 14 || memcmp(addr, nobody, 4) == 0 || memcmp(addr, everyone, 4) == 0;
}

static bool is_inside(const struct sim_machine *m, uint8_t family, const uint8_t *addr)
{
	return ct_route_find(&m->inside_router, family, addr) != NULL;
}

/* On the wire, only addresses that the host was given are its own; loopback's stay on lo. */
static bool is_sender(const struct sim_machine *m, uint8_t family, const uint8_t *src,
		      const char *iface)
{
	static const uint8_t loopback6[16] = { [15] = 1 };
	bool is_loopback =
		family == CT_FAMILY_IPV4 ? src[0] == 127 : memcmp(src, loopback6, 16) == 0;

	if (!ct_route_is_own(&m->router, family, src))
		return false;
	if (!is_loopback || !iface || strcmp(iface, "lo") == 0)
		return true;
	for (unsigned i = 0; i < m->router.n_addrs; i++)
		if (m->router.addrs[i].family == family &&
		    memcmp(&m->router.addrs[i].addr, src, family == CT_FAMILY_IPV4 ? 4 : 16) == 0)
			return true;
	return false;
}

bool sim_machine_way(const struct sim_machine *m, const struct ct_packet *p, const char *captured,
		     const char **in)
{
	bool is_v6 = p->data[0] >> 4 == 6;
	uint8_t family = is_v6 ? CT_FAMILY_IPV6 : CT_FAMILY_IPV4;
	const uint8_t *src = p->data + (is_v6 ? 8 : 12), *dst = p->data + (is_v6 ? 24 : 16);
	const struct ct_route_line *back;

	*in = captured ? iface_find(m, captured, strlen(captured)) : NULL;
	if (m->is_host && is_sender(m, family, src, *in)) {
		*in = NULL;
		return true;
	}
	if (*in)
		return false;
	if (m->in_dev && m->out_dev) {
		bool is_in = is_inside(m, family, src) ||
			     (is_group(family, src) && !is_inside(m, family, dst));

		*in = is_in ? m->in_dev : m->out_dev;
		return false;
	}
	back = ct_route_find(&m->router, family, src);
	*in = m->out_dev ? m->out_dev : back ? back->iface : captured;
	return false;
}
