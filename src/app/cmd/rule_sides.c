/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Rule sets out of files and out of machines.
 */
#include "app/cmd/rule_sides.h"

#include <errno.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/clean.h"
#include "ops/sim/rules.h"

#define SAVE_LIMIT_MS 20000u

void rule_sides_fini(struct rule_sides *s)
{
	ct_ruleset_free(s->v4.rules);
	ct_ruleset_free(s->v6.rules);
	*s = (struct rule_sides){ 0 };
}

static struct ct_ruleset *parse(const struct ct_buf *text, bool is_v6, struct ct_err *err)
{
	return ct_ruleset_parse(text->p ? text->p : "", text->len,
				is_v6 ? CT_SYNTAX_IP6TABLES : CT_SYNTAX_IPTABLES, err);
}

static int keep(struct rule_sides *s, struct ct_ruleset *rules, const char *path, bool is_v6,
		struct ct_err *err)
{
	struct rule_side *side = is_v6 ? &s->v6 : &s->v4;

	if (side->rules) {
		ct_ruleset_free(rules);
		return ct_err_set(err, -EEXIST, "%s: a second rule set for %s, after %s", path,
				  is_v6 ? "IPv6" : "IPv4", side->name);
	}
	*side = (struct rule_side){ rules, path };
	return 0;
}

int rule_sides_add(struct rule_sides *s, const char *path, struct ct_err *err)
{
	size_t len = strlen(path);
	bool is_v6 = len > 0 && path[len - 1] == '6';
	struct ct_ruleset *rules;
	int r = sim_rules_file(path, is_v6 ? CT_SYNTAX_IP6TABLES : CT_SYNTAX_IPTABLES, &rules, err);

	if (r < 0 && !is_v6 && strcmp(path, "-") != 0 &&
	    sim_rules_file(path, CT_SYNTAX_IP6TABLES, &rules, NULL) == 0) {
		is_v6 = true;
		r = 0;
	}
	return r < 0 ? r : keep(s, rules, path, is_v6, err);
}

static int of_program(struct rule_side *side, struct host *h, const char *name, bool is_v6,
		      struct ct_err *err)
{
	const char *const argv[] = { name, NULL };
	auto_fini(ct_buf) struct ct_buf text = { 0 };
	int r = host_command(h, name, argv, SAVE_LIMIT_MS, &text, NULL);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return ct_err_set(err, r, "%s: %s", name, strerror(-r));
	side->rules = parse(&text, is_v6, err);
	side->name = name;
	return side->rules ? 0 : ct_err_wrap(err, -EINVAL, "%s", name);
}

int rule_sides_of_host(struct rule_sides *s, struct host *h, struct ct_err *err)
{
	int r = of_program(&s->v4, h, "iptables-save", false, err);

	return r == 0 ? of_program(&s->v6, h, "ip6tables-save", true, err) : r;
}
