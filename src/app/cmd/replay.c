/* SPDX-License-Identifier: BSD-2-Clause
 *
 * conntune replay: what the kernel would have made of captured packets.
 */
#include "app/cmd/replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "lib/base/number.h"
#include "ops/sim/routes.h"
#include "ops/sim/sysctl.h"

enum replay_key {
	KEY_TABLE = 1,
	KEY_PACKETS,
	KEY_EVENTS,
	KEY_OUT,
	KEY_RULES,
	KEY_RULES6,
	KEY_SETS,
	KEY_ROUTE,
	KEY_RP_FILTER,
	KEY_SET,
	KEY_SETTINGS,
	KEY_MAX,
	KEY_BUCKETS,
	KEY_LOCAL,
	KEY_HOST,
	KEY_CASE,
	KEY_FIDELITY,
	KEY_SEED,
	KEY_HELPER,
	KEY_FOLLOW_NAT,
	KEY_FIX_CHECKSUMS,
	KEY_PAD,
};

static const struct option_spec replay_specs[] = {
	{ "table", 't', "[FORM]", KEY_TABLE,
	  "print the table at the end: proc (default), or a form of list" },
	{ "packets", 'p', NULL, KEY_PACKETS, "print a line for each packet, with tabs" },
	{ "events", 'e', NULL, KEY_EVENTS, "print what happens to entries, as conntrack -E does" },
	{ "out", 'o', "DIR", KEY_OUT, "write table.txt, packets.tsv, stats.json, rules there" },
	{ "rules", 'r', "FILE", KEY_RULES,
	  "send packets through these rules (iptables-save, nft)" },
	{ "rules6", 0, "FILE", KEY_RULES6, "those of IPv6 (ip6tables-save)" },
	{ "sets", 0, "FILE", KEY_SETS, "the sets that rules ask for (ipset save)" },
	{ "route", 0, "FILE", KEY_ROUTE, "addresses and routes, as ip(8) prints them" },
	{ "rp-filter", 0, "off|strict|loose", KEY_RP_FILTER, "whether sources are checked" },
	{ "set", 's', "KEY=VALUE", KEY_SET, "a sysctl of net.netfilter.nf_conntrack_*" },
	{ "settings", 0, "FILE", KEY_SETTINGS, "many of them, in the form of sysctl.conf" },
	{ "max", 0, "N", KEY_MAX, "nf_conntrack_max; 0 for no limit (default 262144)" },
	{ "buckets", 0, "N", KEY_BUCKETS, "nf_conntrack_buckets (default 262144)" },
	{ "fidelity", 0, "KIND", KEY_FIDELITY,
	  "exact: entries end on time (default); kernel: buckets and lazy expiry as there" },
	{ "seed", 0, "N", KEY_SEED, "of what is chance in the kernel" },
	{ "helper", 0, "NAME:PORT", KEY_HELPER,
	  "give a helper (ftp, pptp, sip, tftp) to flows to a port" },
	{ "local", 0, "ADDR[/LEN],...", KEY_LOCAL, "addresses of the machine in the middle" },
	{ "host", 0, NULL, KEY_HOST, "that machine is a host and forwards nothing" },
	{ "case", 0, "DIR", KEY_CASE, "a recorded case: capture, rules, settings, role" },
	{ "follow-nat", 0, NULL, KEY_FOLLOW_NAT,
	  "readdress answers to what rules made of their flow" },
	{ "fix-checksums", 0, NULL, KEY_FIX_CHECKSUMS, "take every checksum for right" },
	{ "pad", 0, NULL, KEY_PAD, "fill packets cut by the snap length with zeroes" },
	{ NULL, 0, NULL, 0, NULL },
};

struct replay_state {
	struct replay_options o;
	bool is_begun;
};

/* Passed to the readers of files for what is only worth a remark. */
static void tell(void *user, const char *text)
{
	(void)user;
	cmd_error("%s", text);
}

static struct sim_sysctls sysctls(struct replay_options *o)
{
	return (struct sim_sysctls){ &o->cfg.engine, &o->cfg.defrag, &o->of.machine.router, tell,
				     NULL };
}

static int add_locals(struct replay_options *o, const char *text, struct ct_err *err)
{
	while (*text) {
		char addr[128];
		size_t len = strcspn(text, ",");
		int r;

		if (len >= sizeof(addr))
			return ct_err_set(err, -EINVAL, "'%s' is no address", text);
		memcpy(addr, text, len);
		addr[len] = 0;
		r = sim_machine_addr(&o->of.machine, addr, err);
		if (r < 0)
			return r;
		text += len + (text[len] == ',');
	}
	return 0;
}

static int option_number(const char *name, const char *text, uint32_t *out, struct ct_err *err)
{
	uint64_t v;

	if (ct_number_u64(text, strlen(text), INT32_MAX, &v) < 0)
		return ct_err_set(err, -EINVAL, "--%s takes a number, not '%s'", name, text);
	*out = (uint32_t)v;
	return 0;
}

static int option_fidelity(struct replay_options *o, const char *text, struct ct_err *err)
{
	bool is_kernel = strcmp(text, "kernel") == 0;

	if (!is_kernel && strcmp(text, "exact") != 0)
		return ct_err_set(err, -EINVAL, "--fidelity takes exact or kernel, not '%s'", text);
	o->cfg.engine.fidelity = is_kernel ? CT_FIDELITY_KERNEL : CT_FIDELITY_EXACT;
	return 0;
}

static int option_seed(struct replay_options *o, const char *text, struct ct_err *err)
{
	uint64_t v;

	if (ct_number_any(text, strlen(text), UINT64_MAX, &v) < 0)
		return ct_err_set(err, -EINVAL, "--seed takes a number, not '%s'", text);
	memcpy(o->cfg.engine.seed, &v, sizeof(v));
	return 0;
}

static int option_table(struct replay_options *o, const char *text, struct ct_err *err)
{
	int form = text ? list_form_find(text) : LIST_PROC;

	if (form < 0)
		return ct_err_set(err, -EINVAL,
				  "--table takes columns, proc, conntrack, extended, save, json or "
				  "csv, not '%s'",
				  text);
	o->wants_table = true;
	o->is_form_set = text != NULL;
	o->form = (enum list_form)form;
	return 0;
}

static int option_rp_filter(struct replay_options *o, const char *text, struct ct_err *err)
{
	static const char *const names[] = { "off", "strict", "loose" };

	for (uint8_t i = 0; i < 3; i++)
		if (strcmp(names[i], text) == 0) {
			o->of.machine.router.rp_filter = i;
			return 0;
		}
	return ct_err_set(err, -EINVAL, "--rp-filter takes off, strict or loose, not '%s'", text);
}

static int option_case(struct replay_options *o, const char *dir, struct ct_err *err)
{
	o->is_case = true;
	sim_case_fini(&o->of);
	return sim_case_read(&o->of, &o->cfg, dir, tell, NULL, err);
}

static void begin(struct replay_state *s)
{
	if (s->is_begun)
		return;
	s->is_begun = true;
	sim_config_default(&s->o.cfg);
	sim_machine_init(&s->o.of.machine);
}

/* Options of what is in the middle and what is done there. */
static int machine_option(struct replay_options *o, enum replay_key key, const char *value,
			  struct ct_err *err)
{
	const struct sim_sysctls to = sysctls(o);

	switch ((int)key) {
	case KEY_RULES:
		return sim_case_rules(&o->of, value, CT_SYNTAX_IPTABLES, err);
	case KEY_RULES6:
		return sim_case_rules(&o->of, value, CT_SYNTAX_IP6TABLES, err);
	case KEY_SETS:
		return sim_case_sets(&o->of, value, err);
	case KEY_ROUTE:
		return sim_routes_file(&o->of.machine, value, err);
	case KEY_RP_FILTER:
		return option_rp_filter(o, value, err);
	case KEY_SET:
		return sim_sysctl_assign(&to, value, err);
	case KEY_SETTINGS:
		return sim_sysctl_file(&to, value, err);
	case KEY_LOCAL:
		return add_locals(o, value, err);
	case KEY_HOST:
		o->of.machine.is_host = true;
		o->of.machine.router.is_forwarding = false;
		return 0;
	case KEY_HELPER:
		return sim_add_helper(&o->cfg, value, err);
	case KEY_CASE:
		return option_case(o, value, err);
	}
	return 0;
}

static int replay_option(void *state, int key, const char *value, struct ct_err *err)
{
	struct replay_state *s = state;
	struct replay_options *o = &s->o;
	int r;

	begin(s);
	switch (key) {
	case KEY_TABLE:
		return option_table(o, value, err);
	case KEY_PACKETS:
		o->wants_packets = true;
		return 0;
	case KEY_EVENTS:
		o->wants_events = true;
		return 0;
	case KEY_OUT:
		o->out = value;
		return 0;
	case KEY_MAX:
		return option_number("max", value, &o->cfg.engine.max, err);
	case KEY_BUCKETS:
		return option_number("buckets", value, &o->cfg.engine.buckets, err);
	case KEY_FIDELITY:
		return option_fidelity(o, value, err);
	case KEY_SEED:
		return option_seed(o, value, err);
	case KEY_FOLLOW_NAT:
		o->cfg.follows_nat = true;
		return 0;
	case KEY_FIX_CHECKSUMS:
		o->cfg.fixes_checksums = true;
		return 0;
	case KEY_PAD:
		o->cfg.pads = true;
		return 0;
	default:
		break;
	}
	/* A file that cannot be read is the user's mistake as well. */
	r = machine_option(o, (enum replay_key)key, value, err);
	return r < 0 ? -EINVAL : 0;
}

static FILE *open_out(const char *dir, const char *name)
{
	char path[SIM_PATH];
	FILE *f;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path)) {
		cmd_error("%s: the name is too long", dir);
		return NULL;
	}
	f = fopen(path, "we");
	if (!f)
		cmd_error("%s: %s", path, strerror(errno));
	return f;
}

static int close_out(FILE *f, int result)
{
	if (fclose(f) != 0 && result == 0)
		result = -errno;
	if (result < 0)
		cmd_error("writing failed: %s", strerror(-result));
	return result < 0 ? EXIT_FAILED : EXIT_DONE;
}

static int write_rules(const struct replay *r, const struct ct_ruleset *rs, const char *name)
{
	FILE *f = rs ? open_out(r->o->out, name) : NULL;

	if (!rs)
		return EXIT_DONE;
	return f ? close_out(f, replay_rules(rs, f)) : EXIT_FAILED;
}

static int write_files(const struct replay *r)
{
	FILE *f = open_out(r->o->out, "table.txt");
	int code;

	if (!f)
		return EXIT_FAILED;
	code = close_out(f, replay_table(r, LIST_PROC, f));
	if (code != EXIT_DONE)
		return code;
	f = open_out(r->o->out, "stats.json");
	if (!f)
		return EXIT_FAILED;
	replay_stats(r, f);
	code = close_out(f, 0);
	if (code == EXIT_DONE)
		code = write_rules(r, r->o->of.rules4, "rules.v4.txt");
	if (code == EXIT_DONE)
		code = write_rules(r, r->o->of.rules6, "rules.v6.txt");
	if (code == EXIT_DONE)
		code = write_rules(r, r->o->of.rules_nft, "rules.nft.txt");
	return code;
}

/* The summary for programs has the whole of it: rules come as text only. */
static int show_rules(const struct replay *r)
{
	const struct sim_case *c = &r->o->of;
	const struct ct_ruleset *all[] = { c->rules4, c->rules6, c->rules_nft };
	int result = 0;

	for (size_t i = 0; result == 0 && i < sizeof(all) / sizeof(all[0]); i++)
		result = all[i] ? replay_rules(all[i], stdout) : 0;
	if (result < 0)
		cmd_error("writing failed: %s", strerror(-result));
	return result < 0 ? EXIT_FAILED : EXIT_DONE;
}

static int show(const struct replay *r, const struct common_options *common)
{
	auto_free(writer) struct writer *w = NULL;
	const struct replay_options *o = r->o;
	bool has_shown = o->wants_table || o->wants_packets || o->wants_events;
	enum list_form form = common->is_json && !o->is_form_set ? LIST_JSON : o->form;

	if (o->out && write_files(r) != EXIT_DONE)
		return EXIT_FAILED;
	if (o->wants_table && replay_table(r, form, stdout) < 0) {
		cmd_error("no memory for the table's lines");
		return EXIT_FAILED;
	}
	if (has_shown || (o->out && !common->is_json))
		return EXIT_DONE;
	if ((o->of.rules4 || o->of.rules6 || o->of.rules_nft) && !common->is_json)
		return show_rules(r);
	w = cmd_writer(common);
	return w && replay_summary(r, w) == 0 ? EXIT_DONE : EXIT_FAILED;
}

static int open_packets(struct replay *r)
{
	if (r->o->wants_packets)
		r->packets = stdout;
	if (!r->o->out)
		return 0;
	if (mkdir(r->o->out, 0777) < 0 && errno != EEXIST) {
		cmd_error("%s: %s", r->o->out, strerror(errno));
		return -1;
	}
	r->packets = open_out(r->o->out, "packets.tsv");
	return r->packets ? 0 : -1;
}

/* An engine's event function. */
static void on_event(void *user, const struct ct_event_info *info, const struct ct_entry *e)
{
	struct replay *r = user;

	if (r->packets)
		replay_note_event(r, info, e);
	if (r->o->wants_events)
		replay_put_event(r, info, e);
}

/* How far it has come, on a terminal, a few times a second. */
static void show_progress(struct replay *r, bool is_over)
{
	enum { EVERY_MS = 200 };
	struct timespec last = r->progress;
	const struct sim_outcome *o = sim_outcome(r->sim);
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	if (is_over) {
		if (last.tv_sec)
			(void)fputs("\r\033[K", stderr);
		return;
	}
	if ((now.tv_sec - last.tv_sec) * 1000 + (now.tv_nsec - last.tv_nsec) / 1000000 < EVERY_MS)
		return;
	r->progress = now;
	(void)fprintf(stderr, "\r\033[K%llu packets, %lld s of traffic, %llu entries at most",
		      (unsigned long long)o->n_packets,
		      (long long)((o->last - o->first) / CT_NS_PER_S), (unsigned long long)o->peak);
}

static int feed(struct replay *r, const struct common_options *common, struct merge *m)
{
	bool has_progress = !common->is_quiet && isatty(STDERR_FILENO) &&
			    !(isatty(STDOUT_FILENO) && (r->o->wants_packets || r->o->wants_events));
	struct ct_err err = { "" };
	int more;

	while ((more = sim_step(r->sim, m, &err)) > 0)
		if (has_progress)
			show_progress(r, false);
	sim_end(r->sim);
	if (has_progress)
		show_progress(r, true);
	if (more < 0)
		cmd_error("%s; what came before it is shown", err.text);
	return more;
}

/* Rules that ask for what is not here: a helper, a match. */
static void warn_doubt(const struct replay *r, const struct common_options *common)
{
	const struct sim_outcome *o = sim_outcome(r->sim);

	char line[32] = "";

	if (o->n_doubtful == 0)
		return;
	if (o->doubt_line)
		(void)snprintf(line, sizeof(line), ", line %u", o->doubt_line);
	cmd_warn(common,
		 "%llu packets meet rules that cannot be judged here, the first of them '%s' in "
		 "table %s%s",
		 (unsigned long long)o->n_doubtful, o->doubt, o->doubt_table, line);
}

static int replay_files(struct replay *r, const struct common_options *common, struct merge *m)
{
	int result;

	r->line_room = malloc(LIST_MAX_ITEM);
	if (!r->line_room) {
		cmd_error("out of memory");
		return EXIT_FAILED;
	}
	if (r->packets && !r->is_json)
		replay_packets_head(r->packets);
	result = feed(r, common, m);
	if (r->packets && r->packets != stdout && close_out(r->packets, 0) != EXIT_DONE)
		return EXIT_FAILED;
	if (merge_is_cut(m))
		cmd_warn(common, "the capture ends inside a frame");
	warn_doubt(r, common);
	if (show(r, common) != EXIT_DONE)
		return EXIT_FAILED;
	return result < 0 ? EXIT_FAILED : EXIT_DONE;
}

/* Only what is shown is asked for: each packet told of costs a line. */
static void set_wishes(struct replay *r)
{
	struct replay_options *o = r->o;

	if (r->packets) {
		o->cfg.packet = replay_packet;
		o->cfg.user = r;
	}
	if (r->packets || o->wants_events) {
		o->cfg.engine.event = on_event;
		o->cfg.engine.event_user = r;
	}
	o->cfg.has_series = !o->wants_table && !o->wants_packets && !o->wants_events && !o->out;
	sim_machine_ready(&o->of.machine);
	o->cfg.machine = &o->of.machine;
	o->cfg.rules4 = o->of.rules4;
	o->cfg.rules6 = o->of.rules6;
	o->cfg.rules_nft = o->of.rules_nft;
	o->cfg.sets = o->of.sets;
	if (!o->is_case)
		sim_case_zero(&o->of);
}

static int run_with(struct replay *r, const struct common_options *common, struct merge *m)
{
	struct ct_err err = { "" };
	int code = EXIT_FAILED;

	r->is_json = common->is_json && !r->o->out;
	if (open_packets(r) < 0)
		return EXIT_FAILED;
	set_wishes(r);
	r->sim = sim_new(&r->o->cfg, &err);
	if (r->sim)
		code = replay_files(r, common, m);
	else
		cmd_error("%s", err.text);
	sim_free(r->sim);
	free(r->line_room);
	return code;
}

static int replay_run(void *state, const struct common_options *common, int argc, char **argv)
{
	struct replay_state *s = state;
	struct sim_case *c = &s->o.of;
	auto_free(merge) struct merge *m = NULL, *numbering = NULL;
	char *of_case[] = { c->capture }, *numbered[] = { c->numbering };
	struct replay r = { .o = &s->o };
	struct ct_err err = { "" };
	int code = EXIT_FAILED;

	begin(s);
	if (argc == 0 && !c->capture[0]) {
		cmd_error("replay: which capture? Name one or more files, or - for standard input");
		sim_case_fini(c);
		return EXIT_MISUSE;
	}
	if (merge_open(argc ? argv : of_case, argc ? (unsigned)argc : 1, &m, &err) < 0 ||
	    (c->numbering[0] && merge_open(numbered, 1, &numbering, &err) < 0)) {
		cmd_error("%s", err.text);
	} else {
		s->o.cfg.numbering = numbering;
		code = run_with(&r, common, m);
	}
	sim_case_fini(c);
	return code;
}

const struct command command_replay = {
	.name = "replay",
	.summary = "Show what the kernel would make of captured packets",
	.arguments = "FILE... | --case DIR",
	.options = replay_specs,
	.option = replay_option,
	.run = replay_run,
	.state_size = sizeof(struct replay_state),
};
