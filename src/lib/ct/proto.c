/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Protocol names and numbers. Answers to Linux 6.18 l4proto_name() in nf_conntrack_standalone.c
 * and to the names libnetfilter_conntrack prints, which still know DCCP.
 */
#include "lib/ct/proto.h"

#include <conntune/entry.h>
#include <string.h>

#include "lib/base/number.h"

static const struct proto {
	const char *name;
	uint8_t number, parts;
} protos[] = {
#define PROTO(text, number, parts) { text, number, CT_PARTS_##parts },
#include "lib/ct/proto.def"
#undef PROTO
};

enum { N_PROTOS = sizeof(protos) / sizeof(protos[0]) };

static const struct proto *proto_find(uint8_t number)
{
	for (size_t i = 0; i < N_PROTOS; i++)
		if (protos[i].number == number)
			return &protos[i];
	return NULL;
}

const char *ct_proto_name(uint8_t proto)
{
	const struct proto *p = proto_find(proto);

	return p && p->parts != CT_PARTS_NONE ? p->name : "unknown";
}

enum ct_parts ct_proto_parts(uint8_t proto)
{
	const struct proto *p = proto_find(proto);

	return p ? (enum ct_parts)p->parts : CT_PARTS_NONE;
}

int ct_proto_number(const char *name, size_t len)
{
	uint64_t number;

	for (size_t i = 0; i < N_PROTOS; i++)
		if (strlen(protos[i].name) == len && memcmp(protos[i].name, name, len) == 0)
			return protos[i].number;
	return ct_number_u64(name, len, UINT8_MAX, &number) == 0 ? (int)number : -1;
}
