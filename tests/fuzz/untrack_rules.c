/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Rule sets, into which rules for untracked packets are put: any bytes make a rule set or an error,
 * and ours are found again and go without a trace of them.
 */
#include "ops/apply/untrack.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int is_true)
{
	if (!is_true)
		abort();
}

static void compose(const char *text, const char *class)
{
	struct untracked_rules u = { 0 };
	struct untrack_class c;
	struct ct_buf removal = { 0 };
	unsigned n;

	must(untrack_parse(class, &c, NULL) == 0);
	if (untrack_compose(&c, CT_FAMILY_IPV4, text, UNTRACK_TAG "12345678", &u, NULL) == 0) {
		must(u.n_rules > u.n_accepts);
		must(untrack_removal(u.whole.p, UNTRACK_TAG "12345678", &removal, &n) == 0);
		must(n >= u.n_rules);
	}
	ct_buf_fini(&removal);
	untracked_rules_fini(&u);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct untrack_class c;
	char *text = malloc(size + 1);

	must(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	(void)untrack_parse(text, &c, NULL);
	compose(text, "tcp dport 8080");
	compose(text, "udp dst 10.0.0.53 dport 53");
	compose(text, "lo");
	free(text);
	return 0;
}
