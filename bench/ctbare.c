/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ctbare: dumps the table of this network namespace and decodes nothing: the floor under every
 * reader by netlink. It steps over message headers only, to find the end; prints how many there
 * were.
 */
#include <libmnl/libmnl.h>
#include <stdio.h>
#include <string.h>

#include "ops/netlink/ctnetlink.h"

/* Steps over the messages of one datagram. False at the end of the dump. */
static bool count(const uint8_t *at, size_t left, unsigned long *n)
{
	struct nlmsghdr h;

	while (left >= sizeof(h)) {
		memcpy(&h, at, sizeof(h));
		if (h.nlmsg_type < NLMSG_MIN_TYPE || h.nlmsg_len < sizeof(h) || h.nlmsg_len > left)
			return false;
		at += NLMSG_ALIGN(h.nlmsg_len);
		left -= NLMSG_ALIGN(h.nlmsg_len) < left ? NLMSG_ALIGN(h.nlmsg_len) : left;
		++*n;
	}
	return true;
}

int main(void)
{
	static uint8_t datagram[1 << 16];
	uint8_t request[NL_MAX_REQUEST];
	struct mnl_socket *s = mnl_socket_open(NETLINK_NETFILTER);
	int size = nl_dump_request(request, NULL);
	unsigned long n = 0;
	ssize_t got;

	if (!s || mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(s, request, (size_t)size) < 0) {
		perror("ctbare: netlink");
		return 1;
	}
	do {
		got = mnl_socket_recvfrom(s, datagram, sizeof(datagram));
	} while (got > 0 && count(datagram, (size_t)got, &n));
	(void)printf("entries=%lu\n", n);
	return got > 0 ? 0 : 1;
}
