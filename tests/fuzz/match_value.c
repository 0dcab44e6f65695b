/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What stands behind --src, --dport, --state and the others: the first byte chooses the condition.
 * What is accepted can be asked of an entry, and of the kernel as far as that goes.
 */
#include <stdlib.h>
#include <string.h>

#include "ops/table/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int is_true)
{
	if (!is_true)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char line[] =
		"tcp      6 90 ESTABLISHED src=10.0.1.2 dst=198.51.100.7 sport=9 "
		"dport=443 src=192.168.0.9 dst=10.0.1.2 sport=8443 dport=9 "
		"[ASSURED] mark=21 zone=5 use=2";
	uint8_t request[NL_MAX_REQUEST];
	struct ct_match m = { 0 };
	struct ct_err err = { "" };
	struct nl_filter filter;
	struct ct_entry e;
	char *value;

	if (size == 0)
		return 0;
	value = malloc(size);
	must(value && ct_entry_parse(line, sizeof(line) - 1, &e, NULL) == 0);
	memcpy(value, data + 1, size - 1);
	value[size - 1] = '\0';
	if (ct_match_add(&m, (enum ct_match_field)(data[0] % CT_MATCH_FIELDS), value, &err) < 0) {
		must(err.text[0] != '\0' && m.fields == 0);
	} else {
		(void)ct_match_entry(&m, &e, NULL);
		must(table_filter_of(&m, &filter) == (filter.fields != 0));
		must(nl_dump_request(request, &filter) > 0);
	}
	free(value);
	return 0;
}
