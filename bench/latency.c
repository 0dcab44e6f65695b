/* SPDX-License-Identifier: BSD-2-Clause
 *
 * latency SECONDS CPU: what a packet through the tracker takes, in a steady stream of them.
 *
 * Datagrams go over loopback within one processor: sent, tracked twice (out and in), received; so
 * the time of a send and its receive is that of the packet's whole way. It runs before all ordinary
 * processes (SCHED_FIFO), as the kernel's own receiving does, or it would measure the scheduler.
 * Many sockets take turns, so that their connections lie apart in the table. Prints "packets
 * median_ns p999_ns max_ns".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/number.h"

#define N_SOCKETS  256
#define PACE_NS	   50000 /* between packets */
#define CLASS_NS   10
#define N_CLASSES  1000000 /* up to 10 ms */
#define FIRST_PORT 20000

static uint32_t histogram[N_CLASSES];

static int64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* A socket on loopback that sends to port @to and receives at @at. */
static int make_socket(uint16_t at, uint16_t to)
{
	struct sockaddr_in own = { .sin_family = AF_INET, .sin_port = htons(at) }, peer = own;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	own.sin_addr.s_addr = peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	peer.sin_port = htons(to);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&own, sizeof(own)) < 0 ||
	    connect(fd, (const struct sockaddr *)&peer, sizeof(peer)) < 0) {
		perror("latency: socket");
		exit(1);
	}
	return fd;
}

static int64_t send_one(int from, int to)
{
	char payload[64] = { 0 };
	int64_t begin = now_ns();

	if (send(from, payload, sizeof(payload), 0) < 0 ||
	    recv(to, payload, sizeof(payload), 0) < 0) {
		perror("latency: packet");
		exit(1);
	}
	return now_ns() - begin;
}

static int64_t quantile(uint64_t n, double share)
{
	uint64_t below = 0;

	for (size_t i = 0; i < N_CLASSES; i++) {
		below += histogram[i];
		if ((double)below >= share * (double)n)
			return (int64_t)i * CLASS_NS;
	}
	return (int64_t)N_CLASSES * CLASS_NS;
}

static void stream(const int (*pair)[2], int64_t until)
{
	int64_t most = 0, next = now_ns();
	uint64_t n = 0;

	for (; next < until; next += PACE_NS) {
		const size_t side = n / N_SOCKETS % 2;
		const struct timespec at = { .tv_sec = next / 1000000000,
					     .tv_nsec = next % 1000000000 };
		int64_t took;

		(void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
		took = send_one(pair[n % N_SOCKETS][side], pair[n % N_SOCKETS][1 - side]);
		histogram[took / CLASS_NS < N_CLASSES ? took / CLASS_NS : N_CLASSES - 1]++;
		most = took > most ? took : most;
		n++;
	}
	(void)printf("%" PRIu64 " %" PRId64 " %" PRId64 " %" PRId64 "\n", n, quantile(n, 0.5),
		     quantile(n, 0.999), most);
}

int main(int argc, char **argv)
{
	const struct sched_param first = { .sched_priority = 1 };
	static int pair[N_SOCKETS][2];
	uint64_t seconds, cpu;
	cpu_set_t set;

	if (argc != 3 || ct_number_u64(argv[1], strlen(argv[1]), 3600, &seconds) < 0 ||
	    ct_number_u64(argv[2], strlen(argv[2]), CPU_SETSIZE - 1, &cpu) < 0) {
		(void)fprintf(stderr, "usage: latency SECONDS CPU\n");
		return 2;
	}
	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0 ||
	    sched_setscheduler(0, SCHED_FIFO, &first) < 0) {
		perror("latency: scheduler");
		return 1;
	}
	for (uint16_t i = 0; i < N_SOCKETS; i++) {
		uint16_t port = (uint16_t)(FIRST_PORT + 2 * i);

		pair[i][0] = make_socket(port, port + 1);
		pair[i][1] = make_socket(port + 1, port);
	}
	for (size_t i = 0; i < (size_t)2 * N_SOCKETS; i++)
		(void)send_one(pair[i / 2][i % 2], pair[i / 2][1 - i % 2]);
	stream((const int(*)[2])pair, now_ns() + (int64_t)seconds * 1000000000);
	return 0;
}
