/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Netlink multicast: see listen.h.
 *
 * Answers to Linux 6.18 nfnetlink_send(), netlink_broadcast(): each event is a datagram of its own,
 * and ENOBUFS is told once for any number that found no room.
 */
#include "ops/host/listen.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "ops/host/dump.h"
#include "ops/host/inner.h"

enum { AT_ONCE = 64, DATAGRAM_BYTES = 8192 };

struct listener {
	struct mnl_socket *socket;
	unsigned n, at;		   /* datagrams at hand, and the one being read */
	const uint8_t *from, *end; /* within that one */
	struct mmsghdr heads[AT_ONCE];
	struct iovec parts[AT_ONCE];
	struct sockaddr_nl senders[AT_ONCE];
	_Alignas(8) uint8_t room[AT_ONCE][DATAGRAM_BYTES];
};

void listener_free(struct listener *l)
{
	if (!l)
		return;
	if (l->socket)
		(void)mnl_socket_close(l->socket);
	free(l);
}

static int join(struct listener *l, const unsigned groups[], unsigned n, int room)
{
	int fd = mnl_socket_get_fd(l->socket);

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	if (mnl_socket_bind(l->socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	for (unsigned i = 0; i < n; i++)
		if (mnl_socket_setsockopt(l->socket, NETLINK_ADD_MEMBERSHIP,
					  (void *)(uintptr_t)&groups[i], sizeof(groups[i])) < 0)
			return -errno;
	return 0;
}

static int open_in(struct host *h, struct listener *l)
{
	struct host_visit visit;
	int r = host_visit_begin(h, &visit);

	if (r < 0)
		return r;
	l->socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK);
	r = l->socket ? 0 : -errno;
	host_visit_end(&visit);
	return r;
}

static struct listener *new_listener(void)
{
	struct listener *l = malloc(sizeof(*l));

	if (!l)
		return NULL;
	memset(l, 0, offsetof(struct listener, room));
	for (unsigned i = 0; i < AT_ONCE; i++) {
		l->parts[i] = (struct iovec){ .iov_base = l->room[i], .iov_len = DATAGRAM_BYTES };
		l->heads[i].msg_hdr = (struct msghdr){ .msg_name = &l->senders[i],
						       .msg_namelen = sizeof(l->senders[i]),
						       .msg_iov = &l->parts[i],
						       .msg_iovlen = 1 };
	}
	return l;
}

int listener_open(struct host *h, const unsigned groups[], unsigned n, int room,
		  struct listener **out, struct ct_err *err)
{
	auto_free(listener) struct listener *l = NULL;
	int r;

	if (!host_is_live(h))
		return ct_err_set(err, -EROFS, "nothing happens in a copy of a machine");
	if (!dump_is_harmless(h))
		return ct_err_set(err, -EPROTONOSUPPORT,
				  "the module nf_conntrack is not loaded, and asking by netlink "
				  "would load it");
	l = new_listener();
	if (!l)
		return ct_err_set(err, -ENOMEM, "out of memory");
	r = open_in(h, l);
	if (r == 0)
		r = join(l, groups, n, room);
	if (r < 0)
		return ct_err_set(err, r, "listening to the kernel: %s%s", strerror(-r),
				  r == -EPERM ? "; CAP_NET_ADMIN is needed" : "");
	*out = l;
	l = NULL;
	return 0;
}

int listener_wait(struct listener *l, int timeout_ms)
{
	struct pollfd p = { .fd = mnl_socket_get_fd(l->socket), .events = POLLIN };

	if (l->from < l->end || l->at < l->n)
		return 1;
	return poll(&p, 1, timeout_ms) > 0;
}

/* Takes what is there: 1, 0 nothing, -ENOBUFS, or another error. */
static int take(struct listener *l, struct ct_err *err)
{
	int n;

	for (unsigned i = 0; i < AT_ONCE; i++)
		l->heads[i].msg_hdr.msg_namelen = sizeof(l->senders[i]);
	n = recvmmsg(mnl_socket_get_fd(l->socket), l->heads, AT_ONCE, MSG_DONTWAIT, NULL);
	l->at = 0;
	l->n = n < 0 ? 0 : (unsigned)n;
	if (n > 0)
		return 1;
	if (n == 0 || errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
		return 0;
	if (errno == ENOBUFS)
		return -ENOBUFS;
	n = -errno;
	return ct_err_set(err, n, "receiving by netlink: %s", strerror(-n));
}

/* Begins with the next datagram at hand. One that was cut or is not the kernel's says nothing. */
static void begin_datagram(struct listener *l)
{
	const struct mmsghdr *h = &l->heads[l->at];

	l->from = l->end = l->room[l->at];
	if (!(h->msg_hdr.msg_flags & MSG_TRUNC) && l->senders[l->at].nl_pid == 0)
		l->end += h->msg_len;
	l->at++;
}

int listener_next(struct listener *l, uint16_t *type, const void **payload, size_t *size,
		  struct ct_err *err)
{
	for (;;) {
		size_t left = (size_t)(l->end - l->from), step;
		struct nlmsghdr h;
		int r;

		if (left < sizeof(h)) {
			if (l->at == l->n) {
				r = take(l, err);
				if (r <= 0)
					return r;
			}
			begin_datagram(l);
			continue;
		}
		memcpy(&h, l->from, sizeof(h));
		if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > left) {
			l->from = l->end;
			continue;
		}
		*type = h.nlmsg_type;
		*payload = l->from + sizeof(h);
		*size = h.nlmsg_len - sizeof(h);
		step = NLMSG_ALIGN((size_t)h.nlmsg_len);
		l->from = step < left ? l->from + step : l->end;
		if (h.nlmsg_type >= NLMSG_MIN_TYPE)
			return 1;
	}
}
