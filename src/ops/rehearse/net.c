/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The namespace of a rehearsal: interfaces, addresses, routes, settings, rules, probe. Programs of
 * the system are asked to load rules, so that they mean what they mean there.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "ops/rehearse/inner.h"

enum { PROGRAM_MS = 20000 };

#define LOG(match, text)                                                                           \
	match " log prefix \"" text "\" group 77 queue-threshold 1 snaplen 65535 accept;"
#define STATES                                                                                     \
	LOG("ct state untracked", "c:UNTRACKED")                                                   \
	LOG("ct state invalid", "c:INVALID")                                                       \
	LOG("ct state new ct direction original", "c:NEW/o")                                       \
	LOG("ct state new ct direction reply", "c:NEW/r")                                          \
	LOG("ct state established ct direction original", "c:ESTABLISHED/o")                       \
	LOG("ct state established ct direction reply", "c:ESTABLISHED/r")                          \
	LOG("ct state related ct direction original", "c:RELATED/o")                               \
	LOG("ct state related ct direction reply", "c:RELATED/r")

/* Right behind the tracker, and behind the filter. What the kernel would say itself is dropped
 * before any table sees it: only packets of user 0 are ours. */
static const char probe[] =
	"table inet conntune_rehearsal {\n"
	"chain quiet { type filter hook output priority -450; meta skuid 0 accept; drop; }\n"
	"chain pre { type filter hook prerouting priority -195; " STATES " }\n"
	"chain out { type filter hook output priority -195; " STATES " }\n"
	"chain passed { type filter hook forward priority 290; " LOG(
		"", "f:F") " }\n"
			   "chain local { type filter hook input priority 290; " LOG("",
										     "f:L") " }\n"
											    "}\n";

/* Has a program read @text as a file. */
static int feed(struct rehearsal *r, const char *program, const char *option, const char *text,
		size_t len, struct ct_err *err)
{
	auto_fd int fd = memfd_create("conntune", 0);
	char path[64];
	const char *argv[] = { program, option ? option : path, option ? path : NULL, NULL };
	auto_fini(ct_buf) struct ct_buf said = { 0 };
	int status = 0, result;

	if (fd < 0)
		return ct_err_set(err, -errno, "no memory for a file: %s", strerror(errno));
	result = host_write_all(fd, text, len);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (result == 0)
		result = host_command(r->cfg->host, program, argv, PROGRAM_MS, &said, &status);
	if (result == -EIO)
		return ct_err_set(err, -EINVAL, "%s refuses what it is given (status %d)", program,
				  status);
	return result < 0 ? ct_err_set(err, result, "%s: %s", program, strerror(-result)) : 0;
}

static int make_tun(struct rehearsal *r, const char *name, struct ct_err *err)
{
	struct rehearse_tun *tun = &r->tuns[r->n_tuns];
	struct ifreq want = { .ifr_flags = IFF_TUN | IFF_NO_PI };

	if (r->n_tuns == REHEARSE_MAX_IFACES)
		return ct_err_set(err, -E2BIG, "more than %d interfaces", REHEARSE_MAX_IFACES);
	tun->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (tun->fd < 0)
		return ct_err_set(err, -errno, "/dev/net/tun: %s", strerror(errno));
	tun->name = name;
	r->n_tuns++;
	(void)snprintf(want.ifr_name, sizeof(want.ifr_name), "%s", name);
	if (ioctl(tun->fd, TUNSETIFF, &want) < 0)
		return ct_err_set(err, -errno, "interface %s: %s", name, strerror(errno));
	return 0;
}

/* All interfaces of the machine but lo; one without a name that means anything when it has none. */
static int make_tuns(struct rehearsal *r, struct ct_err *err)
{
	const struct sim_machine *m = r->cfg->machine;
	int result = 0;

	for (unsigned i = 0; result == 0 && i < m->n_ifaces; i++)
		if (strcmp(m->ifaces[i], "lo") != 0)
			result = make_tun(r, m->ifaces[i], err);
	if (result == 0 && r->n_tuns == 0)
		result = make_tun(r, "ct0", err);
	return result;
}

static int write_sysctl(const char *key, unsigned value)
{
	char path[256], text[16];
	auto_fd int fd = -1;

	(void)snprintf(path, sizeof(path), "/proc/sys/net/%s", key);
	(void)snprintf(text, sizeof(text), "%u", value);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 ? -errno : host_write_all(fd, text, strlen(text));
}

/* Before there are interfaces: what they begin with. What a kernel without IPv6 lacks is left. */
static void set_machine(const struct rehearsal *r)
{
	const struct ct_router *router = &r->cfg->machine->router;
	const struct {
		const char *key;
		unsigned value;
	} settings[] = {
		{ "ipv4/conf/all/rp_filter", 0 },
		{ "ipv4/conf/default/rp_filter", router->rp_filter },
		{ "ipv4/conf/default/accept_local", !router->refuses_martians },
		{ "ipv4/conf/default/route_localnet", !router->refuses_martians },
		{ "ipv4/conf/all/send_redirects", 0 },
		{ "ipv4/conf/default/send_redirects", 0 },
		{ "ipv6/conf/default/accept_ra", 0 },
		{ "ipv6/conf/default/accept_dad", 0 },
		{ "ipv6/conf/default/addr_gen_mode", 1 },
		{ "ipv4/ip_forward", router->is_forwarding },
		{ "ipv6/conf/all/forwarding", router->is_forwarding },
	};

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		(void)write_sysctl(settings[i].key, settings[i].value);
}

static int set_tracker(const struct rehearsal *r, struct ct_err *err)
{
	const struct ct_engine_settings *s = r->cfg->settings;
	const struct {
		const char *name;
		uint32_t value, standard;
	} settings[] = {
#define ENGINE_SETTING(field, name, standard, highest) { name, s->field, standard },
#include <conntune/engine_setting.def>
#undef ENGINE_SETTING
	};

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		char key[128];
		int result;

		(void)snprintf(key, sizeof(key), "netfilter/nf_conntrack_%s", settings[i].name);
		result = settings[i].value == settings[i].standard
				 ? 0
				 : write_sysctl(key, settings[i].value);
		if (result < 0)
			return ct_err_set(err, result, "nf_conntrack_%s: %s", settings[i].name,
					  strerror(-result));
	}
	return 0;
}

static const char *dev_of(const struct rehearsal *r, const char *iface)
{
	return iface ? iface : r->tuns[0].name;
}

static int put_net(struct ct_buf *to, const union ct_addr *addr, uint8_t family, uint8_t prefix)
{
	char buf[64];
	struct ct_text text;

	ct_text_init(&text, buf, sizeof(buf));
	ct_addr_format(addr, family, false, &text);
	return ct_buf_printf(to, "%s/%u", buf, prefix);
}

static int put_addrs(const struct rehearsal *r, struct ct_buf *to)
{
	const struct sim_machine *m = r->cfg->machine;
	int result = 0;

	for (unsigned i = 0; result == 0 && i < m->n_addrs; i++) {
		const struct ct_route_addr *a = &m->addrs[i];

		if (a->family == CT_FAMILY_IPV4 && a->addr.bytes[0] == 127)
			continue;
		result = ct_buf_printf(to, "addr replace ");
		if (result == 0)
			result = put_net(to, &a->addr, a->family, a->prefix);
		if (result == 0)
			result = ct_buf_printf(to, " dev %s%s\n", dev_of(r, a->iface),
					       a->family == CT_FAMILY_IPV6 ? " nodad" : "");
	}
	return result;
}

/* Links bring their own routes; the last ones stand for "all the rest". */
static int put_routes(const struct rehearsal *r, struct ct_buf *to)
{
	static const char *const kinds[] = { "", "local ", "broadcast ", "unreachable " };
	const struct sim_machine *m = r->cfg->machine;
	bool has_routes[2] = { false, false };
	int result = 0;

	for (unsigned i = 0; result == 0 && i < m->routes.n; i++) {
		const struct ct_route_line *l = &m->routes.at[i];
		bool is_v6 = l->family == CT_FAMILY_IPV6;

		has_routes[is_v6] = true;
		if (l->metric == UINT32_MAX && l->prefix > 0)
			continue;
		result = ct_buf_printf(to, "route replace %s", kinds[l->kind]);
		if (result == 0)
			result = put_net(to, &l->dst, l->family, l->prefix);
		if (result == 0 && l->kind != CT_ROUTE_REFUSED)
			result = ct_buf_printf(to, " dev %s", dev_of(r, l->iface));
		if (result == 0)
			result = ct_buf_printf(to, " metric %u\n", l->metric);
	}
	for (int is_v6 = 0; result == 0 && is_v6 < 2; is_v6++)
		if (!has_routes[is_v6])
			result = ct_buf_printf(to, "route replace %s dev %s\n",
					       is_v6 ? "::/0" : "0.0.0.0/0", r->tuns[0].name);
	return result;
}

static int make_links(struct rehearsal *r, struct ct_err *err)
{
	auto_fini(ct_buf) struct ct_buf batch = { 0 };
	auto_fini(ct_buf) struct ct_buf routes = { 0 };
	int result = ct_buf_printf(&batch, "link set dev lo up\n");

	for (unsigned i = 0; result == 0 && i < r->n_tuns; i++)
		result = ct_buf_printf(&batch, "link set dev %s mtu 65535 up\n", r->tuns[i].name);
	if (result == 0)
		result = put_addrs(r, &batch);
	if (result == 0)
		result = put_routes(r, &routes);
	if (result < 0)
		return ct_err_set(err, result, "no memory");
	result = feed(r, "ip", "-batch", batch.p, batch.len, err);
	return result < 0 ? result : feed(r, "ip", "-batch", routes.p, routes.len, err);
}

static int append(void *user, const char *text, size_t len)
{
	return ct_buf_put(user, text, len);
}

static int load_rules(struct rehearsal *r, const struct ct_ruleset *rs, const char *program,
		      const char *option, struct ct_err *err)
{
	auto_fini(ct_buf) struct ct_buf text = { 0 };
	int result = rs ? ct_ruleset_print(rs, 0, append, &text) : 0;

	if (result < 0)
		return ct_err_set(err, result, "rules cannot be written: %s", strerror(-result));
	return text.len ? feed(r, program, option, text.p, text.len, err) : 0;
}

int rehearse_net_make(struct rehearsal *r, struct ct_err *err)
{
	int result;

	set_machine(r);
	result = make_tuns(r, err);
	if (result == 0)
		result = make_links(r, err);
	if (result == 0)
		result = load_rules(r, r->cfg->rules4, "iptables-restore", NULL, err);
	if (result == 0)
		result = load_rules(r, r->cfg->rules6, "ip6tables-restore", NULL, err);
	if (result == 0)
		result = load_rules(r, r->cfg->rules_nft, "nft", "-jf", err);
	if (result == 0)
		result = feed(r, "nft", "-f", probe, sizeof(probe) - 1, err);
	return result < 0 ? result : set_tracker(r, err);
}
