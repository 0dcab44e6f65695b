/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A recorded case: see case.h. What the recording says of its own making (backend, time, answers)
 * changes nothing here: its packets carry the clock that the kernel saw.
 */
#include "ops/sim/case.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/number.h"
#include "ops/sim/guess.h"
#include "ops/sim/rules.h"
#include "ops/sim/sysctl.h"

/* A case while it is read. */
struct reading {
	struct sim_case *c;
	struct sim_config *cfg;
	const json_t *root;
	const char *dir;
	struct ct_err *err;
};

static const char *text_of(const struct reading *rd, const char *key, const char *standard)
{
	const char *text = json_string_value(json_object_get(rd->root, key));

	return text ? text : standard;
}

static bool is_true(const struct reading *rd, const char *key)
{
	return json_is_true(json_object_get(rd->root, key));
}

/* A member that is one text or a list of texts. */
static int each_text(const struct reading *rd, const char *key,
		     int (*use)(const struct reading *, const char *))
{
	const json_t *value = json_object_get(rd->root, key);
	size_t n = json_is_array(value) ? json_array_size(value) : 1;

	for (size_t i = 0; value && i < n; i++) {
		const json_t *item = json_is_array(value) ? json_array_get(value, i) : value;
		const char *text = json_string_value(item);
		int r = text ? use(rd, text) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

/* True when a member is absent, or says "auto". */
static bool is_open(const struct reading *rd, const char *key)
{
	const json_t *value = json_object_get(rd->root, key), *first = value;

	if (json_is_array(value))
		first = json_array_get(value, 0);
	return !json_is_string(first) || strcmp(json_string_value(first), "auto") == 0;
}

static int join(const struct reading *rd, const char *name, char *out)
{
	if (snprintf(out, SIM_PATH, "%s/%s", rd->dir, name) >= SIM_PATH)
		return ct_err_set(rd->err, -EINVAL, "%s/%s: the name is too long", rd->dir, name);
	return 0;
}

int sim_add_helper(struct sim_config *cfg, const char *text, struct ct_err *err)
{
	static const struct {
		const char *name;
		uint8_t helper;
	} known[] = {
#define HELPER(constant, text, ...) { text, CT_HELPER_##constant },
#include <conntune/helper.def>
#undef HELPER
	};
	size_t len = strcspn(text, ":");
	uint64_t port;

	if (text[len] == 0 ||
	    ct_number_u64(text + len + 1, strlen(text + len + 1), 65535, &port) < 0)
		return ct_err_set(err, -EINVAL, "a helper is NAME:PORT, not '%s'", text);
	if (cfg->n_helpers == SIM_MAX_HELPERS)
		return ct_err_set(err, -EINVAL, "more than %d helpers", SIM_MAX_HELPERS);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strlen(known[i].name) != len || memcmp(known[i].name, text, len) != 0)
			continue;
		cfg->helpers[cfg->n_helpers++] =
			(struct sim_helper){ known[i].helper, (uint16_t)port };
		return 0;
	}
	return ct_err_set(err, -EINVAL, "there is no helper '%.*s'", (int)len, text);
}

static int use_helper(const struct reading *rd, const char *text)
{
	return sim_add_helper(rd->cfg, text, rd->err);
}

static int use_addr(const struct reading *rd, const char *text)
{
	return sim_machine_addr(&rd->c->machine, text, rd->err);
}

/* A host's address stands alone on its device. */
static int use_local(const struct reading *rd, const char *text)
{
	char addr[128];

	if (snprintf(addr, sizeof(addr), "%s=%s", rd->c->machine.out_dev, text) >=
	    (int)sizeof(addr))
		return ct_err_set(rd->err, -EINVAL, "'%s' is no address", text);
	return sim_machine_addr(&rd->c->machine, addr, rd->err);
}

static int use_inside(const struct reading *rd, const char *text)
{
	struct sim_machine *m = &rd->c->machine;
	const struct sim_route route = { .dst = text, .iface = m->in_dev };
	int r = sim_machine_inside(m, text, rd->err);

	return r < 0 ? r : sim_machine_route(m, &route, rd->err);
}

/* Routes to what was found to be inside. */
static int route_inside(const struct reading *rd)
{
	struct sim_machine *m = &rd->c->machine;

	for (unsigned i = 0; i < m->inside.n; i++) {
		struct sim_route route = { .iface = m->in_dev };
		char text[64];
		struct ct_text dst;
		int r;

		ct_text_init(&dst, text, sizeof(text));
		ct_addr_format(&m->inside.at[i].dst, m->inside.at[i].family, false, &dst);
		route.dst = text;
		r = sim_machine_route(m, &route, rd->err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_gateway(const struct reading *rd)
{
	struct sim_machine *m = &rd->c->machine;
	const char *in = text_of(rd, "in_dev", "lan0");
	int r;

	m->in_dev = sim_machine_iface(m, in, strlen(in));
	if (!m->in_dev)
		return ct_err_set(rd->err, -EINVAL, "'%s' is no name of an interface", in);
	if (!is_open(rd, "inside"))
		return each_text(rd, "inside", use_inside);
	r = sim_guess_inside(m, rd->c->capture, rd->err);
	return r < 0 ? r : route_inside(rd);
}

static int read_host(const struct reading *rd)
{
	struct sim_machine *m = &rd->c->machine;

	m->is_host = true;
	m->router.is_forwarding = false;
	return is_open(rd, "local") ? sim_guess_local(m, rd->c->capture, rd->err)
				    : each_text(rd, "local", use_local);
}

static int read_machine(const struct reading *rd)
{
	struct sim_machine *m = &rd->c->machine;
	const char *out = text_of(rd, "out_dev", "wan0");
	struct sim_route four = { .dst = "default", .iface = out };
	struct sim_route six = { .dst = "default6", .iface = out };
	int r;

	m->out_dev = sim_machine_iface(m, out, strlen(out));
	if (!m->out_dev)
		return ct_err_set(rd->err, -EINVAL, "'%s' is no name of an interface", out);
	r = strcmp(text_of(rd, "mode", "route"), "host") == 0 ? read_host(rd) : read_gateway(rd);
	if (r == 0)
		r = each_text(rd, "addr", use_addr);
	if (r == 0)
		r = sim_machine_route(m, &four, rd->err);
	if (r == 0)
		r = sim_machine_route(m, &six, rd->err);
	return r;
}

int sim_case_rules(struct sim_case *c, const char *path, unsigned syntax, struct ct_err *err)
{
	struct ct_ruleset *rs, **at;
	enum rules_spelling spelling;
	int r = sim_rules_any(path, syntax, &rs, &spelling, err);

	if (r < 0)
		return r;
	at = spelling != RULES_IPTABLES	    ? &c->rules_nft
	     : syntax & CT_SYNTAX_IP6TABLES ? &c->rules6
					    : &c->rules4;
	ct_ruleset_free(*at);
	*at = rs;
	return 0;
}

int sim_case_sets(struct sim_case *c, const char *path, struct ct_err *err)
{
	struct ct_ipsets *sets;
	int r = sim_sets_file(path, &sets, err);

	if (r < 0)
		return r;
	ct_ipsets_free(c->sets);
	c->sets = sets;
	return 0;
}

void sim_case_zero(struct sim_case *c)
{
	struct ct_ruleset *all[] = { c->rules4, c->rules6, c->rules_nft };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i])
			ct_ruleset_zero(all[i]);
}

static int read_rules(const struct reading *rd, const char *key, unsigned syntax)
{
	const char *name = text_of(rd, key, NULL);
	char path[SIM_PATH];
	int r = name ? join(rd, name, path) : 0;

	return !name || r < 0 ? r : sim_case_rules(rd->c, path, syntax, rd->err);
}

/* A restore without -c begins to count anew. */
static int read_all_rules(const struct reading *rd)
{
	int r = read_rules(rd, "rules", CT_SYNTAX_IPTABLES);

	if (r == 0)
		r = read_rules(rd, "rules6", CT_SYNTAX_IP6TABLES);
	if (r == 0 && !is_true(rd, "keep_counters"))
		sim_case_zero(rd->c);
	return r;
}

/* What the kernel was given in the end, with the clock it saw, where the recording has it. */
static int choose_capture(const struct reading *rd)
{
	char name[SIM_PATH], path[SIM_PATH];
	int r;

	(void)snprintf(name, sizeof(name), "%.2000s/replayed.pcapng",
		       text_of(rd, "results", "expected"));
	r = join(rd, name, path);
	if (r < 0 || access(path, R_OK) < 0)
		return r;
	memcpy(rd->c->numbering, rd->c->capture, sizeof(rd->c->numbering));
	memcpy(rd->c->capture, path, sizeof(rd->c->capture));
	if (!rd->cfg->follows_nat)
		rd->cfg->fixes_checksums = rd->cfg->pads = rd->cfg->raises_hops = false;
	return 0;
}

static int read_case(const struct reading *rd, const struct sim_sysctls *sysctls)
{
	const char *pcap = text_of(rd, "pcap", NULL), *sysctl = text_of(rd, "sysctl", NULL);
	struct sim_config *cfg = rd->cfg;
	char path[SIM_PATH];
	int r;

	if (!pcap)
		return ct_err_set(rd->err, -EINVAL, "%s/case.json: names no capture", rd->dir);
	cfg->fixes_checksums = is_true(rd, "fix_checksums");
	cfg->pads = is_true(rd, "pad");
	cfg->follows_nat = is_true(rd, "follow_nat");
	cfg->engine.settings.acct = 1;
	cfg->mtu = SIM_WHOLE_MTU;
	cfg->limit = (uint64_t)json_integer_value(json_object_get(rd->root, "limit"));
	r = join(rd, pcap, rd->c->capture);
	if (r == 0)
		r = read_machine(rd);
	cfg->raises_hops = !rd->c->machine.is_host && !is_true(rd, "keep_ttl");
	if (r == 0)
		r = each_text(rd, "helpers", use_helper);
	if (r == 0)
		r = read_all_rules(rd);
	if (r == 0 && sysctl)
		r = join(rd, sysctl, path);
	if (r == 0 && sysctl)
		r = sim_sysctl_file(sysctls, path, rd->err);
	return r < 0 ? r : choose_capture(rd);
}

int sim_case_read(struct sim_case *c, struct sim_config *cfg, const char *dir,
		  void (*remark)(void *user, const char *text), void *user, struct ct_err *err)
{
	struct sim_sysctls sysctls = { &cfg->engine, &cfg->defrag, &c->machine.router, remark,
				       user };
	struct reading rd = { .c = c, .cfg = cfg, .dir = dir, .err = err };
	char path[SIM_PATH];
	json_error_t fault;
	json_t *root;
	int r = join(&rd, "case.json", path);

	*c = (struct sim_case){ .rules4 = NULL };
	sim_machine_init(&c->machine);
	if (r < 0)
		return r;
	root = json_load_file(path, 0, &fault);
	if (!root)
		return ct_err_set(err, -EINVAL, "%s: %s", path, fault.text);
	rd.root = root;
	r = read_case(&rd, &sysctls);
	json_decref(root);
	sim_machine_ready(&c->machine);
	cfg->machine = &c->machine;
	cfg->rules4 = c->rules4;
	cfg->rules6 = c->rules6;
	cfg->rules_nft = c->rules_nft;
	return r;
}

void sim_case_fini(struct sim_case *c)
{
	ct_ruleset_free(c->rules4);
	ct_ruleset_free(c->rules6);
	ct_ruleset_free(c->rules_nft);
	ct_ipsets_free(c->sets);
	c->sets = NULL;
	sim_machine_fini(&c->machine);
	c->rules4 = c->rules6 = c->rules_nft = NULL;
}
