/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Which spelling a file of rules is in, and its reader: see rules.h.
 */
#include "ops/rules/rules.h"

#include <string.h>

#include "ops/rules/nft_json.h"
#include "ops/rules/nft_text.h"

/* The first character that is neither blank nor in a comment line; @end without. */
static const char *first_word(const char *s, const char *end)
{
	while (s < end && strchr(" \t\r\n#", *s) && *s) {
		if (*s == '#')
			while (s < end && *s != '\n')
				s++;
		else
			s++;
	}
	return s;
}

enum rules_spelling rules_spelling(const char *bytes, size_t len)
{
	const char *end = bytes + len, *s = first_word(bytes, end);

	if (s < end && *s == '{')
		return RULES_NFT_JSON;
	/* Words of nft are letters; a line of iptables-save begins with one of "*:-[", or is
	 * COMMIT. */
	return s < end && *s >= 'a' && *s <= 'z' ? RULES_NFT_TEXT : RULES_IPTABLES;
}

struct ct_ruleset *rules_read(const char *bytes, size_t len, unsigned syntax, struct ct_err *err)
{
	switch (rules_spelling(bytes, len)) {
	case RULES_NFT_JSON:
		return nft_json_read(bytes, len, err);
	case RULES_NFT_TEXT:
		return nft_text_read(bytes, len, err);
	case RULES_IPTABLES:
		break;
	}
	return ct_ruleset_parse(bytes, len, syntax, err);
}
