/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conntune trace: one packet or a short conversation, step by step through rules, tracker, NAT and
 * routing.
 */
#include "app/cmd/trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/number.h"
#include "ops/sim/case.h"
#include "ops/sim/routes.h"
#include "ops/sim/sysctl.h"

enum trace_key {
	KEY_RULES = 1,
	KEY_RULES6,
	KEY_SETS,
	KEY_ROUTE,
	KEY_LOCAL,
	KEY_HOST,
	KEY_LIVE,
	KEY_VERIFY,
	KEY_SET,
	KEY_SEED,
};

static const struct option_spec trace_specs[] = {
	{ "rules", 'r', "FILE", KEY_RULES, "the rules (iptables-save, nft)" },
	{ "rules6", 0, "FILE", KEY_RULES6, "those of IPv6 (ip6tables-save)" },
	{ "sets", 0, "FILE", KEY_SETS, "the sets that rules ask for (ipset save)" },
	{ "route", 0, "FILE", KEY_ROUTE, "addresses and routes, as ip(8) prints them" },
	{ "local", 0, "ADDR", KEY_LOCAL, "[DEV=]ADDR[/LEN], an address of the machine" },
	{ "host", 0, NULL, KEY_HOST, "the machine forwards nothing" },
	{ "live", 'l', NULL, KEY_LIVE, "rules, addresses, routes and settings of this machine" },
	{ "verify", 'v', NULL, KEY_VERIFY, "ask the running kernel too, in a scratch namespace" },
	{ "set", 's', "KEY=VALUE", KEY_SET, "a sysctl of net.netfilter.nf_conntrack_*" },
	{ "seed", 0, "N", KEY_SEED, "of what is chance in the kernel" },
	{ NULL, 0, NULL, 0, NULL },
};

struct trace_state {
	struct sim_config cfg;
	struct sim_case of; /* the machine and its rules */
	bool is_live, wants_verify, is_begun;
};

static void begin(struct trace_state *s)
{
	if (s->is_begun)
		return;
	s->is_begun = true;
	sim_config_default(&s->cfg);
	sim_machine_init(&s->of.machine);
}

static int option_seed(struct trace_state *s, const char *text, struct ct_err *err)
{
	uint64_t v;

	if (ct_number_any(text, strlen(text), UINT64_MAX, &v) < 0)
		return ct_err_set(err, -EINVAL, "--seed takes a number, not '%s'", text);
	memcpy(s->cfg.engine.seed, &v, sizeof(v));
	return 0;
}

static int apply_option(struct trace_state *s, enum trace_key key, const char *value,
			struct ct_err *err)
{
	struct sim_sysctls sysctls = { &s->cfg.engine, &s->cfg.defrag, &s->of.machine.router, NULL,
				       NULL };

	switch (key) {
	case KEY_RULES:
		return sim_case_rules(&s->of, value, CT_SYNTAX_IPTABLES, err);
	case KEY_RULES6:
		return sim_case_rules(&s->of, value, CT_SYNTAX_IP6TABLES, err);
	case KEY_SETS:
		return sim_case_sets(&s->of, value, err);
	case KEY_ROUTE:
		return sim_routes_file(&s->of.machine, value, err);
	case KEY_LOCAL:
		return sim_machine_addr(&s->of.machine, value, err);
	case KEY_HOST:
		s->of.machine.router.is_forwarding = false;
		return 0;
	case KEY_LIVE:
		s->is_live = true;
		return 0;
	case KEY_VERIFY:
		s->wants_verify = true;
		s->cfg.mtu = SIM_WHOLE_MTU;
		return 0;
	case KEY_SET:
		return sim_sysctl_assign(&sysctls, value, err);
	case KEY_SEED:
		return option_seed(s, value, err);
	}
	return 0;
}

/* A file that cannot be read is the user's mistake as well. */
static int trace_option(void *state, int key, const char *value, struct ct_err *err)
{
	begin(state);
	return apply_option(state, (enum trace_key)key, value, err) < 0 ? -EINVAL : 0;
}

static bool is_own(const struct trace *t, uint8_t family, const union ct_addr *a)
{
	return ct_route_is_own(&t->machine->router, family, a->bytes);
}

/* From @src: by the machine itself, or by the way back there. */
static struct ct_way way_from(const struct trace *t, uint8_t family, const union ct_addr *src)
{
	struct ct_way way = { .is_sent = is_own(t, family, src) };
	const struct ct_route_line *back;

	back = way.is_sent ? NULL : ct_route_find(&t->machine->router, family, src->bytes);
	way.in = back ? back->iface : NULL;
	return way;
}

/* As the step says, from where the flow's end is known to be, or as its source tells. */
struct ct_way trace_way_of(const struct trace *t, struct trace_side *side,
			   const struct talk_step *s)
{
	const struct talk_flow *flow = &side->flows[s->flow];
	bool is_back = s->kind == TALK_BACK || (s->kind == TALK_ERROR && !flow->is_last_back);
	struct ct_way *way = &side->ends[s->flow][is_back];

	if (s->kind == TALK_BEGIN)
		*way = way_from(t, s->family, &s->ends.src);
	else if (is_back && flow->n_last == 0)
		*way = way_from(t, s->family, &flow->theirs.dst);
	if (s->iface[0])
		*way = (struct ct_way){ .in = s->iface };
	else if (s->is_sent)
		*way = (struct ct_way){ .is_sent = true };
	return *way;
}

/* The flow's other end has got it, and that is where it is. */
void trace_arrived(struct trace_side *side, const struct talk_step *s, const uint8_t *data,
		   uint32_t size, enum sim_fate fate, const char *out)
{
	struct ct_way *there = &side->ends[s->flow][1];

	if (fate == SIM_GONE)
		return;
	talk_arrived(s, &side->flows[s->flow], data, size);
	if (s->kind == TALK_BACK || s->kind == TALK_ERROR)
		return;
	*there = (struct ct_way){ .is_sent = fate == SIM_DELIVERED };
	if (!there->is_sent)
		there->in = out;
}

static int send_step(struct trace *t, unsigned i, ct_time now, uint8_t *room)
{
	const struct talk_step *s = &t->talk.steps[i];
	struct talk_flow *flow = &t->ours.flows[s->flow];
	struct trace_packet told = { .number = i + 1, .at = now, .data = room };
	struct ct_passage was;
	struct ct_packet p;
	enum sim_fate fate;
	struct ct_way way;

	if (s->kind == TALK_ERROR && flow->n_last == 0) {
		cmd_error("packet %u: no packet of its flow has arrived that an error could be "
			  "about",
			  i + 1);
		return -EINVAL;
	}
	told.size = talk_build(s, flow, room);
	way = trace_way_of(t, &t->ours, s);
	told.way = &way;
	trace_begin(t, &told);
	fate = sim_send(t->sim, room, told.size, now, &way, &p, &was);
	trace_end(t, i, &p, &was, fate);
	trace_arrived(&t->ours, s, was.data, was.size, fate, was.way_on.out);
	return 0;
}

static int send_all(struct trace *t)
{
	auto_memory uint8_t *room = malloc(TALK_MAX_PACKET);
	ct_time now = 0;
	int r = room ? 0 : -ENOMEM;

	if (t->is_json)
		writer_list(t->w, "packets", NULL, NULL, 0);
	for (unsigned i = 0; r == 0 && i < t->talk.n; i++) {
		now += t->talk.steps[i].gap;
		r = send_step(t, i, now, room);
	}
	if (t->is_json)
		writer_end(t->w);
	return r;
}

static void tell_agreement(const struct trace *t)
{
	char line[128];

	if (!t->kernel)
		return;
	writer_u64(t->w, "different", NULL, t->n_different);
	if (t->n_different)
		(void)snprintf(line, sizeof(line), "The kernel differs on %u of %u packets.",
			       t->n_different, t->talk.n);
	else
		(void)snprintf(line, sizeof(line), "The kernel agrees on all %u packets.",
			       t->talk.n);
	writer_para_styled(t->w, t->n_different ? WRITER_BAD : WRITER_GOOD, 0, line);
}

static int trace_talk(struct trace_state *s, struct trace *t)
{
	struct ct_err err = { "" };
	int code = EXIT_FAILED;

	s->cfg.trace = trace_step;
	s->cfg.user = t;
	t->rules4 = trace_rules_new(s->of.rules4);
	t->rules6 = trace_rules_new(s->of.rules6);
	t->rules_nft = trace_rules_nft(s->of.rules_nft);
	t->sim = sim_new(&s->cfg, &err);
	if (t->sim && t->rules4 && t->rules6 && t->rules_nft) {
		writer_begin(t->w, "trace", 1);
		code = send_all(t) < 0 ? EXIT_FAILED : EXIT_DONE;
		tell_agreement(t);
		if (code == EXIT_DONE && t->n_different)
			code = EXIT_FINDINGS;
		if (cmd_finish(t->w) != EXIT_DONE)
			code = EXIT_FAILED;
	} else {
		cmd_error("%s", err.text[0] ? err.text : "out of memory");
	}
	sim_free(t->sim);
	trace_rules_free(t->rules4);
	trace_rules_free(t->rules6);
	trace_rules_free(t->rules_nft);
	return code;
}

static int look_live(void *user, struct host *h, const struct netns *ns)
{
	struct trace_state *s = user;
	struct ct_err err = { "" };

	(void)ns;
	if (trace_live(&s->of, &s->cfg.engine.settings, h, &err) == 0)
		return EXIT_DONE;
	cmd_error("%s", err.text);
	return EXIT_FAILED;
}

static int read_live(struct trace_state *s, const struct common_options *common)
{
	auto_free(host) struct host *h = NULL;

	if (!s->is_live && strcmp(common->root, "/") == 0)
		return EXIT_DONE;
	h = cmd_host(common);
	return h ? cmd_each_netns(common, h, look_live, s) : EXIT_FAILED;
}

/* Interfaces that only the conversation names are the machine's as well. */
static int prepare(struct trace_state *s, struct trace *t)
{
	struct ct_err err = { "" };

	for (unsigned i = 0; i < t->talk.n; i++) {
		const char *iface = t->talk.steps[i].iface;

		if (iface[0])
			(void)sim_machine_iface(t->machine, iface, strlen(iface));
	}
	sim_machine_ready(t->machine);
	s->cfg.machine = t->machine;
	s->cfg.rules4 = s->of.rules4;
	s->cfg.rules6 = s->of.rules6;
	s->cfg.rules_nft = s->of.rules_nft;
	s->cfg.sets = s->of.sets;
	if (s->wants_verify && trace_verify(t, &s->cfg, &err) < 0) {
		cmd_error("--verify: %s", err.text);
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}

static int trace_run(void *state, const struct common_options *common, int argc, char **argv)
{
	struct trace_state *s = state;
	auto_free(writer) struct writer *w = cmd_writer(common);
	struct trace t = { .w = w, .is_json = common->is_json, .machine = &s->of.machine };
	struct ct_err err = { "" };
	int code = w ? EXIT_DONE : EXIT_FAILED;

	begin(s);
	if (argc == 0) {
		cmd_error("trace: which packet? For example "
			  "'tcp 198.51.100.7:40000 > 192.0.2.10:80 S'");
		code = EXIT_MISUSE;
	}
	for (int i = 0; code == EXIT_DONE && i < argc; i++)
		if (talk_add(&t.talk, argv[i], &err) < 0) {
			cmd_error("%s", err.text);
			code = EXIT_MISUSE;
		}
	if (code == EXIT_DONE)
		code = read_live(s, common);
	if (code == EXIT_DONE)
		code = prepare(s, &t);
	if (code == EXIT_DONE)
		code = trace_talk(s, &t);
	free(t.kernel);
	talk_fini(&t.talk);
	sim_case_fini(&s->of);
	return code;
}

const struct command command_trace = {
	.name = "trace",
	.summary = "Follow packets through rules, tracker, NAT and routes",
	.arguments = "PACKET...",
	.options = trace_specs,
	.option = trace_option,
	.run = trace_run,
	.state_size = sizeof(struct trace_state),
};
