/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the probe says: NFLOG messages of group 77, one for each of its rules that a packet meets.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ops/rehearse/inner.h"

static struct nlmsghdr *begin(char *buf, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *g;

	h->nlmsg_type = (uint16_t)(NFNL_SUBSYS_ULOG << 8 | type);
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = AF_UNSPEC;
	g->version = NFNETLINK_V0;
	g->res_id = htons(REHEARSE_GROUP);
	return h;
}

/* Sends a request and reads its answer. */
static int ask(int fd, const struct nlmsghdr *h)
{
	char buf[4096];
	const struct nlmsghdr *answer = (const void *)buf;
	ssize_t n;

	if (send(fd, h, h->nlmsg_len, 0) < 0)
		return -errno;
	n = recv(fd, buf, sizeof(buf), 0);
	if (n < 0)
		return -errno;
	if (!mnl_nlmsg_ok(answer, (int)n) || answer->nlmsg_type != NLMSG_ERROR)
		return -EBADMSG;
	return ((const struct nlmsgerr *)mnl_nlmsg_get_payload(answer))->error;
}

int rehearse_log_open(struct rehearsal *r, struct ct_err *err)
{
	const struct nfulnl_msg_config_mode mode = { .copy_range = htonl(65535),
						     .copy_mode = NFULNL_COPY_PACKET };
	const struct nfulnl_msg_config_cmd bind = { .command = NFULNL_CFG_CMD_BIND };
	static const int room = 4 << 20;
	char buf[4096];
	struct nlmsghdr *h;
	int result;

	r->log = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	if (r->log < 0)
		return ct_err_set(err, -errno, "netlink: %s", strerror(errno));
	(void)setsockopt(r->log, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	h = begin(buf, NFULNL_MSG_CONFIG, NLM_F_ACK);
	mnl_attr_put(h, NFULA_CFG_CMD, sizeof(bind), &bind);
	result = ask(r->log, h);
	if (result == 0) {
		h = begin(buf, NFULNL_MSG_CONFIG, NLM_F_ACK);
		mnl_attr_put(h, NFULA_CFG_MODE, sizeof(mode), &mode);
		result = ask(r->log, h);
	}
	return result < 0 ? ct_err_set(err, result, "NFLOG: %s", strerror(-result)) : 0;
}

struct message {
	const char *prefix;
	const uint8_t *packet;
	uint32_t size;
};

static int collect(const struct nlattr *a, void *user)
{
	struct message *m = user;

	if (mnl_attr_get_type(a) == NFULA_PREFIX && mnl_attr_validate(a, MNL_TYPE_NUL_STRING) >= 0)
		m->prefix = mnl_attr_get_str(a);
	if (mnl_attr_get_type(a) == NFULA_PAYLOAD) {
		m->packet = mnl_attr_get_payload(a);
		m->size = mnl_attr_get_payload_len(a);
	}
	return MNL_CB_OK;
}

/* "c:NEW/o" is the state, "f:F" and "f:L" that the filter let it pass. The first state counts: what
 * arrives by loopback is seen twice. */
static void take(struct rehearsal *r, const struct message *m, struct rehearse_said *out)
{
	if (!m->prefix)
		return;
	if (strncmp(m->prefix, "c:", 2) == 0 && strcmp(out->state, "-") == 0)
		(void)snprintf(out->state, sizeof(out->state), "%s", m->prefix + 2);
	out->is_forwarded |= strcmp(m->prefix, "f:F") == 0;
	if (strcmp(m->prefix, "f:L") != 0)
		return;
	out->is_delivered = true;
	r->delivered_size = m->size < sizeof(r->delivered) ? m->size : 0;
	if (m->packet)
		memcpy(r->delivered, m->packet, r->delivered_size);
}

void rehearse_log_read(struct rehearsal *r, struct rehearse_said *out)
{
	static const uint16_t packet_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET;
	char buf[REHEARSE_PACKET + 4096];
	ssize_t n;

	*out = (struct rehearse_said){ .state = "-" };
	while ((n = recv(r->log, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		const struct nlmsghdr *h = (const void *)buf;
		int left = (int)n;

		for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
			struct message m = { .prefix = NULL };

			if (h->nlmsg_type == packet_type &&
			    mnl_attr_parse(h, sizeof(struct nfgenmsg), collect, &m) >= 0)
				take(r, &m, out);
		}
	}
}
