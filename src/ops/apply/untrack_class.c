/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A class of packets out of words; see untrack.h.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/number.h"
#include "ops/apply/untrack.h"

static const struct {
	const char *name;
	uint8_t number;
} protocols[] = { { "tcp", 6 }, { "udp", 17 }, { "sctp", 132 } };

static bool next_word(const char **at, char *word, size_t size)
{
	size_t len;

	*at += strspn(*at, " \t");
	len = strcspn(*at, " \t");
	if (len == 0 || len >= size)
		return false;
	memcpy(word, *at, len);
	word[len] = '\0';
	*at += len;
	return true;
}

static bool take_protocol(struct untrack_class *c, const char *word)
{
	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++) {
		if (strcmp(word, protocols[i].name) != 0)
			continue;
		c->proto = protocols[i].number;
		(void)snprintf(c->proto_name, sizeof(c->proto_name), "%s", protocols[i].name);
		return true;
	}
	return false;
}

static int take_ports(struct untrack_class *c, const char *word, struct ct_err *err)
{
	size_t n = strcspn(word, "-:");
	const char *to = word[n] ? word + n + 1 : word;
	uint64_t a, b;

	if (ct_number_u64(word, n, 65535, &a) < 0 || ct_number_u64(to, strlen(to), 65535, &b) < 0 ||
	    a == 0 || b < a)
		return ct_err_set(err, -EINVAL, "'%s' is no port or range of ports", word);
	c->port_from = (uint16_t)a;
	c->port_to = (uint16_t)b;
	return 0;
}

/* A single address: a network would be another thing to match entries with. */
static int take_address(struct untrack_class *c, const char *word, struct ct_err *err)
{
	union ct_addr a;

	if (inet_pton(AF_INET, word, &a) == 1)
		c->family = CT_FAMILY_IPV4;
	else if (inet_pton(AF_INET6, word, &a) == 1)
		c->family = CT_FAMILY_IPV6;
	else
		return ct_err_set(err, -EINVAL, "'%s' is no address", word);
	(void)snprintf(c->dst, sizeof(c->dst), "%s", word);
	return 0;
}

static int take_word(struct untrack_class *c, const char *word, const char **at, struct ct_err *err)
{
	char value[64];

	if (strcmp(word, "ip") == 0 || strcmp(word, "ip6") == 0) {
		c->family = word[2] ? CT_FAMILY_IPV6 : CT_FAMILY_IPV4;
		return 0;
	}
	if (take_protocol(c, word))
		return 0;
	if (strcmp(word, "dport") == 0 && next_word(at, value, sizeof(value)))
		return take_ports(c, value, err);
	if (strcmp(word, "dst") == 0 && next_word(at, value, sizeof(value)))
		return take_address(c, value, err);
	return ct_err_set(err, -EINVAL,
			  "a class is 'lo', 'tcp dport 8080' (a service of this machine) or 'udp "
			  "dst 10.0.0.53 dport 53' (one that it uses); '%s' is not understood",
			  word);
}

int untrack_parse(const char *text, struct untrack_class *out, struct ct_err *err)
{
	struct untrack_class c = { 0 };
	const char *at = text;
	char word[64];

	while (next_word(&at, word, sizeof(word))) {
		int r = 0;

		if (strcmp(word, "lo") == 0)
			c.is_loopback = true;
		else
			r = take_word(&c, word, &at, err);
		if (r < 0)
			return ct_err_wrap(err, r, "--notrack");
	}
	if (*at || (c.is_loopback ? c.proto || c.port_from || c.dst[0] : !c.proto || !c.port_from))
		return ct_err_set(err, -EINVAL,
				  "--notrack: '%.80s' is neither 'lo' nor a protocol (tcp, udp, "
				  "sctp) with its dport",
				  text);
	*out = c;
	return 0;
}

static bool is_loopback(const struct ct_tuple *t)
{
	static const uint8_t one[16] = { [15] = 1 };

	return t->family == CT_FAMILY_IPV4 ? t->dst.bytes[0] == 127
					   : memcmp(t->dst.bytes, one, sizeof(one)) == 0;
}

bool untrack_has(const struct untrack_class *c, const struct ct_entry *e)
{
	const struct ct_tuple *t = &e->tuple[CT_DIR_ORIG];
	union ct_addr dst = { 0 };
	uint16_t port = ntohs(t->dst_part);

	if (c->family && t->family != c->family)
		return false;
	if (c->is_loopback)
		return is_loopback(t);
	if (t->proto != c->proto || port < c->port_from || port > c->port_to)
		return false;
	if (!c->dst[0])
		return true;
	return inet_pton(c->family, c->dst, &dst) == 1 && memcmp(&dst, &t->dst, sizeof(dst)) == 0;
}
