/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Kinds of values with a mask: packet marks, TOS, DSCP, groups. Answers to iptables 1.8.9,
 * libxt_MARK.c, libxt_CONNMARK.c, libxt_mark.c, libxt_TOS.c, tos_values.c, libxt_dscp.c.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "lib/ruleset/ext.h"

/* "value" or "value/mask"; a mask of all bits without one. */
static int read_masked(const char *s, uint64_t max, struct ct_rule_option *o)
{
	const char *slash = strchr(s, '/');
	uint64_t value, mask = max;

	if (ct_kind_number(s, slash ? (size_t)(slash - s) : strlen(s), max, &value) < 0)
		return -EINVAL;
	if (slash && ct_kind_number(slash + 1, strlen(slash + 1), max, &mask) < 0)
		return -EINVAL;
	o->n[0] = (uint32_t)value;
	o->n[1] = (uint32_t)mask;
	return slash ? 1 : 0;
}

static int keep_masked(struct ct_reading *r, struct ct_rule_option *o, int width, bool has_mask)
{
	struct ct_text t;
	char s[32];

	ct_text_init(&t, s, sizeof(s));
	ct_text_printf(&t, "0x%0*x", width, (unsigned)o->n[0]);
	if (has_mask)
		ct_text_printf(&t, "/0x%0*x", width, (unsigned)o->n[1]);
	return ct_kind_keep(r, o, s);
}

int ct_kind_mark(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	if (read_masked(arg[0], UINT32_MAX, o) < 0)
		return -EINVAL;
	return keep_masked(r, o, 0, o->n[1] != UINT32_MAX);
}

int ct_kind_mark_xset(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	if (read_masked(arg[0], UINT32_MAX, o) < 0)
		return -EINVAL;
	return keep_masked(r, o, 0, true);
}

int ct_kind_mark_set(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	if (read_masked(arg[0], UINT32_MAX, o) < 0)
		return -EINVAL;
	o->n[1] |= o->n[0];
	return keep_masked(r, o, 0, true);
}

/* and, or, xor of one number, as what they leave and set. */
static int read_bits(struct ct_reading *r, const char *s, uint32_t max, int width, char how,
		     struct ct_rule_option *o)
{
	uint64_t v;

	if (ct_kind_number(s, strlen(s), max, &v) < 0)
		return -EINVAL;
	o->n[0] = how == '&' ? 0 : (uint32_t)v;
	o->n[1] = how == '&' ? max & ~(uint32_t)v : how == '|' ? (uint32_t)v : 0;
	return keep_masked(r, o, width, true);
}

int ct_kind_mark_or(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	return read_bits(r, arg[0], UINT32_MAX, 0, '|', o);
}

int ct_kind_mark_and(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	return read_bits(r, arg[0], UINT32_MAX, 0, '&', o);
}

int ct_kind_mark_xor(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	return read_bits(r, arg[0], UINT32_MAX, 0, '^', o);
}

/* Realms and device groups: hexadecimal, the mask only when it was given. */
int ct_kind_group(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	if (read_masked(arg[0], UINT32_MAX, o) < 0)
		return strpbrk(arg[0], "0123456789/") == arg[0] ? -EINVAL : -ENOENT;
	return keep_masked(r, o, 0, o->n[1] != UINT32_MAX);
}

/* TOS ---------------------------------------------------------------------------------------- */

static const struct named {
	const char *name;
	uint8_t value;
} tos_names[] = {
	{ "Minimize-Delay", 0x10 },	  { "Maximize-Throughput", 0x08 },
	{ "Maximize-Reliability", 0x04 }, { "Minimize-Cost", 0x02 },
	{ "Normal-Service", 0x00 },
};

static int read_tos(struct ct_reading *r, const char *s, struct ct_rule_option *o)
{
	for (size_t i = 0; i < sizeof(tos_names) / sizeof(tos_names[0]); i++)
		if (strcasecmp(s, tos_names[i].name) == 0) {
			o->n[0] = tos_names[i].value;
			o->n[1] = 0x3f;
			return keep_masked(r, o, 2, true);
		}
	if (read_masked(s, 0xff, o) < 0)
		return -EINVAL;
	return keep_masked(r, o, 2, true);
}

int ct_kind_tos(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	return read_tos(r, arg[0], o);
}

int ct_kind_tos_set(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	return read_tos(r, arg[0], o);
}

int ct_kind_tos_or(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	return read_bits(r, arg[0], 0xff, 2, '|', o);
}

int ct_kind_tos_and(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	return read_bits(r, arg[0], 0xff, 2, '&', o);
}

int ct_kind_tos_xor(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	return read_bits(r, arg[0], 0xff, 2, '^', o);
}

int ct_kind_dscp(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	uint64_t v;

	if (ct_kind_number(arg[0], strlen(arg[0]), 63, &v) < 0)
		return -EINVAL;
	o->n[0] = (uint32_t)v;
	return keep_masked(r, o, 2, false);
}

/* CS0-7, AF11-43, EF, BE: RFC 2474, 2597, 3246. */
int ct_kind_dscp_class(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	const char *s = arg[0];

	if (strcasecmp(s, "EF") == 0)
		o->n[0] = 46;
	else if (strcasecmp(s, "BE") == 0)
		o->n[0] = 0;
	else if (strncasecmp(s, "CS", 2) == 0 && s[2] >= '0' && s[2] <= '7' && !s[3])
		o->n[0] = (uint32_t)(s[2] - '0') << 3;
	else if (strncasecmp(s, "AF", 2) == 0 && s[2] >= '1' && s[2] <= '4' && s[3] >= '1' &&
		 s[3] <= '3' && !s[4])
		o->n[0] = (uint32_t)(s[2] - '0') << 3 | (uint32_t)(s[3] - '0') << 1;
	else
		return -EINVAL;
	return keep_masked(r, o, 2, false);
}
