/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A line for each packet: number, time, where it came in, its tracking state, its fate, what
 * happened to entries, the packet, what left, and why not.
 */
#include <string.h>

#include "app/cmd/replay.h"

/* Where a word has its place among @events: behind all, or, of ends that nothing but ends stands
 * before, in the order of the alphabet, because which comes first means nothing. */
static size_t place_for(const char *events, const char *word)
{
	size_t at = 0;

	while (events[at] == 'D') {
		size_t len = strcspn(events + at, " "), own = strlen(word);
		int order = strncmp(word, events + at, len < own ? len : own);

		if (*word == 'D' && (order < 0 || (order == 0 && own < len)))
			return at;
		at += len + (events[at + len] == ' ');
	}
	return strlen(events);
}

static void put_event(struct replay *r, const char *word)
{
	size_t len = strlen(word), at = place_for(r->events, word);
	bool is_last = at == r->events_len;

	if (r->events_len + len + 2 > sizeof(r->events))
		return;
	if (r->events_len == 0) {
		memcpy(r->events, word, len + 1);
		r->events_len = len;
		return;
	}
	memmove(r->events + at + len + 1, r->events + at, r->events_len + 1 - at);
	memcpy(r->events + at + is_last, word, len);
	r->events[is_last ? at : at + len] = ' ';
	r->events_len += len + 1;
	r->events[r->events_len] = 0;
}

void replay_note_event(struct replay *r, const struct ct_event_info *info, const struct ct_entry *e)
{
	bool tells_state = info->events & (CT_EVENT_NEW | CT_EVENT_DESTROY | CT_EVENT_PROTOINFO);
	const char *state = NULL;
	char kind = 'U', word[64];

	if (info->events & CT_EVENT_NEW)
		kind = 'N';
	else if (info->events & CT_EVENT_DESTROY)
		kind = 'D';
	if (tells_state && (e->known & CT_KNOWN_STATE))
		state = ct_state_name(e->tuple[0].proto, e->state);
	(void)snprintf(word, sizeof(word), "%c:%s%s%s%s", kind, state ? state : "-",
		       e->status & CT_STATUS_ASSURED ? "+A" : "",
		       e->status & CT_STATUS_SEEN_REPLY ? "+R" : "",
		       e->status & CT_STATUS_EXPECTED ? "+E" : "");
	put_event(r, word);
}

void replay_packets_head(FILE *to)
{
	(void)fputs("n\tt\tfrom\tct\tfate\tevents\tpacket\tout\twhy\n", to);
}

void replay_state(const struct ct_packet *p, const struct ct_passage *was, struct ct_text *to)
{
	if (!was->is_tracked) {
		ct_text_char(to, '-');
		return;
	}
	ct_text_str(to, ct_info_name(p->info));
	if (p->info <= CT_INFO_RELATED_REPLY)
		ct_text_str(to, ct_info_dir(p->info) == CT_DIR_REPLY ? "/r" : "/o");
}

/* A machine's device takes nothing but IPv4 and IPv6, and a program that sends is told when its
 * packet ends on the way out, except in reassembly. */
static bool is_send_error(const struct sim_packet *p)
{
	const struct ct_passage *was = p->passage;
	uint8_t version = p->data[0] >> 4;

	if (p->is_refused)
		return p->is_sent || (version != 4 && version != 6);
	return p->is_sent && !was->is_through &&
	       (was->is_tracked || was->table || was->way_on.route == CT_ROUTE_NOWHERE) &&
	       (was->at == CT_AT_OUTPUT || was->at == CT_AT_POSTROUTING);
}

static void put_state(const struct sim_packet *p, struct ct_text *to)
{
	if (is_send_error(p))
		ct_text_str(to, "senderr");
	else if (p->is_refused)
		ct_text_char(to, '-');
	else
		replay_state(p->packet, p->passage, to);
}

static const char *from_of(const struct sim_packet *p)
{
	return p->is_sent ? "local" : p->in ? p->in : "-";
}

static bool has_left(const struct sim_packet *p)
{
	return p->fate == SIM_FORWARDED || p->fate == SIM_SENT;
}

/* What left, and by which interface. */
static void put_out(const struct sim_packet *p, struct ct_text *to)
{
	const char *dev = p->passage->way_on.out;

	if (!has_left(p))
		return;
	ct_text_printf(to, "%s=", dev ? dev : "");
	replay_brief(p->passage->data, p->passage->size, to);
	if (p->passage->size != p->size)
		ct_text_printf(to, ",len%+d", (int)p->passage->size - (int)p->size);
}

/* Why a packet was refused, dropped or is not sure. */
static void put_why(const struct sim_packet *p, struct ct_text *to)
{
	const struct ct_passage *was = p->passage;

	if (p->packet->why)
		ct_text_str(to, p->packet->why);
	else if (!p->is_refused && was->table && !was->is_through)
		ct_text_printf(to, "%s, line %u", was->table, was->line);
	if (!p->is_refused && was->depends_on)
		ct_text_printf(to, "%sdepends on %s%s%s", to->len ? "; " : "", was->depends_on,
			       was->depends_table ? " in " : "",
			       was->depends_table ? was->depends_table : "");
}

static const char fates[] = "FLOD";

static void print_row(const struct replay *r, const struct sim_packet *p, ct_time since)
{
	char state[32], brief[256], out[320], why[256];
	struct ct_text text[4];

	ct_text_init(&text[0], state, sizeof(state));
	ct_text_init(&text[1], brief, sizeof(brief));
	ct_text_init(&text[2], out, sizeof(out));
	ct_text_init(&text[3], why, sizeof(why));
	put_state(p, &text[0]);
	replay_brief(p->data, p->size, &text[1]);
	put_out(p, &text[2]);
	put_why(p, &text[3]);
	(void)fprintf(r->packets, "%llu\t%lld.%06lld\t%s\t%s\t%c\t%s\t%s\t%s\t%s\n",
		      (unsigned long long)p->number, (long long)(since / CT_NS_PER_S),
		      (long long)(since % CT_NS_PER_S / CT_NS_PER_US), from_of(p), state,
		      fates[p->fate], r->events, brief, out, why);
}

/* None of the words needs escapes but the interface's name. */
static void print_object(const struct replay *r, const struct sim_packet *p, ct_time since)
{
	char buf[2048];
	struct ct_text to;

	ct_text_init(&to, buf, sizeof(buf));
	ct_text_printf(
		&to, "{\"n\":%llu,\"t\":%lld.%06lld,\"from\":", (unsigned long long)p->number,
		(long long)(since / CT_NS_PER_S), (long long)(since % CT_NS_PER_S / CT_NS_PER_US));
	list_put_json_string(from_of(p), strlen(from_of(p)), &to);
	ct_text_str(&to, ",\"ct\":\"");
	put_state(p, &to);
	ct_text_printf(&to, "\",\"fate\":\"%c\",\"events\":\"%s\",\"packet\":\"", fates[p->fate],
		       r->events);
	replay_brief(p->data, p->size, &to);
	ct_text_str(&to, "\"");
	if (has_left(p)) {
		const char *dev = p->passage->way_on.out;

		ct_text_str(&to, ",\"out\":{\"dev\":");
		if (dev)
			list_put_json_string(dev, strlen(dev), &to);
		else
			ct_text_str(&to, "null");
		ct_text_printf(&to, ",\"size\":%u,\"packet\":\"", p->passage->size);
		replay_brief(p->passage->data, p->passage->size, &to);
		ct_text_str(&to, "\"}");
	}
	ct_text_str(&to, ",\"why\":\"");
	put_why(p, &to);
	(void)fprintf(r->packets, "%s\"}\n", buf);
}

void replay_packet(void *user, const struct sim_packet *p)
{
	struct replay *r = user;
	ct_time at = sim_outcome(r->sim)->last;

	if (!r->has_first) {
		r->first = at;
		r->has_first = true;
	}
	if (r->is_json)
		print_object(r, p, at - r->first);
	else
		print_row(r, p, at - r->first);
	r->events_len = 0;
	r->events[0] = 0;
}
