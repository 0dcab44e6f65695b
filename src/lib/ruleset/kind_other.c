/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Kinds of values that one extension has for itself. Answers to iptables 1.8.9, libxt_string.c,
 * libxt_owner.c, libxt_set.c, libxt_CT.c, libxt_CLASSIFY.c, libxt_LOG.c.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "lib/base/number.h"
#include "lib/ruleset/ext.h"

int ct_kind_log_level(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	static const char *const levels[] = { "emerg",	 "alert",  "crit", "error",
					      "warning", "notice", "info", "debug" };
	char out[2] = "";
	uint64_t v;

	if (ct_kind_number(arg[0], strlen(arg[0]), 7, &v) < 0) {
		for (v = 0; v < 8 && strcasecmp(arg[0], levels[v]) != 0; v++)
			;
		if (strcasecmp(arg[0], "panic") == 0)
			v = 0;
		if (v == 8)
			return -EINVAL;
	}
	o->n[0] = (uint32_t)v;
	out[0] = (char)('0' + v);
	return ct_kind_keep(r, o, out);
}

/* "major:minor", both hexadecimal. */
int ct_kind_tc_class(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	const char *colon = strchr(arg[0], ':');
	char hex[2][8] = { "0x", "0x" };
	uint64_t major, minor;
	struct ct_text t;
	char out[16];

	if (!colon || colon - arg[0] > 4 || strlen(colon + 1) > 4)
		return -EINVAL;
	memcpy(hex[0] + 2, arg[0], (size_t)(colon - arg[0]));
	strcpy(hex[1] + 2, colon + 1);
	if (ct_kind_number(hex[0], strlen(hex[0]), 0xffff, &major) < 0 ||
	    ct_kind_number(hex[1], strlen(hex[1]), 0xffff, &minor) < 0)
		return -EINVAL;
	o->n[0] = (uint32_t)(major << 16 | minor);
	ct_text_init(&t, out, sizeof(out));
	ct_text_printf(&t, "%04x:%04x", (unsigned)major, (unsigned)minor);
	return ct_kind_keep(r, o, out);
}

/* A zone or "mark", for which n[1] is set. */
int ct_kind_zone(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	uint64_t v;

	if (strcmp(arg[0], "mark") == 0) {
		o->n[1] = 1;
		return ct_kind_keep(r, o, arg[0]);
	}
	if (ct_kind_number(arg[0], strlen(arg[0]), 0xffff, &v) < 0)
		return -EINVAL;
	return ct_kind_decimal(r, arg, o);
}

/* User and group numbers, one or a-b. Names belong to a machine; only root is the same on all. */
int ct_kind_user(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	char zero[] = "0", *one[] = { zero };

	if (strcmp(arg[0], "root") == 0)
		return ct_kind_dash_range(r, one, o);
	if (!(arg[0][0] >= '0' && arg[0][0] <= '9'))
		return arg[0][0] && !strpbrk(arg[0], " \"'\\") ? -ENOENT : -EINVAL;
	return ct_kind_dash_range(r, arg, o);
}

/* A set and which parts of a packet it is asked for: "name src,dst"; n[0] has a bit for each that
 * is the source's, n[1] their number; data is the name. */
int ct_kind_set(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	const char *s = arg[1];
	struct ct_text t;
	char out[64];
	uint32_t n = 0;

	if (!arg[0][0] || strlen(arg[0]) > 31 || strpbrk(arg[0], " \"'\\"))
		return -EINVAL;
	for (;; n++) {
		size_t len = strcspn(s, ",");

		if (n == 6 || len != 3 || (memcmp(s, "src", 3) != 0 && memcmp(s, "dst", 3) != 0))
			return -EINVAL;
		o->n[0] |= (uint32_t)(*s == 's') << n;
		s += len;
		if (!*s++)
			break;
	}
	o->n[1] = n + 1;
	o->data = ct_arena_copy(&r->rs->arena, arg[0], strlen(arg[0]));
	if (!o->data)
		return -ENOMEM;
	ct_text_init(&t, out, sizeof(out));
	ct_text_str(&t, arg[0]);
	ct_text_char(&t, ' ');
	ct_text_str(&t, arg[1]);
	return ct_kind_keep(r, o, out);
}

/* string: "text |68 65 78| text". Written as it was given, or wholly in hexadecimal. ---------- */

#define MAX_PATTERN 128 /* XT_STRING_MAX_PATTERN_SIZE */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int read_pattern(const char *s, uint8_t *out, size_t *len)
{
	bool is_hex = false;

	for (*len = 0; *s; s++) {
		if (*s == '|') {
			is_hex = !is_hex;
			continue;
		}
		if (is_hex && *s == ' ')
			continue;
		if (*len == MAX_PATTERN)
			return -EINVAL;
		if (is_hex) {
			if (hex_digit(s[0]) < 0 || hex_digit(s[1]) < 0)
				return -EINVAL;
			out[(*len)++] = (uint8_t)(hex_digit(s[0]) << 4 | hex_digit(s[1]));
			s++;
			continue;
		}
		if (*s == '\\' && s[1])
			s++;
		out[(*len)++] = (uint8_t)*s;
	}
	return is_hex || *len == 0 ? -EINVAL : 0;
}

int ct_kind_hex_string(struct ct_reading *r, char *const *arg, struct ct_rule_option *o)
{
	uint8_t *bytes = ct_arena_get(&r->rs->arena, MAX_PATTERN);
	char out[2 * MAX_PATTERN + 8];
	struct ct_text t;
	size_t len;

	if (!bytes)
		return -ENOMEM;
	if (read_pattern(arg[0], bytes, &len) < 0)
		return -EINVAL;
	o->data = bytes;
	o->n[0] = (uint32_t)len;
	ct_text_init(&t, out, sizeof(out));
	ct_text_str(&t, "\"|");
	for (size_t i = 0; i < len; i++)
		ct_text_printf(&t, "%02x", bytes[i]);
	ct_text_str(&t, "|\"");
	return ct_kind_keep(r, o, out);
}
