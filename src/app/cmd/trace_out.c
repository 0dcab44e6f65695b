/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A packet's way, step by step: hook, table, what was decided there and why.
 */
#include <stdio.h>
#include <string.h>

#include "app/cmd/replay.h"
#include "app/cmd/trace.h"

enum { TEXT_SIZE = 1024 };

static const char *const hooks[] = { "PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING" };

static void brief(const uint8_t *data, uint32_t size, char *out)
{
	struct ct_text to;

	ct_text_init(&to, out, TEXT_SIZE);
	replay_brief(data, size, &to);
}

static const char *source_of(const struct ct_way *way)
{
	if (way->is_sent)
		return "sent by this machine";
	return way->in ? way->in : "an interface not told";
}

void trace_begin(struct trace *t, const struct trace_packet *p)
{
	static const struct writer_column columns[] = { { "hook", "Hook", false },
							{ "step", "Step", false },
							{ "what", "What", false } };
	char packet[TEXT_SIZE], head[2 * TEXT_SIZE];

	brief(p->data, p->size, packet);
	t->family = p->data[0] >> 4 == 6 ? CT_FAMILY_IPV6 : CT_FAMILY_IPV4;
	(void)snprintf(head, sizeof(head), "%u  +%lld.%03lld s  %s  %s%s", p->number,
		       (long long)(p->at / CT_NS_PER_S),
		       (long long)(p->at % CT_NS_PER_S / CT_NS_PER_MS), packet,
		       p->way->is_sent ? "" : "in by ", source_of(p->way));
	if (t->is_json) {
		writer_row(t->w);
		writer_u64(t->w, "number", NULL, p->number);
		writer_f64(t->w, "at_s", NULL, (double)p->at / (double)CT_NS_PER_S, 6);
		writer_str(t->w, "packet", NULL, packet);
		writer_bool(t->w, "is_sent", NULL, p->way->is_sent);
		if (p->way->in)
			writer_str(t->w, "in", NULL, p->way->in);
	} else {
		writer_para_styled(t->w, WRITER_BOLD, 0, head);
	}
	writer_list(t->w, "steps", NULL, columns, 3);
}

/* One row: the three columns of text, and for JSON what they are made of. */
static void begin_step(const struct trace *t, const struct ct_trace *step, const char *name,
		       const char *what)
{
	writer_row(t->w);
	writer_str(t->w, "hook", NULL, hooks[step->at]);
	writer_str(t->w, "step", NULL, name);
	writer_str(t->w, "what", NULL, what);
}

static const struct trace_rules *rules_of(const struct trace *t)
{
	return t->family == CT_FAMILY_IPV6 ? t->rules6 : t->rules4;
}

static void put_rule(const struct trace *t, const struct ct_trace *step)
{
	unsigned number = 0;
	const char *text =
		trace_rules_find(rules_of(t), step->table, step->chain, step->line, &number);
	char what[TEXT_SIZE];

	if (!text)
		text = trace_rules_find(t->rules_nft, step->table, step->chain, step->line,
					&number);
	(void)snprintf(what, sizeof(what), "%s rule %u: %s", step->chain, number, text ? text : "");
	begin_step(t, step, step->table, what);
	writer_str(t->w, "table", NULL, step->table);
	writer_str(t->w, "chain", NULL, step->chain);
	writer_u64(t->w, "rule", NULL, number);
	writer_u64(t->w, "line", NULL, step->line);
	writer_str(t->w, "text", NULL, text ? text : "");
	if (step->verdict)
		writer_str(t->w, "verdict", NULL, step->verdict);
	writer_end(t->w);
}

static const char *fate_name(enum ct_rule_fate fate)
{
	switch (fate) {
	case CT_FATE_ACCEPT:
		return "ACCEPT";
	case CT_FATE_DROP:
		return "DROP";
	case CT_FATE_REJECT:
		return "REJECT";
	case CT_FATE_QUEUE:
		break;
	}
	return "QUEUE";
}

/* A policy is worth a word where there are rules that could have decided. */
static void put_table(const struct trace *t, const struct ct_trace *step)
{
	char what[TEXT_SIZE];

	if (step->line != 0 || !step->chain ||
	    (step->fate == CT_FATE_ACCEPT &&
	     !trace_rules_has(rules_of(t), step->table, step->chain) &&
	     !trace_rules_has(t->rules_nft, step->table, step->chain)))
		return;
	(void)snprintf(what, sizeof(what), "policy of %s: %s", step->chain, fate_name(step->fate));
	begin_step(t, step, step->table, what);
	writer_str(t->w, "table", NULL, step->table);
	writer_str(t->w, "chain", NULL, step->chain);
	writer_str(t->w, "policy", NULL, fate_name(step->fate));
	writer_end(t->w);
}

static void put_entry(const struct trace *t, const struct ct_trace *step, const char *name,
		      const char *lead)
{
	char line[TEXT_SIZE], what[2 * TEXT_SIZE];
	struct ct_text to;

	ct_text_init(&to, line, sizeof(line));
	if (step->entry)
		(void)ct_entry_format(step->entry, CT_FORM_CONNTRACK, 0, &to);
	(void)snprintf(what, sizeof(what), "%s%s%s", lead, line[0] ? ": " : "", line);
	begin_step(t, step, name, what);
	if (step->entry)
		writer_str(t->w, "entry", NULL, line);
}

static void put_track(const struct trace *t, const struct ct_trace *step)
{
	enum ct_info info = (enum ct_info)step->packet->info;
	const char *state = ct_info_name(info), *why = step->packet->why;
	char lead[256];

	if (step->packet->verdict == CT_DROP)
		state = "DROP";
	(void)snprintf(lead, sizeof(lead), "%s%s%s%s%s", state,
		       info > CT_INFO_RELATED_REPLY	   ? ""
		       : ct_info_dir(info) == CT_DIR_REPLY ? ", reply"
							   : ", original",
		       why ? " (" : "", why ? why : "", why ? ")" : "");
	put_entry(t, step, "tracker", lead);
	writer_str(t->w, "state", NULL, state);
	if (info <= CT_INFO_RELATED_REPLY)
		writer_str(t->w, "direction", NULL,
			   ct_info_dir(info) == CT_DIR_REPLY ? "reply" : "original");
	if (why)
		writer_str(t->w, "why", NULL, why);
	writer_end(t->w);
}

static void put_nat(const struct trace *t, const struct ct_trace *step)
{
	char packet[TEXT_SIZE], what[2 * TEXT_SIZE];

	brief(step->packet->data, step->packet->size, packet);
	(void)snprintf(what, sizeof(what), "rewritten to %s", packet);
	begin_step(t, step, "nat", what);
	writer_str(t->w, "rewritten", NULL, packet);
	writer_end(t->w);
}

static void put_route(const struct trace *t, const struct ct_trace *step)
{
	static const char *const names[] = { "forward", "local", "nowhere" };
	const struct ct_routed *to = step->way_on;
	char what[128];

	if (to->route == CT_ROUTE_FORWARD)
		(void)snprintf(what, sizeof(what), "out by %s",
			       to->out ? to->out : "an interface not told");
	else
		(void)snprintf(what, sizeof(what), "%s",
			       to->route == CT_ROUTE_LOCAL ? "for this machine"
							   : "no way on: dropped");
	begin_step(t, step, "routing", what);
	writer_str(t->w, "route", NULL, names[to->route]);
	if (to->out)
		writer_str(t->w, "out", NULL, to->out);
	writer_end(t->w);
}

void trace_step(void *user, const struct ct_trace *step)
{
	const struct trace *t = user;

	switch (step->kind) {
	case CT_TRACE_TRACK:
		put_track(t, step);
		break;
	case CT_TRACE_RULE:
		put_rule(t, step);
		break;
	case CT_TRACE_TABLE:
		put_table(t, step);
		break;
	case CT_TRACE_NAT:
		put_nat(t, step);
		break;
	case CT_TRACE_ROUTE:
		put_route(t, step);
		break;
	case CT_TRACE_CONFIRM:
		/* Entries that stood in the table before are not told of again. */
		if (!step->entry ||
		    (step->packet->info != CT_INFO_NEW && step->packet->info != CT_INFO_RELATED))
			break;
		put_entry(t, step, "confirm", "in the table");
		writer_end(t->w);
		break;
	}
}

/* Where it ended, in words. */
static void describe_end(const struct ct_packet *p, const struct ct_passage *was,
			 enum sim_fate fate, char *out, size_t size)
{
	const char *dev = was->way_on.out;

	switch (fate) {
	case SIM_FORWARDED:
	case SIM_SENT:
		(void)snprintf(out, size, "leaves by %s", dev ? dev : "an interface not told");
		return;
	case SIM_DELIVERED:
		(void)snprintf(out, size, "is delivered to this machine");
		return;
	case SIM_GONE:
	case SIM_FATES:
		break;
	}
	if (!p->why && !was->table && was->at == CT_AT_PREROUTING &&
	    was->way_on.route == CT_ROUTE_FORWARD && was->is_tracked)
		(void)snprintf(out, size, "ends in routing: it was on its last hop");
	else if (was->is_waiting)
		(void)snprintf(out, size, "waits for the other fragments");
	else if (was->table)
		(void)snprintf(out, size, "ends in %s %s: %s", hooks[was->at], was->table,
			       fate_name(was->fate));
	else
		(void)snprintf(out, size, "ends in %s%s%s", hooks[was->at], p->why ? ": " : "",
			       p->why ? p->why : "");
}

static void outcome_of(const struct ct_packet *p, const struct ct_passage *was, enum sim_fate fate,
		       struct trace_outcome *out)
{
	struct ct_text state, packet;

	*out = (struct trace_outcome){ .fate = fate };
	ct_text_init(&state, out->state, sizeof(out->state));
	replay_state(p, was, &state);
	if (fate == SIM_GONE)
		return;
	ct_text_init(&packet, out->packet, sizeof(out->packet));
	replay_brief(was->data, was->size, &packet);
	if (fate != SIM_DELIVERED && was->way_on.out)
		(void)snprintf(out->out, sizeof(out->out), "%s", was->way_on.out);
}

/* True when two packets differ in nothing but numbers of ports, which may be drawn by chance. */
static bool differs_in_ports(const char *a, const char *b)
{
	for (;;) {
		if (*a != *b)
			return false;
		if (!*a)
			return true;
		a++;
		b++;
		if (a[-1] == ':') {
			a += strspn(a, "0123456789");
			b += strspn(b, "0123456789");
		}
	}
}

static const char *const fate_words[] = { "forwarded", "delivered", "sent", "gone" };

/* What the kernel made of the same packet; 0 when it agrees. */
static unsigned put_kernel(const struct trace *t, const struct trace_outcome *ours,
			   const struct trace_outcome *kernel)
{
	bool is_packet = strcmp(ours->packet, kernel->packet) == 0;
	bool is_drawn = !is_packet && differs_in_ports(ours->packet, kernel->packet);
	bool is_same = strcmp(ours->state, kernel->state) == 0 && ours->fate == kernel->fate &&
		       (!ours->out[0] || strcmp(ours->out, kernel->out) == 0) &&
		       (is_packet || is_drawn);
	char line[TEXT_SIZE];

	if (t->is_json) {
		writer_section(t->w, "kernel", NULL);
		writer_bool(t->w, "agrees", NULL, is_same);
		writer_str(t->w, "state", NULL, kernel->state);
		writer_str(t->w, "fate", NULL, fate_words[kernel->fate]);
		writer_str(t->w, "out", NULL, kernel->out);
		writer_str(t->w, "left_as", NULL, kernel->packet);
		writer_end(t->w);
		return !is_same;
	}
	if (is_same)
		(void)snprintf(line, sizeof(line), "kernel: the same%s",
			       is_drawn ? ", with another port drawn" : "");
	else
		(void)snprintf(line, sizeof(line), "kernel: %s, %s%s%s%s%s", kernel->state,
			       fate_words[kernel->fate], kernel->out[0] ? " by " : "", kernel->out,
			       kernel->packet[0] ? " as " : "", kernel->packet);
	writer_para_styled(t->w, is_same ? WRITER_GOOD : WRITER_BAD, 2, line);
	return !is_same;
}

static void tell_end(const struct trace *t, const struct trace_outcome *ours, const char *end,
		     const struct ct_passage *was)
{
	bool has_left = ours->fate == SIM_FORWARDED || ours->fate == SIM_SENT;
	char line[3 * TEXT_SIZE];

	(void)snprintf(line, sizeof(line), "%s%s%s", end, has_left ? " as " : "",
		       has_left ? ours->packet : "");
	writer_para_styled(t->w, ours->fate == SIM_GONE ? WRITER_WARNING : WRITER_GOOD, 2, line);
	if (!was->depends_on)
		return;
	(void)snprintf(line, sizeof(line),
		       "This is only likely: it depends on %s%s%s (line %u), which is not known "
		       "here.",
		       was->depends_on, was->depends_table ? " in table " : "",
		       was->depends_table ? was->depends_table : "", was->depends_line);
	writer_para_styled(t->w, WRITER_NOTE, 2, line);
}

void trace_end(struct trace *t, unsigned number, const struct ct_packet *p,
	       const struct ct_passage *was, enum sim_fate fate)
{
	struct trace_outcome ours = { 0 };
	char end[256];

	writer_end(t->w);
	outcome_of(p, was, fate, &ours);
	describe_end(p, was, fate, end, sizeof(end));
	if (t->is_json) {
		writer_str(t->w, "state", NULL, ours.state);
		writer_str(t->w, "fate", NULL, fate_words[fate]);
		writer_str(t->w, "end", NULL, end);
		if (fate == SIM_FORWARDED || fate == SIM_SENT)
			writer_str(t->w, "left_as", NULL, ours.packet);
		if (was->depends_on)
			writer_str(t->w, "depends_on", NULL, was->depends_on);
	} else {
		tell_end(t, &ours, end, was);
	}
	if (t->kernel)
		t->n_different += put_kernel(t, &ours, &t->kernel[number]);
	if (t->is_json)
		writer_end(t->w);
	else
		writer_para(t->w, 0, "\n");
}
