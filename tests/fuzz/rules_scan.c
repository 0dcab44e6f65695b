/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Any bytes as a rule set in each syntax: limits hold, hits add up.
 */
#include "ops/facts/rules_scan.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum rules_syntax syntax[] = { RULES_IPTABLES, RULES_IP6TABLES, RULES_NFT };
	struct rules *r = calloc(1, sizeof(*r));
	uint64_t n = 0;

	if (!r)
		return 0;
	for (size_t i = 0; i < 3; i++)
		rules_scan(r, syntax[i], "fuzz", (const char *)data, size);
	for (unsigned i = 0; i < RULES_NEED_MAX; i++)
		n += r->n_need[i];
	if (n > r->n_rules || r->n_hits > RULES_MAX_HITS || r->n_notrack > RULES_MAX_NOTED ||
	    r->n_accept > RULES_MAX_NOTED)
		abort();
	for (unsigned i = 0; i < r->n_hits; i++)
		if (strlen(r->hit[i].text) >= RULES_MAX_TEXT)
			abort();
	free(r);
	return 0;
}
