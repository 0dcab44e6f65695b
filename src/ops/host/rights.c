/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The rights that changing a machine takes, and no others.
 */
#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ops/host/write.h"

#define CAP(name) (UINT64_C(1) << CAP_##name)

/* NET_RAW is what iptables opens its socket with; SYS_ADMIN enters namespaces, SYS_PTRACE sees
 * those of other users' processes; the rest replaces files with owner and mode. SETPCAP goes with
 * the end of this. */
#define KEPT                                                                                       \
	(CAP(NET_ADMIN) | CAP(NET_RAW) | CAP(SYS_ADMIN) | CAP(SYS_PTRACE) | CAP(DAC_OVERRIDE) |    \
	 CAP(DAC_READ_SEARCH) | CAP(CHOWN) | CAP(FOWNER) | CAP(MAC_ADMIN))

int host_give_up_rights(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	/* First what programs that we start could get again. */
	for (unsigned cap = 0; cap < 64; cap++)
		if (!(KEPT >> cap & 1) && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
			(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (syscall(SYS_capget, &head, data) < 0)
		return -errno;
	for (int i = 0; i < 2; i++) {
		data[i].permitted &= (uint32_t)((uint64_t)KEPT >> (32 * i));
		data[i].effective &= data[i].permitted;
		data[i].inheritable = 0;
	}
	return syscall(SYS_capset, &head, data) < 0 ? -errno : 0;
}
