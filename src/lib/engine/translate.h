/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Where translation takes part in tracking: the counterpart of the kernel's nf_nat_ftp_hook, of
 * the callbacks of expectations, and of nf_ct_seq_adjust(). lib/nat fills it in.
 */
#ifndef CT_ENGINE_TRANSLATE_H
#define CT_ENGINE_TRANSLATE_H

#include <conntune/engine.h>

/* How FTP writes an address and a port: enum nf_ct_ftp_type. */
enum ct_ftp_form { CT_FTP_PORT, CT_FTP_EPRT, CT_FTP_PASV, CT_FTP_EPSV };

struct ct_translate_ops {
	/* nf_nat_ftp(): the @size bytes that begin @at bytes into the TCP payload become @addr and
	 * @port. False when they cannot: the packet is then dropped. */
	bool (*ftp)(void *user, struct ct_packet *p, enum ct_ftp_form form, uint32_t at,
		    uint32_t size, const union ct_addr *addr, uint16_t port);
	/* nf_nat_follow_master(): a new entry that @master's direction @dir had announced goes
	 * where @master goes, to the port @part. */
	void (*follow)(void *user, struct ct_handle entry, struct ct_handle master, enum ct_dir dir,
		       ct_be16 part);
	/* nf_ct_seq_adjust(): the numbers of a segment whose entry has shifts. False: drop it. */
	bool (*adjust)(void *user, struct ct_packet *p);
};

/* From now on @ops are called with @user; null: no more. */
void ct_engine_set_translator(struct ct_engine *en, const struct ct_translate_ops *ops, void *user);

#endif
