/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A listing of nft: whatever is read judges packets and is written, and what was written is read
 * and written again as it is.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "ops/rules/nft_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int is_true)
{
	if (!is_true)
		abort();
}

static int append(void *user, const char *text, size_t len)
{
	return ct_buf_put(user, text, len);
}

/* Packets of both families, with the end of the input as their bytes and cut off anywhere, through
 * every base chain. */
static void judge(struct ct_ruleset *rs, const uint8_t *data, size_t size)
{
	struct ct_entry entry = { .known = CT_KNOWN_MARK, .status = CT_STATUS_ASSURED };
	struct ct_rule_outcome out;
	struct ct_base_chain b;
	uint8_t bytes[96] = { 0 };
	struct ct_packet p;

	for (size_t i = 0; i < sizeof(bytes) && i < size; i++)
		bytes[sizeof(bytes) - 1 - i] = data[size - 1 - i];
	for (unsigned way = 0; way < 4; way++) {
		struct ct_rule_packet r = { .packet = &p, .in = "eth0", .now = 1 + way };

		bytes[0] = way & 1 ? 0x60 : 0x45;
		bytes[9] = (uint8_t)(way & 2 ? 17 : 6);
		ct_packet_init(&p, bytes, sizeof(bytes) - (size ? data[size / 2] % 60 : 0));
		(void)ct_packet_parse(&p);
		p.info = way & 2 ? CT_INFO_NEW : CT_INFO_INVALID;
		r.entry = way & 2 ? &entry : NULL;
		for (unsigned i = 0; ct_ruleset_base(rs, i, &b); i++)
			(void)ct_ruleset_judge_base(rs, i, &r, &out);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ct_buf first = { 0 }, second = { 0 };
	struct ct_err err = { "" };
	struct ct_ruleset *rs = nft_json_read((const char *)data, size, &err), *again;

	if (!rs) {
		must(err.text[0] != '\0');
		return 0;
	}
	judge(rs, data, size);
	must(ct_ruleset_print(rs, 0, append, &first) == 0);
	again = nft_json_read(first.p, first.len, &err);
	must(again != NULL);
	must(ct_ruleset_print(again, 0, append, &second) == 0);
	must(first.len == second.len && memcmp(first.p, second.p, first.len) == 0);
	ct_ruleset_free(again);
	ct_ruleset_free(rs);
	ct_buf_fini(&first);
	ct_buf_fini(&second);
	return 0;
}
