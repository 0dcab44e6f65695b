/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Short stays in another network namespace, on the calling thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>

#include "ops/host/inner.h"

int host_visit_begin(const struct host *h, struct host_visit *visit)
{
	int back, r;

	visit->back_fd = -1;
	if (h->netns_fd < 0)
		return 0;
	back = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (back < 0)
		return -errno;
	/* Going where we are is a trial of going back: the kernel asks for the same rights, and a
	 * process in a user namespace may hold them for the other side only. */
	if (setns(back, CLONE_NEWNET) < 0 || setns(h->netns_fd, CLONE_NEWNET) < 0) {
		r = -errno;
		(void)close(back);
		return r;
	}
	visit->back_fd = back;
	return 0;
}

void host_visit_end(struct host_visit *visit)
{
	static const char sentence[] = "conntune: cannot return to the own network namespace\n";

	if (visit->back_fd < 0)
		return;
	if (setns(visit->back_fd, CLONE_NEWNET) < 0) {
		(void)!write(STDERR_FILENO, sentence, sizeof(sentence) - 1);
		abort();
	}
	(void)close(visit->back_fd);
	visit->back_fd = -1;
}
