/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One namespace: level, counters, expectations, knobs, table.
 *
 * /proc is asked first, since everybody may read it and a plain copy holds it; netlink where /proc
 * was built without the files (CONFIG_NF_CONNTRACK_PROCFS).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ops/facts/inner.h"
#include "ops/host/dump.h"

static const char *const count_paths[] = {
	"/proc/sys/net/netfilter/nf_conntrack_count",
	"/proc/sys/net/ipv4/netfilter/ip_conntrack_count",
};
static const char *const max_paths[] = {
	"/proc/sys/net/netfilter/nf_conntrack_max",
	"/proc/sys/net/nf_conntrack_max",
	"/proc/sys/net/ipv4/netfilter/ip_conntrack_max",
	"/proc/sys/net/ipv4/ip_conntrack_max",
};
static const char *const stat_paths[] = {
	"/proc/net/stat/nf_conntrack",
	"/proc/net/stat/ip_conntrack",
};

static bool read_first(struct host *h, const char *const paths[], size_t n, uint64_t *out,
		       char *origin, size_t origin_size)
{
	for (size_t i = 0; i < n; i++) {
		int64_t v;

		if (host_read_i64(h, paths[i], &v) == 0 && v >= 0) {
			*out = (uint64_t)v;
			(void)snprintf(origin, origin_size, "%s", paths[i]);
			return true;
		}
	}
	return false;
}

static void level_netlink(struct host *h, struct facts_netns *ns)
{
	uint8_t request[NL_MAX_REQUEST];
	auto_free(dump) struct dump *d = NULL;
	struct nl_level level;
	const void *payload;
	size_t size;
	uint16_t type;

	if (dump_open(h, "conntrack-stats", request, (size_t)nl_stats_request(request), &d, NULL) <
	    0)
		return;
	if (dump_next(d, &type, &payload, &size, NULL) <= 0 ||
	    nl_stats_decode(payload, size, &level) < 0)
		return;
	if (!ns->is_count_known) {
		ns->is_count_known = true;
		ns->count = level.count;
		(void)snprintf(ns->count_origin, sizeof(ns->count_origin), "netlink");
	}
	if (!ns->is_max_known && level.is_max_known) {
		ns->is_max_known = true;
		ns->max = level.max;
		(void)snprintf(ns->max_origin, sizeof(ns->max_origin), "netlink");
	}
}

static int stats_proc(struct host *h, struct facts_netns *ns)
{
	auto_fini(ct_buf) struct ct_buf text = { 0 };
	int r = -ENOENT;

	for (size_t i = 0; i < sizeof(stat_paths) / sizeof(stat_paths[0]) && r < 0; i++) {
		r = host_read(h, stat_paths[i], &text);
		if (r < 0)
			continue;
		r = proc_stat_parse(text.p ? text.p : "", text.len, &ns->stats);
		ns->stats_origin = stat_paths[i];
	}
	return r;
}

static int stats_netlink(struct host *h, struct facts_netns *ns)
{
	uint8_t request[NL_MAX_REQUEST];
	auto_free(dump) struct dump *d = NULL;
	struct ct_err err = { "" };
	struct nl_stats cpu;
	const void *payload;
	size_t size;
	uint16_t type;
	int r = dump_open(h, "conntrack-stats-cpu", request, (size_t)nl_stats_cpu_request(request),
			  &d, &err);

	while (r >= 0) {
		r = dump_next(d, &type, &payload, &size, &err);
		if (r <= 0)
			break;
		r = nl_stats_cpu_decode(payload, size, &cpu);
		if (r == 0)
			r = stats_add(&ns->stats, &cpu);
	}
	ns->stats_origin = "netlink";
	if (r < 0)
		(void)snprintf(ns->stats_why, sizeof(ns->stats_why), "%.150s",
			       r == -ENOENT && !host_is_live(h) ? "this copy holds none"
			       : err.text[0]			? err.text
								: strerror(-r));
	return r < 0 ? r : ns->stats.n_cpus ? 0 : -ENOENT;
}

/* Expectations are counted by the lines of their file: nothing else tells their number. */
static void read_expectations(struct host *h, struct facts_netns *ns)
{
	static const char *const paths[] = { "/proc/net/nf_conntrack_expect",
					     "/proc/net/ip_conntrack_expect" };
	auto_fini(ct_buf) struct ct_buf text = { 0 };

	for (size_t i = 0; i < 2; i++) {
		if (host_read(h, paths[i], &text) < 0)
			continue;
		ns->is_expect_known = true;
		for (size_t k = 0; k < text.len; k++)
			ns->n_expect += text.p[k] == '\n';
		return;
	}
}

void facts_read_level(struct host *h, struct facts_netns *ns)
{
	ns->is_count_known = read_first(h, count_paths, 2, &ns->count, ns->count_origin,
					sizeof(ns->count_origin));
	ns->is_max_known =
		read_first(h, max_paths, 4, &ns->max, ns->max_origin, sizeof(ns->max_origin));
	if (!ns->is_count_known || !ns->is_max_known)
		level_netlink(h, ns);
	ns->is_stats_known = stats_proc(h, ns) == 0;
	if (!ns->is_stats_known) {
		stats_fini(&ns->stats);
		ns->stats = (struct stats){ 0 };
		ns->is_stats_known = stats_netlink(h, ns) == 0;
	}
	/* 2.4 and early 2.6 have no count file; the statistics repeat the count */
	if (!ns->is_count_known && ns->stats.is_entries_known) {
		ns->is_count_known = true;
		ns->count = ns->stats.entries;
		(void)snprintf(ns->count_origin, sizeof(ns->count_origin), "%s", ns->stats_origin);
	}
	read_expectations(h, ns);
}

int facts_read_settings(struct host *h, bool want_boot, struct facts_netns *ns, struct ct_err *err)
{
	int r = want_boot ? settings_read(h, &ns->settings, err)
			  : settings_read_now(h, &ns->settings, err);

	ns->has_settings = r == 0;
	return r;
}

/* A knob that no file shows, as where the timeouts are compiled in or /proc is without them, has
 * most likely its default. */
static uint32_t knob(const struct facts_netns *ns, const char *name, bool *is_assumed)
{
	const struct setting_value *at = settings_at(&ns->settings, name);
	int64_t v = facts_knob(ns, name);

	if (v < 0 && at && at->error == -ENOENT && at->is_default_known) {
		v = at->by_default;
		*is_assumed = true;
	}
	return v > 0 && v <= UINT32_MAX ? (uint32_t)v : 0;
}

static void timeouts(const struct facts_netns *ns, struct summary_timeouts *t)
{
	static const struct {
		uint8_t state;
		const char *name;
	} tcp[] = {
		{ CT_TCP_SYN_SENT, "nf_conntrack_tcp_timeout_syn_sent" },
		{ CT_TCP_SYN_RECV, "nf_conntrack_tcp_timeout_syn_recv" },
		{ CT_TCP_ESTABLISHED, "nf_conntrack_tcp_timeout_established" },
		{ CT_TCP_FIN_WAIT, "nf_conntrack_tcp_timeout_fin_wait" },
		{ CT_TCP_CLOSE_WAIT, "nf_conntrack_tcp_timeout_close_wait" },
		{ CT_TCP_LAST_ACK, "nf_conntrack_tcp_timeout_last_ack" },
		{ CT_TCP_TIME_WAIT, "nf_conntrack_tcp_timeout_time_wait" },
		{ CT_TCP_CLOSE, "nf_conntrack_tcp_timeout_close" },
	};

	*t = (struct summary_timeouts){ 0 };
	if (!ns->has_settings)
		return;
	for (size_t i = 0; i < sizeof(tcp) / sizeof(tcp[0]); i++)
		t->tcp[tcp[i].state] = knob(ns, tcp[i].name, &t->is_assumed);
	t->tcp_unacknowledged = knob(ns, "nf_conntrack_tcp_timeout_unacknowledged", &t->is_assumed);
	t->tcp_max_retrans = knob(ns, "nf_conntrack_tcp_timeout_max_retrans", &t->is_assumed);
	t->udp = knob(ns, "nf_conntrack_udp_timeout", &t->is_assumed);
	t->udp_stream = knob(ns, "nf_conntrack_udp_timeout_stream", &t->is_assumed);
	t->icmp = knob(ns, "nf_conntrack_icmp_timeout", &t->is_assumed);
	t->icmpv6 = knob(ns, "nf_conntrack_icmpv6_timeout", &t->is_assumed);
	t->generic = knob(ns, "nf_conntrack_generic_timeout", &t->is_assumed);
}

static const char *why_no_table(struct host *h, int code, const struct ct_err *err)
{
	if (code == -ENOENT && !host_is_live(h))
		return "this copy holds none";
	if ((code == -EPERM || code == -EACCES) && !host_is_root(h))
		return "that needs root (CAP_NET_ADMIN)";
	return err->text[0] ? err->text : strerror(-code);
}

int facts_read_table(struct host *h, struct facts_netns *ns)
{
	struct table_options o = {
		.want = CT_KNOWN_FAMILY | CT_KNOWN_TIMEOUT | CT_KNOWN_STATUS | CT_KNOWN_FLAGS |
			CT_KNOWN_STATE | CT_KNOWN_ZONE | CT_KNOWN_COUNTERS | CT_KNOWN_PARTS,
		.allow_proc = true,
	};
	auto_free(table) struct table *t = NULL;
	struct summary_timeouts limits;
	struct ct_err err = { "" };
	struct ct_entry e;
	int r = table_open(h, &o, &t, &err);

	if (r < 0) {
		(void)snprintf(ns->table_why, sizeof(ns->table_why), "%s",
			       why_no_table(h, r, &err));
		return 0;
	}
	timeouts(ns, &limits);
	r = summary_init(&ns->summary, &limits);
	if (r < 0)
		return r;
	while ((r = table_next(t, &e, &err)) > 0)
		summary_add(&ns->summary, &e);
	summary_end(&ns->summary);
	table_info(t, &ns->table);
	if (r < 0) {
		ns->table.is_whole = false;
		(void)snprintf(ns->table.why_not, sizeof(ns->table.why_not), "%.255s",
			       err.text[0] ? err.text : strerror(-r));
	}
	ns->has_summary = true;
	/* Linux 2.4 shows the table and the limit, and no count */
	if (!ns->is_count_known && r == 0 && ns->table.is_whole) {
		ns->is_count_known = true;
		ns->count = ns->summary.n;
		(void)snprintf(ns->count_origin, sizeof(ns->count_origin), "reading the table");
	}
	return 0;
}
