/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ctfill N: fills the kernel's table of this network namespace with N made-up connections, the same
 * ones each time.
 *
 * They resemble a busy server: 70 % TCP (of them 60 % ESTABLISHED, 30 % TIME_WAIT, 10 % SYN_SENT),
 * 30 % UDP (half of them streams), a few services with most of the entries, sources all different.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/number.h"
#include "ops/netlink/ctnetlink.h"

#define MAX_ENTRIES (1u << 24) /* distinct sources there are */
#define BATCH_BYTES (256u << 10)
#define MAX_MESSAGE 512u

static uint64_t mix(uint64_t v)
{
	v = (v + 1) * UINT64_C(0x9e3779b97f4a7c15);
	v = (v ^ (v >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	return v ^ (v >> 27);
}

static void set_state(struct ct_entry *e, unsigned chance)
{
	const uint32_t replied = CT_STATUS_CONFIRMED | CT_STATUS_SEEN_REPLY;

	if (e->tuple[0].proto == IPPROTO_UDP) {
		e->status = chance < 50 ? replied | CT_STATUS_ASSURED : CT_STATUS_CONFIRMED;
		return;
	}
	e->known |= CT_KNOWN_STATE;
	e->state = chance < 60	 ? CT_TCP_ESTABLISHED
		   : chance < 90 ? CT_TCP_TIME_WAIT
				 : CT_TCP_SYN_SENT;
	e->status = chance < 90 ? replied | CT_STATUS_ASSURED : CT_STATUS_CONFIRMED;
}

static void make_entry(uint32_t i, struct ct_entry *e)
{
	static const uint16_t ports[16] = { 443,  443, 443, 443, 443, 443, 6379, 6379,
					    6379, 80,  80,  53,	 53,  22,  3306, 8080 };
	uint64_t m = mix(i);
	struct ct_tuple *t = &e->tuple[CT_DIR_ORIG];

	*e = (struct ct_entry){ .known = CT_KNOWN_STATUS | CT_KNOWN_TIMEOUT | CT_KNOWN_PARTS,
				.timeout_s = 86400 };
	t->family = CT_FAMILY_IPV4;
	t->proto = m % 100 < 70 ? IPPROTO_TCP : IPPROTO_UDP;
	/* An odd factor keeps all sources different. */
	t->src.ip4 = htonl(0x0a000000u | (i * 0x9e3779b1u & (MAX_ENTRIES - 1)));
	t->dst.ip4 = htonl(0xc6120000u | (uint32_t)(m >> 8 & 0xffff));
	t->src_part = htons((uint16_t)(32768 + (m >> 24) % 28000));
	t->dst_part = htons(ports[m >> 40 & 15]);
	(void)ct_tuple_invert(&e->tuple[CT_DIR_REPLY], t);
	set_state(e, (unsigned)(m >> 44) % 100);
}

static size_t put_message(uint8_t *to, uint32_t seq, const struct ct_entry *e)
{
	struct nlmsghdr h = { .nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW,
			      .nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL,
			      .nlmsg_seq = seq };
	int size = nl_entry_encode(e, to + sizeof(h), MAX_MESSAGE);

	if (size < 0)
		abort();
	h.nlmsg_len = (uint32_t)(sizeof(h) + (size_t)size);
	memcpy(to, &h, sizeof(h));
	return NLMSG_ALIGN(h.nlmsg_len);
}

/* Reads the errors the kernel answered with; successes are silent. */
static int errors_of(struct mnl_socket *s)
{
	_Alignas(8) static uint8_t answer[1 << 16];

	while (recv(mnl_socket_get_fd(s), answer, sizeof(answer), MSG_DONTWAIT) > 0) {
		struct nlmsghdr h;
		int32_t code = 0;

		memcpy(&h, answer, sizeof(h));
		memcpy(&code, answer + sizeof(h), sizeof(code));
		if (h.nlmsg_type == NLMSG_ERROR && code != 0)
			return -code;
	}
	return 0;
}

static int fill(struct mnl_socket *s, uint32_t n)
{
	static uint8_t batch[BATCH_BYTES];
	uint32_t i = 0;

	while (i < n) {
		size_t len = 0;
		int error;

		for (; i < n && len + (size_t)2 * MAX_MESSAGE < sizeof(batch); i++) {
			struct ct_entry e;

			make_entry(i, &e);
			len += put_message(batch + len, i + 1, &e);
		}
		if (mnl_socket_sendto(s, batch, len) < 0)
			return errno;
		error = errors_of(s);
		if (error)
			return error;
	}
	return 0;
}

int main(int argc, char **argv)
{
	const int room = 8 << 20;
	struct mnl_socket *s;
	uint64_t n = 0;
	int error;

	if (argc != 2 || ct_number_u64(argv[1], strlen(argv[1]), MAX_ENTRIES, &n) < 0) {
		(void)fprintf(stderr, "usage: ctfill N   (at most %u)\n", MAX_ENTRIES);
		return 2;
	}
	s = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!s || mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0) {
		perror("ctfill: netlink");
		return 1;
	}
	(void)setsockopt(mnl_socket_get_fd(s), SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	error = fill(s, (uint32_t)n);
	if (error)
		(void)fprintf(stderr, "ctfill: %s\n", strerror(error));
	(void)mnl_socket_close(s);
	return error ? 1 : 0;
}
