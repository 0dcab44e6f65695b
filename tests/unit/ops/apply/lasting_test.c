/* SPDX-License-Identifier: BSD-2-Clause
 *
 * apply --persist on every init system and generation of kernels: what it would write, put into the
 * machine's files, holds at the next boot; what forget would write takes all of it away again.
 */
#include <errno.h>
#include <unistd.h>

#include "../host/copy.h"
#include "ops/apply/drafts.h"
#include "ops/settings/boot.h"
#include "tap.h"

#define MAX	1000000
#define BUCKETS 1000448
#define IDLE	7200

static const struct {
	const char *mark, *release;
	bool is_built_in, has_buckets;
	const char *file; /* that must be among those written */
} machines[] = {
	{ "/run/systemd/system/x", "6.1.0-18-amd64", false, true,
	  "/etc/modules-load.d/conntune.conf" },
	{ "/run/systemd/system/x", "6.1.0-18-amd64", true, true, "/etc/sysctl.d/90-conntune.conf" },
	{ "/run/systemd/system/x", "4.4.0", true, false, "/etc/sysctl.d/90-conntune.conf" },
	{ "/run/systemd/system/x", "4.18.0-553.el8.x86_64", false, true,
	  "/etc/modprobe.d/conntune.conf" },
	{ "/etc/rcS.d/S10procps", "3.2.0-4-amd64", false, true, "/etc/modules" },
	{ "/etc/rc.d/rc.sysinit", "2.6.32-754.el6.x86_64", false, true,
	  "/etc/sysconfig/modules/conntune.modules" },
	{ "/etc/rc.d/rc.sysinit", "2.6.18-238.el5", false, true, "/etc/sysctl.conf" },
	{ "/etc/init/procps.conf", "3.13.0-170-generic", false, true, "/etc/modules" },
	{ "/sbin/openrc", "6.6.30-0-lts", false, true, "/etc/conf.d/modules" },
	{ "/etc/openwrt_release", "5.15.150", true, true, "/etc/sysctl.d/90-conntune.conf" },
};

static const char modules[] = "# modules of somebody\nloop\n";
static const char sysctls[] = "# of somebody, no newline at its end\nnet.ipv4.ip_forward = 1";

static void machine(struct copy *c, size_t i)
{
	char path[128];

	copy_init(c);
	copy_file(c, machines[i].mark, "");
	copy_file(c, "/proc/sys/kernel/osrelease", machines[i].release);
	copy_file(c, "/proc/meminfo", "MemTotal: 16384000 kB\n");
	copy_file(c, "/etc/modules", modules);
	copy_file(c, "/etc/sysctl.conf", sysctls);
	(void)snprintf(path, sizeof(path), "/lib/modules/%s/modules.builtin", machines[i].release);
	copy_file(c, path,
		  machines[i].is_built_in ? "kernel/net/netfilter/nf_conntrack.ko\n" : "x\n");
}

/* Does to the copy what the steps say. */
static void perform(struct copy *c, const struct draft *d)
{
	for (size_t i = 0; i < d->journal.n_steps; i++) {
		const struct step *p = &d->journal.steps[i];

		EQ_INT(p->kind, STEP_file);
		if (!p->to)
			EQ_INT(unlink(copy_path(c, p->path)), 0);
		for (size_t k = 0; p->to && k < d->n_texts; k++)
			if (strcmp(d->texts[k].name, p->to) == 0)
				copy_bytes(c, p->path, d->texts[k].text.p, d->texts[k].text.len);
		if (p->to && strstr(p->path, ".modules"))
			EQ_INT(p->mode, 0755);
	}
}

static void wish(struct plan *p)
{
	char text[96];

	(void)snprintf(text, sizeof(text), "nf_conntrack_max=%d", MAX);
	EQ_INT(plan_add_set(p, text, NULL), 0);
	(void)snprintf(text, sizeof(text), "nf_conntrack_buckets=%d", BUCKETS);
	EQ_INT(plan_add_set(p, text, NULL), 0);
	(void)snprintf(text, sizeof(text), "nf_conntrack_tcp_timeout_established=%d", IDLE);
	EQ_INT(plan_add_set(p, text, NULL), 0);
}

static struct host *open_copy(const struct copy *c)
{
	struct host *h = NULL;

	EQ_INT(host_open(c->root, &h, NULL), 0);
	return h;
}

static bool writes(const struct draft *d, const char *path)
{
	for (size_t i = 0; i < d->journal.n_steps; i++)
		if (strcmp(d->journal.steps[i].path, path) == 0)
			return true;
	return false;
}

static void persist(struct copy *c, const struct plan *p, struct draft *d)
{
	static const struct draft_options o = { .is_for_show = true };
	auto_free(host) struct host *h = open_copy(c);
	struct ct_err err = { "" };

	if (draft_persist(h, p, &o, d, &err) < 0)
		TAP_FAIL("%s", err.text);
	perform(c, d);
}

static void holds(const struct copy *c, size_t i)
{
	auto_free(host) struct host *h = open_copy(c);
	auto_free(boot) struct boot *b = NULL;
	const struct boot_assignment *idle;

	EQ_INT(boot_read(h, &b, NULL), 0);
	EQ_INT(b->after_max, MAX);
	if (machines[i].has_buckets)
		EQ_INT(b->after_buckets, BUCKETS);
	idle = boot_decides(b, settings_find("nf_conntrack_tcp_timeout_established"));
	OK(idle && idle->fate == SETTING_APPLIED && idle->number == IDLE);
	if (idle && idle->fate != SETTING_APPLIED)
		TAP_FAIL("machine %zu: %s", i, idle->why);
}

static void is_as_before(const struct copy *c)
{
	auto_free(host) struct host *h = open_copy(c);
	auto_fini(ct_buf) struct ct_buf t = { 0 };

	EQ_INT(host_read(h, "/etc/modules", &t), 0);
	EQ_STR(t.p, modules);
	EQ_INT(host_read(h, "/etc/sysctl.d/90-conntune.conf", &t), -ENOENT);
	EQ_INT(host_read(h, "/etc/modprobe.d/conntune.conf", &t), -ENOENT);
}

TEST(it_holds_everywhere_and_goes_again)
{
	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
		auto_fini(copy) struct copy c;
		auto_fini(plan) struct plan p = { 0 };
		auto_fini(draft) struct draft d = { 0 }, again = { 0 }, back = { 0 };

		machine(&c, i);
		wish(&p);
		persist(&c, &p, &d);
		if (!writes(&d, machines[i].file))
			TAP_FAIL("machine %zu does not write %s", i, machines[i].file);
		holds(&c, i);
		persist(&c, &p, &again);
		EQ_INT(again.journal.n_steps, 0); /* nothing is written twice */
		{
			auto_free(host) struct host *h = open_copy(&c);

			EQ_INT(draft_forget(h, &back, NULL), 0);
		}
		perform(&c, &back);
		is_as_before(&c);
	}
}

static void owned_by(const char *mark, const char *content, const char *word, const char *snippet)
{
	auto_fini(copy) struct copy c;
	auto_fini(plan) struct plan p = { 0 };
	auto_fini(draft) struct draft d = { 0 };
	bool is_said = false;

	machine(&c, 0);
	copy_file(&c, mark, content);
	copy_link(&c, "/etc/systemd/system/a.wants/tuned.service", "/x");
	copy_link(&c, "/etc/systemd/system/a.wants/ufw.service", "/x");
	EQ_INT(plan_add_set(&p, "nf_conntrack_max=777", NULL), 0);
	persist(&c, &p, &d);
	OK(!writes(&d, "/etc/sysctl.d/90-conntune.conf"));
	for (size_t i = 0; i < d.n_remarks; i++)
		is_said |= strstr(d.remarks[i], word) && strstr(d.remarks[i], snippet);
	if (!is_said)
		TAP_FAIL("%s: %s", mark, d.n_remarks ? d.remarks[0] : "no remark");
}

TEST(owners_are_told_and_not_fought)
{
	owned_by("/etc/kubernetes/manifests/kube-proxy.yaml", "", "kube-proxy", "min: 777");
	owned_by("/etc/systemd/system/k3s.service", "", "k3s", "conntrack-min=777");
	owned_by("/usr/sbin/pve-firewall", "", "Proxmox", "nf_conntrack_max: 777");
	owned_by("/etc/sysctl.d/99-later.conf", "net.netfilter.nf_conntrack_max = 5\n",
		 "/etc/sysctl.d/99-later.conf:1", "net.netfilter.nf_conntrack_max = 777");
	owned_by("/etc/ufw/sysctl.conf", "net/netfilter/nf_conntrack_max=5\n",
		 "/etc/ufw/sysctl.conf", "= 777");
}

TEST(a_file_of_somebody_else_is_left)
{
	auto_fini(copy) struct copy c;
	auto_fini(plan) struct plan p = { 0 };
	auto_fini(draft) struct draft d = { 0 }, back = { 0 };
	static const struct draft_options o = { .is_for_show = true };
	auto_free(host) struct host *h = NULL;
	struct ct_err err = { "" };

	machine(&c, 0);
	copy_file(&c, "/etc/sysctl.d/90-conntune.conf", "net.ipv4.ip_forward = 1\n");
	h = open_copy(&c);
	wish(&p);
	EQ_INT(draft_persist(h, &p, &o, &d, &err), -EEXIST);
	OK(strstr(err.text, "not written by conntune") != NULL);
	EQ_INT(draft_forget(h, &back, NULL), 0);
	EQ_INT(back.journal.n_steps, 0);
	EQ_INT(back.n_remarks, 1);
}

TEST(buckets_alone_keep_the_limit)
{
	auto_fini(copy) struct copy c;
	auto_fini(plan) struct plan p = { 0 };
	auto_fini(draft) struct draft d = { 0 };
	auto_free(boot) struct boot *b = NULL;
	auto_free(host) struct host *h = NULL;

	machine(&c, 0);
	copy_file(&c, "/proc/sys/net/netfilter/nf_conntrack_max", "300000\n");
	EQ_INT(plan_add_set(&p, "nf_conntrack_buckets=262144", NULL), 0);
	persist(&c, &p, &d);
	h = open_copy(&c);
	EQ_INT(boot_read(h, &b, NULL), 0);
	EQ_INT(b->after_max, 300000); /* not 8 x 262144 */
	EQ_INT(b->after_buckets, 262144);
}

TEST(a_blocked_module_gets_a_udev_rule)
{
	auto_fini(copy) struct copy c;
	auto_fini(plan) struct plan p = { 0 };
	auto_fini(draft) struct draft d = { 0 };

	machine(&c, 0);
	copy_file(&c, "/etc/modprobe.d/x.conf", "blacklist nf_conntrack\n");
	copy_file(&c, "/lib/systemd/systemd-sysctl", "");
	copy_file(&c, "/etc/nftables.conf", "table inet x { chain y { ct state new } }\n");
	copy_link(&c, "/etc/systemd/system/a.wants/nftables.service", "/x");
	wish(&p);
	persist(&c, &p, &d);
	OK(writes(&d, "/etc/udev/rules.d/91-conntune.rules"));
	holds(&c, 0);
}

TAP_MAIN(&tap_it_holds_everywhere_and_goes_again, &tap_owners_are_told_and_not_fought,
	 &tap_a_file_of_somebody_else_is_left, &tap_buckets_alone_keep_the_limit,
	 &tap_a_blocked_module_gets_a_udev_rule)
