/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Kinds of option values: each reads the words of one option, refuses what iptables refuses, and
 * leaves the text that iptables-save would write beside the numbers that judging needs.
 */
#ifndef CT_RULESET_KIND_H
#define CT_RULESET_KIND_H

#include <conntune/err.h>
#include <conntune/text.h>

#include "lib/ruleset/model.h"

/* What reading passes around. */
struct ct_reading {
	struct ct_ruleset *rs;
	struct ct_err *err;
	uint32_t line;
};

/* Reads @arg (as many words as the option has) into @o. 0; -EINVAL when it is no such value;
 * -ENOMEM. -ENOENT: it may be one where names are known that are not known here; the option is
 * then kept as it stands, and opaque. */
typedef int ct_kind_fn(struct ct_reading *r, char *const *arg, struct ct_rule_option *o);

#define KIND(name) ct_kind_fn ct_kind_##name;
#include "lib/ruleset/kind.def"
#undef KIND

/* Keeps @text as the normalised value. -ENOMEM. */
int ct_kind_keep(struct ct_reading *r, struct ct_rule_option *o, const char *text);

/* An unsigned number as strtoul() with base 0 reads it: decimal, 0x, leading 0 for octal. */
int ct_kind_number(const char *s, size_t len, uint64_t max, uint64_t *out);

/* Appends @s as xtables_save_string() does: quoted unless it is a plain word. */
void ct_kind_quote(struct ct_text *to, const char *s);

/* An address and mask as -s has them, "10.1.2.3/24", "10/8", "::1/128"; host bits cleared. */
int ct_kind_network(uint8_t family, const char *s, union ct_addr *addr, union ct_addr *mask);

/* Appends a mask: its length, or in full when it is not contiguous. */
void ct_kind_put_mask(struct ct_text *to, uint8_t family, const union ct_addr *mask);

/* The bits of a mask when it is contiguous, or -1. */
int ct_kind_mask_len(uint8_t family, const union ct_addr *mask);

/* A port by number or by service name; -ENOENT for a name nobody knows here. */
int ct_kind_port(const char *s, size_t len, uint16_t *out);

/* A protocol by number or name as iptables takes it, or -1; and its name, or null. */
int ct_rule_proto_number(const char *s);
const char *ct_rule_proto_name(uint8_t proto);

#endif
