/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Packs a machine into a folder; see bundle.h. The list of what goes in is bundle.def.
 */
#include "ops/bundle/bundle.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ops/bundle/pack.h"
#include "ops/host/netns.h"

#define MAX_GAPS 1000u

void bundle_fini(struct bundle *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < b->n_gaps; i++) {
		free(b->gaps[i].what);
		free(b->gaps[i].why);
	}
	free(b->gaps);
	*b = (struct bundle){ 0 };
}

int pack_gap(struct pack *p, const struct view *v, const char *what, const char *why)
{
	struct bundle *b = p->bundle;
	struct bundle_gap *gaps, gap = { NULL, NULL };

	if (b->n_gaps == MAX_GAPS)
		return 0;
	gaps = realloc(b->gaps, (b->n_gaps + 1) * sizeof(*gaps));
	if (!gaps)
		return -ENOMEM;
	b->gaps = gaps;
	if (asprintf(&gap.what, "%s%s", what, v->label) < 0)
		return -ENOMEM;
	gap.why = strdup(why);
	if (!gap.why) {
		free(gap.what);
		return -ENOMEM;
	}
	b->gaps[b->n_gaps++] = gap;
	return 0;
}

bool pack_is_wanted(const struct pack *p, const struct view *v, enum bundle_scope scope)
{
	switch (scope) {
	case SCOPE_MACHINE:
		return v->is_own;
	case SCOPE_NETNS:
		return true;
	case SCOPE_TABLE:
		return p->options->has_table;
	}
	return false;
}

bool pack_is_harmless(int error)
{
	return error == -EEXIST || error == -ENOTDIR || error == -ELOOP || error == -EINVAL ||
	       error == -ENAMETOOLONG;
}

static int pack_view(struct pack *p, const struct view *v)
{
	int r = pack_files(p, v);

	if (r == 0)
		r = pack_commands(p, v);
	return r == 0 ? pack_netlink(p, v) : r;
}

/* What host.h and netns.h read of recorded/netns/N/about. */
static int write_about(struct pack *p, const struct netns *ns)
{
	auto_fini(ct_buf) struct ct_buf b = { 0 };
	char path[96];
	int r;

	(void)snprintf(path, sizeof(path), "/recorded/netns/%llu/about",
		       (unsigned long long)ns->inode);
	r = ct_buf_printf(&b, "pid=%lld\nn_pids=%u\nis_initial=%d\nis_readable=%d\n",
			  (long long)ns->pid, ns->n_pids, ns->is_initial, ns->is_readable);
	if (r == 0 && ns->name)
		r = ct_buf_printf(&b, "name=%s\n", ns->name);
	if (r == 0 && ns->owner)
		r = ct_buf_printf(&b, "owner=%s\n", ns->owner);
	if (r == 0 && ns->path)
		r = ct_buf_printf(&b, "path=%s\n", ns->path);
	return r == 0 ? out_bytes(&p->out, path, 0444, b.p, b.len) : r;
}

static int pack_netns(struct pack *p, const struct netns *ns)
{
	auto_free(host) struct host *there = NULL;
	char folder[64], label[64];
	struct ct_err err = { "" };
	struct view v = { .files = folder, .recorded = folder, .label = label };
	int r = write_about(p, ns);

	if (r < 0 || ns->is_own)
		return r;
	(void)snprintf(folder, sizeof(folder), "/recorded/netns/%llu",
		       (unsigned long long)ns->inode);
	(void)snprintf(label, sizeof(label), " (net:[%llu])", (unsigned long long)ns->inode);
	if (!ns->is_readable || host_in_netns(p->host, ns, &there, &err) < 0) {
		p->bundle->n_netns_closed++;
		return pack_gap(p, &v, "namespace", err.text[0] ? err.text : "we may not enter it");
	}
	p->bundle->n_netns++;
	v.host = there;
	return pack_view(p, &v);
}

/* What recorded/host tells of namespaces. */
struct netns_facts {
	uint64_t own_inode; /* 0 when not known */
	unsigned n_hidden;
};

static int pack_all_netns(struct pack *p, const struct view *own, struct netns_facts *facts)
{
	auto_fini(netns_list) struct netns_list list = { 0 };
	struct ct_err err = { "" };
	int r = netns_list(p->host, &list, &err), only = -1;
	char text[96];

	if (r < 0)
		return pack_gap(p, own, "namespaces", err.text);
	if (p->options->netns) {
		only = netns_find(p->host, &list, p->options->netns, p->err);
		if (only < 0)
			return only;
	}
	facts->own_inode = list.at[0].inode;
	facts->n_hidden = list.n_hidden;
	for (size_t i = 0; i < list.n && r == 0; i++) {
		if (only < 0 || (size_t)only == i || list.at[i].is_own) {
			r = pack_netns(p, &list.at[i]);
		} else {
			list.at[i].is_readable = false;
			r = write_about(p, &list.at[i]);
		}
	}
	if (r < 0 || list.n_hidden == 0)
		return r;
	(void)snprintf(text, sizeof(text), "those of %u process%s may not be seen", list.n_hidden,
		       list.n_hidden == 1 ? "" : "es");
	return pack_gap(p, own, "namespaces", text);
}

/* recorded/host: what is no file. */
static int write_host(struct pack *p, const struct netns_facts *facts)
{
	auto_fini(ct_buf) struct ct_buf b = { 0 };
	uint32_t page_bytes;
	unsigned n_cpus;
	char machine[65];
	ct_time now;
	int r;

	r = ct_buf_printf(&b, "collected_by=%s\nis_anonymous=%d\nhas_table=%d\n",
			  p->options->made_by, p->options->is_anonymous, p->options->has_table);
	if (r == 0 && p->release[0])
		r = ct_buf_printf(&b, "release=%s\n", p->release);
	if (r == 0 && host_machine(p->host, machine, sizeof(machine)) == 0)
		r = ct_buf_printf(&b, "machine=%s\n", machine);
	if (r == 0 && host_page_size(p->host, &page_bytes) == 0)
		r = ct_buf_printf(&b, "page_size=%u\n", page_bytes);
	if (r == 0 && host_n_cpus(p->host, &n_cpus) == 0)
		r = ct_buf_printf(&b, "cpus=%u\n", n_cpus);
	if (r == 0 && host_now(p->host, &now) == 0)
		r = ct_buf_printf(&b, "now=%lld.%09lld\n", (long long)(now / CT_NS_PER_S),
				  (long long)(now % CT_NS_PER_S));
	if (r == 0 && facts->own_inode)
		r = ct_buf_printf(&b, "netns=%llu\nnetns_hidden=%u\n",
				  (unsigned long long)facts->own_inode, facts->n_hidden);
	return r == 0 ? out_bytes(&p->out, "/recorded/host", 0444, b.p, b.len) : r;
}

/* Programs that change settings of tracking on their own account: that they run is told by the
 * names of their processes, and nothing else of these is taken. */
static int pack_managers(struct pack *p, const struct view *v)
{
	static const char *const names[] = {
		"kube-proxy", "kubelet",    "k3s-server",   "k3s-agent",   "k3s",	 "rke2",
		"dockerd",    "containerd", "cilium-agent", "calico-node", "firewalld",	 "tuned",
		"conntrackd", "libvirtd",   "ovs-vswitchd", "flanneld",	   "tailscaled",
	};
	auto_fini(host_names) struct host_names pids = { 0 };

	if (host_list(v->host, "/proc", &pids) < 0)
		return 0;
	for (size_t i = 0; i < pids.n; i++) {
		auto_fini(ct_buf) struct ct_buf comm = { 0 };
		const char *pid = pids.name[i];
		char path[64];
		int r = 0;

		if (strspn(pid, "0123456789") != strlen(pid) || strcmp(pid, "1") == 0)
			continue;
		(void)snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
		if (host_read(v->host, path, &comm) < 0)
			continue;
		comm.p[strcspn(comm.p, "\n")] = '\0';
		for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++)
			if (strcmp(comm.p, names[k]) == 0)
				r = out_bytes(&p->out, path, 0444, comm.p, strlen(comm.p));
		if (r < 0 && !pack_is_harmless(r))
			return r;
	}
	return 0;
}

/* A kernel that cannot load modules has no list of them. That none is loaded is known all the same,
 * and an absent file would make it unknown. */
static int pack_no_modules(struct pack *p)
{
	struct host_stat st;

	if (!host_is_live(p->host) || host_stat(p->host, "/proc/version", &st) < 0 ||
	    host_stat(p->host, "/proc/modules", &st) != -ENOENT)
		return 0;
	return out_bytes(&p->out, "/proc/modules", 0444, "", 0);
}

static int pack_machine(struct pack *p)
{
	const struct view own = {
		.host = p->host, .files = "", .recorded = "/recorded", .label = "", .is_own = true
	};
	struct netns_facts facts = { 0 };
	int r;

	if (host_release(p->host, p->release, sizeof(p->release)) < 0)
		p->release[0] = '\0';
	p->bundle->n_netns = 1;
	r = pack_view(p, &own);
	if (r == 0)
		r = pack_no_modules(p);
	if (r == 0)
		r = pack_managers(p, &own);
	if (r == 0)
		r = pack_all_netns(p, &own, &facts);
	return r == 0 ? write_host(p, &facts) : r;
}

int bundle_write(struct host *h, const struct bundle_options *options, struct bundle *out,
		 struct ct_err *err)
{
	auto_fini(bundle) struct bundle b = { 0 };
	auto_free(anon) struct anon *anon = NULL;
	struct pack p = { .host = h, .options = options, .bundle = &b, .err = err };
	int r = 0;

	if (options->is_anonymous)
		r = anon_new(options->key, &anon);
	if (r < 0)
		return ct_err_set(err, r, "out of memory");
	p.anon = anon;
	r = out_open(&p.out, options->dir, err);
	if (r < 0)
		return r;
	r = pack_machine(&p);
	if (r < 0) {
		out_remove(&p.out, options->dir);
		return ct_err_wrap(err, r, "%s is not made", options->dir);
	}
	b.n_files = p.out.n_files;
	b.n_bytes = p.out.n_bytes;
	out_fini(&p.out);
	*out = b;
	b = (struct bundle){ 0 };
	return 0;
}
