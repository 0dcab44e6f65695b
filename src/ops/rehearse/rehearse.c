/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A rehearsal: see rehearse.h.
 */
#include "ops/rehearse/rehearse.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ops/rehearse/inner.h"

struct job {
	struct rehearsal *r;
	rehearse_fn act;
	void *user;
	struct ct_err *err;
	int result;
};

/* The kernel's own packets about links coming up pass first. */
static void let_pass(struct rehearsal *r)
{
	static const useconds_t pause_us = 300000;
	struct rehearse_said said;

	(void)usleep(pause_us);
	for (unsigned i = 0; i < r->n_tuns; i++)
		while (read(r->tuns[i].fd, r->left, sizeof(r->left)) > 0)
			continue;
	rehearse_log_read(r, &said);
}

static int open_raw(struct rehearsal *r, struct ct_err *err)
{
	static const int on = 1;

	r->raw4 = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	r->raw6 = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	if (r->raw4 < 0)
		return ct_err_set(err, -errno, "a raw socket: %s", strerror(errno));
	(void)setsockopt(r->raw4, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on));
	return 0;
}

/* The thread's own namespaces. Locks of programs below /run stay in there too. */
static int enter(struct ct_err *err)
{
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0)
		return ct_err_set(err, -errno,
				  errno == EPERM ? "a scratch namespace needs root"
						 : "a scratch namespace: %s",
				  strerror(errno));
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0)
		(void)mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "size=1m");
	return 0;
}

static void *work(void *user)
{
	struct job *job = user;

	job->result = enter(job->err);
	if (job->result == 0)
		job->result = rehearse_net_make(job->r, job->err);
	if (job->result == 0)
		job->result = rehearse_log_open(job->r, job->err);
	if (job->result == 0)
		job->result = open_raw(job->r, job->err);
	if (job->result == 0) {
		let_pass(job->r);
		job->result = job->act(job->user, job->r);
	}
	return NULL;
}

static void close_all(struct rehearsal *r)
{
	for (unsigned i = 0; i < r->n_tuns; i++)
		(void)close(r->tuns[i].fd);
	if (r->raw4 >= 0)
		(void)close(r->raw4);
	if (r->raw6 >= 0)
		(void)close(r->raw6);
	if (r->log >= 0)
		(void)close(r->log);
}

int rehearse(const struct rehearse_config *cfg, rehearse_fn act, void *user, struct ct_err *err)
{
	auto_memory struct rehearsal *r = calloc(1, sizeof(*r));
	struct job job = { .r = r, .act = act, .user = user, .err = err };
	pthread_t thread;
	int result;

	if (!r)
		return ct_err_set(err, -ENOMEM, "no memory for a rehearsal");
	r->cfg = cfg;
	r->raw4 = r->raw6 = r->log = -1;
	result = pthread_create(&thread, NULL, work, &job);
	if (result != 0)
		return ct_err_set(err, -result, "a thread: %s", strerror(result));
	(void)pthread_join(thread, NULL);
	close_all(r);
	return job.result;
}

static int send_raw(const struct rehearsal *r, const uint8_t *data, uint32_t size)
{
	struct sockaddr_in to4 = { .sin_family = AF_INET };
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6 };

	if (data[0] >> 4 == 4) {
		memcpy(&to4.sin_addr, data + 16, 4);
		return sendto(r->raw4, data, size, 0, (const void *)&to4, sizeof(to4)) < 0 ? -errno
											   : 0;
	}
	memcpy(&to6.sin6_addr, data + 24, 16);
	return sendto(r->raw6, data, size, 0, (const void *)&to6, sizeof(to6)) < 0 ? -errno : 0;
}

static int send_tun(const struct rehearsal *r, const uint8_t *data, uint32_t size, const char *in)
{
	const struct rehearse_tun *tun = &r->tuns[0];

	for (unsigned i = 0; in && i < r->n_tuns; i++)
		if (strcmp(r->tuns[i].name, in) == 0)
			tun = &r->tuns[i];
	return write(tun->fd, data, size) < 0 ? -errno : 0;
}

/* What came out of an interface; the first, should there be more. */
static void read_left(struct rehearsal *r, struct rehearse_result *out)
{
	uint8_t other[256];

	for (unsigned i = 0; i < r->n_tuns; i++) {
		ssize_t n;

		if (out->out) {
			while (read(r->tuns[i].fd, other, sizeof(other)) > 0)
				continue;
			continue;
		}
		n = read(r->tuns[i].fd, r->left, sizeof(r->left));
		if (n <= 0)
			continue;
		out->out = r->tuns[i].name;
		out->data = r->left;
		out->size = (uint32_t)n;
		i--; /* more of the same interface */
	}
}

int rehearse_send(struct rehearsal *r, const uint8_t *data, uint32_t size, const struct ct_way *way,
		  struct rehearse_result *out)
{
	struct rehearse_said said;
	int result = way->is_sent ? send_raw(r, data, size) : send_tun(r, data, size, way->in);

	*out = (struct rehearse_result){ .state = "-", .fate = SIM_GONE };
	read_left(r, out);
	rehearse_log_read(r, &said);
	memcpy(out->state, said.state, sizeof(out->state));
	if (out->out) {
		out->fate = way->is_sent ? SIM_SENT : SIM_FORWARDED;
	} else if (said.is_delivered) {
		out->fate = SIM_DELIVERED;
		out->data = r->delivered;
		out->size = r->delivered_size;
	}
	/* A rule that drops what is sent makes sending fail with EPERM: that is its fate. */
	return result == -EPERM ? 0 : result;
}
