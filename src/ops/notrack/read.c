/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A class of packets out of words.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/number.h"
#include "ops/notrack/notrack.h"
#include <conntune/entry.h>

static bool is_number(const char *s, unsigned max)
{
	uint64_t v;

	return ct_number_u64(s, strlen(s), max, &v) == 0;
}

/* "80", "80-90" or "80:90", as iptables has it. */
static int take_ports(char *to, size_t size, const char *word, const char *value,
		      struct ct_err *err)
{
	size_t len = strcspn(value, "-:");
	uint64_t from, until;

	if (ct_number_u64(value, len, 65535, &from) < 0 ||
	    (value[len] &&
	     (ct_number_u64(value + len + 1, strlen(value + len + 1), 65535, &until) < 0 ||
	      from > until)))
		return ct_err_set(err, -EINVAL, "%s takes a port or a range of ports, not '%s'",
				  word, value);
	if (value[len])
		(void)snprintf(to, size, "%u:%u", (unsigned)from, (unsigned)until);
	else
		(void)snprintf(to, size, "%u", (unsigned)from);
	return 0;
}

/* An address with or without a prefix; it says which IP version is meant. */
static int take_address(struct notrack_class *c, char *to, size_t size, const char *word,
			const char *value, struct ct_err *err)
{
	size_t len = strcspn(value, "/");
	union ct_addr a;
	uint8_t family;

	if (ct_addr_parse(value, len, &a, &family) < 0 ||
	    (value[len] && !is_number(value + len + 1, family == CT_FAMILY_IPV4 ? 32 : 128)))
		return ct_err_set(err, -EINVAL, "%s takes an address or a network, not '%s'", word,
				  value);
	if (c->family != CT_FAMILY_UNSPEC && c->family != family)
		return ct_err_set(err, -EINVAL, "'%s' is of the other IP version", value);
	c->family = family;
	(void)snprintf(to, size, "%s", value);
	return 0;
}

static int take_pair(struct notrack_class *c, const char *word, const char *value,
		     struct ct_err *err)
{
	if (!value)
		return ct_err_set(err, -EINVAL, "%s needs a value", word);
	if (strcmp(word, "src") == 0)
		return take_address(c, c->src, sizeof(c->src), word, value, err);
	if (strcmp(word, "dst") == 0)
		return take_address(c, c->dst, sizeof(c->dst), word, value, err);
	if (strcmp(word, "sport") == 0)
		return take_ports(c->sport, sizeof(c->sport), word, value, err);
	return take_ports(c->dport, sizeof(c->dport), word, value, err);
}

/* A word that stands alone. False when it is none. */
static bool take_word(struct notrack_class *c, const char *word)
{
	static const char *const protos[] = { "tcp",  "udp",	"udplite", "sctp", "dccp",
					      "icmp", "icmpv6", "gre",	   "esp",  "ah" };

	if (strcmp(word, "loopback") == 0)
		c->is_loopback = true;
	else if (strcmp(word, "ip") == 0)
		c->family = CT_FAMILY_IPV4;
	else if (strcmp(word, "ip6") == 0)
		c->family = CT_FAMILY_IPV6;
	else if (!c->proto[0] && is_number(word, 255))
		(void)snprintf(c->proto, sizeof(c->proto), "%s", word);
	else {
		size_t i = 0;

		while (i < sizeof(protos) / sizeof(*protos) && strcmp(protos[i], word) != 0)
			i++;
		if (c->proto[0] || i == sizeof(protos) / sizeof(*protos))
			return false;
		(void)snprintf(c->proto, sizeof(c->proto), "%s", word);
	}
	return true;
}

static int check(const struct notrack_class *c, const char *text, struct ct_err *err)
{
	static const char with_ports[] = " tcp udp udplite sctp dccp ";
	char word[20];

	(void)snprintf(word, sizeof(word), " %s ", c->proto);
	if ((c->sport[0] || c->dport[0]) && (!c->proto[0] || !strstr(with_ports, word)))
		return ct_err_set(err, -EINVAL, "'%s': ports need a protocol that has them", text);
	if (!c->is_loopback && !c->proto[0] && !c->src[0] && !c->dst[0])
		return ct_err_set(err, -EINVAL,
				  "'%s' is everything: what is to be untracked? 'tcp dport 8080'",
				  text);
	return 0;
}

int notrack_read(struct notrack_class *c, const char *text, struct ct_err *err)
{
	static const char pairs[] = " src dst sport dport ";
	char copy[256], *next, *word, padded[70];
	enum notrack_role role = c->role;
	int r = 0;

	*c = (struct notrack_class){ .role = role };
	if (strlen(text) >= sizeof(copy))
		return ct_err_set(err, -EINVAL, "'%.40s...' is too long", text);
	(void)snprintf(copy, sizeof(copy), "%s", text);
	for (word = strtok_r(copy, " \t", &next); r == 0 && word;
	     word = strtok_r(NULL, " \t", &next)) {
		(void)snprintf(padded, sizeof(padded), " %.60s ", word);
		if (strstr(pairs, padded))
			r = take_pair(c, word, strtok_r(NULL, " \t", &next), err);
		else if (!take_word(c, word))
			r = ct_err_set(
				err, -EINVAL,
				"'%s' is no protocol and none of src, dst, sport, dport, ip, "
				"ip6, loopback",
				word);
	}
	return r < 0 ? r : check(c, text, err);
}
