/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Replaces addresses so that the structure stays: under one key the same address always becomes
 * the same other one, two addresses that share their first n bits still share exactly n bits, and
 * private, loopback, link-local and multicast addresses stay of their kind. Ports, protocols and
 * everything else are kept.
 *
 * An address is walked bit by bit; each bit is turned or not by a keyed hash of the bits before
 * it (the prefix-preserving scheme of Xu, Fan, Ammar and Moon). Bits on the way to a special
 * prefix are never turned, which keeps the kinds apart, and lets an address that stands close to
 * a special prefix show how close.
 */
#ifndef OPS_BUNDLE_ANON_H
#define OPS_BUNDLE_ANON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/clean.h"

#define ANON_KEY_BYTES 16

struct anon;

/* Copies @key. -ENOMEM. */
int anon_new(const uint8_t key[ANON_KEY_BYTES], struct anon **out);
void anon_free(struct anon *a);
DEFINE_AUTO_FREE(anon);

/* Replaces an address in network order. Of IPv4 the first @bits, of at most 32, of IPv6 of at most
 * 128; the rest stays: the host bits of a network are zero before and after. */
void anon_ip4(struct anon *a, uint8_t address[4], unsigned bits);
void anon_ip6(struct anon *a, uint8_t address[16], unsigned bits);

/* Replaces a hardware address; a group address stays one. All ones and zeros are kept. */
void anon_mac(struct anon *a, uint8_t address[6]);

/* Appends @text with all addresses in it replaced, lengths of networks heeded, and comments of
 * rules emptied. -ENOMEM. */
int anon_text(struct anon *a, const char *text, size_t len, struct ct_buf *out);

/* Appends /proc/net/tcp and its like, where addresses are hexadecimal words in the byte order of
 * the machine (taken to be ours). -ENOMEM. */
int anon_sockets(struct anon *a, const char *text, size_t len, struct ct_buf *out);

/* Replaces the addresses in a datagram of ctnetlink: entries and expectations, in place. A message
 * that is cut or contradicts itself loses its payload. A dump_rewrite; @user is the anon. */
void anon_datagram(void *user, uint8_t *datagram, size_t size);

#endif
