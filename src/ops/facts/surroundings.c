/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What stands around the table: rules, sockets, programs, interfaces, other tables.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/number.h"
#include "ops/facts/inner.h"

#define MAX_SOCKET_BYTES (256u << 20)
#define CHUNK_BYTES	 65536u
#define MAX_INTERFACES	 16

/* --- rules --- */

/* Without the modules of either framework there are no rules, and asking would load them. */
static bool may_have_rules(struct host *h, enum rules_syntax syntax)
{
	if (!host_is_live(h) || host_has_module(h, "nf_tables"))
		return true;
	switch (syntax) {
	case RULES_IPTABLES:
		return host_has_module(h, "ip_tables");
	case RULES_IP6TABLES:
		return host_has_module(h, "ip6_tables");
	case RULES_NFT:
		break;
	}
	return false;
}

static int scan_command(struct host *h, const char *name, const char *const argv[],
			unsigned timeout_ms, enum rules_syntax syntax, struct rules *r)
{
	auto_fini(ct_buf) struct ct_buf text = { 0 };
	int e = may_have_rules(h, syntax) ? host_command(h, name, argv, timeout_ms, &text, NULL)
					  : 0;

	if (e == 0)
		rules_scan(r, syntax, name, text.p ? text.p : "", text.len);
	return e;
}

/* Where a copy has no recorded commands, the files a boot loads stand in for the rules in force. */
static void scan_files(struct host *h, struct rules *r)
{
	static const struct {
		const char *path;
		enum rules_syntax syntax;
	} files[] = {
		{ "/etc/sysconfig/iptables", RULES_IPTABLES },
		{ "/etc/sysconfig/ip6tables", RULES_IP6TABLES },
		{ "/etc/iptables/rules.v4", RULES_IPTABLES },
		{ "/etc/iptables/rules.v6", RULES_IP6TABLES },
		{ "/etc/nftables.conf", RULES_NFT },
	};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		auto_fini(ct_buf) struct ct_buf text = { 0 };

		if (host_read(h, files[i].path, &text) == 0)
			rules_scan(r, files[i].syntax, files[i].path, text.p ? text.p : "",
				   text.len);
	}
}

/* Whether there are rules that were not read: more than the time or the memory allowed. Other
 * failures, such as those of a kernel without nf_tables, hide none. */
static bool is_cut(int r)
{
	return r == -ETIMEDOUT || r == -EFBIG || r == -ENOMEM;
}

void facts_read_rules(struct host *h, unsigned timeout_ms, struct facts *f)
{
	static const char *const v4[] = { "iptables-save", NULL };
	static const char *const v6[] = { "ip6tables-save", NULL };
	static const char *const nft[] = { "nft", "list", "ruleset", NULL };
	bool has_nft = !f->is_live || !facts_is_unloaded(h, f, "nf_tables");
	bool has_legacy = !f->is_live || !facts_is_unloaded(h, f, "ip_tables");
	int r4, r6, r;

	/* without these modules there are no rules, and asking would load them */
	if (!has_nft && !has_legacy) {
		f->rules.is_known = true;
		return;
	}
	r4 = scan_command(h, "iptables-save", v4, timeout_ms, RULES_IPTABLES, &f->rules);
	r6 = scan_command(h, "ip6tables-save", v6, timeout_ms, RULES_IP6TABLES, &f->rules);
	r = has_nft ? scan_command(h, "nft-ruleset", nft, timeout_ms, RULES_NFT, &f->rules)
		    : -ENOENT;
	if (!f->rules.is_known && !f->is_live)
		scan_files(h, &f->rules);
	if (is_cut(r4) || is_cut(r6) || is_cut(r)) {
		f->rules.is_known = false;
		(void)snprintf(f->rules_why, sizeof(f->rules_why),
			       "reading all rules took more than %u ms or too much memory",
			       timeout_ms);
	}
	if (f->rules.is_known || f->rules_why[0])
		return;
	if (f->is_live && !f->is_root)
		(void)snprintf(f->rules_why, sizeof(f->rules_why),
			       "reading rule sets needs root (CAP_NET_ADMIN)");
	else if (r4 == -ENOENT && r == -ENOENT)
		(void)snprintf(f->rules_why, sizeof(f->rules_why),
			       f->is_live ? "neither iptables-save nor nft is installed"
					  : "the copy holds no rule set");
	else
		(void)snprintf(f->rules_why, sizeof(f->rules_why), "iptables-save: %s; nft: %s",
			       strerror(-r4), strerror(-r));
}

/* --- sockets --- */

static bool read_sockets(struct host *h, const char *path, bool is_udp, struct sockets *s)
{
	auto_fd int fd = host_open_fd(h, path);
	auto_memory char *chunk = malloc(CHUNK_BYTES);
	size_t len = 0, total = 0;
	ssize_t n;

	if (fd < 0 || !chunk)
		return false;
	while ((n = read(fd, chunk + len, CHUNK_BYTES - len)) > 0) {
		const char *last;

		total += (size_t)n;
		if (total > MAX_SOCKET_BYTES) {
			s->is_cut = true;
			return true;
		}
		len += (size_t)n;
		last = memrchr(chunk, '\n', len);
		if (!last && len < CHUNK_BYTES)
			continue;
		n = last ? last + 1 - chunk : (ssize_t)len;
		sockets_text(s, is_udp, chunk, (size_t)n);
		len -= (size_t)n;
		memmove(chunk, chunk + n, len);
	}
	sockets_text(s, is_udp, chunk, len);
	return true;
}

/* `LISTEN 0 511 127.0.0.1:6379 0.0.0.0:* users:(("redis-server",pid=9,fd=6))` */
static void take_listener(struct facts *f, const char *line, const char *end)
{
	const char *open = memmem(line, (size_t)(end - line), "((\"", 3), *close, *colon, *p = line;
	struct facts_listener l = { 0 };
	uint64_t port;

	for (unsigned word = 0; word < 3 && p < end; word++) {
		while (p < end && *p != ' ')
			p++;
		while (p < end && *p == ' ')
			p++;
	}
	for (close = p; close < end && *close != ' '; close++)
		;
	colon = memrchr(p, ':', (size_t)(close - p));
	if (!open || !colon ||
	    ct_number_u64(colon + 1, (size_t)(close - colon - 1), UINT16_MAX, &port) < 0)
		return;
	open += 3;
	for (size_t i = 0; open + i < end && open[i] != '"' && i + 1 < sizeof(l.program); i++)
		l.program[i] = open[i] < ' ' ? '?' : open[i];
	l.port = (uint16_t)port;
	if (!facts_listener(f, l.port) && f->n_listeners < FACTS_MAX_LISTENERS)
		f->listener[f->n_listeners++] = l;
}

int facts_read_sockets(struct host *h, struct facts *f)
{
	static const char *const ss[] = { "ss", "-Htlnp", NULL };
	auto_fini(ct_buf) struct ct_buf text = { 0 };
	const char *at, *end;
	int r = sockets_init(&f->sockets);

	if (r < 0)
		return r;
	f->sockets.is_tcp_known = read_sockets(h, "/proc/net/tcp", false, &f->sockets);
	f->sockets.is_tcp_known |= read_sockets(h, "/proc/net/tcp6", false, &f->sockets);
	f->sockets.is_udp_known = read_sockets(h, "/proc/net/udp", true, &f->sockets);
	f->sockets.is_udp_known |= read_sockets(h, "/proc/net/udp6", true, &f->sockets);
	f->has_sockets = f->sockets.is_tcp_known;
	if (host_command(h, "ss-listen", ss, 3000, &text, NULL) < 0 || !text.p)
		return 0;
	for (at = text.p, end = text.p + text.len; at < end;) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));

		take_listener(f, at, newline ? newline : end);
		at = newline ? newline + 1 : end;
	}
	return 0;
}

/* --- programs, interfaces, other tables --- */

static const char *const known_programs[FACTS_MAX_PROGRAMS] = {
	"kube-proxy", "kubelet",      "k3s-server",  "k3s-agent",  "rke2",  "dockerd",
	"containerd", "cilium-agent", "calico-node", "firewalld",  "tuned", "conntrackd",
	"libvirtd",   "ovs-vswitchd", "flanneld",    "tailscaled",
};

static void find_programs(struct host *h, struct facts *f)
{
	auto_fini(host_names) struct host_names names = { 0 };

	if (host_list(h, "/proc", &names) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		auto_fini(ct_buf) struct ct_buf comm = { 0 };
		char path[64];

		if (names.name[i][0] < '0' || names.name[i][0] > '9' || strlen(names.name[i]) > 20)
			continue;
		(void)snprintf(path, sizeof(path), "/proc/%.20s/comm", names.name[i]);
		if (host_read(h, path, &comm) < 0 || comm.len < 2)
			continue;
		if (comm.p[comm.len - 1] == '\n')
			comm.p[--comm.len] = '\0';
		for (unsigned k = 0; k < FACTS_MAX_PROGRAMS; k++)
			if (strcmp(comm.p, known_programs[k]) == 0 &&
			    !facts_has_program(f, known_programs[k]))
				f->program[f->n_programs++] = known_programs[k];
	}
}

/* "     conntrack_allowance_exceeded: 1234" of ethtool -S */
static void take_allowance(struct facts *f, const char *interface, const char *line,
			   const char *end)
{
	static const char word[] = "allowance_exceeded";
	const char *hit = memmem(line, (size_t)(end - line), word, sizeof(word) - 1), *colon;
	uint64_t v;

	while (line < end && *line == ' ')
		line++;
	colon = memchr(line, ':', (size_t)(end - line));
	if (!hit || !colon || f->n_allowances == 8 || colon - line > 60)
		return;
	for (hit = colon + 1; hit < end && *hit == ' '; hit++)
		;
	if (ct_number_u64(hit, (size_t)(end - hit), UINT64_MAX, &v) < 0)
		return;
	(void)snprintf(f->allowance[f->n_allowances].interface, 32, "%.31s", interface);
	(void)snprintf(f->allowance[f->n_allowances].counter, 64, "%.*s", (int)(colon - line),
		       line);
	f->allowance[f->n_allowances++].value = v;
}

static void read_allowances(struct host *h, struct facts *f)
{
	auto_fini(host_names) struct host_names names = { 0 };
	unsigned n = 0;

	if (host_list(h, "/sys/class/net", &names) < 0)
		return;
	for (size_t i = 0; i < names.n && n < MAX_INTERFACES; i++) {
		const char *argv[] = { "ethtool", "-S", names.name[i], NULL };
		auto_fini(ct_buf) struct ct_buf text = { 0 };
		struct host_stat st;
		char path[128], name[128];
		const char *at, *end;

		/* only interfaces with hardware behind them have such counters */
		(void)snprintf(path, sizeof(path), "/sys/class/net/%.64s/device", names.name[i]);
		if (host_stat(h, path, &st) < 0)
			continue;
		n++;
		(void)snprintf(name, sizeof(name), "ethtool-S-%.64s", names.name[i]);
		if (host_command(h, name, argv, 2000, &text, NULL) < 0 || !text.p)
			continue;
		for (at = text.p, end = text.p + text.len; at < end;) {
			const char *newline = memchr(at, '\n', (size_t)(end - at));

			take_allowance(f, names.name[i], at, newline ? newline : end);
			at = newline ? newline + 1 : end;
		}
	}
}

static void scan_crontab(struct host *h, const char *path, struct facts *f)
{
	auto_fini(ct_buf) struct ct_buf text = { 0 };
	const char *at, *end;
	unsigned line = 0;

	if (host_read(h, path, &text) < 0 || !text.p)
		return;
	for (at = text.p, end = text.p + text.len; at < end && f->n_flushes < 4;) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *stop = newline ? newline : end;
		size_t len = (size_t)(stop - at);

		line++;
		if (at[0] != '#' && (memmem(at, len, "conntrack -F", 12) ||
				     memmem(at, len, "conntrack --flush", 17))) {
			(void)snprintf(f->flush[f->n_flushes].origin, 128, "%.100s:%u", path, line);
			(void)snprintf(f->flush[f->n_flushes++].text, 160, "%.*s",
				       (int)(len < 150 ? len : 150), at);
		}
		at = stop + 1;
	}
}

static void find_flushes(struct host *h, struct facts *f)
{
	static const char *const folders[] = { "/etc/cron.d", "/var/spool/cron",
					       "/var/spool/cron/crontabs", "/etc/cron.hourly",
					       "/etc/cron.daily" };

	scan_crontab(h, "/etc/crontab", f);
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		auto_fini(host_names) struct host_names names = { 0 };

		if (host_list(h, folders[i], &names) < 0)
			continue;
		for (size_t k = 0; k < names.n && k < 256; k++) {
			char path[160];

			(void)snprintf(path, sizeof(path), "%s/%.100s", folders[i], names.name[k]);
			scan_crontab(h, path, f);
		}
	}
}

void facts_read_others(struct host *h, struct facts *f)
{
	struct host_stat st;

	find_programs(h, f);
	find_flushes(h, f);
	read_allowances(h, f);
	f->has_cilium_map = host_stat(h, "/sys/fs/bpf/tc/globals/cilium_ct4_global", &st) == 0 ||
			    host_stat(h, "/sys/fs/bpf/tc/globals/cilium_ct_any4_global", &st) == 0;
	f->has_calico_map = host_stat(h, "/sys/fs/bpf/tc/globals/cali_v4_ct", &st) == 0 ||
			    host_stat(h, "/sys/fs/bpf/tc/globals/cali_v4_ct3", &st) == 0;
	f->has_ovs = host_stat(h, "/sys/module/openvswitch", &st) == 0;
}
