/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Kinds of values that are addresses, ports and protocols. Answers to iptables 1.8.9,
 * libxtables/xtables.c, libxt_multiport.c, libxt_iprange.c, libxt_NAT.c.
 */
#include <conntune/entry.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "lib/base/number.h"
#include "lib/ruleset/ext.h"

#define MAX_LIST_PORTS 15 /* XT_MULTI_PORTS */

/* Names ------------------------------------------------------------------------------------- */

static const struct service {
	const char *name;
	uint16_t port;
} services[] = {
#define SERVICE(name, port) { name, port },
#include "lib/ruleset/service.def"
#undef SERVICE
};

static const struct protocol {
	const char *name;
	uint8_t number;
} protocols[] = {
#define PROTOCOL(name, number) { name, number },
#include "lib/ruleset/protocol.def"
#undef PROTOCOL
};

#define N_OF(list) (sizeof(list) / sizeof((list)[0]))

int ct_rule_proto_number(const char *s)
{
	uint64_t v;

	if (ct_kind_number(s, strlen(s), UINT8_MAX, &v) == 0)
		return (int)v;
	if (strcasecmp(s, "all") == 0)
		return 0;
	for (size_t i = 0; i < N_OF(protocols); i++)
		if (strcasecmp(protocols[i].name, s) == 0)
			return protocols[i].number;
	return -1;
}

const char *ct_rule_proto_name(uint8_t proto)
{
	for (size_t i = 0; i < N_OF(protocols); i++)
		if (protocols[i].number == proto)
			return protocols[i].name;
	return NULL;
}

int ct_kind_port(const char *s, size_t len, uint16_t *out)
{
	uint64_t v;

	if (ct_kind_number(s, len, UINT16_MAX, &v) == 0) {
		*out = (uint16_t)v;
		return 0;
	}
	if (len == 0 || (s[0] >= '0' && s[0] <= '9') || s[0] == '!')
		return -EINVAL;
	for (size_t i = 0; i < N_OF(services); i++)
		if (strlen(services[i].name) == len && memcmp(services[i].name, s, len) == 0) {
			*out = services[i].port;
			return 0;
		}
	return -ENOENT;
}

int ct_kind_protocol(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	int number = ct_rule_proto_number(arg[0]);
	struct ct_text t;
	char s[8];

	if (number < 0)
		return -EINVAL;
	o->n[0] = (uint32_t)number;
	ct_text_init(&t, s, sizeof(s));
	ct_text_u64(&t, o->n[0]);
	return ct_kind_keep(r, o, s);
}

/* Ports ------------------------------------------------------------------------------------- */

static void put_ports(struct ct_text *t, unsigned from, unsigned to, char mark)
{
	ct_text_u64(t, from);
	if (from != to) {
		ct_text_char(t, mark);
		ct_text_u64(t, to);
	}
}

static int read_ports(const char *s, size_t len, char mark, uint16_t *from, uint16_t *to)
{
	const char *at = memchr(s, mark, len);
	int ret = 0, also = 0;

	*from = 0;
	*to = UINT16_MAX;
	if (!at) {
		ret = ct_kind_port(s, len, from);
		*to = *from;
		return ret;
	}
	if (at > s)
		ret = ct_kind_port(s, (size_t)(at - s), from);
	if (at + 1 < s + len)
		also = ct_kind_port(at + 1, (size_t)(s + len - at - 1), to);
	if (ret == 0)
		ret = also;
	return ret == 0 && *from > *to ? -EINVAL : ret;
}

static int ports(struct ct_reading *r, const char *s, char mark, struct ct_rule_option *o)
{
	uint16_t from, to;
	struct ct_text t;
	char out[16];
	int ret = read_ports(s, strlen(s), mark, &from, &to);

	if (ret < 0)
		return ret;
	o->n[0] = from;
	o->n[1] = to;
	ct_text_init(&t, out, sizeof(out));
	put_ports(&t, from, to, mark);
	return ct_kind_keep(r, o, out);
}

int ct_kind_ports(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	return ports(r, arg[0], ':', o);
}

int ct_kind_port_number(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	return strchr(arg[0], ':') ? -EINVAL : ports(r, arg[0], ':', o);
}

int ct_kind_to_ports(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	return ports(r, arg[0], '-', o);
}

int ct_kind_port_list(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	uint16_t(*list)[2] = ct_arena_get(&r->rs->arena, MAX_LIST_PORTS * sizeof(*list));
	unsigned n = 0, used = 0;
	const char *s = arg[0];
	struct ct_text t;
	char out[256];

	if (!list)
		return -ENOMEM;
	ct_text_init(&t, out, sizeof(out));
	for (;;) {
		size_t len = strcspn(s, ",");
		int ret;

		if (n == MAX_LIST_PORTS)
			return -EINVAL;
		ret = read_ports(s, len, ':', &list[n][0], &list[n][1]);
		if (ret < 0)
			return ret;
		used += memchr(s, ':', len) ? 2 : 1;
		if (used > MAX_LIST_PORTS)
			return -EINVAL;
		if (n > 0)
			ct_text_char(&t, ',');
		put_ports(&t, list[n][0], list[n][1], ':');
		n++;
		s += len;
		if (!*s++)
			break;
	}
	o->n[0] = n;
	o->ports = (const uint16_t(*)[2])list;
	return ct_kind_keep(r, o, out);
}

/* Addresses --------------------------------------------------------------------------------- */

static unsigned addr_size(uint8_t family)
{
	return family == CT_FAMILY_IPV6 ? 16 : 4;
}

/* An address; IPv4 also with less than four parts, which the rest of zeroes follows:
 * xtables_numeric_to_ipaddr(). */
static int read_addr(uint8_t family, const char *s, size_t len, union ct_addr *out)
{
	char full[48];
	uint8_t found;
	int dots = 0;

	if (len == 0 || len >= 40)
		return -EINVAL;
	memcpy(full, s, len);
	full[len] = '\0';
	for (size_t i = 0; i < len; i++)
		dots += full[i] == '.';
	if (family == CT_FAMILY_IPV4 && full[0] >= '0' && full[0] <= '9')
		for (; dots < 3; dots++)
			strcat(full, ".0");
	*out = (union ct_addr){ 0 };
	if (ct_addr_parse(full, strlen(full), out, &found) < 0 || found != family)
		return -EINVAL;
	return 0;
}

static void mask_of_len(unsigned len, union ct_addr *mask)
{
	*mask = (union ct_addr){ 0 };
	for (unsigned i = 0; i < len; i++)
		mask->bytes[i / 8] = (uint8_t)(mask->bytes[i / 8] | 0x80 >> i % 8);
}

int ct_kind_network(uint8_t family, const char *s, union ct_addr *addr, union ct_addr *mask)
{
	const char *slash = strchr(s, '/');
	uint64_t bits;

	if (read_addr(family, s, slash ? (size_t)(slash - s) : strlen(s), addr) < 0)
		return -EINVAL;
	if (!slash)
		mask_of_len(8 * addr_size(family), mask);
	else if (ct_number_u64(slash + 1, strlen(slash + 1), 8 * addr_size(family), &bits) == 0)
		mask_of_len((unsigned)bits, mask);
	else if (!strpbrk(slash + 1, ".:") ||
		 read_addr(family, slash + 1, strlen(slash + 1), mask) < 0)
		return -EINVAL;
	for (unsigned i = 0; i < 16; i++)
		addr->bytes[i] &= mask->bytes[i];
	return 0;
}

int ct_kind_mask_len(uint8_t family, const union ct_addr *mask)
{
	int len = 0;
	union ct_addr same;

	while (len < (int)(8 * addr_size(family)) && mask->bytes[len / 8] & 0x80 >> len % 8)
		len++;
	mask_of_len((unsigned)len, &same);
	return memcmp(&same, mask, addr_size(family)) == 0 ? len : -1;
}

void ct_kind_put_mask(struct ct_text *to, uint8_t family, const union ct_addr *mask)
{
	int len = ct_kind_mask_len(family, mask);

	if (len >= 0)
		ct_text_u64(to, (uint64_t)len);
	else
		ct_addr_format(mask, family, false, to);
}

static int keep_network(struct ct_reading *r, struct ct_rule_option *o, bool is_whole)
{
	uint8_t family = r->rs->family;
	struct ct_text t;
	char s[96];

	ct_text_init(&t, s, sizeof(s));
	ct_addr_format(&o->addr, family, false, &t);
	if (is_whole || ct_kind_mask_len(family, &o->to) != (int)(8 * addr_size(family))) {
		ct_text_char(&t, '/');
		ct_kind_put_mask(&t, family, &o->to);
	}
	return ct_kind_keep(r, o, s);
}

int ct_kind_net(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	if (ct_kind_network(r->rs->family, arg[0], &o->addr, &o->to) < 0)
		return -EINVAL;
	return keep_network(r, o, false);
}

int ct_kind_to_network(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	if (ct_kind_network(r->rs->family, arg[0], &o->addr, &o->to) < 0)
		return -EINVAL;
	return keep_network(r, o, true);
}

int ct_kind_address(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	if (strchr(arg[0], '/') || ct_kind_network(r->rs->family, arg[0], &o->addr, &o->to) < 0)
		return -EINVAL;
	return keep_network(r, o, false);
}

int ct_kind_address_range(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	uint8_t family = r->rs->family;
	const char *dash = strchr(arg[0], '-');
	struct ct_text t;
	char s[96];

	if (read_addr(family, arg[0], dash ? (size_t)(dash - arg[0]) : strlen(arg[0]), &o->addr) <
	    0)
		return -EINVAL;
	o->to = o->addr;
	if (dash && read_addr(family, dash + 1, strlen(dash + 1), &o->to) < 0)
		return -EINVAL;
	if (memcmp(&o->addr, &o->to, 16) > 0)
		return -EINVAL;
	ct_text_init(&t, s, sizeof(s));
	ct_addr_format(&o->addr, family, false, &t);
	ct_text_char(&t, '-');
	ct_addr_format(&o->to, family, false, &t);
	return ct_kind_keep(r, o, s);
}

int ct_kind_dotted_mask(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	struct ct_text t;
	char s[48];

	if (read_addr(r->rs->family, arg[0], strlen(arg[0]), &o->addr) < 0)
		return -EINVAL;
	ct_text_init(&t, s, sizeof(s));
	ct_addr_format(&o->addr, r->rs->family, false, &t);
	return ct_kind_keep(r, o, s);
}

int ct_kind_mac(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	const char *s = arg[0];
	uint8_t *b = o->addr.bytes;
	char out[18];
	struct ct_text t;

	for (unsigned i = 0; i < 6; i++) {
		size_t len = strcspn(s, ":");
		char hex[8] = "0x";
		uint64_t v;

		if (len == 0 || len > 2)
			return -EINVAL;
		memcpy(hex + 2, s, len);
		if (ct_kind_number(hex, len + 2, 255, &v) < 0)
			return -EINVAL;
		b[i] = (uint8_t)v;
		s += len;
		if (i < 5 && *s++ != ':')
			return -EINVAL;
	}
	if (*s)
		return -EINVAL;
	ct_text_init(&t, out, sizeof(out));
	ct_text_printf(&t, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
	return ct_kind_keep(r, o, out);
}

/* Translation ranges ------------------------------------------------------------------------ */

/* The port half: "port[-port[/base]]", n[0] to n[1], base n[2]; n[3] says there is one. */
static int read_nat_ports(const char *s, struct ct_rule_option *o)
{
	const char *slash = strchr(s, '/');
	size_t len = slash ? (size_t)(slash - s) : strlen(s);
	uint16_t from, to, base = 0;
	int ret;

	if (len == 0 || s[0] == '-' || s[len - 1] == '-')
		return -EINVAL;
	ret = read_ports(s, len, '-', &from, &to);
	if (ret < 0)
		return ret;
	if (slash) {
		ret = ct_kind_port(slash + 1, strlen(slash + 1), &base);
		if (ret < 0)
			return ret;
	}
	o->n[0] = from;
	o->n[1] = to;
	o->n[2] = base;
	o->n[3] = slash ? 2 : 1;
	return 0;
}

static int read_nat_addrs(uint8_t family, const char *s, size_t len, struct ct_rule_option *o)
{
	const char *dash = memchr(s, '-', len);

	if (read_addr(family, s, dash ? (size_t)(dash - s) : len, &o->addr) < 0)
		return -EINVAL;
	o->to = o->addr;
	if (dash && read_addr(family, dash + 1, (size_t)(s + len - dash - 1), &o->to) < 0)
		return -EINVAL;
	return 0;
}

static void put_nat(struct ct_text *t, uint8_t family, const struct ct_rule_option *o,
		    bool has_addr)
{
	bool in_brackets = has_addr && family == CT_FAMILY_IPV6 && o->n[3];

	if (has_addr) {
		ct_text_str(t, in_brackets ? "[" : "");
		ct_addr_format(&o->addr, family, false, t);
		if (memcmp(&o->addr, &o->to, 16) != 0) {
			ct_text_char(t, '-');
			ct_addr_format(&o->to, family, false, t);
		}
		ct_text_str(t, in_brackets ? "]" : "");
	}
	if (o->n[3]) {
		ct_text_char(t, ':');
		put_ports(t, o->n[0], o->n[1], '-');
	}
	if (o->n[3] == 2) {
		ct_text_char(t, '/');
		ct_text_u64(t, o->n[2]);
	}
}

/* Where the addresses end and the ports begin; IPv6 has its addresses in brackets then. */
static const char *nat_addrs(uint8_t family, const char **s)
{
	const char *end;

	if (family != CT_FAMILY_IPV6 || **s == ':')
		return *s + strcspn(*s, ":");
	if (**s != '[')
		return *s + strlen(*s);
	end = strchr(++*s, ']');
	return end ? end : *s;
}

int ct_kind_nat(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	uint8_t family = r->rs->family;
	const char *s = arg[0], *end = nat_addrs(family, &s), *ports = end;
	bool has_addr = end > s;
	struct ct_text t;
	char out[160];
	int ret;

	if (has_addr && read_nat_addrs(family, s, (size_t)(end - s), o) < 0)
		return -EINVAL;
	if (*ports == ']')
		ports++;
	if (*ports) {
		ret = *ports == ':' ? read_nat_ports(ports + 1, o) : -EINVAL;
		if (ret < 0)
			return ret;
	} else if (!has_addr) {
		return -EINVAL;
	}
	ct_text_init(&t, out, sizeof(out));
	put_nat(&t, family, o, has_addr);
	return ct_kind_keep(r, o, out);
}
