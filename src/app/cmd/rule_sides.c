/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Rule sets out of files and out of machines.
 */
#include "app/cmd/rule_sides.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/clean.h"
#include "ops/rules/rules.h"
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

/* Rules of nftables are read elsewhere; proofs of them there are not. */
static int refuse_nft(const char *path, struct ct_err *err)
{
	auto_fd int fd = strcmp(path, "-") == 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	char head[4096];
	ssize_t n = fd < 0 ? 0 : read(fd, head, sizeof(head));

	if (n > 0 && rules_spelling(head, (size_t)n) != RULES_IPTABLES)
		return ct_err_set(
			err, -ENOTSUP,
			"%s: rules of nftables cannot be proved yet, those of iptables can", path);
	return 0;
}

int rule_sides_add(struct rule_sides *s, const char *path, struct ct_err *err)
{
	size_t len = strlen(path);
	bool is_v6 = len > 0 && path[len - 1] == '6';
	struct ct_ruleset *rules;
	int r = refuse_nft(path, err);

	if (r < 0)
		return r;
	r = sim_rules_file(path, is_v6 ? CT_SYNTAX_IP6TABLES : CT_SYNTAX_IPTABLES, &rules, err);

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

struct reading {
	struct rule_sides *sides;
	struct ct_err *err;
	int ret;
};

static int visit(void *user, struct host *h, const struct netns *ns)
{
	struct reading *r = user;

	(void)ns;
	r->ret = of_program(&r->sides->v4, h, "iptables-save", false, r->err);
	if (r->ret == 0)
		r->ret = of_program(&r->sides->v6, h, "ip6tables-save", true, r->err);
	return EXIT_DONE;
}

int rule_sides_live(struct rule_sides *s, const struct common_options *common, struct ct_err *err)
{
	struct reading r = { .sides = s, .err = err };
	auto_free(host) struct host *h = NULL;

	if (common->netns && strcmp(common->netns, "all") == 0)
		return ct_err_set(err, -EINVAL, "the rules of one network namespace, not of all");
	h = cmd_host(common);
	if (!h || cmd_each_netns(common, h, visit, &r) != EXIT_DONE)
		return ct_err_set(err, -EIO, "the machine's rules cannot be read");
	if (r.ret == 0 && !s->v4.rules && !s->v6.rules)
		return ct_err_set(err, -ENOENT,
				  "neither iptables-save nor ip6tables-save is to be found; name a "
				  "file of rules");
	return r.ret;
}
