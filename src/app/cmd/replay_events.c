/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A line for each change of an entry, as conntrack -E -o timestamp,extended writes it, with the
 * moment of the capture, and why an entry ended.
 */
#include <string.h>

#include "app/cmd/replay.h"

static const char *kind_of(const struct ct_event_info *info)
{
	if (info->events & CT_EVENT_NEW)
		return "NEW";
	return info->events & CT_EVENT_DESTROY ? "DESTROY" : "UPDATE";
}

static const char *end_of(const struct ct_event_info *info)
{
	if (!(info->events & CT_EVENT_DESTROY))
		return NULL;
	switch (info->end) {
	case CT_END_NONE:
		break;
	case CT_END_TIMEOUT:
		return "timeout";
	case CT_END_RESET:
		return "reset";
	case CT_END_REOPEN:
		return "reopen";
	case CT_END_EARLY_DROP:
		return "early_drop";
	case CT_END_PRESSURE:
		return "pressure";
	case CT_END_CALL:
		return "call";
	case CT_END_REQUEST:
		return "request";
	}
	return NULL;
}

static void put_object(struct replay *r, const struct ct_event_info *info, const struct ct_entry *e)
{
	static const struct ct_match_times times;
	const struct list_item item = { .e = e, .times = &times };
	const char *end = end_of(info);

	ct_text_printf(&r->line, "{\"event\":\"%s\",\"at\":%lld.%06lld,", kind_of(info),
		       (long long)(info->at / CT_NS_PER_S),
		       (long long)(info->at % CT_NS_PER_S / CT_NS_PER_US));
	if (end)
		ct_text_printf(&r->line, "\"end\":\"%s\",", end);
	ct_text_str(&r->line, "\"entry\":");
	list_put_json(&item, &r->line);
	ct_text_str(&r->line, "}\n");
}

static void put_line(struct replay *r, const struct ct_event_info *info, const struct ct_entry *e)
{
	struct ct_entry shown = *e;
	const char *end = end_of(info);
	char kind[16];

	(void)snprintf(kind, sizeof(kind), "[%s]", kind_of(info));
	if (info->events & CT_EVENT_DESTROY)
		shown.known &= ~(uint32_t)CT_KNOWN_TIMEOUT;
	ct_text_printf(&r->line, "[%lld.%06lld]\t%9s ", (long long)(info->at / CT_NS_PER_S),
		       (long long)(info->at % CT_NS_PER_S / CT_NS_PER_US), kind);
	(void)ct_entry_format(&shown, CT_FORM_EXTENDED, 0, &r->line);
	if (end)
		ct_text_printf(&r->line, " end=%s", end);
	ct_text_char(&r->line, '\n');
}

void replay_put_event(struct replay *r, const struct ct_event_info *info, const struct ct_entry *e)
{
	ct_text_init(&r->line, r->line_room, LIST_MAX_ITEM);
	if (r->is_json)
		put_object(r, info, e);
	else
		put_line(r, info, e);
	(void)fwrite(r->line.buf, 1, r->line.len, stdout);
}
