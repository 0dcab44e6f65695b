/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A machine by looking: what iptables-save, ip6tables-save and nft print, its addresses, routes and
 * settings. Tables that iptables keeps in nftables stand in both listings; iptables' counts.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/cmd/trace.h"
#include "ops/rules/rules.h"
#include "ops/sim/routes.h"

enum { ASK_MS = 10000 };

/* What a program prints; nothing when there is no such program. */
static int ask(struct host *h, const char *name, const char *const argv[], struct ct_buf *out,
	       struct ct_err *err)
{
	int r = host_command(h, name, argv, ASK_MS, out, NULL);

	if (r == -ENOENT)
		return 0;
	return r < 0 ? ct_err_set(err, r, "%s: %s", name, strerror(-r)) : 0;
}

/* One listing of iptables; none is no rules. */
static int ask_iptables(struct host *h, const char *name, unsigned syntax, struct ct_buf *text,
			struct ct_ruleset **out, struct ct_err *err)
{
	const char *const argv[] = { name, "-c", NULL };
	int r = ask(h, name, argv, text, err);

	if (r < 0)
		return r;
	ct_ruleset_free(*out);
	*out = ct_ruleset_parse(text->p ? text->p : "", text->len, syntax, err);
	return *out ? 0 : ct_err_wrap(err, -EINVAL, "%s", name);
}

/* True when iptables, as it printed @text, keeps that table in nftables. */
static bool keeps_table(const struct ct_buf *text, const char *table)
{
	char head[64];

	if (!text->p || !strstr(text->p, "(nf_tables)"))
		return false;
	(void)snprintf(head, sizeof(head), "\n*%.50s\n", table);
	return strstr(text->p, head) != NULL;
}

/* Of an element of nft's listing: the table that it is, or is in. */
static bool is_kept(const json_t *element, const struct ct_buf *text4, const struct ct_buf *text6)
{
	const char *kind = json_object_iter_key(json_object_iter((json_t *)element));
	const json_t *o = kind ? json_object_get(element, kind) : NULL;
	const char *family = json_string_value(json_object_get(o, "family"));
	bool is_table = kind && strcmp(kind, "table") == 0;
	const char *table = json_string_value(json_object_get(o, is_table ? "name" : "table"));

	if (!family || !table)
		return false;
	return (strcmp(family, "ip") == 0 && keeps_table(text4, table)) ||
	       (strcmp(family, "ip6") == 0 && keeps_table(text6, table));
}

static int read_nft(json_t *root, const struct ct_buf *text4, const struct ct_buf *text6,
		    struct ct_ruleset **out, struct ct_err *err)
{
	json_t *list = json_object_get(root, "nftables");
	auto_memory char *rest = NULL;

	for (size_t i = json_array_size(list); i-- > 0;)
		if (is_kept(json_array_get(list, i), text4, text6))
			(void)json_array_remove(list, i);
	rest = json_dumps(root, JSON_COMPACT);
	if (!rest)
		return ct_err_set(err, -ENOMEM, "no memory for the rules of nft");
	ct_ruleset_free(*out);
	*out = rules_read(rest, strlen(rest), 0, err);
	return *out ? 0 : ct_err_wrap(err, -EINVAL, "nft");
}

static int ask_nft(struct host *h, const struct ct_buf *text4, const struct ct_buf *text6,
		   struct ct_ruleset **out, struct ct_err *err)
{
	static const char *const argv[] = { "nft", "-j", "list", "ruleset", NULL };
	auto_fini(ct_buf) struct ct_buf text = { 0 };
	json_t *root;
	int r = ask(h, "nft-ruleset-json", argv, &text, err);

	if (r < 0 || text.len == 0)
		return r;
	root = json_loadb(text.p, text.len, 0, NULL);
	if (!root)
		return ct_err_set(err, -EINVAL, "nft -j list ruleset prints no JSON");
	r = read_nft(root, text4, text6, out, err);
	json_decref(root);
	return r;
}

/* The settings that the tracker has now. */
static void ask_settings(struct host *h, struct ct_engine_settings *s)
{
	static const char *const names[] = {
#define ENGINE_SETTING(field, name, standard, highest) name,
#include <conntune/engine_setting.def>
#undef ENGINE_SETTING
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[128];
		uint32_t *at, highest;
		int64_t v;

		(void)snprintf(path, sizeof(path), "/proc/sys/net/netfilter/nf_conntrack_%s",
			       names[i]);
		if (host_read_i64(h, path, &v) == 0 && v >= 0 &&
		    ct_engine_setting_find(s, names[i], strlen(names[i]), &at, &highest) == 0 &&
		    v <= highest)
			*at = (uint32_t)v;
	}
}

int trace_live(struct sim_case *c, struct ct_engine_settings *settings, struct host *h,
	       struct ct_err *err)
{
	auto_fini(ct_buf) struct ct_buf text4 = { 0 };
	auto_fini(ct_buf) struct ct_buf text6 = { 0 };
	int r = sim_routes_host(&c->machine, h, err);

	if (r == 0)
		r = ask_iptables(h, "iptables-save", CT_SYNTAX_IPTABLES, &text4, &c->rules4, err);
	if (r == 0)
		r = ask_iptables(h, "ip6tables-save", CT_SYNTAX_IP6TABLES, &text6, &c->rules6, err);
	if (r == 0)
		r = ask_nft(h, &text4, &text6, &c->rules_nft, err);
	if (r == 0)
		ask_settings(h, settings);
	return r;
}
