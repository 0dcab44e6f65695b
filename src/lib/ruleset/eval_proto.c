/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Matches of the headers of single protocols. Answers to Linux 6.18, net/netfilter/xt_sctp.c,
 * xt_dccp.c, xt_tcpmss.c, xt_ecn.c, xt_esp.c, xt_ipcomp.c, net/ipv4/netfilter/ipt_ah.c.
 */
#include <string.h>

#include "lib/packet/wire.h"
#include "lib/ruleset/chunks.h"
#include "lib/ruleset/ext.h"

static bool port_fits(const struct ct_rule_ext *e, const char *name, uint16_t port)
{
	const struct ct_rule_option *o = ct_ext_option(e, name);

	return !o || ct_in_range(port, o) != o->is_inverted;
}

/* An option that asks for a security parameter index; without it any is fine. */
static enum ct_truth spi_fits(const struct ct_rule_ext *e, const char *name, uint32_t spi)
{
	const struct ct_rule_option *o = ct_ext_option(e, name);

	return o ? ct_truth_of(ct_in_range(spi, o), o) : CT_YES;
}

enum ct_truth ct_match_spi(struct ct_rule_ext *e, struct ct_judging *j)
{
	return ct_has_header(j, 8) ? spi_fits(e, "espspi", wire_be32(j->l4)) : CT_NO;
}

enum ct_truth ct_match_ah(struct ct_rule_ext *e, struct ct_judging *j)
{
	return ct_has_header(j, 12) ? spi_fits(e, "ahspi", wire_be32(j->l4 + 4)) : CT_NO;
}

enum ct_truth ct_match_ipcomp(struct ct_rule_ext *e, struct ct_judging *j)
{
	return ct_has_header(j, 4) ? spi_fits(e, "ipcompspi", wire_be16(j->l4 + 2)) : CT_NO;
}

/* SCTP -------------------------------------------------------------------------------------- */

static bool chunk_fits(const struct ct_chunks *want, uint8_t type, uint8_t flags)
{
	return (flags & want->mask[type]) == want->set[type];
}

static bool is_wanted(const uint8_t *bits, uint8_t type)
{
	return bits[type / 8] >> type % 8 & 1;
}

/* match_packet(): "all" wants each type once at least, "any" one of them, "only" nothing else. */
static bool chunks_fit(struct ct_judging *j, uint32_t how, const struct ct_chunks *want)
{
	enum { ALL, ANY, ONLY };
	uint8_t missing[32], none[32] = { 0 };
	uint32_t at = 12;

	memcpy(missing, want->types, sizeof(missing));
	do {
		const uint8_t *c = j->l4 + at;
		uint16_t size;

		if (j->l4_size - at < 4 || at > j->l4_size || wire_be16(c + 2) == 0) {
			j->is_hot = true;
			return false;
		}
		size = wire_be16(c + 2);
		at += (size + 3u) & ~3u;
		if (is_wanted(want->types, c[0]) && chunk_fits(want, c[0], c[1])) {
			if (how == ANY)
				return true;
			missing[c[0] / 8] &= (uint8_t) ~(1u << c[0] % 8);
		} else if (how == ONLY) {
			return false;
		}
	} while (at < j->l4_size);
	return how == ONLY || (how == ALL && memcmp(missing, none, sizeof(none)) == 0);
}

enum ct_truth ct_match_sctp(struct ct_rule_ext *e, struct ct_judging *j)
{
	const struct ct_rule_option *chunks = ct_ext_option(e, "chunk-types");

	if (!ct_has_header(j, 12) || !port_fits(e, "sport", wire_be16(j->l4)) ||
	    !port_fits(e, "dport", wire_be16(j->l4 + 2)))
		return CT_NO;
	return chunks ? ct_truth_of(chunks_fit(j, chunks->n[0], chunks->data), chunks) : CT_YES;
}

/* Options of TCP and DCCP ------------------------------------------------------------------- */

/* The first option of that kind among @size bytes, or null: both protocols have kinds 0 and 1
 * alone, and a size behind all others. */
static const uint8_t *option_find(const uint8_t *options, uint32_t size, uint8_t kind)
{
	for (uint32_t i = 0; i < size;) {
		if (options[i] == kind)
			return options + i;
		if (options[i] < 2)
			i++;
		else
			i += i + 1 < size && options[i + 1] ? options[i + 1] : 1;
	}
	return NULL;
}

/* dccp_packet_hdr_len(): what follows the generic header, by type. */
static uint32_t dccp_size(uint8_t type)
{
	static const uint8_t sizes[] = { 4, 12, 0, 8, 8, 8, 8, 12, 8, 8 };

	return type < sizeof(sizes) ? sizes[type] : 12;
}

/* match_option() of xt_dccp.c; @o may be null. */
static bool dccp_option_fits(struct ct_judging *j, const struct ct_rule_option *o)
{
	uint8_t type = j->l4[8] >> 1 & 15;
	uint32_t from = 12 + (j->l4[8] & 1u) * 4 + dccp_size(type), end = j->l4[4] * 4u;

	if (!o)
		return true;
	if (end < from || end > j->l4_size) {
		j->is_hot = true;
		return false;
	}
	return (option_find(j->l4 + from, end - from, (uint8_t)o->n[0]) != NULL) != o->is_inverted;
}

enum ct_truth ct_match_dccp(struct ct_rule_ext *e, struct ct_judging *j)
{
	const struct ct_rule_option *types = ct_ext_option(e, "dccp-types");

	if (!ct_has_header(j, 12) || !port_fits(e, "sport", wire_be16(j->l4)) ||
	    !port_fits(e, "dport", wire_be16(j->l4 + 2)))
		return CT_NO;
	if (types && ct_truth_of(types->n[0] >> (j->l4[8] >> 1 & 15) & 1, types) == CT_NO)
		return CT_NO;
	return dccp_option_fits(j, ct_ext_option(e, "dccp-option")) ? CT_YES : CT_NO;
}

/* tcpmss_mt(): also looks into later fragments as if they began with a header. */
enum ct_truth ct_match_tcpmss(struct ct_rule_ext *e, struct ct_judging *j)
{
	const struct ct_rule_option *o = &e->option[0];
	uint32_t end = j->l4_size >= 20 ? (uint32_t)(j->l4[12] >> 4) * 4 : 0;

	if (end < 20 || end > j->l4_size) {
		j->is_hot = true;
		return CT_NO;
	}
	for (uint32_t i = 20; i < end;) {
		const uint8_t *at = option_find(j->l4 + i, end - i, 2);

		if (!at)
			break;
		i = (uint32_t)(at - j->l4);
		if (end - i >= 4 && at[1] == 4)
			return ct_truth_of(ct_in_range(wire_be16(at + 2), o), o);
		i += i + 1 < end && at[1] ? at[1] : 1;
	}
	return ct_truth_of(false, o);
}

/* ecn_mt4(): the two bits of the IP header, then the flags of TCP. */
enum ct_truth ct_match_ecn(struct ct_rule_ext *e, struct ct_judging *j)
{
	const struct ct_rule_option *ect = ct_ext_option(e, "ecn-ip-ect");
	const struct ct_rule_option *ece = ct_ext_option(e, "ecn-tcp-ece");
	const struct ct_rule_option *cwr = ct_ext_option(e, "ecn-tcp-cwr");

	if (ect && ((j->tos & 3u) == ect->n[0]) == ect->is_inverted)
		return CT_NO;
	if (!ece && !cwr)
		return CT_YES;
	if (j->proto != PROTO_TCP || j->l4_size < 20)
		return CT_NO;
	if (ece && !(j->l4[13] & 0x40) != ece->is_inverted)
		return CT_NO;
	return cwr && !(j->l4[13] & 0x80) != cwr->is_inverted ? CT_NO : CT_YES;
}
