/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Datagrams of one netlink dump, live or recorded, cut into messages; see dump.h.
 *
 * Answers to Linux 6.18 netlink_dump(), netlink_ack_tlv_fill(). A dump is made inside our own
 * recvmsg(), one datagram of at most 32 KiB at a time, so nothing piles up and a wait that brings
 * nothing means that nothing will come.
 */
#include "ops/host/dump.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "lib/base/bytes.h"
#include "ops/host/inner.h"

#define BUFFER_BYTES	  (64u << 10) /* twice what the kernel puts into one datagram */
#define RECEIVE_BYTES	  (1 << 20)   /* of the socket */
#define MAX_REQUEST_BYTES 4096u
#define RECEIVE_TIMEOUT_S 10
#define HEADER_BYTES	  sizeof(struct nlmsghdr)

struct dump {
	const uint8_t *at, *end;   /* of the datagram not yet delivered */
	struct mnl_socket *socket; /* live, else null */
	int fd;			   /* recorded, else -1 */
	int record_fd;		   /* borrowed; -1 */
	dump_rewrite rewrite;	   /* may be null */
	void *rewrite_user;
	uint64_t offset; /* recorded: bytes read, for messages */
	bool is_cut;	 /* the recording ends inside this datagram */
	bool is_ended;
	struct dump_info info;
	char name[64];
	_Alignas(8) uint8_t buffer[BUFFER_BYTES];
};

static int record(struct dump *d)
{
	size_t size = (size_t)(d->end - d->at);
	const uint8_t length[4] = { (uint8_t)(size >> 24), (uint8_t)(size >> 16),
				    (uint8_t)(size >> 8), (uint8_t)size };
	int r = host_write_all(d->record_fd, length, sizeof(length));

	return r < 0 ? r : host_write_all(d->record_fd, d->at, size);
}

/* Waits for the kernel's next datagram. */
static int receive(struct dump *d, size_t *out_size, struct ct_err *err)
{
	for (;;) {
		struct sockaddr_nl from = { 0 };
		struct iovec iov = { .iov_base = d->buffer, .iov_len = sizeof(d->buffer) };
		struct msghdr msg = { .msg_name = &from,
				      .msg_namelen = sizeof(from),
				      .msg_iov = &iov,
				      .msg_iovlen = 1 };
		ssize_t n = recvmsg(mnl_socket_get_fd(d->socket), &msg, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == ENOBUFS) {
			d->info.n_overruns++;
			continue;
		}
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return ct_err_set(err, -ETIMEDOUT,
					  "%s: the kernel stopped in the middle of its answer",
					  d->name);
		if (n < 0) {
			int r = -errno;

			return ct_err_set(err, r, "%s: receiving by netlink: %s", d->name,
					  strerror(-r));
		}
		if (from.nl_pid != 0) /* not from the kernel */
			continue;
		if (msg.msg_flags & MSG_TRUNC)
			return ct_err_set(err, -EMSGSIZE,
					  "%s: the kernel sent a datagram of more than %u bytes",
					  d->name, BUFFER_BYTES);
		*out_size = (size_t)n;
		return 1;
	}
}

static int read_full(int fd, void *p, size_t size, size_t *out_got)
{
	size_t got = 0;

	while (got < size) {
		ssize_t n = read(fd, (uint8_t *)p + got, size - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	*out_got = got;
	return 0;
}

static int cut(const struct dump *d, struct ct_err *err)
{
	return ct_err_set(err, -EBADMSG, "%s: the recording is cut at byte %llu", d->name,
			  (unsigned long long)d->offset);
}

/* Reads the next datagram of a recording. One that is cut still delivers its whole messages. */
static int replay(struct dump *d, size_t *out_size, struct ct_err *err)
{
	uint8_t length[4];
	struct ct_bytes b = ct_bytes_of(length, sizeof(length));
	uint32_t size = 0;
	size_t got = 0;
	int r;

	if (d->is_cut)
		return cut(d, err);
	r = read_full(d->fd, length, sizeof(length), &got);
	if (r == 0 && got == 0)
		return 0;
	if (r == 0) {
		d->offset += got;
		if (take_be32(&b, &size) < 0 || got < sizeof(length))
			return cut(d, err);
		if (size > BUFFER_BYTES || size == 0)
			return ct_err_set(err, -EBADMSG,
					  "%s: byte %llu: a datagram of %u bytes; this is no "
					  "recording of netlink",
					  d->name, (unsigned long long)d->offset - 4, size);
		r = read_full(d->fd, d->buffer, size, &got);
	}
	if (r < 0)
		return ct_err_set(err, r, "%s: %s", d->name, strerror(-r));
	d->offset += got;
	d->is_cut = got < size;
	*out_size = got;
	return 1;
}

/* Brings the next datagram: 1, 0 at the end of a recording, negative an error. */
static int fill(struct dump *d, struct ct_err *err)
{
	size_t size = 0;
	int r = d->socket ? receive(d, &size, err) : replay(d, &size, err);
	if (r <= 0)
		return r;
	d->at = d->buffer;
	d->end = d->buffer + size;
	d->info.n_datagrams++;
	d->info.n_bytes += size;
	if (d->rewrite)
		d->rewrite(d->rewrite_user, d->buffer, size);
	r = d->record_fd >= 0 ? record(d) : 0;
	if (r < 0)
		return ct_err_set(err, r, "%s: recording: %s", d->name, strerror(-r));
	return 1;
}

/* The sentence an extended acknowledgement brings, cut to @size; "" when there is none. */
static void ack_text(const struct nlmsghdr *h, const uint8_t *payload, size_t size, char *out,
		     size_t out_size)
{
	struct ct_bytes b = ct_bytes_of(payload, size);
	struct nlmsghdr inner;
	struct nlattr attr;
	size_t len;

	out[0] = '\0';
	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS) || take_skip(&b, sizeof(int32_t)) < 0 ||
	    take_bytes(&b, &inner, sizeof(inner)) < 0)
		return;
	if (!(h->nlmsg_flags & NLM_F_CAPPED) &&
	    (inner.nlmsg_len < sizeof(inner) ||
	     take_skip(&b, NLMSG_ALIGN((size_t)inner.nlmsg_len) - sizeof(inner)) < 0))
		return;
	while (take_bytes(&b, &attr, sizeof(attr)) == 0) {
		if (attr.nla_len < sizeof(attr) || attr.nla_len - sizeof(attr) > ct_bytes_left(&b))
			return;
		len = attr.nla_len - sizeof(attr);
		if ((attr.nla_type & NLA_TYPE_MASK) == NLMSGERR_ATTR_MSG) {
			(void)snprintf(out, out_size, " (%.*s)", (int)len, (const char *)b.at);
			return;
		}
		if (take_skip(&b, NLMSG_ALIGN(len)) < 0)
			return;
	}
}

/* The answer to a request: 0 for an acknowledgement, else the kernel's error. */
static int acknowledged(struct dump *d, const struct nlmsghdr *h, const uint8_t *payload,
			size_t size, struct ct_err *err)
{
	char text[160];
	int32_t code;

	if (size < sizeof(code))
		return ct_err_set(err, -EBADMSG, "%s: an error message of %zu bytes", d->name,
				  size);
	memcpy(&code, payload, sizeof(code));
	if (code > 0 || code < -4095)
		return ct_err_set(err, -EBADMSG, "%s: the error number %d is none", d->name, code);
	d->is_ended = true;
	if (code == 0) {
		d->info.is_done = true;
		return 0;
	}
	ack_text(h, payload, size, text, sizeof(text));
	return ct_err_set(err, code, "%s: the kernel answers: %s%s%s", d->name, strerror(-code),
			  text, code == -EPERM ? "; CAP_NET_ADMIN is needed" : "");
}

/* The last message of a dump; since Linux 4.16 it carries the dump's result. */
static int done(struct dump *d, const uint8_t *payload, size_t size, struct ct_err *err)
{
	int32_t code = 0;

	d->is_ended = true;
	if (size >= sizeof(code))
		memcpy(&code, payload, sizeof(code));
	if (code < 0 && code >= -4095)
		return ct_err_set(err, code, "%s: the kernel broke off its dump: %s", d->name,
				  strerror(-code));
	d->info.is_done = true;
	return 0;
}

/* Messages of netlink itself: 1 read on, 0 the end, negative an error. */
static int control(struct dump *d, const struct nlmsghdr *h, const uint8_t *payload, size_t size,
		   struct ct_err *err)
{
	switch (h->nlmsg_type) {
	case NLMSG_DONE:
		return done(d, payload, size, err);
	case NLMSG_ERROR:
		return acknowledged(d, h, payload, size, err);
	case NLMSG_OVERRUN:
		d->info.n_overruns++;
		return 1;
	default: /* NLMSG_NOOP and what is reserved */
		return 1;
	}
}

static int bad_frame(struct dump *d, const struct nlmsghdr *h, size_t left, struct ct_err *err)
{
	uint32_t swapped = __builtin_bswap32(h->nlmsg_len);

	d->is_ended = true;
	if (d->is_cut)
		return cut(d, err);
	if (left >= HEADER_BYTES && swapped >= HEADER_BYTES && swapped <= left)
		return ct_err_set(err, -EBADMSG,
				  "%s: recorded on a machine of the other byte order", d->name);
	return ct_err_set(err, -EBADMSG, "%s: datagram %llu has a message of %u bytes in %zu",
			  d->name, (unsigned long long)d->info.n_datagrams, h->nlmsg_len, left);
}

/* What the common path does not want to look at: 1 read on, 0 the end, negative an error. */
static int rare(struct dump *d, const struct nlmsghdr *h, const uint8_t *payload, size_t size,
		struct ct_err *err)
{
	if (h->nlmsg_flags & NLM_F_DUMP_INTR)
		d->info.n_interrupted++;
	if (h->nlmsg_type < NLMSG_MIN_TYPE)
		return control(d, h, payload, size, err);
	return 2;
}

int dump_next(struct dump *d, uint16_t *type, const void **payload, size_t *size,
	      struct ct_err *err)
{
	for (;;) {
		const uint8_t *at = d->at;
		size_t left = (size_t)(d->end - at), step;
		struct nlmsghdr h = { 0 };
		int r;

		if (left == 0) {
			if (d->is_ended)
				return 0;
			r = fill(d, err);
			if (r <= 0) {
				d->is_ended = true;
				return r;
			}
			continue;
		}
		if (left >= HEADER_BYTES)
			memcpy(&h, at, HEADER_BYTES);
		if (h.nlmsg_len < HEADER_BYTES || h.nlmsg_len > left) {
			d->at = d->end;
			return bad_frame(d, &h, left, err);
		}
		step = NLMSG_ALIGN((size_t)h.nlmsg_len);
		d->at = step < left ? at + step : d->end;
		d->info.n_messages++;
		if (h.nlmsg_type < NLMSG_MIN_TYPE || (h.nlmsg_flags & NLM_F_DUMP_INTR)) {
			r = rare(d, &h, at + HEADER_BYTES, h.nlmsg_len - HEADER_BYTES, err);
			if (r <= 0) {
				d->at = d->end;
				return r;
			}
			if (r == 1)
				continue;
		}
		if (h.nlmsg_flags & NLM_F_DUMP_FILTERED)
			d->info.is_filtered = true;
		*type = h.nlmsg_type;
		*payload = at + HEADER_BYTES;
		*size = h.nlmsg_len - HEADER_BYTES;
		return 1;
	}
}

static struct dump *new_dump(const char *name)
{
	struct dump *d = malloc(sizeof(*d));

	if (!d)
		return NULL;
	memset(d, 0, offsetof(struct dump, buffer));
	d->fd = d->record_fd = -1;
	(void)snprintf(d->name, sizeof(d->name), "%s", name);
	return d;
}

int dump_open_recording(int fd, const char *name, struct dump **out, struct ct_err *err)
{
	struct dump *d = new_dump(name);

	if (!d) {
		(void)close(fd);
		return ct_err_set(err, -ENOMEM, "%s: out of memory", name);
	}
	d->fd = fd;
	*out = d;
	return 0;
}

static int open_recorded(struct host *h, const char *name, struct dump **out, struct ct_err *err)
{
	char path[HOST_MAX_PATH];
	int fd, r;

	r = host_recorded_path(h, "netlink", name, path, sizeof(path));
	fd = r < 0 ? r : host_open_fd(h, path);
	if (fd == -ENOENT)
		return ct_err_set(err, fd, "%s: this copy has no recording of it (%s)", name,
				  path + 1);
	if (fd < 0)
		return ct_err_set(err, fd, "%s: %s", path + 1, strerror(-fd));
	return dump_open_recording(fd, name, out, err);
}

/* A socket in the namespace of @h. The options make errors tell more; none is needed. */
static int open_socket(struct host *h, struct mnl_socket **out)
{
	const struct timeval timeout = { .tv_sec = RECEIVE_TIMEOUT_S };
	const int room = RECEIVE_BYTES;
	int on = 1;
	struct host_visit visit;
	struct mnl_socket *s;
	int r;

	r = host_visit_begin(h, &visit);
	if (r < 0)
		return r;
	s = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	r = s ? 0 : -errno;
	host_visit_end(&visit);
	if (r < 0)
		return r;
	if (mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0) {
		r = -errno;
		(void)mnl_socket_close(s);
		return r;
	}
	(void)mnl_socket_setsockopt(s, NETLINK_EXT_ACK, &on, sizeof(on));
	(void)mnl_socket_setsockopt(s, NETLINK_CAP_ACK, &on, sizeof(on));
	(void)setsockopt(mnl_socket_get_fd(s), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	if (setsockopt(mnl_socket_get_fd(s), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0)
		(void)setsockopt(mnl_socket_get_fd(s), SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	*out = s;
	return 0;
}

static int send_request(struct dump *d, const void *request, size_t size)
{
	_Alignas(8) uint8_t copy[MAX_REQUEST_BYTES];
	struct nlmsghdr h;

	if (size < HEADER_BYTES || size > sizeof(copy))
		return -EINVAL;
	memcpy(copy, request, size);
	memcpy(&h, request, sizeof(h));
	if (h.nlmsg_len != size)
		return -EINVAL;
	h.nlmsg_flags |= NLM_F_REQUEST;
	if ((h.nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP)
		h.nlmsg_flags |= NLM_F_ACK;
	h.nlmsg_seq = 1; /* the socket is new and sends once */
	memcpy(copy, &h, sizeof(h));
	return mnl_socket_sendto(d->socket, copy, size) < 0 ? -errno : 0;
}

/* Has the kernel's first datagram ready, and turns a refusal into the caller's error. */
static int first_answer(struct dump *d, struct ct_err *err)
{
	struct nlmsghdr h;
	int32_t code = 0;
	int r = fill(d, err);

	if (r < 0)
		return r;
	if ((size_t)(d->end - d->at) < HEADER_BYTES + sizeof(code))
		return 0;
	memcpy(&h, d->at, sizeof(h));
	memcpy(&code, d->at + HEADER_BYTES, sizeof(code));
	if (h.nlmsg_type != NLMSG_ERROR || code == 0)
		return 0;
	return acknowledged(d, &h, d->at + HEADER_BYTES, (size_t)(d->end - d->at) - HEADER_BYTES,
			    err);
}

/* Linux, nfnetlink_rcv_msg() asks for the module nfnetlink-subsys-1 when it is missing, and before
 * 4.10 that alone switches tracking on. A masked /sys and /proc, as in some containers, say
 * nothing. */
bool dump_is_harmless(struct host *h)
{
	static const char *const signs[] = {
		"/proc/sys/net/netfilter/nf_conntrack_count",
		"/proc/sys/net/ipv4/netfilter/ip_conntrack_count",
		"/proc/net/stat/nf_conntrack",
		"/sys/module/nf_conntrack",
		"/sys/module/ip_conntrack",
	};
	auto_fini(ct_buf) struct ct_buf modules = { 0 };
	struct host_stat st;

	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
		if (host_stat(h, signs[i], &st) == 0)
			return true;
	if (host_read(h, "/proc/modules", &modules) < 0)
		return host_stat(h, "/sys/module/kernel", &st) < 0;
	return strncmp(modules.p, "nf_conntrack ", 13) == 0 ||
	       strstr(modules.p, "\nnf_conntrack ") != NULL;
}

int dump_open(struct host *h, const char *name, const void *request, size_t size, struct dump **out,
	      struct ct_err *err)
{
	auto_free(dump) struct dump *d = NULL;
	int r;

	if (!host_is_live(h))
		return open_recorded(h, name, out, err);
	if (!dump_is_harmless(h))
		return ct_err_set(err, -EPROTONOSUPPORT,
				  "%s: the module nf_conntrack is not loaded, and asking by "
				  "netlink would load it",
				  name);
	d = new_dump(name);
	if (!d)
		return ct_err_set(err, -ENOMEM, "%s: out of memory", name);
	r = open_socket(h, &d->socket);
	if (r < 0)
		return ct_err_set(err, r, "%s: no netlink: %s", name, strerror(-r));
	r = send_request(d, request, size);
	if (r < 0)
		return ct_err_set(err, r, "%s: asking by netlink: %s", name, strerror(-r));
	r = first_answer(d, err);
	if (r < 0)
		return r;
	*out = d;
	d = NULL;
	return 0;
}

void dump_info(const struct dump *d, struct dump_info *out)
{
	*out = d->info;
}

void dump_free(struct dump *d)
{
	if (!d)
		return;
	if (d->socket)
		(void)mnl_socket_close(d->socket);
	if (d->fd >= 0)
		(void)close(d->fd);
	free(d);
}

int dump_record_to(struct dump *d, int fd)
{
	d->record_fd = fd;
	return d->info.n_messages == 0 && d->at != d->end ? record(d) : 0;
}

void dump_rewrite_by(struct dump *d, dump_rewrite rewrite, void *user)
{
	d->rewrite = rewrite;
	d->rewrite_user = user;
	if (d->info.n_messages == 0 && d->at != d->end)
		rewrite(user, d->buffer, (size_t)(d->end - d->at));
}
