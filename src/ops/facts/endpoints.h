/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Which ends of connections are here: the open TCP sockets of one namespace, and its addresses.
 */
#ifndef OPS_FACTS_ENDPOINTS_H
#define OPS_FACTS_ENDPOINTS_H

#include <conntune/tuple.h>

#include "lib/base/clean.h"
#include "ops/facts/socket_line.h"
#include "ops/host/host.h"

#define ENDPOINTS_MAX_SOCKETS (1u << 20) /* a hundred bytes each */

struct endpoints;

/* Reads /proc/net/tcp, tcp6, fib_trie and if_inet6 as @h shows them. @seed by chance. -ENOENT when
 * it shows no sockets, -ENOMEM. */
int endpoints_read(struct host *h, uint64_t seed, struct endpoints **out);

/* Out of the text of such files, for tests; @addrs is a fib_trie, or null for not known. */
int endpoints_of_text(const char *tcp, const char *addrs, uint64_t seed, struct endpoints **out);
void endpoints_free(struct endpoints *e);
DEFINE_AUTO_FREE(endpoints);

/* The connected socket that sends packets of tuple @t, or null. Not one in TIME_WAIT, which no
 * program has any more. */
const struct socket_line *endpoints_socket(const struct endpoints *e, const struct ct_tuple *t);

/* Whether @a is an address of this namespace; loopback always is. */
bool endpoints_is_own(const struct endpoints *e, const union ct_addr *a, uint8_t family);

/* False when the addresses could not be read: nothing but loopback is known to be own. */
bool endpoints_knows_own(const struct endpoints *e);

/* True when there are more sockets than are kept. */
bool endpoints_is_cut(const struct endpoints *e);

#endif
