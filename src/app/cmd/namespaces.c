/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What --netns means to every command that understands it.
 */
#include "app/cmd/cmd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ops/host/netns.h"

void cmd_netns_name(const struct netns *ns, char *out, size_t size)
{
	if (ns->name)
		(void)snprintf(out, size, "%s", ns->name);
	else
		(void)snprintf(out, size, "net:[%" PRIu64 "]", ns->inode);
}

/* One of many that ended since they were listed (@may_be_gone) is no loss. */
static int visit_one(struct host *h, const struct netns *ns, bool may_be_gone, cmd_visitor visit,
		     void *user)
{
	struct ct_err err = { "" };
	struct host *inside;
	int r;

	r = host_in_netns(h, ns, &inside, &err);
	if (r == -ENOENT && may_be_gone)
		return EXIT_DONE;
	if (r < 0) {
		cmd_error("%s", err.text);
		return EXIT_FAILED;
	}
	r = visit(user, inside, ns);
	host_free(inside);
	return r;
}

int cmd_each_netns(const struct common_options *common, struct host *h, cmd_visitor visit,
		   void *user)
{
	auto_fini(netns_list) struct netns_list list = { 0 };
	struct ct_err err = { "" };
	int found = -1, code = EXIT_DONE;

	if (!common->netns)
		return visit(user, h, NULL);
	if (netns_list(h, &list, &err) < 0) {
		cmd_error("%s", err.text);
		return EXIT_FAILED;
	}
	if (strcmp(common->netns, "all") != 0) {
		found = netns_find(h, &list, common->netns, &err);
		if (found < 0) {
			cmd_error("%s", err.text);
			return EXIT_FAILED;
		}
	}
	for (size_t i = 0; i < list.n; i++) {
		int r = found < 0 || (size_t)found == i
				? visit_one(h, &list.at[i], found < 0, visit, user)
				: EXIT_DONE;

		code = code == EXIT_DONE ? r : code;
	}
	if (found < 0 && list.n_hidden)
		cmd_warn(common, "the namespaces of %u processes are hidden; there may be more",
			 list.n_hidden);
	return code;
}
