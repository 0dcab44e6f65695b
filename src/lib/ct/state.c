/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Names and numbers of protocol states.
 */
#include <conntune/entry.h>

#include <string.h>

#include "lib/ct/proto.h"

static const char *const tcp_names[] = {
#define TCP_STATE(name, value, text) [value] = text,
#include <conntune/tcp_state.def>
#undef TCP_STATE
};
static const char *const sctp_names[] = {
#define SCTP_STATE(name, value, text) [value] = text,
#include <conntune/sctp_state.def>
#undef SCTP_STATE
};
static const char *const dccp_names[] = {
#define DCCP_STATE(name, value, text) [value] = text,
#include <conntune/dccp_state.def>
#undef DCCP_STATE
};

struct names {
	const char *const *at;
	size_t n;
};

static struct names names_of(uint8_t proto)
{
	switch (proto) {
	case CT_PROTO_TCP:
		return (struct names){ tcp_names, sizeof(tcp_names) / sizeof(tcp_names[0]) };
	case CT_PROTO_SCTP:
		return (struct names){ sctp_names, sizeof(sctp_names) / sizeof(sctp_names[0]) };
	case CT_PROTO_DCCP:
		return (struct names){ dccp_names, sizeof(dccp_names) / sizeof(dccp_names[0]) };
	default:
		return (struct names){ NULL, 0 };
	}
}

const char *ct_state_name(uint8_t proto, uint8_t state)
{
	struct names names = names_of(proto);

	return state < names.n ? names.at[state] : NULL;
}

int ct_state_number(uint8_t proto, const char *name, size_t len)
{
	struct names names = names_of(proto);

	for (size_t i = 0; i < names.n; i++)
		if (strlen(names.at[i]) == len && memcmp(names.at[i], name, len) == 0)
			return (int)i;
	/* Linux 2.6.31 gave the number of the unused LISTEN to SYN_SENT2. */
	if (proto == CT_PROTO_TCP && len == 6 && memcmp(name, "LISTEN", 6) == 0)
		return CT_TCP_SYN_SENT2;
	return -1;
}
