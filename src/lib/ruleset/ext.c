/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The extensions of ext.def and how one is found.
 */
#include "lib/ruleset/ext.h"

#include <string.h>

#include "lib/ruleset/finish.h"

#define ADDR_TYPES                                                                                 \
	"UNSPEC,UNICAST,LOCAL,BROADCAST,ANYCAST,MULTICAST,BLACKHOLE,UNREACHABLE,PROHIBIT,THROW,"   \
	"NAT,XRESOLVE"
#define NOT	 .can_not = true
#define REQUIRED .is_required = true
#define OPTION(word, n, ...)                                                                       \
	{                                                                                          \
		.name = word, .n_args = n, __VA_ARGS__                                             \
	}
#define FLAG(...) OPTION_FLAG(__VA_ARGS__, .n_args = 0)
#define OPTION_FLAG(word, ...)                                                                     \
	{                                                                                          \
		.name = word, __VA_ARGS__                                                          \
	}
#define VALUE(...) OPTION_OF(__VA_ARGS__, .n_args = 1)
#define PAIR(...)  OPTION_OF(__VA_ARGS__, .n_args = 2)
#define ALONE(...) OPTION_OF(__VA_ARGS__, .n_args = 0)
#define OPTION_OF(word, how, ...)                                                                  \
	{                                                                                          \
		.name = word, .kind = ct_kind_##how, __VA_ARGS__                                   \
	}
#define OPTIONS(...)                                                                               \
	.options = (const struct ct_option_def[])                                                  \
	{                                                                                          \
		__VA_ARGS__,                                                                       \
		{                                                                                  \
			.name = NULL                                                               \
		}                                                                                  \
	}
#define MATCH(...)	  EXT(CT_EXT_MATCH, __VA_ARGS__, .type = CT_EXT_MATCH)
#define TARGET(...)	  EXT(CT_EXT_TARGET, __VA_ARGS__, .type = CT_EXT_TARGET)
#define EXT(t, word, ...) { .name = word, __VA_ARGS__ },

static const struct ct_ext_def exts[] = {
#include "lib/ruleset/ext.def"
};

#define N_EXTS (sizeof(exts) / sizeof(exts[0]))

const struct ct_ext_def *ct_ext_find(enum ct_ext_type type, const char *name, uint8_t family)
{
	/* ip6tables has the match for ICMPv6 under three names. */
	if (type == CT_EXT_MATCH && family == CT_FAMILY_IPV6 &&
	    (strcmp(name, "icmpv6") == 0 || strcmp(name, "ipv6-icmp") == 0))
		name = "icmp6";
	for (size_t i = 0; i < N_EXTS; i++)
		if (exts[i].type == type && strcmp(exts[i].name, name) == 0 &&
		    (exts[i].family == CT_FAMILY_UNSPEC || exts[i].family == family))
			return &exts[i];
	return NULL;
}

const struct ct_ext_def *ct_ext_of_proto(uint8_t proto, uint8_t family)
{
	const char *name = ct_rule_proto_name(proto);

	if (proto == 135)
		name = "mh";
	return name ? ct_ext_find(CT_EXT_MATCH, name, family) : NULL;
}

struct ct_rule_option *ct_ext_option(const struct ct_rule_ext *e, const char *name)
{
	for (unsigned i = 0; i < e->n_options; i++)
		if (e->option[i].def && strcmp(e->option[i].def->name, name) == 0)
			return &e->option[i];
	return NULL;
}
