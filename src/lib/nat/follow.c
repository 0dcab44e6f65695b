/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Helpers of translated connections: what they announce is rewritten, and what was announced goes
 * where its master goes. Answers to Linux 6.18, net/netfilter/nf_nat_ftp.c, nf_nat_ftp_fmt_cmd();
 * nf_nat_helper.c, nf_nat_follow_master().
 */
#include <conntune/text.h>
#include <string.h>

#include "lib/engine/translate.h"
#include "lib/nat/nat.h"

/* h1,h2,h3,h4,p1,p2 */
static void put_six(struct ct_text *t, const union ct_addr *addr, uint16_t port)
{
	ct_text_printf(t, "%u,%u,%u,%u,%u,%u", addr->bytes[0], addr->bytes[1], addr->bytes[2],
		       addr->bytes[3], port >> 8, port & 0xffu);
}

/* |1|192.0.2.1|6275|; IPv6 in full, as the kernel's %pI6 has it. */
static void put_eprt(struct ct_text *t, uint8_t family, const union ct_addr *addr, uint16_t port)
{
	ct_text_str(t, family == CT_FAMILY_IPV6 ? "|2|" : "|1|");
	ct_addr_format(addr, family, true, t);
	ct_text_printf(t, "|%u|", port);
}

static bool translate_ftp(void *user, struct ct_packet *p, enum ct_ftp_form form, uint32_t at,
			  uint32_t size, const union ct_addr *addr, uint16_t port)
{
	char room[64];
	struct ct_text t;

	ct_text_init(&t, room, sizeof(room));
	switch (form) {
	case CT_FTP_PORT:
	case CT_FTP_PASV:
		put_six(&t, addr, port);
		break;
	case CT_FTP_EPRT:
		put_eprt(&t, p->family, addr, port);
		break;
	case CT_FTP_EPSV:
		ct_text_printf(&t, "|||%u|", port);
		break;
	}
	return ct_nat_replace(user, p, at, size, room, (uint32_t)strlen(room));
}

static void follow_master(void *user, struct ct_handle entry, struct ct_handle master,
			  enum ct_dir dir, ct_be16 part)
{
	struct ct_nat *nat = user;
	struct ct_nat_range range = { .flags = CT_NAT_MAP_ADDRS };
	struct ct_tuple t;

	if (ct_engine_tuple(nat->engine, master, ct_nat_other(dir), &t) < 0)
		return;
	range.min_addr = range.max_addr = t.dst;
	(void)ct_nat_setup_entry(nat, entry, &range, CT_MANIP_SRC);
	range.flags |= CT_NAT_MAP_PARTS;
	range.min_addr = range.max_addr = t.src;
	range.min_part = range.max_part = __builtin_bswap16(part);
	(void)ct_nat_setup_entry(nat, entry, &range, CT_MANIP_DST);
}

static bool adjust(void *user, struct ct_packet *p)
{
	return ct_nat_adjust(user, p);
}

void ct_nat_take_part(struct ct_nat *nat)
{
	static const struct ct_translate_ops ops = { .ftp = translate_ftp,
						     .follow = follow_master,
						     .adjust = adjust };

	ct_engine_set_translator(nat->engine, &ops, nat);
}
